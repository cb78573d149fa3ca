"""RLBench's built-in tasks to ask about: starts drawn at random, seen by the front camera."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import numpy as np

from envs.rlbench.builtin import Theatre
from envs.rlbench.robot import HOME
from envs.rlbench.room import make_camera
from envs.rlbench.task import COLOURS
from envs.rlbench.tasks import _chest, task_named
from envs.rlbench.tasks.push_button import BASES
from envs.tabletop.arm import OPEN, OPEN_WIDTH
from envs.tabletop.camera import FastRenderer, Segmentation
from train.data.questions.question import SIDE
from train.data.questions.splits import HELD_OUT
from train.data.questions.tabletops import Attribute, State, Tabletop, Unclear, Use

TASKS = (
    "close_box", "close_fridge", "close_laptop_lid", "close_microwave", "lamp_on", "open_drawer", "push_button",
    "reach_target", "reach_target", "toilet_seat_down",
)  # fmt: skip
TURNED = 0.15  # rad that a joint of the arm is from home at most
TRIES = 20
HAND = ("panda_hand", "panda_leftfinger", "panda_rightfinger", "finger_left_tip", "finger_right_tip")
THINGS = ("box", "fridge", "laptop", "microwave", "lamp", "chest of drawers", "push button", "ball", "toilet")


class Theatres:
    """The tasks, each simulated once; what they show depends on the generator alone."""

    source = "rlbench"

    def draw(self, rng: np.random.Generator, split: str) -> Tabletop:
        """A task's things where a start may have them, with doors, lids and lights as they come."""
        while True:
            name = TASKS[int(rng.integers(len(TASKS)))]
            theatre = _theatre(name)
            try:
                _set_stage(theatre, rng)
                return _SCENES[name](theatre, rng, split)
            except Unclear:
                continue


@lru_cache(maxsize=len(TASKS))
def _theatre(name: str) -> Theatre:
    return Theatre(task_named(name), "fast")


def _set_stage(theatre: Theatre, rng: np.random.Generator) -> None:
    """Arm near home, joints at 0, the first thing somewhere clear of the arm; without a step of the physics."""
    width = OPEN_WIDTH if rng.random() < 0.7 else 0.0
    joints = HOME + rng.uniform(-TURNED, TURNED, len(HOME))
    theatre.robot.arm.reset(np.array([*np.zeros(6), width, *joints, OPEN]))
    task = theatre.task
    for joint in theatre.joints:
        theatre.set_joint(joint, 0.0)
    task.show(theatre, False)
    for _ in range(TRIES):
        place = task.draw_place(rng)
        if place is not None:
            theatre.place(task.things[0].name, *place)
        task.begin(theatre, int(rng.integers(task.variations)), rng)
        if theatre.is_clear():
            return
    raise Unclear(task.name)


class _Looker:
    """The picture of a stage, and masks by thing, link and part."""

    def __init__(self, theatre: Theatre) -> None:
        self.theatre = theatre
        assert isinstance(theatre.draw, FastRenderer)
        arm = theatre.robot.arm
        self.seen: Segmentation = theatre.draw.segment(make_camera("front", (SIDE, SIDE), arm.body, arm.camera_link))
        self.top = Tabletop(self.seen.picture, Theatres.source)
        hand = [link for name, link in theatre.scene.links(arm.body).items() if name in HAND]
        self.top.add("robot arm", self.seen.mask(arm.body))
        self.top.add("gripper", np.any([self.seen.mask(arm.body, link) for link in hand], axis=0))
        there = theatre.task.things[0].name
        self.top.absent = tuple((name, _plural(name)) for name in THINGS if there not in name and name not in there)

    def add(self, name: str, thing: str, link: str | None = None, part: str | None = None) -> None:
        """Add what is seen of a thing, a link or a part."""
        body = self.theatre.bodies[thing]
        number = None if link is None else self.theatre.scene.links(body)[link]
        self.top.add(name, self.seen.mask(body, number, part))


def _plural(name: str) -> str:
    return {"box": "boxes", "chest of drawers": "chests of drawers"}.get(name, f"{name}s")


