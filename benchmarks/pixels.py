"""How well PixelLM answers: masks, words, and what a question costs.

    python -m benchmarks.pixels CHECKPOINT [--questions N] [--split test|validation|train] [--reworded] [--sheet FILE]
                                [--json FILE]

The test set is that of `assets/benchmarks/questions.json`: 5,000 questions about frames that no training saw, two of
five with several targets, some about combinations that training never asks for; --questions takes a part of them in
which every kind has its share. Each question is asked twice. *Answered freely* the model writes its own answer, token
by token, and its masks are matched with the true ones. *Told the answer* it is given the true words and draws the
masks alone, in their order. gIoU, cIoU and the other figures are defined in `benchmarks/pixel_scores.py`; *words* is
the share of answers whose text and slots are letter by letter the true ones, *slots* of those that say the same in the
fields that matter and name as many targets. With --reworded those questions that can be are put in words that training
leaves out, and the others are left out (`train/data/questions/wordings.py`).
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from agents.pixellm.answers import Answer
from agents.pixellm.batch import on_picture
from agents.pixellm.checkpoint import load_pixellm
from agents.pixellm.flops import query_flops
from agents.pixellm.model import PixelLM
from benchmarks.pixel_scores import Score, parts, score, summary
from benchmarks.report import Parser, benchmark, count, percent, results_file, show, write
from envs.errors import UserError
from train.data.questions import Question, QuestionConfig
from train.data.questions.fixed import FixedQuestions
from train.data.questions.sheet import Shown, save_sheet
from train.data.questions.splits import Draw
from train.data.questions.wordings import reworded
from train.data.video import SPLITS

AT_ONCE = 16  # questions answered together
PORTION = 256  # questions that are sorted by length first, so that short answers do not wait for long ones
DRAWN = 1000  # questions of the other splits, unless told otherwise
LOT = 20  # questions drawn by lot: they are answered one by one, with a clock, and shown on the sheet
COSTS = {"one target": 1, "eight targets": 8}  # of the questions whose arithmetic is counted

Ask = Callable[[int], Question]


@dataclass
class Examined:
    """What came of an examination.

    scores: by number of the question. kept: question and answer of some. seconds: that all free answers took, looking
    at the frames included.
    """

    scores: list[Score] = field(default_factory=list)
    kept: dict[int, tuple[Question, Answer]] = field(default_factory=dict)
    seconds: float = 0.0


def questions_of(split: str, number: int | None, seed: int) -> tuple[list[int], Ask]:
    """Numbers of questions, and what makes the question of a number; number: how many, None for the usual.

    Raises:
        UserError: there are not so many.
    """
    if split == "test":
        fixed = FixedQuestions()
        return fixed.spread(number or len(fixed)), fixed.__getitem__
    drawn = QuestionConfig().questions(split).sample(np.random.default_rng(seed), number or DRAWN)
    return list(range(len(drawn))), drawn.__getitem__


def in_other_words(numbers: Sequence[int], ask: Ask, seed: int) -> tuple[list[int], Ask]:
    """The numbers of those questions that can be put in words which training leaves out, and what makes them so."""
    put: dict[int, str] = {}
    for number in numbers:
        question = ask(number)
        draw = Draw(np.random.default_rng([seed, number]), question.split)
        other = reworded(question.question, draw, unseen=True)
        if other != question.question:
            put[number] = other
    return list(put), lambda number: replace(ask(number), question=put[number])


def examine(
    model: PixelLM,
    numbers: Sequence[int],
    ask: Ask,
    *,
    keep: Collection[int] = (),
    moved: Callable[[int], None] = lambda done: None,
) -> Examined:
    """Ask all questions, freely and told the answer.

    A question that is too long for the model counts as one it says nothing to. keep: numbers of the questions whose
    answers are wanted. moved: called with how many more have been answered.
    """
    examined = Examined()
    for first in range(0, len(numbers), PORTION):
        portion = [(number, ask(number)) for number in numbers[first : first + PORTION]]
        portion.sort(key=lambda pair: (not _is_readable(model, pair[1]), len(pair[1].answer)))
        for start in range(0, len(portion), AT_ONCE):
            part = portion[start : start + AT_ONCE]
            answers, told, seconds = answer_both(model, [question for _, question in part])
            examined.seconds += seconds
            for (number, question), answer, masks in zip(part, answers, told, strict=True):
                examined.scores.append(score(number, question, answer, masks))
                if number in keep:
                    examined.kept[number] = question, answer
            moved(len(part))
    examined.scores.sort(key=lambda one: one.number)
    return examined


@torch.inference_mode()
def answer_both(model: PixelLM, questions: Sequence[Question]) -> tuple[list[Answer], list[np.ndarray], float]:
    """Free answers, masks bool (K, H, W) under the true ones, and the seconds that the free ones took.

    Masks are fewer than the targets where an answer was cut off. Questions that are too long come last.
    """
    items = [(one.image, one.question, one.answer, one.masks) for one in questions]
    batch = model.collate(items).to(next(model.parameters()).device)
    readable = [one for one in questions if _is_readable(model, one)]
    start = time.perf_counter()
    seen = model.see(batch.frames, batch.sizes)
    answers = []
    if readable:
        known = seen if len(readable) == len(questions) else None
        answers = model.answers([one.image for one in readable], [one.question for one in readable], known)
    seconds = time.perf_counter() - start
    told = [one.masks[:0] for one in questions]
    if len(batch.samples):
        logits, _ = model.teacher_masks(batch, seen)
        for number in batch.samples.unique().tolist():
            height, width = batch.sizes[batch.pictures[number]].tolist()
            shape = questions[number].image.shape[0], questions[number].image.shape[1]
            told[number] = on_picture(logits[batch.samples == number], (height, width), shape)
    return [*answers, *[Answer("", [])] * (len(questions) - len(readable))], told, seconds


def _is_readable(model: PixelLM, question: Question) -> bool:
    return len(model.words.encode_question(question.question)) <= model.config.max_question


def seconds_each(model: PixelLM, questions: Sequence[Question]) -> dict[str, float] | None:
    """How long a question takes by itself, as a person asks it: median and 95th percentile, after one to warm up."""
    times: list[float] = []
    if not questions:
        return None
    for number, one in enumerate([questions[0], *questions]):
        start = time.perf_counter()
        model.answer(one.image, one.question)
        if number:
            times.append(time.perf_counter() - start)
    return {"median": statistics.median(times), "p95": float(np.percentile(times, 95)), "questions": len(times)}


def cost(model: PixelLM) -> dict[str, Any]:
    """Operations of questions with so many targets, and the decoder's share of them."""
    counted = {name: query_flops(model, targets=targets) for name, targets in COSTS.items()}
    return {
        name: {**asdict(flops), "total": flops.total, "decoder_share": flops.decoder_share}
        for name, flops in counted.items()
    }


