"""Keys and words as tables, one for each screen: window, terminal, their help and the README all read them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
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


_WINDOW = (
    Binding("theme", ("t",), "", "theme", "Wood, slate or paper; remembered."),
    Binding("sound", ("v",), "", "sound", "The click of the stones, on or off; remembered."),
    Binding("help", ("h", "f1"), "help", "help", "Shows or hides the keys of what is on the screen."),
    Binding("fullscreen", ("f11",), "", "full screen", "Switches between window and full screen."),
    Binding("quit", ("q",), "quit", "quit", "Games and films are saved."),
)

GAME_KEYS: tuple[Binding, ...] = (
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
    Binding(
        "leave", ("escape",), "game", "back", "Closes the help, an answer or a picture, or goes back to your game."
    ),
    Binding("ask", ("i",), "", "ask", "Type a question about the position shown; the answer tints what it speaks of."),
    Binding("paste", ("ctrl+v",), "", "paste", "Puts copied text into the question."),
    Binding("open", ("drop",), "", "open a game", "Drop an SGF file on the window to look at it."),
    Binding("save", ("s",), "save", "save a copy", "Every game is saved by itself; this writes another file."),
    Binding(
        "marks",
        ("c",),
        "",
        "marks",
        "The agent's likeliest moves, all of them, the territory it expects, or none.",
    ),
    Binding("numbers", ("m",), "", "move numbers", "Numbers the stones in the order they were played."),
    *_WINDOW,
)
"""Those of a game, in the window and in the terminal."""


def _also(action: str, short: str, detail: str, word: str | None = None) -> Binding:
    """What means the same as in a game has the same keys, and other words."""
    same = next(binding for binding in GAME_KEYS if binding.action == action)
    return replace(same, short=short, detail=detail, word=same.word if word is None else word)


START_KEYS: tuple[Binding, ...] = (
    Binding("choose", ("click",), "", "choose", "What is grey cannot be had now; the pointer on it says why."),
    Binding("above", ("up", "shift+tab"), "", "row above", "Among players that were typed before, the one above."),
    Binding("below", ("down", "tab"), "", "row below", "From the last row to the first; or the player below."),
    _also("previous", "choice before", "The one further left."),
    _also("next", "choice after", "The one further right."),
    _also("play_on", "start", "Begins the game that is chosen, or takes the player that is typed."),
    Binding("paste", ("ctrl+v",), "", "paste", "Puts copied text where one types: a player or the komi."),
    Binding("dream", ("d",), "", "dream", "The agent imagines the game that is chosen; you play inside."),
    _also("open", "open a game", "An SGF file; while a player is typed, a checkpoint's folder or a program."),
    _also("leave", "back", "Closes the help, the list of games or the field for a player, or goes back to your game."),
    *_WINDOW,
)

DREAM_KEYS: tuple[Binding, ...] = (
    _also("play", "dream a move", "The agent imagines it, whatever the rules say, and its answer."),
    _also("pass", "pass", "Two passes in a row end the dream."),
    _also("undo", "undo", "Goes back to the frame before your last move."),
    _also("redo", "redo", "Brings back what undo took, until you play another move."),
    _also("new", "new dream", "From the first frame; the film of this one is saved."),
    _also("leave", "wake up", "Closes the help, or goes back to your game or the start; the film is saved.", word=""),
    _also("save", "save the film", "All frames so far as an animated picture."),
    _also("marks", "marks", "Rings the points where the frame breaks the rules, or not; remembered."),
    *_WINDOW,
)

_QUIT = "What is recorded is kept."

ROBOT_KEYS: tuple[Binding, ...] = (
    Binding("left", ("a",), "", "hand left", "Held: the hand moves, as the large picture shows it; you take over."),
    Binding("right", ("d",), "", "hand right", "The longer it is held, the further."),
    Binding("away", ("w",), "", "hand away", "Into the picture."),
    Binding("near", ("s",), "", "hand nearer", "Out of the picture."),
    Binding("up", ("r",), "", "hand up", "Raises the hand."),
    Binding("down", ("f",), "", "hand down", "Lowers the hand."),
    Binding("turn_left", ("j",), "", "turn left", "Turns the hand about the vertical."),
    Binding("turn_right", ("l",), "", "turn right", "The other way round."),
    Binding("tilt_away", ("k",), "", "tilt away", "The fingertips swing into the picture."),
    Binding("tilt_near", ("m",), "", "tilt nearer", "The fingertips swing out of the picture."),
    Binding("roll_left", ("u",), "", "swing left", "The fingertips swing to the left."),
    Binding("roll_right", ("o",), "", "swing right", "The fingertips swing to the right."),
    Binding("finely", ("left shift",), "", "finely", "Held beside the others: slow and fine."),
    Binding("gripper", ("space",), "", "gripper", "Opens or closes it."),
    Binding("hand_back", ("g",), "", "hand back", "Whoever acted before you took over goes on."),
    Binding("agent", ("1",), "", "agent acts", "The checkpoint that was learned from video."),
    Binding("expert", ("2",), "", "expert acts", "A script for each task, which knows where everything is."),
    Binding("you", ("3",), "", "you act", "So does any of the movement keys."),
    Binding("run", ("p",), "", "pause, go on", "When an attempt is over: on from there, with new time."),
    Binding("next", ("right",), "", "one step", "One action of the arm."),
    Binding("faster", ("up",), "", "faster", "From a quarter of real time to as fast as it goes."),
    Binding("slower", ("down",), "", "slower", "The other way round."),
    Binding("new", ("n",), "", "new start", "Another one for the same task."),
    Binding("again", ("b",), "", "same start", "The attempt begins once more."),
    Binding("instruct", ("return", "enter"), "", "instruction", "Type what to do, or pick it from the list of tasks."),
    Binding("ask", ("i",), "", "ask", "Type a question about the picture; time stands still for it."),
    Binding("paste", ("ctrl+v",), "", "paste", "Puts copied text into the instruction or the question."),
    Binding("scene", ("x",), "", "next scene", "CALVIN's tables differ in colours and in where things are."),
    Binding("sharpen", ("z",), "", "picture size", "Larger pictures for you; recordings have the usual ones."),
    Binding("foresight", ("c",), "", "foresight", "How many frames the agent imagines while it acts."),
    Binding("record", ("e",), "", "record", "Episodes go into a data set from here on, or no longer."),
    Binding("discard", ("delete",), "", "discard", "Drops what was recorded of this attempt."),
    Binding("leave", ("escape",), "", "back", "Closes the help, an answer, or the list of tasks."),
    *(replace(b, word="", detail=_QUIT if b.action == "quit" else b.detail) for b in _WINDOW if b.action != "sound"),
)
"""Those of a robot's window; "run" and not "pause", because Space is for the hand."""


