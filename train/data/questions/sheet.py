"""A sheet of questions for people: frames with their targets tinted, and the words below."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from train.data.questions.question import SLOT, Question

TINTS = (
    (230, 25, 75), (60, 180, 75), (0, 130, 200), (245, 130, 48), (145, 30, 180), (70, 240, 240), (240, 50, 230),
    (210, 245, 60), (250, 190, 212), (0, 128, 128), (170, 110, 40), (128, 0, 0), (128, 128, 0), (0, 0, 128),
)  # fmt: skip
COLUMNS, CELL, SCALE = 5, (400, 500), 2  # px of a cell; frames are drawn twice as large
SMALL, LINE = 13, 16  # px; of the letters, and from line to line


def overlay(question: Question) -> np.ndarray:
    """The frame with every target tinted and its edge drawn, uint8 (H, W, 3)."""
    picture = question.image.astype(np.float32)
    for number, mask in enumerate(question.masks):
        tint = np.array(TINTS[number % len(TINTS)], np.float32)
        inner = np.pad(mask, 1)
        inside = inner[:-2, 1:-1] & inner[2:, 1:-1] & inner[1:-1, :-2] & inner[1:-1, 2:]
        picture[mask] = 0.5 * picture[mask] + 0.5 * tint
        picture[mask & ~inside] = tint
    return picture.round().astype(np.uint8)


def make_sheet(questions: Sequence[Question]) -> Image.Image:
    """The sheet."""
    rows = -(-len(questions) // COLUMNS)
    sheet = Image.new("RGB", (COLUMNS * CELL[0], rows * CELL[1]), (250, 250, 250))
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(SMALL)
    for place, question in enumerate(questions):
        left, top = place % COLUMNS * CELL[0] + 8, place // COLUMNS * CELL[1] + 8
        height, width = question.image.shape[:2]
        frame = Image.fromarray(overlay(question)).resize((width * SCALE, height * SCALE), Image.Resampling.NEAREST)
        sheet.paste(frame, (left, top))
        line = top + height * SCALE + 4
        about = f"{question.source}, {question.family} {question.combination}".strip()
        for text, colour in ((about, (130, 130, 130)), (question.question, (0, 0, 0))):
            for part in textwrap.wrap(text, 56):
                draw.text((left, line), part, colour, font)
                line += LINE
        _answer(draw, font, question.answer, (left, line))
    return sheet


def _answer(
    draw: ImageDraw.ImageDraw, font: ImageFont.ImageFont | ImageFont.FreeTypeFont, answer: str, at: tuple[int, int]
) -> None:
    """Write an answer; each slot is a box in its target's colour."""
    x, y, number = at[0], at[1], 0
    for word in answer.replace(SLOT, f" {SLOT} ").split():
        wide = SMALL if word == SLOT else int(draw.textlength(word + " ", font))
        if x + wide > at[0] + CELL[0] - 16:
            x, y = at[0], y + LINE
        if word == SLOT:
            draw.rectangle((x, y + 2, x + SMALL - 3, y + SMALL - 1), fill=TINTS[number % len(TINTS)])
            number += 1
        else:
            draw.text((x, y), word, (0, 70, 140), font)
        x += wide
