"""PixelLM's stage: questions about frames in, a model that answers them in words and masks out."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import takewhile
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from agents.checkpoint import CheckpointError, as_values, load_config
from agents.checkpoint_config import PIXELLM
from agents.pixellm import losses
from agents.pixellm.batch import Batch, Item
from agents.pixellm.checkpoint import empty_pixellm, load_pixellm, save_pixellm
from agents.pixellm.config import PixelLMConfig
from agents.pixellm.model import PixelLM
from agents.pixellm.vision import inside
from agents.pixellm.words import train_words, words_of
from envs.errors import UserError
from train.stages import Inputs, generator

_HELD_OUT, _VOCABULARY = 1, 2  # streams of random numbers beside those of the training steps
_AT_ONCE = 32  # questions of an evaluation


class Question(Protocol):
    """A question about a frame: see `agents.pixellm.batch.Item`, `cell_labels` and `collate` for shapes."""

    @property
    def image(self) -> np.ndarray: ...
    @property
    def question(self) -> str: ...
    @property
    def answer(self) -> str: ...
    @property
    def masks(self) -> np.ndarray: ...
    @property
    def labels(self) -> np.ndarray | None: ...
    @property
    def places(self) -> np.ndarray | None: ...


class Questions(Protocol):
    """The questions of a split."""

    def sample(self, rng: np.random.Generator, count: int) -> Sequence[Question]:
        """`count` questions: a pure function of the generator."""
        ...


class QuestionsConfig(Protocol):
    """Settings of a kind of questions. Its `labels`, if it has some, are how many classes each label of a cell has."""

    def questions(self, split: str) -> Questions:
        """Those of a split: train, validation, test."""
        ...


@dataclass(kw_only=True)
class PixelLMStageConfig:
    """Settings of the stage."""

    data: QuestionsConfig
    model: PixelLMConfig
    inputs: Inputs = field(default_factory=Inputs)
    seed: int = 0
    # One of PixelLMConfig.ABLATIONS, "lisa" for the baseline; empty: none
    ablation: str = ""
    # Pieces of the words that are learned from the training questions, and from how many of these; a model to go on
    # with keeps its pieces, and takes note of the words
    pieces: int = 2000
    vocabulary_questions: int = 3000
    # Targets of a step that have their masks learned, those of whole answers, more or less; 0: all of them. About half
    # of a step's time is theirs, and the words are what takes long to learn
    masks: int = 0
    # Held-out questions measured at an evaluation under their true answers, and how many of them are answered freely
    evaluate_questions: int = 500
    answer_questions: int = 100
    # Of a model to go on with, only tower, words and looks are kept: codebook, fusion and decoder begin anew and may be
    # others, as comparisons of them want
    anew: bool = False
    # Local Hugging Face folders of CLIP and of a Llama, for model=paper
    clip: str = ""
    llama: str = ""

    def __post_init__(self) -> None:
        if not hasattr(self.data, "questions"):
            raise UserError("the stage pixellm learns from questions, and this data has none: give data=ask")
        least_of = {"seed": 0, "pieces": 300, "vocabulary_questions": 1, "evaluate_questions": 1, "masks": 0}
        for key, least in least_of.items():
            if getattr(self, key) < least:
                raise UserError(f"stage.{key} is {getattr(self, key)}; choose a whole number of at least {least}")
        if self.ablation:
            try:
                self.model.ablated(self.ablation)
            except ValueError as error:
                raise UserError(f"stage.ablation: {error}") from error
        if self.anew and self.inputs.pixellm is None:
            raise UserError("stage.anew keeps a part of a trained model: give its folder as inputs.pixellm")
        if bool(self.clip) != bool(self.llama):
            raise UserError("stage.clip and stage.llama go together: give both folders, or none")


class PixelLMStage:
    """Questions in, PixelLM out."""

    name = "pixellm"

    def __init__(self, config: PixelLMStageConfig) -> None:
        self.config = config
        self.train, self.validation = config.data.questions("train"), config.data.questions("validation")
        settings = config.model.ablated(config.ablation) if config.ablation else config.model
        self.model: nn.Module = self._model(settings)

    def _model(self, settings: PixelLMConfig) -> PixelLM:
        config = self.config
        settings = replace(settings, labels=tuple(getattr(config.data, "labels", ())))
        if config.clip and config.inputs.pixellm is None:
            from agents.pixellm.pretrained import load_pretrained

            return load_pretrained(settings, clip=config.clip, llama=config.llama)
        rng = np.random.default_rng([config.seed, _VOCABULARY])
        asked = self.train.sample(rng, config.vocabulary_questions)
        texts = [text for one in asked for text in (one.question, one.answer)]
        if config.inputs.pixellm is not None:
            return _begun(config.inputs.folder("pixellm"), settings, words_of(texts), anew=config.anew)
        return empty_pixellm(settings, train_words(texts, settings.group, pieces=config.pieces))

    def batch(self, step: int, micro: int, rank: int, world_size: int, batch_size: int) -> Batch:
        """`batch_size` questions with their answers and masks."""
        assert isinstance(self.model, PixelLM)
        rng = generator(self.config.seed, step, micro, rank)
        asked = self.train.sample(rng, batch_size)
        labels, places = [one.labels for one in asked], [one.places for one in asked]
        batch = self.model.collate([_item(one) for one in asked], labels, places)
        return batch.thinned(self.config.masks, rng.permutation(batch_size)) if self.config.masks else batch

    def to_device(self, batch: Batch, device: torch.device) -> Batch:
        """The same on the device."""
        return batch.to(device)

    @cached_property
    def _held_out(self) -> list[Item]:
        rng = np.random.default_rng([self.config.seed, _HELD_OUT])
        return [_item(one) for one in self.validation.sample(rng, self.config.evaluate_questions)]

    def evaluate(self, model: nn.Module) -> dict[str, float]:
        """Measures on held-out questions.

        Under the true answers: text_loss and token_exact of the words, giou and ciou of the masks, contested (the share
        of claimed pixels that several targets claim), score_error. Answered freely: answer_exact, the share whose words
        and slots are the true ones.
        """
        assert isinstance(model, PixelLM)
        device = next(model.parameters()).device
        words: dict[str, list[float]] = {"text_loss": [], "token_exact": []}
        ious, errors, sums = [], [], torch.zeros(4, dtype=torch.float64)
        for part in _parts(self._held_out):
            batch = model.collate(part).to(device)
            _, figures = model(batch)
            for name, values in words.items():
                values += [float(figures[name])] * len(part)
            if len(batch.samples):
                logits, scores = model.teacher_masks(batch)
                picture = inside(batch.sizes, model.config.frame_size)[batch.pictures[batch.samples]]
                found = losses.mask_ious(logits, batch.masks, picture)
                ious.append(found)
                errors.append((scores - found).abs())
                sums += _sums(logits > 0, batch.masks, losses.claims(logits, batch.samples), picture)
        both, either, contested, claimed = sums.tolist()
        right = self._right_answers(model)
        return {
            **{name: float(np.mean(values)) for name, values in words.items()},
            "giou": float(torch.cat(ious).mean()) if ious else 1.0,
            "ciou": both / max(either, 1.0),
            "contested": contested / max(claimed, 1.0),
            "score_error": float(torch.cat(errors).mean()) if errors else 0.0,
            **({"answer_exact": float(np.mean(right))} if right else {}),
        }

    def _right_answers(self, model: PixelLM) -> list[bool]:
        right: list[bool] = []
        for part in _parts(self._held_out[: self.config.answer_questions]):
            answers = model.answers([item[0] for item in part], [item[1] for item in part])
            right += [found.slotted == item[2] for found, item in zip(answers, part, strict=True)]
        return right

    def flops_per_sample(self) -> float:
        """Forward and backward of one question, its share of what is done once for a frame included; an estimate."""
        device = next(self.model.parameters()).device
        batch = self.batch(0, 0, 0, 1, _AT_ONCE).to(device)
        with FlopCounterMode(display=False) as counter, torch.no_grad():
            self.model(batch)
        return 3.0 * float(counter.get_total_flops()) / len(batch)

    def export(self, model: nn.Module, folder: Path, metrics: dict[str, float]) -> None:
        """A checkpoint that `load_pixellm` reads."""
        assert isinstance(model, PixelLM)
        save_pixellm(model, folder, metrics=metrics, data=as_values(self.config.data))


# Settings and weights of what `stage.anew` begins anew
_MASKS = (
    "features", "scales", "tokens", "fusion", "decoder", "projector", "decoder_width", "decoder_layers",
    "decoder_heads", "decoder_mlp", "growth", "guided",
)  # fmt: skip
_MASK_PARTS = ("language.codebook.", "fusion.", "decoder.")


def _begun(folder: Path, settings: PixelLMConfig, known: set[str], *, anew: bool = False) -> PixelLM:
    """A trained model to go on with; UserError unless its settings are these, losses apart.

    Its attention heads, which no weight's shape tells, are its own, and so are its labels where the data has none.
    Where its labels differ from the data's, those that both begin with go on, told by their numbers of classes, and the
    others are learned anew. A model without looks may get some, a decoder marks that guide it, and a tower more blocks
    behind its last one; they begin by adding nothing. known: words that it learns now; they are noted beside those that
    it has told, and not at all where it has told none. anew: as in the stage's settings.
    """
    if load_config(folder).get("kind") != PIXELLM:
        raise CheckpointError(f"{folder} holds no PixelLM: give inputs.pixellm the folder of one")
    model = load_pixellm(folder)
    free = {"alpha", "claims", "text_weight", "mask_weight", "dice_weight", "score_weight", "label_weight"}
    own = {name: getattr(model.config, name) for name in ("heads", "vision_heads")}
    own["labels"] = settings.labels or model.config.labels
    free |= own.keys() | {"look_weight", *(_MASKS if anew else ())}
    guides = settings.guided and not model.config.guided
    if guides:
        free |= {"guided"}
    if not model.config.looks:
        free |= {"looks", "pointing"}
    deepest = max(model.config.features)  # blocks behind it do not exist
    grows = settings.tower == model.config.tower == "vit" and _deepened(model.config, settings, anew=anew)
    if grows:
        free |= {"vision_layers", "features"}
    for key, value in vars(settings).items():
        if key not in free and getattr(model.config, key) != value:
            raise UserError(
                f"inputs.pixellm: {folder} has {key}={getattr(model.config, key)} where this run has {value}: "
                "give the model's own settings"
            )
    words = model.words.regrouped(settings.group)
    words.known = words.known and words.known | known
    begun = empty_pixellm(replace(settings, **own), words)
    weights = model.state_dict()
    if not model.config.looks:
        weights |= {name: value for name, value in begun.state_dict().items() if name.startswith("language.looking.")}
    if anew:
        first = begun.state_dict()  # its maps may be of fewer depths
        weights = first | {
            name: value for name, value in weights.items() if name in first and not name.startswith(_MASK_PARTS)
        }
    if guides:
        weights["decoder.mark_embeddings"] = begun.state_dict()["decoder.mark_embeddings"]
    if grows:
        weights |= _idle_blocks(begun, deepest)
    if own["labels"] != model.config.labels:
        weights |= _label_weights(model, begun)
    begun.load_state_dict(weights)
    return begun


def _deepened(own: PixelLMConfig, settings: PixelLMConfig, *, anew: bool) -> bool:
    """Whether the tower of `settings` is one's own with more blocks: the deepest scale, taken from the last one, moves.

    anew: the other scales may be others, or not there.
    """
    before, behind = max(own.features), max(settings.features)
    moved = tuple(behind if block == before else block for block in own.features)
    same = settings.features[0] == moved[0] if anew else settings.features == moved
    return behind > before and same


def _idle_blocks(begun: PixelLM, first: int) -> dict[str, torch.Tensor]:
    """Weights of the tower's blocks from number `first` on, from 0, that change nothing at first."""
    added = tuple(f"vision.blocks.{number}." for number in range(first, begun.config.vision_layers))
    written = tuple(f"{layer}.{kind}" for layer in ("out", "outer") for kind in ("weight", "bias"))
    return {
        name: torch.zeros_like(weight) if name.endswith(written) else weight
        for name, weight in begun.state_dict().items()
        if name.startswith(added)
    }


