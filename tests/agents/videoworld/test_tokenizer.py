"""FrameTokenizer: shapes, ranges, the quantizer's numbers, locality, and that it learns."""

from __future__ import annotations

import pytest
import torch

from agents.videoworld.config import TokenizerConfig
from agents.videoworld.layers import Quantizer, Whiten
from agents.videoworld.tokenizer import FrameTokenizer


def random_frames(*shape: int, size: int = 32) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randint(0, 256, (*shape, size, size, 3), dtype=torch.uint8, generator=generator)


@pytest.fixture
def tiny() -> FrameTokenizer:
    torch.manual_seed(0)
    return FrameTokenizer(TokenizerConfig.preset("tiny")).eval()


def test_shapes_dtypes_and_ranges(tiny: FrameTokenizer) -> None:
    frames = random_frames(3, 2)
    ids = tiny.encode(frames)
    assert ids.shape == (3, 2, *tiny.grid) and ids.dtype == torch.int64
    assert 0 <= ids.min() and ids.max() < tiny.codebook_size == 64**4
    back = tiny.decode(ids)
    assert back.shape == frames.shape and back.dtype == torch.uint8
    loss, metrics = tiny(frames)
    loss.backward()
    assert metrics["loss"] == loss and {"l1", "mse", "clean", "codes"} <= metrics.keys()
    assert all(value.ndim == 0 for value in metrics.values())
    assert all(p.grad is not None for p in tiny.parameters())


def test_uint8_and_float_frames_are_the_same(tiny: FrameTokenizer) -> None:
    frames = random_frames(2, 1)
    assert torch.equal(tiny.encode(frames), tiny.encode(frames.float() / 127.5 - 1))


def test_ids_do_not_depend_on_autocast(tiny: FrameTokenizer) -> None:
    frames = random_frames(8, 4)
    with torch.autocast("cpu", torch.bfloat16):
        ids = tiny.encode(frames)
    assert torch.equal(ids, tiny.encode(frames))


def test_wrong_frame_size_is_named(tiny: FrameTokenizer) -> None:
    with pytest.raises(ValueError, match=r"80, 80, 3.*32, 32, 3"):
        tiny.encode(random_frames(1, 1, size=80))


@pytest.mark.parametrize("levels", [(8, 8, 8, 5, 5, 5), (4, 4, 4), (3, 6)])
def test_vectors_and_ids_are_inverse(levels: tuple[int, ...]) -> None:
    quantizer = Quantizer(levels, 16)
    ids = torch.arange(int(torch.tensor(levels).prod()))
    vectors = quantizer.vectors(ids)
    assert vectors.shape == (len(ids), len(levels)) and vectors.abs().max() <= 1
    assert torch.equal(quantizer.ids(vectors), ids)
    assert torch.equal(vectors[1, 1:], vectors[0, 1:])  # the first level is the least significant
    assert vectors[1, 0] > vectors[0, 0]


def test_quantizer_follows_the_published_formula() -> None:
    torch.manual_seed(0)
    quantizer = Quantizer((8, 8, 8, 5, 5, 5), 256)
    z = torch.randn(50, 256) * 3
    quantized, ids = quantizer(z)
    levels = torch.tensor([8, 8, 8, 5, 5, 5])
    half = (levels - 1) * 1.001 / 2
    offset = torch.tensor([0.5, 0.5, 0.5, 0, 0, 0])
    digits = (torch.tanh(quantizer.project_in(z) + torch.atanh(offset / half)) * half - offset).round() + levels // 2
    assert torch.equal(ids, (digits * torch.tensor([1, 8, 64, 512, 2560, 12800])).sum(-1).long())
    assert torch.allclose(quantized, quantizer.lookup(ids), atol=1e-6)


def test_an_id_holds_the_codes_of_its_parts(tiny: FrameTokenizer) -> None:
    """Changing one part's digits changes only its square of the picture; the digits follow `levels`, in order."""
    assert tiny.levels == (4, 4, 4) * 4
    ids = torch.full((1, 1, 2, 2), 5)
    ids[0, 0, 0, 1] += 7 * 64**2  # the third part: lower left of token (0, 1)
    digits = ids[..., None] // 4 ** torch.arange(12) % 4
    assert torch.equal(tiny.vectors(ids), (digits - 2) / 2)
    difference = (tiny.decode(ids) != tiny.decode(torch.full_like(ids, 5)))[0, 0].any(-1)
    assert difference[8:16, 16:24].any()
    difference[8:16, 16:24] = False
    assert not difference.any()


def test_with_kernel_1_a_token_sees_and_paints_its_own_square_only() -> None:
    torch.manual_seed(0)
    tokenizer = FrameTokenizer(TokenizerConfig.preset("small")).eval()
    frames = random_frames(1, 1, size=80)
    other = frames.clone()
    other[..., 16:32, 48:64, :] = 0  # the square of token (1, 3), which has four parts
    features, others = (tokenizer.encoder(tokenizer._channels_first(x)) for x in (frames, other))
    assert (features != others).any(1)[0].nonzero().tolist() == [[2, 6], [2, 7], [3, 6], [3, 7]]
    ids = tokenizer.encode(frames)
    touched = ids.clone()
    touched[0, 0, 1, 3] = (ids[0, 0, 1, 3] + 32_000) % tokenizer.codebook_size
    difference = (tokenizer.decode(ids) != tokenizer.decode(touched))[0, 0].any(-1)
    assert difference[16:32, 48:64].any()
    difference[16:32, 48:64] = False
    assert not difference.any()


def test_it_learns_a_few_frames() -> None:
    torch.manual_seed(0)
    tokenizer = FrameTokenizer(TokenizerConfig.preset("tiny"))
    squares = torch.randint(0, 2, (16, 1, 2, 2, 1), dtype=torch.uint8).repeat_interleave(16, 2).repeat_interleave(16, 3)
    frames = (squares * 200 + 20).expand(-1, -1, -1, -1, 3)
    optimizer = torch.optim.AdamW(tokenizer.parameters(), lr=3e-3)
    for _ in range(150):
        loss, metrics = tokenizer(frames)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert metrics["clean"] == 1, metrics
    assert (tokenizer.eval().decode(tokenizer.encode(frames)).int() - frames.int()).abs().max() <= 16


def test_whitening_removes_correlation_and_stays_put_in_eval() -> None:
    torch.manual_seed(0)
    whiten = Whiten(3)
    mixing = torch.tensor([[1.0, 0, 0], [0.9, 0.1, 0], [1.0, 0, 0.05]])
    for _ in range(300):
        whiten(torch.randn(256, 3) @ mixing.T + 5)
    x = whiten.eval()(torch.randn(10_000, 3) @ mixing.T + 5)
    assert torch.allclose(x.T.cov(), torch.eye(3), atol=0.15)
    assert x.mean(0).abs().max() < 0.1
    assert torch.equal(whiten(torch.zeros(1, 3)), whiten(torch.zeros(1, 3)))


def test_annealing_ends_in_rounding() -> None:
    torch.manual_seed(0)
    quantizer = Quantizer((5, 5), 2, anneal=3)
    outputs = [quantizer(z) for z in torch.randn(4, 100, 2)]
    assert [torch.equal(vectors, quantizer.lookup(ids)) for vectors, ids in outputs] == [False, False, True, True]
