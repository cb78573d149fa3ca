"""From a command line to typed settings: Hydra composes, mistakes become one sentence."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hydra import compose as hydra_compose
from hydra import initialize_config_dir
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.errors import HydraException
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import MissingMandatoryValue, OmegaConfBaseException

from envs.errors import UserError
from train.typed import check_types
from train.words import unknown

CONF = Path(__file__).parent / "conf"
GROUPS = ("trainer", "data", "model", "stage")


def parse(overrides: Sequence[str]) -> list[Override]:
    """Parsed `key=value` words; UserError for a word that is none."""
    try:
        return list(OverridesParser.create().parse_overrides(list(overrides)))
    except HydraException as error:
        bad = next((word for word in overrides if "=" not in word), None)
        reason = f"{bad!r} is not of the form key=value" if bad else _first_line(error)
        raise UserError(f"{reason}; see python -m train --help") from error


def choices(group: str, conf: Path = CONF) -> list[str]:
    """The names one can choose in a group, such as "model"."""
    return sorted(path.stem for path in (conf / group).glob("*.yaml"))


def compose(overrides: Sequence[str], conf: Path = CONF) -> DictConfig:
    """The composed and resolved settings.

    Args:
        overrides: Hydra's words: `stage=world`, `model=tiny`, `trainer.lr=1e-3`, `+stage.extra=1`.
        conf: the folder of `config.yaml` and its groups.

    Raises:
        UserError: an unknown preset or key, or a value that cannot be resolved.
    """
    for override in parse(overrides):
        _check_choice(override, conf)
    try:
        with initialize_config_dir(str(conf.resolve()), version_base="1.3", job_name="train"):
            config = hydra_compose("config", overrides=list(overrides))
    except (HydraException, OmegaConfBaseException) as error:
        raise UserError(_explain(error, overrides, conf)) from error
    try:
        OmegaConf.resolve(config)
        missing = sorted(OmegaConf.missing_keys(config))
    except OmegaConfBaseException as error:
        raise UserError(_first_line(error)) from error
    if missing:
        raise UserError(f"{missing[0]} has no value; set {missing[0]}=...")
    return config


def build(config: DictConfig, key: str) -> Any:
    """The dataclass instance that `config.KEY._target_` names, nested ones included; lists and dicts are plain.

    Raises:
        UserError: a value the dataclass does not take.
    """
    check_types(plain(config, key), key)
    try:
        return instantiate(config[key], _convert_="all")
    except (HydraException, OmegaConfBaseException) as error:
        cause: BaseException = error
        while cause.__cause__ is not None:
            cause = cause.__cause__
        if isinstance(cause, UserError):
            raise cause from None
        if isinstance(cause, (ValueError, MissingMandatoryValue)):
            raise UserError(f"{key}: {_first_line(cause)}") from error
        raise


def plain(config: DictConfig, key: str) -> dict[str, Any]:
    """A part of the settings as plain dicts, lists and values."""
    container = OmegaConf.to_container(config[key], resolve=True)
    assert isinstance(container, dict)
    return {str(name): value for name, value in container.items()}


def _check_choice(override: Override, conf: Path) -> None:
    """Groups are checked first: Hydra's own message is a page."""
    group = override.key_or_group
    if group in GROUPS and not override.is_delete():
        value = override.value()
        if not isinstance(value, str) or value not in choices(group, conf):
            raise UserError(unknown(group, str(value), choices(group, conf)))


def _explain(error: Exception, overrides: Sequence[str], conf: Path) -> str:
    """One sentence for what Hydra said in several."""
    text = str(error)
    match = re.search(r"Could not override '([^']+)'", text) or re.search(r"Key '([^']+)' is not in", text)
    if match:
        key = match.group(1)
        words = [word for word in overrides if re.match(rf"{re.escape(key)}\s*=", word)]
        kept = [word for word in overrides if word not in words]
        parent, _, name = key.rpartition(".")
        try:
            with initialize_config_dir(str(conf.resolve()), version_base="1.3", job_name="train"):
                config = hydra_compose("config", overrides=kept)
            node = OmegaConf.select(config, parent) if parent else config
        except (HydraException, OmegaConfBaseException):
            node = None
        if isinstance(node, DictConfig):
            known = [str(item) for item in node if not str(item).startswith("_")]
            return unknown("key" if not parent else f"key of {parent}", name, known)
        return f"unknown key {key!r}; see python -m train --help"
    return _first_line(error)


def _first_line(error: BaseException) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[0].rstrip(".") if lines else type(error).__name__
