"""Which tests run in one process: those of a file, and all that look at the same finished run of the workflow."""

import pytest


def pytest_collection_modifyitems(items):
    for item in items:
        together = "finished" if "finished" in item.fixturenames else item.path.name
        item.add_marker(pytest.mark.xdist_group(together))
    # The longest first, so that no process waits for another at the end.
    items.sort(key=lambda item: "workflow" not in item.path.parts)
