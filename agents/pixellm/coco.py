"""Masks as COCO's compressed run-length codes: what answers are written as, and question sets."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import numpy as np

from envs.errors import UserError


def load_pycocotools() -> ModuleType:
    """COCO's own functions on masks; UserError with the line that installs them."""
    try:
        from pycocotools import mask
    except ImportError as error:
        raise UserError("pycocotools is not installed: run `pip install 'videoworld-agents[ask]'`") from error
    return mask


def encode(mask: np.ndarray) -> dict[str, Any]:
    """A mask bool (H, W) as COCO's compressed run-length code, ready for JSON."""
    coded = load_pycocotools().encode(np.asfortranarray(mask, np.uint8))
    return {"size": [int(side) for side in coded["size"]], "counts": coded["counts"].decode("ascii")}


def box_of(mask: np.ndarray) -> list[int]:
    """x, y, width and height of what a mask bool (H, W) covers, px; four zeros where that is nothing."""
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    if not len(rows):
        return [0, 0, 0, 0]
    return [int(columns[0]), int(rows[0]), int(columns[-1] - columns[0] + 1), int(rows[-1] - rows[0] + 1)]
