"""Redo, help from the agent, looking back, other people's records, playing on, and what was thought at each move."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from agents.players import AgentPlayer, Player
from envs.errors import UserError
from envs.go.coords import gtp_to_point
from envs.go.rules import BLACK, WHITE, GoGame
from envs.go.sgf import read_sgf, write_sgf
from tests.ui.fakes import FakeAgent, GatedPlayer, ScriptedPlayer
from ui.match import INFO, WARNING, Match
from ui.record import GameRecord
from ui.review import read_record, rewound
from ui.thoughts import differing_points


def at(name: str) -> int:
    return gtp_to_point(name, 9)


Start = Callable[..., Match]


@pytest.fixture
def start() -> Iterator[Start]:
    matches: list[Match] = []

    def begin(black: Player | None, white: Player | None, **options: object) -> Match:
        match = Match(lambda: GoGame(9, ko_rule="positional"), {BLACK: black, WHITE: white}, **options)  # type: ignore[arg-type]
        matches.append(match)
        until(match, lambda: match.prepared)
        return match

    yield begin
    for match in matches:
        match.close()


def until(match: Match, condition: Callable[[], object], seconds: float = 20.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        match.poll(0.005)


def fake_player(seed: int = 0) -> AgentPlayer:
    agent = FakeAgent(seed=seed)
    return AgentPlayer(agent, agent.renderer)


def points(game: GoGame) -> list[int]:
    return [move.point for move in game.history]


def record_of(tmp_path: Path, *names: str, size: int = 9, **details: str) -> Path:
    game = GoGame(size)
    for name in names:
        game.play(gtp_to_point(name, size))
    return write_sgf(game, tmp_path / "other.sgf", **details)


# Redo


def test_redo_brings_both_plies_back_and_a_new_move_clears_it(start: Start) -> None:
    match = start(None, ScriptedPlayer([at("G7"), at("C7"), at("F6")]))
    for name in ("C3", "D4"):
        match.play(at(name))
        match.wait(20)
    line = points(match.game)
    match.undo()
    match.undo()
    assert match.can_redo and match.redo() and points(match.game) == line[:2] and match.human_to_move
    assert match.redo() and points(match.game) == line and match.status.text == "2 moves are brought back."
    assert not match.redo() and match.status.kind == WARNING
    match.undo()
    match.play(at("E5"))
    assert not match.can_redo and match.wait(20)
    assert points(match.game) == [*line[:2], at("E5"), at("F6")]


def test_redo_while_the_player_was_thinking_asks_it_again(start: Start) -> None:
    player = GatedPlayer()
    match = start(None, player)
    match.play(at("C3"))
    match.undo()
    assert match.redo() and points(match.game) == [at("C3")] and match.thinking
    player.release(2)
    assert match.wait(20) and len(match.game.history) == 2


def test_thoughts_survive_undo_and_redo(start: Start) -> None:
    match = start(None, fake_player())
    for point in (0, 8):
        match.play(point)
        match.wait(20)
    thought = match.last_decision
    assert thought is not None and thought.ply == 3
    match.undo()
    match.redo()
    assert match.last_decision is thought
    match.undo()
    match.play(4)
    assert match.thoughts.at(3) is None and match.thoughts.at(1) is not None


# Help


def test_the_agent_moves_for_the_human_once(start: Start) -> None:
    adviser = fake_player()
    match = start(None, ScriptedPlayer([0]), adviser=adviser)
    assert match.play_for_me() and match.helping and "looks for your move" in match.status.text
    assert match.wait(20) and len(match.game.history) == 2 and match.human_to_move
    thought = match.thoughts.at(0)
    assert thought is not None and thought.played and thought.name == "Fake agent"
    assert match.play(at("A1")), "the next move is the human's own again"


def test_the_human_may_be_faster_than_the_help(start: Start) -> None:
    adviser = GatedPlayer()
    match = start(None, ScriptedPlayer([0]), adviser=adviser)
    match.play_for_me()
    assert not match.play_for_me() and "at it already" in match.status.text
    assert match.play(at("E5")) and not match.helping
    adviser.release()
    assert match.wait(20) and points(match.game) == [at("E5"), 0]


def test_help_that_is_not_to_be_had(start: Start) -> None:
    match = start(None, ScriptedPlayer([]))
    assert not match.play_for_me() and "no agent" in match.status.text
    gate = GatedPlayer()
    match = start(None, gate, adviser=gate)
    match.play(0)
    assert not match.play_for_me() and "not your turn" in match.status.text


# Looking back


def test_going_through_ones_own_game(start: Start) -> None:
    match = start(None, ScriptedPlayer([at("G7"), at("C7")]))
    for name in ("C3", "D4"):
        match.play(at(name))
        match.wait(20)
    assert match.look_back() and match.review is not None and match.shown_ply == 3
    assert match.shown.stones.sum() and len(match.game.history) == 4, "the game itself stays"
    assert match.status.text == "Move 3 of 4, Black D4."
    assert not match.play(at("E5")) and "go back to the game" in match.status.text
    for verb in (match.undo, match.redo, match.pass_turn, match.resign, match.toggle_pause, match.play_for_me):
        assert not verb() and len(match.game.history) == 4
    assert match.look_first() and not match.look_back() and match.shown_ply == 0
    assert match.look_on(10) and match.review is None, "its end is the game itself"
    assert match.look(1) and match.leave_review() and match.human_to_move


def test_the_game_goes_on_while_one_looks_back(start: Start) -> None:
    player = GatedPlayer()
    match = start(None, player)
    match.play(at("C3"))
    match.look_first()
    player.release()
    assert match.wait(20) and len(match.game.history) == 2 and match.shown_ply == 0
    assert match.look_last() and match.review is None


def test_the_agent_is_asked_about_every_position_looked_at(start: Start) -> None:
    match = start(None, ScriptedPlayer([at("G7"), at("C7")]), adviser=fake_player(), foresight=4)
    for name in ("C3", "D4"):
        match.play(at(name))
        match.wait(20)
    match.look(2)
    until(match, lambda: match.considered is not None and match.considered.foreseen)
    considered = match.considered
    assert considered is not None and (considered.ply, considered.colour, considered.played) == (2, BLACK, False)
    assert considered.decision.thought.imagined is not None and len(considered.decision.thought.imagined) == 4
    until(match, lambda: len(list(match.thoughts)) == 5)  # the others follow when there is time
    match.leave_review()
    assert match.last_decision is None, "nobody at the board thought any of that"


def test_the_frames_to_come_are_imagined_after_the_agents_move(start: Start) -> None:
    match = start(None, fake_player(), foresight=4)
    match.play(at("A1"))
    match.wait(20)
    until(match, lambda: match.last_decision is not None and match.last_decision.foreseen)
    last = match.last_decision
    assert last is not None
    boards = last.decision.thought.imagined_boards
    assert boards is not None and boards.shape == (4, 9, 9) and len(match.game.history) == 2
    real = match.stones_after(2)
    assert real is not None and differing_points(boards[0], real) == (frozenset(), 1.0)
    assert match.stones_after(3) is None
    assert differing_points(boards[1], real)[1] == pytest.approx(80 / 81)


# Records


def test_a_record_is_looked_at_and_left(start: Start, tmp_path: Path) -> None:
    path = record_of(tmp_path, "C3", "G7", "D4", black="Ada", white="Bo", result="B+R", comments=["hm", "", "good"])
    match = start(None, ScriptedPlayer([at("G7")]), adviser=fake_player())
    match.play(at("A1"))
    match.wait(20)
    assert match.open_record(path) and match.wait(20)
    assert match.status.text == "other.sgf: Ada - Bo, 3 moves, B+R." and match.shown_ply == 0
    assert match.shown_names == {BLACK: "Ada", WHITE: "Bo"}
    match.look_last()
    assert match.review is not None and match.status.text == "other.sgf: move 3 of 3, Black D4. B+R. good"
    until(match, lambda: match.considered is not None)
    match.leave_review()
    assert points(match.game) == [at("A1"), at("G7")]


def test_playing_on_from_a_position_starts_a_new_record(start: Start, tmp_path: Path) -> None:
    path = record_of(tmp_path, "C3", "G7", "D4", "E5")
    before = path.read_bytes()
    record = GameRecord(tmp_path / "own.sgf")
    match = start(None, ScriptedPlayer([at("H8"), at("H7")]), record=record)
    assert not match.play_on_here() and match.status.kind == WARNING
    match.play(at("A1"))
    match.wait(20)
    match.open_record(path)
    match.wait(20)
    match.look(2)
    assert match.play_on_here() and match.review is None and match.human_to_move
    match.play(at("E5"))
    match.wait(20)
    assert points(match.game)[:3] == [at("C3"), at("G7"), at("E5")] and match.game.ko_rule == "positional"
    assert path.read_bytes() == before and points(read_sgf(tmp_path / "own.sgf").game) == [at("A1"), at("H8")]
    assert points(read_sgf(record.path).game) == points(match.game) and record.path != tmp_path / "own.sgf"


def test_a_record_of_another_size_is_shown_but_not_played_on(start: Start, tmp_path: Path) -> None:
    path = record_of(tmp_path, "Q16", "D4", size=19)
    match = start(None, ScriptedPlayer([]), adviser=fake_player())
    match.open_record(path)
    match.wait(20)
    assert match.shown.size == 19 and "19x19 and is shown without thoughts" in match.status.text
    match.look_last()
    assert not match.advising and not match.play_on_here() and "can only be looked at" in match.status.text
    assert match.leave_review() and match.shown.size == 9


def test_handicap_setup_and_side_lines(start: Start, tmp_path: Path) -> None:
    path = tmp_path / "other.sgf"
    path.write_text("(;SZ[9]HA[2]AB[cc][gg]PL[W];W[ee](;B[dd])(;B[ff];W[aa]))")
    match = start(None, ScriptedPlayer([]))
    match.open_record(path)
    match.wait(20)
    assert match.shown.stones.sum() == 2 * BLACK and "side lines left out: 1" in match.status.text
    match.look_last()
    assert points(match.shown) == [40, at("D6")]


DAMAGED = {
    "empty": b"",
    "no game": b"hello",
    "cut": b"(;SZ[9];B[cc];W[g",
    "off the board": b"(;SZ[9];B[zz])",
    "twice": b"(;SZ[9];B[cc];W[cc])",
    "huge board": b"(;SZ[99];B[cc])",
    "chess": b"(;GM[3]SZ[9])",
    "stones changed": b"(;SZ[9];B[cc];AB[dd])",
    "brackets": b"(;SZ[9]C[" + b"[" * 200_000,
    "nodes": b"(;SZ[9]" + b";B[]" * 10_001 + b")",
    "megabytes": b"(;SZ[9]C[" + b"x" * 10_000_001 + b"])",
    "bytes": bytes(range(256)) * 40,
}


@pytest.mark.parametrize("name", DAMAGED)
def test_damaged_records_cost_one_sentence_and_nothing_else(start: Start, tmp_path: Path, name: str) -> None:
    path = tmp_path / "bad.sgf"
    path.write_bytes(DAMAGED[name])
    match = start(None, ScriptedPlayer([at("G7")]))
    match.play(at("C3"))
    match.wait(20)
    match.open_record(path)
    assert match.wait(60)
    assert match.status.kind == WARNING and "\n" not in match.status.text and "bad.sgf" in match.status.text
    assert match.review is None and match.failure is None and len(match.game.history) == 2
    assert match.play(at("D4"))


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="named pipes are POSIX")
def test_what_is_no_file_is_not_waited_for(start: Start, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.sgf")
    match = start(None, None)
    for path in (tmp_path / "pipe.sgf", tmp_path):
        match.open_record(path)
        assert match.wait(20) and match.status.text == f"cannot read {path}: it is no file; give an SGF file"


def test_records_broken_at_random_never_end_the_match(start: Start, tmp_path: Path) -> None:
    whole = b"(;SZ[9]KM[7]HA[2]AB[cc][gg]PB[A]C[x\\]y];W[ee]C[a];B[dd](;W[cd];B[ce])(;W[];B[aa]))"
    rng = np.random.default_rng(3)
    match = start(None, ScriptedPlayer([]))
    for number in range(60):
        data = bytearray(whole)
        for _ in range(int(rng.integers(1, 6))):
            place = int(rng.integers(len(data)))
            data[place : place + int(rng.integers(0, 3))] = rng.bytes(int(rng.integers(0, 3)))
        path = tmp_path / f"{number}.sgf"
        path.write_bytes(bytes(data))
        match.open_record(path)
        assert match.wait(20) and match.failure is None
        assert match.status.kind in (INFO, WARNING) and "\n" not in match.status.text
        match.leave_review()


def test_a_file_that_is_not_there(start: Start, tmp_path: Path) -> None:
    match = start(None, ScriptedPlayer([]))
    for path in (tmp_path / "none.sgf", tmp_path):
        match.open_record(path)
        match.wait(20)
        assert match.status.kind == WARNING and match.status.text.startswith("cannot read ")
    with pytest.raises(UserError, match="cannot read"):
        read_record(Path("zero\0byte.sgf"))


# What is written


def test_the_agents_candidates_are_comments_on_its_moves(start: Start, tmp_path: Path) -> None:
    record = GameRecord(tmp_path / "game.sgf")
    match = start(None, fake_player(), record=record)
    match.play(at("C3"))
    match.wait(20)
    written = read_sgf(record.path)
    assert written.comments[0] == "" and written.comments[1].startswith("Fake agent: ")
    assert " %" in written.comments[1] and (written.rules, written.komi, written.black) == ("Chinese", 7.0, "You")


def test_two_windows_on_one_file_never_write_over_each_other(tmp_path: Path) -> None:
    names = {BLACK: "a", WHITE: "b"}
    first, second = (GameRecord(tmp_path / "game.sgf") for _ in range(2))
    assert first.path == second.path, "neither has written anything yet"
    games = [GoGame(9) for _ in range(2)]
    for number, (record, game) in enumerate(zip((first, second), games, strict=True)):
        game.play(number)
        assert record.save(game, names, None) == ""
    games[0].play(9)
    first.save(games[0], names, None)
    assert first.path != second.path
    assert points(read_sgf(first.path).game) == [0, 9] and points(read_sgf(second.path).game) == [1]


def test_saving_a_copy(start: Start, tmp_path: Path) -> None:
    folder = tmp_path / "copies"
    match = start(None, ScriptedPlayer([at("G7")]), copies=folder)
    match.play(at("C3"))
    match.wait(20)
    assert not match.save_as() and match.status.kind == WARNING, "there is no such folder"
    folder.mkdir()
    assert match.save_as() and match.save_as()
    copies = sorted(folder.iterdir())
    assert len(copies) == 2 and str(folder) in match.status.text
    assert all(points(read_sgf(copy).game) == points(match.game) for copy in copies)


def test_rewinding_leaves_the_game_alone() -> None:
    game = GoGame(9)
    for point in (0, 1, 81):
        game.play(point)
    game.resign()
    assert rewound(game, 3).resigned is not None and rewound(game, 2).resigned is None
    assert points(rewound(game, 1)) == [0] and len(game.history) == 3
