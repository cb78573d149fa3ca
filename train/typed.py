"""Checks composed settings against the dataclasses they are for, before those are built."""

from __future__ import annotations

import dataclasses
import inspect
import types
import typing
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, Union

from hydra.utils import get_object

from envs.errors import UserError
from train.words import unknown

_WORDS: dict[Any, str] = {
    int: "a whole number",
    float: "a number",
    bool: "true or false",
    str: "text",
    Path: "a path",
    type(None): "null",
}


def check_types(values: Mapping[str, Any], path: str) -> None:
    """Compare `values` with the fields of the dataclass `values["_target_"]`, nested ones included.

    Numbers, texts, booleans and literals are compared; other kinds are left to the dataclass.

    Raises:
        UserError: a key the dataclass has not, or a value of another kind, such as `stage.width is 'wide'`.
    """
    target = get_object(str(values["_target_"]))
    arguments: set[str] = set()
    if isinstance(target, types.MethodType):  # a dataclass's own constructor, such as TokenizerConfig.preset
        arguments = set(inspect.signature(target).parameters)
        target = target.__self__
    if not dataclasses.is_dataclass(target):
        return
    names = [field.name for field in dataclasses.fields(target) if field.init]
    hints = typing.get_type_hints(target)
    for key, value in values.items():
        if key.startswith("_") or key in arguments:
            continue
        if key not in names:
            raise UserError(unknown(f"key of {path}", key, names))
        if isinstance(value, Mapping):
            _check_mapping(value, f"{path}.{key}")
        else:
            _check_value(f"{path}.{key}", value, hints[key])


def _check_mapping(values: Mapping[str, Any], path: str) -> None:
    """A dataclass, or several by name."""
    if "_target_" in values:
        check_types(values, path)
        return
    for key, value in values.items():
        if isinstance(value, Mapping):
            _check_mapping(value, f"{path}.{key}")


def _check_value(path: str, value: Any, hint: Any) -> None:
    kinds: list[type] = []
    literals: list[Any] = []
    for part in _alternatives(hint):
        if typing.get_origin(part) is Literal:
            literals += typing.get_args(part)
        elif part in _WORDS:
            kinds.append(part)
        else:
            return  # a kind that is not checked here
    if value not in literals and not any(_fits(value, kind) for kind in kinds):
        choices = [*(_WORDS[kind] for kind in kinds), *map(repr, literals)]
        raise UserError(f"{path} is {value!r}; choose {' or '.join(choices)}")


def _alternatives(hint: Any) -> list[Any]:
    if typing.get_origin(hint) in (Union, types.UnionType):
        return [kind for part in typing.get_args(hint) for kind in _alternatives(part)]
    return [hint]


def _fits(value: Any, kind: type) -> bool:
    if kind is float:
        return isinstance(value, (int, float)) and not isinstance(value, bool)
    if kind is int:
        return isinstance(value, int) and not isinstance(value, bool)
    if kind is Path:
        return isinstance(value, str)
    return isinstance(value, kind)
