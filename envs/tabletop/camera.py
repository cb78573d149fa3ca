"""Cameras: pictures uint8 (H, W, 3) and depth float32 (H, W) in metres along the view axis.

Three renderers draw the same scene. "fast" is our own, compiled for the CPU; "tiny" is PyBullet's software renderer,
"egl" its OpenGL renderer, for machines with a GPU.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import numpy as np

from envs.errors import UserError
from envs.tabletop import geometry
from envs.tabletop.raster import draw_triangles, shrink, vote
from envs.tabletop.scene import Scene, quiet

RENDERERS = ("fast", "tiny", "egl")
SMOOTHING = 2  # the fast renderer draws this many pixels for one in both directions, and `shrink` averages them
LIGHT = np.array([0.45, -0.55, 0.9])  # where it comes from, in the world
SKY = (206, 214, 222)
MAX_SIZE = 2048  # px


@dataclass(frozen=True)
class View:
    """Where a camera stands: the world's axes right, up and forward of it, and its place, as a transform (3, 4)."""

    world_to_camera: np.ndarray
    eye: np.ndarray
    forward: np.ndarray
    up: np.ndarray


def look(eye: np.ndarray, forward: np.ndarray, up: np.ndarray) -> View:
    """The view from `eye` along `forward`."""
    forward = forward / np.linalg.norm(forward)
    right = np.cross(forward, up)
    right = right / np.linalg.norm(right)
    axes = np.stack([right, np.cross(right, forward), forward])
    return View(np.column_stack([axes, -axes @ eye]), eye, forward, axes[1])


@dataclass(frozen=True)
class Camera:
    """A pinhole camera; subclasses know where it stands. fov: vertical, degrees; near and far in m; sizes in px."""

    name: str
    width: int
    height: int
    fov: float
    near: float
    far: float

    def __post_init__(self) -> None:
        for side in (self.width, self.height):
            if not 1 <= side <= MAX_SIZE:
                raise UserError(f"camera {self.name} cannot have {side} pixels a side; give 1 to {MAX_SIZE}")

    def view(self, scene: Scene) -> View:
        """Where the camera stands now."""
        raise NotImplementedError

    @property
    def moves(self) -> bool:
        """Whether the view may change between frames."""
        return True


@dataclass(frozen=True)
class StaticCamera(Camera):
    """A camera that stands still: eye, target and up in the world, m."""

    eye: tuple[float, float, float] = (1, 0, 1)
    target: tuple[float, float, float] = (0, 0, 0)
    up: tuple[float, float, float] = (0, 0, 1)

    def view(self, scene: Scene) -> View:
        """The view, always the same."""
        eye = np.array(self.eye)
        return look(eye, np.array(self.target) - eye, np.array(self.up))

    @property
    def moves(self) -> bool:
        """It does not."""
        return False


@dataclass(frozen=True)
class GripperCamera(Camera):
    """A camera fixed to a link: it looks along the link's +y, and the link's -z is up in its picture."""

    body: int = 0
    link: int = 0

    def view(self, scene: Scene) -> View:
        """The view from where the link is now."""
        state = scene.sim.getLinkState(self.body, self.link, computeForwardKinematics=True)
        pose = geometry.matrix(state[4], state[5])
        return look(pose[:3, 3], pose[:3, 1], -pose[:3, 2])


class Part(NamedTuple):
    """What a pixel shows: a body's link (-1: its base), and which part of it ("": one that has no name)."""

    body: int
    link: int
    part: str


class Segmentation(NamedTuple):
    """A picture uint8 (H, W, 3), and at each pixel the index into `parts` of what it shows, int16 (H, W), or -1."""

    picture: np.ndarray
    labels: np.ndarray
    parts: tuple[Part, ...]

    def mask(self, body: int, link: int | None = None, part: str | None = None) -> np.ndarray:
        """Where a body is seen, or one of its links, or a part of that: bool (H, W)."""
        wanted = [(own.body == body and link in (None, own.link) and part in (None, own.part)) for own in self.parts]
        return np.array([*wanted, False])[self.labels]

    @property
    def links(self) -> tuple[np.ndarray, np.ndarray]:
        """Ids of body and link at each pixel, int16 (H, W) each; the body is -1 where nothing is."""
        bodies, links = np.array([*((own.body, own.link) for own in self.parts), (-1, -1)], np.int16).T
        return bodies[self.labels], links[self.labels]


