"""What training reads: resized frames in a cache, clips of them, and labels that the world stage cannot see."""

from __future__ import annotations

import dataclasses
import logging
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from envs.errors import UserError
from envs.objects import load_array, object_bytes
from envs.tabletop.canvas import resize
from envs.tabletop.dataset import open_split
from envs.tabletop.frames import frame_name
from tests.calvin_data import record
from train.data import robot_cache
from train.data.robot_clips import RobotClips, RobotDataConfig, VideoClips
from train.data.robot_labels import RobotLabels

LENGTHS = [6, 4, 9, 5, 7]
SMALL = {"static": 10, "gripper": 12}


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Five episodes for training, two for validation; frames carry seed and number in their first pixel."""
    record(tmp_path / "data/training", LENGTHS)
    record(tmp_path / "data/validation", [3, 4], first_seed=50)
    return tmp_path / "data"


def config(*folders: Path, **settings: Any) -> RobotDataConfig:
    """Frames at their own size, so that the first pixel can be read."""
    return RobotDataConfig(tuple(map(str, folders)), **{"cameras": {"static": 20, "gripper": 12}, **settings})


def marks(clips: VideoClips, camera: str = "static") -> np.ndarray:
    """Seed and number of each frame, (B, T, 2)."""
    marked: np.ndarray = clips.frames[camera][:, :, 0, 0, :2]
    return marked


def test_clips_are_consecutive_frames_of_one_episode(data: Path) -> None:
    clips = RobotClips(config(data), "train")
    sampled = clips.sample(np.random.default_rng(0), 200, horizon=3)
    assert sampled.frames["static"].shape == (200, 4, 20, 20, 3) and sampled.frames["static"].dtype == np.uint8
    assert sampled.frames["gripper"].shape == (200, 4, 12, 12, 3)
    seeds, numbers = np.moveaxis(marks(sampled).astype(int), -1, 0)
    assert (seeds == seeds[:, :1]).all() and set(seeds[:, 0]) == set(range(5))
    lengths = np.array(LENGTHS)[seeds[:, 0]]
    wanted = np.minimum(numbers[:, :1] + np.arange(4), lengths[:, None] - 1)
    assert np.array_equal(numbers, wanted)
    assert (numbers[:, 0] < lengths - 1).all() and (numbers[:, -1] == lengths - 1).any()
    assert np.array_equal(marks(sampled), marks(sampled, "gripper"))
    again = clips.sample(np.random.default_rng(0), 200, horizon=3)
    assert np.array_equal(again.frames["static"], sampled.frames["static"])


def test_the_sentence_belongs_to_the_clip(data: Path) -> None:
    clips = RobotClips(config(data), "train")
    assert clips.sentences == ("open it again again now", "open it again now", "open it now")
    sampled = clips.sample(np.random.default_rng(0), 30, horizon=1)
    for seed, number, sentence in zip(marks(sampled)[:, 0, 0], sampled.instructions, sampled.sentences, strict=True):
        assert sentence == clips.sentences[number] == f"open it {'again ' * (int(seed) % 3)}now"


def test_without_padding_clips_are_whole(data: Path) -> None:
    clips = RobotClips(config(data, padded=False), "train")
    sampled = clips.sample(np.random.default_rng(0), 100, horizon=2, stride=3)
    seeds, numbers = np.moveaxis(marks(sampled).astype(int), -1, 0)
    assert set(seeds[:, 0]) == {2, 4} and (np.diff(numbers) == 3).all()
    with pytest.raises(UserError, match="has the 10 frames of a clip: choose a smaller horizon"):
        clips.sample(np.random.default_rng(0), 1, horizon=9)
    with pytest.raises(UserError, match="show no change"):
        clips.sample(np.random.default_rng(0), 1, horizon=0)


def test_a_sweep_covers_the_split(data: Path) -> None:
    clips = RobotClips(config(data), "train")
    every = clips.sweep(1000, horizon=1)
    assert len(every.sentences) == sum(LENGTHS) - len(LENGTHS) and len(clips) == len(LENGTHS)
    some = clips.sweep(7, horizon=1)
    assert len(some.sentences) == 7 and set(marks(some)[:, 0, 0]) >= {0, 2, 4}


def test_validation_is_the_folders_own_or_episodes_held_out(data: Path, tmp_path: Path) -> None:
    assert set(marks(RobotClips(config(data), "validation").sweep(99, 1))[:, 0, 0]) == {50, 51}
    record(tmp_path / "more/training", [4] * 6)
    both = [
        set(marks(RobotClips(config(tmp_path / "more", held_out=0.3), split).sweep(99, 1))[:, 0, 0].tolist())
        for split in ("train", "validation")
    ]
    assert len(both[1]) == 2 and both[0] | both[1] == set(range(6)) and not both[0] & both[1]


def test_several_folders_are_one(data: Path, tmp_path: Path) -> None:
    record(tmp_path / "more/training", [4] * 3, first_seed=20)
    clips = RobotClips(config(data, tmp_path / "more"), "train")
    sampled = clips.sample(np.random.default_rng(0), 300, horizon=1)
    seeds = set(marks(sampled)[:, 0, 0].tolist())
    assert seeds > set(range(5)) and len(seeds & {20, 21, 22}) == 2  # one is held out
    assert sampled.frames["gripper"].shape == (300, 2, 12, 12, 3)


# What the world stage gets


def without_labels(folder: Path) -> None:
    """Remove every action, state and name of a task from a split."""
    for path in folder.glob("episode_*.npz"):
        with np.load(path) as frame:
            pictures = {key: frame[key] for key in ("rgb_static", "rgb_gripper")}
        np.savez(path, **pictures)
    path = folder / "lang_annotations/auto_lang_ann.npy"
    told = load_array(path).item()
    del told["language"]["task"], told["language"]["emb"]
    path.write_bytes(object_bytes(told))


def test_clips_are_made_of_frames_and_sentences_alone(data: Path, tmp_path: Path) -> None:
    before = RobotClips(config(data), "train").sample(np.random.default_rng(3), 20, horizon=2)
    for split in ("training", "validation"):
        without_labels(data / split)
    after = RobotClips(config(data), "train").sample(np.random.default_rng(3), 20, horizon=2)
    assert np.array_equal(before.frames["static"], after.frames["static"]) and before.sentences == after.sentences
    assert {field.name for field in dataclasses.fields(VideoClips)} == {"frames", "instructions", "sentences"}
    for clips in (RobotClips(config(data), "train"), after):
        reached = {name.lower() for name in (*dir(clips), *vars(clips))}
        assert not [name for name in reached if any(word in name for word in ("action", "state_obs", "robot", "task"))]
    index = next((data / "training/.clips").glob("*/index.json")).read_text()
    assert "open_drawer" not in index and "action" not in index
    with pytest.raises(UserError, match="has no rel_actions, only rgb_static, rgb_gripper"):
        RobotLabels(config(data), "train")


def test_clips_do_not_know_of_labels() -> None:
    for name in ("robot_clips", "robot_cache"):
        source = Path(robot_cache.__file__).with_name(f"{name}.py").read_text()
        assert "robot_labels import" not in source
        assert not [word for word in ("rel_actions", "robot_obs", "scene_obs", ".task") if word in source]


def test_labels_go_with_the_same_clips(data: Path) -> None:
    labels, clips = RobotLabels(config(data), "train"), RobotClips(config(data), "train")
    rng = np.random.default_rng
    for horizon, stride in ((1, 1), (3, 1), (2, 3)):
        got, told = labels.sample(rng(1), 50, horizon, stride)
        assert np.array_equal(got.frames["static"], clips.sample(rng(1), 50, horizon, stride).frames["static"])
        assert told.shape == (50, horizon, 7) and told.dtype == np.float32
        split = open_split(data)
        first = np.cumsum([0, *LENGTHS])
        for clip in range(50):
            seed, numbers = int(marks(got)[clip, 0, 0]), marks(got)[clip, :, 1].astype(int)
            frames = split.frames(int(first[seed]), int(first[seed + 1]) - 1, ["rel_actions"])
            for step, (start, end) in enumerate(zip(numbers, numbers[1:], strict=False)):
                wanted = frames["rel_actions"][start:end, :6].sum(0)
                assert told[clip, step, :6] == pytest.approx(wanted, abs=1e-5)
                assert told[clip, step, 6] == frames["rel_actions"][max(end - 1, numbers[0]), 6]
    assert len(list((data / "training/.labels").iterdir())) == 1
    (data / "training" / frame_name(3)).unlink()  # it is not read again
    RobotLabels(config(data), "train")


# The cache


def test_frames_shrink_by_area() -> None:
    picture = np.random.default_rng(0).integers(0, 256, (200, 200, 3), dtype=np.uint8)
    exact = picture.reshape(50, 4, 50, 4, 3).mean((1, 3))
    assert np.abs(resize(picture, (50, 50)) - exact).max() < 0.51
    fine = picture.repeat(16, 0).repeat(16, 1)  # 3200 is a multiple of 128
    exact = fine.reshape(128, 25, 128, 25, 3).mean((1, 3))
    assert np.abs(resize(picture, (128, 128)) - exact).max() < 0.51
    assert np.array_equal(resize(picture, (400, 400)), picture.repeat(2, 0).repeat(2, 1))
    assert resize(picture, (200, 200)) is picture and resize(picture[:, :150], (64, 64)).shape == (64, 64, 3)


def test_the_cache_is_used_until_the_data_changes(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    RobotClips(config(data, cameras=SMALL), "train")
    with monkeypatch.context() as patch:
        patch.setattr(robot_cache, "_build", lambda *told: pytest.fail("built again"))
        clips = RobotClips(config(data, cameras=SMALL), "train")
        assert clips.sample(np.random.default_rng(0), 2, 1).frames["static"].shape == (2, 2, 10, 10, 3)
    record(data / "training", [8], first_seed=5)
    assert len(RobotClips(config(data, cameras=SMALL), "train")) == 6
    assert len(list((data / "training/.clips").iterdir())) == 2  # frames and lock
    frames = next((data / "training/.clips").glob("*/frames.npy"))
    frames.write_bytes(frames.read_bytes()[:1000])
    assert len(RobotClips(config(data, cameras=SMALL), "train")) == 6


def test_an_interrupted_build_leaves_nothing(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(robot_cache, "resize", lambda *told: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            RobotClips(config(data), "train")
    assert [path.suffix for path in (data / "training/.clips").iterdir()] == [".lock"]
    assert len(RobotClips(config(data), "train")) == 5


def test_windows_with_damaged_frames_are_left_out(data: Path, caplog: pytest.LogCaptureFixture) -> None:
    (data / "training" / frame_name(7)).write_bytes(b"half")
    with caplog.at_level(logging.WARNING):
        clips = RobotClips(config(data), "train")
    assert set(marks(clips.sweep(99, 1))[:, 0, 0]) == {0, 2, 3, 4}
    assert "episode_0000007.npz is damaged" in caplog.text and "1 of 5 windows have damaged frames" in caplog.text
    for path in (data / "training").glob("episode_*.npz"):
        path.write_bytes(b"")
    with pytest.raises(UserError, match="no window of .* can be read: get the data set again"):
        RobotClips(config(data, cameras=SMALL), "train")


def test_only_what_is_annotated_is_used_unless_told_otherwise(data: Path) -> None:
    for split in ("training", "validation"):
        path = data / split / "lang_annotations/auto_lang_ann.npy"
        told = load_array(path).item()
        told["language"] = {key: values[:2] for key, values in told["language"].items()}
        told["info"]["indx"] = [(1, 4), (2, 5)]  # they overlap
        if split == "validation":
            told["info"]["indx"] = [(0, 2), (3, 6)]
        path.write_bytes(object_bytes(told))
    clips = RobotClips(config(data), "train")
    assert set(map(tuple, marks(clips.sweep(99, 1)).reshape(-1, 2).tolist())) == {(0, n) for n in range(1, 6)}
    assert np.load(next((data / "training/.clips").glob("*/frames.npy"))).shape[0] == 5
    whole = RobotClips(config(data, annotated=False), "train")
    assert len(whole) == 5 and whole.sentences == ("",)
    (data / "training/lang_annotations/auto_lang_ann.npy").unlink()
    with pytest.raises(UserError, match="nothing in .*training is annotated: give .*data.annotated=false"):
        RobotClips(config(data), "train")


def test_one_camera_and_a_cache_elsewhere(data: Path, tmp_path: Path) -> None:
    clips = RobotClips(config(data, cameras={"static": 20}, cache=str(tmp_path / "cache")), "train")
    assert set(clips.sample(np.random.default_rng(0), 3, 1).frames) == {"static"}
    assert not (data / "training/.clips").exists()
    RobotLabels(config(data, cameras={"static": 20}, cache=str(tmp_path / "cache")), "train")
    assert not (data / "training/.labels").exists()
    with pytest.raises(UserError, match="cannot write to .*; make room, or name another folder with data.cache"):
        RobotClips(config(data, cache=str(data / "training/ep_lens.npy")), "train")


def test_cameras_that_a_data_set_has_not_are_one_sentence(data: Path) -> None:
    with pytest.raises(UserError, match="has no pictures of the camera front, only of static and gripper: name"):
        RobotClips(config(data, cameras={"front": 20, "gripper": 12}), "train")


def test_a_full_disk_is_one_sentence(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = SimpleNamespace(f_bavail=1000, f_bfree=1000, f_blocks=10**9, f_frsize=1)
    monkeypatch.setattr(os, "statvfs", lambda path: usage)
    with pytest.raises(UserError, match="31 frames of .*training take 0.0 GB at training size, but .* has 0.0 GB left"):
        RobotClips(config(data), "train")


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"folders": ()}, "data.folders is empty: name a data set"),
        ({"cameras": {"static": 5000}}, r"of the camera static of \(5000, 5000\) px: choose sides of 1 to 1024"),
        ({"cameras": {}}, "no camera is named: name one"),
        ({"held_out": 1.0}, "data.held_out is 1.0: choose a share"),
    ],
)
def test_mistakes_are_one_sentence(settings: dict[str, Any], sentence: str) -> None:
    with pytest.raises(UserError, match=sentence):
        RobotDataConfig(**{"folders": ("x",), **settings})
    with pytest.raises(ValueError, match="unknown split 'test'"):
        RobotClips(RobotDataConfig(("x",)), "test")


def test_reading_needs_no_torch_and_no_simulator() -> None:
    code = "import sys, train.data.robot_labels; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=True)
    assert not {"torch", "pybullet", "pygame"} & set(done.stdout.split())
