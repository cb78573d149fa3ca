"""GTP beyond playing moves: handicaps, files, clocks, dead stones and analysis."""

from __future__ import annotations

import io
import re
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from agents.agent import Candidate, Decision, Thought
from agents.players import BackgroundPlayer
from envs.errors import UserError
from envs.go.gtp import GtpServer
from envs.go.gtp_protocol import COMMANDS, Inbox, answer_early
from envs.go.rules import BLACK, WHITE, GoGame
from envs.go.sgf import write_sgf
from tests.gtp_fakes import INFO, Chooser, ask


@pytest.fixture
def chooser() -> Chooser:
    return Chooser()


@pytest.fixture
def server(chooser: Chooser) -> GtpServer:
    return GtpServer(chooser, size=9, version="0.20.0")


# Handicaps


@pytest.mark.parametrize(
    ("line", "answer"),
    [
        ("fixed_handicap 2", "= C3 G7"),
        ("fixed_handicap 5", "= C3 G7 C7 G3 E5"),
        ("place_free_handicap 4", "= C3 G7 C7 G3"),
        ("place_free_handicap 60", "= C3 G7 C7 G3 C5 G5 E3 E7 E5"),
        ("set_free_handicap d4 F6 a1", "="),
    ],
)
def test_a_handicap_lets_white_move_and_cannot_be_undone(server: GtpServer, line: str, answer: str) -> None:
    (said,) = ask(server, line)
    assert sorted(said.split()) == sorted(answer.split()) and said.split()[:3] == answer.split()[:3]
    assert server.game.to_move == WHITE and len(server.game.handicap_stones) >= 2
    assert ask(server, "undo", "play w E1", "undo") == ["? cannot undo", "=", "="]


@pytest.mark.parametrize(
    ("line", "answer"),
    [
        ("fixed_handicap 1", "? invalid number of stones"),
        ("fixed_handicap 10", "? invalid number of stones"),
        ("place_free_handicap 1", "? invalid number of stones"),
        ("place_free_handicap 0", "? invalid number of stones"),
        ("fixed_handicap", "? syntax error"),
        ("fixed_handicap two", "? syntax error"),
        ("set_free_handicap", "? bad vertex list"),
        ("set_free_handicap D4", "? bad vertex list"),
        ("set_free_handicap D4 D4", "? bad vertex list"),
        ("set_free_handicap D4 pass", "? bad vertex list"),
        ("set_free_handicap D4 T19", "? bad vertex list"),
    ],
)
def test_handicap_errors_change_nothing(server: GtpServer, line: str, answer: str) -> None:
    assert ask(server, line) == [answer]
    assert not server.game.stones.any() and server.game.to_move == BLACK


@pytest.mark.parametrize("line", ["fixed_handicap 2", "place_free_handicap 2", "set_free_handicap C3 G7"])
def test_a_handicap_needs_an_empty_board(server: GtpServer, line: str) -> None:
    assert ask(server, "play b E5", line, "undo", line) == ["=", "? board not empty", "=", ask(fresh(), line)[0]]


def fresh() -> GtpServer:
    return GtpServer(Chooser())


# Files


def record(tmp_path: Path, size: int = 9) -> Path:
    game = GoGame(size, komi=5.5)
    for point in (0, 1, size + 3):
        game.play(point)
    return write_sgf(game, tmp_path / f"game{size}.sgf")


def test_loadsgf(server: GtpServer, tmp_path: Path) -> None:
    path = record(tmp_path)
    assert ask(server, f"loadsgf {path}") == ["="]
    assert len(server.game.history) == 3 and server.game.komi == 5.5
    for number, moves in ((1, 0), (0, 0), (3, 2), (99, 3)):
        assert ask(server, f"loadsgf {path} {number}") == ["="]
        assert len(server.game.history) == moves


