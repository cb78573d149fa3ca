"""Questions about what a robot's scene camera shows; time stands still for them, as an answer holds for a moment."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from agents.pixellm.config import FRAME_SIDE
from envs.errors import UserError
from ui.asker import Asker
from ui.messages import WARNING, Message, sentence
from ui.robot_rig import Progress
from ui.robot_standing import RobotStanding


class RobotAsking(RobotStanding):
    """The part of a session that is asked.

    Attributes:
        asker: answers questions about the picture that is shown.
    """

    asker: Asker
    _orders: deque[Callable[[], Progress | None]]
    _halted = False  # time stands still for a question, and goes on behind it

    @property
    def status(self) -> Message:
        """See `RobotStanding`."""
        if self._halted and self.message is None and not self.loading:
            return Message("Time stands still for the question; Escape goes on.")
        return super().status

    def rest(self) -> None:
        """Stand still, so that what is asked about stays in the picture."""
        if not self.paused and not self.over:
            self.paused = self._halted = True

    def ask(self, question: str) -> bool:
        """Ask about the picture that is shown; the answer comes into `asker`, and stays as long as it is shown."""
        if self.loading:
            self.tell("There is no picture yet; ask again when the scene is there.", WARNING)
            return False
        try:
            self.asker.take_question(question)
        except UserError as error:
            self.tell(sentence(error), WARNING)
            return False
        self.message = None
        self.rest()
        self._orders.append(lambda: self.rig.portray(FRAME_SIDE))
        return True

    def dismiss_answer(self) -> bool:
        """Let go of a question and its answer, and go on if time stood still for them."""
        self._go_on_after_question()
        return self.asker.forget()

    def _attend_asker(self) -> bool:
        changed = self.asker.attend(self.moment, lambda text: self.tell(text, WARNING))
        if changed and not self.asker.question:
            self._go_on_after_question()
        return changed

    def _take_portrait(self, progress: Progress) -> None:
        portrait = progress.portrait
        if portrait is not None and self.asker.question:
            self.asker.look(lambda: portrait, self.moment)

    def _go_on_after_question(self) -> None:
        if self._halted:
            self._halted = self.paused = False
            self._catch_up()

    def _catch_up(self) -> None:
        raise NotImplementedError
