"""Convex solids, and bodies made of them: written as URDF, OBJ and PNG files for PyBullet to load.

Everything the built-in worlds are made of is described in Python and written into a temporary folder just before it is
loaded, so no mesh and no picture is kept in the project.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from xml.sax.saxutils import quoteattr

import numpy as np
from PIL import Image

Vector = tuple[float, float, float]

ATLAS = 128  # px; side of a body's texture
CELL = 16  # px; side of a palette cell, in the atlas' bottom rows
WOOD_ROWS = 96  # px; the rest of the atlas is wood
WOOD_SPAN = 1.0  # m of wood across the atlas
PART_MARK = "# part "  # begins a comment of an OBJ file: the part that the faces below it belong to
PALETTE = {
    "white": (235, 236, 238),
    "silver": (196, 199, 204),
    "graphite": (72, 76, 84),
    "gray": (128, 131, 136),
    "black": (22, 22, 26),
    "shade": (58, 44, 36),
    "red": (214, 30, 34),
    "blue": (26, 54, 214),
    "pink": (226, 40, 206),
    "paper": (250, 250, 250),
    "pad": (52, 56, 62),
    "teal": (38, 84, 88),
    "cream": (238, 228, 204),
    "brass": (190, 150, 70),
    "green": (40, 160, 60),
}


def rotation(rpy: Vector) -> np.ndarray:
    """Matrix (3, 3) of the fixed-axis angles roll, pitch, yaw (rad), as in URDF."""
    (cr, cp, cy), (sr, sp, sy) = np.cos(rpy), np.sin(rpy)
    return np.array(
        [
            [cy * cp, cy * sp * sr - sy * cr, cy * sp * cr + sy * sr],
            [sy * cp, sy * sp * sr + cy * cr, sy * sp * cr - cy * sr],
            [-sp, cp * sr, cp * cr],
        ]
    )


def fixed_angles(turn: np.ndarray) -> np.ndarray:
    """The fixed-axis angles roll, pitch, yaw (3,) rad of a matrix (3, 3)."""
    pitch = np.arcsin(np.clip(-turn[2, 0], -1, 1))
    return np.array([np.arctan2(turn[2, 1], turn[2, 2]), pitch, np.arctan2(turn[1, 0], turn[0, 0])])


@dataclass(frozen=True, eq=False)
class Solid:
    """A convex polyhedron. points: float (V, 3), m, in its link's frame. faces: outward loops of indices into `points`.

    material: a name of the palette, or "wood". box: half extents, centre and rpy where it is a box, for exact contacts.
    """

    points: np.ndarray
    faces: tuple[tuple[int, ...], ...]
    material: str = "white"
    box: tuple[Vector, Vector, Vector] | None = None
    solid: bool = True  # whether things bump into it
    seen: bool = True  # whether cameras see it
    part: str = ""  # of its link, such as "handle"; for segmentation


def box(
    size: Sequence[float],
    at: Sequence[float] | np.ndarray = (0, 0, 0),
    rpy: Vector = (0, 0, 0),
    material: str = "white",
    *,
    solid: bool = True,
    seen: bool = True,
) -> Solid:
    """A box of that size (m) around `at`, turned by `rpy`."""
    half = np.asarray(size, float) / 2
    signs = np.array([(x, y, z) for z in (-1, 1) for y in (-1, 1) for x in (-1, 1)], float)
    points = signs * half @ rotation(rpy).T + np.asarray(at, float)
    faces = ((0, 2, 3, 1), (4, 5, 7, 6), (0, 1, 5, 4), (2, 6, 7, 3), (0, 4, 6, 2), (1, 3, 7, 5))
    exact = (tuple(map(float, half)), tuple(map(float, at)), rpy)
    return Solid(points, faces, material, exact, solid, seen)  # type: ignore[arg-type]


def named(part: str, *solids: Solid) -> tuple[Solid, ...]:
    """The solids as a part of their link that segmentation tells apart."""
    return tuple(replace(solid, part=part) for solid in solids)


def between(low: Sequence[float], high: Sequence[float], material: str = "white", *, seen: bool = True) -> Solid:
    """The box between two corners."""
    a, b = np.asarray(low, float), np.asarray(high, float)
    return box(b - a, (a + b) / 2, material=material, seen=seen)


def loft(lower: np.ndarray, upper: np.ndarray, material: str = "white", *, solid: bool = True) -> Solid:
    """The solid between two convex polygons (N, 3) with as many corners, counter-clockwise seen from `upper`'s side."""
    n = len(lower)
    sides = tuple((i, (i + 1) % n, n + (i + 1) % n, n + i) for i in range(n))
    faces = (tuple(reversed(range(n))), tuple(range(n, 2 * n)), *sides)
    return Solid(np.concatenate([lower, upper]).astype(float), faces, material, None, solid)


