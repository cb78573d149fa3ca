"""Films: readable, of the very episodes that were counted, without influence on them, never half there."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from agents import rollout
from agents.robot_agent import RobotAgent
from agents.rollout_episodes import Episode, roll_out
from agents.rollout_films import HOLD, PARTIAL, SIZE, Film, is_complete
from envs.errors import UserError
from tests.robots import STEPS, ToyBenchmark, ToySimulation, tiny_robot, tiny_robot_model, toy_rollout

imageio = pytest.importorskip("imageio.v2", reason="imageio (extra robots) is not installed")
pytest.importorskip("imageio_ffmpeg", reason="ffmpeg (extra robots) is not installed")


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is left in the project's folder, and the toy is gone after a test."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(rollout, "BENCHMARKS", dict(rollout.BENCHMARKS))


@pytest.fixture(scope="module")
def agent() -> RobotAgent:
    return RobotAgent(tiny_robot_model(), temperature=1.0)


def frames_of(path: Path) -> np.ndarray:
    with imageio.get_reader(path) as reader:
        return np.array([frame for frame in reader])  # it has no length for list() to ask for


def test_a_film_and_its_strip(agent: RobotAgent, tmp_path: Path) -> None:
    episode = ToyBenchmark().episodes()[0]
    with Film(tmp_path / "film", agent.model.canvas, hz=10, ahead=STEPS) as film:
        result = roll_out(ToySimulation(), agent, episode, 20, film)
    frames = frames_of(tmp_path / "film.mp4")
    assert frames.shape == (result.steps[0] + round(10 * HOLD), SIZE[1], SIZE[0], 3)
    assert np.abs(frames[0].astype(int) - frames[-1]).max() > 50, "something is seen to happen"
    with Image.open(tmp_path / "film.png") as strip:
        assert strip.mode == "RGB" and strip.width >= 600 and strip.height > 450
    assert is_complete(tmp_path / "film")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["film.mp4", "film.png"]


@pytest.mark.parametrize("replan", [1, 2, 3])
def test_filming_changes_nothing(replan: int, tmp_path: Path) -> None:
    agent = RobotAgent(tiny_robot_model(), temperature=1.0, replan=replan)
    for number, episode in enumerate(ToyBenchmark(count=4, chains=True).episodes()[2:]):
        one, other = ToySimulation(), ToySimulation()
        alone = roll_out(one, agent, episode, 12)
        with Film(tmp_path / str(number), agent.model.canvas, hz=10, ahead=STEPS) as film:
            assert roll_out(other, agent, episode, 12, film).same_end(alone)
        assert np.array_equal(one.place, other.place), "every action was the same"


def test_what_was_imagined_stands_beside_its_step(agent: RobotAgent, tmp_path: Path) -> None:
    """A plan at step 0 of an agent that looks every third step imagines step 3."""
    episode = Episode("never", ("stay",), ("go left",), {"place": [0.0] * 7, "ways": [1, 1], "broken": False}, 0)
    film = Film(tmp_path / "film", agent.model.canvas, hz=10, ahead=STEPS)
    plans: list[np.ndarray] = []
    think = agent.think

    def noting(*given: object, **named: object) -> object:
        thought = think(*given, **named)  # type: ignore[arg-type]
        assert thought.imagined is not None
        plans.append(thought.imagined[0])
        return thought

    agent.think = noting  # type: ignore[assignment, method-assign]
    try:
        with film:
            roll_out(ToySimulation(), agent, episode, 8, film)
    finally:
        agent.think = think  # type: ignore[method-assign]
    assert len(plans) == 3
    moments = [moment for moment in film._moments if moment.tiles["static"][1] is not None]
    assert [moment.step for moment in moments] == [3, 6]
    for moment, plan in zip(moments, plans, strict=False):
        shown = agent.model.canvas.show(plan, 112)
        assert np.array_equal(moment.tiles["static"][1], shown["static"])
        assert np.array_equal(moment.tiles["gripper"][1], shown["gripper"])


def test_an_episode_too_short_for_any_foresight(agent: RobotAgent, tmp_path: Path) -> None:
    with Film(tmp_path / "film", agent.model.canvas, hz=10, ahead=STEPS) as film:
        roll_out(ToySimulation(), agent, ToyBenchmark().episodes()[0], 1, film)
    assert is_complete(tmp_path / "film")


def test_no_half_films_stay(agent: RobotAgent, tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt), Film(tmp_path / "film", agent.model.canvas, hz=10, ahead=STEPS) as film:
        film.begin("left", "go left")
        raise KeyboardInterrupt
    assert not list(tmp_path.iterdir())
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match="cannot write the film .* make room or choose another --video"):
        Film(tmp_path / "file" / "film", agent.model.canvas, hz=10, ahead=STEPS).__enter__()


def test_a_film_that_is_cut_off_is_no_film(agent: RobotAgent, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("imageio_ffmpeg.count_frames_and_secs", lambda path: (2, 0.2))  # as on a full disk
    with pytest.raises(UserError, match="2 of 14 frames are in the file"):
        with Film(tmp_path / "film", agent.model.canvas, hz=10, ahead=STEPS) as film:
            start = {"place": [0] * 7, "ways": [1], "broken": 0}
            roll_out(ToySimulation(), agent, Episode("k", ("stay",), ("go left",), start, 0), 2, film)
    assert not list(tmp_path.iterdir())


def test_which_episodes_are_filmed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    robot = str(tiny_robot(tmp_path / "tiny"))
    words = ["--checkpoint", robot, "--workers", "0", "--steps", "9", "--temperature", "1", "--out", "out"]
    Path("films").mkdir()
    (Path("films") / f".left-000-solved{PARTIAL}").touch()  # a killed process was here
    assert toy_rollout([*words, "--video", "films"]) == 0
    content = json.loads(Path("out/results.json").read_text())
    first: dict[tuple[str, bool], str] = {}
    for episode in content["episodes"]:
        word = "solved" if episode["solved"] else "failed"
        first.setdefault((episode["tasks"][0], bool(episode["solved"])), f"{episode['key']}-{word}")
    names = {path.name for path in Path("films").iterdir()}
    assert names == {f"{name}{end}" for name in first.values() for end in (".mp4", ".png")} | {"films.json"}
    assert set(content["films"].values()) == {f"films/{name}.mp4" for name in first.values()}
    assert capsys.readouterr().err.count("filmed") == len(first)
    gone = Path("films", f"{next(iter(first.values()))}.mp4")
    gone.unlink()
    assert toy_rollout([*words, "--video", "films"]) == 0
    assert capsys.readouterr().err.count("filmed") == 1 and gone.is_file(), "what is missing is made, and no more"
    assert toy_rollout([*words[:-1], "other", "--seed", "1", "--video", "films"]) == 2
    assert "films holds a rollout with seed 0, not 1; choose another --video" in capsys.readouterr().err
    assert toy_rollout([*words, "--video", "out/results.json"]) == 2
    assert "cannot use out/results.json (File exists); choose another --video" in capsys.readouterr().err


def test_a_film_that_ends_otherwise_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    robot = str(tiny_robot(tmp_path / "tiny"))
    words = ["--checkpoint", robot, "--workers", "0", "--steps", "9", "--out", "out", "--episodes", "1"]
    assert toy_rollout(words) == 0
    lines = [json.loads(line) for line in Path("out/episodes.jsonl").read_text().splitlines()]
    lines[0]["steps"] = [8 if lines[0]["steps"] == [9] else 9]
    Path("out/episodes.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    capsys.readouterr()
    assert toy_rollout([*words, "--video", "films"]) == 0
    assert capsys.readouterr().err.count("ends in another way than the result") == 1


def test_without_imageio(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setitem(__import__("sys").modules, "imageio_ffmpeg", None)
    assert toy_rollout(["--checkpoint", str(tiny_robot(tmp_path / "tiny")), "--video", "films"]) == 2
    assert "run `pip install 'videoworld-agents[robots]'`" in capsys.readouterr().err
    assert not Path("films").exists()
