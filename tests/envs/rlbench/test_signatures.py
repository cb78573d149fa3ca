"""The check of RLBench's source for what the adapter uses, on the stand-ins' source."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks import rlbench_signatures
from tests.envs.rlbench.fake_rlbench import FAKES


def changed(folder: Path, file: str, old: str, new: str) -> Path:
    """A copy of the stand-ins in which something is called differently."""
    for path in FAKES.rglob("*.py"):
        copy = folder / path.relative_to(FAKES)
        copy.parent.mkdir(parents=True, exist_ok=True)
        text = path.read_text(encoding="utf-8")
        if str(path.relative_to(FAKES)) == file:
            assert old in text
            text = text.replace(old, new)
        copy.write_text(text, encoding="utf-8")
    return folder


def test_the_stand_ins_have_what_is_used(capsys: pytest.CaptureFixture[str]) -> None:
    assert rlbench_signatures.main([str(FAKES), "--pyrep", str(FAKES)]) == 0
    out = capsys.readouterr().out
    assert "rlbench 1.2.0: 38 of 38 found" in out and "pyrep 4.1.0.3: 6 of 6 found" in out


@pytest.mark.parametrize(
    ("file", "old", "new", "trouble"),
    [
        ("environment.py", "headless=False", "gui=True", "takes no headless"),
        ("environment.py", 'dataset_root=""', "dataset_root", "wants dataset_root too"),
        ("task_environment.py", "def step(self, action)", "def step(self, pose)", "argument 1 is pose and not action"),
        ("task_environment.py", "return self._seen(), float(success),", "return self._seen(),", "returns 2 values"),
        ("task_environment.py", "def get_observation", "def observe", "no such method"),
        ("backend/observation.py", "self.gripper_open, ", "self.opened, ", "no such attribute"),
        ("backend/exceptions.py", "class InvalidActionError", "class BadAction", "not found"),
        ("action_modes/arm_action_modes.py", "class EndEffectorPoseViaIK", "class PoseViaIK", "not found"),
        ("action_modes/action_mode.py", "(self, arm_action_mode", "(self, arm", "takes no arm_action_mode"),
        ("utils.py", "def name_to_task_class(task_file)", "def name_to_task_class()", "takes no task_file"),
    ],
)
def test_what_has_changed_is_found(tmp_path: Path, file: str, old: str, new: str, trouble: str) -> None:
    source = rlbench_signatures.Source("rlbench", changed(tmp_path, f"rlbench/{file}", old, new))
    troubles = [finding.trouble for finding in rlbench_signatures.compare(source) if finding.trouble]
    assert len(troubles) == 1 and troubles[0].startswith(trouble)


def test_the_exit_status_of_the_check(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        rlbench_signatures.main([str(changed(tmp_path, "rlbench/utils.py", "class InvalidTaskName", "class Unknown"))])
    assert ended.value.code == 1
    assert "37 of 38 found" in capsys.readouterr().out
    assert rlbench_signatures.main([str(tmp_path / "nowhere")]) == 2
    assert "nowhere holds no source of rlbench" in capsys.readouterr().err
