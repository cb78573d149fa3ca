"""Choosing one of several possibilities."""

from __future__ import annotations

import pytest
import torch

from agents.videoworld.sampling import GREEDY, Sampler

LOGITS = torch.tensor([0.5, 0.3, 0.15, 0.05]).log()


def kept(sampler: Sampler, logits: torch.Tensor = LOGITS) -> list[float]:
    return sampler.distribution(logits).exp().tolist()


def test_plain_sampling_keeps_the_distribution() -> None:
    assert kept(Sampler()) == pytest.approx([0.5, 0.3, 0.15, 0.05], abs=1e-6)
    assert kept(Sampler(temperature=0.5)) == pytest.approx([0.25 / 0.365, 0.09 / 0.365, 0.0225 / 0.365, 0.0025 / 0.365])
    flat = kept(Sampler(temperature=1e6))
    assert flat == pytest.approx([0.25] * 4, abs=1e-4)


def test_temperature_zero_takes_the_likeliest() -> None:
    assert kept(GREEDY) == [1.0, 0.0, 0.0, 0.0]
    logits = torch.randn(3, 5, 7, generator=torch.Generator().manual_seed(0))
    choice, score = GREEDY.draw(logits)
    assert choice.shape == score.shape == (3, 5) and choice.dtype == torch.int64
    assert torch.equal(choice, logits.argmax(-1)) and (score == 0).all()


def test_top_k() -> None:
    assert kept(Sampler(top_k=2)) == pytest.approx([0.625, 0.375, 0, 0], abs=1e-6)
    assert kept(Sampler(top_k=1)) == pytest.approx([1, 0, 0, 0])
    assert kept(Sampler(top_k=9)) == pytest.approx([0.5, 0.3, 0.15, 0.05], abs=1e-6), "more than there are"


def test_top_p_keeps_the_fewest_that_hold_the_share() -> None:
    assert kept(Sampler(top_p=0.4)) == pytest.approx([1, 0, 0, 0])
    assert kept(Sampler(top_p=0.7)) == pytest.approx([0.625, 0.375, 0, 0], abs=1e-6)
    assert kept(Sampler(top_p=0.9)) == pytest.approx([50 / 95, 30 / 95, 15 / 95, 0], abs=1e-6)
    assert kept(Sampler(top_p=1e-9)) == pytest.approx([1, 0, 0, 0]), "one always stays"


def test_top_p_does_not_depend_on_the_order() -> None:
    order = torch.tensor([2, 0, 3, 1])
    expected = torch.tensor([50 / 95, 30 / 95, 15 / 95, 0])
    torch.testing.assert_close(Sampler(top_p=0.9).distribution(LOGITS[order]).exp(), expected[order])


def test_both_limits_together() -> None:
    assert kept(Sampler(top_k=3, top_p=0.8)) == pytest.approx([0.625, 0.375, 0, 0], abs=1e-6)


def test_draws_follow_the_distribution_and_the_generator() -> None:
    sampler = Sampler(top_k=3)
    logits = LOGITS.expand(20_000, 4)
    choice, score = sampler.draw(logits, torch.Generator().manual_seed(1))
    again, _ = sampler.draw(logits, torch.Generator().manual_seed(1))
    other, _ = sampler.draw(logits, torch.Generator().manual_seed(2))
    assert torch.equal(choice, again) and not torch.equal(choice, other)
    expected = sampler.distribution(LOGITS).exp()
    torch.testing.assert_close(torch.bincount(choice, minlength=4) / 20_000, expected, atol=0.02, rtol=0)
    torch.testing.assert_close(score.exp(), expected[choice])


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"temperature": -0.1}, "temperature is -0.1"),
        ({"temperature": float("nan")}, "temperature is nan"),
        ({"temperature": float("inf")}, "temperature is inf"),
        ({"top_k": -1}, "top_k is -1"),
        ({"top_p": 0.0}, "top_p is 0.0"),
        ({"top_p": 1.5}, "top_p is 1.5"),
        ({"top_p": float("nan")}, "top_p is nan"),
    ],
)
def test_impossible_samplers(settings: dict[str, float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Sampler(**settings)  # type: ignore[arg-type]
