"""The digest of a script follows its imports, and only them."""

from counterwarp.workflow.digest import SCRIPTS, _imports, digest


def library(folder):
    package = folder / "counterwarp"
    (package / "workflow").mkdir(parents=True)
    (package / "__init__.py").write_text("")
    (package / "workflow/__init__.py").write_text("")
    (package / "near.py").write_text("from counterwarp.far import value\n")
    (package / "far.py").write_text("value = 1\n")
    (package / "other.py").write_text("import counterwarp.far\n")
    (folder / "step.py").write_text("from counterwarp.near import value\nfrom counterwarp import workflow\n")
    return package


def changed(folder, path, text, *modules):
    before = digest("step", *modules, folder=folder)
    path.write_text(text)
    _imports.cache_clear()
    return digest("step", *modules, folder=folder) != before


def test_a_module_imported_at_second_hand_counts_and_an_unused_one_does_not(tmp_path):
    package = library(tmp_path)
    assert changed(tmp_path, package / "far.py", "value = 2\n")
    assert changed(tmp_path, tmp_path / "step.py", "from counterwarp.near import value\n")
    assert not changed(tmp_path, package / "other.py", "value = 3\n")
    assert not changed(tmp_path, package / "workflow/__init__.py", "value = 4\n")


def test_a_module_chosen_while_running_counts_when_it_is_named(tmp_path):
    package = library(tmp_path)
    assert changed(tmp_path, package / "other.py", "value = 3\n", "counterwarp.other")
    assert changed(tmp_path, package / "far.py", "value = 5\n", "counterwarp.other")


def test_every_script_has_a_digest_of_its_own():
    scripts = [path.stem for path in SCRIPTS.glob("*.py")]
    assert len(scripts) > 2
    assert len({digest(script) for script in scripts}) == len(scripts)
