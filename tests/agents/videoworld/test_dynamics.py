"""LatentDynamicsModel: shapes, code arithmetic, causality, and that places are found from reconstruction alone."""

from __future__ import annotations

import pytest
import torch

from agents.videoworld.config import DynamicsConfig
from agents.videoworld.dynamics import LatentDynamicsModel, QueryCodes

TINY_QUERY = {"readout": "query", "patch": 1, "width": 8, "multipliers": (1, 1, 2), "blocks": 1, "groups": 4}


def random_clips(batch: int, length: int, size: int = 32) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randint(0, 256, (batch, length, size, size, 3), dtype=torch.uint8, generator=generator)


def build(**changes: object) -> LatentDynamicsModel:
    torch.manual_seed(0)
    return LatentDynamicsModel(DynamicsConfig.preset("tiny", **changes)).eval()


@pytest.mark.parametrize("changes", [{}, TINY_QUERY], ids=["where_what", "query"])
@pytest.mark.parametrize("horizon", [1, 3])
def test_shapes_dtypes_and_ranges(changes: dict[str, object], horizon: int) -> None:
    model = build(horizon=horizon, **changes)
    clip = random_clips(2, horizon + 1)
    codes = model.encode(clip)
    assert codes.shape == (2, horizon, model.n_codes) and codes.dtype == torch.int64
    assert 0 <= codes.min() and codes.max() < model.codebook_size
    painted = model.decode(clip[:, 0], codes)
    assert painted.shape == clip.shape and painted.dtype == torch.uint8
    loss, metrics = model.train()(clip)
    loss.backward()
    assert metrics["loss"] == loss and all(value.ndim == 0 for value in metrics.values())
    assert all(p.grad is not None for p in model.parameters())


def test_a_code_is_a_place_and_a_content() -> None:
    model = build()
    assert (model.n_where, model.n_what, model.codebook_size) == (16, 4, 64)
    codes = model.encode(random_clips(40, 2))
    painted = model.decode(random_clips(1, 1)[:, 0].expand(64, -1, -1, -1), torch.arange(64).view(64, 1, 1))
    assert 0 <= codes.min() and codes.max() < 64 and painted.shape == (64, 2, 32, 32, 3)


def test_small_codes_are_strictly_causal() -> None:
    """The code of step k is the same to the last bit whatever follows frame k."""
    model = build(horizon=4)
    clip, other = random_clips(2, 5), random_clips(2, 5).flip(0)
    codes = model.encode(clip)
    for known in range(1, 5):
        mixed = torch.cat([clip[:, : known + 1], other[:, known + 1 :]], dim=1)
        assert torch.equal(model.encode(mixed)[:, :known], codes[:, :known])


def test_codes_do_not_depend_on_autocast() -> None:
    model, clip = build(), random_clips(16, 2)
    with torch.autocast("cpu", torch.bfloat16):
        codes = model.encode(clip)
    assert torch.equal(codes, model.encode(clip))


def test_decode_paints_what_forward_paints() -> None:
    model, clip = build(horizon=2), random_clips(3, 3)
    painted = model.net(model._channels_first(clip))[0].movedim(2, -1)
    decoded = model.decode(clip[:, 0], model.encode(clip)).float() / 127.5 - 1
    assert (decoded - painted.clamp(-1, 1)).abs().max() < 0.01


def test_the_published_lead_in_depends_on_the_first_frame_only() -> None:
    net = build(horizon=3, **TINY_QUERY).net
    assert isinstance(net, QueryCodes)
    encoder = net.encoder
    clip = torch.randn(2, 3, 4, 32, 32)
    assert torch.allclose(encoder(clip)[1], encoder.lead_in(clip[:, :, :1]), atol=1e-5)


def test_where_is_found_from_reconstruction_alone() -> None:
    """A square lights up in one of 15 places while a corner always flips: codes come to name the place."""
    model = build(blocks=1, paint_blocks=1).train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=5e-3)

    def clips(n: int) -> tuple[torch.Tensor, torch.Tensor]:
        place = torch.randint(1, 16, (n,))
        lit = torch.nn.functional.one_hot(place, 16).view(n, 4, 4, 1).repeat_interleave(8, 1).repeat_interleave(8, 2)
        after = 50 + 150 * lit.expand(-1, -1, -1, 3)
        after[:, :8, :8] = 200
        return torch.stack([torch.full_like(after, 50), after], dim=1).to(torch.uint8), place

    torch.manual_seed(0)
    for _ in range(200):
        loss, _ = model(clips(32)[0])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    clip, place = clips(256)
    codes = model.eval().encode(clip)
    assert torch.equal(codes[:, 0, 0] // model.n_what, place)
    assert (model.decode(clip[:, 0], codes).int() - clip.int()).abs().max() <= 48
