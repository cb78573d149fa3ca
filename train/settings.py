"""What the training loop is told: budget, batch, optimiser, devices, folders."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from envs.errors import UserError

PRECISIONS = ("auto", "fp32", "bf16")
OPTIMIZERS = ("adamw", "muon")
DEVICES = ("auto", "cpu", "cuda", "mps")


@dataclass
class TrainerConfig:
    """Settings of one run. Whichever budget (`minutes`, `steps`) is used up first ends it.

    Raises:
        UserError: a value is of the wrong kind or out of range; the message names the key.
    """

    # Wall-clock minutes of the loop, evaluations and checkpoints included, summed over resumes; None: no limit
    minutes: float | None = None
    # Optimiser steps; None: no limit
    steps: int | None = None
    # Samples per process and micro step: a step sees batch_size * accumulate * num_processes * num_nodes samples
    batch_size: int = 64
    # Micro steps whose gradients are averaged into one step
    accumulate: int = 1
    # adamw, or muon: Muon for the matrices in the middle of the network, AdamW for the rest
    optimizer: str = "adamw"
    # Peak learning rate of AdamW
    lr: float = 1e-3
    # Peak learning rate of Muon
    muon_lr: float = 0.02
    # The cosine ends at lr * min_lr_ratio
    min_lr_ratio: float = 0.05
    # Steps of linear warm-up
    warmup_steps: int = 100
    # Decoupled weight decay, on matrices only (not on embeddings, norms, biases)
    weight_decay: float = 0.05
    betas: Sequence[float] = (0.9, 0.95)
    # Largest gradient norm; 0 leaves gradients as they are
    clip: float = 1.0
    # Decay of the running average of weights that is evaluated and exported; 0 switches it off
    ema: float = 0.999
    # auto: bf16 where the device computes natively in it, else fp32
    precision: str = "auto"
    # auto: a GPU where there is one
    devices: str = "auto"
    # Processes (GPUs) on this machine; -1: all GPUs
    num_processes: int = 1
    num_nodes: int = 1
    seed: int = 0
    # Steps between two log lines
    log_every: int = 50
    # Minutes between evaluations (each also exports the current checkpoint); None: only at the end
    eval_every_minutes: float | None = None
    # Minutes between training states; None: only before evaluations, at the end and at Ctrl-C
    checkpoint_every_minutes: float | None = 5.0
    # torch.compile the model, where a C++ compiler is found
    compile: bool = False
    # Steps' worth of data prepared in the background
    prefetch: int = 2
    # Run folder: state/, checkpoint/, tb/, metrics.jsonl, run.json
    out: str | Path = "runs/run"

    def __post_init__(self) -> None:
        for key in ("steps", "batch_size", "accumulate", "num_nodes", "log_every", "prefetch"):
            self._whole(key, 1)
        for key in ("warmup_steps", "seed"):
            self._whole(key, 0)
        if self.seed >= 2**32:  # numpy takes no larger one
            raise UserError(f"trainer.seed is {self.seed}; choose a whole number below {2**32}")
        self._whole("num_processes", -1)
        if self.num_processes == 0:
            raise UserError("trainer.num_processes is 0; choose 1 or more, or -1 for all GPUs")
        for key in ("minutes", "lr", "muon_lr", "eval_every_minutes", "checkpoint_every_minutes"):
            self._number(key, 0.0, math.inf, open_left=True)
        for key in ("weight_decay", "clip"):
            self._number(key, 0.0, math.inf)
        self._number("min_lr_ratio", 0.0, 1.0)
        self._number("ema", 0.0, 1.0, open_right=True)
        self._choice("precision", PRECISIONS)
        self._choice("optimizer", OPTIMIZERS)
        self._choice("devices", DEVICES)
        if self.num_processes == -1 and self.devices == "cpu":
            raise UserError("trainer.num_processes is -1, all GPUs, but trainer.devices is cpu; choose 1 or more")
        if not isinstance(self.compile, bool):
            raise UserError(f"trainer.compile is {self.compile!r}; choose true or false")
        betas = self.betas
        if isinstance(betas, str) or len(betas) != 2 or not all(_is_number(b) and 0 <= b < 1 for b in betas):
            raise UserError(f"trainer.betas is {betas!r}; choose two numbers in [0, 1), such as [0.9,0.95]")
        self.betas = (float(betas[0]), float(betas[1]))
        self.out = Path(self.out)

    def _whole(self, key: str, least: int) -> None:
        value = getattr(self, key)
        if value is None and key == "steps":
            return
        if isinstance(value, bool) or not isinstance(value, int) or value < least:
            raise UserError(f"trainer.{key} is {value!r}; choose a whole number of at least {least}")

    def _number(self, key: str, low: float, high: float, *, open_left: bool = False, open_right: bool = False) -> None:
        value = getattr(self, key)
        if value is None and key.endswith("minutes"):
            return
        inside = _is_number(value) and low <= value <= high
        if not inside or (open_left and value == low) or (open_right and value == high):
            left, right = "(" if open_left else "[", ")" if open_right or high == math.inf else "]"
            raise UserError(f"trainer.{key} is {value!r}; choose a number in {left}{low:g}, {high:g}{right}")
        setattr(self, key, float(value))

    def _choice(self, key: str, choices: tuple[str, ...]) -> None:
        value = getattr(self, key)
        if value not in choices:
            raise UserError(f"trainer.{key} is {value!r}; choose one of {', '.join(choices)}")


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


@dataclass(frozen=True)
class Budget:
    """How far a run is, in steps or seconds, whichever budget is used up first."""

    steps: int | None
    seconds: float | None

    @classmethod
    def of(cls, config: TrainerConfig) -> Budget:
        """The budget of a run; UserError if it has none."""
        if config.steps is None and config.minutes is None:
            raise UserError("the run has no end; set trainer.minutes=... or trainer.steps=...")
        return cls(config.steps, None if config.minutes is None else config.minutes * 60.0)

    def progress(self, step: int, elapsed: float) -> float:
        """Share of the budget used, 0 to 1, after `step` steps and `elapsed` seconds."""
        shares = []
        if self.steps is not None:
            shares.append(step / self.steps)
        if self.seconds is not None:
            shares.append(elapsed / self.seconds)
        return min(1.0, max(shares))

    def remaining(self, step: int, elapsed: float, seconds_per_step: float) -> float:
        """Seconds to go at the present speed."""
        left = []
        if self.steps is not None:
            left.append((self.steps - step) * seconds_per_step)
        if self.seconds is not None:
            left.append(self.seconds - elapsed)
        return max(0.0, min(left))


def learning_rate(config: TrainerConfig, step: int, progress: float) -> float:
    """Linear warm-up over `warmup_steps`, times a cosine from 1 to `min_lr_ratio` over the budget.

    Args:
        step: steps done before this one.
        progress: share of the budget used, 0 to 1 (steps or time: see `Budget.progress`).
    """
    warmup = min(1.0, (step + 1) / config.warmup_steps) if config.warmup_steps else 1.0
    cosine = 0.5 * (1.0 + math.cos(math.pi * min(1.0, max(0.0, progress))))
    return config.lr * warmup * (config.min_lr_ratio + (1.0 - config.min_lr_ratio) * cosine)
