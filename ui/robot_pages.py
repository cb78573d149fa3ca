"""What the robot window shows in place of the cameras: the field for an instruction, and the list of tasks."""

from __future__ import annotations

from collections.abc import Callable

import pygame

from ui.messages import WARNING, Message
from ui.robot_standing import RobotStanding
from ui.start_pages import ListPage
from ui.text_field import TextField
from ui.theme import Theme
from ui.widgets import Button, draw_text

_HOW = "Type what to do, or pick a task; Enter starts anew with it, Ctrl-Enter goes on from here, Escape goes back."


class InstructionPage(ListPage):
    """A field for an instruction, and below it the tasks in columns; the one that the words ask for is marked."""

    typing = True

    def __init__(self, session: RobotStanding, take: Callable[[str, bool], None], leave: Callable[[], None]) -> None:
        """`take` is called with the words and whether a new start is wanted, `leave` to go back."""
        self._tasks = session.benchmark.tasks
        self._sentences = [session.benchmark.sentence(task) for task in self._tasks]
        super().__init__(
            "What shall the robot do?", [(words, "") for words in self._sentences], lambda place: self.submit(place)
        )
        self._read, self._take, self._back = session.read, take, leave
        self.field = TextField(session.start.instruction)
        self.field.fresh = True
        self.message = Message(_HOW)
        self._place = pygame.Rect(0, 0, 1, 1)
        self._columns = 1
        self.verbs = [Button(*words, pygame.Rect(0, 0, 1, 1)) for words in (("new", "Start anew"),
                      ("on", "Go on from here"), ("back", "Back"))]  # fmt: skip
        self._mark()

    def place(self, rect: pygame.Rect, text: int) -> None:
        """See `ListPage`."""
        self._rect, self._text = rect, text
        high = max(14, round(2.1 * text))
        self._place = pygame.Rect(rect.left, rect.top + round(1.8 * text), rect.width, high)
        width = min(11 * text, (rect.width - 2 * text) // 3)
        for number, verb in enumerate(self.verbs):
            verb.rect = pygame.Rect(rect.left + number * (width + text), rect.bottom - high, width, high)
        self._place_lines(self._place.bottom + text)

    def _place_lines(self, top: int) -> None:
        text, rect, gap = self._text, self._rect, max(2, self._text // 3)
        room = rect.bottom - round(3 * text) - top
        self._columns = max(1, min(3, rect.width // (19 * text)))
        per_column = -(-len(self.lines) // self._columns)
        pitch = max(6, min(round(2 * text), room // per_column))
        width = (rect.width - (self._columns - 1) * gap) // self._columns
        for number, line in enumerate(self.lines):
            column, row = divmod(number, per_column)
            x, y = rect.left + column * (width + gap), top + row * pitch
            line.rect = pygame.Rect(x, y, width, max(4, pitch - max(1, text // 5)))

    def draw(self, surface: pygame.Surface, theme: Theme, pointer: tuple[int, int]) -> None:
        """See `ListPage`."""
        rect, text = self._rect, self._text
        draw_text(surface, self.heading, rect.topleft, text + 1, theme.text, bold=True, width=rect.width)
        self.field.draw(surface, self._place, theme, text, active=True, wrong=self.message.kind == WARNING)
        for number, line in enumerate(self.lines):
            line.chosen = number == self.marked
            line.draw(surface, theme, pointer)
        for verb in self.verbs:
            verb.draw(surface, theme, pointer)

    def click(self, position: tuple[int, int]) -> None:
        """Pick the task under a pixel, put the caret into the text, or do what a button says."""
        if self._place.collidepoint(position):
            self.field.point(position[0])
            self.field.fresh = False
        verb = next((verb.action for verb in self.verbs if verb.rect.collidepoint(position)), None)
        if verb == "back":
            self._back()
        elif verb is not None:
            self._take(self.field.text, verb == "new")
        else:
            super().click(position)

    def submit(self, place: int) -> None:
        """Take the task of a line."""
        self._take(self._sentences[place], True)

    def press(self, event: pygame.event.Event) -> bool:
        """See `ListPage`; the arrows go through the tasks, Enter takes what is typed."""
        if event.key in (pygame.K_UP, pygame.K_DOWN):
            self.step(1 if event.key == pygame.K_DOWN else -1)
        elif event.key in (pygame.K_RETURN, pygame.K_KP_ENTER):
            self._take(self.field.text, not event.mod & pygame.KMOD_CTRL)
        elif event.key == pygame.K_ESCAPE:
            self._back()
        else:
            before = self.field.text
            taken = self.field.press(event)
            if self.field.text != before:
                self._mark()
            return taken
        return True

    def paste(self, text: str) -> None:
        """Put a text at the caret."""
        self.field.insert(text)
        self._mark()

    def step(self, step: int) -> None:
        """Put the next task's sentence into the field."""
        super().step(step)
        if self.marked >= 0:
            self.field.write(self._sentences[self.marked])
            self.field.fresh = True
            self.message = Message(self._read(self.field.text)[1])

    def _mark(self) -> None:
        """Mark the task that the words ask for, and say what will become of them."""
        if not self.field.text.strip():
            self.marked, self.message = -1, Message(_HOW)
            return
        task, told = self._read(self.field.text)
        self.marked = self._tasks.index(task) if task is not None else -1
        self.message = Message(told)