def test_files_that_cannot_be_loaded_change_nothing(server: GtpServer, tmp_path: Path) -> None:
    (tmp_path / "broken.sgf").write_text("no game")
    ask(server, "play b D4")
    for name in ("nowhere.sgf", "broken.sgf", record(tmp_path, 13).name, ""):
        assert ask(server, f"loadsgf {tmp_path / name}") == ["? cannot load file"]
    assert ask(server, "loadsgf", "loadsgf a b", "loadsgf a 1 2") == ["? syntax error"] * 3
    assert len(server.game.history) == 1


def test_play_sequence_plays_all_or_nothing(server: GtpServer) -> None:
    assert ask(server, "gogui-play_sequence B D4 W E5 B pass") == ["="]
    assert ask(server, "gogui-play_sequence W A1 B A1", "gogui-play_sequence W") == ["? illegal move", "? syntax error"]
    assert len(server.game.history) == 3


# Clocks


def test_clocks_are_understood(server: GtpServer) -> None:
    lines = ["time_settings 0 5 1", "time_settings 600 30 25", "time_left b 12.5 0", "time_left W 20 3"]
    lines += ["kgs-time_settings none", "kgs-time_settings absolute 60", "kgs-time_settings byoyomi 60 10 3"]
    lines += ["kgs-time_settings canadian 300 60 10", "kgs-game_over"]
    assert ask(server, *lines) == ["="] * len(lines)
    wrong = ["time_settings 1 2", "time_settings a b c", "time_left b 1", "time_left x 1 1", "time_left b nan 0"]
    wrong += ["kgs-time_settings", "kgs-time_settings fischer 1 2", "kgs-time_settings absolute"]
    assert ask(server, *wrong) == ["? syntax error"] * len(wrong)


@pytest.mark.parametrize(
    ("lines", "left"),
    [
        (["time_settings 0 5 1"], 5.0),
        (["time_settings 0 50 10"], 5.0),
        (["time_settings 0 5 0"], None),
        (["time_settings 60 5 1"], None),
        (["time_settings 0 5 1", "time_left b 2 1"], 2.0),
        (["time_left b 20 10"], 2.0),
        (["time_left w 2 1"], None),
        (["kgs-time_settings byoyomi 0 10 3"], 10.0),
    ],
)
def test_what_a_move_may_take(server: GtpServer, lines: list[str], left: float | None) -> None:
    ask(server, *lines)
    assert server.board.seconds_left(BLACK) == left


def test_a_move_gets_a_tenth_of_the_time_left(server: GtpServer, chooser: Chooser) -> None:
    ask(server, "genmove b", "time_settings 0 5 1", "genmove w", "time_left b 2 0", "genmove b", "reg_genmove w")
    assert chooser.seconds == [None, pytest.approx(0.5), pytest.approx(0.2), pytest.approx(0.5)]


# The end of a game


def test_dead_stones_are_listed_and_taken_off(server: GtpServer, chooser: Chooser) -> None:
    ask(server, "komi 0", "play b A1", "play b B1", "play w J9")
    assert ask(server, "final_status_list seki") == ["="] and not chooser.judged, "seki needs no judgement"
    assert ask(server, "final_status_list dead", "play b E5") == ["=", "="]
    chooser.dead = [[8]]
    assert ask(server, "final_status_list dead") == ["= J9"]
    assert ask(server, "final_status_list alive") == ["= E5\nA1 B1"]
    assert ask(server, "final_score") == ["= B+81.0"]
    assert ask(server, "final_status_list", "final_status_list sleeping") == ["? syntax error"] * 2
    assert server.game.stones[0, 8] == WHITE
    assert chooser.judged == 2, "a position is judged once"


def test_no_pass_while_dead_stones_stand(server: GtpServer, chooser: Chooser) -> None:
    ask(server, "play w J9")
    wish = Decision(81, Thought(candidates=(Candidate(81, 0.9), Candidate(17, 0.06), Candidate(3, 0.04))))
    chooser.told = [wish, wish, wish]
    assert ask(server, "kgs-genmove_cleanup b") == ["= pass"]
    chooser.dead = [[8]]
    assert ask(server, "kgs-genmove_cleanup w") == ["= pass"], "one's own dead stones may stand"
    assert ask(server, "kgs-genmove_cleanup b") == ["= J8"]


