"""What stands beside a robot's cameras: who acts, how fast, where, the figures, and how sure the agent is."""

from __future__ import annotations

import pygame
from numpy.typing import NDArray

from ui.robot_benchmark import ACTION_NAMES
from ui.robot_rig import ACTORS, AGENT, EXPERT, YOU
from ui.robot_speeds import SPEEDS
from ui.robot_standing import RobotStanding
from ui.theme import Theme
from ui.widgets import Button, disc_surface, draw_box, draw_text

_ACTORS = {AGENT: "Agent", EXPERT: "Expert", YOU: "You"}
_LEAST_ROOM = 12  # lines of words; of what may stand in place of figures and graph
_LEAST_GRAPH = 5  # lines of words; a lower graph tells nothing


class RobotPanel:
    """Rows of buttons, then figures, then the graph; what has no room is left out.

    Attributes:
        room: what stands below the buttons, for something else to stand there; all of it where that is little.
    """

    def __init__(self) -> None:
        self.text = 14
        self.rect = self.room = self._figures = self._graph = pygame.Rect(0, 0, 0, 0)
        self.buttons: list[Button] = []
        self._rows: list[tuple[str, pygame.Rect]] = []

    def place(self, rect: pygame.Rect, text: int, session: RobotStanding) -> None:
        """Take `rect`, with words `text` pixels high."""
        self.rect, self.text = rect, text
        self.buttons, self._rows = [], []
        bench = session.benchmark
        rows = [
            ("Acts", [(actor, _ACTORS[actor]) for actor in ACTORS]),
            ("Time", [("run", "Pause"), ("next", "Step")]),
            ("Speed", [(f"speed {speed}", word) for speed, word in SPEEDS.items()]),
            ("Start", [("new", "New"), ("again", "Same again")]),
            *([("Scene", [(f"scene {scene}", scene) for scene in bench.scenes])] if len(bench.scenes) > 1 else []),
            ("Record", [("record", "Record"), ("discard", "Discard")]),
            ("", [("instruct", "Instruction"), ("ask", "Ask"), ("help", "Keys")]),
        ]
        wide = rect.width > 1.3 * rect.height and rect.width > 44 * text
        columns = 2 if wide else 1
        column = (rect.width - (columns - 1) * 2 * text) // columns
        if column < 20 * text:
            rows[2] = ("Speed", [("slower", "Slower"), ("faster", "Faster")])
        height, pitch = round(1.9 * text), round(2.35 * text)
        per_column = -(-len(rows) // columns) if wide else len(rows)
        pitch = max(10, min(pitch, rect.height // max(1, per_column)))
        height = min(height, pitch - 2)
        bottom = rect.top
        for number, (label, buttons) in enumerate(rows):
            which, row = divmod(number, per_column)
            left, top = rect.left + which * (column + 2 * text), rect.top + row * pitch
            if top + height > rect.bottom:
                continue
            head = round(4.2 * text) if label else 0
            self._rows.append((label, pygame.Rect(left, top, column, height)))
            gap = max(2, text // 4)
            width = (column - head - (len(buttons) - 1) * gap) / len(buttons)
            for place, (action, words) in enumerate(buttons):
                x = left + head + round(place * (width + gap))
                self.buttons.append(Button(action, words, pygame.Rect(x, top, round(width), height)))
            bottom = max(bottom, top + pitch)
        top, figures = bottom + text // 2, round(1.55 * text)
        below = pygame.Rect(rect.left, top, rect.width, max(0, rect.bottom - top))
        self.room = below if below.height >= _LEAST_ROOM * text else rect
        count = 2 if wide else 4
        self._figures = self._graph = pygame.Rect(0, 0, 0, 0)
        if top + count * figures <= rect.bottom:
            self._figures = pygame.Rect(rect.left, top, rect.width, count * figures)
            top += count * figures + text // 2
        if top + _LEAST_GRAPH * text <= rect.bottom:
            self._graph = pygame.Rect(rect.left, top, rect.width, min(rect.bottom - top, 20 * text))

    def action_at(self, position: tuple[int, int]) -> str | None:
        """Return the action of the button under a pixel, if there is one."""
        return next((b.action for b in self.buttons if b.rect.collidepoint(position)), None)

    def draw(self, surface: pygame.Surface, session: RobotStanding, pointer: tuple[int, int], theme: Theme) -> None:
        """Draw everything."""
        for label, rect in self._rows:
            draw_text(surface, label, rect.midleft, max(8, self.text - 1), theme.muted, anchor="midleft")
        for button in self.buttons:
            self._set(button, session)
            button.draw(surface, theme, pointer)
        if self._figures.height:
            self._draw_figures(surface, session, theme)
        if self._graph.height:
            self._draw_graph(surface, session, theme)

    @staticmethod
    def _set(button: Button, session: RobotStanding) -> None:
        """What a button says and whether it is the chosen one of several."""
        action = button.action
        kind, _, value = action.partition(" ")
        if action in ACTORS:
            button.chosen, button.enabled = session.actor == action, not session.why_not(action)
        elif action == "run":
            button.label = "Go on" if session.paused or session.over else "Pause"
        elif action == "next":
            button.enabled = not session.over
        elif kind == "speed":
            button.chosen = session.speed == float(value)
        elif kind == "scene":
            button.chosen = session.start.scene == value
        elif action == "record":
            button.chosen, button.label = session.folder is not None, "Recording" if session.folder else "Record"
        elif action == "discard":
            button.enabled = session.recorded is not None

    def _draw_figures(self, surface: pygame.Surface, session: RobotStanding, theme: Theme) -> None:
        rect, small = self._figures, max(8, self.text - 1)
        thought = session.looks[-1].thought if session.looks else None
        now, hz = session.now, session.benchmark.hz
        limit = "" if session.actor == YOU else f" of {session.stop}"
        pace = f"{session.hz:.0f} steps a second" if session.hz else "standing still"
        figures = [
            ("step", f"{session.steps}{limit}, {session.steps / hz:.1f} s"),
            (f"pace at {SPEEDS[session.speed]}", pace),
            ("last look of the agent took", f"{thought.milliseconds:.0f} ms" if thought is not None else "-"),
            ("gripper", _gripper(now.view.opening, now.view.closed) if now is not None else "-"),
        ]
        columns = 2 if rect.height < 3 * self.text * 1.5 else 1
        width, pitch = (rect.width - (columns - 1) * 2 * self.text) // columns, rect.height // (4 // columns)
        for number, (words, figure) in enumerate(figures):
            column, row = divmod(number, 4 // columns)
            left, top = rect.left + column * (width + 2 * self.text), rect.top + row * pitch
            edge = draw_text(surface, figure, (left + width, top), small, theme.text, anchor="topright").left
            draw_text(surface, words, (left, top), small, theme.muted, width=max(1, edge - left - small))

    def _draw_graph(self, surface: pygame.Surface, session: RobotStanding, theme: Theme) -> None:
        """The agent's confidence, look by look, over the time that there is."""
        rect, small = self._graph, max(8, self.text - 2)
        draw_box(surface, rect, theme.panel, max(3, self.text // 2))
        pad, head = self.text // 2, round(1.5 * small)
        graph = pygame.Rect(rect.left + pad, rect.top + pad + head, rect.width - 2 * pad, rect.height - 2 * pad - head)
        looks = session.looks
        words = "Confidence of the agent's plans"
        if looks:
            words = f"Confidence {100 * looks[-1].thought.confidence:.0f} % at step {looks[-1].step}"
        draw_text(surface, words, (graph.left, rect.top + pad), small, theme.muted, width=graph.width)
        for share in (0.0, 0.5, 1.0):
            y = graph.bottom - round(share * graph.height)
            pygame.draw.line(surface, theme.edge, (graph.left, y), (graph.right, y))
        length = max(session.benchmark.limit, session.steps, 1)
        points = [
            (
                graph.left + round(graph.width * look.step / length),
                graph.bottom - round(min(1.0, look.thought.confidence) * graph.height),
            )
            for look in looks
        ]
        if len(points) > 1:
            pygame.draw.aalines(surface, theme.accent, False, points)
        for point in points[-1:]:
            disc = disc_surface(max(2, self.text // 4), theme.accent)
            surface.blit(disc, disc.get_rect(center=point))
        here = graph.left + round(graph.width * session.steps / length)
        pygame.draw.line(surface, theme.muted, (here, graph.top), (here, graph.bottom))


def _gripper(opening: float, closed: bool) -> str:
    return f"{'closed' if closed else 'open'}, {100 * max(0.0, opening):.1f} cm"


def draw_action(
    surface: pygame.Surface, rect: pygame.Rect, action: NDArray | None, closed: bool, theme: Theme, text: int
) -> None:
    """The seven numbers of an action as bars to both sides of 0, as many as have room."""
    small = max(8, text - 2)
    if rect.height < 3 * small or rect.width < 6 * small:
        return
    draw_box(surface, rect, theme.panel, max(3, text // 2))
    pad, count = max(3, text // 2), len(ACTION_NAMES)
    pitch = min(round(2.2 * text), (rect.height - 2 * pad) // count)
    if pitch < small:
        return
    labels, numbers = round(4.3 * small), round(3.2 * small)
    if rect.width < labels + numbers + 5 * small:
        numbers = 0
    room = pygame.Rect(rect.left + pad + labels, 0, rect.width - 2 * pad - labels - numbers, max(3, pitch // 2))
    top = rect.top + (rect.height - count * pitch) // 2
    for number, name in enumerate(ACTION_NAMES):
        middle = top + number * pitch + pitch // 2
        draw_text(surface, name, (rect.left + pad, middle), small, theme.muted, anchor="midleft", width=labels - 2)
        room.centery = middle
        pygame.draw.rect(surface, theme.raised, room, border_radius=2)
        value = 0.0 if action is None else max(-1.0, min(1.0, float(action[number])))
        if name == "gripper":
            words = "closed" if closed else "open"
            value = -1.0 if closed else 1.0
        else:
            words = f"{value:+.2f}"
        bar = room.copy()
        bar.width = round(abs(value) * room.width / 2)
        bar.left = room.centerx if value > 0 else room.centerx - bar.width
        pygame.draw.rect(surface, theme.accent, bar, border_radius=2)
        pygame.draw.line(surface, theme.muted, (room.centerx, room.top - 1), (room.centerx, room.bottom))
        if numbers:
            draw_text(surface, words, (rect.right - pad, middle), small, theme.text, anchor="midright", width=numbers)