def _label_weights(model: PixelLM, begun: PixelLM) -> dict[str, torch.Tensor]:
    """The label head of a model that is taught others than before: the rows of the labels that both begin with."""
    both = zip(model.config.labels, begun.config.labels, strict=False)
    kept = sum(classes for classes, _ in takewhile(lambda pair: pair[0] == pair[1], both))
    weights = {name: weight for name, weight in begun.state_dict().items() if name.startswith("label_head.")}
    for name, weight in weights.items():
        if kept:
            weight[:kept] = model.state_dict()[name][:kept]
    return weights


def _item(question: Question) -> Item:
    return question.image, question.question, question.answer, question.masks


def _parts(items: Sequence[Item]) -> Iterable[list[Item]]:
    for start in range(0, len(items), _AT_ONCE):
        yield list(items[start : start + _AT_ONCE])


def _sums(found: torch.Tensor, truth: torch.Tensor, claims: torch.Tensor, picture: torch.Tensor) -> torch.Tensor:
    """Pixels of intersections and of unions, contested claims and all claims: float64 (4,) on the CPU."""
    found, truth = found & picture, truth & picture
    counts = [(found & truth).sum(), (found | truth).sum(), (found & (claims >= 2)).sum(), found.sum()]
    return torch.stack(counts).double().cpu()
