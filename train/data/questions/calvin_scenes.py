"""Play tables to ask about: starts drawn at random, seen by CALVIN's static camera."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from envs.calvin.layouts import BLOCK_Z, LAYOUTS, Layout
from envs.calvin.starts import start_for
from envs.calvin.table import DRAWER_TRAVEL
from envs.calvin.tasks import TASKS
from envs.calvin.world import BuiltinWorld
from envs.errors import UserError
from envs.tabletop.camera import Segmentation
from train.data.questions.question import SIDE
from train.data.questions.splits import HELD_OUT
from train.data.questions.tabletops import Attribute, State, Tabletop, Unclear, Use

AJAR = 0.06  # m; how far an open drawer or door may be from its end
HAND = ("panda_hand", "panda_leftfinger", "panda_rightfinger", "finger_left_tip", "finger_right_tip")
FIXTURES = (
    ("drawer", "drawer_link", None),
    ("drawer handle", "drawer_link", "handle"),
    ("sliding door", "slide_link", None),
    ("door handle", "slide_link", "handle"),
    ("button", "button_link", None),
    ("switch", "switch_link", None),
    ("light bulb", "light_link", None),
    ("LED", "led_link", None),
)
SIZE_WORDS = {"small": "smallest", "middle": "middle-sized", "big": "biggest"}
PLACES = {"table": "on the table", "drawer": "in the drawer", "cabinet": "in the cabinet"}
ABSENT = (
    ("green block", "green blocks"), ("yellow block", "yellow blocks"), ("cup", "cups"), ("microwave", "microwaves"),
    ("ball", "balls"), ("laptop", "laptops"), ("second drawer", "more drawers"), ("fridge", "fridges"),
)  # fmt: skip


class PlayTables:
    """The four tables, each simulated once; what they show depends on the generator alone."""

    source = "calvin"

    def draw(self, rng: np.random.Generator, split: str) -> Tabletop:
        """A table in a start that is drawn; training never sees a block where that is held out."""
        while True:
            layout = LAYOUTS[sorted(LAYOUTS)[int(rng.integers(len(LAYOUTS)))]]
            try:
                robot, scene = start_for(
                    TASKS[int(rng.integers(len(TASKS)))], layout, rng, arm_spread=float(rng.random()), vary_scene=True
                )
                _leave_ajar(scene, layout, rng)
                places = _places(layout, robot, scene)
                if split != "test" and any(("place", *pair) in HELD_OUT for pair in places.items()):
                    continue
                return _describe(_world(layout.name), layout, robot, scene)
            except (UserError, Unclear):  # no joints for that start of the arm, or a block that is all but hidden
                continue


@lru_cache(maxsize=len(LAYOUTS))
def _world(name: str) -> BuiltinWorld:
    return BuiltinWorld(name, {"static": (SIDE, SIDE)})


def _leave_ajar(scene: np.ndarray, layout: Layout, rng: np.random.Generator) -> None:
    """Doors and drawers somewhere near their ends instead of at them; a drawer with a block in it stays."""
    scene[0] = abs(scene[0] - float(rng.uniform(0, AJAR)))
    if not any(scene[8 + 6 * number] < BLOCK_Z - 0.04 for number in range(3)):
        scene[1] = abs(scene[1] - float(rng.uniform(0, AJAR if scene[1] else AJAR / 4)))


def _picture(world: BuiltinWorld, robot: np.ndarray, scene: np.ndarray) -> Segmentation:
    """The static camera's picture of a state, without a step of the physics."""
    table = world.table
    table.reset_to(scene)
    table.arm.reset(robot)
    return world.segment("static")


def _places(layout: Layout, robot: np.ndarray, scene: np.ndarray) -> dict[str, str]:
    """Colour -> "gripper", "drawer", "cabinet", "tower" (on another block) or "table"."""
    places = {}
    for number, colour in enumerate(layout.order):
        x, y, z = scene[6 + 6 * number : 9 + 6 * number]
        if np.linalg.norm(np.array((x, y, z)) - robot[:3]) < 0.02:
            places[colour] = "gripper"
        elif z < BLOCK_Z - 0.04:
            places[colour] = "drawer"
        elif z > BLOCK_Z + 0.02:
            places[colour] = "tower"
        else:
            places[colour] = "cabinet" if y > 0.04 else "table"
    return places


def _describe(world: BuiltinWorld, layout: Layout, robot: np.ndarray, scene: np.ndarray) -> Tabletop:
    seen, table = _picture(world, robot, scene), world.table
    top = Tabletop(seen.picture, PlayTables.source, absent=ABSENT)
    for name, body in table.blocks.items():
        top.add(f"{name.removeprefix('block_')} block", seen.mask(body), must=True)
    for name, link, part in FIXTURES:
        top.add(name, seen.mask(table.table, table.links[link], part))
    arm = table.arm.body
    hand = [link for name, link in world.scene.links(arm).items() if name in HAND]
    top.add("robot arm", seen.mask(arm))
    top.add("gripper", np.any([seen.mask(arm, link) for link in hand], axis=0))
    _add_blocks(top, layout, _places(layout, robot, scene))
    _add_fixtures(top, layout, scene)
    return top


