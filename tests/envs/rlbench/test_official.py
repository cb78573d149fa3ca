"""The installed RLBench behind our worlds: against stand-ins everywhere, against the real package where it is."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from envs.errors import UserError
from envs.rlbench import official_install, official_simulator
from envs.rlbench.env import RLBenchEnv
from envs.rlbench.official import LEAD, OfficialWorld, conjugate, times, unit
from envs.rlbench.world import CLOSED, OPEN, STATES, Command, SimulatorError, World

SIZES = {"front": (12, 16), "wrist": (8, 8)}
STILL = np.array([0.0, 0, 0, 1])
SIDEWAYS = np.array([0.0, 0, np.sin(0.1), np.cos(0.1)])  # 0.2 rad about z

Make = Callable[..., OfficialWorld]


@pytest.fixture
def make(sim: Any) -> Iterator[Make]:
    """Worlds on the stand-ins, closed in the end."""
    made: list[OfficialWorld] = []

    def start(**settings: Any) -> OfficialWorld:
        made.append(OfficialWorld(settings.pop("sizes", SIZES), **settings))
        return made[-1]

    yield start
    sim.crash_in.clear()
    for world in made:
        world.close()


def begun(make: Make, task: str = "close_microwave", **settings: Any) -> OfficialWorld:
    world = make(**settings)
    world.reset(task, None, np.random.default_rng(1))
    return world


def moves(sim: Any) -> list[np.ndarray]:
    return [call[1] for call in sim.calls if call[0] == "step"]


# What is observed


def test_an_episode_is_seen_as_the_contract_says(make: Make) -> None:
    world: World = begun(make)
    states = world.states()
    assert {name: len(values) for name, values in states.items()} == {**STATES, "task_low_dim_state": 6}
    assert all(values.dtype == np.float64 and np.isfinite(values).all() for values in states.values())
    assert world.state_size("close_microwave") == 6 and world.variations("close_microwave") == 1
    rgb, depth = world.picture("front")
    assert (rgb.shape, rgb.dtype, depth.shape, depth.dtype) == ((12, 16, 3), np.uint8, (12, 16), np.float32)
    assert depth[0, 0] == 1.5, "metres and not shares of the range"
    assert world.overview(20).shape == (20, 20, 3)
    assert world.info() == {
        "task": "close_microwave",
        "variation": 0,
        "descriptions": ["close microwave", "shut the microwave"],
        "success": False,
        "failed": False,
        "trouble": None,
    }


def test_only_what_is_asked_for_is_drawn(make: Make, sim: Any) -> None:
    world = begun(make, depth=False, renderer="opengl")
    environment = sim.calls[0][1]
    front, overhead = environment.obs_config.front_camera, environment.obs_config.overhead_camera
    assert front.rgb and not front.depth and not front.mask and not front.point_cloud
    assert front.image_size == (16, 12), "RLBench wants the width first"
    assert front.render_mode.name == "OPENGL"
    assert not any((overhead.rgb, overhead.depth, overhead.mask, overhead.point_cloud))
    assert not environment.obs_config.joint_forces and environment.headless
    assert not world.picture("front")[1].any()


def test_without_cameras_the_overview_is_black(make: Make) -> None:
    assert not begun(make, sizes={}).overview(4).any()


def test_the_sign_of_quaternions_is_one_and_the_same(make: Make, sim: Any) -> None:
    sim.flipped = True
    world = begun(make)
    world.act(Command("pose", np.zeros(3), SIDEWAYS, OPEN))
    assert world.states()["gripper_pose"][6] >= 0


def test_states_of_a_task_have_one_length(make: Make) -> None:
    world = make()
    for variation in (2, 0):  # the stand-in's state is longer in later variations
        world.reset("open_drawer", variation, np.random.default_rng(0))
        assert len(world.states()["task_low_dim_state"]) == world.state_size("open_drawer") == 4
        world.reset("open_drawer", variation, np.random.default_rng(0))


# Commands


@pytest.mark.parametrize(("arm", "mode"), [("ik", "EndEffectorPoseViaIK"), ("planning", "EndEffectorPoseViaPlanning")])
def test_commands_become_rlbenchs_actions(make: Make, sim: Any, arm: str, mode: str) -> None:
    world = begun(make, arm=arm)
    assert type(sim.calls[0][1].action_mode.arm_action_mode).__name__ == mode
    before = world.states()["gripper_pose"]
    world.act(Command("pose", np.array([0.01, 0, -0.02]), -3 * SIDEWAYS, CLOSED))
    (action,) = moves(sim)
    assert action == pytest.approx([0.01, 0, -0.02, *SIDEWAYS, 0]), "a unit quaternion, however it was given"
    after = world.states()
    assert after["gripper_pose"][:3] - before[:3] == pytest.approx([0.01, 0, -0.02])
    assert after["gripper_pose"][3:] == pytest.approx(unit(times(SIDEWAYS, before[3:]))), "the turn comes after"
    assert after["gripper_open"] == [0]
    world.act(Command("pose", np.zeros(3), STILL, OPEN))
    assert moves(sim)[-1][7] == 1


def test_deltas_add_up_in_spite_of_lag(make: Make, sim: Any) -> None:
    world = begun(make)
    start = world.states()["gripper_pose"]
    sim.stiffness = 0.5
    for _ in range(3):
        world.act(Command("delta", np.array([0.01, 0, 0]), SIDEWAYS, OPEN))
    sim.stiffness = 1.0
    world.act(Command("delta", np.zeros(3), STILL, OPEN))
    end = world.states()["gripper_pose"]
    assert end[:3] - start[:3] == pytest.approx([0.03, 0, 0])
    thrice = times(SIDEWAYS, times(SIDEWAYS, SIDEWAYS))
    assert end[3:] == pytest.approx(unit(times(thrice, start[3:])))


def test_the_target_does_not_run_away_from_an_arm_that_is_held_up(make: Make, sim: Any) -> None:
    world = begun(make)
    sim.stiffness = 0.0
    for _ in range(20):
        world.act(Command("delta", np.array([0.02, 0, 0]), STILL, OPEN))
        assert world.info()["trouble"] is None
    assert np.linalg.norm(moves(sim)[-1][:3]) == pytest.approx(LEAD)
    world.act(Command("delta", np.array([-0.02, 0, 0]), STILL, OPEN))
    assert moves(sim)[-1][0] == pytest.approx(LEAD - 0.02)


def test_what_the_arm_refuses_is_named_and_the_episode_goes_on(make: Make, sim: Any) -> None:
    world = begun(make)
    before = world.states()["gripper_pose"]
    world.act(Command("pose", np.array([0.3, 0, 0]), STILL, OPEN))
    assert world.info()["trouble"] == "too far from the target", "in one line"
    assert world.states()["gripper_pose"] == pytest.approx(before)
    assert not world.info()["failed"]
    world.act(Command("delta", np.array([0.01, 0, 0]), STILL, OPEN))
    assert world.info()["trouble"] is None
    assert world.states()["gripper_pose"][0] == pytest.approx(before[0] + 0.01)


@pytest.mark.parametrize("name", ["IKError", "ConfigurationPathError", "ConfigurationError", "GripperError"])
def test_a_planner_without_a_path_is_no_crash(make: Make, sim: Any, name: str) -> None:
    world = begun(make)
    sim.refuse.append(getattr(sys.modules["pyrep.errors"], name)())
    world.act(Command("delta", np.zeros(3), STILL, OPEN))
    assert world.info()["trouble"] == name
    world.act(Command("delta", np.zeros(3), STILL, OPEN))
    assert world.info()["trouble"] is None


def test_the_gripper_does_its_part_where_the_arm_refuses(make: Make, sim: Any) -> None:
    world = begun(make)
    world.act(Command("pose", np.array([0.3, 0, 0]), STILL, CLOSED))
    assert world.states()["gripper_open"] == [0]
    assert world.info()["trouble"] == "too far from the target"
    assert moves(sim)[-1] == pytest.approx([0, 0, 0, 0, 0, 0, 1, 0])


# How episodes end


def test_success_and_failure(make: Make, sim: Any) -> None:
    world = begun(make)
    sim.solved_at = 2
    for solved in (False, True):
        world.act(Command("delta", np.zeros(3), STILL, OPEN))
        assert world.info()["success"] == solved and not world.info()["failed"]
    world.reset("close_microwave", 0, np.random.default_rng(0))
    assert not world.info()["success"]
    sim.solved_at, sim.over_at = 99, 1
    world.act(Command("delta", np.zeros(3), STILL, OPEN))
    assert world.info()["failed"] and not world.info()["success"]


def test_a_task_is_loaded_once(make: Make, sim: Any) -> None:
    world = begun(make)
    for task in ("close_microwave", "open_drawer", "open_drawer"):
        world.reset(task, None, np.random.default_rng(0))
    assert [call[1] for call in sim.calls if call[0] == "get_task"] == ["CloseMicrowave", "OpenDrawer"]


def test_episodes_follow_their_seed_alone(make: Make, sim: Any) -> None:
    def draws(seed: int) -> tuple[float, int]:
        world.reset("open_drawer", None, np.random.default_rng(seed))
        return next(call[2] for call in reversed(sim.calls) if call[0] == "reset"), world.info()["variation"]

    world = make()
    draws(0)
    first = draws(5)
    np.random.seed(3)
    expected = np.random.rand(2)
    np.random.seed(3)
    seen = [np.random.rand()]
    assert draws(5) == first, "whatever else was drawn"
    world.act(Command("delta", np.zeros(3), STILL, OPEN))
    seen.append(np.random.rand())
    assert seen == list(expected), "the program's own numbers are left alone"
    assert {draws(seed)[1] for seed in range(20)} == {0, 1, 2}


def test_variations_and_their_descriptions(make: Make) -> None:
    world = make()
    assert world.variations("open_drawer") == 3
    world.reset("open_drawer", 2, np.random.default_rng(0))
    assert world.info()["variation"] == 2 and world.info()["descriptions"] == ["open top drawer"]
    for wrong in (3, -1):
        with pytest.raises(UserError, match=f"open_drawer has no variation {wrong}; give 0 to 2"):
            world.reset("open_drawer", wrong, np.random.default_rng(0))


def test_the_target_is_as_far_ahead_as_the_arm_stays_behind(make: Make, sim: Any) -> None:
    world = begun(make)
    assert world.ahead() == pytest.approx(np.zeros(6))
    sim.stiffness = 0.25
    world.act(Command("delta", np.array([0.02, 0, -0.01]), STILL, OPEN))
    assert world.ahead() == pytest.approx([0.015, 0, -0.0075, 0, 0, 0])


def test_the_environment_hands_its_choices_on(sim: Any) -> None:
    with pytest.raises(UserError, match="renderer 'fast' is unknown to backend 'official'; choose of opengl3, opengl"):
        RLBenchEnv(backend="official", task="close_microwave", renderer="fast")
    with pytest.raises(UserError, match="arm 'planning' is a choice of backend 'official'; leave it out"):
        RLBenchEnv(task="close_microwave", arm="planning")
    env = RLBenchEnv(backend="official", task="close_microwave", renderer="opengl", arm="planning", sizes=8)
    made = next(call[1] for call in sim.calls if call[0] == "Environment")
    assert type(made.action_mode.arm_action_mode).__name__ == "EndEffectorPoseViaPlanning"
    front = made.obs_config.front_camera
    assert front.render_mode.name == "OPENGL" and front.rgb and not front.depth, "nobody asks for depth"
    env.close()


@pytest.mark.parametrize("task", ["make_tea", "Close Microwave", "", "close__box", "../demo", "utils."])
def test_unknown_tasks_are_named(make: Make, task: str) -> None:
    with pytest.raises(UserError, match=r"task '.*' is none of"):
        make().variations(task)


def test_a_task_that_finds_no_place_is_tried_again(make: Make, sim: Any) -> None:
    world = make()
    sim.no_place = 2
    world.reset("close_microwave", 0, np.random.default_rng(0))
    sim.no_place = 3
    with pytest.raises(SimulatorError, match="close_microwave found no place in 3 trials; take another seed"):
        world.reset("close_microwave", 0, np.random.default_rng(0))
    world.reset("close_microwave", 0, np.random.default_rng(0))
    assert sim.calls.count("launch") == 1, "nothing was wrong with the simulator"


def test_demonstrations_become_arrays_and_commands(make: Make, sim: Any) -> None:
    world = make()
    sim.failing_demos = 2
    demo = world.demonstrate("open_drawer", 1, np.random.default_rng(0))
    assert demo is not None
    assert (demo.task, demo.variation, demo.descriptions) == ("open_drawer", 1, ["open middle drawer"])
    assert {name: frames.shape for name, frames in demo.frames.items()} == {
        "front": (4, 12, 16, 3),
        "wrist": (4, 8, 8, 3),
    }
    assert demo.frames["front"][:, 0, 0, 0].tolist() == [0, 1, 2, 3]
    assert demo.states["gripper_pose"].shape == (4, 7) and demo.states["task_low_dim_state"].shape == (4, 4)
    assert [command.gripper for command in demo.commands] == [OPEN, OPEN, CLOSED]
    assert all(command.move == pytest.approx([0.01, 0, -0.02]) for command in demo.commands)
    assert all(command.turn == pytest.approx(STILL) for command in demo.commands)
    sim.failing_demos = 99
    assert world.demonstrate("open_drawer", 1, np.random.default_rng(0), attempts=3) is None
    sim.crash_in |= {"observe"}
    with pytest.raises(SimulatorError):
        world.demonstrate("open_drawer", 1, np.random.default_rng(0))


# Crashes and endings


def test_after_a_crash_reset_starts_another_simulator(make: Make, sim: Any) -> None:
    world = begun(make)
    sim.crash_in.add("step")
    with pytest.raises(SimulatorError, match=r"failed to step \(RuntimeError: The call failed on the V-REP side"):
        world.act(Command("delta", np.zeros(3), STILL, OPEN))
    with pytest.raises(SimulatorError, match=r"call reset\(\) to start another"):
        world.states()
    sim.crash_in = {"shutdown"}
    world.reset("close_microwave", 0, np.random.default_rng(0))
    assert sim.calls.count("launch") == 2 and sim.running == 1
    world.act(Command("delta", np.zeros(3), STILL, OPEN))


@pytest.mark.parametrize("call", ["get_task", "reset", "observe"])
def test_crashes_elsewhere_are_the_same(make: Make, sim: Any, call: str) -> None:
    world = begun(make)
    sim.crash_in.add(call)
    sim.refuse.append(sys.modules["pyrep.errors"].IKError())
    with pytest.raises(SimulatorError, match="CoppeliaSim failed to"):
        if call == "observe":
            world.act(Command("delta", np.zeros(3), STILL, OPEN))
        world.reset("open_drawer", 0, np.random.default_rng(0))
    sim.crash_in.clear()
    world.reset("open_drawer", 0, np.random.default_rng(0))
    assert sim.calls.count("launch") == 2


def test_a_simulator_that_does_not_start_is_cleared_away(make: Make, sim: Any, tmp_path: Path) -> None:
    here = os.getcwd()
    sim.crash_in.add("launch")
    with pytest.raises(SimulatorError, match="CoppeliaSim failed to start"):
        make()
    assert os.getcwd() == here
    sim.crash_in.clear()
    make()


def test_there_is_one_simulator_in_a_process(make: Make, sim: Any) -> None:
    world = make()
    with pytest.raises(UserError, match=r"runs a CoppeliaSim already.* close\(\) the other environment"):
        make()
    world.close()
    world.close()
    assert sim.calls.count("shutdown") == 1
    make()
    assert sim.running == 1
    with pytest.raises(UserError, match="is closed"):
        world.reset("close_microwave", 0, np.random.default_rng(0))


def test_the_end_of_the_program_ends_the_simulator(monkeypatch: pytest.MonkeyPatch, make: Make) -> None:
    kept: list[Any] = []
    monkeypatch.setattr(official_simulator.atexit, "register", kept.append)
    world = make()
    assert kept == [world._simulator.close]


def test_a_forked_worker_is_told_so(monkeypatch: pytest.MonkeyPatch, make: Make, sim: Any) -> None:
    world = begun(make)
    with monkeypatch.context() as forked:
        forked.setattr(official_simulator.os, "getpid", lambda: -1)
        with pytest.raises(UserError, match="does not outlive a fork.* 'spawn'"):
            world.act(Command("delta", np.zeros(3), STILL, OPEN))
        world.close()
    assert "shutdown" not in sim.calls, "it belongs to the other process"
    sim.running = 0


def test_nothing_is_printed_to_stdout(make: Make, capfd: pytest.CaptureFixture[str]) -> None:
    begun(make).close()
    out, err = capfd.readouterr()
    assert out == "" and "CoppeliaSim:loadinfo" in err


def test_before_the_first_reset_there_is_nothing_to_see(make: Make) -> None:
    with pytest.raises(UserError, match=r"call reset\(\) first"):
        make().states()


@pytest.mark.parametrize("choice", [{"arm": "magic"}, {"renderer": "vulkan"}])
def test_unknown_choices_are_named(make: Make, choice: dict[str, str]) -> None:
    with pytest.raises(UserError, match="unknown to backend 'official'; choose of"):
        make(**choice)


def test_rotations() -> None:
    assert times(SIDEWAYS, conjugate(SIDEWAYS)) == pytest.approx(STILL)
    assert unit(np.array([0, 0, 0, -2])) == pytest.approx(STILL)


def test_the_environment_runs_on_it(sim: Any) -> None:
    env = RLBenchEnv(task="open_drawer", backend="official", max_steps=20)
    observation, info = env.reset(seed=4)
    assert observation in env.observation_space and info["instruction"] == info["descriptions"][0]
    observation, reward, terminated, truncated, info = env.step(env.action_space.sample())
    assert observation in env.observation_space and not (reward or terminated or truncated)
    sim.crash_in.add("step")
    with pytest.raises(SimulatorError):
        env.step(env.action_space.sample())
    sim.crash_in.clear()
    env.reset(seed=4)
    sim.solved_at = 1
    assert env.step(env.action_space.sample())[1:4] == (1.0, True, False)
    env.close()
    assert sim.running == 0


# The real package


@pytest.mark.slow
def test_the_real_package() -> None:
    try:
        official_install.load_package()
    except UserError as error:
        pytest.skip(str(error))
    world = OfficialWorld({"front": (96, 128)})
    try:
        world.reset("reach_target", 0, np.random.default_rng(0))
        start = world.states()["gripper_pose"]
        for _ in range(5):
            world.act(Command("delta", np.array([0, 0, -0.01]), STILL, OPEN))
        assert world.info()["trouble"] is None
        assert world.states()["gripper_pose"][:3] - start[:3] == pytest.approx([0, 0, -0.05], abs=0.01)
        assert world.picture("front")[0].shape == (96, 128, 3)
        demo = world.demonstrate("reach_target", 0, np.random.default_rng(0))
        assert demo is not None and len(demo.commands) == len(demo.frames["front"]) - 1
    finally:
        world.close()