def test_a_model_that_is_not_there_cannot_score(server: GtpServer, chooser: Chooser) -> None:
    chooser.failure = "there is no\ncheckpoint"
    assert ask(server, "final_score", "final_status_list dead") == ["? there is no checkpoint"] * 2


# Analysis


@pytest.mark.parametrize("command", ["kata-analyze", "lz-analyze"])
def test_analysis_goes_on_until_the_next_line(server: GtpServer, command: str) -> None:
    seen: list[str] = []

    def interrupted(seconds: float) -> bool:
        return "".join(seen).count("\n") > 5  # after the reports there is still a line each interval

    server.answer(f"7 {command} b 1", seen.append, interrupted)
    lines = "".join(seen).split("\n")
    assert lines[0] == "=7" and lines[-2:] == ["", ""] and len(lines) >= 7
    for line in lines[1:-2]:
        found = INFO.findall(line)
        assert [row[0] for row in found] == ["A9", "B9", "C9"] and [row[5] for row in found] == ["0", "1", "2"]
        assert [row[1] for row in found] == ["500", "333", "250"] and found[0][6] == "A9 pass"
        assert found[0][2] == ("0.2500" if command == "kata-analyze" else "2500")
        assert found[0][4] == ("0.5000" if command == "kata-analyze" else "5000")
        assert INFO.sub("", line).strip() == ""
    assert not server.game.history


def test_details_on_request(server: GtpServer) -> None:
    server.engine.reports = 4  # type: ignore[attr-defined]
    seen: list[str] = []
    waits: list[float] = []

    def interrupted(seconds: float) -> bool:
        waits.append(seconds)
        return sum(wait > 0 for wait in waits) > 1  # at the second wait for the next line

    line = "kata-analyze 1 rootInfo true ownership true maxmoves 1 minmoves 2 pvVisits true"
    server.answer(line, seen.append, interrupted)
    last = seen[-2]
    assert " rootInfo visits 1083 winrate 0.2500 scoreLead -1.50 ownership " in last and "order 1" not in last
    assert len(last.split("ownership ")[1].split()) == 81


@pytest.mark.parametrize(
    ("words", "moves"),
    [
        ("avoid b A9,B9 1", ["C9", "D9", "E9"]),
        ("avoid b A9 1 avoid b C9 50", ["B9", "D9", "E9"]),
        ("allow w J1,pass 3", ["J1", "pass"]),
    ],
)
def test_moves_to_consider(server: GtpServer, words: str, moves: list[str]) -> None:
    (answer,) = ask(server, f"kata-analyze w 10 {words}")
    assert re.findall(r"info move (\S+)", answer) == moves


NONSENSE = ["x", "b w", "b -1", "10 20", "frobnicate true", "ownership", "ownership maybe", "maxmoves many"]


@pytest.mark.parametrize("words", [*NONSENSE, "avoid b", "avoid b Z99 1", "allow b D4 soon"])
def test_requests_that_make_no_sense(server: GtpServer, words: str) -> None:
    answers = ask(server, f"kata-analyze {words}", f"3 lz-genmove_analyze {words}")
    assert answers == ["? syntax error", "?3 syntax error"]


def test_an_analysis_that_fails_is_empty(server: GtpServer, chooser: Chooser) -> None:
    chooser.failure = "no checkpoint"
    assert ask(server, "4 kata-analyze b 50") == ["=4"]


