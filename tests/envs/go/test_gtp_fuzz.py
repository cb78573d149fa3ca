"""Random, mutated and meaningless input to the GTP server, in process and through a real one's pipes."""

from __future__ import annotations

import io
import random
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from agents.agent import Decision, Thought
from agents.go_model import save_go_model
from envs.go.gtp import GtpServer
from envs.go.gtp_protocol import COMMANDS, parse_line
from envs.go.rules import GoGame
from tests.go_games import tiny_model
from tests.gtp_fakes import RESPONSE, Chooser

ROOT = Path(__file__).parents[3]
WORDS = [
    *("b", "w", "BLACK", "White", "x", "B1", "", "9", "1", "26", "6.5", "-3", "nan", "1e9", "9" * 400, "50", "0", "-0"),
    *("D4", "d4", "pass", "PASS", "resign", "J9", "T19", "I3", "a1", "Z99", "A0", "A1,B2", "pass,D4"),
    *("interval", "maxmoves", "minmoves", "ownership", "rootInfo", "avoid", "allow", "true", "false", "pvVisits"),
    *("alive", "dead", "seki", "none", "absolute", "byoyomi", "canadian", "9:9", "/dev/null", ".", "nowhere.sgf"),
]
STRANGE = [
    "#",
    "\t",
    "\r",
    "\0",
    "é",
    "\u2003",
    "٣",
    " ",
    "=",
    "?",
    "9",
    "\x1b",
    "\x85",
    "\x7f",
    "\ufeff",
    "囲",
    "%s",
    ";",
]
LIKELY = ("play", "play", "play", "play", "genmove", "undo", "clear_board")


class Quick(Chooser):
    """Plays a random legal move, seldom resigns, remembers nothing."""

    def __init__(self, seed: int) -> None:
        super().__init__(reports=1)
        self.rng = np.random.default_rng(seed)

    def choose(self, game: GoGame, colour: int | None = None, *, seconds: float | None = None) -> Decision:
        if self.rng.random() < 0.05:
            return Decision(-2)
        return Decision(int(self.rng.choice(np.flatnonzero(game.legal_mask(colour)))), Thought())


def spoilt(rng: random.Random, line: str, times: int) -> str:
    """`line` with strange letters put in, or in the place of others."""
    letters = list(line)
    for _ in range(times):
        where = rng.randrange(len(letters) + 1)
        letters[where : where + rng.randrange(2)] = rng.choice(STRANGE)
    return "".join(letters)


def sensible(rng: random.Random, commands: tuple[str, ...]) -> str:
    """A line that begins as a command, often a good one."""
    identity = rng.choice(["", "", "1 ", "42 ", "2147483647 ", "99999999999999999999 ", "-3 ", "007 "])
    command = rng.choice([*commands, *LIKELY])
    if command == "play" and rng.random() < 0.7:
        words = [rng.choice("bw"), rng.choice("ABCDEFGHJ") + str(rng.randrange(1, 10))]
    else:
        words = rng.choices(WORDS, k=rng.choice([0, 1, 1, 2, 2, 3, 5]))
    return identity + " ".join([command, *words])


def line_of(rng: random.Random, commands: tuple[str, ...]) -> bytes:
    """One line of input, without its end: half of them sensible, the others mutated, or nothing but noise."""
    kind = rng.random()
    if kind < 0.5:
        return sensible(rng, commands).encode()
    if kind < 0.85:
        return spoilt(rng, sensible(rng, commands), rng.choice([1, 2, 6])).encode()
    if kind < 0.95:
        return rng.randbytes(rng.randrange(60)).replace(b"\n", b"")
    return rng.choice([b"", b" ", b"#", b"\r", b"A" * 100_000, b"1 " * 5000])


def lines_of(seed: int, count: int, commands: tuple[str, ...]) -> Iterator[bytes]:
    """`count` lines, none of which is `quit`."""
    rng = random.Random(seed)
    while count:
        line = line_of(rng, commands)
        parsed = parse_line(line.decode("utf-8", "replace"))
        if parsed is None or parsed[1] != "quit":
            yield line
            count -= 1


def check(sent: list[bytes], said: str) -> tuple[int, int]:
    """Every line that asks for an answer has one, in order and well-formed, and nothing else; (successes, failures)."""
    asked = [parsed for line in sent if (parsed := parse_line(line.decode("utf-8", "replace"))) is not None]
    blocks = said.split("\n\n")
    assert blocks.pop() == "", f"the output ends in the middle of a response: {said[-200:]!r}"
    for (identity, command, words), block in zip(asked, blocks, strict=True):
        about = (identity, command[:50], words[:5], block[:200])
        assert RESPONSE.fullmatch(block + "\n\n"), about
        head = block.split("\n", 1)[0].split(" ", 1)[0]
        assert head[1:] == identity and (block[0] == "?" or command in COMMANDS), about
    successes = sum(block[0] == "=" for block in blocks)
    return successes, len(blocks) - successes


@pytest.mark.parametrize("count", [4000, pytest.param(100_000, marks=pytest.mark.slow)])
def test_any_input_is_answered_once_and_in_order(count: int, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    sent, out = list(lines_of(20, count, COMMANDS)), io.BytesIO()
    GtpServer(Quick(1), size=9, version="1.0").serve(io.BytesIO(b"\n".join(sent)), out)
    successes, failures = check(sent, out.getvalue().decode())
    assert successes > count / 8 and failures > count / 8


def test_a_failure_changes_nothing() -> None:
    changing = {"play", "genmove", "undo", "clear_board", "boardsize", "rectangular_boardsize", "gogui-play_sequence"}
    changing |= {"kgs-genmove_cleanup", "kata-genmove_analyze", "lz-genmove_analyze", "loadsgf"}
    changing |= {"fixed_handicap", "place_free_handicap", "set_free_handicap"}
    server = GtpServer(Quick(2))
    failures = 0
    for line in lines_of(21, 2000, COMMANDS):
        before, komi = (list(server.game.history), server.game.stones.tobytes()), server.game.komi
        text = line.decode("utf-8", "replace")
        parsed, response = parse_line(text), server.respond(text)
        assert (response is None) == (parsed is None), line
        if response is None or parsed is None:
            continue
        failures += response[0] == "?"
        if response[0] == "?" or parsed[1] not in changing:
            assert (list(server.game.history), server.game.stones.tobytes()) == before, line
        assert server.game.komi == komi or (response[0] == "=" and parsed[1] in ("komi", "loadsgf")), line
    assert failures > 500


@pytest.mark.slow
def test_the_real_process_survives_any_input(tmp_path: Path) -> None:
    save_go_model(tiny_model(3), tmp_path / "checkpoint")
    process = subprocess.Popen(
        [sys.executable, str(ROOT / "play.py"), "gtp", "--checkpoint", "checkpoint", "--seed", "1"], cwd=tmp_path,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    sent = [*lines_of(22, 2000, COMMANDS), b"quit"]
    watchdog = threading.Timer(240, process.kill)
    watchdog.start()
    said, complaints = process.communicate(b"\n".join(sent) + b"\n")
    watchdog.cancel()
    assert process.returncode == 0 and b"Traceback" not in complaints, complaints[-2000:]
    check(sent, said.decode())
