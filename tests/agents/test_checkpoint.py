"""Checkpoint folders: what goes in comes out, and a broken folder says what is wrong in one sentence."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from agents import checkpoint as module_under_test
from agents.checkpoint import CheckpointError, load_checkpoint, load_config, load_into, save_checkpoint, write_tensors

CONFIG = {"kind": "test", "levels": [8, 8, 5], "model": {"width": 16, "rate": 1e-05}, "note": None}


def some_tensors() -> dict[str, Tensor]:
    torch.manual_seed(0)
    return {
        "weight": torch.randn(64, 64),
        "bias": torch.randn(64),
        "count": torch.tensor(3),
        "mask": torch.tensor([True]),
    }


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return save_checkpoint(tmp_path / "model", CONFIG, some_tensors(), metrics={"loss": 0.5}, readme="# A model\n")


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_round_trip(folder: Path) -> None:
    loaded = load_checkpoint(folder)
    assert loaded.config == CONFIG
    assert loaded.metrics == {"loss": 0.5}
    assert loaded.folder == folder
    assert {key: value.dtype for key, value in loaded.tensors.items()} == {
        "weight": torch.float32, "bias": torch.float32, "count": torch.int64, "mask": torch.bool
    }  # fmt: skip
    for key, tensor in some_tensors().items():
        assert torch.equal(loaded.tensors[key], tensor)
    assert names(folder) == ["README.md", "config.yaml", "metrics.json", "model.safetensors"]
    assert names(folder.parent) == ["model"], "no temporary folders stay behind"


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_stored_in_half_precision(tmp_path: Path, dtype: torch.dtype) -> None:
    tensors = some_tensors()
    loaded = load_checkpoint(save_checkpoint(tmp_path / "half", {}, tensors, dtype=dtype)).tensors
    assert loaded["weight"].dtype == dtype and loaded["count"].dtype == torch.int64
    layer = nn.Linear(64, 64)
    load_into(layer, {"weight": loaded["weight"], "bias": loaded["bias"]})
    assert layer.weight.dtype == torch.float32
    torch.testing.assert_close(layer.weight.data, tensors["weight"], rtol=1e-2, atol=1e-3)


def test_values_beyond_half_precision_are_refused(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"'weight' has values beyond the range of torch.float16"):
        save_checkpoint(tmp_path / "half", {}, {"weight": torch.tensor([1e6])}, dtype=torch.float16)
    assert names(tmp_path) == []


def test_shards_hold_the_same_tensors(tmp_path: Path) -> None:
    tensors = some_tensors() | {"large": torch.arange(10_000.0)}
    folder = save_checkpoint(tmp_path / "sharded", {}, tensors, name="world", max_shard_bytes=17_000)
    assert [path.name for path in sorted(folder.glob("*.safetensors"))] == [
        "world-00001-of-00002.safetensors", "world-00002-of-00002.safetensors"
    ]  # fmt: skip
    loaded = load_checkpoint(folder, "world").tensors
    assert loaded.keys() == tensors.keys()
    assert all(torch.equal(loaded[key], tensors[key]) for key in tensors)
    (folder / "world-00001-of-00002.safetensors").unlink()
    with pytest.raises(CheckpointError, match="lacks shard 1 of 2 of 'world'"):
        load_checkpoint(folder, "world")


def test_tied_weights_and_views_can_be_saved(tmp_path: Path) -> None:
    weight = torch.randn(4, 4)
    loaded = load_checkpoint(save_checkpoint(tmp_path / "tied", {}, {"a": weight, "b": weight, "c": weight.T})).tensors
    assert torch.equal(loaded["a"], weight) and torch.equal(loaded["b"], weight) and torch.equal(loaded["c"], weight.T)


def test_replaces_an_older_checkpoint_as_a_whole(folder: Path) -> None:
    save_checkpoint(folder, {"new": 1}, {"bias": torch.ones(2)}, name="other")
    assert names(folder) == ["config.yaml", "other.safetensors"]
    assert names(folder.parent) == ["model"]


def test_a_folder_of_other_files_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "photo.png").write_bytes(b"x")
    with pytest.raises(CheckpointError, match="holds other files than a checkpoint"):
        save_checkpoint(tmp_path, {}, some_tensors())
    assert names(tmp_path) == ["photo.png"]


def test_full_disk_keeps_the_old_checkpoint(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: Path, tensors: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))

    monkeypatch.setattr(module_under_test, "write_tensors", refuse)
    with pytest.raises(CheckpointError, match=r"No space left on device; make room or choose another folder"):
        save_checkpoint(folder, {"new": 1}, some_tensors())
    assert load_checkpoint(folder).config == CONFIG
    assert names(folder.parent) == ["model"]


def test_what_the_system_says_comes_through(tmp_path: Path) -> None:
    """The safetensors library words it its own way; here a file may grow to 1,000 bytes only."""
    resource = pytest.importorskip("resource", reason="limits on file sizes are a Unix matter")
    old = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, old[1]))
    try:
        with pytest.raises(OSError) as caught:
            write_tensors(tmp_path / "model.safetensors", some_tensors())
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, old)
    assert caught.value.errno == errno.EFBIG


@pytest.mark.skipif(os.name == "nt", reason="permissions are a Unix matter")
def test_everybody_may_read_a_checkpoint(folder: Path) -> None:
    (folder.parent / "plain").write_text("x")
    usual = (folder.parent / "plain").stat().st_mode
    assert {path.stat().st_mode for path in folder.iterdir()} == {usual}


def test_killed_between_the_two_renames(folder: Path) -> None:
    folder.rename(folder.with_name(".model.old"))
    assert load_checkpoint(folder).config == CONFIG
    save_checkpoint(folder, {"new": 1}, some_tensors())
    assert load_checkpoint(folder).config == {"new": 1}


def break_header(folder: Path) -> None:
    (folder / "model.safetensors").write_bytes(b"PK\x03\x04" + bytes(64))


def truncate_tensors(folder: Path) -> None:
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-100])


def truncate_header(folder: Path) -> None:
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:20])


def overwrite_tensors(folder: Path) -> None:
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-100] + b"\xff" * 100)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda folder: (folder / "config.yaml").unlink(), "has no config.yaml"),
        (lambda folder: (folder / "config.yaml").write_text("a: [1\n"), "cannot be read as YAML"),
        (lambda folder: (folder / "config.yaml").write_text("a: !!python/object:x {}"), "cannot be read as YAML"),
        (lambda folder: (folder / "config.yaml").write_bytes(b"\xff\xfe\x00"), "cannot be read as YAML"),
        (lambda folder: (folder / "config.yaml").write_text("x: 2021-13-45"), "cannot be read as YAML"),
        (lambda folder: (folder / "config.yaml").write_text("x: !!bool maybe"), "cannot be read as YAML"),
        (lambda folder: (folder / "config.yaml").write_text("x: !!timestamp soon"), "cannot be read as YAML"),
        (lambda folder: (folder / "config.yaml").write_text("[" * 5000 + "]" * 5000), "cannot be read as YAML"),
        (lambda folder: (folder / "config.yaml").write_text("- 1\n"), "holds no named settings but list"),
        (lambda folder: (folder / "model.safetensors").unlink(), "has no model.safetensors \\(no tensors at all\\)"),
        (lambda folder: (folder / "model.safetensors").rename(folder / "w.safetensors"), "\\(w.safetensors\\)"),
        (lambda folder: (folder / "model.safetensors").write_bytes(b""), "truncated or no safetensors file"),
        (break_header, "truncated or no safetensors file"),
        (truncate_tensors, "truncated or no safetensors file"),
        (overwrite_tensors, "has values that are no numbers; copy the checkpoint anew"),
        (truncate_header, "truncated or no safetensors file"),
        (lambda folder: (folder / "metrics.json").write_text("{"), "cannot be read as JSON"),
        (lambda folder: (folder / "metrics.json").write_text("[" * 10**5), "cannot be read as JSON"),
    ],
)  # fmt: skip
def test_damaged_folders(folder: Path, damage: object, message: str) -> None:
    damage(folder)  # type: ignore[operator]
    with pytest.raises(CheckpointError, match=message) as caught:
        load_checkpoint(folder)
    assert "\n" not in str(caught.value) and str(folder) in str(caught.value)


def test_the_config_alone(folder: Path) -> None:
    (folder / "model.safetensors").write_bytes(b"")
    assert load_config(folder) == CONFIG
    folder.rename(folder.with_name(".model.old"))
    assert load_config(folder) == CONFIG, "as a program that died while replacing it left it"
    with pytest.raises(CheckpointError, match="there is no checkpoint folder"):
        load_config(folder / "nowhere")


def test_no_folder(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="there is no checkpoint folder"):
        load_checkpoint(tmp_path / "nowhere")
    (tmp_path / "file").write_text("x")
    with pytest.raises(CheckpointError, match="there is no checkpoint folder"):
        load_checkpoint(tmp_path / "file")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda tensors: tensors.pop("bias"), "m lacks the tensor 'bias'"),
        (lambda tensors: tensors.update(extra=torch.ones(1)), "m has an unexpected tensor 'extra'"),
        (lambda tensors: tensors.update(bias=torch.ones(3)), r"m has 'bias' of shape \(3,\) where"),
    ],
)  # fmt: skip
def test_load_into_names_the_first_mismatch(change: object, message: str) -> None:
    layer = nn.Linear(3, 2)
    before = {key: value.clone() for key, value in layer.state_dict().items()}
    tensors = {key: torch.zeros_like(value) for key, value in before.items()}
    change(tensors)  # type: ignore[operator]
    with pytest.raises(CheckpointError, match=message):
        load_into(layer, tensors, source="m")
    assert all(torch.equal(value, before[key]) for key, value in layer.state_dict().items()), "nothing was copied"
