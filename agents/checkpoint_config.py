"""What a checkpoint says about its frames, read from `config.yaml` alone: long before torch or a weight is loaded."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

from envs.errors import UserError

# Kinds of checkpoints; those of the other training stages have others
GO_AGENT, ROBOT_AGENT, PIXELLM = "go_agent", "robot_agent", "pixellm"

MOST_LOOKAHEAD = 10_000  # frames that a Go agent imagines before a move; each takes about 0.25 MB


def checkpoint_frames(folder: str | Path, cure: str = "give its folder") -> dict[str, Any]:
    """Return what the `config.yaml` of a Go agent's checkpoint says about its frames, such as size and style.

    Raises UserError where there is no such checkpoint; where there is none at all it ends with the `cure`.
    """
    config = checkpoint_settings(folder, cure)
    kind, frames = config.get("kind", "foreign"), config.get("frames")
    if kind != GO_AGENT:
        raise UserError(f"{folder} holds a {kind!r} checkpoint, not a Go agent; give another folder")
    if not isinstance(frames, dict):
        raise UserError(f"{Path(folder, 'config.yaml')} says nothing about frames, its end is missing; copy it anew")
    return frames


def robot_world(config: dict[str, Any], folder: str | Path, world: str) -> dict[str, Any]:
    """Return what a robot agent's config says about one of its worlds: its `frames` and `inverse_dynamics`.

    Raises UserError where the checkpoint is another one, or does not know this world.
    """
    kind, worlds = config.get("kind", "foreign"), config.get("worlds")
    if kind != ROBOT_AGENT:
        raise UserError(f"{folder} holds a {kind!r} checkpoint, not a robot agent; give another folder")
    if not isinstance(worlds, dict) or not worlds:
        raise UserError(f"{Path(folder, 'config.yaml')} names no worlds; train the agent again, or copy it anew")
    if world not in worlds:
        raise UserError(f"the agent in {folder} knows {' and '.join(map(str, worlds))}, not {world}; give another one")
    if not isinstance(worlds[world], dict):
        raise UserError(f"{Path(folder, 'config.yaml')} does not describe the world {world}; copy it anew")
    return dict(worlds[world])


def checkpoint_settings(folder: str | Path, cure: str = "give its folder") -> dict[str, Any]:
    """Return all that the `config.yaml` of a checkpoint of any kind says; UserError where there is none, as above."""
    path = Path(folder, "config.yaml")
    try:
        return _read(path, path.stat().st_mtime_ns)
    except (FileNotFoundError, NotADirectoryError):
        inside = Path(folder, "agent")  # what a run of several stages comes to
        cure = f"did you mean {inside}?" if (inside / "config.yaml").is_file() else cure
        raise UserError(f"there is no checkpoint in {folder} (no config.yaml); {cure}") from None
    except (ValueError, OSError) as error:
        raise UserError(f"{path} cannot be read ({' '.join(str(error).split())}); copy the checkpoint anew") from error


def checkpoint_size(folder: str | Path) -> int | None:
    """Return the board size that a checkpoint was made for, None if it names none; UserError as above."""
    size = checkpoint_frames(folder).get("size")
    return size if isinstance(size, int) else None


def checkpoint_has_outlook(folder: str | Path) -> bool:
    """Return whether a Go agent's checkpoint can look ahead; UserError as above."""
    checkpoint_frames(folder)
    world = checkpoint_settings(folder).get("world")
    return isinstance(world, dict) and world.get("outlook") is True


@functools.lru_cache(maxsize=32)
def _read(path: Path, changed: int) -> dict[str, Any]:
    """The file as it was when it was last `changed`: a start screen asks many times."""
    import yaml

    try:
        config: Any = yaml.safe_load(path.read_text(encoding="utf-8"))
    except yaml.YAMLError as error:
        raise ValueError(str(error)) from error
    return config if isinstance(config, dict) else {}
