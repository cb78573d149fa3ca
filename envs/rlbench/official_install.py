"""Whether CoppeliaSim, PyRep and RLBench are installed so that they can run: what is missing is named with its cure."""

from __future__ import annotations

import importlib
import importlib.util
import os
import re
import sys
from pathlib import Path

from envs.errors import UserError
from envs.rlbench.official_api import Package, load

VERSION = "4.1.0"  # of CoppeliaSim: the only one that PyRep is built for
GUIDE = "all steps are in examples/rlbench.md, and backend 'builtin' needs none of them"

_ROOT_LINE = "`export COPPELIASIM_ROOT=$HOME/CoppeliaSim_Edu_V4_1_0_Ubuntu20_04`"
_PYREP_LINE = "`pip install git+https://github.com/stepjam/PyRep.git`"
_RLBENCH_LINE = "`pip install git+https://github.com/stepjam/RLBench.git`"
_LIBRARY_LINE = "`export LD_LIBRARY_PATH=$LD_LIBRARY_PATH:$COPPELIASIM_ROOT`"
_DISPLAY_LINE = "`xvfb-run -a -s '-screen 0 1280x1024x24' python ...`"


def load_package() -> Package:
    """The installed packages, imported.

    What an import needs is looked at before it: `rlbench` imports `pyrep`, whose library belongs to the simulator and
    may take the process with it.

    Raises:
        UserError: something is missing or of the wrong version; the first in the order of installing.
    """
    _check_coppeliasim(os.environ.get("COPPELIASIM_ROOT"))
    _check_pyrep()
    _check_rlbench()
    if not os.environ.get("DISPLAY"):
        raise UserError(
            f"CoppeliaSim draws its pictures on an X server, and DISPLAY is not set: run {_DISPLAY_LINE}, "
            "or set DISPLAY to a running X server"
        )
    try:
        return load()
    except ImportError as error:
        raise UserError(_why_not_imported(error)) from error
    except AttributeError as error:
        raise UserError(
            f"the installed rlbench or pyrep is of another version than the adapter knows ({error}); run "
            f"{_RLBENCH_LINE}"
        ) from error


def _check_coppeliasim(root: str | None) -> None:
    if not sys.platform.startswith("linux"):
        raise UserError(f"backend 'official' runs on Linux only, and this is {sys.platform}; choose backend 'builtin'")
    if not root:
        raise UserError(
            f"backend 'official' needs CoppeliaSim {VERSION}, and COPPELIASIM_ROOT is not set: unpack CoppeliaSim Edu "
            f"{VERSION} and run {_ROOT_LINE}; {GUIDE}"
        )
    folder = Path(root)
    if not folder.is_dir():
        raise UserError(f"COPPELIASIM_ROOT is {root!r}, which is no folder; run {_ROOT_LINE}")
    if not any(folder.glob("libcoppeliaSim.so*")):
        raise UserError(
            f"COPPELIASIM_ROOT is {root!r}, where libcoppeliaSim.so is not; name the folder that CoppeliaSim Edu "
            f"{VERSION} was unpacked to: {_ROOT_LINE}"
        )
    version = coppeliasim_version(folder)
    if version is not None and version != VERSION:
        raise UserError(
            f"CoppeliaSim in {root!r} is version {version}, but PyRep and RLBench need {VERSION}: unpack that one and "
            f"run {_ROOT_LINE}"
        )


def coppeliasim_version(folder: Path) -> str | None:
    """The version that a folder of CoppeliaSim is named after, links followed; None where the name tells none."""
    found = re.search(r"_V(\d+)_(\d+)_(\d+)", folder.resolve().name)
    return None if found is None else ".".join(found.groups())


def _check_pyrep() -> None:
    folder = _folder_of("pyrep")
    if folder is None:
        raise UserError(f"backend 'official' needs PyRep, which is not installed: run {_PYREP_LINE}; {GUIDE}")
    if not (folder / "backend").is_dir():
        raise UserError(
            "the installed package pyrep is another one of that name, from PyPI: run `pip uninstall pyrep`, then "
            f"{_PYREP_LINE}"
        )


def _check_rlbench() -> None:
    folder = _folder_of("rlbench")
    if folder is None:
        raise UserError(f"backend 'official' needs RLBench, which is not installed: run {_RLBENCH_LINE}; {GUIDE}")
    if not (folder / "action_modes").is_dir():
        raise UserError(f"the installed rlbench is older than version 1.2.0, which is needed: run {_RLBENCH_LINE}")


def _folder_of(package: str) -> Path | None:
    """Where a package lies, found without importing it."""
    try:
        found = importlib.util.find_spec(package)
    except ValueError:  # imported already, by something that left no spec
        found = None
    return None if found is None or found.origin is None else Path(found.origin).parent


def _why_not_imported(error: ImportError) -> str:
    text = str(error).strip() or type(error).__name__
    if "libcoppeliaSim" in text and "cannot open" in text:
        return f"PyRep does not find CoppeliaSim's library ({text}): run {_LIBRARY_LINE} and start Python again"
    if "undefined symbol" in text:
        return (
            f"PyRep was built for another version of CoppeliaSim than that in COPPELIASIM_ROOT ({text}): with "
            f"CoppeliaSim {VERSION} there, run `pip install --force-reinstall --no-deps "
            "git+https://github.com/stepjam/PyRep.git`"
        )
    name = error.name or ""
    if isinstance(error, ModuleNotFoundError) and name and name.split(".")[0] not in ("rlbench", "pyrep"):
        return f"RLBench needs {name}, which is not installed: run `pip install {name.split('.')[0]}`"
    return f"RLBench cannot be imported ({text}): run {_PYREP_LINE}, then {_RLBENCH_LINE}"
