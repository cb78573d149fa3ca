"""What each choice in the world model is worth: variants trained for the same minutes, one after the other.

    python -m benchmarks.ablations assets/checkpoints/go9-small --minutes 5 --out runs/ablations [--only NAME ...]

Every variant learns on the tokenizer and dynamics model of the given agent, unless it is about those, and is measured
on the states of Video-GoBench. The minutes are wall time, so nothing else should run on the machine. The same command
goes on after an interruption.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.report import Parser, benchmark, check_states_fit, percent, show, write
from benchmarks.video_gobench import load_states, measure, move_probabilities
from envs.errors import UserError
from train.export import STAGES, export_go_agent

CAUSAL = ("+model.world.frame_attention=causal", "+model.world.frame_decoding=causal", "+model.world.stem_blocks=0")


@dataclass(frozen=True)
class Variant:
    """A change to the shipped settings.

    Attributes:
        name: in the table and of its folder.
        world: words for the world stage's command.
        eyes: words for the tokenizer and dynamics stages, where the variant needs eyes of its own.
        reader: how moves are read.
    """

    name: str
    world: tuple[str, ...] = ()
    eyes: tuple[str, ...] = ()
    reader: str = "codes"


VARIANTS = (
    Variant("shipped"),
    Variant("without codes", ("+model.world.codes=0", "+model.world.frame_share=1"), reader="frames"),
    Variant("without codes, frames token by token", ("+model.world.codes=0", "+model.world.frame_share=1", *CAUSAL),
            reader="frames"),
    Variant("frames token by token", ("+model.world.frame_share=1", *CAUSAL)),
    Variant("code read at the last position", ("+model.world.code_readout=last",)),
    Variant("causal attention within the frame", ("+model.world.frame_attention=causal",)),
    Variant("with an outlook", ("+model.world.outlook=true",)),
    Variant("three codes ahead", ("+model.world.codes=3", "data.horizon=3", "+model.world.frame_share=1")),
    Variant("no stem, four layers more", ("+model.world.stem_blocks=0", "+model.world.layers=6")),
    Variant("AdamW instead of Muon", ("trainer.optimizer=adamw",)),
    Variant("10x10 tokens", ("+model.world.stem_scale=1",), ("+model.tokenizer.parts=1",)),
    Variant("4x4 tokens", (), ("+model.tokenizer.patch=10", "+model.dynamics.patch=10")),
)  # fmt: skip


def train(stage: str, out: Path, minutes: float, words: Sequence[str]) -> dict[str, Any]:
    """Train one stage in a process of its own; returns what it finished with. UserError if it failed."""
    command = [sys.executable, "-m", "train", stage, f"out={out}", f"trainer.minutes={minutes:g}", *words]
    if subprocess.run(command, check=False).returncode:
        raise UserError(f"{' '.join(command[1:])} did not finish; see above, and give the same command again")
    finished: dict[str, Any] = json.loads((out / "finished.json").read_text(encoding="utf-8"))
    return finished


def run(variant: Variant, agent: Path, out: Path, minutes: float) -> dict[str, Any]:
    """Train and measure one variant."""
    folders = dict.fromkeys(STAGES, agent)
    for stage in STAGES[:2] if variant.eyes else ():
        words = [word for word in variant.eyes if f".{stage}." in word]
        train(stage, out / stage, minutes, words)
        folders[stage] = out / stage / "checkpoint"
    inputs = [f"inputs.{stage}={folders[stage]}" for stage in STAGES[:2]]
    finished = train("world", out / "world", minutes, [*inputs, *variant.world])
    folders["world"] = out / "world" / "checkpoint"
    if variant.eyes:
        train("inverse_dynamics", out / "inverse_dynamics", minutes / 4, inputs)
        folders["inverse_dynamics"] = out / "inverse_dynamics" / "checkpoint"
    export_go_agent(folders, out / "agent")
    from agents.go_agent import load_go_model

    model, states = load_go_model(out / "agent"), load_states()
    figures = measure(move_probabilities(model, states.positions, variant.reader, 1), states)
    transformer = sum(parameter.numel() for parameter in model.world.transformer.parameters())
    return {"name": variant.name, "steps": finished["step"], "parameters": transformer} | {
        key: figures[key] for key in ("legal", "best_move", "value", "best_move_interval")
    }


@benchmark
def main(arguments: Sequence[str] | None) -> None:
    """Train, measure and print the table."""
    what = "Train variants of the world model for the same time and compare them."
    parser = Parser(prog="python -m benchmarks.ablations", description=what)
    parser.add_argument("agent", type=Path)
    parser.add_argument("--minutes", type=float, default=5.0, help="of training for each stage (default: 5)")
    parser.add_argument("--out", type=Path, default=Path("runs/ablations"))
    parser.add_argument("--only", nargs="+", metavar="NAME", help="; ".join(variant.name for variant in VARIANTS))
    parser.add_argument("--json", type=Path, help="also write the figures here")
    options = parser.parse_args(arguments)
    names = [variant.name for variant in VARIANTS]
    for name in options.only or ():
        if name not in names:
            raise UserError(f"there is no variant {name!r}; choose from {'; '.join(names)}")
    if options.minutes <= 0:
        raise UserError(f"--minutes is {options.minutes:g}; give more than 0")
    from agents.go_agent import load_go_model

    check_states_fit(load_go_model(options.agent).geometry)
    results = []
    for variant in VARIANTS:
        if options.only and variant.name not in options.only:
            continue
        folder = options.out / variant.name.replace(" ", "-").replace(",", "")
        results.append(run(variant, options.agent, folder, options.minutes))
        rows = [
            (r["name"], f"{r['parameters'] / 1e6:.2f} M", str(r["steps"]), percent(r["legal"]), percent(r["best_move"]),
             percent(r["value"]))
            for r in results
        ]  # fmt: skip
        show(
            f"{options.minutes:g} minutes each", rows, ("variant", "parameters", "steps", "legal", "best move", "value")
        )
        write({"minutes": options.minutes, "variants": results}, options.json)


if __name__ == "__main__":
    sys.exit(main(None))
