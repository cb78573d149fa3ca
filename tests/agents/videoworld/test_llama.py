"""Our Llama blocks against the transformers library, and the cache against one pass."""

from __future__ import annotations

import pytest
import torch

from agents.videoworld.llama import KVCache, Llama

reference = pytest.importorskip("transformers.models.llama.modeling_llama")


def pair(bias: bool) -> tuple[Llama, torch.nn.Module]:
    torch.manual_seed(0)
    config = reference.LlamaConfig(
        vocab_size=1,
        hidden_size=48,
        intermediate_size=80,
        num_hidden_layers=3,
        num_attention_heads=4,
        attention_bias=bias,
        attn_implementation="sdpa",
        bos_token_id=None,
        eos_token_id=None,
    )
    theirs = reference.LlamaModel(config).eval()
    del theirs.embed_tokens
    ours = Llama(48, 3, 4, 80, bias).eval()
    for tensor in ours.state_dict().values():
        tensor.normal_(std=0.2)
    theirs.load_state_dict(ours.state_dict())  # strict: the names are the same
    return ours, theirs


def mask(length: int) -> torch.Tensor:
    allowed = torch.ones(length, length).tril().bool()
    allowed[:5, :5] = True
    allowed[7:, 2:4] = False
    return allowed


@pytest.mark.parametrize("bias", [False, True])
def test_outputs_are_those_of_the_library(bias: bool) -> None:
    ours, theirs = pair(bias)
    x = torch.randn(2, 9, 48)
    additive = torch.zeros(1, 1, 9, 9).masked_fill(~mask(9), torch.finfo(torch.float32).min)
    with torch.no_grad():
        expected = theirs(inputs_embeds=x, attention_mask=additive).last_hidden_state
        torch.testing.assert_close(ours(x, mask(9))[0], expected)


def test_reading_in_parts_gives_the_same_and_branches_do_not_meet() -> None:
    ours, _ = pair(False)
    x = torch.randn(2, 9, 48)
    with torch.no_grad():
        whole = ours(x, mask(9))[0]
        first, cache = ours(x[:, :6], mask(9)[:6, :6])
        assert isinstance(cache, KVCache) and len(cache) == 6
        other, _ = ours(torch.randn(2, 3, 48), mask(9)[6:], cache)
        rest, grown = ours(x[:, 6:], mask(9)[6:], cache)
    assert len(cache) == 6 and len(grown) == 9
    torch.testing.assert_close(torch.cat([first, rest], 1), whole)
    assert not torch.allclose(other, rest)


def test_slots_may_count_as_standing_elsewhere() -> None:
    ours, theirs = pair(False)
    x, positions = torch.randn(2, 9, 48), torch.tensor([[0, 1, 2, 3, 4, 3, 4, 5, 3], [0, 1, 2, 3, 2, 3, 4, 2, 3]])
    additive = torch.zeros(1, 1, 9, 9).masked_fill(~mask(9), torch.finfo(torch.float32).min)
    with torch.no_grad():
        expected = theirs(inputs_embeds=x, attention_mask=additive, position_ids=positions).last_hidden_state
        torch.testing.assert_close(ours(x, mask(9), positions=positions)[0], expected)
        torch.testing.assert_close(ours(x, mask(9), positions=torch.arange(9)[None])[0], ours(x, mask(9))[0])
