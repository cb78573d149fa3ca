"""The transformer's sequence: what stands where, and who sees what."""

from __future__ import annotations

import math

import pytest
import torch

from agents.videoworld.config import WorldConfig
from agents.videoworld.sequence import Kind, lay_out
from tests.agents.videoworld.untrained import (
    clip,
    every_config,
    transformer,
)


@every_config
@pytest.mark.parametrize("steps", [1, 3])
def test_every_slot_has_one_meaning(config: WorldConfig, steps: int) -> None:
    layout = lay_out(config, steps)
    causal = config.frame_decoding == "causal"
    assert layout.frames.shape == (steps + causal, 4)
    assert layout.codes.shape == (steps, config.codes)
    assert layout.queries.numel() == (0 if causal else steps * 4)
    for kind, slots in ((Kind.FRAME, layout.frames), (Kind.CODE, layout.codes), (Kind.QUERY, layout.queries)):
        assert (layout.kinds[slots.flatten()] == int(kind)).all()
        assert (layout.kinds == int(kind)).sum() == slots.numel()
    marks = (layout.kinds >= int(Kind.FRAME_START)).sum()
    assert marks == config.markers * (2 * (steps + causal) + 2 * steps * (config.codes > 0))
    assert (layout.kinds == int(Kind.INSTRUCTION)).sum() == (config.instruction_dim > 0)
    assert len(lay_out(config, steps)) == len(layout) and lay_out(config, steps) is layout
    for step, prefix in enumerate(layout.prefixes):
        assert prefix > layout.frames[step].max()
        assert (layout.codes[step] >= prefix).all()


@every_config
def test_nobody_sees_what_is_to_be_predicted(config: WorldConfig) -> None:
    steps = 3
    layout = lay_out(config, steps)
    place = torch.arange(len(layout))
    frame_of = torch.full((len(layout),), -1)
    for number, slots in enumerate(layout.frames):
        frame_of[slots] = number
    query_of = torch.full((len(layout),), -1)
    for number, slots in enumerate(layout.queries):
        query_of[slots] = number
    together = ((frame_of[:, None] == frame_of) & (frame_of >= 0)) | ((query_of[:, None] == query_of) & (query_of >= 0))
    later = place[None, :] > place[:, None]
    assert not (layout.mask & later & ~together).any(), "causal from step to step"
    assert layout.mask.diagonal().all()
    same_frame = (frame_of[:, None] == frame_of) & (frame_of >= 0)
    if config.frame_attention == "full":
        assert layout.mask[same_frame].all(), "all of a known frame at once"
    else:
        assert not (layout.mask & same_frame & later).any()
    for slots in layout.queries:
        assert layout.mask[slots][:, slots].all()
        assert not layout.mask[slots.max() + 1 :, slots].any(), "queries are invisible to what follows"
    for step in range(steps):
        reads = layout.code_reads[step]
        if config.codes and config.code_readout == "spatial":
            assert not layout.mask[reads][:, layout.codes[step:].flatten()].any()
        for slot in range(config.codes if config.code_readout == "last" else 0):
            seen = layout.mask[reads[slot]]
            assert not seen[layout.codes[step, slot:]].any() and seen[layout.codes[step, :slot]].all()
        for place_in_frame, read in enumerate(layout.frame_reads[step]):
            seen = layout.mask[read]
            assert seen[layout.codes[step]].all(), "the codes say what the next frame is"
            if len(layout.frames) > step + 1:
                assert not seen[layout.frames[step + 1, place_in_frame:]].any()
            if config.frame_decoding == "causal":
                assert seen[layout.frames[step + 1, :place_in_frame]].all()


@every_config
def test_outputs_do_not_depend_on_the_future(config: WorldConfig) -> None:
    """The mask as the network obeys it: change the last step's frame and codes, and earlier outputs stay."""
    model, layout = transformer(config), lay_out(config, 2)
    ids, codes, told = clip(config, 2)
    other_ids, other_codes = ids.clone(), codes.clone()
    other_ids[:, 1:] = (ids[:, 1:] + 1) % math.prod(config.frame_levels)
    other_codes[:, 1:] = (codes[:, 1:] + 1) % config.code_size
    known = slice(0, len(layout.frames))
    outputs = []
    for frame_ids, said in ((ids, codes), (other_ids, other_codes)):
        x = model.assemble(layout, model.embed_frames(frame_ids[:, known]), said, told, len(layout))
        outputs.append(model.run(x, layout, slice(0, len(layout)))[0])
    end = int(layout.frames[1].min()) - config.markers
    torch.testing.assert_close(outputs[0][:, :end], outputs[1][:, :end])
    assert not torch.allclose(outputs[0][:, end:], outputs[1][:, end:])
