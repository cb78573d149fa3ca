"""PixelLM as a whole: alignment, generation, answers, training, checkpoints."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from agents.checkpoint import CheckpointError, load_checkpoint
from agents.pixellm.batch import Batch, collate, frame_of
from agents.pixellm.checkpoint import WORDS_FILE, load_pixellm, save_pixellm
from agents.pixellm.config import PixelLMConfig
from agents.pixellm.model import PixelLM
from agents.pixellm.vision import inside, resized_positions
from envs.errors import UserError
from tests.agents.pixellm.shapes import SIDE, middles, model_of, shapes, stirred, words_of

WORDS = words_of(6)
TINY = PixelLMConfig.preset("tiny")


def items(*counts: int, seed: int = 0) -> list:
    rng = np.random.default_rng(seed)
    return [shapes(rng, count) for count in counts]


@pytest.fixture(scope="module")
def model() -> PixelLM:
    torch.manual_seed(0)
    model = model_of(looks=(1, 2)).eval()
    assert model.language.looking is not None
    stirred(model.language.looking, 0.3)
    torch.nn.init.zeros_(model.language.looking.bias)
    return model


def taught(model: PixelLM, batch: Batch, steps: int, least: float = 2.0) -> dict[str, float]:
    """Train on one batch; stop as soon as its words are learned and its masks' mean IoU is above `least`."""
    model.train()
    optimiser = torch.optim.AdamW(model.parameters(), lr=3e-3, betas=(0.9, 0.95), weight_decay=0.0)
    for step in range(steps):
        for group in optimiser.param_groups:
            group["lr"] = 3e-3 * min(1, (step + 1) / 20, 1.1 - step / steps)
        loss, figures = model(batch)
        if figures["iou"] > least and figures["token_exact"] == 1:
            break
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
    model.eval()
    return {name: value.item() for name, value in figures.items()}


EIGHT = (1, 2, 3, 0, 2, 1, 3, 2)  # targets of the frames that are learned by heart


@pytest.fixture(scope="module")
def learner() -> PixelLM:
    """A model that has learned eight frames by heart."""
    torch.manual_seed(0)
    model = model_of()
    taught(model, model.collate(items(*EIGHT)), 400)
    return model


# -- groups and masks ----------------------------------------------------------------------------------------------


def test_an_answer_that_does_not_fit_at_all_is_none(model: PixelLM) -> None:
    batch = collate([*items(1), (items(1)[0][0], "what?", "The " * 40 + "one {seg}.", items(1)[0][3])], TINY, WORDS)
    short = collate(
        [(items(1)[0][0], "what?", "The " * 40 + "one {seg}.", items(1)[0][3]), *items(1)],
        replace(TINY, max_answer=12),
        WORDS,
    )
    assert not short.answered[0].any() and batch.answered[1].any()
    assert torch.isfinite(model(short)[0])


def test_batches_do_not_change_a_sample(model: PixelLM) -> None:
    several = items(3, 0, 1, 2)
    together, _ = model.teacher_masks(model.collate(several))
    alone = torch.cat([model.teacher_masks(model.collate([item]))[0] for item in several])
    torch.testing.assert_close(together, alone, rtol=1e-3, atol=1e-3)


def test_questions_about_one_frame_see_it_once(model: PixelLM) -> None:
    """Losses, gradients and masks are those of a frame for each question."""
    first, second = items(3, 2)
    asked = [first, second, (first[0], "which is it?", *second[2:]), (second[0], *first[1:])]
    apart = [(image.copy(), *rest) for image, *rest in asked]
    results = []
    for batch in (model.collate(asked), model.collate(apart)):
        model.zero_grad()
        loss, figures = model(batch)
        loss.backward()
        gradient = model.vision.blocks[0].qkv.weight.grad
        results.append((loss.detach(), figures["iou"], gradient.clone(), *model.teacher_masks(batch)))
    assert model.collate(asked).pictures.tolist() == [0, 1, 0, 1] and len(model.collate(asked).frames) == 2
    assert model.collate(apart).pictures.tolist() == [0, 1, 2, 3]
    for together, single in zip(*results, strict=True):
        torch.testing.assert_close(together, single, rtol=1e-3, atol=1e-5)
    seen = model.see(model.collate(asked).frames, model.collate(asked).sizes)
    words = [question for _, question, *_ in asked]
    known = model.answers([image for image, *_ in asked], words, seen)
    assert [one.slotted for one in known] == [
        one.slotted for one in model.answers([image for image, *_ in apart], words)
    ]


