"""What each part of PixelLM is worth: variants trained with the same arithmetic, one after the other.

    python -m benchmarks.pixels_ablations --steps N|--minutes M [--out FOLDER] [KEY=VALUE ...] [--only NAME ...]

The variants are those of `PixelLMConfig.ABLATIONS`: `one-token` (a codebook of one token), `no-fusion`, `alpha-1` (no
refinement of contested pixels), `plain-decoder`, `no-looks` (words do not look at cells again), `no-pointing` (nor are
they told what comes next), `no-guide` (nor is the decoder told where a target was located), and `lisa`, the baseline in
the style of LISA: one token, one scale, one mask token, a decoder with as many parameters as ours that is not guided.
The full model learns for N steps, or for M minutes; every other one gets as many steps as the same floating-point
operations allow, so that the table does not depend on what else the machine does. Words KEY=VALUE are those of `python
-m train pixellm`, for all variants. Each is measured on the same questions of the test set (see `benchmarks.pixels`),
and *against lisa* is the mean difference of gIoU question by question, with its bootstrap interval. The same command
goes on after an interruption; what is finished stays.

Words are what takes long to learn. To compare masks alone, let all variants begin with the tower and the words of one
trained model: `inputs.pixellm=CHECKPOINT +stage.anew=true`, with --only for variants that have this model's looks.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from agents.checkpoint import replace_text
from agents.pixellm.config import PixelLMConfig
from agents.pixellm.flops import query_flops
from benchmarks.ablations import step_flops, train
from benchmarks.pixel_scores import difference, parts, summary
from benchmarks.pixels import examine, load, progress, questions_of
from benchmarks.report import Parser, benchmark, count, percent, results_file, show, write
from envs.errors import UserError

FULL, BASELINE = "full", "lisa"
VARIANTS = (FULL, BASELINE, *(name for name in PixelLMConfig.ABLATIONS if name != BASELINE))
# Of the short look that every training takes at itself in the end
WORDS = ("data=ask", "stage.evaluate_questions=50", "stage.answer_questions=10")
MEASURED = "measured.json"  # in a variant's folder, beside its run


def words_of(name: str, given: Sequence[str]) -> list[str]:
    """The words of a variant's training command, its budget apart."""
    return [*WORDS, *given, *([] if name == FULL else [f"stage.ablation={name}"])]


def train_variant(
    name: str, out: Path, budget: Sequence[str], given: Sequence[str], steps: int | None
) -> dict[str, Any]:
    """Train one; returns what it finished with.

    steps: that it is to have learned for; None: as many as came of the budget.

    Raises:
        UserError: the training failed, or its folder holds a longer one.
    """
    finished = train("pixellm", out, [*budget, *words_of(name, given)])
    if steps is not None and finished["step"] != steps:
        raise UserError(
            f"{out} has learned for {finished['step']} steps, where this comparison has {steps}: give another --out"
        )
    return finished


def measure(folder: Path, step: int, questions: int, seed: int) -> dict[str, Any]:
    """The figures of a variant's checkpoint, or those that were measured of it before."""
    key = {"step": step, "questions": questions, "seed": seed}
    try:
        known = json.loads((folder / MEASURED).read_text(encoding="utf-8"))
        if known["of"] == key:
            return dict(known)
    except (OSError, ValueError, KeyError, TypeError):
        pass  # not measured yet, or not to the end
    model = load(folder / "run" / "checkpoint")
    numbers, ask = questions_of("test", questions, seed)
    with progress() as bar:
        task = bar.add_task(folder.name, total=len(numbers))
        examined = examine(model, numbers, ask, moved=lambda done: bar.advance(task, done))
    flops = query_flops(model)
    whole = parts(examined.scores)["whole"]
    figures = {
        "of": key,
        "parameters": sum(weight.numel() for weight in model.parameters()),
        "flops": flops.total,
        "decoder_share": flops.decoder_share,
        "questions_per_second": len(numbers) / examined.seconds,
        "figures": {name: summary(own, seed) for name, own in whole.items()},
        "ious": [one.free.iou for one in examined.scores],
    }
    replace_text(folder / MEASURED, json.dumps(figures) + "\n")
    return figures


