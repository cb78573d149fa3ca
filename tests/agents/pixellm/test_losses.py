"""The losses, against numbers worked out by hand."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F

from agents.pixellm import losses

INSIDE = torch.ones(3, 1, 4)
SAMPLES = torch.tensor([0, 0, 1])
# Two masks of answer 0, one of answer 1; a row of four pixels
LOGITS = torch.tensor([[[5.0, 5.0, -5.0, -5.0]], [[-5.0, 5.0, 5.0, -5.0]], [[5.0, 5.0, 5.0, 5.0]]])


def test_the_weight_map_by_hand() -> None:
    weights = losses.refinement_weights(LOGITS, SAMPLES, alpha=2.0)
    assert weights.tolist() == [[[1, 2, 1, 1]], [[1, 2, 1, 1]], [[1, 1, 1, 1]]]


def test_soft_claims_add_up_probabilities() -> None:
    logits = torch.logit(torch.tensor([0.9, 0.6, 0.4, 0.2])).view(1, 1, 4).expand(3, 1, 4)
    samples = torch.zeros(3, dtype=torch.long)
    assert torch.allclose(losses.claims(logits, samples, "soft")[0, 0], torch.tensor([2.7, 1.8, 1.2, 0.6]))
    assert losses.refinement_weights(logits, samples, 3.0, "soft")[0, 0].tolist() == [3, 1, 1, 1]
    assert losses.refinement_weights(logits, samples, 3.0, "hard")[0, 0].tolist() == [3, 3, 1, 1]


@pytest.mark.parametrize("count", ["hard", "soft"])
def test_alpha_1_is_plain_cross_entropy(count: str) -> None:
    logits = torch.randn(3, 8, 8, generator=torch.Generator().manual_seed(0))
    masks = torch.rand(3, 8, 8, generator=torch.Generator().manual_seed(1)) > 0.5
    inside = torch.ones_like(logits)
    weights = losses.refinement_weights(logits, SAMPLES, 1.0, count)
    plain = F.binary_cross_entropy_with_logits(logits, masks.float(), reduction="none").mean((1, 2)).mean()
    assert torch.equal(weights, torch.ones_like(logits))
    torch.testing.assert_close(losses.refinement_loss(logits, masks, weights, inside), plain, rtol=1e-6, atol=0)


def test_alpha_weighs_contested_pixels() -> None:
    masks = LOGITS > 0
    weights = losses.refinement_weights(LOGITS, SAMPLES, 2.0)
    each = math.log1p(math.exp(-5.0))  # every pixel is right, with a logit of 5
    expected = each * (5 + 5 + 4) / 4 / 3
    assert losses.refinement_loss(LOGITS, masks, weights, INSIDE).item() == pytest.approx(expected, rel=1e-5)


def test_pixels_beyond_the_picture_do_not_count() -> None:
    inside = torch.tensor([1.0, 1.0, 0.0, 0.0]).expand(3, 1, 4)
    masks = LOGITS > 0
    wrong = torch.where(inside > 0, LOGITS, -LOGITS)
    weights = torch.ones_like(LOGITS)
    for loss in (losses.refinement_loss(wrong, masks, weights, inside), losses.dice_loss(wrong, masks, inside)):
        assert loss.item() < 0.01
    assert losses.mask_ious(wrong, masks, inside).tolist() == [1, 1, 1]


def test_dice_by_hand() -> None:
    logits = torch.logit(torch.tensor([0.5, 0.5, 0.5, 0.5])).view(1, 1, 4)
    masks = torch.tensor([True, False, False, False]).view(1, 1, 4)
    expected = 1 - (2 * 0.5) / (2.0 + 1.0)
    assert losses.dice_loss(logits, masks, torch.ones(1, 1, 4)).item() == pytest.approx(expected, abs=1e-3)


def test_ious() -> None:
    logits = torch.tensor([[[1.0, 1.0, -1.0]], [[-1.0, -1.0, -1.0]], [[-1.0, -1.0, -1.0]]])
    masks = torch.tensor([[[True, False, True]], [[False, False, False]], [[True, False, False]]])
    found = losses.mask_ious(logits, masks, torch.ones(3, 1, 3))
    assert found.tolist() == pytest.approx([1 / 3, 1.0, 0.0])


def test_the_contested_share() -> None:
    # Answer 0 claims three pixels, one of them twice; answer 1 claims four once. Seen by target: 2 of 8 claims
    assert losses.contested_share(LOGITS, SAMPLES, INSIDE).item() == pytest.approx(2 / 8)


def test_losses_are_float32_whatever_comes_in() -> None:
    logits, masks = LOGITS.bfloat16(), LOGITS > 0
    weights = losses.refinement_weights(logits, SAMPLES, 2.0)
    assert losses.refinement_loss(logits, masks, weights, INSIDE).dtype == torch.float32
    assert losses.dice_loss(logits, masks, INSIDE).dtype == torch.float32


def test_a_score_is_taught_the_iou_also_from_far_away() -> None:
    """One that went to 0 while no mask was any good comes back when masks get better."""
    ious = torch.tensor([0.8, 0.3])
    scores = torch.logit(ious).requires_grad_()
    losses.score_loss(scores, ious).backward()
    assert scores.grad is not None and scores.grad.abs().max() < 1e-6
    lost = torch.tensor([-40.0, 40.0], requires_grad=True)
    losses.score_loss(lost, ious).backward()
    torch.testing.assert_close(lost.grad, torch.tensor([-0.8, 0.7]) / 2)


def test_how_far_to_the_right_places_lie_by_hand() -> None:
    logits = torch.log(torch.tensor([0.25 / 0.75, 0.8 / 0.2])).requires_grad_()
    wanted = -(0.5 * math.log(0.25) + 0.5 * math.log(0.75) + math.log(0.8)) / 2
    assert losses.offset_loss(logits, torch.tensor([0.5, 1.0])).item() == pytest.approx(wanted)
    assert losses.offset_loss(logits[:0], torch.zeros(0)).item() == 0


def test_what_a_question_asks_for_by_hand() -> None:
    asked = torch.log(torch.tensor([[0.5 / 0.5, 0.25 / 0.75, 0.1 / 0.9], [1.0, 1.0, 1.0]]))
    covered = torch.tensor([[1.0, 0.5, 0.0], [0.0, 0.0, 0.0]])
    first = -(math.log(0.5) + 0.5 * math.log(0.25) + 0.5 * math.log(0.75) + math.log(0.9)) / (1.5 + 4)
    assert losses.look_loss(asked, covered).item() == pytest.approx((first + 3 * math.log(2) / 4) / 2)
    none = asked[:0].requires_grad_()
    nothing = losses.look_loss(none, covered[:0])
    nothing.backward()
    assert nothing.item() == 0 and none.grad is not None, "no targets anywhere, and a gradient all the same"