@pytest.mark.parametrize("command", ["kata-genmove_analyze", "lz-genmove_analyze"])
def test_a_move_with_its_analysis(server: GtpServer, chooser: Chooser, command: str) -> None:
    chooser.told = [Decision(40), Decision(-2), Decision(40)]
    out = io.BytesIO()
    server.serve(io.BytesIO(f"1 {command} b 50\n2 {command} w 50\n3 {command} W\n4 name\n".encode()), out)
    blocks = out.getvalue().decode().split("\n\n")
    assert [block.split("\n")[0] for block in blocks] == ["=1", "=2", "=3", "=4 VideoWorld", ""]
    assert [block.split("\n")[-1] for block in blocks[:3]] == ["play E5", "play resign", "play pass"]
    assert INFO.match(blocks[0].split("\n")[1])
    assert [move.point for move in server.game.history] == [40, 81]


def test_an_analysis_waits_for_the_model_and_gives_way_to_input() -> None:
    gate = threading.Event()

    def load() -> Chooser:
        assert gate.wait(20)
        return Chooser()

    server, out = GtpServer(BackgroundPlayer("VideoWorld", load)), io.BytesIO()
    server.serve(io.BytesIO(b"1 kata-analyze b 10\n2 name\n"), out)
    gate.set()
    assert out.getvalue() == b"=1\n\n=2 VideoWorld\n\n"


@pytest.mark.parametrize("line", ["", "\r", "# interrupt", "\x01", "frobnicate"])
def test_any_line_ends_an_analysis(server: GtpServer, line: str) -> None:
    gone_on, out = threading.Event(), io.BytesIO()

    def lines() -> Iterator[bytes]:
        yield b"1 kata-analyze b 1\n"
        assert gone_on.wait(20)  # the analysis has reported
        yield f"{line}\n".encode()
        yield b"2 name\n"

    def write(text: bytes) -> int:
        if b"info" in text:
            gone_on.set()
        return io.BytesIO.write(out, text)

    out.write = write  # type: ignore[method-assign]
    server.serve(lines(), out)
    analysis, *rest = out.getvalue().decode().split("\n\n")
    assert analysis.startswith("=1\ninfo move ")
    assert rest == (["? unknown command"] if line == "frobnicate" else []) + ["=2 VideoWorld", ""]


# Before the engine is there


def early(lines: bytes, ready: threading.Event) -> tuple[bool, str, Inbox]:
    out, inbox = io.BytesIO(), Inbox(io.BytesIO(lines))
    goes_on = answer_early(inbox, out, ready, name="VideoWorld", version="0.20.0")
    return goes_on, out.getvalue().decode(), inbox


def test_early_answers() -> None:
    ready = threading.Event()
    threading.Timer(0.2, ready.set).start()
    goes_on, said, inbox = early(b"name\n\n# hi\n3 list_commands\nknown_command play\nboardsize 9\nversion\n", ready)
    assert goes_on and ready.is_set()
    assert said == "= VideoWorld\n\n=3 " + "\n".join(COMMANDS) + "\n\n= true\n\n"
    assert list(inbox) == ["boardsize 9\n", "version\n"]


def test_an_early_end() -> None:
    assert early(b"1 quit\nname\n", threading.Event())[:2] == (False, "=1\n\n")
    ready = threading.Event()
    ready.set()
    goes_on, said, inbox = early(b"name\n", ready)
    assert goes_on and said == "" and list(inbox) == ["name\n"]


def test_the_end_of_the_input_is_handed_on() -> None:
    ready = threading.Event()
    threading.Timer(0.05, ready.set).start()
    goes_on, _, inbox = early(b"", ready)
    assert goes_on and list(inbox) == []


def test_the_list_is_what_the_server_can_do(server: GtpServer) -> None:
    done = {*server._commands, *server._streams, "protocol_version", "name", "version", "known_command"}
    assert done | {"list_commands", "quit"} == set(COMMANDS)


def test_a_failing_player_is_one_sentence(chooser: Chooser) -> None:
    def load() -> Chooser:
        raise UserError("the checkpoint\nis broken")

    server = GtpServer(BackgroundPlayer("VideoWorld", load))
    assert ask(server, "genmove b", "final_score") == ["? the checkpoint is broken"] * 2
