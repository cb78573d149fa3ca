"""What our own renderer says its pixels show: against PyBullet's mask, and against pictures."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from envs.calvin.layouts import layout
from envs.calvin.starts import start_for
from envs.calvin.world import BuiltinWorld
from envs.rlbench.builtin import Theatre
from envs.rlbench.room import make_camera
from envs.rlbench.tasks import task_named
from envs.tabletop.camera import Camera, FastRenderer, Segmentation, StaticCamera, make_renderer
from envs.tabletop.geometry import shapes
from envs.tabletop.scene import Scene
from envs.tabletop.solids import Link, box, named

pytest.importorskip("pybullet", reason="the simulator (extra robots) is not installed")

SIDE = 192


@pytest.fixture
def scene() -> Iterator[Scene]:
    scene = Scene()
    yield scene
    scene.close()


def above(size: int = 64) -> StaticCamera:
    return StaticCamera("above", size, size, 60.0, 0.1, 5.0, eye=(0, 0, 2), target=(0, 0, 0), up=(0, 1, 0))


def bullet_mask(scene: Scene, camera: Camera) -> tuple[np.ndarray, np.ndarray]:
    """Body and link at each pixel as PyBullet's TinyRenderer has them, int (H, W) each; -1 where nothing is."""
    sim, view = scene.sim, camera.view(scene)
    *_, mask = sim.getCameraImage(
        camera.width,
        camera.height,
        sim.computeViewMatrix(view.eye, view.eye + view.forward, view.up),
        sim.computeProjectionMatrixFOV(camera.fov, camera.width / camera.height, camera.near, camera.far),
        renderer=sim.ER_TINY_RENDERER,
        flags=sim.ER_SEGMENTATION_MASK_OBJECT_AND_LINKINDEX,
    )
    mask = np.reshape(mask, (camera.height, camera.width))
    return np.where(mask < 0, -1, mask & 0xFFFFFF), np.where(mask < 0, -1, (mask >> 24) - 1)


def inner(ids: np.ndarray) -> np.ndarray:
    """Pixels whose eight neighbours show the same."""
    padded = np.pad(ids, 1, constant_values=-9)
    around = [padded[i : i + ids.shape[0], j : j + ids.shape[1]] for i in range(3) for j in range(3)]
    return np.all([other == ids for other in around], axis=0)


def compare(scene: Scene, camera: Camera, seen: Segmentation) -> None:
    bodies, links = bullet_mask(scene, camera)
    ids, own = bodies * 1000 + links, seen.links[0].astype(int) * 1000 + seen.links[1]
    away = inner(ids) & inner(own)
    assert away.mean() > 0.75 and (ids == own).mean() > 0.97
    assert (ids == own)[away].mean() > 0.999
    compared = 0
    for value in np.unique(ids):
        one, two = (ids == value) & away, (own == value) & away
        if one.sum() > 30:
            compared += 1
            assert (one & two).sum() / (one | two).sum() > 0.99, f"body and link {value}"
    assert compared >= 6


def test_a_play_table_against_pybullet() -> None:
    world = BuiltinWorld("D", {"static": (SIDE, SIDE)})
    try:
        robot, start = start_for("close_drawer", layout("D"), np.random.default_rng(5), vary_scene=True)
        world.reset_to(robot, start)
        seen = world.segment("static")
        assert np.array_equal(seen.picture, world.picture("static")[0])
        compare(world.scene, world.cameras["static"], seen)
        drawer = world.table.links["drawer_link"]
        handle = seen.mask(world.table.table, drawer, "handle")
        rest = seen.mask(world.table.table, drawer, "")
        assert handle.sum() > 100 and rest.sum() > 100 and not (handle & rest).any()
        warmth = seen.picture[..., 0].astype(int) - seen.picture[..., 2]
        assert (warmth[handle] <= 0).mean() > 0.85 and (warmth[rest] > 10).mean() > 0.85, "graphite before wood"
    finally:
        world.scene.close()


def test_a_task_of_rlbench_against_pybullet() -> None:
    theatre = Theatre(task_named("close_microwave"), "fast")
    try:
        theatre.place("microwave", (0.25, 0.1, 0.75), 1.8)
        theatre.set_joint("microwave_door_joint", 1.2)
        camera = make_camera("front", (SIDE, SIDE), theatre.robot.body, theatre.robot.arm.camera_link)
        assert isinstance(theatre.draw, FastRenderer)
        compare(theatre.scene, camera, theatre.draw.segment(camera))
    finally:
        theatre.scene.close()


def test_parts_of_a_link_and_what_moves(scene: Scene) -> None:
    handle = named("handle", box((0.1, 0.1, 0.1), (0.2, 0, 0), material="black"))
    body = scene.add("thing", [Link("thing", (box((0.2, 0.2, 0.1), material="red"), *handle), mass=1)], fixed=False)
    floor = scene.add("floor", [Link("floor", (box((0.6, 0.6, 0.02), (0, 0, -0.2), material="blue"),))], fixed=True)
    draw = make_renderer("fast", scene)
    assert isinstance(draw, FastRenderer)
    camera = above()
    seen = draw.segment(camera)
    assert seen.labels.dtype == np.int16 and seen.labels[0, 0] == -1, "nothing is there"
    assert seen.mask(body).sum() == seen.mask(body, -1, "").sum() + seen.mask(body, -1, "handle").sum()
    dark = seen.picture.max(-1) < 40
    assert dark.sum() > 4 and seen.mask(body, -1, "handle")[dark].all(), "all that is black is the handle"
    assert seen.mask(floor).sum() > seen.mask(body).sum()
    assert not seen.mask(99).any()
    scene.sim.resetBasePositionAndOrientation(body, (5, 5, 0), (0, 0, 0, 1))
    again = draw.segment(camera)
    assert not again.mask(body).any() and again.mask(floor).sum() > seen.mask(floor).sum(), "it has left"
    assert np.array_equal(again.picture, draw(camera)[0])


def test_parts_survive_the_files(scene: Scene) -> None:
    solids = (
        box((0.1, 0.1, 0.1)),
        *named("knob", box((0.02, 0.02, 0.02), (0.2, 0, 0))),
        box((0.1, 0.1, 0.1), (0, 1, 0)),
    )
    scene.add("thing", [Link("thing", solids)], fixed=True)
    (shape,) = shapes(scene)
    assert shape.mesh.part_of is not None and len(shape.mesh.part_of) == len(shape.mesh.points) == 36
    called = [shape.mesh.parts[part] for part in shape.mesh.part_of]
    assert called == [""] * 12 + ["knob"] * 12 + [""] * 12
