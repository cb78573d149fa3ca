"""What each choice in the world model is worth: variants trained with the same arithmetic, one after the other.

    python -m benchmarks.ablations assets/checkpoints/go9-small --tflop 20 --out runs/ablations [--only NAME ...]

Every variant learns on the tokenizer and dynamics model of the given agent, unless it is about those, and is measured
on the states of Video-GoBench. Each world model gets as many steps as its own FLOPs per step allow (frozen networks
included), so the table does not depend on what else the machine does. The same command goes on after an interruption.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.report import Parser, benchmark, check_states_fit, count, percent, results_file, show, write
from benchmarks.video_gobench import load_states, measure, move_probabilities
from envs.errors import UserError
from train.compose import CONF
from train.export import STAGES, export_go_agent
from train.plan import plan
from train.registry import stage_class

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
    Variant("the likeliest reply alone", ("data.replies=1",)),
    Variant("without an outlook", ("+model.world.outlook=false",)),
    Variant("three codes ahead", ("+model.world.codes=3", "data.horizon=3", "+model.world.frame_share=1")),
    Variant("no stem, four layers more", ("+model.world.stem_blocks=0", "+model.world.layers=6")),
    Variant("AdamW instead of Muon", ("trainer.optimizer=adamw",)),
    Variant("10x10 tokens", ("+model.world.stem_scale=1",), ("+model.tokenizer.parts=1",)),
    Variant("4x4 tokens", (), ("+model.tokenizer.patch=10", "+model.dynamics.patch=10")),
)  # fmt: skip


def step_flops(stage: str, words: Sequence[str]) -> float:
    """Floating-point operations of one optimiser step of a stage; words: of its command."""
    run = plan([(stage, stage, [f"stage={stage}", "out=runs/none", "trainer.steps=1", *words])], CONF)[0]
    samples = run.trainer.batch_size * run.trainer.accumulate
    return float(stage_class(stage)(run.stage).flops_per_sample() * samples)


def steps_within(tflop: float, stage: str, words: Sequence[str]) -> int:
    """How many steps of a stage take `tflop` * 10^12 floating-point operations."""
    return max(1, round(tflop * 1e12 / step_flops(stage, words)))


def train(stage: str, out: Path, words: Sequence[str]) -> dict[str, Any]:
    """Train one stage in a process of its own; returns what it finished with. UserError if it failed."""
    command = [sys.executable, "-m", "train", stage, f"out={out}", *words]
    if subprocess.run(command, check=False).returncode:
        raise UserError(f"{' '.join(command[1:])} did not finish; see above, and give the same command again")
    finished: dict[str, Any] = json.loads((out / "finished.json").read_text(encoding="utf-8"))
    return finished


def train_within(tflop: float, stage: str, out: Path, words: Sequence[str]) -> dict[str, Any]:
    """As `train`, for `tflop` * 10^12 operations."""
    return train(stage, out, [f"trainer.steps={steps_within(tflop, stage, words)}", *words])


def run(variant: Variant, agent: Path, out: Path, tflop: float, limit: int | None) -> dict[str, Any]:
    """Train and measure one variant."""
    folders = dict.fromkeys(STAGES, agent)
    for stage in STAGES[:2] if variant.eyes else ():
        words = [word for word in variant.eyes if f".{stage}." in word]
        train_within(tflop, stage, out / stage, words)
        folders[stage] = out / stage / "checkpoint"
    inputs = [f"inputs.{stage}={folders[stage]}" for stage in STAGES[:2]]
    finished = train_within(tflop, "world", out / "world", [*inputs, *variant.world])
    folders["world"] = out / "world" / "checkpoint"
    if variant.eyes:
        train_within(tflop / 4, "inverse_dynamics", out / "inverse_dynamics", inputs)
        folders["inverse_dynamics"] = out / "inverse_dynamics" / "checkpoint"
    export_go_agent(folders, out / "agent")
    from agents.go_model import load_go_model

    model, states = load_go_model(out / "agent"), load_states(limit=limit)
    figures = measure(move_probabilities(model, states.positions, variant.reader, 1), states)
    transformer = sum(parameter.numel() for parameter in model.world.transformer.parameters())
    return {
        "name": variant.name,
        "steps": finished["step"],
        "seconds": finished["elapsed_seconds"],
        "parameters": transformer,
    } | {key: figures[key] for key in ("legal", "best_move", "value", "best_move_interval")}


@benchmark
def main(arguments: Sequence[str] | None) -> None:
    """Train, measure and print the table."""
    what = "Train variants of the world model with the same arithmetic and compare them."
    parser = Parser(prog="python -m benchmarks.ablations", description=what)
    parser.add_argument("agent", type=Path)
    parser.add_argument("--tflop", type=float, default=20.0, help="10^12 operations for each stage (default: 20)")
    parser.add_argument("--states", type=count, help="measure on the first so many states only")
    parser.add_argument("--out", type=Path, default=Path("runs/ablations"))
    parser.add_argument("--only", nargs="+", metavar="NAME", help="; ".join(variant.name for variant in VARIANTS))
    parser.add_argument("--json", type=results_file, help="also write the figures here")
    options = parser.parse_args(arguments)
    names = [variant.name for variant in VARIANTS]
    for name in options.only or ():
        if name not in names:
            raise UserError(f"there is no variant {name!r}; choose from {'; '.join(names)}")
    if not 0 < options.tflop < float("inf"):
        raise UserError(f"--tflop is {options.tflop:g}; give more than 0")
    from agents.go_model import load_go_model

    check_states_fit(load_go_model(options.agent).geometry)
    results = []
    for variant in VARIANTS:
        if options.only and variant.name not in options.only:
            continue
        folder = options.out / variant.name.replace(" ", "-").replace(",", "")
        results.append(run(variant, options.agent, folder, options.tflop, options.states))
        rows = [
            (r["name"], f"{r['parameters'] / 1e6:.2f} M", str(r["steps"]), percent(r["legal"]), percent(r["best_move"]),
             percent(r["value"]))
            for r in results
        ]  # fmt: skip
        show(f"{options.tflop:g} TFLOP each", rows, ("variant", "parameters", "steps", "legal", "best move", "value"))
        write({"tflop": options.tflop, "variants": results}, options.json)


if __name__ == "__main__":
    sys.exit(main(None))
