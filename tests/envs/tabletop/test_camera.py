"""Cameras and renderers: geometry by hand, our renderer against PyBullet's, solids."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from envs.errors import UserError
from envs.tabletop.camera import Camera, StaticCamera, make_renderer
from envs.tabletop.scene import Scene
from envs.tabletop.solids import ATLAS, CELL, PALETTE, WOOD_ROWS, Link, box, extrude_x, paint_atlas, tube

pytest.importorskip("pybullet", reason="the simulator (extra robots) is not installed")


@pytest.fixture
def scene() -> Iterator[Scene]:
    scene = Scene()
    yield scene
    scene.close()


def above(size: int = 64, **changes: Any) -> StaticCamera:
    """A camera 2 m above the origin that looks straight down, x to the right and y upwards in its picture."""
    settings = {"fov": 60.0, "near": 0.1, "far": 5.0, "eye": (0, 0, 2), "target": (0, 0, 0), "up": (0, 1, 0)}
    return StaticCamera("above", size, size, **{**settings, **changes})


@pytest.mark.parametrize("name", ["fast", "tiny"])
def test_a_box_is_where_perspective_puts_it(scene: Scene, name: str) -> None:
    scene.add("cube", [Link("cube", (box((0.2, 0.4, 0.2), (0.3, 0.1, 0.1), material="red"),))], fixed=True)
    picture, depth = make_renderer(name, scene)(above(200))
    assert (picture.dtype, picture.shape, depth.dtype, depth.shape) == (np.uint8, (200, 200, 3), np.float32, (200, 200))
    focal = 100 / np.tan(np.radians(30))
    red = (picture[..., 0] > 100) & (picture[..., 2] < 100)
    rows, columns = np.nonzero(red & (depth < 1.81))
    # The upper face is 1.8 m away, at x 0.2 to 0.4 and y -0.1 to 0.3; depth is along the view axis.
    assert (columns.min(), columns.max()) == pytest.approx((100 + focal * 0.2 / 1.8, 99 + focal * 0.4 / 1.8), abs=1.01)
    assert (rows.min(), rows.max()) == pytest.approx((100 - focal * 0.3 / 1.8, 99 + focal * 0.1 / 1.8), abs=1.01)
    assert depth[rows, columns] == pytest.approx(1.8, abs=0.005)
    assert depth[0, 0] == pytest.approx(5.0, rel=1e-3), "nothing there: the far plane"


def test_what_moves_and_what_lights_up_is_drawn_anew(scene: Scene) -> None:
    body = scene.add("cube", [Link("cube", (box((0.2, 0.2, 0.2), material="paper"),), mass=1)], fixed=False)
    lamp = scene.add("lamp", [Link("lamp", (box((0.2, 0.2, 0.2), (0.6, 0, 0), material="paper"),))], fixed=True)
    draw, camera = make_renderer("fast", scene), above()
    before = draw(camera)[0]
    scene.sim.resetBasePositionAndOrientation(body, (-0.5, 0, 0), (0, 0, 0, 1))
    after = draw(camera)[0]
    assert not np.array_equal(before[:, :30], after[:, :30]), "it came here"
    assert after[32, 32] == pytest.approx(after[0, 0]), "and left the background behind"
    draw.set_colour(lamp, -1, (0, 1, 0))
    green = draw(camera)[0].astype(int)
    assert ((green[..., 1] - green[..., 0]) > 80).any()


def test_nearer_hides_farther_and_the_near_plane_cuts(scene: Scene) -> None:
    scene.add("wall", [Link("wall", (box((1, 1, 0.1), (0, 0, 1.0), material="red"),))], fixed=True)
    scene.add("floor", [Link("floor", (box((9, 9, 0.1), material="blue"),))], fixed=True)
    scene.add("post", [Link("post", (box((0.1, 0.1, 4), (0.9, 0.9, 1), material="black"),))], fixed=True)
    picture, depth = make_renderer("fast", scene)(above(fov=80))
    assert picture[32, 32, 0] > 100 > picture[32, 32, 2]
    assert depth[32, 32] == pytest.approx(0.95, abs=1e-3)
    assert picture[60, 5, 2] > 100 > picture[60, 5, 0]
    assert np.isfinite(depth).all() and depth.min() >= 0.1 - 1e-6


@pytest.mark.parametrize("solid", [
    box((0.2, 0.3, 0.4), (1, 2, 3), (0.3, -0.2, 0.9)),
    tube((0, 0, 0), (0.1, 0.2, 0.5), 0.05, 0.02),
    extrude_x([(0.02, 0.44), (0.18, 0.44), (0.18, 0.648), (0.14, 0.648)], -0.4, 0.1, "wood"),
])  # fmt: skip
def test_faces_of_solids_look_outwards(solid: Any) -> None:
    middle = solid.points.mean(0)
    for face in solid.faces:
        a, b, c = solid.points[list(face[:3])]
        assert np.cross(b - a, c - a) @ (a - middle) > 0


def test_the_atlas_holds_wood_and_the_palette() -> None:
    atlas = paint_atlas((150, 110, 70), seed=3)
    assert np.array_equal(atlas, paint_atlas((150, 110, 70), seed=3))
    assert atlas[:WOOD_ROWS].mean((0, 1)) == pytest.approx((150, 110, 70), abs=8)
    for number, colour in enumerate(PALETTE.values()):
        row, column = divmod(number, ATLAS // CELL)
        assert tuple(atlas[WOOD_ROWS + row * CELL + 3, column * CELL + 3]) == colour


def test_mistakes_are_named(scene: Scene) -> None:
    with pytest.raises(UserError, match="renderer 'crayon' is unknown; choose one of fast, tiny, egl"):
        make_renderer("crayon", scene)
    with pytest.raises(UserError, match="camera above cannot have 0 pixels a side; give 1 to 2048"):
        above(0)
    assert Camera("any", 1, 1, 60, 0.1, 1).moves
