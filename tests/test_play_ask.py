"""`play.py ask`: pictures, positions and scenes, answers in words and files, and every mistake in one sentence."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from pycocotools import mask as coco

import play
from agents.pixellm.checkpoint import save_pixellm
from agents.pixellm.config import FRAME_SIDE
from agents.pixellm.overlay import overlay
from envs.errors import UserError
from envs.go.renderer import BoardGeometry, read_board
from envs.go.rules import GoGame
from envs.go.sgf import write_sgf
from tests.agents.pixellm.shapes import STAR, WHAT, taught_model
from tests.front_door import ROOT, nobody_at_home, one_sentence, write_checkpoint
from ui import ask as ask_module
from ui.ask_frames import board_subject, scene_subject

MOVES = (40, 41, 42, 31)


class Place:
    """A folder with a model, a picture that it knows, and a game of four moves."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        model, self.image, self.masks = taught_model()
        self.model = save_pixellm(model, folder / "model")
        self.picture = folder / "shapes.png"
        Image.fromarray(self.image).save(self.picture)
        game = GoGame(9)
        for point in MOVES:
            game.play(point)
        self.game = write_sgf(game, folder / "game.sgf")
        (folder / "text.png").write_text("no picture")
        (folder / "broken.sgf").write_text("no game")
        write_checkpoint(folder / "go")


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Place:
    return Place(tmp_path_factory.mktemp("ask"))


@pytest.fixture(autouse=True)
def surroundings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    nobody_at_home(monkeypatch, tmp_path)
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.delenv("FORCE_COLOR", raising=False)


def asked(place: Place, *words: str) -> list[str]:
    return ["ask", *words, "--checkpoint", str(place.model)]


