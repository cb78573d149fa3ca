"""Settings of the model's parts and their presets. The presets differ in numbers only; one code path serves all."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, ClassVar, TypeVar

C = TypeVar("C", bound="ModelConfig")


class ModelConfig:
    """What all model settings share: named presets, and lists (as read from YAML) turned into tuples."""

    PRESETS: ClassVar[dict[str, dict[str, Any]]] = {}

    @classmethod
    def preset(cls: type[C], name: str, **changes: Any) -> C:
        """The preset `name`, such as "small", with `changes` on top; ValueError for other names."""
        if name not in cls.PRESETS:
            raise ValueError(f"unknown {cls.__name__} preset {name!r}: choose one of {', '.join(cls.PRESETS)}")
        return cls(**{**cls.PRESETS[name], **changes})

    def __post_init__(self) -> None:
        for key, value in vars(self).items():
            if isinstance(value, list):
                object.__setattr__(self, key, tuple(value))
        self.check()

    def check(self) -> None:
        """Raise ValueError for numbers that do not fit together."""


class FrameConfig(ModelConfig):
    """What the settings of models that look at pixels share."""

    frame_size: int | tuple[int, int]

    @property
    def frame_shape(self) -> tuple[int, int]:
        """Height and width of a frame, px."""
        size = self.frame_size
        return (size, size) if isinstance(size, int) else size

    def squares(self, side: int) -> tuple[int, int]:
        """(rows, columns) of squares of `side` px in a frame."""
        return self.frame_shape[0] // side, self.frame_shape[1] // side

    def check_squares(self, side: int) -> None:
        """ValueError unless frames are made of squares of `side` px."""
        fits = all(length > 0 and length % side == 0 for length in self.frame_shape)
        require(fits, f"frame_size {self.frame_size} must be a multiple of {side} px")


def require(condition: bool, message: str) -> None:
    """Raise ValueError(message) unless `condition` holds."""
    if not condition:
        raise ValueError(message)


@dataclass(frozen=True)
class TokenizerConfig(FrameConfig):
    """Numbers of the FrameTokenizer. Grid side = frame_size / patch / 2 ** (len(multipliers) - 1) / parts."""

    frame_size: int | tuple[int, int] = 80  # px: the side of a square frame, or its height and width
    patch: int = 8  # px; side of the squares the stem cuts the frame into (1: the published 3x3 stem)
    width: int = 96  # channels, times the multiplier of each level
    multipliers: tuple[int, ...] = (1,)  # one level each, a factor 2 in resolution between levels
    encoder_blocks: int = 1  # residual blocks per level
    decoder_blocks: int = 1
    kernel: int = 1  # 3: as published; 1: a token sees and paints its own square only (2x2 resampling)
    groups: int = 0  # of the GroupNorms; 0: normalise every position by itself, so that no token sees another
    attention: int = 0  # how many of the coarsest levels have attention after every residual block
    refine: int = 0  # how many residual-attention-residual stacks stand at the coarsest level
    code_channels: int = 128  # channels on both sides of the quantizer
    levels: tuple[int, ...] = (4, 4, 4)  # FSQ levels of a part's code
    parts: int = 2  # a token is parts x parts squares with a code each; its id holds them all (published: 1)
    whiten: bool = False  # decorrelate the code vectors before they are rounded (published: no)
    anneal: int = 0  # training steps during which growing noise stands in for the rounding (published: 0)
    position: bool = True  # the decoder knows where a code stands (learned), so that the code need not say it
    l1: float = 1.0  # loss weights; pixels in [-1, 1]
    mse: float = 5.0
    worst: float = 1.0  # of the squared error of a batch's worst thousandth of pixels: rare marks would go unnoticed

    PRESETS: ClassVar[dict[str, dict[str, Any]]] = {
        "tiny": {"frame_size": 32, "width": 32, "code_channels": 32},
        "small": {},
        "robot": {"frame_size": (96, 144), "kernel": 3, "encoder_blocks": 2, "decoder_blocks": 2, "levels": (8, 8, 8, 5, 5)},
        "base": {
            "frame_size": 128, "patch": 4, "width": 128, "multipliers": (1, 2, 4), "encoder_blocks": 2,
            "decoder_blocks": 2, "kernel": 3, "groups": 32, "attention": 1, "refine": 1, "code_channels": 256,
            "levels": (8, 8, 8, 5, 5, 5), "parts": 1, "position": False,
        },
        "paper": {
            "frame_size": 256, "patch": 1, "width": 128, "multipliers": (1, 1, 1, 2, 2, 4, 4), "encoder_blocks": 2,
            "decoder_blocks": 3, "kernel": 3, "groups": 32, "attention": 1, "refine": 1, "code_channels": 256,
            "levels": (8, 8, 8, 5, 5, 5), "parts": 1, "position": False, "mse": 0.0, "worst": 0.0,
        },
    }  # fmt: skip

    @property
    def widths(self) -> tuple[int, ...]:
        """Channels of the levels, fine to coarse."""
        return tuple(self.width * m for m in self.multipliers)

    @property
    def code_grid(self) -> tuple[int, int]:
        """(h, w) of the grid that codes are made on: that of the tokens' parts."""
        return self.squares(self.patch * 2 ** (len(self.multipliers) - 1))

    @property
    def grid(self) -> tuple[int, int]:
        """(h, w) of the token grid."""
        return self.code_grid[0] // self.parts, self.code_grid[1] // self.parts

    def check(self) -> None:
        self.check_squares(self.patch * 2 ** (len(self.multipliers) - 1) * self.parts)
        require(self.kernel in (1, 3), f"kernel must be 1 or 3, not {self.kernel}")


