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
        super().__init__()

    def __str__(self) -> str:
        return listed(self.problems)

    def add(self, problem: str) -> None:
        """One more problem."""
        self.problems.append(problem)


def listed(problems: list[str]) -> str:
    """Problems, one a line."""
    return "\n".join(f"  - {problem}" for problem in problems)


class SplitError(ConfigError):
    """A cohort is too small to be split, or lacks a group; `scans` is its table, complete but for an empty split."""

    def __init__(self, problems: list[str], scans):
        self.scans = scans
        super().__init__(problems)
