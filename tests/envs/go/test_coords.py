"""Names of points in GTP and SGF, both ways."""

from __future__ import annotations

import pytest

from envs.errors import UserError
from envs.go.coords import (
    colour_to_gtp,
    gtp_to_colour,
    gtp_to_point,
    point_to_gtp,
    point_to_sgf,
    sgf_to_point,
)
from envs.go.rules import BLACK, WHITE

KNOWN = [
    # size, point, GTP, SGF
    (9, 0, "A9", "aa"),
    (9, 8, "J9", "ia"),
    (9, 72, "A1", "ai"),
    (9, 80, "J1", "ii"),
    (9, 40, "E5", "ee"),
    (19, 18, "T19", "sa"),
    (19, 15 * 19 + 3, "D4", "dp"),
    (25, 24, "Z25", "ya"),
    (2, 3, "B1", "bb"),
]


@pytest.mark.parametrize(("size", "point", "gtp", "sgf"), KNOWN)
def test_known_points(size: int, point: int, gtp: str, sgf: str) -> None:
    assert point_to_gtp(point, size) == gtp
    assert gtp_to_point(gtp, size) == point
    assert point_to_sgf(point, size) == sgf
    assert sgf_to_point(sgf, size) == point


@pytest.mark.parametrize("size", range(2, 26))
def test_every_point_comes_back_and_no_name_is_used_twice(size: int) -> None:
    points = range(size * size + 1)
    gtp = [point_to_gtp(point, size) for point in points]
    sgf = [point_to_sgf(point, size) for point in points]
    assert [gtp_to_point(name, size) for name in gtp] == list(points)
    assert [sgf_to_point(name, size) for name in sgf] == list(points)
    assert len(set(gtp)) == len(set(sgf)) == len(points)
    assert not any(name.startswith("I") for name in gtp)


def test_passes() -> None:
    assert point_to_gtp(81, 9) == "pass"
    assert [gtp_to_point(word, 9) for word in ("pass", "PASS", " Pass ")] == [81, 81, 81]
    assert point_to_sgf(81, 9) == ""
    assert [sgf_to_point(word, 19) for word in ("", "tt", " ")] == [361, 361, 361]
    assert sgf_to_point("tt", 21) == 19 * 21 + 19


def test_any_case_is_read() -> None:
    assert gtp_to_point(" d4 ", 19) == gtp_to_point("D4", 19)


@pytest.mark.parametrize(
    "word", ["I5", "i5", "K1", "A0", "A10", "A", "5", "", "E-5", "E5.", "E٥", "E5 E6", "A" + "1" * 5000, "resign", "ß1"]
)
def test_words_that_are_no_gtp_points_are_refused(word: str) -> None:
    with pytest.raises(UserError, match=r"is no point of a 9x9 board; give A1 to J9 \(no letter I\) or pass") as caught:
        gtp_to_point(word, 9)
    assert len(str(caught.value)) < 140


@pytest.mark.parametrize("word", ["a", "jj", "AA", "aaa", "a1", "tt1"])
def test_words_that_are_no_sgf_points_are_refused(word: str) -> None:
    with pytest.raises(UserError, match="is no SGF point of a 9x9 board; give two letters from a to i"):
        sgf_to_point(word, 9)


@pytest.mark.parametrize("point", [-1, 82, -5])
def test_points_off_the_board_have_no_name(point: int) -> None:
    for convert in (point_to_gtp, point_to_sgf):
        with pytest.raises(UserError, match=f"point {point} is off the 9x9 board; give 0 to 80, or 81 to pass"):
            convert(point, 9)


def test_colours() -> None:
    assert [gtp_to_colour(word) for word in ("b", "B", "black", "Black")] == [BLACK] * 4
    assert [gtp_to_colour(word) for word in ("w", "WHITE", " white ")] == [WHITE] * 3
    assert (colour_to_gtp(BLACK), colour_to_gtp(WHITE)) == ("B", "W")
    with pytest.raises(UserError, match="'green' is no colour; give b, w, black or white"):
        gtp_to_colour("green")
