"""Sentences about mistakes."""

from __future__ import annotations

import difflib
from collections.abc import Sequence


def unknown(kind: str, value: str, known: Sequence[str]) -> str:
    """One sentence: "unknown model 'smal'; did you mean small? choose one of base, small"."""
    near = difflib.get_close_matches(value, known, n=1)
    hint = f"did you mean {near[0]}? " if near else ""
    return f"unknown {kind} {value!r}; {hint}choose one of {', '.join(known) or '(there are none)'}"
