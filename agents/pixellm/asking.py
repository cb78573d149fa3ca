"""A person's question, put as those of training are put, and what came of it."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from agents.pixellm.answers import Answer
from agents.pixellm.coco import box_of, encode
from agents.pixellm.words import WORD
from envs.errors import UserError

if TYPE_CHECKING:  # torch, behind it, is left to whoever loads a model
    from agents.pixellm.model import PixelLM
    from agents.pixellm.words import Words

MOST_LETTERS = 5000  # of a question; a longer one is not even cut into tokens
_QUOTED = 40  # letters of what is told back
UNSURE = 0.5  # a mask with a lower score is told of
_ASKS = re.compile(
    r"(?:which|where|what|who|whose|how|is|are|was|were|does|do|did|has|have|can|could|would|will|should)\b", re.I
)


@dataclass(frozen=True)
class Reply:
    """A question as it was put, its answer, and what people should know about it, as sentences."""

    question: str
    answer: Answer
    notes: tuple[str, ...] = ()

    def record(self, source: str) -> dict[str, Any]:
        """All of it for JSON: masks are COCO's run-length codes. source: of the picture.

        Raises:
            UserError: pycocotools is not installed.
        """
        answer = self.answer
        return {
            "source": source,
            "question": self.question,
            "text": answer.text,
            "targets": [
                {
                    "phrase": answer.phrase(target),
                    "span": list(target.span),
                    "score": round(target.score, 4),
                    "segmentation": encode(target.mask),
                    "area": int(target.mask.sum()),
                    "bbox": box_of(target.mask),
                }
                for target in answer.targets
            ],
            "notes": list(self.notes),
        }


def ask(model: PixelLM, image: NDArray[np.uint8], question: str) -> Reply:
    """Ask a model about a picture uint8 (H, W, 3).

    Raises:
        UserError: the question is empty, too long, or not made of words that the model has learned.
    """
    put = put_question(question)
    strange = unknown_words(model.words, put) if model.config.backbone == "llama" else []
    notes = _judge(put, strange)
    answer = model.answer(image, put)
    return Reply(put, answer, (*notes, *doubts(answer)))


def put_question(text: str) -> str:
    """A question as training puts it: on one line, with a capital in front and a mark behind; UserError as in `ask`."""
    if len(text) > MOST_LETTERS:
        raise UserError(f"the question has {len(text)} characters: ask in fewer words")
    # Letters that no encoding has come from a terminal of another
    printable = "".join(letter if letter.isprintable() else " " for letter in text.encode("utf-8", "replace").decode())
    put = " ".join(printable.split())
    if not any(letter.isalnum() for letter in put):
        what = f"the question {put[:_QUOTED]!r} has no word" if put else "the question is empty"
        raise UserError(f"{what}: ask something about the picture")
    put = put[0].upper() + put[1:]
    if put[-1] not in ".?!":
        put += "?" if _ASKS.match(put) else "."
    return put


def doubts(answer: Answer) -> tuple[str, ...]:
    """What an answer itself gives away of being wrong, as sentences."""
    phrases = [answer.phrase(target).lower() for target in answer.targets]
    twice = next((phrase for phrase in phrases if phrases.count(phrase) > 1), None)
    found = [] if twice is None else [f"The answer may be wrong: it names {twice!r} more than once."]
    if not answer.text.rstrip().endswith((".", "!", "?")):
        found.append("The answer may be wrong: it does not come to an end.")
    worst = min(answer.targets, key=lambda target: target.score, default=None)
    if worst is not None and worst.score < UNSURE:
        found.append(f"The model is unsure of what it marks as {answer.phrase(worst)!r} ({worst.score:.2f} of 1).")
    return tuple(found)


def unknown_words(words: Words, text: str) -> list[str]:
    """The words of a text that the questions and answers of training did not have, and its emoji."""
    strange = [word for word in WORD.findall(text) if not words.knows(word)]
    return strange + [letter for letter in text if unicodedata.category(letter) == "So"]


def _judge(question: str, strange: list[str]) -> tuple[str, ...]:
    """What to say about words that are not known; UserError where they are most of them."""
    if not strange:
        return ()
    known = len(WORD.findall(question)) - sum(word.isalpha() for word in strange)
    named = ", ".join(repr(word) for word in dict.fromkeys(strange))
    named = named if len(named) <= _QUOTED else named[:_QUOTED].rstrip(" ,'") + " ..."
    if known < len(strange):
        raise UserError(f"the model has not learned {named}: ask in English about what the picture shows")
    verb = "is a word" if len(set(strange)) == 1 else "are words"
    return (f"The answer may be wrong: {named} {verb} that this model has not learned.",)
