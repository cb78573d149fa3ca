"""The compiled heart of our own renderer: triangles with a depth buffer, on the CPU.

PyBullet's own software renderer spends most of its time on pixels of large faces; this one draws the same triangles
several times faster, smooths edges by drawing four times as many pixels, and keeps what never moves between frames.
"""

from __future__ import annotations

import numpy as np
from numba import njit

AMBIENT = 0.56
DIFFUSE = 0.46


@njit(cache=True, nogil=True, fastmath=True)
def _texel(pixels, offset, width, height, u, v, out):  # type: ignore[no-untyped-def]
    """Colour at (u, v), repeated beyond 0..1, v upwards."""
    column = min(int((u - np.floor(u)) * width), width - 1)
    row = min(int((1.0 - (v - np.floor(v))) * height), height - 1)
    place = offset + 3 * (max(row, 0) * width + column)
    out[0] = pixels[place]
    out[1] = pixels[place + 1]
    out[2] = pixels[place + 2]


@njit(cache=True, nogil=True, fastmath=True)
def _draw(  # type: ignore[no-untyped-def]
    corners, uvs, tint, texture, label, pixels, textures, focal, image, inverse_depth, labels
):
    """Draw one triangle in front of the camera: corners (3, 3) camera frame, uvs (3, 2), tint (3,) lit colour 0..1."""
    labelled = labels.shape[0] > 0
    height, width = inverse_depth.shape
    x = np.empty(3)
    y = np.empty(3)
    w = np.empty(3)
    for i in range(3):
        w[i] = 1.0 / corners[i, 2]
        x[i] = 0.5 * width + focal * corners[i, 0] * w[i]
        y[i] = 0.5 * height - focal * corners[i, 1] * w[i]
    area = (x[1] - x[0]) * (y[2] - y[0]) - (x[2] - x[0]) * (y[1] - y[0])
    if abs(area) < 1e-9:
        return
    left = max(0, int(np.floor(min(x[0], x[1], x[2]) - 0.5)))
    right = min(width - 1, int(np.ceil(max(x[0], x[1], x[2]) - 0.5)))
    top = max(0, int(np.floor(min(y[0], y[1], y[2]) - 0.5)))
    bottom = min(height - 1, int(np.ceil(max(y[0], y[1], y[2]) - 0.5)))
    if left > right or top > bottom:
        return
    scale = 1.0 / area
    # Barycentric coordinates a (corner 1) and b (corner 2) change by these from pixel to pixel.
    a_x, a_y = (y[2] - y[0]) * scale, -(x[2] - x[0]) * scale
    b_x, b_y = -(y[1] - y[0]) * scale, (x[1] - x[0]) * scale
    offset, columns, rows = textures[texture, 0], textures[texture, 1], textures[texture, 2]
    textured = uvs[0, 0] != uvs[1, 0] or uvs[0, 0] != uvs[2, 0] or uvs[0, 1] != uvs[1, 1] or uvs[0, 1] != uvs[2, 1]
    colour = np.empty(3)
    _texel(pixels, offset, columns, rows, uvs[0, 0], uvs[0, 1], colour)
    red = np.uint8(min(255.0, colour[0] * tint[0]))
    green = np.uint8(min(255.0, colour[1] * tint[1]))
    blue = np.uint8(min(255.0, colour[2] * tint[2]))
    u_0, u_1, u_2 = uvs[0, 0] * w[0], uvs[1, 0] * w[1], uvs[2, 0] * w[2]
    v_0, v_1, v_2 = uvs[0, 1] * w[0], uvs[1, 1] * w[1], uvs[2, 1] * w[2]
    for row in range(top, bottom + 1):
        d_x, d_y = left + 0.5 - x[0], row + 0.5 - y[0]
        a = a_x * d_x + a_y * d_y
        b = b_x * d_x + b_y * d_y
        # Where this row enters and leaves the triangle: each of a, b and 1 - a - b must not be negative.
        first, last = 0.0, float(right - left)
        empty = False
        for value, slope in ((a, a_x), (b, b_x), (1.0 - a - b, -a_x - b_x)):
            if slope > 1e-12:
                first = max(first, np.ceil(-value / slope))
            elif slope < -1e-12:
                last = min(last, np.floor(-value / slope))
            elif value < 0:
                empty = True
        if empty or first > last:
            continue
        for column in range(int(first), int(last) + 1):
            a_here, b_here = a + a_x * column, b + b_x * column
            c_here = 1.0 - a_here - b_here
            near = c_here * w[0] + a_here * w[1] + b_here * w[2]
            place = left + column
            if near <= inverse_depth[row, place]:
                continue
            inverse_depth[row, place] = near
            if textured:
                u = (c_here * u_0 + a_here * u_1 + b_here * u_2) / near
                v = (c_here * v_0 + a_here * v_1 + b_here * v_2) / near
                _texel(pixels, offset, columns, rows, u, v, colour)
                red = np.uint8(min(255.0, colour[0] * tint[0]))
                green = np.uint8(min(255.0, colour[1] * tint[1]))
                blue = np.uint8(min(255.0, colour[2] * tint[2]))
            image[row, place, 0] = red
            image[row, place, 1] = green
            image[row, place, 2] = blue
            if labelled:
                labels[row, place] = label


