"""The id buffer of boards, held against the pictures themselves."""

from __future__ import annotations

import numpy as np
import pytest

from envs.go.batch import Positions
from envs.go.renderer import BoardGeometry, renderer_for
from tests.go_games import random_positions

GEOMETRIES = [
    BoardGeometry(9, cell=19),
    BoardGeometry(13, cell=13),
    BoardGeometry(19, cell=9),
    BoardGeometry(5, cell=8),
    BoardGeometry(9, "paper"),
    BoardGeometry(5, "paper"),
]


@pytest.mark.parametrize("geometry", GEOMETRIES, ids=lambda g: f"{g.style}-{g.size}")
def test_a_stone_is_where_the_picture_without_it_is_another(geometry: BoardGeometry) -> None:
    renderer, size = renderer_for(geometry), geometry.size
    position = random_positions(40, size, seed=3).take(slice(30, 31))
    ids = renderer.stone_ids(position)[0]
    assert (ids.dtype, ids.shape) == (np.int16, geometry.frame_shape)
    stones = np.flatnonzero(position.stones[0])
    assert len(stones) > 5 and set(np.unique(ids)) == {-1, *stones}
    plain = position._replace(last_move=np.array([-1], np.int16), ko=np.array([-1], np.int16))
    picture = renderer(plain)[0]
    for point in stones:
        changed = np.zeros(geometry.frame_shape, np.bool_)
        for colour in (1, 2):  # of either colour: black ink below a black stone looks the same
            with_one, without = plain.stones.copy(), plain.stones.copy()
            with_one[0].flat[point], without[0].flat[point] = colour, 0
            pictures = renderer(_join(plain, with_one, without))
            changed |= (pictures[0] != pictures[1]).any(-1)
        mask = ids == point
        assert np.array_equal(mask, changed)
        here = plain.stones.copy()
        here[0].flat[point] = 0
        differs = (renderer(plain._replace(stones=here))[0] != picture).any(-1)
        assert not (differs & ~mask).any() and differs.sum() > 0.8 * mask.sum()


@pytest.mark.parametrize("geometry", GEOMETRIES, ids=lambda g: f"{g.style}-{g.size}")
def test_ids_agree_with_where_points_are(geometry: BoardGeometry) -> None:
    points = geometry.point_map
    assert points.shape == geometry.frame_shape and set(np.unique(points)) >= set(range(geometry.size**2))
    for y in range(0, geometry.frame_size, 5):
        for x in range(0, geometry.frame_size, 7):
            assert points[y, x] == geometry.point_at(y, x)
    full = np.ones((1, geometry.size, geometry.size), np.int8)
    one = np.array([-1], np.int16)
    ids = renderer_for(geometry).stone_ids(Positions(full, np.array([1], np.int8), one, one))[0]
    assert np.array_equal(ids[ids >= 0], points[ids >= 0]), "every stone stays on its point's square"
    for point in range(geometry.size**2):
        y, x = geometry.centre(point)
        assert ids[int(y), int(x)] == point


def _join(like: Positions, *stones: np.ndarray) -> Positions:
    count = len(stones)
    return Positions(np.concatenate(stones), *(np.repeat(field, count) for field in like[1:]))
