"""The official package `calvin_env` behind the same environment, where it is installed."""

from __future__ import annotations

import contextlib
import importlib.util
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from envs.calvin.layouts import layout
from envs.calvin.world import Command
from envs.errors import UserError

# Kind of a command -> the name of the same in the official package's dict form.
_NAMES = {
    "relative": "cartesian_rel",
    "absolute": "cartesian_abs",
    "joint_relative": "joint_rel",
    "joint_absolute": "joint_abs",
}


class OfficialWorld:
    """A `World` whose simulation is the official package's, which draws its pictures in every step."""

    def __init__(self, scene: str, sizes: dict[str, tuple[int, int]], *, egl: bool = False) -> None:
        """Start the official environment; sizes: camera -> (height, width). Raises UserError where it is missing."""
        layout(scene)
        self.env = make_official_env(scene, sizes, egl=egl)
        self._seen: dict[str, Any] = {}

    def reset(self, random: np.random.Generator) -> None:
        """Start anew with scattered blocks."""
        self.env.scene.np_random = random
        self._seen = self.env.reset()

    def reset_to(self, robot_obs: np.ndarray | None, scene_obs: np.ndarray | None) -> None:
        """Start anew from a state, (15,) and (24,)."""
        self._seen = self.env.reset(robot_obs=robot_obs, scene_obs=scene_obs)

    def act(self, command: Command) -> None:
        """Let 1/30 s pass under a command."""
        action = {"type": _NAMES[command.kind], "action": np.append(command.values, command.gripper)}
        self._seen = self.env.step(action)[0]

    def states(self) -> tuple[np.ndarray, np.ndarray]:
        """robot_obs float64 (15,) and scene_obs float64 (24,)."""
        return np.asarray(self._seen["robot_obs"], np.float64), np.asarray(self._seen["scene_obs"], np.float64)

    def picture(self, camera: str) -> tuple[np.ndarray, np.ndarray]:
        """What a camera saw after the last step: uint8 (H, W, 3), and depth float32 (H, W) in m."""
        rgb = np.asarray(self._seen["rgb_obs"][f"rgb_{camera}"], np.uint8)
        return rgb, np.asarray(self._seen["depth_obs"][f"depth_{camera}"], np.float32)

    def overview(self, size: int) -> np.ndarray:
        """The static camera's last picture, enlarged to uint8 (size, size, 3); black where there is no such camera."""
        rgb = self._seen.get("rgb_obs", {}).get("rgb_static")
        if rgb is None:
            return np.zeros((size, size, 3), np.uint8)
        rows, columns = (np.arange(size) * side // size for side in rgb.shape[:2])
        return np.asarray(rgb, np.uint8)[rows][:, columns]

    def info(self) -> dict[str, Any]:
        """CALVIN's info."""
        info: dict[str, Any] = self.env.get_info()
        return info

    def close(self) -> None:
        """End the simulation."""
        with _quiet():
            self.env.close()


def make_official_env(scene: str, sizes: dict[str, tuple[int, int]], *, egl: bool) -> Any:
    """A `PlayTableSimEnv` of the installed package, composed from its own configuration."""
    found = importlib.util.find_spec("calvin_env")
    if found is None or found.origin is None:
        raise UserError(
            "backend 'official' needs the package calvin_env, which is not installed: follow "
            "https://github.com/mees/calvin_env, or choose backend 'builtin'"
        )
    import hydra

    root = Path(found.origin).parents[1]
    if not (root / "conf").is_dir():
        raise UserError(f"calvin_env's configuration is not in {root}; install it from its repository with pip -e")
    wanted = ["cameras=static_and_gripper", f"scene=calvin_scene_{scene}", f"data_path={root / 'data'}"]
    for name in ("static", "gripper"):
        if name in sizes:
            height, width = sizes[name]
            wanted += [f"cameras.{name}.height={height}", f"cameras.{name}.width={width}"]
        else:
            wanted.append(f"~cameras.{name}")
    with _quiet(), hydra.initialize_config_dir(str(root / "conf"), version_base="1.1"):
        config = hydra.compose("config_data_collection", overrides=wanted)
        return hydra.utils.instantiate(config.env, show_gui=False, use_vr=False, use_scene_info=True, use_egl=egl)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """The package prints to stdout, which belongs to results."""
    with contextlib.redirect_stdout(io.StringIO()):
        yield
