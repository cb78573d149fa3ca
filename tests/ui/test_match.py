"""The match: turns, undo of both plies, answers that come too late, results, and games that are never lost."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from agents.agent import RESIGN, Decision
from agents.players import AgentPlayer, BackgroundPlayer, Player
from envs.errors import UserError
from envs.go.coords import gtp_to_point
from envs.go.rules import BLACK, EMPTY, WHITE, GoGame
from envs.go.sgf import read_sgf
from tests.ui.fakes import FakeAgent, GatedPlayer, ScriptedPlayer
from ui.match import INFO, RESULT, WARNING, Match
from ui.record import GameRecord

PASS = 81


def at(name: str) -> int:
    return gtp_to_point(name, 9)


Start = Callable[..., Match]


@pytest.fixture
def start() -> Iterator[Start]:
    matches: list[Match] = []

    def begin(black: Player | None, white: Player | None, **options: object) -> Match:
        match = Match(lambda: GoGame(9, ko_rule="positional"), {BLACK: black, WHITE: white}, **options)  # type: ignore[arg-type]
        matches.append(match)
        until(lambda: match.prepared)
        return match

    yield begin
    for match in matches:
        match.close()


def until(condition: Callable[[], object], seconds: float = 20.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.002)


def test_turns_go_back_and_forth(start: Start) -> None:
    match = start(None, ScriptedPlayer([at("G7"), at("C7")]))
    assert match.human_to_move and match.status.text == "Your turn: you play Black."
    assert match.play(at("C3"))
    assert not match.human_to_move and "thinking" in match.status.text
    assert match.wait(20)
    assert match.game.last_move == at("G7") and match.human_to_move


def test_the_player_moves_first_when_the_human_is_white(start: Start) -> None:
    match = start(ScriptedPlayer([at("E5")]), None)
    assert match.wait(20)
    assert match.game.last_move == at("E5") and match.human == WHITE


def test_illegal_moves_leave_a_reason_and_the_game_alone(start: Start) -> None:
    match = start(None, ScriptedPlayer([at("G7")]))
    match.play(at("C3"))
    match.wait(20)
    assert not match.play(at("G7"))
    assert match.status.kind == WARNING and "already there" in match.status.text
    assert len(match.game.history) == 2
    assert match.play(at("C4")) and match.status.kind == INFO


def test_it_is_not_the_humans_turn(start: Start) -> None:
    player = GatedPlayer()
    match = start(None, player)
    match.play(at("C3"))
    assert not match.play(at("C4"))
    assert match.status.text == "It is Gated's turn; wait for its move or take yours back."


def test_undo_takes_back_both_plies(start: Start) -> None:
    match = start(None, ScriptedPlayer([at("G7"), at("C7")]))
    for move in ("C3", "D4"):
        match.play(at(move))
        match.wait(20)
    assert match.can_undo and match.undo()
    assert [move.point for move in match.game.history] == [at("C3"), at("G7")]
    assert match.human_to_move and "2 moves" in match.status.text


def test_undo_has_nothing_to_take_back(start: Start) -> None:
    match = start(ScriptedPlayer([at("E5")]), None)
    match.wait(20)
    assert not match.can_undo and not match.undo()
    assert match.status.kind == WARNING and len(match.game.history) == 1


def test_undo_while_the_player_thinks_drops_its_answer(start: Start) -> None:
    player = GatedPlayer()
    match = start(None, player)
    match.play(at("C3"))
    until(lambda: player.asked)
    assert match.undo()
    assert not match.game.history and match.human_to_move and not match.thinking
    player.release()
    time.sleep(0.05)
    match.poll()
    assert not match.game.history
    match.play(at("D4"))
    player.release()
    assert match.wait(20)
    assert [move.point for move in match.game.history] == [at("D4"), 0]


def test_new_game_while_the_player_thinks_drops_its_answer(start: Start) -> None:
    player = GatedPlayer()
    match = start(player, None)
    until(lambda: len(player.asked) == 1)
    match.new_game()
    player.release()
    until(lambda: len(player.asked) == 2)
    match.poll()
    assert not match.game.history and match.thinking
    player.release()
    assert match.wait(20)
    assert len(match.game.history) == 1


def test_a_forgotten_question_is_not_even_asked(start: Start) -> None:
    player = GatedPlayer()
    match = start(player, None)
    until(lambda: len(player.asked) == 1)
    for _ in range(5):
        match.new_game()
    player.release(2)
    assert match.wait(20)
    assert len(player.asked) == 2  # the first and the last


def test_passes_end_the_game_and_undo_opens_it_again(start: Start) -> None:
    match = start(None, ScriptedPlayer([]))
    match.pass_turn()
    match.wait(20)
    assert match.is_over and match.counting and match.result == "W+7.0" and match.winner == WHITE
    assert match.status == match.status.__class__("White (Script) wins by 7 points (by area, komi 7).", RESULT)
    assert not match.pass_turn()
    assert match.undo() and not match.is_over and match.human_to_move


def test_the_players_pass_is_told(start: Start) -> None:
    match = start(None, ScriptedPlayer([]))
    match.play(at("C3"))
    match.wait(20)
    assert match.status.text == "Script passes. Pass as well to end the game, or play on."


def test_a_pass_between_two_at_one_board_is_told(start: Start) -> None:
    match = start(None, None)
    match.pass_turn()
    assert match.status.text == "Black passes. Pass as well to end the game, or play on."


def test_resigning_and_taking_it_back(start: Start) -> None:
    player = GatedPlayer()
    match = start(None, player)
    match.play(at("C3"))
    until(lambda: player.asked)
    assert match.resign()  # while the player thinks
    assert match.result == "W+R" and match.status.text == "White wins: You (Black) resigned."
    assert not match.resign() and not match.play(at("D4"))
    player.release()
    assert match.undo() and not match.is_over
    player.release()
    assert match.wait(20)
    assert len(match.game.history) == 2


def test_an_engine_may_resign(start: Start) -> None:
    class Loser(ScriptedPlayer):
        def choose(self, game: GoGame, colour: int | None = None) -> Decision:
            return Decision(RESIGN)

    match = start(None, Loser([]))
    match.play(at("C3"))
    match.wait(20)
    assert match.result == "B+R" and match.winner == BLACK


def test_dead_groups_are_marked_after_the_game(start: Start) -> None:
    wall = [at(f"E{row}") for row in range(1, 10)]
    match = start(None, ScriptedPlayer([]))
    for point in wall:
        match.game.play(point, BLACK)
    match.game.play(at("C3"), WHITE)
    match.pass_turn()
    match.wait(20)
    assert match.result == "B+37.0"  # the left side touches both colours
    assert not match.play(at("A1")) and "click a stone" in match.status.text
    assert match.play(at("C3")) and match.dead == {at("C3")}
    assert match.result == "B+74.0" and "1 dead stone taken off" in match.status.text
    assert match.play(at("C3")) and not match.dead


def test_a_draw(start: Start) -> None:
    match = Match(lambda: GoGame(9, komi=0), {BLACK: None, WHITE: ScriptedPlayer([])})
    match.pass_turn()
    assert match.wait(20)
    assert match.winner == EMPTY and match.status.text == "a draw (by area, komi 0)."
    match.close()


def test_a_watched_game_plays_itself_to_the_end(start: Start) -> None:
    match = start(ScriptedPlayer([at("C3"), at("D4")]), ScriptedPlayer([at("G7")]))
    assert match.wait(20)
    assert match.is_over and [move.point for move in match.game.history] == [at("C3"), at("G7"), at("D4"), PASS, PASS]
    assert not match.play(at("E5")) or match.dead
    assert not match.resign()


def test_a_watched_game_stops_at_its_limit(start: Start) -> None:
    match = start(ScriptedPlayer(list(range(0, 20))), ScriptedPlayer(list(range(40, 60))), max_moves=6)
    assert match.wait(20)
    assert len(match.game.history) == 6 and match.status.text.startswith("Stopped after 6 moves: ")
    assert match.undo() and not match.is_over


def test_a_watched_game_is_paused_by_undo_and_goes_on(start: Start) -> None:
    first, second = GatedPlayer(), GatedPlayer()
    match = start(first, second)
    for player in (first, second):
        player.release()
    until(lambda: match.poll() and len(match.game.history) == 2)
    assert match.undo() and match.paused and not match.game.history and not match.thinking
    assert match.toggle_pause() and match.thinking
    assert match.toggle_pause() and match.paused


def test_the_pace_of_a_watched_game(start: Start) -> None:
    match = start(ScriptedPlayer([at("C3")]), ScriptedPlayer([]), pace=0.15)
    begun = time.monotonic()
    match.wait(20)
    assert match.is_over and time.monotonic() - begun >= 0.4


def test_pausing_is_for_watched_games(start: Start) -> None:
    match = start(None, ScriptedPlayer([]))
    assert not match.toggle_pause() and match.status.kind == WARNING


def test_trouble_of_a_player_is_told_and_it_is_asked_again(start: Start) -> None:
    class Moody(ScriptedPlayer):
        name = "Moody"

        def choose(self, game: GoGame, colour: int | None = None) -> Decision:
            point = super().choose(game, colour).action
            if point < 0:
                raise UserError("the engine has gone; start it again")
            return Decision(point)

    match = start(None, Moody([-1, at("C3"), at("D4")]))
    match.play(at("E5"))
    match.wait(20)
    assert match.paused and match.status.text == "Moody cannot go on: the engine has gone; start it again"
    assert match.toggle_pause() and match.wait(20)
    assert match.game.last_move == at("C3")
    match.play(at("C3"))
    match.play(at("F5"))
    match.wait(20)
    assert match.game.last_move == at("D4")


def test_an_illegal_move_of_a_player_is_told(start: Start) -> None:
    match = start(None, ScriptedPlayer([at("C3")]))
    match.play(at("C3"))
    match.wait(20)
    assert match.paused and "Script cannot go on: White cannot play C3" in match.status.text
    assert match.undo() and match.human_to_move


def test_a_bug_in_a_player_ends_the_match(start: Start) -> None:
    class Broken(ScriptedPlayer):
        def choose(self, game: GoGame, colour: int | None = None) -> Decision:
            raise ZeroDivisionError

    match = start(Broken([]), None)
    match.wait(20)
    assert isinstance(match.failure, ZeroDivisionError)


def test_a_model_that_cannot_be_loaded_ends_the_match(start: Start) -> None:
    def load() -> Player:
        raise UserError("no such checkpoint")

    match = start(BackgroundPlayer("VideoWorld", load), None)
    match.wait(20)
    assert isinstance(match.failure, UserError)


def test_an_adviser_that_cannot_be_loaded_does_not_end_the_game_of_others(start: Start) -> None:
    def load() -> Player:
        raise UserError("no such checkpoint")

    match = start(None, ScriptedPlayer([at("G7")]), adviser=BackgroundPlayer("VideoWorld", load))
    match.play_for_me()
    assert match.wait(20) and match.failure is None
    assert match.status.text == "VideoWorld cannot move for you: no such checkpoint" and match.human_to_move
    match.play(at("C3"))
    assert match.wait(20) and match.game.last_move == at("G7")


def test_trouble_is_over_with_the_next_move(start: Start) -> None:
    match = start(None, ScriptedPlayer([at("C3"), at("G7")]))
    match.play(at("C3"))
    match.wait(20)
    assert match.trouble is not None
    match.toggle_pause()
    assert match.wait(20) and match.trouble is None and match.game.last_move == at("G7")


def test_the_human_may_move_while_the_model_is_loading(start: Start) -> None:
    gate = GatedPlayer()

    def load() -> Player:
        gate.choose(GoGame(9))
        return ScriptedPlayer([at("G7")])

    match = start(None, BackgroundPlayer("VideoWorld", load))
    assert match.loading and match.play(at("C3"))
    assert match.status.text == "Loading VideoWorld, which moves next as White."
    gate.release()
    assert match.wait(20)
    assert match.game.last_move == at("G7") and match.names[WHITE] == "Script"


def test_a_click_before_the_rules_are_compiled_is_played_later(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    slow = GatedPlayer()
    monkeypatch.setattr("ui.match._compile_rules", lambda game: slow.choose(game))
    match = Match(lambda: GoGame(9), {BLACK: None, WHITE: ScriptedPlayer([at("G7")])})
    assert match.play(at("D4")) and not match.game.history
    assert match.undo() and not match.can_undo
    assert match.play(at("C3")) and not match.game.history
    slow.release()
    assert match.wait(20)
    assert [move.point for move in match.game.history] == [at("C3"), at("G7")]
    match.close()


def test_the_agents_thoughts_follow_the_game(start: Start) -> None:
    agent = FakeAgent()
    match = start(None, AgentPlayer(agent, agent.renderer))
    assert match.last_decision is None
    for point in (0, 8):
        match.play(point)
        match.wait(20)
    played = match.last_decision
    assert played is not None and (played.ply, played.colour, played.name) == (3, WHITE, "Fake agent")
    match.undo()
    assert match.last_decision is not None and match.last_decision.ply == 1
    match.undo()
    assert match.last_decision is None


def test_every_move_is_saved_and_each_game_has_its_file(start: Start, tmp_path: Path) -> None:
    record = GameRecord(tmp_path / "games" / "one.sgf")
    match = start(None, ScriptedPlayer([at("G7"), at("C7")]), record=record)
    assert not record.path.exists()
    match.play(at("C3"))
    assert [move.point for move in read_sgf(record.path).moves] == [at("C3")]
    match.wait(20)
    assert len(read_sgf(record.path).moves) == 2
    match.new_game()
    match.play(at("D4"))
    match.wait(20)
    match.resign()
    second = read_sgf(tmp_path / "games" / "one-2.sgf")
    assert (second.result, second.black, second.white) == ("W+R", "You", "Script")
    assert len(read_sgf(tmp_path / "games" / "one.sgf").moves) == 2
    assert sorted(path.name for path in (tmp_path / "games").iterdir()) == ["one-2.sgf", "one.sgf"]


def test_a_game_that_cannot_be_saved_goes_on(start: Start, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    match = start(None, ScriptedPlayer([at("G7"), at("C7")]), record=GameRecord(tmp_path / "file" / "game.sgf"))
    match.play(at("C3"))
    assert match.status.kind == WARNING and match.status.text.startswith("The game goes on unsaved: ")
    match.wait(20)
    assert len(match.game.history) == 2 and match.status.kind == INFO  # told once
