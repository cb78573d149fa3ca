"""The Go agent on untrained networks: what holds whatever they have learned."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml

from agents.checkpoint import CheckpointError, save_checkpoint
from agents.go_agent import GoAgent, join_views
from agents.go_model import GoModel, load_go_model, save_go_model
from envs.errors import UserError
from envs.go.batch import legal_moves, transform, transform_points
from envs.go.renderer import BoardGeometry, renderer_for
from tests.go_games import WilfulModel, random_positions, tiny_model

SIZE = 3
GEOMETRY = BoardGeometry(SIZE)


@pytest.fixture(scope="module")
def model() -> GoModel:
    return tiny_model(SIZE)


@pytest.fixture(scope="module")
def folder(model: GoModel, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same, saved."""
    return save_go_model(
        model, tmp_path_factory.mktemp("agent") / "checkpoint", metrics={"world": {"loss": 1.0}}, readme="# tiny\n"
    )


@pytest.fixture
def copy(folder: Path, tmp_path: Path) -> Path:
    """A checkpoint to damage."""
    place = tmp_path / "copy"
    place.mkdir()
    for path in folder.iterdir():
        (place / path.name).write_bytes(path.read_bytes())
    return place


def boards(count: int = 12, seed: int = 0) -> tuple[Any, np.ndarray]:
    positions = random_positions(count, SIZE, seed)
    return positions, renderer_for(GEOMETRY)(positions)


def one_sentence(error: pytest.ExceptionInfo[UserError]) -> None:
    text = str(error.value)
    assert "\n" not in text and "Traceback" not in text and len(text) < 500


# -- probabilities ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("symmetries", [1, 8])
def test_probabilities_of_every_move(model: GoModel, symmetries: int) -> None:
    agent = GoAgent(model, symmetries=symmetries)
    assert (agent.size, agent.geometry) == (SIZE, GEOMETRY)
    _, frames = boards()
    for frame in frames:
        wanted = agent.probabilities(frame)
        assert wanted.shape == (10,) and (wanted >= 0).all()
        assert wanted.sum() == pytest.approx(1, abs=1e-5)
    assert np.ptp([agent.probabilities(frame) for frame in frames], axis=0).max() > 0.001, "it looks at the frame"


def gap(agent: GoAgent, symmetry: int) -> float:
    """The largest difference between the probabilities of turned boards and the turned probabilities."""
    positions, frames = boards(6)
    turned = renderer_for(GEOMETRY)(transform(positions, symmetry))
    places = transform_points(np.arange(SIZE * SIZE + 1), symmetry, SIZE)
    pairs = zip(frames, turned, strict=True)
    return max(float(abs(agent.probabilities(b)[places] - agent.probabilities(a)).max()) for a, b in pairs)


def test_views_are_joined_by_what_most_of_them_see() -> None:
    center, corner = 4, 0
    views = np.zeros((8, 10))
    views[:, center] = 0.6  # the same point under every symmetry
    views[0, corner] = 0.3  # one view alone sees this one, and all leave the rest unread
    joined = join_views(views, 3)
    assert joined[center] > 0.6 and 0 < joined[corner] < 0.3 / 8
    assert joined.sum() < 0.999  # what no view can read stays unread
    np.testing.assert_array_equal(join_views(views[:1], 3), views[0])
    np.testing.assert_allclose(join_views(np.full((8, 10), 0.1), 3), np.full(10, 0.1), atol=1e-4)


