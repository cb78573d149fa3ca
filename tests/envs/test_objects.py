"""Object arrays are read as data alone: what NumPy writes comes back, what calls something is refused."""

from __future__ import annotations

import os
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from envs.errors import UserError
from envs.objects import load_array, object_bytes

ANNOTATIONS: dict[str, Any] = {
    "language": {"ann": ["open it", "close it"], "task": ["a", "b"], "emb": np.ones((2, 1, 384), np.float32)},
    "info": {"episodes": [], "indx": [(0, 63), (np.int64(70), np.int64(99))]},
    "texts": np.array(["ab", "c"]),
    "objects": np.array(["a", None, 2.5], object),
    "columns": np.asfortranarray(np.arange(6).reshape(2, 3)),
    "big": np.arange(3, dtype=">i4"),
    "number": np.float32(3),
    "yes": np.array([True]),
}


def write(path: Path, value: Any, protocol: int) -> None:
    """As NumPy writes object arrays, but with any pickle."""
    with path.open("wb") as file:
        np.lib.format.write_array_header_1_0(file, {"descr": "|O", "fortran_order": False, "shape": ()})
        pickle.dump(value, file, protocol)


@pytest.mark.parametrize("protocol", range(2, 6))
def test_what_numpy_writes_comes_back(tmp_path: Path, protocol: int) -> None:
    holder = np.empty((), object)
    holder[()] = ANNOTATIONS
    write(tmp_path / "x.npy", holder, protocol)
    read = load_array(tmp_path / "x.npy").item()
    assert str(read) == str(ANNOTATIONS)
    assert read["language"]["emb"].dtype == np.float32 and read["big"].dtype == np.dtype(">i4")
    assert read["info"]["indx"] == ANNOTATIONS["info"]["indx"] and isinstance(read["info"]["indx"][0], tuple)


def test_object_bytes_are_those_of_np_save(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", ANNOTATIONS, allow_pickle=True)  # type: ignore[arg-type]
    assert (tmp_path / "x.npy").read_bytes() == object_bytes(ANNOTATIONS)
    np.save(tmp_path / "y.npy", np.arange(3))
    assert load_array(tmp_path / "y.npy").tolist() == [0, 1, 2]


class Calls:
    """Pickled as a call."""

    def __init__(self, function: Any, *arguments: Any, state: Any = None) -> None:
        self.told = (function, arguments) if state is None else (function, arguments, state)

    def __reduce__(self) -> Any:
        return self.told


def malicious(path: Path) -> dict[str, Any]:
    reconstruct = np.empty(0).__reduce__()[0]
    return {
        "command": Calls(os.system, f"touch {path}"),
        "eval": Calls(eval, f"open({str(path)!r}, 'w')"),
        "hidden in a list": [1, {"a": Calls(os.mkdir, str(path))}],
        "an array of another class": Calls(reconstruct, np.matrix, (0,), b"b"),
        "records with objects": np.zeros(1, [("a", object)]),
        "a pointer": Calls(np.ndarray, (1,), "O", b"12345678"),
        "a file": Calls(np.lib.npyio.DataSource, str(path)),
    }


@pytest.mark.parametrize("name", malicious(Path("x")))
def test_what_calls_something_is_refused(tmp_path: Path, name: str) -> None:
    trace = tmp_path / "trace"
    write(tmp_path / "x.npy", malicious(trace)[name], 4)
    with pytest.raises(UserError, match=r"x.npy (holds more than data|is damaged) \("):
        load_array(tmp_path / "x.npy")
    assert not trace.exists()


@pytest.mark.parametrize("content", [b"", b"nothing", b"\x93NUMPY\x01\x00", object_bytes(ANNOTATIONS)[:-100]])
def test_damage_is_one_sentence(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "x.npy").write_bytes(content)
    with pytest.raises(UserError, match="x.npy is damaged .*: get it again"):
        load_array(tmp_path / "x.npy")
    with pytest.raises(UserError, match="y.npy is not there"):
        load_array(tmp_path / "y.npy")
