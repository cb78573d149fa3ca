"""What a run says while it goes on: averages, log lines or a progress bar, TensorBoard, `metrics.jsonl`."""

from __future__ import annotations

import json
import logging
import shutil
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from rich.logging import RichHandler
from rich.progress import BarColumn, Progress, TaskID, TaskProgressColumn, TextColumn
from torch import Tensor

from agents.checkpoint import replace_text
from train.state import Clock

METRICS_FILE = "metrics.jsonl"
TENSORBOARD_FOLDER = "tb"
_console = Console(stderr=True)


def set_up_logging() -> None:
    """Log to stderr: above the progress bar on a terminal, plain lines elsewhere."""
    plain = logging.StreamHandler(sys.stderr)
    rich = RichHandler(console=_console, show_path=False, show_level=False, markup=False, highlighter=None)
    handler: logging.Handler = rich if _console.is_terminal else plain
    layout = "%(message)s" if _console.is_terminal else "%(asctime)s %(message)s"
    logging.basicConfig(level=logging.INFO, format=layout, datefmt="%H:%M:%S", handlers=[handler], force=True)
    for name in ("lightning", "lightning.fabric", "torch"):
        logging.getLogger(name).setLevel(logging.WARNING)


class Averages:
    """Means of scalar tensors over a window, summed on their device so that a step never waits for a reading."""

    def __init__(self) -> None:
        self._sums: dict[str, Tensor] = {}
        self._counts: dict[str, int] = {}

    @torch.no_grad()
    def add(self, metrics: Mapping[str, Tensor | float]) -> None:
        """Add one step's values."""
        for key, value in metrics.items():
            scalar = torch.as_tensor(value).detach().float()
            if key in self._sums:
                self._sums[key] = self._sums[key] + scalar
                self._counts[key] += 1
            else:
                self._sums[key], self._counts[key] = scalar, 1

    def take(self) -> dict[str, Tensor]:
        """The means since the last call."""
        means = {key: total / self._counts[key] for key, total in self._sums.items()}
        self._sums.clear()
        self._counts.clear()
        return means


class Window:
    """The steps since the last log line: their averages, their number, and where their time went."""

    def __init__(self) -> None:
        self.averages = Averages()
        self.steps = 0
        self.counted = 0
        self.data_seconds = 0.0
        self.data_share = 0.0
        self._start = time.perf_counter()
        self._per_step = 0.0

    @property
    def seconds_per_step(self) -> float:
        """Mean over the last full window, or over this one where there is none."""
        if self._per_step or not self.steps:
            return self._per_step
        return (time.perf_counter() - self._start) / self.steps

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Leave what is done meanwhile out of the window."""
        start = time.perf_counter()
        yield
        self._start += time.perf_counter() - start

    def restart(self) -> float:
        """Close the window; its seconds. `counted` and `data_share` tell its steps and the share spent on data."""
        now = time.perf_counter()
        seconds = max(now - self._start, 1e-9)
        self.counted, self.data_share = self.steps, self.data_seconds / seconds
        self._per_step = seconds / max(1, self.steps)
        self.steps, self.data_seconds, self._start = 0, 0.0, now
        return seconds


class Reporter:
    """Writes the log of one run folder; on other ranks than 0 (`enabled=False`) it stays silent.

    Args:
        folder: the run folder.
        title: name before each line.
        step: step the run starts from; records beyond it (of a run that was killed) are dropped.
    """

    def __init__(self, folder: Path, title: str, step: int, *, enabled: bool) -> None:
        self._title = title
        self._log = logging.getLogger("train")
        self._enabled = enabled
        self._bar: Progress | None = None
        if not enabled:
            return
        self._path = folder / METRICS_FILE
        _drop_after(self._path, step)
        self._stream = self._path.open("a", encoding="utf-8")
        from torch.utils.tensorboard import SummaryWriter  # slow to import, needed by rank 0 alone

        self._board = SummaryWriter(str(folder / TENSORBOARD_FOLDER), purge_step=step + 1)
        self._task = TaskID(0)
        if _console.is_terminal:
            self._bar = Progress(
                TextColumn("{task.description}"),
                BarColumn(bar_width=24),
                TaskProgressColumn(),
                TextColumn("{task.fields[eta]}  {task.fields[line]}"),
                console=_console,
            )
            self._task = self._bar.add_task(title, total=1.0, eta="", line="")
            self._bar.start()

    def say(self, text: str) -> None:
        """One line for the reader."""
        if self._enabled:
            self._log.info("%s: %s", self._title, text)

    def moved(self, progress: float, eta: float) -> None:
        """Move the bar, if there is one."""
        if self._bar is not None:
            self._bar.update(self._task, completed=progress, eta=f"ETA {duration(eta)}")

    def record(self, kind: str, clock: Clock, progress: float, eta: float, values: Mapping[str, float]) -> None:
        """Log averages ("train") or an evaluation ("eval") taken at `clock`."""
        if not self._enabled:
            return
        row: dict[str, Any] = {"kind": kind, "step": clock.step, "elapsed_seconds": round(clock.elapsed, 3), **values}
        self._stream.write(json.dumps(row) + "\n")
        self._stream.flush()
        for key, value in values.items():
            self._board.add_scalar(f"{kind}/{key}", value, clock.step)
        line = "  ".join(f"{key} {number(value)}" for key, value in values.items())
        if kind == "train" and self._bar is not None:  # a terminal is narrow; metrics.jsonl has the rest
            short = "  ".join(f"{key} {number(values[key])}" for key in ("loss", "samples/s") if key in values)
            self._bar.update(self._task, completed=progress, line=f"step {clock.step}  {short}")
        elif kind == "train":
            self.say(f"step {clock.step}  {progress:.1%}  ETA {duration(eta)}  {line}")
        else:
            self.say(f"step {clock.step}  evaluation  {line}")

    def close(self) -> None:
        """Stop the bar and close the files."""
        if not self._enabled:
            return
        if self._bar is not None:
            self._bar.stop()
        self._board.close()
        self._stream.close()


def clear_records(folder: Path) -> None:
    """Remove the records of an earlier run."""
    (folder / METRICS_FILE).unlink(missing_ok=True)
    shutil.rmtree(folder / TENSORBOARD_FOLDER, ignore_errors=True)


def _drop_after(path: Path, step: int) -> None:
    """Keep the rows up to `step`; a half row of a killed run goes too."""
    if not path.is_file():
        return
    kept = []
    for line in path.read_text(encoding="utf-8").splitlines():
        try:
            row = json.loads(line)
        except ValueError:
            continue
        if row.get("step", 0) <= step:
            kept.append(line + "\n")
    replace_text(path, "".join(kept))


def duration(seconds: float) -> str:
    """ "4:05" or "1:02:03"."""
    whole = round(max(0.0, seconds))
    hours, minutes = divmod(whole // 60, 60)
    return f"{hours}:{minutes:02d}:{whole % 60:02d}" if hours else f"{minutes}:{whole % 60:02d}"


def number(value: float) -> str:
    """A number in few characters."""
    if value == 0 or 0.001 <= abs(value) < 10000:
        return f"{value:.4g}"
    return f"{value:.2e}"


def quantity(value: float) -> str:
    """A count with a unit prefix: "1.25 M"."""
    for size, prefix in ((1e15, "P"), (1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= size:
            return f"{value / size:.3g} {prefix}"
    return f"{value:.3g} "
