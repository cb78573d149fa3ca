"""Questions, answers and masks -> one batch; and pictures of any size -> the model's square frame."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from agents.pixellm.config import PixelLMConfig
from agents.pixellm.words import SLOT, Words

Item = tuple[
    np.ndarray, str, str, np.ndarray
]  # image (H, W, 3) uint8, question, answer with slots, masks (K, H, W) bool


@dataclass(frozen=True)
class Batch:
    """B questions with answers about F frames, and the M targets of all their answers.

    Attributes:
        frames: uint8 (F, S, S, 3), the pictures top left, 0 beyond.
        sizes: int64 (F, 2), height and width of the pictures, px.
        pictures: int64 (B,), which frame each question is about.
        ids: int64 (B, T), question and answer with their markers, from the image's end marker on; padded on the right.
        lengths: int64 (B,), how many of them are no padding.
        answered: bool (B, T), the tokens to learn: those of the answers, but of a group the first alone. The others are
            never chosen.
        samples: int64 (M,), which question each target belongs to; ascending.
        starts: int64 (M,), where in `ids` the target's group begins.
        masks: bool (M, S, S).
        labels: int64 (F, grid, grid, C), classes of the frames' cells, -1 where they are not known; None where none is.
        prompts: int64 (B,), how many tokens stand before each answer.
        asked: float32 (B, grid * grid), how much of each cell a question's targets cover, 0..1, those included that did
            not fit; -1 in the rows of questions without any.
        named: float32 (N, grid * grid), the same of each target that has a group in `ids`, in their order, also of
            those whose masks are not learned.
        places: float32 (B, grid * grid), 1 for each cell that has a place of what a question is about; -1 in the rows
            of questions of which that is not known. Places that share a cell are one.
        offsets: float32 (B, grid * grid), how far to the right in its cell such a place lies, 0..1 of its width.
        spots: int64 (N,), the cell of each such target's place, or -1.
        dropped: how many targets did not fit.
    """

    frames: Tensor
    sizes: Tensor
    pictures: Tensor
    ids: Tensor
    lengths: Tensor
    answered: Tensor
    samples: Tensor
    starts: Tensor
    masks: Tensor
    prompts: Tensor
    asked: Tensor
    named: Tensor
    places: Tensor
    offsets: Tensor
    spots: Tensor
    labels: Tensor | None = None
    dropped: int = 0

    def __len__(self) -> int:
        return len(self.ids)

    def to(self, device: torch.device | str) -> Batch:
        """The same on another device."""
        moved: dict[str, Any] = {
            name: value.to(device) for name, value in vars(self).items() if isinstance(value, Tensor)
        }
        return replace(self, **moved)

    def thinned(self, most: int, order: np.ndarray) -> Batch:
        """The same with the masks of some answers alone: as many in `order` as it takes to have `most` targets.

        An answer keeps all its targets or none, so what they contest is known. order: a permutation of the questions.
        """
        if len(self.samples) <= most:
            return self
        counts = torch.bincount(self.samples, minlength=len(self))[torch.from_numpy(order)]
        chosen = torch.from_numpy(order)[counts.cumsum(0) - counts < most]
        kept = torch.isin(self.samples, chosen)
        return replace(self, samples=self.samples[kept], starts=self.starts[kept], masks=self.masks[kept])


def fitted(height: int, width: int, side: int) -> tuple[int, int]:
    """Height and width of a picture whose longest side is brought to `side` px."""
    scale = side / max(height, width)
    return max(1, round(height * scale)), max(1, round(width * scale))


def frame_of(image: np.ndarray, side: int) -> tuple[Tensor, tuple[int, int]]:
    """A picture uint8 (H, W, 3) on the model's frame, uint8 (side, side, 3), and its (height, width) there.

    Raises:
        ValueError: it is no such array.
    """
    image = np.asarray(image)
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3 or 0 in image.shape:
        raise ValueError(f"an image is uint8 (H, W, 3), not {image.dtype} {image.shape}")
    height, width = fitted(image.shape[0], image.shape[1], side)
    pixels = torch.from_numpy(np.require(image, requirements=("C", "W")))
    if (height, width) != image.shape[:2]:
        floats = pixels.permute(2, 0, 1)[None].float()
        floats = F.interpolate(floats, size=(height, width), mode="bilinear", align_corners=False, antialias=True)
        pixels = floats[0].permute(1, 2, 0).round().clamp(0, 255).to(torch.uint8)
    return F.pad(pixels, (0, 0, 0, side - width, 0, side - height)), (height, width)


def frames_of(images: Sequence[np.ndarray], side: int) -> tuple[Tensor, Tensor, Tensor]:
    """Pictures on the model's frames: frames (F, side, side, 3), sizes (F, 2), and which frame each of them is, (B,).

    An array that comes again, the same object, has one frame. ValueError as for `frame_of`.
    """
    numbers: dict[int, int] = {}
    frames: list[Tensor] = []
    sizes: list[tuple[int, int]] = []
    for image in images:
        if id(image) not in numbers:
            numbers[id(image)] = len(frames)
            frame, size = frame_of(image, side)
            frames.append(frame)
            sizes.append(size)
    return torch.stack(frames), torch.tensor(sizes), torch.tensor([numbers[id(image)] for image in images])


def on_picture(logits: Tensor, size: tuple[int, int], shape: tuple[int, int]) -> np.ndarray:
    """Mask logits on the model's frame (K, side, side) -> masks of the picture, bool (K, H, W).

    size: (height, width) of the picture on the frame; shape: its own.
    """
    height, width = size
    whole = F.interpolate(logits[:, None, :height, :width].float(), size=shape, mode="bilinear", align_corners=False)
    return (whole[:, 0] > 0).cpu().numpy()


def masks_of(masks: np.ndarray, size: tuple[int, int], side: int) -> Tensor:
    """Masks bool (K, H, W) on the model's frame, bool (K, side, side): a pixel is in where half of it was."""
    height, width = size
    truth = torch.from_numpy(np.ascontiguousarray(masks, bool))
    if (height, width) != tuple(truth.shape[1:]) and len(truth):
        floats = F.interpolate(truth[:, None].float(), size=size, mode="bilinear", align_corners=False, antialias=True)
        truth = floats[:, 0] >= 0.5
    return F.pad(truth[:, :height, :width], (0, side - width, 0, side - height))


