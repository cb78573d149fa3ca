"""Names of tasks."""

import importlib


class InvalidTaskName(Exception):  # noqa: N818  as the real one
    pass


def name_to_task_class(task_file):
    try:
        module = importlib.import_module(f"rlbench.tasks.{task_file}")
    except ModuleNotFoundError as error:
        raise InvalidTaskName(task_file) from error
    return getattr(module, "".join(word.capitalize() for word in task_file.split("_")))
