"""What the README says is what the program does."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
import yaml

from ui.keymap import DREAM_KEYS, GAME_KEYS, ROBOT_KEYS, keymap_markdown

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```sh\n(.*?)```", README, re.DOTALL)
COMMANDS = [line.strip() for block in BLOCKS for line in block.replace("\\\n", " ").splitlines() if line.strip()]


def test_the_key_tables_are_the_programs() -> None:
    assert all(keymap_markdown(keys) in README for keys in (GAME_KEYS, DREAM_KEYS, ROBOT_KEYS))


def test_every_mode_is_shown() -> None:
    import play

    shown = {line.split("play.py", 1)[1].split()[0] for line in COMMANDS if "play.py" in line}
    assert shown == set(play.MODES) and all(f"play.py {mode} " in play.OVERVIEW for mode in play.MODES)


def test_the_two_commands_come_first() -> None:
    assert COMMANDS[:2] == ["make play", "make test"]


@pytest.mark.parametrize("command", [line for line in COMMANDS if line.startswith("make ")])
def test_make_targets_exist(command: str) -> None:
    targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    assert command.split("#")[0].split()[1] in targets


@pytest.mark.parametrize("command", [line for line in COMMANDS if "play.py" in line])
def test_play_commands_parse(command: str) -> None:
    import play

    words = shlex.split(command.split("#")[0].split("play.py", 1)[1])
    assert words[0] in play.MODES
    parser, _ = play.MODES[words[0]]
    parser().parse_args([word for word in words[1:] if word != "--help"])


@pytest.mark.parametrize("command", [line for line in COMMANDS if "-m train " in line])
def test_training_commands_compose(command: str) -> None:
    from train.compose import choices, compose
    from train.experiment import load_experiment
    from train.registry import STAGES

    words = command.split("#")[0].split("-m train ", 1)[1].split()
    if words[0] in STAGES:
        compose([f"stage={words[0]}", "out=runs/x", *words[1:]])
        return
    name = words[0].removeprefix("experiment=")
    assert name in choices("experiment")
    for step in load_experiment(name, words[1:]).steps:
        compose(step.overrides)


def test_links_lead_somewhere() -> None:
    for file in ("README.md", "ARCHITECTURE.md", "assets/README.md"):
        text = (ROOT / file).read_text(encoding="utf-8")
        for target in re.findall(r"\]\(([^)#\s]+)", text):
            if not target.startswith("http"):
                assert (ROOT / file).parent.joinpath(target).exists(), f"{file} links to {target}"


def test_the_version_stands_in_one_way_everywhere() -> None:
    import play

    assert f'version = "{play.VERSION}"' in (ROOT / "pyproject.toml").read_text(encoding="utf-8")


def test_shipped_settings_are_yaml() -> None:
    for path in (ROOT / "train" / "conf").rglob("*.yaml"):
        assert isinstance(yaml.safe_load(path.read_text(encoding="utf-8")), dict), path