def _open_or_closed(top: Tabletop, name: str, opened: bool, verbs: tuple[str, str], part: str) -> None:
    """All that is asked of something that opens and closes; verbs: what one does to the part to open and to close."""
    top.said[name] = word = "open" if opened else "closed"
    top.states.append(
        State((f"Is the {name} open?", f"Does the {name} stand open?", f"Has somebody opened the {name}?"), opened,
              f"Yes, the {name} is open.", f"No, the {name} is closed.", things=(name,))
    )  # fmt: skip
    asked: tuple[str, ...] = (f"Is the {name} open or closed? Show it.", f"What is the state of the {name}?")
    top.attributes.append(Attribute(asked, name, f"The {{}} is {word}."))
    doing: tuple[str, ...] = (
        (f"close the {name}", f"shut the {name}") if opened else (f"open the {name}", f"get the {name} open")
    )
    verb = verbs[1] if opened else verbs[0]
    top.uses.append(Use(doing, verb, part, f"{verb.capitalize()} the {{}}."))


def _box(theatre: Theatre, rng: np.random.Generator, split: str) -> Tabletop:
    opened = bool(rng.random() < 0.6)
    theatre.set_joint("box_joint", float(rng.uniform(2.0, 2.75)) if opened else 0.0)
    look = _Looker(theatre)
    look.add("box", "box", "box")
    look.add("lid", "box", "box_lid")
    _open_or_closed(look.top, "lid", opened, ("lift", "push"), "lid")
    return look.top


def _microwave(theatre: Theatre, rng: np.random.Generator, split: str) -> Tabletop:
    opened = bool(rng.random() < 0.6)
    theatre.set_joint("microwave_door_joint", float(rng.uniform(0.6, 1.65)) if opened else 0.0)
    look = _Looker(theatre)
    look.add("microwave", "microwave")
    look.add("microwave door", "microwave", "microwave_door")
    look.add("door handle", "microwave", "microwave_door", "handle")
    for part in ("upper knob", "lower knob", "plate"):
        look.add(part, "microwave", "microwave", part)
    look.top.kind("knob", "knobs", ("upper knob", "lower knob"))
    _open_or_closed(look.top, "microwave door", opened, ("pull", "push"), "microwave door" if opened else "door handle")
    return look.top


def _fridge(theatre: Theatre, rng: np.random.Generator, split: str) -> Tabletop:
    opened = {name: bool(rng.random() < 0.5) for name in ("top", "bottom")}
    for name, is_open in opened.items():
        theatre.set_joint(f"{name}_joint", float(rng.uniform(0.7, 1.5)) if is_open else 0.0)
    look = _Looker(theatre)
    look.add("fridge", "fridge")
    names = {"top": "upper door", "bottom": "lower door"}
    for name, called in names.items():
        look.add(called, "fridge", f"{name}_door")
        look.add(f"{called} handle", "fridge", f"{name}_door", "handle")
        _open_or_closed(
            look.top, called, opened[name], ("pull", "push"), called if opened[name] else f"{called} handle"
        )
    look.add("bottle", "fridge", "fridge", "bottle")
    look.add("parcel", "fridge", "fridge", "parcel")
    top = look.top
    top.kind("door", "doors", tuple(names.values()))
    top.kind("open door", "open doors", [called for name, called in names.items() if opened[name]])
    top.kind("closed door", "closed doors", [called for name, called in names.items() if not opened[name]])
    top.kind("door handle", "door handles", [f"{called} handle" for called in names.values()])
    top.kind("thing in the fridge", "things in the fridge", ("bottle", "parcel"))
    return top


def _laptop(theatre: Theatre, rng: np.random.Generator, split: str) -> Tabletop:
    opened = bool(rng.random() < 0.6)
    theatre.set_joint("lid_joint", float(rng.uniform(1.3, 1.95)) if opened else 0.0)
    look = _Looker(theatre)
    look.add("laptop", "laptop")
    look.add("laptop lid", "laptop", "laptop_lid")
    look.add("screen", "laptop", "laptop_lid", "screen")
    look.add("keyboard", "laptop", "laptop", "keys")
    look.add("touchpad", "laptop", "laptop", "touchpad")
    _open_or_closed(look.top, "laptop lid", opened, ("lift", "push"), "laptop lid")
    return look.top


