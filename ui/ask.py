"""Questions about one picture in a terminal: answers on stdout, and as pictures and JSON in files."""

from __future__ import annotations

import argparse
import errno
import io
import json
import os
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

import numpy as np
from numpy.typing import NDArray

from agents.pixellm.asking import Reply, ask, put_question
from agents.pixellm.coco import load_pycocotools
from agents.pixellm.overlay import ink_on, overlay, tint_of
from envs.errors import UserError
from envs.files import data_folder, replace_bytes
from ui.ask_frames import Subject, subject_of
from ui.ask_model import check_model, load_model

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

    from agents.pixellm.model import PixelLM

OTHER_FILES = (".jpg", ".jpeg", ".gif", ".webp", ".bmp", ".tif", ".tiff", ".json")  # --out names none of these
_CURE = "choose another place with --out"
Tell = Callable[[str], None]


class AnswerFiles:
    """Where answers go: for each a picture and, beside it, a JSON file of the same name; nothing is written over."""

    def __init__(self, out: Path | None) -> None:
        """out: a folder, or the PNG of the first answer; by default `answers` in the user's data folder.

        Raises:
            UserError: the folder cannot be made or written into, or `out` is no PNG.
        """
        out = data_folder() / "answers" if out is None else out
        is_file = bool(out.suffix) and not os.path.isdir(out)
        if is_file and out.suffix.lower() in OTHER_FILES:
            raise UserError(f"{out} is no PNG, which answers are written as; give a folder or a name that ends in .png")
        named = is_file and out.suffix.lower() == ".png"
        self.folder, self.stem = (out.parent, out.stem) if named else (out, "")
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            if not os.access(self.folder, os.W_OK):
                raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
        except (OSError, ValueError) as error:  # ValueError: a name with a zero byte
            raise _unwritable(self.folder, error) from error

    def save_frame(self, subject: Subject) -> Path:
        """Write a picture that was drawn to be asked about; returns its path. UserError if that cannot be done."""
        path = self._claim(f"{self.stem or subject.name}-frame", ())
        self._write({path: _png(subject.image)})
        return path

    def save(self, subject: Subject, reply: Reply) -> Path:
        """Write an answer; returns the path of the picture. UserError if that cannot be done."""
        path = self._claim(self.stem or subject.name, (".json",))
        picture = overlay(subject.image, [target.mask for target in reply.answer.targets])
        text = json.dumps(reply.record(subject.about), ensure_ascii=False, indent=1) + "\n"
        self._write({path.with_suffix(".json"): text.encode("utf-8", "replace"), path: _png(picture)})
        return path

    def _claim(self, stem: str, beside: tuple[str, ...]) -> Path:
        """An empty PNG under the first name that is free, as are its siblings with the endings `beside`."""
        number = 1
        while True:
            path = self.folder / f"{stem}{f'-{number}' if number > 1 else ''}.png"
            number += 1
            if any(os.path.lexists(path.with_suffix(ending)) for ending in beside):
                continue
            try:
                path.open("xb").close()
            except FileExistsError:
                continue
            except (OSError, ValueError) as error:
                raise _unwritable(path, error) from error
            return path

    def _write(self, contents: dict[Path, bytes]) -> None:
        """Write all of them, or leave none behind."""
        try:
            for path, content in contents.items():
                replace_bytes(path, content)
        except OSError as error:
            for path in contents:
                path.unlink(missing_ok=True)
            raise _unwritable(path, error) from error


def _unwritable(path: Path, error: Exception) -> UserError:
    return UserError(f"cannot write {path}: {getattr(error, 'strerror', None) or error}; {_CURE}")


def _png(image: NDArray[np.uint8]) -> bytes:
    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "PNG")
    return buffer.getvalue()


def coloured(reply: Reply) -> Text:
    """An answer for a terminal: every target's phrase on the colour that tints it in the picture."""
    from rich.text import Text

    text = Text()
    for words, number in reply.answer.parts:
        if number is None:
            text.append(words)
        else:
            tint = tint_of(number)
            text.append(words or " ", style=f"rgb{_joined(ink_on(tint))} on rgb{_joined(tint)}")
    return text


def _joined(colour: tuple[int, int, int]) -> str:
    return f"({colour[0]},{colour[1]},{colour[2]})"


class Conversation:
    """Any number of questions about one picture."""

    def __init__(self, model: PixelLM, subject: Subject, files: AnswerFiles, console: Console, tell: Tell) -> None:
        """console: for answers, stdout. tell: is given sentences that are no answers."""
        self.model, self.subject, self.files = model, subject, files
        self.console, self.tell = console, tell

    def answer(self, question: str) -> None:
        """Ask, print the answer, and write it; UserError where one of that cannot be done."""
        reply = ask(self.model, self.subject.image, question)
        self.console.print(coloured(reply), soft_wrap=True)  # the terminal breaks long lines
        for note in reply.notes:
            self.tell(note)
        path = self.files.save(self.subject, reply)
        self.tell(f"The picture is {path}, the masks are in {path.with_suffix('.json').name} beside it.")

    def run(self, lines: Iterable[str]) -> None:
        """Answer questions, one a line, until an empty one or their end; mistakes are told, and the next is read."""
        for line in lines:
            if not line.strip():
                return
            try:
                self.answer(line)
            except UserError as error:
                self.tell(f"{error}")


def answer_questions(args: argparse.Namespace, seed: int, tell: Tell, lines: TextIO | None = None) -> None:
    """What `play.py ask` does; lines: where questions come from if there is none among `args`, by default stdin.

    Raises:
        UserError: for every mistake, before anything slow begins.
    """
    folder = check_model(args.checkpoint)
    if args.question is not None:
        put_question(args.question)
    load_pycocotools()
    files = AnswerFiles(args.out)
    subject = subject_of(args, seed)
    for note in subject.notes:
        tell(note)
    if subject.drawn:
        tell(f"Asking about {subject.about}: {files.save_frame(subject)}.")
    from rich.console import Console

    from ui.terminal import typed_lines

    console = Console(highlight=False)
    if args.question is None:
        tell("Loading the model.")
    talk = Conversation(load_model(folder), subject, files, console, tell)
    if args.question is not None:
        talk.answer(args.question)
        return
    tell("Ask about the picture; an empty line ends.")
    talk.run(typed_lines(sys.stdin if lines is None else lines, console))
