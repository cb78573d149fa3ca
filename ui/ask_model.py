"""The model that answers questions about frames: which checkpoint, whether it is one, and loading it once."""

from __future__ import annotations

import functools
import threading
from pathlib import Path
from typing import TYPE_CHECKING

from agents.checkpoint_config import PIXELLM, checkpoint_settings
from envs.errors import UserError
from ui.options import ASK_CHECKPOINT

if TYPE_CHECKING:  # torch, behind it, is left to the thread that loads the model
    from agents.pixellm.model import PixelLM

_loading = threading.Lock()


def check_model(folder: Path | None, option: str = "--checkpoint") -> Path:
    """The folder of a PixelLM, by default the shipped one; nothing is loaded yet.

    Raises:
        UserError: there is no checkpoint, or one of another kind. option: with which another one is named.
    """
    cure = f"give a PixelLM with {option} FOLDER"
    if folder is None:
        folder = ASK_CHECKPOINT
        if not (folder / "config.yaml").is_file():
            place = "/".join(folder.parts[-3:])
            raise UserError(f"there is no model that answers questions in {place}: {cure}")
    kind = checkpoint_settings(folder, cure).get("kind", "foreign")
    if kind != PIXELLM:
        raise UserError(f"{folder} holds a {kind!r} checkpoint, and no PixelLM, which answers questions; {cure}")
    return folder


def load_model(folder: Path) -> PixelLM:
    """The model of a checkpoint, loaded once for all games; UserError where it is damaged or a package is missing."""
    with _loading:  # the second thread that asks finds what the first has loaded
        return _load(folder)


@functools.lru_cache(maxsize=1)
def _load(folder: Path) -> PixelLM:
    from agents.pixellm.checkpoint import load_pixellm

    return load_pixellm(folder)
