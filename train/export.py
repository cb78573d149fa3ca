"""Puts the stages of a Go experiment together into the one checkpoint folder that the Go agent loads."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from agents.checkpoint import load_checkpoint, load_into
from agents.go_agent import GoModel, save_go_model
from agents.videoworld.config import InverseDynamicsConfig, WorldConfig
from agents.videoworld.inverse_dynamics import InverseDynamics
from agents.videoworld.transformer import VideoTransformer
from envs.go.renderer import BoardGeometry
from train.stages import Inputs, load_dynamics, load_tokenizer

STAGES = ("tokenizer", "dynamics", "world", "inverse_dynamics")


def export_go_agent(folders: dict[str, Path], target: Path) -> None:
    """Write the Go agent's checkpoint.

    Args:
        folders: checkpoint folder of each stage: tokenizer, dynamics, world, inverse_dynamics.
        target: the folder to write; an older checkpoint there is replaced as a whole.

    Raises:
        UserError: a stage is missing or does not fit the others.
    """
    inputs = Inputs(**{name: str(folder) for name, folder in folders.items()})
    world = load_checkpoint(inputs.folder("world"))
    head = load_checkpoint(inputs.folder("inverse_dynamics"))
    transformer = VideoTransformer(WorldConfig(**world.config["model"]))
    load_into(transformer, world.tensors, source=world.folder)
    inverse = InverseDynamics(InverseDynamicsConfig(**head.config["model"]))
    load_into(inverse, head.tensors, source=head.folder)
    data = world.config["data"]
    geometry = BoardGeometry(data["size"], data["style"], data["cell"])
    metrics = {name: load_checkpoint(inputs.folder(name)).metrics for name in STAGES}
    model = GoModel(load_tokenizer(inputs), load_dynamics(inputs), transformer, inverse, geometry)
    save_go_model(model, target, metrics=metrics, readme=model_card(target.name, folders, metrics))


def model_card(name: str, folders: dict[str, Path], metrics: dict[str, Any]) -> str:
    """What was trained, on what, for how long, and what it measured on held-out games, in Markdown."""
    rows = []
    for stage in STAGES:
        run = _read(folders[stage].parent / "run.json")
        done = _read(folders[stage].parent / "finished.json")
        trainer = run.get("trainer", {})
        minutes = done.get("elapsed_seconds", 0) / 60
        figures = ", ".join(f"{key} {value:.4g}" for key, value in metrics[stage].items())
        rows.append(f"| {stage} | {done.get('step', '?')} | {minutes:.1f} | {trainer.get('seed', '?')} | {figures} |")
    table = "\n".join(rows)
    return f"""# {name}

A VideoWorld agent for Go that plays both colours from pictures of the board. The tokenizer, the dynamics model and
the world model saw rendered frames only; the inverse dynamics head was told the moves of a small labelled subset
(`labels` below). It loads with `GoAgent.load(folder)`, `python play.py go --checkpoint folder` and `python play.py
gtp --checkpoint folder`.

| stage | steps | minutes | seed | on held-out games |
|---|---|---|---|---|
{table}

The command, the machine and the figures of the whole agent stand in `benchmarks/RESULTS.md`.
"""


def _read(path: Path) -> dict[str, Any]:
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
