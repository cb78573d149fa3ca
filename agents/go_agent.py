"""GoAgent: a board's picture in, a move out, through VideoWorld alone."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np
import torch

from agents.agent import Candidate, Decision, Rejection, Thought
from agents.checkpoint_config import MOST_LOOKAHEAD
from agents.go_model import READERS, GoModel, load_go_model
from agents.lookahead import PARALLEL, Foreseen, Lookahead
from agents.outlook import KOMI, Outlook
from envs.errors import UserError
from envs.go.batch import INVERSE_SYMMETRY, symmetry_table
from envs.go.renderer import BoardGeometry, read_board, turn_frames
from envs.go.rules import BLACK

CANDIDATES = 10  # shown in a thought
NOTHING = 1e-5  # a move that is no likelier is no candidate, nor is one that was not looked at
VIEWS_POWER = 0.25  # of the mean that joins several views of a board


class GoAgent:
    """Plays either colour from frames. `legal` only crosses out moves the rules forbid.

    Args:
        model: the networks.
        lookahead: positions that are imagined beyond the frame before a move is chosen (`agents.lookahead`); 0 plays
            the move that is foreseen. More than 0 needs a model with an outlook.
        temperature: 0 plays the likeliest move; 1 samples from the move distribution.
        symmetries: 1, or 8 to look at the board under all its symmetries (of the picture); see `join_views`.
        reader: "codes" (inverse dynamics) or "frames" (label-free, from imagined pixels).
        seed: of the sampling.
        name: shown to people.
    """

    def __init__(
        self,
        model: GoModel,
        *,
        temperature: float = 0.0,
        symmetries: int = 1,
        reader: str = "codes",
        lookahead: int = 0,
        seed: int = 0,
        name: str = "VideoWorld",
    ) -> None:
        if not 0 <= temperature < float("inf"):
            raise UserError(f"temperature is {temperature}: give 0 (always the likeliest move) or more")
        if symmetries not in (1, 8):
            raise UserError(f"symmetries is {symmetries}: give 1 or 8")
        if reader not in READERS:
            raise UserError(f"unknown reader {reader!r}: choose one of {', '.join(READERS)}")
        if not 0 <= lookahead <= MOST_LOOKAHEAD:
            raise UserError(f"lookahead is {lookahead}: give 0 to {MOST_LOOKAHEAD} positions")
        if lookahead and not model.has_outlook:
            raise UserError(f"{name} was trained without an outlook, so it cannot look ahead: give lookahead 0")
        self.model, self.lookahead = model.eval(), lookahead
        self.temperature, self.symmetries, self.reader, self.name = temperature, symmetries, reader, name
        self._rng = np.random.default_rng(seed)

    @classmethod
    def load(cls, folder: str | Path, **options: Any) -> GoAgent:
        """The agent of a checkpoint folder; CheckpointError (a UserError) if the folder does not hold one."""
        return cls(load_go_model(folder), **options)

    @property
    def size(self) -> int:
        """Points per side of the boards it plays on."""
        return self.geometry.size

    @property
    def geometry(self) -> BoardGeometry:
        """The frames it looks at."""
        return self.model.geometry

    def probabilities(self, frame: np.ndarray) -> np.ndarray:
        """Frame uint8 (S, S, 3) -> probability of every move (N*N + 1,), of all symmetries together."""
        turns = range(self.symmetries)
        frames = np.concatenate([turn_frames(frame[None], turn, self.geometry) for turn in turns])
        moves = self.model.move_probabilities(torch.from_numpy(frames), self.reader).numpy()
        return join_views(moves, self.size)

    def decide(
        self,
        frame: np.ndarray,
        *,
        legal: np.ndarray | None = None,
        imagine: bool = True,
        komi: float = KOMI,
        seconds: float | None = None,
    ) -> Decision:
        """Choose a move for the side whose turn the frame shows; see `agents.agent.Agent`."""
        start = time.perf_counter()
        size = self.geometry.frame_size
        if frame.shape != (size, size, 3):
            raise ValueError(f"the frame is {frame.shape}, but this agent looks at ({size}, {size}, 3)")
        wanted = self.probabilities(frame)
        allowed = np.ones(len(wanted), bool) if legal is None else legal
        masked = np.where(allowed, wanted, 0.0)
        if masked.sum() <= 0:
            masked = np.where(np.arange(len(wanted)) == len(wanted) - 1, 1.0, 0.0)  # nothing it wants is allowed: pass
        masked = masked / masked.sum()
        foreseen = None
        if self.lookahead:
            left = None if seconds is None else seconds - (time.perf_counter() - start)
            foreseen = look_ahead(self.model, frame[None], masked[None], self.lookahead, komi, seconds=left)[0]
            masked = visit_shares(foreseen, len(masked))
        action = self._choose(masked)
        order = np.argsort(-wanted, kind="stable")
        refused = [int(point) for point in order[: int(np.argmax(allowed[order]))] if wanted[point] > 0]
        imagined = self.imagine(frame, 1, action=action) if imagine else None
        best = np.argsort(-masked, kind="stable")[:CANDIDATES]
        thought = Thought(
            frame=frame,
            imagined=imagined if imagined is not None and len(imagined) else None,
            candidates=tuple(Candidate(int(p), float(masked[p])) for p in best if masked[p] > NOTHING),
            probabilities=masked,
            rejected=tuple(Rejection(point) for point in refused[:CANDIDATES]),
            confidence=float(masked[action]),
            milliseconds=1000 * (time.perf_counter() - start),
            outlook=foreseen.outlook if foreseen else self.outlook(frame, komi) if imagine else None,
        )
        return Decision(action, thought)

    def outlook(self, frame: np.ndarray, komi: float = KOMI) -> Outlook | None:
        """How the game on `frame` uint8 (S, S, 3) will end; None from a model that was trained without an outlook."""
        if not self.model.has_outlook:
            return None
        owners, winner = self.model.end(self.model.read(torch.from_numpy(frame[None])))
        return Outlook(owners[0].numpy(), float(winner[0]), komi)

    def _choose(self, probabilities: np.ndarray) -> int:
        if self.temperature == 0:
            return int(probabilities.argmax())
        # relative to the likeliest, so that no small temperature rounds all of them to 0
        ratios = np.maximum(probabilities / probabilities.max(), 1e-30)
        weights = np.where(probabilities > 0, np.exp(np.log(ratios) / self.temperature), 0.0)
        return int(self._rng.choice(len(weights), p=weights / weights.sum()))

    def imagine(self, frame: np.ndarray, steps: int, *, action: int | None = None) -> np.ndarray:
        """The next frames under the likeliest codes, the first under one that means `action`; see `Agent`."""
        moves = None if action is None else torch.tensor([action])
        found, following = self.model.imagine_change(torch.from_numpy(frame[None]), moves)
        if steps < 1 or found[0] < 0:
            return frame[None][:0]
        if steps == 1:
            return following.numpy()
        later = self.model.world.imagine(following[:, None], steps=steps - 1)[0]
        return torch.cat([following, later]).numpy()


def look_ahead(
    model: GoModel,
    frames: np.ndarray,
    wanted: np.ndarray,
    visits: int,
    komi: float = KOMI,
    *,
    parallel: int = PARALLEL,
    seconds: float | None = None,
) -> list[Foreseen]:
    """Search on from frames uint8 (B, S, S, 3), for the side whose turn each shows, for `seconds` at most.

    wanted: float (B, N*N + 1), how likely each move is taken to be. A pass is only weighed where it is wanted most: the
    outlook sees which stones are dead, but a count at once takes them for alive.
    """
    passing = wanted.argmax(1) == wanted.shape[1] - 1
    priors = wanted.copy()
    priors[~passing, -1] = 0
    black = read_board(frames, model.geometry).to_move == BLACK
    search = Lookahead(model, komi).search
    return search(frames, black.tolist(), visits, priors=priors, parallel=parallel, seconds=seconds)


def visit_shares(foreseen: Foreseen, moves: int) -> np.ndarray:
    """How much each of `moves` moves was looked at, float64 (moves,) with sum 1.

    Of those that were looked at equally often, the likelier has a hair more. Where none could be imagined, the last
    one, the pass, is all that is left.
    """
    shares = np.zeros(moves)
    for branch in foreseen.branches:
        shares[branch.move] = branch.visits + 1e-6 * branch.prior
    if not shares.any():
        shares[-1] = 1.0
    return shares / shares.sum()


def join_views(moves: np.ndarray, size: int) -> np.ndarray:
    """Probabilities of moves (V, ..., N*N + 1) on one board seen under its first V symmetries -> (..., N*N + 1).

    One view comes back as it is. Several are turned back and joined by their power mean with exponent VIEWS_POWER: near
    the geometric mean, so that a move has to look good from most sides, but no single view forbids one. What a view
    lacks to 1, its unreadable answers, counts as one more move.
    """
    if len(moves) == 1:
        return moves[0]
    total = np.zeros((*moves.shape[1:-1], moves.shape[-1] + 1))
    for turn, view in enumerate(np.asarray(moves, np.float64)):
        places = symmetry_table(size)[INVERSE_SYMMETRY[turn]][:-1]  # where each turned point belongs
        total[..., places] += view**VIEWS_POWER
        total[..., -1] += np.maximum(1.0 - view.sum(-1), 0.0) ** VIEWS_POWER
    joined = (total / len(moves)) ** (1 / VIEWS_POWER)
    return (joined / joined.sum(-1, keepdims=True))[..., :-1]
