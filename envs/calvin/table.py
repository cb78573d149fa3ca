"""The play table and its blocks as solids: a plain table of our own that measures the same as CALVIN's.

The back panel slopes by 60 degrees; `_panel` gives places on it. Link and joint names are CALVIN's.
"""

from __future__ import annotations

from math import pi

import numpy as np

from envs.calvin.layouts import BLOCK_LENGTHS, BLOCK_SIDE, DOOR_WIDTH, TOP, Layout
from envs.tabletop.solids import Joint, Link, Solid, between, box, extrude_x, named, paint_atlas, tube

ALONG = (0.0, 0.5, 0.75**0.5)  # up the panel
ON_PANEL = (-pi / 6, 0.0, 0.0)  # turns a box's z along the panel and its -y out of it
BUTTON_TRAVEL, SWITCH_TRAVEL, DRAWER_TRAVEL = 0.02, 0.088, 0.22  # m
BACK, LEDGE = 0.16, 0.648  # y of the cabinet's back wall, z of the panel's top

PROFILE = ((0.02, TOP), (0.18, TOP), (0.18, LEDGE), (0.14, LEDGE))  # of the panel, (y, z)
LINTEL = ((0.1285, 0.628), (0.18, 0.628), (0.18, LEDGE), (0.14, LEDGE))


def _panel(x: float, up: float, out: float) -> np.ndarray:
    """The point `up` m along the panel from its lower edge and `out` m in front of it."""
    return np.array([x, 0.02 + 0.5 * up - 0.75**0.5 * out, TOP + 0.75**0.5 * up + 0.5 * out])


def _base(layout: Layout) -> tuple[Solid, ...]:
    left, right = layout.recess
    drawer_left, drawer_right = layout.drawer - 0.205, layout.drawer + 0.205
    legs = [between((x, y, 0), (x + 0.04, y + 0.032, 0.40), "wood") for x in (-0.44, 0.40) for y in (-0.18, 0.148)]
    # The top has a hole where the cabinet's floor, a link of its own, fills it.
    top = [
        between((-0.44, -0.18, 0.40), (0.44, 0.02, TOP), "wood"),
        between((-0.44, 0.02, 0.40), (left, 0.18, TOP), "wood"),
        between((right, 0.02, 0.40), (0.44, 0.18, TOP), "wood"),
        between((left, 0.02, 0.40), (right, 0.18, TOP - 0.02), "wood"),
        between((left, BACK, TOP - 0.02), (right, 0.18, TOP), "wood"),
    ]
    casing = [
        between((-0.42, -0.15, 0.30), (drawer_left, 0.15, 0.40), "wood"),
        between((drawer_left, 0.07, 0.30), (drawer_right, 0.15, 0.40), "wood"),
    ]
    if drawer_right < 0.42:
        casing.append(between((drawer_right, -0.15, 0.30), (0.42, 0.15, 0.40), "wood"))
    panel = [
        extrude_x(PROFILE, -0.44, left, "wood"),
        extrude_x(PROFILE, right, 0.44, "wood"),
        between((left, BACK, TOP), (right, 0.18, 0.628), "wood"),
        extrude_x(LINTEL, left, right, "wood"),
    ]
    ring = tube((layout.button, -0.12, TOP), (layout.button, -0.12, 0.46), 0.04, sides=12, material="wood")
    slots = [
        box((0.016, 0.002, 0.15), _panel(layout.switch + side, 0.115, 0), ON_PANEL, "shade", solid=False)
        for side in (-0.05, 0.05)
    ]
    return (*legs, *top, *casing, *panel, ring, *slots)


def _door(x: float) -> tuple[Solid, ...]:
    posts = [box((0.04, 0.042, 0.02), _panel(x, 0.11 + up, 0.04), ON_PANEL, "graphite") for up in (-0.07, 0.07)]
    return (
        box((DOOR_WIDTH, 0.02, 0.22), _panel(x, 0.11, 0.0115), ON_PANEL, "wood"),
        *named("handle", box((0.04, 0.02, 0.16), _panel(x, 0.11, 0.07), ON_PANEL, "graphite"), *posts),
    )


def _switch(x: float) -> tuple[Solid, ...]:
    posts = [box((0.02, 0.054, 0.032), _panel(x + side, 0.076, 0.029), ON_PANEL, "graphite") for side in (-0.05, 0.05)]
    return (box((0.12, 0.02, 0.032), _panel(x, 0.076, 0.0462), ON_PANEL, "graphite"), *posts)


