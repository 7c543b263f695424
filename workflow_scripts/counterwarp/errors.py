"""The errors that a user can act on."""


class CounterwarpError(Exception):
    """What is wrong, with the file, the value received and what to do about it."""


class ScanError(CounterwarpError):
    """One scan cannot be used; the others can."""


class UnreadableError(ScanError):
    """The file of a scan cannot be read, or not to its end."""


class BrokenFileError(CounterwarpError):
    """A file that another step wrote cannot be read: the fault of a disk or of a shared cache, and of no scan."""


class ConfigError(CounterwarpError):
    """The configuration or a table is wrong; `problems` lists every fault found, one string each."""

    def __init__(self, problems: list[str]):
        self.problems = list(problems)
        super().__init__("\n".join(f"  - {problem}" for problem in self.problems))
