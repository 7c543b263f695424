"""How the tests share the cores: which run in one process, and on how many threads."""

import os

import pytest

# Two processes of two threads each would wait for one another at every small step of a network.
os.environ.setdefault("OMP_NUM_THREADS", "1")


# Before xdist reads the groups.
@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items):
    for item in items:
        # Those of a file share its fixtures, and all that look at the finished run of the workflow share that.
        together = "finished" if "finished" in item.fixturenames else item.path.name
        item.add_marker(pytest.mark.xdist_group(together))
    # The longest first, so that no process waits for another at the end.
    items.sort(key=lambda item: "workflow" not in item.path.parts)
