"""A client for Go engines that speak GTP: GNU Go, Pachi, KataGo, or any other program.

The engine is a child process that may be slow, talkative, broken or gone. Two threads read its output, every wait has
an end, all buffers have a limit, and whatever goes wrong becomes an `EngineError` that quotes the engine's last words.
"""

from __future__ import annotations

import logging
import os
import queue
import re
import shlex
import shutil
import signal
import subprocess
import threading
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import IO, NamedTuple

from envs.errors import UserError
from envs.go.coords import colour_to_gtp, gtp_to_point, point_to_gtp

logger = logging.getLogger(__name__)

# Debian and its kin keep games off the PATH of many accounts.
GAME_FOLDERS = ("/usr/games", "/usr/local/games")
DEBIAN_PACHI = "/usr/games/pachi"  # Debian's package pachi is another program, which would hang
INSTALL_HINTS = {
    "gnugo": "install GNU Go (Debian/Ubuntu: apt install gnugo)",
    "pachi": "install the Go engine Pachi from its releases page",
    "katago": "install KataGo from its releases page",
}

MAX_ANSWER = 2**20  # bytes that may come after one command
ERROR_LINES = 20  # last lines of stderr kept
ERROR_LINE = 500  # bytes of each
CLOSE_GRACE = 2.0  # seconds for each of: quit, terminate, kill

_ANSWER = re.compile(r"([=?])(\d*)\s*(.*)")
# The protocol drops control characters and reads a tab as a blank.
_CONTROL: dict[int, str | None] = {**dict.fromkeys((*range(32), 127)), ord("\t"): " "}


class EngineError(UserError):
    """Raised when an engine cannot be started, has died, is silent for too long or talks no sense."""


class EngineRefusal(EngineError):
    """Raised when the engine answers a command with a failure ("?"); it goes on running. `answer` is its text."""

    def __init__(self, message: str, answer: str) -> None:
        super().__init__(message)
        self.answer = answer


class _Answer(NamedTuple):
    success: bool
    id: int | None
    text: str


def find_engine(program: str) -> str:
    """Return the path of an engine on PATH or in the usual folders for games; raises UserError if there is none."""
    path = shutil.which(program) or shutil.which(program, path=os.pathsep.join(GAME_FOLDERS))
    if path is None and os.sep in program and Path(program).is_file():
        raise UserError(f"{program} is no program that can be run; make it executable or put its interpreter before it")
    if path is None:
        hint = INSTALL_HINTS.get(Path(program).name, "install it or give its full path")
        raise UserError(f"the Go engine {program!r} is not on PATH or in {' or '.join(GAME_FOLDERS)}; {hint}")
    return path


def gnugo_command(level: int = 10) -> list[str]:
    """Return the command of GNU Go at `level` 0..10 (10 is its default strength); raises UserError."""
    if not 0 <= level <= 10:
        raise UserError(f"GNU Go has no level {level}; choose 0 to 10")
    return [find_engine("gnugo"), "--mode", "gtp", "--level", str(level), "--chinese-rules"]


def pachi_command(seconds: float = 1.0, threads: int = 1) -> list[str]:
    """Return the command of Pachi with a fixed time for each move; raises UserError."""
    if not seconds > 0 or threads < 1:
        raise UserError(f"Pachi cannot think {seconds} s on {threads} threads; give positive numbers")
    program = find_engine("pachi")
    if program == DEBIAN_PACHI:
        raise UserError(f"{program} is a platform game, not the Go engine Pachi; {INSTALL_HINTS['pachi']}")
    return [program, "-t", f"{seconds:g}", f"threads={threads}"]


def katago_command(model: str | Path | None = None, config: str | Path | None = None) -> list[str]:
    """Return the command of KataGo; without `model` or `config` it looks for its default ones. Raises UserError."""
    command = [find_engine("katago"), "gtp"]
    for flag, file in (("-model", model), ("-config", config)):
        if file is not None:
            if not Path(file).is_file():
                raise UserError(f"KataGo's {flag[1:]} {file} is no file; check the path")
            command += [flag, str(file)]
    return command


def engine_command(command: str | Sequence[str]) -> list[str]:
    """Return the argument list for "gnugo", "pachi", "katago", a command line, or a list; raises UserError."""
    known: dict[str, Callable[[], list[str]]]
    known = {"gnugo": gnugo_command, "pachi": pachi_command, "katago": katago_command}
    if isinstance(command, str):
        if command in known:
            return known[command]()
        try:
            command = shlex.split(command)
        except ValueError as error:
            raise UserError(f"engine command {command!r} is not well-formed ({error}); check its quotes") from error
    if not command:
        raise UserError("the engine command is empty; give a name such as gnugo, or a command line that speaks GTP")
    return [find_engine(command[0]), *command[1:]]


