"""Go games as video: game records in (`go_records`), clips of rendered frames out.

A clip shows consecutive positions of one game, ended by the position after the teacher's reply (or after the move
played).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from envs.errors import UserError
from envs.go.batch import BatchedGo, Positions, apply_moves, replay, transform, transform_points
from envs.go.renderer import BoardGeometry, renderer_for
from envs.go.rules import BLACK, WHITE
from train.data.go_measures import boards_exact, commonest_share
from train.data.go_records import ASSETS, GameRecords, records_from_sgf
from train.data.video import VideoConfig, check_split

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class GoDataConfig(VideoConfig):
    """Where games come from and how they are drawn.

    source: "records" (a record file) or "sgf" (a folder of SGF files). path: that file or folder; empty: the games in
    assets/. reply: what ends a clip: "teacher" (records only) or "played". replies: up to so many of the teacher's
    likeliest replies may end a training clip, each as often as the teacher would play it, where the records tell; 1:
    the likeliest alone. held_out: share of the games in each of the splits validation and test. symmetries: turn and
    mirror training clips at random. horizon: changes in a clip (frames - 1).
    extra: a second record file of the same size, which `extra_share` of the training clips come from; it is not split
    or measured on. Such as positions that the agent met in its own games.
    """

    source: str = "records"
    path: str = ""
    size: int = 9
    style: str = "modern"
    cell: int = 8
    reply: str = "teacher"
    replies: int = 3
    held_out: float = 0.02
    symmetries: bool = True
    horizon: int = 1
    extra: str = ""
    extra_share: float = 0.25

    cure: ClassVar[str] = "choose another data.cell, or data.style=paper for the published 256 px"

    def __post_init__(self) -> None:
        if not 0 < self.extra_share < 1:
            raise UserError(f"data.extra_share is {self.extra_share}: choose a share between 0 and 1")
        if self.source not in ("records", "sgf"):
            raise UserError(f"unknown data source {self.source!r}: choose records or sgf")
        if self.reply not in ("teacher", "played"):
            raise UserError(f"unknown reply {self.reply!r}: choose teacher or played")
        self.at_least("replies", 1)
        if self.source == "sgf" and not self.path:
            raise UserError("data=sgf needs data.path=FOLDER, a folder with SGF files")
        if not 0 < self.held_out < 0.5:
            raise UserError(f"data.held_out is {self.held_out}: choose a share between 0 and 0.5")
        if self.horizon < 1:
            raise UserError(f"data.horizon is {self.horizon}: choose at least 1")

    @property
    def geometry(self) -> BoardGeometry:
        """The frames' layout."""
        return BoardGeometry(self.size, self.style, self.cell)

    @property
    def frame_spec(self) -> BoardGeometry:
        """What the frames show: boards."""
        return self.geometry

    @property
    def actions(self) -> int:  # type: ignore[override]
        """Moves to tell apart: the points, and to pass."""
        return self.size**2 + 1

    def video(self, split: str) -> GoVideo:
        """The games of a split."""
        return GoVideo(self, split)


@dataclass
class BoardClips:
    """Clips that are not drawn yet: T position arrays of B boards. Drawing them gives uint8 (B, T, S, S, 3).

    This is all that reaches the tokenizer, dynamics and world stages: positions as a film would show them, its end
    among them if it is asked for, and no moves. others, chances: what else might have followed, as `Clips` tells of it.
    """

    steps: tuple[Positions, ...]
    geometry: BoardGeometry
    others: tuple[Positions, ...] = ()
    chances: np.ndarray | None = None

    def join(self, other: BoardClips) -> BoardClips:
        """These clips and behind them those of `other`, which are as long."""
        chances = None
        if self.chances is not None and other.chances is not None:
            chances = np.concatenate([self.chances, other.chances])
        return BoardClips(_join(self.steps, other.steps), self.geometry, _join(self.others, other.others), chances)

    def frames(self, device: torch.device | None = None) -> torch.Tensor:
        """Draw on the device (GPU) or in numpy (CPU): uint8 (B, T, S, S, 3)."""
        return self._draw(self.steps, device)

    def instructions(self, device: torch.device | None = None) -> None:
        """Nobody tells a player what to do."""

    def alternatives(self, device: torch.device | None = None) -> tuple[torch.Tensor, torch.Tensor] | None:
        """The other replies' frames, drawn, and how likely each reply is; None where clips end with one reply."""
        import torch

        if self.chances is None:
            return None
        return self._draw(self.others, device), torch.from_numpy(self.chances).to(device)

    def _draw(self, steps: Sequence[Positions], device: torch.device | None) -> torch.Tensor:
        import torch

        renderer = renderer_for(self.geometry)
        if device is None or device.type == "cpu":
            return torch.from_numpy(np.stack([renderer(step) for step in steps], axis=1))
        arrays = [[torch.from_numpy(field).to(device) for field in step] for step in steps]
        return torch.stack([renderer.torch(*step) for step in arrays], dim=1)


