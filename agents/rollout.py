"""Rollouts of robot agents: episodes of a benchmark in simulation, success rates with intervals, and films.

    python -m agents.rollout calvin --out runs/rollout/calvin --video runs/rollout/films
    python -m agents.rollout rlbench --tasks close_microwave,close_fridge --episodes 100

The same command goes on after an interruption: finished episodes stand in OUT/episodes.jsonl. More episodes or tasks
may be asked for then; all else has to stay the same. Episodes that a failing simulator has cost are run again.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing, nullcontext
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

from rich.console import Console, Group
from rich.live import Live

from agents import rollout_calvin, rollout_rlbench
from agents.commands import Parser, machine, run_command
from agents.rollout_episodes import Benchmark, Job, Result, RolloutSettings, Runner, sentences_of
from agents.rollout_films import is_complete, load_imageio, remove_partials
from agents.rollout_folder import RESULTS, RolloutFolder, weights_of
from agents.rollout_results import Scores
from agents.rollout_workers import Lost, run_jobs
from envs.errors import UserError
from envs.files import replace_bytes

CHECKPOINTS = Path(__file__).parents[1] / "assets" / "checkpoints"
FILMS = 1
BENCHMARKS = {"calvin": rollout_calvin, "rlbench": rollout_rlbench}


class Rollout:
    """The episodes of a benchmark, run by one robot agent, as a command line describes them.

    Attributes:
        options: the command line. benchmark: what is run. episodes: all of it. folder: where results are kept.
    """

    def __init__(self, options: argparse.Namespace, benchmark: Benchmark) -> None:
        """Check everything that can be checked before the first episode; raises UserError."""
        from agents.robot_agent import RobotAgent, load_robot_model

        self.options, self.benchmark = options, benchmark
        self.episodes = benchmark.episodes()
        self._model = load_robot_model(options.checkpoint, benchmark.world)
        agent = RobotAgent(self._model, temperature=options.temperature, replan=options.replan)
        if options.video is not None:
            load_imageio()
        benchmark.open().close()
        settings = benchmark.settings() | {
            "weights": weights_of(options.checkpoint), "steps": options.steps, "temperature": options.temperature,
            "replan": agent.replan,
        }  # fmt: skip
        self.folder = RolloutFolder(options.out, settings)
        self._began, self._ran = time.perf_counter(), 0

    def open(self) -> None:
        """Take the folders; UserError if others hold them, or they are another rollout's."""
        self.folder.open()
        if (file := self.options.json) is not None:
            try:
                file.parent.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise UserError(f"cannot make the folder of --json {file} ({error.strerror}); give another") from error
        if self.options.video is not None:
            self.folder.take_films(self.options.video)
            remove_partials(self.options.video)

    def close(self) -> None:
        """Let others use the folders."""
        if self.options.video is not None and self.options.video.is_dir():
            remove_partials(self.options.video)  # of processes that were ended
        self.folder.close()

    @property
    def results(self) -> list[Result]:
        """Of all episodes that are finished, in their order."""
        return self.folder.of(self.episodes)

    def run(self) -> Iterator[Result]:
        """Run the episodes that are left; yields the result of each as it ends, once it is on the disk."""
        left = [Job(episode) for episode in self.episodes if episode.key not in self.folder.results]
        self._began, self._ran = time.perf_counter(), 0
        with closing(self._run(left)) as running:
            for _, result in running:
                self._ran += 1
                self.folder.add(result)
                yield result

    def films(self) -> dict[str, Path]:
        """Episodes to film: key -> path of the film without its ending; none without --video.

        Of each task, or of all chains, the first few that solved something and the first few that did not.
        """
        if self.options.video is None:
            return {}
        chosen: dict[str, Path] = {}
        count: dict[tuple[str, bool], int] = {}
        for result in self.results:
            kind = result.tasks[0] if len(result.tasks) == 1 else "", result.solved > 0
            count[kind] = count.get(kind, 0) + 1
            if count[kind] <= self.options.films and not result.reason:
                parts = {0: "failed", len(result.tasks): "solved"}
                word = parts.get(result.solved, f"{result.solved}-of-{len(result.tasks)}")
                chosen[result.key] = self.options.video / f"{result.key}-{word}"
        return chosen

    def shoot(self) -> Iterator[tuple[Path, str]]:
        """Make the films that are missing, each by running its episode again; yields path and, if any, trouble.

        An episode depends on its seed alone, so the film shows what happened, and filming cannot change a result.
        """
        wanted = self.films()
        jobs = [Job(e, wanted[e.key]) for e in self.episodes if e.key in wanted and not is_complete(wanted[e.key])]
        if jobs:
            print(f"filming {len(jobs)} of the episodes, each of which runs once more", file=sys.stderr)
        with closing(self._run(jobs)) as running:
            for job, result in running:
                assert job.film is not None
                if result.reason:
                    yield job.film, f"no film: {result.reason}"
                elif not result.same_end(self.folder.results[job.episode.key]):
                    yield job.film, "the film ends in another way than the result, which another machine has computed"
                else:
                    yield job.film, ""

    def _run(self, jobs: Sequence[Job]) -> Generator[tuple[Job, Result], None, None]:
        if not jobs:
            return
        sentences = sentences_of([job.episode for job in jobs])
        followed = self._model.world.config.instruction_dim > 0
        # One by one: in a batch, the vector of one would depend on the others by a rounding error
        vectors = {sentence: self._model.sentences([sentence])[0] for sentence in sentences if followed}
        options = self.options
        settings = RolloutSettings(
            self.benchmark, str(options.checkpoint), vectors, options.steps, options.temperature, options.replan
        )
        with closing(run_jobs(partial(Runner, settings), jobs, options.workers)) as running:
            for job, result in running:
                yield job, Result.lost(job.episode, result.reason) if isinstance(result, Lost) else result

    def progress(self) -> str:
        """How far it is, and how long it may still take."""
        done, total = len(self.results), len(self.episodes)
        left = (total - done) * (time.perf_counter() - self._began) / self._ran if self._ran else None
        about = "" if left is None or done == total else f", about {_duration(left)} left"
        return f"{done} of {total} episodes{about}"

    def content(self) -> dict[str, Any]:
        """Everything, as plain JSON."""
        return {
            **self.folder.settings,
            "checkpoint": str(self.options.checkpoint),
            **Scores.of(self.results, self.benchmark).as_json(),
            "published": {name: dict(figures) for name, figures in self.benchmark.published.items()},
            "published_source": self.benchmark.source if self.benchmark.published else "",
            "films": {key: f"{path}.mp4" for key, path in self.films().items() if is_complete(path)},
            "episodes": [asdict(result) for result in self.results],
            "machine": machine(),
        }


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def show(rollout: Rollout) -> None:
    """Run, with a table that grows on a terminal, else a line for each episode on stderr; then the table on stdout."""
    watching, benchmark = Console(stderr=True), rollout.benchmark

    def table() -> Group:
        scores = Scores.of(rollout.results, benchmark)
        return Group(rollout.progress(), "", scores.table(benchmark))

    left = len(rollout.episodes) - len(rollout.results)
    if left and not watching.is_terminal:
        at_once = f"{rollout.options.workers} at a time" if rollout.options.workers > 1 else "one by one"
        print(
            f"{left} of {len(rollout.episodes)} episodes to run, {at_once}; agent and simulation start", file=sys.stderr
        )
    live = Live(get_renderable=table, console=watching, refresh_per_second=1, transient=True)
    with live if watching.is_terminal else nullcontext():
        for result in rollout.run():
            if not watching.is_terminal:
                print(f"{len(rollout.results)}/{len(rollout.episodes)} {_told(result)}", file=sys.stderr)
    for film, trouble in rollout.shoot():
        print(f"{film}: {trouble}" if trouble else f"filmed {film}.mp4", file=sys.stderr)
    content = json.dumps(rollout.content(), indent=2) + "\n"
    for path in (rollout.options.out / RESULTS, rollout.options.json):
        if path is not None:
            _write(path, content)
    paper = Console(width=None if sys.stdout.isatty() else 1000)  # a file has no width
    scores = Scores.of(rollout.results, benchmark).table(benchmark)
    paper.print(f"{len(rollout.results)} episodes", "", scores, sep="\n")
    lost = [result for result in rollout.results if result.reason]
    if lost:
        what = f"{len(lost)} episode{'s' * (len(lost) > 1)} could not be run to the end"
        first = f"{lost[0].key} ({lost[0].reason})"
        print(f"{what}, counted as not solved: {first}; the same command tries again", file=sys.stderr)
    print(f"Every episode and all figures are in {rollout.options.out}.", file=sys.stderr)


