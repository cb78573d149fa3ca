"""Questions about one frame in one sequence."""

from __future__ import annotations

import pytest
import torch

from agents.pixellm.language import FRAMES, NOBODYS, Telling, side_by_side
from agents.pixellm.looking import Left
from tests.agents.pixellm.shapes import model_of, stirred


def test_questions_stand_behind_the_image_of_their_frame() -> None:
    """Two of 2 and 3 tokens about the first frame, one of 1 about the second, whose last own slot shows nothing."""
    held = torch.tensor([[True, True, False], [True, False, False], [True, True, True]])
    present = torch.tensor([[True, True], [True, False]])
    layout = side_by_side(held, torch.tensor([0, 1, 0]), present)
    assert layout.owners.shape == layout.positions.shape == (2, 32)
    assert layout.owners[:, :7].tolist() == [
        [FRAMES, FRAMES, 0, 0, 2, 2, 2],
        [FRAMES, NOBODYS, 1, NOBODYS, NOBODYS, NOBODYS, NOBODYS],
    ]
    assert (layout.owners[:, 7:] == NOBODYS).all()
    assert layout.positions[0, :7].tolist() == [0, 1, 2, 3, 2, 3, 4] and layout.positions[1, 2] == 2
    assert (
        layout.places[0, :2].tolist() == [2, 3] and layout.places[1, 0] == 2 and layout.places[2].tolist() == [4, 5, 6]
    )
    sees = [[slot for slot in range(32) if row[slot]] for row in layout.mask[0, 0, :7].tolist()]
    assert sees == [[0], [0, 1], [0, 1, 2], [0, 1, 2, 3], [0, 1, 4], [0, 1, 4, 5], [0, 1, 4, 5, 6]]
    assert layout.mask[1, 0, 2].nonzero().flatten().tolist() == [0, 2]
    assert layout.mask[1, 0, :, 4].nonzero().flatten().tolist() == [4], "nobody else sees padding"


@pytest.mark.parametrize("step", [1, 3])
def test_states_are_those_of_a_question_by_itself(step: int) -> None:
    """Also where an answer is read in steps, and where targets were named in it."""
    torch.manual_seed(0)
    model = model_of(frame_size=16).eval()
    looking, prompts = model.language.looking, torch.tensor([2, 1, 3, 3])
    stirred(looking, 0.3)
    torch.nn.init.zeros_(looking.bias)
    prefix = torch.randn(2, 5, model.config.dim)
    present = torch.tensor([[True] * 5, [True, True, True, False, False]])
    lengths, pictures = torch.tensor([4, 2, 8, 3]), torch.tensor([1, 0, 1, 1])
    ids = torch.randint(0, model.words.vocabulary, (4, 8))
    ids[0, 2] = ids[2, 3] = ids[2, 6] = model.words.codebook[0]
    held = torch.arange(8) < lengths[:, None]
    sight = looking.sight(torch.randn(2, model.config.vision_width, 4, 4), None)
    read = model.language.together(prefix, present, ids, held, pictures, sight=sight, prompts=prompts)
    assert read.hidden.shape == (4, 8, model.config.dim)
    assert read.asked.shape == (4, 2, 16) and read.named.shape == (3, 2, 16)
    for number, (length, frame) in enumerate(zip(lengths.tolist(), pictures.tolist(), strict=True)):
        own, asking = ids[number, None, :length], int(prompts[number])
        x = torch.cat([prefix[frame, None], model.language.embed(own[:, :asking])], 1)
        seen = torch.cat([present[frame, None], torch.ones(1, length, dtype=torch.bool)], 1)
        cells, questions = sight.of(torch.tensor([frame])), torch.arange(5 + asking)[None] >= 5
        states, memory = model.language(x, seen[:, : 5 + asking], sight=cells, words=questions)
        torch.testing.assert_close(memory.asked[0, 0], read.asked[number], rtol=1e-4, atol=1e-5)
        parts = [states[0, 5:]]
        for start in range(asking, length, step):
            part = own[:, start : start + step]
            states, memory = model.language(
                model.language.embed(part), seen[:, : 5 + start + part.shape[1]], memory, ids=part
            )
            parts.append(states[0])
        torch.testing.assert_close(read.hidden[number, :length], torch.cat(parts), rtol=1e-4, atol=1e-5)
        told = [looking.telling(logits) for row, logits in zip([0, 2, 2], read.named, strict=True) if row == number]
        torch.testing.assert_close(memory.told[0, 0], sum(told, torch.zeros(2, 16)), rtol=1e-4, atol=1e-5)


def test_what_was_told_is_not_asked_for_any_more() -> None:
    torch.manual_seed(0)
    looking = model_of(frame_size=8).language.looking
    torch.nn.init.normal_(looking.looks[0].out.weight, std=0.3)
    sight, x = looking.sight(torch.randn(1, 48, 2, 2), None), torch.randn(1, 1, 48)
    told = looking.telling(torch.tensor([9.0, -9.0, -9.0, -9.0]).expand(1, 1, 2, 4))
    left = looking.left(torch.tensor([9.0, 9.0, -9.0, -9.0]).expand(1, 1, 2, 4), told)
    assert left[0, 0].round().tolist() == [[0, 1, 0, 0]] * 2
    one, both = (torch.tensor(marks).expand(1, 1, 2, 4) for marks in ([0.0, 1.0, 0.0, 0.0], [1.0, 1.0, 0.0, 0.0]))
    added, alone, unmarked = (looking(1, x, sight, Left(likely)) for likely in (left, one, both))
    torch.testing.assert_close(added, alone, rtol=1e-2, atol=1e-3)
    assert not torch.allclose(unmarked, alone, rtol=1e-2, atol=1e-2)


def test_slots_see_what_is_left_in_their_state() -> None:
    """Two questions about one frame: the first names a target in slots 4 and 6 each, the second none."""
    held = torch.tensor([[True] * 5, [True] * 2 + [False] * 3])
    pictures = torch.tensor([0, 0])
    layout = side_by_side(held, pictures, torch.ones(1, 2, dtype=torch.bool))
    telling = Telling.of(layout, 2, pictures, torch.tensor([0, 0]), torch.tensor([4, 6]))
    assert telling.questions.tolist() == [0, 1, 0, 0] and telling.numbers.tolist() == [0, 1, 2, 3]
    assert telling.before.tolist() == [[False, False], [False, False], [True, False], [True, True]]
    states = telling.states[0, :7].float().argmax(-1).tolist()
    assert states == [0, 0, 2, 2, 3, 1, 1] and (telling.states.sum(-1) == 1).all()
    likely = torch.tensor([1.0, 2.0, 3.0, 4.0])[None, :, None]
    assert Left(likely, telling.states).at_slots(likely)[0, :7, 0].tolist() == [1, 1, 3, 3, 4, 2, 2]


def test_frames_are_compared_as_if_each_row_had_its_own() -> None:
    torch.manual_seed(0)
    looking = model_of(frame_size=8).language.looking
    specs, states, pictures = torch.randn(3, 2, 4, 128), torch.randn(5, 1, 48), torch.tensor([2, 0, 1, 1, 2])
    for compared in (looking.ask, looking.locate):
        torch.testing.assert_close(compared(states, specs, pictures), compared(states, specs[pictures]))
