"""The GTP server: line protocol, every command's answers and errors, and a model that is still loading."""

from __future__ import annotations

import io
import threading

import pytest

from agents.agent import RESIGN, Candidate, Decision, Thought
from agents.players import BackgroundPlayer
from envs.errors import UserError
from envs.go.gtp import GtpServer
from envs.go.gtp_protocol import COMMANDS, parse_line
from envs.go.rules import BLACK, WHITE
from tests.gtp_fakes import Chooser, ask


@pytest.fixture
def chooser() -> Chooser:
    return Chooser()


@pytest.fixture
def server(chooser: Chooser) -> GtpServer:
    return GtpServer(chooser, size=9, version="1.0")


@pytest.mark.parametrize(
    ("line", "parsed"),
    [
        ("name", ("", "name", [])),
        ("7 play b D4", ("7", "play", ["b", "D4"])),
        ("007 name", ("007", "name", [])),
        ("play\tb\tD4\r\n", ("", "play", ["b", "D4"])),
        ("  12   komi   6.5  # Chinese", ("12", "komi", ["6.5"])),
        ("na\x07me\x00", ("", "name", [])),
        ("name\x7f", ("", "name", [])),
        ("name#comment", ("", "name", [])),
        ("2147483647 name", ("2147483647", "name", [])),
        ("2147483648 name", ("", "2147483648", ["name"])),  # too large for an id, so it is a word
        ("-1 name", ("", "-1", ["name"])),
        ("12", ("12", "", [])),
        ("٣ name", ("", "٣", ["name"])),  # a digit, but not a decimal one of ASCII
        ("", None),
        ("\r\n", None),
        (" \t ", None),
        ("# only a comment", None),
        ("\x01\x02", None),
    ],
)
def test_parse_line(line: str, parsed: tuple[str, str, list[str]] | None) -> None:
    assert parse_line(line) == parsed


def test_administration(server: GtpServer) -> None:
    assert ask(server, "protocol_version", "name", "version") == ["= 2", "= VideoWorld", "= 1.0"]
    assert ask(server, "list_commands") == ["= " + "\n".join(COMMANDS)]
    assert ask(server, "known_command play", "known_command analyze", "known_command") == [
        "= true",
        "= false",
        "= false",
    ]
    assert ask(server, "frobnicate", "NAME", "12") == ["? unknown command", "? unknown command", "?12 unknown command"]


def test_an_empty_version_is_a_bare_answer(chooser: Chooser) -> None:
    assert ask(GtpServer(chooser), "version", "3 version") == ["=", "=3"]


def test_ids_are_echoed_as_given(server: GtpServer) -> None:
    assert ask(server, "1 name", "005 play b D4", "9 play b D4") == ["=1 VideoWorld", "=005", "?9 illegal move"]


def test_komi_survives_boardsize_and_clear_board(server: GtpServer) -> None:
    assert ask(server, "komi 6.5", "boardsize 9", "clear_board") == ["=", "=", "="]
    assert server.game.komi == 6.5


@pytest.mark.parametrize(("text", "komi"), [("0", 0.0), ("7", 7.0), ("-3.5", -3.5), ("+.5", 0.5), ("6.", 6.0)])
def test_komi_takes_any_plain_number(server: GtpServer, text: str, komi: float) -> None:
    assert ask(server, f"komi {text}") == ["="]
    assert server.game.komi == komi


@pytest.mark.parametrize("text", ["", "nan", "inf", "-inf", "1e3", "six", "6,5", "1_0", "6.5 7", "٦", "9" * 400])
def test_komi_syntax_errors_change_nothing(server: GtpServer, text: str) -> None:
    assert ask(server, f"komi {text}") == ["? syntax error"]
    assert server.game.komi == 7.0


@pytest.mark.parametrize("text", ["8", "13", "19", "0", "-9", "999999999"])
def test_other_sizes_are_unacceptable(server: GtpServer, text: str) -> None:
    ask(server, "play b D4")
    assert ask(server, f"boardsize {text}") == ["? unacceptable size"]
    assert len(server.game.history) == 1


@pytest.mark.parametrize("text", ["", "nine", "9.0", "9 9 9", "9:9 9", "9:", "9999999999999"])
def test_boardsize_syntax(server: GtpServer, text: str) -> None:
    assert ask(server, f"boardsize {text}") == ["? syntax error"]


def test_boardsize_clears_the_board(server: GtpServer) -> None:
    ask(server, "play b D4", "boardsize 9")
    assert not server.game.history


@pytest.mark.parametrize("line", ["play b D4", "play BLACK d4", "play B d4", "play black D4"])
def test_play_takes_any_case(server: GtpServer, line: str) -> None:
    assert ask(server, line) == ["="]
    assert server.game.stones[5, 3] == BLACK  # D4 is the fourth row from below


def test_one_colour_may_play_twice(server: GtpServer) -> None:
    assert ask(server, "play b D4", "play b E5", "play w PASS", "play w C3") == ["="] * 4
    assert [move.colour for move in server.game.history] == [BLACK, BLACK, WHITE, WHITE]


@pytest.mark.parametrize(
    ("line", "answer"),
    [
        ("play b D4", "? illegal move"),  # occupied, see below
        ("play w T19", "? illegal move"),  # off this board
        ("play w A10", "? illegal move"),
        ("play w A1", "? illegal move"),  # suicide, see below
        ("play w I5", "? syntax error"),  # there is no column I
        ("play w D0", "? syntax error"),
        ("play w D04", "? syntax error"),
        ("play w 4D", "? syntax error"),
        ("play w resign", "? syntax error"),
        ("play w D4 D5", "? syntax error"),
        ("play w", "? syntax error"),
        ("play", "? syntax error"),
        ("play green D5", "? syntax error"),
        ("play w\u00a0D5", "? syntax error"),
    ],
)
def test_play_errors_change_nothing(server: GtpServer, line: str, answer: str) -> None:
    ask(server, "play b D4", "play b A2", "play b B1")
    before = server.game.stones.copy()
    assert ask(server, line) == [answer]
    assert len(server.game.history) == 3 and (server.game.stones == before).all()


