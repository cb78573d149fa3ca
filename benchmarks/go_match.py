"""Games between a Go checkpoint and a GTP engine, colours alternating.

    python -m benchmarks.go_match CHECKPOINT --games 100 [--engine gnugo] [--level 10] [--symmetries 1|8]

A game ends with two passes or after 250 moves and is scored by the engine (`final_score`: area with dead stones
removed). GNU Go gets another random seed each game. The agent plays its likeliest legal move; nothing is searched and
nothing is tried again.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path
from typing import Any

from agents.players import AgentPlayer, EnginePlayer
from benchmarks.report import percent, show, wilson, write
from envs.errors import UserError
from envs.go.engines import GtpEngine, engine_command, gnugo_command
from envs.go.renderer import renderer_for
from envs.go.rules import BLACK, WHITE, GoGame, opponent
from envs.go.sgf import write_sgf

MOST_MOVES = 250


def play_game(agent: Any, command: list[str], agent_colour: int, komi: float) -> tuple[GoGame, float]:
    """One game; returns it and the score for the agent in points (infinite where the engine resigned)."""
    game = GoGame(agent.geometry.size, komi=komi)
    me = AgentPlayer(agent, renderer_for(agent.geometry), imagine=False)
    other = EnginePlayer(GtpEngine(command))
    try:
        while not game.is_over and len(game.history) < MOST_MOVES:
            player = me if game.to_move == agent_colour else other
            action = player.choose(game).action
            if action < 0:
                game.resign(game.to_move)
                return game, float("inf") if game.to_move != agent_colour else -float("inf")
            game.play(action)
        answer = other.final_score(game)
    finally:
        other.close()
    sign = {"B": 1, "W": -1}.get(answer[:1].upper(), 0)
    black = sign * float(answer[2:]) if sign else 0.0
    return game, black if agent_colour == BLACK else -black


def main(arguments: list[str] | None = None) -> int:
    """Play the match and print the result."""
    what = "Play a Go checkpoint against a GTP engine."
    parser = argparse.ArgumentParser(prog="python -m benchmarks.go_match", description=what)
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("--games", type=int, default=100)
    parser.add_argument("--engine", default="gnugo", help="gnugo, or a GTP command line in quotes")
    parser.add_argument("--level", type=int, default=10, help="of GNU Go")
    parser.add_argument("--komi", type=float, default=7.0)
    parser.add_argument("--reader", choices=("codes", "frames"), default="codes")
    parser.add_argument("--symmetries", type=int, choices=(1, 8), default=1)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--sgf", type=Path, help="folder for the games")
    parser.add_argument("--json", type=Path, help="also write the figures here")
    options = parser.parse_args(arguments)
    from agents.go_agent import GoAgent

    wins = draws = 0
    scores: list[float] = []
    start = time.perf_counter()
    try:
        agent = GoAgent.load(options.checkpoint, reader=options.reader, symmetries=options.symmetries)
        for number in range(options.games):
            seed = ["--seed", str(options.seed + number + 1)]
            gnugo = options.engine == "gnugo"
            command = gnugo_command(options.level) + seed if gnugo else engine_command(options.engine)
            colour = BLACK if number % 2 == 0 else WHITE
            game, score = play_game(agent, command, colour, options.komi)
            wins, draws = wins + (score > 0), draws + (score == 0)
            scores.append(score)
            if options.sgf is not None:
                options.sgf.mkdir(parents=True, exist_ok=True)
                names = {BLACK: agent.name, WHITE: options.engine}
                black, white = names[colour], names[opponent(colour)]
                write_sgf(game, options.sgf / f"{number:03d}.sgf", black=black, white=white)
            side = "Black" if colour == BLACK else "White"
            print(f"game {number + 1}: {side} {score:+g}, {wins} won", file=sys.stderr)
    except UserError as error:
        print(f"go_match: {error}", file=sys.stderr)
        return 2
    low, high = wilson(wins + draws / 2, len(scores))
    black, white = scores[::2], scores[1::2]
    result = {
        "checkpoint": str(options.checkpoint), "engine": options.engine, "level": options.level, "games": len(scores),
        "wins": wins, "draws": draws, "interval": [low, high], "wins_black": sum(s > 0 for s in black),
        "wins_white": sum(s > 0 for s in white), "symmetries": options.symmetries, "reader": options.reader,
        "seed": options.seed, "seconds_per_game": (time.perf_counter() - start) / max(1, len(scores)),
    }  # fmt: skip
    share = f"{percent((wins + draws / 2) / max(1, len(scores)))} ({percent(low)} to {percent(high)})"
    row = (f"{options.engine} level {options.level}", str(len(scores)), str(wins), str(draws), share)
    show(str(options.checkpoint), [row], ("against", "games", "won", "drawn", "share, 95 % interval"))
    write(result, options.json)
    return 0


if __name__ == "__main__":
    sys.exit(main())