class Chord(NamedTuple):
    """A key with what is held down beside it."""

    key: str
    ctrl: bool = False
    shift: bool = False


def parse_chord(name: str) -> Chord:
    """Read a key of the table: "ctrl+shift+z" -> Chord("z", True, True)."""
    *held, key = name.split("+")
    return Chord(key, "ctrl" in held, "shift" in held)


def chords(bindings: Iterable[Binding]) -> dict[Chord, str]:
    """Every key of a table -> its action; gestures of the pointer are left out."""
    return {parse_chord(key): b.action for b in bindings for key in b.keys if key not in POINTER}


def action_for_word(text: str, bindings: Iterable[Binding]) -> str | None:
    """Return the action of a terminal word in any case ("Pass" -> "pass"), or None; moves such as "D4" are no words."""
    word = text.strip().lower()
    return next((b.action for b in bindings if word and b.word == word and b.action != "play"), None)


def key_label(name: str) -> str:
    """Return how a key is written for people: "u" -> "U", "page up" -> "Page up", "ctrl+z" -> "Ctrl-Z"."""
    *held, key = name.split("+")
    label = key.upper() if len(key) == 1 or (key[0] == "f" and key[1:].isdigit()) else key.capitalize()
    return "-".join([*(part.capitalize() for part in held), label])


def keys_text(binding: Binding) -> str:
    """Return all keys of a binding for people, such as "U or Backspace"."""
    return " or ".join(key_label(name) for name in binding.keys)


def keymap_markdown(bindings: Iterable[Binding]) -> str:
    """Return a table as Markdown, without words where there are none; the README carries this text."""
    bindings = tuple(bindings)
    if not any(b.word for b in bindings):
        lines = ["| key | does | |", "|---|---|---|"]
        lines += [f"| {keys_text(b)} | {b.short} | {b.detail} |" for b in bindings]
        return "\n".join(lines) + "\n"
    lines = ["| window | terminal | does | |", "|---|---|---|---|"]
    for b in bindings:
        lines.append(f"| {keys_text(b)} | {f'`{b.word}`' if b.word else ''} | {b.short} | {b.detail} |")
    return "\n".join(lines) + "\n"