def _add_blocks(top: Tabletop, layout: Layout, places: dict[str, str]) -> None:
    blocks = {colour: f"{colour} block" for colour in layout.order}
    visible = {colour: name for colour, name in blocks.items() if name in top.things}
    top.movable, top.movable_words = tuple(visible.values()), ("block", "blocks")
    top.anchors = ("drawer handle", "door handle", "button", "switch", "light bulb", "LED")
    top.kind("block", "blocks", tuple(visible.values()))
    top.said |= {name: places[colour] for colour, name in visible.items()}
    top.sizes |= {name: layout.sizes[colour] for colour, name in visible.items()}
    for place, words in PLACES.items():
        there = [name for colour, name in visible.items() if places[colour] == place]
        top.kind(f"block {words}", f"blocks {words}", there)
        for colour, name in blocks.items():
            if colour in visible:
                truth = places[colour] == place
                top.states.append(
                    State(
                        (f"Is the {name} {words}?", f"Would you say the {name} is {words}?"), truth,
                        f"Yes, the {name} is {words}.", f"No, the {name} is not {words}.", ("place", colour, place),
                        (name,),
                    )
                )  # fmt: skip
        if len(there) == 1:
            colour = there[0].split()[0]
            asked: tuple[str, ...] = (
                f"What colour is the block {words}?",
                f"Which colour does the block {words} have?",
            )
            top.attributes.append(Attribute(asked, there[0], "It is the {}.", ("place", colour, place)))
    if len(visible) == len(blocks):
        for colour, name in visible.items():
            word = SIZE_WORDS[layout.sizes[colour]]
            asked = (f"Which is the {word} block?", f"Show me the {word} block.", f"What colour is the {word} block?")
            top.attributes.append(Attribute(asked, name, f"The {word} block is the {{}}."))
            top.attributes.append(Attribute((f"How big is the {name}?",), name, f"The {{}} is the {word} one."))
    for colour, name in visible.items():
        verb, doing = "take hold of", (f"lift the {name}", f"pick up the {name}", f"move the {name} away")
        if places[colour] != "gripper":
            top.uses.append(Use(doing, verb, name, "Take hold of the {}."))
    upper = [name for colour, name in visible.items() if places[colour] == "tower"]
    top.kind("block on top of another", "blocks on top of others", upper)
    held = [name for colour, name in visible.items() if places[colour] == "gripper"]
    top.kind("block in the gripper", "blocks in the gripper", held)


def _add_fixtures(top: Tabletop, layout: Layout, scene: np.ndarray) -> None:
    left, opened, bulb, led = (
        scene[0] > layout.door_travel / 2,
        scene[1] > DRAWER_TRAVEL / 2,
        scene[4] > 0,
        scene[5] > 0,
    )
    lights = {"light bulb": bulb, "LED": led}
    top.kind("light", "lights", tuple(lights))
    top.kind("light that is on", "lights that are on", [name for name, on in lights.items() if on])
    top.kind("light that is off", "lights that are off", [name for name, on in lights.items() if not on])
    top.kind("handle", "handles", ("drawer handle", "door handle"))
    top.kind("part to press or switch", "parts to press or switch", ("button", "switch"))
    for name, on in lights.items():
        top.states.append(
            State((f"Is the {name} on?", f"Does the {name} shine?", f"Is the {name} lit?"), bool(on),
                  f"Yes, the {name} is on.", f"No, the {name} is off.", things=(name,))
        )  # fmt: skip
    top.states.append(
        State(("Is the drawer open?", "Has the drawer been pulled out?", "Does the drawer stand open?"), bool(opened),
              "Yes, the drawer is open.", "No, the drawer is closed.", things=("drawer",))
    )  # fmt: skip
    top.states.append(
        State(("Is the sliding door on the left?", "Has the door been moved to the left?"), bool(left),
              "Yes, the sliding door is on the left.", "No, the sliding door is on the right.",
              things=("sliding door",))
    )  # fmt: skip
    state = "open" if opened else "closed"
    top.said |= {"drawer": state, "sliding door": "left" if left else "right"}
    top.said |= {name: "on" if on else "off" for name, on in lights.items()}
    asked: tuple[str, ...] = (
        "Is the drawer open or closed? Show it.",
        "What is the state of the drawer?",
        "How does the drawer stand?",
    )
    top.attributes.append(Attribute(asked, "drawer", f"The {{}} is {state}."))
    asked = ("Is the light bulb on or off? Show it.", "What is the state of the light bulb?")
    top.attributes.append(Attribute(asked, "light bulb", f"The {{}} is {'on' if bulb else 'off'}."))
    asked = ("Is the LED on or off? Show it.", "What is the state of the LED?")
    top.attributes.append(Attribute(asked, "LED", f"The {{}} is {'on' if led else 'off'}."))
    asked = ("On which side is the sliding door? Show it.", "Where does the sliding door stand?")
    top.attributes.append(Attribute(asked, "sliding door", f"The {{}} is on the {'left' if left else 'right'}."))
    switch = "off" if led else "on"
    press = (f"switch the LED {switch}", f"turn the LED {switch}", f"turn {switch} the green light")
    top.uses.append(Use(press, "press", "button", "Press the {}."))
    switch = "off" if bulb else "on"
    flip = (f"switch the light bulb {switch}", f"turn the light bulb {switch}", f"turn {switch} the yellow light")
    top.uses.append(Use(flip, "move", "switch", f"Move the {{}} {'down' if bulb else 'up'}."))
    doing: tuple[str, ...] = (
        ("close the drawer", "shut the drawer") if opened else ("open the drawer", "get the drawer open")
    )
    verb = "push" if opened else "pull"
    top.uses.append(Use(doing, verb, "drawer handle", f"{verb.capitalize()} the {{}}."))
    way = "right" if left else "left"
    doing = (f"slide the door to the {way}", f"get the sliding door to the {way} side")
    top.uses.append(Use(doing, "push", "door handle", f"Push the {{}} to the {way}."))
