"""The game on the screen: looking back, imagined frames, marks, moves by the agent, the second press."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pygame
import pytest

from agents.players import AgentPlayer
from envs.go.rules import GoGame
from envs.go.sgf import read_sgf, write_sgf
from tests.ui.driver import Open, at, played
from tests.ui.fakes import FakeAgent, ScriptedPlayer, fake_player
from ui.messages import WARNING
from ui.settings import MARKS
from ui.thought_panel import compare

# Review


def test_keys_wheel_and_graph_go_through_the_game(play: Open) -> None:
    driver = play(None, ScriptedPlayer([at("G7"), at("C7"), at("G3")]))
    played(driver, "C3", "D4", "E5")
    match = driver.match
    driver.key("left")
    assert match.shown_ply == 5
    driver.key("home")
    assert match.shown_ply == 0
    driver.key("right")
    driver.post(pygame.MOUSEWHEEL, x=0, y=-1)
    assert match.shown_ply == 2
    driver.post(pygame.MOUSEWHEEL, x=0, y=1)
    driver.key("page down")
    assert match.review is None
    driver.key("page up")
    assert match.shown_ply == 0
    graph = driver.screen.timeline.rect
    driver.click(graph.center)
    assert match.shown_ply == 3
    driver.move((graph.left + 30, graph.centery))
    driver.key("end")
    assert match.review is None
    driver.key("left")
    driver.key("escape")
    assert match.review is None and len(match.game.history) == 6


def test_review_buttons_and_playing_on(play: Open) -> None:
    driver = play(None, ScriptedPlayer([at("G7"), at("C7"), at("H8")]))
    played(driver, "C3", "D4")
    driver.key("left")
    driver.picture()
    for action, ply in (("first", 0), ("next", 1), ("next", 2), ("previous", 1), ("next", 2)):
        driver.press(action)
        assert driver.match.shown_ply == ply
    driver.press("play_on")
    assert driver.match.review is None and len(driver.match.game.history) == 2
    played(driver, "E5")
    assert len(driver.match.game.history) == 4


def test_a_click_on_an_earlier_position_plays_nothing(play: Open) -> None:
    driver = play(None, ScriptedPlayer([at("G7")]))
    played(driver, "C3")
    driver.key("home")
    driver.click("E5")
    assert len(driver.match.game.history) == 2 and "go back to the game" in driver.match.status.text
    assert driver.screen.ghost() == -1


def test_a_dropped_record_of_another_size_is_shown(play: Open, tmp_path: Path) -> None:
    game = GoGame(19)
    for point in (60, 72, 300):
        game.play(point)
    path = write_sgf(game, tmp_path / "large.sgf")
    driver = play(None, ScriptedPlayer([]), adviser=fake_player())
    driver.post(pygame.DROPFILE, file=str(path))
    driver.until(lambda: driver.match.review is not None)
    driver.key("end")
    driver.picture()
    assert driver.screen.board.size == 19
    driver.key("escape")
    driver.picture()
    assert driver.screen.board.size == 9


def test_a_damaged_record_is_told(play: Open, tmp_path: Path) -> None:
    path = tmp_path / "bad.sgf"
    path.write_text("(;SZ[9];B[zz])")
    driver = play(None, ScriptedPlayer([]))
    driver.post(pygame.DROPFILE, file=str(path))
    driver.until(lambda: not driver.match.opening)
    assert driver.match.status.kind == WARNING and driver.match.review is None


# Thoughts


def test_the_strip_is_filled_and_a_click_enlarges_a_frame(play: Open) -> None:
    driver = play(None, fake_player())
    played(driver, "A1")
    driver.until(lambda: driver.match.last_decision is not None and driver.match.last_decision.foreseen)
    places = driver.screen.panel.thoughts._places
    board = driver.picture(driver.screen.board.rect)
    driver.click(places[2].center)
    assert driver.screen.enlarged == 1
    assert (driver.picture(driver.screen.board.rect) != board).mean() > 0.2
    driver.click("E5")
    assert driver.screen.enlarged is None and len(driver.match.game.history) == 2, "the click only closes it"
    driver.click(places[0].center)
    assert driver.screen.enlarged is None, "what it sees is no imagined frame"
    driver.click(places[1].center)
    driver.key("escape")
    assert driver.screen.enlarged is None
    driver.click(places[1].center)
    driver.click("D5")
    played(driver, "D5")
    assert len(driver.match.game.history) == 4


def test_imagined_frames_are_held_against_what_came(play: Open) -> None:
    driver = play(None, fake_player(), adviser=fake_player(1))
    played(driver, "A1", "B1")
    driver.key("home")
    match = driver.match
    driver.until(lambda: match.considered is not None and match.considered.foreseen)
    considered = match.considered
    assert considered is not None
    found = compare(match, considered, 0)
    assert found is not None and len(found[0]) == 2 and found[1] == pytest.approx(79 / 81)
    assert compare(match, considered, 3) is not None
    place = driver.screen.panel.thoughts._places[1]
    driver.move((2, 2))
    plain = driver.picture(place)
    driver.move(place.center)
    assert (driver.picture(place) != plain).any(), "the points that differ are ringed"
    driver.click(place.center)
    driver.picture()


def test_heat_numbers_and_marks(play: Open) -> None:
    driver = play(None, fake_player())
    played(driver, "A1")
    settings = driver.window.surroundings.settings
    rect = driver.screen.board.rect
    pictures = {}
    for _ in MARKS:
        pictures[settings.marks] = driver.picture(rect)
        driver.key("c")
    assert settings.marks == "top"
    tinted = (pictures["heat"] != pictures["off"]).any(-1).mean()
    marked = (pictures["top"] != pictures["off"]).any(-1).mean()
    assert tinted > marked > 0
    expected = (pictures["territory"] != pictures["off"]).any(-1).mean()
    assert expected > 0 and (pictures["territory"] != pictures["top"]).any()
    driver.key("m")
    assert settings.numbers and (driver.picture(rect) != pictures["top"]).any()


def test_what_it_could_not_have_is_told(play: Open) -> None:
    class Stubborn(FakeAgent):
        def decide(self, frame: np.ndarray, *, legal: np.ndarray | None = None, imagine: bool = True, **how):  # type: ignore[no-untyped-def]
            from dataclasses import replace

            from agents.agent import Rejection

            decision = super().decide(frame, legal=legal, imagine=imagine)
            return replace(decision, thought=replace(decision.thought, rejected=(Rejection(at("A1")),)))

    agent = Stubborn()
    driver = play(None, AgentPlayer(agent, agent.renderer), record=None)
    played(driver, "A1")
    thought = driver.match.last_decision
    assert thought is not None and thought.decision.thought.rejected[0].reason == "occupied"
    driver.picture()


def test_the_agent_moves_for_you(play: Open) -> None:
    driver = play(None, ScriptedPlayer([0]), adviser=fake_player())
    driver.key("a")
    driver.until(lambda: len(driver.match.game.history) == 2)
    driver.key("ctrl+z")
    assert not driver.match.game.history
    driver.key("ctrl+shift+z")
    assert len(driver.match.game.history) == 2
    driver.press("undo")
    driver.press("redo")
    assert len(driver.match.game.history) == 2


def test_resigning_waits_for_the_second_press(play: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    driver = play(None, ScriptedPlayer([]))
    now = [100.0]
    monkeypatch.setattr("ui.game_screen.time.monotonic", lambda: now[0])
    driver.key("r")
    now[0] += 3.5
    driver.key("r")
    assert not driver.match.is_over, "too late, the first press is forgotten"
    now[0] += 1
    driver.key("r")
    assert driver.match.result == "W+R"


def test_a_copy_is_saved_with_a_key(play: Open, tmp_path: Path) -> None:
    driver = play(None, ScriptedPlayer([at("G7")]), copies=tmp_path)
    played(driver, "C3")
    driver.key("s")
    assert len(read_sgf(next(tmp_path.glob("go-*.sgf"))).moves) == 2 and str(tmp_path) in driver.match.status.text