def _told(result: Result) -> str:
    if result.reason:
        return f"{result.key}: {result.reason}"
    trouble = f" (the arm refused {result.trouble})" if result.trouble and not result.solved else ""
    if len(result.tasks) > 1:
        return f"{result.key}: {result.solved} of {len(result.tasks)} solved in {sum(result.steps)} steps{trouble}"
    return f"{result.key}: {'solved' if result.solved else 'not solved'} in {result.steps[0]} steps{trouble}"


def _write(path: Path, content: str) -> None:
    try:
        replace_bytes(path, content.encode())
    except OSError as error:
        raise UserError(
            f"cannot write {path}: {error.strerror or error}; make room or choose another path and run the same "
            "command again, the episodes are safe"
        ) from error


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """The command line; raises UserError."""
    what = "Let a robot agent act in a benchmark's simulation and count what it solves."
    parser = Parser("python -m agents.rollout", description=what, allow_abbrev=False)
    kinds = parser.add_subparsers(dest="benchmark", metavar="BENCHMARK", required=True)
    for name, module in BENCHMARKS.items():
        part = kinds.add_parser(name, description=what, allow_abbrev=False, help=f"{name.upper()}'s tasks")
        module.add_options(part)
        add = part.add_argument
        add("--checkpoint", type=Path, metavar="FOLDER",
            help=f"of a robot agent (default: assets/checkpoints/{module.CHECKPOINT})")  # fmt: skip
        add("--steps", type=int, default=module.STEPS, help="actions for each task (default: %(default)s)")
        add("--temperature", type=float, default=0.0, help="0 takes the likeliest codes (default), 1 samples them")
        add("--replan", type=int, help="actions between two looks (default: the agent's own)")
        add("--workers", type=int, default=_cores(), help="processes (default: one a core); 0: none but this one")
        add("--seed", type=int, default=0, help="of starts that are drawn, of sentences and sampling")
        add("--video", type=Path, metavar="DIR", help="film some episodes into this folder")
        add("--films", type=int, help="with --video: solved and unsolved episodes to film, of each task (default: 1)")
        add("--out", type=Path, default=Path("runs") / "rollout" / name, metavar="FOLDER",
            help="of the episodes' results (default: %(default)s)")  # fmt: skip
        add("--json", type=Path, metavar="FILE", help=f"also write the figures of OUT/{RESULTS} here")
    options = parser.parse_args(arguments)
    for name, least in (("episodes", 1), ("steps", 1), ("workers", 0), ("seed", 0), ("films", 1)):
        value = getattr(options, name)
        if value is not None and value < least:
            raise UserError(f"--{name} is {value}; give {least} or more")
    if options.films is not None and options.video is None:
        raise UserError(f"--films {options.films} has no folder to film into; give --video DIR too")
    options.films = options.films or FILMS
    if options.checkpoint is None:
        options.checkpoint = CHECKPOINTS / BENCHMARKS[options.benchmark].CHECKPOINT
        if not options.checkpoint.is_dir():
            raise UserError(
                f"there is no agent in assets/checkpoints/{options.checkpoint.name}; train one (python -m train "
                f"experiment={options.checkpoint.name}) and give its folder with --checkpoint FOLDER"
            )
    if options.json is not None and options.json.is_dir():
        raise UserError(f"--json {options.json} is a folder; give the path of a file")
    return options


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the rollout; returns the exit status: 0, 2 after a mistake of the user, 130 after Ctrl-C."""

    def body() -> None:
        options = parse(arguments)
        benchmark = BENCHMARKS[options.benchmark].make_benchmark(options)
        with closing(Rollout(options, benchmark)) as rollout:
            rollout.open()
            show(rollout)

    return run_command("rollout", body)


if __name__ == "__main__":
    sys.exit(main())
