"""Video-GoBench: how often a move that was read from frames alone is legal, and how often the teacher's choice.

    python -m benchmarks.video_gobench CHECKPOINT [--reader codes|frames] [--symmetries 1|8] [--json FILE]

The states are those of `assets/go9/bench.npz`: 5,800 positions after ply 7 of games that are in no training file, with
the policy of the teacher network. Figures, as in the paper (arXiv 2501.09781, section 5): *legal* is the share of moves
the rules allow, one sample at temperature 1 without retry; *best move* the share of states where the agent's likeliest
move is the teacher's; *value* the mean of policy(move) / max policy for that likeliest move (0 for an illegal one).
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from agents.elo import wilson
from benchmarks.report import Parser, benchmark, check_states_fit, percent, show, write
from envs.errors import UserError
from envs.go.batch import INVERSE_SYMMETRY, Positions, replay, symmetry_table
from envs.go.renderer import renderer_for, turn_frames
from train.data.go_games import ASSETS

PHASES = {"ply 8-20": (8, 20), "ply 21-40": (21, 40), "ply 41-60": (41, 60), "ply 61+": (61, 999)}


@dataclass(frozen=True)
class BenchStates:
    """P states.

    positions: P boards. policy: float32 (P, 82), the teacher's, over legal moves. legal: bool (P, 82). ply: int (P,).
    """

    positions: Positions
    policy: np.ndarray
    legal: np.ndarray
    ply: np.ndarray


def load_states(path: Path = ASSETS / "go9" / "bench.npz", limit: int | None = None) -> BenchStates:
    """The benchmark's states, the first `limit` of them."""
    if not path.is_file():
        raise UserError(f"no benchmark states at {path}: restore assets/go9/bench.npz")
    with np.load(path, allow_pickle=False) as file:
        rows = slice(limit)
        moves, lengths = file["moves"][rows], file["length"][rows].astype(np.int64)
        policy, legal = file["policy"][rows].astype(np.float32), file["legal"][rows]
    positions, offsets = replay(moves, lengths, 9)
    return BenchStates(positions.take(offsets[1:] - 1), policy, legal, lengths)


def move_probabilities(model: Any, positions: Positions, reader: str, symmetries: int, batch: int = 200) -> np.ndarray:
    """The agent's move distribution (P, N*N + 1), averaged over `symmetries` (1 or 8) of the picture."""
    geometry = model.geometry
    render = renderer_for(geometry)
    parts = []
    for start in range(0, len(positions.to_move), batch):
        frames = render(positions.take(slice(start, start + batch)))
        total = 0.0
        for turn in range(symmetries):
            turned = torch.from_numpy(turn_frames(frames, turn, geometry))
            moves = model.move_probabilities(turned, reader, keep=None).numpy()  # no code is left out of a sample
            places = symmetry_table(geometry.size)[INVERSE_SYMMETRY[turn]][:-1]
            back = np.empty_like(moves)
            back[:, places] = moves
            total = total + back / symmetries
        parts.append(total)
    return np.concatenate(parts)


def measure(probabilities: np.ndarray, states: BenchStates, seed: int = 0) -> dict[str, Any]:
    """The benchmark's figures for a move distribution; what it lacks to 1 counts as an unreadable, illegal answer."""
    rng = np.random.default_rng(seed)
    rows = np.arange(len(states.ply))
    cumulative = np.cumsum(probabilities, 1)
    drawn = (rng.random(len(rows))[:, None] > cumulative).sum(1)  # 82: nothing readable
    sampled_legal = np.where(drawn < 82, states.legal[rows, np.minimum(drawn, 81)], False)
    likeliest, best = probabilities.argmax(1), states.policy.argmax(1)
    right = likeliest == best
    value = np.where(states.legal[rows, likeliest], states.policy[rows, likeliest] / states.policy.max(1), 0.0)

    def part(mask: np.ndarray) -> dict[str, float]:
        return {
            "states": int(mask.sum()),
            "legal": float(sampled_legal[mask].mean()),
            "best_move": float(right[mask].mean()),
            "value": float(value[mask].mean()),
        }

    black = states.positions.to_move == 1
    return {
        **part(np.ones(len(rows), bool)),
        "legal_mass": float((probabilities * states.legal).sum(1).mean()),
        "best_move_interval": wilson(int(right.sum()), len(rows)),
        "phases": {name: part((states.ply >= low) & (states.ply <= high)) for name, (low, high) in PHASES.items()},
        "colours": {"Black": part(black), "White": part(~black)},
    }


@benchmark
def main(arguments: Sequence[str] | None) -> None:
    """Run the benchmark and print its table."""
    parser = Parser(
        prog="python -m benchmarks.video_gobench", description="Measure a Go checkpoint on held-out states."
    )
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("--reader", choices=("codes", "frames"), default="codes")
    parser.add_argument("--symmetries", type=int, choices=(1, 8), default=1)
    parser.add_argument("--states", type=int, help="only the first so many states")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path, help="also write the figures here")
    options = parser.parse_args(arguments)
    from agents.go_agent import load_go_model

    model, states = load_go_model(options.checkpoint), load_states(limit=options.states)
    check_states_fit(model.geometry)
    probabilities = move_probabilities(model, states.positions, options.reader, options.symmetries)
    result = measure(probabilities, states, options.seed)
    low, high = result["best_move_interval"]
    parts = {"all": result, **result["phases"], **result["colours"]}
    rows = [
        (n, str(p["states"]), percent(p["legal"], 2), percent(p["best_move"]), percent(p["value"]))
        for n, p in parts.items()
    ]
    how = f"{options.reader} reader, {options.symmetries} symmetries"
    title = f"{options.checkpoint} - {how}; best move {percent(low)} to {percent(high)}"
    show(title, rows, ("states of", "n", "legal (T=1)", "best move", "value"))
    settings = {
        "checkpoint": str(options.checkpoint),
        "reader": options.reader,
        "symmetries": options.symmetries,
        "seed": options.seed,
    }
    write({**settings, **result}, options.json)


if __name__ == "__main__":
    sys.exit(main(None))
