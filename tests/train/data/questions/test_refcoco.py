"""Referring expressions in RefCOCO's files."""

from __future__ import annotations

import json
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from envs.errors import UserError
from train.data.questions.refcoco import RefcocoConfig, RefcocoSet

pytest.importorskip("pycocotools.mask", reason="pycocotools (extra ask) is not installed")

SQUARE = [[10.0, 10.0, 30.0, 10.0, 30.0, 30.0, 10.0, 30.0]]
OTHER = [[35.0, 10.0, 50.0, 10.0, 50.0, 30.0, 35.0, 30.0]]


def write(folder: Path, references: Any = None, **instances: Any) -> Path:
    """A small set: three references about one picture, one of another split, one without a mask."""
    (folder / "images").mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (60, 50), (200, 10, 10)).save(folder / "images" / "COCO_1.jpg")
    if references is None:
        references = [
            {"ref_id": n, "image_id": 1, "ann_id": ann, "split": split, "file_name": "COCO_1_9.jpg",
             "sentences": [{"sent": sent} for sent in sents]}
            for n, (ann, split, sents) in enumerate([
                (5, "val", ["left dog", "the  brown one"]), (6, "val", ["cat"]), (5, "train", ["dog"]),
                (77, "val", ["gone"]),
            ])
        ]  # fmt: skip
    (folder / "refs(unc).p").write_bytes(pickle.dumps(references, 2))
    values = {
        "images": [{"id": 1, "height": 50, "width": 60, "file_name": "COCO_1.jpg"}],
        "annotations": [{"id": 5, "segmentation": SQUARE}, {"id": 6, "segmentation": OTHER}],
        **instances,
    }
    (folder / "instances.json").write_text(json.dumps(values))
    return folder


def test_sentences_become_questions(tmp_path: Path) -> None:
    folder = write(tmp_path)
    own = RefcocoSet(folder, folder / "images", split="val")
    assert len(own) == 3 and own.skipped == {"unreadable": 1}
    assert [own[n].names for n in range(3)] == [("left dog",), ("the brown one",), ("cat",)]
    assert own[0].answer == "left dog {seg}." and own[0].masks[0, 20, 20] and not own[0].masks[0, 20, 40]
    assert own[0].source == "refcoco" and own[0].image.shape == (50, 60, 3)
    assert len(RefcocoSet(folder, folder / "images", split="train")) == 1
    assert len(own.sample(np.random.default_rng(0), 4)) == 4


def test_several_sentences_in_one_question(tmp_path: Path) -> None:
    folder = write(tmp_path)
    own = RefcocoSet(folder, folder / "images", split="val", several=2, side=30)
    assert len(own) == 2 and own[0].masks.shape == (2, 25, 30)
    assert own[0].answer == "left dog {seg} and the brown one {seg}."


def test_a_pickle_that_wants_more_than_data_is_refused(tmp_path: Path) -> None:
    class Evil:
        def __reduce__(self) -> tuple[Any, ...]:
            return Path.touch, (tmp_path / "touched",)

    folder = write(tmp_path, [Evil()])
    with pytest.raises(UserError, match="holds no plain references"):
        RefcocoSet(folder, folder / "images", split="val")
    assert not (tmp_path / "touched").exists()


def test_mistakes_are_one_sentence(tmp_path: Path) -> None:
    folder = write(tmp_path)
    with pytest.raises(UserError, match=r"no references at .*refs\(umd\).p"):
        RefcocoSet(folder, folder / "images", split="val", split_by="umd")
    with pytest.raises(UserError, match="no reference of the split 'exam'"):
        RefcocoSet(folder, folder / "images", split="exam")
    with pytest.raises(UserError, match="no picture of these references is there"):
        RefcocoSet(folder, folder / "nowhere", split="val")
    with pytest.raises(UserError, match="several=0"):
        RefcocoSet(folder, folder / "images", split="val", several=0)
    for references in (3, [1], [{"split": "val"}], {"a": 1}):
        with pytest.raises(UserError):
            RefcocoSet(write(tmp_path / "b", references), folder / "images", split="val")
    (folder / "refs(unc).p").write_bytes(b"\x80\x02]q\x00(K")
    with pytest.raises(UserError, match="holds no plain references"):
        RefcocoSet(folder, folder / "images", split="val")
    (write(tmp_path) / "instances.json").write_text("[")
    with pytest.raises(UserError, match="no readable JSON"):
        RefcocoSet(folder, folder / "images", split="val")


def test_settings_say_what_the_splits_are_called(tmp_path: Path) -> None:
    folder = write(tmp_path)
    config = RefcocoConfig(folder=str(folder), images=str(folder / "images"), several=2, side=30)
    assert [len(config.questions(split)) for split in ("train", "validation")] == [1, 2]
    first = config.questions("validation")[0]
    assert first.names == ("left dog", "the brown one") and first.image.shape == (25, 30, 3)
    with pytest.raises(UserError, match="no reference of the split 'testA'"):
        config.questions("test")
    with pytest.raises(UserError, match="data.images is empty"):
        RefcocoConfig(folder=str(folder))
