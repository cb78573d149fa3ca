"""What a question can be about: a picture file, a position of a game, or a scene of a robot's benchmark."""

from __future__ import annotations

import argparse
import random
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from agents.pixellm.config import FRAME_SIDE
from envs.errors import UserError

if TYPE_CHECKING:
    from envs.go.rules import GoGame

SMALLEST = 16  # px a side; in less nothing can be told apart


@dataclass(frozen=True)
class Subject:
    """A picture to ask about.

    image: uint8 (H, W, 3). name: for files. about: for people, such as "move 30 of game.sgf". notes: what they should
    know about the picture, as sentences. drawn: whether it was drawn just now, and is in no file.
    """

    image: NDArray[np.uint8]
    name: str
    about: str
    notes: tuple[str, ...] = ()
    drawn: bool = True


def subject_of(args: argparse.Namespace, seed: int) -> Subject:
    """What the command line asks about; drawn scenes follow the seed.

    Raises:
        UserError: it cannot be read or drawn.
    """
    if args.board is not None:
        return board_subject(args.board)
    if args.scene is not None:
        return scene_subject(args.scene, args.task, args.variation, seed)
    return image_subject(args.image)


def image_subject(path: Path) -> Subject:
    """A picture file; UserError as `read_image`, and for one in which nothing can be told apart."""
    from agents.pixellm.images import read_image

    picture = read_image(path)
    notes, (height, width) = picture.notes, picture.pixels.shape[:2]
    if min(height, width) < SMALLEST:
        raise UserError(f"{path} has {width}x{height} pixels; give a picture of at least {SMALLEST}x{SMALLEST}")
    if max(height, width) > FRAME_SIDE:
        notes += (f"The picture of {width}x{height} is no frame of this program; the model has learned those alone.",)
    return Subject(picture.pixels, path.stem, path.name, notes, drawn=False)


# Boards


def board_frame(game: GoGame) -> NDArray[np.uint8]:
    """The frame of a position as questions of training have it, uint8 (S, S, 3), S at most 192."""
    from envs.go.renderer import BoardGeometry, renderer_for

    return renderer_for(BoardGeometry.within(FRAME_SIDE, game.size)).render_game(game)


def board_subject(words: str) -> Subject:
    """A position of a game: "game.sgf", which is its end, or "game.sgf:30", the position after 30 moves.

    Raises:
        UserError: the file cannot be read, or its game has no such move.
    """
    from ui.review import read_record, rewound

    path, move = _read_place(words)
    record = read_record(path)
    length = len(record.game.history)
    if move is not None and move > length:
        raise UserError(
            f"{path.name} has {length} moves, and no move {move}; give {path.name}:0 to {path.name}:{length}"
        )
    ply = length if move is None else move
    image = board_frame(rewound(record.game, ply))
    notes = tuple(f"{note[:1].upper()}{note[1:]}." for note in record.notes[:1])
    return Subject(image, f"{path.stem}-move{ply}", f"move {ply} of {path.name}", notes)


def _read_place(words: str) -> tuple[Path, int | None]:
    """File and move of such words. A file whose name ends in a colon and digits is taken as it is."""
    name, colon, move = words.rpartition(":")
    if not colon or Path(words).exists():
        return Path(words), None
    if move.isascii() and move.isdecimal() and len(move) < 10:
        return Path(name), int(move)
    if Path(name).is_file():
        raise UserError(f"{move!r} is no move of {name}; give a whole number from 0 on, such as {name}:30")
    return Path(words), None  # which then cannot be read


# Scenes


def scene_subject(words: str, task: str | None, variation: int | None, seed: int) -> Subject:
    """A start in a simulated scene: "calvin", "calvin:B" (a table) or "rlbench".

    task: in which start; None draws one. variation: of RLBench's task; None draws it.

    Raises:
        UserError: there is no such world, table, task or variation, or the simulator is not installed.
    """
    world, _, table = words.partition(":")
    if world not in _SCENES:
        raise UserError(f"there is no scene of {words!r}; choose calvin, calvin:A to calvin:D, or rlbench")
    return _SCENES[world](table, task, variation, seed)


def _calvin_scene(table: str, task: str | None, variation: int | None, seed: int) -> Subject:
    from envs.calvin.layouts import LAYOUTS, layout
    from envs.calvin.tasks import TASKS, check_task
    from envs.tabletop.scene import load_pybullet
    from ui.robot_calvin import Calvin

    if variation is not None:
        raise UserError(f"--variation {variation} goes with --scene rlbench; CALVIN's tasks have none")
    draw = random.Random(seed)
    scene = layout(table).name if table else draw.choice(sorted(LAYOUTS))
    task = check_task(task) if task is not None else draw.choice(sorted(TASKS))
    load_pybullet()
    bench = Calvin()
    simulation = bench.open(scene, FRAME_SIDE)
    image = simulation.reset(task, seed).pictures[bench.cameras[0]]
    simulation.close()
    return Subject(image, f"calvin-{scene}-{task}-{seed}", f"CALVIN's table {scene}, a start for {task}, seed {seed}")


def _rlbench_scene(table: str, task: str | None, variation: int | None, seed: int) -> Subject:
    from envs.rlbench.tasks import check_task, task_named, task_names
    from envs.tabletop.scene import load_pybullet
    from ui.robot_rlbench import ROOM, RLBench, name_of

    if table:
        raise UserError(f"RLBench has one room, and no scene {table!r}; give --scene rlbench")
    draw = random.Random(seed)
    task = check_task(task) if task is not None else draw.choice(task_names())
    name = name_of(task, draw.randrange(task_named(task).variations) if variation is None else variation)
    load_pybullet()
    bench = RLBench()
    simulation = bench.open(ROOM, FRAME_SIDE)
    image = simulation.reset(name, seed).pictures[bench.cameras[0]]
    simulation.close()
    file_name = f"rlbench-{name.replace(' ', '-')}-{seed}"
    return Subject(image, file_name, f"RLBench's {name}, seed {seed}")


_SCENES: dict[str, Callable[[str, str | None, int | None, int], Subject]] = {
    "calvin": _calvin_scene,
    "rlbench": _rlbench_scene,
}
