"""One robot checkpoint for several worlds: shared networks, and a head and cameras for each."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
import yaml

from agents.robot_agent import RobotAgent, RobotModel, load_robot_model, save_robot_model
from agents.videoworld.inverse_dynamics import InverseMotion
from envs.errors import UserError
from envs.tabletop.canvas import CameraCanvas
from tests.robots import STEPS, tiny_robot, tiny_robot_model


@pytest.fixture
def both(tmp_path: Path) -> tuple[dict[str, RobotModel], Path]:
    """Agents for two worlds, and the checkpoint of both."""
    calvin = tiny_robot_model()
    torch.manual_seed(5)
    head = InverseMotion(calvin.inverse_dynamics.config)
    rlbench = RobotModel(calvin.world, head, CameraCanvas(16, "front", "wrist"), calvin.sentences).eval()
    models = {"calvin": calvin, "rlbench": rlbench}
    return models, save_robot_model(models, tmp_path / "both")


def test_each_world_has_its_head_and_cameras(both: tuple[dict[str, RobotModel], Path]) -> None:
    models, folder = both
    loaded = {world: load_robot_model(folder, world) for world in models}
    for world, model in models.items():
        assert loaded[world].canvas == model.canvas
        for key, tensor in model.state_dict().items():
            torch.testing.assert_close(loaded[world].state_dict()[key], tensor, rtol=1e-3, atol=1e-3)
    heads = [loaded[world].inverse_dynamics.blind.first.weight for world in models]
    assert not torch.allclose(*heads, atol=1e-2)


def test_it_acts_in_each_world_by_its_cameras(both: tuple[dict[str, RobotModel], Path]) -> None:
    picture = np.full((20, 20, 3), 90, np.uint8)
    for world, cameras in (("calvin", ("static", "gripper")), ("rlbench", ("front", "wrist"))):
        agent = RobotAgent.load(both[1], world)
        agent.reset("go left")
        assert agent.act(dict.fromkeys(cameras, picture)).shape == (7,)
        agent.reset("go left")
        with pytest.raises(UserError, match=f"no picture of the camera '{cameras[0]}'"):
            agent.act({"elsewhere": picture})


def test_it_is_as_sure_as_the_model(both: tuple[dict[str, RobotModel], Path]) -> None:
    """Of the likeliest codes too, to which greedy sampling leaves no other."""
    model = both[0]["calvin"]
    agent = RobotAgent(model)
    agent.reset("go left")
    thought = agent.think(dict.fromkeys(("static", "gripper"), np.full((20, 20, 3), 90, np.uint8)))
    told = torch.from_numpy(model.sentences(["go left"]))
    expected = model.world.predict(torch.from_numpy(thought.frame[None])[:, None], told, with_frames=False)
    likeliest = expected.distribution.exp().amax(-1).mean()
    assert 0 < thought.confidence < 1 and thought.confidence == pytest.approx(float(likeliest), abs=1e-6)


def test_a_checkpoint_says_how_often_to_look(both: tuple[dict[str, RobotModel], Path]) -> None:
    """In a world of its own; who asks for something else gets it."""
    models, folder = both
    models["calvin"].replan = 2
    save_robot_model(models, folder)
    own = [RobotAgent.load(folder, world).replan for world in models]
    assert own == [2, STEPS] and RobotAgent.load(folder, "calvin", replan=1).replan == 1
    config = yaml.safe_load((folder / "config.yaml").read_text())
    for wrong in (0, STEPS + 1, "often"):
        config["worlds"]["calvin"]["replan"] = wrong
        (folder / "config.yaml").write_text(yaml.safe_dump(config))
        with pytest.raises(UserError, match="does not describe a robot agent"):
            load_robot_model(folder, "calvin")


def test_a_world_it_does_not_know(tmp_path: Path) -> None:
    folder = tiny_robot(tmp_path / "one")
    with pytest.raises(UserError, match="knows calvin, not rlbench; give another one"):
        load_robot_model(folder, "rlbench")


@pytest.mark.parametrize(
    ("worlds", "message"),
    [({}, "names no worlds"), (["calvin"], "names no worlds"), ({"calvin": 3}, "does not describe the world calvin")],
)
def test_a_damaged_list_of_worlds(tmp_path: Path, worlds: object, message: str) -> None:
    folder = tiny_robot(tmp_path / "one")
    config = yaml.safe_load((folder / "config.yaml").read_text()) | {"worlds": worlds}
    (folder / "config.yaml").write_text(yaml.safe_dump(config))
    with pytest.raises(UserError, match=message):
        load_robot_model(folder, "calvin")


def test_networks_that_are_not_shared_cannot_be_saved_together(tmp_path: Path) -> None:
    with pytest.raises(AssertionError):
        save_robot_model({"calvin": tiny_robot_model(0), "rlbench": tiny_robot_model(1)}, tmp_path / "two")
