"""Files in MUSE's format: there and back, as others write them, and broken ones."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from envs.errors import UserError
from train.data.questions import Question, QuestionConfig, QuestionSet
from train.data.questions.masks import BrokenMaskError, box_of, decode, encode, shrink
from train.data.questions.muse import ANNOTATIONS, MuseConfig, MuseSet, write_muse

coco = pytest.importorskip("pycocotools.mask", reason="pycocotools (extra ask) is not installed")


def random_mask(seed: int, shape: tuple[int, int] = (37, 53)) -> np.ndarray:
    rng = np.random.default_rng(seed)
    mask = np.zeros(shape, np.bool_)
    for _ in range(int(rng.integers(0, 6))):
        top, left = int(rng.integers(shape[0])), int(rng.integers(shape[1]))
        mask[top : top + int(rng.integers(1, 20)), left : left + int(rng.integers(1, 20))] ^= True
    return mask


def test_run_length_codes_there_and_back() -> None:
    for seed in range(60):
        mask = random_mask(seed)
        coded = encode(mask)
        assert np.array_equal(decode(coded, mask.shape), mask)
        assert np.array_equal(coco.decode(json.loads(json.dumps(coded))), mask)
        assert box_of(mask) == [int(value) for value in coco.toBbox(coded)] or not mask.any()
        runs = np.diff(np.flatnonzero(np.diff(np.concatenate([[2], mask.T.reshape(-1), [2]]).astype(int))))
        runs = [0, *runs.tolist()] if mask[0, 0] else runs.tolist()
        assert np.array_equal(decode({"size": list(mask.shape), "counts": runs}, mask.shape), mask), "not compressed"
    assert decode(encode(np.ones((5, 7), np.bool_)), (5, 7)).all()


def test_polygons_are_joined_not_added() -> None:
    square = [10.0, 10.0, 30.0, 10.0, 30.0, 30.0, 10.0, 30.0]
    shifted = [value + 10 for value in square]
    both = decode([square, shifted], (50, 60))
    assert both.dtype == np.bool_
    assert np.array_equal(both, decode([square], (50, 60)) | decode([shifted], (50, 60)))
    assert both.sum() == pytest.approx(700, abs=80) and both[25, 25] and not both[12, 35]
    assert decode([[-1e9, -1e9, 1e9, -1e9, 1e9, 1e9, -1e9, 1e9]], (50, 60)).all(), "far outside"


@pytest.mark.parametrize("segmentation", [
    None, [], [[1, 2, 3, 4]], [[1, 2, 3, 4, 5]], [["a"] * 6], [[float("nan")] * 6], {"size": [5, 5]}, {},
    {"size": [5, 5], "counts": [26]}, {"size": [5, 5], "counts": [-1, 26]}, {"size": [4, 5], "counts": [20]},
    {"size": [5, 5], "counts": "~~~~"}, {"size": [5, 5], "counts": "ooooooooooooooo"},
    {"size": [5, 5], "counts": "\x00"},
    {"size": [5, 5], "counts": 7}, {"size": [5, 5], "counts": [25.0]}, {"size": [5, 5], "counts": ""}, "runs", 3,
])  # fmt: skip
def test_broken_masks_are_refused(segmentation: object) -> None:
    with pytest.raises(BrokenMaskError):
        decode(segmentation, (5, 5))


def test_small_masks_survive_shrinking() -> None:
    image, masks = np.zeros((100, 200, 3), np.uint8), np.zeros((2, 100, 200), np.bool_)
    masks[0, 50, 100], masks[1, 20:60, 40:80] = True, True
    small, fewer = shrink(image, masks, 50)
    assert small.shape == (25, 50, 3) and fewer.shape == (2, 25, 50)
    assert fewer[0].sum() == 1 and fewer[1].sum() == 100
    assert shrink(image, masks, 200)[1] is masks


@pytest.fixture(scope="module")
def questions() -> list[Question]:
    config = QuestionConfig(go=1, calvin=0, rlbench=0)
    return QuestionSet(config, "validation").sample(np.random.default_rng(2), 24)


def test_a_set_comes_back_as_it_was_written(questions: list[Question], tmp_path: Path) -> None:
    pictures, pairs = write_muse(questions, tmp_path / "set")
    assert pairs == 24 and pictures == len({id(own.image) for own in questions})
    back = MuseSet(tmp_path / "set" / ANNOTATIONS)
    assert len(back) == 24 and not back.skipped
    read = {own.question + own.answer: own for own in (back[number] for number in range(24))}
    for own in questions:
        other = read[own.question + own.answer]
        assert np.array_equal(own.image, other.image) and np.array_equal(own.masks, other.masks)
        assert (own.names, own.family, own.source, own.split, own.combination) == (
            other.names, other.family, other.source, other.split, other.combination,
        )  # fmt: skip
    item = json.loads((tmp_path / "set" / ANNOTATIONS).read_text())[0]
    assert {"file_name", "height", "width", "ann_list", "questions", "answers", "text_answers"} <= set(item)
    assert len(item["questions"]) == len(item["answers"]) == len(item["text_answers"])
    with pytest.raises(UserError, match="is not empty: give a new folder"):
        write_muse(questions, tmp_path / "set")


SQUARE = [[10.0, 10.0, 30.0, 10.0, 30.0, 30.0, 10.0, 30.0]]


def published(folder: Path, **changes: Any) -> Path:
    """An item as MUSE publishes them, in a file of its own."""
    (folder / "train2014").mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (60, 50), (9, 9, 9)).save(folder / "train2014" / "COCO_7.jpg")
    dog = {"segmentation": SQUARE, "bbox": [10, 10, 20, 20], "category_name": "dog", "rephrased_name": "a brown dog"}
    item = {
        "file_name": "COCO_7.jpg", "height": 50, "width": 60, "ann_list": [dog],
        "questions": ["Who barks?", "And here?", "Nobody?"],
        "answers": [[dog], [dog, dog], [dog]],
        "text_answers": ["The brown dog{seg} barks.", "One dog {seg}, and another {seg}.", "No slot."],
        **changes,
    }  # fmt: skip
    path = folder / "muse.json"
    path.write_text(json.dumps([item]))
    return path


def test_published_items_are_read_and_wrong_slots_counted(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    muse = MuseSet(published(tmp_path), tmp_path / "train2014", split="train")
    assert len(muse) == 2 and muse.skipped == {"with another number of slots than masks": 1}
    assert "left out 1 with another number of slots than masks" in caplog.text
    assert muse[0].answer == "The brown dog {seg} barks." and muse[0].names == ("The brown dog",)
    assert muse[1].names == ("One dog", "another") and muse[1].masks.shape == (2, 50, 60)
    assert muse[0].split == "train" and muse[0].source == "muse"
    assert MuseSet(published(tmp_path), tmp_path / "train2014", side=30)[0].image.shape == (25, 30, 3)
    assert len(muse.sample(np.random.default_rng(0), 5)) == 5


def test_without_texts_the_names_are_the_answer(tmp_path: Path) -> None:
    path = published(tmp_path, text_answers=None)
    muse = MuseSet(path, tmp_path / "train2014")
    answers = {own.answer for own in muse.sample(np.random.default_rng(0), 60)}
    assert {"a brown dog {seg}.", "dog {seg}.", "a brown dog {seg} and a brown dog {seg}."} <= answers
    url = published(tmp_path, file_name="", coco_url="http://images.example.org/train2014/COCO_7.jpg")
    assert len(MuseSet(url, tmp_path)) == 2


def test_what_is_missing_is_one_sentence(tmp_path: Path) -> None:
    path = published(tmp_path / "whole")
    for action, words in (
        (lambda: MuseSet(tmp_path / "none.json"), "no annotations at .*none.json"),
        (
            lambda: MuseSet(path, tmp_path / "nowhere"),
            "no picture of .* is there, such as .*COCO_7.jpg: give the folder",
        ),
        (lambda: _without_questions(tmp_path), "holds no question"),
    ):
        with pytest.raises(UserError, match=words) as mistake:
            action()
        assert "\n" not in str(mistake.value)
    (tmp_path / "whole" / "train2014" / "COCO_7.jpg").write_bytes(b"no picture")
    with pytest.raises(UserError, match="is no readable picture"):
        MuseSet(path, tmp_path / "whole" / "train2014")[0]


def _without_questions(folder: Path) -> MuseSet:
    return MuseSet(published(folder, questions=[], answers=[], text_answers=[]), folder / "train2014")


def test_fuzzed_files_never_crash(tmp_path: Path) -> None:
    path = published(tmp_path)
    whole = json.loads(path.read_text())
    text = path.read_text()
    random = np.random.default_rng(0)
    junk = [None, 3, -1, 1e300, "", "{seg}", [], {}, [[]], [None], True, {"size": [1, 2]}, "\0", [{"segmentation": 1}]]
    refused = read = 0
    for _ in range(300):
        broken = copy.deepcopy(whole)
        place: Any = broken
        while isinstance(place, (list, dict)) and len(place) and random.random() < 0.85:
            keys = list(place) if isinstance(place, dict) else list(range(len(place)))
            key = keys[int(random.integers(len(keys)))]
            if random.random() < 0.4:
                place[key] = junk[int(random.integers(len(junk)))]
                break
            place = place[key]
        path.write_text(json.dumps(broken))
        read, refused = _try(path, tmp_path, read, refused)
    for _ in range(100):
        cut = bytearray(text.encode())
        cut[int(random.integers(len(cut)))] = int(random.integers(256))
        path.write_bytes(bytes(cut[: int(random.integers(1, len(cut) + 1))]) if random.random() < 0.5 else bytes(cut))
        read, refused = _try(path, tmp_path, read, refused)
    assert read > 50 and refused > 50


def _try(path: Path, folder: Path, read: int, refused: int) -> tuple[int, int]:
    try:
        muse = MuseSet(path, folder / "train2014")
        for number in range(len(muse)):
            muse[number]
        return read + 1, refused
    except UserError as mistake:
        assert "\n" not in str(mistake)
        return read, refused + 1


def test_settings_name_a_file_for_each_split(tmp_path: Path) -> None:
    drawn = QuestionConfig(go=1, calvin=0, rlbench=0).questions("train").sample(np.random.default_rng(0), 3)
    write_muse(drawn, tmp_path / "set")
    file = str(tmp_path / "set" / ANNOTATIONS)
    config = MuseConfig(train=file, validation=file, side=96)
    assert [own.question for own in map(config.questions("train").__getitem__, range(3))] == [
        own.question for own in drawn
    ]
    shown = config.questions("validation").sample(np.random.default_rng(0), 2)
    assert len(shown) == 2 and all(max(own.image.shape) == 96 for own in shown)
    with pytest.raises(UserError, match="data.test names no annotations"):
        config.questions("test")
    with pytest.raises(UserError, match="data.validation names no annotations"):
        MuseConfig(train=file)
    with pytest.raises(ValueError, match="unknown split 'exam'"):
        config.questions("exam")
