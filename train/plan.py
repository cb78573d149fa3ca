"""What a command is about to run: all of it is checked before the first stage starts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from agents.checkpoint import load_config
from envs.errors import UserError
from train.compose import build, compose, plain
from train.hardware import probable_device
from train.registry import BUILDS_ON, stage_class
from train.run_folder import RunFolder
from train.settings import Budget, TrainerConfig
from train.trainer import run_folder


@dataclass
class Run:
    """One stage with its settings, checked, and its folder.

    Attributes:
        name: of the run; that of its stage, where an experiment says nothing else.
        kind: the stage, by name.
        trainer: settings of the loop.
        stage: settings of the stage: an instance of the dataclass that stage._target_ names.
        told: the same as plain values, which `run.json` keeps.
        inputs: checkpoint folders of other stages, by stage.
        folder: the run folder.
        resume: go on with what is there, or start over.
        done: why it is not trained now, in a few words; empty if it is.
    """

    name: str
    kind: str
    trainer: TrainerConfig
    stage: Any
    told: dict[str, Any]
    inputs: dict[str, str]
    folder: RunFolder
    resume: bool
    done: str = ""


def plan(steps: Sequence[tuple[str, str, Sequence[str]]], conf: Path) -> list[Run]:
    """The runs of a command, in order. No stage is built: that reads data and weights.

    A run that has used up its budget is done. Under a larger budget it goes on, unless a later stage has learned from
    its checkpoint already: that one would not fit what it knows any more.

    Args:
        steps: names of runs, their stages, and the words of their commands.
        conf: the folder of settings.

    Raises:
        UserError: a step's settings, folder or inputs cannot be used.
    """
    runs = [_checked(name, kind, words, conf) for name, kind, words in steps]
    for number, run in enumerate(runs):
        if run.resume:
            run.done = _done(run, runs[number + 1 :])
        if not run.done:
            _check_inputs(run, runs[:number])
    return runs


def _checked(name: str, kind: str, words: Sequence[str], conf: Path) -> Run:
    config = compose(words, conf)
    trainer, stage, told = build(config, "trainer"), build(config, "stage"), plain(config, "stage")
    resume = config.resume
    if not isinstance(resume, bool):
        raise UserError(f"resume is {resume!r}; choose true or false")
    Budget.of(trainer)
    probable_device(trainer.devices, trainer.num_processes)
    folder = run_folder(trainer, stage_class(kind).name, told)
    folder.check(resume)
    given = {key: str(value) for key, value in plain(config, "inputs").items() if value is not None}
    return Run(name, kind, trainer, stage, told, given, folder, resume)


def _done(run: Run, after: Sequence[Run]) -> str:
    if run.folder.finished(Budget.of(run.trainer)) is not None:
        return f"finished already, see {run.folder.checkpoint}"
    heirs = [other for other in after if other.folder.has_begun and _learns_from(other, run)]
    if run.folder.is_finished and heirs:
        return (
            f"stays as it is under this larger budget, since {heirs[0].name} has learned from {run.folder.checkpoint}; "
            "resume=false starts over"
        )
    return ""


def _learns_from(run: Run, earlier: Run) -> bool:
    goes_on = run.inputs.get(earlier.kind) == str(earlier.folder.checkpoint)
    return goes_on or earlier.kind in BUILDS_ON.get(run.kind, (earlier.kind,))


def _check_inputs(run: Run, before: Sequence[Run]) -> None:
    """The checkpoints that earlier steps do not make are there."""
    made = {str(other.folder.checkpoint) for other in before}
    for stage, folder in run.inputs.items():
        if folder not in made:
            try:
                load_config(folder)
            except UserError as error:
                raise UserError(f"inputs.{stage}: {error}") from error
