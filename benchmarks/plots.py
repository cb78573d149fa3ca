"""Plots of what the benchmarks and the arena measured.

    python -m benchmarks.plots --gobench FILE --parts FILE --arena FOLDER --out runs/plots

FILEs are those that `video_gobench --json` and `go_parts --json` wrote, FOLDER is that of a finished arena; each of the
three may be left out. Written are accuracy_by_ply.png, reliability.png, code_usage.png and elo.png.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agents.standings import read_standings
from benchmarks.report import Parser, benchmark
from envs.errors import UserError

if TYPE_CHECKING:
    from matplotlib.axes import Axes

COLOURS = {"codes": "#1c5e8c", "frames": "#c06a2c"}


def accuracy_by_ply(axes: Axes, gobench: dict[str, Any]) -> None:
    """Share of states where the likeliest move is the teacher's, by ply, with 95 % intervals."""
    for reader, figures in gobench["readers"].items():
        steps = figures["by_ply"]
        middle = [(step["from"] + step["to"]) / 2 for step in steps]
        share = [100 * step["best_move"] for step in steps]
        errors = [_reach(100 * step["best_move"], *(100 * end for end in step["interval"])) for step in steps]
        axes.errorbar(
            middle,
            share,
            yerr=tuple(zip(*errors, strict=True)),
            marker="o",
            capsize=3,
            color=COLOURS[reader],
            label=reader,
        )
    axes.set(xlabel="ply", ylabel="best move, %", title="Agreement with the teacher by ply")
    axes.set_ylim(0, 100)
    axes.legend(title="read off")


def reliability(axes: Axes, gobench: dict[str, Any]) -> None:
    """How often the likeliest move is the teacher's, against its probability."""
    axes.plot([0, 100], [0, 100], color="0.6", linestyle="--", linewidth=1)
    for reader, figures in gobench["readers"].items():
        bins = figures["reliability"]["bins"]
        label = f"{reader}, error {100 * figures['reliability']['error']:.1f} %"
        sure, share = ([100 * part[key] for part in bins] for key in ("confidence", "best_move"))
        axes.plot(sure, share, marker="o", color=COLOURS[reader], label=label)
    axes.set(xlabel="probability of its move, %", ylabel="it is the teacher's, %", title="Reliability")
    axes.legend()


def code_usage(axes: Axes, parts: dict[str, Any]) -> None:
    """How often each latent code comes, the most frequent first."""
    counts = [count for count in parts["code_usage"] if count]
    axes.bar(range(1, len(counts) + 1), counts, width=1.0, color=COLOURS["codes"])
    axes.set_yscale("log")
    title = f"{len(counts)} of {len(parts['code_usage'])} codes in {parts['clips']} held-out changes"
    axes.set(xlabel="code, by frequency", ylabel="changes", title=title)


def elo_ladder(axes: Axes, standings: dict[str, Any]) -> None:
    """Ratings with 95 % intervals, best on top."""
    ranked = sorted(zip(standings["names"], standings["ratings"], strict=True), key=lambda entry: entry[1].elo)
    for place, (name, rating) in enumerate(ranked):
        colour = "0.4" if name == standings["anchor"] else COLOURS["codes"]
        below, above = _reach(rating.elo, rating.low, rating.high)
        axes.errorbar(rating.elo, place, xerr=[[below], [above]], fmt="o", capsize=4, color=colour)
    axes.set_yticks(range(len(ranked)), [name for name, _ in ranked])
    axes.set(xlabel=f"Elo, {standings['anchor']} = 0", title=f"{standings['games']} games")
    axes.grid(axis="x", alpha=0.3)


def _reach(value: float, low: float, high: float) -> tuple[float, float]:
    """How far an interval reaches to both sides of `value`, which may lie on its edge."""
    return max(0.0, value - low), max(0.0, high - value)


@benchmark
def main(arguments: Sequence[str] | None) -> None:
    """Draw what is given."""
    parser = Parser(prog="python -m benchmarks.plots", description="Plot measured figures.")
    parser.add_argument("--gobench", type=Path, help="JSON of video_gobench")
    parser.add_argument("--parts", type=Path, help="JSON of go_parts")
    parser.add_argument("--arena", type=Path, help="folder of a finished arena")
    parser.add_argument("--out", type=Path, default=Path("runs/plots"))
    options = parser.parse_args(arguments)
    drawings: list[tuple[str, Callable[[Axes, dict[str, Any]], None], dict[str, Any]]] = []
    if options.gobench:
        told = _read(options.gobench, "readers", "video_gobench")
        drawings += [("accuracy_by_ply", accuracy_by_ply, told), ("reliability", reliability, told)]
    if options.parts:
        drawings.append(("code_usage", code_usage, _read(options.parts, "code_usage", "go_parts")))
    if options.arena:
        drawings.append(("elo", elo_ladder, read_standings(options.arena / "ratings.json")))
    if not drawings:
        raise UserError("there is nothing to plot; give --gobench, --parts or --arena")
    try:
        import matplotlib
    except ImportError as error:
        raise UserError("plots need matplotlib; install it with pip install -e '.[dev]'") from error
    matplotlib.use("Agg")
    from matplotlib import pyplot

    options.out.mkdir(parents=True, exist_ok=True)
    for name, draw, told in drawings:
        figure, axes = pyplot.subplots(figsize=(7, 4.5), layout="constrained")
        draw(axes, told)
        path = options.out / f"{name}.png"
        figure.savefig(path, dpi=150)
        pyplot.close(figure)
        print(path)


def _read(path: Path, key: str, source: str) -> dict[str, Any]:
    """The JSON that a benchmark wrote; UserError where it is none of its."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UserError(f"{path} cannot be read ({error}); write it with benchmarks.{source} --json") from error
    if not isinstance(content, dict) or key not in content:
        raise UserError(f"{path} holds no figures of {source}; write it with benchmarks.{source} --json")
    return content


if __name__ == "__main__":
    sys.exit(main(None))
