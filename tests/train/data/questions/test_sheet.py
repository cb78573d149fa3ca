"""Sheets of questions and answers."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from agents.pixellm.overlay import tint_of
from envs.errors import UserError
from train.data.questions.question import SLOT
from train.data.questions.sheet import CELL, COLUMNS, Shown, make_sheet, save_sheet


def cell(**changes: object) -> Shown:
    masks = np.zeros((1, 100, 120), np.bool_)
    masks[0, 20:60, 30:80] = True
    made = Shown(np.full((100, 120, 3), 200, np.uint8), masks, "go, at", "What is there?", f"A block {SLOT}.")
    return replace(made, **changes)  # type: ignore[arg-type]


def test_targets_are_tinted_and_their_slots_have_the_colour() -> None:
    sheet = np.asarray(make_sheet([cell()]))
    edges = np.argwhere((sheet == tint_of(0)).all(-1))
    frame, words = edges[edges[:, 0] < 2 * 100], edges[edges[:, 0] > 2 * 100]
    assert (np.ptp(frame, 0) == (2 * 40 - 1, 2 * 50 - 1)).all(), "the edge of the mask, twice as large"
    assert len(words) > 50, "the box in the answer"


def test_a_row_is_as_high_as_its_longest_text() -> None:
    assert make_sheet([cell()] * 6).size == (COLUMNS * CELL[0], 2 * CELL[1])
    long = cell(answer=" ".join([f"the block {SLOT},"] * 60), truth=" ".join(["the drawer"] * 100))
    width, height = make_sheet([cell(), long, *[cell()] * 4]).size
    assert width == COLUMNS * CELL[0] and height > 2 * CELL[1] + 200


def test_endless_words_stay_in_their_cell() -> None:
    sheet = np.asarray(make_sheet([cell(answer="mo" * 300)]))
    assert (sheet[:, CELL[0] + 8 :] == sheet[0, -1]).all()
    assert (sheet[:, : CELL[0]] != sheet[0, -1]).any()


def test_what_would_have_been_right_stands_below() -> None:
    told, silent = (np.asarray(make_sheet([one])) for one in (cell(truth=f"A bulb {SLOT}."), cell()))
    assert told.shape == silent.shape and (told != silent).any()
    rows = np.flatnonzero((told != silent).any((1, 2)))
    assert rows.min() > 2 * 100, "below the frame"


def test_a_sheet_that_cannot_be_written(tmp_path: Path) -> None:
    save_sheet([cell()], tmp_path / "sheet.png")
    assert (tmp_path / "sheet.png").stat().st_size > 500
    with pytest.raises(UserError, match="give a path that ends in .png"):
        save_sheet([cell()], tmp_path / "sheet.txt")
