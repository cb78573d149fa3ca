"""What the agent saw, the frames it imagines and the moves it weighed, beside the board."""

from __future__ import annotations

import pygame

from agents.agent import Candidate, Frame
from envs.go.coords import point_to_gtp
from envs.go.renderer import BoardGeometry
from ui.standing import Standing
from ui.theme import Colour, Theme
from ui.thoughts import Considered, differing_points, expectation, rejection_clause
from ui.widgets import draw_bar, draw_box, draw_ring, draw_text, fitting, frame_surface, wrap

STRIP = 4  # imagined frames
_MAX_CANDIDATES = 6
_AS_LARGE = 0.85  # of the largest frames is as good: the height that is left goes to the candidates


class ThoughtPanel:
    """Two parts, the strip of frames and the list of candidates, laid out by the panel around them."""

    def __init__(self, theme: Theme) -> None:
        self.theme = theme
        self.text = 14
        self.frames = self.candidates = pygame.Rect(0, 0, 1, 1)
        self._places: list[pygame.Rect] = []  # the frame it saw, then those it imagines

    def place(self, frames: pygame.Rect, candidates: pygame.Rect, text: int) -> None:
        """Take two rectangles, with words `text` pixels high; what does not fit is left out."""
        self.frames, self.candidates, self.text = frames, candidates, text
        self._places = self._grid()

    def _grid(self) -> list[pygame.Rect]:
        """Places for all frames, in as many columns as make them largest, or in more that hardly make them smaller."""
        caption, gap, head = self.text + 6, max(4, self.text // 2), round(self.text * 1.8)
        count, sides = STRIP + 1, {}
        for columns in range(1, count + 1):
            rows = -(-count // columns)
            across = (self.frames.width - (columns - 1) * gap) // columns
            down = (self.frames.height - head - rows * caption - (rows - 1) * gap) // rows
            sides[columns] = min(across, down)
        largest = max(sides.values())
        if largest < 24:
            return []
        chosen = max(columns for columns, side in sides.items() if side >= _AS_LARGE * largest)
        best = sides[chosen]
        places = []
        for index in range(count):
            row, col = divmod(index, chosen)
            left = self.frames.left + col * (best + gap)
            top = self.frames.top + head + row * (best + caption + gap)
            places.append(pygame.Rect(left, top, best, best))
        return places

    @property
    def used_height(self) -> int:
        """Pixels that the frames take of their rectangle."""
        return self._places[-1].bottom + self.text + 6 - self.frames.top if self._places else 0

    def step_at(self, position: tuple[int, int]) -> int | None:
        """Which imagined frame, counted from 0, is under a pixel; None if none is."""
        return next((i for i, place in enumerate(self._places[1:]) if place.collidepoint(position)), None)

    def draw(self, surface: pygame.Surface, match: Standing, pointer: tuple[int, int]) -> None:
        """Draw the thought that belongs to the position shown."""
        considered = match.considered
        if considered is None and _is_silent(match):
            self._draw_silence(surface, match)
            return
        if self._places:
            self._draw_frames(surface, match, considered, self.step_at(pointer))
        self._draw_candidates(surface, match, considered)

    def _draw_silence(self, surface: pygame.Surface, match: Standing) -> None:
        """The sentence alone: there will be no frames and no candidates."""
        rect, size = self.frames if self._places else self.candidates, max(8, self.text - 1)
        if rect.width < 8 * self.text:
            return
        draw_text(surface, "No thoughts here", rect.topleft, self.text, self.theme.text, bold=True, width=rect.width)
        top = rect.top + round(1.7 * self.text)
        for line in wrap(match.silence, size, rect.width):
            if top + size <= rect.bottom:
                draw_text(surface, line, (rect.left, top), size, self.theme.muted)
            top += round(self.text * 1.4)

    def _draw_frames(
        self, surface: pygame.Surface, match: Standing, considered: Considered | None, hovered: int | None
    ) -> None:
        size, muted = max(8, self.text - 2), self.theme.muted
        titles = ["What the agent sees and imagines", "Seen and imagined"]
        if considered is not None and match.review is not None:
            titles[0] = f"What {considered.name} sees and imagines here"
        elif considered is not None:
            move = considered.ply + 1
            titles[0] = f"What {considered.name} saw and imagined at move {move}"
            titles.insert(1, f"Seen and imagined at move {move}")
        title, width = fitting(titles, self.text, self.frames.width, bold=True), self.frames.width
        draw_text(surface, title, self.frames.topleft, self.text, self.theme.text, bold=True, width=width)
        thought = considered.decision.thought if considered is not None else None
        imagined = thought.imagined if thought is not None and thought.imagined is not None else ()
        frames: list[Frame | None] = [thought.frame if thought is not None else None, *imagined[:STRIP]]
        frames += [None] * (STRIP + 1 - len(frames))
        for index, (place, frame) in enumerate(zip(self._places, frames, strict=True)):
            caption = "sees" if index == 0 else f"+{index}"
            if frame is None:
                self._draw_empty(surface, place, match, index)
            else:
                surface.blit(frame_surface(frame, place.width), place)
                over = index == 0 or hovered != index - 1
                pygame.draw.rect(surface, self.theme.edge if over else self.theme.accent, place, width=1 if over else 2)
            if index and considered is not None and (found := compare(match, considered, index - 1)) is not None:
                differs, share = found
                right = f"+{index}: {100 * share:.0f} %"
                caption = fitting((f"{right} right", right, f"{100 * share:.0f} %"), size, place.width)
                if hovered == index - 1:
                    ring_points(surface, place, considered, differs, self.theme.differs)
            below = (place.left, place.bottom + 3)
            draw_text(surface, caption, below, size, muted, width=place.width)

    def _draw_empty(self, surface: pygame.Surface, place: pygame.Rect, match: Standing, index: int) -> None:
        draw_box(surface, place, self.theme.panel, max(2, self.text // 3))
        words = "loading" if match.loading else "..." if match.advising else ""
        if words and index <= 1:
            size = max(8, self.text - 3)
            draw_text(surface, words, place.center, size, self.theme.muted, anchor="center", width=place.width - 4)

    def _draw_candidates(self, surface: pygame.Surface, match: Standing, considered: Considered | None) -> None:
        rect, line, muted = self.candidates, round(self.text * 1.7), self.theme.muted
        if rect.height < 2 * line or rect.width < 8 * self.text:
            return
        title = draw_text(surface, "Its candidates", rect.topleft, self.text, self.theme.text, bold=True)
        top = rect.top + line
        if considered is None:
            for text in wrap(_why_nothing(match), max(8, self.text - 1), rect.width):
                draw_text(surface, text, (rect.left, top), max(8, self.text - 1), muted)
                top += round(self.text * 1.4)
            return
        thought, size = considered.decision.thought, match.shown.size
        spent, room, small = f"{thought.milliseconds:.0f} ms", rect.right - title.right - 8, max(8, self.text - 2)
        spent = fitting((f"{spent} of thought", spent), small, room)
        draw_text(surface, spent, rect.topright, small, muted, anchor="topright", width=max(1, room))
        notes = [f"It {expectation(thought.outlook)}."] if thought.outlook is not None else []
        notes += [f"It {rejection_clause(wish, size)}." for wish in thought.rejected[:2]]
        notes += [thought.note] if thought.note else []
        rows = max(1, min(_MAX_CANDIDATES, (rect.bottom - top) // line - min(1, len(notes))))
        for candidate in thought.candidates[:rows]:
            row = pygame.Rect(rect.left, top, rect.width, line)
            self._draw_candidate(surface, row, candidate, size, candidate.point == considered.decision.action)
            top += line
        for note in notes:
            if top + line <= rect.bottom + 4:
                draw_text(surface, note, (rect.left, top + 3), max(8, self.text - 2), muted, width=rect.width)
                top += line

    def _draw_candidate(
        self, surface: pygame.Surface, row: pygame.Rect, candidate: Candidate, size: int, chosen: bool
    ) -> None:
        colour = self.theme.accent if chosen else self.theme.text
        name = point_to_gtp(candidate.point, size)
        draw_text(surface, name, row.midleft, self.text, colour, anchor="midleft", bold=chosen)
        left, right = row.left + 3 * self.text, row.right - 4 * self.text
        height = max(4, self.text // 2)
        bar = pygame.Rect(left, row.centery - height // 2, max(10, right - left), height)
        draw_bar(surface, bar, candidate.probability, colour if chosen else self.theme.muted, self.theme.panel)
        percent = f"{100 * candidate.probability:.1f} %"
        draw_text(surface, percent, row.midright, max(8, self.text - 1), colour, anchor="midright")


def compare(match: Standing, considered: Considered, step: int) -> tuple[frozenset[int], float] | None:
    """How an imagined frame differs from what came: the points, and the share of equal ones; None if nothing came."""
    boards = considered.decision.thought.imagined_boards
    real = match.stones_after(considered.ply + 1 + step)
    if boards is None or step >= len(boards) or real is None or real.size != boards[step].size:
        return None
    return differing_points(boards[step], real)


def ring_points(
    surface: pygame.Surface, place: pygame.Rect, considered: Considered, points: frozenset[int], colour: Colour
) -> None:
    """Ring points of the board on a frame that is drawn at `place`."""
    thought = considered.decision.thought
    if thought.imagined is None or thought.imagined_boards is None:
        return
    geometry = BoardGeometry.of_frame(thought.imagined.shape[1], thought.imagined_boards.shape[1])
    factor = place.width / geometry.frame_size
    for point in points:
        y, x = geometry.centre(point)
        centre = round(place.left + (x + 0.5) * factor), round(place.top + (y + 0.5) * factor)
        draw_ring(surface, centre, max(2, round(geometry.pitch * factor * 0.5)), max(1, place.width // 120), colour)


def _is_silent(match: Standing) -> bool:
    return bool(match.silence) and match.fits(match.line)


def _why_nothing(match: Standing) -> str:
    if match.review is None and match.adviser in match.seats.values():
        return "They appear here after its first move."
    if match.review is None:
        return "Go back a move, and here stands what the agent would play." if match.adviser else "Nobody shows any."
    if match.adviser is not None and not match.fits(match.line):
        return f"The agent does not play {match.line.size}x{match.line.size}."
    return "The agent is looking at this position." if match.advising else "Nobody here can judge this position."
