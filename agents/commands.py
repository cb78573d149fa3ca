"""What command lines share: mistakes in one sentence, and the machine that figures come from."""

from __future__ import annotations

import argparse
import os
import platform
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

from envs.errors import UserError


class Parser(argparse.ArgumentParser):
    """Mistakes become one sentence instead of a usage text."""

    def error(self, message: str) -> NoReturn:
        raise UserError(f"{message}; see {self.prog} --help")


def run_command(program: str, body: Callable[[], None]) -> int:
    """Run a command that can go on; returns its exit status: 0, 2 after a mistake of the user, 130 after Ctrl-C."""
    try:
        body()
    except UserError as error:
        print(f"{program}: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("Stopped; the same command goes on.", file=sys.stderr)
        return 130
    return 0


def machine() -> dict[str, Any]:
    """Processor, cores, GPU, torch's version, date."""
    import torch

    name = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.is_file():
        models = [
            line.split(":", 1)[1].strip() for line in info.read_text().splitlines() if line.startswith("model name")
        ]
        name = models[0] if models else name
    device = torch.cuda.get_device_name() if torch.cuda.is_available() else None
    return {
        "cpu": name,
        "cores": os.cpu_count(),
        "gpu": device,
        "torch": torch.__version__,
        "date": time.strftime("%Y-%m-%d"),
    }