# Mistakes. {here}: the folder of `Place`.
MISTAKES: dict[str, tuple[list[str], list[str]]] = {
    "nothing to ask about": ([], ["nothing to ask about", "give a picture, --board GAME.sgf or --scene calvin"]),
    "two pictures": (["--board", "a.sgf", "--scene", "calvin"], ["--board and --scene are two pictures"]),
    "no quotes": (["{here}/shapes.png", "Where", "is", "it?"], ["'Where is it?' are several words", "quotes"]),
    "a picture and a game": (
        ["pic.png", "Where is it?", "--board", "{here}/game.sgf"],
        ["'pic.png' besides --board or --scene is a second picture"],
    ),
    "a task without a scene": (["{here}/shapes.png", WHAT, "--task", "x"], ["--task goes with --scene"]),
    "no such picture": (["{here}/none.png", WHAT], ["cannot read", "none.png", "check the file"]),
    "no picture": (["{here}/text.png", WHAT], ["text.png", "no picture of a known kind; give a PNG"]),
    "a folder": (["{here}", WHAT], ["it is no file; give a PNG"]),
    "an empty question": (["{here}/shapes.png", "  "], ["the question is empty: ask something"]),
    "a long question": (["{here}/shapes.png", "why " * 2500], ["10000 characters: ask in fewer words"]),
    "a question too long for the model": (
        ["{here}/shapes.png", "Is there a white star? " * 40],
        ["ask in fewer words"],
    ),
    "another script": (["{here}/shapes.png", "黒石はどこ"], ["'黒石はどこ'", "ask in English"]),
    "another language": (["{here}/shapes.png", "Où sont les pierres?"], ["'Où'", "ask in English"]),
    "no such option": (["{here}/shapes.png", WHAT, "--color", "red"], ["--color", "play.py ask --help"]),
    "no such move": (["--board", "{here}/game.sgf:9", WHAT], ["game.sgf has 4 moves, and no move 9", "game.sgf:4"]),
    "no move": (["--board", "{here}/game.sgf:last", WHAT], ["'last' is no move", "game.sgf:30"]),
    "a move below zero": (["--board", "{here}/game.sgf:-1", WHAT], ["'-1' is no move", "from 0 on"]),
    "no such game": (["--board", "{here}/none.sgf:3", WHAT], ["cannot read", "none.sgf", "check the file"]),
    "no game": (["--board", "{here}/broken.sgf", WHAT], ["broken.sgf"]),
    "no such scene": (["--scene", "kitchen", WHAT], ["no scene of 'kitchen'", "choose calvin"]),
    "no such table": (["--scene", "calvin:E", WHAT], ["scene 'E' is unknown", "A, B, C, D"]),
    "no such task": (["--scene", "calvin", "--task", "fly", WHAT], ["task 'fly' is unknown"]),
    "no such room": (["--scene", "rlbench:B", WHAT], ["RLBench has one room, and no scene 'B'"]),
    "no such variation": (
        ["--scene", "rlbench", "--task", "close_box", "--variation", "7", WHAT],
        ["variation 7 is out of range"],
    ),
    "a variation of CALVIN": (["--scene", "calvin", "--variation", "1", WHAT], ["--variation 1 goes with"]),
    "no model": (
        ["{here}/shapes.png", WHAT, "--checkpoint", "nowhere"],
        ["no checkpoint in nowhere", "give a PixelLM"],
    ),
    "another kind of model": (
        ["{here}/shapes.png", WHAT, "--checkpoint", "{here}/go"],
        ["holds a 'go_agent' checkpoint, and no PixelLM", "--checkpoint FOLDER"],
    ),
    "another kind of picture": (["{here}/shapes.png", WHAT, "--out", "{here}/a.jpg"], ["a.jpg is no PNG", ".png"]),
    "a file in the way": (
        ["{here}/shapes.png", WHAT, "--out", "{here}/text.png/answers"],
        ["cannot write", "text.png/answers", "choose another place with --out"],
    ),
    "a name too long": (
        ["{here}/shapes.png", WHAT, "--out", "{here}/" + "n" * 300 + ".png"],
        ["cannot write", "choose another place with --out"],
    ),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_mistakes_are_one_sentence_and_status_2(name: str, place: Place, capsys: pytest.CaptureFixture[str]) -> None:
    words, parts = MISTAKES[name]
    words = [word.replace("{here}", str(place.folder)) for word in words]
    if "--checkpoint" not in words:
        words += ["--checkpoint", str(place.model)]
    assert play.main(["ask", *words]) == 2
    out, err = capsys.readouterr()
    # An answer that has been paid for is told before the disk refuses it
    assert one_sentence(err) and (not out or name == "a name too long")
    for part in parts:
        assert part in err


def test_without_the_shipped_model_that_is_told(
    place: Place, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("ui.ask_model.ASK_CHECKPOINT", place.folder / "assets" / "checkpoints" / "ask-small")
    assert play.main(["ask", str(place.picture), WHAT]) == 2
    err = capsys.readouterr().err
    assert "no model that answers questions in assets/checkpoints/ask-small" in err and one_sentence(err)
    assert "--checkpoint FOLDER" in err


def test_windows_find_a_wrong_model_at_once(place: Place, capsys: pytest.CaptureFixture[str]) -> None:
    go = str(place.folder / "go")
    assert play.main(["go", "--checkpoint", go, "--ask", go]) == 2
    err = capsys.readouterr().err
    assert "no PixelLM" in err and "--ask FOLDER" in err and one_sentence(err)


@pytest.mark.skipif(sys.platform == "win32", reason="there folders have other rights")
def test_a_folder_that_nobody_may_write_into(
    place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("os.access", lambda path, mode: False)  # who runs the tests may have every right
    assert play.main(asked(place, str(place.picture), WHAT, "--out", str(tmp_path / "answers"))) == 2
    err = capsys.readouterr().err
    assert "answers: Permission denied; choose another place with --out" in err and one_sentence(err)


def test_a_disk_that_fills_up_leaves_no_half_answer(
    place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def full(path: Path, content: bytes) -> None:
        if path.suffix == ".png":
            raise OSError(28, "No space left on device")
        path.write_bytes(content)

    monkeypatch.setattr(ask_module, "replace_bytes", full)
    assert play.main(asked(place, str(place.picture), WHAT, "--out", str(tmp_path / "answers"))) == 2
    out, err = capsys.readouterr()
    assert "There is" in out and "No space left on device; choose another place" in err and one_sentence(err)
    assert list((tmp_path / "answers").iterdir()) == []


# Answers


def test_an_answer_in_words_and_files(place: Place, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "deep" / "answers"
    assert play.main(asked(place, str(place.picture), "--out", str(out), "what shapes are there")) == 0
    said, err = capsys.readouterr()
    assert said.startswith("There is the ") and said.count("\n") == 1 and "\x1b" not in said
    assert f"The picture is {out / 'shapes.png'}" in err and "shapes.json" in err
    record = json.loads((out / "shapes.json").read_text(encoding="utf-8"))
    assert record["text"] == said.strip() and record["question"] == WHAT and record["source"] == "shapes.png"
    masks = [coco.decode(target["segmentation"]).astype(bool) for target in record["targets"]]
    assert len(masks) == 2
    for target, mask, truth in zip(record["targets"], masks, place.masks, strict=True):
        start, end = target["span"]
        assert record["text"][start:end] == target["phrase"] and target["phrase"].startswith("the ")
        assert (mask & truth).sum() / (mask | truth).sum() > 0.6 and 0 <= target["score"] <= 1
    with Image.open(out / "shapes.png") as drawn:
        assert np.array_equal(np.asarray(drawn), overlay(place.image, masks))


def test_of_what_is_not_there_it_says_so(place: Place, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert play.main(asked(place, str(place.picture), STAR, "--out", str(tmp_path / "no.png"))) == 0
    assert capsys.readouterr().out == "No, there is no white star.\n"
    assert json.loads((tmp_path / "no.json").read_text())["targets"] == []
    with Image.open(tmp_path / "no.png") as drawn:
        assert np.array_equal(np.asarray(drawn), place.image)


def test_nothing_is_written_over(place: Place, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "no.png").write_text("precious")
    (tmp_path / "no-2.json").write_text("precious")
    for _ in range(2):
        assert play.main(asked(place, str(place.picture), STAR, "--out", str(tmp_path / "no.png"))) == 0
    names = sorted(path.name for path in tmp_path.glob("no*"))
    assert names == ["no-2.json", "no-3.json", "no-3.png", "no-4.json", "no-4.png", "no.png"]
    assert (tmp_path / "no.png").read_text() == (tmp_path / "no-2.json").read_text() == "precious"


def test_answers_go_to_the_data_folder_by_default(
    place: Place, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert play.main(asked(place, str(place.picture), STAR)) == 0
    assert (tmp_path / "data" / "videoworld" / "answers" / "shapes.json").is_file()


class Terminal(io.StringIO):
    """A stdout that says it is a terminal."""

    encoding = "utf-8"

    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize("plain", [False, True])
def test_phrases_are_coloured_in_a_terminal(
    place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, plain: bool
) -> None:
    terminal = Terminal()
    monkeypatch.setattr("sys.stdout", terminal)
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLORTERM", "truecolor")
    if plain:
        monkeypatch.setenv("NO_COLOR", "1")
    assert play.main(asked(place, str(place.picture), WHAT, "--out", str(tmp_path))) == 0
    said = terminal.getvalue()
    for colour in ("48;2;230;25;75m", "48;2;0;130;200m"):  # of the first two targets
        assert (colour in said) != plain
    assert "square" in said and ("\x1b[" in said) != plain


def test_questions_one_after_the_other(
    place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = f"{WHAT}\nOù sont les pierres?\n{STAR}\n\n{WHAT}\n"
    monkeypatch.setattr("sys.stdin", io.StringIO(lines))
    assert play.main(asked(place, str(place.picture), "--out", str(tmp_path))) == 0
    out, err = capsys.readouterr()
    assert out.count("\n") == 2 and out.endswith("No, there is no white star.\n")  # the empty line ended it
    assert "ask in English" in err and "an empty line ends" in err
    assert sorted(path.name for path in tmp_path.glob("*.json")) == ["shapes-2.json", "shapes.json"]
    monkeypatch.setattr("sys.stdin", io.StringIO(STAR))  # Ctrl-D
    assert play.main(asked(place, str(place.picture), "--out", str(tmp_path))) == 0
    assert capsys.readouterr().out == "No, there is no white star.\n"


def test_what_should_be_known_about_a_picture_is_told(
    place: Place, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    moving = tmp_path / "moving.gif"
    Image.fromarray(place.image).save(moving, save_all=True, append_images=[Image.new("RGB", (32, 32))])
    assert play.main(asked(place, str(moving), "Is there a white giraffe?", "--out", str(tmp_path))) == 0
    err = capsys.readouterr().err
    assert "The file holds several pictures; the first is asked about." in err
    assert "'giraffe' is a word that this model has not learned" in err


# Positions and scenes


@pytest.mark.parametrize(("words", "ply"), [("game.sgf", 4), ("game.sgf:4", 4), ("game.sgf:2", 2), ("game.sgf:0", 0)])
def test_a_position_is_drawn_as_in_training(place: Place, words: str, ply: int) -> None:
    from envs.go.batch import Positions
    from train.data.questions.go_boards import Board

    subject = board_subject(str(place.folder / words))
    positions = read_board(subject.image[None], BoardGeometry.within(FRAME_SIDE, 9))
    assert (positions.stones != 0).sum() == ply and positions.to_move[0] == 1 + ply % 2
    assert positions.last_move[0] == (MOVES[ply - 1] if ply else -1)
    assert isinstance(positions, Positions) and np.array_equal(Board(positions).image, subject.image)
    assert subject.about == f"move {ply} of game.sgf" and subject.name == f"game-move{ply}"


def test_a_file_may_be_called_like_a_move(place: Place) -> None:
    odd = place.folder / "odd.sgf:2"
    odd.write_bytes(place.game.read_bytes())
    assert board_subject(str(odd)).name.endswith("-move4")
    assert board_subject(f"{odd}:3").name.endswith("-move3")


def test_a_question_about_a_position(place: Place, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert play.main(asked(place, "--board", f"{place.game}:3", STAR, "--out", str(tmp_path))) == 0
    out, err = capsys.readouterr()
    assert out and f"Asking about move 3 of game.sgf: {tmp_path / 'game-move3-frame.png'}." in err
    with Image.open(tmp_path / "game-move3-frame.png") as frame:
        assert np.array_equal(np.asarray(frame), board_subject(f"{place.game}:3").image)
    assert json.loads((tmp_path / "game-move3.json").read_text())["source"] == "move 3 of game.sgf"


def test_a_scene_follows_its_seed() -> None:
    pytest.importorskip("pybullet", reason="scenes are simulated")
    first, again, other = (scene_subject("calvin", None, None, seed) for seed in (4, 4, 5))
    assert first.image.shape == (FRAME_SIDE, FRAME_SIDE, 3) and first.image.dtype == np.uint8
    assert np.array_equal(first.image, again.image) and first.name == again.name
    assert not np.array_equal(first.image, other.image) and first.name != other.name
    open_drawer = scene_subject("calvin:B", "close_drawer", None, 1)
    assert "table B, a start for close_drawer, seed 1" in open_drawer.about


def test_a_scene_of_rlbench() -> None:
    pytest.importorskip("pybullet", reason="scenes are simulated")
    drawn = scene_subject("rlbench", "open_drawer", 2, 1)
    assert drawn.image.shape == (FRAME_SIDE, FRAME_SIDE, 3) and drawn.name == "rlbench-open_drawer-2-1"
    assert scene_subject("rlbench", None, None, 1).name == scene_subject("rlbench", None, None, 1).name


def test_without_the_simulator_that_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pybullet", None)
    with pytest.raises(UserError, match="pip install"):
        scene_subject("calvin", None, None, 1)


def test_a_question_about_a_scene(place: Place, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("pybullet", reason="scenes are simulated")
    words = asked(place, "--scene", "calvin:A", "--task", "open_drawer", "--seed", "3", STAR, "--out", str(tmp_path))
    assert play.main(words) == 0
    assert (tmp_path / "calvin-A-open_drawer-3.json").is_file()
    assert (tmp_path / "calvin-A-open_drawer-3-frame.png").is_file()


def test_help_and_mistakes_import_nothing_slow(place: Place) -> None:
    code = (
        "import sys, play\n"
        "try:\n    play.main(['ask', '--help'])\nexcept SystemExit: pass\n"
        f"play.main(['ask', 'none.png', 'Where is it?', '--checkpoint', {str(place.model)!r}])\n"
        "print(sorted({'torch', 'transformers', 'numba', 'pygame', 'gymnasium'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=120, check=True
    )
    assert done.stdout.endswith("[]\n") and "--board GAME.sgf[:MOVE]" in done.stdout and one_sentence(done.stderr)
