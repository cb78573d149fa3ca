"""Training on one's own games: a folder of SGF files as data."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from envs.errors import UserError
from train.data.go_games import GoDataConfig, GoVideo, records_from_sgf

GAME = "(;GM[1]SZ[9]KM[7]RE[W+3];B[ee];W[cc];B[gc];W[];B[])"


def test_games_become_records_and_clips(tmp_path: Path) -> None:
    (tmp_path / "one.sgf").write_text(GAME)
    (tmp_path / "two.sgf").write_text(GAME.replace("W+3", "B+R"))
    (tmp_path / "large.sgf").write_text(GAME.replace("SZ[9]", "SZ[13]"))
    (tmp_path / "setup.sgf").write_text(GAME.replace("SZ[9]", "SZ[9]AB[aa]"))
    records = records_from_sgf(tmp_path, 9)
    assert records.moves.tolist() == [[40, 20, 24, 81, 81]] * 2
    assert records.lengths.tolist() == [5, 5] and sorted(records.result.tolist()) == [-1, 1]
    config = GoDataConfig(source="sgf", path=str(tmp_path), reply="played")
    clips = GoVideo(config, "train").sample(np.random.default_rng(0), 4)
    assert clips.frames().shape == (4, 2, 80, 80, 3)


def test_a_folder_without_such_games_is_refused(tmp_path: Path) -> None:
    (tmp_path / "large.sgf").write_text(GAME.replace("SZ[9]", "SZ[13]"))
    with pytest.raises(UserError, match="no 9x9 game in .*1 of other sizes"):
        records_from_sgf(tmp_path, 9)
