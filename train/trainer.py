"""The training loop: a stage goes in, a run folder with a checkpoint comes out.

The loop knows budgets, devices, states and meters; what is trained, on what, and how well it does, the stage knows.
"""

from __future__ import annotations

import errno
import logging
import math
import time
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from dataclasses import asdict
from typing import Any

import torch
from lightning.fabric import Fabric
from lightning.fabric.utilities.seed import seed_everything
from torch import Tensor, nn

from envs.errors import UserError
from train.hardware import (
    choose_precision,
    describe,
    has_cpp_compiler,
    keep_freed_memory,
    measure_peak,
    probable_device,
)
from train.meters import Reporter, Window, duration, quantity
from train.optim import Ema, build_optimizer
from train.prefetch import Prefetcher
from train.run_folder import RunFolder
from train.settings import Budget, TrainerConfig, learning_rate
from train.stage import Stage
from train.state import (
    Clock,
    load_state,
    optimizer_tensors,
    restore_model,
    restore_optimizer,
    restore_rng,
    rng_tensors,
    save_state,
)
from train.step import Forward, train_step
from train.stopping import Interrupted, Signals

__all__ = ["Interrupted", "Stage", "Trainer", "TrainerConfig", "train_step"]
log = logging.getLogger("train")

# Settings that may change between two commands of one run
_FREE = frozenset(
    {"minutes", "steps", "out", "log_every", "eval_every_minutes", "checkpoint_every_minutes", "prefetch", "compile"}
)
# On GPUs the ranks agree on the clock this often only: reading it waits for the device
_STEPS_PER_AGREEMENT = 10


def run_folder(config: TrainerConfig, name: str, settings: Mapping[str, Any]) -> RunFolder:
    """The folder of a run of the stage `name`, bound to these settings."""
    told = {"name": name, "trainer": _binding(config), "stage": dict(settings)}
    return RunFolder(config.out, told, defaults={"trainer": _binding(TrainerConfig())})


