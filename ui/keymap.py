"""Keys and words as one table: the window, the terminal board, their help and the README all read it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Binding:
    """One thing a person can do.

    Attributes:
        action: the name the front ends dispatch on.
        keys: names as `pygame.key.key_code` knows them; the first is the one to teach.
        word: what the terminal board accepts for it; "" where the terminal has no use for it.
        short: a few words for tables and buttons.
        detail: one sentence.
    """

    action: str
    keys: tuple[str, ...]
    word: str
    short: str
    detail: str


BINDINGS: tuple[Binding, ...] = (
    Binding("play", ("click",), "D4", "play a stone", "After the game, the same marks a group dead or alive."),
    Binding("pass", ("p",), "pass", "pass", "Two passes in a row end the game; the board is then counted by area."),
    Binding("undo", ("u", "backspace"), "undo", "undo", "Takes back your last move with its answer, or a resignation."),
    Binding("resign", ("r",), "resign", "resign", "Gives the game to the other side."),
    Binding("new", ("n",), "new", "new game", "The game on the board is saved first."),
    Binding("pause", ("space",), "", "pause or go on", "For games you watch."),
    Binding("candidates", ("c",), "", "candidates", "Shows or hides the agent's candidate moves on the board."),
    Binding("help", ("h", "f1"), "help", "help", "Shows or hides this table."),
    Binding("fullscreen", ("f11",), "", "full screen", "Switches between window and full screen."),
    Binding("quit", ("q",), "quit", "quit", "The game is saved."),
)

CLOSE_KEY = "escape"
"""Closes the help and nothing else, so that it never ends a game by accident."""


def action_for_word(text: str) -> str | None:
    """Return the action of a terminal word in any case ("Pass" -> "pass"), or None; moves such as "D4" are no words."""
    word = text.strip().lower()
    return next((b.action for b in BINDINGS if word and b.word == word and b.action != "play"), None)


def key_label(name: str) -> str:
    """Return how a key is written for people: "u" -> "U", "backspace" -> "Backspace", "click" -> "Click"."""
    return name.upper() if len(name) == 1 or (name[0] == "f" and name[1:].isdigit()) else name.capitalize()


def keys_text(binding: Binding) -> str:
    """Return all keys of a binding for people, such as "U or Backspace"."""
    return " or ".join(key_label(name) for name in binding.keys)


def keymap_rows() -> list[tuple[str, str, str, str]]:
    """Return (keys, terminal word, short, detail) for every binding, in the order of the table."""
    return [(keys_text(b), b.word, b.short, b.detail) for b in BINDINGS]


def keymap_markdown() -> str:
    """Return the table as Markdown; the README carries this text."""
    lines = ["| window | terminal | does | |", "|---|---|---|---|"]
    for keys, word, short, detail in keymap_rows():
        lines.append(f"| {keys} | {f'`{word}`' if word else ''} | {short} | {detail} |")
    return "\n".join(lines) + "\n"
