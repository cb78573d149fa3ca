"""Masks as COCO writes them: run-length codes and polygons."""

from __future__ import annotations

from collections.abc import Sequence
from math import isfinite
from typing import Any

import numpy as np
from PIL import Image

from agents.pixellm.coco import box_of, encode, load_pycocotools

__all__ = ["BrokenMaskError", "box_of", "decode", "encode", "shrink"]

LARGEST = 100_000_000  # px of a picture; what says more is broken
_BITS, _GOES_ON, _MINUS = 5, 0x20, 0x10  # of a character of a compressed run


class BrokenMaskError(ValueError):
    """Raised for what is no mask of that picture."""


def decode(segmentation: object, shape: Sequence[int]) -> np.ndarray:
    """What COCO calls a segmentation -> bool (H, W): polygons (their union), or runs, compressed or not.

    COCO's own decoder trusts its input, so runs are checked and unrolled here.

    Raises:
        BrokenMaskError: it is none of these, or not of a picture of that shape.
    """
    height, width = shape[0], shape[1]
    if not 0 < height * width <= LARGEST:
        raise BrokenMaskError(f"no picture is {height} by {width} px")
    if isinstance(segmentation, dict):
        if list(segmentation.get("size", ())) != [height, width]:
            raise BrokenMaskError("its size is another than the picture's")
        counts = segmentation.get("counts")
        return _unroll(_runs(counts) if isinstance(counts, str) else counts, height, width)
    if isinstance(segmentation, list) and segmentation:
        return _draw_polygons(segmentation, height, width)
    raise BrokenMaskError("neither polygons nor runs")


def _runs(text: str) -> list[int]:
    """The runs of a compressed code: five bits a character, from the third run on the change from that two before."""
    runs: list[int] = []
    value, shift = 0, 0
    for letter in text:
        bits = ord(letter) - 48
        if not 0 <= bits < 64 or shift > 60:
            raise BrokenMaskError("a run is no number")
        value |= (bits & (_GOES_ON - 1)) << shift
        shift += _BITS
        if bits & _GOES_ON:
            continue
        if bits & _MINUS:
            value -= 1 << shift
        runs.append(value + (runs[-2] if len(runs) > 2 else 0))
        value, shift = 0, 0
    if shift:
        raise BrokenMaskError("the last run is cut off")
    return runs


def _unroll(runs: object, height: int, width: int) -> np.ndarray:
    if not isinstance(runs, list) or not all(type(run) is int and 0 <= run <= LARGEST for run in runs):
        raise BrokenMaskError("its runs are no list of whole numbers")
    if sum(runs) != height * width:
        raise BrokenMaskError("its runs do not fill the picture")
    values = np.arange(len(runs)) % 2 == 1
    return np.repeat(values, runs).reshape(width, height).T.copy()


def _draw_polygons(polygons: list[Any], height: int, width: int) -> np.ndarray:
    clean = []
    for polygon in polygons:
        if not isinstance(polygon, list) or len(polygon) < 6 or len(polygon) % 2:
            raise BrokenMaskError("a polygon has fewer than three corners")
        if not all(type(value) in (int, float) and isfinite(value) for value in polygon):
            raise BrokenMaskError("a polygon's corner is no number")
        corners = np.array(polygon, float).reshape(-1, 2)
        # What lies far outside is cut off: the decoder's memory grows with the length of a polygon.
        clean.append(np.clip(corners, (-width, -height), (2 * width, 2 * height)).reshape(-1).tolist())
    mask = load_pycocotools()
    union = mask.decode(mask.merge(mask.frPyObjects(clean, height, width)))
    return np.asarray(union, np.bool_)


def shrink(image: np.ndarray, masks: np.ndarray, side: int) -> tuple[np.ndarray, np.ndarray]:
    """A picture uint8 (H, W, 3) and its masks bool (K, H, W) made smaller until the longer side has `side` px.

    A pixel belongs to a mask that covers half of it; a mask too small for that keeps the pixel it covers most of.
    """
    height, width = image.shape[:2]
    if max(height, width) <= side:
        return image, masks
    size = max(1, round(width * side / max(height, width))), max(1, round(height * side / max(height, width)))
    small = np.zeros((len(masks), size[1], size[0]), np.bool_)
    for number, mask in enumerate(masks):
        covered = np.asarray(Image.fromarray(mask.astype(np.uint8) * 255).resize(size, Image.Resampling.BOX))
        small[number] = covered >= 128
        if mask.any() and not small[number].any():
            small[number].flat[int(covered.argmax())] = True
    return np.asarray(Image.fromarray(image).resize(size, Image.Resampling.BOX)), small
