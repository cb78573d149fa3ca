"""CALVIN's long-horizon protocol: chains of five tasks, the symbolic rules behind them, and their starting states.

Chains come out exactly as CALVIN's own generator makes them from its seeds, only faster: the shuffles are drawn from
the raw Mersenne Twister stream by compiled code. CHAIN_STEPS steps are given for each task; a chain ends at the first
task that fails; the score is how many are solved in a row.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import product
from math import pi
from typing import NamedTuple, TypeAlias

import numpy as np
from numba import njit

from envs.calvin.tasks import COLOURS, TASKS, check_task
from envs.errors import UserError
from envs.tabletop.arm import HOME

CHAINS = 1000
CHAIN_LENGTH = 5
ROUNDS = 2000  # of 32,768 random numbers; the published chains need some dozens from each state
CHAIN_STEPS = 360  # environment steps for each task of a chain
SINGLE_STEPS = 240  # for a task by itself

# The tasks of VideoWorld's published evaluation, one a chain.
VIDEOWORLD_TASKS = tuple(
    task for task in TASKS if task.startswith(("push_red", "push_blue", "push_pink", "open_", "close_", "turn_"))
)

State: TypeAlias = "dict[str, int | str]"  # what is where, in words; keys in the order of STATES

STATES: dict[str, tuple[int | str, ...]] = {
    "led": (0, 1),
    "lightbulb": (0, 1),
    "slider": ("right", "left"),
    "drawer": ("closed", "open"),
    "red_block": ("table", "slider_right", "slider_left"),
    "blue_block": ("table", "slider_right", "slider_left"),
    "pink_block": ("table", "slider_right", "slider_left"),
    "grasped": (0,),
}


class Chain(NamedTuple):
    """A starting state and the tasks to solve from there, one after the other."""

    state: State
    tasks: tuple[str, ...]


@dataclass(frozen=True)
class Rule:
    """What must hold for a task to make sense, and what solving it changes."""

    condition: State
    effect: State


def _category(task: str) -> int:
    """Tasks of one category do not come twice in a chain."""
    verb, _, rest = task.partition("_")
    if verb == "lift":
        return {"table": 4, "slider": 5, "drawer": 6}[rest.rpartition("_")[2]]
    if task == "push_into_drawer":
        return 9
    return {
        "rotate": 1, "push": 1, "move": 2, "open": 3, "close": 3, "place": 7, "turn": 8, "stack": 10, "unstack": 11,
    }[verb]  # fmt: skip


def _rules(task: str) -> list[Rule]:
    """The symbolic rules of a task."""
    free: State = {"grasped": 0}
    blocks = [f"{colour}_block" for colour in COLOURS]
    toggles: dict[str, tuple[str, int | str, int | str]] = {
        "move_slider_left": ("slider", "right", "left"),
        "move_slider_right": ("slider", "left", "right"),
        "open_drawer": ("drawer", "closed", "open"),
        "close_drawer": ("drawer", "open", "closed"),
        "turn_on_lightbulb": ("lightbulb", 0, 1),
        "turn_off_lightbulb": ("lightbulb", 1, 0),
        "turn_on_led": ("led", 0, 1),
        "turn_off_led": ("led", 1, 0),
    }
    if task in toggles:
        key, before, after = toggles[task]
        return [Rule({key: before, **free}, {key: after})]
    if task == "push_into_drawer":
        rules = []
        for block in blocks:
            others = [other for other in blocks if other != block]
            for sides in product(("slider_right", "slider_left"), repeat=2):
                where = dict(zip(others, sides, strict=True))
                rules.append(Rule({block: "table", **where, "drawer": "open", **free}, {block: "drawer"}))
        return rules
    if task.startswith("place_in"):
        if task == "place_in_drawer":
            return [
                Rule({block: "grasped", "drawer": "open", "grasped": 1}, {block: "drawer", **free}) for block in blocks
            ]
        return [
            Rule({block: "grasped", "slider": side, "grasped": 1}, {block: f"slider_{side}", **free})
            for block in blocks
            for side in ("right", "left")
        ]
    pairs = [(top, bottom) for top in blocks for bottom in blocks if top != bottom]
    if task == "stack_block":
        return [
            Rule(
                {top: "grasped", bottom: "table", "grasped": 1},
                {top: "stacked_top", bottom: "stacked_bottom", **free},
            )
            for top, bottom in pairs
        ]
    if task == "unstack_block":
        return [
            Rule({top: "stacked_top", bottom: "stacked_bottom", **free}, {top: "table", bottom: "table"})
            for top, bottom in pairs
        ]
    block = f"{task.split('_')[1]}_block"
    if not task.startswith("lift"):
        return [Rule({block: "table", **free}, {})]
    held: State = {block: "grasped", "grasped": 1}
    if task.endswith("table"):
        return [Rule({block: "table", **free}, held)]
    if task.endswith("drawer"):
        return [Rule({block: "drawer", "drawer": "open", **free}, held)]
    return [
        Rule({block: "slider_left", "slider": "right", **free}, held),
        Rule({block: "slider_right", "slider": "left", **free}, held),
    ]


RULES = {task: tuple(_rules(task)) for task in TASKS}


def after(state: Mapping[str, int | str], task: str) -> State | None:
    """The state after `task` is solved, or None if the task does not make sense in `state`.

    As in CALVIN it makes sense where exactly one of its rules applies.
    """
    fitting = [rule for rule in RULES[task] if all(state[key] == value for key, value in rule.condition.items())]
    return {**state, **fitting[0].effect} if len(fitting) == 1 else None


def is_feasible(state: Mapping[str, int | str], tasks: Sequence[str]) -> bool:
    """Whether the tasks make sense one after the other from `state`."""
    current: State | None = dict(state)
    for task in tasks:
        current = after(current, task) if current is not None else None
    return current is not None


def start_states() -> list[State]:
    """The 192 states that chains start from: one or two blocks on the table, at most one on each side of the slider."""
    states = []
    for values in product(*STATES.values()):
        state = dict(zip(STATES, values, strict=True))
        places = [state[f"{colour}_block"] for colour in COLOURS]
        sides = [place for place in places if place != "table"]
        if places.count("table") in (1, 2) and len(set(sides)) == len(sides):
            states.append(state)
    return states


@lru_cache(maxsize=4)
def _transitions(tasks: tuple[str, ...]) -> np.ndarray:
    """Which state a task leads to, int64 (states, tasks), or -1; the starting states come first, in their order."""
    found = {tuple(state.values()): number for number, state in enumerate(start_states())}
    waiting, rows = list(found), []
    for values in waiting:
        row = []
        for task in tasks:
            state = after(dict(zip(STATES, values, strict=True)), task)
            if state is None:
                row.append(-1)
                continue
            reached = tuple(state.values())
            if reached not in found:
                found[reached] = len(found)
                waiting.append(reached)
            row.append(found[reached])
        rows.append(row)
    return np.array(rows, np.int64)


@njit(cache=True)
def _draw_chains(raw, categories, transitions, start, rows):  # type: ignore[no-untyped-def]
    """Shuffle the tasks again and again as NumPy's legacy generator does from its raw 32-bit numbers.

    Writes the first places of those shuffles whose categories differ and that make sense from the state `start` into
    `rows` int64 (chains, length); returns how many these are, and how many raw numbers whole shuffles have used up.
    """
    n, length = len(categories), rows.shape[1]
    order = np.empty(n, np.int64)
    found = used = 0
    for _ in range(len(raw)):  # one task alone needs no numbers to be shuffled
        if found == len(rows):
            break
        for i in range(n):
            order[i] = i
        place = used
        for i in range(n - 1, 0, -1):
            mask = i
            for bits in (1, 2, 4, 8, 16):
                mask |= mask >> bits
            while True:
                if place >= len(raw):
                    return found, used
                j = raw[place] & mask
                place += 1
                if j <= i:
                    break
            order[i], order[j] = order[j], order[i]
        used = place
        state = start
        for i in range(length):
            for k in range(i):
                if categories[order[i]] == categories[order[k]]:
                    state = -1
            if state >= 0:
                state = transitions[state, order[i]]
        if state >= 0:
            rows[found] = order[:length]
            found += 1
    return found, used


def _goes_on(transitions: np.ndarray, start: int, length: int) -> bool:
    """Whether `length` tasks can follow each other from a state, their categories aside."""
    reached = np.array([start])
    for _ in range(length):
        following = transitions[reached]
        reached = np.unique(following[following >= 0])
    return len(reached) > 0


def _chains_from(number: int, tasks: tuple[str, ...], length: int, count: int) -> list[tuple[str, ...]]:
    """The first `count` chains that make sense from the state of that number, which is the generator's seed too."""
    generator = np.random.RandomState(number)._bit_generator
    categories = np.array([_category(task) for task in tasks])
    raw = np.zeros(0, np.int64)
    chains: list[tuple[str, ...]] = []
    for _ in range(ROUNDS if _goes_on(_transitions(tasks), number, length) else 0):
        raw = np.concatenate([raw, generator.random_raw(1 << 15).astype(np.int64)])
        rows = np.empty((count - len(chains), length), np.int64)
        found, used = _draw_chains(raw, categories, _transitions(tasks), number, rows)
        raw = raw[used:]
        chains += [tuple(tasks[i] for i in row) for row in rows[:found]]
        if len(chains) == count:
            return chains
    raise UserError(f"from some starting states no chain of {length} of these tasks makes sense; give more tasks")


