"""What PixelLM is taught by. Everything is computed in float32."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor


def claims(logits: Tensor, samples: Tensor, count: str = "hard") -> Tensor:
    """How many targets of an answer claim each pixel, (M, H, W), seen from each of its targets.

    logits: (M, H, W). samples: int64 (M,), whose answer each mask belongs to. count: "hard" counts masks with a logit
    above 0, "soft" adds up probabilities.
    """
    claimed = (logits > 0).float() if count == "hard" else logits.float().sigmoid()
    answers, inverse = samples.unique(return_inverse=True)
    sums = claimed.new_zeros(len(answers), *logits.shape[1:]).index_add(0, inverse, claimed)
    return sums[inverse]


@torch.no_grad()
def refinement_weights(logits: Tensor, samples: Tensor, alpha: float, count: str = "hard") -> Tensor:
    """The weight map of the target refinement loss, float32 (M, H, W): `alpha` where targets of one answer compete.

    Arguments as for `claims`; a pixel is contested where they add up to 2 or more.
    """
    weights = torch.ones_like(logits, dtype=torch.float32)
    return weights.masked_fill_(claims(logits, samples, count) >= 2, alpha)


def refinement_loss(logits: Tensor, masks: Tensor, weights: Tensor, inside: Tensor) -> Tensor:
    """Weighted binary cross-entropy, the mean over a picture's pixels and over targets.

    logits, masks, weights: (M, H, W). inside: (M, H, W), 0 for pixels beyond the picture.
    """
    losses = F.binary_cross_entropy_with_logits(logits.float(), masks.float(), reduction="none") * weights
    inside = inside.float()
    return ((losses * inside).sum((1, 2)) / inside.sum((1, 2)).clamp(min=1)).mean()


def dice_loss(logits: Tensor, masks: Tensor, inside: Tensor, scale: float = 1000.0, eps: float = 1e-6) -> Tensor:
    """1 - 2 |p g| / (|p| + |g|), the mean over targets. Sums are divided by `scale`, as published; shapes as above."""
    probabilities = logits.float().sigmoid() * inside
    truth = masks.float() * inside
    both = (probabilities / scale * truth).sum((1, 2))
    either = (probabilities / scale).sum((1, 2)) + (truth / scale).sum((1, 2))
    return (1 - (2 * both + eps) / (either + eps)).mean()


@torch.no_grad()
def mask_ious(logits: Tensor, masks: Tensor, inside: Tensor) -> Tensor:
    """IoU of each thresholded mask with the truth, float32 (M,); 1 where both are empty. Shapes as above."""
    found = (logits > 0) & inside.bool()
    truth = masks.bool() & inside.bool()
    both, either = (found & truth).sum((1, 2)), (found | truth).sum((1, 2))
    return torch.where(either > 0, both / either.clamp(min=1), 1.0)


@torch.no_grad()
def contested_share(logits: Tensor, samples: Tensor, inside: Tensor) -> Tensor:
    """Share of the claimed pixels of all answers that two or more targets of the same answer claim, ()."""
    total = claims(logits, samples) * ((logits > 0) & inside.bool())  # seen from those who claim
    return (total >= 2).sum() / (total > 0).sum().clamp(min=1)


def score_loss(scores: Tensor, ious: Tensor) -> Tensor:
    """Binary cross-entropy of the scores' logits (M,) with the true IoUs (M,), which it is least at.

    A squared error has no gradient left for a score that went to 0 while no mask was any good yet.
    """
    return F.binary_cross_entropy_with_logits(scores.float(), ious)


def label_loss(logits: Tensor, labels: Tensor, classes: Sequence[int]) -> tuple[Tensor, Tensor]:
    """Cross-entropy of the cells' labels, and the share of them that are told rightly: means over cells, then labels.

    Labels that no cell has known do not count; 0 where that is all of them. logits: (N, sum of `classes`). labels:
    int64 (N, C), -1 where they are not known.
    """
    losses, right = [], []
    for part, label in zip(logits.float().split(list(classes), -1), labels.T, strict=True):
        count = (label >= 0).sum().clamp(min=1)
        losses.append(F.cross_entropy(part, label, ignore_index=-1, reduction="sum") / count)
        right.append((part.argmax(-1) == label).sum() / count)  # never -1, so an unknown one is not right
    labelled = (labels >= 0).any(0).sum().clamp(min=1)
    return torch.stack(losses).sum() / labelled, torch.stack(right).sum() / labelled


def look_loss(logits: Tensor, covered: Tensor) -> Tensor:
    """Cross-entropy of the cells that are meant: sums over cells by how many these are and 4, the mean over rows.

    So few cells weigh about as much as many. logits: (N, n). covered: (N, n), how much of each cell is meant, 0..1.
    """
    if not len(covered):
        return logits.float().sum() * 0.0  # every weight has a gradient, be it 0
    losses = F.binary_cross_entropy_with_logits(logits.float(), covered.float(), reduction="none")
    return (losses.sum(1) / (covered.sum(1) + 4)).mean()


def offset_loss(logits: Tensor, offsets: Tensor) -> Tensor:
    """Cross-entropy of shares 0..1, the mean; 0 where there are none. logits, offsets: (N,)."""
    losses = F.binary_cross_entropy_with_logits(logits.float(), offsets.float(), reduction="sum")
    return losses / max(len(offsets), 1)


def text_loss(logits: Tensor, targets: Tensor) -> Tensor:
    """Cross-entropy of logits (N, V) at the answers' tokens, int64 (N,)."""
    return F.cross_entropy(logits.float(), targets)
