"""A sheet of questions for people: frames with their targets tinted, and the words below."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from agents.pixellm.overlay import overlay, tint_of
from envs.errors import UserError
from train.data.questions.question import SLOT, Question

COLUMNS, CELL, SCALE = 5, (400, 500), 2  # px of a cell; frames are drawn twice as large
SMALL, LINE = 13, 16  # px; of the letters, and from line to line
WIDE, WORD = 56, 32  # letters of a line, and of a word: what a model writes may be one long one

GREY = (130, 130, 130)


@dataclass(frozen=True, eq=False)
class Shown:
    """What a cell of a sheet shows.

    image: uint8 (H, W, 3). masks: bool (K, H, W), tinted. about: a grey line. answer: with a slot "{seg}" for each
    mask. truth: what would have been right, in grey below; "" for nothing.
    """

    image: np.ndarray
    masks: np.ndarray
    about: str
    question: str
    answer: str
    truth: str = ""


def shown(question: Question) -> Shown:
    """A question with its own answer."""
    about = f"{question.source}, {question.family} {question.combination}".strip()
    return Shown(question.image, question.masks, about, question.question, question.answer)


def make_sheet(cells: Sequence[Shown]) -> Image.Image:
    """The sheet; a row is as high as its longest text asks for."""
    font = ImageFont.load_default(SMALL)
    rows = [cells[first : first + COLUMNS] for first in range(0, len(cells), COLUMNS)]
    heights = [max(CELL[1], *(_height(question, font) for question in row)) for row in rows]
    sheet = Image.new("RGB", (COLUMNS * CELL[0], sum(heights)), (250, 250, 250))
    draw = ImageDraw.Draw(sheet)
    for number, row in enumerate(rows):
        top = sum(heights[:number]) + 8
        for place, question in enumerate(row):
            left = place * CELL[0] + 8
            height, width = question.image.shape[:2]
            tinted = Image.fromarray(overlay(question.image, question.masks))
            frame = tinted.resize((width * SCALE, height * SCALE), Image.Resampling.NEAREST)
            sheet.paste(frame, (left, top))
            line = top + height * SCALE + 4
            for text, colour in ((question.about, GREY), (question.question, (0, 0, 0))):
                for part in textwrap.wrap(text, WIDE):
                    draw.text((left, line), part, colour, font)
                    line += LINE
            line = _answer(draw, font, question.answer, (left, line))
            for part in _truth(question):
                draw.text((left, line), part, GREY, font)
                line += LINE
    return sheet


def save_sheet(cells: Sequence[Shown], path: Path) -> None:
    """Write the sheet; UserError where that cannot be done."""
    try:
        make_sheet(cells).save(path)
    except (OSError, ValueError) as error:
        raise UserError(f"cannot write {path}: {error}; give a path that ends in .png") from error


def _height(question: Shown, font: ImageFont.ImageFont | ImageFont.FreeTypeFont) -> int:
    nowhere = ImageDraw.Draw(Image.new("RGB", (1, 1)))
    words = sum(len(textwrap.wrap(text, WIDE)) for text in (question.about, question.question))
    below = _answer(nowhere, font, question.answer, (0, 0)) + LINE * (words + len(_truth(question)))
    return 8 + question.image.shape[0] * SCALE + 4 + below + 8


def _truth(question: Shown) -> list[str]:
    return textwrap.wrap(f"true: {question.truth.replace(SLOT, '#')}", WIDE) if question.truth else []


def _answer(
    draw: ImageDraw.ImageDraw, font: ImageFont.ImageFont | ImageFont.FreeTypeFont, answer: str, at: tuple[int, int]
) -> int:
    """Write an answer; each slot is a box in its target's colour. Returns where the next line begins."""
    x, y, number = at[0], at[1], 0
    words = [
        word[i : i + WORD] for word in answer.replace(SLOT, f" {SLOT} ").split() for i in range(0, len(word), WORD)
    ]
    for word in words:
        wide = SMALL if word == SLOT else int(draw.textlength(word + " ", font))
        if x + wide > at[0] + CELL[0] - 16:
            x, y = at[0], y + LINE
        if word == SLOT:
            draw.rectangle((x, y + 2, x + SMALL - 3, y + SMALL - 1), fill=tint_of(number))
            number += 1
        else:
            draw.text((x, y), word, (0, 70, 140), font)
        x += wide
    return y + LINE
