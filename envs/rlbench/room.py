"""What surrounds every task: table, floor, wall, and the cameras, where RLBench has them."""

from __future__ import annotations

import numpy as np

from envs.rlbench.world import CAMERAS
from envs.tabletop.camera import Camera, GripperCamera, StaticCamera
from envs.tabletop.scene import Scene
from envs.tabletop.solids import Link, Vector, between, paint_atlas

TOP = 0.75  # m; the table's
TABLE = ((-0.50, -0.55), (1.11, 0.555))  # m; corners of its top
WOOD = (205, 167, 90)
FAR = 4.5  # m; nothing is seen beyond
GRIP = {"lateral_friction": 0.8}
# Camera -> where it stands, which way it looks, what is up for it, its fov in degrees.
_VIEWS: dict[str, tuple[Vector, Vector, Vector, float]] = {
    "front": ((1.35, 0.0, 1.58), (-0.906, 0.0, -0.423), (0.0, 0.0, 1.0), 40),
    "left_shoulder": ((-0.175, 0.20, 1.98), (0.416, -0.073, -0.906), (1.0, 0.0, 0.0), 40),
    "right_shoulder": ((-0.175, -0.20, 1.98), (0.416, 0.073, -0.906), (1.0, 0.0, 0.0), 40),
    "overhead": ((-0.175, 0.0, 2.43), (0.423, 0.0, -0.906), (1.0, 0.0, 0.0), 40),
}
WRIST_FOV = 60  # degrees


def build_room(scene: Scene) -> list[int]:
    """Put table, floor and wall into a scene; returns the bodies."""
    (left, near), (right, far) = TABLE
    legs = [
        between((x, y, 0), (x + 0.06, y + 0.06, TOP - 0.04), "wood")
        for x in (left + 0.03, right - 0.09)
        for y in (near + 0.03, far - 0.09)
    ]
    top = between((left, near, TOP - 0.04), (right, far, TOP), "wood")
    tiles = [between((x, -2.5, -0.02), (x + 1.23, 2.5, 0.0), "gray") for x in (-2.5, -1.25, 0.0, 1.25)]
    joints = between((-2.5, -2.5, -0.03), (2.5, 2.5, -0.004), "graphite")
    wall = between((-2.54, -2.5, 0.0), (-2.5, 2.5, 3.0), "teal")
    atlas = paint_atlas(WOOD, grain=0.08, seed=7)
    return [
        scene.add("bench", [Link("bench", (top, *legs), contact=GRIP)], atlas, fixed=True),
        scene.add("room", [Link("room", (joints, *tiles, wall))], fixed=True),
    ]


def make_camera(name: str, size: tuple[int, int], body: int, link: int) -> Camera:
    """The camera of that name; size: (height, width) px; body, link: what the wrist's camera is fixed to."""
    height, width = size
    if name == "wrist":
        return GripperCamera(name, width, height, fov=WRIST_FOV, near=0.01, far=FAR, body=body, link=link)
    eye, forward, up, fov = _VIEWS[name]
    x, y, z = map(float, np.add(eye, forward))
    return StaticCamera(name, width, height, fov=fov, near=0.01, far=FAR, eye=eye, target=(x, y, z), up=up)


assert {*_VIEWS, "wrist"} == set(CAMERAS)