@dataclass(frozen=True)
class DynamicsConfig(FrameConfig):
    """Numbers of the LatentDynamicsModel. Grid side = frame_size / patch / 2 ** (len(multipliers) - 1).

    `readout` picks how a change becomes a code: "where_what" is a place on the grid and a small FSQ code pooled there;
    "motion" is `parts` FSQ codes of the whole picture; "query" is the published causal 3-D network with one learned
    query per step and a large FSQ code.
    """

    frame_size: int | tuple[int, int] = 80  # px: the side of a square frame, or its height and width
    horizon: int = 1  # H: a clip has H + 1 frames and gets H codes
    readout: str = "where_what"
    parts: int = 1  # motion: codes a step, each with `levels`
    patch: int = 8  # px; the stem's squares (query: 1)
    width: int = 64  # channels, times the multiplier of each level
    multipliers: tuple[int, ...] = (1,)
    blocks: int = 2  # residual blocks of the encoder per level; query: of both networks per stack
    paint_blocks: int = 5  # but query: residual blocks of the painter, all at the stem's resolution
    groups: int = 0  # of the GroupNorms; 0: every position by itself
    levels: tuple[int, ...] = (4,)  # FSQ levels of a code, or of its `what`
    whiten: bool = False  # but query: decorrelate the numbers before they are rounded
    temperature: float = 1.0  # where_what: of the soft place behind the straight-through gradient
    noise: float = 0.0  # where_what: scale of the Gumbel noise on the place's logits in training
    changed: float = 10.0  # extra loss weight of pixels that change between frames
    l1: float = 1.0  # loss weights; pixels in [-1, 1]
    mse: float = 1.0

    PRESETS: ClassVar[dict[str, dict[str, Any]]] = {
        "tiny": {"frame_size": 32, "width": 16, "blocks": 1, "paint_blocks": 2},
        "small": {"multipliers": (1,), "blocks": 1, "paint_blocks": 4, "levels": (4,), "noise": 0.0},
        "robot": {
            "frame_size": (96, 144), "readout": "motion", "parts": 4, "levels": (8, 8), "multipliers": (1, 1), "whiten": True,
        },
        "base": {
            "frame_size": 128, "width": 256, "multipliers": (1, 1), "paint_blocks": 12, "levels": (8, 5, 5, 5),
            "whiten": True,
        },
        "paper": {
            "frame_size": 128, "readout": "query", "patch": 1, "width": 128, "multipliers": (1, 2, 2, 4), "blocks": 4,
            "groups": 32, "levels": (8, 8, 8, 5, 5, 5), "changed": 0.0, "mse": 0.0,
        },
    }  # fmt: skip

    @property
    def widths(self) -> tuple[int, ...]:
        """Channels of the levels, fine to coarse."""
        return tuple(self.width * m for m in self.multipliers)

    @property
    def grid(self) -> tuple[int, int]:
        """(h, w) of the grid that places are chosen on."""
        return self.squares(self.patch * 2 ** (len(self.multipliers) - 1))

    def check(self) -> None:
        known = ("where_what", "motion", "query")
        require(self.readout in known, f"readout is {self.readout!r}: choose {', '.join(known)}")
        require(self.readout == "motion" or self.parts == 1, f"readout={self.readout} has 1 part, not {self.parts}")
        self.check_squares(self.patch * 2 ** (len(self.multipliers) - 1))
        require(self.horizon >= 1, f"horizon must be at least 1, not {self.horizon}")


