"""What PixelLM is taught beside words and masks: its cells' labels; and masks of a part of the answers."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from agents.pixellm import losses
from agents.pixellm.batch import Batch, Item
from agents.pixellm.model import PixelLM
from tests.agents.pixellm.shapes import SIDE, model_of, shapes


@pytest.fixture(scope="module")
def model() -> PixelLM:
    torch.manual_seed(0)
    return model_of(labels=(3, 2))


def items(*counts: int) -> list[Item]:
    rng = np.random.default_rng(0)
    return [shapes(rng, count) for count in counts]


def test_the_labels_loss_by_hand() -> None:
    logits = torch.log(torch.tensor([[0.5, 0.25, 0.25, 0.9, 0.1], [0.1, 0.1, 0.8, 0.4, 0.6]]))
    loss, right = losses.label_loss(logits, torch.tensor([[0, -1], [1, 1]]), (3, 2))
    assert loss.item() == pytest.approx((-(math.log(0.5) + math.log(0.1)) / 2 - math.log(0.6)) / 2)
    assert right.item() == pytest.approx((0.5 + 1) / 2)
    nothing, none = losses.label_loss(logits, torch.tensor([[0, -1], [0, -1]]), (3, 2))
    assert math.isfinite(nothing.item()) and none.item() == pytest.approx(0.5), "of the labels that are known at all"


def test_cells_with_labels_are_learned_and_others_do_not_count(model: PixelLM) -> None:
    """Of two frames one is labelled: the loss is that of its cells."""
    first, second = items(1, 2)
    labels = np.zeros((SIDE, SIDE, 2), np.int8)
    labels[:, SIDE // 2 :] = (2, 1)
    batch = model.collate([first, second], [labels, None])
    assert batch.labels is not None and batch.labels.shape == (2, 8, 8, 2) and (batch.labels[1] == -1).all()
    total, figures = model(batch)
    alone, expected = model(model.collate([first], [labels]))
    torch.testing.assert_close(figures["label_loss"], expected["label_loss"], rtol=1e-4, atol=1e-5)
    unlabelled, rest = model(model.collate([first, second]))
    assert "label_loss" not in rest
    torch.testing.assert_close(total, unlabelled + model.config.label_weight * figures["label_loss"])
    optimiser = torch.optim.AdamW(model.parameters(), lr=3e-3)
    for _ in range(40):
        optimiser.zero_grad()
        loss, figures = model(batch)
        loss.backward()
        optimiser.step()
    assert figures["label_exact"] > 0.95 and figures["label_loss"] < 0.3


def test_without_labels_every_weight_has_a_gradient_all_the_same(model: PixelLM) -> None:
    """Data-parallel training wants one."""
    for counts in ((1, 2), (0, 0)):
        model.zero_grad()
        model(model.collate(items(*counts)))[0].backward()
        assert all(weight.grad is not None for weight in model.parameters())


def test_labels_of_another_number_are_refused(model: PixelLM) -> None:
    with pytest.raises(ValueError, match="3 labels for a model that is taught 2"):
        model.collate(items(1), [np.zeros((SIDE, SIDE, 3), np.int8)])


def test_a_model_that_is_taught_no_labels_ignores_them() -> None:
    plain = model_of(labels=())
    batch = plain.collate(items(1), [np.zeros((SIDE, SIDE, 3), np.int8)])
    assert batch.labels is None and "label_loss" not in plain(batch)[1]


def test_a_thinned_batch_keeps_whole_answers_in_the_order_given(model: PixelLM) -> None:
    batch = model.collate(items(3, 0, 1, 2))
    order = np.array([3, 1, 2, 0])
    for most, kept in ((1, {3}), (2, {3}), (3, {3, 2}), (4, {3, 2, 0}), (6, {0, 2, 3}), (99, {0, 2, 3})):
        thinned = batch.thinned(most, order)
        rows = [row for row, sample in enumerate(batch.samples.tolist()) if sample in kept]
        assert torch.equal(thinned.samples, batch.samples[rows]) and torch.equal(thinned.starts, batch.starts[rows])
        assert torch.equal(thinned.masks, batch.masks[rows]) and torch.equal(thinned.ids, batch.ids)


def test_a_thinned_batch_learns_the_same_words_and_the_masks_it_kept(model: PixelLM) -> None:
    batch = model.collate(items(3, 0, 2))
    thinned: Batch = batch.thinned(1, np.array([2, 0, 1]))
    _, all_of_them = model(batch)
    _, figures = model(thinned)
    assert figures["text_loss"] == all_of_them["text_loss"]
    _, expected = model(replace(batch, samples=batch.samples[3:], starts=batch.starts[3:], masks=batch.masks[3:]))
    assert figures["iou"] == expected["iou"] and figures["mask_loss"] == expected["mask_loss"]
