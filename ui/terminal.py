"""The board in a terminal, for machines without a display and for scripts: words in, a drawn board out."""

from __future__ import annotations

import contextlib
import io
import sys
from collections.abc import Iterable, Iterator
from typing import TextIO

from rich.console import Console
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from envs.errors import UserError
from envs.go.coords import GTP_COLUMNS, gtp_to_point, point_to_gtp
from envs.go.rules import BLACK, EMPTY, WHITE, GoGame, colour_name
from envs.go.tiles import star_points
from ui.keymap import GAME_KEYS, Binding, action_for_word
from ui.match import INFO, RESULT, WARNING, Match
from ui.thoughts import expectation, rejection_clause

_STYLES = {INFO: "default", WARNING: "bold red", RESULT: "bold yellow"}
_SHOWN_CANDIDATES = 5
# Signs for a terminal that shows any letter, and for one that shows ASCII alone.
_SIGNS = {True: ("·", "+", "●", "○", "x"), False: (".", "+", "X", "O", "x")}
_BOARD_STYLE = {EMPTY: "rgb(120,85,40)", BLACK: "bold rgb(15,15,18)", WHITE: "bold rgb(255,255,255)"}
_WOOD = "on rgb(222,184,120)"


class TerminalBoard:
    """Plays one match in a terminal. Input may be a pipe; its end means quit, once the awaited answer has come."""

    def __init__(self, match: Match, *, lines: TextIO | None = None, console: Console | None = None) -> None:
        """`lines` gives moves and words, by default stdin; the board goes to `console`, by default stdout."""
        self.match = match
        self._verbs = {
            "pass": match.pass_turn, "undo": match.undo, "redo": match.redo, "play_for_me": match.play_for_me,
            "resign": match.resign, "new": match.new_game, "save": match.save_as, "previous": match.look_back,
            "next": match.look_on, "first": match.look_first, "last": match.look_last,
            "pause": match.toggle_pause,
            "play_on": match.play_on_here, "leave": match.leave_review,
        }  # fmt: skip
        self.console = Console(highlight=False) if console is None else console
        self._lines = typed_lines(sys.stdin if lines is None else lines, self.console)

    def run(self) -> None:
        """Play until the human quits or a watched game ends, and save the game.

        Raises the match's failure, and its trouble in a watched game: there is nobody at hand to ask again.
        """
        try:
            if self.match.human is None and not self.match.opening:
                self._watch()
            else:
                self._play()
        finally:
            self.match.close()

    def _watch(self) -> None:
        self._show()
        while not self.match.is_over and not self.match.paused:
            moves = len(self.match.game.history)
            self._wait_for_move(moves)
            if self.match.trouble is not None:
                raise self.match.trouble
            self._show()

    def _wait_for_move(self, moves: int) -> None:
        match = self.match
        with self.console.status(match.status.text):
            while match.thinking and len(match.game.history) == moves:
                match.poll(0.05)
                self._raise_failure()

    def _play(self) -> None:
        self._answer()
        self._say("Type a point such as D4, or a word such as pass or undo; help lists them.", INFO)
        for line in self._lines:
            word = line.strip()
            if not word:
                continue
            action = action_for_word(word, GAME_KEYS)
            if action == "quit":
                return
            if action == "help":
                self.console.print(words_table(GAME_KEYS))
                continue
            if action is None:
                try:
                    self.match.play(gtp_to_point(word, self.match.game.size))
                except UserError as error:
                    self._say(f"{error}; or type help", WARNING)
                    continue
            else:
                self._verbs[action]()
            self._answer()

    def _answer(self) -> None:
        """Show what happened, then wait for the other side and show that too."""
        match = self.match
        refused = match.status.kind == WARNING
        if refused:
            self._say(match.status.text, WARNING)
        waiting = match.thinking or match.opening
        if waiting or not match.prepared:
            with self.console.status(match.status.text):
                match.wait()
            self._raise_failure()
        if waiting or not refused:
            self._show()
        if match.paused and match.trouble is not None:
            self._say("The word again asks it once more; undo, new and quit do what they say.", INFO)

    def _raise_failure(self) -> None:
        if self.match.failure is not None:
            raise self.match.failure

    def _say(self, text: str, kind: str) -> None:
        self.console.print(Text(text, style=_STYLES[kind]), soft_wrap=True)  # the terminal breaks long lines

    def _show(self) -> None:
        self.console.print()
        table = Table.grid(padding=(0, 3))
        table.add_row(board_drawing(self.match.shown, self._dead(), self._any_letter()), self._thoughts())
        self.console.print(table)
        status = self.match.status
        self._say(status.text, status.kind)

    def _dead(self) -> frozenset[int]:
        return self.match.dead if self.match.counting else frozenset()

    def _thoughts(self) -> Text | Table:
        match, table = self.match, Table.grid(padding=(0, 1))
        shown, names = match.shown, match.shown_names
        for colour in (BLACK, WHITE):
            over = match.is_over and match.review is None
            turn = ">" if not over and shown.to_move == colour else " "
            line = f"{turn} {colour_name(colour)}: {names[colour]}, {shown.captures[colour]} captured"
            table.add_row(Text(line, style="bold" if turn == ">" else "default"))
        table.add_row(Text(f"  komi {shown.komi:g}, move {len(shown.history)}"))
        played = match.considered
        if played is None:
            return table
        size, thought = shown.size, played.decision.thought
        table.add_row("")
        table.add_row(Text(f"{played.name}, move {played.ply + 1}, {thought.milliseconds:.0f} ms:", style="bold"))
        full = "█" if self._any_letter() else "#"
        for candidate in thought.candidates[:_SHOWN_CANDIDATES]:
            bar = full * max(1, round(20 * candidate.probability))
            style = "yellow" if candidate.point == played.decision.action else "default"
            line = f"  {point_to_gtp(candidate.point, size):<5}{100 * candidate.probability:5.1f} % {bar}"
            table.add_row(Text(line, style=style))
        if thought.outlook is not None:
            table.add_row(Text(f"  {expectation(thought.outlook)}", style="dim"))
        for rejected in thought.rejected[:2]:
            line = f"  {rejection_clause(rejected, size)}"
            table.add_row(Text(line, style="dim"))
        return table

    def _any_letter(self) -> bool:
        return (self.console.encoding or "").lower().replace("-", "").startswith("utf")


