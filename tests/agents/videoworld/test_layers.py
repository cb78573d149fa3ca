"""The finite scalar quantizer against the reference implementation."""

from __future__ import annotations

import pytest
import torch

from agents.videoworld.layers import Quantizer

FSQ = pytest.importorskip("vector_quantize_pytorch").FSQ


@pytest.mark.parametrize("levels", [(4, 4, 4), (8, 8, 8, 5, 5, 5), (3, 6, 7)])
def test_ids_vectors_and_gradients_are_those_of_the_reference(levels: tuple[int, ...]) -> None:
    torch.manual_seed(0)
    ours, theirs = Quantizer(levels, 16), FSQ(list(levels), dim=16)
    theirs.load_state_dict(ours.state_dict(), strict=False)
    z = torch.randn(5, 40, 16) * 4
    inputs = [z.clone().requires_grad_(), z.clone().requires_grad_()]
    quantized, ids = ours(inputs[0])
    expected, expected_ids = theirs(inputs[1])
    assert torch.equal(ids, expected_ids.long())
    torch.testing.assert_close(quantized, expected)
    quantized.square().sum().backward()
    expected.square().sum().backward()
    torch.testing.assert_close(inputs[0].grad, inputs[1].grad)
    assert inputs[0].grad is not None and inputs[0].grad.abs().sum() > 0


def test_ids_cover_the_codebook_and_come_back() -> None:
    quantizer = Quantizer((8, 5, 4), 3)
    ids = torch.arange(160)
    vectors = quantizer.vectors(ids)
    assert vectors.dtype == torch.float32 and vectors.min() == -1 and vectors.max() <= 1
    assert torch.equal(quantizer.ids(vectors), ids)
