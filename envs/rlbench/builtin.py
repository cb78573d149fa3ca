"""Our own world of RLBench's tasks, on PyBullet."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice
from typing import Any

import numpy as np

from envs.rlbench.robot import HOME, Robot, reaches
from envs.rlbench.room import build_room, make_camera
from envs.rlbench.sight import Sight, state_size
from envs.rlbench.situation import Situation, as_turn
from envs.rlbench.task import Colour, Task
from envs.rlbench.tasks import check_variation, task_named
from envs.rlbench.world import CONTROL_HZ, Command, SimulatorError
from envs.tabletop.camera import Camera, check_renderer, make_renderer
from envs.tabletop.scene import SIMULATION_HZ, Scene, load_pybullet

SUBSTEPS = SIMULATION_HZ // CONTROL_HZ
SETTLING = 10  # ticks in a reset
PLACEMENT_TRIES = 40
CLEAR = 0.02  # m that a placed thing keeps from the arm
POSE_TICKS = 40  # in which a pose command ends at the latest
RESTING = 0.002  # rad a tick; an arm slower than this stands still


class Theatre:
    """One task's bodies in a simulation, with the arm, the room and a renderer: what `BuiltinWorld` plays on."""

    def __init__(self, task: Task, renderer: str) -> None:
        self.task = task
        self.scene = Scene(opengl=renderer == "egl")
        self.robot = Robot(self.scene)
        self.room = build_room(self.scene)
        self.bodies: dict[str, int] = {}
        self.joints: dict[str, tuple[int, int]] = {}  # name -> body, index
        self._links: dict[str, dict[str, int]] = {}  # thing -> its links' indices
        self._tints: dict[tuple[int, int], Colour] = {}
        for thing in task.things:
            body = self.bodies[thing.name] = self.scene.add(thing.name, thing.links, fixed=True)
            self.scene.fixed.discard(body)  # placed anew in every episode, so no picture of it may be kept
            self._links[thing.name], indices = self.scene.links(body), self.scene.joints(body)
            for joint, hold in thing.joints.items():
                self.joints[joint] = body, indices[joint]
                self._hold(body, indices[joint], hold.force, hold.spring)
        self.draw = make_renderer(renderer, self.scene)
        self.clean = self.scene.save()

    def place(self, thing: str, position: Sequence[float] | np.ndarray, yaw: float = 0.0) -> None:
        """Put a thing's frame at a place (3,) m in the world."""
        sim, body = self.scene.sim, self.bodies[thing]
        turn = sim.getQuaternionFromEuler((0.0, 0.0, yaw))
        centre = sim.getDynamicsInfo(body, -1)[3:5]  # PyBullet places a base by its centre of mass
        sim.resetBasePositionAndOrientation(body, *sim.multiplyTransforms(position, turn, *centre))

    def set_joint(self, joint: str, value: float) -> None:
        """Let a joint start there, m or rad."""
        self.scene.sim.resetJointState(*self.joints[joint], value)

    def paint(self, thing: str, link: str, colour: Colour) -> None:
        """Tint a link, 0..1."""
        place = self.bodies[thing], self._links[thing][link]
        if self._tints.get(place) != colour:
            self._tints[place] = colour
            self.scene.sim.changeVisualShape(*place, rgbaColor=(*colour, 1))
            self.draw.set_colour(*place, colour)

    def things_state(self) -> np.ndarray:
        """task_low_dim_state: each thing's pose (7,), then its joints."""
        sim, values = self.scene.sim, []
        for thing in self.task.things:
            body = self.bodies[thing.name]
            centre = sim.invertTransform(*sim.getDynamicsInfo(body, -1)[3:5])
            position, turn = sim.multiplyTransforms(*sim.getBasePositionAndOrientation(body), *centre)
            values += [*position, *(np.array(turn) * (1 if turn[3] >= 0 else -1))]
            values += [self.scene.joint(*self.joints[joint]) for joint in thing.joints]
        return np.array(values, np.float64)

    def states(self) -> dict[str, np.ndarray]:
        """The world's states."""
        return {**self.robot.states, "task_low_dim_state": self.things_state()}

    def is_clear(self) -> bool:
        """Whether no thing is near the arm."""
        sim = self.scene.sim
        sim.performCollisionDetection()
        return not any(sim.getClosestPoints(self.robot.body, body, CLEAR) for body in self.bodies.values())

    def is_reachable(self, variation: int) -> bool:
        """Whether the arm can go the first waypoints of the script, as it is without noise."""
        see = Situation(self.task.things, variation, np.random.default_rng(0), 0.0)
        see.look(self.states())
        joints = HOME
        for waypoint in islice(self.task.script(see), self.task.checked):
            found = reaches(waypoint.pose[:3], as_turn(waypoint.pose[3:]), joints)
            if found is None:
                return False
            joints = found
        return True

    def _hold(self, body: int, joint: int, force: float, spring: bool) -> None:
        sim = self.scene.sim
        sim.changeDynamics(body, joint, linearDamping=0, angularDamping=0, jointDamping=0.02)
        if spring:
            sim.setJointMotorControl2(body, joint, sim.POSITION_CONTROL, 0.0, force=force)
        else:
            sim.setJointMotorControl2(body, joint, sim.VELOCITY_CONTROL, targetVelocity=0.0, force=force)


