"""The terminal board, fed from a pipe."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from rich.console import Console

from agents.agent import Decision
from agents.players import AgentPlayer, BackgroundPlayer, Player
from envs.errors import UserError
from envs.go.rules import BLACK, WHITE, GoGame
from envs.go.sgf import read_sgf
from tests.ui.fakes import FakeAgent, ScriptedPlayer
from ui.match import Match
from ui.record import GameRecord
from ui.terminal import TerminalBoard, board_drawing


def play(words: str, black: Player | None, white: Player | None, **options: object) -> tuple[Match, str]:
    match = Match(lambda: GoGame(9), {BLACK: black, WHITE: white}, **options)  # type: ignore[arg-type]
    out = io.StringIO()
    TerminalBoard(match, lines=io.StringIO(words), console=Console(file=out, width=120)).run()
    return match, out.getvalue()


def drawn(game: GoGame, any_letter: bool = True) -> list[str]:
    out = io.StringIO()
    Console(file=out, width=80).print(board_drawing(game, any_letter=any_letter))
    return out.getvalue().splitlines()


def test_the_drawing() -> None:
    game = GoGame(9)
    game.play(0)
    game.play(80)
    lines = drawn(game, any_letter=False)
    assert lines[1].split()[1:-1] == list("ABCDEFGHJ")
    assert lines[2].split()[1:4] == ["9", "X", "."] and "(O)1" in lines[10]
    assert lines[6].count("+") == 1  # the star in the middle
    assert "●" in drawn(game)[2]


def test_a_scripted_game() -> None:
    match, out = play("C3\nG7\npass\n", None, ScriptedPlayer([60]))
    assert match.game.is_over and len(match.game.history) == 5
    assert "wins by" in out and "Script, move" not in out


def test_the_input_may_end_in_the_middle() -> None:
    match, out = play("C3", None, ScriptedPlayer([60]))
    assert len(match.game.history) == 2 and "Your turn: you play Black." in out


def test_wrong_words_and_illegal_moves_have_a_reason() -> None:
    match, out = play("hello\nI5\nC3\nc3\n\n", None, ScriptedPlayer([60]))
    assert "'hello' is no point of a 9x9 board" in out.lower() and "or type help" in out
    assert "'I5' is no point" in out and "a stone is already there" in out
    assert len(match.game.history) == 2


def test_undo_resign_new_and_quit(tmp_path: Path) -> None:
    record = GameRecord(tmp_path / "game.sgf")
    words = "C3\nundo\nundo\nD4\nresign\nnew\nE5\nquit\nA1\n"
    match, out = play(words, None, ScriptedPlayer([60, 61, 62]), record=record)
    assert "2 moves are taken back" in out and "nothing to take back" in out and "resigned" in out
    assert read_sgf(tmp_path / "game.sgf").result == "W+R"
    assert len(read_sgf(tmp_path / "game-2.sgf").moves) == 2 == len(match.game.history)


def test_help_lists_the_words() -> None:
    _, out = play("help\n", None, ScriptedPlayer([]))
    assert all(word in out for word in ("D4", "pass", "undo", "resign", "new", "help", "quit")) and "F11" not in out


def test_the_agents_thoughts_are_shown() -> None:
    agent = FakeAgent()
    _, out = play("C3\n", None, AgentPlayer(agent, agent.renderer))
    assert "Fake agent, move 2" in out and " ms:" in out and " % " in out


def test_a_watched_game_needs_no_input() -> None:
    match, out = play("", ScriptedPlayer([1, 2]), ScriptedPlayer([40, 41]))
    assert match.is_over and out.count("Black: Script") == 7


class Dies(ScriptedPlayer):
    """Stops answering in the middle of a game, as an engine that was killed."""

    name = "Engine"

    def choose(self, game: GoGame, colour: int | None = None) -> Decision:
        if not self.points:
            raise UserError("the engine has died; start it again")
        return super().choose(game, colour)


def test_a_player_that_dies_ends_a_watched_game_with_its_reason(tmp_path: Path) -> None:
    record = GameRecord(tmp_path / "game.sgf")
    with pytest.raises(UserError, match="^Engine cannot go on: the engine has died; start it again$"):
        play("", Dies([1, 2]), ScriptedPlayer([40, 41]), record=record)
    assert len(read_sgf(record.path).moves) == 4


def test_a_player_that_dies_leaves_the_person_in_charge() -> None:
    match, out = play("C3\nD4\nundo\nquit\n", None, Dies([40]))
    assert "Engine cannot go on: the engine has died" in out and match.trouble is None
    assert "The word again asks it once more" in out
    assert len(match.game.history) == 2


def test_a_pause_ends_a_watched_game_without_a_reason() -> None:
    match = Match(lambda: GoGame(9), {BLACK: ScriptedPlayer([1]), WHITE: ScriptedPlayer([2])}, pace=60)
    match.toggle_pause()
    TerminalBoard(match, console=Console(file=io.StringIO(), width=120)).run()
    assert match.paused and match.trouble is None


def test_bytes_that_are_no_text_are_a_wrong_word() -> None:
    match = Match(lambda: GoGame(9), {BLACK: None, WHITE: ScriptedPlayer([60])})
    out = io.TextIOWrapper(io.BytesIO(), encoding="ascii", errors="strict")  # so what is said has to be plain
    lines = io.TextIOWrapper(io.BytesIO(b"C3\n\xff\xfe\nD4\nquit\n"), encoding="utf-8", errors="strict")
    TerminalBoard(match, lines=lines, console=Console(file=out, width=120)).run()
    out.seek(0)
    assert "xff" in (shown := out.read().lower()) and "is no point of a 9x9 board" in shown
    assert [move.point for move in match.game.history][::2] == [56, 48]


def test_failures_come_out() -> None:
    def load() -> Player:
        raise UserError("no such checkpoint")

    for black, white in ((BackgroundPlayer("A", load), None), (BackgroundPlayer("A", load), ScriptedPlayer([]))):
        with pytest.raises(UserError, match="no such checkpoint"):
            play("C3\n", black, white)