def tube(
    start: Sequence[float],
    end: Sequence[float],
    radius: float,
    end_radius: float | None = None,
    *,
    sides: int = 8,
    material: str = "white",
    solid: bool = True,
) -> Solid:
    """A prism with `sides` sides around the line from `start` to `end`; a cone where `end_radius` differs."""
    a, b = np.asarray(start, float), np.asarray(end, float)
    axis = (b - a) / np.linalg.norm(b - a)
    helper = np.eye(3)[int(np.argmin(np.abs(axis)))]
    u = np.cross(axis, helper)
    u /= np.linalg.norm(u)
    v = np.cross(axis, u)
    angles = 2 * np.pi * (np.arange(sides) + 0.5) / sides
    ring = np.cos(angles)[:, None] * u + np.sin(angles)[:, None] * v
    return loft(a + radius * ring, b + (radius if end_radius is None else end_radius) * ring, material, solid=solid)


def ball(
    centre: Sequence[float],
    radius: float,
    material: str = "white",
    *,
    sides: int = 10,
    bands: int = 6,
    solid: bool = True,
) -> tuple[Solid, ...]:
    """A ball of flat faces: bands one above the other."""
    angles = np.linspace(-np.pi / 2, np.pi / 2, bands + 1)
    rings = [
        (np.add(centre, (0, 0, radius * np.sin(angle))).tolist(), max(radius * np.cos(angle), 0.02 * radius))
        for angle in angles
    ]
    return tuple(
        tube(low, high, width, end, sides=sides, material=material, solid=solid)
        for (low, width), (high, end) in zip(rings[:-1], rings[1:], strict=True)
    )


def extrude_x(profile: Sequence[tuple[float, float]], left: float, right: float, material: str) -> Solid:
    """A convex profile of (y, z) corners, counter-clockwise seen from the right, drawn from x `left` to `right`."""
    yz = np.asarray(profile, float)
    lower, upper = (np.column_stack([np.full(len(yz), x), yz]) for x in (left, right))
    return loft(lower, upper, material)


@dataclass(frozen=True)
class Joint:
    """How a link hangs on its parent: kind "revolute", "prismatic" or "fixed"; m or rad; axis in the link's frame."""

    name: str
    parent: str
    kind: str = "fixed"
    at: Vector = (0, 0, 0)
    rpy: Vector = (0, 0, 0)
    axis: Vector = (0, 0, 1)
    limits: tuple[float, float] = (0, 0)


@dataclass(frozen=True)
class Link:
    """A rigid part. mass in kg. contact: URDF contact settings, such as lateral_friction."""

    name: str
    solids: tuple[Solid, ...] = ()
    joint: Joint | None = None
    mass: float = 0.0
    centre: Vector = (0, 0, 0)
    contact: dict[str, float] = field(default_factory=dict)
    colour: tuple[float, float, float, float] = (1, 1, 1, 1)


def write_body(name: str, links: Iterable[Link], folder: Path, atlas: np.ndarray) -> Path:
    """Write the body NAME.urdf with what belongs to it into `folder`; atlas: uint8 (128, 128, 3). Returns the URDF."""
    Image.fromarray(atlas).save(folder / f"{name}.png")
    (folder / f"{name}.mtl").write_text(f"newmtl atlas\nKa 1 1 1\nKd 1 1 1\nmap_Kd {name}.png\n")
    lines = ['<?xml version="1.0"?>', f"<robot name={quoteattr(name)}>"]
    for link in links:
        lines += _link_lines(name, link, folder)
    path = folder / f"{name}.urdf"
    path.write_text("\n".join([*lines, "</robot>", ""]))
    return path


def _link_lines(body: str, link: Link, folder: Path) -> list[str]:
    lines = [f"<link name={quoteattr(link.name)}>"]
    if link.contact:
        lines += ["<contact>", *(f'<{key} value="{value}"/>' for key, value in link.contact.items()), "</contact>"]
    inertia = 'ixx="0.01" ixy="0" ixz="0" iyy="0.01" iyz="0" izz="0.01"'  # Bullet works it out from the shapes
    lines += [f'<inertial>{_origin(link.centre)}<mass value="{link.mass}"/><inertia {inertia}/></inertial>']
    seen = [solid for solid in link.solids if solid.seen]
    if seen:
        file = f"{body}_{link.name}.obj"
        (folder / file).write_text(_obj(seen, f"{body}.mtl"))
        colour = " ".join(map(str, link.colour))
        lines += [
            f'<visual>{_origin()}<geometry><mesh filename="{file}"/></geometry>',
            f'<material name="{link.name}"><color rgba="{colour}"/></material></visual>',
        ]
    for number, solid in enumerate(solid for solid in link.solids if solid.solid):
        if solid.box is not None:
            half, at, rpy = solid.box
            shape = f'<box size="{_numbers(2 * np.asarray(half))}"/>'
            origin = _origin(at, rpy)
        else:
            file = f"{body}_{link.name}_{number}.obj"
            (folder / file).write_text(_obj([solid], f"{body}.mtl"))
            shape, origin = f'<mesh filename="{file}"/>', _origin()
        lines.append(f"<collision>{origin}<geometry>{shape}</geometry></collision>")
    lines.append("</link>")
    joint = link.joint
    if joint is not None:
        lines += [
            f'<joint name={quoteattr(joint.name)} type="{joint.kind}">{_origin(joint.at, joint.rpy)}',
            f'<parent link="{joint.parent}"/><child link="{link.name}"/><axis xyz="{_numbers(joint.axis)}"/>',
            f'<limit lower="{joint.limits[0]}" upper="{joint.limits[1]}" effort="200" velocity="10"/></joint>',
        ]
    return lines


