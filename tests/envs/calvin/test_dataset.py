"""Data sets on the disk: what is written comes back, official ones with their gaps and damages are read."""

from __future__ import annotations

import logging
import zipfile
from pathlib import Path

import numpy as np
import pytest
import yaml

from envs.calvin.dataset import calvin_kind
from envs.calvin.language import VALIDATION
from envs.errors import UserError
from envs.objects import object_bytes
from envs.tabletop.dataset import DatasetSplit, Window, open_split
from envs.tabletop.dataset_writer import DatasetWriter
from envs.tabletop.frames import DamagedFrameError, encode_frame, frame_name, relative_action
from tests.calvin_data import SIZES, observations, record

KEYS = ("rgb_static", "rgb_gripper")


def test_what_is_written_comes_back(tmp_path: Path) -> None:
    record(tmp_path / "training", [5, 3])
    split = open_split(tmp_path)
    assert split.episodes.tolist() == [[0, 4], [5, 7]] and len(split) == 8
    assert split.windows == (
        Window(0, 4, "open it now", "open_drawer"), Window(5, 7, "open it again now", "open_drawer"),
    )  # fmt: skip
    seen = list(observations(3, 1))
    for number, observation in enumerate(seen):
        frame = split.frame(5 + number)
        assert set(frame) == {"actions", "rel_actions", "robot_obs", "scene_obs", "rgb_static", "rgb_gripper"}
        assert all(np.array_equal(frame[key], observation[key]) for key in observation)
        following = seen[min(number + 1, 2)]["robot_obs"]
        assert np.array_equal(frame["actions"], np.append(following[:6], following[14]))
    stacked = split.frames(5, 7, ["rgb_static", "actions"])
    assert (stacked["rgb_static"].shape, stacked["actions"].shape) == ((3, 20, 20, 3), (3, 7))
    assert split.scene_of(6) == "D" and split.episode_of(6) == 1 and split.episode_of(8) is None


def test_the_files_are_those_that_calvins_tools_expect(tmp_path: Path) -> None:
    for name in ("training", "validation"):
        record(tmp_path / name, [5, 3])
    folder = tmp_path / "validation"
    assert frame_name(7) == "episode_0000007.npz"
    with np.load(folder / frame_name(0)) as frame:
        types = {key: (frame[key].shape, frame[key].dtype.name) for key in frame.files}
    assert types == {
        "actions": ((7,), "float64"),
        "rel_actions": ((7,), "float64"),
        "robot_obs": ((15,), "float64"),
        "scene_obs": ((24,), "float64"),
        "rgb_static": ((20, 20, 3), "uint8"),
        "rgb_gripper": ((12, 12, 3), "uint8"),
    }
    index, lengths = np.load(folder / "ep_start_end_ids.npy"), np.load(folder / "ep_lens.npy")
    assert index.tolist() == [[0, 4], [5, 7]] and lengths.tolist() == [5, 3] and index.dtype == np.int64
    assert np.load(folder / "scene_info.npy", allow_pickle=True).item() == {"calvin_scene_D": [0, 7]}
    told = np.load(folder / "lang_annotations/auto_lang_ann.npy", allow_pickle=True).item()
    assert told["language"]["task"] == ["open_drawer"] * 2 and told["info"]["indx"] == [(0, 4), (5, 7)]
    assert told["language"]["emb"].shape == (2, 1, 384) and told["language"]["ann"][0] == "open it now"
    words = np.load(folder / "lang_annotations/embeddings.npy", allow_pickle=True).item()
    assert words["open_drawer"]["ann"] == [VALIDATION["open_drawer"]] and len(words) == 34
    assert words["open_drawer"]["emb"].shape == (1, 1, 384)
    assert not (tmp_path / "training/lang_annotations/embeddings.npy").exists()
    config = yaml.safe_load((folder / ".hydra/merged_config.yaml").read_text())
    assert config["cameras"]["static"]["width"] == 20 and config["scene"]["objects"]["movable_objects"]
    every = DatasetSplit(folder).frames(0, 7, ["robot_obs", "actions"])
    statistics = yaml.safe_load((folder / "statistics.yaml").read_text())
    assert statistics["robot_obs"][0]["mean"] == pytest.approx(every["robot_obs"].mean(0))
    assert statistics["robot_obs"][0]["std"] == pytest.approx(every["robot_obs"].std(0))
    assert statistics["act_max_bound"] == pytest.approx(every["actions"].max(0))


def test_relative_actions_are_clipped_and_take_the_short_way() -> None:
    robot = np.zeros(15)
    robot[5] = 3.13
    action = np.array([0.01, -0.5, 0.02, 0.025, 0, -3.13, -1])
    assert relative_action(robot, action) == pytest.approx([0.5, -1, 1, 0.5, 0, (2 * np.pi - 6.26) / 0.05, -1])


def test_depth_is_kept_where_it_is_asked_for(tmp_path: Path) -> None:
    with DatasetWriter(tmp_path / "training", calvin_kind(depth=True, sizes=SIZES)) as writer:
        episode = writer.begin()
        for observation in observations(2, depth=True):
            episode.add(observation)
        episode.commit()
    frame = open_split(tmp_path).frame(1)
    assert frame["depth_static"].shape == (20, 20) and frame["depth_gripper"].dtype == np.float32
    assert open_split(tmp_path).windows == ()  # nothing was to be done


