"""Writing is all or nothing: killed programs, torn files, full disks, two programs at once."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from envs.calvin.dataset import calvin_kind
from envs.errors import UserError
from envs.tabletop import dataset_writer
from envs.tabletop.dataset import open_split
from envs.tabletop.dataset_writer import DatasetWriter
from tests.calvin_data import SIZES, observations, record

ROOT = Path(__file__).parents[3]
KIND = calvin_kind(sizes=SIZES)
# Dies by SIGKILL at the n-th call of os.replace, Path.replace or Path.write_bytes: every step of a commit is one.
KILLED = """
import os, pathlib, signal, sys
from tests.calvin_data import record
left = int(sys.argv[2])
def dying(function):
    def called(*arguments, **options):
        global left
        left -= 1
        if left < 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return function(*arguments, **options)
    return called
for name in ("replace", "write_bytes"):
    setattr(pathlib.Path, name, dying(getattr(pathlib.Path, name)))
record(pathlib.Path(sys.argv[1]), [4, 3], first_seed=1)
"""


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def kill_after(folder: Path, steps: int) -> int:
    command = [sys.executable, "-c", KILLED, str(folder), str(steps)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, timeout=120, check=False).returncode


@pytest.mark.parametrize("steps", [3, 9, 15])
def test_a_killed_program_loses_the_episode_it_was_recording_alone(tmp_path: Path, steps: int) -> None:
    record(tmp_path / "training", [2])
    assert kill_after(tmp_path / "training", steps) == -signal.SIGKILL
    record(tmp_path / "training", [])  # opens and closes
    split = open_split(tmp_path)
    lengths = (split.episodes[:, 1] - split.episodes[:, 0] + 1).tolist()
    assert lengths in ([2], [2, 4], [2, 4, 3])
    assert split.frames(0, len(split) - 1, ["rgb_static"])["rgb_static"].shape[0] == len(split)
    assert len(list((tmp_path / "training").glob("*.npz"))) == len(split)
    assert not list((tmp_path / "training").glob("*.partial")) and not (tmp_path / "training/.staged").exists()
    # Going on from there gives what an undisturbed recording does.
    record(tmp_path / "training", [4, 3][len(lengths) - 1 :], first_seed=len(lengths))
    record(tmp_path / "whole/training", [2, 4, 3])
    assert contents(tmp_path / "training") == contents(tmp_path / "whole/training")


@pytest.mark.slow
def test_killed_at_every_step(tmp_path: Path) -> None:
    steps, code = 0, -signal.SIGKILL
    while code == -signal.SIGKILL:
        folder = tmp_path / str(steps)
        record(folder / "training", [2])
        code = kill_after(folder / "training", steps)
        record(folder / "training", [])
        split = open_split(folder)
        assert len(list((folder / "training").glob("*.npz"))) == len(split)
        steps += 1
    assert code == 0 and steps > 20


def test_a_torn_line_does_not_count(tmp_path: Path) -> None:
    record(tmp_path / "training", [2, 3])
    journal = tmp_path / "training/episodes.jsonl"
    text = journal.read_text()
    journal.write_text(text[:-20])
    record(tmp_path / "training", [])
    assert open_split(tmp_path).episodes.tolist() == [[0, 1]]
    assert len(list((tmp_path / "training").glob("*.npz"))) == 2
    journal.write_text("x" + text)
    with pytest.raises(UserError, match="episodes.jsonl is damaged in line 1"):
        DatasetWriter(tmp_path / "training", KIND)


def test_discarded_episodes_leave_nothing(tmp_path: Path) -> None:
    with DatasetWriter(tmp_path / "training", KIND) as writer:
        episode = writer.begin()
        for observation in observations(4):
            episode.add(observation)
        assert len(episode) == 3
        episode.discard()
        with pytest.raises(UserError, match="the episode has no frames"):
            writer.begin().commit()
        writer.skip("some-key", attempts=3)
        assert writer.keys == {"some-key"} and writer.episodes == []
    assert not list((tmp_path / "training").glob("**/*.npz"))


def test_two_programs_do_not_write_into_one_folder(tmp_path: Path) -> None:
    with (
        DatasetWriter(tmp_path / "training", KIND),
        pytest.raises(UserError, match="another program records into .*training; wait"),
    ):
        DatasetWriter(tmp_path / "training", KIND)


def test_folders_of_others_are_left_alone(tmp_path: Path) -> None:
    folder = tmp_path / "training"
    folder.mkdir()
    np.save(folder / "ep_start_end_ids.npy", [[0, 1]])
    with pytest.raises(UserError, match="a dataset that was not recorded here; choose another folder"):
        DatasetWriter(folder, calvin_kind())
    record(tmp_path / "own/training", [2])
    with pytest.raises(UserError, match="was recorded in another scene than calvin_scene_A, or with other cameras"):
        DatasetWriter(tmp_path / "own/training", calvin_kind("A", sizes=SIZES))
    with pytest.raises(UserError, match="other cameras"):
        DatasetWriter(tmp_path / "own/training", calvin_kind())
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="cannot write to .*file.*; make room or choose another folder"):
        DatasetWriter(tmp_path / "file", KIND)


def test_a_full_disk_is_one_sentence_and_what_is_recorded_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    record(tmp_path / "training", [2])
    real = Path.write_bytes

    def full(path: Path, content: bytes) -> int:
        if path.name == "episode_0000002.npz":
            raise OSError(28, os.strerror(28))
        return real(path, content)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "write_bytes", full)
        with pytest.raises(UserError, match=r"cannot write to .* \(No space left on device\); make room"):
            record(tmp_path / "training", [5], first_seed=1)
    record(tmp_path / "training", [5], first_seed=1)
    assert open_split(tmp_path).episodes.tolist() == [[0, 1], [2, 6]]


def test_files_made_from_the_journal_take_little_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = []
    real = dataset_writer.derived_files
    monkeypatch.setattr(dataset_writer, "derived_files", lambda *a, **k: made.append(1) or real(*a, **k))
    monkeypatch.setattr(dataset_writer, "SHARE", 1e-9)
    record(tmp_path / "training", [1] * 5)
    assert len(made) == 2  # at the opening and at the end
    assert len(open_split(tmp_path).episodes) == 5
