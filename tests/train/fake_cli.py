"""`python -m train` with fake stages and the settings of a folder: fake_cli.py CONF STAGE key=value ..."""

from __future__ import annotations

import sys
from pathlib import Path

from train import registry
from train.__main__ import main

FAKE_STAGES = {"first": "tests.train.fakes:FakeStage", "second": "tests.train.fakes:FakeStage"}


def pack(folders: dict[str, Path], target: Path) -> None:
    """An experiment's own way to export."""
    target.write_text(" ".join(folders))


def write_conf(folder: Path) -> Path:
    """A folder of settings with the real trainer group and the fake stages."""
    real = Path(registry.__file__).parent / "conf"
    text = {
        "config.yaml": (real / "config.yaml").read_text(encoding="utf-8").replace("tokenizer: null", "first: null"),
        "data/go9.yaml": "points: 64\n",
        "model/small.yaml": "width: 4\n",
        "model/tiny.yaml": "width: 2\n",
        "stage/first.yaml": (
            "_target_: tests.train.fakes.FakeConfig\nwidth: ${model.width}\n"
            "seed: ${trainer.seed}\npause: 0.0\ndropout: 0.5\n"
        ),
        "stage/second.yaml": (
            "# @package _global_\ntrainer: {lr: 0.02}\n"
            "stage: {_target_: tests.train.fakes.FakeConfig, width: '${model.width}', source: '${inputs.first}'}\n"
        ),
        "experiment/both.yaml": (
            "minutes: 0.02\noverrides: [trainer.log_every=1000]\n"
            "stages:\n- {stage: first, share: 1, overrides: [trainer.lr=0.01]}\n- {stage: second, share: 3}\n"
        ),
    }
    for name in ("default", "cpu", "gpu"):
        text[f"trainer/{name}.yaml"] = (real / "trainer" / f"{name}.yaml").read_text(encoding="utf-8")
    for name, content in text.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content, encoding="utf-8")
    return folder


if __name__ == "__main__":
    registry.STAGES.clear()
    registry.STAGES.update(FAKE_STAGES)
    sys.exit(main(sys.argv[2:], Path(sys.argv[1])))
