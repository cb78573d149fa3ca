"""The window for a robot at work."""

from __future__ import annotations

from ui.robot_screen import RobotScreen
from ui.robot_session import RobotSession
from ui.settings import Settings
from ui.window import Window


class RobotWindow(Window):
    """A resizable window for one session."""

    ticks = 60

    def __init__(
        self,
        session: RobotSession,
        *,
        settings: Settings | None = None,
        size: tuple[int, int] | None = None,
        title: str = "VideoWorld robot",
    ) -> None:
        """Open the window; raises NoDisplayError where there is no display. See `Window` for the arguments."""
        self.session = session
        self.without_display = f"use python -m agents.rollout {session.benchmark.world}, which needs none"
        super().__init__(settings, size, title)
        self.enter(RobotScreen(session, self.surroundings, self.do))

    def played(self) -> tuple[RobotSession]:
        """See `Window`."""
        return (self.session,)