def progress() -> Progress:
    """A bar on stderr, for terminals."""
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TextColumn("ETA"),
               TimeRemainingColumn())  # fmt: skip
    return Progress(*columns, console=console, transient=True, disable=not console.is_terminal)


def load(checkpoint: Path) -> PixelLM:
    """The model, on a GPU if there is one; errors as for `load_pixellm`."""
    return load_pixellm(checkpoint).to("cuda" if torch.cuda.is_available() else "cpu")


@benchmark
def main(arguments: Sequence[str] | None) -> None:
    """Run the benchmark and print its tables."""
    parser = Parser(prog="python -m benchmarks.pixels", description="Measure how a PixelLM answers questions.")
    parser.add_argument("checkpoint", type=Path, help="folder of a PixelLM")
    parser.add_argument("--questions", type=count, metavar="N", help="a part of them, all kinds in their shares")
    parser.add_argument(
        "--split", choices=SPLITS, default="test", help="of the questions (default: the fixed test set)"
    )
    parser.add_argument("--reworded", action="store_true", help="put them in words that training leaves out")
    parser.add_argument("--seed", type=int, default=0, help="of intervals, of the sheet, and of the other splits")
    parser.add_argument(
        "--sheet", type=results_file, metavar="FILE.png", help=f"a picture of {LOT} answers, drawn by lot"
    )
    parser.add_argument("--json", type=results_file, metavar="FILE.json", help="also write the figures here")
    options = parser.parse_args(arguments)
    if options.seed < 0:
        raise UserError(f"--seed is {options.seed}: give 0 or more")
    if options.sheet and options.sheet.suffix.lower() != ".png":
        raise UserError(f"--sheet {options.sheet}: give a path that ends in .png")
    model = load(options.checkpoint)
    numbers, ask = questions_of(options.split, options.questions, options.seed)
    if options.reworded:
        numbers, ask = in_other_words(numbers, ask, options.seed)
    lot = np.random.default_rng(options.seed).permutation(numbers)[:LOT].tolist()
    with progress() as bar:
        task = bar.add_task("asking", total=len(numbers))
        examined = examine(model, numbers, ask, keep=set(lot), moved=lambda done: bar.advance(task, done))
    figures = {
        group: {name: summary(own, options.seed) for name, own in named.items()}
        for group, named in parts(examined.scores).items()
    }
    drawn = [examined.kept[number] for number in lot]
    speed = {
        "seconds": seconds_each(model, [question for question, _ in drawn if _is_readable(model, question)]),
        "questions_per_second": len(numbers) / examined.seconds,
        "together": AT_ONCE,
        "threads": torch.get_num_threads(),
    }
    flops = cost(model)
    weights = sum(weight.numel() for weight in model.parameters())
    words = " in other words" if options.reworded else ""
    title = f"{options.checkpoint}, {len(numbers)} questions of the {options.split} split{words}"
    report(title, figures, speed, flops)
    if options.sheet:
        save_sheet([shown(*pair) for pair in drawn], options.sheet)
        print(f"{options.sheet}: {len(drawn)} answers drawn by lot")
    asked = {name: getattr(options, name) for name in ("split", "reworded", "seed")}
    settings = {"checkpoint": str(options.checkpoint), **asked}
    write({**settings, "parameters": weights, **figures, "speed": speed, "flops": flops}, options.json)


