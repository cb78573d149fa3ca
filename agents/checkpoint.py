"""A checkpoint is a folder: `config.yaml` + `*.safetensors` (+ `metrics.json`, `README.md`).

Only safetensors, YAML and JSON are read or written; nothing is ever unpickled. A folder is written beside its final
place and renamed into it, so a reader sees the old checkpoint or the new one and never a half of either.
"""

from __future__ import annotations

import errno
import json
import os
import re
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
import yaml
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from envs.errors import UserError

CONFIG_FILE = "config.yaml"
METRICS_FILE = "metrics.json"
README_FILE = "README.md"
TENSOR_SUFFIX = ".safetensors"
_SHARD = re.compile(r"-(\d{5})-of-(\d{5})$")


class CheckpointError(UserError):
    """Raised when a checkpoint folder is missing, broken, foreign or does not fit; the message is one sentence."""


@dataclass(frozen=True)
class Checkpoint:
    """What a checkpoint folder holds.

    Attributes:
        config: what `config.yaml` says, plain dicts, lists, numbers and strings.
        tensors: name -> CPU tensor in the dtype it was stored in (`load_into` casts to the module's).
        metrics: what `metrics.json` says, empty where there is none.
        folder: where it came from.
    """

    config: dict[str, Any]
    tensors: dict[str, Tensor]
    metrics: dict[str, Any] = field(default_factory=dict)
    folder: Path = Path()


def save_checkpoint(
    folder: str | Path,
    config: Mapping[str, Any],
    tensors: Mapping[str, Tensor],
    *,
    metrics: Mapping[str, Any] | None = None,
    name: str = "model",
    dtype: torch.dtype | None = None,
    max_shard_bytes: int | None = None,
    readme: str | None = None,
    texts: Mapping[str, str] | None = None,
) -> Path:
    """Write a checkpoint folder in one go; an older checkpoint there stays whole until the new one takes its place.

    Args:
        folder: the checkpoint folder; replaced as a whole.
        config: plain dicts, lists, numbers, strings (as `dataclasses.asdict` gives).
        tensors: name -> tensor on any device; tensors that share memory are stored once per name.
        metrics: numbers for `metrics.json`.
        name: stem of the tensor files: `NAME.safetensors`, or `NAME-00001-of-00003.safetensors` when sharded.
        dtype: store floating tensors as this dtype (torch.float16, torch.bfloat16); None keeps theirs.
        max_shard_bytes: start a new file before one grows over this many bytes; None writes one file.
        readme: text for `README.md`.
        texts: name -> text of files of the model's own, such as a tokenizer.

    Raises:
        CheckpointError: the folder holds something else, a value does not fit `dtype`, or the disk refused.
    """
    folder = Path(folder)
    if folder.exists() and not _replaceable(folder):
        raise CheckpointError(f"{folder} holds other files than a checkpoint; choose another folder to save to")
    stored = {key: _storable(key, tensor, dtype) for key, tensor in tensors.items()}
    temporary: Path | None = None
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(prefix=f".{folder.name}.new-", dir=folder.parent))
        temporary.chmod(0o755)  # mkdtemp makes it private; a checkpoint is for everybody
        write_text(temporary / CONFIG_FILE, yaml.safe_dump(dict(config), sort_keys=False))
        shards = _shards(stored, max_shard_bytes)
        for index, shard in enumerate(shards, start=1):
            stem = name if len(shards) == 1 else f"{name}-{index:05d}-of-{len(shards):05d}"
            write_tensors(temporary / f"{stem}{TENSOR_SUFFIX}", shard)
        if metrics is not None:
            write_text(temporary / METRICS_FILE, json.dumps(dict(metrics), indent=2) + "\n")
        if readme is not None:
            write_text(temporary / README_FILE, readme)
        for file, text in (texts or {}).items():
            write_text(temporary / file, text)
        swap_folder(temporary, folder)
    except OSError as error:
        raise CheckpointError(
            f"cannot write the checkpoint {folder}: {error.strerror or error}; make room or choose another folder"
        ) from error
    finally:
        if temporary is not None:
            shutil.rmtree(temporary, ignore_errors=True)
    return folder


