"""The decoder's pixels in rows, against the operations on maps that they stand for."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from agents.pixellm.config import PixelLMConfig
from agents.pixellm.decoder import Quarters, _each, pixel_decoder


def on_maps(layers: nn.Module, x: Tensor) -> Tensor:
    """What the layers do to a map (M, width, side, side)."""
    for layer in layers.children():
        if isinstance(layer, Quarters):
            x = F.conv_transpose2d(x, layer.weight, layer.bias, stride=2)
        else:
            x = layer(x.movedim(1, -1)).movedim(-1, 1)
    return x


@pytest.mark.parametrize("growth", [1, 2, 4, 8])
def test_growing_in_rows_is_growing_on_maps(growth: int) -> None:
    torch.manual_seed(0)
    decoder = pixel_decoder(PixelLMConfig.preset("tiny", growth=growth))
    x, vectors = torch.randn(3, 32, 5, 5), torch.randn(3, 32)
    expected = torch.einsum("mc,mchw->mhw", decoder.filters(vectors), on_maps(decoder.upsample, x))
    found = decoder.product(vectors, decoder.upsample(x.flatten(2).transpose(1, 2)[:, :, None]))
    assert found.shape == (3, 5 * growth, 5 * growth)
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)


def test_choosing_by_a_product_is_indexing() -> None:
    pixels, samples = torch.randn(3, 4, 2), torch.tensor([2, 0, 2, 2, 1])
    gradients = []
    for choose in (_each, lambda own, numbers: own[numbers]):
        own = pixels.clone().requires_grad_()
        chosen = choose(own, samples)
        assert torch.equal(chosen, pixels[samples])
        (chosen * torch.arange(40).view(5, 4, 2)).sum().backward()
        gradients.append(own.grad)
    torch.testing.assert_close(*gradients)