class BuiltinWorld:
    """A `World` whose tasks are the files of `envs.rlbench.tasks`."""

    def __init__(self, sizes: dict[str, tuple[int, int]], *, renderer: str = "fast") -> None:
        """Prepare; sizes: camera -> (height, width) px. The simulation starts with the first reset.

        Raises:
            UserError: there is no such renderer, or PyBullet is not installed.
        """
        load_pybullet()
        check_renderer(renderer)
        self.sizes, self.renderer = dict(sizes), renderer
        self._theatre: Theatre | None = None
        self._cameras: dict[str, Camera] = {}
        self._variation = 0
        self._trouble: str | None = None

    def variations(self, task: str) -> int:
        """How many variations a task has; UserError for an unknown one."""
        return task_named(task).variations

    def state_size(self, task: str) -> int:
        """How many numbers the task's task_low_dim_state has; UserError for an unknown one."""
        return state_size(task_named(task).things)

    def reset(self, task: str, variation: int | None, random: np.random.Generator) -> None:
        """Start an episode; no variation: drawn. UserError for what is unknown or out of range; SimulatorError."""
        chosen = task_named(task)
        if variation is not None:
            check_variation(task, variation)
        if self._theatre is None or self._theatre.task is not chosen:
            self.close()
            self._theatre = Theatre(chosen, self.renderer)
            robot = self._theatre.robot
            self._cameras = {
                name: make_camera(name, size, robot.body, robot.arm.camera_link) for name, size in self.sizes.items()
            }
        theatre = self._theatre
        self._rewind(theatre)
        # Drawn in any case, so that a variation that is asked for has the same places as one that is drawn.
        drawn = int(random.integers(chosen.variations))
        self._variation = drawn if variation is None else variation
        chosen.show(theatre, False)
        for _ in range(PLACEMENT_TRIES):
            place = chosen.draw_place(random)
            if place is not None:
                theatre.place(chosen.things[0].name, *place)
            chosen.begin(theatre, self._variation, random)
            if theatre.is_clear() and theatre.is_reachable(self._variation):
                break
        else:
            raise SimulatorError(f"task {task} found no place within the arm's reach; take another seed")
        theatre.scene.simulate(SETTLING * SUBSTEPS)
        self._conditions = tuple(chosen.conditions(self._variation))
        self._start, self._now = Sight(chosen.things), Sight(chosen.things)
        self._start.look(theatre.states())
        self._now.look(theatre.states())
        self._trouble, self._success = None, False

    def act(self, command: Command) -> None:
        """Carry out a command as far as it goes."""
        theatre = self._playing()
        robot = theatre.robot
        self._trouble = robot.lead(command)
        ticks = POSE_TICKS if command.kind == "pose" else 1
        for _ in range(ticks):
            before = robot.arm.joints
            theatre.scene.simulate(SUBSTEPS)
            self._look(theatre)
            moved = float(np.abs(robot.arm.joints - before).max())
            if self._success or (robot.arrived and moved < RESTING):
                break

    def states(self) -> dict[str, np.ndarray]:
        """The entries of `STATES` and task_low_dim_state, each float64 (n,).

        task_low_dim_state: of each of the task's things the pose (7,), then its joints, m or rad.
        """
        return self._playing().states()

    def ahead(self) -> np.ndarray:
        """How far the target is ahead of the tip, (6,) m and rad."""
        return self._playing().robot.ahead

    def picture(self, camera: str) -> tuple[np.ndarray, np.ndarray]:
        """What a camera sees: uint8 (H, W, 3), and depth float32 (H, W) in m."""
        return self._playing().draw(self._cameras[camera])

    def overview(self, size: int) -> np.ndarray:
        """The front camera's picture uint8 (size, size, 3)."""
        theatre = self._playing()
        return theatre.draw(make_camera("front", (size, size), theatre.robot.body, 0))[0]

    def info(self) -> dict[str, Any]:
        """How the episode stands; see `World.info`."""
        task = self._playing().task
        words = task.words[self._variation]
        return {
            "task": task.name,
            "variation": self._variation,
            "descriptions": [words.protocol, *words.own],
            "success": self._success,
            "failed": False,
            "trouble": self._trouble,
        }

    def close(self) -> None:
        """End the simulation; calling it again does nothing."""
        if self._theatre is not None:
            self._theatre.scene.close()
            self._theatre = None

    def _playing(self) -> Theatre:
        assert self._theatre is not None, "reset comes first"
        return self._theatre

    def _look(self, theatre: Theatre) -> None:
        """See whether the task is solved."""
        self._now.look(theatre.states())
        self._success = all(condition.met(self._start, self._now) for condition in self._conditions)
        theatre.task.show(theatre, self._success)

    def _rewind(self, theatre: Theatre) -> None:
        """Go back to the state after loading, and let steps from there replace the solver's memory of the last ones."""
        theatre.scene.restore(theatre.clean)
        theatre.robot.reset()
        theatre.scene.simulate(3)
        theatre.scene.restore(theatre.clean)
        theatre.robot.reset()
