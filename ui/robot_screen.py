"""A robot at work in the window: its cameras, what it foresees, and the hands that may take over."""

from __future__ import annotations

from collections.abc import Callable

import pygame

from ui.ask_box import AskBox
from ui.keymap import ROBOT_KEYS, chords
from ui.messages import INFO
from ui.robot_benchmark import MOVES
from ui.robot_layout import RobotLayout, lay_out_robot
from ui.robot_pages import InstructionPage
from ui.robot_panel import RobotPanel, draw_action
from ui.robot_rig import AGENT, EXPERT, YOU
from ui.robot_session import RobotSession
from ui.robot_strip import FutureStrip, scaled
from ui.screen import Surroundings, draw_status
from ui.side_panel import dots
from ui.text_field import clipboard_text
from ui.theme import Colour, load_font
from ui.widgets import draw_box, draw_text

_EXAMPLES = ("Where is the gripper?", "Show the door handle and the robot arm.", "Which is the leftmost ball?")
_WORDS = {AGENT: "AGENT", EXPERT: "EXPERT", YOU: "YOU"}


class RobotScreen:
    """Shows one session. `actions` are its verbs; the window adds its own."""

    def __init__(self, session: RobotSession, surroundings: Surroundings, do: Callable[[str], None]) -> None:
        """`do` carries out the actions of the panel's buttons."""
        self.session, self.surroundings, self.do = session, surroundings, do
        choice = len(session.benchmark.scenes) > 1
        self.bindings = tuple(binding for binding in ROBOT_KEYS if choice or binding.action != "scene")
        self.panel, self.strip = RobotPanel(), FutureStrip()
        self.ask = AskBox(session.asker, session.ask, _EXAMPLES)
        self.page: InstructionPage | None = None
        self.pointer = (-1, -1)
        self.held: set[str] = set()
        self._layout = RobotLayout(14, pygame.Rect(0, 0, 1, 1))
        self._laid_out: tuple[tuple[int, int], bool] | None = None
        self._keys = {
            pygame.key.key_code(c.key): a for c, a in chords(ROBOT_KEYS).items() if a in (*MOVES, "finely")
        }  # fmt: skip
        self.actions: dict[str, Callable[[], object]] = {
            "finely": lambda: session.steer_finely(True),
            "gripper": session.toggle_gripper,
            "hand_back": session.hand_back,
            "agent": lambda: session.let_act(AGENT),
            "expert": lambda: session.let_act(EXPERT),
            "you": lambda: session.let_act(YOU),
            "run": session.toggle_pause,
            "next": session.step_once,
            "faster": lambda: session.change_speed(1),
            "slower": lambda: session.change_speed(-1),
            "new": session.new_start,
            "again": session.same_start,
            "instruct": self._open_page,
            "ask": self._open_ask,
            "paste": self._paste,
            "scene": session.next_scene,
            "sharpen": session.sharpen,
            "foresight": session.next_foresight,
            "record": session.toggle_recording,
            "discard": session.discard,
            "leave": self._leave,
        }
        self.actions |= {name: lambda name=name: self._hold(name) for name in MOVES}  # type: ignore[misc]

    @property
    def typing(self) -> bool:
        """See `Screen`."""
        return self.page is not None or self.ask.typing

    # Input

    def handle(self, event: pygame.event.Event) -> bool:
        """See `Screen`."""
        if event.type == pygame.KEYUP:
            self._release(self._keys.get(event.key))
        elif event.type == pygame.WINDOWFOCUSLOST:
            self._release(*MOVES, "finely")
        elif event.type == pygame.MOUSEMOTION:
            before, self.pointer = self._hovered(), event.pos
            return self.page is not None or self._hovered() != before
        elif event.type == pygame.WINDOWLEAVE:
            self.pointer = (-1, -1)
        elif event.type == pygame.MOUSEBUTTONDOWN and event.button == 1:
            self.pointer = event.pos
            self._click(event.pos)
        else:
            return event.type == pygame.KEYDOWN and self._type(event)
        return True

    def _type(self, event: pygame.event.Event) -> bool:
        if self.page is not None:
            return self.page.press(event)
        if not self.ask.typing:
            return False
        taken = self.ask.press(event)
        if not self.ask.shown:  # nothing was asked
            self._leave()
        return taken

    def _hovered(self) -> str | None:
        """What the pointer is on, as far as it changes the picture."""
        return self.panel.action_at(self.pointer)

    def _click(self, position: tuple[int, int]) -> None:
        if self.page is not None:
            self.page.click(position)
            return
        if self.ask.shown and self._ask_place().collidepoint(position):
            self.ask.click(position)
            return
        action = self.panel.action_at(position)
        kind, _, value = (action or "").partition(" ")
        if kind == "speed":
            self.session.choose_speed(float(value))
        elif kind == "scene" and value:
            self.session.choose_scene(value)
        elif action is not None:
            self.do(action)
        elif self._layout.head.collidepoint(position):
            self._open_page()

    def _hold(self, name: str) -> None:
        self.held.add(name)
        self._steer()

    def _release(self, *names: str | None) -> None:
        if "finely" in names:
            self.session.steer_finely(False)
        if self.held & set(names):
            self.held -= set(names)  # type: ignore[arg-type]
            self._steer()

    def _steer(self) -> None:
        wanted = [0.0] * 6
        for name in self.held:
            axis, sign = self.session.benchmark.moves[name]
            wanted[axis] += sign
        self.session.steer(tuple(wanted))

    # The instruction, and questions

    def _open_page(self) -> None:
        self._release(*MOVES, "finely")
        self.ask.close()
        self.session.dismiss_answer()
        self.page, self._laid_out = InstructionPage(self.session, self._take, self._leave), None

    def _take(self, words: str, anew: bool) -> None:
        if self.session.instruct(words, anew=anew):
            self.page = None
        elif self.page is not None and self.session.message is not None:
            self.page.message = self.session.message

    def _open_ask(self) -> None:
        self._release(*MOVES, "finely")
        self.session.rest()
        self.ask.open()

    def _ask_place(self) -> pygame.Rect:
        status = self._layout.status
        window = pygame.Rect(0, 0, status.width, status.top)
        return self.ask.place_in(self.panel.room, window, self._layout.text)

    def _leave(self) -> None:
        if self.page is None and self.session.dismiss_answer():
            self.session.message = None
        self.page = None

    def _paste(self) -> None:
        if self.page is not None:
            self.page.paste(clipboard_text())
        else:
            self.ask.paste(clipboard_text())

    def tell(self, text: str, kind: str = INFO) -> None:
        """See `Screen`."""
        self.session.tell(text, kind)

    # What happens by itself

    def poll(self) -> bool:
        """See `Screen`."""
        return self.session.poll()

    def moves(self) -> bool:
        """See `Screen`."""
        return self.session.loading or self.session.agent_loading or self.session.asker.busy

    # Picture

    def draw(self, surface: pygame.Surface, seconds: float) -> None:
        """See `Screen`."""
        theme, session = self.surroundings.theme, self.session
        self._lay_out(surface.get_size())
        layout = self._layout
        surface.fill(theme.background)
        if self.page is not None:
            self.page.draw(surface, theme, self.pointer)
            draw_status(surface, layout.status, self.page.message, "F1: keys", theme, layout.text)
            return
        self._draw_head(surface)
        self._draw_cameras(surface, seconds)
        now = session.now
        draw_action(
            surface, layout.bars, now.action if now else None, now.view.closed if now else False, theme, layout.text
        )
        agent = session.agent
        self.strip.draw(surface, session.looks, agent.model.steps if agent is not None else 1, theme)
        if layout.panel.height:
            self.panel.draw(surface, session, self.pointer, theme)
        if self.ask.shown:
            self.ask.draw(surface, self._ask_place(), theme, layout.text, seconds)
        hint = "F1: keys" if self.ask.typing else "H: keys"
        draw_status(surface, layout.status, self.ask.status(session.status), hint, theme, layout.text)

    def _draw_head(self, surface: pygame.Surface) -> None:
        """The instruction, and the task that it asks for."""
        head, text, theme = self._layout.head, self._layout.text, self.surroundings.theme
        if not head.height:
            return
        start = self.session.start
        task = f"task {start.task}" if start.task is not None else "no known task"
        bench = self.session.benchmark
        known = f"{bench.name}{f' {start.scene}' * (len(bench.scenes) > 1)}, {task}"
        size = max(8, round(1.35 * text))
        room = head.width - load_font(text - 1).size(known)[0] - 2 * text
        words = f"“{start.instruction}”"
        if room > 12 * text:
            draw_text(surface, known, head.midright, text - 1, theme.muted, anchor="midright")
        else:
            room = head.width
        while size > text and load_font(size, True).size(words)[0] > room:
            size -= 1
        draw_text(surface, words, head.midleft, size, theme.text, anchor="midleft", bold=True, width=room)

    def _draw_cameras(self, surface: pygame.Surface, seconds: float) -> None:
        layout, theme, session = self._layout, self.surroundings.theme, self.session
        now, text = session.now, layout.text
        for camera, rect in zip(session.benchmark.cameras, (layout.scene, layout.wrist), strict=True):
            if now is None:
                draw_box(surface, rect, theme.panel, max(3, text // 2), theme.edge)
            else:
                surface.blit(scaled(now.view.pictures[camera], rect.size), rect)
        scene = layout.scene
        if now is None:
            words = f"building the scene{dots(seconds)}"
            draw_text(surface, words, scene.center, text, theme.muted, anchor="center", width=scene.width)
            return
        self.ask.draw_tints(surface, scene, lambda mask: mask)
        words, fill = _WORDS[session.actor], theme.panel
        waiting = session.actor == AGENT and session.agent_loading
        words += " paused" if session.paused else f" loading{dots(seconds)}" if waiting else ""
        if scene.width >= 12 * text:
            self._tag(surface, words, (scene.left + text // 2, scene.top + text // 2), "topleft", theme.text, fill)
            if session.recorded is not None:
                place = (scene.right - text // 2, scene.top + text // 2)
                self._tag(surface, f"REC {session.recorded}", place, "topright", theme.on_accent, theme.accent)
        banner = ""
        if session.loading:
            banner = f"preparing{dots(seconds)}"
        elif session.solved:
            banner = f"Solved in {now.solved_after} steps"
        elif session.timed_out:
            banner = f"Time is up after {session.steps} steps"
        if banner:
            colours = (theme.text, theme.panel)
            if session.solved:
                colours = (theme.on_accent, theme.accent)
            elif session.timed_out:
                colours = (theme.panel, theme.warning)
            place = (scene.centerx, scene.bottom - max(2, scene.height // 14))
            self._tag(surface, banner, place, "midbottom", *colours, size=round(1.3 * text))

    def _tag(
        self,
        surface: pygame.Surface,
        words: str,
        place: tuple[int, int],
        anchor: str,
        colour: Colour,
        fill: Colour,
        size: int | None = None,
    ) -> None:
        """Words on a patch of their own, readable on any picture."""
        text = size or self._layout.text
        room = self._layout.scene.width - text
        width, height = load_font(text, True).size(words)
        box = pygame.Rect(0, 0, min(width, room) + text, round(1.3 * height))
        setattr(box, anchor, place)
        draw_box(surface, box, fill, max(3, text // 3))
        draw_text(surface, words, box.center, text, colour, anchor="center", bold=True, width=room)

    def _lay_out(self, size: tuple[int, int]) -> None:
        """Put everything where it belongs, if the window has another size than before."""
        foresees = not self.session.no_agent
        if self._laid_out == (size, foresees):
            return
        self._laid_out = size, foresees
        self._layout = layout = lay_out_robot(size, foresees)
        self.strip.place(layout.strip, layout.text)
        self.panel.place(layout.panel, layout.text, self.session)
        if self.page is not None:
            edge = max(4, layout.text)
            room = pygame.Rect(edge, edge, size[0] - 2 * edge, max(1, layout.status.top - 2 * edge))
            self.page.place(room, layout.text)
