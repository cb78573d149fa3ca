"""The game from its first move to its last as a graph of the agent's confidence; a click goes to a move."""

from __future__ import annotations

import pygame

from envs.go.rules import BLACK, WHITE, colour_name
from ui.standing import Standing
from ui.theme import Theme
from ui.thoughts import Considered
from ui.widgets import disc_surface, draw_box, draw_text, fitting


class Timeline:
    """A bar below the board: moves from left to right, the probability of the agent's own choice upwards."""

    def __init__(self, theme: Theme) -> None:
        self.theme = theme
        self.rect = pygame.Rect(0, 0, 1, 1)
        self.text = 11
        self._length = 0

    def place(self, rect: pygame.Rect, text: int) -> None:
        """Take `rect`, with words `text` pixels high."""
        self.rect, self.text = rect, text

    @property
    def _graph(self) -> pygame.Rect:
        """Where the curves are, below the line of words if there is room for one."""
        pad = max(4, self.text // 2)
        graph = self.rect.inflate(-4 * pad, -2 * pad)
        if self._worded:
            head = round(1.4 * self.text)  # the words, and a dot on the top line
            graph.height, graph.top = graph.height - head, graph.top + head
        return graph

    @property
    def _worded(self) -> bool:
        return self.rect.height >= 4 * self.text

    def _x(self, ply: int) -> int:
        graph = self._graph
        return graph.left + round(graph.width * ply / max(1, self._length))

    def ply_at(self, position: tuple[int, int]) -> int | None:
        """The number of moves before the position that a pixel stands for; None beside the bar or without moves."""
        if not self.rect.collidepoint(position) or not self._length:
            return None
        graph = self._graph
        share = (position[0] - graph.left) / max(1, graph.width)
        return max(0, min(self._length, round(share * self._length)))

    def draw(self, surface: pygame.Surface, match: Standing, pointer: tuple[int, int]) -> None:
        """Draw the graph of the game that is shown, and where in it one is."""
        if self.rect.height < 16:
            return
        theme, graph = self.theme, self._graph
        self._length = len(match.line.history)
        draw_box(surface, self.rect, theme.panel, max(3, self.text // 2))
        known = [
            entry for entry in match.shown_thoughts if entry.ply <= self._length and entry.decision.thought.candidates
        ]
        for share in (0.0, 0.5, 1.0):
            y = graph.bottom - round(share * graph.height)
            pygame.draw.line(surface, theme.edge, (graph.left, y), (graph.right, y))
        for colour in (BLACK, WHITE):
            self._curve(surface, [entry for entry in known if entry.colour == colour], colour)
        if self._length:
            here = self._x(match.shown_ply)
            pygame.draw.line(surface, theme.accent, (here, graph.top - 2), (here, graph.bottom + 2), 2)
        hovered = self.ply_at(pointer)
        if hovered is not None:
            x = self._x(hovered)
            pygame.draw.line(surface, theme.muted, (x, graph.top), (x, graph.bottom))
        if self._worded:
            ply, size = hovered if hovered is not None else match.shown_ply, max(8, self.text - 2)
            words = fitting(_words(known, ply, self._length), size, graph.width)
            place = (graph.left, self.rect.top + max(3, self.text // 3))
            draw_text(surface, words, place, size, theme.muted, width=graph.width)

    def _curve(self, surface: pygame.Surface, entries: list[Considered], colour: int) -> None:
        graph, theme = self._graph, self.theme
        points = []
        for entry in entries:
            if (share := entry.decision.thought.confidence) is not None:
                points.append((self._x(entry.ply), graph.bottom - round(min(1.0, share) * graph.height)))
        if len(points) > 1:
            pygame.draw.aalines(surface, theme.edge if colour == BLACK else theme.muted, False, points)
        radius = max(2, min(self.rect.height // 16, graph.width // max(1, 3 * self._length)))
        for point in points:
            for disc in (
                disc_surface(radius + 1, theme.muted),
                disc_surface(radius, theme.mark_on_white if colour == BLACK else theme.mark_on_black),
            ):
                surface.blit(disc, disc.get_rect(center=point))


def _words(known: list[Considered], ply: int, length: int) -> tuple[str, ...]:
    """What the graph says about the position after `ply` moves, or the last thought before it; the longest first."""
    if not length:
        return "Confidence: how sure the agent is of its own choice, move by move.", "Confidence, move by move"
    entry = next((entry for entry in reversed(known) if entry.ply <= ply), None)
    share = entry.decision.thought.confidence if entry is not None else None
    place = f"Confidence: after move {ply} of {length}"
    if entry is None or share is None:
        return place, f"Move {ply} of {length}"
    when = "" if entry.ply == ply else f" at move {entry.ply + 1}"
    sure = f"{100 * share:.0f} % sure{when}"
    return f"{place}, {entry.name} {sure} as {colour_name(entry.colour)}", f"Move {ply} of {length}: {sure}"
