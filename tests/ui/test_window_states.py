"""The window in any state: every size, engines and agents that misbehave, keys in any order."""

from __future__ import annotations

import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from agents.players import Player
from envs.errors import UserError
from envs.go.rules import WHITE
from envs.go.sgf import read_sgf
from tests.ui.driver import SIZES, Driver, Open, at, played
from tests.ui.fakes import GatedPlayer, ScriptedPlayer, fake_player
from ui.keymap import GAME_KEYS, POINTER
from ui.lobby import Lobby, Setup
from ui.messages import WARNING
from ui.record import GameRecord

# Sizes


@pytest.mark.parametrize("size", SIZES)
def test_every_state_in_any_size(play: Open, size: tuple[int, int]) -> None:
    driver = play(None, fake_player(), adviser=fake_player(1))
    played(driver, "A1", "B1")
    driver.resize(size)
    for keys in (["c", "m"], ["left"], ["h"], ["h"], ["end"], ["p"]):
        for key in keys:
            driver.key(key)
        driver.picture()
        whole, board = driver.window.surface.get_rect(), driver.screen.board.rect
        parts = [button.rect for button in driver.screen.panel.buttons]
        assert whole.contains(board) and all(whole.contains(part) for part in parts)
        assert board.collidelist(parts) < 0 and driver.screen.status.collidelist([board, *parts]) < 0
        if driver.screen.timeline.rect.height > 16:
            assert driver.screen.timeline.rect.collidelist([board, *parts, driver.screen.status]) < 0
        frames = driver.screen.panel.thoughts._places
        assert board.collidelist(frames) < 0 and all(whole.contains(frame) for frame in frames)


@pytest.mark.parametrize("size", [(640, 480), (900, 700), (1100, 760), (1920, 1080)])
def test_frames_leave_room_for_candidates(play: Open, size: tuple[int, int]) -> None:
    driver = play(None, fake_player(), adviser=fake_player(1))
    driver.resize(size)
    thoughts = driver.screen.panel.thoughts
    assert len(thoughts._places) == 5 and len({place.top for place in thoughts._places}) == 2
    assert thoughts.candidates.height >= 4 * round(1.7 * thoughts.text), "a heading and three candidates at least"


def test_a_tall_and_narrow_window_has_its_buttons(play: Open) -> None:
    driver = play(None, ScriptedPlayer([]))
    driver.resize((240, 900))
    driver.press("pass")
    assert driver.match.game.history


def test_help_fits_every_size(play: Open) -> None:
    driver = play(None, ScriptedPlayer([]))
    driver.key("h")
    for size in SIZES:
        driver.resize(size)
        driver.picture()
    assert driver.window.help
    driver.key("escape")
    assert not driver.window.help


# Engines


ENGINE = """
import sys, time
def answer(number, text=""):
    print(f"={number} {text}\\n", flush=True)
moves = 0
for line in sys.stdin:
    number, _, command = line.strip().partition(" ")
    if command == "list_commands":
        answer(number, "genmove\\nundo\\ntime_settings")
    elif command.startswith("genmove"):
        BODY
    elif command == "quit":
        answer(number)
        break
    else:
        answer(number)
"""
BAD = {
    "dies": "sys.exit(3)",
    "hangs": "time.sleep(60)",
    "floods": "[print('x' * 100_000, flush=True) for _ in range(100)]",
    "plays illegal moves": "answer(number, 'C3')",
    "talks no sense": "answer(number, 'Z99')",
    "does not start": "",
}


