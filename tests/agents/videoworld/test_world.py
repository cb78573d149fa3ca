"""The transformer's sequence, and VideoWorld's step-by-step serving against reading everything at once."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor

from agents.checkpoint import CheckpointError, load_into
from agents.videoworld.config import DynamicsConfig, TokenizerConfig, WorldConfig
from agents.videoworld.dynamics import LatentDynamicsModel
from agents.videoworld.sampling import GREEDY, Sampler
from agents.videoworld.sequence import Kind, lay_out
from agents.videoworld.tokenizer import FrameTokenizer
from agents.videoworld.transformer import VideoTransformer, join_digits, split_digits
from agents.videoworld.world import VideoWorld

# 2x2 tokens of three digits; 4x4 places, four to a token, three things to say at each.
TINY = WorldConfig.preset("tiny", grid=(2, 2), frame_levels=(3, 2, 4), places=16, whats=3)
CAUSAL = {"frame_attention": "causal", "frame_decoding": "causal", "stem_blocks": 0}
LAST = {"code_readout": "last", "places": 1, "whats": 7, "codes": 3, "frame_share": 1.0}
CONFIGS = {
    "spatial-parallel": TINY,
    "spatial-parallel-causal-frames": replace(TINY, frame_attention="causal"),
    "spatial-causal": replace(TINY, **CAUSAL),
    "two-codes": replace(TINY, codes=2),
    "last-parallel": replace(TINY, **LAST),
    "last-causal": replace(TINY, **LAST, **CAUSAL),
    "as-published": replace(TINY, **LAST, **CAUSAL, embedding="table", positions_2d=False, markers=True, bias=True),
    "markers-parallel": replace(TINY, markers=True),
    "outlook": replace(TINY, outlook=True),
    "instruction": replace(TINY, instruction_dim=5, markers=True),
    "no-codes": replace(TINY, codes=0),
    "no-codes-causal": replace(TINY, codes=0, **CAUSAL),
    "no-codes-causal-markers": replace(TINY, codes=0, markers=True, **CAUSAL),
}
every_config = pytest.mark.parametrize("config", CONFIGS.values(), ids=CONFIGS.keys())


def transformer(config: WorldConfig, seed: int = 0) -> VideoTransformer:
    """Untrained, but with weights large enough that all inputs matter."""
    torch.manual_seed(seed)
    model = VideoTransformer(config).eval().requires_grad_(False)
    for parameter in model.parameters():
        if parameter.ndim > 1:
            torch.nn.init.normal_(parameter, std=0.3)
    return model


def clip(config: WorldConfig, steps: int, batch: int = 2, seed: int = 0) -> tuple[Tensor, Tensor, Tensor | None]:
    """Random frame ids (B, steps + 1, h, w), codes (B, steps, K) and an instruction where there is one."""
    g = torch.Generator().manual_seed(seed)
    ids = torch.randint(math.prod(config.frame_levels), (batch, steps + 1, *config.grid), generator=g)
    codes = torch.randint(config.code_size, (batch, steps, config.codes), generator=g)
    told = torch.randn(batch, config.instruction_dim, generator=g) if config.instruction_dim else None
    return ids, codes, told


def world(config: WorldConfig = TINY, seed: int = 0, **changes: Any) -> VideoWorld:
    """A whole untrained system for 32 px frames."""
    torch.manual_seed(seed)
    tokenizer, dynamics = (
        FrameTokenizer(TokenizerConfig.preset("tiny")),
        LatentDynamicsModel(DynamicsConfig.preset("tiny")),
    )
    spatial = config.code_readout == "spatial"
    fitting = replace(
        config,
        frame_levels=tokenizer.levels,
        grid=tokenizer.grid,
        places=dynamics.n_where if spatial else 1,
        whats=dynamics.n_what if spatial else dynamics.codebook_size,
        **changes,
    )
    return VideoWorld(tokenizer, transformer(fitting, seed), dynamics).eval()


def frames(count: int = 2, length: int = 1, seed: int = 0) -> Tensor:
    g = torch.Generator().manual_seed(seed)
    return torch.randint(256, (count, length, 32, 32, 3), generator=g, dtype=torch.uint8)


# -- layout ----------------------------------------------------------------------------------------------------------


@every_config
@pytest.mark.parametrize("steps", [1, 3])
def test_every_slot_has_one_meaning(config: WorldConfig, steps: int) -> None:
    layout = lay_out(config, steps)
    causal = config.frame_decoding == "causal"
    assert layout.frames.shape == (steps + causal, 4)
    assert layout.codes.shape == (steps, config.codes)
    assert layout.queries.numel() == (0 if causal else steps * 4)
    for kind, slots in ((Kind.FRAME, layout.frames), (Kind.CODE, layout.codes), (Kind.QUERY, layout.queries)):
        assert (layout.kinds[slots.flatten()] == int(kind)).all()
        assert (layout.kinds == int(kind)).sum() == slots.numel()
    marks = (layout.kinds >= int(Kind.FRAME_START)).sum()
    assert marks == config.markers * (2 * (steps + causal) + 2 * steps * (config.codes > 0))
    assert (layout.kinds == int(Kind.INSTRUCTION)).sum() == (config.instruction_dim > 0)
    assert len(lay_out(config, steps)) == len(layout) and lay_out(config, steps) is layout
    for step, prefix in enumerate(layout.prefixes):
        assert prefix > layout.frames[step].max()
        assert (layout.codes[step] >= prefix).all()


@every_config
def test_nobody_sees_what_is_to_be_predicted(config: WorldConfig) -> None:
    steps = 3
    layout = lay_out(config, steps)
    place = torch.arange(len(layout))
    frame_of = torch.full((len(layout),), -1)
    for number, slots in enumerate(layout.frames):
        frame_of[slots] = number
    query_of = torch.full((len(layout),), -1)
    for number, slots in enumerate(layout.queries):
        query_of[slots] = number
    together = ((frame_of[:, None] == frame_of) & (frame_of >= 0)) | ((query_of[:, None] == query_of) & (query_of >= 0))
    later = place[None, :] > place[:, None]
    assert not (layout.mask & later & ~together).any(), "causal from step to step"
    assert layout.mask.diagonal().all()
    same_frame = (frame_of[:, None] == frame_of) & (frame_of >= 0)
    if config.frame_attention == "full":
        assert layout.mask[same_frame].all(), "all of a known frame at once"
    else:
        assert not (layout.mask & same_frame & later).any()
    for slots in layout.queries:
        assert layout.mask[slots][:, slots].all()
        assert not layout.mask[slots.max() + 1 :, slots].any(), "queries are invisible to what follows"
    for step in range(steps):
        reads = layout.code_reads[step]
        if config.codes and config.code_readout == "spatial":
            assert not layout.mask[reads][:, layout.codes[step:].flatten()].any()
        for slot in range(config.codes if config.code_readout == "last" else 0):
            seen = layout.mask[reads[slot]]
            assert not seen[layout.codes[step, slot:]].any() and seen[layout.codes[step, :slot]].all()
        for place_in_frame, read in enumerate(layout.frame_reads[step]):
            seen = layout.mask[read]
            assert seen[layout.codes[step]].all(), "the codes say what the next frame is"
            if len(layout.frames) > step + 1:
                assert not seen[layout.frames[step + 1, place_in_frame:]].any()
            if config.frame_decoding == "causal":
                assert seen[layout.frames[step + 1, :place_in_frame]].all()


@every_config
def test_outputs_do_not_depend_on_the_future(config: WorldConfig) -> None:
    """The mask as the network obeys it: change the last step's frame and codes, and earlier outputs stay."""
    model, layout = transformer(config), lay_out(config, 2)
    ids, codes, told = clip(config, 2)
    other_ids, other_codes = ids.clone(), codes.clone()
    other_ids[:, 1:] = (ids[:, 1:] + 1) % math.prod(config.frame_levels)
    other_codes[:, 1:] = (codes[:, 1:] + 1) % config.code_size
    known = slice(0, len(layout.frames))
    outputs = []
    for frame_ids, said in ((ids, codes), (other_ids, other_codes)):
        x = model.assemble(layout, model.embed_frames(frame_ids[:, known]), said, told, len(layout))
        outputs.append(model.run(x, layout, slice(0, len(layout)))[0])
    end = int(layout.frames[1].min()) - config.markers
    torch.testing.assert_close(outputs[0][:, :end], outputs[1][:, :end])
    assert not torch.allclose(outputs[0][:, end:], outputs[1][:, end:])


# -- step by step = all at once --------------------------------------------------------------------------------------


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


# -- codes -----------------------------------------------------------------------------------------------------------


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


# -- VideoWorld ------------------------------------------------------------------------------------------------------


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
