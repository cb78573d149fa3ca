"""`python -m train` with fake stages: composing, mistakes, experiments, stopping; two tests start real processes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
import yaml

from agents.checkpoint import load_checkpoint
from train import experiment, registry
from train.__main__ import main
from train.compose import CONF, choices
from train.state import load_state

ROOT = Path(__file__).parents[2]


def complaint(capsys: pytest.CaptureFixture[str]) -> str:
    """What was said to stderr: one line."""
    text = capsys.readouterr().err.strip()
    assert text.startswith("train: ") and "\n" not in text and "Traceback" not in text
    return text


# -- one stage -------------------------------------------------------------------------------------------------------


def test_a_stage_is_trained(conf: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["first", "trainer.steps=5", "model=tiny", "trainer.seed=3"], conf) == 0
    checkpoint = load_checkpoint(tmp_path / "runs" / "first" / "checkpoint")
    assert checkpoint.config["width"] == 2 and checkpoint.config["seed"] == 3
    assert capsys.readouterr().out.startswith("first: eval_loss ")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["conf", "runs"], "Hydra leaves no folders"


def test_stage_defaults_lose_to_the_command_line(conf: Path, tmp_path: Path) -> None:
    assert main(["first", "trainer.steps=2"], conf) == 0
    inputs = "inputs.first=runs/first/checkpoint"
    assert main(["second", "trainer.steps=2", inputs, "out=a"], conf) == 0
    assert main(["second", "trainer.steps=2", inputs, "out=b", "trainer.lr=0.5"], conf) == 0
    rates = [json.loads((tmp_path / name / "run.json").read_text())["trainer"]["lr"] for name in ("a", "b")]
    assert rates == [0.02, 0.5]


def test_show_the_settings(conf: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["first", "model=tiny", "out=x", "--config"], conf) == 0
    shown = yaml.safe_load(capsys.readouterr().out)
    assert shown["stage"]["width"] == 2 and shown["trainer"]["out"] == "x"
    assert not (tmp_path / "x").exists()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["frist"], "unknown stage 'frist'; did you mean first? choose one of first, second"),
        (["first", "model=huge"], "unknown model 'huge'; choose one of small, tiny"),
        (["first", "trainer=gpus"], "unknown trainer 'gpus'; did you mean gpu? choose one of cpu, default, gpu"),
        (["first", "trainer.stepz=3"], "unknown key of trainer 'stepz'; did you mean steps?"),
        (["first", "foo=1"], "unknown key 'foo'; choose one of"),
        (["first", "foo.bar=1"], "unknown key 'foo.bar'"),
        (["first", "+trainer.foo=1"], "unknown key of trainer 'foo'"),
        (["first", "trainer.lr=fast"], "trainer.lr is 'fast'; choose a number"),
        (["first", "trainer.lr=-1"], "trainer.lr is -1; choose a number in (0, inf)"),
        (["first", "trainer.steps=1", "model.width=wide"], "stage.width is 'wide'; choose a whole number"),
        (["first", "trainer.steps=1", "+stage.depth=3"], "unknown key of stage 'depth'"),
        (["first", "trainer.lr=${nowhere}"], "nowhere"),
        (["first"], "the run has no end; set trainer.minutes=... or trainer.steps=..."),
        (["second", "trainer.steps=1", "inputs.first=nowhere"], "there is no checkpoint folder nowhere"),
        (["first", "trainer.steps=1", "resume=maybe"], "resume is 'maybe'; choose true or false"),
        (["first", "trainer.steps=1", "trainer.seed=5000000000"], "trainer.seed is 5000000000; choose a whole number"),
        (
            ["first", "trainer.steps=1", "trainer=cpu", "trainer.num_processes=-1"],
            "trainer.num_processes is -1, all GPUs",
        ),
        (["experiment=both", "inputs.first=nowhere"], "inputs.first: there is no checkpoint folder nowhere"),
        (["first", "second"], "name one stage (first, second) or one experiment=NAME, got first and second"),
        (["trainer.steps=3"], "name one stage (first, second) or one experiment=NAME, got neither"),
        (["first", "--fast"], "unknown option '--fast'; see python -m train --help"),
        (["first", "trainer.betas=[0.9"], "see python -m train --help"),
        (["experiment=bothe"], "unknown experiment 'bothe'; did you mean both? choose one of both"),
        (["experiment=both", "trainer.minutes=-3"], "trainer.minutes is '-3'"),
        (["experiment=both", "model=huge"], "unknown model 'huge'"),
        (["first", "experiment=both"], "experiment=both trains first, second, not first alone; leave 'first' out"),
    ],
)
def test_mistakes_get_one_sentence(
    conf: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], words: list[str], message: str
) -> None:
    assert main(words, conf) == 2
    assert message in complaint(capsys)
    assert not (tmp_path / "runs").exists(), "a mistake costs nothing and leaves nothing"


def test_a_folder_of_another_run(conf: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["first", "trainer.steps=2"], conf) == 0
    capsys.readouterr()
    assert main(["first", "trainer.steps=2", "trainer.lr=0.5"], conf) == 2
    assert "trainer.lr=0.001 where this command says 0.5; choose another folder with out=..." in complaint(capsys)
    assert main(["first", "trainer.steps=2", "trainer.lr=0.5", "resume=false"], conf) == 0


def test_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    page = capsys.readouterr().out
    for part in (
        "usage: python -m train STAGE",
        *registry.STAGES,
        "trainer.minutes: null",
        "examples:",
        "resume=false",
    ):
        assert part in page
    assert max(map(len, page.splitlines())) <= 120
    assert main([]) == 2


# -- the project's own settings --------------------------------------------------------------------------------------


@pytest.mark.parametrize("stage", list(registry.STAGES))
@pytest.mark.parametrize("trainer", choices("trainer"))
def test_own_settings_compose(stage: str, trainer: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([stage, f"trainer={trainer}", "--config"]) == 0
    assert "_target_" in yaml.safe_load(capsys.readouterr().out)["stage"]


@pytest.mark.parametrize("name", choices("experiment"))
def test_own_experiments_compose(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([f"experiment={name}", "--config"]) == 0
    assert capsys.readouterr().out.count("_target_: train.settings.TrainerConfig") >= 1


def test_an_experiment_of_one_stage_may_be_named_with_it(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["experiment=ask-small", "--config"]) == 0
    alone = capsys.readouterr().out
    assert main(["pixellm", "experiment=ask-small", "--config"]) == 0
    assert capsys.readouterr().out == alone


def test_every_stage_has_its_settings() -> None:
    assert choices("stage") == sorted(registry.STAGES)
    assert (CONF / "config.yaml").is_file()


# -- experiments -----------------------------------------------------------------------------------------------------


def test_an_experiment_feeds_each_stage_to_the_next(
    conf: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["experiment=both", "trainer.minutes=0.01", "export=shipped", "model=tiny"]
    assert main(words, conf) == 0
    runs = tmp_path / "runs" / "both"
    assert load_checkpoint(runs / "second" / "checkpoint").config["source"] == "runs/both/first/checkpoint"
    seconds = [
        json.loads((runs / name / "finished.json").read_text())["elapsed_seconds"] for name in ("first", "second")
    ]
    assert seconds[0] == pytest.approx(0.15, abs=0.1) and seconds[1] == pytest.approx(0.45, abs=0.1)
    rates = [json.loads((runs / name / "run.json").read_text())["trainer"]["lr"] for name in ("first", "second")]
    assert rates == [0.01, 0.02]
    exported = load_checkpoint(tmp_path / "shipped" / "second")
    assert exported.config["width"] == 2
    capsys.readouterr()

    (runs / "second" / "finished.json").unlink()  # as if the second stage had been stopped before its end
    stamp = (runs / "first" / "finished.json").stat().st_mtime_ns
    assert main(words, conf) == 0
    assert capsys.readouterr().out.startswith("first: finished already")
    assert (runs / "first" / "finished.json").stat().st_mtime_ns == stamp
    assert (runs / "second" / "finished.json").exists()


def test_exports_go_through_a_function_where_one_is_named(conf: Path, tmp_path: Path) -> None:
    path = conf / "experiment" / "both.yaml"
    path.write_text(path.read_text() + "export: packed\nexport_with: tests.train.fake_cli:pack\n")
    assert main(["experiment=both", "trainer.minutes=0.004"], conf) == 0
    assert (tmp_path / "packed").read_text() == "first second"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("stages: [{stage: third}]", "unknown stage 'third'"),
        ("stages: []", "names no stages"),
        ("stages: [{stage: first, share: -1}]", "share of first is -1"),
        (
            "stages: [{stage: first}, {stage: first}]",
            "names first twice; give one of them a name of its own",
        ),
        ("stages: [{stage: first, shares: 1}]", "unknown key 'shares'; did you mean share?"),
        ("stages: [{stage: first, name: eyes}]", "name of first is 'eyes'; begin it with first, as in first_again"),
        ("stages: [{stage: first, name: first/eyes}]", "name of first is 'first/eyes'"),
        ("stages: [{stage: first, from: first}]", "first goes on from 'first'; name an earlier run of first"),
        (
            "stages: [{stage: first}, {stage: second, from: first}]",
            "second goes on from 'first'; name an earlier run of second",
        ),
        ("minutes: soon\nstages: [{stage: first}]", "trainer.minutes is 'soon'"),
        ("overrides: fast\nstages: [{stage: first}]", "overrides is 'fast'"),
        ("- first", "where named settings belong"),
    ],
)
def test_mistakes_in_experiment_files(
    conf: Path, capsys: pytest.CaptureFixture[str], content: str, message: str
) -> None:
    (conf / "experiment" / "mine.yaml").write_text(content)
    assert main(["experiment=mine"], conf) == 2
    assert message in complaint(capsys)


def test_an_export_folder_of_other_files_is_left_alone(
    conf: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "a.png").write_text("x")
    assert main(["experiment=both", "trainer.minutes=0.004", "export=photos"], conf) == 2
    assert "photos holds other files" in capsys.readouterr().err
    assert [path.name for path in (tmp_path / "photos").iterdir()] == ["a.png"]
    assert not (tmp_path / "runs").exists(), "said before anything is trained"


def test_every_key_of_an_experiment_file_is_explained() -> None:
    example = yaml.safe_load(str(experiment.__doc__).split("`conf/experiment/NAME.yaml`:")[1])
    assert set(example) == set(experiment._KEYS)
    assert {key for stage in example["stages"] for key in stage} == set(experiment._STAGE_KEYS)


# -- real processes --------------------------------------------------------------------------------------------------


def start(conf: Path, *words: str) -> subprocess.Popen[str]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, str(ROOT / "tests" / "train" / "fake_cli.py"), str(conf), *words]
    return subprocess.Popen(
        command, cwd=conf.parent, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )


def wait_for(path: Path, process: subprocess.Popen[str]) -> None:
    """Until a file is there."""
    while not any(path.parent.glob(path.name)):
        assert process.poll() is None, process.communicate()
        time.sleep(0.02)


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="signals are a Unix matter")
def test_terminated_killed_and_resumed(conf: Path, tmp_path: Path) -> None:
    """SIGTERM, then kill -9, then the end: the same bits as an undisturbed run."""
    words = ["first", "trainer.steps=300", "trainer.checkpoint_every_minutes=0.001", "trainer=cpu"]
    run = tmp_path / "runs" / "first"
    first = start(conf, *words, "stage.pause=0.01")
    wait_for(run / "state" / "step-*", first)
    first.send_signal(signal.SIGTERM)
    out, err = first.communicate(timeout=100)
    assert first.returncode == 130 and "run the same command again to go on" in err and "Traceback" not in err
    assert out == ""
    saved = load_state(run / "state")
    assert saved is not None and 0 < saved.clock.step < 300
    second = start(conf, *words, "stage.pause=0.01")
    wait_for(run / "state" / f"step-*[!{saved.clock.step % 10}]", second)
    second.kill()
    second.communicate(timeout=100)
    saved = load_state(run / "state")
    assert saved is not None and 0 < saved.clock.step < 300
    assert main([*words, "stage.pause=0.01"], conf) == 0
    assert main([*words, "out=whole"], conf) == 0
    assert parts_of(run) == parts_of(tmp_path / "whole")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["trainer.log_every=1000", "+stage.diverge_at=8"], "train: fake: a weight is not finite"),
        (["trainer.log_every=4", "+stage.diverge_at=8"], "train: fake: loss is nan"),
        (["+stage.full_at=1"], "train: no room for the checkpoint"),
    ],
)
def test_an_error_on_one_rank_ends_all(conf: Path, words: list[str], message: str) -> None:
    """Rank 0 alone evaluates, saves and exports; the other one must not wait for it for ever."""
    process = start(conf, "first", "trainer.steps=20", "trainer=cpu", "trainer.num_processes=2", *words)
    out, err = process.communicate(timeout=100)  # until the other rank has closed its end as well
    assert process.returncode == 2 and out == ""
    assert err.count("train: ") == 1 and message in err and "Traceback" not in err


@pytest.mark.slow
def test_two_processes(conf: Path, tmp_path: Path) -> None:
    """Two ranks learn what one rank learns from twice the micro steps, write one run folder, stop and go on."""
    words = ["first", "trainer.steps=100", "stage.dropout=0.0", "trainer=cpu"]
    both = [*words, "trainer.num_processes=2"]
    together = start(conf, *both, "out=together")
    out, err = together.communicate(timeout=100)
    assert together.returncode == 0, err
    assert out.count("eval_loss") == 1, "only one process speaks"
    assert "2 x cpu" in err and "128 samples" in err and "Traceback" not in err

    assert main([*words, "trainer.accumulate=2", "out=alone"], conf) == 0
    alone, pair = (load_checkpoint(tmp_path / name / "checkpoint").tensors for name in ("alone", "together"))
    for key in ("layers.0.weight", "layers.3.bias"):
        torch.testing.assert_close(pair[key], alone[key], rtol=1e-4, atol=1e-5)

    parted = start(conf, *both, "out=parted", "stage.pause=0.01", "trainer.checkpoint_every_minutes=0.0005")
    wait_for(tmp_path / "parted" / "state" / "step-*", parted)
    parted.send_signal(signal.SIGINT)
    _, err = parted.communicate(timeout=100)
    assert parted.returncode == 130 and "Traceback" not in err
    parted = start(conf, *both, "out=parted", "stage.pause=0.01")
    _, err = parted.communicate(timeout=100)
    assert parted.returncode == 0 and "resumed at step" in err
    assert parts_of(tmp_path / "parted") == parts_of(tmp_path / "together")


def parts_of(run: Path) -> dict[str, bytes]:
    """The bytes of everything in a run's training state but the clock."""
    saved = load_state(run / "state")
    assert saved is not None
    return {
        f"{part}/{key}": value.numpy().tobytes()
        for part, all_of in saved.parts.items()
        for key, value in all_of.items()
    }
