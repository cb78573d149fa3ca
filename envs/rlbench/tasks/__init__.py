"""The built-in tasks, one a file: each file NAME.py holds the task NAME as `TASK`, and there is no other list.

Files whose names begin with "_" hold what several tasks share.
"""

from __future__ import annotations

import difflib
import importlib
import pkgutil

from envs.errors import UserError
from envs.rlbench.task import Task


def task_names() -> tuple[str, ...]:
    """The names of all tasks, sorted; looks into the folder anew each time."""
    return tuple(sorted(module.name for module in pkgutil.iter_modules(__path__) if not module.name.startswith("_")))


def check_task(name: str) -> str:
    """Return `name` if there is such a task; else UserError with those that look like it."""
    names = task_names()
    if name not in names:
        near = difflib.get_close_matches(str(name), names, 3, 0.5) or names
        raise UserError(f"task {name!r} is unknown; choose one of {', '.join(near)}")
    return name


def task_named(name: str) -> Task:
    """The task of that name; UserError if there is none."""
    task = importlib.import_module(f"{__name__}.{check_task(name)}").TASK
    assert isinstance(task, Task) and task.name == name, f"{name}.py must hold the task {name!r} as TASK"
    return task


def check_variation(name: str, variation: int) -> int:
    """Return `variation` if the task of that name has it; else UserError."""
    count = task_named(name).variations
    if isinstance(variation, bool) or not isinstance(variation, int) or not 0 <= variation < count:
        there = "only variation 0" if count == 1 else f"variations 0 to {count - 1}"
        raise UserError(f"variation {variation!r} is out of range; {name} has {there}")
    return variation
