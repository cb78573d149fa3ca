"""How exact the eyes and the codes of a Go checkpoint are, on games no stage has seen.

    python -m benchmarks.go_parts assets/checkpoints/go9-small [--clips 5000] [--json FILE]

*boards exact*: share of frames that read back point by point, mark by mark, after the tokenizer's round trip. *code to
move*: share of changes whose move the inverse dynamics reads off the dynamics model's code. *painted exact*: share of
next frames that the dynamics model paints from the frame before and the code. *foreseen exact*: the same for the
transformer's next frame. Of a model with an outlook also *owner foreseen*: share of a position's points that will be
the side's that the outlook says, and *winner foreseen*: share of positions from which the side wins that it says.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from agents.elo import wilson
from agents.outlook import Outlook
from benchmarks.report import Parser, benchmark, count, percent, results_file, show, write
from envs.go.rules import BLACK, EMPTY, WHITE
from train.data.go_games import GoDataConfig, GoVideo
from train.data.go_measures import boards_exact
from train.stages import minibatches


@torch.inference_mode()
def measure(model: Any, clips: int, split: str = "test") -> dict[str, Any]:
    """Counts of the successes named in the module's docstring, the number of clips, and how often each code comes."""
    geometry = model.geometry
    video = GoVideo(GoDataConfig(size=geometry.size, style=geometry.style, cell=geometry.cell), split)
    drawn, moves = video.sweep(clips)
    world, head = model.world, model.inverse_dynamics
    counts = dict.fromkeys(("boards_exact", "code_to_move", "painted_exact", "foreseen_exact"), 0)
    used = torch.zeros(world.dynamics.codebook_size, dtype=torch.long)
    done = 0
    for frames in minibatches(drawn.frames()):
        truth = torch.from_numpy(moves[done : done + len(frames)])
        done += len(frames)
        first, after = frames[:, 0], frames[:, 1]
        rebuilt = world.tokenizer.decode(world.tokenizer.encode(frames[:, 1:]))[:, 0]
        counts["boards_exact"] += int(boards_exact(after.numpy(), rebuilt.numpy(), geometry).sum())
        codes = world.dynamics.encode(frames)[:, 0]  # (B, 1)
        used += codes.flatten().bincount(minlength=len(used))
        vectors = world.tokenizer.vectors(world.tokenizer.encode(first)).flatten(1, 2)
        read = head(codes, head.tokens_at(vectors, codes)).argmax(-1)[:, 0]
        counts["code_to_move"] += int((read == truth).sum())
        painted = world.dynamics.decode(first, codes[:, None])[:, -1]
        counts["painted_exact"] += int(boards_exact(after.numpy(), painted.numpy(), geometry).sum())
        foreseen = model.following(first, codes[:, 0])
        counts["foreseen_exact"] += int(boards_exact(after.numpy(), foreseen.numpy(), geometry).sum())
    usage = sorted(used.tolist(), reverse=True)
    return {**counts, "clips": len(moves), "split": split, "codes_used": int((used > 0).sum()), "code_usage": usage}


@torch.inference_mode()
def measure_outlook(model: Any, clips: int, split: str = "test") -> dict[str, int]:
    """How often the end of a game is foreseen: `owner_foreseen` of `points`, `winner_foreseen` of `positions`."""
    geometry = model.geometry
    video = GoVideo(GoDataConfig(size=geometry.size, style=geometry.style, cell=geometry.cell), split)
    drawn, _ = video.sweep(clips, ending=True)
    end = drawn.steps[-1]
    found = dict.fromkeys(("owner_foreseen", "points", "winner_foreseen", "positions"), 0)
    for frames in minibatches(drawn.frames()):
        rows = slice(found["positions"], found["positions"] + len(frames))
        owners, winners = model.end(model.read(frames[:, 0]))
        truth = end.stones[rows]
        expected = np.where(owners.numpy() > 0, BLACK, WHITE)
        black = [
            Outlook(own, float(shown)).black_wins > 0.5 for own, shown in zip(owners.numpy(), winners, strict=True)
        ]
        found["owner_foreseen"] += int((expected == truth)[truth != EMPTY].sum())
        found["points"] += int((truth != EMPTY).sum())
        found["winner_foreseen"] += int((np.array(black) == (end.to_move[rows] == BLACK)).sum())
        found["positions"] += len(frames)
    return found


@benchmark
def main(arguments: Sequence[str] | None) -> None:
    """Run and print the table."""
    what = "Measure the parts of a Go checkpoint."
    parser = Parser(prog="python -m benchmarks.go_parts", description=what)
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("--clips", type=count, default=5000)
    parser.add_argument("--json", type=results_file, help="also write the figures here")
    options = parser.parse_args(arguments)
    from agents.go_model import load_go_model

    model = load_go_model(options.checkpoint)
    result = measure(model, options.clips)
    parts = dict.fromkeys(("boards_exact", "code_to_move", "painted_exact", "foreseen_exact"), "clips")
    if model.has_outlook:
        result |= measure_outlook(model, options.clips)
        parts |= {"owner_foreseen": "points", "winner_foreseen": "positions"}
    rows = []
    for name, among in parts.items():
        low, high = wilson(result[name], result[among])
        share = percent(result[name] / result[among], 2)
        rows.append((name.replace("_", " "), share, f"{percent(low, 2)} to {percent(high, 2)}"))
    show(f"{options.checkpoint}, {result['clips']} held-out changes", rows, ("part", "share", "95 % interval"))
    write({"checkpoint": str(options.checkpoint), **result}, options.json)


if __name__ == "__main__":
    sys.exit(main(None))
