"""Puts the stages of a Go experiment together into the one checkpoint folder that the Go agent loads."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from agents.checkpoint import METRICS_FILE, CheckpointError
from agents.go_agent import GoModel, save_go_model
from agents.videoworld.config import InverseDynamicsConfig, WorldConfig
from agents.videoworld.inverse_dynamics import InverseDynamics
from agents.videoworld.transformer import VideoTransformer
from envs.go.renderer import BoardGeometry
from train.stages import Inputs, frame_spec_of, load_dynamics, load_part, load_tokenizer, require_frames, restore

_RUN = ("steps", "minutes", "command", "machine")  # what is kept of a run that another one went on from
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
    inputs = Inputs(**{name: str(folder) for name, folder in folders.items()})
    parts = {name: load_part(inputs, name) for name in STAGES}
    world, geometry = parts["world"], frame_spec_of(parts["world"])
    for part in parts.values():
        require_frames(part, geometry, f"{world.folder} knows", "export stages that learned from the same data")
    assert isinstance(geometry, BoardGeometry), "a Go agent looks at boards"
    transformer = restore(world, WorldConfig, VideoTransformer)
    inverse = restore(parts["inverse_dynamics"], InverseDynamicsConfig, InverseDynamics)
    metrics = {name: _history(folders[name]) | part.metrics for name, part in parts.items()}
    model = GoModel(load_tokenizer(inputs), load_dynamics(inputs), transformer, inverse, geometry)
    save_go_model(model, target, metrics=metrics, readme=model_card(target.name, metrics))


def model_card(name: str, metrics: dict[str, dict[str, Any]]) -> str:
    """What was trained, for how long, and what it measured on held-out games, in Markdown."""
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

A VideoWorld agent for Go that plays both colours from pictures of the board. The tokenizer, the dynamics model and
the world model saw rendered frames only; the inverse dynamics head was told the moves of a small labelled subset
(`labels` below). It loads with `GoAgent.load(folder)`, `python play.py go --checkpoint folder` and `python play.py
gtp --checkpoint folder`.

| stage | steps | minutes | seed | began with | on held-out games |
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