@dataclass(frozen=True)
class WorldConfig(ModelConfig):
    """Numbers of the autoregressive transformer. What it reads and predicts is set by the tokenizer and the dynamics model."""

    dim: int = 192  # width of the transformer
    layers: int = 2
    heads: int = 6
    mlp: int = 512  # inner width of the gated MLP
    bias: bool = False  # of the attention projections
    stem_blocks: int = 5  # residual 3x3 convolution blocks over a known frame's tokens, before the transformer; 0: none
    stem_width: int = 64
    stem_scale: int = 2  # the stem works on a grid this many times finer than the tokens
    embedding: str = "digits"  # of frame tokens: "digits" of their FSQ code through an MLP, or "table"
    embedding_width: int = 384  # inner width of that MLP
    frame_attention: str = "full"  # within a known frame: "full" or "causal"
    frame_decoding: str = "parallel"  # of the next frame under a code: "parallel" or "causal", token by token
    code_readout: str = "spatial"  # codes are read at the frame tokens where they apply, or at the "last" position
    positions_2d: bool = True  # learned row and column embeddings besides the rotary ones
    markers: bool = False  # start and end tokens around frames and codes
    frame_share: float = 0.125  # share of a training batch that also learns to predict the next frame
    frame_weight: float = 0.5  # of that loss
    outlook: bool = False  # also learn to foresee the last frame of the video, at every token of the known frame
    outlook_weight: float = 0.5  # of that loss
    history: int = 1  # known frames the model looks at
    instruction_dim: int = 0  # size of an instruction's embedding; 0: no instruction
    # Set from the tokenizer and the dynamics model when the world is built:
    grid: tuple[int, int] = (5, 5)  # tokens of a frame
    frame_levels: tuple[int, ...] = (8, 8, 8, 5, 5, 5)
    codes: int = 1  # K latent codes a step, of the next K / parts changes; 0: predict frames without codes (ablation)
    parts: int = 1  # codes of one change
    places: int = 25  # what a code can be: where * what; 1 place for codes without a location
    whats: int = 64

    PRESETS: ClassVar[dict[str, dict[str, Any]]] = {
        "tiny": {"dim": 32, "layers": 1, "heads": 2, "mlp": 64, "stem_blocks": 1, "stem_width": 16, "embedding_width": 64},
        "small": {"outlook": True},
        "medium": {"layers": 4, "stem_blocks": 7, "outlook": True},
        # Most of what cameras see cannot be foretold to the last digit: frames would drown the codes
        "robot": {"layers": 4, "stem_blocks": 5, "code_readout": "last", "instruction_dim": 384, "frame_weight": 0.05},
        "base": {
            "dim": 512, "layers": 10, "heads": 8, "mlp": 1408, "stem_blocks": 6, "stem_width": 128, "embedding_width": 512,
            "outlook": True,
        },
        "paper": {
            "dim": 1024, "layers": 24, "heads": 16, "mlp": 2752, "bias": True, "stem_blocks": 0, "embedding": "table",
            "frame_attention": "causal", "frame_decoding": "causal", "code_readout": "last", "positions_2d": False,
            "markers": True, "frame_share": 1.0, "frame_weight": 1.0, "grid": (4, 4), "codes": 3, "places": 1, "whats": 64000,
        },
    }  # fmt: skip

    @property
    def frame_tokens(self) -> int:
        """Tokens of one frame."""
        return self.grid[0] * self.grid[1]

    @property
    def code_size(self) -> int:
        """How many different codes there are."""
        return self.places * self.whats

    @property
    def fineness(self) -> int:
        """How many places lie along a token's side."""
        return max(1, math.isqrt(self.places // self.frame_tokens))

    @property
    def said(self) -> int:
        """What a code can say at its token: places within the token times whats."""
        return self.whats * (self.fineness**2 if self.places > 1 else 1)

    def check(self) -> None:
        for name, choices in (
            ("embedding", ("digits", "table")),
            ("frame_attention", ("full", "causal")),
            ("frame_decoding", ("parallel", "causal")),
            ("code_readout", ("spatial", "last")),
        ):
            value = getattr(self, name)
            require(value in choices, f"{name} is {value!r}: choose {' or '.join(choices)}")
        require(self.dim % self.heads == 0, f"dim {self.dim} is not a multiple of heads {self.heads}")
        spatial = self.code_readout == "spatial"
        fits = self.frame_tokens * self.fineness**2 == self.places
        require(fits or not spatial or not self.codes,
                f"code_readout=spatial needs s x s places for each of {self.frame_tokens} tokens, not {self.places} in all")  # fmt: skip
        require(self.frame_decoding == "parallel" or (self.frame_attention == "causal" and not self.stem_blocks),
                "frame_decoding=causal needs frame_attention=causal and stem_blocks=0, or tokens would see those they predict")  # fmt: skip
        require(0 < self.frame_share <= 1, f"frame_share is {self.frame_share}: choose a share above 0, up to 1")
        require(self.codes <= self.parts or self.history == 1,
                f"codes={self.codes} look ahead of the next frame, so history must be 1, not {self.history}")  # fmt: skip
        require(not self.codes or self.codes % self.parts == 0,
                f"codes={self.codes} are no whole number of changes of {self.parts} parts")  # fmt: skip
        require(self.parts == 1 or self.code_readout == "last", "changes of several parts need code_readout=last")


@dataclass(frozen=True)
class InverseDynamicsConfig(ModelConfig):
    """Numbers of the head that turns codes into actions."""

    width: int = 256  # of the two hidden layers
    actions: int = 82  # moves to tell apart (points and pass)
    # Set from the dynamics model and the tokenizer:
    places: int = 25
    what_levels: tuple[int, ...] = (4, 4, 4)
    frame_levels: int = 6  # digits of a frame token, of which the head sees the one at the code's place

    PRESETS: ClassVar[dict[str, dict[str, Any]]] = {
        "tiny": {"width": 32},
        "small": {},
        "base": {"width": 512},
        "paper": {"width": 512},
    }


@dataclass(frozen=True)
class InverseMotionConfig(FrameConfig):
    """Numbers of the head that turns motion codes into a robot's actions."""

    width: int = 256  # of the two hidden layers of each reader
    look: int = 32  # channels of the first layer that looks at the frame; 0: nobody looks at it
    dropout: float = 0.3  # of what was seen in the frame: labels are few
    steps: int = 4  # equal actions that make a change
    # Set from the dynamics model:
    frame_size: int | tuple[int, int] = (96, 144)
    numbers: int = 8  # of a change's code vectors

    def check(self) -> None:
        """Raise ValueError for numbers that do not fit together."""
        self.check_squares(8)
        require(self.look >= 0, f"look is {self.look}; give 0 for a head that does not look at the frame, or more")
        require(0 <= self.dropout < 1, f"dropout is {self.dropout}; give at least 0 and less than 1")

    PRESETS: ClassVar[dict[str, dict[str, Any]]] = {
        "tiny": {"width": 32, "look": 8},
        "small": {},
        "base": {"width": 512},
        "paper": {"width": 512},
    }
