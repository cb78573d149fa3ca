"""The Panda arm with long fingers: the real arm's kinematics in a plain body of our own.

Joint origins, axes and limits are the manufacturer's (Denavit-Hartenberg lengths 0.333, 0.316, 0.0825, 0.384, 0.088 and
0.107 m), masses those of the URDF that comes with PyBullet. Order and names of the links are those of CALVIN's arm.
"""

from __future__ import annotations

from math import pi
from typing import NamedTuple

from envs.tabletop.solids import Joint, Link, Solid, Vector, between, box, tube

FINGER_ORIGIN = 0.0584  # m along the hand, where the finger joints are
FINGER_LENGTH = 0.0964  # m
TCP = 0.14  # m along the hand, between the finger tips
FINGER_GRIP = {"stiffness": 30000.0, "damping": 1000.0, "spinning_friction": 0.1, "lateral_friction": 1.0}
PAD_GRIP = {"spinning_friction": 0.001, "lateral_friction": 1.0}


class Hand(NamedTuple):
    """What may differ between hands: m along the hand; where the camera is, and how it is turned (rad).

    The camera looks along its link's +y, and the link's -z is up in its picture.
    """

    finger_length: float = FINGER_LENGTH
    tcp: float = TCP
    camera_at: Vector = (-0.1, 0, 0)
    camera_turn: Vector = (1.3, 0, -1.57)


LONG_FINGERS = Hand()

_HALF = pi / 2
# name, origin of its joint in the frame before, its turn, limits (rad), mass (kg), centre of mass
_ARM = (
    ("panda_link1", (0, 0, 0.333), (0, 0, 0), (-2.9671, 2.9671), 2.7, (0, -0.04, -0.05)),
    ("panda_link2", (0, 0, 0), (-_HALF, 0, 0), (-1.8326, 1.8326), 2.73, (0, -0.04, 0.06)),
    ("panda_link3", (0, -0.316, 0), (_HALF, 0, 0), (-2.9671, 2.9671), 2.04, (0.01, 0.01, -0.05)),
    ("panda_link4", (0.0825, 0, 0), (_HALF, 0, 0), (-3.1416, 0.0), 2.08, (-0.03, 0.03, 0.02)),
    ("panda_link5", (-0.0825, 0.384, 0), (-_HALF, 0, 0), (-2.9671, 2.9671), 3.0, (0, 0.04, -0.12)),
    ("panda_link6", (0, 0, 0), (_HALF, 0, 0), (-0.0873, 3.8223), 1.3, (0.04, 0, 0)),
    ("panda_link7", (0.088, 0, 0), (_HALF, 0, 0), (-2.9671, 2.9671), 0.2, (0, 0, 0.08)),
)


def _shapes() -> dict[str, tuple[Solid, ...]]:
    """What each link of the arm looks like, in its own frame."""
    return {
        "panda_link0": (
            tube((0, 0, 0), (0, 0, 0.06), 0.10, 0.085),
            tube((0, 0, 0.06), (0, 0, 0.15), 0.075, 0.068),
            box((0.10, 0.10, 0.06), (-0.09, 0, 0.03)),
        ),
        "panda_link1": (
            tube((0, 0, -0.185), (0, 0, -0.03), 0.062, 0.058),
            tube((0, -0.07, 0), (0, 0.07, 0), 0.062),
        ),
        "panda_link2": (
            tube((0, 0, 0.02), (0, 0, 0.075), 0.058),
            tube((0, 0, -0.075), (0, 0, -0.02), 0.058),
            tube((0, -0.02, 0), (0, -0.19, 0), 0.058, 0.054),
        ),
        "panda_link3": (
            tube((0, 0, -0.12), (0, 0, -0.03), 0.054),
            tube((0, 0, -0.03), (0.0825, 0, 0), 0.05),
            tube((0.0825, -0.06, 0), (0.0825, 0.06, 0), 0.055),
        ),
        "panda_link4": (
            tube((0, 0, -0.06), (0, 0, 0.06), 0.05, material="silver"),
            tube((0, 0, 0), (-0.0825, 0.075, 0), 0.05),
            tube((-0.0825, 0.06, 0), (-0.0825, 0.125, 0), 0.055),
        ),
        "panda_link5": (
            tube((0, 0, -0.26), (0, 0, -0.14), 0.055, 0.052),
            tube((0, 0.03, -0.14), (0, 0.06, 0.0), 0.045, 0.04),
            tube((0, 0, -0.05), (0, 0, 0.05), 0.05),
        ),
        "panda_link6": (
            tube((0, 0, -0.05), (0, 0, 0.06), 0.045, material="silver"),
            tube((0, 0, 0), (0.088, 0, 0), 0.045),
            tube((0.088, -0.05, 0), (0.088, 0.05, 0), 0.05),
        ),
        "panda_link7": (tube((0, 0, 0.05), (0, 0, 0.107), 0.044, material="silver"),),
    }


