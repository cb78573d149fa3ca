"""Questions about frames, with answers in words and a mask for every target; see `python -m train.data.questions`."""

from train.data.questions.generator import FIXED, QuestionConfig, QuestionSet
from train.data.questions.question import MAX_TARGETS, SLOT, Question

__all__ = ["FIXED", "MAX_TARGETS", "SLOT", "Question", "QuestionConfig", "QuestionSet"]