@njit(cache=True, nogil=True, fastmath=True)
def draw_triangles(  # type: ignore[no-untyped-def]
    points,
    uvs,
    owners,
    colours,
    textures_of,
    labels_of,
    poses,
    light,
    pixels,
    textures,
    focal,
    near,
    image,
    inverse_depth,
    labels,
):
    """Draw triangles into `image` and `inverse_depth`.

    points float (N, 3, 3) in their shapes' frames; uvs float (N, 3, 2); owners int (N,), the shape of each; colours
    float (S, 3); textures_of int (S,); labels_of int16 (N,), what each triangle writes into `labels`; poses float
    (S, 3, 4), shape to camera (x right, y up, z forward); light float (3,), where it comes from, in the camera's frame;
    pixels uint8, all textures one behind the other; textures int (T, 3): offset, width, height; focal length in pixels;
    near in m. image uint8 (H, W, 3); inverse_depth float32 (H, W), 1/m; labels int16 (H, W), or (0, 0) where nobody
    asks for them.
    """
    seen = np.empty((3, 3))
    kept = np.empty((4, 3))
    kept_uvs = np.empty((4, 2))
    tint = np.empty(3)
    for n in range(points.shape[0]):
        shape = owners[n]
        pose = poses[shape]
        behind = 0
        for i in range(3):
            for k in range(3):
                seen[i, k] = (
                    pose[k, 0] * points[n, i, 0]
                    + pose[k, 1] * points[n, i, 1]
                    + pose[k, 2] * points[n, i, 2]
                    + pose[k, 3]
                )
            if seen[i, 2] < near:
                behind += 1
        if behind == 3:
            continue
        e_x, e_y, e_z = seen[1, 0] - seen[0, 0], seen[1, 1] - seen[0, 1], seen[1, 2] - seen[0, 2]
        f_x, f_y, f_z = seen[2, 0] - seen[0, 0], seen[2, 1] - seen[0, 1], seen[2, 2] - seen[0, 2]
        # The camera's frame is left-handed, so a face that looks at the camera has its cross product turned away.
        n_x, n_y, n_z = f_y * e_z - f_z * e_y, f_z * e_x - f_x * e_z, f_x * e_y - f_y * e_x
        if n_x * seen[0, 0] + n_y * seen[0, 1] + n_z * seen[0, 2] >= 0:
            continue  # it looks away
        length = np.sqrt(n_x * n_x + n_y * n_y + n_z * n_z)
        if length < 1e-12:
            continue
        lit = AMBIENT + DIFFUSE * max(0.0, (n_x * light[0] + n_y * light[1] + n_z * light[2]) / length)
        for k in range(3):
            tint[k] = colours[shape, k] * lit
        texture = textures_of[shape]
        if behind == 0:
            _draw(seen, uvs[n], tint, texture, labels_of[n], pixels, textures, focal, image, inverse_depth, labels)
            continue
        count = 0  # cut off what is nearer than the near plane
        for i in range(3):
            j = (i + 1) % 3
            if seen[i, 2] >= near:
                kept[count] = seen[i]
                kept_uvs[count] = uvs[n, i]
                count += 1
            if (seen[i, 2] >= near) != (seen[j, 2] >= near):
                t = (near - seen[i, 2]) / (seen[j, 2] - seen[i, 2])
                kept[count] = seen[i] + t * (seen[j] - seen[i])
                kept_uvs[count] = uvs[n, i] + t * (uvs[n, j] - uvs[n, i])
                count += 1
        for i in range(1, count - 1):
            for k in range(3):
                seen[0, k], seen[1, k], seen[2, k] = kept[0, k], kept[i, k], kept[i + 1, k]
            cut_uvs = np.empty((3, 2))
            for k in range(2):
                cut_uvs[0, k], cut_uvs[1, k], cut_uvs[2, k] = kept_uvs[0, k], kept_uvs[i, k], kept_uvs[i + 1, k]
            _draw(seen, cut_uvs, tint, texture, labels_of[n], pixels, textures, focal, image, inverse_depth, labels)