@pytest.mark.parametrize("symmetry", range(8))
def test_averaging_over_symmetries_is_even_handed(
    model: GoModel, symmetry: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The turned board gets the turned probabilities; of one look alone this does not hold."""
    assert gap(GoAgent(model, symmetries=8), symmetry) < 1e-5
    wilful = WilfulModel(SIZE)
    monkeypatch.setattr(model, "move_probabilities", wilful.move_probabilities)
    assert gap(GoAgent(model, symmetries=8), symmetry) < 1e-5
    assert symmetry == 0 or gap(GoAgent(model), symmetry) > 0.1


def test_the_frame_reader_needs_no_labels(model: GoModel, monkeypatch: pytest.MonkeyPatch) -> None:
    """It reads moves off imagined pixels: the head that was told labels is never asked."""

    def refuse(*_: Any, **__: Any) -> Any:
        raise AssertionError("the head was asked")

    _, frames = boards(4)
    monkeypatch.setattr(type(model.inverse_dynamics), "move_distribution", refuse)
    monkeypatch.setattr(type(model.inverse_dynamics), "forward", refuse)
    agent = GoAgent(model, reader="frames")
    for frame in frames:
        wanted = agent.probabilities(frame)
        assert wanted.shape == (10,) and (wanted >= 0).all() and wanted.sum() <= 1 + 1e-6
        assert 0 <= agent.decide(frame, imagine=False).action <= 9
    with pytest.raises(AssertionError, match="the head was asked"):
        GoAgent(model).probabilities(frames[0])


def test_the_frame_reader_sees_the_stones_that_appear(model: GoModel, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a world model that draws perfect boards, its moves are the drawn ones, weighted by their codes."""
    positions, frames = boards(1, seed=2)
    legal = np.flatnonzero(legal_moves(positions)[0])
    from envs.go.batch import apply_moves

    def perfect(self: GoModel, encoded: object, codes: torch.Tensor) -> torch.Tensor:
        points = legal[codes.numpy() % len(legal)]
        return torch.from_numpy(renderer_for(GEOMETRY)(apply_moves(positions, points)[0]))

    monkeypatch.setattr(GoModel, "_follow", perfect)
    wanted = GoAgent(model, reader="frames").probabilities(frames[0])
    assert wanted.sum() == pytest.approx(1, abs=1e-5)
    scores, codes = model.code_logprobs(torch.from_numpy(frames))[0].topk(16)
    expected = np.zeros(10)
    np.add.at(expected, legal[codes.numpy() % len(legal)], scores.softmax(-1).numpy())
    np.testing.assert_allclose(wanted, expected, atol=1e-5)


LAST = {"code_readout": "last", "places": 1, "whats": 64}


@pytest.mark.parametrize("settings", [{}, {"codes": 3}, LAST, {**LAST, "codes": 3, "frame_share": 1.0}])
def test_several_futures_of_one_past(settings: dict[str, Any]) -> None:
    """Reading once and following several codes gives the same frames as reading anew for each."""
    model = tiny_model(SIZE, **settings)
    seen = torch.from_numpy(boards(2)[1])
    encoded = model.read(seen)
    logits = model.logits(encoded)
    for code in (0, 5, 0):
        codes = torch.full((2,), code)
        assert torch.equal(model._follow(encoded, codes), model.following(seen, codes))
    assert torch.equal(model.logits(encoded), logits)


# -- decisions -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("temperature", [0.0, 0.001, 1.0, 50.0])
def test_forbidden_moves_are_never_played(model: GoModel, temperature: float) -> None:
    agent = GoAgent(model, temperature=temperature)
    positions, frames = boards(20)
    rng = np.random.default_rng(0)
    for frame, rules in zip(frames, legal_moves(positions), strict=True):
        few = rules & (rng.random(10) < 0.4)
        few[-1] = True
        for legal in (rules, few):
            decision = agent.decide(frame, legal=legal, imagine=False)
            assert legal[decision.action]
            assert all(legal[candidate.point] for candidate in decision.thought.candidates)
            assert not any(legal[rejection.point] for rejection in decision.thought.rejected)


def test_it_passes_when_nothing_it_wants_is_allowed(model: GoModel, monkeypatch: pytest.MonkeyPatch) -> None:
    agent = GoAgent(model)
    _, frames = boards(1)
    assert agent.decide(frames[0], legal=np.zeros(10, bool)).action == 9
    assert agent.decide(frames[0], legal=np.arange(10) == 9).action == 9
    monkeypatch.setattr(agent, "probabilities", lambda frame: np.zeros(10))
    nothing = agent.decide(frames[0])
    assert nothing.action == 9 and nothing.thought.confidence == 1.0


def test_what_it_thought(model: GoModel) -> None:
    agent = GoAgent(model, name="Tiny")
    positions, frames = boards(8)
    for frame, legal in zip(frames, legal_moves(positions), strict=True):
        wanted = agent.probabilities(frame)
        decision = agent.decide(frame, legal=legal)
        thought = decision.thought
        allowed = np.where(legal, wanted, 0)
        allowed /= allowed.sum()
        assert decision.action == allowed.argmax() == thought.candidates[0].point
        odds = [candidate.probability for candidate in thought.candidates]
        assert odds == sorted(odds, reverse=True) and len(odds) <= 10
        np.testing.assert_allclose(odds, allowed[[candidate.point for candidate in thought.candidates]], atol=1e-6)
        assert thought.confidence == pytest.approx(allowed.max(), abs=1e-6)
        assert all(wanted[r.point] >= wanted[decision.action] for r in thought.rejected), "those it wanted more"
        refused = {point for point in range(10) if not legal[point] and wanted[point] > wanted[decision.action]}
        assert {rejection.point for rejection in thought.rejected} == refused
        assert np.array_equal(thought.frame, frame) and thought.milliseconds > 0
        assert thought.imagined is None or (
            thought.imagined.shape == (1, 32, 32, 3) and thought.imagined.dtype == np.uint8
        )
    assert agent.decide(frames[0], imagine=False).thought.imagined is None
    assert agent.name == "Tiny"


def test_what_it_imagines_is_the_frame_of_its_move(model: GoModel) -> None:
    """The likeliest code that the head reads as the move; no frame where no code means it."""
    agent = GoAgent(model)
    _, frames = boards(8)
    head, tokenizer = model.inverse_dynamics, model.world.tokenizer
    every = torch.arange(64)[None]
    for frame in frames:
        seen = torch.from_numpy(frame[None])
        vectors = tokenizer.vectors(tokenizer.encode(seen)).flatten(1, 2)
        meaning = head(every, head.tokens_at(vectors, every)).argmax(-1)[0]
        scores = model.code_logprobs(seen)[0]
        for action in range(10):
            imagined = agent.imagine(frame, 1, action=action)
            meant = (meaning == action).nonzero()[:, 0]
            if len(meant):
                code = meant[scores[meant].argmax()][None]
                assert np.array_equal(imagined, model.following(seen, code).numpy())
                further = agent.imagine(frame, 3, action=action)
                assert further.shape == (3, 32, 32, 3) and np.array_equal(further[:1], imagined)
                rest = model.world.imagine(torch.from_numpy(imagined)[:, None], steps=2)[0]
                assert np.array_equal(further[1:], rest.numpy()), "each frame on top of the one before"
            else:
                assert imagined.shape == (0, 32, 32, 3)
        assert len(agent.imagine(frame, 2)) == 2


def test_sampling_follows_the_seed_and_the_probabilities(model: GoModel) -> None:
    _, frames = boards(1)

    def draw(seed: int, temperature: float = 1.0, count: int = 40) -> list[int]:
        agent = GoAgent(model, temperature=temperature, seed=seed)
        wanted = agent.probabilities(frames[0])
        agent.probabilities = lambda frame: wanted  # type: ignore[method-assign]  # only the dice matter here
        return [agent.decide(frames[0], imagine=False).action for _ in range(count)]

    assert draw(1) == draw(1) != draw(2)
    best = GoAgent(model).decide(frames[0], imagine=False).action
    assert set(draw(0, temperature=0.0)) == {best} == set(draw(0, temperature=1e-6))
    wanted = GoAgent(model).probabilities(frames[0])
    shares = np.bincount(draw(3, count=3000), minlength=10) / 3000
    np.testing.assert_allclose(shares, wanted / wanted.sum(), atol=0.04)


@pytest.mark.parametrize("shape", [(32, 32), (40, 40, 3), (1, 32, 32, 3), (32, 32, 4)])
def test_a_frame_of_another_size_is_refused(model: GoModel, shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"this agent looks at \(32, 32, 3\)"):
        GoAgent(model).decide(np.zeros(shape, np.uint8))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"temperature": -1.0}, "temperature is -1.0"),
        ({"temperature": float("nan")}, "temperature is nan"),
        ({"symmetries": 4}, "symmetries is 4"),
        ({"reader": "minds"}, "unknown reader 'minds'"),
    ],
)
def test_impossible_settings(model: GoModel, settings: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        GoAgent(model, **settings)


# -- checkpoints -----------------------------------------------------------------------------------------------------


def test_a_saved_agent_plays_the_same(model: GoModel, folder: Path) -> None:
    _, frames = boards()
    seen = torch.from_numpy(frames)
    loaded = load_go_model(folder)
    assert loaded.geometry == model.geometry and not loaded.training
    assert not any(parameter.requires_grad for parameter in loaded.parameters())
    rounded = tiny_model(SIZE)
    rounded.load_state_dict(model.state_dict())
    rounded.world.transformer.half().float()  # as it is stored
    for reader in ("codes", "frames"):
        assert torch.equal(loaded.move_probabilities(seen, reader), rounded.move_probabilities(seen, reader))
    torch.testing.assert_close(loaded.move_probabilities(seen), model.move_probabilities(seen), atol=1e-3, rtol=0)
    agent = GoAgent.load(folder, symmetries=8, name="Loaded")
    assert (agent.name, agent.symmetries) == ("Loaded", 8)
    again = GoAgent(rounded, symmetries=8).probabilities(frames[0])
    np.testing.assert_array_equal(agent.probabilities(frames[0]), again)
    assert sorted(path.name for path in folder.iterdir()) == [
        "README.md",
        "config.yaml",
        "metrics.json",
        "model.safetensors",
    ]
    assert yaml.safe_load((folder / "config.yaml").read_text())["frames"] == {"size": 3, "style": "modern", "cell": 8}


def test_saving_twice_gives_the_same_bytes(model: GoModel, tmp_path: Path) -> None:
    one, other = (save_go_model(model, tmp_path / name) for name in ("a", "b"))
    for name in ("config.yaml", "model.safetensors"):
        assert (one / name).read_bytes() == (other / name).read_bytes()


def refused(folder: Path) -> str:
    with pytest.raises(CheckpointError) as error:
        GoAgent.load(folder)
    one_sentence(error)
    return str(error.value)


def test_missing_and_foreign_folders(tmp_path: Path) -> None:
    assert "no checkpoint folder" in refused(tmp_path / "nowhere")
    (tmp_path / "empty").mkdir()
    assert "config.yaml" in refused(tmp_path / "empty")
    save_checkpoint(tmp_path / "foreign", {"kind": "tokenizer"}, {"a": torch.zeros(1)})
    assert "'tokenizer' checkpoint, not a Go agent" in refused(tmp_path / "foreign")
    save_checkpoint(tmp_path / "unnamed", {}, {"a": torch.zeros(1)})
    assert "'foreign' checkpoint" in refused(tmp_path / "unnamed")


@pytest.mark.parametrize("share", [0.0, 0.001, 0.5, 0.99])
def test_truncated_weights(copy: Path, share: float) -> None:
    weights = copy / "model.safetensors"
    whole = weights.read_bytes()
    weights.write_bytes(whole[: int(share * len(whole))])
    assert "model.safetensors is truncated" in refused(copy)


def test_missing_weights(copy: Path) -> None:
    (copy / "model.safetensors").unlink()
    assert "has no model.safetensors" in refused(copy)


def change(folder: Path, part: str, **values: Any) -> None:
    """Edit a part of config.yaml; None takes a key away."""
    config = yaml.safe_load((folder / "config.yaml").read_text())
    target = config[part]
    for key, value in values.items():
        target[key] = value
        if value is None:
            del target[key]
    (folder / "config.yaml").write_text(yaml.safe_dump(config))


@pytest.mark.parametrize(
    ("part", "values"),
    [
        ("tokenizer", {"colour": "red"}),
        ("tokenizer", {"patch": 0}),
        ("tokenizer", {"width": -3}),
        ("dynamics", {"readout": "mind"}),
        ("world", {"heads": 5}),
        ("world", {"heads": 0}),
        ("world", {"dim": "wide"}),
        ("world", {"grid": 7}),
        ("inverse_dynamics", {"width": 1.5}),
        ("frames", {"style": "baroque"}),
        ("frames", {"size": 1}),
        ("frames", {"size": "large"}),
    ],
)
def test_impossible_settings_in_a_checkpoint(copy: Path, part: str, values: dict[str, Any]) -> None:
    change(copy, part, **values)
    assert "config.yaml does not describe a Go agent" in refused(copy)


@pytest.mark.parametrize(
    ("part", "values"), [("world", {"dim": 64}), ("inverse_dynamics", {"actions": 82}), ("tokenizer", {"width": 16})]
)
def test_weights_of_another_configuration(copy: Path, part: str, values: dict[str, Any]) -> None:
    change(copy, part, **values)
    assert "another configuration" in refused(copy) or "another model" in refused(copy)


def test_frames_that_do_not_fit_the_networks(copy: Path) -> None:
    change(copy, "frames", size=9)
    assert "config.yaml does not describe a Go agent" in refused(copy)


def test_a_config_that_lacks_a_part(copy: Path) -> None:
    config = yaml.safe_load((copy / "config.yaml").read_text())
    del config["world"]
    (copy / "config.yaml").write_text(yaml.safe_dump(config))
    assert "does not describe a Go agent" in refused(copy)
    (copy / "config.yaml").write_text("kind: [go_agent\n")
    assert "config.yaml" in refused(copy)
    (copy / "config.yaml").write_bytes(b"\x00\xff\xfe")
    assert "config.yaml" in refused(copy)
