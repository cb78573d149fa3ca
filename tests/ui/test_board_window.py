"""The window, driven by posted events without a screen."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pygame
import pytest

from agents.players import AgentPlayer, BackgroundPlayer, Player
from envs.errors import UserError
from envs.go.coords import gtp_to_point
from envs.go.rules import BLACK, EMPTY, WHITE, GoGame
from envs.go.sgf import read_sgf
from tests.ui.driver import Driver
from tests.ui.fakes import FakeAgent, GatedPlayer, ScriptedPlayer
from ui.board_view import BoardView
from ui.board_window import BoardWindow, NoDisplayError
from ui.keymap import GAME_KEYS, POINTER
from ui.match import WARNING, Match
from ui.record import GameRecord
from ui.theme import Theme


def at(name: str) -> int:
    return gtp_to_point(name, 9)


Open = Callable[..., Driver]


@pytest.fixture
def open_window(monkeypatch: pytest.MonkeyPatch) -> Iterator[Open]:
    monkeypatch.setenv("SDL_VIDEODRIVER", "dummy")
    drivers: list[Driver] = []

    def begin(
        black: Player | None, white: Player | None, *, size: tuple[int, int] = (1000, 700), **options: object
    ) -> Driver:
        match = Match(lambda: GoGame(9, ko_rule="positional"), {BLACK: black, WHITE: white}, **options)  # type: ignore[arg-type]
        driver = Driver(match, size)
        drivers.append(driver)
        driver.until(lambda: match.prepared)
        return driver

    yield begin
    for driver in drivers:
        driver.window.close()


def test_a_click_plays_and_the_player_answers(open_window: Open) -> None:
    driver = open_window(None, ScriptedPlayer([at("G7")]))
    driver.click("C3")
    assert driver.match.game.stones.reshape(-1)[at("C3")] == BLACK
    driver.until(lambda: driver.match.human_to_move)
    assert driver.match.game.last_move == at("G7")


def test_a_click_beside_the_board_plays_nothing(open_window: Open) -> None:
    driver = open_window(None, ScriptedPlayer([]))
    driver.click((2, 2))
    assert not driver.match.game.history


def test_every_point_of_the_board_is_found_again(open_window: Open) -> None:
    driver = open_window(None, ScriptedPlayer([]))
    board = driver.screen.board
    assert [board.point_at(board.centre(point)) for point in range(81)] == list(range(81))


def test_an_illegal_move_shows_the_reason(open_window: Open) -> None:
    driver = open_window(None, ScriptedPlayer([at("G7")]))
    driver.click("C3")
    driver.until(lambda: driver.match.human_to_move)
    before = driver.picture()
    driver.click("G7")
    assert driver.match.status.kind == WARNING and "already there" in driver.match.status.text
    bar = driver.screen.status
    changed = (driver.picture() != before)[bar.left : bar.right, bar.top : bar.bottom]
    assert changed.any()


@pytest.mark.parametrize("by", ["key", "press"])
def test_passes_end_the_game_with_a_result(open_window: Open, by: str) -> None:
    driver = open_window(None, ScriptedPlayer([]))
    getattr(driver, by)("p" if by == "key" else "pass")
    driver.until(lambda: driver.match.is_over)
    assert driver.match.result == "W+7.0" and "White (Script) wins by 7 points" in driver.match.status.text


def test_undo_while_the_player_thinks(open_window: Open) -> None:
    player = GatedPlayer()
    driver = open_window(None, player)
    driver.click("C3")
    driver.until(lambda: player.asked)
    driver.key("u")
    assert not driver.match.game.history and driver.match.human_to_move
    player.release()
    driver.until(lambda: not driver.match.thinking)
    assert not driver.match.game.history


def test_undo_takes_back_both_plies(open_window: Open) -> None:
    driver = open_window(None, ScriptedPlayer([at("G7")]))
    driver.click("C3")
    driver.until(lambda: driver.match.human_to_move)
    driver.press("undo")
    assert not driver.match.game.history


def test_new_game_while_the_player_thinks(open_window: Open) -> None:
    player = GatedPlayer()
    driver = open_window(None, player)
    driver.click("C3")
    driver.until(lambda: player.asked)
    driver.key("n")
    player.release()
    driver.until(lambda: not driver.match.thinking)
    assert not driver.match.game.history and driver.match.human_to_move


def test_resigning(open_window: Open) -> None:
    driver = open_window(None, ScriptedPlayer([at("G7")]))
    driver.press("resign")
    assert not driver.match.is_over and "once more" in driver.match.status.text
    driver.key("r")
    assert driver.match.result == "W+R"
    driver.key("backspace")
    assert not driver.match.is_over


def test_the_window_stays_quick_while_the_player_thinks(open_window: Open) -> None:
    player = GatedPlayer()
    driver = open_window(None, player)
    driver.click("C3")
    driver.until(lambda: player.asked)
    times = []
    for index in range(40):
        begun = time.perf_counter()
        driver.move((100 + 5 * index, 200))
        times.append(time.perf_counter() - begun)
    assert np.median(times) < 0.05


def test_a_watched_game_pauses(open_window: Open) -> None:
    agent = AgentPlayer(FakeAgent(), FakeAgent().renderer)
    driver = open_window(agent, agent)
    driver.until(lambda: len(driver.match.game.history) >= 2)
    driver.key("space")
    driver.until(lambda: not driver.match.thinking)
    assert driver.match.paused
    driver.press("pause")
    assert not driver.match.paused


def test_dead_stones_are_clicked_after_the_game(open_window: Open) -> None:
    driver = open_window(None, ScriptedPlayer([]))
    driver.match.game.play(at("E5"), BLACK)
    driver.match.game.play(at("C3"), WHITE)
    driver.key("p")
    driver.until(lambda: driver.match.is_over)
    driver.click("C3")
    assert driver.match.dead == {at("C3")} and driver.match.result == "B+74.0"


def test_help_opens_and_closes_and_swallows_the_click(open_window: Open) -> None:
    driver = open_window(None, ScriptedPlayer([]))
    plain = driver.picture()
    driver.key("h")
    assert (driver.picture() != plain).mean() > 0.2
    driver.click("C3")
    assert not driver.match.game.history and (driver.picture() == plain).mean() > 0.95
    driver.key("f1")
    driver.key("escape")
    assert driver.window.step() and (driver.picture() == plain).mean() > 0.95


def test_other_keys_rest_while_the_help_is_open(open_window: Open) -> None:
    driver = open_window(None, ScriptedPlayer([at("G7")]))
    driver.click("C3")
    driver.until(lambda: driver.match.human_to_move)
    stays = driver.match.game
    driver.key("h")
    helped = driver.picture()
    for binding in GAME_KEYS:
        if binding.action not in ("help", "leave", "quit"):
            for key in binding.keys:
                if key not in POINTER:
                    driver.key(key)
    assert driver.match.game is stays and len(stays.history) == 2 and not driver.match.is_over
    assert not driver.window.surface.get_flags() & pygame.FULLSCREEN
    assert (driver.picture() == helped).all(), "the help is still open and nothing has changed behind it"
    driver.key("h")
    driver.key("r")
    driver.key("r")
    assert driver.match.result == "W+R"
    driver.key("h")
    assert not driver.key("q"), "quit is no surprise"


def test_the_ghost_stone_follows_the_pointer_to_legal_points_only(open_window: Open) -> None:
    driver = open_window(None, ScriptedPlayer([at("G7")]))
    driver.click("C3")
    driver.until(lambda: driver.match.human_to_move)
    board = driver.screen.board
    driver.move(board.centre(at("E5")))
    assert driver.screen.ghost() == at("E5")
    driver.move(board.centre(at("G7")))
    assert driver.screen.ghost() == -1
    driver.post(pygame.WINDOWLEAVE)
    assert driver.screen.ghost() == -1


def test_candidates_are_shown_and_hidden(open_window: Open) -> None:
    agent = FakeAgent()
    driver = open_window(None, AgentPlayer(agent, agent.renderer))
    driver.click("C3")
    driver.until(lambda: driver.match.human_to_move)
    driver.move((2, 2))
    marked = driver.picture()
    board = driver.screen.board.rect
    part = (slice(board.left, board.right), slice(board.top, board.bottom))
    pictures = []
    for _ in range(4):
        pictures.append(driver.picture()[part])
        driver.key("c")
    top, heat, territory, off = pictures
    assert (territory != off).mean() > (territory != top).mean() / 2 > 0
    assert (top == marked[part]).all() and (heat != top).mean() > (off != top).mean() > 0
    assert (driver.picture()[part] == marked[part]).all()


@pytest.mark.parametrize("size", [(1000, 700), (480, 800), (1600, 500), (320, 240), (200, 900), (64, 48)])
def test_any_size_of_window_can_be_drawn(open_window: Open, size: tuple[int, int]) -> None:
    agent = FakeAgent()
    driver = open_window(None, AgentPlayer(agent, agent.renderer))
    driver.click("C3")
    driver.until(lambda: driver.match.human_to_move)
    pygame.display.set_mode(size, pygame.RESIZABLE)
    driver.post(pygame.VIDEORESIZE, size=size, w=size[0], h=size[1])
    assert driver.window.surface.get_size() == size
    window = driver.window.surface.get_rect()
    assert window.contains(driver.screen.board.rect)
    if min(size) >= 240:
        assert all(window.contains(button.rect) for button in driver.screen.panel.buttons)
        assert not any(button.rect.colliderect(driver.screen.board.rect) for button in driver.screen.panel.buttons)
    driver.key("h")
    driver.key("p")


@pytest.mark.parametrize("how", ["q", "close"])
def test_quitting_saves_the_game(open_window: Open, tmp_path: Path, how: str) -> None:
    player = GatedPlayer()
    record = GameRecord(tmp_path / "game.sgf")
    driver = open_window(None, player, record=record)
    driver.click("C3")
    record.path.unlink()  # so that what is found below was written by quitting
    pygame.event.post(
        pygame.event.Event(pygame.QUIT) if how == "close" else pygame.event.Event(pygame.KEYDOWN, key=pygame.K_q, mod=0)
    )
    driver.window.run()
    assert [move.point for move in read_sgf(record.path).moves] == [at("C3")]
    assert player.closed


def test_a_model_that_cannot_be_loaded_closes_the_window(open_window: Open) -> None:
    def load() -> Player:
        raise UserError("no such checkpoint")

    driver = open_window(BackgroundPlayer("VideoWorld", load), None)
    with pytest.raises(UserError, match="no such checkpoint"):
        driver.window.run()


def test_no_display_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SDL_VIDEODRIVER", "nosuchdriver")
    match = Match(lambda: GoGame(9), {BLACK: None, WHITE: ScriptedPlayer([])})
    with pytest.raises(NoDisplayError, match=r"no window can be opened .* use --ui terminal"):
        BoardWindow(match)
    match.close()


def test_every_key_has_an_action(open_window: Open) -> None:
    driver = open_window(None, ScriptedPlayer([]))
    pointing = {"play", "open"}
    assert set(driver.window.keys.values()) == {binding.action for binding in GAME_KEYS} - pointing
    assert {*driver.window.actions, *driver.screen.actions} == set(driver.window.keys.values())


def test_full_screen_and_back(open_window: Open) -> None:
    driver = open_window(None, ScriptedPlayer([]))
    driver.key("f11")
    assert driver.window.surface.get_flags() & pygame.FULLSCREEN
    driver.key("f11")
    assert not driver.window.surface.get_flags() & pygame.FULLSCREEN


def test_stones_are_where_the_game_says(open_window: Open) -> None:
    open_window(None, ScriptedPlayer([]))
    game = GoGame(9)
    for name in ("C3", "G7"):
        game.play(at(name))
    surface = pygame.Surface((500, 500))
    view = BoardView(9, Theme())
    view.place(surface.get_rect())
    view.draw(surface, game)
    # A little beside the centre, where neither the last-move ring nor the grid is.
    beside = {name: np.add(view.centre(at(name)), 11).tolist() for name in ("C3", "G7", "E5")}
    shades = {name: sum(surface.get_at(pixel)[:3]) for name, pixel in beside.items()}
    assert shades["C3"] < 200 < shades["E5"] < 520 < shades["G7"]
    assert game.stones.reshape(-1)[at("E5")] == EMPTY
