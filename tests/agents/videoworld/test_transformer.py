"""The transformer: serving step by step against reading everything at once, losses, codes and their places."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch

from agents.checkpoint import CheckpointError, load_into
from agents.videoworld.config import TokenizerConfig, WorldConfig
from agents.videoworld.sampling import Sampler
from agents.videoworld.sequence import lay_out
from agents.videoworld.tokenizer import FrameTokenizer
from agents.videoworld.transformer import VideoTransformer, join_digits, split_digits
from agents.videoworld.world import VideoWorld
from tests.agents.videoworld.untrained import (
    CONFIGS,
    TINY,
    clip,
    every_config,
    transformer,
)


@every_config
@pytest.mark.parametrize("steps", [1, 2])
def test_serving_agrees_with_training(config: WorldConfig, steps: int) -> None:
    """Codes and frame found step by step are those a single pass over the finished sequence calls the likeliest."""
    system = VideoWorld(FrameTokenizer(TokenizerConfig.preset("tiny")), transformer(config))
    model = system.transformer
    ids, codes, told = clip(config, steps)
    encoded = model.read(ids[:, :steps], codes[:, : steps - 1], told)
    chosen, scores, logits = system.sample_codes(encoded, steps, Sampler(temperature=0))
    following = system.next_frame(encoded, steps, chosen)
    assert chosen.shape == (2, config.codes) and following.shape == (2, *config.grid)

    finished = torch.cat([codes[:, : steps - 1], chosen[:, None]], 1)
    known = torch.cat([ids[:, :steps], following[:, None]], 1)
    layout = lay_out(config, steps)
    x = model.assemble(layout, model.embed_frames(known[:, : len(layout.frames)]), finished, told, len(layout))
    hidden, _ = model.run(x, layout, slice(0, len(layout)))
    last = slice(steps - 1, steps)
    if config.codes:
        whole = model.read_codes(hidden, layout, last)[:, 0]
        assert whole.shape == (2, config.codes, config.code_size)
        torch.testing.assert_close(logits, whole, atol=1e-4, rtol=1e-4)
        assert torch.equal(whole.argmax(-1), chosen)
    digits = [part[:, 0].argmax(-1) for part in model.read_frames(hidden, layout, last)]
    reread = join_digits(digits, config.frame_levels) if config.embedding == "digits" else digits[0]
    assert torch.equal(reread.view(following.shape), following)
    read, _ = model.run(x[:, : layout.prefixes[-1]], layout, slice(0, layout.prefixes[-1]))
    torch.testing.assert_close(read, hidden[:, : layout.prefixes[-1]], atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("name", ["spatial-parallel", "two-codes", "spatial-causal"])
def test_the_next_frame_follows_the_given_codes(name: str) -> None:
    config = CONFIGS[name]
    system = VideoWorld(FrameTokenizer(TokenizerConfig.preset("tiny")), transformer(config))
    ids, codes, _ = clip(config, 1, batch=8)
    before = ids[:, :1].repeat_interleave(2, 0)
    asked = torch.stack([codes[:, 0], (codes[:, 0] + 5) % config.code_size], 1).flatten(0, 1)
    drawn = system.next_frame(system.transformer.read(before, asked[:, :0].reshape(16, 0, config.codes)), 1, asked)
    assert (drawn[::2] != drawn[1::2]).any(), "codes matter"
    alone = system.next_frame(
        system.transformer.read(before[3:4], asked[:1, :0].reshape(1, 0, config.codes)), 1, asked[3:4]
    )
    assert torch.equal(alone[0], drawn[3]), "boards of a batch do not mix"


@every_config
def test_training_has_losses_and_gradients(config: WorldConfig) -> None:
    torch.manual_seed(0)
    model = VideoTransformer(config)
    ids, codes, told = clip(config, 2, batch=4)
    full = config.frame_share == 1 or not config.codes
    end = ids[:, 0] if config.outlook else None
    loss, metrics = model(ids[:, :-1], codes, ids[: 4 if full else 1, -1], told, end)
    loss.backward()
    loss = loss.detach()
    sizes = list(config.frame_levels) if config.embedding == "digits" else [math.prod(config.frame_levels)]
    assert float(metrics["frame_loss"]) == pytest.approx(sum(math.log(size) for size in sizes), rel=0.1), (
        "nothing known yet"
    )
    names = {"frame_loss", "frame_exact"}
    if config.codes:
        names |= {"code_loss", "code_top1"}
        assert float(metrics["code_loss"]) == pytest.approx(math.log(config.code_size), rel=0.1)
        expected = metrics["code_loss"] + config.frame_weight * metrics["frame_loss"]
        if config.outlook:
            names |= {"outlook_loss"}
            expected = expected + config.outlook_weight * metrics["outlook_loss"]
        assert float(loss) == pytest.approx(float(expected), rel=1e-5)
    else:
        assert float(loss) == pytest.approx(float(metrics["frame_loss"]))
    assert set(metrics) == names
    assert model.frame_head.weight.grad is not None and model.frame_head.weight.grad.abs().sum() > 0


def test_a_share_of_frames_changes_no_code_loss() -> None:
    """The clips that learn codes only are read as far as their codes; that is the same loss."""
    model = transformer(TINY)
    ids, codes, _ = clip(TINY, 2, batch=4)
    part, whole = (model(ids[:, :-1], codes, ids[:count, -1])[1]["code_loss"] for count in (1, 4))
    torch.testing.assert_close(part, whole)


@pytest.mark.parametrize("name", ["spatial-parallel", "two-codes"])
@pytest.mark.parametrize("steps", [1, 2])
def test_other_codes_are_weighed_by_their_chances(name: str, steps: int) -> None:
    """The loss is the mean of those under each of the last change's codes."""
    config = CONFIGS[name]
    model = transformer(config)
    ids, codes, told = clip(config, steps, batch=4)
    others = (codes[:, -1:] + torch.tensor([1, 2])[:, None]) % config.code_size  # (B, 2, K)
    chances = torch.tensor([0.6, 0.3, 0.1]).expand(4, -1)

    def loss(codes: torch.Tensor, **more: torch.Tensor) -> torch.Tensor:
        return model(ids[:, :-1], codes, ids[:1, -1], told, **more)[1]["code_loss"]

    each = [loss(torch.cat([codes[:, :-1], last[:, None]], 1)) for last in (codes[:, -1], *others.unbind(1))]
    torch.testing.assert_close(loss(codes, others=(others, chances)), (torch.stack(each) * chances[0]).sum())


