"""Settings of PixelLM: what the presets and the baseline come to, and what does not go together."""

from __future__ import annotations

import pytest
import torch

from agents.pixellm.config import PixelLMConfig
from agents.pixellm.flops import query_flops
from agents.pixellm.model import PixelLM
from tests.agents.pixellm.shapes import words_of


def test_the_baseline_has_as_many_parameters() -> None:
    config = PixelLMConfig.preset("small")
    with torch.device("meta"):
        ours, baseline = (
            sum(weight.numel() for weight in PixelLM(one, words_of(one.group)).parameters())
            for one in (config, config.ablated("lisa"))
        )
    assert abs(baseline / ours - 1) < 0.01


def test_the_shipped_size_and_its_decoder_share() -> None:
    config = PixelLMConfig.preset("small")
    with torch.device("meta"):
        model = PixelLM(config, words_of(config.group))
    assert 5e6 < sum(weight.numel() for weight in model.parameters()) < 30e6
    assert query_flops(model, targets=1).decoder_share < 0.05
    assert query_flops(model, targets=8).decoder_share < 0.15


@pytest.mark.parametrize(
    "changes, complaint",
    [
        ({"features": (9,)}, "among the blocks"),
        ({"scales": 3}, "choose 1, or 2"),
        ({"fusion": "max"}, "linear"),
        ({"alpha": 0.5}, "1 or more"),
        ({"max_answer": 6}, "no room"),
        ({"lora": 8}, "hub"),
        ({"looks": (3,)}, "1 to 2"),
        ({"looks": (2, 1)}, "in order"),
        ({"looks": (1, 1)}, "each once"),
        ({"tower": "clip", "backbone": "hub"}, "has no looks"),
        ({"looks": ()}, "pointing=false"),
        ({"looks": (), "pointing": False}, "guided=false"),
        ({"decoder": "plain"}, "guided=false"),
    ],
)
def test_settings_that_do_not_fit(changes: dict, complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        PixelLMConfig.preset("tiny", **changes)


def test_unknown_ablation() -> None:
    with pytest.raises(ValueError, match="one-token"):
        PixelLMConfig.preset("tiny").ablated("nothing")
