"""The line protocol of GTP 2, without any Go: lines in, responses out, and answers before the engine is there.

Light to import, so that `list_commands` is answered while everything else is still being loaded.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterable, Iterator
from typing import BinaryIO

MAX_ID = 2**31 - 1
COMMANDS = (
    *("protocol_version", "name", "version", "known_command", "list_commands", "quit"),
    *("boardsize", "rectangular_boardsize", "clear_board", "komi", "play", "undo", "showboard", "loadsgf"),
    *("fixed_handicap", "place_free_handicap", "set_free_handicap"),
    *("genmove", "reg_genmove", "kgs-genmove_cleanup"),
    *("kata-genmove_analyze", "lz-genmove_analyze", "kata-analyze", "lz-analyze"),
    *("time_settings", "time_left", "kgs-time_settings", "kgs-game_over"),
    *("final_score", "final_status_list", "gogui-play_sequence"),
)
# Everything up to the blank, and DEL, except the tab and the line feed.
_DROPPED = dict.fromkeys([code for code in range(32) if chr(code) not in "\t\n"] + [127])


class GtpError(Exception):
    """Raised by a command that fails; the text is the response after `?`."""


def parse_line(line: str) -> tuple[str, str, list[str]] | None:
    """Return (id, command, arguments) of one line, or None where nothing is to be answered.

    The id is "" where none is given and is otherwise echoed as written. Control characters go, tabs become blanks, and
    a comment runs from `#` to the end of the line.
    """
    words = line.translate(_DROPPED).replace("\t", " ").partition("#")[0].replace("\n", " ").split(" ")
    words = [word for word in words if word]
    if not words:
        return None
    identity = ""
    if words[0].isascii() and words[0].isdecimal() and int(words[0][:20]) <= MAX_ID:
        identity = words.pop(0)
    return identity, words[0] if words else "", words[1:]


def opening(mark: str, identity: str, text: str) -> str:
    """Return the start of a response: `=`, the id, and the text set off by a blank; no line feed."""
    gap = "" if not text or text.startswith("\n") else " "
    return f"{mark}{identity}{gap}{text}"


def response(mark: str, identity: str, text: str) -> str:
    """Return a complete response with its two line feeds."""
    return opening(mark, identity, text) + "\n\n"


def administer(command: str, arguments: list[str], name: str, version: str) -> str | None:
    """Return the answer to a command about the engine itself, or None for a command about a game."""
    if command == "known_command":
        return "true" if arguments and arguments[0] in COMMANDS else "false"
    fixed = {
        "protocol_version": "2",
        "name": name,
        "version": version,
        "list_commands": "\n".join(COMMANDS),
        "quit": "",
    }
    return fixed.get(command)


class Inbox:
    """Lines of input, read by a thread of their own, so that one can see whether a line has come without waiting."""

    def __init__(self, lines: Iterable[bytes]) -> None:
        """Start reading at once."""
        self._waiting: queue.Queue[str | None] = queue.Queue()
        self._next: list[str | None] = []  # a line that was looked at and not taken
        threading.Thread(target=self._read, args=(lines,), name="gtp input", daemon=True).start()

    def __iter__(self) -> Iterator[str]:
        """All lines up to the end of the input."""
        while (line := self.take()) is not None:
            yield line

    def take(self) -> str | None:
        """Wait for the next line and return it; None at the end of the input."""
        return self._next.pop() if self._next else self._waiting.get()

    def put_back(self, line: str | None) -> None:
        """Make `line` the next one again."""
        self._next.append(line)

    def has_line(self, timeout: float = 0.0) -> bool:
        """Whether a line, or the end of the input, is there, or comes within `timeout` seconds."""
        if not self._next:
            try:
                self._next.append(self._waiting.get(timeout > 0, timeout or None))
            except queue.Empty:
                return False
        return True

    def _read(self, lines: Iterable[bytes]) -> None:
        try:
            for line in lines:
                self._waiting.put(line.decode("utf-8", errors="replace"))
        except (OSError, ValueError):  # the pipe broke, or was closed under the reader
            pass
        self._waiting.put(None)


def answer_early(inbox: Inbox, out: BinaryIO, ready: threading.Event, *, name: str, version: str) -> bool:
    """Answer what needs no game until `ready` is set or another command comes; returns whether to go on (no `quit`)."""
    while not ready.is_set():
        if not inbox.has_line(0.02):
            continue
        line = inbox.take()
        parsed = None if line is None else parse_line(line)
        if line is not None and parsed is None:
            continue
        answer = administer(parsed[1], parsed[2], name, version) if parsed else None
        if parsed is None or answer is None:
            inbox.put_back(line)
            ready.wait()
            return True
        out.write(response("=", parsed[0], answer).encode("utf-8"))
        out.flush()
        if parsed[1] == "quit":
            return False
    return True
