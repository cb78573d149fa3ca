"""Settings of PixelLM and their presets. The presets differ in numbers and in where the towers come from."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, ClassVar

from agents.videoworld.config import ModelConfig, require

FRAME_SIDE = 192  # px; boards and scenes that are drawn to be asked about are not wider or higher


@dataclass(frozen=True)
class PixelLMConfig(ModelConfig):
    """Numbers of PixelLM. The grid of image features has frame_size / patch cells a side."""

    frame_size: int = FRAME_SIDE  # px; frames are scaled to this longest side, the rest of the square is padding
    # Vision tower
    tower: str = "vit"  # "vit": our own; "clip": CLIPVisionModel of the transformers library
    patch: int = 8  # px; side of a cell of the grid
    vision_width: int = 256
    vision_layers: int = 8
    vision_heads: int = 4
    vision_mlp: int = 1024
    stem: str = "conv"  # vit: cells are read by a stack of strided 3x3 convolutions, or by one "patch" convolution
    features: tuple[int, ...] = (8, 4)  # the blocks whose outputs are the feature scales; the first feeds the words too
    # Language model
    backbone: str = "llama"  # "llama": our own; "hub": LlamaModel of the transformers library
    dim: int = 256
    layers: int = 6
    heads: int = 4
    mlp: int = 704
    pool: int = 2  # grid cells along the side of an image token
    pooling: str = "join"  # an image token is all its cells side by side, or their "mean" (published)
    lora: int = 0  # rank of the adapters on the query and value projections; 0: all weights are trained (hub only)
    lora_alpha: float = 16.0
    lora_dropout: float = 0.05
    # Blocks behind which words look at the cells that their question is about (see looking.py); none in hub models
    looks: tuple[int, ...] = ()
    pointing: bool = False  # the first look also tells which place comes next and how many are left (see pointing.py)
    max_question: int = 96  # tokens
    max_answer: int = 320  # tokens; in training, targets beyond are dropped whole
    # Codebook
    scales: int = 2  # groups of tokens in a target's group: one for each feature scale, or 1 that all scales share
    tokens: int = 3  # tokens of a scale
    fusion: str = (
        "linear"  # a scale's tokens -> one query: "linear" layer, scalar "weights", or their "mean" (ablation)
    )
    # Pixel decoder
    decoder: str = "light"  # "light": two-way attention; "plain": an inner product per pixel, no attention (ablation)
    projector: int = 64  # width of the decoder's projector, whose inner width is twice that
    decoder_width: int = 80
    decoder_layers: int = 1  # two-way layers of each scale
    decoder_heads: int = 4
    decoder_mlp: int = 320
    guided: bool = False  # pixels are marked where words have located the target; needs looks and the light decoder
    growth: int = 2  # logits have this many times the side of the last scale's feature map
    # Losses
    alpha: float = 2.0  # weight of pixels that several targets of one answer claim; 1: plain binary cross-entropy
    claims: str = "hard"  # claims are counted as "hard" decisions (published) or as "soft" probabilities
    text_weight: float = 1.0
    mask_weight: float = 2.0
    dice_weight: float = 0.5
    score_weight: float = 0.1
    look_weight: float = 0.5
    # Labels of a grid cell that the deepest features are taught to tell, in training alone: how many classes each has.
    # Which they are is the data's affair
    labels: tuple[int, ...] = ()
    label_weight: float = 1.0

    PRESETS: ClassVar[dict[str, dict[str, Any]]] = {
        "tiny": {
            "frame_size": 32, "vision_width": 48, "vision_layers": 3, "vision_heads": 4, "vision_mlp": 96, "features": (3, 2),
            "patch": 4, "dim": 48, "layers": 2, "heads": 4, "mlp": 96, "looks": (1,), "pointing": True, "guided": True, "max_question": 32,
            "max_answer": 192, "projector": 32, "decoder_width": 32, "decoder_mlp": 64,
        },
        "small": {"looks": (3, 4), "pointing": True, "guided": True},
        "paper": {
            "frame_size": 448, "tower": "clip", "patch": 14, "vision_width": 1024, "vision_layers": 24, "vision_heads": 16,
            "vision_mlp": 4096, "features": (23, 14), "backbone": "hub", "dim": 4096, "layers": 32, "heads": 32, "mlp": 11008,
            "pooling": "mean", "lora": 8, "max_question": 128, "max_answer": 512, "projector": 4096, "decoder_width": 256,
            "decoder_layers": 2, "decoder_heads": 8, "decoder_mlp": 2048,
        },
    }  # fmt: skip

    # What each ablation changes; "lisa" is the baseline in the style of LISA: one token, one scale, one mask token
    ABLATIONS: ClassVar[dict[str, dict[str, Any]]] = {
        "one-token": {"scales": 1, "tokens": 1},
        "no-fusion": {"fusion": "mean"},
        "alpha-1": {"alpha": 1.0},
        "plain-decoder": {"decoder": "plain", "guided": False},
        "no-looks": {"looks": (), "pointing": False, "guided": False},
        "no-pointing": {"pointing": False},
        "no-guide": {"guided": False},
        "lisa": {"scales": 1, "tokens": 1, "growth": 4, "alpha": 1.0, "guided": False},
    }

    @property
    def grid(self) -> int:
        """Cells along a side of the frame."""
        return self.frame_size // self.patch

    @property
    def image_tokens(self) -> int:
        """What the language model sees of a frame."""
        return (self.grid // self.pool) ** 2

    @property
    def group(self) -> int:
        """Tokens of a target's group."""
        return self.scales * self.tokens

    @property
    def mask_side(self) -> int:
        """Side of the decoder's logits."""
        return self.grid * 2 ** (len(self.features) - 1) * self.growth

    def ablated(self, name: str) -> PixelLMConfig:
        """These settings with one ablation; ValueError for another name.

        The baseline "lisa" looks at the deepest features alone; its decoder is as wide and deep as it takes for the
        whole to have the parameters and the arithmetic of these settings (see `matched`).
        """
        if name not in self.ABLATIONS:
            raise ValueError(f"unknown ablation {name!r}: choose one of {', '.join(self.ABLATIONS)}")
        changes = dict(self.ABLATIONS[name])
        if name == "lisa":
            changes |= {"features": self.features[:1], **self.matched()}
        return replace(self, **changes)

    def matched(self) -> dict[str, int]:
        """Numbers of the baseline's decoder; a test compares the two models' parameters."""
        return {"decoder_layers": 2 * self.decoder_layers + 1, "decoder_width": self.decoder_width}

    def check(self) -> None:
        for name, choices in (
            ("tower", ("vit", "clip")),
            ("stem", ("conv", "patch")),
            ("backbone", ("llama", "hub")),
            ("pooling", ("join", "mean")),
            ("fusion", ("linear", "weights", "mean")),
            ("decoder", ("light", "plain")),
            ("claims", ("hard", "soft")),
        ):
            value = getattr(self, name)
            require(value in choices, f"{name} is {value!r}: choose {' or '.join(choices)}")
        require(self.frame_size > 0 and self.patch > 0 and self.frame_size % self.patch == 0,
                f"frame_size {self.frame_size} must be a multiple of patch {self.patch}")  # fmt: skip
        require(self.grid % self.pool == 0, f"a grid of {self.grid} cells a side is not a multiple of pool {self.pool}")
        require(self.stem == "patch" or self.tower == "clip" or self.patch & (self.patch - 1) == 0,
                f"stem=conv needs a patch that is a power of 2, not {self.patch}")  # fmt: skip
        require(bool(self.features) and all(0 < block <= self.vision_layers for block in self.features),
                f"features {self.features} must be among the blocks 1 to {self.vision_layers}")  # fmt: skip
        require(self.scales in (1, len(self.features)),
                f"scales is {self.scales}: choose 1, or {len(self.features)} as there are features")  # fmt: skip
        require(self.tokens >= 1, f"tokens must be at least 1, not {self.tokens}")
        require(self.growth in (1, 2, 4, 8), f"growth is {self.growth}: choose 1, 2, 4 or 8")
        require(self.dim % self.heads == 0 and self.vision_width % self.vision_heads == 0,
                "dim must be a multiple of heads, and vision_width of vision_heads")  # fmt: skip
        require(self.vision_width % 4 == 0 and self.decoder_width % 4 == 0,
                "vision_width and decoder_width must be multiples of 4")  # fmt: skip
        require(self.decoder_width // 2 % self.decoder_heads == 0,
                f"half of decoder_width {self.decoder_width} is no multiple of decoder_heads {self.decoder_heads}")  # fmt: skip
        require(self.decoder_layers >= 1, f"decoder_layers must be at least 1, not {self.decoder_layers}")
        require(all(classes > 1 for classes in self.labels), f"labels {self.labels} must have 2 classes or more each")
        require(self.alpha >= 1, f"alpha is {self.alpha}: choose 1 or more")
        require(self.max_question >= 1, f"max_question must be at least 1, not {self.max_question}")
        require(self.max_answer > self.group, f"max_answer {self.max_answer} has no room for a group of {self.group}")
        require(all(0 < block <= self.layers for block in self.looks) and sorted(set(self.looks)) == list(self.looks),
                f"looks {self.looks} must be among the blocks 1 to {self.layers}, each once and in order")  # fmt: skip
        require(not self.looks or self.backbone == "llama", "a hub language model has no looks: set looks=[]")
        require(bool(self.looks) or not self.pointing, "who points has to look: set looks, or pointing=false")
        require(not self.guided or (bool(self.looks) and self.decoder == "light"),
                "a guided decoder is light, and words have to look: set looks and decoder=light, or guided=false")  # fmt: skip
        require(
            self.lora == 0 or self.backbone == "hub", "lora adapts a hub language model: set backbone=hub or lora=0"
        )
