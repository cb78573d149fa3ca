"""Dreaming in the terminal: the board as it is read off each imagined frame."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from rich.console import Console
from rich.text import Text

from envs.errors import UserError
from envs.go.coords import gtp_to_point
from envs.go.gtp_board import stones_text
from envs.go.renderer import read_board
from envs.go.rules import colour_name
from ui.dream import Dream, film_path, move_text
from ui.match import WARNING

HELP = "A move such as D4, pass, undo, new, film, help or quit."


class TerminalDream:
    """Reads one line for each of the human's moves and prints what was imagined."""

    def __init__(
        self,
        dream: Dream,
        *,
        console: Console | None = None,
        read: Callable[[str], str] = input,
        films: Path | None = None,
    ) -> None:
        """`read` asks for a line and raises EOFError at the end of the input."""
        self.dream, self.films, self.read = dream, films, read
        self.console = console or Console()

    def run(self) -> None:
        """Serve until quit or the end of the input, then save the film; raises the dream's failure, if it has one."""
        dream = self.dream
        try:
            self._say(dream.status.text)
            self._settle()
            self._say(HELP)
            while dream.failure is None:
                self._show()
                if not self._obey(self.read("> ").strip().lower()):
                    break
                self._settle()
        except EOFError:
            self._say("")
        finally:
            if dream.unfilmed:
                dream.save_film(film_path(self.films))
                self._say(dream.status.text)
            dream.close()
        if dream.failure is not None:
            raise dream.failure

    def _settle(self) -> None:
        while not self.dream.wait(0.2):
            pass

    def _obey(self, word: str) -> bool:
        """Do what a line says; returns whether to go on."""
        dream = self.dream
        if word in ("quit", "q", "exit"):
            return False
        if word == "help":
            self._say(HELP)
        elif word == "pass":
            dream.pass_turn()
        elif word == "undo":
            dream.undo()
        elif word == "new":
            dream.new_dream()
        elif word == "film":
            dream.save_film(film_path(self.films))
        elif word:
            assert dream.geometry is not None
            try:
                dream.play(gtp_to_point(word, dream.geometry.size))
            except UserError as error:
                self._say(f"{error}. {HELP}", "red")
        return True

    def _show(self) -> None:
        dream, now = self.dream, self.dream.now
        if now is None or dream.geometry is None:
            return
        for change in now.info["changes"]:
            told = f"{colour_name(change.colour)} {move_text(change, dream.geometry.size)}"
            self._say(told + "".join(f"; {sentence}" for sentence in change.broken), "" if change.sound else "red")
        board = read_board(dream.frames[-1][None], dream.geometry)
        self.console.print(Text(stones_text(board.stones[0])))
        info = now.info
        self._say(f"drift {info['drift']} points, {100 * info['sound']:.0f} % sound, blur {info['blur']:.2f}", "dim")
        self._say(dream.status.text, "red" if dream.status.kind == WARNING else "bold")

    def _say(self, text: str, style: str = "") -> None:
        self.console.print(Text(text, style=style))
