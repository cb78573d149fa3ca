"""PixelLM on pretrained towers: CLIP's vision tower and a Llama, through transformers and peft, as published.

The weights come from local Hugging Face folders; nothing is downloaded. CLIP stays frozen; the Llama is adapted by LoRA
on its query and value projections, and its word tables are trained in full.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from agents.pixellm.config import PixelLMConfig
from agents.pixellm.model import PixelLM
from agents.pixellm.vision import resized_positions
from agents.pixellm.words import Words
from envs.errors import UserError

_INSTALL = "pip install 'videoworld-agents[pretrained]'"


class ClipTower(nn.Module):
    """Patch tokens of several blocks of a CLIP vision model, as maps (B, width, grid, grid)."""

    def __init__(self, c: PixelLMConfig) -> None:
        super().__init__()
        transformers = _package("transformers")
        self.config = c
        self.clip = transformers.CLIPVisionModel(
            transformers.CLIPVisionConfig(
                hidden_size=c.vision_width,
                intermediate_size=c.vision_mlp,
                num_hidden_layers=max(c.features),  # blocks behind the last scale would do nothing
                num_attention_heads=c.vision_heads,
                image_size=c.frame_size,
                patch_size=c.patch,
            )
        )
        self.clip.post_layernorm = nn.Identity()  # of the pooled state, which nobody asks for
        self.clip.requires_grad_(False)

    def forward(self, frames: Tensor, cells: Tensor | None = None) -> list[Tensor]:
        """As VisionTower; cells that hold nothing of the picture are not looked at, the class token always is."""
        x = self.clip.pre_layrnorm(self.clip.embeddings(frames))
        mask = None
        if cells is not None:
            seen = F.pad(cells.flatten(1), (1, 0), value=True)[:, None, None]  # the class token is row 0
            mask = torch.zeros_like(seen, dtype=x.dtype).masked_fill(~seen, torch.finfo(x.dtype).min)
            mask = mask.expand(-1, 1, x.shape[1], -1)
        outputs = {}
        for number, layer in enumerate(self.clip.encoder.layers, start=1):
            x = layer(x, mask)
            outputs[number] = x
        maps = [outputs[number][:, 1:] for number in self.config.features]
        return [x.transpose(1, 2).unflatten(2, (self.config.grid, -1)) for x in maps]


class HubLlama(nn.Module):
    """LlamaModel of transformers, called as our own Llama; with LoRA if asked for."""

    def __init__(self, c: PixelLMConfig) -> None:
        super().__init__()
        transformers = _package("transformers")
        self.llama = transformers.LlamaModel(
            transformers.LlamaConfig(
                vocab_size=1,  # the word tables are our own
                hidden_size=c.dim,
                intermediate_size=c.mlp,
                num_hidden_layers=c.layers,
                num_attention_heads=c.heads,
                max_position_embeddings=2 + c.image_tokens + 2 + c.max_question + c.max_answer,
                attn_implementation="sdpa",
                pad_token_id=None,
                bos_token_id=None,
                eos_token_id=None,
            )
        )
        self.llama.embed_tokens = nn.Identity()
        if c.lora:
            peft = _package("peft")
            adapters = peft.LoraConfig(
                r=c.lora, lora_alpha=c.lora_alpha, lora_dropout=c.lora_dropout, target_modules=["q_proj", "v_proj"]
            )
            self.llama = peft.inject_adapter_in_model(adapters, self.llama)
            for name, weight in self.llama.named_parameters():
                weight.requires_grad_("lora_" in name)

    def forward(
        self, x: Tensor, mask: Tensor, cache: Any = None, positions: Tensor | None = None
    ) -> tuple[Tensor, Any]:
        """As Llama; mask: bool (B, 1, n, L)."""
        transformers = _package("transformers")
        cache = transformers.DynamicCache(config=self.llama.config) if cache is None else cache
        least = torch.finfo(x.dtype).min
        additive = torch.zeros_like(mask, dtype=x.dtype).masked_fill(~mask, least)
        output = self.llama(
            inputs_embeds=x, attention_mask=additive, past_key_values=cache, use_cache=True, position_ids=positions
        )
        return output.last_hidden_state, output.past_key_values


def build_pretrained(config: PixelLMConfig, words: Words) -> PixelLM:
    """A PixelLM with the towers that its settings name, randomly initialised (or on the current meta device)."""
    tower = ClipTower(config) if config.tower == "clip" else None
    backbone = HubLlama(config) if config.backbone == "hub" else None
    return PixelLM(config, words, tower=tower, backbone=backbone)


def load_pretrained(config: PixelLMConfig, *, clip: str | Path, llama: str | Path) -> PixelLM:
    """A PixelLM on the weights of two local Hugging Face folders; the rest is new.

    Args:
        config: settings with tower=clip and backbone=hub, of the folders' sizes.
        clip: a folder of a CLIP model, or of its vision part. Its positions are resized to the settings' frames.
        llama: a folder of a Llama with its `tokenizer.json`. Rows of new words begin as the mean of the old ones.

    Raises:
        UserError: a folder or a package is missing, or does not fit the settings.
    """
    if config.tower != "clip" or config.backbone != "hub":
        raise ValueError("pretrained towers need tower=clip and backbone=hub")
    words = Words.from_file(Path(llama, "tokenizer.json"), config.group)
    model = build_pretrained(config, words)
    _load_clip(cast(ClipTower, model.vision), Path(clip))
    _load_llama(model, Path(llama))
    return model


def _load_clip(tower: ClipTower, folder: Path) -> None:
    source = _library_model("CLIPVisionModel", folder).state_dict()
    own = tower.clip.state_dict()
    name = "embeddings.position_embedding.weight"
    try:
        source[name] = resized_positions(source[name], tower.config.grid, prefix=1)
    except (KeyError, ValueError) as error:
        raise UserError(f"{folder} has no table of positions on a square grid ({error}): give a CLIP folder") from error
    _copy(tower.clip, {key: value for key, value in source.items() if key in own}, folder)


@torch.no_grad()
def _load_llama(model: PixelLM, folder: Path) -> None:
    source = _library_model("LlamaForCausalLM", folder).state_dict()
    backbone = cast(HubLlama, model.language.net).llama
    # peft puts the weights that it adapts one name deeper
    deeper = {key.replace(".base_layer.", "."): key for key in backbone.state_dict() if "lora_" not in key}
    tensors = {
        deeper[key.removeprefix("model.")]: value
        for key, value in source.items()
        if key.removeprefix("model.") in deeper
    }
    adapters = {key: value for key, value in backbone.state_dict().items() if "lora_" in key}
    _copy(backbone, tensors | adapters, folder)
    for table, key in (
        (model.language.embedding, "model.embed_tokens.weight"),
        (model.language.head, "lm_head.weight"),
    ):
        rows = source[key]
        if rows.shape[1] != table.weight.shape[1]:
            raise UserError(f"{folder} is {rows.shape[1]} wide where the settings say {table.weight.shape[1]}")
        known = min(len(rows), len(table.weight))
        table.weight.copy_(rows.float().mean(0).expand_as(table.weight))
        table.weight[:known] = rows[:known].to(table.weight.dtype)


def _copy(module: nn.Module, tensors: dict[str, Tensor], folder: Path) -> None:
    own = module.state_dict()
    for key, target in own.items():
        if key not in tensors or tensors[key].shape != target.shape:
            has = tuple(tensors[key].shape) if key in tensors else "nothing"
            raise UserError(f"{folder} has {has} for {key!r} where the settings need {tuple(target.shape)}")
    module.load_state_dict(tensors)


def _library_model(name: str, folder: Path) -> nn.Module:
    """A model of transformers from a local folder, never from a network."""
    if not (folder / "config.json").is_file():
        raise UserError(f"{folder} holds no config.json: give a local Hugging Face model folder")
    try:
        loaded = getattr(_package("transformers"), name).from_pretrained(
            folder, local_files_only=True, use_safetensors=True
        )
    except (OSError, ValueError, RuntimeError, KeyError) as error:
        reason = " ".join(str(error).split())[:200]
        raise UserError(f"{folder} cannot be loaded as a {name} ({reason}): give a folder with safetensors") from error
    return cast(nn.Module, loaded)


def _package(name: str) -> Any:
    try:
        return __import__(name)
    except ImportError as error:
        raise UserError(f"pretrained towers need the package {name}: {_INSTALL}") from error
