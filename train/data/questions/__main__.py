"""python -m train.data.questions show|write|check|recipe: look at questions, write them down, check the fixed ones."""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from envs.errors import UserError
from train.data.questions.fixed import BLOCK, RECIPE, FixedQuestions, write_recipe
from train.data.questions.generator import QuestionConfig, QuestionSet
from train.data.questions.muse import write_muse
from train.data.questions.question import Question
from train.data.questions.sheet import save_sheet, shown
from train.data.video import SPLITS

PORTION = 50  # questions drawn at a time
FORMATS = ("muse",)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; the exit status is 2 for a user's mistake."""
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    options = _parser().parse_args(arguments)
    try:
        return int(options.run(options))
    except UserError as error:
        print(error, file=sys.stderr)
        return 2


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m train.data.questions", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    show = commands.add_parser("show", help="a sheet of questions with their masks")
    show.add_argument("out", type=Path, metavar="OUT.png")
    show.add_argument("--count", type=int, default=20)
    show.set_defaults(run=_show)
    write = commands.add_parser("write", help="questions as files, of the test split the fixed ones")
    write.add_argument("out", type=Path, metavar="OUT", help="a new folder")
    write.add_argument("--format", choices=FORMATS, default="muse")
    write.add_argument("--count", type=int, help="how many (the test split: all)")
    write.set_defaults(run=_write)
    for command, split in ((show, "train"), (write, "test")):
        command.add_argument("--split", choices=SPLITS, default=split)
        command.add_argument("--seed", type=int, default=0, help="which ones, but for the fixed ones")
        for source in ("go", "calvin", "rlbench"):
            default = getattr(QuestionConfig(), source)
            command.add_argument(
                f"--{source}", type=float, default=default, help="share of them (default: %(default)s)"
            )
    check = commands.add_parser("check", help="make the fixed questions and compare them with their checksums")
    check.set_defaults(run=_check)
    recipe = commands.add_parser("recipe", help="write the recipe of the fixed questions anew")
    recipe.add_argument("--out", type=Path, default=RECIPE)
    recipe.set_defaults(run=_recipe)
    return parser


def _count(options: argparse.Namespace, most: int | None = None) -> int:
    count = options.count if options.count is not None else most
    if count is None:
        raise UserError("how many questions are to be written? give --count N")
    if count < 1 or (most is not None and count > most):
        raise UserError(f"--count {count}: give {f'1 to {most}' if most else 'at least 1'}")
    return int(count)


def _drawn(options: argparse.Namespace, count: int) -> Iterator[Question]:
    """Questions of a split, a portion at a time."""
    config = QuestionConfig(go=options.go, calvin=options.calvin, rlbench=options.rlbench)
    questions, rng = QuestionSet(config, options.split), np.random.default_rng(options.seed)
    for first in range(0, count, PORTION):
        yield from questions.sample(rng, min(PORTION, count - first))


def _show(options: argparse.Namespace) -> int:
    if _count(options) > 200:
        raise UserError(f"--count {options.count}: a sheet holds 1 to 200")
    by_frame: dict[int, Question] = {}
    drawn = list(_drawn(options, 8 * options.count))
    for question in drawn:
        by_frame.setdefault(id(question.image), question)
    save_sheet([shown(question) for question in list(by_frame.values())[: options.count]], options.out)
    print(f"{options.out}: {options.count} questions")
    return 0


def _write(options: argparse.Namespace) -> int:
    if options.split == "test":
        fixed = FixedQuestions()
        questions: Iterator[Question] = (fixed[number] for number in range(_count(options, len(fixed))))
    else:
        questions = _drawn(options, _count(options))
    pictures, pairs = write_muse(questions, options.out)
    print(f"{options.out}: {pairs} questions about {pictures} pictures")
    return 0


def _check(options: argparse.Namespace) -> int:
    fixed = FixedQuestions()
    differing = fixed.differing(range(-(-len(fixed) // BLOCK)))
    if differing:
        raise UserError(
            f"the questions are others than those of {RECIPE.name}: {', '.join(differing)}; figures are not comparable"
        )
    print(f"{len(fixed)} questions are those of {RECIPE.name}")
    return 0


def _recipe(options: argparse.Namespace) -> int:
    write_recipe(options.out)
    print(options.out)
    return 0


if __name__ == "__main__":
    sys.exit(main())
