"""Questions, answers and masks in one batch."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from agents.pixellm.batch import collate
from agents.pixellm.config import PixelLMConfig
from tests.agents.pixellm.shapes import shapes, words_of

WORDS = words_of(6)
TINY = PixelLMConfig.preset("tiny")


def items(*counts: int) -> list:
    rng = np.random.default_rng(0)
    return [shapes(rng, count) for count in counts]


def test_groups_and_masks_stay_aligned_under_padding() -> None:
    several = items(3, 0, 1, 2)
    batch = collate(several, TINY, WORDS)
    assert batch.samples.tolist() == [0, 0, 0, 2, 3, 3]
    for sample, start in zip(batch.samples, batch.starts, strict=True):
        assert batch.ids[sample, start : start + 6].tolist() == WORDS.codebook
        assert batch.answered[sample, start - 1 : start + 7].tolist() == [True, True, *[False] * 5, True]
    expected = np.concatenate([masks for *_, masks in several])
    assert np.array_equal(batch.masks.numpy(), expected)
    assert batch.prompts.tolist() == [int(row.nonzero()[0]) for row in batch.answered]


def test_cells_of_targets_and_of_questions() -> None:
    """Also of targets that did not fit, and of those whose masks are not learned."""
    several = items(3, 0, 2)
    batch = collate(several, TINY, WORDS)
    cells = np.concatenate([masks for *_, masks in several]).reshape(5, 8, 4, 8, 4).mean((2, 4)).reshape(5, 64)
    np.testing.assert_allclose(batch.named, cells, atol=1e-6)
    np.testing.assert_allclose(batch.asked[0], cells[:3].sum(0), atol=1e-6)  # shapes do not meet
    assert (batch.asked[1] == -1).all() and (batch.asked[2] >= 0).all()
    thin = batch.thinned(1, np.array([2, 1, 0]))
    assert len(thin.samples) == 2 and torch.equal(thin.named, batch.named) and torch.equal(thin.asked, batch.asked)
    short = collate(several, replace(TINY, max_answer=20), WORDS)
    kept = [row.nonzero().flatten().numel() for row in (short.ids == WORDS.codebook[0])]
    assert sum(kept) == len(short.named) < 5 and kept[0] < 3
    assert torch.equal(short.named, torch.cat([batch.named[: kept[0]], batch.named[3 : 3 + kept[2]]]))
    assert torch.equal(short.asked, batch.asked)


def test_places_of_what_a_question_is_about() -> None:
    """Those of targets and those of others, on a picture that is made smaller; and of none, and where nobody knows."""
    several = items(2, 0, 0, 1)
    larger = several[0][0].repeat(2, 0).repeat(2, 1), *several[0][1:3], several[0][3].repeat(2, 1).repeat(2, 2)
    wide = several[0][0][:20], *several[0][1:3], several[0][3][:, :20] | True
    two = np.array([[31.0, 2.0], [5.0, 19.0]])
    assert collate([wide], TINY, WORDS, places=[two]).spots.tolist() == [7, 8 * 4 + 1]
    with pytest.raises(ValueError, match="1 places for 2 targets"):
        collate([wide], TINY, WORDS, places=[two[:1]])
    short = collate([wide], replace(TINY, max_answer=14), WORDS, places=[two])
    assert short.spots.tolist() == [7] and short.places[0].sum() == 2
    places = [np.array([[17.0, 16.5], [63.9, 8.0], [40.0, 63.9]]), np.zeros((0, 2)), None, np.array([[0.0, 32.0]])]
    batch = collate([larger, *several[1:]], TINY, WORDS, places=places)
    assert batch.places[0].nonzero().flatten().tolist() == [8 * 1 + 7, 8 * 2 + 2, 8 * 7 + 5]
    np.testing.assert_allclose(batch.offsets[0][batch.places[0] > 0], [0.9875, 0.125, 0.0], atol=1e-6)
    assert (batch.places[1] == 0).all() and (batch.places[2] == -1).all()
    assert batch.spots.tolist() == [8 * 2 + 2, 8 * 1 + 7, 8 * 7 + 0], "the last is on the picture's lower edge"
    assert (collate(several, TINY, WORDS).spots == -1).all()


def test_truncation_drops_whole_targets_with_their_masks() -> None:
    for limit in range(7, 60, 3):
        batch = collate(items(4, 2), replace(TINY, max_answer=limit), WORDS)
        assert len(batch.samples) == len(batch.starts) == len(batch.masks) == 6 - batch.dropped
        for number in range(2):
            kept = batch.samples == number
            groups = [batch.ids[number, start : start + 6].tolist() for start in batch.starts[kept]]
            assert groups == [WORDS.codebook] * len(groups)
            truth = items(4, 2)[number][3][: len(groups)]
            assert np.array_equal(batch.masks[kept].numpy(), truth)
