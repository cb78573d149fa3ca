"""Videos of several worlds: whose clips come how often, what a chosen world gives, settings that do not go together."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from envs.errors import UserError
from tests import calvin_data, rlbench_data
from train.compose import build, compose
from train.data.joint_video import JointClips, JointVideo, JointVideoConfig
from train.data.robot_video import RobotVideo, RobotVideoConfig

SIDES: dict[str, Any] = {"side": 20, "stride": 2, "held_out": 0.3}
RLBENCH: dict[str, Any] = {"world": "rlbench", "scene": "front", "wrist": "wrist"}


@pytest.fixture(scope="module")
def worlds(tmp_path_factory: pytest.TempPathFactory) -> dict[str, RobotVideoConfig]:
    """A small data set of each world."""
    folder = tmp_path_factory.mktemp("worlds")
    calvin_data.record(folder / "calvin/training", [12, 9, 15, 11])
    rlbench_data.record(folder / "rlbench/training", [7, 8, 9])
    return {
        "calvin": RobotVideoConfig((str(folder / "calvin"),), **SIDES),
        "rlbench": RobotVideoConfig((str(folder / "rlbench"),), **SIDES, **RLBENCH),
    }


def counts(clips: JointClips) -> dict[str, int]:
    return {part.canvas.scene: len(part.clips.sentences) for part in clips.parts}


def joint(config: JointVideoConfig, split: str = "train") -> JointVideo:
    video = config.video(split)
    assert isinstance(video, JointVideo)
    return video


def test_worlds_share_a_batch(worlds: dict[str, RobotVideoConfig]) -> None:
    video = joint(JointVideoConfig(worlds))
    clips = video.sample(np.random.default_rng(0), 10)
    assert counts(clips) == {"static": 5, "front": 5} and clips.frames().shape == (10, 2, 20, 30, 3)
    again = video.sample(np.random.default_rng(0), 10)
    assert clips.frames().equal(again.frames())
    assert {counts(video.sample(np.random.default_rng(seed), 5))["static"] for seed in range(20)} == {2, 3}
    shared = joint(JointVideoConfig(worlds, shares={"calvin": 3}))
    assert counts(shared.sample(np.random.default_rng(0), 8)) == {"static": 6, "front": 2}
    few = [counts(shared.sample(np.random.default_rng(seed), 1)) for seed in range(200)]
    assert 120 < sum(count.get("static", 0) for count in few) < 180  # three quarters
    assert len(video) == sum(len(config.video("train")) for config in worlds.values())


def test_a_sweep_covers_both_worlds(worlds: dict[str, RobotVideoConfig]) -> None:
    config = JointVideoConfig(worlds)
    clips, done = joint(config, "validation").sweep(8)
    assert counts(clips) == {"static": 4, "front": 4} and done.shape == (8, 8) and done.dtype == np.float32
    assert done[:, 7].tolist() == [0] * 4 + [1] * 4
    own = worlds["rlbench"].video("validation").sweep(4)
    assert np.array_equal(done[4:, :7], own[1]) and clips.frames()[4:].equal(own[0].frames())
    codes = np.arange(8).reshape(8, 1, 1)
    figures = joint(config).compare_codes(codes, done)
    assert set(figures) == {f"{key}.{world}" for key in ("motion_from_codes", "codes_used") for world in worlds}
    assert figures["codes_used.rlbench"] == 4


def test_actions_are_those_of_the_chosen_world(worlds: dict[str, RobotVideoConfig]) -> None:
    every = JointVideoConfig(worlds)
    with pytest.raises(UserError, match="labels are those of one world: choose data.world, one of calvin, rlbench"):
        every.video("train").sample_labelled(np.random.default_rng(0), 1, 9)
    with pytest.raises(UserError, match="data.world is empty: actions are told in one world, choose of calvin"):
        assert every.actions
    chosen = JointVideoConfig(worlds, world="rlbench")
    video, own = chosen.video("train"), worlds["rlbench"].video("train")
    assert isinstance(video, RobotVideo) and chosen.actions == 2 and chosen.frame_spec.words == own.canvas.words
    for got in (video, own):
        clips, actions = got.sample_labelled(np.random.default_rng(3), 6, 9)
        assert clips.frames().shape == (6, 2, 20, 30, 3) and actions.shape == (6, 7)
    assert every.frame_spec.words == " and ".join(sorted(config.frame_spec.words for config in worlds.values()))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"worlds": {}}, "data.worlds is empty: name one"),
        ({"shares": {"go": 1}}, "data.shares names go, which is not in data.worlds: there are calvin, rlbench"),
        ({"shares": {"calvin": 0}}, "data.shares.calvin is 0: choose a number above 0"),
        ({"world": "go"}, "data.world is 'go': choose one of calvin, rlbench, or leave it empty for all"),
        ({"worlds": {"go": RobotVideoConfig(("x",))}}, "data.worlds.go shows calvin: name it data.worlds.calvin"),
        (
            {"worlds": {"calvin": RobotVideoConfig(("x",)), "rlbench": RobotVideoConfig(("x",), side=48, **RLBENCH)}},
            "canvases of 96, 48 px do not go together",
        ),
        (
            {"worlds": {"calvin": RobotVideoConfig(("x",)), "rlbench": RobotVideoConfig(("x",), horizon=2, **RLBENCH)}},
            r"data.worlds have different horizons \(1 for calvin, 2 for rlbench\): choose one for all",
        ),
    ],
)
def test_settings_that_do_not_go_together(
    settings: dict[str, Any], message: str, worlds: dict[str, RobotVideoConfig]
) -> None:
    with pytest.raises(UserError, match=message):
        JointVideoConfig(**{"worlds": worlds, **settings})


def test_a_data_set_of_the_other_world_is_refused(worlds: dict[str, RobotVideoConfig]) -> None:
    wrong = RobotVideoConfig(worlds["calvin"].folders, **SIDES, **RLBENCH)
    with pytest.raises(UserError, match="has no pictures of the camera front, only of static and gripper: name"):
        wrong.video("train")


def test_the_command_line_says_it_world_by_world(tmp_path: Path) -> None:
    words = ["stage=tokenizer", "out=x", "data=robots", "model=robot"]
    data = build(compose([*words, "data.worlds.rlbench.folders=[a,b]", "data.shares.rlbench=2"]), "stage").data
    assert isinstance(data, JointVideoConfig) and data.worlds["rlbench"].folders == ("a", "b")
    assert data.worlds["calvin"].world == "calvin" and data.shares == {"calvin": 1, "rlbench": 2}
    assert data.worlds["rlbench"].frame_spec.words == "pictures of the cameras front and wrist, 96 px high"
    with pytest.raises(UserError, match="data.worlds.rlbench.stride is 'far'; choose a whole number"):
        build(compose([*words, "data.worlds.rlbench.stride=far"]), "stage")
