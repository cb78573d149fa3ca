"""Puts the stages of an experiment together into the one checkpoint folder that an agent loads."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch

from agents.checkpoint import METRICS_FILE, Checkpoint, CheckpointError, load_checkpoint, load_config
from agents.go_model import GoModel, save_go_model
from agents.pixellm.checkpoint import load_pixellm, save_pixellm
from agents.robot_agent import RobotModel, save_robot_model
from agents.sentences import MINILM, KnownSentences
from agents.videoworld.config import InverseDynamicsConfig, InverseMotionConfig, WorldConfig
from agents.videoworld.inverse_dynamics import InverseDynamics, InverseMotion
from agents.videoworld.transformer import VideoTransformer
from agents.videoworld.world import VideoWorld
from envs.errors import UserError
from envs.go.renderer import BoardGeometry
from envs.tabletop.canvas import CameraCanvas
from train.stages import Inputs, frame_spec_of, load_dynamics, load_part, load_tokenizer, require_frames, restore

_RUN = ("steps", "minutes", "command", "machine")  # what is kept of a run that another one went on from
_SAME = "export stages that learned from the same data"
STAGES = ("tokenizer", "dynamics", "world", "inverse_dynamics")
WORLDS = ("calvin", "rlbench")  # of robots


def export_go_agent(folders: dict[str, Path], target: Path) -> None:
    """Write the Go agent's checkpoint.

    Args:
        folders: checkpoint folder of each stage (tokenizer, dynamics, world, inverse_dynamics), or of an agent whose
            part for that stage stays.
        target: the folder to write; an older checkpoint there is replaced as a whole.

    Raises:
        UserError: a stage is missing or does not fit the others.
    """
    inputs = _inputs(folders)
    parts = {stage: load_part(inputs, stage) for stage in STAGES}
    spec = frame_spec_of(parts["world"])
    if not isinstance(spec, BoardGeometry):
        raise UserError(f"{parts['world'].folder} knows {spec.words}: export stages that learned from boards")
    for part in parts.values():
        require_frames(part, spec, f"{parts['world'].folder} knows", _SAME)
    transformer = restore(parts["world"], WorldConfig, VideoTransformer)
    inverse = restore(parts["inverse_dynamics"], InverseDynamicsConfig, InverseDynamics)
    model = GoModel(load_tokenizer(inputs), load_dynamics(inputs), transformer, inverse, spec)
    metrics = {stage: _history(folders[stage]) | part.metrics for stage, part in parts.items()}
    save_go_model(model, target, metrics=metrics, readme=model_card(target.name, GO, metrics))


def export_robot_agent(folders: dict[str, Path], target: Path) -> None:
    """Write the robot agent's checkpoint, with the vectors of all sentences of its worlds; as `export_go_agent`.

    Each world needs its own head: `folders` may hold several whose names begin with inverse_dynamics.
    """
    inputs = _inputs(folders)
    parts = {stage: load_part(inputs, stage) for stage in STAGES[:3]}
    spec = frame_spec_of(parts["world"])
    if isinstance(spec, BoardGeometry):
        raise UserError(f"{parts['world'].folder} knows {spec.words}: export stages that learned from robots' videos")
    for part in parts.values():
        require_frames(part, spec, f"{parts['world'].folder} knows", _SAME)
    heads = _heads(folders)
    transformer = restore(parts["world"], WorldConfig, VideoTransformer)
    sentences = KnownSentences(_encoder(parts["world"].config.get("data", {})))
    if transformer.config.instruction_dim:
        for world in heads:
            sentences(all_sentences(world))
    networks = VideoWorld(load_tokenizer(inputs), transformer, load_dynamics(inputs))
    models = {}
    for world, part in heads.items():
        head, canvas = restore(part, InverseMotionConfig, InverseMotion), frame_spec_of(part)
        require_frames(parts["world"], canvas, f"{part.folder} knows", _SAME)
        assert isinstance(canvas, CameraCanvas)
        models[world] = RobotModel(networks, head, canvas, sentences, part.config.get("replan"))
    metrics = {stage: _history(folders[stage]) | part.metrics for stage, part in parts.items()}
    for world, part in heads.items():
        name = f"inverse_dynamics.{world}"
        metrics[name] = _history(part.folder, name) | part.metrics
    save_robot_model(models, target, metrics=metrics, readme=model_card(target.name, _robot_words(models), metrics))


def _robot_words(models: dict[str, RobotModel]) -> str:
    """What a robot agent is, and how often it looks in each world that it acts in."""
    looks = {world: model.replan or model.steps for world, model in models.items()}
    told = ", ".join(f"{'every action' if n == 1 else f'{n} actions'} in {world}" for world, n in looks.items())
    return f"{ROBOT}\nIt looks anew after {told}, unless told otherwise (`--replan`)."


def export_pixellm(folders: dict[str, Path], target: Path) -> None:
    """Write PixelLM's checkpoint as it is shipped: the stage's own, its weights as float16; as `export_go_agent`."""
    folder = Path(folders["pixellm"])
    model, told = load_pixellm(folder), load_checkpoint(folder)
    metrics = {"pixellm": _history(folder) | told.metrics}
    weights = sum(weight.numel() for weight in model.parameters())
    what = ASK.format(millions=weights / 1e6, side=model.config.frame_size)
    card = model_card(target.name, what, metrics, held_out="questions")
    save_pixellm(model, target, metrics=metrics, readme=card, dtype=torch.float16, data=told.config.get("data"))


def _encoder(data: dict[str, Any]) -> str:
    """The sentences' encoder of some videos; those of several worlds have the same."""
    return str(next(iter(data.get("worlds", {"": data}).values())).get("encoder", MINILM))


