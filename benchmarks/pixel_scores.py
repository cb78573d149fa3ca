"""How right answers in words and masks are: gIoU, cIoU, which targets were found, and whether the words are true.

Definitions. *IoU* of two masks is 1 where both are empty. *gIoU* is the mean over questions of a question's IoU: the
mean over its masks and targets, matched one to one (Hungarian, by IoU), what is left over on either side counting 0; a
question without targets that is answered without masks counts 1. *cIoU* is the sum of all intersections over the sum of
all unions, left-overs included, each against nothing (Ren et al. 2023, arXiv 2312.02228, and the evaluation on MUSE
that came with it; there the matching costs BCE + DICE at random points, and a left-over mask counts by its logits).
*Mask IoU* is the mean over all these pairs instead of questions. A target is *matched* by a mask of at least 0.5 IoU,
else it is *missed*, and a mask that matches none is *extra*. *Contested* is the share of claimed pixels that several
masks of one answer claim; the true masks of an answer share none.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.optimize import linear_sum_assignment

from agents.elo import wilson
from agents.pixellm.answers import Answer
from train.data.questions import Question
from train.data.questions.answers import is_right, is_right_in_any_order
from train.data.questions.splits import is_held_out

MATCH = 0.5  # IoU from which a mask is its target's
RESAMPLES = 1000  # of a bootstrap
BOUNDS = (0.025, 0.975)  # of an interval
COUNTS = {"none": (0, 0), "1": (1, 1), "2": (2, 2), "3-4": (3, 4), "5-8": (5, 8), "9-20": (9, 20)}


@dataclass(frozen=True)
class Overlap:
    """The masks of one answer against the true ones.

    pairs: (mask, target) that belong together. ious: of each pair. masks, targets: how many there are. both, either: px
    of all intersections and unions, left-overs included. claims, contested: px that masks claim, counted once for each,
    and those of them that another claims too.
    """

    pairs: tuple[tuple[int, int], ...]
    ious: tuple[float, ...]
    masks: int
    targets: int
    both: int
    either: int
    claims: int
    contested: int

    @property
    def iou(self) -> float:
        """Of the question."""
        count = max(self.masks, self.targets)
        return sum(self.ious) / count if count else 1.0

    @property
    def matched(self) -> int:
        """Targets that were found."""
        return sum(iou >= MATCH for iou in self.ious)


def overlap(found: np.ndarray, truth: np.ndarray, *, in_order: bool = False) -> Overlap:
    """Compare masks bool (P, H, W) with the true ones, bool (K, H, W).

    in_order: mask n is that of target n, as it is under a true answer; else they are matched for the largest sum of
    IoUs.
    """
    pixels = found.shape[1] * found.shape[2]
    masks, targets = (part.reshape(len(part), pixels).astype(np.float32) for part in (found, truth))
    both = (masks @ targets.T).round().astype(int)  # (P, K)
    sizes, true_sizes = found.sum((1, 2)), truth.sum((1, 2))
    either = sizes[:, None] + true_sizes - both
    ious = np.where(either > 0, both / np.maximum(either, 1), 1.0)
    if in_order:
        rows = columns = np.arange(min(ious.shape))
    else:
        rows, columns = linear_sum_assignment(ious, maximize=True)
    claims = found.sum(0)
    left_over = np.delete(sizes, rows).sum() + np.delete(true_sizes, columns).sum()
    return Overlap(
        pairs=tuple(zip(rows.tolist(), columns.tolist(), strict=True)),
        ious=tuple(ious[rows, columns].tolist()),
        masks=len(found),
        targets=len(truth),
        both=int(both[rows, columns].sum()),
        either=int(either[rows, columns].sum() + left_over),
        claims=int(claims.sum()),
        contested=int(claims[claims >= 2].sum()),
    )


@dataclass(frozen=True)
class Score:
    """How one question was answered.

    number: of the question. free: the masks of the generated answer; told: those under the true answer's words. exact:
    words and slots are the true ones; right: what the words say is (`is_right`). listed: it is, in any
    order of the targets (`is_right_in_any_order`). named: pairs of masks and targets that
    match and whose phrase is the target's. score_error: sum over pairs of |score - IoU|.
    """

    number: int
    source: str
    family: str
    held_out: bool
    free: Overlap
    told: Overlap
    exact: bool
    right: bool
    listed: bool
    named: int
    score_error: float


def score(number: int, question: Question, answer: Answer, told: np.ndarray) -> Score:
    """Score an answer to a question; told: masks bool (K, H, W) under the true answer, in its order."""
    shape = question.image.shape[:2]
    found = np.stack([target.mask for target in answer.targets]) if answer.targets else np.zeros((0, *shape), np.bool_)
    free = overlap(found, question.masks)
    named, error = 0, 0.0
    for (mask, target), iou in zip(free.pairs, free.ious, strict=True):
        spoken = answer.targets[mask]
        named += iou >= MATCH and answer.text[: spoken.span[1]].endswith(question.names[target])
        error += abs(spoken.score - iou)
    return Score(
        number=number,
        source=question.source,
        family=question.family,
        held_out=is_held_out(question.combination),
        free=free,
        told=overlap(told, question.masks, in_order=True),
        exact=answer.slotted == question.answer,
        right=is_right(answer.slotted, question.answer, len(answer.targets)),
        listed=is_right_in_any_order(answer.slotted, question.answer, question.names),
        named=named,
        score_error=error,
    )


def summary(scores: Sequence[Score], seed: int = 0) -> dict[str, Any]:
    """The figures of a set of questions, None where there is nothing to measure; intervals hold 95 %.

    Those of shares are Wilson's, those of gIoU and cIoU a bootstrap's over questions. Figures under the true answers
    (`told_`) are over questions with targets, since no other has a mask there.
    """
    n = len(scores)
    free, told = [one.free for one in scores], [one.told for one in scores if one.told.targets]
    ious = np.array([one.iou for one in free])
    both, either = (np.array([getattr(one, key) for one in free], float) for key in ("both", "either"))
    pairs = sum(max(one.masks, one.targets) for one in free)
    targets, masks, matched = (sum(getattr(one, key) for one in free) for key in ("targets", "masks", "matched"))
    exact, right = sum(one.exact for one in scores), sum(one.right for one in scores)
    paired = sum(len(one.pairs) for one in free)
    weights = np.random.default_rng(seed).multinomial(n, np.full(n, 1 / n), RESAMPLES)  # (RESAMPLES, n)
    unions = weights @ either
    return {
        "questions": n,
        "giou": float(ious.mean()),
        "giou_interval": interval(weights @ ious / n),
        "ciou": ratio(both.sum(), either.sum()),
        "ciou_interval": interval((weights @ both)[unions > 0] / unions[unions > 0]),
        "mask_iou": ratio(sum(sum(one.ious) for one in free), pairs),
        "told_giou": ratio(sum(one.iou for one in told), len(told)),
        "told_ciou": ratio(sum(one.both for one in told), sum(one.either for one in told)),
        "exact": exact / n,
        "exact_interval": wilson(exact, n),
        "right": right / n,
        "right_interval": wilson(right, n),
        "listed": sum(one.listed for one in scores) / n,
        "targets": targets,
        "matched": matched,
        "missed": targets - matched,
        "extra": masks - matched,
        "named": ratio(sum(one.named for one in scores), matched),
        "contested": ratio(sum(one.contested for one in free), sum(one.claims for one in free)),
        "told_contested": ratio(sum(one.contested for one in told), sum(one.claims for one in told)),
        "score_error": ratio(sum(one.score_error for one in scores), paired),
    }  # fmt: skip


def interval(values: np.ndarray) -> tuple[float, float] | None:
    """What 95 % of resampled values (N,) lie between; None without values."""
    if not len(values):
        return None
    low, high = np.quantile(values, BOUNDS)
    return float(low), float(high)


def ratio(part: float, whole: float) -> float | None:
    """part / whole; None of nothing."""
    return float(part / whole) if whole else None


def difference(ours: Sequence[float], theirs: Sequence[float], seed: int = 0) -> tuple[float, float, float]:
    """Mean of ours - theirs over the same questions, at least one, and what 95 % of its bootstrap lie between."""
    apart = np.asarray(ours, float) - np.asarray(theirs, float)
    drawn = np.random.default_rng(seed).integers(len(apart), size=(RESAMPLES, len(apart)))
    low, high = np.quantile(apart[drawn].mean(1), BOUNDS)
    return float(apart.mean()), float(low), float(high)


def parts(scores: Sequence[Score]) -> dict[str, dict[str, list[Score]]]:
    """The questions by what they have in common: all of them, by number of targets, by source, by family."""
    whole = {
        "all": list(scores),
        "with targets": [one for one in scores if one.free.targets],
        "several targets": [one for one in scores if one.free.targets > 1],
        "combinations never trained": [one for one in scores if one.held_out],
    }
    counts = {name: [one for one in scores if low <= one.free.targets <= high] for name, (low, high) in COUNTS.items()}
    sources = _grouped(scores, lambda one: one.source)
    families = _grouped(scores, lambda one: f"{one.source} {one.family}")
    groups = {"whole": whole, "targets": counts, "sources": sources, "families": families}
    return {group: {name: own for name, own in named.items() if own} for group, named in groups.items()}


def _grouped(scores: Sequence[Score], key: Callable[[Score], str]) -> dict[str, list[Score]]:
    found: dict[str, list[Score]] = {}
    for one in scores:
        found.setdefault(key(one), []).append(one)
    return dict(sorted(found.items()))
