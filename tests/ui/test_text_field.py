"""Typing: the clipboard, the caret, letters that keys mean otherwise."""

from __future__ import annotations

import pygame
import pytest

from tests.ui.driver import Open
from ui.start_rows import OTHER
from ui.text_field import TextField, clipboard_text


def test_pasting(lobby: Open) -> None:
    driver = lobby()
    driver.choose("white", OTHER)
    pygame.scrap.init()
    pygame.scrap.put("text/plain;charset=utf-8", b" gnugo,\tlevel=5\n")
    driver.key("ctrl+v", "\x16")
    assert driver.field.field.text == "gnugo, level=5"
    driver.key("escape")
    pygame.scrap.put("text/plain;charset=utf-8", b"6.5")
    driver.click(driver.komi_place.center)
    driver.key("ctrl+v", "\x16")
    driver.key("return")
    assert driver.match.game.komi == 6.5


def test_no_clipboard(monkeypatch: pytest.MonkeyPatch, lobby: Open) -> None:
    def fail(*_: object) -> None:
        raise pygame.error("no clipboard")

    driver = lobby()
    driver.choose("white", OTHER)
    monkeypatch.setattr(pygame.scrap, "init", fail)
    driver.key("ctrl+v", "\x16")
    assert clipboard_text() == "" and driver.field.field.text == ""


def test_the_caret_goes_through_the_text(lobby: Open) -> None:
    driver = lobby()
    driver.choose("white", OTHER)
    field = driver.field.field
    driver.type("abcd")
    for name in ("left", "left", "backspace", "home", "delete", "end"):
        driver.key(name)
    driver.type("e")
    assert field.text == "cde"
    driver.picture()
    driver.click((field._shown.left + 1, field._shown.centery))
    driver.type("x")
    assert field.text == "xcde"
    field.write("long " * 100)
    driver.picture()
    assert len(field.text) == field.most and driver.window.surface.get_rect().contains(driver.field._place)


def test_altgr_types_letters(lobby: Open) -> None:
    driver = lobby()
    driver.choose("white", OTHER)
    held = pygame.KMOD_LCTRL | pygame.KMOD_RALT
    driver.post(pygame.KEYDOWN, key=pygame.K_q, mod=held, unicode="@")
    assert driver.field.field.text == "@"


def test_a_field_that_is_full_takes_no_more() -> None:
    field = TextField("ab", most=3)
    field.insert("cdef")
    assert field.text == "abc"
