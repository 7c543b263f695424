"""A step of one scan: outputs are whole or absent, and its failure travels on."""

import json
import subprocess
import tempfile
from pathlib import Path
from types import SimpleNamespace

import pytest
from counterwarp.errors import BrokenFileError, CounterwarpError, ScanError
from counterwarp.workflow import cohort_step, read_failure, rerun_in, scan_step


class Named(dict):
    def __getitem__(self, key):
        return list(self.values())[key] if isinstance(key, int) else super().__getitem__(key)

    def __iter__(self):
        return iter(self.values())


def job(folder, **inputs):
    return SimpleNamespace(
        rule="strip",
        threads=1,
        wildcards=SimpleNamespace(scan="sub-01"),
        input=Named({name: str(path) for name, path in inputs.items()}),
        output=Named(image=str(folder / "out/image.txt"), sidecar=str(folder / "out/image.json")),
        log=[str(folder / "strip.log")],
    )


def copy(inputs, outputs):
    Path(outputs.image).write_text("image")
    Path(outputs.sidecar).write_text("{}")


def fail(inputs, outputs):
    Path(outputs.image).write_text("half an im")
    raise ScanError("sub-01.nii.gz: holds NaN; repair it")


def test_a_good_step_writes_its_outputs_and_its_cost(tmp_path):
    scan_step(job(tmp_path), copy)
    assert (tmp_path / "out/image.txt").read_text() == "image"
    assert [path.name for path in sorted((tmp_path / "out").iterdir())] == ["image.json", "image.txt"]
    cost = json.loads((tmp_path / "strip.log").read_text().splitlines()[-1].split("cost ")[1])
    assert cost["rule"] == "strip" and cost["state"] == "finished" and cost["peak_mb"] > 0


def test_a_failed_step_leaves_records_that_later_steps_pass_on(tmp_path):
    scan_step(job(tmp_path), fail)
    failure = read_failure(tmp_path / "out/image.txt")
    assert failure["rule"] == "strip" and failure["reason"] == "sub-01.nii.gz: holds NaN; repair it"
    assert "--forcerun strip" in failure["rerun"]
    later = job(tmp_path / "later", image=tmp_path / "out/image.txt")
    (tmp_path / "later").mkdir()
    scan_step(later, copy)
    assert read_failure(tmp_path / "later/out/image.json") == failure


def test_a_failure_of_another_project_is_tried_again_in_these_results():
    met = {"rerun": "--forcerun strip -- results/first/derivatives/results/x.nii.gz"}
    wanted = "--forcerun strip -- results/second/derivatives/results/x.nii.gz"
    assert rerun_in("results/second", met) == rerun_in("results/second", {"rerun": wanted}) == wanted


def test_an_unforeseen_error_is_recorded_with_its_traceback_in_the_log(tmp_path):
    scan_step(job(tmp_path), lambda inputs, outputs: 1 / 0)
    assert "ZeroDivisionError" in read_failure(tmp_path / "out/image.txt")["reason"]
    assert "Traceback" in (tmp_path / "strip.log").read_text()


def test_a_fault_of_the_machine_is_raised_and_leaves_nothing(tmp_path):
    def full_disk(inputs, outputs):
        Path(outputs.image).write_text("half")
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError):
        scan_step(job(tmp_path), full_disk)
    assert list((tmp_path / "out").iterdir()) == []


def test_a_broken_file_of_another_step_is_no_failure_of_the_scan(tmp_path):
    def meet_one(inputs, outputs):
        raise BrokenFileError("mask.nii.gz: truncated; delete it, run again")

    with pytest.raises(SystemExit, match=r"strip: mask\.nii\.gz: truncated; delete it"):
        scan_step(job(tmp_path), meet_one)
    assert list((tmp_path / "out").iterdir()) == []


def test_an_output_not_written_is_a_failure(tmp_path):
    scan_step(job(tmp_path), lambda inputs, outputs: Path(outputs.image).touch())
    assert "did not write" in read_failure(tmp_path / "out/image.txt")["reason"]


def test_a_real_file_is_no_failure(tmp_path):
    (tmp_path / "image").write_bytes(b"\x1f\x8b")
    assert read_failure(tmp_path / "image") is None


def test_a_cohort_step_stops_with_one_message(tmp_path):
    def refuse(inputs, outputs):
        raise CounterwarpError("no patient left after preprocessing")

    with pytest.raises(SystemExit, match="strip: no patient left"):
        cohort_step(job(tmp_path), refuse)


def test_a_scan_without_permission_fails_alone_and_says_so(as_nobody):
    import nibabel as nib
    import numpy as np
    from counterwarp.imaging.io import open_image

    scan = as_nobody.folder / "sub-01_T1w.nii.gz"
    nib.save(nib.Nifti1Image(np.ones((3, 3, 3), np.float32), np.eye(4)), scan)
    scan.chmod(0)
    step = job(as_nobody.folder, image=scan)
    with as_nobody:
        scan_step(step, lambda inputs, outputs: open_image(inputs.image))
    failure = read_failure(as_nobody.folder / "out/image.txt")
    assert failure["reason"] == f"{scan}: no permission to read it; ask its owner for it, or exclude the scan"
    assert sorted(path.name for path in (as_nobody.folder / "out").iterdir()) == ["image.json", "image.txt"]


def test_what_a_killed_try_left_is_gone_after_the_next(tmp_path):
    left = tmp_path / "out/.unfinished-image_txt/0/image.txt"
    left.parent.mkdir(parents=True)
    left.write_text("half an im")
    scan_step(job(tmp_path), copy)
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["image.json", "image.txt"]


def test_two_projects_may_write_the_same_shared_files_at_once(tmp_path):
    def copy_while_another_does(inputs, outputs):
        cohort_step(job(tmp_path), copy, shared=True)
        copy(inputs, outputs)

    cohort_step(job(tmp_path), copy_while_another_does, shared=True)
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["image.json", "image.txt"]


def test_temporary_files_lie_in_the_same_folder_also_those_of_programs(tmp_path):
    before, places = tempfile.gettempdir(), []

    def work(inputs, outputs):
        places.append(tempfile.mkdtemp())
        places.append(subprocess.run(["mktemp"], capture_output=True, text=True, check=True).stdout)
        copy(inputs, outputs)

    scan_step(job(tmp_path), work)
    assert {Path(place).parent for place in places} == {tmp_path / "out/.unfinished-image_txt"}
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["image.json", "image.txt"]
    assert tempfile.gettempdir() == before
