"""Video-GoBench: how often a move that was read from frames alone is legal, and how often the teacher's choice.

    python -m benchmarks.video_gobench CHECKPOINT [--reader codes|frames|both] [--symmetries 1|8]
        [--lookahead N] [--arena FOLDER] [--json FILE]

The states are those of `assets/go9/bench.npz`: 5,800 positions after ply 7 of games that are in no training file, with
the policy of the teacher network. Figures, as in the paper (arXiv 2501.09781, section 5): *legal* is the share of moves
the rules allow, one sample at temperature 1 without retry; *best move* the share of states where the agent's likeliest
move is the teacher's; *value* the mean of policy(move) / max policy for that likeliest move (0 for an illegal one). The
move is read off the foreseen code by the inverse dynamics, or off the foreseen frames without any label; with both,
*agreement* is the share of states where the two readers' likeliest moves are the same. With a lookahead the agent
imagines N frames beyond each state before it chooses, still from frames alone, and a move counts as often as it was
looked at. The paper's figures stand beside ours; its states, its teacher (KataGo's human-like 9-dan) and its Elo scale
are its own.
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
from agents.standings import read_standings
from benchmarks.report import Parser, benchmark, check_states_fit, count, percent, results_file, show, write
from envs.errors import UserError
from envs.go.batch import Positions, replay
from envs.go.renderer import renderer_for, turn_frames
from train.data.go_records import ASSETS

# arXiv 2501.09781, table 1: legal, value, best move in per cent, Elo
PAPER = {
    "Transformer 300M on states": (99.8, 79.7, 87.2, 2308),
    "Transformer 300M on video, no codes": (99.6, 59.7, 58.9, 1998),
    "VideoWorld 50M": (99.5, 73.9, 80.9, 2093),
    "VideoWorld 150M": (99.7, 82.0, 86.7, 2218),
    "VideoWorld 300M": (99.7, 83.7, 88.1, 2317),
}
PAPER_HEADER = ("agent", "legal", "value", "best move", "Elo")
PLIES = 10  # of a step in the accuracy by ply
BINS = 10  # of confidence, in the reliability
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


def move_probabilities(
    model: Any, positions: Positions, reader: str, symmetries: int, lookahead: int = 0, batch: int = 200
) -> np.ndarray:
    """The agent's move distribution (P, N*N + 1), of `symmetries` (1 or 8) of the picture together.

    With a lookahead it is the share of the `lookahead` imagined frames that lie behind each move.
    """
    from agents.go_agent import join_views, look_ahead, visit_shares

    geometry = model.geometry
    render = renderer_for(geometry)
    parts = []
    for start in range(0, len(positions.to_move), batch):
        frames = render(positions.take(slice(start, start + batch)))
        views = []
        for turn in range(symmetries):
            turned = torch.from_numpy(turn_frames(frames, turn, geometry))
            # no code is left out of a sample
            views.append(model.move_probabilities(turned, reader, keep=None).numpy())
        wanted = join_views(np.stack(views), geometry.size)
        if lookahead:
            found = look_ahead(model, frames, wanted, lookahead, parallel=1)
            wanted = np.stack([visit_shares(one, wanted.shape[1]) for one in found])
        parts.append(wanted)
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
        "by_ply": _by_ply(states.ply, right),
        "reliability": reliability(probabilities, right),
    }


def _by_ply(ply: np.ndarray, right: np.ndarray) -> list[dict[str, Any]]:
    steps = []
    for low in range(int(ply.min()) // PLIES * PLIES, int(ply.max()) + 1, PLIES):
        mask = (ply >= low) & (ply < low + PLIES)
        if mask.any():
            interval = wilson(int(right[mask].sum()), int(mask.sum()))
            share = {"states": int(mask.sum()), "best_move": float(right[mask].mean()), "interval": interval}
            steps.append({"from": low, "to": low + PLIES - 1, **share})
    return steps


def reliability(probabilities: np.ndarray, right: np.ndarray) -> dict[str, Any]:
    """How far the probability of the likeliest move (P, moves) tells how often it is the teacher's, bool (P,).

    Returns `bins` of equal width with their states, mean confidence and share right, and `error`, the expected
    calibration error: the mean distance of the two, weighted by states (Guo et al. 2017, section 3).
    """
    confidence = probabilities.max(1)
    place = np.minimum((confidence * BINS).astype(int), BINS - 1)
    bins, error = [], 0.0
    for number in range(BINS):
        mask = place == number
        if mask.any():
            sure, share = float(confidence[mask].mean()), float(right[mask].mean())
            bins.append({"states": int(mask.sum()), "confidence": sure, "best_move": share})
            error += float(mask.mean()) * abs(sure - share)
    return {"bins": bins, "error": error}


@benchmark
def main(arguments: Sequence[str] | None) -> None:
    """Run the benchmark and print its table."""
    parser = Parser(
        prog="python -m benchmarks.video_gobench", description="Measure a Go checkpoint on held-out states."
    )
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("--reader", choices=("codes", "frames", "both"), default="codes")
    parser.add_argument("--symmetries", type=int, choices=(1, 8), default=1)
    parser.add_argument("--lookahead", type=count, default=0, help="frames imagined beyond each state (default: 0)")
    parser.add_argument("--states", type=count, help="only the first so many states")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--arena", type=Path, help="folder of a finished agents.arena, for the checkpoint's Elo")
    parser.add_argument("--json", type=results_file, help="also write the figures here")
    options = parser.parse_args(arguments)
    from agents.go_model import load_go_model

    elo = elo_of(options.checkpoint, options.arena) if options.arena else None
    model, states = load_go_model(options.checkpoint), load_states(limit=options.states)
    check_states_fit(model.geometry)
    results, likeliest = {}, {}
    for reader in ("codes", "frames") if options.reader == "both" else (options.reader,):
        probabilities = move_probabilities(model, states.positions, reader, options.symmetries, options.lookahead)
        results[reader], likeliest[reader] = measure(probabilities, states, options.seed), probabilities.argmax(1)
        low, high = results[reader]["best_move_interval"]
        how = f"{reader} reader, {options.symmetries} symmetries, lookahead {options.lookahead}"
        show(
            f"{options.checkpoint} - {how}; best move {percent(low)} to {percent(high)}",
            [
                (name, str(p["states"]), percent(p["legal"], 2), percent(p["best_move"]), percent(p["value"]))
                for name, p in _parts(results[reader]).items()
            ],
            ("states of", "n", "legal (T=1)", "best move", "value"),
        )
    agreement = float((likeliest["codes"] == likeliest["frames"]).mean()) if len(likeliest) == 2 else None
    if agreement is not None:
        print(f"the two readers' likeliest moves agree in {percent(agreement)} of the states")
    show("beside the paper, arXiv 2501.09781, table 1", beside_the_paper(results, elo), PAPER_HEADER)
    settings = {key: getattr(options, key) for key in ("symmetries", "lookahead", "seed")}
    settings["checkpoint"] = str(options.checkpoint)
    write({**settings, "agreement": agreement, "elo": elo, "readers": results}, options.json)


def beside_the_paper(results: dict[str, Any], elo: dict[str, Any] | None) -> list[tuple[str, ...]]:
    """Rows for our readers and for the paper's agents."""
    rows: list[tuple[str, ...]] = []
    for reader, figures in results.items():
        rating = f"{elo['elo']:+.0f} ({elo['low']:+.0f} to {elo['high']:+.0f}), {elo['anchor']} 0" if elo else "-"
        shares = (percent(figures["legal"]), percent(figures["value"]), percent(figures["best_move"]))
        rows.append((f"this one, by {reader}", *shares, rating))
    for name, (legal, value, best, points) in PAPER.items():
        rows.append((name, f"{legal} %", f"{value} %", f"{best} %", str(points)))
    return rows


def elo_of(checkpoint: Path, arena: Path) -> dict[str, Any]:
    """The checkpoint's rating in a finished arena, with the anchor's name; UserError where it did not play."""
    standings = read_standings(arena / "ratings.json")
    names = standings["names"]
    own = [
        n for n, name in enumerate(names) if name.partition(",")[0] == checkpoint.name and n < len(standings["ratings"])
    ]
    if not own:
        raise UserError(f"{checkpoint.name} did not play in {arena} ({', '.join(names)} did); give another --arena")
    rating = standings["ratings"][own[-1]]
    return {
        "name": names[own[-1]],
        "anchor": standings["anchor"],
        "elo": rating.elo,
        "low": rating.low,
        "high": rating.high,
    }


def _parts(figures: dict[str, Any]) -> dict[str, Any]:
    return {"all": figures, **figures["phases"], **figures["colours"]}


if __name__ == "__main__":
    sys.exit(main(None))
