"""Sentences for the status line, and how a game stands in one of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from agents.players import BackgroundPlayer
from envs.errors import UserError
from envs.go.coords import point_to_gtp
from envs.go.rules import colour_name
from ui.counting import result_sentence

if TYPE_CHECKING:
    from ui.review import Review
    from ui.standing import Standing

INFO, WARNING, RESULT = "info", "warning", "result"


@dataclass(frozen=True)
class Message:
    """A sentence for the status line; `kind` is INFO, WARNING or RESULT."""

    text: str
    kind: str = INFO


def sentence(error: UserError) -> str:
    """An error as a sentence of its own."""
    text = str(error)
    return f"{text[:1].upper()}{text[1:]}{'' if text.endswith('?') else '.'}"


def sentence_of(match: Standing) -> Message:
    """How the game on the board stands, where there is nothing newer to tell."""
    if match.review is not None:
        return Message(place_in(match.review))
    if match.is_over:
        return Message(result_sentence(match.game, match.names, match.dead, match.stopped), RESULT)
    colour = match.game.to_move
    seat, name = match.seats[colour], match.names[colour]
    if match.paused:
        return Message("The game is paused.")
    if match.helping and match.adviser is not None:
        return Message(f"{match.adviser.name} looks for your move as {colour_name(colour)}.")
    if seat is None:
        return Message(f"Your turn: you play {colour_name(colour)}.")
    if isinstance(seat, BackgroundPlayer) and seat.loading:
        return Message(f"Loading {name}, which moves next as {colour_name(colour)}.")
    return Message(f"{name} ({colour_name(colour)}) is thinking.")


def place_in(review: Review) -> str:
    """Which position of which game is looked at, with the record's comment on it."""
    title = f"{review.title}: m" if review.title else "M"
    comment = f" {review.comment}" if review.comment else ""
    if review.ply == 0:
        return f"{title}ove 0 of {review.length}, the start.{comment}"
    move = review.shown.history[-1]
    where = point_to_gtp(move.point, review.shown.size)
    end = f" {review.result}." if review.result and review.ply == review.length else ""
    return f"{title}ove {review.ply} of {review.length}, {colour_name(move.colour)} {where}.{end}{comment}"
