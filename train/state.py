"""The training state on disk: everything an exact resume needs, as safetensors and JSON.

`state/step-000001200/` holds model, running average, optimiser moments, random states and `state.json`. A new one is
written under a temporary name and renamed when complete; only then the older ones go. So whatever kills the program,
one loadable state is there.
"""

from __future__ import annotations

import json
import logging
import os
import random
import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from agents.checkpoint import CheckpointError, load_into, read_tensors, sync_folder, write_tensors, write_text
from envs.errors import UserError

log = logging.getLogger(__name__)

STATE_FILE = "state.json"
PARTS = ("model", "ema", "optimizer", "rng")
_FORMAT = 1
_NAME = re.compile(r"step-(\d+)$")


@dataclass(frozen=True)
class Clock:
    """Where a run is.

    Attributes:
        step: optimiser steps done.
        elapsed: seconds spent in the loop, over all resumes.
    """

    step: int = 0
    elapsed: float = 0.0


@dataclass(frozen=True)
class SavedState:
    """One state as read from disk: its clock and, part by part, its tensors."""

    clock: Clock
    parts: dict[str, dict[str, Tensor]]
    folder: Path


def save_state(root: Path, clock: Clock, parts: Mapping[str, Mapping[str, Tensor]]) -> Path:
    """Write one state below `root` and remove the older ones once it is complete.

    Raises:
        UserError: the disk refused; the older state is untouched.
    """
    final = root / f"step-{clock.step:09d}"
    if (final / STATE_FILE).is_file():
        return final
    temporary = root / f".{final.name}.new"
    try:
        shutil.rmtree(temporary, ignore_errors=True)
        temporary.mkdir(parents=True)
        for part, tensors in parts.items():
            write_tensors(temporary / f"{part}.safetensors", _own_memory(tensors))
        record = {"format": _FORMAT, "step": clock.step, "elapsed_seconds": clock.elapsed, "parts": list(parts)}
        write_text(temporary / STATE_FILE, json.dumps(record, indent=2) + "\n")
        sync_folder(temporary)
        os.rename(temporary, final)
        sync_folder(root)
    except OSError as error:
        shutil.rmtree(temporary, ignore_errors=True)
        kept = _folders(root)
        older = f"the state of step {_step_of(kept[0])} is kept" if kept else "there is no older state"
        raise UserError(
            f"cannot write the training state to {root}: {error.strerror or error}; {older}, "
            "make room and run the same command again"
        ) from error
    remove_states(root, keep=final)
    return final


def remove_states(root: Path, keep: Path | None = None) -> None:
    """Remove all states below `root`, half-written ones too, but not `keep`."""
    for old in root.iterdir() if root.is_dir() else ():
        if old != keep and (old.name.startswith(".step-") or _NAME.match(old.name)):
            shutil.rmtree(old, ignore_errors=True)


def has_states(root: Path) -> bool:
    """Whether there is a state below `root`, readable or not."""
    return bool(_folders(root))


def load_state(root: Path) -> SavedState | None:
    """The newest loadable state below `root`, or None if there is none at all.

    Raises:
        UserError: there are states, but none can be read.
    """
    reason: Exception | None = None
    for folder in _folders(root):
        try:
            return _read(folder)
        except CheckpointError as error:
            log.warning("skipping a broken training state: %s", error)
            reason = error
    if reason is not None:
        raise UserError(f"no training state in {root} can be read; start over with resume=false") from reason
    return None


def _read(folder: Path) -> SavedState:
    try:
        record = json.loads((folder / STATE_FILE).read_text(encoding="utf-8"))
        clock = Clock(int(record["step"]), float(record["elapsed_seconds"]))
        known, parts = record["format"] == _FORMAT, [str(part) for part in record["parts"]]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise CheckpointError(f"{folder / STATE_FILE} is missing or broken") from error
    if not known:
        raise CheckpointError(f"{folder} has the unknown format {record['format']!r}")
    return SavedState(clock, {part: read_tensors(folder / f"{part}.safetensors") for part in parts}, folder)