def _toilet(theatre: Theatre, rng: np.random.Generator, split: str) -> Tabletop:
    up = bool(rng.random() < 0.6)
    theatre.set_joint("seat_joint", float(rng.uniform(1.5, 1.87)) if up else 0.0)
    look = _Looker(theatre)
    look.add("toilet", "toilet")
    look.add("toilet seat", "toilet", "seat")
    look.add("tank", "toilet", "toilet", "tank")
    top = look.top
    top.said["toilet seat"] = "up" if up else "down"
    asked: tuple[str, ...] = (
        "Is the toilet seat up?",
        "Does the seat of the toilet stand up?",
        "Has somebody put the seat up?",
    )
    no = "No, the toilet seat is down."
    top.states.append(State(asked, up, "Yes, the toilet seat is up.", no, things=("toilet seat",)))
    asked = ("Is the toilet seat up or down? Show it.", "What is the state of the toilet seat?")
    top.attributes.append(Attribute(asked, "toilet seat", f"The {{}} is {'up' if up else 'down'}."))
    doing: tuple[str, ...] = (
        ("put the toilet seat down", "lower the seat") if up else ("put the toilet seat up", "raise the seat")
    )
    verb = "push" if up else "lift"
    top.uses.append(Use(doing, verb, "toilet seat", f"{verb.capitalize()} the {{}}."))
    return top


def _lamp(theatre: Theatre, rng: np.random.Generator, split: str) -> Tabletop:
    lit = bool(rng.random() < 0.5)
    theatre.task.show(theatre, lit)
    look = _Looker(theatre)
    look.add("lamp", "lamp")
    look.add("bulb", "lamp", "bulb")
    look.add("button", "lamp", "cap")
    look.add("foot of the lamp", "lamp", "lamp", "foot")
    top, word = look.top, "on" if lit else "off"
    top.said["bulb"] = word
    top.absent = tuple(pair for pair in top.absent if pair[0] != "push button")
    asked: tuple[str, ...] = ("Is the lamp on?", "Does the bulb shine?", "Is the bulb lit?")
    top.states.append(State(asked, lit, "Yes, the lamp is on.", "No, the lamp is off.", things=("bulb",)))
    asked = ("Is the lamp on or off? Show it.", "What is the state of the lamp?")
    top.attributes.append(Attribute(asked, "lamp", f"The {{}} is {word}."))
    switch = "off" if lit else "on"
    doing: tuple[str, ...] = (f"switch the lamp {switch}", f"turn {switch} the light", f"turn the lamp {switch}")
    top.uses.append(Use(doing, "press", "button", "Press the {}."))
    return top


def _chest_of_drawers(theatre: Theatre, rng: np.random.Generator, split: str) -> Tabletop:
    opened = {name: bool(rng.random() < 0.4) for name in _chest.DRAWERS}
    for number, name in enumerate(_chest.DRAWERS):
        theatre.set_joint(_chest.joint_of(number), float(rng.uniform(0.09, 0.19)) if opened[name] else 0.0)
    look = _Looker(theatre)
    look.add("chest of drawers", "chest")
    top = look.top
    for name in _chest.DRAWERS:
        look.add(f"{name} drawer", "chest", f"{name}_drawer")
        look.add(f"{name} knob", "chest", f"{name}_drawer", "knob")
        _open_or_closed(top, f"{name} drawer", opened[name], ("pull", "push"), f"{name} knob")
    top.kind("drawer", "drawers", [f"{name} drawer" for name in opened])
    top.kind("knob", "knobs", [f"{name} knob" for name in opened])
    top.kind("open drawer", "open drawers", [f"{name} drawer" for name, is_open in opened.items() if is_open])
    top.kind("closed drawer", "closed drawers", [f"{name} drawer" for name, is_open in opened.items() if not is_open])
    return top


