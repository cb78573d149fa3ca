"""Records demonstrations of scripted experts, as a data set in CALVIN's format.

    python -m train.data.robot_episodes calvin --episodes 100 --out runs/calvin-D
    python -m train.data.robot_episodes rlbench --episodes 100 --out runs/rlbench

Only episodes that solve their task are kept. Ctrl-C, or anything worse, loses the episodes in the making; the same
command goes on. A larger --episodes adds to what is there. The same settings give the same bytes with any number of
workers.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from rich import box
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table

from agents.checkpoint_config import checkpoint_settings, robot_world
from agents.commands import Parser, run_command
from envs.errors import UserError
from envs.files import free_bytes, replace_bytes
from envs.tabletop.dataset_files import SPLITS
from envs.tabletop.dataset_writer import DatasetWriter
from train.data import calvin_demonstrations, rlbench_demonstrations
from train.data.crew import cores, record_slots
from train.data.demonstrations import Recorded, Setting, Slot, load_expert

WORLDS = {"calvin": calvin_demonstrations, "rlbench": rlbench_demonstrations}
SETTINGS = "recording.json"
MARGIN = 256 * 2**20  # bytes that stay free
HOPELESS = 3  # slots in a row that an expert fails at before the recording stops
LINE = 10.0  # seconds between lines where there is no terminal


class Recording:
    """A folder, the slots still to be filled, and the journals of those that are; a context manager."""

    def __init__(self, options: argparse.Namespace) -> None:
        """Open the folder; raises UserError if it holds something else or is in use."""
        self.out: Path = options.out
        self.tasks: list[str] = options.tasks
        self.settings: Setting = options.settings
        self.slots = [Slot(task, number) for number in range(options.episodes) for task in self.tasks]
        self.validation: float = options.validation
        load_expert(self.settings.expert, self.tasks)
        self._check_settings()
        self.writers: dict[str, DatasetWriter] = {}
        try:
            for split in SPLITS if self.validation else SPLITS[:1]:
                self.writers[split] = DatasetWriter(self.out / split, self.settings.kind, in_turn=True)
        except BaseException:
            self.close()
            raise
        self._failed: dict[str, Recorded] = {}
        self._turns = {split: [slot for slot in self.slots if self.split_of(slot) == split] for split in self.writers}
        self._advance()

    def __enter__(self) -> Recording:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """Leave the folder to others."""
        for writer in self.writers.values():
            writer.close()

    def split_of(self, slot: Slot) -> str:
        """Every so many episodes of a task one is for validation; which ones does not depend on how many there are."""
        before, now = (int((slot.number + more) * self.validation + 1e-9) for more in (0, 1))
        return SPLITS[now > before]

    @property
    def entries(self) -> list[dict[str, Any]]:
        """Everything in the journals: episodes, and slots that were given up."""
        return [entry for writer in self.writers.values() for entry in writer.entries]

    @property
    def left(self) -> list[Slot]:
        """Slots that are neither in a journal nor recorded and waiting for their turn."""
        done = set().union(*(writer.keys | writer.waiting for writer in self.writers.values()))
        return [slot for slot in self.slots if slot.key not in done]

    def estimate(self) -> tuple[int, int]:
        """How many frames and bytes the slots that are left will take."""
        lengths = [entry["last"] - entry["first"] + 1 for entry in self.entries if "first" in entry]
        cost = self.settings.cost
        frames = round(len(self.left) * (sum(lengths) / len(lengths) if lengths else cost.frames))
        return frames, frames * cost.frame_bytes

    def check_room(self) -> None:
        """UserError if the disk is too small for what is left."""
        need, free = self.estimate()[1], free_bytes(self.out)
        if self.left and free < need + MARGIN:
            raise UserError(
                f"{len(self.left)} episodes take about {_size(need)}, but {self.out} has {_size(free)} left; make "
                "room, choose another --out, or give fewer --episodes"
            )

    def run(self, workers: int | str) -> Iterator[Recorded]:
        """Record what is left; yields every slot once it is safe on the disk or given up."""
        for recorded in record_slots(self.settings, self.left, workers):
            if free_bytes(self.out) < MARGIN // 4:
                raise UserError(f"{self.out} has only {_size(free_bytes(self.out))} left; make room and go on")
            slot = recorded.slot
            if recorded.episode is None:
                self._failed[slot.key] = recorded
            else:
                writer = self.writers[self.split_of(slot)]
                writer.stage(slot.key, recorded.episode, attempts=recorded.attempts, **recorded.notes)
            self._advance()
            yield recorded

    def _advance(self) -> None:
        """Commit what has its turn: in the slots' order, so that frames are numbered the same way every time."""
        for split, writer in self.writers.items():
            turns, known, waiting = self._turns[split], writer.keys, writer.waiting
            while turns:
                key = turns[0].key
                if key in waiting:
                    writer.commit(key)
                elif key in self._failed:
                    writer.skip(key, task=turns[0].task, attempts=self._failed.pop(key).attempts)
                    self._check_hope(turns[0].task)
                elif key not in known:
                    break
                turns.pop(0)

    def _check_hope(self, task: str) -> None:
        """UserError if an expert fails at all its first slots: it would go on doing so for hours."""
        told = [entry for entry in self.entries if entry["task"] == task]
        if len(told) >= HOPELESS and not any("first" in entry for entry in told):
            attempts = sum(entry["attempts"] for entry in told)
            raise UserError(
                f"the expert has failed at {task} in all of {attempts} attempts; leave it out of --tasks, or give "
                "another --noise"
            )

    def _check_settings(self) -> None:
        """The folder remembers what it was told; only --episodes and --workers may change."""
        told = json.loads(
            json.dumps({"tasks": self.tasks, "validation": self.validation, **vars(self.settings)})
        )  # as it comes back from a file
        path, defaults = self.out / SETTINGS, vars(type(self.settings)())
        try:
            if path.exists():
                before = json.loads(path.read_bytes())
                for key, value in told.items():
                    if before.get(key, defaults.get(key)) != value:
                        raise UserError(
                            f"{self.out} holds a recording with {key} {_list(before.get(key))}, not {_list(value)}; "
                            "choose another --out"
                        )
                return
            if self.out.exists() and any(self.out.iterdir()):
                raise UserError(f"{self.out} holds other files than a recording; choose another --out")
            self.out.mkdir(parents=True, exist_ok=True)
            replace_bytes(path, (json.dumps(told, indent=2) + "\n").encode())
        except UserError:
            raise
        except (OSError, ValueError) as error:
            raise UserError(f"cannot use {self.out} ({error}); choose another --out") from error


