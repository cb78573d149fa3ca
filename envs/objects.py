"""NumPy files of objects, read without running what they say.

Such files are pickles, and a pickle can call any function. Here it can only build what data sets hold: dicts, lists,
tuples, texts, numbers and arrays of these. NumPy's own classes never see what the file says before it is checked.
"""

from __future__ import annotations

import io
import pickle
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib import format as npy

from envs.errors import UserError

_SIMPLE = re.compile(r"[biufc?SU]\d*|O8?")  # codes of plain types


class _ForbiddenError(Exception):
    """Raised when a file asks for more than data."""


class _Type:
    """Stands for a dtype while the file is read: a code, then the byte order."""

    def __init__(self, code: str, align: bool = False, copy: bool = False) -> None:
        if not isinstance(code, str) or not _SIMPLE.fullmatch(code):
            raise _ForbiddenError(f"arrays of type {code!r}")
        self.dtype = np.dtype(code)

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        if len(state) < 5 or state[1] not in ("<", ">", "|", "=") or any(part is not None for part in state[2:5]):
            raise _ForbiddenError("arrays of records")
        self.dtype = self.dtype.newbyteorder(state[1])


class _Array:
    """Stands for an array while the file is read."""

    def __init__(self, kind: Any, shape: Any, code: Any) -> None:
        self.array: np.ndarray = np.empty(0)

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        _, shape, kind, fortran, content = state
        if kind.dtype.hasobject:
            self.array = np.empty(len(content), object)
            for place, item in enumerate(content):
                self.array[place] = item
        else:
            self.array = np.frombuffer(content, kind.dtype).copy()
        self.array = self.array.reshape(shape, order="F" if fortran else "C")


def _from_buffer(content: bytes, kind: _Type, shape: tuple[int, ...], order: str, axis: Any = None) -> np.ndarray:
    return np.frombuffer(content, kind.dtype).reshape(shape, order="F" if order == "F" else "C").copy()


def _scalar(kind: _Type, content: bytes) -> Any:
    return np.frombuffer(content, kind.dtype)[0]


def _encode(text: str, encoding: str) -> bytes:
    """How older pickles spell bytes."""
    if encoding != "latin1":
        raise _ForbiddenError(f"the encoding {encoding}")
    return text.encode("latin1")


class _Call:
    """What a pickle may call; nothing about it can be changed."""

    __slots__ = ("_function",)

    def __init__(self, function: Callable[..., Any]) -> None:
        self._function = function

    def __call__(self, *arguments: Any) -> Any:
        return self._function(*arguments)

    def __setstate__(self, state: Any) -> None:
        raise _ForbiddenError("a change to what reads it")


# Name in the file -> what is called. NumPy's modules had other names before its second version.
_ALLOWED = {
    ("numpy", "ndarray"): _Call(lambda *arguments: None),
    ("numpy", "dtype"): _Call(_Type),
    ("_codecs", "encode"): _Call(_encode),
}
for _package in ("numpy.core", "numpy._core"):
    _ALLOWED[_package + ".multiarray", "_reconstruct"] = _Call(_Array)
    _ALLOWED[_package + ".multiarray", "scalar"] = _Call(_scalar)
    _ALLOWED[_package + ".numeric", "_frombuffer"] = _Call(_from_buffer)


class _Unpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in _ALLOWED:
            raise _ForbiddenError(f"it asks for {module}.{name}")
        return _ALLOWED[module, name]


def _finished(value: Any) -> Any:
    """`value` with real arrays in it."""
    if isinstance(value, _Array):
        value = value.array
    if isinstance(value, np.ndarray) and value.dtype.hasobject:
        flat = value.reshape(-1)
        for place, item in enumerate(flat):
            flat[place] = _finished(item)
        return flat.reshape(value.shape)
    if isinstance(value, dict):
        return {_finished(key): _finished(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value)(_finished(item) for item in value)
    return value


def load_array(path: Path) -> np.ndarray:
    """An array from a .npy file, objects included; the one object of a 0-d array is `load_array(path).item()`.

    Raises:
        UserError: the file is missing, damaged or of another kind, or holds other objects than data.
    """
    try:
        content = path.read_bytes()
        stream = io.BytesIO(content)
        header = npy.read_array_header_1_0 if npy.read_magic(stream) == (1, 0) else npy.read_array_header_2_0
        shape, _, dtype = header(stream)
        if not dtype.hasobject:
            return np.asarray(npy.read_array(io.BytesIO(content), allow_pickle=False))
        loaded = _finished(_Unpickler(stream).load())
        if not isinstance(loaded, np.ndarray) or loaded.shape != shape:
            raise ValueError("its header tells another shape than its content")
        return loaded
    except _ForbiddenError as error:
        raise UserError(f"{path} holds more than data ({_sentence(error)}): leave it alone and get it again") from error
    except FileNotFoundError as error:
        raise UserError(f"{path} is not there: give a folder that has it") from error
    except Exception as error:  # whatever damaged bytes make pickle and NumPy raise
        raise UserError(f"{path} is damaged ({_sentence(error)}): get it again") from error


def array_bytes(array: np.ndarray) -> bytes:
    """The content of a .npy file."""
    stream = io.BytesIO()
    npy.write_array(stream, array, allow_pickle=True)
    return stream.getvalue()


def object_bytes(value: Any) -> bytes:
    """The content of the .npy file that `np.save` makes of a dict, so that `np.load(...).item()` returns it."""
    holder = np.empty((), object)
    holder[()] = value
    return array_bytes(holder)


def _sentence(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__
