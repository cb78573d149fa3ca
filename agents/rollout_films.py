"""Films of episodes: what the cameras saw beside what the agent had imagined for that step, and what it did."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from io import BytesIO
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from envs.errors import UserError
from envs.files import replace_bytes
from envs.tabletop.canvas import CameraCanvas, resize

if TYPE_CHECKING:
    from agents.robot_agent import RobotThought

INSTALL = "pip install 'videoworld-agents[robots]'"
ENDINGS = (".mp4", ".png")
PARTIAL = ".partial.mp4"

PANEL, GAP = 220, 16  # px
SIZE = (960, 384)  # width and height of a film, px; multiples of 16, as its codec likes them
BELOW = 44 + PANEL  # y of what stands below the pictures
TILE, MOMENTS = 112, 9  # px of a strip's picture; its columns at most
ACTION = ("x", "y", "z", "roll", "pitch", "yaw", "grip")
HOLD = 1.2  # s that the verdict stays

PAPER, INK, FAINT = (24, 26, 31), (226, 228, 232), (122, 128, 138)
GOOD, BAD, BAR = (104, 196, 124), (226, 108, 96), (112, 164, 228)

Picture = NDArray[np.uint8]
Pictures = Mapping[str, Picture]


def load_imageio() -> Any:
    """The library that writes films; UserError with the line that installs it."""
    try:
        importlib.import_module("imageio_ffmpeg")
        return importlib.import_module("imageio.v2")
    except ImportError as error:
        raise UserError(f"films need imageio with ffmpeg, which is not installed: run `{INSTALL}`") from error


@dataclass
class _Moment:
    """One step with pictures as tiles: camera -> (real, imagined), the latter None where nothing was foreseen."""

    step: int
    tiles: dict[str, tuple[Picture, Picture | None]]


class Film:
    """Writes PATH.mp4 and the strip PATH.png of one episode; both are there at the end of a `with`, or none of them.

    A film has a frame for each step: every camera's picture, and beside it the same part of the frame that the agent
    imagined for this step, or for the next one it foresaw.

    Args:
        path: without its ending.
        canvas: of the agent.
        hz: steps, and so frames, a second.
        ahead: steps between what the agent sees and what it imagines first (`RobotModel.steps`).

    Raises:
        UserError: imageio is missing, or the film cannot be written.
    """

    def __init__(self, path: Path, canvas: CameraCanvas, *, hz: int, ahead: int) -> None:
        self.path, self.canvas, self.hz, self.ahead = path, canvas, hz, ahead
        self._partial = path.with_name(f".{path.name}{PARTIAL}")
        self._imageio = load_imageio()
        self._writer: Any = None
        self._frames = 0
        self._moments: list[_Moment] = []
        self._sentence, self._verdicts = "", list[str]()
        self._step, self._thought = 0, None
        self._foreseen: dict[int, Picture] = {}  # step -> canvas imagined for it
        self._told: tuple[NDArray[np.float32], float] | None = None  # the last action and opening

    def __enter__(self) -> Film:
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._writer = self._imageio.get_writer(
                str(self._partial), fps=self.hz, codec="libx264", quality=7, macro_block_size=16,
                ffmpeg_log_level="quiet", output_params=["-threads", "1"],
            )  # fmt: skip
        except OSError as error:
            raise self._trouble(error) from error
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        try:
            self._writer.close()
            if error is None:
                written, _ = importlib.import_module("imageio_ffmpeg").count_frames_and_secs(str(self._partial))
                if written != self._frames:  # ffmpeg does not say so
                    raise OSError(f"{written} of {self._frames} frames are in the file")
                replace_bytes(self.path.with_name(f"{self.path.name}.png"), self._strip())
                self._partial.replace(self.path.with_name(f"{self.path.name}.mp4"))
        except (OSError, RuntimeError) as trouble:
            raise self._trouble(trouble) from trouble
        finally:
            self._partial.unlink(missing_ok=True)

    # The episode, as a `Watcher` sees it

    def begin(self, task: str, sentence: str) -> None:
        """A task has been asked for."""
        self._sentence, self._step, self._thought = sentence, 0, None
        self._foreseen.clear()

    def see(self, pictures: Pictures, thought: RobotThought, action: NDArray[np.float32], opening: float) -> None:
        """An action (7,) has been chosen, but not yet carried out; opening of the gripper in m."""
        before = dict(self._foreseen)  # a plan made just now knows nothing of this step yet
        if thought is not self._thought and thought.imagined is not None:
            self._thought = thought  # type: ignore[assignment]
            for number, frame in enumerate(thought.imagined, 1):
                self._foreseen[self._step + number * self.ahead] = frame
        self._told = (action, opening)
        self._keep(pictures, before.get(self._step))
        self._write(self._draw(pictures, None))
        self._step += 1

    def end(self, pictures: Pictures, opening: float, solved: bool) -> None:
        """The task is over."""
        steps = f"{self._step} step{'s' * (self._step != 1)}"
        verdict = f"solved in {steps}" if solved else f"not solved in {steps}"
        self._verdicts.append(f"“{self._sentence}”: {verdict}")
        if self._told is not None:
            self._told = (self._told[0], opening)
        self._keep(pictures, self._foreseen.get(self._step))
        frame = self._draw(pictures, (verdict, GOOD if solved else BAD))
        for _ in range(round(HOLD * self.hz)):
            self._write(frame)

    # Pictures

    def _write(self, frame: Picture) -> None:
        try:
            self._writer.append_data(frame)
        except OSError as error:
            raise self._trouble(error) from error
        self._frames += 1

    def _trouble(self, error: Exception) -> UserError:
        reason = getattr(error, "strerror", None) or " ".join(str(error).split())[:200]
        return UserError(f"cannot write the film {self.path}.mp4 ({reason}); make room or choose another --video")

    def _keep(self, pictures: Pictures, imagined: Picture | None) -> None:
        """Remember this step for the strip, if something was foreseen for it; the first one in any case."""
        if imagined is None and self._moments:
            return
        shown = None if imagined is None else self.canvas.show(imagined, TILE)
        tiles = {
            camera: (resize(pictures[camera], (TILE, TILE)), None if shown is None else shown[camera])
            for camera in self.canvas.shapes
        }
        self._moments.append(_Moment(self._step, tiles))

    def _draw(self, pictures: Pictures, verdict: tuple[str, tuple[int, int, int]] | None) -> Picture:
        """One frame of the film."""
        film = Image.new("RGB", SIZE, PAPER)
        draw = ImageDraw.Draw(film)
        target = min((step for step in self._foreseen if step >= self._step), default=None)
        imagined = None if target is None else self.canvas.show(self._foreseen[target], PANEL)
        left = GAP
        for camera in self.canvas.shapes:
            foreseen = "nothing imagined" if target is None else f"imagined for step {target}"
            now = INK if target == self._step else FAINT  # or it is still to come
            for words, colour, picture in (
                (f"{camera} camera", INK, resize(pictures[camera], (PANEL, PANEL))),
                (foreseen, now, None if imagined is None else imagined[camera]),
            ):
                draw.text((left, 12), words, colour, _font(17))
                if picture is None:
                    draw.rectangle((left, 36, left + PANEL - 1, 35 + PANEL), outline=FAINT)
                else:
                    film.paste(Image.fromarray(picture), (left, 36))
                left += PANEL + GAP
        draw.text((GAP, BELOW + 2), _shortened(self._sentence, 20, 620), INK, _font(20))
        draw.text((GAP, BELOW + 34), f"step {self._step}", FAINT, _font(17))
        if self._told is not None:
            action, opening = self._told
            word = "open" if action[6] > 0 else "close"
            draw.text((GAP, BELOW + 58), f"gripper told to {word}, {1000 * opening:.0f} mm apart", FAINT, _font(17))
            _draw_bars(draw, action)
        if verdict is not None:
            draw.text((GAP, BELOW + 84), verdict[0], verdict[1], _font(22))
        return np.asarray(film)

    def _strip(self) -> bytes:
        """Real pictures above imagined ones at a few moments, as a PNG."""
        moments = [moment for moment in self._moments if any(pair[1] is not None for pair in moment.tiles.values())]
        moments = moments or self._moments[:1]
        places = np.unique(np.linspace(0, len(moments) - 1, MOMENTS).round().astype(int))
        chosen = [moments[place] for place in places]
        cameras = list(self.canvas.shapes)
        label, top, step = 116, 30 * len(self._verdicts) + 34, TILE + 4
        width = max(label + step * len(chosen) + 12, 620)
        strip = Image.new("RGB", (width, top + 2 * step * len(cameras) + 8), PAPER)
        draw = ImageDraw.Draw(strip)
        for row, verdict in enumerate(self._verdicts):
            draw.text((12, 8 + 30 * row), _shortened(verdict, 19, width - 24), INK, _font(19))
        for column, moment in enumerate(chosen):
            x = label + step * column
            draw.text((x, top - 24), f"step {moment.step}", FAINT, _font(15))
            for row, camera in enumerate(cameras):
                for below, tile in enumerate(moment.tiles[camera]):
                    y = top + step * (2 * row + below)
                    if tile is not None:
                        strip.paste(Image.fromarray(tile), (x, y))
                    else:
                        draw.rectangle((x, y, x + TILE - 1, y + TILE - 1), outline=FAINT)
        for row, camera in enumerate(cameras):
            for below, word in enumerate(("real", "imagined")):
                y = top + step * (2 * row + below) + TILE // 2
                draw.text((12, y - 20), camera, FAINT, _font(15))
                draw.text((12, y), word, INK, _font(17))
        content = BytesIO()
        strip.save(content, "PNG", optimize=True)
        return content.getvalue()


def _draw_bars(draw: ImageDraw.ImageDraw, action: NDArray[np.float32]) -> None:
    """The seven numbers of an action, each -1..1, as bars around a line."""
    middle, half, pitch = BELOW + 44, 36, 42
    left = SIZE[0] - GAP - pitch * len(ACTION)
    draw.line((left, middle, SIZE[0] - GAP, middle), FAINT)
    for place, (name, value) in enumerate(zip(ACTION, np.clip(action, -1, 1), strict=True)):
        x, tip = left + pitch * place + 8, middle - round(half * float(value))
        draw.rectangle((x, min(middle, tip), x + pitch - 16, max(middle, tip)), fill=BAR)
        draw.text((x + pitch / 2 - 8, BELOW + 86), name, FAINT, _font(14), anchor="ma")


@lru_cache(maxsize=8)
def _font(size: int) -> Any:
    return ImageFont.load_default(size)


def _shortened(words: str, size: int, width: int) -> str:
    """As many of the words as there is room for."""
    if _font(size).getlength(words) <= width:
        return words
    while words and _font(size).getlength(words + "...") > width:
        words = words[:-1]
    return words + "..."


def remove_partials(folder: Path) -> None:
    """Remove what a killed process has left of films that it was writing."""
    for path in folder.glob(f".*{PARTIAL}"):
        path.unlink(missing_ok=True)


def is_complete(path: Path) -> bool:
    """Whether film and strip are there; `path` without its ending."""
    return all(path.with_name(path.name + ending).is_file() for ending in ENDINGS)