def _join(own: Sequence[Positions], more: Sequence[Positions]) -> tuple[Positions, ...]:
    """Behind each own positions those of the same step in `more`."""
    return tuple(Positions(*map(np.concatenate, zip(*step, strict=True))) for step in zip(own, more, strict=True))


class GoVideo:
    """Clips from one split of the games. Every sampling method is a pure function of the generator it is given."""

    def __init__(self, config: GoDataConfig, split: str, records: GameRecords | None = None) -> None:
        if split != "all":
            check_split(split)
        self.config, self.geometry = config, config.geometry
        records = records or load_records(config)
        if records.size != config.size:
            raise UserError(f"the games are {records.size}x{records.size}, but data.size is {config.size}")
        every = np.arange(len(records.lengths))
        games = every if split == "all" else split_games(len(every), config.held_out)[split]
        self._weighed = config.reply == "teacher" and config.replies > 1 and records.others is not None
        self._extra: GoVideo | None = None
        if config.extra and split == "train":
            self._extra = GoVideo(replace(config, extra=""), "all", GameRecords.load(Path(config.extra)))
            self._extra._weighed = self._weighed  # replies of which nothing is told are sure
        moves, lengths = records.moves[games], records.lengths[games].astype(np.int64)
        self.positions, self.offsets = replay(moves, lengths, records.size)
        self._counted = _counted(self.positions.take(self.offsets[1:] - 1), records, games)
        own = np.arange(moves.shape[1]) < lengths[:, None]
        replies = (records.replies if config.reply == "teacher" else records.moves)[games]
        unknown = (self._counted.stones < 0).any((1, 2))
        self._counted.stones[unknown] = 0
        # A clip starts at any ply that leaves room for its horizon; `_reply` belongs to the position before the last
        # change.
        self._reply = np.full(len(self.positions.to_move), -1, np.int16)
        ply = np.arange(len(self._reply)) - np.repeat(self.offsets[:-1], lengths + 1)
        final = np.repeat(lengths, lengths + 1) == ply
        self._reply[~final] = replies[own]
        self._others, self._chances = _weighed(config, records, games, self._reply, ~final, own)
        room = np.repeat(lengths, lengths + 1) - ply  # plies left in the game
        self._starts = np.flatnonzero(room >= config.horizon)
        ends = np.repeat(~unknown, lengths + 1)
        self._ending = self._starts[ends[self._starts]]  # those of games whose end is known
        if not len(self._starts):
            raise UserError(f"no game is as long as data.horizon={config.horizon}: give a smaller one or more games")

    def __len__(self) -> int:
        """Number of clips, symmetries not counted."""
        return len(self._starts)

    def sample(self, rng: np.random.Generator, count: int, *, ending: bool = False) -> BoardClips:
        """`count` random clips, each under a random symmetry (if the config says so).

        ending: behind each clip stands the end of its film, as one frame more: the counted board, on which every point
        that is somebody's has a stone of theirs, and whose strip has the winner's shade.
        """
        extra = int(rng.binomial(count, self.config.extra_share)) if self._extra is not None else 0
        known = self._ending if ending else self._starts
        starts = known[rng.integers(0, len(known), count - extra)]
        clips = self._cut(starts, self._symmetry(rng, count - extra), ending, self._weighed)[0]
        if self._extra is None or not extra:
            return clips
        return clips.join(self._extra.sample(rng, extra, ending=ending))

    def sample_labelled(self, rng: np.random.Generator, count: int, labels: int) -> tuple[BoardClips, np.ndarray]:
        """Clips with the move behind their last change, int64 (count,), from the first `labels` clips alone.

        For inverse dynamics and measurement; no other stage calls it.
        """
        known = self._starts[_spread(len(self._starts), labels)]
        return self._cut(known[rng.integers(0, len(known), count)], self._symmetry(rng, count))

    def sweep(self, limit: int, *, ending: bool = False) -> tuple[BoardClips, np.ndarray]:
        """Up to `limit` clips spread evenly over the split, unturned, with their moves: for evaluation."""
        known = self._ending if ending else self._starts
        starts = known[_spread(len(known), limit)]
        return self._cut(starts, np.zeros(len(starts), np.int64), ending)

    def compare(self, frames: torch.Tensor, rebuilt: torch.Tensor) -> dict[str, np.ndarray]:
        """boards_exact: bool (N,), the board reads back exactly."""
        return {"boards_exact": boards_exact(frames.numpy(), rebuilt.numpy(), self.geometry)}

    def compare_codes(self, codes: np.ndarray, done: np.ndarray) -> dict[str, float]:
        """How well the last code of a clip stands for its move, int64 (N,).

        code_to_move: share of clips whose move is the commonest one of their code; move_to_code: the reverse.
        """
        last = codes[:, -1, 0]
        return {
            "code_to_move": commonest_share(last, done),
            "move_to_code": commonest_share(done, last),
            "codes_used": float(len(np.unique(last))),
        }

    def _symmetry(self, rng: np.random.Generator, count: int) -> np.ndarray:
        return rng.integers(0, 8, count) if self.config.symmetries else np.zeros(count, np.int64)

    def _cut(
        self, starts: np.ndarray, symmetry: np.ndarray, ending: bool = False, weighed: bool = False
    ) -> tuple[BoardClips, np.ndarray]:
        horizon = self.config.horizon
        steps = [self.positions.take(starts + k) for k in range(horizon)]
        before, places = steps[-1], starts + horizon - 1
        replies = self._reply[places]
        steps.append(apply_moves(before, replies)[0])
        if ending:
            game = np.searchsorted(self.offsets, starts, side="right") - 1
            steps.append(self._counted.take(game))
        turned = tuple(transform(step, symmetry) for step in steps)
        moves = transform_points(replies, symmetry, self.config.size).astype(np.int64)
        clips = BoardClips(turned, self.geometry)
        if weighed:
            others = (apply_moves(before, points)[0] for points in self._others[places].T)
            clips.others = tuple(transform(step, symmetry) for step in others)
            clips.chances = self._chances[places]
        return clips, moves


