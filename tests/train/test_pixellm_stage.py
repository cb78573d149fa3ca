"""The stage pixellm, on questions about simple shapes."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from agents.checkpoint import load_checkpoint, load_config
from agents.pixellm.checkpoint import load_pixellm
from agents.pixellm.config import PixelLMConfig
from envs.errors import UserError
from tests.agents.pixellm.shapes import shapes
from train.__main__ import main
from train.data.questions import QuestionConfig
from train.data.questions.muse import write_muse
from train.export import export_pixellm
from train.pixellm import PixelLMStage, PixelLMStageConfig
from train.settings import TrainerConfig
from train.stages import Inputs
from train.trainer import Interrupted, Trainer


class ShapeQuestions:
    """Frames of up to three shapes."""

    def sample(self, rng: np.random.Generator, count: int) -> list[SimpleNamespace]:
        made = [shapes(rng, int(rng.integers(4))) for _ in range(count)]
        return [
            SimpleNamespace(
                labels=None, places=None, **dict(zip(("image", "question", "answer", "masks"), item, strict=True))
            )
            for item in made
        ]


@dataclass(frozen=True)
class ShapeConfig:
    def questions(self, split: str) -> ShapeQuestions:
        return ShapeQuestions()


def settings(**changes: object) -> PixelLMStageConfig:
    made = {"pieces": 320, "vocabulary_questions": 60, "evaluate_questions": 40, "answer_questions": 8}
    made |= {"data": ShapeConfig(), "model": PixelLMConfig.preset("tiny")}
    return PixelLMStageConfig(**{**made, **changes})


def loop(out: Path, **changes: object) -> TrainerConfig:
    made = {"steps": 6, "batch_size": 4, "warmup_steps": 1, "devices": "cpu", "precision": "fp32", "log_every": 2}
    return TrainerConfig(**{**made, "out": str(out), **changes})


def trained(out: Path, stage: PixelLMStage, **changes: object) -> dict[str, float]:
    return Trainer(loop(out, **changes), stage, settings={"inputs": {}}).run()


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("train.trainer.measure_peak", lambda device, precision: 1e9)


def test_a_run_makes_a_checkpoint_and_another_goes_on(tmp_path: Path) -> None:
    torch.manual_seed(0)
    figures = trained(tmp_path / "run", PixelLMStage(settings()))
    wanted = {"text_loss", "token_exact", "giou", "ciou", "contested", "score_error", "answer_exact"}
    assert wanted == set(figures) and all(np.isfinite(value) for value in figures.values())
    assert figures["text_loss"] < 5.5
    folder = tmp_path / "run" / "checkpoint"
    model = load_pixellm(folder)
    assert isinstance(model.answer(shapes(np.random.default_rng(0), 2)[0], "what shapes are there?").text, str)

    export_pixellm({"pixellm": folder}, tmp_path / "ask")
    stored = load_checkpoint(tmp_path / "ask")
    told = stored.metrics["pixellm"]
    assert told == told | figures and (told["steps"], told["start"]) == (6, "nothing")
    assert all(tensor.dtype == torch.float16 for tensor in stored.tensors.values()) and load_pixellm(tmp_path / "ask")

    other = PixelLMConfig.preset("tiny", alpha=1.0, heads=2, vision_heads=2)
    going_on = PixelLMStage(settings(inputs=Inputs(pixellm=str(folder)), model=other))
    now = going_on.model.config
    assert (now.alpha, now.heads, now.vision_heads) == (1.0, model.config.heads, model.config.vision_heads)
    assert torch.equal(going_on.model.state_dict()["decoder.gamma"], model.state_dict()["decoder.gamma"])
    with pytest.raises(UserError, match="dim=48 where this run has 64"):
        PixelLMStage(settings(inputs=Inputs(pixellm=str(folder)), model=PixelLMConfig.preset("tiny", dim=64)))


def test_a_stopped_run_ends_as_one_that_was_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def stage() -> PixelLMStage:
        torch.manual_seed(0)
        return PixelLMStage(settings(evaluate_questions=8))

    whole = trained(tmp_path / "whole", stage())
    stopped = stage()
    given = stopped.batch
    trainer = Trainer(loop(tmp_path / "parts", prefetch=1), stopped, settings={"inputs": {}})

    def batch(step: int, *rest: int) -> object:
        if step == 3:
            trainer._ask_to_stop()
        return given(step, *rest)

    monkeypatch.setattr(stopped, "batch", batch)
    with pytest.raises(Interrupted):
        trainer.run()
    again = trained(tmp_path / "parts", stage(), prefetch=1)
    assert again == pytest.approx(whole, rel=1e-4)


def test_words_and_batches_are_functions_of_the_seed() -> None:
    first, second, other = PixelLMStage(settings()), PixelLMStage(settings()), PixelLMStage(settings(seed=1))
    assert first.model.words.to_json() == second.model.words.to_json()
    one, two, three = (stage.batch(3, 0, 0, 1, 4) for stage in (first, second, other))
    assert torch.equal(one.ids, two.ids) and torch.equal(one.masks, two.masks)
    assert one.ids.shape != three.ids.shape or not torch.equal(one.ids, three.ids)


def replace_labels(config: QuestionConfig, labels: tuple[int, ...]) -> Any:
    """The same questions for a model that is taught other labels."""
    return SimpleNamespace(questions=config.questions, labels=labels)


def test_boards_bring_labels_and_masks_may_be_fewer(tmp_path: Path) -> None:
    boards = QuestionConfig(go=1, calvin=0, rlbench=0)
    whole, thin = (PixelLMStage(settings(data=boards, masks=masks)) for masks in (0, 4))
    everything, some = (stage.batch(0, 0, 0, 1, 12) for stage in (whole, thin))
    assert everything.labels is not None and everything.labels.shape == (2, 8, 8, len(boards.labels))
    assert torch.equal(everything.ids, some.ids) and 4 <= len(some.samples) < len(everything.samples)
    figures = thin.model(some)[1]
    assert torch.isfinite(figures["label_loss"]) and 0 <= figures["label_exact"] <= 1
    thin.export(thin.model, tmp_path / "ask", {})
    going_on = PixelLMStage(settings(inputs=Inputs(pixellm=str(tmp_path / "ask"))))
    assert going_on.model.config.labels == boards.labels, "shapes have none, and the model keeps its own"
    assert {"liberties", "black"} <= thin.model.words.known and "disc" not in thin.model.words.known
    assert {"liberties", "black", "disc"} <= going_on.model.words.known
    assert going_on.model.words.to_json() == thin.model.words.to_json()
    going_on.model(going_on.batch(0, 0, 0, 1, 4))
    less = replace_labels(boards, (*boards.labels[:2], 7))
    going_on = PixelLMStage(settings(data=less, inputs=Inputs(pixellm=str(tmp_path / "ask"))))
    assert going_on.model.config.labels == less.labels, "the data's, where it has some"
    begun, before = (model.label_head.weight for model in (going_on.model, thin.model))
    kept = sum(boards.labels[:2])
    assert torch.equal(begun[:kept], before[:kept]) and not torch.equal(begun[kept:], before[kept : len(begun)])
    thin.model.words.known = frozenset()  # as in a checkpoint that tells none
    thin.export(thin.model, tmp_path / "untold", {})
    towers = {"clip": "no folder", "llama": "no folder"}  # what a model began with is not asked for again
    going_on = PixelLMStage(settings(inputs=Inputs(pixellm=str(tmp_path / "untold")), **towers))
    assert going_on.model.words.known == frozenset()
    with pytest.raises(UserError, match="stage.masks is -1"):
        settings(masks=-1)


def test_ablations_are_settings() -> None:
    stage = PixelLMStage(settings(ablation="lisa"))
    assert stage.model.config.group == 1 and stage.model.words.group == 1
    with pytest.raises(UserError, match="stage.ablation"):
        settings(ablation="everything")


def test_a_model_without_looks_gets_some_and_answers_as_before(tmp_path: Path) -> None:
    blind = PixelLMStage(settings(ablation="no-looks"))
    blind.export(blind.model, tmp_path / "ask", {})
    begun = PixelLMStage(settings(inputs=Inputs(pixellm=str(tmp_path / "ask")))).model
    assert begun.config.looks and begun.config.pointing and begun.language.looking is not None
    batch = blind.batch(0, 0, 0, 1, 4)
    before, after = blind.model(batch)[1], begun(batch)[1]
    for name in ("text_loss", "mask_loss"):
        torch.testing.assert_close(after[name], before[name], rtol=1e-4, atol=1e-5)


def test_a_decoder_gets_marks_and_draws_as_before(tmp_path: Path) -> None:
    plain = PixelLMStage(settings(ablation="no-guide"))
    plain.export(plain.model, tmp_path / "ask", {})
    begun = PixelLMStage(settings(inputs=Inputs(pixellm=str(tmp_path / "ask")))).model
    assert begun.config.guided and not plain.model.config.guided
    batch = plain.batch(0, 0, 0, 1, 4)
    torch.testing.assert_close(begun(batch)[0], plain.model(batch)[0], rtol=1e-4, atol=1e-5)


def test_a_tower_grows_and_answers_as_before(tmp_path: Path) -> None:
    stage = PixelLMStage(settings())
    stage.export(stage.model, tmp_path / "ask", {})
    inputs, tower = Inputs(pixellm=str(tmp_path / "ask")), {"vision_layers": 5, "features": (5, 2)}
    begun = PixelLMStage(settings(model=PixelLMConfig.preset("tiny", **tower), inputs=inputs)).model
    assert len(begun.vision.blocks) == 5 and begun.config.features == (5, 2)
    batch = stage.batch(0, 0, 0, 1, 4)
    before, after = stage.model(batch)[1], begun(batch)[1]
    for name in ("text_loss", "mask_loss", "look_loss"):
        torch.testing.assert_close(after[name], before[name], rtol=1e-4, atol=1e-5)
    begun(batch)[0].backward()
    assert begun.vision.blocks[4].outer.weight.grad.abs().max() > 0
    other = PixelLMConfig.preset("tiny", **tower | {"features": (5, 1)})
    with pytest.raises(UserError, match="has vision_layers="):
        PixelLMStage(settings(model=other, inputs=inputs))


def test_a_baseline_with_masks_anew_grows_as_well(tmp_path: Path) -> None:
    """It has one scale where the model it begins with has two, and blocks behind the last scale do not exist."""
    tower = {"vision_layers": 4, "features": (3, 2)}
    stage = PixelLMStage(settings(model=PixelLMConfig.preset("tiny", **tower)))
    stage.export(stage.model, tmp_path / "ask", {})
    begin = {"anew": True, "inputs": Inputs(pixellm=str(tmp_path / "ask"))}
    deeper = PixelLMConfig.preset("tiny", vision_layers=5, features=(5, 2))
    for ablation, scales in (("", (5, 2)), ("lisa", (5,))):
        begun = PixelLMStage(settings(model=deeper, ablation=ablation, **begin))
        assert begun.model.config.features == scales and len(begun.model.vision.blocks) == 5
        before, after = (made.model(made.batch(0, 0, 0, 1, 4))[1] for made in (stage, begun))
        if not ablation:  # the baseline's answers are shorter
            torch.testing.assert_close(after["look_loss"], before["look_loss"], rtol=1e-4, atol=1e-5)


def test_masks_may_be_learned_anew_by_another_decoder(tmp_path: Path) -> None:
    """Tower and words go on; one token in place of six, a map of one depth, another decoder."""
    stage = PixelLMStage(settings())
    stage.export(stage.model, tmp_path / "ask", {})
    inputs = Inputs(pixellm=str(tmp_path / "ask"))
    begun = PixelLMStage(settings(ablation="lisa", anew=True, inputs=inputs))
    before, weights = stage.model.state_dict(), begun.model.state_dict()
    parts = ("language.codebook.", "fusion.", "decoder.")
    assert all(torch.equal(weights[name], before[name]) for name in weights if not name.startswith(parts))
    assert begun.model.config.group == begun.model.words.group == 1
    begun.model(begun.batch(0, 0, 0, 1, 4))
    same = PixelLMStage(settings(anew=True, inputs=inputs)).model.state_dict()
    assert not torch.equal(same["language.codebook.embeddings"], before["language.codebook.embeddings"])
    with pytest.raises(UserError, match="has features="):
        PixelLMStage(settings(ablation="lisa", inputs=inputs))
    with pytest.raises(UserError, match=r"stage\.anew"):
        settings(anew=True)


def test_data_without_questions() -> None:
    with pytest.raises(UserError, match="data=ask"):
        PixelLMStageConfig(data=object(), model=PixelLMConfig.preset("tiny"))


def test_the_experiment_trains_goes_on_and_exports(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The one command of the README, on boards alone: with what it was made stands in the card."""
    out, target = tmp_path / "run", tmp_path / "agent"
    words = [
        "trainer.minutes=null", "trainer.steps=2", "model=tiny", "trainer=cpu", "trainer.batch_size=4",
        "trainer.precision=fp32", "data.calvin=0", "data.rlbench=0", "stage.evaluate_questions=4",
        "stage.answer_questions=1", "stage.vocabulary_questions=20", "+stage.pieces=300",
        "+model.pixellm.max_answer=60",
    ]  # fmt: skip
    small = ["experiment=ask-small", f"out={out}", f"export={target}"]
    assert main([*small, *words]) == 0
    told = load_checkpoint(target).metrics["pixellm"]
    assert (told["steps"], told["before"][0]["steps"], told["start"]) == (2, 2, "nothing")
    read, mixed = (json.loads((out / name / "run.json").read_text())["stage"] for name in ("pixellm_reads", "pixellm"))
    assert read["data"]["reading"] > mixed["data"]["reading"]
    assert mixed["inputs"]["pixellm"] == str(out / "pixellm_reads" / "checkpoint")
    capsys.readouterr()
    longer = [word.replace("steps=2", "steps=3") for word in words]
    assert main([*small, *longer]) == 0
    assert (
        "pixellm_reads: stays as it is under this larger budget, since pixellm has learned" in capsys.readouterr().out
    )
    assert main([*small, *longer]) == 0 and capsys.readouterr().out.count("finished already") == 1
    told = load_checkpoint(target).metrics["pixellm"]
    assert told["steps"] == 3 and load_config(target)["data"]["calvin"] == 0
    card = (target / "README.md").read_text()
    assert "`python -m train experiment=ask-small" in card and "cpu" in card and "on held-out questions" in card
    assert f"| pixellm | 2 + 3 | {told['before'][0]['minutes']} + {told['minutes']} | 0 | nothing |" in card
    more = [f"start={target}", f"out={tmp_path / 'more'}", f"export={tmp_path / 'better'}"]
    assert main(["experiment=ask-more", *more, *words]) == 0
    assert "| pixellm | 2 + 3 + 2 |" in (tmp_path / "better" / "README.md").read_text()


