"""Themes, sound, and what is remembered."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pygame
import pytest

from tests.ui.driver import Open, at, played
from tests.ui.fakes import ScriptedPlayer
from ui.settings import Settings, settings_file
from ui.sound import Sounds, click_samples
from ui.theme import THEMES


@pytest.mark.parametrize("theme", THEMES)
def test_themes_differ_and_are_readable(theme: str) -> None:
    colours = THEMES[theme]

    def light(colour: tuple[int, int, int]) -> float:
        parts = [value / 255 for value in colour]
        linear = [part / 12.92 if part <= 0.04 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    def contrast(one: tuple[int, int, int], other: tuple[int, int, int]) -> float:
        low, high = sorted((light(one), light(other)))
        return (high + 0.05) / (low + 0.05)

    for back in (colours.background, colours.panel, colours.raised):
        assert contrast(colours.text, back) > 7 and contrast(colours.warning, back) > 4
    assert contrast(colours.muted, colours.panel) > 4.5 and contrast(colours.on_accent, colours.accent) > 4.5
    assert contrast(colours.line, colours.board_light) > 3 and contrast(colours.label, colours.board_light) > 3


def test_the_theme_is_remembered(play: Open) -> None:
    settings = Settings.load()
    driver = play(None, ScriptedPlayer([]), settings=settings)
    wood = driver.picture()
    driver.key("t")
    assert (driver.picture() != wood).any(-1).mean() > 0.9
    driver.key("c")
    driver.key("m")
    again = Settings.load()
    assert (again.theme, again.marks, again.numbers) == ("slate", "heat", True) and again.path == settings_file()
    driver.key("t")
    driver.key("t")
    assert Settings.load().theme == "wood"


@pytest.mark.parametrize(
    "text", ["", "{", "[]", '{"theme": 3, "marks": [], "sound": "loud", "numbers": "no"}', "\xff", "[" * 100_000]
)
def test_damaged_settings_are_the_defaults(text: str) -> None:
    settings_file().parent.mkdir(parents=True)
    settings_file().write_bytes(text.encode("latin-1"))
    assert Settings.load() == Settings(path=settings_file())


def test_settings_that_cannot_be_written_last_as_long_as_the_window(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    settings = Settings.load(tmp_path / "file" / "settings.json")
    settings.next_theme()
    assert settings.theme == "slate"
    settings = Settings(path=tmp_path / "settings.json")
    settings.next_marks()
    assert json.loads((tmp_path / "settings.json").read_text())["marks"] == "heat"


@pytest.mark.parametrize("driver_name", ["dummy", "none", "nosuchdriver"])
def test_sound_never_fails(play: Open, monkeypatch: pytest.MonkeyPatch, driver_name: str) -> None:
    monkeypatch.setenv("SDL_AUDIODRIVER", driver_name)
    pygame.mixer.quit()
    driver = play(None, ScriptedPlayer([at("G7"), at("C7")]))
    assert driver_name == "nosuchdriver" or not driver.window.surroundings.sounds.on, "off without a device"
    driver.key("v")
    played(driver, "C3")
    driver.key("v")
    played(driver, "D4")


def test_the_click_is_short_and_in_range() -> None:
    samples = click_samples()
    assert (
        samples.dtype == np.int16 and len(samples) < 0.1 * 44_100 and 10_000 < abs(samples.astype(int)).max() < 32_767
    )
    assert Sounds(Settings(sound=True)).on
