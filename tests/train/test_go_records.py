"""Files of game records, and how self-play shards become one."""

from __future__ import annotations

import errno
import os
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from envs.errors import UserError
from tests.go_games import random_moves, tiny_record_file, tiny_records
from tests.train.fakes import one_line
from train.data.go_records import GameRecords, main, records_from_shards


def test_records_come_back_as_they_were_saved(tmp_path: Path) -> None:
    records = tiny_records()
    records.save(tmp_path / "deep" / "games.npz")
    back = GameRecords.load(tmp_path / "deep" / "games.npz")
    for field in fields(GameRecords):
        before, after = getattr(records, field.name), getattr(back, field.name)
        assert np.array_equal(before, after) and np.asarray(before).dtype == np.asarray(after).dtype
    assert [path.name for path in (tmp_path / "deep").iterdir()] == ["games.npz"], "nothing half-written is left"


def test_equal_games_give_equal_bytes(tmp_path: Path) -> None:
    one, other = (tiny_record_file(tmp_path / name).read_bytes() for name in ("a.npz", "b.npz"))
    assert one == other
    assert one != tiny_record_file(tmp_path / "c.npz", seed=1).read_bytes()


def damaged(kind: str, whole: bytes) -> bytes:
    middle = len(whole) // 3
    return {
        "empty": b"",
        "text": b"moves: none\n",
        "half": whole[: len(whole) // 2],
        "flipped": whole[:middle] + bytes(255 - byte for byte in whole[middle : middle + 40]) + whole[middle + 40 :],
    }[kind]


@pytest.mark.parametrize("kind", ["empty", "text", "half", "flipped"])
def test_a_damaged_file_is_named(tmp_path: Path, kind: str) -> None:
    path = tiny_record_file(tmp_path / "games.npz", games=200)
    path.write_bytes(damaged(kind, path.read_bytes()))
    with pytest.raises(UserError, match="games.npz is not a readable record file") as error:
        GameRecords.load(path)
    one_line(error)


def test_every_flipped_byte_is_noticed_or_harmless(tmp_path: Path) -> None:
    path = tiny_record_file(tmp_path / "games.npz")
    whole = path.read_bytes()
    for place in range(0, len(whole), 23):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 0xFF]) + whole[place + 1 :])
        try:
            GameRecords.load(path)
        except UserError:
            continue


def test_other_numpy_files_are_refused(tmp_path: Path) -> None:
    np.save(tmp_path / "array.npy", np.zeros(3))
    np.savez(tmp_path / "other.npz", moves=np.zeros((2, 3)))
    np.savez(tmp_path / "objects.npz", **{name: np.array([None]) for name in ("size", "moves", "replies")})
    for name in ("array.npy", "other.npz", "objects.npz"):
        with pytest.raises(UserError, match="is not a readable record file") as error:
            GameRecords.load(tmp_path / name)
        one_line(error)
    with pytest.raises(UserError, match="no game records at"):
        GameRecords.load(tmp_path / "missing.npz")


def test_shards_become_a_record_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shards = []
    for number, seed in enumerate((0, 1)):
        moves, lengths = random_moves(3, 20, 9, seed)
        values = {"moves": moves.astype(np.uint8), "best": moves.astype(np.uint8), "length": lengths.astype(np.int64)}
        shards.append(tmp_path / f"{number}.npz")
        np.savez(shards[-1], **values, komi=np.full(3, 7.0), result=np.array([1, -1, 0]))
    for name in ("a", "b"):
        assert main([*map(str, shards), "--out", str(tmp_path / name / "games.npz")]) == 0
    assert "6 games" in capsys.readouterr().out
    assert (tmp_path / "a" / "games.npz").read_bytes() == (tmp_path / "b" / "games.npz").read_bytes()
    records = GameRecords.load(tmp_path / "a" / "games.npz")
    past = np.arange(20) >= records.lengths[:, None].astype(int)
    assert records.size == 9 and (records.moves[past] == 81).all() and records.result.tolist() == [1, -1, 0] * 2
    assert main([str(tmp_path / "none.npz"), "--out", str(tmp_path / "c.npz")]) == 2
    assert "no shard at" in capsys.readouterr().err and not (tmp_path / "c.npz").exists()