@njit(cache=True, nogil=True, fastmath=True)
def shrink(image, inverse_depth, far, small, depth):  # type: ignore[no-untyped-def]
    """Average 2 x 2 pixels into `small` uint8 (h, w, 3), and write `depth` float32 (h, w) in m.

    The depth comes from those pixels that are at most 2 cm behind the nearest: at an edge it is the front side's.
    """
    height, width = depth.shape
    horizon = np.float32(1.0 / far)
    for row in range(height):
        i = 2 * row
        for column in range(width):
            j = 2 * column
            for k in range(3):
                total = (
                    np.uint32(image[i, j, k])
                    + np.uint32(image[i, j + 1, k])
                    + np.uint32(image[i + 1, j, k])
                    + np.uint32(image[i + 1, j + 1, k])
                )
                small[row, column, k] = (total + np.uint32(2)) >> np.uint32(2)
            a, b = inverse_depth[i, j], inverse_depth[i, j + 1]
            c, d = inverse_depth[i + 1, j], inverse_depth[i + 1, j + 1]
            nearest = max(max(a, b), max(c, d))
            if nearest <= horizon:
                depth[row, column] = far
                continue
            least = nearest / (np.float32(1.0) + np.float32(0.02) * nearest)
            total_w, members = np.float32(0.0), np.float32(0.0)
            for w in (a, b, c, d):
                if w >= least:
                    total_w += w
                    members += np.float32(1.0)
            depth[row, column] = members / total_w  # 1 / depth is linear on a plane's picture


@njit(cache=True, nogil=True)
def vote(labels, inverse_depth, small):  # type: ignore[no-untyped-def]
    """The label that most of 2 x 2 pixels have, into `small` int16 (h, w); of equals the one in front."""
    for row in range(small.shape[0]):
        for column in range(small.shape[1]):
            most, nearest, winner = 0, np.float32(-1.0), labels[2 * row, 2 * column]
            for k in range(4):
                here = labels[2 * row + k // 2, 2 * column + k % 2]
                near, count = np.float32(0.0), 0
                for other in range(4):
                    i, j = 2 * row + other // 2, 2 * column + other % 2
                    if labels[i, j] == here:
                        count += 1
                        near = max(near, inverse_depth[i, j])
                if count > most or (count == most and near > nearest):
                    most, nearest, winner = count, near, here
            small[row, column] = winner
