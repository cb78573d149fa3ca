"""VideoWorld: predictions, imagination, sampling, and questions that make no sense."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch

from agents.videoworld.sampling import GREEDY, Sampler
from agents.videoworld.sequence import Kind
from tests.agents.videoworld.untrained import (
    CONFIGS,
    LAST,
    TINY,
    frames,
    transformer,
    world,
)


@pytest.mark.parametrize("name", ["spatial-parallel", "spatial-causal", "last-parallel", "no-codes", "no-codes-causal"])
@pytest.mark.parametrize(("history", "length", "horizon"), [(1, 1, 1), (1, 3, 2), (3, 1, 3), (3, 3, 2)])
def test_predictions(name: str, history: int, length: int, horizon: int) -> None:
    config = CONFIGS[name]
    system = world(config, history=history, codes=min(config.codes, 1))
    c = system.config
    seen = frames(2, length)
    result = system.predict(seen, horizon=horizon)
    assert result.codes.shape == result.code_logprobs.shape == (2, horizon, c.codes)
    assert result.distribution.shape == (2, c.codes, c.code_size)
    assert result.frames is not None and result.frames.shape == (2, horizon, 32, 32, 3)
    assert result.frames.dtype == torch.uint8
    assert result.frame_ids is not None and result.frame_ids.shape == (2, horizon, *c.grid)
    if c.codes:
        torch.testing.assert_close(result.distribution.exp().sum(-1), torch.ones(2, 1))
        assert torch.equal(result.distribution.argmax(-1), result.codes[:, 0])
    quick = system.predict(seen, horizon=horizon, with_frames=False)
    assert quick.frames is None and quick.frame_ids is None and torch.equal(quick.codes, result.codes)
    assert torch.equal(system.imagine(seen, steps=horizon), result.frames)
    recent = system.predict(seen[:, -history:], horizon=horizon)
    assert torch.equal(recent.codes, result.codes), "older frames are not looked at"


@pytest.mark.parametrize(("history", "length"), [(1, 1), (2, 1), (2, 2), (3, 3)])
def test_the_second_step_builds_on_the_first(history: int, length: int) -> None:
    """It reads the last `history` frames and the codes between them, foreseen ones among them."""
    system = world(TINY, history=history)
    assert system.dynamics is not None
    seen = frames(6, length)
    two = system.predict(seen, horizon=2, sampler=Sampler(), generator=torch.Generator().manual_seed(0))
    assert two.frame_ids is not None
    ids = torch.cat([system.tokenizer.encode(seen), two.frame_ids[:, :1]], 1)[:, -history:]
    past = system.dynamics.encode(seen) if length > 1 else torch.zeros(6, 0, 1, dtype=torch.long)
    codes = torch.cat([past, two.codes[:, :1]], 1)
    codes = codes[:, codes.shape[1] - (ids.shape[1] - 1) :]
    encoded = system.transformer.read(ids, codes)
    _, _, logits = system.sample_codes(encoded, ids.shape[1], Sampler())
    expected = logits.log_softmax(-1).gather(-1, two.codes[:, 1, :, None])[..., 0]
    torch.testing.assert_close(two.code_logprobs[:, 1], expected)
    if history > 1:
        other = system.transformer.read(ids, (codes + 1) % system.config.code_size)
        assert not torch.allclose(other.hidden, encoded.hidden), "the codes between are heard"


def test_sampling_is_the_generators() -> None:
    system = world(TINY)
    free = Sampler(temperature=2.0)
    seen = frames(1).expand(30, -1, -1, -1, -1)

    def draw(seed: int) -> Any:
        g = torch.Generator().manual_seed(seed)
        return system.predict(seen, horizon=2, sampler=free, frame_sampler=free, generator=g)

    one, same, other = draw(1), draw(1), draw(2)
    assert torch.equal(one.codes, same.codes) and torch.equal(one.frame_ids, same.frame_ids)
    assert not torch.equal(one.codes, other.codes) and not torch.equal(one.frame_ids, other.frame_ids)
    expected = (one.distribution / 2.0).log_softmax(-1).gather(-1, one.codes[:, 0, :, None])[..., 0]
    torch.testing.assert_close(one.code_logprobs[:, 0], expected)
    torch.testing.assert_close(one.distribution, system.predict(seen).distribution)


def test_impossible_questions() -> None:
    system = world(TINY)
    with pytest.raises(ValueError, match="horizon is 0"):
        system.predict(frames(), horizon=0)
    with pytest.raises(ValueError, match="32, 32, 3"):
        system.predict(torch.zeros(1, 1, 40, 40, 3, dtype=torch.uint8))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"embedding": "words"}, "embedding is 'words'"),
        ({"code_readout": "first"}, "code_readout is 'first'"),
        ({"heads": 5}, "not a multiple of heads"),
        ({"places": 7}, "code_readout=spatial needs"),
        ({"frame_decoding": "causal"}, "frame_decoding=causal needs"),
        ({"frame_share": 0.0}, "frame_share is 0.0"),
        ({**LAST, "parts": 2}, "no whole number of changes of 2 parts"),
        ({"parts": 2, "codes": 2}, "several parts need code_readout=last"),
    ],
)
def test_impossible_settings(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        replace(TINY, **changes)


@pytest.mark.parametrize("name", ["two-codes", "last-parallel", "last-causal"])
def test_codes_behind_a_given_first_one(name: str) -> None:
    """They are those that sampling greedily gives where it begins with that code."""
    system = world(CONFIGS[name])
    c = system.config
    ids = system.tokenizer.encode(frames(4, 1))
    none = torch.zeros(4, 0, c.codes, dtype=torch.long)
    greedy, _, _ = system.sample_codes(system.transformer.read(ids, none), 1, GREEDY)
    completed = system.complete_codes(system.transformer.read(ids, none), 1, greedy[:, 0])
    assert torch.equal(completed, greedy)
    other = (greedy[:, 0] + 1) % c.code_size
    assert torch.equal(system.complete_codes(system.transformer.read(ids, none), 1, other)[:, 0], other)


def test_with_markers_only_markers_have_a_kind() -> None:
    model = transformer(replace(TINY, markers=True))
    assert not model.kind(Kind.FRAME).any() and not model.kind(Kind.CODE).any()
    assert model.kind(Kind.FRAME_START).any() and model.kind(Kind.CODE_END).any()
    assert transformer(TINY).kind(Kind.FRAME).any()


@pytest.mark.parametrize("history", [1, 3])
def test_the_outlook_is_one_picture(history: int) -> None:
    system = world(CONFIGS["outlook"], history=history)
    seen = frames(2, 3)
    end = system.outlook(seen)
    assert end.shape == (2, 32, 32, 3) and end.dtype == torch.uint8
    assert torch.equal(end, system.outlook(seen[:, -history:]))
    assert not torch.equal(system.outlook(frames(2, 3, seed=5)), end)
