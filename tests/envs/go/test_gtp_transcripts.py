"""Recorded sessions of other programs with the real engine, played again: `transcripts/*.gtp`.

Each `> ` line is one that the program sent; what follows, up to the empty line, is the answer. What the model chose
then is told to a fake one now; everything else has to come out the same, and lines of analysis have to be of one form.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from agents.agent import RESIGN, Decision
from envs.go.coords import gtp_to_point
from envs.go.gtp import GtpServer
from tests.gtp_fakes import INFO, Chooser, ask

TRANSCRIPTS = sorted((Path(__file__).parent / "transcripts").glob("*.gtp"))


def exchanges(path: Path) -> list[tuple[str, str]]:
    """What was sent and answered, "" where a line has no answer."""
    blocks = path.read_text(encoding="utf-8").split("\n> ")[1:]
    sent = [block.partition("\n") for block in blocks]
    return [(line, answer.strip("\n")) for line, _, answer in sent]


def outline(answer: str) -> str:
    """The answer without its lines of analysis, each of which is looked at."""
    lines = answer.split("\n")
    for line in lines:
        assert not line.startswith("info ") or not INFO.sub("", line).strip(), line
    return "\n".join(line for line in lines if not line.startswith("info "))


@pytest.mark.parametrize("path", TRANSCRIPTS, ids=lambda path: path.stem)
def test_recorded_sessions(path: Path) -> None:
    chooser = Chooser()
    server = GtpServer(chooser, size=9, version="0.20.0")
    for line, recorded in exchanges(path):
        text = re.sub(r"^=\d*\s*", "", recorded)
        if "genmove" in line:
            vertex = text.split()[-1]
            chooser.told = [Decision(RESIGN if vertex == "resign" else gtp_to_point(vertex, 9))]
        elif line == "final_status_list dead":
            chooser.dead = [[gtp_to_point(vertex, 9) for vertex in chain.split()] for chain in text.splitlines()]
        answer = (ask(server, line) or [""])[0]
        assert outline(answer) == outline(recorded), line
        assert ("info " in answer) >= ("info " in recorded), line
        assert not chooser.told, line
    assert server.closed


def test_the_programs_are_all_there() -> None:
    assert [path.stem for path in TRANSCRIPTS] == ["gogui", "kgs", "lizzie", "sabaki"]
    for path in TRANSCRIPTS:
        assert len(exchanges(path)) >= 20 and path.read_text(encoding="utf-8").startswith("# ")
