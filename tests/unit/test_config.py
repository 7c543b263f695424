"""The configuration: as shipped it is valid; every fault of another is said at once."""

from pathlib import Path

import pytest
import yaml
from counterwarp.config import check_config, check_together
from counterwarp.errors import ConfigError

ROOT = Path(__file__).parents[2]
SCHEMA = ROOT / "schemas/config.schema.yaml"


def shipped():
    return yaml.safe_load((ROOT / "config.yaml").read_text())


def test_the_shipped_configuration_is_valid():
    config = shipped()
    check_config(config, SCHEMA)
    assert config["experiment"] == "demo"


def test_unknown_keys_and_wrong_types_are_all_listed_with_what_was_meant():
    config = shipped()
    config["cohort"]["sed"] = 3
    config["cohort"]["test_share"] = "a third"
    config["device"] = "tpu"
    with pytest.raises(ConfigError) as caught:
        check_config(config, SCHEMA)
    text = str(caught.value)
    assert len(caught.value.problems) == 3
    assert "cohort: unknown key 'sed'; did you mean 'seed'?" in text
    assert "cohort.test_share: 'a third' is not of type 'number'" in text
    assert "device: 'tpu' is not one of" in text


def test_an_image_cannot_be_computed_on_a_coarse_grid():
    config = shipped()
    config["simulator"] |= {"output": "image", "output_level": 1}
    with pytest.raises(ConfigError, match="output_level: 0 was expected"):
        check_config(config, SCHEMA)


def test_an_experiment_cannot_leave_the_results_folder():
    with pytest.raises(ConfigError, match="experiment"):
        check_config(shipped() | {"experiment": "../elsewhere"}, SCHEMA)


def test_what_several_checks_find_is_said_at_once():
    def check(*problems):
        if problems:
            raise ConfigError(list(problems))

    check_together(check, check)
    with pytest.raises(ConfigError) as caught:
        check_together(lambda: check("a", "b"), check, lambda: check("c"))
    assert caught.value.problems == ["a", "b", "c"]


@pytest.mark.parametrize("head", ["MNI152NLin2009cAsym", {"image": "head.nii.gz", "mask": "brain.nii.gz"}])
def test_another_head_is_a_valid_configuration(head):
    config = shipped()
    config["preprocess"]["strip"]["head"] = head
    check_config(config, SCHEMA)


def test_the_recipe_of_defigan_is_a_valid_configuration():
    config = shipped()
    config["preprocess"] |= {"conform": "fsl", "register": {"engine": "flirt", "dof": 7}}
    config["preprocess"]["strip"] |= {"engine": "robex+bet", "bet_fraction": 0.25}
    check_config(config, SCHEMA)
    config["preprocess"]["strip"]["bet_fraction"] = "auto"
    check_config(config, SCHEMA)
    config["preprocess"]["register"]["dof"] = 9
    with pytest.raises(ConfigError, match=r"preprocess\.register\.dof: 9 is not one of \[7, 12\]"):
        check_config(config, SCHEMA)