def _inputs(folders: dict[str, Path]) -> Inputs:
    return Inputs(**{stage: str(folders[stage]) for stage in STAGES if stage in folders})


def _heads(folders: dict[str, Path]) -> dict[str, Checkpoint]:
    """World -> its head for inverse dynamics."""
    heads: dict[str, Checkpoint] = {}
    for name, folder in folders.items():
        if name.startswith("inverse_dynamics"):
            inputs, config = Inputs(inverse_dynamics=str(folder)), load_config(folder)
            worlds = config["worlds"] if "worlds" in config else [config.get("data", {}).get("world")]
            heads |= {str(world): load_part(inputs, "inverse_dynamics", str(world)) for world in worlds}
    for world in heads:
        if world not in WORLDS:
            raise UserError(f"{heads[world].folder} is of the world {world!r}; there are {', '.join(WORLDS)}")
    return heads


GO = """\
A VideoWorld agent for Go that plays both colours from pictures of the board. The tokenizer, the dynamics model and the
world model saw rendered frames only, the last of a game being the counted board in the winner's shade; the inverse
dynamics head was told the moves of a small labelled subset (`labels` below). It loads with `GoAgent.load(folder)`,
`python play.py go --checkpoint folder` and `python play.py gtp --checkpoint folder`."""
ROBOT = """\
A VideoWorld agent for a robot arm that looks at the pictures of two cameras and follows a sentence. The tokenizer, the
dynamics model and the world model saw videos only, the world model their sentences too; the heads for inverse dynamics
were told the actions of a small labelled subset (`labels` below), one for each world. It loads with
`RobotAgent.load(folder, world)` and `python -m agents.rollout WORLD --checkpoint folder`."""

ASK = """\
A PixelLM of {millions:.1f} M parameters that answers questions about a frame of {side} px in words, with a pixel mask
for every target it speaks of. It learned from questions that were made on the fly, with masks from the renderers' own
buffers. It loads with `agents.pixellm.checkpoint.load_pixellm(folder)`. Under the true answers: giou and ciou of the
masks, contested (the share of claimed pixels that several targets claim); answered freely: answer_exact, the share
whose words and slots are the true ones."""


def model_card(name: str, what: str, metrics: dict[str, dict[str, Any]], held_out: str = "videos") -> str:
    """What a model is, what was trained, for how long, and what it measured, in Markdown; held_out: on what."""
    rows, made = [], list[tuple[str, str]]()
    for stage, measured in metrics.items():
        told = dict(measured)
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

| stage | steps | minutes | seed | began with | on held-out {held_out} |
|---|---|---|---|---|---|
{table}

Trained with

{commands or "- a command that was not recorded"}

Its figures stand in `benchmarks/RESULTS.md`.
"""


def all_sentences(world: str) -> list[str]:
    """Everything that tasks of a world are asked for in: in training, held out, and by the protocol."""
    if world == "calvin":
        from envs.calvin.language import VALIDATION, sentences_for
        from envs.calvin.tasks import TASKS

        own = [words for task in TASKS for held in (False, True) for words in sentences_for(task, held_out=held)]
        return [*own, *VALIDATION.values()]
    from envs.rlbench.language import words_of
    from envs.rlbench.tasks import task_named, task_names

    told = [words_of(task, number) for task in task_names() for number in range(task_named(task).variations)]
    return list(dict.fromkeys(text for words in told for text in (*words.own, *words.held_out, words.protocol)))


def _history(folder: Path, name: str = "") -> dict[str, Any]:
    """How the checkpoint in a run folder came to be; nothing for an agent's folder, whose metrics say it already.

    name: of its part in agents' metrics, where that is not the stage's.
    """
    run, done = (_read(folder.parent / name) for name in ("run.json", "finished.json"))
    if not done:
        return {}
    try:
        start = run["stage"].get("inputs", {}).get(run["name"]) or "nothing"
        minutes = round(done["elapsed_seconds"] / 60, 1)
        own = {key: done[key] for key in ("command", "machine") if done.get(key)}
        before = _read(Path(start) / METRICS_FILE).get(name or run["name"], {})
        if not before and not name and (before := _history(Path(start))):  # a run of the same experiment
            start = before["start"]
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
