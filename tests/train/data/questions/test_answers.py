"""Whether an answer's words are right."""

from __future__ import annotations

import pytest

from train.data.questions.answers import answer_fields, is_right, is_right_in_any_order

TRUTH = "The white stones in atari are C3 {seg} and D4 {seg}."


def test_fields_of_an_answer() -> None:
    fields = answer_fields(TRUTH)
    assert fields["coordinates"] == ("C3", "D4") and fields["colours"] == ("white",) and fields["things"] == ("stone",)
    assert answer_fields("No, A10 is empty.")["polarity"] == ("no", "empty")
    assert answer_fields("There are 12 black stones.")["numbers"] == ("12",)
    assert answer_fields("The drawer {seg} is open.")["states"] == ("open",)
    assert answer_fields("The group at I5 {seg}.")["coordinates"] == (), "there is no letter I"


@pytest.mark.parametrize("said, right", [
    (TRUTH, True),
    ("The white stones in atari are C3 and D4.", True),
    ("white stones in atari: c3 {seg}, d4 {seg}", True),
    ("The white stones in atari are D4 {seg} and C3 {seg}.", False),
    ("The white stones in atari are C3 {seg}.", False),
    ("The black stones in atari are C3 {seg} and D4 {seg}.", False),
    ("The white stones in atari are C3 {seg} and D5 {seg}.", False),
    ("There are no white stones in atari.", False),
    ("", False),
])  # fmt: skip
def test_an_answer_is_right_if_all_its_fields_are(said: str, right: bool) -> None:
    assert is_right(said, TRUTH) == right


@pytest.mark.parametrize("said, truth", [
    ("There are 3 blocks on the table.", "There are 2 blocks on the table."),
    ("Yes, the drawer is open.", "No, the drawer is closed."),
    ("The LED {seg} is off.", "The LED {seg} is on."),
    ("Press the switch {seg}.", "Press the button {seg}."),
    ("The button base {seg} is navy.", "The button base {seg} is blue."),
    ("No, the red block is to the left of the button.", "No, the red block is to the right of the button."),
])  # fmt: skip
def test_one_wrong_field_is_enough(said: str, truth: str) -> None:
    assert is_right(truth, truth) and not is_right(said, truth)


def test_targets_are_counted_where_the_text_has_no_slots() -> None:
    bare = TRUTH.replace(" {seg}", "")
    assert is_right(bare, TRUTH, targets=2) and not is_right(bare, TRUTH, targets=3)
    assert not is_right("There are 2 stones.", "There are 2 stones.", targets=1)


@pytest.mark.parametrize("said, right", [
    (TRUTH, True),
    ("The white stones in atari are D4 {seg} and C3 {seg}.", True),
    ("white stones in atari: d4 {seg}, c3 {seg}", True),
    ("The white stones in atari are D4 {seg} and D4 {seg}.", False),
    ("The black stones in atari are D4 {seg} and C3 {seg}.", False),
    ("The white stones in atari are D4 {seg}, C3 {seg} and E5 {seg}.", False),
    ("The white stones in atari are D4 {seg}.", False),
    ("The white stones in atari are D4 and C3.", False),
    ("", False),
])  # fmt: skip
def test_targets_in_any_order(said: str, right: bool) -> None:
    assert is_right_in_any_order(said, TRUTH, ("C3", "D4")) == right


def test_in_any_order_colours_stay_with_their_things() -> None:
    truth, names = "There are the red block {seg} and the blue door {seg}.", ("red block", "blue door")
    assert is_right_in_any_order("There are the blue door {seg} and the red block {seg}.", truth, names)
    assert not is_right_in_any_order("There are the red door {seg} and the blue block {seg}.", truth, names)
    assert is_right_in_any_order("No, it is empty.", "No, it is empty.", ())
    assert not is_right_in_any_order("Yes, it is empty.", "No, it is empty.", ())
