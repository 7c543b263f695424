"""One whole run of the workflow, which many tests look at."""

import pytest
from running import ROOT, STAGES, TARGETS, TINY, Workflow

__all__ = ["ROOT", "STAGES", "TARGETS", "TINY", "Workflow"]


@pytest.fixture(scope="session")
def finished(tmp_path_factory) -> Workflow:
    """The workflow, run whole once for all tests."""
    workflow = Workflow(tmp_path_factory.mktemp("tiny"))
    workflow.run("--keep-going")
    return workflow
