"""Dreams without a window and in the terminal, with dreamers that are not the point."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageSequence
from rich.console import Console

from envs.dream import DreamGoEnv
from envs.errors import UserError
from envs.go.renderer import renderer_for
from envs.go.rules import GoGame
from tests.dreamers import GEOMETRY, Painter, PerfectDreamer
from ui.dream import Dream
from ui.dream_terminal import TerminalDream
from ui.keymap import DREAM_KEYS

C3, D3, PASS = 12, 13, 25


@pytest.fixture(autouse=True)
def films(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """The folder of the films, which is no person's."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    return tmp_path / "videoworld" / "dreams"


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
    assert dream.redo() and np.array_equal(dream.frames[2], board(C3, 0))
    assert not dream.redo() and "nothing to bring back" in dream.status.text
    dream.undo()
    dream.play(D3)
    dream.wait()
    assert not dream.can_redo, "another move has been played"
    assert np.array_equal(dream.frames[1], board(D3)), "the dream goes on from where it went back to"
    assert dream.new_dream() and dream.wait() and len(dream.frames) == 1 and not dream.changes
    assert dream.film is not None and len(list(ImageSequence.Iterator(Image.open(dream.film)))) == 3


def test_a_dream_may_begin_with_any_position() -> None:
    game = GoGame(5)
    game.play(C3)
    dream = Dream(lambda: DreamGoEnv(PerfectDreamer()), game=game)
    dream.wait()
    assert np.array_equal(dream.frames[0], board(C3)) and len(dream.changes) == 1, "White has answered"
    dream.close()


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
    assert dream.loading and not dream.play(C3) and not dream.pass_turn() and not dream.new_dream()
    dream.wait()
    assert isinstance(dream.failure, UserError) and dream.close() is None


# -- Films -------------------------------------------------------------------------------------------------------------


def test_a_film_holds_every_frame(dream: Dream, tmp_path: Path) -> None:
    dream.play(C3)
    dream.wait()
    path = tmp_path / "deep" / "dream.gif"
    assert dream.save_film(path) and not dream.unfilmed and dream.film == path
    pictures = [np.asarray(picture.convert("RGB")) for picture in ImageSequence.Iterator(Image.open(path))]
    factor = 480 // len(dream.frames[0])
    assert len(pictures) == 3
    for picture, frame in zip(pictures, dream.frames, strict=True):
        assert np.abs(picture[::factor, ::factor].astype(int) - frame).max() < 8, "but for the colours of a GIF"


def test_no_film_is_written_over(dream: Dream, tmp_path: Path) -> None:
    assert dream.save_film(tmp_path / "a.gif") and dream.save_film(tmp_path / "a.gif")
    assert dream.film == tmp_path / "a-2.gif" and len(list(tmp_path.glob("*.gif"))) == 2


def test_other_frames_after_undo_are_not_filmed_yet(dream: Dream) -> None:
    dream.play(C3)
    dream.wait()
    dream.save_film()
    dream.undo()
    assert not dream.unfilmed, "the film has them all"
    dream.play(D3)
    dream.wait()
    assert dream.unfilmed and len(dream.frames) == 3


def test_closing_saves_what_no_film_has_once(dream: Dream, films: Path) -> None:
    dream.play(C3)
    dream.wait()
    told = dream.close()
    assert told is not None and f"saved in {films}" in told.text and dream.close() is None
    assert len(list(films.iterdir())) == 1


def test_a_film_that_cannot_be_written(dream: Dream, films: Path, caplog: pytest.LogCaptureFixture) -> None:
    dream.play(C3)
    dream.wait()
    films.parent.mkdir()
    films.write_text("a file where the folder should be")
    assert not dream.new_dream() and "The film is not saved" in dream.status.text
    assert len(dream.frames) == 3, "nothing is thrown away unasked"
    dream.close()
    assert "The film is not saved" in caplog.text


def test_a_film_that_fails_half_way_leaves_no_file(dream: Dream, films: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*args: object, **options: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("PIL.Image.Image.save", full)
    assert not dream.save_film() and "No space left" in dream.status.text and not list(films.iterdir())


# -- The terminal ------------------------------------------------------------------------------------------------------


def terminal(dream: Dream, words: str) -> str:
    """What the terminal prints for these lines."""
    out = io.StringIO()
    TerminalDream(dream, lines=io.StringIO(words), console=Console(file=out, width=120)).run()
    return out.getvalue()


def test_a_dream_in_the_terminal(dream: Dream, films: Path) -> None:
    said = terminal(dream, "c3\nZ9\n\nhelp\nundo\nredo\nundo\nundo\npass\nsave\nnew\nquit\nd4\n")
    assert "Black C3" in said and "White A5" in said and "drift 0 points, 100 % sound" in said
    assert "or type help" in said and "dream a move" in said and "taken back" in said and "nothing to take" in said
    assert len(list(films.iterdir())) == 1 and not dream.changes


def test_the_end_of_the_input_saves_the_film(dream: Dream, films: Path) -> None:
    terminal(dream, "c3")
    assert dream.film is not None and list(films.iterdir()) == [dream.film]


def test_every_word_of_the_terminal_does_something(dream: Dream) -> None:
    words = {binding.action for binding in DREAM_KEYS if binding.word}
    assert words == {*TerminalDream(dream)._verbs, "play", "help", "quit"}


def test_a_failure_ends_the_dream_in_the_terminal() -> None:
    def make() -> DreamGoEnv:
        raise UserError("there is no checkpoint")

    with pytest.raises(UserError, match="there is no checkpoint"):
        terminal(Dream(make), "c3\n")