def load_checkpoint(folder: str | Path, name: str = "model") -> Checkpoint:
    """Read a checkpoint folder written by `save_checkpoint`; tensors come back on the CPU.

    Raises:
        CheckpointError: the folder, its `config.yaml` or its tensors are missing, truncated or not what they should be.
            Values that are infinite or no numbers count as damage.
    """
    folder = Path(folder)
    place = _place(folder)
    config = _read_config(folder, place / CONFIG_FILE)
    tensors: dict[str, Tensor] = {}
    for path in _tensor_files(folder, place, name):
        shard = read_tensors(path)
        twice = tensors.keys() & shard.keys()
        if twice:
            raise CheckpointError(f"{path} repeats {min(twice)!r} of another shard; copy the checkpoint anew")
        for key, tensor in shard.items():
            if tensor.is_floating_point() and not tensor.isfinite().all():
                raise CheckpointError(f"{path}: {key!r} has values that are no numbers; copy the checkpoint anew")
        tensors.update(shard)
    return Checkpoint(config, tensors, _read_metrics(place / METRICS_FILE), folder)


def load_config(folder: str | Path) -> dict[str, Any]:
    """What a checkpoint folder says of itself, without its tensors; CheckpointError as `load_checkpoint`."""
    folder = Path(folder)
    return _read_config(folder, _place(folder) / CONFIG_FILE)


def read_text(folder: str | Path, file: str) -> str:
    """A text file of a checkpoint folder; CheckpointError if it is missing or not text."""
    folder = Path(folder)
    try:
        return (_place(folder) / file).read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise CheckpointError(f"{folder} lacks {file}; copy the checkpoint anew") from error
    except (OSError, ValueError) as error:
        raise CheckpointError(f"{folder / file} cannot be read as text ({error}); copy the checkpoint anew") from error


def load_into(module: nn.Module, tensors: Mapping[str, Tensor], *, source: str | Path = "the checkpoint") -> None:
    """Copy `tensors` into a module's parameters and buffers, cast to the module's dtypes and devices.

    Raises:
        CheckpointError: naming the first tensor that is missing, unexpected or of another shape; nothing is copied.
    """
    own = module.state_dict()
    for key, target in own.items():
        if key not in tensors:
            raise CheckpointError(f"{source} lacks the tensor {key!r}; it belongs to another model or configuration")
        if tensors[key].shape != target.shape:
            raise CheckpointError(
                f"{source} has {key!r} of shape {tuple(tensors[key].shape)} where the model needs "
                f"{tuple(target.shape)}; it belongs to another configuration"
            )
    for key in tensors:
        if key not in own:
            raise CheckpointError(f"{source} has an unexpected tensor {key!r}; it belongs to another model")
    module.load_state_dict({key: tensors[key] for key in own})


def as_values(config: Any) -> dict[str, Any]:
    """A dataclass as plain values; tuples become lists, so that YAML stays plain."""
    return {key: _plain(value) for key, value in asdict(config).items()}


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _plain(part) for key, part in value.items()}
    return [_plain(part) for part in value] if isinstance(value, (tuple, list)) else value


