"""CALVIN's own assets under the built-in world, and its own package behind the environment."""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from envs.calvin import official
from envs.calvin.env import CalvinEnv
from envs.calvin.world import Command
from envs.errors import UserError

pytest.importorskip("pybullet", reason="the simulator (extra robots) is not installed")

ASSETS = os.environ.get("CALVIN_ASSETS", "")
needs_assets = pytest.mark.skipif(
    not Path(ASSETS, "franka_panda").is_dir(), reason="CALVIN_ASSETS does not name the folder 'data' of calvin_env"
)
STATE = np.zeros(24)
STATE[[0, 1, 3, 4]] = 0.1, 0.12, 0.088, 1
STATE[6:9], STATE[12:15], STATE[18:21] = (0.1, -0.08, 0.46), (0.3, -0.06, 0.46), (-0.2, 0.09, 0.46)


@needs_assets
@pytest.mark.parametrize("scene", ["A", "B", "C", "D"])
def test_the_built_in_table_measures_the_same_as_the_official_one(scene: str) -> None:
    boxes, links = [], []
    for assets in (None, ASSETS):
        env = CalvinEnv(scene=scene, cameras=(), assets=assets)
        world: Any = env.world
        table = world.table.table
        links.append(world.table.links)
        boxes.append(np.array([world.scene.sim.getAABB(table, link) for link in range(-1, 7)]))
        env.close()
    own, theirs = links
    assert {name: own[name] for name in theirs if name in own} == {name: theirs[name] for name in theirs if name in own}
    # Contact margins are 3 mm on a side; their moving links are hulls with wider ones, in boxes that are not turned.
    margins = np.array([0.004, 0.006, 0.03, 0.05, 0.008, 0.006, 0.008, 0.008])
    assert (np.abs(boxes[0] - boxes[1]).max((1, 2)) <= margins).all()


@needs_assets
def test_depth_pictures_agree_with_those_of_the_official_assets() -> None:
    seen = []
    for assets, renderer in ((None, "fast"), (ASSETS, "tiny")):
        env = CalvinEnv(assets=assets, renderer=renderer)
        seen.append(env.reset(options={"scene_obs": STATE})[0])
        env.close()
    own, theirs = seen
    assert own["robot_obs"] == pytest.approx(theirs["robot_obs"], abs=1e-3)
    assert own["scene_obs"] == pytest.approx(theirs["scene_obs"], abs=0.01)
    for camera in ("static", "gripper"):
        apart = np.abs(own[f"depth_{camera}"] - theirs[f"depth_{camera}"])
        assert np.median(apart) < 0.003
        assert (apart < 0.03).mean() > 0.85


def test_folders_without_assets_are_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="assets folder .*nowhere is not there"):
        CalvinEnv(assets=tmp_path / "nowhere")
    with pytest.raises(UserError, match=r"holds no CALVIN assets, .*urdf is not there; give the folder 'data'"):
        CalvinEnv(assets=tmp_path)


@pytest.mark.skipif(importlib.util.find_spec("calvin_env") is not None, reason="calvin_env is installed")
def test_the_missing_package_is_named() -> None:
    with pytest.raises(UserError, match="needs the package calvin_env, which is not installed: follow https://github"):
        CalvinEnv(backend="official")


class FakeOfficialEnv:
    """What the adapter uses of `PlayTableSimEnv`."""

    def __init__(self) -> None:
        self.scene = type("Scene", (), {"np_random": None})()
        self.calls: list[Any] = []

    def _obs(self) -> dict[str, Any]:
        return {
            "rgb_obs": {"rgb_static": np.full((20, 20, 3), len(self.calls), np.uint8)},
            "depth_obs": {"depth_static": np.ones((20, 20))},
            "robot_obs": np.arange(15) / 10,
            "scene_obs": np.arange(24),
        }

    def reset(self, **state: Any) -> dict[str, Any]:
        self.calls.append(("reset", state))
        return self._obs()

    def step(self, action: dict[str, Any]) -> tuple[dict[str, Any], int, bool, dict[str, Any]]:
        assert action["action"][-1] in (-1, 1)
        self.calls.append(action)
        return self._obs(), 0, False, {}

    def get_info(self) -> dict[str, Any]:
        return {"robot_info": {"contacts": []}, "scene_info": {}}

    def close(self) -> None:
        print("disconnecting")


def test_the_adapter_speaks_the_official_environments_language(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    fake = FakeOfficialEnv()
    monkeypatch.setattr(official, "make_official_env", lambda *arguments, **options: fake)
    env = CalvinEnv(backend="official", cameras=["static"], sizes={"static": 20}, render_mode="rgb_array")
    observation, info = env.reset(seed=3)
    assert observation in env.observation_space and "robot_info" in info
    assert fake.scene.np_random is env.np_random, "its draws follow the seed"
    observation, *_ = env.step(np.array([0.5, 0, 0, 0, 0, 0, 0.2], np.float32))
    assert fake.calls[-1]["type"] == "cartesian_rel"
    assert fake.calls[-1]["action"] == pytest.approx([0.5, 0, 0, 0, 0, 0, 1])
    assert observation["rgb_static"][0, 0, 0] == len(fake.calls)
    env.step({"type": "joint_abs", "action": np.zeros(8)})
    assert fake.calls[-1]["type"] == "joint_abs" and len(fake.calls[-1]["action"]) == 8
    env.reset(options={"scene_obs": STATE})
    assert fake.calls[-1][1]["robot_obs"] is None and np.array_equal(fake.calls[-1][1]["scene_obs"], STATE)
    picture = env.render()
    assert picture is not None and picture.shape == (480, 480, 3)
    env.close()
    assert capsys.readouterr().out == ""
    assert Command("relative", np.zeros(6), 1).gripper == 1
