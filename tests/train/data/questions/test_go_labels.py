"""What the points of a board are labelled with."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from agents.pixellm.batch import cell_labels, frame_of
from agents.pixellm.config import PixelLMConfig
from envs.go.coords import gtp_to_point
from envs.go.facts import BLACK, WHITE, BoardFacts
from train.data.questions.go_boards import BoardScenes
from train.data.questions.go_labels import LABELS, SIDES, point_labels

NAMES = list(LABELS)
# White's stone at A5 is in atari; Black's chain of C3 and C2 has six liberties; E4 and D3 lie between two white stones
PICTURE = """
W B . . .
. . . W .
. . B . W
. . B . .
. . . . .
"""


def labels_of(text: str) -> dict[str, np.ndarray]:
    stones = np.array([[".BW".index(mark) for mark in row.split()] for row in text.split("\n") if row], np.int8)
    return dict(zip(NAMES, point_labels(BoardFacts(stones, last_move=3 * 5 + 2)).T, strict=True))


def where(labels: np.ndarray, value: int = 1) -> set[int]:
    return set(np.flatnonzero(labels == value).tolist())


def points(*names: str) -> set[int]:
    return {gtp_to_point(name, 5) for name in names}


def test_a_position_by_hand() -> None:
    labels = labels_of(PICTURE)
    assert where(labels["stone"], 1) == points("B5", "C3", "C2")
    assert where(labels["stone"], 2) == points("A5", "D4", "E3")
    assert labels["liberties"][gtp_to_point("A5", 5)] == 1
    assert labels["liberties"][gtp_to_point("B5", 5)] == 2
    assert labels["liberties"][gtp_to_point("C3", 5)] == labels["liberties"][gtp_to_point("C2", 5)] == 6
    assert where(labels["liberties"], -1) == where(labels["stone"], 0)
    assert where(labels["first"]) == points("A5", "B5", "D4", "C3", "E3")  # the empty points touch both colours
    assert where(labels["black takes"]) == points("A4") and not where(labels["white takes"])
    assert where(labels["cuts white"]) == points("E4", "D3") and not where(labels["cuts black"]) & points("B4")
    assert set(labels["owner"]) == {0}
    assert where(labels["last"]) == points("C2")
    told = [labels[f"first {name}"] for name in ("column", "tens", "units")]
    assert [int(part[gtp_to_point("C2", 5)]) for part in told] == [2, 0, 3], "C2 is of the chain that is called C3"
    assert all(set(np.flatnonzero(part < 0)) == where(labels["stone"], 0) for part in told), "no area is anybody's"
    assert labels["column"].tolist() == [0, 1, 2, 3, 4] * 5
    assert labels["units"].tolist() == np.repeat([5, 4, 3, 2, 1], 5).tolist() and set(labels["tens"]) == {0}


def test_empty_points_name_the_stones_around_them() -> None:
    """B4 has White's A4 to the left, which A5 is the first of, Black's B5 above and nothing below and to the right."""
    labels = labels_of("W B . . .\nW . . . .\n. . B . .\n. . . . .\n. . . . .\n")
    point = gtp_to_point("B4", 5)
    told = {side: [int(labels[f"{side} {name}"][point]) for name in ("column", "tens", "units")] for side in SIDES}
    assert told == {"above": [1, 0, 5], "left": [0, 0, 5], "below": [-1] * 3, "right": [-1] * 3}
    below = where(labels["above units"], 5) | where(labels["above units"], 3)
    assert below == points("A3", "B4", "C2"), "no stone is labelled so, and edges are no stones"


def test_areas_have_an_owner_and_a_first_point() -> None:
    labels = labels_of(". B . . .\nB B . W W\n. . . W .\nB . . . W\n. . . . .\n")
    assert where(labels["owner"], 1) == points("A5") and where(labels["owner"], 2) == points("E3")
    assert points("A5", "E3") < where(labels["first"])
    assert labels["first column"][gtp_to_point("E3", 5)] == 4 and labels["first units"][gtp_to_point("E3", 5)] == 3


def test_rows_of_two_digits() -> None:
    labels = dict(zip(NAMES, point_labels(BoardFacts(np.zeros((19, 19), np.int8))).T, strict=True))
    told = labels["tens"] * 10 + labels["units"]
    assert told[gtp_to_point("T19", 19)] == 19 and told[gtp_to_point("A10", 19)] == 10
    assert labels["column"][gtp_to_point("T1", 19)] == 18


@pytest.mark.parametrize("size", (9, 13, 19))
@pytest.mark.parametrize("paper", (0.0, 1.0))
def test_pixels_and_cells_show_their_points(size: int, paper: float) -> None:
    board = BoardScenes("train", seed=3, sizes=(size,), shares=(1.0,), paper=paper).board(5)
    assert board.labels.shape[2] > len(LABELS) and board.labels.dtype == np.int8
    stone, known = board.labels[..., NAMES.index("stone")], board.labels[..., 0] >= 0
    assert known.mean() > 0.75
    for colour, told in ((BLACK, 1), (WHITE, 2)):
        there = tuple(np.flatnonzero(board.facts.board == colour).tolist())
        drawn = board.mask(there, stones=True)
        assert drawn.any() and (stone[drawn] == told).mean() > 0.99
    config = PixelLMConfig.preset("small")
    cells = cell_labels(board.labels, frame_of(board.image, config.frame_size)[1], config)
    named = {
        (column, 10 * tens + units) for column, tens, units in cells[..., :3].flatten(0, 1).tolist() if column >= 0
    }
    assert named == {(column, row + 1) for column in range(size) for row in range(size)}  # every point has a cell


def test_a_cell_is_what_its_middle_is() -> None:
    config = PixelLMConfig.preset("tiny")  # 8 x 8 cells of 4 px
    labels = np.zeros((16, 32, 1), np.int8)
    labels[:, 18:] = 1
    labels[4:8, :4] = 2
    cells = cell_labels(labels, (16, 32), config)[..., 0]
    assert cells[0].tolist() == [0, 0, 0, 0, 1, 1, 1, 1] and cells[1].tolist() == [2, 0, 0, 0, 1, 1, 1, 1]
    assert (cells[4:] == -1).all()
    larger = cell_labels(labels.repeat(3, 0).repeat(3, 1), (16, 32), config)[..., 0]
    assert torch.equal(larger, cells)
