"""The simulation behind a tabletop: one PyBullet world, its bodies, and states to come back to."""

from __future__ import annotations

import ctypes
import importlib.util
import os
import shutil
import sys
import tempfile
import weakref
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from envs.errors import UserError
from envs.tabletop.solids import Link, Vector, paint_atlas, write_body

GRAVITY = -9.8  # m/s2
SIMULATION_HZ = 240
SOLVER_ITERATIONS = 50


def load_pybullet() -> ModuleType:
    """The simulator's module; raises UserError with the line that installs it."""
    try:
        with quiet(2):  # it tells when it was built
            import pybullet
    except ImportError as error:
        raise UserError(
            "the robots' simulator is not installed: run `pip install 'videoworld-agents[robots]'`"
        ) from error
    return pybullet


@contextmanager
def quiet(descriptor: int = 1) -> Iterator[None]:
    """Keep what PyBullet's library prints away from stdout (1), which belongs to results, or from stderr (2)."""
    (sys.stdout if descriptor == 1 else sys.stderr).flush()
    kept = os.dup(descriptor)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, descriptor)
        yield
    finally:
        if os.name == "posix":
            ctypes.CDLL(None).fflush(None)  # what the library has printed may still wait in C's buffer
        os.dup2(kept, descriptor)
        os.close(kept)
        os.close(nowhere)


class Scene:
    """One world of PyBullet, without a window, at 240 steps a second.

    `sim` has PyBullet's functions, bound to this world.
    """

    def __init__(self, *, opengl: bool = False) -> None:
        """Start an empty world with gravity.

        opengl: draw through EGL; that has to be known before there are bodies.

        Raises:
            UserError: PyBullet is missing, or EGL does not start.
        """
        pybullet = load_pybullet()
        from pybullet_utils.bullet_client import BulletClient

        with quiet():
            self.sim: Any = BulletClient(pybullet.DIRECT)
            if opengl and not self._start_opengl():
                raise UserError("renderer 'egl' does not start on this machine; choose 'fast' or 'tiny'")
        self.opengl = opengl
        self.textures: dict[tuple[int, int], Path] = {}  # (body, link) painted over -> picture, for our own renderer
        self.fixed: set[int] = set()  # bodies whose bases never move
        self.folder = Path(tempfile.mkdtemp(prefix="tabletop-"))  # where the files of bodies of our own are written
        self._remove_folder = weakref.finalize(self, shutil.rmtree, self.folder, ignore_errors=True)
        self.sim.setGravity(0, 0, GRAVITY)
        self.sim.setPhysicsEngineParameter(
            fixedTimeStep=1 / SIMULATION_HZ, numSolverIterations=SOLVER_ITERATIONS, deterministicOverlappingPairs=1
        )

    def add(
        self, name: str, links: Sequence[Link], atlas: np.ndarray | None = None, *, at: Vector = (0, 0, 0), fixed: bool
    ) -> int:
        """Put a body made of links into the world and return its id; atlas: its texture uint8 (128, 128, 3)."""
        path = write_body(name, links, self.folder, paint_atlas() if atlas is None else atlas)
        return self.load(path, at=at, fixed=fixed)

    def load(
        self,
        path: Path,
        *,
        at: Vector = (0, 0, 0),
        orientation: Sequence[float] = (0, 0, 0, 1),
        fixed: bool,
        **how: Any,
    ) -> int:
        """Load a URDF file and return the body's id; `how` goes to PyBullet's loadURDF."""
        if not path.is_file():
            raise UserError(f"{path} is not there; give the folder that holds CALVIN's assets")
        body = int(self.sim.loadURDF(str(path), at, useFixedBase=fixed, **how))
        if fixed:
            self.fixed.add(body)
        return body

    def paint(self, body: int, picture: Path) -> None:
        """Cover a whole body with a picture."""
        texture = self.sim.loadTexture(str(picture))
        for link in range(-1, self.sim.getNumJoints(body)):
            self.sim.changeVisualShape(body, link, textureUniqueId=texture)
            self.textures[body, link] = picture

    def joints(self, body: int) -> dict[str, int]:
        """Joint names of a body -> their indices."""
        return {self.sim.getJointInfo(body, i)[1].decode(): i for i in range(self.sim.getNumJoints(body))}

    def links(self, body: int) -> dict[str, int]:
        """Link names of a body -> their indices, the base's name -> -1."""
        names = {self.sim.getJointInfo(body, i)[12].decode(): i for i in range(self.sim.getNumJoints(body))}
        return {**names, self.sim.getBodyInfo(body)[0].decode(): -1}

    def joint(self, body: int, joint: int) -> float:
        """Where a joint stands, m or rad."""
        return float(self.sim.getJointState(body, joint)[0])

    def simulate(self, steps: int) -> None:
        """Let 1/240 s pass that many times."""
        for _ in range(steps):
            self.sim.stepSimulation()

    def save(self) -> int:
        """Keep the state of all bodies in memory; `restore` comes back to it, `forget` lets it go."""
        return int(self.sim.saveState())

    def restore(self, state: int) -> None:
        """Go back to a state that `save` has kept. Motor targets are not part of it."""
        self.sim.restoreState(stateId=state)

    def forget(self, state: int) -> None:
        """Free the memory of a saved state."""
        self.sim.removeState(state)

    def _start_opengl(self) -> bool:
        plugin = importlib.util.find_spec("eglRenderer")
        if plugin is None or plugin.origin is None:
            return False
        return int(self.sim.loadPlugin(plugin.origin, "_eglRendererPlugin")) >= 0

    def close(self) -> None:
        """End the world; calling it again does nothing."""
        if self._remove_folder.alive:
            with quiet():
                self.sim.disconnect()
            self._remove_folder()