def test_permuted_targets_change_their_assignment_only(model: PixelLM) -> None:
    batch = model.collate(items(3))
    order = torch.tensor([2, 0, 1])
    permuted = replace(batch, starts=batch.starts[order], masks=batch.masks[order])
    first, second = model.teacher_masks(batch), model.teacher_masks(permuted)
    torch.testing.assert_close(first[0][order], second[0], rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(first[1][order], second[1], rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(model(batch)[0], model(permuted)[0], rtol=1e-4, atol=1e-4)


def test_states_are_those_before_the_tokens(model: PixelLM) -> None:
    batch = model.collate(items(2))
    hidden = torch.arange(batch.ids.shape[1]).float()[None, :, None].expand(1, -1, TINY.dim)
    states = model.language.codebook.gather(hidden, batch.samples, batch.starts)
    assert states[..., 0].flatten(1).tolist() == [
        [start - 1 + place for place in range(6)] for start in batch.starts.tolist()
    ]


def test_slots_and_masks_must_be_as_many() -> None:
    image, question, answer, masks = items(2)[0]
    with pytest.raises(ValueError, match="2 slots for 1 masks"):
        collate([(image, question, answer, masks[:1])], TINY, WORDS)


# -- pictures ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", [(32, 32), (16, 32), (200, 100), (7, 300)])
def test_pictures_of_any_shape(model: PixelLM, shape: tuple[int, int]) -> None:
    image = np.random.default_rng(0).integers(0, 255, (*shape, 3), dtype=np.uint8)
    frame, (height, width) = frame_of(image, SIDE)
    assert frame.shape == (SIDE, SIDE, 3) and max(height, width) == SIDE
    assert not frame[height:].any() and not frame[:, width:].any()
    targets = model.answer(image, "what?").targets
    assert all(target.mask.shape == shape and target.mask.dtype == bool for target in targets)


def test_what_lies_beyond_a_picture_is_not_looked_at(model: PixelLM) -> None:
    batch = model.collate(
        [(image[:20], question, answer, masks[:, :20]) for image, question, answer, masks in items(2)]
    )
    assert batch.sizes.tolist() == [[20, 32]]
    noise = batch.frames.clone()
    noise[:, 20:] = 255
    first, second = (model.teacher_masks(replace(batch, frames=frames))[0] for frames in (batch.frames, noise))
    torch.testing.assert_close(first, second)


def test_masks_are_guided_by_where_their_own_target_is_located() -> None:
    """Also where some answers' masks alone are learned; and where targets are located is not learned from masks."""
    torch.manual_seed(0)
    guided = model_of()
    torch.nn.init.normal_(guided.decoder.mark_embeddings)
    torch.nn.init.zeros_(guided.language.looking.bias)  # maps that differ
    for part in (*guided.language.looking.target, *guided.language.looking.cells):
        torch.nn.init.normal_(part[-1].weight, std=0.5)
    batch = guided.collate(items(2, 3, 1))
    masks, _ = guided.teacher_masks(batch)
    thin = batch.thinned(1, np.array([1, 0, 2]))
    assert thin.samples.tolist() == [1, 1, 1]
    torch.testing.assert_close(guided.teacher_masks(thin)[0], masks[2:5], rtol=1e-4, atol=1e-4)
    read = guided.read(guided.see(thin.frames, thin.sizes), thin)
    assert torch.equal(guided.located(read, thin), read.named[2:5, 0])
    apart = torch.cdist(read.named[:, 0].sigmoid(), read.named[:, 0].sigmoid()) + torch.eye(6)
    assert apart.min() > 0.05 and (read.named[:, 0] - read.named[:, 1]).abs().max() > 0.1
    seen = guided.see(batch.frames, batch.sizes)
    states = torch.zeros(2, guided.config.scales, guided.config.tokens, guided.config.dim)
    there = torch.full((2, guided.config.grid**2), -9.0, requires_grad=True)
    marked = there.detach().clone().index_fill_(1, torch.tensor([0, 1, 8, 9]), 9.0).requires_grad_()
    pictures = torch.tensor([0, 0])
    drawn, other = (guided.segment(seen, pictures, states, cells)[0] for cells in (marked, there))
    assert (drawn - other).abs().max() > 0.01
    (drawn.sum() + other.sum()).backward()
    assert marked.grad is None and guided.decoder.mark_embeddings.grad is not None


def test_cells_of_a_picture() -> None:
    assert inside(torch.tensor([[5, 8]]), 2, 4).tolist() == [[[True, True], [True, True]]]
    assert inside(torch.tensor([[4, 8]]), 2, 4).tolist() == [[[True, True], [False, False]]]


def test_resizing_positions_keeps_the_class_token_first() -> None:
    table = torch.cat([torch.full((1, 2), 100.0), torch.arange(18.0).view(9, 2)])
    assert torch.equal(resized_positions(table, 3, prefix=1), table)
    larger = resized_positions(table, 6, prefix=1)
    assert larger.shape == (37, 2) and larger[0].tolist() == [100, 100]
    assert larger[1:].max() < 25  # nothing of the class token has bled into the cells
    assert (larger[1:, 0].view(6, 6).diff(dim=0) > 0).all()
    with pytest.raises(ValueError, match="square"):
        resized_positions(table, 3, prefix=0)


# -- generation ----------------------------------------------------------------------------------------------------


def written(model: PixelLM, batch_items: list, limit: int | None = None) -> tuple:
    batch = model.collate(batch_items)
    seen = model.see(batch.frames, batch.sizes)
    questions = [model.question_ids(question) for _, question, *_ in batch_items]
    return seen, batch.pictures, questions, model.generate(seen, questions, limit, batch.pictures)


def test_the_cache_equals_full_recomputation(learner: PixelLM) -> None:
    eager = learner
    several = items(*EIGHT)[:4]
    asked = [*several, (several[1][0], "what shapes are there, if any?", *several[1][2:])]
    seen, pictures, questions, answers = written(eager, asked, limit=40)
    assert pictures.tolist() == [0, 1, 2, 3, 1]
    assert {len(answer.states) for answer in answers} >= {0, 1, 2, 3}
    for number, (question, answer) in enumerate(zip(questions, answers, strict=True)):
        one = type(seen)([level[pictures[number], None] for level in seen.maps], None)
        words = eager.words
        prompt = [words.image_end, words.question, *question, words.answer]
        ids = torch.tensor([prompt + answer.ids])
        lengths = {"lengths": torch.tensor([ids.shape[1]]), "prompts": torch.tensor([len(prompt)])}
        read = eager.read(one, SimpleNamespace(ids=ids, pictures=torch.tensor([0]), **lengths))
        hidden = read.hidden
        likeliest = eager.language.logits(hidden)[0]
        starts = [place for place, number in enumerate(ids[0].tolist()) if number == words.codebook[0]]
        states = eager.language.codebook.gather(
            hidden, torch.zeros(len(starts), dtype=torch.long), torch.tensor(starts, dtype=torch.long)
        )
        torch.testing.assert_close(states, answer.states, rtol=1e-3, atol=1e-4)
        torch.testing.assert_close(read.named[:, 0], answer.located, rtol=1e-3, atol=1e-4)
        place = 0
        while place < len(answer.ids):
            logits = likeliest[len(prompt) - 1 + place].clone()
            logits[[words.pad, words.image, words.image_end, words.question, words.answer, *words.codebook[1:]]] = -1e9
            if 40 - place <= 6:
                logits[words.codebook[0]] = -1e9
            assert logits.argmax() == answer.ids[place]
            place += 6 if answer.ids[place] == words.codebook[0] else 1


def test_begun_groups_are_completed_within_the_limit(model: PixelLM) -> None:
    torch.manual_seed(0)
    eager = model_of().eval()
    with torch.no_grad():
        eager.language.codebook.heads.zero_()
        eager.language.head.weight.zero_()
        eager.language.head.weight[eager.words.end] = -1.0
        eager.language.codebook.heads[0, 0] = 0.0
    for limit in (7, 12, 13, 20):
        *_, answers = written(eager, items(1), limit=limit)
        ids = answers[0].ids
        assert len(ids) <= limit
        assert sum(number in eager.words.codebook for number in ids) == 6 * len(answers[0].states)


def test_questions_that_cannot_be_read(model: PixelLM) -> None:
    image = items(1)[0][0]
    for question in ("", "  \n"):
        with pytest.raises(UserError, match="empty"):
            model.answer(image, question)
    with pytest.raises(UserError, match="10000 characters"):
        model.answer(image, "why? " * 2000)
    with pytest.raises(ValueError, match="uint8"):
        model.answer(image.astype(float), "why?")
    assert isinstance(model.answer(image, "黒石は? [SEG0]").text, str)


# -- learning ------------------------------------------------------------------------------------------------------


def many_targets() -> list:
    """Answers with 0 to 20 targets."""
    several = []
    for count in range(21):
        image = np.zeros((SIDE, SIDE, 3), np.uint8)
        masks = np.zeros((count, SIDE, SIDE), bool)
        for number in range(count):
            masks[number, number : number + 3, 5:20] = True
        answer = "There is " + " and ".join(["the red disc {seg}"] * count) + "." if count else "No."
        several.append((image, "what shapes are there?", answer, masks))
    return several


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"fusion": "weights"},
        {"pooling": "mean", "stem": "patch", "claims": "soft"},
        {"features": (3, 2, 1), "scales": 3, "tokens": 2},
        *({"ablation": name} for name in PixelLMConfig.ABLATIONS),
    ],
    ids=str,
)
def test_a_step_teaches_every_weight(changes: dict) -> None:
    torch.manual_seed(0)
    name = changes.pop("ablation", None)
    config = PixelLMConfig.preset("tiny", max_answer=256, labels=(2, 3), **changes)
    config = config.ablated(name) if name else config
    model = PixelLM(config, words_of(config.group))
    if config.looks:
        stirred(model.language.looking, 0.02)  # at 0 they keep gradients from the rest of it
    asked = many_targets()[::5]
    labels = np.random.default_rng(0).integers(2, size=(SIDE, SIDE, len(config.labels)))
    batch = model.collate(asked, [labels] * len(asked), [middles(masks) for *_, masks in asked])
    assert batch.dropped == 0 and len(batch.samples) == 0 + 5 + 10 + 15 + 20
    loss, figures = model(batch)
    loss.backward()
    assert torch.isfinite(loss) and all(torch.isfinite(value) for value in figures.values())
    idle = [key for key, weight in model.named_parameters() if weight.grad is None or not weight.grad.any()]
    assert not idle
    masks, scores = model.teacher_masks(batch)
    assert masks.shape == (50, SIDE, SIDE) and scores.shape == (50,)