def _weighed(
    config: GoDataConfig, records: GameRecords, games: np.ndarray, reply: np.ndarray, known: np.ndarray, own: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Other replies than `reply` (P,) to each of P positions, (P, R - 1), and how likely all R are, float32 (P, R).

    known: bool (P,), positions that have a reply. own: bool (G, T), plies of the games. Where there are fewer replies
    the first stands for the others, and they are not likely at all.
    """
    count = config.replies
    others = np.repeat(reply[:, None], count - 1, 1)
    chances = np.zeros((len(reply), count), np.float32)
    chances[:, 0] = 1
    if count == 1 or records.others is None or records.chances is None:
        return others, chances
    told, weights = (
        records.others[games][own][:, : count - 1],
        records.chances[games][own][:, :count].astype(np.float32),
    )
    nothing = told > config.size**2
    weights[:, 1:][nothing] = 0
    weights[:, 0] = np.maximum(weights[:, 0], 1)  # a reply that rounds to no chance is one
    width = weights.shape[1]
    others[known, : width - 1] = np.where(nothing, others[known, : width - 1], told)
    chances[known, :width] = weights / weights.sum(1, keepdims=True)
    return others, chances


def load_records(config: GoDataConfig) -> GameRecords:
    """The games a configuration names."""
    if config.source == "sgf":
        return records_from_sgf(Path(config.path), config.size)
    return GameRecords.load(Path(config.path) if config.path else ASSETS / "go9" / "games.npz")


def split_games(count: int, held_out: float) -> dict[str, np.ndarray]:
    """Game numbers of each split, sorted; the same for the same count. At least one a split from three games on."""
    order = np.random.default_rng(2024).permutation(count)
    few = max(1, round(count * held_out)) if count >= 3 else 0
    parts = {"validation": order[:few], "test": order[few : 2 * few], "train": order[2 * few :]}
    return {name: np.sort(games if len(games) else order) for name, games in parts.items()}


def _counted(final: Positions, records: GameRecords, games: np.ndarray) -> Positions:
    """How the films of `games` end: boards filled by their owners, with the winner "to move", without a mark.

    Owners that the records lack are counted on `final`, winners that they do not tell with the komi. A draw looks like
    a win of either side in turn.
    """
    boards = BatchedGo(len(games), final.size)
    if records.owners is None:
        boards.stones[:] = final.stones
        boards.stones[:] = boards.area_owners()
    else:
        boards.stones[:] = records.owners[games].reshape(boards.stones.shape)
    flat = boards.stones.reshape(len(games), -1)
    score = (flat == BLACK).sum(1) - (flat == WHITE).sum(1) - records.komi[games]
    won = np.where(records.result[games] != 0, records.result[games], np.sign(score) if not records.result.any() else 0)
    boards.to_move[:] = np.where(won > 0, BLACK, np.where(won < 0, WHITE, 1 + games % 2))
    return boards.positions


def _spread(count: int, limit: int) -> np.ndarray:
    """`limit` whole numbers spread evenly over 0..count-1 (all of them where there are fewer)."""
    return np.arange(count) if count <= limit else np.arange(limit) * count // limit