def shown(question: Question, answer: Answer) -> Shown:
    """An answer for the sheet, with the true one below it where that is another."""
    masks = np.stack([target.mask for target in answer.targets]) if answer.targets else question.masks[:0]
    found = score(0, question, answer, question.masks).free
    about = f"{question.source}, {question.family}: IoU {found.iou:.2f}"
    truth = "" if answer.slotted == question.answer else question.answer
    return Shown(question.image, masks, about, question.question, answer.slotted, truth)


def report(title: str, figures: dict[str, Any], speed: dict[str, Any], flops: dict[str, Any]) -> None:
    """Print the tables."""
    whole = {**figures["whole"], **figures["sources"]}
    rows = {**whole, **{f"targets: {name}": own for name, own in figures["targets"].items()}}
    shares = {name: {key: _share(value) for key, value in own.items()} for name, own in rows.items()}
    keys = ("giou", "ciou", "told_giou", "told_ciou", "contested")
    low, high = figures["whole"]["all"]["giou_interval"]
    show(
        f"{title}; gIoU {percent(low)} to {percent(high)}",
        [(name, str(rows[name]["questions"]), *(own[key] for key in keys)) for name, own in shares.items()],
        ("masks of", "n", "gIoU", "cIoU", "gIoU, told", "cIoU, told", "contested"),
    )
    low, high = figures["whole"]["all"]["right_interval"]
    counts = ("targets", "matched", "missed", "extra")
    show(
        f"the words, and which targets were found; slots {percent(low)} to {percent(high)}",
        [
            (name, own["exact"], own["right"], own["listed"], *(str(rows[name][key]) for key in counts), own["named"])
            for name, own in shares.items()
        ],
        ("answers to", "words", "slots", "in any order", *counts, "named"),
    )
    show(
        "by family, the weakest first",
        [
            (name, str(own["questions"]), *(_share(own[key]) for key in ("giou", "told_giou", "right")))
            for name, own in sorted(figures["families"].items(), key=lambda pair: pair[1]["giou"])
        ],
        ("family", "n", "gIoU", "gIoU, told", "slots"),
    )
    show(
        "what a question costs",
        [
            (name, f"{own['total'] / 1e9:.2f}", percent(own["vision"] / own["total"]),
             percent(own["language"] / own["total"]), percent(own["decoder_share"]))
            for name, own in flops.items()
        ],
        ("a question with", "GFLOP", "vision", "language", "decoder"),
    )  # fmt: skip
    if speed["seconds"] is not None:
        median, late = (1000 * speed["seconds"][key] for key in ("median", "p95"))
        of = speed["seconds"]["questions"]
        print(f"{median:.0f} ms a question by itself, median of {of} (95th percentile {late:.0f} ms)")
    rate, together = speed["questions_per_second"], speed["together"]
    print(f"{rate:.2f} questions/s, {together} at a time; {speed['threads']} threads")


def _share(value: Any) -> str:
    return percent(value) if isinstance(value, float) else "-"


if __name__ == "__main__":
    sys.exit(main(None))