def _drawer(x: float) -> tuple[Solid, ...]:
    return (
        between((x - 0.22, -0.18, 0.30), (x + 0.22, -0.16, 0.40), "wood"),
        between((x - 0.20, -0.16, 0.32), (x + 0.20, 0.06, 0.34), "wood"),
        between((x - 0.20, -0.16, 0.34), (x - 0.18, 0.06, 0.40), "wood"),
        between((x + 0.18, -0.16, 0.34), (x + 0.20, 0.06, 0.40), "wood"),
        between((x - 0.18, 0.04, 0.34), (x + 0.18, 0.06, 0.40), "wood"),
        *named(
            "handle",
            between((x - 0.12, -0.26, 0.34), (x + 0.12, -0.24, 0.38), "graphite"),
            between((x - 0.12, -0.24, 0.34), (x - 0.10, -0.18, 0.38), "graphite"),
            between((x + 0.10, -0.24, 0.34), (x + 0.12, -0.18, 0.38), "graphite"),
        ),
    )


def _bulb(x: float) -> tuple[Solid, ...]:
    """Straight up from the ledge; nothing ever touches it but the arm."""
    rings = ((0.648, 0.016), (0.660, 0.025), (0.674, 0.028), (0.688, 0.023), (0.698, 0.010))
    return tuple(
        tube((x, 0.16, low), (x, 0.16, high), r, r_high, sides=10, material="paper")
        for (low, r), (high, r_high) in zip(rings[:-1], rings[1:], strict=True)
    )


def table_links(layout: Layout) -> list[Link]:
    """The table of a scene with its six links; their frames are the world's while the joints are at 0."""
    left, right = layout.recess

    def moving(name: str, axis: tuple[float, float, float], travel: float) -> Joint:
        return Joint(f"base__{name}", "base_link", "prismatic", axis=axis, limits=(0.0, travel))

    def still(name: str) -> Joint:
        return Joint(f"base__{name}", "base_link")

    button = tube((layout.button, -0.12, 0.46), (layout.button, -0.12, 0.484), 0.032, sides=12, material="black")
    led = between((layout.button - 0.08, 0.14, LEDGE), (layout.button + 0.08, 0.18, 0.664), "paper")
    plank = between((left, 0.02, TOP - 0.02), (right, BACK, TOP), "wood")
    return [
        Link("base_link", _base(layout)),
        Link("button_link", (button,), moving("button", (0, 0, -1), BUTTON_TRAVEL), 0.154),
        Link("switch_link", _switch(layout.switch), moving("switch", ALONG, SWITCH_TRAVEL), 0.239),
        Link("slide_link", _door(layout.door), moving("slide", (-1, 0, 0), layout.door_travel), 1.54),
        Link("drawer_link", _drawer(layout.drawer), moving("drawer", (0, -1, 0), DRAWER_TRAVEL), 4.23),
        Link("led_link", (led,), still("led")),
        Link("light_link", _bulb(layout.switch), still("light")),
        Link("plank_link", (plank,), still("plank")),
    ]


def table_atlas(layout: Layout) -> np.ndarray:
    """The texture of a scene's table, uint8 (128, 128, 3)."""
    return paint_atlas(layout.wood, grain=layout.grain, seed=ord(layout.name))


def block_links(colour: str, layout: Layout) -> list[Link]:
    """A block of a scene: 1 kg, 4 x 4 cm, and as long as its size says."""
    grip = {"lateral_friction": 0.7, "spinning_friction": 0.001}
    body = box((BLOCK_LENGTHS[layout.sizes[colour]], BLOCK_SIDE, BLOCK_SIDE), material=colour)
    return [Link(f"block_{colour}", (body,), mass=1.0, contact=grip)]


def floor_links() -> list[Link]:
    """A floor to stand on, wide enough for both cameras."""
    return [Link("floor", (between((-4, -4, -0.02), (4, 4, 0), "silver"),), contact={"lateral_friction": 1.0})]


def pedestal_links() -> list[Link]:
    """What the arm seems to stand on; nothing bumps into it."""
    return [Link("pedestal", (tube((0, 0, 0), (0, 0, 0.24), 0.13, sides=16, solid=False),))]