def test_an_instruction_is_asked_for_and_heard() -> None:
    config = CONFIGS["instruction"]
    model = transformer(config)
    ids, codes, told = clip(config, 1)
    assert told is not None
    with pytest.raises(ValueError, match="give its embedding"):
        model.read(ids[:, :1], codes[:, :0])
    one, other = (model.read(ids[:, :1], codes[:, :0], words).hidden[:, -1] for words in (told, -told))
    assert not torch.allclose(one, other)


def test_the_outlook_is_learned_from_the_last_frame_alone() -> None:
    """A few steps on one clip, and the model foresees its end; the end changes nothing else that it is asked."""
    config = CONFIGS["outlook"]
    torch.manual_seed(0)
    model = VideoTransformer(config)
    ids, codes, _ = clip(config, 1, batch=4)
    end = torch.randint(math.prod(config.frame_levels), (4, *config.grid), generator=torch.Generator().manual_seed(9))
    with pytest.raises(ValueError, match="give its ids"):
        model(ids[:, :-1], codes, ids[:1, -1])
    others = [model(ids[:, :-1], codes, ids[:1, -1], None, which)[1] for which in (end, ids[:, 0])]
    assert torch.equal(others[0]["code_loss"], others[1]["code_loss"])
    assert not torch.equal(others[0]["outlook_loss"], others[1]["outlook_loss"])
    optimizer = torch.optim.Adam(model.parameters(), 0.01)
    for _ in range(150):
        optimizer.zero_grad()
        loss, metrics = model(ids[:, :-1], codes, ids[:1, -1], None, end)
        loss.backward()
        optimizer.step()
    assert float(metrics["outlook_loss"]) < 0.2
    tokenizer = FrameTokenizer(TokenizerConfig.preset("tiny", frame_size=32)).eval()
    with pytest.raises(ValueError, match="without an outlook"):
        VideoWorld(tokenizer, transformer(TINY)).outlook(torch.zeros(1, 1, 32, 32, 3, dtype=torch.uint8))


