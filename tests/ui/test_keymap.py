"""The table of keys and words."""

from __future__ import annotations

import pygame
import pytest

from ui.keymap import (
    DREAM_KEYS,
    GAME_KEYS,
    POINTER,
    ROBOT_KEYS,
    START_KEYS,
    Binding,
    Chord,
    action_for_word,
    chords,
    key_label,
    keymap_markdown,
    parse_chord,
)

TABLES = {"game": GAME_KEYS, "start": START_KEYS, "dream": DREAM_KEYS, "robot": ROBOT_KEYS}


@pytest.mark.parametrize("bindings", TABLES.values(), ids=TABLES)
def test_keys_and_words_are_used_once(bindings: tuple[Binding, ...]) -> None:
    keys = [key for binding in bindings for key in binding.keys if key not in POINTER]
    words = [binding.word for binding in bindings if binding.word]
    assert len(keys) == len(set(keys)) and len(words) == len(set(words))
    assert len({binding.action for binding in bindings}) == len(bindings)


def test_what_means_the_same_has_the_same_keys_everywhere() -> None:
    keys = {binding.action: binding.keys for binding in GAME_KEYS}
    for binding in (*START_KEYS, *DREAM_KEYS, *ROBOT_KEYS):
        assert keys.setdefault(binding.action, binding.keys) == binding.keys


def test_pygame_knows_every_key() -> None:
    pygame.display.init()  # key names need it
    for binding in (*GAME_KEYS, *START_KEYS, *DREAM_KEYS, *ROBOT_KEYS):
        for key in binding.keys:
            assert key in POINTER or pygame.key.key_code(parse_chord(key).key) > 0
    pygame.display.quit()


@pytest.mark.parametrize(
    ("text", "action"),
    [("Pass", "pass"), (" undo ", "undo"), ("D4", None), ("", None), ("space", None), ("again", "pause")],
)
def test_words(text: str, action: str | None) -> None:
    assert action_for_word(text, GAME_KEYS) == action


def test_labels() -> None:
    assert [key_label(key) for key in ("u", "f11", "backspace", "f")] == ["U", "F11", "Backspace", "F"]
    assert [key_label(key) for key in ("ctrl+shift+z", "page up")] == ["Ctrl-Shift-Z", "Page up"]


def test_chords() -> None:
    assert parse_chord("ctrl+shift+z") == Chord("z", ctrl=True, shift=True) and parse_chord("u") == Chord("u")
    assert len(chords(GAME_KEYS)) == sum(key not in POINTER for binding in GAME_KEYS for key in binding.keys)


def test_markdown_has_a_row_for_every_binding() -> None:
    lines = keymap_markdown(GAME_KEYS).splitlines()
    assert len(lines) == 2 + len(GAME_KEYS)
    assert all(line.count("|") == 5 for line in lines)
    assert lines[3].startswith("| P | `pass` | pass |")