class Renderer(Protocol):
    """Draws a scene as a camera sees it."""

    def __call__(self, camera: Camera) -> tuple[np.ndarray, np.ndarray]:
        """Return picture uint8 (H, W, 3) and depth float32 (H, W) in m."""
        ...

    def set_colour(self, body: int, link: int, colour: Sequence[float]) -> None:
        """Tint a link of a body, (3,) in 0..1."""
        ...


def make_renderer(name: str, scene: Scene) -> Renderer:
    """The renderer of that name for a scene whose bodies are all there; "egl" wants a scene with OpenGL.

    Raises:
        UserError: the name is unknown.
    """
    check_renderer(name)
    return FastRenderer(scene) if name == "fast" else BulletRenderer(scene)


def check_renderer(name: str) -> None:
    """UserError unless there is a renderer of that name."""
    if name not in RENDERERS:
        raise UserError(f"renderer {name!r} is unknown; choose one of {', '.join(RENDERERS)}")


class FastRenderer:
    """Our own renderer. What stands still is drawn once for each camera that stands still."""

    def __init__(self, scene: Scene) -> None:
        self.scene = scene
        self._shapes = geometry.shapes(scene)
        still = {(body, -1) for body in scene.fixed}
        self._shapes.sort(key=lambda shape: (shape.body, shape.link) not in still)
        self._fixed_shapes = sum((shape.body, shape.link) in still for shape in self._shapes)
        counts = [len(shape.mesh.points) for shape in self._shapes]
        self._owners = np.repeat(np.arange(len(counts)), counts)
        self._fixed_faces = sum(counts[: self._fixed_shapes])
        self._points = np.concatenate([shape.mesh.points for shape in self._shapes] or [np.zeros((0, 3, 3))])
        self._uvs = np.concatenate([shape.mesh.uvs for shape in self._shapes] or [np.zeros((0, 3, 2))])
        self._label_parts()
        self._colours = np.array([shape.colour for shape in self._shapes]).reshape(-1, 3)
        self._load_textures()
        pairs = sorted({(shape.body, shape.link) for shape in self._shapes})
        self._links = {body: [link for owner, link in pairs if owner == body] for body, _ in pairs}
        self._frame_of = np.array([pairs.index((shape.body, shape.link)) for shape in self._shapes], int)
        self._places = np.array([self._place(shape) for shape in self._shapes]).reshape(-1, 4, 4)
        # Pictures, inverse depths and labels of what stands still, as each camera sees it
        self._frames: dict[Camera, tuple[np.ndarray, np.ndarray, np.ndarray]] = {}

    def set_colour(self, body: int, link: int, colour: Sequence[float]) -> None:
        """Tint a link of a body, (3,) in 0..1."""
        for number, shape in enumerate(self._shapes):
            if (shape.body, shape.link) == (body, link):
                self._colours[number] = colour[:3]
                if number < self._fixed_shapes:
                    self._frames.clear()

    def __call__(self, camera: Camera) -> tuple[np.ndarray, np.ndarray]:
        """Return picture uint8 (H, W, 3) and depth float32 (H, W) in m."""
        image, inverse_depth, _ = self._draw(camera, labelled=False)
        return _shrunk(camera, image, inverse_depth)

    def segment(self, camera: Camera) -> Segmentation:
        """The picture that a call returns, and which part of which link each pixel shows most of."""
        image, inverse_depth, labels = self._draw(camera, labelled=True)
        small = np.empty((camera.height, camera.width), np.int16)
        vote(labels, inverse_depth, small)
        return Segmentation(_shrunk(camera, image, inverse_depth)[0], small, self._parts)

    def _draw(self, camera: Camera, *, labelled: bool) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The large picture, its inverse depth, and its labels if somebody asks for them."""
        height, width = camera.height * SMOOTHING, camera.width * SMOOTHING
        view = camera.view(self.scene)
        poses = self._poses(view)
        light = view.world_to_camera[:, :3] @ (LIGHT / np.linalg.norm(LIGHT))
        focal = height / (2 * np.tan(np.radians(camera.fov) / 2))

        def draw(start: int, end: int, image: np.ndarray, inverse_depth: np.ndarray, labels: np.ndarray) -> None:
            part = slice(start, end)
            draw_triangles(
                self._points[part], self._uvs[part], self._owners[part], self._colours, self._textures_of,
                self._labels_of[part], poses, light, self._pixels, self._textures, focal, camera.near, image,
                inverse_depth, labels,
            )  # fmt: skip

        if camera in self._frames:
            image, inverse_depth, labels = (part.copy() for part in self._frames[camera])
        else:
            image = np.empty((height, width, 3), np.uint8)
            image[:] = SKY
            inverse_depth = np.zeros((height, width), np.float32)
            labels = np.full((height, width), -1, np.int16)
            draw(0, self._fixed_faces, image, inverse_depth, labels)
            if not camera.moves:
                self._frames[camera] = (image.copy(), inverse_depth.copy(), labels.copy())
        if not labelled:
            labels = np.empty((0, 0), np.int16)
        draw(self._fixed_faces, len(self._points), image, inverse_depth, labels)
        return image, inverse_depth, labels

    def _label_parts(self) -> None:
        """Number the parts of all links, and tell each triangle's."""
        numbers: dict[Part, int] = {}
        labels = []
        for shape in self._shapes:
            own = [numbers.setdefault(Part(shape.body, shape.link, name), len(numbers)) for name in shape.mesh.parts]
            part_of = np.zeros(len(shape.mesh.points), int) if shape.mesh.part_of is None else shape.mesh.part_of
            labels.append(np.array(own, np.int16)[part_of])
        self._parts = tuple(numbers)
        self._labels_of = np.concatenate(labels or [np.zeros(0, np.int16)])

    def _poses(self, view: View) -> np.ndarray:
        """Shapes to camera, float64 (S, 3, 4)."""
        sim, places = self.scene.sim, []
        for body, links in self._links.items():
            if links[0] < 0:
                places.append(sim.getBasePositionAndOrientation(body))
            moving = links[1:] if links[0] < 0 else links
            if moving:
                places += [state[4:6] for state in sim.getLinkStates(body, moving, computeForwardKinematics=True)]
        frames = geometry.matrices(np.array([place[0] for place in places]), np.array([place[1] for place in places]))
        to_camera = np.vstack([view.world_to_camera, [0, 0, 0, 1]])
        return np.ascontiguousarray((to_camera @ frames[self._frame_of] @ self._places)[:, :3])

    def _place(self, shape: geometry.Shape) -> np.ndarray:
        """Where a shape is in its link's frame; PyBullet tells a base's pose by its centre of mass."""
        if shape.link >= 0:
            return shape.place
        centre = self.scene.sim.getDynamicsInfo(shape.body, -1)[3:5]
        return np.asarray(np.linalg.inv(geometry.matrix(*centre)) @ shape.place)

    def _load_textures(self) -> None:
        pictures = list(dict.fromkeys(shape.picture for shape in self._shapes))
        loaded = [geometry.read_picture(picture) for picture in pictures]
        offsets = np.cumsum([0, *(picture.size for picture in loaded)])[:-1]
        self._textures = np.array(
            [(offset, picture.shape[1], picture.shape[0]) for offset, picture in zip(offsets, loaded, strict=True)], int
        ).reshape(-1, 3)
        self._pixels = np.concatenate([picture.reshape(-1) for picture in loaded] or [np.zeros(0, np.uint8)])
        self._textures_of = np.array([pictures.index(shape.picture) for shape in self._shapes], int)


