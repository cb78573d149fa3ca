"""What the parts of PixelLM's mask side are worth: decoders that learn anew beside one tower and its words.

    python -m benchmarks.pixels_decoders CHECKPOINT [--only NAME ...] [--seeds 3]

Tower, words and codebook stay those of the checkpoint, so what answers say is the same for all; fusion and decoder
learn from first weights, with the same questions and as many steps. That is a small part of what training all of a
model takes (see `benchmarks.pixels_ablations`), and so leaves time for seeds: of first weights and questions' order.
But states and maps are those that the checkpoint's own decoder has taught.

Variants are those of `PixelLMConfig.ABLATIONS` that change nothing else: `no-fusion`, `plain-decoder`, `no-guide` and
`alpha-1`; any other `alpha-N` may be asked for. Alpha is the weight of pixels that several targets of one answer claim;
with 1 the refinement loss is plain binary cross-entropy.

Measured on test questions with several targets. *gIoU* is that under the true answers. *Contested* is the share of
claimed pixels that two or more masks of one answer claim, under the true answers (*told*) and in those that the model
gives (*freely*). Differences from the full model have intervals of a bootstrap over questions, seeds taken together.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from agents.pixellm import losses
from agents.pixellm.checkpoint import empty_pixellm
from agents.pixellm.config import PixelLMConfig
from agents.pixellm.flops import query_flops
from agents.pixellm.model import PixelLM, Seen
from agents.pixellm.vision import inside
from benchmarks.pixel_scores import RESAMPLES, difference, interval
from benchmarks.pixels import load, progress
from benchmarks.report import Parser, benchmark, count, percent, results_file, show, write
from envs.errors import UserError
from train.data.questions import Question, QuestionConfig
from train.data.questions.fixed import FixedQuestions
from train.optim import build_optimizer
from train.settings import TrainerConfig

AT_ONCE = 24  # questions of a step
FULL = "full"
# What decides over fusion, decoder and their losses alone
OWN = {"fusion", "decoder", "guided", "alpha", "claims"}
NAMES = [name for name, changes in PixelLMConfig.ABLATIONS.items() if changes.keys() <= OWN]
OPTIMIZER = TrainerConfig(optimizer="muon", lr=4e-3, muon_lr=0.012, ema=0.0)
WARMUP = 20  # steps


@dataclass(frozen=True)
class Drawn:
    """What a decoder draws M masks of: everything that does not depend on it.

    Attributes:
        seen: the frames.
        pictures: int64 (M,), the frame of each target.
        samples: int64 (M,), whose answer it belongs to.
        states: float32 (M, scales, tokens, dim), of its codebook tokens.
        located: float32 (M, grid * grid), logits of where words located it; None for a model without looks.
        picture: bool (M, S, S), True where the frame shows something.
        questions: how many answers there are.
        masks: bool (M, S, S), the true ones; None for answers that were not told.
    """

    seen: Seen
    pictures: Tensor
    samples: Tensor
    states: Tensor
    located: Tensor | None
    picture: Tensor
    questions: int
    masks: Tensor | None = None


@torch.no_grad()
def told(model: PixelLM, questions: Sequence[Question], most: int = 0) -> Drawn:
    """The targets of the true answers; most: about so many of them, 0 for all."""
    batch = model.collate([(one.image, one.question, one.answer, one.masks) for one in questions])
    batch = (batch.thinned(most, np.arange(len(batch))) if most else batch).to(next(model.parameters()).device)
    seen = model.see(batch.frames, batch.sizes)
    read = model.read(seen, batch)
    pictures = batch.pictures[batch.samples]
    return Drawn(
        seen=seen,
        pictures=pictures,
        samples=batch.samples,
        states=model.language.codebook.gather(read.hidden, batch.samples, batch.starts),
        located=model.located(read, batch),
        picture=inside(batch.sizes, model.config.frame_size)[pictures],
        questions=len(questions),
        masks=batch.masks,
    )


@torch.no_grad()
def freely(model: PixelLM, questions: Sequence[Question]) -> Drawn:
    """The targets of the answers that the model gives; of a question that is too long it reads the beginning."""
    batch = model.collate([(one.image, one.question, "", one.masks[:0]) for one in questions])
    batch = batch.to(next(model.parameters()).device)
    seen = model.see(batch.frames, batch.sizes)
    asked = [model.words.encode_question(one.question)[: model.config.max_question] for one in questions]
    written = model.generate(seen, asked, pictures=batch.pictures)
    samples = torch.tensor([number for number, one in enumerate(written) for _ in one.states]).to(batch.pictures)
    located = [one.located for one in written if one.located is not None]
    pictures = batch.pictures[samples]
    return Drawn(
        seen=seen,
        pictures=pictures,
        samples=samples,
        states=torch.cat([one.states for one in written]),
        located=torch.cat(located) if located else None,
        picture=inside(batch.sizes, model.config.frame_size)[pictures],
        questions=len(questions),
    )


def draw(model: PixelLM, drawn: Drawn) -> tuple[Tensor, Tensor]:
    """Mask logits (M, S, S) and scores' logits (M,)."""
    return model.segment(drawn.seen, drawn.pictures, drawn.states, drawn.located)


