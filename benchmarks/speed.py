"""How fast frames are drawn, and how long the Go agent takes for a move and for its start.

python -m benchmarks.speed assets/checkpoints/go9-small [--json FILE]
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.report import Parser, benchmark, check_states_fit, count, results_file, show, write
from benchmarks.video_gobench import load_states
from envs.go.renderer import BoardGeometry, BoardRenderer
from train.data.go_records import ASSETS

ROOT = Path(__file__).parents[1]


def milliseconds(work: Callable[[int], Any], runs: int) -> list[float]:
    """Wall milliseconds of `work(0)` .. `work(runs - 1)`, after three runs to warm up."""
    times = []
    for number in range(-3, runs):
        start = time.perf_counter()
        work(max(number, 0))
        if number >= 0:
            times.append(1000 * (time.perf_counter() - start))
    return times


def render_speed(geometry: BoardGeometry, frames: int = 2000) -> float:
    """Frames a second on one core, best of five."""
    positions = load_states().positions.take(slice(frames))
    renderer = BoardRenderer(geometry)
    return frames / min(milliseconds(lambda _: renderer(positions), 5)) * 1000


def engine_command(checkpoint: Path) -> list[str]:
    """What starts the GTP engine."""
    return [sys.executable, str(ROOT / "play.py"), "gtp", "--checkpoint", str(checkpoint)]


def first_answer_ms(checkpoint: Path, runs: int = 9) -> float:
    """Milliseconds from starting `play.py gtp` to the whole answer of `list_commands`, median."""
    times = []
    for _ in range(runs):
        start = time.perf_counter()
        with subprocess.Popen(engine_command(checkpoint), stdin=subprocess.PIPE, stdout=subprocess.PIPE) as engine:
            assert engine.stdin is not None and engine.stdout is not None
            engine.stdin.write(b"list_commands\n")
            engine.stdin.flush()
            while engine.stdout.readline().strip():  # an empty line ends the answer
                pass
            times.append(1000 * (time.perf_counter() - start))
            engine.kill()
    return statistics.median(times)


def start_seconds(checkpoint: Path, runs: int = 3) -> float:
    """Seconds from starting `play.py gtp` to its first genmove answered, median."""
    times = []
    for _ in range(runs):
        start = time.perf_counter()
        command = engine_command(checkpoint)
        subprocess.run(command, input="genmove b\nquit\n", text=True, capture_output=True, check=True, timeout=300)
        times.append(time.perf_counter() - start)
    return statistics.median(times)


@benchmark
def main(arguments: Sequence[str] | None) -> None:
    """Measure and print."""
    what = "Measure drawing, thinking and starting."
    parser = Parser(prog="python -m benchmarks.speed", description=what)
    parser.add_argument("checkpoint", type=Path, nargs="?", default=ASSETS / "checkpoints" / "go9-small")
    parser.add_argument("--moves", type=count, default=50)
    parser.add_argument("--json", type=results_file, help="also write the figures here")
    options = parser.parse_args(arguments)
    from agents.go_agent import GoAgent

    agent = GoAgent.load(options.checkpoint)
    check_states_fit(agent.geometry)
    averaged = GoAgent.load(options.checkpoint, symmetries=8)
    frames = BoardRenderer(agent.geometry)(load_states(limit=options.moves).positions)
    results: dict[str, Any] = {"threads": torch.get_num_threads()}
    results["render_frames_per_second"] = render_speed(agent.geometry)
    players = [
        ("move_ms_codes", agent, False),
        ("move_ms_frame", agent, True),
        ("move_ms_codes_8_symmetries", averaged, False),
    ]
    if agent.model.has_outlook:
        players += [
            (f"move_ms_lookahead_{visits}", GoAgent(agent.model, lookahead=visits), False) for visits in (64, 256)
        ]
    for name, player, imagine in players:

        def decide(i: int, player: GoAgent = player, imagine: bool = imagine) -> object:
            return player.decide(frames[i], imagine=imagine)

        times = milliseconds(decide, options.moves)
        results[name] = statistics.median(times)
        results[f"{name}_p95"] = float(np.percentile(times, 95))
    results["list_commands_ms"] = first_answer_ms(options.checkpoint)
    results["start_to_first_move_seconds"] = start_seconds(options.checkpoint)
    show("speed", [(name, f"{value:,.1f}") for name, value in results.items()], ("what", "figure"))
    write({"checkpoint": str(options.checkpoint), **results}, options.json)


if __name__ == "__main__":
    sys.exit(main(None))