def cell_labels(labels: np.ndarray, size: tuple[int, int], config: PixelLMConfig) -> Tensor:
    """Classes of a picture's pixels, int8 (H, W, C) -> those of the frame's cells, int64 (grid, grid, C).

    A cell is what its middle is; -1 beyond the picture, which has `size` (height, width) px on the frame.
    """
    found = torch.full((config.grid, config.grid, labels.shape[2]), -1)
    middles = (np.arange(config.grid) + 0.5) * config.patch
    rows, columns = (
        (middles[middles < shown] * pixels / shown).astype(int)
        for shown, pixels in zip(size, labels.shape, strict=False)
    )
    found[: len(rows), : len(columns)] = torch.from_numpy(labels[np.ix_(rows, columns)].astype(np.int64))
    return found


def collate(
    items: Sequence[Item],
    config: PixelLMConfig,
    words: Words,
    labels: Sequence[np.ndarray | None] = (),
    places: Sequence[np.ndarray | None] = (),
) -> Batch:
    """A batch of (image, question, answer, masks); questions about the same image, the same object, share its frame.

    Too long a question loses its end; an answer its last targets, whole ones, and what stands behind them. labels: of
    each item's picture, as in `cell_labels`, or None; none at all where no item has any. places: float (n, 2), x and y
    in px of what each item is about, its targets first and in their order, or None; likewise.

    Raises:
        ValueError: an answer's slots and masks are not as many, its places are fewer, or an array is not what it should
            be.
    """
    frames, sizes, pictures = frames_of([image for image, *_ in items], config.frame_size)
    fitted_sizes = [(int(height), int(width)) for height, width in sizes[pictures].tolist()]
    rows, spans, samples, starts, masks, asked = [], [], [], [], [], []
    pointed: list[Tensor] = []
    spots: list[Tensor] = []
    dropped = 0
    for number, (image, question, answer, truth) in enumerate(items):
        if answer.count(SLOT) != len(truth):
            raise ValueError(f"{answer.count(SLOT)} slots for {len(truth)} masks in the answer {answer!r}")
        if len(truth) and truth.shape[1:] != image.shape[:2]:
            raise ValueError(f"masks of {truth.shape[1:]} px for an image of {image.shape[:2]} px")
        prompt = prompt_ids(words.encode_question(question)[: config.max_question], words)
        encoded = words.encode_answer(answer, config.max_answer)
        kept = len(encoded.groups)
        rows.append(torch.tensor(prompt + encoded.ids))
        spans.append(len(prompt))
        samples += [number] * kept
        starts += [len(prompt) + start for start in encoded.groups]
        if len(truth):
            shown = masks_of(truth, fitted_sizes[number], config.frame_size)
            masks.append(shown[:kept])
            asked.append(_cells(shown.any(0)[None], config.patch)[0])
        else:
            asked.append(torch.full((config.grid**2,), -1.0))
        there = places[number] if places else None
        if there is not None and len(there) < len(truth):
            raise ValueError(f"{len(there)} places for {len(truth)} targets of the answer {answer!r}")
        cells, offsets, found = _places_of(there, image, fitted_sizes[number], config)
        pointed.append(torch.stack([cells, offsets]))
        spots.append(torch.full((kept,), -1) if there is None else found[:kept])
        dropped += encoded.dropped
    drawn = torch.cat(masks) if masks else torch.zeros(0, config.frame_size, config.frame_size, dtype=torch.bool)
    ids = torch.nn.utils.rnn.pad_sequence(rows, batch_first=True, padding_value=words.pad)
    lengths = torch.tensor([len(row) for row in rows])
    slots, following = torch.arange(ids.shape[1]), ids > words.vocabulary
    return Batch(
        frames=frames,
        sizes=sizes,
        pictures=pictures,
        ids=ids,
        lengths=lengths,
        answered=(slots >= torch.tensor(spans)[:, None]) & (slots < lengths[:, None]) & ~following,
        samples=torch.tensor(samples, dtype=torch.long),
        starts=torch.tensor(starts, dtype=torch.long),
        masks=drawn,
        prompts=torch.tensor(spans),
        asked=torch.stack(asked),
        named=_cells(drawn, config.patch),
        places=torch.stack(pointed)[:, 0],
        offsets=torch.stack(pointed)[:, 1],
        spots=torch.cat(spots),
        labels=_labels_of(labels, pictures, sizes, config),
        dropped=dropped,
    )