def show(recording: Recording, workers: int | str) -> None:
    """Record, with a progress bar on a terminal or a line now and then on stderr; then a table on stdout."""
    total, console = len(recording.slots), Console(stderr=True)
    done = total - len(recording.left)
    frames, size = recording.estimate()
    hands = workers if isinstance(workers, int) else cores()
    cost = f"about {frames} frames, {_size(size)} and {_time(frames * recording.settings.cost.frame_seconds / hands)}"
    print(f"{total - done} of {total} episodes to record: {cost}; {_size(free_bytes(recording.out))} are free",
          file=sys.stderr)  # fmt: skip
    columns = (BarColumn(), MofNCompleteColumn(), TextColumn("{task.description}"), TimeElapsedColumn(),
               TextColumn("ETA"), TimeRemainingColumn(elapsed_when_finished=False))  # fmt: skip
    bar = Progress(*columns, console=console, transient=True)
    watched = console.is_terminal
    task = bar.add_task("", total=total, completed=done)
    start = said = time.perf_counter()
    made = failed = new = 0
    with bar if watched else nullcontext():
        for recorded in recording.run(workers):
            new += 1
            made += len(recorded.episode.frames) if recorded.episode else 0
            failed += recorded.attempts - (recorded.episode is not None)
            now = time.perf_counter()
            text = f"{made / (now - start):.0f} frames/s, {failed} failed attempts"
            bar.update(task, advance=1, description=text)
            if not watched and now - said >= LINE:
                said, left = now, (now - start) / new * (total - done - new)
                print(f"{done + new}/{total} episodes, {text}, {_time(left)} left", file=sys.stderr)
    seconds = time.perf_counter() - start
    if new:
        print(f"{made} frames in {_time(seconds)}: {made / seconds:.0f} frames/s", file=sys.stderr)
    _report(recording)


