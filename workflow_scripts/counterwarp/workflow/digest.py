"""A digest of the library code that a script runs, so that a changed module reruns exactly the stages that use it.

Snakemake's rerun triggers and its between-workflow cache see the text of a script but not the modules that it imports.
"""

import ast
import hashlib
from functools import cache
from pathlib import Path

SCRIPTS = Path(__file__).resolve().parents[2]
# Logging and file handling cannot change a result, so a change there reruns nothing.
WITHOUT_EFFECT = "counterwarp.workflow"


def digest(script: str, *modules: str, folder: Path = SCRIPTS) -> str:
    """Digest of a script and of every counterwarp module that it imports, directly or not.

    Args:
        script: name of the script in `folder`, without its ending.
        modules: dotted names of modules that the script chooses while it runs, so that no import statement names them.
        folder: where the scripts and the package `counterwarp` lie.

    Returns:
        16 hexadecimal digits.
    """
    found: dict[str, Path] = {}
    for module in modules:
        found |= _module_and_parents(module, folder)
    waiting = [folder / f"{script}.py", *found.values()]
    while waiting:
        path = waiting.pop()
        for name, module in _imports(path, folder).items():
            if name not in found:
                found[name] = module
                waiting.append(module)
    total = hashlib.sha256()
    for path in [folder / f"{script}.py", *(found[name] for name in sorted(found))]:
        total.update(path.read_bytes())
    return total.hexdigest()[:16]


@cache
def _imports(path: Path, folder: Path) -> dict[str, Path]:
    """The counterwarp modules that a file names anywhere in its import statements, by dotted name."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            names.add(node.module)
            names.update(f"{node.module}.{alias.name}" for alias in node.names)
    modules = {}
    for name in names:
        if name.split(".")[0] == "counterwarp" and not name.startswith(WITHOUT_EFFECT):
            modules.update(_module_and_parents(name, folder))
    return modules


def _module_and_parents(name: str, folder: Path) -> dict[str, Path]:
    """Importing a.b.c runs a/__init__, a/b/__init__ and a/b/c: all of them are code that the script runs."""
    modules = {}
    parts = name.split(".")
    for length in range(1, len(parts) + 1):
        base = folder.joinpath(*parts[:length])
        for path in (base.with_suffix(".py"), base / "__init__.py"):
            if path.is_file():
                modules[".".join(parts[:length])] = path
    return modules
