"""Keys and words as one table: the window, the terminal board, their help and the README all read it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

POINTER = ("click", "wheel", "drop")
"""What is no key but is listed with them; the window knows by itself what it does."""


@dataclass(frozen=True)
class Binding:
    """One thing a person can do.

    Attributes:
        action: the name the front ends dispatch on.
        keys: names as `pygame.key.key_code` knows them, "ctrl+" and "shift+" before them; the first is the one to
            teach. One of POINTER stands for a gesture.
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
    Binding("undo", ("u", "backspace", "ctrl+z"), "undo", "undo", "Takes back your last move with its answer."),
    Binding("redo", ("y", "ctrl+shift+z"), "redo", "redo", "Brings back what undo took, until you play another move."),
    Binding("play_for_me", ("a",), "me", "move for me", "The agent plays this one move for you."),
    Binding("resign", ("r",), "resign", "resign", "Gives the game up; the window asks for a second press."),
    Binding("pause", ("space",), "again", "pause, ask again", "For games you watch, and for an engine that failed."),
    Binding("new", ("n",), "new", "new game", "The game on the board is saved; the window asks who plays."),
    Binding("previous", ("left",), "back", "one move back", "Looks at an earlier position; the game stays as it is."),
    Binding("next", ("right",), "next", "one move on", "Behind the last move stands the game itself."),
    Binding("earlier", ("page up",), "", "ten moves back", "A click on the graph goes to any move."),
    Binding("later", ("page down",), "", "ten moves on", "So does the wheel, move by move."),
    Binding("first", ("home",), "first", "to the start", "Shows the board before the first move."),
    Binding("last", ("end",), "last", "to the end", "Shows the last position, or the game itself."),
    Binding("play_on", ("return", "enter"), "here", "play on", "Starts a new game from the position you look at."),
    Binding("leave", ("escape",), "game", "back", "Closes the help or a picture, or goes back to your game."),
    Binding("open", ("drop",), "", "open a game", "Drop an SGF file on the window to look at it."),
    Binding("save", ("s",), "save", "save a copy", "Every game is saved by itself; this writes another file."),
    Binding("candidates", ("c",), "", "candidates", "Shows the agent's likeliest moves, all of them as heat, or none."),
    Binding("numbers", ("m",), "", "move numbers", "Numbers the stones in the order they were played."),
    Binding("theme", ("t",), "", "theme", "Wood, slate or paper; remembered."),
    Binding("sound", ("v",), "", "sound", "The click of the stones, on or off; remembered."),
    Binding("help", ("h", "f1"), "help", "help", "Shows or hides this table."),
    Binding("fullscreen", ("f11",), "", "full screen", "Switches between window and full screen."),
    Binding("quit", ("q",), "quit", "quit", "The game is saved."),
)


class Chord(NamedTuple):
    """A key with what is held down beside it."""

    key: str
    ctrl: bool = False
    shift: bool = False


def parse_chord(name: str) -> Chord:
    """Read a key of the table: "ctrl+shift+z" -> Chord("z", True, True)."""
    *held, key = name.split("+")
    return Chord(key, "ctrl" in held, "shift" in held)


def chords() -> dict[Chord, str]:
    """Every key of the table -> its action; gestures of the pointer are left out."""
    return {parse_chord(key): b.action for b in BINDINGS for key in b.keys if key not in POINTER}


def action_for_word(text: str) -> str | None:
    """Return the action of a terminal word in any case ("Pass" -> "pass"), or None; moves such as "D4" are no words."""
    word = text.strip().lower()
    return next((b.action for b in BINDINGS if word and b.word == word and b.action != "play"), None)


def key_label(name: str) -> str:
    """Return how a key is written for people: "u" -> "U", "page up" -> "Page up", "ctrl+z" -> "Ctrl-Z"."""
    *held, key = name.split("+")
    label = key.upper() if len(key) == 1 or (key[0] == "f" and key[1:].isdigit()) else key.capitalize()
    return "-".join([*(part.capitalize() for part in held), label])


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