def _shrunk(camera: Camera, image: np.ndarray, inverse_depth: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Picture and depth in the camera's size."""
    small = np.empty((camera.height, camera.width, 3), np.uint8)
    depth = np.empty((camera.height, camera.width), np.float32)
    shrink(image, inverse_depth, camera.far, small, depth)
    return small, depth


class BulletRenderer:
    """PyBullet's renderers: TinyRenderer, or OpenGL in a scene that has it."""

    def __init__(self, scene: Scene) -> None:
        self.scene = scene

    def set_colour(self, body: int, link: int, colour: Sequence[float]) -> None:
        """Nothing to do: PyBullet knows its bodies' colours."""

    def __call__(self, camera: Camera) -> tuple[np.ndarray, np.ndarray]:
        """Return picture uint8 (H, W, 3) and depth float32 (H, W) in m."""
        sim, view = self.scene.sim, camera.view(self.scene)
        opengl = self.scene.opengl
        with quiet() if opengl else nullcontext():
            _, _, rgba, buffer, _ = sim.getCameraImage(
                camera.width,
                camera.height,
                sim.computeViewMatrix(view.eye, view.eye + view.forward, view.up),
                sim.computeProjectionMatrixFOV(camera.fov, camera.width / camera.height, camera.near, camera.far),
                renderer=sim.ER_BULLET_HARDWARE_OPENGL if opengl else sim.ER_TINY_RENDERER,
            )
        picture = np.reshape(rgba, (camera.height, camera.width, 4))[..., :3].astype(np.uint8)
        z = np.reshape(buffer, (camera.height, camera.width)).astype(np.float32)
        return picture, (camera.far * camera.near / (camera.far - (camera.far - camera.near) * z)).astype(np.float32)