def halved(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """An agent's tensors with those of its transformer as float16.

    Ids and codes depend on every bit of the tokenizer and the dynamics model, actions hardly on the transformer's.
    """
    return {
        key: tensor.half() if key.startswith("world.transformer.") and tensor.is_floating_point() else tensor
        for key, tensor in tensors.items()
    }


def write_tensors(path: Path, tensors: Mapping[str, Tensor]) -> None:
    """Write one safetensors file and force it to the disk; OSError if that fails, with its own reason."""
    path.touch()
    mode = path.stat().st_mode  # what the user's umask gives; the library makes files that only their owner can read
    try:
        save_file({key: tensor.contiguous() for key, tensor in tensors.items()}, path)
    except SafetensorError as error:  # the library hides the operating system's error in its text
        code = re.search(r"(?:code: |os error )(\d+)", str(error))
        number = int(code.group(1)) if code else errno.EIO
        raise OSError(number, os.strerror(number), str(path)) from error
    path.chmod(mode)
    with path.open("rb") as stream:
        os.fsync(stream.fileno())


def read_tensors(path: Path) -> dict[str, Tensor]:
    """Read one safetensors file onto the CPU; CheckpointError if it is missing, truncated or something else."""
    try:
        return load_file(path, device="cpu")
    except FileNotFoundError as error:
        raise CheckpointError(f"{path} is missing; copy the checkpoint anew") from error
    except (SafetensorError, OSError, ValueError, KeyError) as error:
        reason = " ".join(str(error).split())
        raise CheckpointError(f"{path} is truncated or no safetensors file ({reason}); copy it anew") from error


def write_text(path: Path, text: str) -> None:
    """Write a small UTF-8 text file and force it to the disk."""
    with path.open("w", encoding="utf-8") as stream:
        stream.write(text)
        stream.flush()
        os.fsync(stream.fileno())


def replace_text(path: Path, text: str) -> None:
    """Write a small text file through a temporary name, so that a reader sees the old text or the new one."""
    temporary = path.with_name(f".{path.name}.new")
    write_text(temporary, text)
    os.replace(temporary, path)


def swap_folder(new: Path, folder: Path) -> None:
    """Put the folder `new` in the place of `folder`; both on one file system.

    A folder cannot be renamed over another one, so the old one steps aside first; if the program dies between the two
    renames, `load_checkpoint` finds the one set aside.
    """
    aside = _set_aside(folder)
    if folder.exists():
        shutil.rmtree(aside, ignore_errors=True)
        os.rename(folder, aside)
    try:
        os.rename(new, folder)
    except OSError:
        if aside.exists() and not folder.exists():
            os.rename(aside, folder)
        raise
    sync_folder(folder.parent)
    shutil.rmtree(aside, ignore_errors=True)


def sync_folder(folder: Path) -> None:
    """Force the names in a folder to the disk (a rename is safe only then), where the system has such a call."""
    if not hasattr(os, "O_DIRECTORY"):
        return
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _set_aside(folder: Path) -> Path:
    return folder.with_name(f".{folder.name}.old")


def _place(folder: Path) -> Path:
    """Where a checkpoint really lies: a program that died between two renames leaves it aside."""
    place = folder if folder.exists() else _set_aside(folder)
    if not place.is_dir():
        raise CheckpointError(f"there is no checkpoint folder {folder}; check the path")
    return place


def _replaceable(folder: Path) -> bool:
    return folder.is_dir() and ((folder / CONFIG_FILE).is_file() or not any(folder.iterdir()))


def _storable(key: str, tensor: Tensor, dtype: torch.dtype | None) -> Tensor:
    """A CPU copy of its own memory, cast if floating."""
    tensor = tensor.detach()
    if dtype is None or not tensor.is_floating_point():
        return tensor.to("cpu", copy=True).contiguous()
    cast = tensor.to("cpu", dtype=dtype, copy=True).contiguous()
    if not torch.isfinite(cast).all() and torch.isfinite(tensor).all():
        raise CheckpointError(f"{key!r} has values beyond the range of {dtype}; store it as torch.bfloat16")
    return cast


def _shards(tensors: dict[str, Tensor], limit: int | None) -> list[dict[str, Tensor]]:
    """Split in order; a tensor larger than the limit has a file of its own."""
    shards: list[dict[str, Tensor]] = [{}]
    size = 0
    for key, tensor in tensors.items():
        grown = size + tensor.nbytes
        if limit is not None and grown > limit and shards[-1]:
            shards.append({})
            grown = tensor.nbytes
        shards[-1][key] = tensor
        size = grown
    return shards


def _tensor_files(folder: Path, place: Path, name: str) -> list[Path]:
    whole = place / f"{name}{TENSOR_SUFFIX}"
    if whole.is_file():
        return [whole]
    found: dict[int, Path] = {}
    count = 0
    for path in sorted(place.glob(f"{name}-*{TENSOR_SUFFIX}")):
        match = _SHARD.search(path.stem)
        if match and path.stem[: match.start()] == name:
            found[int(match.group(1))] = path
            count = max(count, int(match.group(2)))
    if not found:
        present = sorted(path.name for path in place.glob(f"*{TENSOR_SUFFIX}"))
        raise CheckpointError(
            f"{folder} has no {name}{TENSOR_SUFFIX} ({', '.join(present) or 'no tensors at all'}); "
            "it is no checkpoint of this kind"
        )
    missing = [index for index in range(1, count + 1) if index not in found]
    if missing:
        raise CheckpointError(f"{folder} lacks shard {missing[0]} of {count} of {name!r}; copy the checkpoint anew")
    return [found[index] for index in sorted(found)]


def _read_config(folder: Path, path: Path) -> dict[str, Any]:
    try:
        config = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise CheckpointError(f"{folder} has no {CONFIG_FILE}, so it is no checkpoint; check the path") from error
    except Exception as error:  # besides its own, the parser lets out whatever a damaged date or number causes
        reason = " ".join(str(error).split())
        raise CheckpointError(f"{path} cannot be read as YAML ({reason}); copy the checkpoint anew") from error
    if not isinstance(config, dict):
        raise CheckpointError(f"{path} holds no named settings but {type(config).__name__}; copy the checkpoint anew")
    return config


def _read_metrics(path: Path) -> dict[str, Any]:
    if not path.is_file():
        return {}
    try:
        metrics = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, OSError, RecursionError) as error:
        raise CheckpointError(f"{path} cannot be read as JSON ({error}); copy the checkpoint anew") from error
    return metrics if isinstance(metrics, dict) else {}