def learn(model: PixelLM, steps: Sequence[Drawn], seed: int, *, moved: Callable[[], None]) -> None:
    """Teach fusion and decoder, which begin anew, a step with each of the batches; moved: called after each."""
    parts = nn.ModuleDict({"fusion": model.fusion, "decoder": model.decoder})
    optimizer = build_optimizer(parts, OPTIMIZER, next(parts.parameters()).device)
    order = np.random.default_rng(seed).permutation(len(steps))
    for number, place in enumerate(order):
        drawn = steps[place]
        assert drawn.masks is not None
        for group in optimizer.param_groups:
            group["lr"] = group["peak_lr"] * min((number + 1) / WARMUP, 1 - number / len(steps))
        loss, _ = model.mask_loss(*draw(model, drawn), drawn.masks, drawn.samples, drawn.picture)
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(parts.parameters(), OPTIMIZER.clip)
        optimizer.step()
        moved()


@torch.inference_mode()
def contested(model: PixelLM, drawn: Drawn) -> tuple[np.ndarray, np.ndarray | None]:
    """Of each question: claimed px and contested ones, int64 (2, questions), and its IoU (questions,) if known."""
    logits, _ = draw(model, drawn)
    questions = drawn.questions
    claimed = (logits > 0) & drawn.picture
    disputed = claimed & (losses.claims(logits, drawn.samples) >= 2)
    counts = torch.stack([claimed.sum((1, 2)), disputed.sum((1, 2))])
    pixels = counts.new_zeros(2, questions).index_add(1, drawn.samples, counts)
    if drawn.masks is None:
        return pixels.cpu().numpy(), None
    ious = losses.mask_ious(logits, drawn.masks, drawn.picture)
    sums = ious.new_zeros(questions).index_add(0, drawn.samples, ious)
    return pixels.cpu().numpy(), (sums / torch.bincount(drawn.samples, minlength=questions).clamp(min=1)).cpu().numpy()


def several(number: int) -> list[Question]:
    """So many of the fixed questions that have several targets, evenly from among them; UserError: too few."""
    fixed = FixedQuestions()
    all_of_them = [place for place, (_, targets) in enumerate(fixed.kinds) if targets > 1]
    if number > len(all_of_them):
        raise UserError(f"--questions is {number}: of those with several targets there are {len(all_of_them)}")
    return [fixed[all_of_them[int((place + 0.5) * len(all_of_them) / number)]] for place in range(number)]


def portions(questions: Sequence[Question]) -> Iterator[Sequence[Question]]:
    """The questions, AT_ONCE at a time, those with answers of a length together."""
    ordered = sorted(questions, key=lambda one: len(one.answer))
    return (ordered[start : start + AT_ONCE] for start in range(0, len(ordered), AT_ONCE))


def rate(pixels: np.ndarray) -> float:
    """Contested px among claimed ones, of int64 (..., 2, questions)."""
    claimed, disputed = np.moveaxis(pixels, -2, 0).reshape(2, -1).sum(1)
    return float(disputed / max(claimed, 1))


def rate_difference(ours: np.ndarray, theirs: np.ndarray, seed: int = 0) -> tuple[float, float]:
    """What 95 % of the bootstrap of ours - theirs lie between, rates of int64 (seeds, 2, questions) each."""
    questions = ours.shape[-1]
    weights = np.random.default_rng(seed).multinomial(questions, np.full(questions, 1 / questions), RESAMPLES)
    rates = []
    for pixels in (ours, theirs):
        claimed, disputed = (weights @ pixels.sum(0).T).T  # (RESAMPLES,) each
        rates.append(disputed / np.maximum(claimed, 1))
    found = interval(rates[0] - rates[1])
    assert found is not None
    return found


def variant(full: PixelLMConfig, name: str) -> PixelLMConfig:
    """The settings of a variant of `full`; UserError for a name that there is not."""
    if name == FULL:
        return full
    if name in NAMES:
        return full.ablated(name)
    prefix, _, number = name.partition("-")
    try:
        alpha = float(number) if prefix == "alpha" else math.nan
    except ValueError:
        alpha = math.nan
    if not 1 <= alpha < math.inf:
        raise UserError(f"there is no variant {name!r}; choose from {', '.join(NAMES)} and alpha-N, N at least 1")
    return replace(full, alpha=alpha)


@dataclass(frozen=True)
class Measured:
    """One variant: of told and free answers int64 (seeds, 2, questions), and IoUs (seeds, questions) of the former."""

    told: np.ndarray
    freely: np.ndarray
    ious: np.ndarray


