"""Untrained robot agents, for the tests of everything that lets robots act."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from agents.robot_agent import RobotModel, save_robot_model
from agents.sentences import KnownSentences
from agents.videoworld.config import DynamicsConfig, InverseMotionConfig, TokenizerConfig, WorldConfig
from agents.videoworld.dynamics import LatentDynamicsModel
from agents.videoworld.inverse_dynamics import InverseMotion
from agents.videoworld.motion import MotionCodes
from agents.videoworld.tokenizer import FrameTokenizer
from agents.videoworld.transformer import VideoTransformer
from envs.calvin.language import PARAPHRASES, VALIDATION
from envs.tabletop.canvas import CameraCanvas

STEPS = 3  # actions of a plan
SENTENCES = ("go left", "go right", *VALIDATION.values(), *(words for task in PARAPHRASES.values() for words in task))


def tiny_robot_model(seed: int = 0, sentences: Sequence[str] = SENTENCES) -> RobotModel:
    """Networks for canvases of 16x24 px that know these sentences by heart."""
    torch.manual_seed(seed)
    canvas = CameraCanvas(side=16)
    size = canvas.frame_shape
    tokenizer = FrameTokenizer(TokenizerConfig.preset("tiny", frame_size=size, parts=1))
    dynamics = LatentDynamicsModel(
        DynamicsConfig.preset("tiny", frame_size=size, readout="motion", parts=2, levels=(4, 4))
    )
    transformer = VideoTransformer(
        WorldConfig.preset(
            "tiny", grid=tokenizer.grid, frame_levels=tokenizer.levels, codes=2, parts=2, places=1,
            whats=dynamics.codebook_size, code_readout="last", instruction_dim=8,
        )
    )  # fmt: skip
    for parameter in transformer.parameters():  # far from the first, nearly uniform predictions
        if parameter.ndim > 1:
            torch.nn.init.normal_(parameter, std=0.3)
    assert isinstance(dynamics.net, MotionCodes)
    head = InverseMotion(InverseMotionConfig.preset("tiny", steps=STEPS, numbers=4))
    for parameter in head.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    vectors = np.random.default_rng(seed).normal(size=(len(sentences), 8)).astype(np.float32)
    known = KnownSentences(known=dict(zip(sentences, vectors, strict=True)))
    return RobotModel(tokenizer, dynamics, transformer, head, canvas, known).eval().requires_grad_(False)


def tiny_robot(folder: Path, seed: int = 0) -> Path:
    """The same as a checkpoint folder."""
    return save_robot_model(tiny_robot_model(seed), folder)
