"""An experiment: several stages in order, each fed by the checkpoints of those before it, under one time budget.

`conf/experiment/NAME.yaml`:

    minutes: 120                      # the whole budget; trainer.minutes=... on the command line wins
    start: assets/checkpoints/NAME    # optional: an agent (here or in the repository); each stage begins with its part
                                      # of it and builds on the rest
    overrides: [model=small]          # for all stages
    stages:
      - stage: tokenizer
        share: 0.1                    # part of the minutes; shares are scaled to sum to 1
        overrides: [trainer.lr=2e-3]  # for this stage
      - stage: world
        share: 0.9
        name: world_again             # optional: of the run, where a stage is run more than once; begins with the stage
        from: world                   # optional: an earlier run of the same stage, to go on from its checkpoint
    export: checkpoints/NAME          # optional: a folder that gets STAGE/ for every stage
    export_with: package.module:function   # optional: called instead, as function({name: checkpoint folder}, folder)
"""

from __future__ import annotations

import re
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from agents.checkpoint import swap_folder
from envs.errors import UserError
from train.compose import CONF, choices, parse
from train.registry import STAGES, resolve
from train.words import unknown

ROOT = Path(__file__).parents[1]
_KEYS = ("minutes", "start", "overrides", "stages", "export", "export_with")
_STAGE_KEYS = ("stage", "name", "from", "share", "overrides")


@dataclass(frozen=True)
class Step:
    """One stage of an experiment: what its run is called, the words its command would have, and its run folder."""

    name: str
    stage: str
    overrides: tuple[str, ...]
    out: Path


@dataclass(frozen=True)
class Experiment:
    """What an experiment file says together with the command line."""

    name: str
    steps: tuple[Step, ...]
    start: Path | None  # an agent's folder: its parts stand in for stages left out, and each stage begins with its own
    export: Path | None
    export_with: str | None


def load_experiment(name: str, words: Sequence[str], conf: Path = CONF) -> Experiment:
    """Read `conf/experiment/NAME.yaml` and lay out its stages.

    Args:
        name: of the experiment.
        words: `key=value` words of the command line, without `experiment=`; they win over the file. `trainer.minutes`
            is the whole budget, `out` the folder above the stages' folders, `export` the folder exported to, `start`
            the agent to begin with.

    Raises:
        UserError: there is no such experiment, or the file says something it cannot.
    """
    known = choices("experiment", conf)
    if name not in known:
        raise UserError(unknown("experiment", name, known))
    path = conf / "experiment" / f"{name}.yaml"
    content = _mapping(yaml.safe_load(path.read_text(encoding="utf-8")), path, _KEYS)
    own: dict[str, str] = {}
    rest = []
    for word, override in zip(words, parse(words), strict=True):
        if override.key_or_group in ("trainer.minutes", "out", "export", "start"):
            own[override.key_or_group] = str(override.value())
        else:
            rest.append(word)
    out = Path(own.get("out", f"runs/{name}"))
    minutes = _minutes(own.get("trainer.minutes", content.get("minutes")), path)
    entries = [_mapping(entry, path, _STAGE_KEYS) for entry in content.get("stages") or ()]
    if not entries:
        raise UserError(f"{path} names no stages; add a list `stages`")
    shares = [_share(entry, path) for entry in entries]
    start = own.get("start", content.get("start"))
    if "start" not in own and start is not None and not Path(start).exists():
        start = str(ROOT / start)  # the command was given elsewhere
    begin = [] if start is None else [f"inputs.{stage}={start}" for stage in STAGES]
    steps: list[Step] = []
    for entry, share in zip(entries, shares, strict=True):
        stage = str(entry.get("stage"))
        if stage not in STAGES:
            raise UserError(f"{path}: {unknown('stage', stage, list(STAGES))}")
        name = _name(entry, stage, path)
        folder = out / name
        budget = [] if minutes is None else [f"trainer.minutes={minutes * share / sum(shares):.6g}"]
        # The same stage, run again, begins anew, unless it says from what
        inputs = [f"inputs.{step.stage}={step.out / 'checkpoint'}" for step in steps if step.stage != stage]
        if "from" in entry:
            earlier = [step for step in steps if (step.stage, step.name) == (stage, entry["from"])]
            if not earlier:
                raise UserError(f"{path}: {name} goes on from {entry['from']!r}; name an earlier run of {stage}")
            inputs.append(f"inputs.{stage}={earlier[0].out / 'checkpoint'}")
        overrides = [*_words(content, path), *budget, *begin, *inputs, *_words(entry, path), *rest]
        if any(step.name == name for step in steps):
            raise UserError(f"{path} names {name} twice; give one of them a name of its own, such as {name}_again")
        steps.append(Step(name, stage, (f"stage={stage}", f"out={folder}", *overrides), folder))
    export = own.get("export", content.get("export"))
    target = None if export in (None, "null", "None") else Path(str(export))
    return Experiment(name, tuple(steps), Path(str(start)) if start else None, target, content.get("export_with"))


