"""Commands given again: what is refused, what goes on, what stays, and that all of it is settled first."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from agents.checkpoint import load_checkpoint
from tests.train.fakes import FakeStage
from train.__main__ import main
from train.experiment import load_experiment
from train.run_folder import first_difference
from train.stopping import Interrupted
from train.trainer import Trainer

WORDS = ["experiment=both", "trainer.minutes=0.004"]


@pytest.fixture
def finished(conf: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Path:
    """The runs of a finished experiment: first, and second, which learns from the checkpoint of first."""
    assert main(WORDS, conf) == 0
    capsys.readouterr()
    return tmp_path / "runs" / "both"


def seconds(run: Path) -> float:
    return float(json.loads((run / "finished.json").read_text())["elapsed_seconds"])


def files(folder: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def refuse(*_: Any, **__: Any) -> Any:
    raise AssertionError("built although there is nothing to do")


def test_a_finished_experiment_given_again_is_cheap(
    conf: Path, finished: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    before = files(finished)
    monkeypatch.setattr(FakeStage, "__init__", refuse)
    assert main(WORDS, conf) == 0
    assert main(["experiment=both", "trainer.minutes=0.003"], conf) == 0, "less than it had is no reason to train"
    assert capsys.readouterr().out.count("finished already") == 4
    assert files(finished) == before


def test_a_finished_stage_alone_is_cheap_too(conf: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert main(["first", "trainer.steps=2"], conf) == 0
    monkeypatch.setattr(FakeStage, "__init__", refuse)
    assert main(["first", "trainer.steps=2"], conf) == 0


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["model=tiny"], "runs/both/first holds a run with stage.width=4 where this command says 2"),
        (["trainer.lr=0.3", "trainer.minutes=1"], "runs/both/first holds a run with trainer.lr=0.01 where"),
        (["trainer.seed=7"], "choose another folder with out=..., or start over with resume=false"),
    ],
)
def test_other_settings_are_refused(
    conf: Path, finished: Path, capsys: pytest.CaptureFixture[str], words: list[str], message: str
) -> None:
    before = files(finished)
    assert main([*WORDS, *words], conf) == 2
    assert message in capsys.readouterr().err
    assert files(finished) == before


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("trainer.lr=0.5", "runs/both/second holds a run with trainer.lr"),
        ("trainer.lr=-1", "trainer.lr is -1"),
        ("stage.width=wide", "stage.width is 'wide'"),
        ("inputs.first=nowhere", "inputs.first: there is no checkpoint folder nowhere"),
    ],
)
def test_the_last_step_is_checked_before_the_first_one_runs(
    conf: Path, finished: Path, capsys: pytest.CaptureFixture[str], words: str, message: str
) -> None:
    path = conf / "experiment" / "both.yaml"
    path.write_text(path.read_text().replace("{stage: second,", f"{{stage: second, overrides: ['{words}'],"))
    if words.startswith("inputs"):
        shutil.rmtree(finished / "second")  # or its other input would be the reason
    (finished / "first" / "finished.json").unlink()  # so that it would train
    before = files(finished)
    assert main([*WORDS, "trainer.minutes=1"], conf) == 2
    assert message in capsys.readouterr().err
    assert files(finished) == before


def test_a_larger_budget_goes_on_where_that_harms_nobody(
    conf: Path, finished: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the second stage knows hangs on the first one's checkpoint as it is."""
    before, had = files(finished / "first"), seconds(finished / "second")
    larger = ["experiment=both", "trainer.minutes=0.012"]
    assert main(larger, conf) == 0
    said = capsys.readouterr().out
    assert "first: stays as it is under this larger budget, since second has learned from runs/both/first" in said
    assert files(finished / "first") == before
    assert had < 0.4 and seconds(finished / "second") >= 0.54
    monkeypatch.setattr(FakeStage, "__init__", refuse)
    assert main(larger, conf) == 0


def test_a_larger_budget_for_a_stage_that_nobody_has_learned_from(conf: Path, finished: Path) -> None:
    shutil.rmtree(finished / "second")
    had = seconds(finished / "first")
    assert main(["experiment=both", "trainer.minutes=0.012"], conf) == 0
    assert had < 0.12 and seconds(finished / "first") >= 0.18


def test_starting_over(conf: Path, finished: Path) -> None:
    assert main([*WORDS, "model=tiny", "resume=false"], conf) == 0
    assert [load_checkpoint(finished / name / "checkpoint").config["width"] for name in ("first", "second")] == [2, 2]


def test_starting_over_and_stopped_before_the_last_stage(
    conf: Path, finished: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Going on later, a stage that learned from the old checkpoint does not count as finished."""

    def stopped(*_: Any, **__: Any) -> Any:
        raise Interrupted("stopped")

    with monkeypatch.context() as patch:
        patch.setattr(Trainer, "run", stopped)
        assert main([*WORDS, "model=tiny", "resume=false"], conf) == 130
    assert not (finished / "second" / "finished.json").exists()
    assert list((finished / "second" / "state").glob("step-*")) == []


def test_a_checkpoint_that_is_gone_is_made_again(conf: Path, finished: Path) -> None:
    shutil.rmtree(finished / "second" / "checkpoint")
    had = seconds(finished / "second")
    assert main(WORDS, conf) == 0
    assert load_checkpoint(finished / "second" / "checkpoint").config["width"] == 4
    assert seconds(finished / "second") == pytest.approx(had, abs=0.1), "from the state, without training anew"


def test_settings_that_an_older_version_had_not() -> None:
    old = {"name": "tokenizer", "stage": {"width": 3}}
    inputs: dict[str, Any] = {"_target_": "train.stages.Inputs", "tokenizer": None, "world": None}
    assert first_difference(old, {"name": "tokenizer", "stage": {"width": 3, "inputs": inputs}}) is None
    inputs["world"] = "runs/world/checkpoint"
    change = first_difference(old, {"name": "tokenizer", "stage": {"width": 3, "inputs": inputs}})
    assert change is not None and change.startswith("stage.inputs=null where this command says")


def test_an_agent_in_the_repository_is_found_from_anywhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert load_experiment("go9-more", []).start == Path("assets/checkpoints/go9-small")
    monkeypatch.chdir(tmp_path)
    start = load_experiment("go9-more", []).start
    assert start is not None and start.is_absolute() and (start / "config.yaml").is_file()
    assert load_experiment("go9-more", ["start=mine"]).start == Path("mine")
