"""Checkpoints of PixelLM: a folder with `config.yaml`, `model.safetensors` and `words.json`, its tokenizer."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from agents.checkpoint import CheckpointError, as_values, load_checkpoint, load_into, read_text, save_checkpoint
from agents.checkpoint_config import PIXELLM
from agents.pixellm.config import PixelLMConfig
from agents.pixellm.model import PixelLM
from agents.pixellm.words import Words

WORDS_FILE = "words.json"


def save_pixellm(
    model: PixelLM,
    folder: str | Path,
    *,
    metrics: dict[str, Any] | None = None,
    readme: str | None = None,
    dtype: torch.dtype | None = None,
    **details: Any,
) -> Path:
    """Write the checkpoint folder that `load_pixellm` reads; arguments and errors as `save_checkpoint`.

    details: plain values kept in `config.yaml` beside the model's own, such as the data it was trained on.
    """
    config = {"kind": PIXELLM, "model": as_values(model.config), "known": sorted(model.words.known), **details}
    return save_checkpoint(
        folder,
        config,
        model.state_dict(),
        metrics=metrics,
        readme=readme,
        dtype=dtype,
        texts={WORDS_FILE: model.words.to_json()},
    )


def load_pixellm(folder: str | Path) -> PixelLM:
    """The model of a checkpoint folder, in eval mode on the CPU.

    Raises:
        CheckpointError: the folder is missing or damaged, or holds another kind of checkpoint.
        UserError: it needs a package that is not installed.
    """
    checkpoint = load_checkpoint(folder)
    kind = checkpoint.config.get("kind", "foreign")
    if kind != PIXELLM:
        raise CheckpointError(f"{folder} holds a {kind!r} checkpoint, not a PixelLM: give another folder")
    text = read_text(folder, WORDS_FILE)
    try:
        config = PixelLMConfig(**checkpoint.config["model"])
        words = Words.from_json(text, config.group, checkpoint.config.get("known", ()))
        model = empty_pixellm(config, words)
    except CheckpointError:
        raise
    except (LookupError, TypeError, ValueError, ArithmeticError, RuntimeError) as error:
        reason = " ".join(str(error).split())
        raise CheckpointError(f"{folder} does not describe a PixelLM ({reason}): copy the checkpoint anew") from error
    load_into(model, checkpoint.tensors, source=folder)
    return model.eval().requires_grad_(False)


def empty_pixellm(config: PixelLMConfig, words: Words) -> PixelLM:
    """A model with random weights, whatever its towers."""
    if config.tower == "vit" and config.backbone == "llama":
        return PixelLM(config, words)
    from agents.pixellm.pretrained import build_pretrained

    return build_pretrained(config, words)
