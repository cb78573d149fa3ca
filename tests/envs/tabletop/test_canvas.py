"""Canvases: two cameras' pictures on one frame, and back."""

from __future__ import annotations

import numpy as np
import pytest

from envs.errors import UserError
from envs.tabletop.canvas import CameraCanvas, resize

CANVAS = CameraCanvas(32)


def pictures(static: int = 200, gripper: int = 84) -> dict[str, np.ndarray]:
    random = np.random.default_rng(0)
    sides = {"static": static, "gripper": gripper}
    return {name: random.integers(0, 256, (side, side, 3), dtype=np.uint8) for name, side in sides.items()}


def test_what_is_drawn_is_cut_again() -> None:
    seen = pictures()
    frame = CANVAS.draw(seen)
    assert frame.shape == (*CANVAS.frame_shape, 3) == (32, 48, 3) and frame.dtype == np.uint8
    cut = CANVAS.cut(frame)
    for camera, shape in CANVAS.shapes.items():
        assert np.array_equal(cut[camera], resize(seen[camera], shape))
    batch = np.stack([frame, frame])[:, None]
    assert np.array_equal(CANVAS.join(CANVAS.cut(batch)), batch)


def test_people_see_squares() -> None:
    plain = {"static": np.full((9, 9, 3), 40, np.uint8), "gripper": np.full((9, 9, 3), 90, np.uint8)}
    shown = CANVAS.show(CANVAS.draw(plain), 50)
    assert all(picture.shape == (50, 50, 3) for picture in shown.values())
    assert (shown["static"] == 40).all() and (shown["gripper"] == 90).all()


def test_a_picture_may_grow_and_shrink() -> None:
    picture = pictures(static=20)["static"]
    assert np.array_equal(resize(resize(picture, (40, 60)), (20, 20)), picture)
    assert abs(resize(picture, (7, 3)).astype(float).mean() - picture.mean()) < 1


@pytest.mark.parametrize(
    ("seen", "message"),
    [({"static": pictures()["static"]}, "no picture of the camera 'gripper', only of static"), ({}, "only of none")],
)
def test_a_camera_that_is_missing_is_named(seen: dict[str, np.ndarray], message: str) -> None:
    with pytest.raises(UserError, match=message):
        CANVAS.draw(seen)


@pytest.mark.parametrize("side", [0, -4, 33, 5000])
def test_impossible_canvases(side: int) -> None:
    with pytest.raises(UserError, match=f"a canvas of {side} px: choose"):
        CameraCanvas(side)


@pytest.mark.parametrize("picture", [np.zeros((4, 4), np.uint8), np.zeros((4, 4, 3)), np.zeros((4, 4, 4), np.uint8)])
def test_what_is_no_picture(picture: np.ndarray) -> None:
    with pytest.raises(ValueError, match="a picture is uint8"):
        resize(picture, (2, 2))
