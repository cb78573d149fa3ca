"""One frame out of a robot's cameras: what world models look at and imagine."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from envs.errors import UserError


@dataclass(frozen=True)
class CameraCanvas:
    """A scene camera's picture on the left and beside it that of the arm's camera, squeezed to half its width.

    side: height of the canvas in px. scene, wrist: names of the two cameras.
    """

    side: int = 96
    scene: str = "static"
    wrist: str = "gripper"

    def __post_init__(self) -> None:
        if not 16 <= self.side <= 512 or self.side % 2:
            raise UserError(f"a canvas of {self.side} px: choose an even number from 16 to 512")

    @property
    def frame_shape(self) -> tuple[int, int]:
        """Height and width, px."""
        return self.side, self.side + self.side // 2

    @property
    def shapes(self) -> dict[str, tuple[int, int]]:
        """Height and width of each camera's picture on the canvas, px."""
        return {self.scene: (self.side, self.side), self.wrist: (self.side, self.side // 2)}

    @property
    def words(self) -> str:
        """For people. Canvases with the same words show the same."""
        return f"pictures of the cameras {self.scene} and {self.wrist}, {self.side} px high"

    def join(self, pictures: Mapping[str, np.ndarray]) -> np.ndarray:
        """Pictures uint8 (..., h, w, 3) in the sizes of `shapes`, by camera -> frames (..., H, W, 3)."""
        return np.concatenate([pictures[self.scene], pictures[self.wrist]], axis=-2)

    def draw(self, pictures: Mapping[str, np.ndarray]) -> np.ndarray:
        """Pictures uint8 (h, w, 3) of any size, by camera -> a frame (H, W, 3).

        Raises:
            UserError: a camera is missing, or what it saw is no picture.
        """
        for camera in self.shapes:
            if camera not in pictures:
                raise UserError(f"no picture of the camera {camera!r}, only of {', '.join(pictures) or 'none'}: add it")
        return self.join({camera: resize(pictures[camera], shape) for camera, shape in self.shapes.items()})

    def cut(self, frames: np.ndarray) -> dict[str, np.ndarray]:
        """Frames (..., H, W, 3) -> each camera's pictures as they stand on the canvas."""
        return {self.scene: frames[..., : self.side, :], self.wrist: frames[..., self.side :, :]}

    def show(self, frame: np.ndarray, size: int) -> dict[str, np.ndarray]:
        """Frame (H, W, 3) -> each camera's picture as a square of `size` px, for people."""
        return {camera: resize(picture, (size, size)) for camera, picture in self.cut(frame).items()}


@dataclass(frozen=True)
class Canvases:
    """Canvases of one size that show different worlds: what one agent for all of them looks at.

    canvases: at least one, all of one frame shape.
    """

    canvases: tuple[CameraCanvas, ...]

    def __post_init__(self) -> None:
        shapes = {canvas.frame_shape for canvas in self.canvases}
        if len(shapes) != 1:
            sides = ", ".join(str(canvas.side) for canvas in self.canvases)
            raise UserError(f"canvases of {sides} px do not go together: choose one side for all")

    @property
    def frame_shape(self) -> tuple[int, int]:
        """Height and width, px."""
        return self.canvases[0].frame_shape

    @property
    def words(self) -> str:
        """For people."""
        return " and ".join(sorted({canvas.words for canvas in self.canvases}))


def resize(picture: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """A picture uint8 (H, W, 3) in another size (h, w): averages over the area of each new pixel, rounded.

    Pillow's box filter takes whole pixels only, which is something else where the sizes are no multiples. ValueError
    for what is no picture.
    """
    if picture.ndim != 3 or picture.shape[2] != 3 or picture.dtype != np.uint8:
        raise ValueError(f"a picture is uint8 (H, W, 3), not {picture.dtype} {picture.shape}")
    (height, width, _), (rows, columns) = picture.shape, shape
    if (height, width) == (rows, columns):
        return picture
    narrow = _areas(height, rows) @ picture.reshape(height, -1).astype(np.float32)
    small = narrow.reshape(rows, width, 3).transpose(0, 2, 1) @ _areas(width, columns).T
    return np.rint(small.transpose(0, 2, 1)).astype(np.uint8)


@lru_cache(maxsize=16)
def _areas(length: int, side: int) -> np.ndarray:
    """float32 (side, length): how much of each old pixel makes up each new one."""
    lows, pixels = np.arange(side)[:, None] * length / side, np.arange(length)
    covered = np.minimum(pixels + 1, lows + length / side) - np.maximum(pixels, lows)
    return (np.maximum(covered, 0) * side / length).astype(np.float32)
