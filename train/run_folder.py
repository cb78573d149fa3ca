"""The folder of one run, and whether a command may use it.

`run.json` says what the run was told, `state/` holds the training state, `checkpoint/` what the stage exports,
`finished.json` the end: step, seconds, final metrics, and the command and machine it was made with.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from agents.checkpoint import replace_text
from envs.errors import UserError
from train.meters import clear_records
from train.settings import Budget
from train.state import has_states, remove_states

RUN_FILE = "run.json"
FINISHED_FILE = "finished.json"
STATE_FOLDER = "state"
CHECKPOINT_FOLDER = "checkpoint"


class RunFolder:
    """Paths and small files of one run.

    Args:
        path: the folder; made when the run starts.
        settings: what makes this run itself; a folder of other settings is refused.
        defaults: what `settings` that an older version of this program did not have were in effect.
    """

    def __init__(
        self, path: str | Path, settings: Mapping[str, Any], defaults: Mapping[str, Mapping[str, Any]] | None = None
    ) -> None:
        self.path = Path(path)
        self.state = self.path / STATE_FOLDER
        self.checkpoint = self.path / CHECKPOINT_FOLDER
        self._settings: dict[str, Any] = _as_json(settings)
        self._defaults: dict[str, Any] = _as_json(defaults or {})

    def check(self, resume: bool) -> None:
        """UserError if the folder belongs to something else than this run."""
        if not self.path.exists():
            return
        if not self.path.is_dir():
            raise UserError(f"{self.path} is a file; choose another folder with out=...")
        record = self._read(RUN_FILE)
        if record is None:
            if any(self.path.iterdir()):
                raise UserError(f"{self.path} holds other files than a run; choose another folder with out=...")
            return
        older = {key: {**values, **record.get(key, {})} for key, values in self._defaults.items()}
        change = first_difference({**record, **older}, self._settings)
        if resume and change:
            raise UserError(
                f"{self.path} holds a run with {change}; "
                "choose another folder with out=..., or start over with resume=false"
            )

    def start(self, resume: bool) -> None:
        """Make the folder; without `resume`, remove what an earlier run left of state and records.

        An old checkpoint stays until the new run exports its first.
        """
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            if not resume:
                (self.path / FINISHED_FILE).unlink(missing_ok=True)
                remove_states(self.state)
                clear_records(self.path)
            replace_text(self.path / RUN_FILE, json.dumps(self._settings, indent=2) + "\n")
        except OSError as error:
            raise UserError(f"cannot write to {self.path}: {error.strerror or error}; choose another folder") from error

    def finished(self, budget: Budget) -> dict[str, float] | None:
        """The final metrics if the run has used up this budget and its checkpoint is there, else None."""
        record = self._finish_record()
        if record is None or budget.progress(record["step"], record["elapsed_seconds"]) < 1.0:
            return None
        return dict(record["metrics"])

    @property
    def is_finished(self) -> bool:
        """Whether the run has come to its end, under whatever budget it had, and its checkpoint is there."""
        return self._finish_record() is not None

    @property
    def has_begun(self) -> bool:
        """Whether something has been learned here, finished or not."""
        return self.is_finished or has_states(self.state)

    def finish(
        self, step: int, elapsed: float, metrics: Mapping[str, float], *, command: str = "", machine: str = ""
    ) -> None:
        """Mark the end, with the last command of the run and what it ran on."""
        record = {
            "step": step, "elapsed_seconds": elapsed, "metrics": dict(metrics), "command": command, "machine": machine,
        }  # fmt: skip
        replace_text(self.path / FINISHED_FILE, json.dumps(record, indent=2) + "\n")

    def _finish_record(self) -> dict[str, Any] | None:
        record = self._read(FINISHED_FILE) if self.checkpoint.is_dir() else None
        if record is not None and not {"step", "elapsed_seconds", "metrics"} <= record.keys():
            raise UserError(f"{self.path / FINISHED_FILE} is broken; remove it to go on from the last state")
        return record

    def _read(self, name: str) -> dict[str, Any] | None:
        path = self.path / name
        try:
            return dict(json.loads(path.read_text(encoding="utf-8")))
        except FileNotFoundError:
            return None
        except (OSError, ValueError, TypeError) as error:
            raise UserError(f"{path} is broken ({error}); choose another folder with out=..., or remove it") from error


def first_difference(old: Any, new: Any, key: str = "") -> str | None:
    """ "stage.width=3 where this command says 5", or None if the two are the same.

    A group that the old settings lack altogether is the same as one that says nothing: older versions did not have it.
    """
    if old is None and _says_nothing(new):
        return None
    if isinstance(old, dict) and isinstance(new, dict):
        for name in [*old, *(name for name in new if name not in old)]:
            change = first_difference(old.get(name), new.get(name), f"{key}.{name}" if key else name)
            if change:
                return change
        return None
    return None if old == new else f"{key}={_short(old)} where this command says {_short(new)}"


def _says_nothing(value: Any) -> bool:
    if isinstance(value, dict):
        return all(_says_nothing(item) for key, item in value.items() if key != "_target_")
    return value is None


def _as_json(values: Mapping[str, Any]) -> dict[str, Any]:
    """As they come back from a file: tuples are lists, paths are texts."""
    return dict(json.loads(json.dumps(values, default=str)))


def _short(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= 60 else text[:57] + "..."