@benchmark
def main(arguments: Sequence[str] | None) -> None:
    """Train, measure and print the tables."""
    what = "Train variants of PixelLM with the same arithmetic and compare them."
    parser = Parser(prog="python -m benchmarks.pixels_ablations", description=what)
    budget = parser.add_mutually_exclusive_group(required=True)
    budget.add_argument("--steps", type=count, help="how many the full model learns for")
    budget.add_argument("--minutes", type=float, help="how long the full model learns")
    parser.add_argument("--questions", type=count, default=1000, help="of the test set, for each (default: 1000)")
    parser.add_argument("--seed", type=int, default=0, help="of the intervals")
    parser.add_argument(
        "--out", type=Path, metavar="FOLDER", default=Path("runs/pixels-ablations"),
        help="of the runs and what was measured of them (default: runs/pixels-ablations)",
    )  # fmt: skip
    parser.add_argument("--only", nargs="+", metavar="NAME", help=f"beside the full model: {', '.join(VARIANTS[1:])}")
    parser.add_argument("--json", type=results_file, metavar="FILE.json", help="also write the figures here")
    parser.add_argument("words", nargs="*", metavar="KEY=VALUE", help="of the training, such as model=tiny")
    options = parser.parse_intermixed_args(arguments)
    for name in options.only or ():
        if name not in VARIANTS:
            raise UserError(f"there is no variant {name!r}; choose from {', '.join(VARIANTS[1:])}")
    if options.minutes is not None and not 0 < options.minutes < float("inf"):
        raise UserError(f"--minutes is {options.minutes:g}; give more than 0")
    for word in options.words:
        if "=" not in word:
            raise UserError(f"{word!r} is not of the form KEY=VALUE, as python -m train takes it")
    questions_of("test", options.questions, options.seed)  # a number that cannot be is told before anything is trained
    rows: list[dict[str, Any]] = []
    operations, first = (
        0.0,
        [f"trainer.{key}={getattr(options, key)}" for key in ("steps", "minutes") if getattr(options, key)],
    )
    for name in VARIANTS:
        if name != FULL and options.only and name not in options.only:
            continue
        folder = options.out / name
        each = step_flops("pixellm", words_of(name, options.words))
        steps = options.steps if name == FULL else max(1, round(operations / each))
        told = first if name == FULL else [f"trainer.steps={steps}"]
        finished = train_variant(name, folder / "run", told, options.words, steps)
        operations = operations or each * finished["step"]
        measured = measure(folder, finished["step"], options.questions, options.seed)
        rows.append(
            {
                "name": name,
                "steps": finished["step"],
                "seconds": finished["elapsed_seconds"],
                "step_flops": each,
                **measured,
            }
        )
        compare(rows, options.seed)
        report(f"{operations / 1e12:.3g} TFLOP each, {options.questions} questions", rows)
        kept = [{key: value for key, value in row.items() if key != "ious"} for row in rows]
        write(
            {"tflop": operations / 1e12, "seed": options.seed, "words": options.words, "variants": kept}, options.json
        )


def compare(rows: list[dict[str, Any]], seed: int) -> None:
    """Add to each variant how far its gIoU is from the baseline's, if that is there: mean and bounds."""
    baseline = next((row for row in rows if row["name"] == BASELINE), None)
    for row in rows:
        row["against_lisa"] = None
        if baseline is not None and row is not baseline:
            row["against_lisa"] = difference(row["ious"], baseline["ious"], seed)


def report(title: str, rows: Sequence[dict[str, Any]]) -> None:
    """Print the tables."""
    show(
        title,
        [
            (row["name"], f"{row['parameters'] / 1e6:.2f} M", str(row["steps"]), f"{row['flops'] / 1e9:.2f}",
             percent(row["decoder_share"]), f"{row['questions_per_second']:.2f}")
            for row in rows
        ],
        ("variant", "parameters", "steps", "GFLOP a question", "decoder", "images/s"),
    )  # fmt: skip
    lines = []
    for row in rows:
        whole = row["figures"]["all"]
        several = row["figures"].get("several targets", {}).get("giou")
        values = (whole["giou"], whole["ciou"], several, whole["right"], whole["contested"])
        shares = ("-" if value is None else percent(value) for value in values)
        apart = row["against_lisa"]
        lines.append(
            (
                row["name"],
                *shares,
                "-" if apart is None else "{:+.1f} ({:+.1f} to {:+.1f})".format(*(100 * x for x in apart)),
            )
        )
    show(
        "what they answer", lines,
        ("variant", "gIoU", "cIoU", "gIoU, several", "slots", "contested", "gIoU against lisa"),
    )  # fmt: skip


if __name__ == "__main__":
    sys.exit(main(None))
