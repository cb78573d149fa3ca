"""Puts the stages of an experiment together into the one checkpoint folder that an agent loads."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, TypeVar

from agents.checkpoint import METRICS_FILE, Checkpoint, CheckpointError
from agents.go_agent import GoModel, save_go_model
from agents.robot_agent import RobotModel, save_robot_model
from agents.sentences import MINILM, KnownSentences
from agents.videoworld.config import InverseDynamicsConfig, InverseMotionConfig, WorldConfig
from agents.videoworld.inverse_dynamics import InverseDynamics, InverseMotion
from agents.videoworld.transformer import VideoTransformer
from envs.calvin.language import VALIDATION, sentences_for
from envs.calvin.tasks import TASKS
from envs.errors import UserError
from envs.go.renderer import BoardGeometry
from envs.tabletop.canvas import CameraCanvas
from train.stages import Inputs, frame_spec_of, load_dynamics, load_part, load_tokenizer, require_frames, restore

_RUN = ("steps", "minutes", "command", "machine")  # what is kept of a run that another one went on from
F = TypeVar("F", BoardGeometry, CameraCanvas)
STAGES = ("tokenizer", "dynamics", "world", "inverse_dynamics")


def export_go_agent(folders: dict[str, Path], target: Path) -> None:
    """Write the Go agent's checkpoint.

    Args:
        folders: checkpoint folder of each stage (tokenizer, dynamics, world, inverse_dynamics), or of an agent whose
            part for that stage stays.
        target: the folder to write; an older checkpoint there is replaced as a whole.

    Raises:
        UserError: a stage is missing or does not fit the others.
    """
    inputs, parts, metrics, geometry = _gather(folders, BoardGeometry)
    transformer = restore(parts["world"], WorldConfig, VideoTransformer)
    inverse = restore(parts["inverse_dynamics"], InverseDynamicsConfig, InverseDynamics)
    model = GoModel(load_tokenizer(inputs), load_dynamics(inputs), transformer, inverse, geometry)
    save_go_model(model, target, metrics=metrics, readme=model_card(target.name, GO, metrics))


def export_robot_agent(folders: dict[str, Path], target: Path) -> None:
    """Write the robot agent's checkpoint, with the vectors of all sentences of CALVIN's tasks; as `export_go_agent`."""
    inputs, parts, metrics, canvas = _gather(folders, CameraCanvas)
    transformer = restore(parts["world"], WorldConfig, VideoTransformer)
    head = restore(parts["inverse_dynamics"], InverseMotionConfig, InverseMotion)
    sentences = KnownSentences(parts["world"].config["data"].get("encoder", MINILM))
    if transformer.config.instruction_dim:
        sentences([words for task in TASKS for held in (False, True) for words in sentences_for(task, held_out=held)])
        sentences(list(VALIDATION.values()))
    model = RobotModel(load_tokenizer(inputs), load_dynamics(inputs), transformer, head, canvas, sentences)
    save_robot_model(model, target, metrics=metrics, readme=model_card(target.name, ROBOT, metrics))


def _gather(folders: dict[str, Path], kind: type[F]) -> tuple[Inputs, dict[str, Checkpoint], dict[str, Any], F]:
    """The stages' checkpoints, what they measured, and the frames that all of them know."""
    inputs = Inputs(**{name: str(folder) for name, folder in folders.items()})
    parts = {name: load_part(inputs, name) for name in STAGES}
    world, spec = parts["world"], frame_spec_of(parts["world"])
    if not isinstance(spec, kind):
        raise UserError(f"{world.folder} knows {spec.words}: export stages that learned from another kind of video")
    for part in parts.values():
        require_frames(part, spec, f"{world.folder} knows", "export stages that learned from the same data")
    metrics = {name: _history(folders[name]) | part.metrics for name, part in parts.items()}
    return inputs, parts, metrics, spec


GO = """\
A VideoWorld agent for Go that plays both colours from pictures of the board. The tokenizer, the dynamics model and the
world model saw rendered frames only; the inverse dynamics head was told the moves of a small labelled subset (`labels`
below). It loads with `GoAgent.load(folder)`, `python play.py go --checkpoint folder` and `python play.py gtp
--checkpoint folder`."""
ROBOT = """\
A VideoWorld agent for a robot arm that looks at the pictures of two cameras and follows a sentence. The tokenizer, the
dynamics model and the world model saw videos only, the world model their sentences too; the inverse dynamics head was
told the actions of a small labelled subset (`labels` below). It loads with `RobotAgent.load(folder)` and `python -m
agents.rollout calvin --checkpoint folder`."""


def model_card(name: str, what: str, metrics: dict[str, dict[str, Any]]) -> str:
    """What the agent is, what was trained, for how long, and what it measured on held-out videos, in Markdown."""
    rows, made = [], list[tuple[str, str]]()
    for stage in STAGES:
        told = dict(metrics[stage])
        runs = [*told.pop("before", []), told]
        steps, minutes = (" + ".join(str(run.get(key, "?")) for run in runs) for key in ("steps", "minutes"))
        seed, start = (told.pop(key, "?") for key in ("seed", "start"))
        for run in runs:
            command, machine = (run.get(key, "") for key in ("command", "machine"))
            if command and (command, machine) not in made:
                made.append((command, machine))
        for key in _RUN:
            told.pop(key, None)
        figures = ", ".join(f"{key} {_figure(value)}" for key, value in told.items())
        rows.append(f"| {stage} | {steps} | {minutes} | {seed} | {start} | {figures} |")
    table = "\n".join(rows)
    commands = "\n".join(f"- `{command}` on {machine}" for command, machine in made)
    return f"""# {name}

{what}

| stage | steps | minutes | seed | began with | on held-out videos |
|---|---|---|---|---|---|
{table}

Trained with

{commands or "- a command that was not recorded"}

The figures of the whole agent stand in `benchmarks/RESULTS.md`.
"""


def _history(folder: Path) -> dict[str, Any]:
    """How the checkpoint in a run folder came to be; nothing for an agent's folder, whose metrics say it already."""
    run, done = (_read(folder.parent / name) for name in ("run.json", "finished.json"))
    if not done:
        return {}
    try:
        start = run["stage"].get("inputs", {}).get(run["name"]) or "nothing"
        minutes = round(done["elapsed_seconds"] / 60, 1)
        own = {key: done[key] for key in ("command", "machine") if done.get(key)}
        before = _read(Path(start) / METRICS_FILE).get(run["name"], {})
        if before:
            earlier = [*before.get("before", []), {key: before[key] for key in _RUN if key in before}]
            own["before"] = earlier
        return {"steps": done["step"], "minutes": minutes, "seed": run["trainer"]["seed"], "start": start} | own
    except (KeyError, TypeError, AttributeError) as error:
        raise CheckpointError(
            f"{folder.parent} holds the damaged record of a run ({error}); remove its *.json"
        ) from error


def _read(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    except (OSError, ValueError) as error:
        raise CheckpointError(f"{path} cannot be read as JSON ({error}); remove it") from error
    return content if isinstance(content, dict) else {}


def _figure(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, (int, float)) else str(value)