@lru_cache(maxsize=4)
def make_chains(
    count: int = CHAINS, *, length: int = CHAIN_LENGTH, tasks: tuple[str, ...] = TASKS
) -> tuple[Chain, ...]:
    """CALVIN's evaluation chains: `count` of them, of `length` tasks out of `tasks`; the same ones every time.

    Raises:
        UserError: fewer than one chain, an unknown task, or no chain of that length can exist.
    """
    if count < 1:
        raise UserError(f"{count} chains are none; ask for 1 or more")
    for task in tasks:
        check_task(task)
    if not 1 <= length <= len({_category(task) for task in tasks}):
        raise UserError(f"no chain of {length} tasks exists: its tasks must come from as many different categories")
    states = start_states()
    chains = []
    for number, (state, share) in enumerate(zip(states, np.array_split(range(count), len(states)), strict=True)):
        if len(share):
            chains += [Chain(state, drawn) for drawn in _chains_from(number, tasks, length, len(share))]
    order = np.arange(len(chains))
    np.random.RandomState(0).shuffle(order)
    return tuple(chains[i] for i in order)


def fnv1_32(text: str) -> int:
    """The hash that seeds starting states: FNV-1 with start 0 over the text's UTF-16 bytes."""
    value = 0
    for byte in text.encode("utf-16-le"):
        value = (value * 0x01000193 & 0xFFFFFFFF) ^ byte
    return value