@pytest.mark.parametrize("name", ["spatial-parallel", "spatial-causal", "outlook", "as-published"])
def test_a_deeper_transformer_begins_where_a_shallower_one_ended(name: str) -> None:
    """Same outputs at first; then its new blocks learn too."""
    shallow = transformer(CONFIGS[name])
    more = {"layers": 3} | ({"stem_blocks": 2} if CONFIGS[name].stem_blocks else {})
    deep = VideoTransformer(replace(CONFIGS[name], **more))
    load_into(deep, deep.adopt(shallow.state_dict()))
    ids, codes, _ = clip(CONFIGS[name], 1)
    inputs = (ids[:, :-1], codes, ids[:, -1], None, ids[:, -1])
    before, after = (model.read(ids[:, :1], codes[:, :0]).hidden for model in (shallow, deep))
    torch.testing.assert_close(before, after)
    optimizer = torch.optim.Adam(deep.parameters(), 0.01)
    begun = {key: value.clone() for key, value in deep.state_dict().items()}
    for _ in range(3):
        optimizer.zero_grad()
        deep(*inputs)[0].backward()
        optimizer.step()
    late = {key for key in begun if key.startswith("backbone.layers.2.") and key.endswith("proj.weight")}
    assert late and all(not torch.equal(begun[key], deep.state_dict()[key]) for key in late)


def test_only_missing_depth_is_made_up() -> None:
    deep, weights = VideoTransformer(replace(TINY, layers=2)), transformer(TINY).state_dict()
    damaged = {key: value for key, value in weights.items() if key != "backbone.layers.0.mlp.up_proj.weight"}
    with pytest.raises(CheckpointError, match="lacks the tensor 'backbone.layers.0.mlp.up_proj.weight'"):
        load_into(deep, deep.adopt(damaged))
    with pytest.raises(CheckpointError, match="unexpected tensor"):
        load_into(transformer(TINY), transformer(TINY).adopt(deep.state_dict()))
    no_stem = VideoTransformer(replace(TINY, stem_blocks=0))
    with pytest.raises(CheckpointError, match="lacks the tensor 'stem"):
        load_into(transformer(TINY), transformer(TINY).adopt(no_stem.state_dict()))


def test_playing_first_does_not_keep_a_process_from_training() -> None:
    lay_out.cache_clear()
    model = VideoTransformer(TINY)
    ids, codes, _ = clip(TINY, 1)
    with torch.inference_mode():
        model.read(ids[:, :1], codes[:, :0])
    model(ids[:, :-1], codes, ids[:, -1])[0].backward()


# Codes


@pytest.mark.parametrize(
    ("grid", "places", "whats"), [((2, 2), 16, 3), ((5, 5), 100, 4), ((4, 4), 16, 5), ((3, 3), 81, 2)]
)
def test_where_a_code_applies_and_what_it_says(grid: tuple[int, int], places: int, whats: int) -> None:
    config = replace(TINY, grid=grid, places=places, whats=whats)
    model = VideoTransformer(config)
    codes = torch.arange(config.code_size)
    token, said = model.locate(codes)
    assert 0 <= token.min() and token.max() == config.frame_tokens - 1
    assert 0 <= said.min() and said.max() == config.said - 1
    assert (
        len(set(zip(token.tolist(), said.tolist(), strict=True)))
        == config.code_size
        == config.frame_tokens * config.said
    )
    fine, side = math.isqrt(places), math.isqrt(places) // grid[0]
    row, column = codes // whats // fine, codes // whats % fine
    assert torch.equal(token, row // side * grid[1] + column // side), "the token that covers the place"
    assert torch.equal(said % whats, codes % whats)


def test_code_logits_stand_where_locate_says() -> None:
    """A code's logit is read at the token it applies to: the head's output there, at what it says."""
    model = transformer(replace(TINY, codes=2))
    layout = lay_out(model.config, 1)
    hidden = torch.randn(1, len(layout), model.config.dim, generator=torch.Generator().manual_seed(0))
    logits = model.read_codes(hidden, layout, slice(0, 1))[0, 0]  # (K, code_size)
    outputs = model.code_head(hidden[0, layout.frames[0]])  # (tokens, K * said)
    token, said = model.locate(torch.arange(model.config.code_size))
    for slot in range(2):
        torch.testing.assert_close(logits[slot], outputs[token, slot * model.config.said + said])


def test_codes_without_places() -> None:
    model = VideoTransformer(CONFIGS["last-parallel"])
    token, said = model.locate(torch.arange(7))
    assert (token == 0).all() and torch.equal(said, torch.arange(7))


def test_digits_are_a_bijection() -> None:
    levels = (3, 2, 4)
    ids = torch.arange(24)
    digits = split_digits(ids, levels)
    assert [int(digit.max()) + 1 for digit in digits] == list(levels)
    assert torch.equal(join_digits(digits, levels), ids)
