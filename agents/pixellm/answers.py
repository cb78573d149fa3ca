"""Answers: a text, and the targets it speaks of."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from agents.pixellm.words import SLOT

# A phrase does not reach back beyond these
_BOUNDARY = re.compile(
    r"[,;:.!?()]|\b(?:is|are|was|were|be|has|have|play|played|and|or|than|with|not|but)\b", re.IGNORECASE
)
_DETERMINER = re.compile(r"\b(?:the|a|an|this|that|its|your)\b", re.IGNORECASE)


@dataclass(frozen=True)
class Target:
    """What an answer points at.

    span: (start, end) of its phrase in the text. mask: bool (H, W), of the image that was asked about. score: how sure
    the model is of the mask, a guess at its IoU, in 0..1.
    """

    span: tuple[int, int]
    mask: NDArray[np.bool_]
    score: float


@dataclass(frozen=True)
class Answer:
    """A text without slots, and its targets in the order they are spoken of."""

    text: str
    targets: list[Target]

    @property
    def slotted(self) -> str:
        """The text with a slot behind each target's phrase, as training answers are written."""
        pieces, start = [], 0
        for target in self.targets:
            pieces.append(self.text[start : target.span[1]])
            start = target.span[1]
        return f" {SLOT}".join([*pieces, self.text[start:]])

    @property
    def parts(self) -> list[tuple[str, int | None]]:
        """The text in pieces, each with the number of the target that it calls, counted from 0; None beside these."""
        pieces: list[tuple[str, int | None]] = []
        start = 0
        for number, target in enumerate(self.targets):
            pieces += [(self.text[start : target.span[0]], None), (self.phrase(target), number)]
            start = target.span[1]
        pieces.append((self.text[start:], None))
        return [(text, number) for text, number in pieces if text or number is not None]

    def phrase(self, target: Target) -> str:
        """What the answer calls a target."""
        return self.text[slice(*target.span)]


def phrase_spans(pieces: Sequence[str]) -> tuple[str, list[tuple[int, int]]]:
    """The text of an answer and the spans of its targets' phrases, from the texts around its groups.

    A phrase ends where the group stood. It begins behind the last verb, conjunction or punctuation mark since the
    group before, and there with the first article, if any: "... is left of | the drawer handle".
    """
    text, spans = pieces[0], []
    since = 0
    for following in pieces[1:]:
        end = len(text)
        start = max((match.end() for match in _BOUNDARY.finditer(text, since, end)), default=since)
        article = _DETERMINER.search(text, start, end)
        start = article.start() if article else start
        start += len(text[start:end]) - len(text[start:end].lstrip())
        spans.append((start, end))
        text += following
        since = end
    return text, spans
