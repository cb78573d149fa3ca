"""What a checkpoint tells without its weights, and what is refused before anything slow begins."""

from __future__ import annotations

from pathlib import Path

import pytest

from agents.checkpoint_config import checkpoint_frames, checkpoint_size
from envs.errors import UserError


def checkpoint(folder: Path, config: str) -> Path:
    folder.mkdir(parents=True)
    (folder / "config.yaml").write_text(config)
    return folder


def test_frames_of_an_agent(tmp_path: Path) -> None:
    folder = checkpoint(tmp_path / "agent", "kind: go_agent\nframes:\n  size: 13\n  style: modern\n")
    assert checkpoint_frames(folder) == {"size": 13, "style": "modern"}
    assert checkpoint_size(folder) == 13


@pytest.mark.parametrize(
    ("config", "part"),
    [
        ("kind: world\nmodel:\n  dim: 192\n", "holds a 'world' checkpoint, not a Go agent; give another folder"),
        ("", "holds a 'foreign' checkpoint"),
        ("- 1\n", "holds a 'foreign' checkpoint"),
        ("kind: go_agent\ntokenizer:\n  frame_size: 80\n  pat", "cannot be read"),
        ("kind: go_agent\ntokenizer:\n  frame_size: 80\n", "says nothing about frames, its end is missing"),
        ("kind: go_agent\nframes: 3\n", "says nothing about frames"),
    ],
)
def test_what_is_no_agent(tmp_path: Path, config: str, part: str) -> None:
    folder = checkpoint(tmp_path / "it", config)
    with pytest.raises(UserError) as error:
        checkpoint_frames(folder)
    assert part in str(error.value) and str(folder) in str(error.value) and "\n" not in str(error.value)


def test_no_checkpoint(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"no config.yaml\); try another"):
        checkpoint_frames(tmp_path / "nowhere", "try another")


def test_the_folder_around_an_agent(tmp_path: Path) -> None:
    checkpoint(tmp_path / "run" / "agent", "kind: go_agent\nframes:\n  size: 9\n")
    with pytest.raises(UserError, match=f"did you mean {tmp_path}/run/agent"):
        checkpoint_frames(tmp_path / "run")