def _finger(side: int, length: float) -> tuple[Solid, ...]:
    """A finger; side +1 opens along +y."""
    y = (0.004, 0.027) if side > 0 else (-0.027, -0.004)
    return (between((-0.0105, y[0], 0), (0.0105, y[1], length), "silver"),)


def _pad(side: int, length: float) -> tuple[Solid, ...]:
    """The soft pad inside a finger's tip, in the finger's frame."""
    y = (0.0009, 0.0055) if side > 0 else (-0.0055, -0.0009)
    return (between((-0.0105, y[0], length - 0.0254), (0.0105, y[1], length - 0.0004), "pad"),)


def joint_frames() -> list[tuple[Vector, Vector]]:
    """Origin (m) and turn (rad) of each of the arm's seven joints in the frame before; all turn about their z."""
    return [(at, rpy) for _, at, rpy, *_ in _ARM]


def panda_links(shape: Hand = LONG_FINGERS) -> list[Link]:
    """The arm, its hand, the fingers with their pads, the gripper camera and the tool centre point."""
    shapes = _shapes()
    links = [Link("panda_link0", shapes["panda_link0"], mass=2.9, centre=(0, 0, 0.05))]
    before = "panda_link0"
    for number, (name, at, rpy, limits, mass, centre) in enumerate(_ARM, start=1):
        joint = Joint(f"panda_joint{number}", before, "revolute", at, rpy, (0, 0, 1), limits)
        links.append(Link(name, shapes[name], joint, mass, centre))
        before = name
    hand = (box((0.05, 0.2, 0.05), (0, 0, 0.035)), box((0.04, 0.13, 0.02), (0, 0, 0.005)))
    links += [
        Link("panda_link8", joint=Joint("panda_joint8", "panda_link7", at=(0, 0, 0.107))),
        Link(
            "panda_hand",
            hand,
            Joint("panda_hand_joint", "panda_link8", rpy=(0, 0, -pi / 4)),
            mass=0.81,
            centre=(0, 0, 0.04),
        ),
    ]
    for side, name, number in ((1, "left", 1), (-1, "right", 2)):
        slide = Joint(
            f"panda_finger_joint{number}",
            "panda_hand",
            "prismatic",
            at=(0, 0, FINGER_ORIGIN),
            axis=(0, side, 0),
            limits=(0.0, 0.04),
        )
        finger = f"panda_{name}finger"
        links += [
            Link(finger, _finger(side, shape.finger_length), slide, 0.1, (0, 0.01 * side, 0.02), FINGER_GRIP),
            Link(
                f"finger_{name}_tip",
                _pad(side, shape.finger_length),
                Joint(f"joint_finger_tip_{name}", finger),
                0.0001,
                contact=PAD_GRIP,
            ),
        ]
    camera = (box((0.08, 0.025, 0.01), solid=False),)
    return [
        *links,
        Link("panda_grasptarget", joint=Joint("panda_grasptarget_hand", "panda_hand", at=(0, 0, 0.105))),
        Link(
            "gripper_cam",
            camera,
            Joint("camera_joint", "panda_hand", at=shape.camera_at, rpy=shape.camera_turn),
            mass=0.2,
        ),
        Link("tcp", joint=Joint("tcp_joint", "panda_hand", at=(0, 0, shape.tcp)), mass=0.00001),
    ]
