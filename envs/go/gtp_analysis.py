"""The analysis dialects of GTP: what a request asks for, and the lines that answer it (KataGo's and Leela Zero's)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from envs.errors import UserError
from envs.go.coords import gtp_to_colour, gtp_to_point, point_to_gtp
from envs.go.gtp_protocol import GtpError

MIN_INTERVAL = 0.05  # seconds between lines, at least
# Details that only a search has; asking for them is no mistake.
_IGNORED = ("ownershipstdev", "movesownership", "movesownershipstdev", "pvvisits", "pvedgevisits", "nopvs")
_INTEGER = re.compile(r"\d{1,9}", re.ASCII)


class Variation(Protocol):
    """What is reported of one candidate move; see `agents.analysis.Variation`."""

    @property
    def line(self) -> tuple[int, ...]: ...
    @property
    def prior(self) -> float: ...
    @property
    def winrate(self) -> float: ...
    @property
    def score(self) -> float: ...
    @property
    def visits(self) -> int: ...


class Report(Protocol):
    """What is reported of a position; see `agents.analysis.Analysis`."""

    @property
    def variations(self) -> Sequence[Variation]: ...
    @property
    def winrate(self) -> float: ...
    @property
    def score(self) -> float: ...
    @property
    def ownership(self) -> np.ndarray | None: ...


@dataclass
class Request:
    """What an analysis command asks for.

    Attributes:
        colour: whose moves are weighed; None: the side to move.
        interval: seconds between lines.
        most: candidates to report at most.
        ownership, root: whether these parts are wanted.
        allowed: bool (N*N + 1,), the first moves to consider; None: all.
    """

    colour: int | None = None
    interval: float = 0.5
    most: int = 10
    ownership: bool = False
    root: bool = False
    allowed: np.ndarray | None = None


def parse_request(words: Sequence[str], size: int) -> Request:
    """Read `[colour] [interval in centiseconds] {key value}`; GtpError for what is neither."""
    request, rest = Request(), [word.lower() for word in words]
    if rest and rest[0] in ("b", "w", "black", "white"):
        request.colour = gtp_to_colour(rest.pop(0))
    if rest and _INTEGER.fullmatch(rest[0]):
        request.interval = _seconds(rest.pop(0))
    while rest:
        key = rest.pop(0)
        if key in ("avoid", "allow"):
            _restrict(request, key, rest[:3], size)
            del rest[:3]
            continue
        if not rest:
            raise GtpError("syntax error")
        value = rest.pop(0)
        if key == "interval":
            request.interval = _seconds(value)
        elif key == "maxmoves":
            request.most = max(1, _whole(value))
        elif key == "minmoves":
            _whole(value)
        elif key == "ownership":
            request.ownership = _truth(value)
        elif key == "rootinfo":
            request.root = _truth(value)
        elif key in _IGNORED:
            _truth(value)
        else:
            raise GtpError("syntax error")
    return request


def format_report(report: Report, request: Request, dialect: str, size: int) -> str:
    """Return one line of analysis, without its line feed.

    Args:
        dialect: "kata" (rates as decimals, with score) or "lz" (rates as ten thousandths).
    """
    segments = []
    for order, variation in enumerate(report.variations[: request.most]):
        moves = " ".join(point_to_gtp(point, size) for point in variation.line)
        if dialect == "lz":
            rate = f"{10_000 * variation.winrate:.0f}"
            numbers = f"visits {variation.visits} winrate {rate} prior {10_000 * variation.prior:.0f} lcb {rate}"
        else:
            rate = f"{variation.winrate:.4f}"
            score = f"{variation.score:.2f}"
            numbers = (
                f"visits {variation.visits} winrate {rate} scoreMean {score} scoreLead {score} "
                f"prior {variation.prior:.4f} lcb {rate} utility {2 * variation.winrate - 1:.4f}"
            )
        segments.append(f"info move {point_to_gtp(variation.line[0], size)} {numbers} order {order} pv {moves}")
    if request.root and dialect == "kata":
        visits = sum(variation.visits for variation in report.variations)
        segments.append(f"rootInfo visits {visits} winrate {report.winrate:.4f} scoreLead {report.score:.2f}")
    if request.ownership and dialect == "kata" and report.ownership is not None:
        segments.append("ownership " + " ".join(f"{value:.3f}" for value in report.ownership.reshape(-1)))
    return " ".join(segments)


def _restrict(request: Request, key: str, words: Sequence[str], size: int) -> None:
    """`avoid|allow COLOUR V,V,... DEPTH`: only what is said about the first move is followed."""
    if len(words) != 3:
        raise GtpError("syntax error")
    try:
        gtp_to_colour(words[0])
        points = [gtp_to_point(vertex, size) for vertex in words[1].split(",")]
    except UserError:
        raise GtpError("syntax error") from None
    _whole(words[2])
    if request.allowed is None:
        request.allowed = np.full(size * size + 1, key == "avoid")
    request.allowed[points] = key == "allow"


def _whole(word: str) -> int:
    if not _INTEGER.fullmatch(word):
        raise GtpError("syntax error")
    return int(word)


def _seconds(word: str) -> float:
    return max(MIN_INTERVAL, _whole(word) / 100)


def _truth(word: str) -> bool:
    if word not in ("true", "false"):
        raise GtpError("syntax error")
    return word == "true"
