"""Question sets as MUSE writes them: a JSON list with one item a picture, masks as polygons or run-length codes.

An item has `file_name` or `coco_url`, `height`, `width`, `ann_list` (all instances), `questions`, `answers` (of each
question a list of instances, in the order of the slots) and maybe `text_answers` (of each question a text with a slot
"{seg}" behind every target). An instance has `segmentation`, `bbox`, `category_name` and maybe `rephrased_name`.
"""

from __future__ import annotations

import json
import logging
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from PIL import Image

from envs.errors import UserError
from envs.files import replace_bytes
from train.data.questions.masks import BrokenMaskError, box_of, decode, encode, shrink
from train.data.questions.question import MAX_TARGETS, SLOT, Question, enumeration, marked, stack_masks
from train.data.video import check_split

log = logging.getLogger(__name__)

ANNOTATIONS, IMAGES = "annotations.json", "images"
REPHRASED = 0.9  # how often an answer without a text of its own takes the long description of an instance


def write_muse(questions: Iterable[Question], folder: Path) -> tuple[int, int]:
    """Write a set into an empty folder: pictures as PNG, then the annotations. Returns how many pictures and questions.

    Raises:
        UserError: the folder holds something, or the disk refuses.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UserError(f"{folder} is not empty: give a new folder")
    items: dict[int, dict[str, Any]] = {}
    kept: list[np.ndarray] = []  # while a picture is kept no other one has its id
    pairs = 0
    try:
        (folder / IMAGES).mkdir(parents=True)
        for question in questions:
            key = id(question.image)
            if key not in items:
                name = f"{len(items):06d}.png"
                Image.fromarray(question.image).save(folder / IMAGES / name)
                kept.append(question.image)
                items[key] = _empty_item(name, question)
            _add(items[key], question)
            pairs += 1
        replace_bytes(folder / ANNOTATIONS, json.dumps(list(items.values()), ensure_ascii=False).encode())
    except OSError as error:
        raise UserError(f"cannot write {folder}: {error.strerror or error}; choose another folder") from error
    return len(items), pairs


def _empty_item(name: str, question: Question) -> dict[str, Any]:
    height, width = question.image.shape[:2]
    lists: dict[str, Any] = {key: [] for key in ("ann_list", "questions", "answers", "text_answers", "families")}
    return {
        "file_name": name,
        "height": height,
        "width": width,
        "source": question.source,
        "split": question.split,
        **lists,
    }


def _add(item: dict[str, Any], question: Question) -> None:
    answer = []
    for name, mask in zip(question.names, question.masks, strict=True):
        bare = name.removeprefix("the ")
        instance = {
            "segmentation": encode(mask), "bbox": box_of(mask), "area": int(mask.sum()), "category_name": bare,
            "rephrased_name": name,
        }  # fmt: skip
        known = [own for own in item["ann_list"] if {**own, "id": 0} == {**instance, "id": 0}]
        if not known:
            known = [{"id": len(item["ann_list"]), **instance}]
            item["ann_list"] += known
        answer.append(known[0])
    item["questions"].append(question.question)
    item["answers"].append(answer)
    item["text_answers"].append(question.answer)
    item["families"].append({"family": question.family, "combination": question.combination})


@dataclass(frozen=True)
class MuseConfig:
    """Which MUSE files are learned from, and which are for evaluation.

    train, validation, test: annotation files; test may be empty, it is not trained with. images: folder of the
    pictures; empty: `images` beside each file. side: px that a picture's longer side has at most; 0: as it is.
    """

    train: str = ""
    validation: str = ""
    test: str = ""
    images: str = ""
    side: int = 448

    def __post_init__(self) -> None:
        for split in ("train", "validation"):
            if not getattr(self, split):
                raise UserError(f"data.{split} names no annotations: give data.{split}=FILE.json in MUSE's format")
        if self.side < 0:
            raise UserError(f"data.side is {self.side}: choose pixels, or 0 for pictures as they are")

    def questions(self, split: str) -> MuseSet:
        """The questions of a split; errors as for `MuseSet`."""
        check_split(split)
        path = getattr(self, split)
        if not path:
            raise UserError(f"data.{split} names no annotations: give data.{split}=FILE.json in MUSE's format")
        return MuseSet(Path(path), Path(self.images) if self.images else None, side=self.side or None, split=split)


class _Entry(NamedTuple):
    """One question of an item, checked as far as that goes without its picture."""

    image: Path
    shape: tuple[int, int]
    question: str
    text: str | None
    instances: list[dict[str, Any]]
    family: str
    combination: str
    source: str
    split: str


class MuseSet:
    """The questions of a MUSE file. What is no question with its masks is left out, and counted in `skipped`."""

    def __init__(
        self, annotations: Path, images: Path | None = None, *, side: int | None = None, split: str = ""
    ) -> None:
        """Read the file; pictures are read when they are asked for.

        images: their folder, by default `images` beside the file. side: px that a picture's longer side has at most.
        split: what the questions are called where the file does not say.

        Raises:
            UserError: it is no such file, or its pictures are missing.
        """
        self.skipped: Counter[str] = Counter()
        self.side, self._split = side, split
        self._folder = images or annotations.parent / IMAGES
        self._entries: list[_Entry] = []
        items = read_json(annotations)
        if not isinstance(items, list):
            raise UserError(f"{annotations} holds no list of pictures: give a file in MUSE's format")
        missing: list[Path] = []
        for item in items:
            self._read_item(item, missing)
        if missing and not self._entries:
            raise UserError(
                f"no picture of {annotations} is there, such as {missing[0]}: give the folder that holds them"
            )
        if not self._entries:
            raise UserError(f"{annotations} holds no question with masks: give a file in MUSE's format")
        if self.skipped:
            log.warning("%s: left out %s", annotations, counted(self.skipped))

    def __len__(self) -> int:
        """How many questions there are."""
        return len(self._entries)

    def __getitem__(self, number: int) -> Question:
        """Question `number`; UserError where its picture or a mask is broken."""
        return self._make(self._entries[number], np.random.default_rng(number))

    def sample(self, rng: np.random.Generator, count: int) -> list[Question]:
        """`count` questions by chance."""
        return [self._make(self._entries[int(rng.integers(len(self._entries)))], rng) for _ in range(count)]

    def _read_item(self, item: Any, missing: list[Path]) -> None:
        try:
            image, shape = self._find(item), (int(item["height"]), int(item["width"]))
            asked, answers = list(item["questions"]), list(item["answers"])
            texts = item.get("text_answers") or [None] * len(asked)
            families = item.get("families") or [{}] * len(asked)
            rows = list(zip(asked, answers, texts, families, strict=True))
        except (KeyError, TypeError, ValueError, AttributeError, OverflowError):
            self.skipped["unreadable"] += 1
            return
        if not image.is_file():
            missing.append(image)
            self.skipped["without their picture"] += len(rows)
            return
        for question, instances, text, family in rows:
            reason = _reason_against(question, instances, text, shape)
            if reason:
                self.skipped[reason] += 1
                continue
            family = family if isinstance(family, dict) else {}
            self._entries.append(
                _Entry(
                    image, shape, question, text, instances, str(family.get("family", "muse")),
                    str(family.get("combination", "")), str(item.get("source", "muse")),
                    str(item.get("split", self._split)),
                )
            )  # fmt: skip

    def _find(self, item: Any) -> Path:
        """The picture of an item: by name, or by the end of its address, with or without the folder."""
        name = item.get("file_name") or "/".join(str(item["coco_url"]).split("/")[-2:])
        parts = [part for part in Path(str(name)).parts if part not in ("..", "/")]
        whole = self._folder.joinpath(*parts)
        return whole if "\0" in str(whole) or whole.is_file() else self._folder / parts[-1]

    def _make(self, entry: _Entry, rng: np.random.Generator) -> Question:
        image = read_image(entry.image)
        if image.shape[:2] != entry.shape:
            raise UserError(
                f"{entry.image} is {image.shape[:2]} px high and wide, not {entry.shape}: restore that picture"
            )
        try:
            masks = stack_masks([decode(own["segmentation"], entry.shape) for own in entry.instances], entry.shape)
        except BrokenMaskError as error:
            raise UserError(f"a mask of {entry.image.name} is broken, {error}: leave that picture out") from error
        answer, names = _worded(entry, rng)
        if self.side is not None:
            image, masks = shrink(image, masks, self.side)
        return Question(
            image, entry.question, answer, masks, names, entry.family, entry.source, entry.split, entry.combination
        )


def _reason_against(question: object, instances: object, text: object, shape: tuple[int, int]) -> str:
    """Why a question cannot be used; empty if it can."""
    if not isinstance(question, str) or not isinstance(instances, list) or not (text is None or isinstance(text, str)):
        return "unreadable"
    if isinstance(text, str) and text.count(SLOT) != len(instances):
        return "with another number of slots than masks"
    if len(instances) > MAX_TARGETS:
        return f"with more than {MAX_TARGETS} targets"
    try:
        masks = [decode(own["segmentation"], shape) for own in instances]
    except (BrokenMaskError, KeyError, TypeError, AttributeError):
        return "with a broken mask"
    if not all(mask.any() for mask in masks):
        return "with an empty mask"
    if text is None and not instances:
        return "without an answer"
    return ""


def _worded(entry: _Entry, rng: np.random.Generator) -> tuple[str, tuple[str, ...]]:
    """The answer, and what its targets are called: the words before a slot, back to the last comma or slot."""
    if entry.text is None:
        names = [_name_of(own, rng) for own in entry.instances]
        return f"{enumeration([marked(name) for name in names])}.", tuple(names)
    text = " ".join(entry.text.replace(SLOT, f" {SLOT} ").split())
    for mark in (".", ",", ";", ":", "?", "!"):
        text = text.replace(f"{SLOT} {mark}", f"{SLOT}{mark}")
    own = [str(instance.get("rephrased_name") or instance.get("category_name") or "") for instance in entry.instances]
    names = []
    for part, name in zip(text.split(SLOT)[:-1], own, strict=True):
        before = part.rstrip()
        words = before.replace(".", ",").replace(";", ",").rsplit(",", 1)[-1].strip().removeprefix("and ").strip()
        names.append(name if name and before.endswith(name) else words)
    return text, tuple(names)


def _name_of(instance: dict[str, Any], rng: np.random.Generator) -> str:
    short = str(instance.get("category_name") or "it")
    long = instance.get("rephrased_name")
    name = str(long) if long and rng.random() < REPHRASED else short
    return " ".join(name.replace(SLOT, " ").split()) or "it"


def read_json(path: Path) -> Any:
    """What a JSON file holds; UserError where it is none."""
    if not path.is_file():
        raise UserError(f"no annotations at {path}: give an existing JSON file")
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        reason = " ".join(str(error).split())[:200]
        raise UserError(f"{path} is no readable JSON file ({reason}): get it anew") from error


def read_image(path: Path) -> np.ndarray:
    """A picture uint8 (H, W, 3); UserError where it is none."""
    try:
        return np.asarray(Image.open(path).convert("RGB"))
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise UserError(f"{path} is no readable picture ({error}): get it anew") from error


def counted(skipped: Counter[str]) -> str:
    """What was left out, in words."""
    return ", ".join(f"{number} {reason}" for reason, number in sorted(skipped.items()))
