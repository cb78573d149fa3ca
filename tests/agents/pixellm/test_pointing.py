"""What comes next on a map, and how many there are."""

from __future__ import annotations

import pytest
import torch

from agents.pixellm.config import PixelLMConfig
from agents.pixellm.pointing import Pointing, first

GRID = 4


def pointing() -> Pointing:
    """One that gives what a cell holds as it is, row by row; places lie in the middle of their cells."""
    config = PixelLMConfig.preset("tiny", frame_size=4 * GRID, vision_width=GRID**2, dim=GRID**2)
    made = Pointing(config)
    torch.nn.init.eye_(made.value.weight)
    torch.nn.init.zeros_(made.value.bias)
    torch.nn.init.zeros_(made.offset.weight)
    torch.nn.init.zeros_(made.offset.bias)
    torch.nn.init.eye_(made.out.weight[:, : GRID**2])
    return made


def marks(*cells: int) -> torch.Tensor:
    left = torch.zeros(1, 1, GRID**2)
    left[..., list(cells)] = 1.0
    return left


def test_the_first_that_is_left() -> None:
    found = first(torch.tensor([0.0, 0.5, 1.0, 0.7, 1.0]))
    torch.testing.assert_close(found, torch.tensor([0.0, 0.5, 0.5, 0.0, 0.0]), atol=1e-5, rtol=0)
    assert first(torch.zeros(3)).tolist() == [0, 0, 0]


def test_what_is_next_row_by_row_and_from_left_to_right() -> None:
    made, cells = pointing(), torch.eye(GRID**2)[None]
    places = made.places(cells)
    # 6 is in row 1 and column 2, 8 in row 2 and column 0
    torch.testing.assert_close(made(marks(6, 8), places)[0, 0].argmax(), torch.tensor(6))
    with torch.no_grad():
        made.out.weight.copy_(made.out.weight.roll(GRID**2, 1))
    assert made(marks(6, 8), places)[0, 0].argmax() == 8
    assert made(marks(6), places)[0, 0].argmax() == 6
    assert made(marks(), places)[0, 0].abs().max() < 1e-6, "nothing is left"


def test_in_a_column_a_place_further_to_the_left_comes_first() -> None:
    """Cells 1 and 5 are in one column; 5's place is made to lie at its left."""
    made, cells = pointing(), torch.eye(GRID**2)[None]
    with torch.no_grad():
        made.offset.weight[0, 5] = -2.0
        made.out.weight.copy_(made.out.weight.roll(GRID**2, 1))
    places = made.places(cells)
    assert made(marks(1, 5), places)[0, 0].argmax() == 5
    assert places.offsets[0].argmin() == 5
    both = places.of(torch.tensor([0, 0]))
    assert both.order.shape == (2, GRID**2) and torch.equal(both.across[1], places.across[0])


@pytest.mark.parametrize("number", [0, 3, 11])
def test_places_are_counted(number: int) -> None:
    made, cells = pointing(), torch.eye(GRID**2)[None]
    torch.nn.init.zeros_(made.out.weight)
    with torch.no_grad():
        made.count.weight[0, number] = 1.0
    told = [made(marks(*range(many)), made.places(cells))[0, 0, 0].item() for many in range(GRID**2)]
    assert told[number] > 1 and sum(value > 0.1 * told[number] for value in told) == 1
