"""What the device can do: native bf16, peak speed, a C++ compiler."""

from __future__ import annotations

import ctypes
import os
import shutil
import time
from functools import cache

import torch

from envs.errors import UserError

_BF16_FLAGS = ("avx512_bf16", "amx_bf16", "bf16", "sve_bf16")


def probable_device(name: str, processes: int = 1) -> torch.device:
    """The kind of device a run will take; UserError if there is none of this kind, or -1 `processes` and no GPU."""
    available = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    if name == "auto":
        name = next(kind for kind, there in available.items() if there)
    if not available[name]:
        raise UserError(f"trainer.devices is {name!r}, but there is no such device here; choose auto or cpu")
    if processes == -1 and name == "cpu":
        raise UserError("trainer.num_processes is -1, all GPUs, but there is no GPU here; choose 1 or more")
    return torch.device(name)


def native_bf16(device: torch.device) -> bool:
    """Whether the device multiplies in bf16 itself (a CPU without it emulates it, hundreds of times slower)."""
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    if device.type == "cpu":
        return any(flag in _cpu_flags() for flag in _BF16_FLAGS)
    return False


def describe(device: torch.device) -> str:
    """The device in words: "NVIDIA H100 80GB HBM3", "cpu (AMD EPYC), 2 threads"."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    if device.type == "cpu":
        model = _cpu_entry("model name")
        return f"cpu{f' ({model})' if model else ''}, {torch.get_num_threads()} threads"
    return device.type


@cache
def _cpu_flags() -> frozenset[str]:
    return frozenset(_cpu_entry("flags", "features").split())  # none off Linux: the slower, safe answer


def _cpu_entry(*names: str) -> str:
    """The first of these entries of the system's description of its CPU; empty where there is none."""
    try:
        with open("/proc/cpuinfo", encoding="ascii", errors="replace") as stream:
            for line in stream:
                key, _, value = line.partition(":")
                if key.strip().lower() in names:
                    return value.strip()
    except OSError:
        pass  # no Linux
    return ""


def choose_precision(name: str, device: torch.device) -> str:
    """ "fp32" or "bf16" for the setting "auto", "fp32" or "bf16" on this device."""
    if name != "auto":
        return name
    return "bf16" if native_bf16(device) else "fp32"


def measure_peak(device: torch.device, precision: str, seconds: float = 0.3) -> float:
    """FLOP/s of the best of a few large matrix products in this precision: the 100 % of the MFU meter."""
    dtype = torch.bfloat16 if precision == "bf16" else torch.float32
    size = 8192 if device.type == "cuda" else 1024
    generator = torch.Generator().manual_seed(0)
    left = torch.randn(size, size, generator=generator).to(device, dtype)
    best = float("inf")
    end = time.perf_counter() + seconds
    trials = 0
    while trials < 3 or time.perf_counter() < end:
        start = time.perf_counter()
        left @ left
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        best = min(best, time.perf_counter() - start)
        trials += 1
    return 2.0 * size**3 / best


def has_cpp_compiler() -> bool:
    """Whether torch.compile can build its kernels here."""
    own = os.environ.get("CXX")
    return any(shutil.which(name) for name in ((own,) if own else ("g++", "clang++", "c++", "cl")))


def keep_freed_memory() -> None:
    """Let the C library keep freed memory instead of handing it back: saves a fifth of a training step's time on a CPU.

    Each step frees and asks for the same large blocks; by default the system clears their pages anew every time.
    glibc only.
    """
    trim_threshold, top_pad, mmap_max = -1, -2, -4  # malloc.h
    try:
        mallopt = ctypes.CDLL("libc.so.6").mallopt
    except (OSError, AttributeError):
        return  # another C library: nothing to tune
    for option, value in ((mmap_max, 0), (trim_threshold, 2**31 - 1), (top_pad, 2**26)):
        mallopt(option, value)
