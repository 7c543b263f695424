"""Check the configuration against its schema, and say everything that is wrong at once."""

import difflib
from collections.abc import Callable
from pathlib import Path

import yaml
from jsonschema import Draft202012Validator

from counterwarp.errors import ConfigError


def check_config(config: dict, schema_path: str | Path) -> None:
    """Raise a ConfigError that lists every unknown key, wrong type and value out of range.

    Args:
        config: the merged configuration.
        schema_path: schemas/config.schema.yaml.
    """
    schema = yaml.safe_load(Path(schema_path).read_text())
    problems = []
    for error in sorted(Draft202012Validator(schema).iter_errors(config), key=lambda error: list(map(str, error.path))):
        problems += _sentences(error)
    if problems:
        raise ConfigError(problems)


def check_together(*checks: Callable[[], None]) -> None:
    """Run checks, each of which may raise a ConfigError; raise one that lists what all of them found."""
    problems = []
    for check in checks:
        try:
            check()
        except ConfigError as error:
            problems += error.problems
    if problems:
        raise ConfigError(problems)


def _sentences(error) -> list[str]:
    place = ".".join(map(str, error.absolute_path)) or "configuration"
    if error.validator == "additionalProperties":
        known = error.schema.get("properties", {})
        return [f"{place}: unknown key {key!r}{_nearest(key, known)}" for key in error.instance if key not in known]
    wanted = error.schema.get("description", "")
    return [f"{place}: {error.message}" + (f" ({wanted})" if wanted else "")]


def _nearest(key: str, known) -> str:
    near = difflib.get_close_matches(str(key), list(known), 1)
    return f"; did you mean {near[0]!r}?" if near else f"; known are {', '.join(known)}"
