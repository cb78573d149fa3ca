"""The stages `python -m train` knows, by name."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from envs.errors import UserError
from train.words import unknown

# name -> "module:class"; conf/stage/NAME.yaml holds its settings
STAGES: dict[str, str] = {
    "tokenizer": "train.tokenizer:TokenizerStage",
    "dynamics": "train.dynamics:DynamicsStage",
    "world": "train.world:WorldStage",
    "inverse_dynamics": "train.inverse_dynamics:InverseDynamicsStage",
    "pixellm": "train.pixellm:PixelLMStage",
}


# name -> the stages whose checkpoints it learns on; a stage that is not listed learns on all before it
BUILDS_ON: dict[str, tuple[str, ...]] = {
    "tokenizer": (),
    "dynamics": (),
    "world": ("tokenizer", "dynamics"),
    "inverse_dynamics": ("tokenizer", "dynamics"),
    "pixellm": (),
}


def resolve(target: str) -> Any:
    """What "package.module:name" points at."""
    module, _, name = target.partition(":")
    return getattr(import_module(module), name)


def stage_class(name: str) -> Any:
    """The class of a stage, to be called as `StageClass(config)`.

    `config` is the instance of the dataclass that `stage._target_` names in conf/stage/NAME.yaml.

    Raises:
        UserError: there is no such stage.
    """
    if name not in STAGES:
        raise UserError(unknown("stage", name, list(STAGES)))
    return resolve(STAGES[name])
