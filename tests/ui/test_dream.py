"""Dreaming in the window and in the terminal, with dreamers that are not the point."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from pathlib import Path

import imageio.v3 as imageio
import numpy as np
import pygame
import pytest
from rich.console import Console

from envs.dream import DreamGoEnv
from envs.errors import UserError
from envs.go.renderer import renderer_for
from envs.go.rules import GoGame
from tests.dreamers import GEOMETRY, Painter, PerfectDreamer
from ui.dream import Dream, film_path, write_film
from ui.dream_terminal import TerminalDream
from ui.dream_window import BINDINGS, DreamWindow

C3, D3, PASS = 12, 13, 25


@pytest.fixture(autouse=True)
def no_screen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SDL_VIDEODRIVER", "dummy")


def board(*moves: int) -> np.ndarray:
    game = GoGame(5)
    for move in moves:
        game.play(move)
    return renderer_for(GEOMETRY).render_game(game)


@pytest.fixture
def dream() -> Iterator[Dream]:
    """A dream of perfect pictures, loaded."""
    dream = Dream(lambda: DreamGoEnv(PerfectDreamer()), name="Fake", seed=1)
    assert dream.wait()
    yield dream
    dream.close()


def test_a_dream_from_beginning_to_end(dream: Dream) -> None:
    assert dream.status.text == "Your turn: you dream as Black, Fake as White." and len(dream.frames) == 1
    assert dream.play(C3) and dream.imagining and dream.wait()
    assert len(dream.frames) == 3 and len(dream.changes) == 2 and dream.unfilmed
    assert np.array_equal(dream.frames[1], board(C3)) and np.array_equal(dream.frames[2], board(C3, 0))
    assert dream.undo() and len(dream.frames) == 1 and "taken back" in dream.status.text
    assert not dream.undo() and "nothing to take back" in dream.status.text
    dream.play(D3)
    dream.wait()
    assert np.array_equal(dream.frames[1], board(D3)), "the dream goes on from where it went back to"
    assert dream.new_dream() and dream.wait() and len(dream.frames) == 1 and not dream.changes


def test_moves_are_refused_while_it_imagines(dream: Dream) -> None:
    dream.play(C3)
    assert not dream.play(D3) and "One moment" in dream.status.text
    assert not dream.undo() and not dream.new_dream()
    dream.wait()
    assert len(dream.changes) == 2


def test_what_cannot_be_imagined(dream: Dream) -> None:
    dream.play(C3)
    dream.wait()
    dream.play(C3)
    dream.wait()
    assert dream.status.text == "Fake cannot imagine that move here." and len(dream.moments) == 2
    assert dream.undo() and len(dream.frames) == 1


def test_a_broken_rule_is_told() -> None:
    dream = Dream(lambda: DreamGoEnv(Painter(board(), board(0, 1)), answers=False))
    dream.wait()
    dream.play(C3)
    dream.wait()
    assert dream.status.text.startswith("Against the rules: a stone vanished from C3; the turn did not change")
    dream.close()


def test_the_end_of_a_dream() -> None:
    dream = Dream(lambda: DreamGoEnv(PerfectDreamer(), answers=False))
    dream.wait()
    for _ in range(2):
        assert dream.pass_turn()
        dream.wait()
    assert dream.is_over and dream.status.text == "The dream is over: W+7.0, by the area of its last frame."
    assert not dream.play(C3) and "The dream is over" in dream.status.text
    assert dream.undo() and not dream.is_over
    dream.close()


def test_a_model_that_does_not_load() -> None:
    def make() -> DreamGoEnv:
        raise UserError("there is no checkpoint")

    dream = Dream(make)
    assert dream.loading and not dream.play(C3)
    dream.wait()
    assert isinstance(dream.failure, UserError)
    window = DreamWindow(dream)
    with pytest.raises(UserError, match="there is no checkpoint"):
        window.run()


# -- Films -------------------------------------------------------------------------------------------------------------


def test_a_film_holds_every_frame(dream: Dream, tmp_path: Path) -> None:
    dream.play(C3)
    dream.wait()
    assert dream.save_film(tmp_path / "deep" / "dream.gif") and not dream.unfilmed
    film = imageio.imread(tmp_path / "deep" / "dream.gif")
    side = len(dream.frames[0]) * (480 // len(dream.frames[0]))
    assert film.shape == (3, side, side, 3)
    assert not np.array_equal(film[0], film[2])


def test_no_film_is_written_over(dream: Dream, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ui.dream.time.strftime", lambda form: form)
    first = film_path(tmp_path)
    write_film(dream.frames, first)
    second = film_path(tmp_path)
    assert first != second
    assert not dream.save_film(first) and "could not be written" in dream.status.text
    assert dream.save_film(second) and len(list(tmp_path.iterdir())) == 2


# -- The window --------------------------------------------------------------------------------------------------------


def settle(window: DreamWindow, until: Callable[[], bool]) -> None:
    for _ in range(2000):
        window.step()
        if until():
            return
        window.dream.wait(0.01)
    raise AssertionError("it did not come to rest")


def press(window: DreamWindow, key: int) -> None:
    pygame.event.post(pygame.event.Event(pygame.KEYDOWN, key=key))
    window.step()


def click(window: DreamWindow, position: tuple[int, int]) -> None:
    pygame.event.post(pygame.event.Event(pygame.MOUSEBUTTONDOWN, button=1, pos=position))
    window.step()


def pixel_of(window: DreamWindow, point: int) -> tuple[int, int]:
    row, column = divmod(point, 5)
    cell = window._board.width / GEOMETRY.frame_size * GEOMETRY.cell
    return round(window._board.left + (column + 0.5) * cell), round(window._board.top + (row + 0.5) * cell)


def test_a_dream_in_the_window(dream: Dream, tmp_path: Path) -> None:
    window = DreamWindow(dream, films=tmp_path)
    window.step()
    for point in range(25):
        assert window.point_at(pixel_of(window, point)) == point
    click(window, pixel_of(window, C3))
    settle(window, lambda: len(dream.changes) == 2)
    press(window, pygame.K_u)
    assert not dream.changes
    press(window, pygame.K_p)
    settle(window, lambda: len(dream.changes) == 2)
    press(window, pygame.K_h)
    click(window, pixel_of(window, D3))
    assert len(dream.changes) == 2, "the click closed the help"
    press(window, pygame.K_m)
    press(window, pygame.K_s)
    assert len(list(tmp_path.iterdir())) == 1 and "saved in" in dream.status.text
    press(window, pygame.K_n)
    settle(window, lambda: not dream.changes and not dream.imagining)
    press(window, pygame.K_q)
    assert not window.step()
    window.close()
    assert len(list(tmp_path.iterdir())) == 1, "nothing new to save"


def test_closing_the_window_saves_the_film(dream: Dream, tmp_path: Path) -> None:
    window = DreamWindow(dream, films=tmp_path)
    window.step()
    click(window, pixel_of(window, C3))
    settle(window, lambda: len(dream.changes) == 2)
    pygame.event.post(pygame.event.Event(pygame.QUIT))
    assert not window.step()
    window.close()
    assert len(list(tmp_path.iterdir())) == 1


@pytest.mark.parametrize("size", [(200, 150), (320, 700), (1100, 760), (2600, 900)])
def test_every_size_can_be_drawn(dream: Dream, size: tuple[int, int], tmp_path: Path) -> None:
    window = DreamWindow(dream, size=size, films=tmp_path)
    dream.play(C3)
    dream.wait()
    window.draw()
    press(window, pygame.K_h)
    window.close()


def test_every_key_has_an_action(dream: Dream, tmp_path: Path) -> None:
    window = DreamWindow(dream, films=tmp_path)
    assert set(window._actions) == {binding.action for binding in BINDINGS} - {"play"}
    window.close()


# -- The terminal ------------------------------------------------------------------------------------------------------


def terminal(dream: Dream, lines: list[str], films: Path) -> str:
    """What the terminal prints for these lines."""
    left = iter(lines)

    def read(prompt: str) -> str:
        try:
            return next(left)
        except StopIteration:
            raise EOFError from None

    out = io.StringIO()
    TerminalDream(dream, console=Console(file=out, width=120), read=read, films=films).run()
    return out.getvalue()


def test_a_dream_in_the_terminal(dream: Dream, tmp_path: Path) -> None:
    said = terminal(dream, ["c3", "Z9", "help", "undo", "pass", "film", "quit"], tmp_path)
    assert "Black C3" in said and "White A5" in said and "drift 0 points, 100 % sound" in said
    assert "A move such as D4" in said and "taken back" in said
    assert len(list(tmp_path.iterdir())) == 1


def test_the_end_of_the_input_saves_the_film(dream: Dream, tmp_path: Path) -> None:
    assert "is saved in" in terminal(dream, ["c3"], tmp_path)
    assert len(list(tmp_path.iterdir())) == 1
