"""How fast the play table runs: steps a second with both cameras, with each, and without any.

python -m benchmarks.calvin_env [--assets FOLDER] [--json FILE]
"""

from __future__ import annotations

import importlib.util
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.report import Parser, benchmark, count, results_file, show, write
from envs.calvin.env import CalvinEnv
from envs.tabletop.camera import RENDERERS

CASES: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("both cameras", ("static", "gripper")),
    ("static camera", ("static",)),
    ("gripper camera", ("gripper",)),
    ("physics only", ()),
)


def step_seconds(steps: int, **settings: Any) -> tuple[float, float]:
    """Seconds a step, by the wall's clock and by the processor's, medians after ten steps to warm up.

    The two differ where other work shares the core. Actions are small and drawn by chance.
    """
    env = CalvinEnv(**settings)
    env.reset(seed=0)
    random = np.random.default_rng(0)
    times = []
    for _ in range(steps + 10):
        action = np.append(random.uniform(-0.5, 0.5, 6), random.choice((-1, 1)))
        wall, processor = time.perf_counter(), time.process_time()
        env.step(action)
        times.append((time.perf_counter() - wall, time.process_time() - processor))
    env.close()
    wall, processor = np.median(times[10:], axis=0)
    return float(wall), float(processor)


def setups(options: Any) -> dict[str, dict[str, Any]]:
    """What is measured: name -> settings of the environment."""
    found: dict[str, dict[str, Any]] = {f"built in, {name}": {"renderer": name} for name in options.renderers}
    if options.assets is not None:
        found["official assets, tiny"] = {"assets": options.assets, "renderer": "tiny"}
        found["official assets, fast"] = {"assets": options.assets, "renderer": "fast"}
    if importlib.util.find_spec("calvin_env") is not None:
        found["official package"] = {"backend": "official"}
    return found


@benchmark
def main(arguments: Sequence[str] | None) -> None:
    """Measure and print."""
    what = "Measure the play table's steps a second at CALVIN's sizes, with one process."
    parser = Parser(prog="python -m benchmarks.calvin_env", description=what)
    parser.add_argument("--assets", type=Path, help="also measure on the official assets in this folder")
    parser.add_argument("--renderers", nargs="+", choices=RENDERERS, default=["fast", "tiny"])
    parser.add_argument("--steps", type=count, default=100)
    parser.add_argument("--json", type=results_file, help="also write the figures here")
    options = parser.parse_args(arguments)
    results: dict[str, Any] = {"steps": options.steps}
    rows = []
    for name, settings in setups(options).items():
        row = [name]
        for case, cameras in CASES:
            wall, processor = step_seconds(options.steps, cameras=cameras, **settings)
            results[f"{name}, {case}"] = {"wall_ms": 1000 * wall, "cpu_ms": 1000 * processor}
            row.append(f"{1 / processor:,.0f} ({1000 * wall:.1f} ms)")
        rows.append(tuple(row))
    show("steps a second of processor time (milliseconds by the clock)", rows, ("setup", *(case for case, _ in CASES)))
    write(results, options.json)


if __name__ == "__main__":
    sys.exit(main(None))
