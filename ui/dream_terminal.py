"""Dreaming in the terminal: the board as it is read off each imagined frame."""

from __future__ import annotations

import sys
from typing import TextIO

from rich.console import Console
from rich.text import Text

from envs.errors import UserError
from envs.go.coords import gtp_to_point
from envs.go.gtp_board import stones_text
from envs.go.renderer import read_board
from envs.go.rules import colour_name
from ui.dream import Dream, move_text
from ui.keymap import DREAM_KEYS, action_for_word
from ui.messages import WARNING
from ui.terminal import typed_lines, words_table


class TerminalDream:
    """Reads one line for each of the human's moves and prints what was imagined. The end of the input means quit."""

    def __init__(self, dream: Dream, *, lines: TextIO | None = None, console: Console | None = None) -> None:
        """`lines` gives moves and words, by default stdin; the board goes to `console`, by default stdout."""
        self.dream = dream
        self.console = Console(highlight=False) if console is None else console
        self._lines = typed_lines(sys.stdin if lines is None else lines, self.console)
        self._told = 0  # changes that have been printed
        self._verbs = {
            "pass": dream.pass_turn, "undo": dream.undo, "redo": dream.redo, "new": dream.new_dream,
            "save": dream.save_film,
        }  # fmt: skip

    def run(self) -> None:
        """Dream until the human quits, and save the film; raises the dream's failure, if it has one."""
        try:
            self._settle()
            for line in self._lines:
                word = line.strip()
                action = action_for_word(word, DREAM_KEYS)
                if action == "quit":
                    return
                if action == "help":
                    self.console.print(words_table(DREAM_KEYS))
                elif word and self._obey(word, action):
                    self._settle()
        finally:
            self.dream.close()

    def _obey(self, word: str, action: str | None) -> bool:
        """Carry out a word or a move; returns whether there is something new to show."""
        dream = self.dream
        if action is not None:
            done = self._verbs[action]()
        else:
            assert dream.geometry is not None
            try:
                done = dream.play(gtp_to_point(word, dream.geometry.size))
            except UserError as error:
                self._say(f"{error}; or type help", "bold red")
                return False
        if not done:
            self._say(dream.status.text, "bold red")
        return done

    def _settle(self) -> None:
        """Wait for what is being imagined and show it."""
        dream = self.dream
        with self.console.status(dream.status.text):
            while not dream.wait(0.2):
                pass
        if dream.failure is not None:
            raise dream.failure
        now, geometry = dream.now, dream.geometry
        assert now is not None and geometry is not None
        for change in dream.changes[self._told :]:
            told = f"{colour_name(change.colour)} {move_text(change, geometry.size)}"
            self._say("; ".join([told, *change.broken]), "" if change.sound else "red")
        self._told = len(dream.changes)
        self.console.print(Text(stones_text(read_board(dream.frames[-1][None], geometry).stones[0])))
        info = now.info
        self._say(f"drift {info['drift']} points, {100 * info['sound']:.0f} % sound, blur {info['blur']:.2f}", "dim")
        self._say(dream.status.text, "red" if dream.status.kind == WARNING else "bold")

    def _say(self, text: str, style: str = "") -> None:
        self.console.print(Text(text, style=style), soft_wrap=True)
