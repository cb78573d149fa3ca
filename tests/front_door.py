"""What tests of play.py need: a checkpoint that names its frames alone, a home of nobody, and how mistakes look."""

from __future__ import annotations

from pathlib import Path

import pytest

import play

ROOT = Path(play.__file__).parent
NO_DISPLAY = {"DISPLAY": "", "WAYLAND_DISPLAY": "", "SDL_VIDEODRIVER": ""}


def write_checkpoint(folder: Path) -> Path:
    """Make the folder of an agent without weights."""
    folder.mkdir()
    (folder / "config.yaml").write_text("kind: go_agent\nframes:\n  size: 9\n")
    return folder


def nobody_at_home(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    """Games belong to no person, and no display is there unless a test names one."""
    monkeypatch.setenv("XDG_DATA_HOME", str(folder / "data"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(folder / "config"))
    for name, value in NO_DISPLAY.items():
        monkeypatch.setenv(name, value)


def one_sentence(err: str) -> bool:
    """Whether play.py has told a mistake as it should."""
    return err.startswith("play.py: ") and err.count("\n") == 1 and "Traceback" not in err
