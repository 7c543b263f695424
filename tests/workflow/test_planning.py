"""What a plan still finds although it looks at each rule once."""

from conftest import Workflow


def test_a_script_that_is_not_there_stops_a_dry_run_with_its_name(tmp_path):
    workflow = Workflow(tmp_path)
    (workflow.code / "workflow_scripts/strip.py").unlink()
    text = workflow.run("--dry-run", "preprocess", check=False)
    assert workflow.returncode != 0 and "workflow_scripts/strip.py" in text
