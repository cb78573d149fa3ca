"""What is said where RLBench, PyRep, CoppeliaSim or a display are missing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from envs.errors import UserError
from envs.rlbench import official_install
from envs.rlbench.official import OfficialWorld
from tests.envs.rlbench.fake_rlbench import coppeliasim, forget

SIZES = {"front": (12, 16)}


def test_a_missing_coppeliasim_is_named(sim: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for value, words in (
        (None, "COPPELIASIM_ROOT is not set: unpack .* `export COPPELIASIM_ROOT="),
        ("/nowhere", "COPPELIASIM_ROOT is '/nowhere', which is no folder; run `export"),
        (str(tmp_path), "where libcoppeliaSim.so is not"),
        (str(coppeliasim(tmp_path, "CoppeliaSim_Edu_V4_3_0_rev12_Ubuntu22_04")), "is version 4.3.0, but .* need 4.1.0"),
    ):
        monkeypatch.delenv("COPPELIASIM_ROOT") if value is None else monkeypatch.setenv("COPPELIASIM_ROOT", value)
        with pytest.raises(UserError, match=words):
            OfficialWorld(SIZES)
        if value is None:
            monkeypatch.setenv("COPPELIASIM_ROOT", "")
    renamed = tmp_path / "coppelia"
    renamed.symlink_to(tmp_path / "CoppeliaSim_Edu_V4_3_0_rev12_Ubuntu22_04")
    assert official_install.coppeliasim_version(renamed) == "4.3.0"
    assert official_install.coppeliasim_version(tmp_path / "elsewhere") is None


def test_a_missing_display_is_named(sim: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DISPLAY")
    with pytest.raises(UserError, match="DISPLAY is not set: run `xvfb-run -a"):
        OfficialWorld(SIZES)


def test_other_systems_are_named(sim: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(official_install.sys, "platform", "darwin")
    with pytest.raises(UserError, match="runs on Linux only, and this is darwin; choose backend 'builtin'"):
        OfficialWorld(SIZES)


@pytest.mark.parametrize(
    ("package", "words"),
    [
        ("pyrep", "needs PyRep, which is not installed: run `pip install git.*stepjam/PyRep"),
        ("rlbench", "needs RLBench, which is not installed: run `pip install git.*stepjam/RLBench"),
    ],
)
def test_missing_packages_are_named(sim: Any, monkeypatch: pytest.MonkeyPatch, package: str, words: str) -> None:
    find = official_install.importlib.util.find_spec
    monkeypatch.setattr(
        official_install.importlib.util, "find_spec", lambda name: None if name == package else find(name)
    )
    with pytest.raises(UserError, match=words):
        OfficialWorld(SIZES)


def test_packages_of_the_same_name_are_told_apart(sim: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for package, words in (("rlbench", "older than version 1.2.0"), ("pyrep", "another one of that name, from PyPI")):
        (tmp_path / package).mkdir()
        (tmp_path / package / "__init__.py").touch()
        monkeypatch.syspath_prepend(tmp_path)
        forget()
        with pytest.raises(UserError, match=words):
            OfficialWorld(SIZES)


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (
            ImportError("libcoppeliaSim.so.1: cannot open shared object file: No such file or directory"),
            "run `export LD_LIBRARY_PATH=.*COPPELIASIM_ROOT` and start Python again",
        ),
        (ImportError("_sim_cffi.so: undefined symbol: simAddLog"), "built for another version .*--force-reinstall"),
        (ModuleNotFoundError("No module named 'pyquaternion'", name="pyquaternion"), "`pip install pyquaternion`"),
        (ModuleNotFoundError("No module named 'pyrep.x'", name="pyrep.x"), "cannot be imported .*PyRep.git"),
        (AttributeError("module 'rlbench.utils' has no attribute 'x'"), "another version than the adapter knows"),
    ],
)
def test_imports_that_fail_are_explained(
    sim: Any, monkeypatch: pytest.MonkeyPatch, error: Exception, words: str
) -> None:
    def load() -> None:
        raise error

    monkeypatch.setattr(official_install, "load", load)
    with pytest.raises(UserError, match=words) as caught:
        OfficialWorld(SIZES)
    assert "\n" not in str(caught.value)
