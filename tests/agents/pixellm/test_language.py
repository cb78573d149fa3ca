"""Questions about one frame in one sequence."""

from __future__ import annotations

import torch

from agents.pixellm.language import FRAMES, NOBODYS, side_by_side
from tests.agents.pixellm.shapes import model_of


def test_questions_stand_behind_the_image_of_their_frame() -> None:
    """Two of 2 and 3 tokens about the first frame, one of 1 about the second, whose last own slot shows nothing."""
    held = torch.tensor([[True, True, False], [True, False, False], [True, True, True]])
    present = torch.tensor([[True, True], [True, False]])
    layout = side_by_side(held, torch.tensor([0, 1, 0]), present)
    assert layout.owners.tolist() == [
        [FRAMES, FRAMES, 0, 0, 2, 2, 2],
        [FRAMES, NOBODYS, 1, NOBODYS, NOBODYS, NOBODYS, NOBODYS],
    ]
    assert layout.positions[0].tolist() == [0, 1, 2, 3, 2, 3, 4] and layout.positions[1, 2] == 2
    assert (
        layout.places[0, :2].tolist() == [2, 3] and layout.places[1, 0] == 2 and layout.places[2].tolist() == [4, 5, 6]
    )
    sees = [[slot for slot in range(7) if row[slot]] for row in layout.mask[0, 0].tolist()]
    assert sees == [[0], [0, 1], [0, 1, 2], [0, 1, 2, 3], [0, 1, 4], [0, 1, 4, 5], [0, 1, 4, 5, 6]]
    assert layout.mask[1, 0, 2].tolist() == [True, False, True, False, False, False, False]
    assert layout.mask[1, 0, :, 4].nonzero().flatten().tolist() == [4], "nobody else sees padding"


def test_states_are_those_of_a_question_by_itself() -> None:
    torch.manual_seed(0)
    model = model_of().eval()
    prefix = torch.randn(2, 5, model.config.dim)
    present = torch.tensor([[True] * 5, [True, True, True, False, False]])
    lengths, pictures = torch.tensor([4, 2, 6, 3]), torch.tensor([1, 0, 1, 1])
    ids = torch.randint(0, model.words.vocabulary, (4, 6))
    held = torch.arange(6) < lengths[:, None]
    together = model.language.together(prefix, present, ids, held, pictures)
    assert together.shape == (4, 6, model.config.dim)
    for number, (length, frame) in enumerate(zip(lengths.tolist(), pictures.tolist(), strict=True)):
        x = torch.cat([prefix[frame, None], model.language.embed(ids[number, None, :length])], 1)
        seen = torch.cat([present[frame, None], torch.ones(1, length, dtype=torch.bool)], 1)
        alone, _ = model.language(x, seen)
        torch.testing.assert_close(together[number, :length], alone[0, 5:], rtol=1e-4, atol=1e-5)
