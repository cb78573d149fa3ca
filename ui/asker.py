"""Asks a model, in a thread of its own, about what is shown, and keeps the answer as long as that is shown."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from agents.pixellm.asking import Reply, ask, put_question
from envs.errors import UserError
from ui.ask_model import check_model, load_model
from ui.messages import sentence
from ui.thinker import Thinker

if TYPE_CHECKING:  # torch, behind it, is left to the thread that loads the model
    from agents.pixellm.model import PixelLM

NOBODY = "there is no model that answers questions"


class Asker:
    """One question at a time; the front end's thread calls everything.

    Attributes:
        question: what is or was asked about what is shown; "" for nothing.
        reply: its answer, None until it comes.
        loading: whether the answer waits for the model to be loaded.
    """

    def __init__(self, load: Callable[[], PixelLM] | None = None, why_not: str = NOBODY) -> None:
        """load: the model, or the one that is there already; it runs in the thread. why_not: there is none to load."""
        self.question = ""
        self.reply: Reply | None = None
        self.loading = False
        self._load, self._why_not = load, why_not
        self._about: Hashable = None
        self._thinker: Thinker | None = None

    @property
    def busy(self) -> bool:
        """Whether an answer is awaited."""
        return bool(self.question) and self.reply is None

    def take_question(self, question: str) -> None:
        """Take a question, in place of the one before; `look` is to follow.

        Raises:
            UserError: nobody can be asked, or it is no question.
        """
        if self._load is None:
            raise UserError(self._why_not)
        put = put_question(question)
        self.forget()
        self.question = put

    def look(self, frame: Callable[[], NDArray[np.uint8]], about: Hashable) -> None:
        """Answer the question about a frame uint8 (H, W, 3) that the thread makes; `about` stands for what it shows."""
        put, load = self.question, self._load
        assert load is not None and put and about is not None

        def work() -> Reply:
            model = load()
            self.loading = False
            return ask(model, frame(), put)

        self._about, self.loading = about, True
        if self._thinker is None:
            self._thinker = Thinker("asker")
        self._thinker.ask(work)

    def attend(self, about: Hashable, tell: Callable[[str], object]) -> bool:
        """Take in an answer, and let go of it once something else is shown; whether the picture has changed.

        about: what is shown now. tell: is given a sentence where there is no answer.
        """
        if self.question and self._about not in (None, about):
            if self.busy:
                tell("What you asked about is not shown any more; ask again.")
            return self.forget()
        answer = self._thinker.take() if self._thinker is not None else None
        if answer is None or not self.question:
            return False
        if answer.error is None:
            self.reply = answer.value
            return True
        self.forget()
        error = answer.error
        if not isinstance(error, UserError):  # its traceback is in the log
            error = UserError(f"the model failed ({type(error).__name__}); ask something else")
        tell(sentence(error))
        return True

    def forget(self) -> bool:
        """Let go of question and answer; returns whether there was anything."""
        if self._thinker is not None:
            self._thinker.forget()
        asked, self.question, self.reply, self._about, self.loading = bool(self.question), "", None, None, False
        return asked

    def close(self) -> None:
        """End the thread."""
        if self._thinker is not None:
            self._thinker.close()


def make_asker(folder: Path | None) -> Asker:
    """What answers questions in a window: with the model in `folder`, or the shipped one.

    Raises:
        UserError: `folder` is named and holds no PixelLM; that the shipped one is missing is told when it is asked.
    """
    try:
        place = check_model(folder, "--ask")
    except UserError as error:
        if folder is not None:
            raise
        return Asker(None, str(error))
    return Asker(lambda: load_model(place))