def test_a_batch_without_targets_leaves_no_weight_out(model: PixelLM) -> None:
    fresh = model_of()
    loss, figures = fresh(fresh.collate(items(0, 0)))
    loss.backward()
    assert all(weight.grad is not None for weight in fresh.parameters())
    assert figures.keys() == model(model.collate(items(1)))[1].keys()


def test_the_baseline_learns() -> None:
    torch.manual_seed(0)
    config = TINY.ablated("lisa")
    model = PixelLM(config, words_of(config.group))
    batch = model.collate(items(1, 2))
    before = model(batch)[1]["iou"].item()
    after = taught(model, batch, 80)
    assert after["text_loss"] < 1 and after["iou"] > before + 0.2


def test_eight_frames_are_learned_by_heart(learner: PixelLM) -> None:
    several = items(*EIGHT)
    answers = learner.answers([image for image, *_ in several], [question for _, question, *_ in several])
    ious = []
    for (image, question, answer, masks), found in zip(several, answers, strict=True):
        assert found.slotted == answer and len(found.targets) == len(masks)
        for target, mask in zip(found.targets, masks, strict=True):
            assert found.phrase(target) in answer and "the " in found.phrase(target)
            ious.append((target.mask & mask).sum() / (target.mask | mask).sum())
            assert abs(target.score - ious[-1]) < 0.3
        assert learner.answer(image, question).text == found.text
    assert np.mean(ious) > 0.95


