"""The play table in a simulation: fixtures that move, a button, a switch, two lights and three blocks.

The built-in table, or CALVIN's official one loaded from the folder of its assets.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from envs.calvin.layouts import Layout
from envs.calvin.table import (
    BUTTON_TRAVEL,
    SWITCH_TRAVEL,
    block_links,
    floor_links,
    pedestal_links,
    table_atlas,
    table_links,
)
from envs.errors import UserError
from envs.tabletop.arm import Arm, ArmSetup
from envs.tabletop.scene import Scene

ROBOT_BASE = (-0.34, -0.46, 0.24)
PEDESTAL = (-0.39, -0.46, 0.0)
SCENE_STATE = 24  # entries of `PlayTable.state`
JOINT_FORCE = 4  # N; holds doors and the switch where they are, and lifts the button
DOORS = ("base__slide", "base__drawer")
LIGHTS = {"lightbulb": ("light_link", (1.0, 1.0, 0.0)), "led": ("led_link", (0.0, 1.0, 0.0))}
ASSET_SCALE = 0.8  # of the official tables and blocks
PLACEMENT_TRIES = 1000


class PlayTable:
    """Everything in the scene but cameras. Order of the bodies as in CALVIN: arm, pedestal, blocks, table, floor."""

    def __init__(self, scene: Scene, layout: Layout, assets: Path | None = None) -> None:
        """Build the scene; assets: the folder of the official assets, instead of the built-in ones."""
        self.scene, self.layout = scene, layout
        self.arm = Arm(scene, ROBOT_BASE, None if assets is None else _official_arm(assets))
        scene.add("pedestal", pedestal_links(), at=PEDESTAL, fixed=True)
        names = [f"block_{colour}" for colour in layout.order]
        if assets is None:
            colours = zip(names, layout.order, strict=True)
            self.blocks = {name: scene.add(name, block_links(colour, layout), fixed=False) for name, colour in colours}
            self.table = scene.add("table", table_links(layout), table_atlas(layout), fixed=True)
            scene.add("floor", floor_links(), fixed=True)
        else:
            files = [assets / "blocks" / f"{name}_{layout.sizes[name[6:]]}.urdf" for name in names]
            self.blocks = {
                name: scene.load(file, fixed=False, globalScaling=ASSET_SCALE)
                for name, file in zip(names, files, strict=True)
            }
            folder = assets / f"calvin_table_{layout.name}"
            urdf = folder / "urdf" / f"calvin_table_{layout.name}.urdf"
            self.table = scene.load(urdf, fixed=True, globalScaling=ASSET_SCALE)
            scene.paint(self.table, folder / "textures" / f"{layout.texture}__gray_handle.png")
            scene.load(assets / "plane" / "plane.urdf", fixed=True)
        self.joints = scene.joints(self.table)
        self.links = {**scene.links(self.table), "base_link": -1}
        self._button_on = self._switch_on = False  # logical states
        self._pressed = False
        self.lights = dict.fromkeys(LIGHTS, False)
        self._start_motors()
        self.show_lights()

    @property
    def state(self) -> np.ndarray:
        """CALVIN's scene_obs, float64 (24,).

        Joints of door, drawer, button and switch; lightbulb and led 0 or 1; then xyz and fixed-axis angles of the
        three blocks, in the order of the scene.
        """
        sim = self.scene.sim
        values = [self.joint(name) for name in (*DOORS, "base__button", "base__switch")]
        values += [float(self.lights["lightbulb"]), float(self.lights["led"])]
        for body in self.blocks.values():
            position, orientation = sim.getBasePositionAndOrientation(body)
            values += [*position, *sim.getEulerFromQuaternion(orientation)]
        return np.array(values, np.float64)

    def joint(self, name: str) -> float:
        """Where a fixture's joint stands, m."""
        return self.scene.joint(self.table, self.joints[name])

    def reset(self, random: np.random.Generator) -> None:
        """Close everything, put the lights out, and scatter the blocks.

        CALVIN's own reset leaves a button on that had put the led on, so that its next press changes nothing to be
        seen. Here episodes do not depend on the one before.
        """
        self.arm.reset()
        for name in (*DOORS, "base__button", "base__switch"):
            self._set_joint(name, 0.0)
        self._button_on = self._switch_on = self._pressed = False
        self.lights = dict.fromkeys(LIGHTS, False)
        self.show_lights()
        self._scatter(random)

    def reset_to(self, state: Sequence[float] | np.ndarray) -> None:
        """Put joints, lights and blocks where a scene_obs (24,) has them."""
        values = np.asarray(state, np.float64)
        self.lights = {"lightbulb": bool(round(values[4])), "led": bool(round(values[5]))}
        for name, value in zip((*DOORS, "base__button", "base__switch"), values[:4], strict=True):
            self._set_joint(name, value)
        self._pressed = values[2] > BUTTON_TRAVEL / 2
        self._button_on = self.lights["led"]
        self._switch_on = bool(values[3] > SWITCH_TRAVEL / 2)
        self.show_lights()
        for number, body in enumerate(self.blocks.values()):
            pose = values[6 + 6 * number : 12 + 6 * number]
            self._place(body, pose[:3], pose[3:])

    def step(self) -> None:
        """Let button and switch act on the lights; once an environment step, after the physics.

        The button toggles the led when it goes down; the bulb follows the switch when that crosses its middle.
        """
        pressed = self.joint("base__button") > BUTTON_TRAVEL / 2
        changed = False
        if pressed and not self._pressed:
            self._button_on = not self._button_on
            changed = self.lights["led"] != self._button_on
            self.lights["led"] = self._button_on
        self._pressed = pressed
        switched = self.joint("base__switch") > SWITCH_TRAVEL / 2
        if switched != self._switch_on:
            self._switch_on = switched
            changed = changed or self.lights["lightbulb"] != switched
            self.lights["lightbulb"] = switched
        if changed:
            self.show_lights()

    def light_colours(self) -> dict[int, tuple[float, float, float]]:
        """Link of the table -> the colour its light has now."""
        return {self.links[link]: lit if self.lights[name] else (1.0, 1.0, 1.0) for name, (link, lit) in LIGHTS.items()}

    def show_lights(self) -> None:
        """Tell the simulator the lights' colours."""
        for link, colour in self.light_colours().items():
            self.scene.sim.changeVisualShape(self.table, link, rgbaColor=(*colour, 1))

    def info(self) -> dict[str, Any]:
        """CALVIN's info: robot_info and scene_info; contacts are PyBullet's own tuples."""
        sim, arm = self.scene.sim, self.arm
        blocks = {}
        for name, body in self.blocks.items():
            position, orientation = sim.getBasePositionAndOrientation(body)
            linear, angular = sim.getBaseVelocity(body)
            blocks[name] = {
                "current_pos": position,
                "current_orn": orientation,
                "current_lin_vel": linear,
                "current_ang_vel": angular,
                "contacts": sim.getContactPoints(bodyA=body),
                "uid": body,
            }
        state = arm.state
        return {
            "robot_info": {
                "tcp_pos": state[:3],
                "tcp_orn": state[3:6],
                "gripper_opening_width": state[6],
                "arm_joint_states": state[7:14],
                "gripper_action": int(state[14]),
                "uid": arm.body,
                "contacts": sim.getContactPoints(bodyA=arm.body),
            },
            "scene_info": {
                "fixed_objects": {
                    "table": {
                        "uid": self.table,
                        "links": dict(self.links),
                        "contacts": sim.getContactPoints(bodyA=self.table),
                    }
                },
                "movable_objects": blocks,
                "doors": {name: {"current_state": self.joint(name)} for name in DOORS},
                "buttons": {
                    "base__button": {
                        "joint_state": self.joint("base__button"), "logical_state": int(self._button_on),
                    }
                },
                "switches": {
                    "base__switch": {
                        "joint_state": self.joint("base__switch"), "logical_state": int(self._switch_on),
                    }
                },
                "lights": {name: {"logical_state": int(on)} for name, on in self.lights.items()},
            },
        }  # fmt: skip

    def save(self) -> tuple[Any, ...]:
        """What PyBullet's own saved states leave out."""
        return self.arm.save(), self._button_on, self._switch_on, self._pressed, dict(self.lights)

    def restore(self, saved: tuple[Any, ...]) -> None:
        """Take over what `save` returned."""
        arm, self._button_on, self._switch_on, self._pressed, lights = saved
        self.arm.restore(arm)
        self.lights = dict(lights)
        self.show_lights()

    def _start_motors(self) -> None:
        """Weak motors that hold doors and switch where they are left, and push the button up again."""
        sim = self.scene.sim
        for name in (*DOORS, "base__switch"):
            sim.setJointMotorControl2(
                self.table, self.joints[name], sim.VELOCITY_CONTROL, targetVelocity=0, force=JOINT_FORCE
            )
        button = self.joints["base__button"]
        sim.setJointMotorControl2(self.table, button, sim.POSITION_CONTROL, targetPosition=0, force=JOINT_FORCE)

    def _set_joint(self, name: str, value: float) -> None:
        self.scene.sim.resetJointState(self.table, self.joints[name], value)

    def _place(self, body: int, position: np.ndarray, angles: Sequence[float] | np.ndarray) -> None:
        sim = self.scene.sim
        sim.resetBasePositionAndOrientation(body, position, sim.getQuaternionFromEuler(angles))
        sim.resetBaseVelocity(body, (0, 0, 0), (0, 0, 0))

    def _scatter(self, random: np.random.Generator) -> None:
        """Draw surfaces, places and turns until no block touches another."""
        sim, bodies = self.scene.sim, list(self.blocks.values())
        surfaces = list(self.layout.starts.values())
        for _ in range(PLACEMENT_TRIES):
            for body in bodies:
                low, high = surfaces[int(random.integers(len(surfaces)))]
                self._place(body, random.uniform(low, high), (0, 0, random.uniform(-np.pi, np.pi)))
            sim.performCollisionDetection()
            pairs = [(a, b) for i, a in enumerate(bodies) for b in bodies[:i]]
            if not any(sim.getContactPoints(bodyA=a, bodyB=b) for a, b in pairs):
                return
        raise RuntimeError("the blocks found no places without touching")


def _official_arm(assets: Path) -> ArmSetup:
    folder = assets / "franka_panda"
    urdf = folder / "panda_longer_finger.urdf"
    if not urdf.is_file():
        raise UserError(f"{assets} holds no CALVIN assets, {urdf} is not there; give the folder 'data' of calvin_env")
    return ArmSetup(urdf, assets)
