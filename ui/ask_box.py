"""Where one asks about what a window shows: a field, an answer with its phrases in colour, tints in the picture."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from itertools import groupby
from operator import itemgetter

import numpy as np
import pygame
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from agents.pixellm.asking import Reply
from agents.pixellm.coco import box_of
from agents.pixellm.overlay import FILL, edge_of, ink_on, tint_of
from ui.asker import Asker
from ui.messages import WARNING, Message
from ui.side_panel import dots
from ui.text_field import TextField
from ui.theme import Colour, Theme, load_font
from ui.widgets import draw_box, draw_text, shorten, wrap

HOW = "Ask about what is shown; Enter asks, Escape goes back."
LEAST = (14, 7)  # width and height of a box with room for an answer, in heights of words
_TYPED = 400  # letters; more are no question
_SMALLEST = 9  # px; letters below that are not read
_SMOOTH = 0.7  # pixels of a mask by which its edge is smoothed where it is enlarged
NAMELESS = "*"  # stands for a target that no word of the answer calls

# A part of an answer, and the number of the target that it calls; None for words between
Piece = tuple[str, int | None]


class AskBox:
    """Opens and closes by itself; who asks, and what is asked about, is the screen's business.

    Attributes:
        field: what is typed; None while nobody types.
    """

    def __init__(self, asker: Asker, ask: Callable[[str], bool], examples: Sequence[str]) -> None:
        """`ask` is called with what was typed, and returns whether it was taken; `examples` are questions to show."""
        self.asker, self._ask, self._examples = asker, ask, examples
        self.field: TextField | None = None
        self._place = pygame.Rect(0, 0, 0, 0)  # of the field
        self._tint: tuple[Reply, tuple[int, int], pygame.Surface] | None = None

    @property
    def typing(self) -> bool:
        """Whether keys are letters."""
        return self.field is not None

    @property
    def shown(self) -> bool:
        """Whether there is anything to draw."""
        return self.typing or bool(self.asker.question)

    def status(self, message: Message) -> Message:
        """What the status line says: how to ask while somebody types, unless there is a warning."""
        return Message(HOW) if self.typing and message.kind != WARNING else message

    def open(self) -> None:
        """Let somebody type; the last question stands there, and goes with the first letter."""
        self.field = TextField(self.asker.question, most=_TYPED)
        self.field.fresh = bool(self.asker.question)

    def close(self) -> None:
        """Type no more."""
        self.field = None

    def press(self, event: pygame.event.Event) -> bool:
        """Take a key while somebody types; all but the function keys mean something here, if only nothing."""
        assert self.field is not None
        if event.key in (pygame.K_RETURN, pygame.K_KP_ENTER):
            if self._ask(self.field.text):
                self.close()
        elif event.key == pygame.K_ESCAPE:
            self.close()
        elif pygame.K_F1 <= event.key <= pygame.K_F12:
            return False
        elif not event.mod & pygame.KMOD_CTRL or event.mod & pygame.KMOD_ALT:
            self.field.press(event)
        return True

    def paste(self, text: str) -> None:
        """Put a text at the caret."""
        if self.field is not None:
            self.field.insert(text)

    def click(self, position: tuple[int, int]) -> bool:
        """Put the caret where the pointer is; returns whether that was in the field."""
        if self.field is None or not self._place.collidepoint(position):
            return False
        self.field.point(position[0])
        self.field.fresh = False
        return True

    # Picture

    def place_in(self, panel: pygame.Rect, window: pygame.Rect, text: int) -> pygame.Rect:
        """Where the box stands: in `panel`, or over the lower end of `window` where that has no room."""
        if panel.width >= LEAST[0] * text and panel.height >= LEAST[1] * text:
            return panel
        height = min(window.height, max((LEAST[1] + 1) * text, window.height * 2 // 5))
        return pygame.Rect(window.left, window.bottom - height, window.width, height)

    def draw(self, surface: pygame.Surface, rect: pygame.Rect, theme: Theme, text: int, seconds: float) -> None:
        """Draw it into `rect`, in letters of `text` pixels or, where an answer is long, in smaller ones."""
        draw_box(surface, rect, theme.panel, max(3, text // 2), theme.edge)
        inside = rect.inflate(-text, -text)
        self._place = pygame.Rect(inside.left, inside.top, inside.width, min(inside.height, round(2.1 * text)))
        top = inside.top
        if self.field is not None:
            self.field.draw(surface, self._place, theme, text, active=True)
            top = self._place.bottom + text // 2
        room = pygame.Rect(inside.left, top, inside.width, max(0, inside.bottom - top))
        asker = self.asker
        if asker.reply is not None:
            _draw_reply(surface, room, asker.reply, theme, text, self.field is None)
        elif asker.question:
            waits = "loading the model" if asker.loading else "looking"
            _draw_lines(surface, room, [asker.question, f"{waits}{dots(seconds)}"], theme.muted, text)
        else:
            _draw_lines(surface, room, ["Such as:", *self._examples], theme.muted, text)

    def draw_tints(self, surface: pygame.Surface, place: pygame.Rect, crop: Callable[[NDArray], NDArray]) -> None:
        """Tint what the answer speaks of in a picture that is drawn at `place`; `crop` gives that part of a mask."""
        reply = self.asker.reply
        if reply is None or not place.width:
            return
        if self._tint is None or self._tint[0] is not reply or self._tint[1] != place.size:
            masks = [crop(target.mask) for target in reply.answer.targets]
            self._tint = (reply, place.size, tint_surface(masks, place.size))
        surface.blit(self._tint[2], place)


def tint_surface(masks: Sequence[NDArray[np.bool_]], size: tuple[int, int]) -> pygame.Surface:
    """Masks bool (h, w), each in its colour with an edge, enlarged to (width, height) pixels; clear beside them."""
    width, height = size
    edge = max(1, min(size) // 200)
    layers = np.zeros((height, width, 4), np.uint8)
    for number, mask in enumerate(masks):
        left, top, across, down = box_of(mask)
        if not across:
            continue
        x, y = width / mask.shape[1], height / mask.shape[0]
        # The part of the picture that it touches: a window may be large, and targets many
        first, last = max(0, math.floor((left - 2) * x)), min(width, math.ceil((left + across + 2) * x))
        upper, lower = max(0, math.floor((top - 2) * y)), min(height, math.ceil((top + down + 2) * y))
        source = (first / x, upper / y, last / x, lower / y)
        part = (last - first, lower - upper)
        grey = Image.fromarray(mask.astype(np.uint8) * 255).resize(part, Image.Resampling.BILINEAR, source)
        grey = grey.filter(ImageFilter.GaussianBlur(_SMOOTH * min(x, y)))
        inside = np.asarray(grey) >= 128
        core = inside
        for _ in range(edge):
            core = core & ~edge_of(core)
        layer = layers[upper:lower, first:last]
        layer[inside] = (*tint_of(number), 255)
        layer[core] = (*tint_of(number), round(255 * FILL))
    return pygame.image.frombuffer(layers.tobytes(), size, "RGBA").convert_alpha()


def _draw_lines(surface: pygame.Surface, room: pygame.Rect, texts: Sequence[str], colour: Colour, size: int) -> None:
    """Lines below one another as far as there is room."""
    top, pitch = room.top, round(1.4 * size)
    for line in (line for text in texts for line in wrap(text, size, room.width)):
        if top + pitch > room.bottom + size // 2:
            return
        draw_text(surface, line, (room.left, top), size, colour, width=room.width)
        top += pitch


def _draw_reply(surface: pygame.Surface, room: pygame.Rect, reply: Reply, theme: Theme, text: int, asked: bool) -> None:
    """Question (if `asked`), answer and notes, in the largest letters that fit; what does not fit is cut off."""
    sizes = range(text, min(text, _SMALLEST) - 1, -1)
    for size in sizes:
        question = wrap(reply.question, size, room.width) if asked else []
        answer = wrap_parts(reply.answer.parts, size, room.width)
        notes = wrap(" ".join(reply.notes), max(8, size - 1), room.width)
        if round(1.5 * size) * (len(question) + len(answer) + len(notes)) + size <= room.height:
            break
    pitch, top = round(1.5 * size), room.top
    for line in question[: max(1, room.height // pitch // 3)]:
        draw_text(surface, line, (room.left, top), size, theme.muted, width=room.width)
        top += pitch
    top += size // 3 if question else 0
    fitting = max(1, (room.bottom - top) // pitch)
    for number, pieces in enumerate(answer[:fitting]):
        cut = number == fitting - 1 and len(answer) > fitting
        _draw_pieces(surface, (room.left, top), [*pieces, (" …", None)] if cut else pieces, theme, size, room.right)
        top += pitch
    top += size // 3
    rest = pygame.Rect(room.left, top, room.width, max(0, room.bottom - top))
    _draw_lines(surface, rest, notes, theme.warning, max(8, size - 1))


def _draw_pieces(
    surface: pygame.Surface, place: tuple[int, int], pieces: Sequence[Piece], theme: Theme, size: int, right: int
) -> None:
    """A line; every phrase on the colour of its target."""
    font, (x, y) = load_font(size), place
    for words, number in pieces:
        words = shorten(words, size, max(0, right - x))
        width = font.size(words)[0]
        colour = theme.text
        if number is not None:
            chip = pygame.Rect(x - 1, y - 1, width + 2, round(1.32 * size))
            draw_box(surface, chip, tint_of(number), max(2, size // 5))
            colour = ink_on(tint_of(number))
        draw_text(surface, words, (x, y), size, colour)
        x += width


def wrap_parts(parts: Sequence[Piece], size: int, width: int) -> list[list[Piece]]:
    """The parts of an answer as lines of at most `width` pixels, broken at blanks; a longer word stands alone."""
    font = load_font(size)
    letters = [(" " if letter.isspace() else letter, number) for text, number in parts for letter in text or NAMELESS]
    lines: list[list[Piece]] = []
    word: list[Piece] = []
    blank: Piece = (" ", None)
    for letter, number in [*letters, (" ", None)]:
        if letter != " ":
            word.append((letter, number))
            continue
        longer = [*lines[-1], blank, *word] if lines else word
        if word and lines and font.size("".join(text for text, _ in longer))[0] <= width:
            lines[-1] = longer
        elif word:
            lines.append(word)
        word, blank = [], (letter, number)
    runs = ([list(run) for _, run in groupby(line, key=itemgetter(1))] for line in lines)
    return [[("".join(text for text, _ in run), run[0][1]) for run in line] for line in runs]