@pytest.mark.skipif(sys.platform == "win32", reason="command lines differ")
@pytest.mark.parametrize("how", BAD)
def test_an_engine_that_misbehaves_rests_the_game_and_loses_nothing(
    opened: list[Driver], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    monkeypatch.setattr("envs.go.engines.CLOSE_GRACE", 0.3)
    monkeypatch.setattr("agents.players.PATIENCE", 0.2)
    script = tmp_path / "engine.py"
    script.write_text("import sys; sys.exit(1)" if how == "does not start" else ENGINE.replace("BODY", BAD[how]))
    command = f"{sys.executable} -S -E {script}"
    lobby = Lobby(9, lambda setup: fake_player(), sgf=tmp_path / "game.sgf")
    driver = Driver(lobby=lobby, setup=Setup(white=command, seconds=0.1))
    opened.append(driver)
    driver.key("return")
    match = driver.match
    driver.until(lambda: match.prepared)
    driver.click("C3")
    for _ in range(2):
        driver.until(lambda: match.trouble is not None, 40)
        assert match.paused and match.failure is None and "cannot go on" in match.status.text
        assert match.status.kind == WARNING and "\n" not in match.status.text
        assert driver.screen.panel.buttons[0].label == "Ask again"
        assert [move.point for move in read_sgf(tmp_path / "game.sgf").moves] == [at("C3")]
        driver.press("pause")
        assert match.trouble is None
    driver.until(lambda: match.trouble is not None, 40)
    script.write_text(ENGINE.replace("BODY", "answer(number, 'E5')"))
    driver.key("space")
    if how != "plays illegal moves":  # that one is still running
        driver.until(lambda: match.human_to_move, 40)
        assert match.game.last_move == at("E5")


def test_engines_against_each_other_and_the_agent_watching(lobby: Open) -> None:
    driver = lobby()
    driver.choose("black", "random")
    driver.choose("white", "random")
    driver.key("return")
    match = driver.match
    driver.until(lambda: len(match.game.history) >= 2)
    driver.key("space")
    driver.key("left")
    driver.until(lambda: match.considered is not None)
    assert match.considered is not None and match.considered.name == "Fake agent"


@pytest.mark.parametrize("away", [False, True])
def test_an_agent_that_does_not_load_leads_to_the_start_screen(
    opened: list[Driver], tmp_path: Path, away: bool
) -> None:
    gate = threading.Event()

    def load(setup: Setup) -> Player:
        assert gate.wait(20)
        raise UserError("no such checkpoint")

    driver = Driver(lobby=Lobby(9, load, sgf=tmp_path / "game.sgf"))
    opened.append(driver)
    driver.key("return")
    driver.until(lambda: driver.match.prepared)
    driver.click("C3")
    if away:
        driver.key("n")
    gate.set()
    driver.until(lambda: driver.window.match is None)
    assert driver.window._open and (driver.start.status.text, driver.start.status.kind) == (
        "No such checkpoint.",
        WARNING,
    )
    assert len(read_sgf(tmp_path / "game.sgf").moves) == 1
    driver.key("escape")  # there is nothing to go back to
    driver.choose("white", "random")
    driver.key("return")
    assert driver.match.seats[WHITE] is not None


# Never losing anything


def test_keys_in_any_order_never_end_it(play: Open, tmp_path: Path) -> None:
    record = GameRecord(tmp_path / "games" / "game.sgf")
    driver = play(None, fake_player(), adviser=fake_player(1), record=record, copies=tmp_path)
    keys = [key for b in GAME_KEYS for key in b.keys if key not in POINTER and b.action not in ("quit", "fullscreen")]
    rng = np.random.default_rng(11)
    for _ in range(150):
        driver.key(keys[int(rng.integers(len(keys)))])
        driver.click((int(rng.integers(1000)), int(rng.integers(700))))
        assert driver.window._open and driver.match.failure is None
    driver.key("escape")
    driver.key("escape")


def test_quitting_from_the_start_screen_keeps_the_game_behind_it(lobby: Open, tmp_path: Path) -> None:
    driver = lobby(sgf=tmp_path / "game.sgf")
    driver.key("return")
    driver.until(lambda: driver.match.prepared)
    played(driver, "C3")
    driver.key("n")
    driver.key("q")
    driver.window.run()
    assert len(read_sgf(tmp_path / "game.sgf").moves) == 2


def test_a_step_of_the_window_does_not_wait_for_the_agent(play: Open) -> None:
    gate = GatedPlayer()
    driver = play(None, gate, adviser=gate)
    driver.click("C3")
    driver.until(lambda: gate.asked)
    driver.key("home")  # the adviser is asked as well, and does not answer either
    times = []
    for index in range(30):
        begun = time.perf_counter()
        driver.move((100 + 9 * index, 300))
        times.append(time.perf_counter() - begun)
    assert np.median(times) < 0.05 and driver.match.thinking
