"""CALVIN's chains: the published generator's own results, rules, and starting states in numbers."""

from __future__ import annotations

import hashlib
import json
from collections import Counter

import numpy as np
import pytest

from envs.calvin.sequences import (
    CHAIN_LENGTH,
    VIDEOWORLD_TASKS,
    Chain,
    _chains_from,
    after,
    fnv1_32,
    is_feasible,
    make_chains,
    start_observation,
    start_states,
)
from envs.calvin.tasks import TASKS
from envs.errors import UserError

FIRST = {
    "led": 1, "lightbulb": 1, "slider": "left", "drawer": "open", "red_block": "slider_left", "blue_block": "table",
    "pink_block": "slider_right", "grasped": 0,
}  # fmt: skip


def digest(chains: tuple[Chain, ...]) -> str:
    return hashlib.sha256(json.dumps([[chain.state, list(chain.tasks)] for chain in chains]).encode()).hexdigest()


GOLDEN = (
    "rotate_blue_block_right",
    "move_slider_right",
    "lift_red_block_slider",
    "place_in_slider",
    "turn_off_lightbulb",
)  # the first of the thousand, drawn from FIRST


def test_chains_are_drawn_as_the_published_generator_draws_them() -> None:
    assert GOLDEN in _chains_from(start_states().index(FIRST), TASKS, 5, 5)


@pytest.mark.slow
def test_the_thousand_chains_are_calvins() -> None:
    chains = make_chains()
    assert digest(chains) == "840cb992c69ce9b6d59f6020966b6300c15233f8e0b9667b6486c1962424d308"
    assert chains[0] == (FIRST, GOLDEN)
    counts = Counter(task for chain in chains for task in chain.tasks)
    assert counts.most_common(2) == [("place_in_slider", 398), ("open_drawer", 379)]
    assert all(len(set(chain.tasks)) == CHAIN_LENGTH and is_feasible(*chain) for chain in chains)


def test_the_chains_of_videoworlds_evaluation() -> None:
    many = make_chains(length=1, tasks=VIDEOWORLD_TASKS)
    assert digest(many) == "3329796609aebf448f6a71387361d0429e296e47d48b50f787279f412da0025d"
    few = make_chains(20, length=1, tasks=VIDEOWORLD_TASKS)
    assert digest(few) == "25b97ce133f8c309fc8a9874845b1635d05be45fa7a9fc47a775b2b837e2931a"
    first = [chain.tasks[0] for chain in few[:4]]
    assert first == ["close_drawer", "push_blue_block_right", "close_drawer", "open_drawer"]


def test_there_are_192_starting_states() -> None:
    states = start_states()
    assert len({str(state) for state in states}) == len(states) == 192
    assert FIRST in states


def test_rules() -> None:
    assert after(FIRST, "open_drawer") is None, "it is open"
    assert after(FIRST, "place_in_slider") is None, "nothing is held"
    held = after(FIRST, "lift_blue_block_table")
    assert held == {**FIRST, "blue_block": "grasped", "grasped": 1}
    assert after(held, "close_drawer") is None, "the hand is full"
    assert after(held, "place_in_slider") == {**FIRST, "blue_block": "slider_left"}
    assert after(FIRST, "lift_red_block_slider") is None, "the door is in front of it"
    assert after(FIRST, "push_into_drawer") == {**FIRST, "blue_block": "drawer"}
    both = {**held, "red_block": "table", "pink_block": "table"}
    assert after(both, "stack_block") is None, "two blocks to stack on: the rules want exactly one"
    assert all(after(FIRST, task) is None or after(FIRST, task).keys() == FIRST.keys() for task in TASKS)


def test_starting_states_in_numbers() -> None:
    assert fnv1_32("test") == 3910690890
    assert fnv1_32(f"dict_values({list(FIRST.values())})") == 2138410836
    robot, scene = start_observation(FIRST)
    assert (robot.shape, scene.shape) == ((15,), (24,))
    assert scene[:6] == pytest.approx([0.28, 0.22, 0, 0.088, 1, 1])
    assert scene[[11, 17, 23]] == pytest.approx([1.885941, 1.488143, 1.468399], abs=1e-6)
    assert scene[6:9] == pytest.approx([-0.240851662, 0.0924044687, 0.460990009])
    assert scene[18:21] == pytest.approx([0.0703416330, 0.0924044687, 0.460990009])
    before = np.random.get_state()[1].tolist()
    start_observation(FIRST)
    assert np.random.get_state()[1].tolist() == before, "the global generator is left alone"


@pytest.mark.parametrize(
    ("count", "length", "tasks", "words"),
    [
        (0, 5, TASKS, "0 chains are none"),
        (5, 12, TASKS, "no chain of 12 tasks exists"),
        (5, 1, ("open_window",), "task 'open_window' is unknown"),
        (1000, 1, ("stack_block",), "no chain of 1 of these tasks makes sense"),
    ],
)
def test_impossible_chains_are_refused(count: int, length: int, tasks: tuple[str, ...], words: str) -> None:
    with pytest.raises(UserError, match=words):
        make_chains(count, length=length, tasks=tasks)