_TABLE_SLOTS = ((0.0500000896, -0.120000177, 0.459990009), (0.229995412, -0.11999514, 0.45999001))
_SLIDER_SLOTS = {
    "slider_left": (-0.240851662, 0.0924044687, 0.460990009),
    "slider_right": (0.0703416330, 0.0924044687, 0.460990009),
}
START_ROBOT = np.array(
    [0.02586889, -0.2313129, 0.5712808, 3.09045411, -0.02908596, 1.50013585, 0.07999963,
     -1.21779124, 1.03987629, 2.11978254, -2.34205014, -0.87015899, 1.64119093, 0.55344928, 1.0]
)  # fmt: skip
assert np.allclose(START_ROBOT[7:14], HOME, atol=1e-5)


def start_observation(
    state: Mapping[str, int | str], random: np.random.RandomState | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """A symbolic state in CALVIN's numbers: robot_obs float64 (15,) and scene_obs float64 (24,).

    The blocks' places on the table and their turns come from `random`; without it from a generator seeded with the
    state, as in the evaluation. Blocks stand in the order red, blue, pink, which is the order of scenes B and D, and
    the places are those of scene D.
    """
    random = random or np.random.RandomState(fnv1_32(f"dict_values({list(state.values())})"))
    scene = np.zeros(24)
    scene[0] = 0.28 if state["slider"] == "left" else 0.0
    scene[1] = 0.22 if state["drawer"] == "open" else 0.0
    scene[3] = 0.088 if state["lightbulb"] else 0.0
    scene[4], scene[5] = float(state["lightbulb"]), float(state["led"])
    slots = list(_TABLE_SLOTS)
    random.shuffle(slots)
    free = {"red": 0, "blue": 1 if state["red_block"] == "table" else 0, "pink": 1}
    for number, colour in enumerate(("red", "blue", "pink")):
        place = state[f"{colour}_block"]
        begin = 6 + 6 * number
        scene[begin : begin + 3] = slots[free[colour]] if place == "table" else _SLIDER_SLOTS[str(place)]
        scene[begin + 5] = random.uniform(pi / 2 - pi / 8, pi / 2 + pi / 8)
    return START_ROBOT.copy(), scene
