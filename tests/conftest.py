"""How the tests share the cores: which run in one process, and on how many threads; and a user without rights."""

import os
import shutil
import tempfile
from pathlib import Path

import pytest

# Two processes of two threads each would wait for one another at every small step of a network.
os.environ.setdefault("OMP_NUM_THREADS", "1")
NOBODY = 65534


class AsNobody:
    """While it is entered the process may do what any user may, also where root runs the tests; its folder is open."""

    def __init__(self):
        # pytest's own folders are closed to others.
        self.folder = Path(tempfile.mkdtemp())
        self.folder.chmod(0o777)

    def __enter__(self):
        if os.getuid() == 0:
            os.setresuid(NOBODY, NOBODY, 0)

    def __exit__(self, *error):
        if os.getresuid()[2] == 0:
            os.setresuid(0, 0, 0)


@pytest.fixture
def as_nobody():
    nobody = AsNobody()
    yield nobody
    shutil.rmtree(nobody.folder)


# Before xdist reads the groups.
@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items):
    for item in items:
        # Those of a file share its fixtures, all that look at the finished run of the workflow share that, and all on
        # Slurm share the one that is brought up for them.
        shared = [fixture for fixture in ("finished", "slurm") if fixture in item.fixturenames]
        item.add_marker(pytest.mark.xdist_group(shared[0] if shared else item.path.name))
    # The longest first, so that no process waits for another at the end.
    items.sort(key=lambda item: "workflow" not in item.path.parts)