def test_files_of_questions_are_learned_from(tmp_path: Path) -> None:
    pytest.importorskip("pycocotools", reason="pycocotools (extra ask) is not installed")
    drawn = QuestionConfig(go=1, calvin=0, rlbench=0).questions("train").sample(np.random.default_rng(0), 6)
    write_muse(drawn, tmp_path / "set")
    file = tmp_path / "set" / "annotations.json"
    words = [
        "pixellm", "data=muse", f"data.train={file}", f"data.validation={file}", "model=tiny", "trainer=cpu",
        "trainer.steps=1", "trainer.batch_size=2", "stage.evaluate_questions=2", "stage.answer_questions=1",
        "stage.vocabulary_questions=6", "+stage.pieces=300", "+model.pixellm.max_answer=60", f"out={tmp_path / 'run'}",
    ]  # fmt: skip
    assert main(words) == 0
    assert load_pixellm(tmp_path / "run" / "checkpoint").config.max_answer == 60


@pytest.mark.parametrize("words, message", [
    (["data=muse"], "give data.train=FILE.json in MUSE's format"),
    (["data=muse", "data.train=a.json", "data.validation=b.json"], "no annotations at a.json"),
    (["data=muse", "data.train=a.json", "data.validation=b.json", "data.side=-1"], "data.side is -1"),
    (["data=refcoco"], "give the folder of the set"),
    (["data=refcoco", "data.folder=none", "data.images=none"], "no references at none"),
    (["data=ask", "data.per_frame=0"], "data.per_frame is 0"),
    (["data=go9"], "give data=ask"),
])  # fmt: skip
def test_data_that_is_not_there(
    words: list[str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rest = ["trainer.steps=1", "model=tiny", f"out={tmp_path / 'run'}"]
    assert main(["pixellm", *words, *rest]) == 2
    said = capsys.readouterr().err
    assert message in said and said.count("\n") == 1