def _report(recording: Recording) -> None:
    """What is in the folder now, on stdout."""
    table = Table("task", box=box.SIMPLE)
    for title in ("episodes", "frames", "attempts", "failed"):
        table.add_column(title, justify="right")
    counts: Counter[tuple[str, str]] = Counter()
    for entry in recording.entries:
        length = entry["last"] - entry["first"] + 1 if "first" in entry else 0
        for name in (entry["task"], "all"):
            counts[name, "episodes"] += length > 0
            counts[name, "frames"] += length
            counts[name, "attempts"] += entry["attempts"]
            counts[name, "failed"] += entry["attempts"] - (length > 0)
            counts[name, "given up"] += length == 0
    for name in (*recording.tasks, "all"):
        table.add_row(name, *(str(counts[name, key]) for key in ("episodes", "frames", "attempts", "failed")))
    paper = Console(width=None if sys.stdout.isatty() else 1000)
    paper.print(table)
    missing = counts["all", "given up"]
    note = f"; {missing} more were given up" if missing else ""
    print(f"{counts['all', 'episodes']} episodes in {recording.out}{note}")


def _list(value: Any) -> str:
    return ",".join(value) if isinstance(value, list) else str(value)


def _size(count: float) -> str:
    for unit in ("bytes", "kB", "MB"):
        if count < 1000:
            return f"{count:.0f} {unit}"
        count /= 1000
    return f"{count:.1f} GB"


def _time(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """The command line, with `settings` and `tasks` as its world understands it; raises UserError."""
    parser = Parser("python -m train.data.robot_episodes", description="Record demonstrations of experts.")
    chosen = parser.add_subparsers(dest="world", metavar="WORLD", required=True)
    for world, what in (("calvin", "the play table"), ("rlbench", "the built-in tasks of RLBench")):
        one = chosen.add_parser(
            world, help=what, allow_abbrev=False, description=f"Record demonstrations of experts: {what}.",
            epilog="The same command goes on after an interruption; a larger --episodes adds to what is there.",
        )  # fmt: skip
        add = one.add_argument
        add("--episodes", type=int, required=True, metavar="N", help="of each task")
        WORLDS[world].add_options(one)
        add("--workers", default=str(cores()), help="processes, or ray (default: one for each core, %(default)s)")
        add("--seed", type=int, default=0, help="of starts, movements and sentences (default: %(default)s)")
        add("--noise", type=float, default=1.0, help="how much the experts' movements vary; 0: not (default: 1)")
        add("--validation", type=float, default=0.1, metavar="SHARE", help="of the episodes (default: %(default)s)")
        add("--agent", default="", metavar="CHECKPOINT", help="a robot agent that acts first, so that experts begin "
            "where it errs")  # fmt: skip
    options = parser.parse_args(arguments)
    options.settings, options.tasks, default = WORLDS[options.world].make_setting(options)
    options.out = options.out or default
    if options.workers != "ray":
        if not options.workers.isdigit() or int(options.workers) < 1:
            raise UserError(f"--workers is {options.workers}; give 1 or more, or ray")
        options.workers = int(options.workers)
    if options.agent:
        robot_world(checkpoint_settings(options.agent), options.agent, options.world)
    for name, least in (("episodes", 1), ("seed", 0)):
        if getattr(options, name) < least:
            raise UserError(f"--{name} is {getattr(options, name)}; give {least} or more")
    if not 0 <= options.noise < float("inf"):
        raise UserError(f"--noise is {options.noise}; give 0 or more")
    if not 0 <= options.validation < 1:
        raise UserError(f"--validation is {options.validation}; give a share of at least 0 and less than 1")
    return options


def main(arguments: Sequence[str] | None = None) -> int:
    """Record; returns the exit status: 0, 2 after a mistake of the user, 130 after Ctrl-C."""
    os.environ.setdefault("OMP_NUM_THREADS", "1")  # the workers are what runs side by side

    def body() -> None:
        options = parse(arguments)
        with Recording(options) as recording:
            recording.check_room()
            show(recording, options.workers)

    return run_command("robot_episodes", body)


if __name__ == "__main__":
    sys.exit(main())