def _button(theatre: Theatre, rng: np.random.Generator, split: str) -> Tabletop:
    bases = [colour for colour in BASES if split == "test" or ("base", colour) not in HELD_OUT]
    colour, pressed = bases[int(rng.integers(len(bases)))], bool(rng.random() < 0.4)
    theatre.paint("button", "button", COLOURS[colour])
    theatre.task.show(theatre, pressed)
    look = _Looker(theatre)
    cap, top = "green" if pressed else "red", look.top
    look.add("button base", "button", "button")
    look.add("button cap", "button", "cap")
    look.add("push button", "button")
    top.said |= {"button base": colour, "button cap": cap}
    asked: tuple[str, ...] = (
        "What colour is the base of the button?",
        "Which colour does the button stand on?",
        "What colour is the base?",
    )
    top.attributes.append(Attribute(asked, "button base", f"The {{}} is {colour}.", ("base", colour)))
    asked = ("What colour is the cap of the button?", "Which colour is the cap?")
    top.attributes.append(Attribute(asked, "button cap", f"The {{}} is {cap}."))
    others = [other for other in bases if other != colour]
    name = colour if rng.random() < 0.5 else others[int(rng.integers(len(others)))]
    asked = (f"Is the base of the button {name}?", f"Does the button have a {name} base?")
    no = f"No, the base is {colour}."
    things = ("button base",)
    top.states.append(State(asked, name == colour, f"Yes, the base is {name}.", no, ("base", colour), things))
    asked = ("Has the button been pressed?", "Is the cap green?")
    top.states.append(State(asked, pressed, "Yes, the cap is green.", "No, the cap is red.", things=("button cap",)))
    doing: tuple[str, ...] = (
        "use the button",
        "push the button down",
        f"push the {colour} button",
        "give the button a press",
    )
    top.uses.append(Use(doing, "press", "button cap", "Press the {}."))
    return top


def _balls(theatre: Theatre, rng: np.random.Generator, split: str) -> Tabletop:
    names, things = list(COLOURS), [thing.name for thing in theatre.task.things]
    colours = [names[int(index)] for index in rng.permutation(len(names))[: len(things)]]
    for thing, colour in zip(things, colours, strict=True):
        theatre.paint(thing, thing, COLOURS[colour])
    look = _Looker(theatre)
    top = look.top
    for thing, colour in zip(things, colours, strict=True):
        top.add(f"{colour} ball", look.seen.mask(theatre.bodies[thing]), must=True)
    balls = [f"{colour} ball" for colour in colours if f"{colour} ball" in top.things]
    top.kind("ball", "balls", balls)
    top.movable, top.movable_words, top.anchors = tuple(balls), ("ball", "balls"), (*balls, "gripper")
    gone = [name for name in names if name not in colours]
    top.absent = (*((f"{name} ball", f"{name} balls") for name in gone[:6]), ("block", "blocks"), ("drawer", "drawers"))
    for name in balls:
        doing: tuple[str, ...] = (f"reach the {name}", f"touch the {name}", f"bring the hand to the {name}")
        top.uses.append(Use(doing, "go to", name, "Go to the {}."))
    if len(balls) > 1:
        ordered = top.left_to_right(balls)
        for word, ends in (("leftmost", ordered[:2]), ("rightmost", ordered[::-1][:2])):
            if abs(ends[0].middle[0] - ends[1].middle[0]) > 6:
                asked: tuple[str, ...] = (
                    f"Which is the {word} ball?",
                    f"What colour is the {word} ball?",
                    f"Show the {word} ball.",
                )
                top.attributes.append(Attribute(asked, ends[0].name, f"The {word} one is the {{}}."))
    return top


_SCENES: dict[str, Callable[[Theatre, np.random.Generator, str], Tabletop]] = {
    "close_box": _box,
    "close_fridge": _fridge,
    "close_laptop_lid": _laptop,
    "close_microwave": _microwave,
    "lamp_on": _lamp,
    "open_drawer": _chest_of_drawers,
    "push_button": _button,
    "reach_target": _balls,
    "toilet_seat_down": _toilet,
}
assert set(_SCENES) == set(TASKS)