def test_simple_ko_is_illegal(server: GtpServer) -> None:
    ask(server, "play b C4", "play w D4", "play b D5", "play w E5", "play b D3", "play w E3", "play b E4", "play w F4")
    assert ask(server, "play w D4") == ["="]  # takes E4
    assert ask(server, "play b E4", "play b J9", "play w J8", "play b E4") == ["? illegal move", "=", "=", "="]


def test_genmove_plays_and_reg_genmove_does_not(server: GtpServer, chooser: Chooser) -> None:
    assert ask(server, "reg_genmove b", "genmove b", "genmove b", "genmove W") == ["= A9", "= A9", "= B9", "= C9"]
    assert [move.colour for move in server.game.history] == [BLACK, BLACK, WHITE]
    assert [colour for _, colour in chooser.asked] == [BLACK, BLACK, BLACK, WHITE]


@pytest.mark.parametrize("command", ["genmove", "reg_genmove"])
def test_genmove_syntax(server: GtpServer, command: str) -> None:
    assert ask(server, command, f"{command} x", f"{command} b w") == ["? syntax error"] * 3


def test_resigning_changes_nothing_and_a_pass_may_follow(server: GtpServer, chooser: Chooser) -> None:
    chooser.told = [Decision(RESIGN), Decision(RESIGN)]
    assert ask(server, "genmove b", "reg_genmove b", "play b pass", "genmove w") == [
        "= resign",
        "= resign",
        "=",
        "= A9",
    ]


def test_reg_genmove_gives_the_most_probable_move(server: GtpServer, chooser: Chooser) -> None:
    chooser.told = [Decision(3, Thought(candidates=(Candidate(80, 0.6), Candidate(3, 0.4))))]
    assert ask(server, "reg_genmove b") == ["= J1"]


def test_an_illegal_choice_becomes_a_pass(server: GtpServer, chooser: Chooser) -> None:
    ask(server, "play b A9")
    chooser.told = [Decision(0)]
    assert ask(server, "genmove w") == ["= pass"]


def test_the_game_goes_on_after_two_passes(server: GtpServer, chooser: Chooser) -> None:
    ask(server, "play b pass", "play w pass")
    assert ask(server, "play b D4", "play w pass", "play b pass", "genmove w") == ["=", "=", "=", "= A9"]
    assert not chooser.asked[-1][0].is_over  # the player is asked about an open game
    assert ask(server, "undo", "undo", "undo", "undo") == ["="] * 4


def test_undo(server: GtpServer) -> None:
    assert ask(server, "undo") == ["? cannot undo"]
    assert ask(server, "play b D4", "play w pass", "undo", "undo", "undo") == ["=", "=", "=", "=", "? cannot undo"]
    assert not server.game.stones.any()


def test_final_score(server: GtpServer) -> None:
    assert ask(server, "final_score", "komi 0", "final_score") == ["= W+7.0", "=", "= 0"]
    assert ask(server, "play b D4", "komi 77.5", "final_score") == ["=", "=", "= B+3.5"]


def test_showboard_has_letters_without_i_and_no_empty_line(server: GtpServer) -> None:
    (answer,) = ask(server, "showboard")
    assert "A B C D E F G H J" in answer
    ask(server, "play b A9", "play w J1")
    lines = ask(server, "showboard")[0].split("\n")
    assert lines[0] == "=" and lines[2].split()[1] == "X" and lines[10].split()[9] == "O"


def test_quit_answers_first(server: GtpServer) -> None:
    out = io.BytesIO()
    server.serve(io.BytesIO(b"1 name\n2 quit\n3 name\n"), out)
    assert out.getvalue() == b"=1 VideoWorld\n\n=2\n\n"
    assert server.closed


def test_pipelined_commands_are_answered_in_order_and_flushed(server: GtpServer) -> None:
    flushed: list[int] = []

    class Stream(io.BytesIO):
        def flush(self) -> None:
            flushed.append(len(self.getvalue()))

    out = Stream()
    server.serve(io.BytesIO(b"1 play b D4\r\n\n# hello\n2 undo\n\xff\xfe\n3 name"), out)
    assert out.getvalue() == b"=1\n\n=2\n\n? unknown command\n\n=3 VideoWorld\n\n"
    assert flushed == [4, 8, 27, 42]  # each response at once


def test_commands_are_answered_while_the_model_is_loading() -> None:
    gate = threading.Event()

    def load() -> Chooser:
        assert gate.wait(20)
        return Chooser()

    player = BackgroundPlayer("VideoWorld", load)
    server = GtpServer(player)
    assert len(ask(server, "list_commands", "name", "boardsize 9", "play b D4")) == 4
    assert player.loading
    threading.Timer(0.05, gate.set).start()
    assert ask(server, "genmove w") == ["= A9"]


def test_a_model_that_cannot_be_loaded_fails_genmove_in_one_line() -> None:
    def load() -> Chooser:
        raise UserError("there is no\ncheckpoint here")

    server = GtpServer(BackgroundPlayer("VideoWorld", load))
    assert ask(server, "4 genmove b", "5 name") == ["?4 there is no checkpoint here", "=5 VideoWorld"]
    assert not server.game.history