def check_export(experiment: Experiment) -> None:
    """UserError if the stages cannot be copied to the export folder because it holds something else."""
    target, names = experiment.export, {step.name for step in experiment.steps}
    if target is None or experiment.export_with is not None or not target.exists():
        return
    if not target.is_dir() or any(child.name not in names for child in target.iterdir()):
        raise UserError(f"{target} holds other files than these stages; choose another folder with export=...")


def export_experiment(experiment: Experiment) -> Path | None:
    """Put the checkpoints of all stages into the export folder (the old one stays until the new one is complete)."""
    if experiment.export is None:
        return None
    folders = {step.name: step.out / "checkpoint" for step in experiment.steps}
    target = experiment.export
    if experiment.export_with is not None:
        kept = dict.fromkeys(STAGES, experiment.start) if experiment.start else {}
        resolve(experiment.export_with)(kept | folders, target)
        return target
    check_export(experiment)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(prefix=f".{target.name}.new-", dir=target.parent))
        temporary.chmod(0o755)
        try:
            for name, folder in folders.items():
                shutil.copytree(folder, temporary / name)
            swap_folder(temporary, target)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
    except OSError as error:
        reason = error.strerror or error
        raise UserError(f"cannot export to {target}: {reason}; choose another folder with export=...") from error
    return target


def _mapping(value: Any, path: Path, keys: Sequence[str]) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise UserError(f"{path} holds {value!r} where named settings belong; see train/experiment.py")
    for key in value:
        if key not in keys:
            raise UserError(f"{path}: {unknown('key', str(key), keys)}")
    return value


def _words(content: dict[str, Any], path: Path) -> list[str]:
    words = content.get("overrides") or []
    if not isinstance(words, list):
        raise UserError(f"{path}: overrides is {words!r}; write a list of key=value")
    return [str(word) for word in words]


def _name(entry: dict[str, Any], stage: str, path: Path) -> str:
    name = str(entry.get("name", stage))
    if not name.startswith(stage) or re.fullmatch(r"[\w.-]+", name) is None:
        raise UserError(f"{path}: name of {stage} is {name!r}; begin it with {stage}, as in {stage}_again")
    return name


def _share(entry: dict[str, Any], path: Path) -> float:
    share = entry.get("share", 1.0)
    if isinstance(share, bool) or not isinstance(share, (int, float)) or share <= 0:
        raise UserError(f"{path}: share of {entry.get('stage')} is {share!r}; choose a number above 0")
    return float(share)


def _minutes(value: Any, path: Path) -> float | None:
    if value in (None, "None", "null"):
        return None
    try:
        minutes = float(value)
    except (TypeError, ValueError):
        minutes = -1.0
    if not 0 < minutes < float("inf"):
        raise UserError(f"trainer.minutes is {value!r} ({path}); choose a number above 0")
    return minutes
