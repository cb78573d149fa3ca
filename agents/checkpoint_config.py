"""What a checkpoint says about its frames, read from `config.yaml` alone: long before torch or a weight is loaded."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

from envs.errors import UserError


def checkpoint_frames(folder: str | Path, cure: str = "give its folder") -> dict[str, Any]:
    """Return what the checkpoint's `config.yaml` says about its frames, such as size and style; empty if nothing.

    Raises UserError where there is no checkpoint; it ends with the `cure`.
    """
    frames = checkpoint_settings(folder, cure).get("frames")
    return frames if isinstance(frames, dict) else {}


def checkpoint_settings(folder: str | Path, cure: str = "give its folder") -> dict[str, Any]:
    """Return all of the checkpoint's `config.yaml`; UserError as above."""
    path = Path(folder, "config.yaml")
    try:
        return _read(path, path.stat().st_mtime_ns)
    except (FileNotFoundError, NotADirectoryError):
        raise UserError(f"there is no checkpoint in {folder} (no config.yaml); {cure}") from None
    except (ValueError, OSError) as error:
        raise UserError(f"{path} cannot be read ({' '.join(str(error).split())}); copy the checkpoint anew") from error


def checkpoint_size(folder: str | Path) -> int | None:
    """Return the board size that a checkpoint was made for, None if it names none; UserError as above."""
    size = checkpoint_frames(folder).get("size")
    return size if isinstance(size, int) else None


@functools.lru_cache(maxsize=32)
def _read(path: Path, changed: int) -> dict[str, Any]:
    """The file as it was when it was last `changed`: a start screen asks many times."""
    import yaml

    try:
        config: Any = yaml.safe_load(path.read_text(encoding="utf-8"))
    except yaml.YAMLError as error:
        raise ValueError(str(error)) from error
    return config if isinstance(config, dict) else {}
