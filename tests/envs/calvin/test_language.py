"""What tasks are called, and which task an instruction asks for."""

from __future__ import annotations

import numpy as np
import pytest

from envs.calvin.language import PARAPHRASES, VALIDATION, instruction_for, task_of
from envs.calvin.tasks import TASKS
from envs.errors import UserError


def test_every_task_has_words_that_lead_back_to_it() -> None:
    assert set(VALIDATION) == set(PARAPHRASES) == set(TASKS)
    for task in TASKS:
        assert task_of(task) == task
        assert len(PARAPHRASES[task]) >= 3
        for text in (VALIDATION[task], *PARAPHRASES[task]):
            assert task_of(text) == task_of(text.upper() + "!") == task
    everything = [text for task in TASKS for text in (VALIDATION[task], *PARAPHRASES[task])]
    assert len({text.lower() for text in everything}) == len(everything)


@pytest.mark.parametrize(
    ("task", "text"),
    [
        ("rotate_red_block_right", "take the red block and rotate it to the right"),
        ("push_blue_block_left", "go push the blue block left"),
        ("lift_pink_block_drawer", "Take the pink block from the drawer"),
        ("push_into_drawer", "slide the block that it falls into the drawer"),
        ("turn_off_led", "press the button to turn off the led light"),
    ],
)
def test_protocol_sentences_are_exact(task: str, text: str) -> None:
    assert instruction_for(task) == text


def test_paraphrases_are_drawn() -> None:
    drawn = {instruction_for("open_drawer", np.random.default_rng(seed)) for seed in range(20)}
    assert drawn == set(PARAPHRASES["open_drawer"])


def test_unknown_words_are_answered_with_a_suggestion() -> None:
    with pytest.raises(
        UserError, match="'open the drawers please' asks for no known task; did you mean 'pull the handle"
    ):
        task_of("open the drawers please")
    with pytest.raises(UserError, match="asks for no known task; say 'pull the handle"):
        task_of("xyzzy")
    with pytest.raises(UserError, match="task 'open_draw' is unknown; there are 34 such as open_drawer"):
        instruction_for("open_draw")
