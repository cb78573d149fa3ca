"""The house rules: every module imports, and imports point one way."""

from __future__ import annotations

import ast
import importlib
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGES = ("agents", "envs", "train", "ui", "benchmarks")
OWN = {*PACKAGES, "play", "tests"}

# Who may import whom; the longest prefix of a module's name counts.
ARROWS = {
    "envs": {"envs"},
    "agents": {"agents", "envs"},
    "agents.videoworld": {"agents.videoworld"},
    "agents.pixellm": {
        "agents.pixellm",
        "agents.videoworld",
        "agents.checkpoint",
        "agents.checkpoint_config",
        "envs.errors",
    },
    "ui": {"ui", "agents", "envs"},
    "train": {"train", "agents", "envs"},
    "benchmarks": {"benchmarks", "agents", "envs", "train"},
    "benchmarks.window": {"benchmarks", "ui", "agents", "envs", "train"},
    "play": {"agents", "envs", "ui"},
}


def modules() -> list[str]:
    """Names of all modules of the project, tests not counted."""
    files = [path for package in PACKAGES for path in (ROOT / package).rglob("*.py")]
    names = [".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__") for path in files]
    return sorted([*names, "play"])


def tree(module: str) -> ast.Module:
    """The parsed source of a module."""
    path = ROOT.joinpath(*module.split("."))
    file = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    return ast.parse(file.read_text(encoding="utf-8"), str(file))


def imported(module: str) -> Iterator[tuple[str, int]]:
    """What a module imports, wherever in it, with the line: types and imports inside functions count as well."""
    for node in ast.walk(tree(module)):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module}:{node.lineno}: write the full name instead of a relative import"
            yield str(node.module), node.lineno


def within(module: str, package: str) -> bool:
    """Whether `module` is `package` or lies in it."""
    return module == package or module.startswith(package + ".")


@pytest.mark.parametrize("module", modules())
def test_arrows(module: str) -> None:
    allowed = ARROWS[max((package for package in ARROWS if within(module, package)), key=len)]
    for name, line in imported(module):
        if name.split(".")[0] in OWN:
            assert any(within(name, package) for package in allowed), f"{module}:{line} must not import {name}"


def test_rules_know_no_pixels() -> None:
    for module in ("envs.go.rules", "envs.go.kernels", "envs.go.batch", "envs.go.coords", "envs.go.sgf"):
        for name, line in imported(module):
            assert name.split(".")[0] not in ("pygame", "torch") and name != "envs.go.renderer", f"{module}:{line}"


def test_pygame_stays_at_the_edge() -> None:
    for module in modules():
        if not within(module, "ui") and any(name.split(".")[0] == "pygame" for name, _ in imported(module)):
            assert module in ("envs.viewer", "benchmarks.window"), f"{module} imports pygame; only windows do"


def test_coords_alone_know_the_skipped_letter() -> None:
    for module in modules():
        constants = [node for node in ast.walk(tree(module)) if isinstance(node, ast.Constant)]
        texts = [node for node in constants if isinstance(node.value, str)]
        knows = [node.lineno for node in texts if re.search(r"(?i)ghj|H\]?J|H-?J-|^I$", node.value)]
        # In the tables of keys a letter is a key
        allowed = module in ("envs.go.coords", "ui.keymap")
        assert not knows or allowed, f"{module}:{knows[0]}: use envs.go.coords"


def test_only_sequence_builds_attention_masks() -> None:
    for module in modules():
        calls = [node for node in ast.walk(tree(module)) if isinstance(node, ast.Attribute) and node.attr == "tril"]
        assert not calls or module == "agents.videoworld.sequence", f"{module}:{calls[0].lineno}"


@pytest.mark.parametrize("module", [name for name in modules() if not name.endswith("__main__")])
def test_imports(module: str) -> None:
    importlib.import_module(module)


def test_the_front_door_opens_at_once() -> None:
    code = "import sys, play; print(*sys.modules)"
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=True)
    slow = {"torch", "numba", "pygame", "transformers", "lightning"}
    assert not slow & set(done.stdout.split())


def test_every_file_is_short_enough_to_read() -> None:
    for path in [ROOT / "play.py", *(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))]:
        lines = len(path.read_text(encoding="utf-8").splitlines())
        assert lines <= 420, f"{path.relative_to(ROOT)} has {lines} lines; find what can stand in a file of its own"
