"""Small random Go games and untrained agents for the tests of everything that looks at boards."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from agents.go_model import GoModel
from agents.videoworld.config import DynamicsConfig, InverseDynamicsConfig, TokenizerConfig, WorldConfig
from agents.videoworld.dynamics import LatentDynamicsModel
from agents.videoworld.inverse_dynamics import InverseDynamics
from agents.videoworld.tokenizer import FrameTokenizer
from agents.videoworld.transformer import VideoTransformer
from envs.go.batch import BatchedGo, Positions, legal_moves, replay
from envs.go.renderer import BoardGeometry
from train.data.go_records import GameRecords


def random_moves(games: int, plies: int, size: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Legal random games: moves (games, plies), now and then a pass, and lengths (games,), some shorter."""
    rng = np.random.default_rng(seed)
    board = BatchedGo(games, size)
    moves = np.full((games, plies), size * size, np.int64)
    for ply in range(plies):
        wanted = rng.random((games, size * size + 1)) * board.legal_mask()
        wanted[:, -1] *= 0.9 if ply % 7 else 1.2
        moves[:, ply] = wanted.argmax(1)
        board.play(moves[:, ply])
    lengths = np.maximum(1, plies - np.arange(games) % 3)
    ends = np.full(games, plies)
    passes = moves == size * size
    for game in range(games):
        twice = np.flatnonzero(passes[game, 1:] & passes[game, :-1])
        ends[game] = twice[0] + 2 if len(twice) else plies
    return moves, np.minimum(lengths, ends)


def random_positions(count: int, size: int, seed: int = 0) -> Positions:
    """Positions out of random games, every kind of mark among them."""
    moves, lengths = random_moves(8, 3 * size * size, size, seed)
    positions, _ = replay(moves, lengths, size)
    chosen = np.random.default_rng(seed).permutation(len(positions.to_move))[:count]
    return positions.take(np.sort(chosen))


def tiny_records(games: int = 12, plies: int = 8, size: int = 3, seed: int = 0) -> GameRecords:
    """Random games whose teacher replies with other legal moves than those played where it can."""
    moves, lengths = random_moves(games, plies, size, seed)
    board = BatchedGo(games, size)
    replies = np.full_like(moves, size * size)
    for ply in range(plies):
        legal = board.legal_mask()
        legal[np.arange(games), moves[:, ply]] = False
        replies[:, ply] = np.where(legal.any(1), legal.argmax(1), size * size)
        board.play(moves[:, ply])
    past = np.arange(plies) >= lengths[:, None]
    moves, replies = (np.where(past, size * size, field).astype(np.uint8) for field in (moves, replies))
    komi, result = np.full(games, 7.0, np.float32), np.zeros(games, np.int8)
    return GameRecords(size, moves, replies, lengths.astype(np.uint8), komi, result)


def tiny_record_file(path: Path, **settings: int) -> Path:
    """The same as a file."""
    tiny_records(**settings).save(path)
    return path


def weighed(records: GameRecords) -> GameRecords:
    """The same games with two more replies, or one more: passes and what is beyond stand for none."""
    end, every = records.size**2, np.arange(records.size**2 + 1)
    others = np.full((*records.moves.shape, 2), end + 1, np.uint8)
    chances = np.zeros((*records.moves.shape, 3), np.uint8)
    positions, offsets = replay(records.moves, records.lengths.astype(int), records.size)
    for game, length in enumerate(records.lengths):
        for ply in range(length):
            legal = legal_moves(positions.take(np.array([offsets[game] + ply])))[0]
            legal[records.replies[game, ply]] = False
            more = every[legal][:2] if ply % 2 else every[legal][:1]
            others[game, ply, : len(more)] = more
            chances[game, ply, : 1 + len(more)] = (150, 50, 50)[: 1 + len(more)]
    return replace(records, others=others, chances=chances)


def tiny_model(size: int = 3, seed: int = 0, **world: object) -> GoModel:
    """An untrained agent's networks for a small board (2x2-cell tokens of 8 px cells)."""
    torch.manual_seed(seed)
    geometry = BoardGeometry(size)
    pixels = geometry.frame_size
    tokenizer = FrameTokenizer(TokenizerConfig.preset("tiny", frame_size=pixels))
    dynamics = LatentDynamicsModel(DynamicsConfig.preset("tiny", frame_size=pixels))
    settings = {
        "grid": tokenizer.grid, "frame_levels": tokenizer.levels, "codes": 1, "places": dynamics.n_where,
        "whats": dynamics.n_what, **world,
    }  # fmt: skip
    transformer = VideoTransformer(WorldConfig.preset("tiny", **settings))
    for parameter in transformer.parameters():  # far from the first, nearly uniform predictions
        if parameter.ndim > 1:
            torch.nn.init.normal_(parameter, std=0.3)
    head = InverseDynamics(
        InverseDynamicsConfig.preset(
            "tiny", actions=size * size + 1, places=dynamics.n_where, what_levels=dynamics.config.levels,
            frame_levels=len(tokenizer.levels),
        )
    )  # fmt: skip
    return GoModel(tokenizer, dynamics, transformer, head, geometry).eval().requires_grad_(False)


class WilfulModel:
    """Stands in for a GoModel: its moves depend on every pixel, so that no turn of the board goes unnoticed."""

    def __init__(self, size: int = 3) -> None:
        self.geometry = BoardGeometry(size)
        pixels = self.geometry.frame_size**2 * 3
        generator = torch.Generator().manual_seed(0)
        self.weight = torch.randn(pixels, size * size + 1, generator=generator) / 10

    def move_probabilities(
        self, frames: torch.Tensor, reader: str = "codes", *, keep: int | None = None
    ) -> torch.Tensor:
        """uint8 (B, S, S, 3) -> (B, N*N + 1)."""
        return (frames.flatten(1).float() / 255 @ self.weight).softmax(-1)