def _numbers(values: Iterable[float]) -> str:
    return " ".join(f"{float(value):.9g}" for value in values)


def _origin(at: Iterable[float] = (0, 0, 0), rpy: Iterable[float] = (0, 0, 0)) -> str:
    return f'<origin xyz="{_numbers(at)}" rpy="{_numbers(rpy)}"/>'


def _obj(solids: Sequence[Solid], materials: str) -> str:
    """Triangles with flat normals and places in the atlas."""
    lines, count, part = [f"mtllib {materials}", "usemtl atlas"], 0, ""
    for solid in solids:
        if solid.part != part:
            part = solid.part
            lines.append(f"{PART_MARK}{part}")
        for loop in solid.faces:
            corners = solid.points[list(loop)]
            normal = np.cross(corners[1] - corners[0], corners[2] - corners[0])
            normal /= np.linalg.norm(normal)
            for corner, uv in zip(corners, _atlas_places(corners, normal, solid.material), strict=True):
                lines += [f"v {_numbers(corner)}", f"vt {_numbers(uv)}", f"vn {_numbers(normal)}"]
            for i in range(1, len(loop) - 1):
                lines.append("f " + " ".join(f"{n}/{n}/{n}" for n in (count + 1, count + i + 1, count + i + 2)))
            count += len(loop)
    return "\n".join([*lines, ""])


def _atlas_places(corners: np.ndarray, normal: np.ndarray, material: str) -> np.ndarray:
    """Where the corners of a face lie in the atlas, (N, 2) in 0..1, v upwards."""
    if material == "wood":
        # Grain runs along x where the face allows it; upright faces show it upright only at their ends.
        main = int(np.argmax(np.abs(normal)))
        u, v = corners[:, 1 if main == 0 else 0], corners[:, 1 if main == 2 else 2]
        columns = np.clip(u / WOOD_SPAN + 0.5, 0.005, 0.995)
        rows = np.clip(v / WOOD_SPAN % 1.0 if np.ptp(v) == 0 else v / WOOD_SPAN + 0.25, 0.005, 0.995)
        return np.column_stack([columns, 1 - rows * WOOD_ROWS / ATLAS])
    row, column = divmod(list(PALETTE).index(material), ATLAS // CELL)
    centre = ((column + 0.5) * CELL / ATLAS, 1 - (WOOD_ROWS + (row + 0.5) * CELL) / ATLAS)
    return np.tile(centre, (len(corners), 1))


def paint_atlas(wood: tuple[int, int, int] = (150, 110, 70), *, grain: float = 0.18, seed: int = 0) -> np.ndarray:
    """A body's texture uint8 (128, 128, 3): wood of a base colour with its grain drawn by chance, then the palette."""
    random = np.random.default_rng(seed)
    atlas = np.zeros((ATLAS, ATLAS, 3), np.uint8)
    rows = np.arange(WOOD_ROWS)[:, None]
    columns = np.linspace(0, 2 * np.pi, ATLAS)[None]
    bend = sum(random.uniform(0.2, 1.0) * np.sin(k * columns + random.uniform(0, 6.3)) for k in (1, 2, 3))
    streaks = np.repeat(random.normal(0, 0.5, (WOOD_ROWS, 8)), ATLAS // 8, axis=1)
    rings = 0.5 * np.sin((rows + bend) * 0.5) + 0.4 * np.sin((rows + 1.6 * bend) * 1.9 + 1.3) + streaks
    planks = np.repeat(random.uniform(-0.5, 0.5, WOOD_ROWS // 24), 24)[:, None]
    shade = 1 + grain * (0.4 * rings + 0.5 * planks)
    atlas[:WOOD_ROWS] = np.clip(shade[..., None] * np.asarray(wood), 0, 255)
    for number, colour in enumerate(PALETTE.values()):
        row, column = divmod(number, ATLAS // CELL)
        top = WOOD_ROWS + row * CELL
        atlas[top : top + CELL, column * CELL : (column + 1) * CELL] = colour
    return atlas
