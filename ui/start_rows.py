"""The rows of the start screen: what can be chosen for a game as it stands, and why the rest cannot. No pixels."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ui.lobby import AUTOMATIC, Lobby, Seat, Setup

OTHER = ""  # the choice that asks for a player by name
KOMI = "komi"  # the row in which one types
SEATS = ("black", "white")
_KO_RULES = {AUTOMATIC: "Automatic", "simple": "Simple", "positional": "Superko"}
_SECONDS: dict[float | None, str] = {None: "none", 1.0: "1 s", 5.0: "5 s", 15.0: "15 s"}
_TEMPERATURES = {0.0: "Best move", 0.25: "0.25", 0.5: "0.5", 1.0: "1, by chance"}
_LOOKAHEADS = {0: "none", 64: "64 frames", 256: "256", 1024: "1024"}
_SYMMETRIES = {1: "1, quick", 8: "8, stronger"}


@dataclass(frozen=True)
class Choice:
    """A value for the setup, the word on its button, and the sentence why it cannot be had, "" if it can."""

    value: object
    label: str
    reason: str = ""


@dataclass(frozen=True)
class Row:
    """A field of the setup.

    Attributes:
        name: of the field.
        label: what stands before it.
        choices: for it; none in the row in which one types.
        note: a few words behind it, where there is room.
        about: one sentence for the status line.
    """

    name: str
    label: str
    choices: tuple[Choice, ...]
    note: str = ""
    about: str = ""


def rows_of(lobby: Lobby, seats: list[Seat], setup: Setup, typed: dict[str, str]) -> list[Row]:
    """All rows, where `seats` are the lobby's and `typed` are the players by name: row -> description."""
    known = tuple(Choice(seat.word, seat.label, f"{seat.reason}." if seat.reason else "") for seat in seats)
    size, agent = lobby.size_of(setup), lobby.agent_name

    def players(name: str) -> tuple[Choice, ...]:
        own = (Choice(typed[name], lobby.name_of(typed[name])),) if name in typed else ()
        return *known, *own, Choice(OTHER, "Other…")

    who = "Who plays; Other asks for a checkpoint's folder or the command of any program that speaks GTP."
    time = (
        f"How long a program that keeps time may think about a move; none leaves it to the program, {agent} needs none."
    )
    return [
        Row("black", "Black", players("black"), about=who),
        Row("white", "White", players("white"), about=who),
        Row("size", "Size", tuple(Choice(n, str(n), why) for n, why in lobby.sizes(setup)), about="Points per side."),
        Row(
            "handicap", "Handicap",
            tuple(Choice(n, str(n) if n else "none", why) for n, why in lobby.handicaps(size)),
            about="Black's stones at the start; White then moves first.",
        ),
        Row(KOMI, "Komi", (), note="points for White", about="Points for White; type a number."),
        Row(
            "ko_rule", "Ko rule", _choices(_KO_RULES, setup.ko_rule),
            about="Automatic is the simple rule with engines, which know no other, and else superko.",
        ),
        Row("seconds", "Time", _choices(_SECONDS, setup.seconds, "{:g} s"), note="a move, for engines", about=time),
        Row(
            "temperature", "Agent plays", _choices(_TEMPERATURES, setup.temperature, "{:g}"),
            about=f"How freely {agent} plays: its best move, or lots drawn by its probabilities, sharpened below 1.",
        ),
        Row(
            "symmetries", "Agent's views", _choices(_SYMMETRIES, setup.symmetries),
            about=f"From how many sides {agent} looks at the board: eight take longer and play better.",
        ),
        Row(
            "lookahead", "Agent's lookahead", _choices(_LOOKAHEADS, setup.lookahead, "{} frames", lobby.blind),
            about=f"How many frames {agent} imagines before it moves: more take longer and play better.",
        ),
    ]  # fmt: skip


def _choices(words: Mapping[Any, str], value: object, form: str = "{}", reason: str = "") -> tuple[Choice, ...]:
    """The usual values, and the present one where it is another, such as that of the command line.

    reason: why only the first of them can be had, "" if all can.
    """
    usual = [Choice(key, label, reason if n else "") for n, (key, label) in enumerate(words.items())]
    return tuple(usual if value in words else [*usual, Choice(value, form.format(value))])
