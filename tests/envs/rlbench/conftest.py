"""What the tests of RLBench's adapter share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.envs.rlbench.fake_rlbench import installed


@pytest.fixture
def sim(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Any]:
    """The simulator of the stand-ins, which are installed."""
    with installed(monkeypatch, tmp_path) as module:
        yield module
