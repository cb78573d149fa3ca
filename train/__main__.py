"""`python -m train STAGE key=value ...` and `python -m train experiment=NAME key=value ...`."""

from __future__ import annotations

import gc
import os
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from envs.errors import UserError

if TYPE_CHECKING:
    from train.plan import Run

USAGE = """\
usage: python -m train STAGE [key=value ...]
       python -m train [STAGE] experiment=NAME [key=value ...]

Trains one stage, or all stages of an experiment under one time budget (a STAGE named too has to be all that it
trains, as in `pixellm experiment=ask-small`). Ctrl-C stops with everything saved; the same command goes on, and one
with a larger budget trains on.

  --help      this page
  --config    print the settings a command would run with, and stop
"""
EXAMPLES = """\
examples:
  python -m train experiment=go9-small trainer.minutes=120
  python -m train tokenizer trainer.minutes=10 model=tiny
  python -m train world inputs.tokenizer=runs/tokenizer/checkpoint trainer.steps=2000 out=runs/try
  python -m train world trainer=gpu trainer.num_processes=-1

A run writes to `out` (runs/STAGE): checkpoint/ (the result), state/ (for going on), metrics.jsonl, tb/ (TensorBoard),
run.json and finished.json. Exit status: 0 finished, 130 stopped by Ctrl-C, 2 for a mistake in the command.
"""


def main(words: Sequence[str] | None = None, conf: Path | None = None) -> int:
    """Run the command; the exit status.

    Args:
        words: the command line without the program's name.
        conf: another folder of settings than the package's own.
    """
    words = list(sys.argv[1:] if words is None else words)
    from train.compose import CONF

    conf = conf or CONF
    try:
        if not words or "--help" in words or "-h" in words:
            print(_help(conf))
            return 0 if words else 2
        return _run([word for word in words if word != "--config"], conf, show="--config" in words)
    except UserError as error:
        return _complain(str(error), 2)
    except KeyboardInterrupt:
        return _complain("stopped; run the same command again to go on from the last saved state", 130)


def _run(words: list[str], conf: Path, *, show: bool) -> int:
    from train.compose import parse
    from train.registry import STAGES

    names = [word for word in words if "=" not in word]
    words = [word for word in words if "=" in word]
    for name in names:
        if name.startswith("-"):
            raise UserError(f"unknown option {name!r}; see python -m train --help")
    keys = {override.key_or_group: override for override in parse(words)}
    if "stage" in keys and not names and "experiment" not in keys:  # Hydra's own way to say it
        names = [str(keys["stage"].value())]
        words = [word for word in words if not word.startswith("stage=")]
    if len(names) > 1 or not names and "experiment" not in keys:
        what = f"got {' and '.join(names)}" if names else "got neither"
        raise UserError(
            f"name one stage ({', '.join(STAGES)}) or one experiment=NAME, {what}; see python -m train --help"
        )
    if "experiment" not in keys:
        return _run_stage(names[0], words, conf, show=show)
    rest = [word for word in words if not word.startswith("experiment=")]
    return _run_experiment(str(keys["experiment"].value()), names, rest, conf, show=show)


def _run_stage(name: str, words: list[str], conf: Path, *, show: bool) -> int:
    from train.registry import STAGES
    from train.words import unknown

    if name not in STAGES:
        raise UserError(unknown("stage", name, list(STAGES)))
    out = [] if any(word.startswith("out=") for word in words) else [f"out=runs/{name}"]
    return _train([(name, name, [f"stage={name}", *out, *words])], conf, [name, *words], show=show)


