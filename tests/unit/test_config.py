"""The configuration: as shipped it is valid; every fault of another is said at once."""

from pathlib import Path

import pytest
import yaml
from counterwarp.config import check_config
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
