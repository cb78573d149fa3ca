"""RLBench, PyRep and CoppeliaSim, where they are not installed: the folder `fakes` put in front of the import path."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

FAKES = Path(__file__).parent / "fakes"


def forget() -> None:
    """Let the next import of the packages find what is on the path by then."""
    for name in [name for name in sys.modules if name.split(".")[0] in ("rlbench", "pyrep")]:
        del sys.modules[name]
    importlib.invalidate_caches()


def coppeliasim(folder: Path, name: str = "CoppeliaSim_Edu_V4_1_0_Ubuntu20_04") -> Path:
    """A folder that looks as if CoppeliaSim was unpacked to it."""
    root = folder / name
    root.mkdir()
    (root / "libcoppeliaSim.so").touch()
    return root


@contextmanager
def installed(monkeypatch: pytest.MonkeyPatch, folder: Path) -> Iterator[Any]:
    """The fakes are installed and what they need is set up; gives the simulator that they run on."""
    monkeypatch.setenv("COPPELIASIM_ROOT", str(coppeliasim(folder)))
    monkeypatch.setenv("DISPLAY", ":99")
    monkeypatch.syspath_prepend(FAKES)
    forget()
    try:
        yield importlib.import_module("pyrep.backend.sim")
    finally:
        forget()
