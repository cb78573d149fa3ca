"""Turns in space: matrices (3, 3), unit quaternions xyzw (4,), and vectors (3,), axis times angle in rad."""

from __future__ import annotations

import numpy as np


def rotation_vector(turn: np.ndarray) -> np.ndarray:
    """Axis times angle (rad) of a matrix that turns by less than pi."""
    sine = 0.5 * np.array([turn[2, 1] - turn[1, 2], turn[0, 2] - turn[2, 0], turn[1, 0] - turn[0, 1]])
    size = float(np.sqrt(sine @ sine))
    angle = np.arctan2(size, (turn[0, 0] + turn[1, 1] + turn[2, 2] - 1) / 2)
    return sine * (angle / size if size > 1e-12 else 1.0)


def turn_by(vector: np.ndarray) -> np.ndarray:
    """The matrix that turns about a vector's axis by its length."""
    return matrix_of(quaternion_by(vector))


def quaternion_by(vector: np.ndarray) -> np.ndarray:
    """The quaternion that turns about a vector's axis by its length."""
    angle = float(np.linalg.norm(vector))
    share = 0.5 if angle < 1e-9 else np.sin(angle / 2) / angle
    return np.append(share * np.asarray(vector, np.float64), np.cos(angle / 2))


def matrix_of(quaternion: np.ndarray) -> np.ndarray:
    """The matrix of a unit quaternion."""
    x, y, z, w = quaternion
    return np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
            [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
            [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
        ]
    )


def quaternion_of(turn: np.ndarray) -> np.ndarray:
    """The quaternion of a matrix, with w >= 0."""
    # The largest of the four is taken from the diagonal, so that nothing small is divided by.
    trace = np.trace(turn)
    squares = np.array([*(1 + 2 * np.diag(turn) - trace), 1 + trace])
    largest = int(np.argmax(squares))
    pairs = np.zeros((4, 4))
    for i, j, k in ((0, 1, 2), (1, 2, 0), (2, 0, 1)):
        pairs[j, k] = pairs[k, j] = turn[k, j] + turn[j, k]
        pairs[i, 3] = pairs[3, i] = turn[k, j] - turn[j, k]
    quaternion = pairs[largest].copy()
    quaternion[largest] = squares[largest]
    quaternion /= np.linalg.norm(quaternion)
    return quaternion if quaternion[3] >= 0 else -quaternion
