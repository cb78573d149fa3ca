"""Looking back and at other games without losing one's own, and asking about what is shown."""

from __future__ import annotations

import functools
from pathlib import Path

from envs.errors import UserError
from envs.go.rules import GoGame
from envs.go.sgf import SgfGame
from ui.ask_frames import board_frame
from ui.messages import INFO, WARNING, Message, sentence
from ui.record import save_copy
from ui.review import Review, read_record
from ui.standing import Standing
from ui.thinker import Thinker
from ui.thoughts import ThoughtLog

PAGE = 10  # moves that Page Up and Page Down go


class Reviewing(Standing):
    """A match whose positions can be looked at again and asked about; each verb returns whether anything changed."""

    def __init__(self) -> None:
        self._files = Thinker("reader of records")
        self._opening: Path | None = None

    def look(self, ply: int) -> bool:
        """Show the position after `ply` moves, or the nearest there is; at the end of the own game, the game itself."""
        review = self.review if self.review is not None else self._own_review()
        moved = review.go(ply)
        if moved:
            self.review, self.message = review, None
        if review.own and review.ply == review.length and self.review is not None:
            self.review, self.message = None, None
        return moved

    def look_first(self) -> bool:
        """Show the start."""
        return self.look(0)

    def look_last(self) -> bool:
        """Show the end."""
        return self.look(len(self.line.history))

    def look_back(self, plies: int = 1) -> bool:
        """Show the position `plies` moves earlier."""
        return self.look(self.shown_ply - plies)

    def look_on(self, plies: int = 1) -> bool:
        """Show the position `plies` moves later."""
        return self.look(self.shown_ply + plies)

    def leave_review(self) -> bool:
        """Go back to the game itself."""
        if self.review is None:
            return False
        self.review = self.message = None
        return True

    def open_record(self, path: Path) -> bool:
        """Begin to read an SGF file; its game is shown as soon as it is there, the own one stays as it is."""
        self._opening = path
        self._files.ask(functools.partial(read_record, path))
        self.message = Message(f"Opening {path.name} ...")
        return True

    def play_on_here(self) -> bool:
        """Play on from the position that is looked at, as a new game with a record of its own."""
        review = self.review
        if review is None:
            return self._refuse("You are at the game itself; go back to an earlier move to play on from there.")
        if not self.fits(review.game):
            own, size = self._own_size, review.game.size
            return self._refuse(f"This game is on {size}x{size} and can only be looked at; games here are {own}x{own}.")
        game = review.shown.copy()
        game.ko_rule = self._new_game().ko_rule
        if game.is_over:
            game.resume()
        self._start_over(game, review.thoughts.up_to(review.ply))
        self.message = Message(f"A new game goes on from move {len(game.history)}; the other one stays as it is saved.")
        return True

    def save_as(self) -> bool:
        """Write a copy of the game that is shown, to its end, into the folder for copies, and tell where."""
        if self.review is None or self.review.own:
            result, comments = self.result, self.thoughts.comments(self.game)
        else:
            result, comments = self.review.result, list(self.review.comments[1:])
        try:
            path = save_copy(self.line, self.copies, self.shown_names, result, comments)
        except UserError as error:
            return self._refuse(str(error))
        self.message = Message(f"A copy is saved as {path}.")
        return True

    def ask(self, question: str) -> bool:
        """Ask about the position that is shown; the answer comes into `asker`, and stays as long as it is shown."""
        try:
            self.asker.take_question(question)
        except UserError as error:
            return self._refuse(sentence(error))
        game, self.message = self.shown.copy(), None
        self.asker.look(lambda: board_frame(game), self.shown_place)
        return True

    def dismiss_answer(self) -> bool:
        """Let go of a question and its answer."""
        return self.asker.forget()

    def _attend_asker(self) -> bool:
        return self.asker.attend(self.shown_place, self._refuse)

    def _own_review(self) -> Review:
        return Review(self.game, self.thoughts, lambda: self.names)

    def _looks_elsewhere(self) -> bool:
        """Refuse what belongs to the game itself while another position is shown."""
        if self.review is None:
            return False
        self._refuse("You are looking back: go back to the game, or play on from this position.")
        return True

    def _poll_files(self) -> bool:
        answer = self._files.take()
        if answer is None or self._opening is None:
            return False
        if answer.error is not None:
            if not isinstance(answer.error, UserError):
                self.failure = answer.error
            self._refuse(str(answer.error))
            return True
        record: SgfGame = answer.value
        self.review = Review.of_record(record, self._opening)
        names = f"{record.black or 'Black'} - {record.white or 'White'}"
        result = f", {record.result}" if record.result else ""
        about = [f"{self._opening.name}: {names}, {len(record.moves)} moves{result}."]
        if not self.fits(record.game):
            own, size = self._own_size, record.size
            about.append(f"Boards here are {own}x{own}; this one has {size}x{size} and is shown without thoughts.")
        about += [f"{note[:1].upper()}{note[1:]}." for note in record.notes[:1]]
        self.message = Message(" ".join(about))
        return True

    def tell(self, text: str, kind: str = INFO) -> None:
        """Say something in the status line until something else happens."""
        self.message = Message(text, kind)

    def _refuse(self, text: str) -> bool:
        self.tell(text, WARNING)
        return False

    def _start_over(self, game: GoGame, thoughts: ThoughtLog) -> None:
        raise NotImplementedError
