"""The simulated world behind `CalvinEnv`: what moves the arm, and what the cameras see."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np

from envs.calvin.layouts import layout
from envs.calvin.play_table import PlayTable
from envs.errors import UserError
from envs.tabletop.camera import (
    Camera,
    FastRenderer,
    GripperCamera,
    Segmentation,
    StaticCamera,
    check_renderer,
    make_renderer,
)
from envs.tabletop.scene import SIMULATION_HZ, Scene

CONTROL_HZ = 30
SUBSTEPS = SIMULATION_HZ // CONTROL_HZ
SETTLING = 5  # steps of the physics in a reset: the protocol's blocks start 1 mm above the cabinet's floor
CAMERAS = ("static", "gripper")
ACTION_KINDS = ("relative", "absolute", "joint_relative", "joint_absolute")


class Command(NamedTuple):
    """What the arm is told: kind is one of ACTION_KINDS; values (6,) of a pose or (7,) of joints; gripper +1 or -1."""

    kind: str
    values: np.ndarray
    gripper: int


class World(Protocol):
    """A play table that can be built in or the official package's."""

    def reset(self, random: np.random.Generator) -> None:
        """Start anew with scattered blocks."""
        ...

    def reset_to(self, robot_obs: np.ndarray | None, scene_obs: np.ndarray | None) -> None:
        """Start anew from a state, (15,) and (24,); what is None starts at rest."""
        ...

    def act(self, command: Command) -> None:
        """Let 1/30 s pass under a command."""
        ...

    def states(self) -> tuple[np.ndarray, np.ndarray]:
        """robot_obs float64 (15,) and scene_obs float64 (24,)."""
        ...

    def picture(self, camera: str) -> tuple[np.ndarray, np.ndarray]:
        """What a camera sees: uint8 (H, W, 3), and depth float32 (H, W) in m."""
        ...

    def overview(self, size: int) -> np.ndarray:
        """A picture uint8 (size, size, 3) for people."""
        ...

    def info(self) -> dict[str, Any]:
        """CALVIN's info."""
        ...

    def close(self) -> None:
        """End the world."""
        ...


def static_camera(size: tuple[int, int], name: str = "static") -> StaticCamera:
    """CALVIN's static camera; size: height and width in px."""
    return StaticCamera(
        name,
        width=size[1],
        height=size[0],
        fov=10,
        near=0.01,
        far=10,
        eye=(2.871459, -2.166602, 2.555160),
        target=(-0.026242, -0.030233, 0.392000),
        up=(0.404140, 0.226298, 0.886262),
    )


class BuiltinWorld:
    """Our own simulation of the play table, or of the official assets."""

    def __init__(
        self,
        scene: str,
        sizes: dict[str, tuple[int, int]],
        *,
        renderer: str = "fast",
        assets: str | Path | None = None,
    ) -> None:
        """Build the scene; sizes: camera -> (height, width). Raises UserError."""
        plan = layout(scene)
        folder = None if assets is None else Path(assets)
        if folder is not None and not folder.is_dir():
            raise UserError(f"assets folder {assets} is not there; give the folder 'data' of calvin_env")
        check_renderer(renderer)
        self.scene = Scene(opengl=renderer == "egl")
        self.table = PlayTable(self.scene, plan, folder)
        arm = self.table.arm
        self.cameras: dict[str, Camera] = {}
        for name, size in sizes.items():
            self.cameras[name] = (
                static_camera(size)
                if name == "static"
                else GripperCamera(
                    name, size[1], size[0], fov=75, near=0.01, far=2, body=arm.body, link=arm.camera_link
                )
            )
        self._renderer = make_renderer(renderer, self.scene)
        self._clean = self.scene.save()

    def reset(self, random: np.random.Generator) -> None:
        """Start anew with the arm at home and scattered blocks."""
        self._rewind()
        self.table.reset(random)
        self._settle()

    def reset_to(self, robot_obs: np.ndarray | None, scene_obs: np.ndarray | None) -> None:
        """Start anew from a state; without scene_obs everything is closed and the blocks are where they always are."""
        self._rewind()
        self.table.reset(np.random.default_rng(0))
        if scene_obs is not None:
            self.table.reset_to(scene_obs)
        self.table.arm.reset(robot_obs)
        self._settle()

    def act(self, command: Command) -> None:
        """Let 1/30 s pass under a command."""
        arm = self.table.arm
        if command.kind == "relative":
            arm.move_by(command.values, command.gripper)
        elif command.kind == "absolute":
            arm.move_to(command.values, command.gripper)
        else:
            joints = command.values if command.kind == "joint_absolute" else arm.joints + command.values
            arm.move_joints(joints, command.gripper)
        self.scene.simulate(SUBSTEPS)
        self.table.step()

    def states(self) -> tuple[np.ndarray, np.ndarray]:
        """robot_obs float64 (15,) and scene_obs float64 (24,)."""
        return self.table.arm.state, self.table.state

    def picture(self, camera: str) -> tuple[np.ndarray, np.ndarray]:
        """What a camera sees: uint8 (H, W, 3), and depth float32 (H, W) in m."""
        return self._draw(self.cameras[camera])

    def segment(self, camera: str) -> Segmentation:
        """What a camera sees, and what each pixel shows; of the fast renderer alone."""
        assert isinstance(self._renderer, FastRenderer), "PyBullet's renderers know no parts"
        self._light_up()
        return self._renderer.segment(self.cameras[camera])

    def overview(self, size: int) -> np.ndarray:
        """The static camera's picture uint8 (size, size, 3)."""
        return self._draw(static_camera((size, size), "overview"))[0]

    def info(self) -> dict[str, Any]:
        """CALVIN's info."""
        return self.table.info()

    def save(self) -> tuple[int, Any]:
        """Keep everything in memory, for `restore` to come back to; `forget` lets it go."""
        return self.scene.save(), self.table.save()

    def restore(self, saved: tuple[int, Any]) -> None:
        """Go back to what `save` has kept."""
        self.scene.restore(saved[0])
        self.table.restore(saved[1])

    def forget(self, saved: tuple[int, Any]) -> None:
        """Free the memory of a saved state."""
        self.scene.forget(saved[0])

    def close(self) -> None:
        """End the world."""
        self.scene.close()

    def _rewind(self) -> None:
        """Go back to the state after loading.

        Forces of the last steps stay behind in the solver and would reach into the next episode; a few steps from the
        state after loading replace them.
        """
        self.scene.restore(self._clean)
        self.scene.simulate(3)
        self.scene.restore(self._clean)

    def _settle(self) -> None:
        """Let contacts form, so that the first info has them: boxes need to come nearer than CALVIN's meshes."""
        self.scene.simulate(SETTLING)
        self.table.show_lights()

    def _draw(self, camera: Camera) -> tuple[np.ndarray, np.ndarray]:
        self._light_up()
        return self._renderer(camera)

    def _light_up(self) -> None:
        for link, colour in self.table.light_colours().items():
            self._renderer.set_colour(self.table.table, link, colour)


def as_sizes(sizes: dict[str, int | Sequence[int]]) -> dict[str, tuple[int, int]]:
    """Camera -> side, or height and width, made (height, width); raises UserError for what is neither."""
    result = {}
    for name, size in sizes.items():
        pair = (size, size) if isinstance(size, (int, np.integer)) else tuple(size)
        if len(pair) != 2 or not all(isinstance(side, (int, np.integer)) for side in pair):
            raise UserError(f"the size of camera {name} is {size!r}; give a side or (height, width) in pixels")
        result[name] = (int(pair[0]), int(pair[1]))
    return result