def test_what_else_the_teacher_might_play_comes_along(tmp_path: Path) -> None:
    moves, lengths = random_moves(3, 20, 9)
    alt = np.stack([(moves + 1) % 81, np.full_like(moves, 255)], -1).astype(np.uint8)
    more = {"alt": alt, "best_p": np.full(moves.shape, 200), "alt_p": np.full(alt.shape, 30)}
    whole, bare = shard(tmp_path / "whole.npz", **more), shard(tmp_path / "bare.npz")
    for name, shards in (("told", [whole, whole]), ("untold", [whole, bare])):
        assert main([*map(str, shards), "--out", str(tmp_path / name)]) == 0
    assert GameRecords.load(tmp_path / "untold").others is None, "some are not enough"
    told = GameRecords.load(tmp_path / "told")
    own = np.arange(20) < told.lengths[:, None].astype(int)
    assert told.others is not None and told.chances is not None
    expected = np.stack([alt[..., 0], np.full_like(moves, 82)], -1)
    assert np.array_equal(told.others[own], np.concatenate([expected, expected])[own])
    assert (
        (told.chances[own] == (200, 30, 0)).all()
        and (told.chances[~own] == 0).all()
        and (told.others[~own] == 82).all()
    )
    for wrong in ({"alt_p": np.zeros((3, 20))}, {"alt_p": np.zeros((3, 20, 1))}, {"alt": alt[:2]}):
        with pytest.raises(UserError, match="bad.npz is no readable self-play shard"):
            records_from_shards([shard(tmp_path / "bad.npz", **(more | wrong))])


def shard(path: Path, **changes: Any) -> Path:
    """Three random games as self-play writes them; None leaves a field out."""
    moves, lengths = random_moves(3, 20, 9)
    values = {"moves": moves, "best": moves, "length": lengths, "komi": np.full(3, 7.0), "result": np.array([1, -1, 0])}
    values.update(changes)
    np.savez(path, **{name: value for name, value in values.items() if value is not None})
    return path


def refused(path: Path, out: Path, capsys: pytest.CaptureFixture[str]) -> str:
    """What the command says about a shard it does not take: one line, and nothing is left behind."""
    assert main([str(shard(path.with_name("good.npz"))), str(path), "--out", str(out)]) == 2
    said = capsys.readouterr()
    assert said.out == "" and said.err.count("\n") == 1 and not list(out.parent.glob(f"{out.name}*"))
    return said.err


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"best": None}, "best"),
        ({"moves": np.zeros(3)}, "not as long as each other"),
        ({"moves": np.zeros((3, 19), int)}, "not as long as each other"),
        ({"komi": np.zeros(2)}, "not as long as each other"),
        ({"length": np.array(20)}, "not as long as each other"),
        ({"length": np.array([1, 2, 21])}, "a length is outside 0 to 20 plies"),
        ({"length": np.array([1, -2, 3])}, "a length is outside 0 to 20 plies"),
        ({"length": np.array(["a", "b", "c"])}, "bad.npz"),
        ({"moves": np.full((3, 20), 360)}, "a move is outside 0 to 81"),
        ({"best": np.full((3, 20), -1)}, "a move is outside 0 to 81"),
        ({"best": np.full((3, 20), np.nan)}, "a move is outside 0 to 81"),
        ({"moves": np.array([[None] * 20] * 3)}, "bad.npz"),
    ],
)
def test_shards_of_other_contents_are_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], changes: dict[str, Any], message: str
) -> None:
    said = refused(shard(tmp_path / "bad.npz", **changes), tmp_path / "games.npz", capsys)
    assert "bad.npz is no readable self-play shard of 9x9 games" in said and message in said


@pytest.mark.parametrize("kind", ["empty", "text", "half", "flipped"])
def test_damaged_shards_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str], kind: str) -> None:
    path = shard(tmp_path / "bad.npz")
    path.write_bytes(damaged(kind, path.read_bytes()))
    assert "bad.npz is no readable self-play shard" in refused(path, tmp_path / "games.npz", capsys)
    np.save(tmp_path / "array.npy", np.zeros(3))
    assert "array.npy is no readable self-play shard" in refused(tmp_path / "array.npy", tmp_path / "games.npz", capsys)


def test_shards_that_do_not_go_together(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    moves, lengths = random_moves(3, 12, 9)
    other = shard(tmp_path / "short.npz", moves=moves, best=moves, length=lengths)
    assert "has room for 12 plies" in refused(other, tmp_path / "games.npz", capsys)


def test_a_full_disk_leaves_the_old_record_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tiny_record_file(tmp_path / "out" / "games.npz")
    before, path = out.read_bytes(), shard(tmp_path / "a.npz")

    def full(*_: Any, **__: Any) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("zipfile.ZipFile.writestr", full)
    assert main([str(path), "--out", str(out)]) == 2
    said = capsys.readouterr().err
    assert said == f"cannot write {out}: No space left on device; make room or choose another file\n"
    assert out.read_bytes() == before and [file.name for file in out.parent.iterdir()] == ["games.npz"]
    (tmp_path / "file").write_text("x")
    assert main([str(path), "--out", str(tmp_path / "file" / "games.npz")]) == 2
    assert "cannot write" in capsys.readouterr().err