# -- checkpoints ---------------------------------------------------------------------------------------------------


def test_a_checkpoint_keeps_all_of_it(tmp_path: Path, learner: PixelLM) -> None:
    save_pixellm(learner, tmp_path / "ask", metrics={"giou": 0.5}, data={"seed": 1})
    again = load_pixellm(tmp_path / "ask")
    stored = load_checkpoint(tmp_path / "ask")
    assert stored.metrics == {"giou": 0.5} and stored.config["data"] == {"seed": 1}
    for key in ("decoder.gamma", "fusion.linears.0.weight", "language.codebook.embeddings"):
        assert not torch.equal(stored.tensors[key], model_of().state_dict()[key])  # learned, and kept
    for key, value in learner.state_dict().items():
        assert torch.equal(value, again.state_dict()[key]), key
    image, question, *_ = items(*EIGHT)[1]
    first, second = learner.answer(image, question), again.answer(image, question)
    assert first.text == second.text and len(first.targets) == 2
    for one, other in zip(first.targets, second.targets, strict=True):
        assert one.span == other.span and one.score == other.score and np.array_equal(one.mask, other.mask)


def test_damaged_checkpoints_are_one_sentence(tmp_path: Path, model: PixelLM) -> None:
    def damaged(change) -> None:
        folder = save_pixellm(model, tmp_path / "ask")
        change(folder)
        with pytest.raises(CheckpointError) as caught:
            load_pixellm(folder)
        assert "\n" not in str(caught.value)

    def edit(old: str, new: str):
        def change(folder: Path) -> None:
            file = folder / "config.yaml"
            assert old in file.read_text()
            file.write_text(file.read_text().replace(old, new))

        return change

    damaged(lambda folder: (folder / WORDS_FILE).unlink())
    damaged(lambda folder: (folder / WORDS_FILE).write_text("{"))
    damaged(lambda folder: (folder / WORDS_FILE).write_bytes(b"\xff\xfe"))
    damaged(lambda folder: (folder / WORDS_FILE).write_text(words_of(1).to_json()))
    damaged(lambda folder: (folder / "model.safetensors").write_bytes(b"short"))
    damaged(edit("kind: pixellm", "kind: go_agent"))
    damaged(edit("vision_width: 48", "vision_width: 52"))
    damaged(edit("vision_width: 48", "vision_width: wide"))
    damaged(edit("fusion: linear", "fusion: mean"))
    damaged(edit("model:", "modem:"))
    with pytest.raises(CheckpointError, match="no checkpoint folder"):
        load_pixellm(tmp_path / "nothing")