def typed_lines(source: TextIO, console: Console) -> Iterator[str]:
    """Lines of input to the end; a prompt is shown only to a person."""
    if isinstance(source, io.TextIOWrapper):
        # Bytes in another encoding are a wrong word like any other, and backslashes show on every terminal.
        with contextlib.suppress(io.UnsupportedOperation):  # too late once something has been read
            source.reconfigure(errors="backslashreplace")
    prompt = source.isatty()
    while True:
        if prompt:
            console.print("[bold]>[/] ", end="")
        line = source.readline()
        if not line:
            if prompt:
                console.print()
            return
        yield line


def words_table(bindings: Iterable[Binding]) -> Table:
    """The words of a table of keys, with what they do."""
    table = Table(title="Words", title_justify="left")
    for heading in ("type", "does", ""):
        table.add_column(heading)
    for binding in bindings:
        if binding.word:
            table.add_row(binding.word, binding.short, binding.detail)
    return table


def board_drawing(game: GoGame, dead: frozenset[int] = frozenset(), any_letter: bool = True) -> Panel:
    """Return the board for a rich console: GTP coordinates, the last stone in brackets, dead stones crossed.

    `any_letter` False keeps to ASCII: X is Black, O is White.
    """
    empty, star, black, white, cross = _SIGNS[any_letter]
    signs = {EMPTY: empty, BLACK: black, WHITE: white}
    stars = star_points(game.size)
    letters = "   " + " ".join(GTP_COLUMNS[: game.size]) + "   "
    text = Text(letters + "\n", style="rgb(90,62,30)")
    for row in range(game.size):
        text.append(f"{game.size - row:2d}")
        for col in range(game.size):
            point = row * game.size + col
            stone = int(game.stones[row, col])
            sign = cross if point in dead else star if stone == EMPTY and point in stars else signs[stone]
            before = "(" if point == game.last_move else ")" if col and point - 1 == game.last_move else " "
            text.append(before, style="bold red")
            text.append(sign, style=_BOARD_STYLE[stone])
        text.append(")" if game.last_move == row * game.size + game.size - 1 else " ", style="bold red")
        text.append(f"{game.size - row:<2d}\n")
    text.append(letters)
    return Panel.fit(text, style=_WOOD, border_style=f"rgb(160,120,70) {_WOOD}", padding=(0, 1))