def measure(
    model: PixelLM,
    settings: PixelLMConfig,
    steps: Sequence[Drawn],
    tests: dict[str, list[Drawn]],
    seeds: int,
    moved: Any,
) -> Measured:
    """Teach and measure the fusion and the decoder of some settings once for each seed; they stay in the model."""
    model.config = settings
    pixels: dict[str, list[np.ndarray]] = {kind: [] for kind in tests}
    ious = []
    for seed in range(seeds):
        torch.manual_seed(seed)
        first = empty_pixellm(settings, model.words).to(next(model.parameters()).device)
        model.fusion, model.decoder = first.fusion, first.decoder
        learn(model, steps, seed, moved=moved)
        for kind, parts in tests.items():
            found = [contested(model, drawn) for drawn in parts]
            pixels[kind].append(np.concatenate([counted for counted, _ in found], 1))
            if kind == "told":
                ious.append(np.concatenate([iou for _, iou in found if iou is not None]))
    return Measured(np.stack(pixels["told"]), np.stack(pixels["freely"]), np.stack(ious))


def figures(name: str, own: Measured, full: Measured) -> dict[str, Any]:
    """The row of a variant; differences are from the full model, with their bounds."""
    compared = own is not full
    row: dict[str, Any] = {
        "name": name,
        "giou": float(own.ious.mean()),
        "giou_apart": difference(own.ious.mean(0), full.ious.mean(0)) if compared else None,
    }
    for kind in ("told", "freely"):
        ours, theirs = getattr(own, kind), getattr(full, kind)
        row[kind] = {
            "contested": rate(ours),
            "seeds": [rate(each) for each in ours],
            "apart": rate_difference(ours, theirs) if compared else None,
        }
    return row


@benchmark
def main(arguments: Sequence[str] | None) -> None:
    """Teach decoders, measure them and print the table."""
    what = "Measure what the parts of PixelLM's mask side are worth."
    parser = Parser(prog="python -m benchmarks.pixels_decoders", description=what)
    parser.add_argument("checkpoint", type=Path, help="folder of a PixelLM")
    parser.add_argument("--only", nargs="+", metavar="NAME", default=NAMES, help=f"{', '.join(NAMES)}, alpha-N")
    parser.add_argument("--seeds", type=count, default=3, help="decoders of each variant (default: 3)")
    parser.add_argument("--steps", type=count, default=150, help=f"of {AT_ONCE} questions each (default: 150)")
    parser.add_argument("--masks", type=count, default=40, help="about so many in a step (default: 40)")
    parser.add_argument("--questions", type=count, default=400, help="to measure with (default: 400)")
    parser.add_argument("--json", type=results_file, metavar="FILE.json", help="also write the figures here")
    options = parser.parse_args(arguments)
    asked = several(options.questions)
    model = load(options.checkpoint).requires_grad_(False)
    wanted = {name: variant(model.config, name) for name in [FULL, *options.only]}
    training = QuestionConfig().questions("train")
    asked_for = {key: getattr(options, key) for key in ("steps", "masks", "questions", "seeds")}
    rows: list[dict[str, Any]] = []
    with progress() as bar:
        task = bar.add_task("reading", total=options.steps + 2 * options.questions)
        steps = []
        for number in range(options.steps):
            steps.append(told(model, training.sample(np.random.default_rng([0, number]), AT_ONCE), options.masks))
            bar.advance(task)
        tests: dict[str, list[Drawn]] = {"told": [], "freely": []}
        for portion in portions(asked):
            for kind, answers in (("told", told), ("freely", freely)):
                tests[kind].append(answers(model, portion))
                bar.advance(task, len(portion))
        task = bar.add_task("learning", total=len(wanted) * options.seeds * options.steps)
        full: Measured | None = None
        for name, settings in wanted.items():
            own = measure(model, settings, steps, tests, options.seeds, lambda: bar.advance(task))
            full = full or own
            rows.append({**figures(name, own, full), "decoder_flops": query_flops(model).decoder})
            report(options, rows)
            write({**asked_for, "variants": rows}, options.json)


def report(options: Any, rows: Sequence[dict[str, Any]]) -> None:
    """Print the table."""
    lines = []
    for row in rows:
        apart = row["giou_apart"]
        cells = [
            row["name"],
            f"{row['decoder_flops'] / 1e9:.2f}",
            percent(row["giou"]),
            "" if apart is None else "{:+.1f} ({:+.1f} to {:+.1f})".format(*(100 * x for x in apart)),
        ]
        for kind in ("told", "freely"):
            own = row[kind]
            each = ", ".join(f"{100 * share:.2f}" for share in own["seeds"])
            cells += [
                f"{percent(own['contested'], 2)} ({each})",
                "" if own["apart"] is None else "{:+.2f} to {:+.2f}".format(*(100 * x for x in own["apart"])),
            ]
        lines.append(tuple(cells))
    show(
        f"{options.steps} steps, {options.questions} questions with several targets, {options.seeds} seeds", lines,
        ("variant", "GFLOP", "gIoU", "from full", "contested, told", "from full", "contested, freely", "from full"),
    )  # fmt: skip


if __name__ == "__main__":
    sys.exit(main(None))