def _cells(masks: Tensor, patch: int) -> Tensor:
    """How much of each cell masks bool (M, S, S) cover, float32 (M, cells)."""
    return F.avg_pool2d(masks[:, None].float(), patch).flatten(1)


def _places_of(
    places: np.ndarray | None, image: np.ndarray, size: tuple[int, int], config: PixelLMConfig
) -> tuple[Tensor, Tensor, Tensor]:
    """A question's row of `Batch.places` and of `offsets`, and the cells of its places, int64 (n,), none unknown."""
    row, offsets = torch.zeros(config.grid**2), torch.zeros(config.grid**2)
    if places is None:
        return row - 1, offsets, torch.zeros(0, dtype=torch.long)
    (height, width), scale = image.shape[:2], np.array([size[1], size[0]]) / config.patch
    x, y = (np.asarray(places, float).reshape(-1, 2) / (width, height) * scale).T
    columns, lines = (np.clip(np.floor(axis), 0, config.grid - 1).astype(np.int64) for axis in (x, y))
    cells = torch.from_numpy(lines * config.grid + columns)
    row[cells], offsets[cells] = 1, torch.from_numpy((x - columns).clip(0, 1)).float()
    return row, offsets, cells


def _labels_of(
    labels: Sequence[np.ndarray | None], pictures: Tensor, sizes: Tensor, config: PixelLMConfig
) -> Tensor | None:
    if not config.labels or all(one is None for one in labels):
        return None
    cells = torch.full((len(sizes), config.grid, config.grid, len(config.labels)), -1)
    for picture, one in zip(pictures.tolist(), labels, strict=True):
        if one is None:
            continue
        if one.shape[2] != len(config.labels):
            raise ValueError(f"{one.shape[2]} labels for a model that is taught {len(config.labels)}")
        height, width = sizes[picture].tolist()
        cells[picture] = cell_labels(one, (height, width), config)
    return cells


def prompt_ids(question: list[int], words: Words) -> list[int]:
    """What stands between the image tokens and the answer."""
    return [words.image_end, words.question, *question, words.answer]
