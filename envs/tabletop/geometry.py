"""What the bodies of a scene look like, as triangles: read from the simulator and from the files it was given."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from PIL import Image

from envs.tabletop.scene import Scene
from envs.tabletop.solids import PART_MARK, box, tube


@dataclass(frozen=True, eq=False)
class Mesh:
    """points float64 (N, 3, 3), m; uvs float64 (N, 3, 2); picture: the texture's file.

    parts: the names of its parts, and part_of int (N,), the part of each triangle; "" is what has no name.
    """

    points: np.ndarray
    uvs: np.ndarray
    picture: Path | None = None
    parts: tuple[str, ...] = ("",)
    part_of: np.ndarray | None = None  # None: all of the first part


@dataclass(frozen=True, eq=False)
class Shape:
    """One visible shape: which link it is fixed to, where (4, 4), its mesh, its colour (3,) 0..1 and its texture."""

    body: int
    link: int
    place: np.ndarray
    mesh: Mesh
    colour: np.ndarray
    picture: Path | None


def matrices(positions: np.ndarray, quaternions: np.ndarray) -> np.ndarray:
    """Transforms (N, 4, 4) of positions (N, 3) and unit quaternions xyzw (N, 4)."""
    x, y, z, w = quaternions.T
    rows = (
        (1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)),
        (2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)),
        (2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)),
    )
    result = np.zeros((len(positions), 4, 4))
    result[:, :3, :3] = np.moveaxis(np.array(rows), 2, 0)
    result[:, :3, 3] = positions
    result[:, 3, 3] = 1
    return result


def matrix(position: Sequence[float], quaternion: Sequence[float]) -> np.ndarray:
    """The transform (4, 4) of a position and a unit quaternion xyzw."""
    return matrices(np.asarray(position, float)[None], np.asarray(quaternion, float)[None])[0]


def shapes(scene: Scene) -> list[Shape]:
    """All visible shapes of a scene."""
    sim, found = scene.sim, []
    for number in range(sim.getNumBodies()):
        body = sim.getBodyUniqueId(number)
        for _, link, kind, size, file, position, orientation, rgba in (row[:8] for row in sim.getVisualShapeData(body)):
            if kind == sim.GEOM_MESH:
                mesh = load_mesh(Path(file.decode()))
                scale = np.diag([*size, 1.0])
            else:
                mesh, scale = _primitive(kind, size, scene), np.eye(4)
            place = matrix(position, orientation) @ scale
            picture = scene.textures.get((body, link), mesh.picture)
            found.append(Shape(body, link, place, mesh, np.array(rgba[:3]), picture))
    return found


def _primitive(kind: int, size: tuple[float, ...], scene: Scene) -> Mesh:
    sim = scene.sim
    if kind == sim.GEOM_BOX:
        solid = box(size)
    elif kind in (sim.GEOM_CYLINDER, sim.GEOM_CAPSULE):
        length, radius = size[0], size[1]
        solid = tube((0, 0, -length / 2), (0, 0, length / 2), radius, sides=16)
    else:
        return Mesh(np.zeros((0, 3, 3)), np.zeros((0, 3, 2)))
    triangles = [(loop[0], loop[i], loop[i + 1]) for loop in solid.faces for i in range(1, len(loop) - 1)]
    points = solid.points[np.array(triangles)]
    return Mesh(points, np.zeros((len(points), 3, 2)))


@lru_cache(maxsize=256)
def load_mesh(path: Path) -> Mesh:
    """Read an OBJ file with its texture, or a binary STL file."""
    return _read_stl(path) if path.suffix.lower() == ".stl" else _read_obj(path)


def _read_stl(path: Path) -> Mesh:
    record = np.dtype([("normal", "<f4", 3), ("corners", "<f4", (3, 3)), ("rest", "<u2")])
    triangles = np.frombuffer(path.read_bytes()[84:], record)["corners"].astype(np.float64)
    return Mesh(triangles, np.zeros((len(triangles), 3, 2)))


def _read_obj(path: Path) -> Mesh:
    points: list[list[float]] = []
    uvs: list[list[float]] = []
    faces: list[tuple[tuple[int, int], ...]] = []
    picture = None
    parts, part_of = [""], []
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        word, _, rest = line.partition(" ")
        if word == "v":
            points.append([float(value) for value in rest.split()[:3]])
        elif word == "vt":
            uvs.append([float(value) for value in rest.split()[:2]])
        elif word == "f":
            corners = [_corner(text, len(points), len(uvs)) for text in rest.split()]
            faces += [(corners[0], corners[i], corners[i + 1]) for i in range(1, len(corners) - 1)]
            part_of += [len(parts) - 1] * (len(corners) - 2)
        elif line.startswith(PART_MARK):
            parts.append(line.removeprefix(PART_MARK).strip())
        elif word == "mtllib":
            picture = _picture(path.parent / rest.strip())
    indices = np.array(faces, int).reshape(-1, 3, 2)
    places = np.array(uvs) if uvs else np.zeros((1, 2))
    return Mesh(
        np.array(points)[indices[..., 0]], places[indices[..., 1]], picture, tuple(parts), np.array(part_of, int)
    )


def _corner(text: str, points: int, uvs: int) -> tuple[int, int]:
    parts = text.split("/")
    point = int(parts[0])
    uv = int(parts[1]) if len(parts) > 1 and parts[1] else 1
    return (point - 1 if point > 0 else points + point), (uv - 1 if uv > 0 else uvs + uv)


def _picture(materials: Path) -> Path | None:
    if materials.is_file():
        for line in materials.read_text(encoding="utf-8", errors="replace").splitlines():
            word, _, rest = line.strip().partition(" ")
            if word == "map_Kd" and (materials.parent / rest.strip()).is_file():
                return materials.parent / rest.strip()
    return None


def read_picture(path: Path | None) -> np.ndarray:
    """A texture uint8 (H, W, 3); plain white without a file."""
    if path is None:
        return np.full((1, 1, 3), 255, np.uint8)
    return np.asarray(Image.open(path).convert("RGB"))
