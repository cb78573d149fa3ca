"""Game records: where they go, that none is written over, and what happens when a disk refuses."""

from __future__ import annotations

from pathlib import Path

import pytest

from envs.errors import UserError
from envs.go.rules import BLACK, WHITE, GoGame
from envs.go.sgf import read_sgf
from ui.record import GameRecord, games_folder

NAMES = {BLACK: "You", WHITE: "Agent"}


def game_of(*points: int) -> GoGame:
    game = GoGame(9)
    for point in points:
        game.play(point)
    return game


def test_the_folder_follows_xdg(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    assert games_folder() == tmp_path / "videoworld" / "games"
    monkeypatch.setenv("HOME", str(tmp_path))
    for ignored in ("", "relative/folder"):
        monkeypatch.setenv("XDG_DATA_HOME", ignored)
        assert games_folder() == tmp_path / ".local" / "share" / "videoworld" / "games"


def test_the_default_file_is_dated(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    record = GameRecord()
    assert record.save(game_of(40), NAMES, None) == ""
    assert record.written and record.path.parent == tmp_path / "videoworld" / "games"
    assert record.path.name.startswith("go-") and read_sgf(record.path).black == "You"


def test_no_file_is_written_over(tmp_path: Path) -> None:
    taken = tmp_path / "game.sgf"
    taken.write_text("precious")
    record = GameRecord(taken)
    assert record.path == tmp_path / "game-2.sgf"
    record.save(game_of(1), NAMES, None)
    record.next_game()
    record.next_game()  # nothing written in between, so no name is used up
    record.save(game_of(2), NAMES, None)
    assert taken.read_text() == "precious"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["game-2.sgf", "game-3.sgf", "game.sgf"]


def test_an_empty_game_makes_no_file_but_follows_an_undo(tmp_path: Path) -> None:
    record = GameRecord(tmp_path / "game.sgf")
    record.save(GoGame(9), NAMES, None)
    assert not record.path.exists()
    record.save(game_of(40), NAMES, None)
    record.save(GoGame(9), NAMES, None)
    assert read_sgf(record.path).moves == ()


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="is a folder; give the name"):
        GameRecord(tmp_path)


def test_trouble_is_told_once_and_forgotten_when_it_passes(tmp_path: Path) -> None:
    (tmp_path / "games").write_text("in the way")
    record = GameRecord(tmp_path / "games" / "game.sgf")
    assert record.save(game_of(1), NAMES, None) == (
        f"The game goes on unsaved: cannot make {tmp_path / 'games'}: File exists; choose another place."
    )
    assert record.save(game_of(1, 2), NAMES, None) == "" and not record.written
    (tmp_path / "games").unlink()
    assert record.save(game_of(1, 2, 3), NAMES, "B+R") == "" and record.written
    assert read_sgf(record.path).result == "B+R"


@pytest.mark.parametrize("name", ["n" * 300, "n" * 300 + "/game.sgf", "zero\0byte"])
def test_a_name_that_no_system_takes(tmp_path: Path, name: str) -> None:
    with pytest.raises(UserError, match=r"games cannot be saved to .*; choose another name or place"):
        GameRecord(tmp_path / name)


def test_a_name_without_room_for_a_number_does_not_end_the_match(tmp_path: Path) -> None:
    record = GameRecord(tmp_path / ("n" * 251 + ".sgf"))
    assert record.save(game_of(1), NAMES, None) == ""
    record.next_game()
    assert "File name too long; choose another name" in record.save(game_of(2), NAMES, None)
    assert len(list(tmp_path.iterdir())) == 1
