"""The pages of the start screen: players by name, and saved games."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pygame
import pytest

from envs.go.coords import gtp_to_point
from envs.go.rules import BLACK, GoGame
from envs.go.sgf import read_sgf, write_sgf
from tests.ui.driver import Open, at
from ui.lobby import AGENT, HUMAN, Setup
from ui.messages import INFO, WARNING
from ui.settings import PLAYERS_KEPT, Settings, settings_file
from ui.start_rows import OTHER

# Players by name


@pytest.mark.skipif(sys.platform == "win32", reason="command lines differ")
def test_a_whole_game_on_13x13_with_an_engine_that_was_typed(lobby: Open, engine: str, tmp_path: Path) -> None:
    driver = lobby(sgf=tmp_path / "game.sgf")
    driver.take("white", engine)
    assert driver.start.page is None and driver.choice("white", engine).label == "fake"
    for row, value in (("size", 13), ("handicap", 2), ("seconds", 5.0)):
        driver.choose(row, value)
    driver.key("return")
    match = driver.match
    driver.until(lambda: match.prepared and match.human_to_move)
    assert (match.game.size, match.game.komi, match.game.last_move) == (13, 0.5, gtp_to_point("A1", 13))
    driver.picture()
    for name in ("G7", "H8", "J9"):
        driver.click(name)
        driver.until(lambda: match.human_to_move)
    assert match.game.last_move == match.game.area, "it has passed"
    driver.key("p")
    driver.until(lambda: match.is_over)
    driver.picture()
    assert match.adviser is None and match.result and match.result.startswith("B+")
    driver.window.close()
    record = read_sgf(tmp_path / "game.sgf")
    assert (record.size, record.white, len(record.moves)) == (13, "fake", 8)
    heard = (tmp_path / "heard").read_text()
    assert "boardsize 13" in heard and "time_settings 0 5 1" in heard and "set_free_handicap" in heard


@pytest.mark.parametrize(
    ("typed", "part"),
    [
        ("nobody", "'nobody' is no player"),
        ("nowhere/at/all", "There is no checkpoint or program nowhere/at/all"),
        ("gnugo,level=x", "needs a number"),
        ("random,level=3", "no option of random"),
        ("engine 'of", "not well-formed"),
        (" ", "has no name"),
        ("{folder}", "There is no checkpoint in"),
        ("{folder}/file", "no program that can be run"),
    ],
)
def test_a_player_that_makes_no_sense_is_told_and_not_taken(lobby: Open, tmp_path: Path, typed: str, part: str) -> None:
    (tmp_path / "file").write_text("no program")
    driver = lobby(settings=Settings.load())
    driver.choose("white", OTHER)
    driver.type(typed.replace("{folder}", str(tmp_path)))
    assert part in driver.start.status.text and driver.start.status.kind == WARNING, "while it is typed"
    driver.key("return")
    told = driver.start.status
    assert part in told.text and "\n" not in told.text and told.text.endswith(".")
    assert driver.field and driver.window.match is None and not Settings.load().players
    driver.picture()
    driver.key("escape")
    assert driver.start.page is None and driver.start.setup.white == AGENT


def test_letters_in_the_field_are_no_keys(lobby: Open) -> None:
    driver = lobby()
    driver.choose("black", OTHER)
    driver.type("qdtv")
    assert driver.field.field.text == "qdtv" and driver.window._open
    driver.key("f1")
    driver.key("escape")
    assert driver.field.field.text == "qdtv" and not driver.window.help


def test_a_word_of_the_row_is_no_player_by_name(lobby: Open) -> None:
    driver = lobby(settings=Settings.load())
    driver.take("black", "random")
    assert driver.start.setup.black == "random" and not Settings.load().players
    driver.take("black", "human")
    assert driver.start.setup.black == HUMAN


def test_folders_and_programs_are_dropped_into_the_field(lobby: Open, tmp_path: Path, checkpoint13: Path) -> None:
    driver = lobby()
    driver.post(pygame.DROPFILE, file=str(checkpoint13))
    assert "is a folder" in driver.start.status.text and driver.window.match is None
    driver.choose("white", OTHER)
    program = tmp_path / "my engine"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    driver.post(pygame.DROPFILE, file=str(program))
    assert driver.start.status.kind == INFO and "my engine is an engine" in driver.start.status.text
    driver.post(pygame.DROPFILE, file=str(checkpoint13))
    assert driver.start.status.text == "go13 is a checkpoint that has learned 13x13."
    driver.do("take")
    assert driver.start.setup.white == str(checkpoint13)


def test_a_folder_is_remembered_by_its_full_name(
    lobby: Open, checkpoint13: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    for typed in ("./go13", "~/go13/"):
        driver = lobby(settings=Settings(path=settings_file()))
        driver.take("white", typed)
        assert driver.start.setup.white == str(checkpoint13) and Settings.load().players == [str(checkpoint13)]


def test_a_record_dropped_on_the_field_is_opened(lobby: Open, tmp_path: Path) -> None:
    driver = lobby()
    driver.choose("white", OTHER)
    driver.post(pygame.DROPFILE, file=str(write_sgf(GoGame(9), tmp_path / "game.SGF")))
    driver.until(lambda: driver.match.review is not None)


def test_players_typed_before_are_offered_again(lobby: Open, checkpoint13: Path) -> None:
    Settings(players=["gone/agent", str(checkpoint13)], path=settings_file()).save()
    driver = lobby(settings=Settings.load())
    driver.choose("white", OTHER)
    gone, there = driver.field.lines
    assert not gone.enabled and there.enabled
    driver.move(gone.rect.center)
    assert "There is no checkpoint or program gone/agent" in driver.start.status.text
    driver.click(gone.rect.center)
    driver.move((0, 0))
    assert driver.field.field.text == ""
    driver.key("down")
    assert driver.field.field.text == str(checkpoint13)
    driver.field.write("")
    driver.click(there.rect.center)
    driver.key("return")
    assert driver.start.setup.white == str(checkpoint13)
    assert Settings.load().players == [str(checkpoint13), "gone/agent"]


def test_only_a_few_players_are_remembered() -> None:
    settings = Settings.load()
    for number in range(9):
        settings.remember_player(f"engine{number}")
    settings.remember_player("engine6")
    assert Settings.load().players == ["engine6", "engine8", "engine7", "engine5", "engine4"]
    assert len(settings.players) == PLAYERS_KEPT
    settings_file().write_text(json.dumps({"players": [3, "", "x", None, *"abcdefgh"]}))
    assert Settings.load().players == ["x", "a", "b", "c", "d"]


def test_a_player_of_the_command_line_stands_in_its_row(lobby: Open, engine: str) -> None:
    driver = lobby(Setup(engine, HUMAN, seconds=3.0, temperature=0.7))
    assert driver.choice("black", engine).label == "fake" and driver.choice("seconds", 3.0).label == "3 s"
    assert driver.choice("temperature", 0.7).label == "0.7"
    driver.choose("black", OTHER)
    assert driver.field.field.text == engine
    driver.type("x")
    assert driver.field.field.text == "x", "what is typed takes the place of what stood there"


def test_a_checkpoint_that_cannot_be_loaded_rests_the_game(lobby: Open, tmp_path: Path) -> None:
    folder = tmp_path / "empty"
    folder.mkdir()
    (folder / "config.yaml").write_text("kind: go_agent\nframes:\n  size: 9\n")
    driver = lobby()
    driver.take("white", str(folder))
    driver.key("return")
    driver.until(lambda: driver.match.prepared)
    driver.click("C3")
    driver.until(lambda: driver.match.trouble is not None, 60)
    assert driver.window._open and "empty cannot go on" in driver.match.status.text


# Saved games


def test_saved_games_are_listed_and_opened(lobby: Open, tmp_path: Path) -> None:
    folder = tmp_path / "data" / "videoworld" / "games"
    folder.mkdir(parents=True)
    game = GoGame(9)
    game.play(at("C3"))
    write_sgf(game, folder / "one.sgf", black="Ada", white="Bo", result="B+2.5")
    (folder / "damaged.sgf").write_bytes(b"\xff\xfe(;")
    driver = lobby()
    driver.do("open")
    listed = [line.label for line in driver.page.lines]
    assert any("Ada - Bo" in label and "B+2.5" in label for label in listed) and len(listed) == 2
    index = next(i for i, label in enumerate(listed) if "Ada" in label)
    driver.click(driver.page.lines[index].rect.center)
    driver.until(lambda: driver.match.review is not None)
    assert driver.match.shown_names[BLACK] == "Ada"
    driver.key("n")
    driver.do("open")
    driver.key("escape")
    driver.key("escape")
    assert driver.screen.match.review is not None


def test_an_empty_list_of_games(lobby: Open) -> None:
    driver = lobby()
    driver.do("open")
    driver.picture()
    driver.do("back")
    assert driver.start.page is None


def test_saved_games_are_chosen_with_the_arrows(lobby: Open, tmp_path: Path) -> None:
    folder = tmp_path / "data" / "videoworld" / "games"
    folder.mkdir(parents=True)
    for name in ("one", "two"):
        write_sgf(GoGame(9), folder / f"{name}.sgf")
    driver = lobby()
    driver.do("open")
    driver.key("return")
    assert driver.page.marked == -1 and driver.window.match is None, "nothing is marked yet"
    for name in ("down", "down", "down", "up"):
        driver.key(name)
    label = driver.page.lines[0].label
    driver.picture()
    driver.key("return")
    driver.until(lambda: driver.match.review is not None)
    assert driver.match.review is not None and driver.match.review.path is not None
    assert driver.match.review.path.stem in label
