"""Motion codes: what moves is said in a few numbers, found from reconstruction alone."""

from __future__ import annotations

import pytest
import torch

from agents.videoworld.config import DynamicsConfig, InverseMotionConfig, TokenizerConfig, WorldConfig
from agents.videoworld.dynamics import LatentDynamicsModel
from agents.videoworld.inverse_dynamics import InverseMotion
from agents.videoworld.motion import MotionCodes
from agents.videoworld.sampling import GREEDY
from agents.videoworld.tokenizer import FrameTokenizer
from agents.videoworld.transformer import VideoTransformer
from agents.videoworld.world import VideoWorld

SETTINGS = {"frame_size": (32, 48), "readout": "motion", "parts": 2, "levels": (5, 4)}


def build(**changes: object) -> LatentDynamicsModel:
    torch.manual_seed(0)
    return LatentDynamicsModel(DynamicsConfig.preset("tiny", **{**SETTINGS, **changes})).eval()


def clips(count: int, length: int = 2) -> torch.Tensor:
    return torch.randint(0, 256, (count, length, 32, 48, 3), dtype=torch.uint8)


def test_shapes_and_ranges() -> None:
    model = build()
    assert (model.n_codes, model.n_where, model.codebook_size) == (2, 1, 20)
    codes = model.encode(clips(6, 3))
    assert codes.shape == (6, 2, 2) and codes.min() >= 0 and codes.max() < 20
    assert model.decode(clips(6)[:, 0], codes).shape == (6, 3, 32, 48, 3)
    loss, metrics = model.train()(clips(4))
    loss.backward()
    assert metrics["loss"] == loss and all(p.grad is not None for p in model.parameters())


def test_vectors_are_those_of_the_codes() -> None:
    model = build(whiten=True)
    assert isinstance(model.net, MotionCodes)
    x = model._channels_first(clips(5))
    said, codes = model.net._say(x)
    torch.testing.assert_close(model.net.vectors(codes), said.detach().float(), atol=1e-5, rtol=0)


def test_a_moving_square_is_told_from_reconstruction_alone() -> None:
    """A bright square moves by one of nine steps; a linear map finds them in the codes."""
    model = build(parts=2, levels=(5, 5), whiten=True, blocks=1, paint_blocks=2).train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=5e-3)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 5e-3, total_steps=200, pct_start=0.1)

    def moved(count: int) -> tuple[torch.Tensor, torch.Tensor]:
        step = torch.randint(-1, 2, (count, 2))
        place = torch.tensor([1, 2]) + torch.zeros_like(step)
        frames = torch.full((count, 2, 32, 48, 3), 40, dtype=torch.uint8)
        for i, (here, there) in enumerate(zip(place.tolist(), (place + step).tolist(), strict=True)):
            for k, (row, column) in enumerate((here, there)):
                frames[i, k, row * 8 : row * 8 + 8, column * 8 : column * 8 + 8] = 220
        return frames, step.float()

    def told() -> float:
        (seen, steps), (held_out, truth) = moved(400), moved(200)
        one_hot = [torch.nn.functional.one_hot(model.encode(x)[:, 0], 25).flatten(1).float() for x in (seen, held_out)]
        weights = torch.linalg.lstsq(one_hot[0].T @ one_hot[0] + 0.1 * torch.eye(50), one_hot[0].T @ steps).solution
        return ((one_hot[1] @ weights).round() == truth).float().mean().item()

    torch.manual_seed(0)
    model.eval()
    assert told() < 0.6
    model.train()
    for _ in range(200):
        loss, _ = model(moved(32)[0])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
    model.eval()
    assert told() > 0.8


def world(**changes: object) -> VideoWorld:
    torch.manual_seed(0)
    tokenizer, dynamics = FrameTokenizer(TokenizerConfig.preset("tiny", frame_size=(32, 48))), build()
    settings = {
        "grid": tokenizer.grid, "frame_levels": tokenizer.levels, "codes": 2, "parts": 2, "places": 1, "whats": 20,
        "code_readout": "last", "instruction_dim": 3, "frame_share": 0.5, **changes,
    }  # fmt: skip
    return VideoWorld(tokenizer, VideoTransformer(WorldConfig.preset("tiny", **settings)), dynamics).eval()


def test_the_world_model_reads_part_after_part() -> None:
    """What it is trained on and what it says when it is asked are the same."""
    system, told = world(), torch.randn(4, 3)
    assert system.dynamics is not None
    transformer, clip = system.transformer, clips(4)
    ids, codes = system.tokenizer.encode(clip), system.dynamics.encode(clip)
    loss, metrics = transformer(ids[:, :-1], codes, ids[:2, -1], told)
    assert torch.isfinite(loss) and set(metrics) == {"frame_loss", "frame_exact", "code_loss", "code_top1"}
    seen = system.predict(clip[:, :1], told, sampler=GREEDY)
    assert seen.codes.shape == (4, 1, 2) and seen.distribution.shape == (4, 2, 20)
    # asked one after another, or all at once with its own answers in their places
    own = transformer(ids[:, :-1], seen.codes, ids[:2, -1], told)[1]
    assert own["code_top1"] == 1
    expected = -seen.distribution.gather(-1, seen.codes[:, 0, :, None]).mean()
    torch.testing.assert_close(own["code_loss"], expected, atol=1e-4, rtol=1e-4)


def test_the_sentence_matters() -> None:
    system, frames = world(), clips(3)[:, :1]
    first, second = (system.predict(frames, told).distribution for told in (torch.ones(3, 3), -torch.ones(3, 3)))
    assert not torch.allclose(first, second)
    with pytest.raises(ValueError, match="follows an instruction"):
        system.predict(frames)


def test_actions_of_a_change() -> None:
    head = InverseMotion(InverseMotionConfig.preset("tiny", steps=3, numbers=4, frame_size=(32, 48))).eval()
    frames = torch.randint(256, (50, 32, 48, 3), dtype=torch.uint8)
    actions = head.actions(torch.randn(50, 4) * 20, frames)
    assert actions.shape == (50, 3, 7) and actions.abs().max() <= 1
    assert set(actions[..., 6].unique().tolist()) <= {-1.0, 1.0}
    assert torch.equal(actions[:, 0], actions[:, 2])


def test_the_frame_tells_what_codes_leave_open() -> None:
    vectors, frames = torch.randn(2, 4), torch.randint(256, (2, 16, 24, 3), dtype=torch.uint8)
    looking = InverseMotion(InverseMotionConfig.preset("tiny", numbers=4, frame_size=(16, 24))).eval()
    blind = InverseMotion(InverseMotionConfig.preset("tiny", numbers=4, frame_size=(16, 24), look=0)).eval()
    for head, differs in ((looking, True), (blind, False)):
        assert torch.equal(head(vectors, frames), head(vectors, frames.flip(0))) != differs
    blind, seeing = looking.readings(vectors, frames)
    said = looking(vectors, frames)
    assert torch.allclose(said[:, :3], (blind + seeing)[:, :3] / 2) and torch.equal(said[:, 3:], seeing[:, 3:])
    with pytest.raises(ValueError, match="look is -1; give 0"):
        InverseMotionConfig(look=-1)


@pytest.mark.parametrize(
    ("changes", "message"),
    [({"readout": "where_what"}, "has 1 part, not 2"), ({"frame_size": (32, 44)}, "must be a multiple of 8 px")],
)
def test_impossible_settings(changes: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        build(**changes)