def official(folder: Path) -> Path:
    """A split as a download has it: gaps in the numbers, several scenes, windows within longer episodes."""
    folder.mkdir(parents=True)
    frames = list(observations(30, 3))
    for number, observation in zip([*range(100, 120), *range(358482, 358492)], frames, strict=True):
        content = encode_frame(observation, observation["robot_obs"], KEYS)
        (folder / frame_name(number)).write_bytes(content)
    np.save(folder / "ep_start_end_ids.npy", [[358482, 358491], [100, 119]])
    np.save(folder / "ep_lens.npy", [10, 20])
    np.save(folder / "scene_info.npy", {"calvin_scene_B": [0, 200], "calvin_scene_D": [201, 400000]})  # type: ignore[arg-type]
    annotate(folder, [(100, 110), (105, 119), (358483, 358490), (105, 119), (300, 310)])
    return folder


def annotate(folder: Path, spans: list[tuple[int, int]]) -> None:
    names = ["a", "b", "c", "b", "d"][: len(spans)]
    told = {
        "language": {"ann": [f"do {name}" for name in names], "task": names, "emb": np.zeros((len(spans), 1, 384))},
        "info": {"episodes": [], "indx": spans},
    }
    (folder / "lang_annotations").mkdir(exist_ok=True)
    (folder / "lang_annotations/auto_lang_ann.npy").write_bytes(object_bytes(told))


def test_an_official_split_is_read(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    split = DatasetSplit(official(tmp_path / "training"))
    assert split.episodes.tolist() == [[100, 119], [358482, 358491]]
    assert [(w.first, w.last, w.sentence, w.task) for w in split.windows] == [
        (100, 110, "do a", "a"), (105, 119, "do b", "b"), (358483, 358490, "do c", "c"),
    ]  # fmt: skip
    assert (split.scene_of(100), split.scene_of(358482), split.scene_of(500000)) == ("B", "D", None)
    assert (
        "1 of 5 annotations are not within one episode" in caplog.text
        and "1 of 5 annotations are repetitions" in caplog.text
    )
    assert split.statistics == {} and split.embeddings == {}


def test_small_files_that_are_missing_are_done_without(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    folder = official(tmp_path / "validation")
    for name in ("ep_start_end_ids.npy", "scene_info.npy", "lang_annotations/auto_lang_ann.npy"):
        (folder / name).unlink()
    with caplog.at_level(logging.WARNING):
        split = DatasetSplit(folder)
    assert split.episodes.tolist() == [[100, 119], [358482, 358491]] and split.windows == () and split.scenes == {}
    assert "2 runs of numbers" in caplog.text and "nothing in" in caplog.text


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("ep_start_end_ids.npy", b"torn", "ep_start_end_ids.npy is damaged"),
        ("ep_start_end_ids.npy", object_bytes({}), "no index of episodes"),
        ("scene_info.npy", object_bytes({"calvin_scene_D": 5}), "does not say where scenes are"),
        ("lang_annotations/auto_lang_ann.npy", object_bytes({"language": {}}), "no annotations as CALVIN has them"),
        (
            "lang_annotations/auto_lang_ann.npy",
            object_bytes({"language": {"ann": ["a"]}, "info": {"indx": [(100, 105), (105, 110)]}}),
            "no annotations as CALVIN has them",
        ),
    ],
)
def test_damaged_small_files_are_one_sentence(tmp_path: Path, name: str, content: bytes, sentence: str) -> None:
    folder = official(tmp_path / "training")
    (folder / name).write_bytes(content)
    with pytest.raises(UserError, match=sentence):
        DatasetSplit(folder)


def test_damaged_frames_are_named(tmp_path: Path) -> None:
    folder = official(tmp_path / "training")
    split, path = DatasetSplit(folder), folder / frame_name(101)
    whole = path.read_bytes()
    for content in (b"", b"PK", whole[: len(whole) // 2], whole[:900] + b"xxxx" + whole[904:]):
        path.write_bytes(content)
        with pytest.raises(DamagedFrameError, match="episode_0000101.npz is damaged .*: get it again"):
            split.frame(101)
    path.unlink()
    with pytest.raises(DamagedFrameError, match="episode_0000101.npz is missing"):
        split.frames(100, 103, ["rgb_static"])
    with pytest.raises(DamagedFrameError, match="has no depth_static, only actions"):
        split.frame(100, ["depth_static"])


def test_wrong_sizes_are_named(tmp_path: Path) -> None:
    folder = official(tmp_path / "training")
    split = DatasetSplit(folder)
    observation = next(observations(1))
    robot = observation["robot_obs"]
    small = encode_frame({**observation, "rgb_static": np.zeros((8, 8, 3), np.uint8)}, robot, KEYS)
    (folder / frame_name(103)).write_bytes(small)
    with pytest.raises(UserError, match=r"episode_0000103.npz has rgb_static of shape \(8, 8, 3\), but its episode"):
        split.frames(100, 105, ["rgb_static"])
    grey = encode_frame({**observation, "rgb_static": np.zeros((8, 8), np.uint8)}, robot, KEYS)
    (folder / frame_name(103)).write_bytes(grey)
    with pytest.raises(DamagedFrameError, match=r"rgb_static of shape \(8, 8\) and type uint8"):
        split.frame(103)
    with zipfile.ZipFile(folder / frame_name(104), "w") as archive:
        archive.writestr("actions.npy", object_bytes({}))
    with pytest.raises(DamagedFrameError, match="episode_0000104.npz is damaged"):
        split.frame(104)


def test_folders_that_are_no_data_set_are_refused(tmp_path: Path) -> None:
    for path, sentence in ((tmp_path / "no", "has no training/"), (tmp_path, "has no training/")):
        with pytest.raises(UserError, match=sentence):
            open_split(path)
    with pytest.raises(UserError, match="split 'test' is unknown"):
        open_split(tmp_path, "test")
    (tmp_path / "training").mkdir()
    with pytest.raises(UserError, match="holds no frames"):
        open_split(tmp_path)