class GtpEngine:
    """A running GTP engine; close it, or use it in a `with` block.

    Safe to use from several threads: commands take turns, and `close` ends one that is waiting. After an `EngineError`
    other than `EngineRefusal` the process is gone and every further command fails at once.

    Attributes:
        argv: the command that was run.
        name, version: the engine's own words.
        commands: what `list_commands` named.
    """

    def __init__(
        self,
        command: str | Sequence[str],
        *,
        timeout: float = 60.0,
        start_timeout: float = 60.0,
        folder: str | Path | None = None,
    ) -> None:
        """Start the engine and ask for its name, version and commands.

        Args:
            command: "gnugo", "pachi", "katago", a command line, or an argument list.
            timeout: seconds a command may take, unless the call says otherwise.
            start_timeout: seconds until the first answer; KataGo may need minutes on a new machine.
            folder: where to run it.

        Raises:
            UserError: the program is not installed.
            EngineError: it does not start or does not speak GTP.
        """
        self.argv = engine_command(command)
        self.name = Path(self.argv[0]).name
        self.version = ""
        self.commands: frozenset[str] = frozenset()
        self.timeout = timeout
        self._turn = threading.Lock()
        self._last_id = 0
        self._closed = False
        self._failure: str | None = None
        self._waiting = False  # whether a command waits for its answer; others are dropped
        self._flooded = False
        self._unanswered = 0  # bytes received since the last command was sent
        self._answers: queue.Queue[_Answer | None] = queue.Queue()  # None: the output has ended
        self._errors: deque[str] = deque(maxlen=ERROR_LINES)
        try:
            self._process = subprocess.Popen(
                self.argv,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                cwd=folder,
                start_new_session=True,  # Ctrl-C is ours to handle, and helpers of the engine end with it
            )
        except OSError as error:
            reason = error.strerror or error
            raise EngineError(f"cannot start {shlex.join(self.argv)}: {reason}; check the command") from error
        assert self._process.stdin and self._process.stdout and self._process.stderr
        self._stdin: IO[bytes] = self._process.stdin
        streams = ((self._read_answers, self._process.stdout), (self._read_errors, self._process.stderr))
        self._readers = [threading.Thread(target=read, args=(stream,), daemon=True) for read, stream in streams]
        for reader in self._readers:
            reader.start()
        try:
            self.name = self._ask("name", start_timeout) or self.name
            self.version = self._ask("version")
            self.commands = frozenset(self._ask("list_commands").split())
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> GtpEngine:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"GtpEngine({shlex.join(self.argv)!r}, {'running' if self.is_running else 'stopped'})"

    @property
    def is_running(self) -> bool:
        """Whether the process lives and can be sent commands."""
        return not self._closed and self._failure is None and self._process.poll() is None

    @property
    def stderr_tail(self) -> str:
        """The last lines the engine wrote to stderr."""
        return "\n".join(self._errors.copy())  # the reader may be adding to it

    def command(self, name: str, *arguments: str, timeout: float | None = None) -> str:
        """Send one command, wait for its answer and return the text after "=".

        Args:
            name: such as "genmove".
            arguments: such as "B"; joined with blanks.
            timeout: seconds to wait; by default the engine's own.

        Raises:
            EngineRefusal: the engine answered "?".
            EngineError: it is dead, silent, or talks no sense; it is stopped.
        """
        line = " ".join((name, *arguments))
        if not line.isprintable() or "#" in line:
            raise UserError(f"{line!r} cannot be sent as a GTP command; leave out line ends, control characters and #")
        with self._turn:
            answer = self._exchange(line, self.timeout if timeout is None else timeout)
        if not answer.success:
            said = answer.text[:200] or "no reason given"
            raise EngineRefusal(f"{self.name} refuses {line!r} ({said}); check the command and the game", answer.text)
        return answer.text

    def new_game(self, size: int, komi: float) -> None:
        """Clear the board; raises EngineError, as when the engine does not play this size."""
        self.command("boardsize", str(size))
        self.command("clear_board")
        self.command("komi", f"{komi:g}")

    def play(self, colour: int, point: int, size: int) -> None:
        """Tell the engine of a move or pass; raises EngineRefusal if it calls the move illegal."""
        self.command("play", colour_to_gtp(colour), point_to_gtp(point, size))

    def genmove(self, colour: int, size: int, *, timeout: float | None = None) -> int | None:
        """Let the engine play; returns the point (size * size is a pass) or None if it resigns; raises EngineError."""
        answer = self.command("genmove", colour_to_gtp(colour), timeout=timeout).strip()
        if answer.lower() == "resign":
            return None
        try:
            return gtp_to_point(answer, size)
        except UserError as error:
            raise self._fail(f"answered genmove with {answer[:80]!r}", f"check that it plays {size}x{size}") from error

    def close(self) -> None:
        """End the engine: ask it to quit, then terminate, then kill it. Does nothing the second time."""
        if self._closed:
            return
        self._closed = True
        idle = self._turn.acquire(blocking=False)  # else a command is waiting, and the end of the process wakes it
        if idle:
            try:
                self._write("quit")
            except (OSError, ValueError) as error:
                logger.debug("%s was gone before quit: %s", self.name, error)
            finally:
                self._turn.release()
        self._stop(polite=idle)

    def _ask(self, name: str, timeout: float | None = None) -> str:
        """Like `command`, but an engine that refuses the question gives an empty answer."""
        try:
            return self.command(name, timeout=timeout)
        except EngineRefusal:
            return ""

    def _exchange(self, line: str, timeout: float) -> _Answer:
        """Send `line` under the next id and return its answer."""
        if self._closed:
            raise EngineError(f"{self.name} is closed and cannot take {line!r}; start a new one")
        if self._failure is not None:
            raise EngineError(self._failure)
        self._last_id += 1
        self._unanswered = 0
        while not self._answers.empty():  # nobody asked for these
            if self._answers.get() is None:
                raise self._explain_end(line)
        answer: _Answer | None
        try:
            self._waiting = True
            self._write(f"{self._last_id} {line}")
            answer = self._answers.get(timeout=timeout)
        except (OSError, ValueError):
            answer = None  # the pipe is closed: the process has ended
        except queue.Empty:
            cure = "give it more time or a lower level"
            raise self._fail(f"did not answer {line!r} within {timeout:g} s", cure) from None
        finally:
            self._waiting = False
        if answer is None:
            raise self._explain_end(line)
        if answer.id not in (None, self._last_id):  # some engines leave the number out
            wrong = f"answered {line!r}, number {self._last_id}, as number {answer.id}"
            raise self._fail(wrong, "check that it speaks GTP version 2")
        return answer

    def _write(self, line: str) -> None:
        self._stdin.write(line.encode("utf-8") + b"\n")
        self._stdin.flush()

    def _explain_end(self, line: str) -> EngineError:
        """Its output ended before the answer: say why."""
        if self._closed:
            return EngineError(f"{self.name} was closed while it worked on {line!r}; start a new one")
        if self._flooded:
            return self._fail(f"flooded its output after {line!r}", "check that it speaks GTP")
        try:
            status = f" with status {self._process.wait(timeout=CLOSE_GRACE)}"
        except subprocess.TimeoutExpired:
            status = ""  # it closed its output and lives on
        return self._fail(f"ended{status} instead of answering {line!r}", f"try it by hand: {shlex.join(self.argv)}")

    def _fail(self, what: str, cure: str) -> EngineError:
        """Stop the engine, remember why, and return the error to raise."""
        self._stop(polite=False)  # reads its last words too
        words = f"; its last words: {self.stderr_tail[-400:]!r}" if self._errors else ""
        self._failure = f"{self.name} {what}{words}; {cure}"
        return EngineError(self._failure)

    def _stop(self, polite: bool) -> None:
        """Let the process end by itself if `polite`, else make it; collect the threads."""
        if polite:
            self._close_stdin()  # the end of input tells engines that do not know quit
        for number in ((0,) if polite else ()) + (signal.SIGTERM, getattr(signal, "SIGKILL", signal.SIGTERM)):
            self._signal(number)
            try:
                self._process.wait(timeout=CLOSE_GRACE)
                break
            except subprocess.TimeoutExpired:
                logger.debug("%s is still there after signal %d", self.name, number)
        self._close_stdin()
        for reader in self._readers:
            reader.join(timeout=CLOSE_GRACE)

    def _signal(self, number: int) -> None:
        """Signal the engine and the helpers it started, unless it has ended; 0 does nothing."""
        if self._process.poll() is not None or not number:
            return
        try:
            if hasattr(os, "killpg"):
                os.killpg(self._process.pid, number)
            else:
                self._process.terminate()
        except OSError as error:
            logger.debug("%s ended before signal %d: %s", self.name, number, error)

    def _close_stdin(self) -> None:
        try:
            self._stdin.close()
        except OSError as error:
            logger.debug("%s did not read its last command: %s", self.name, error)

    def _read_answers(self, stream: IO[bytes]) -> None:
        """Cut stdout into answers; runs in a thread until the output ends or becomes a flood."""
        head: re.Match[str] | None = None
        lines: list[str] = []
        with stream:
            while data := stream.readline(MAX_ANSWER + 1):
                self._unanswered += len(data)
                if self._unanswered > MAX_ANSWER:
                    self._flooded = True
                    self._signal(getattr(signal, "SIGKILL", signal.SIGTERM))
                    break
                line = data.decode("utf-8", "replace").translate(_CONTROL).rstrip()
                if head is not None and line:
                    lines.append(line)
                elif head is not None:
                    if self._waiting:
                        number = int(head[2][:12]) if head[2] else None
                        self._answers.put(_Answer(head[1] == "=", number, "\n".join(lines)))
                    head = None
                elif head := _ANSWER.match(line):
                    lines = [head[3]]
                elif line:
                    self._errors.append(line[:ERROR_LINE])  # talk outside of any answer
        self._answers.put(None)

    def _read_errors(self, stream: IO[bytes]) -> None:
        """Keep the last lines of stderr; runs in a thread until it ends."""
        with stream:
            while data := stream.readline(ERROR_LINE):
                line = data.decode("utf-8", "replace").translate(_CONTROL).rstrip()
                if line:
                    self._errors.append(line)
