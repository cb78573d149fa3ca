"""Points as people and protocols write them; the only place that knows that GTP skips the letter I.

A point is the int `row * size + col` with row 0 on top; the pass is `size * size`. GTP names columns A..Z without I
from the left and rows 1.. from the bottom; SGF names columns and rows a.. from the top left corner and does use i.
"""

from __future__ import annotations

import re

from envs.errors import UserError
from envs.go.kernels import BLACK, WHITE

GTP_COLUMNS = "ABCDEFGHJKLMNOPQRSTUVWXYZ"
_VERTEX = re.compile(rf"[{GTP_COLUMNS}][1-9]\d?|PASS", re.ASCII | re.IGNORECASE)
_SGF_LETTERS = "abcdefghijklmnopqrstuvwxy"
_COLOURS = {"b": BLACK, "black": BLACK, "w": WHITE, "white": WHITE}


def point_to_gtp(point: int, size: int) -> str:
    """Return the GTP name of a point, such as "D4", or "pass"; raises UserError for a point off the board."""
    if point == size * size:
        return "pass"
    _check_on_board(point, size)
    row, col = divmod(point, size)
    return f"{GTP_COLUMNS[col]}{size - row}"


def is_gtp_vertex(text: str) -> bool:
    """Return whether `text` names a point of some board or the pass; whether that board is this one is left open."""
    return _VERTEX.fullmatch(text) is not None


def gtp_to_point(text: str, size: int) -> int:
    """Return the point of a GTP vertex such as "D4", "j9" or "pass" (any case); raises UserError if it is none."""
    word = text.strip().upper()
    if word == "PASS":
        return size * size
    letter, digits = word[:1], word[1:]
    # isdecimal alone would let other scripts' digits through; the length keeps int() short.
    if len(digits) <= 4 and digits.isascii() and digits.isdecimal() and letter in GTP_COLUMNS[:size]:
        row = size - int(digits)
        if 0 <= row < size:
            return row * size + GTP_COLUMNS.index(letter)
    last = f"{GTP_COLUMNS[size - 1]}{size}"
    raise UserError(f"{word[:40]!r} is no point of a {size}x{size} board; give A1 to {last} (no letter I) or pass")


def point_to_sgf(point: int, size: int) -> str:
    """Return the SGF name of a point, such as "dd", or "" for a pass; raises UserError for a point off the board."""
    if point == size * size:
        return ""
    _check_on_board(point, size)
    row, col = divmod(point, size)
    return _SGF_LETTERS[col] + _SGF_LETTERS[row]


def sgf_to_point(text: str, size: int) -> int:
    """Return the point of SGF coordinates; "" is a pass, and so is the older "tt" up to 19x19; raises UserError."""
    word = text.strip()
    if word == "" or (word == "tt" and size <= 19):
        return size * size
    if len(word) == 2 and all(letter in _SGF_LETTERS[:size] for letter in word):
        return _SGF_LETTERS.index(word[1]) * size + _SGF_LETTERS.index(word[0])
    last = _SGF_LETTERS[size - 1]
    raise UserError(f"{word[:40]!r} is no SGF point of a {size}x{size} board; give two letters from a to {last}")


def gtp_to_colour(text: str) -> int:
    """Return BLACK or WHITE for b, w, black or white in any case; raises UserError for anything else."""
    try:
        return _COLOURS[text.strip().lower()]
    except KeyError:
        raise UserError(f"{text.strip()[:40]!r} is no colour; give b, w, black or white") from None


def colour_to_gtp(colour: int) -> str:
    """Return "B" for BLACK and "W" for WHITE; the same letters name the colours in SGF."""
    return "B" if colour == BLACK else "W"


def _check_on_board(point: int, size: int) -> None:
    if not 0 <= point < size * size:
        last = size * size - 1
        raise UserError(f"point {point} is off the {size}x{size} board; give 0 to {last}, or {last + 1} to pass")
