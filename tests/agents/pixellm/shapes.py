"""Frames of simple shapes, with exact masks, questions and answers: what the tests of PixelLM learn."""

from __future__ import annotations

import numpy as np
import torch

from agents.pixellm.batch import Item
from agents.pixellm.config import PixelLMConfig
from agents.pixellm.looking import Looking
from agents.pixellm.model import PixelLM
from agents.pixellm.words import SLOT, Words, train_words

SIDE = 32  # px, of the preset tiny
COLOURS = {"red": (220, 40, 40), "green": (40, 200, 60), "blue": (50, 80, 230), "yellow": (230, 220, 60)}


def shapes(rng: np.random.Generator, count: int, side: int = SIDE) -> Item:
    """A frame of discs and squares in the cells of a 2 x 2 grid, and an answer that names `count` of them in order."""
    ys, xs = np.mgrid[:side, :side]
    image = np.full((side, side, 3), 30, np.uint8)
    masks, names = [], []
    cells = rng.permutation(4)[: max(count, 1)]
    for cell, colour in zip(sorted(cells), rng.permutation(list(COLOURS)), strict=False):
        half = side // 4
        y, x = (cell // 2) * 2 * half + half, (cell % 2) * 2 * half + half
        reach = half * float(rng.uniform(0.5, 0.8))
        disc = bool(rng.integers(2))
        mask = np.hypot(ys - y, xs - x) < reach if disc else np.maximum(abs(ys - y), abs(xs - x)) < reach
        image[mask] = COLOURS[colour]
        masks.append(mask)
        names.append(f"the {colour} {'disc' if disc else 'square'}")
    if not count:
        return image, "is there a white star?", "No, there is no white star.", np.zeros((0, side, side), bool)
    listed = " and ".join(f"{name} {SLOT}" for name in names)
    return image, "what shapes are there?", f"There is {listed}.", np.stack(masks)


def middles(masks: np.ndarray) -> np.ndarray:
    """x and y of the middles of masks (K, H, W), px."""
    return np.array([[axis.mean() + 0.5 for axis in np.nonzero(mask)[::-1]] for mask in masks]).reshape(-1, 2)


def stirred(looking: Looking, std: float) -> None:
    """Let looks add something: their last weights are 0 in the beginning."""
    for look in looking.looks:
        torch.nn.init.normal_(look.out.weight, std=std)
    for part in (looking.pointing.out, looking.pointing.count) if looking.pointing else ():
        torch.nn.init.normal_(part.weight, std=std)


WHAT, STAR = "What shapes are there?", "Is there a white star?"


def taught_model(steps: int = 300) -> tuple[PixelLM, np.ndarray, np.ndarray]:
    """A tiny model that has learned by heart to answer WHAT and STAR about one picture; the picture, and its two masks.

    The questions are as `agents.pixellm.asking` puts them; the answer to STAR is that there is none.
    """
    torch.manual_seed(0)
    image, _, answer, masks = shapes(np.random.default_rng(3), 2)
    nothing = "No, there is no white star."
    items: list[Item] = [(image, WHAT, answer, masks), (image, STAR, nothing, masks[:0])]
    config = PixelLMConfig.preset("tiny")
    model = PixelLM(config, train_words([text for item in items * 3 for text in item[1:3]], config.group, pieces=400))
    batch = model.collate(items)
    optimiser = torch.optim.AdamW(model.parameters(), lr=3e-3, betas=(0.9, 0.95), weight_decay=0.0)
    for step in range(steps):
        optimiser.param_groups[0]["lr"] = 3e-3 * min(1, (step + 1) / 20)
        loss, figures = model(batch)
        if figures["iou"] > 0.8 and figures["token_exact"] == 1:
            break
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
    return model.eval().requires_grad_(False), image, masks


def words_of(group: int) -> Words:
    """Words that know the shapes' vocabulary."""
    rng = np.random.default_rng(0)
    texts = [text for number in range(60) for text in shapes(rng, number % 4)[1:3]]
    return train_words(texts, group, pieces=400)


def model_of(**changes: object) -> PixelLM:
    """An untrained tiny model."""
    config = PixelLMConfig.preset("tiny", **changes)
    return PixelLM(config, words_of(config.group))