def _folders(root: Path) -> list[Path]:
    """State folders, newest first."""
    found = [path for path in root.iterdir() if _NAME.match(path.name)] if root.is_dir() else []
    return sorted(found, key=_step_of, reverse=True)


def _step_of(folder: Path) -> int:
    match = _NAME.match(folder.name)
    return int(match.group(1)) if match else -1


def _own_memory(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """CPU copies; safetensors takes no tensors that share memory (tied weights)."""
    return {key: tensor.detach().to("cpu", copy=True).contiguous() for key, tensor in tensors.items()}


def optimizer_tensors(model: nn.Module, optimizer: Optimizer) -> dict[str, Tensor]:
    """The optimiser's state as `PARAMETER/KEY` -> tensor."""
    names = {parameter: name for name, parameter in model.named_parameters()}
    return {
        f"{names[parameter]}/{key}": torch.as_tensor(value)
        for parameter, state in cast(dict[nn.Parameter, dict[str, Any]], optimizer.state).items()
        for key, value in state.items()
    }


def restore_optimizer(model: nn.Module, optimizer: Optimizer, tensors: Mapping[str, Tensor]) -> None:
    """Put back what `optimizer_tensors` took; CheckpointError if it belongs to other parameters."""
    names = {parameter: name for name, parameter in model.named_parameters()}
    parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    numbers = {names[parameter]: number for number, parameter in enumerate(parameters)}
    shapes = {names[parameter]: parameter.shape for parameter in parameters}
    state: dict[int, dict[str, Tensor]] = {}
    for full, tensor in tensors.items():
        name, _, key = full.rpartition("/")
        if name not in numbers or (tensor.ndim and tensor.shape != shapes[name]):
            raise CheckpointError(f"the training state has {full!r}, which fits no parameter of this model")
        state.setdefault(numbers[name], {})[key] = tensor
    packed: dict[str, Any] = optimizer.state_dict()
    packed["state"] = state
    optimizer.load_state_dict(packed)


def restore_model(model: nn.Module, saved: SavedState, part: str) -> None:
    """Put back `part` ("model" or "ema") of a saved state."""
    load_into(model, saved.parts[part], source=saved.folder)


def rng_tensors(device: torch.device) -> dict[str, Tensor]:
    """The states of torch's, numpy's and Python's global generators as tensors of fixed sizes."""
    version, words, gauss = random.getstate()
    _, keys, position, has_gauss, cached = np.random.get_state(legacy=True)  # type: ignore[misc]
    tensors = {
        "torch": torch.get_rng_state(),
        "numpy": torch.tensor([*(int(key) for key in keys), int(position), int(has_gauss)], dtype=torch.int64),
        "python": torch.tensor([version, *words, int(gauss is not None)], dtype=torch.int64),
        "normal": torch.tensor([float(cached), 0.0 if gauss is None else gauss], dtype=torch.float64),
    }
    if device.type == "cuda":
        tensors["cuda"] = torch.cuda.get_rng_state(device)
    return tensors


def restore_rng(tensors: Mapping[str, Tensor], device: torch.device) -> None:
    """Put back what `rng_tensors` took."""
    numpy_gauss, python_gauss = tensors["normal"].tolist()
    *keys, position, has_gauss = tensors["numpy"].tolist()
    np.random.set_state(("MT19937", np.array(keys, dtype=np.uint32), position, has_gauss, numpy_gauss))
    version, *words, gauss = tensors["python"].tolist()
    random.setstate((version, tuple(words), python_gauss if gauss else None))
    # torch reads a generator's state from the start of the storage: a view of all ranks' states would be misread
    torch.set_rng_state(tensors["torch"].cpu().clone())
    if device.type == "cuda" and "cuda" in tensors:
        torch.cuda.set_rng_state(tensors["cuda"].cpu().clone(), device)