def _run_experiment(name: str, stages: list[str], words: list[str], conf: Path, *, show: bool) -> int:
    """Run an experiment; stages: what the user says it trains, if anything."""
    from train.experiment import check_export, export_experiment, load_experiment

    experiment = load_experiment(name, words, conf)
    trained = list(dict.fromkeys(step.stage for step in experiment.steps))
    if stages and stages != trained:
        told = ", ".join(trained)
        raise UserError(f"experiment={name} trains {told}, not {stages[0]} alone; leave {stages[0]!r} out")
    check_export(experiment)
    steps = [(step.name, step.stage, step.overrides) for step in experiment.steps]
    code = _train(steps, conf, [f"experiment={name}", *words], show=show)
    if not code and not show and _is_first_process():
        folder = export_experiment(experiment)
        if folder is not None:
            print(f"{name}: exported to {folder}")
    return code


def _train(steps: Sequence[tuple[str, str, Sequence[str]]], conf: Path, given: list[str], *, show: bool) -> int:
    """Run stages one after another, each given with its settings as words; `given` is what the user said."""
    if show:
        from omegaconf import OmegaConf

        from train.compose import compose

        for text in [OmegaConf.to_yaml(compose(words, conf)) for _, _, words in steps]:
            print(text)
        return 0
    from train.meters import set_up_logging
    from train.plan import plan

    set_up_logging()
    runs = plan(steps, conf)  # a mistake in the last one shows before the first one starts
    # Where to write changes nothing of what is learned
    command = shlex.join(["python", "-m", "train", *(w for w in given if not w.startswith(("out=", "export=")))])
    for number, run in enumerate(runs):
        code = _train_one(run, runs[number + 1 :], command)
        if code:
            return code
        gc.collect()
    return 0


def _train_one(run: Run, later: Sequence[Run], command: str) -> int:
    if run.done:
        if _is_first_process():
            print(f"{run.name}: {run.done}")
        return 0
    from lightning.fabric.utilities.seed import seed_everything

    from train.meters import number
    from train.registry import stage_class
    from train.trainer import Interrupted, Trainer

    seed_everything(run.trainer.seed, verbose=False)  # the stage draws its model's first weights
    stage = stage_class(run.kind)(run.stage)
    if not run.resume and _is_first_process():
        for other in later:  # what they learned from goes, so they start over even if this command is stopped before
            if other.folder.path.exists():
                other.folder.start(resume=False)
    try:
        metrics = Trainer(run.trainer, stage, settings=run.told, command=command).run(resume=run.resume)
    except Interrupted as stopped:
        if not _is_first_process():
            sys.exit(0)  # the first process tells what happened
        return _complain(f"{run.name}: {stopped}", 130)
    if _is_first_process():
        measured = "  ".join(f"{key} {number(value)}" for key, value in metrics.items())
        print(f"{run.name}: {measured}  ->  {run.folder.checkpoint}")
    return 0


def _is_first_process() -> bool:
    return all(int(os.environ.get(name, 0)) == 0 for name in ("RANK", "SLURM_PROCID", "LOCAL_RANK", "NODE_RANK"))


def _complain(sentence: str, code: int) -> int:
    print(f"train: {sentence}", file=sys.stderr)
    return code


def _help(conf: Path) -> str:
    from train.compose import choices
    from train.registry import STAGES

    rows = {
        "STAGE": list(STAGES),
        "experiment": choices("experiment", conf),
        "model": choices("model", conf),
        "data": choices("data", conf),
        "trainer": choices("trainer", conf),
    }
    chosen = "\n".join(f"  {key:<11} {', '.join(names) or '(none)'}" for key, names in rows.items())
    keys = (conf / "trainer" / "default.yaml").read_text(encoding="utf-8").splitlines()
    lines = [f"  trainer.{line}" for line in keys if line and not line.startswith(("#", "_", "out"))]
    loop = "\n".join(lines)
    more = "  inputs.STAGE=FOLDER            # checkpoint of another stage, or an agent\n  out=FOLDER  resume=false"
    title = "keys with their defaults (--config shows those of the stage, data and model too):"
    return f"{USAGE}\nchoices:\n{chosen}\n\n{title}\n{loop}\n{more}\n\n{EXAMPLES}"


if __name__ == "__main__":
    sys.exit(main())
