"""Files from elsewhere: found, fetched whole or not at all, and said in one sentence where they are missing."""

import hashlib
import os

import pytest
from counterwarp import resources
from counterwarp.errors import ConfigError, CounterwarpError
from counterwarp.resources import Resource, check_head, check_resource, fetch, head_files, kept_folder, places


@pytest.fixture
def served(tmp_path, monkeypatch):
    """A resource of two files, served from a folder."""
    (tmp_path / "served").mkdir()
    (tmp_path / "served/a").write_bytes(b"alpha")
    (tmp_path / "served/b").write_bytes(b"beta")
    # SHA-256 of the five letters "alpha", and of another content than that of b.
    digests = {"a": "8ed3f6ad685b959ead7022518e1af76cd816f8e8ec7ccdda1ed4018e8f2223f8", "b": 64 * "0"}
    resource = Resource("https://example.org/page", (tmp_path / "served").as_uri(), digests)
    monkeypatch.setitem(resources.RESOURCES, "thing", resource)
    monkeypatch.setenv("COUNTERWARP_CACHE", str(tmp_path / "kept"))
    return tmp_path


def test_places_are_the_users_folder_or_the_kept_one(served):
    assert kept_folder() == str(served / "kept")
    assert places("thing", "") == [f"{served}/kept/thing/a", f"{served}/kept/thing/b"]
    assert places("thing", "~/x") == [os.path.expanduser("~/x/a"), os.path.expanduser("~/x/b")]
    assert places("mni152", "") == []


def test_the_file_meant_is_written(served):
    fetch("thing", "a", str(served / "out"))
    assert (served / "out").read_bytes() == b"alpha"


def test_another_file_is_refused_and_not_written(served):
    with pytest.raises(CounterwarpError, match=f"SHA-256 {hashlib.sha256(b'beta').hexdigest()}, expected 0000"):
        fetch("thing", "b", str(served / "out"))
    assert not (served / "out").exists()


def test_no_answer_is_said_with_the_address_and_the_way_round(served):
    (served / "served/a").unlink()
    with pytest.raises(CounterwarpError, match=r"served/a: .*resources\.thing to a folder that holds a"):
        fetch("thing", "a", str(served / "out"))


def test_a_folder_of_ones_own_must_hold_every_file(served):
    (served / "mine").mkdir()
    (served / "mine/a").touch()
    with pytest.raises(ConfigError, match=r"resources\.thing: .*/mine lacks b; get them from https://example.org/page"):
        check_resource("thing", str(served / "mine"))
    (served / "mine/b").touch()
    check_resource("thing", str(served / "mine"))


def test_what_is_kept_is_not_asked_for_again_and_what_cannot_be_had_is_said(served):
    check_resource("thing", "")
    (served / "served/a").unlink()
    with pytest.raises(ConfigError) as caught:
        check_resource("thing", "")
    text = str(caught.value)
    assert "needs a, b" in text and "served/a does not answer" in text and f"put the files into {served}/kept" in text
    for file in ("a", "b"):
        (served / "kept/thing").mkdir(parents=True, exist_ok=True)
        (served / "kept/thing" / file).touch()
    check_resource("thing", "")


def test_what_comes_with_the_installation_needs_no_file():
    check_resource("mni152", "")


def test_the_head_is_the_standard_one_a_resource_or_the_users_own(served):
    standard = ["standard_head", "standard_mask"]
    assert head_files("simulated", {"thing": ""}, standard) == standard
    assert head_files("thing", {"thing": ""}, standard) == places("thing", "")
    assert head_files("thing", {"thing": "/mine"}, standard) == ["/mine/a", "/mine/b"]
    own = {"image": "head.nii", "mask": "~/mask.nii"}
    assert head_files(own, {"thing": ""}, standard) == ["head.nii", os.path.expanduser("~/mask.nii")]


def test_a_head_is_asked_for_only_where_it_finds_brains(served):
    own = {"image": str(served / "served/a"), "mask": str(served / "none.nii")}
    check_head({"engine": "robex", "head": own}, {})
    check_head({"engine": "template", "head": "simulated"}, {})
    with pytest.raises(ConfigError, match=r"preprocess\.strip\.head: no file .*/none\.nii; correct the path"):
        check_head({"engine": "template", "head": own}, {})
    (served / "served/a").unlink()
    with pytest.raises(ConfigError, match=r"thing needs a, b, and file://.*/served/a does not answer"):
        check_head({"engine": "template", "head": "thing"}, {"thing": ""})
