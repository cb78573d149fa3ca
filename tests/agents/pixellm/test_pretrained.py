"""PixelLM on CLIP and a Llama: the published sizes on the meta device, and small ones from local folders."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from agents.pixellm.checkpoint import empty_pixellm, load_pixellm, save_pixellm
from agents.pixellm.config import PixelLMConfig
from agents.pixellm.flops import query_flops
from agents.pixellm.pretrained import HubLlama, load_pretrained
from agents.pixellm.vision import resized_positions
from agents.videoworld.llama import Llama
from envs.errors import UserError
from tests.agents.pixellm.shapes import shapes, words_of

transformers = pytest.importorskip("transformers", reason="pretrained towers come from transformers")

HUB = {"tower": "clip", "backbone": "hub", "pooling": "mean", "looks": (), "pointing": False, "guided": False}
LORA = {**HUB, "lora": 2}


def test_our_llama_and_the_library_agree() -> None:
    config = PixelLMConfig.preset("tiny", **HUB)
    torch.manual_seed(0)
    ours, theirs = Llama(config.dim, config.layers, config.heads, config.mlp), HubLlama(config).eval()
    theirs.llama.load_state_dict(ours.state_dict())
    x = torch.randn(2, 9, config.dim)
    mask = (torch.arange(9)[:, None] >= torch.arange(9)).expand(2, 1, 9, 9)
    whole, _ = ours(x, mask)
    torch.testing.assert_close(theirs(x, mask)[0], whole, rtol=1e-4, atol=1e-5)
    _, cache = theirs(x[:, :5], mask[..., :5, :5])
    second, _ = theirs(x[:, 5:], mask[..., 5:, :], cache)
    torch.testing.assert_close(second, whole[:, 5:], rtol=1e-4, atol=1e-5)


def test_the_published_sizes() -> None:
    pytest.importorskip("peft", reason="LoRA comes from peft")
    config = PixelLMConfig.preset("paper")
    assert (config.image_tokens, config.grid, config.mask_side) == (256, 32, 128)
    with torch.device("meta"):
        model = empty_pixellm(config, words_of(6))
    sizes = {name: sum(weight.numel() for weight in part.parameters()) / 1e6 for name, part in model.named_children()}
    assert sizes["vision"] == pytest.approx(291.4, rel=0.01)  # CLIP-L/14 without its last block
    assert sizes["language"] == pytest.approx(6480, rel=0.01)  # a 7B Llama, its word tables aside
    assert sizes["to_language"] == pytest.approx(42, rel=0.01)
    transformers_of = sum(weight.numel() for weight in model.decoder.transformers.parameters())
    assert transformers_of / 1e6 == pytest.approx(6.58, rel=0.01)
    adapters = [weight for name, weight in model.named_parameters() if "lora_" in name]
    assert sum(weight.numel() for weight in adapters) == 32 * 2 * 2 * 8 * 4096
    frozen = {name.split(".")[0] for name, weight in model.named_parameters() if not weight.requires_grad}
    assert frozen == {"vision", "language"}
    assert all(weight.requires_grad for part in (model.decoder, model.fusion) for weight in part.parameters())
    assert query_flops(model).decoder_share < 0.05


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A small CLIP of another frame size and a small Llama, as people have them."""
    torch.manual_seed(0)
    place = tmp_path_factory.mktemp("hub")
    c = PixelLMConfig.preset("tiny", **HUB)
    clip = transformers.CLIPVisionConfig(
        hidden_size=c.vision_width, intermediate_size=c.vision_mlp, num_hidden_layers=4, image_size=24,
        num_attention_heads=c.vision_heads, patch_size=c.patch,
    )  # fmt: skip
    transformers.CLIPVisionModel(clip).save_pretrained(place / "clip")
    words = words_of(6)
    llama = transformers.LlamaConfig(
        vocab_size=words.vocabulary - 4, hidden_size=c.dim, intermediate_size=c.mlp, num_hidden_layers=c.layers,
        num_attention_heads=c.heads, bos_token_id=None, eos_token_id=None,
    )  # fmt: skip
    transformers.LlamaForCausalLM(llama).save_pretrained(place / "llama")
    (place / "llama" / "tokenizer.json").write_text(words.to_json())
    return place / "clip", place / "llama"


@pytest.mark.parametrize("settings", [HUB, LORA], ids=["all weights", "LoRA"])
def test_weights_of_local_folders(folders: tuple[Path, Path], settings: dict, tmp_path: Path) -> None:
    if "lora" in settings:
        pytest.importorskip("peft", reason="LoRA comes from peft")
    clip, llama = folders
    config = PixelLMConfig.preset("tiny", **settings)
    model = load_pretrained(config, clip=clip, llama=llama)
    source = transformers.CLIPVisionModel.from_pretrained(clip)
    table = source.embeddings.position_embedding.weight
    assert torch.equal(model.vision.clip.embeddings.position_embedding.weight, resized_positions(table, config.grid, 1))
    theirs = transformers.LlamaForCausalLM.from_pretrained(llama)
    known = theirs.config.vocab_size
    assert torch.equal(model.language.embedding.weight[:known], theirs.model.embed_tokens.weight)
    torch.testing.assert_close(model.language.head.weight[known:], theirs.lm_head.weight.mean(0).expand(4, -1))
    ids = torch.arange(10)[None]
    expected = theirs(ids).logits
    hidden, _ = model.eval().language(model.language.embed(ids), torch.ones(1, 10, dtype=torch.bool))
    torch.testing.assert_close(model.language.logits(hidden)[..., :known], expected, rtol=1e-4, atol=1e-4)

    model.train()
    item = shapes(np.random.default_rng(0), 2)
    loss, _ = model(model.collate([item, (item[0][:20], "what?", "No.", item[3][:0, :20])]))
    loss.backward()
    trained = {name for name, weight in model.named_parameters() if weight.grad is not None and weight.grad.any()}
    assert not any(name.startswith("vision") for name in trained) and "decoder.gamma" in trained
    assert any("lora_" in name for name in trained) == ("lora" in settings)

    save_pixellm(model.eval(), tmp_path / "ask")
    again = load_pixellm(tmp_path / "ask")
    image, question, *_ = item
    assert again.answer(image, question).text == model.answer(image, question).text


def test_folders_that_do_not_fit(folders: tuple[Path, Path], tmp_path: Path) -> None:
    clip, llama = folders
    config = PixelLMConfig.preset("tiny", **HUB)
    with pytest.raises(UserError, match="tokenizer"):
        load_pretrained(config, clip=clip, llama=tmp_path)
    with pytest.raises(UserError, match="config.json"):
        load_pretrained(config, clip=tmp_path, llama=llama)
    wider = PixelLMConfig.preset("tiny", **{**HUB, "mlp": 64})
    with pytest.raises(UserError, match="where the settings need"):
        load_pretrained(wider, clip=clip, llama=llama)
