"""Referring expressions as RefCOCO, RefCOCO+ and RefCOCOg keep them: `refs(unc).p` beside COCO's `instances.json`.

The references are a pickle; it is read as data that may hold lists, dicts, texts and numbers, and nothing else.
"""

from __future__ import annotations

import io
import logging
import pickle
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

import numpy as np

from envs.errors import UserError
from train.data.questions.masks import BrokenMaskError, decode, shrink
from train.data.questions.muse import counted, read_image, read_json
from train.data.questions.question import MAX_TARGETS, SLOT, Question, enumeration, marked, stack_masks
from train.data.video import check_split

log = logging.getLogger(__name__)

INSTANCES = "instances.json"
_ONE = ("Where is {}?", "Show me {}.", "Find {}.", "Point to {}.", "Mark {}.")


@dataclass(frozen=True)
class RefcocoConfig:
    """A set of referring expressions that is learned from.

    folder: with refs(SPLIT_BY).p and instances.json; images: of COCO's train2014. train, validation, test: what the
    set calls its splits. several: sentences of a picture that make a question, 1 to 20. side: px that a picture's
    longer side has at most; 0: as it is.
    """

    folder: str = ""
    images: str = ""
    split_by: str = "unc"
    train: str = "train"
    validation: str = "val"
    test: str = "testA"
    several: int = 1
    side: int = 448

    def __post_init__(self) -> None:
        for name, what in (("folder", "the set, with its refs and instances"), ("images", "its pictures")):
            if not getattr(self, name):
                raise UserError(f"data.{name} is empty: give the folder of {what}")
        if self.side < 0:
            raise UserError(f"data.side is {self.side}: choose pixels, or 0 for pictures as they are")

    def questions(self, split: str) -> RefcocoSet:
        """The questions of a split; errors as for `RefcocoSet`."""
        check_split(split)
        return RefcocoSet(
            Path(self.folder), Path(self.images), split=getattr(self, split), split_by=self.split_by,
            several=self.several, side=self.side or None,
        )  # fmt: skip


class _Reference(NamedTuple):
    """One sentence and the mask it means."""

    image: Path
    shape: tuple[int, int]
    sentence: str
    segmentation: Any


class _PlainData(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> NoReturn:
        raise pickle.UnpicklingError(f"it asks for {module}.{name}")


class RefcocoSet:
    """The sentences of one split, each a question; `several` of a picture are asked together. See `skipped`."""

    def __init__(
        self,
        folder: Path,
        images: Path,
        *,
        split: str,
        split_by: str = "unc",
        several: int = 1,
        side: int | None = None,
    ) -> None:
        """folder: with refs(SPLIT_BY).p and instances.json; images: COCO's train2014; split: train, val, testA, ...

        several: sentences of a picture that make a question, 1 to 20. side: px of a picture's longer side at most.

        Raises:
            UserError: a file is missing or none of its kind, or the split is empty.
        """
        if not 1 <= several <= MAX_TARGETS:
            raise UserError(f"several={several}: give 1 to {MAX_TARGETS} sentences a question")
        self.skipped: Counter[str] = Counter()
        self.split, self.side = split, side
        references = _read_references(folder / f"refs({split_by}).p")
        found = self._match(references, read_json(folder / INSTANCES), images)
        groups: dict[Path, list[_Reference]] = {}
        for reference in found:
            groups.setdefault(reference.image, []).append(reference)
        self._groups = [own[i : i + several] for own in groups.values() for i in range(0, len(own), several)]
        if not self._groups:
            left = f" ({counted(self.skipped)} were left out)" if self.skipped else ""
            raise UserError(f"{folder} has no reference of the split {split!r}{left}: give another folder or split")
        if self.skipped:
            log.warning("%s: left out %s", folder, counted(self.skipped))

    def __len__(self) -> int:
        """How many questions there are."""
        return len(self._groups)

    def __getitem__(self, number: int) -> Question:
        """Question `number`; UserError where its picture is broken."""
        return self._make(self._groups[number], np.random.default_rng(number))

    def sample(self, rng: np.random.Generator, count: int) -> list[Question]:
        """`count` questions by chance."""
        return [self._make(self._groups[int(rng.integers(len(self._groups)))], rng) for _ in range(count)]

    def _match(self, references: Any, instances: Any, images: Path) -> list[_Reference]:
        """The references of the split with their pictures and masks."""
        try:
            pictures = {own["id"]: own for own in instances["images"]}
            annotations = {own["id"]: own for own in instances["annotations"]}
            chosen = [own for own in references if own["split"] == self.split]
        except (KeyError, TypeError, AttributeError) as error:
            raise UserError("these are no references and instances as RefCOCO has them: get the files anew") from error
        found: list[_Reference] = []
        missing = None
        for reference in chosen:
            try:
                picture = pictures[reference["image_id"]]
                shape = int(picture["height"]), int(picture["width"])
                path = images / Path(str(picture["file_name"])).name
                segmentation = annotations[reference["ann_id"]]["segmentation"]
                sentences = [" ".join(str(own["sent"]).replace(SLOT, " ").split()) for own in reference["sentences"]]
                seen = bool(decode(segmentation, shape).any())
            except (BrokenMaskError, KeyError, TypeError, ValueError, AttributeError, OverflowError):
                self.skipped["unreadable"] += 1
                continue
            if not path.is_file():
                missing = missing or path
                self.skipped["without their picture"] += 1
            elif not seen:
                self.skipped["with an empty mask"] += 1
            else:
                found += [_Reference(path, shape, sentence, segmentation) for sentence in sentences if sentence]
        if missing is not None and not found:
            raise UserError(
                f"no picture of these references is there, such as {missing}: give the folder that holds them"
            )
        return found

    def _make(self, group: list[_Reference], rng: np.random.Generator) -> Question:
        image, shape = read_image(group[0].image), group[0].shape
        if image.shape[:2] != shape:
            raise UserError(
                f"{group[0].image} is {image.shape[:2]} px high and wide, not {shape}: restore that picture"
            )
        masks = stack_masks([decode(own.segmentation, shape) for own in group], shape)
        names = tuple(own.sentence for own in group)
        if self.side is not None:
            image, masks = shrink(image, masks, self.side)
        question = _ONE[int(rng.integers(len(_ONE)))].format(enumeration(names))
        answer = f"{enumeration([marked(name) for name in names])}."
        return Question(image, question, answer, masks, names, "referring", "refcoco", self.split)


def _read_references(path: Path) -> Any:
    if not path.is_file():
        raise UserError(f"no references at {path}: give the folder of RefCOCO, RefCOCO+ or RefCOCOg")
    try:
        return _PlainData(io.BytesIO(path.read_bytes()), encoding="latin1").load()
    except Exception as error:  # whatever a broken pickle makes of the machine that reads it
        reason = " ".join(str(error).split())[:200]
        raise UserError(f"{path} holds no plain references ({reason}): get it anew") from error