class Trainer:
    """Trains one stage.

    Args:
        config: the loop's settings.
        stage: what is trained; its model already initialised.
        settings: plain values that make this run itself besides `config` (the stage's own settings); kept in `run.json`
            and compared when the run is resumed.
        command: what the run was started with, for its record.

    The run folder `config.out` gets `run.json`, `metrics.jsonl`, `tb/`, `state/`, `checkpoint/` and `finished.json`.
    """

    def __init__(
        self, config: TrainerConfig, stage: Stage, *, settings: Mapping[str, Any] | None = None, command: str = ""
    ) -> None:
        self.config = config
        self.stage = stage
        self.command = command
        self.budget = Budget.of(config)
        self.folder = run_folder(config, stage.name, settings or {})
        self._stop = False

    def run(self, resume: bool = True) -> dict[str, float]:
        """Train until the budget is used up, or go on where an earlier run of the same settings stopped.

        Returns:
            The final evaluation. A run that is finished already returns what it measured then.

        Raises:
            Interrupted: after Ctrl-C or SIGTERM, and on the other ranks after an error on rank 0.
            UserError: the folder belongs to another run, the disk refused, or the loss left the finite numbers.
        """
        self.folder.check(resume)
        done = self.folder.finished(self.budget) if resume else None
        if done is not None:
            log.info("%s: finished already, see %s", self.stage.name, self.folder.checkpoint)
            return done
        try:
            return self._run(resume)
        except OSError as error:
            if error.errno not in (errno.ENOSPC, errno.EDQUOT):
                raise
            raise UserError(
                f"cannot write to {self.folder.path}: {error.strerror}; the last state is kept, "
                "make room and run the same command again"
            ) from error

    def _run(self, resume: bool) -> dict[str, float]:
        self._set_up()
        fabric = self.fabric
        self._on_rank_zero(lambda: self.folder.start(resume))
        self._restore(resume)
        fabric.barrier()
        self.reporter = Reporter(self.folder.path, self.stage.name, self.clock.step, enabled=fabric.is_global_zero)
        try:
            self._introduce()
            with Signals(self._ask_to_stop):
                self._loop()
            if self._stop and self._progress() < 1.0:
                self._save()
                raise Interrupted(
                    f"stopped at step {self.clock.step}, the state is in {self.folder.state}; "
                    "run the same command again to go on"
                )
            return self._finish()
        finally:
            self.reporter.close()

    # -- before the loop --------------------------------------------------------------------------------------------

    def _set_up(self) -> None:
        config, stage = self.config, self.stage
        keep_freed_memory()
        accelerator = {"auto": "auto", "cpu": "cpu", "cuda": "cuda", "mps": "mps"}[config.devices]
        device = probable_device(config.devices, config.num_processes)
        self.precision = choose_precision(config.precision, device)
        self.fabric = Fabric(
            accelerator=accelerator,
            devices=config.num_processes,
            num_nodes=config.num_nodes,
            strategy="auto" if config.num_processes == config.num_nodes == 1 else "ddp",
            precision="bf16-mixed" if self.precision == "bf16" else "32-true",
        )
        self.fabric.launch()
        device = self.fabric.device
        if device.type == "cuda":
            torch.set_float32_matmul_precision("high")
        model = stage.model.to(device)
        model.train()
        # Counting may run the model once: before random states are set, so that it changes no training
        self.flops_per_sample = stage.flops_per_sample()
        seed_everything((config.seed + self.fabric.global_rank) % 2**32, verbose=False)
        self.optimizer = build_optimizer(model, config, device)
        runner: nn.Module = model
        if config.compile and has_cpp_compiler():
            torch._dynamo.config.suppress_errors = True  # what does not compile runs as it is
            runner = torch.compile(model)  # type: ignore[assignment]
        elif config.compile:
            log.info("%s: no C++ compiler found, going on without trainer.compile", stage.name)
        self._forward, self._optimizer = self.fabric.setup(Forward(runner), self.optimizer)
        self.ema = Ema(model, config.ema) if config.ema else None

    def _restore(self, resume: bool) -> None:
        self.clock = Clock()
        self._metrics: dict[str, float] = {}
        saved = load_state(self.folder.state) if resume else None
        if saved is None:
            return
        restore_model(self.stage.model, saved, "model")
        if self.ema is not None:
            restore_model(self.ema.model, saved, "ema")
        restore_optimizer(self.stage.model, self.optimizer, saved.parts["optimizer"])
        rank = self.fabric.global_rank
        own = {key: tensor[rank] for key, tensor in saved.parts["rng"].items()}
        restore_rng(own, self.fabric.device)
        self.clock = saved.clock

    def _introduce(self) -> None:
        fabric, stage, config = self.fabric, self.stage, self.config
        self.samples_per_step = config.batch_size * config.accumulate * fabric.world_size
        self.peak = measure_peak(fabric.device, self.precision) * fabric.world_size
        parameters = list(stage.model.parameters())
        trained = sum(parameter.numel() for parameter in parameters if parameter.requires_grad)
        frozen = sum(parameter.numel() for parameter in parameters) - trained
        tokens = getattr(stage, "tokens_per_sample", None)
        work = self.flops_per_sample * self.samples_per_step
        say = self.reporter.say
        say(
            f"{quantity(trained)}parameters"
            + (f" (and {quantity(frozen)}frozen)" if frozen else "")
            + f", {self.samples_per_step} samples"
            + (f" = {quantity(tokens * self.samples_per_step)}tokens" if tokens else "")
            + " per step"
        )
        self.machine = f"{fabric.world_size} x {describe(fabric.device)}, {self.precision}"
        say(f"{self.machine}, peak {quantity(self.peak)}FLOP/s, {quantity(work)}FLOP per step")
        if self.clock.step:
            say(f"resumed at step {self.clock.step} after {duration(self.clock.elapsed)}")
        self._say_cost(work)
        say(f"writing to {self.folder.path}")

    def _say_cost(self, work: float) -> None:
        config, say = self.config, self.reporter.say
        seconds_left = None if config.minutes is None else max(0.0, config.minutes * 60 - self.clock.elapsed)
        if seconds_left is not None:
            limit = f", or after {config.steps} steps" if config.steps else ""
            say(f"ends in {duration(seconds_left)}, at {_time_of_day(seconds_left)}{limit}; then evaluation and export")
        elif config.steps is not None:
            least = work * (config.steps - self.clock.step) / self.peak
            say(f"ends after {config.steps} steps, in {duration(least)} at the very least (see the ETA)")

    # -- the loop ---------------------------------------------------------------------------------------------------

    def _loop(self) -> None:
        fabric, stage, config = self.fabric, self.stage, self.config
        rank, world = fabric.global_rank, fabric.world_size
        on_progress = getattr(stage, "on_progress", None)
        before, start = self.clock.elapsed, time.perf_counter()
        window = Window()
        next_evaluation = _after(config.eval_every_minutes, before)
        next_save = _after(config.checkpoint_every_minutes, before)
        agreement = _STEPS_PER_AGREEMENT if fabric.device.type == "cuda" else 1
        data = Prefetcher(
            lambda step, micro: stage.batch(step, micro, rank, world, config.batch_size),
            self.clock.step,
            config.accumulate,
            config.prefetch,
        )
        stop = False
        try:
            while True:
                elapsed = before + time.perf_counter() - start
                if world == 1:
                    stop = self._stop
                elif self.clock.step % agreement == 0:
                    elapsed, stop = self._agree(elapsed)
                else:
                    elapsed = self.clock.elapsed
                self.clock = Clock(self.clock.step, elapsed)
                progress = self._progress()
                eta = self.budget.remaining(self.clock.step, elapsed, window.seconds_per_step)
                self.reporter.moved(progress, eta)
                if window.steps and self.clock.step % config.log_every == 0:
                    self._log(window, progress, eta)
                if stop or progress >= 1.0:
                    self._stop = stop
                    break
                if elapsed >= min(next_save, next_evaluation):  # before an export, which may fail
                    with window.paused():
                        self._save()
                    next_save = _after(config.checkpoint_every_minutes, elapsed)
                if elapsed >= next_evaluation:
                    with window.paused():
                        self._evaluate(progress, eta)
                    next_evaluation = _after(config.eval_every_minutes, elapsed)
                window.data_seconds -= time.perf_counter()
                batches = [stage.to_device(data.get(), fabric.device) for _ in range(config.accumulate)]
                window.data_seconds += time.perf_counter()
                if on_progress is not None:
                    on_progress(progress)
                for group in self.optimizer.param_groups:
                    group["lr"] = group["peak_lr"] / config.lr * learning_rate(config, self.clock.step, progress)
                step = train_step(
                    fabric, self._forward, self._optimizer, batches, accumulate=config.accumulate, clip=config.clip
                )
                window.averages.add(step)
                self.clock = Clock(self.clock.step + 1, elapsed)
                window.steps += 1
                if self.ema is not None:
                    self.ema.update(self.clock.step)
        finally:
            data.close()

    def _progress(self) -> float:
        return self.budget.progress(self.clock.step, self.clock.elapsed)

    def _ask_to_stop(self) -> None:
        self._stop = True

    def _agree(self, elapsed: float) -> tuple[float, bool]:
        """The latest clock and any rank's wish to stop, the same on all ranks."""
        ours = torch.tensor([elapsed, float(self._stop)], dtype=torch.float64, device=self.fabric.device)
        agreed = self.fabric.all_reduce(ours, reduce_op="max")
        assert isinstance(agreed, Tensor)
        elapsed, stop = agreed.tolist()
        return elapsed, stop > 0

    def _log(self, window: Window, progress: float, eta: float) -> None:
        means = window.averages.take()
        keys = sorted(means, key=lambda key: (key != "loss", key == "grad_norm"))
        stacked = torch.stack([means[key].to(self.fabric.device) for key in keys])
        if self.fabric.world_size > 1:
            stacked = self.fabric.all_reduce(stacked, reduce_op="mean")  # type: ignore[assignment]
        values = dict(zip(keys, stacked.tolist(), strict=True))
        seconds = window.restart()
        speed = self.samples_per_step * window.counted / seconds
        values["lr"] = self.optimizer.param_groups[0]["lr"]
        values["samples/s"] = speed
        values["data"] = window.data_share
        values["mfu"] = self.flops_per_sample * speed / self.peak

        def report() -> None:
            self._require_finite(values)
            self.reporter.record("train", self.clock, progress, eta, values)

        self._on_rank_zero(report)

    def _require_finite(self, values: dict[str, float]) -> None:
        for key in ("loss", "grad_norm"):
            if not math.isfinite(values[key]):
                raise self._diverged(f"{key} is {values[key]}")

    def _diverged(self, what: str) -> UserError:
        return UserError(
            f"{self.stage.name}: {what} at step {self.clock.step}; the last state is kept, try again with a lower "
            f"trainer.lr (now {self.config.lr:g}) and another out=..."
        )

    # -- evaluation, state, end --------------------------------------------------------------------------------------

    @property
    def _best_model(self) -> nn.Module:
        return self.stage.model if self.ema is None else self.ema.model

    def _on_rank_zero(self, act: Callable[[], None]) -> None:
        """Do something on rank 0 while the others wait; if it fails, all ranks leave instead of waiting for ever."""
        error: Exception | None = None
        if self.fabric.is_global_zero:
            try:
                act()
            except Exception as caught:
                error = caught
        if self.fabric.world_size > 1:
            failed = torch.tensor(float(error is not None), device=self.fabric.device)
            failed = self.fabric.all_reduce(failed, reduce_op="max")  # type: ignore[assignment]
            if error is None and bool(failed):
                raise Interrupted("rank 0 stopped with an error")
        if error is not None:
            raise error

    def _evaluate(self, progress: float, eta: float) -> None:
        """Measure and export on rank 0, leaving the random states as they were."""

        def measure() -> None:
            self.reporter.say("evaluating")
            model = self._best_model
            random_states = rng_tensors(self.fabric.device)
            model.eval()
            with torch.no_grad(), self.fabric.autocast() if self.precision == "bf16" else nullcontext():
                self._metrics = {key: float(value) for key, value in self.stage.evaluate(model).items()}
            self.stage.export(model, self.folder.checkpoint, dict(self._metrics))
            self.stage.model.train()
            restore_rng(random_states, self.fabric.device)
            self.reporter.record("eval", self.clock, progress, eta, self._metrics)

        self._on_rank_zero(measure)

    def _save(self) -> None:
        """Write the training state (rank 0), with the random states of all ranks."""
        everyones = {key: self._gather(tensor) for key, tensor in rng_tensors(self.fabric.device).items()}

        def write() -> None:
            model = self.stage.model
            if not all(bool(torch.isfinite(parameter).all()) for parameter in model.parameters()):
                raise self._diverged("a weight is not finite")
            parts: dict[str, Mapping[str, Tensor]] = {"model": model.state_dict()}
            if self.ema is not None:
                parts["ema"] = self.ema.model.state_dict()
            parts["optimizer"] = optimizer_tensors(model, self.optimizer)
            parts["rng"] = everyones
            save_state(self.folder.state, self.clock, parts)

        self._on_rank_zero(write)

    def _gather(self, tensor: Tensor) -> Tensor:
        """A tensor of every rank, stacked."""
        if self.fabric.world_size == 1:
            return tensor[None]
        ours = tensor.to(self.fabric.device)
        everyones = [torch.empty_like(ours) for _ in range(self.fabric.world_size)]
        torch.distributed.all_gather(everyones, ours)
        return torch.stack(everyones)

    def _finish(self) -> dict[str, float]:
        self._save()
        self._evaluate(1.0, 0.0)
        made = {"command": self.command, "machine": self.machine}
        self._on_rank_zero(lambda: self.folder.finish(self.clock.step, self.clock.elapsed, self._metrics, **made))
        self.reporter.say(f"finished at step {self.clock.step}, checkpoint in {self.folder.checkpoint}")
        return dict(self._metrics)


def _binding(config: TrainerConfig) -> dict[str, Any]:
    """The settings that make a run what it is."""
    return {key: value for key, value in asdict(config).items() if key not in _FREE}


def _after(minutes: float | None, elapsed: float) -> float:
    return math.inf if minutes is None else elapsed + 60.0 * minutes


def _time_of_day(seconds_from_now: float) -> str:
    return time.strftime("%H:%M", time.localtime(time.time() + seconds_from_now))
