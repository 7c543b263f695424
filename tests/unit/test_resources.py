"""Files from elsewhere: found, fetched whole or not at all, and said in one sentence where they are missing."""

import hashlib
import os
import socket
import threading
from dataclasses import replace
from pathlib import Path

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
    # SHA-256 of the five letters "alpha", and of "gamma", which is not what b is served with.
    digests = {
        "a": "8ed3f6ad685b959ead7022518e1af76cd816f8e8ec7ccdda1ed4018e8f2223f8",
        "b": hashlib.sha256(b"gamma").hexdigest(),
    }
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
    with pytest.raises(CounterwarpError, match=f"SHA-256 {hashlib.sha256(b'beta').hexdigest()}, expected be9d"):
        fetch("thing", "b", str(served / "out"))
    assert not (served / "out").exists()


def test_no_answer_is_said_with_the_address_and_the_way_round(served):
    (served / "served/a").unlink()
    with pytest.raises(CounterwarpError, match=r"served/a: .*resources\.thing to a folder that holds a"):
        fetch("thing", "a", str(served / "out"))


def test_a_folder_of_ones_own_must_hold_every_file(served):
    (served / "mine").mkdir()
    (served / "mine/a").touch()
    with pytest.raises(
        ConfigError, match=r"resources\.thing: .*/mine lacks b; get them from https://example.org/page, or"
    ):
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
    kept = served / "kept/thing"
    kept.mkdir(parents=True)
    for file, content in (("a", b"alpha"), ("b", b"gamma")):
        (kept / file).write_bytes(content)
    check_resource("thing", "")


def test_a_kept_file_that_is_not_the_one_meant_is_refused(served):
    kept = served / "kept/thing"
    kept.mkdir(parents=True)
    (kept / "a").write_bytes(b"alph")
    (kept / "b").write_bytes(b"gamma")
    with pytest.raises(ConfigError) as caught:
        check_resource("thing", "")
    [problem] = caught.value.problems
    assert problem.startswith(f"{kept}/a: SHA-256 {hashlib.sha256(b'alph').hexdigest()}, expected 8ed3f6ad")
    assert problem.endswith("delete it, and it is fetched again, or set resources.thing to a folder of your own")
    (kept / "a").unlink()
    check_resource("thing", "")


def test_a_connection_that_breaks_is_said_and_leaves_nothing(served, monkeypatch):
    """Against a server that promises ten bytes, sends five and hangs up."""

    def answer():
        connection, _ = server.accept()
        with connection:
            connection.recv(10_000)
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nalpha")

    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=answer)
        thread.start()
        address = f"http://127.0.0.1:{server.getsockname()[1]}"
        monkeypatch.setitem(resources.RESOURCES, "thing", replace(resources.RESOURCES["thing"], address=address))
        monkeypatch.setenv("no_proxy", "127.0.0.1")
        with pytest.raises(CounterwarpError, match=f"{address}/a: IncompleteRead.*; try again, or set resources.thing"):
            fetch("thing", "a", str(served / "out"))
        thread.join()
    assert not (served / "out").exists()


def test_the_digests_are_those_of_the_atlas_at_hand():
    folder = Path(__file__).parents[3] / "shared/data/sri24"
    if not folder.exists():
        pytest.skip("the atlas is not here")
    wanted = resources.RESOURCES["sri24"].files
    assert {file: hashlib.sha256((folder / file).read_bytes()).hexdigest() for file in wanted} == wanted


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
