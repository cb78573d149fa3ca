"""Picture files of every kind: read as they are meant to be seen, or refused in one sentence."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from agents.pixellm import images
from agents.pixellm.images import read_image
from envs.errors import UserError

RED, BLUE = (200, 30, 10), (10, 40, 220)
SIZE = (8, 6)  # width, height


def picture() -> Image.Image:
    """Red on the left, blue on the right."""
    pixels = np.zeros((SIZE[1], SIZE[0], 3), np.uint8)
    pixels[:, :4], pixels[:, 4:] = RED, BLUE
    return Image.fromarray(pixels)


def saved(path: Path, image: Image.Image, kind: str = "PNG", **options: object) -> Path:
    image.save(path, kind, **options)  # type: ignore[arg-type]
    return path


def near(pixel: np.ndarray, colour: tuple[int, int, int], least: int = 12) -> bool:
    return bool(np.abs(pixel.astype(int) - colour).max() <= least)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF", "PPM"])
def test_every_format(tmp_path: Path, kind: str) -> None:
    options = {"quality": 100, "subsampling": 0} if kind == "JPEG" else {"lossless": True} if kind == "WEBP" else {}
    read = read_image(saved(tmp_path / "picture", picture(), kind, **options))
    assert read.pixels.shape == (6, 8, 3) and read.pixels.dtype == np.uint8 and read.notes == ()
    assert near(read.pixels[3, 0], RED) and near(read.pixels[3, 7], BLUE)


@pytest.mark.parametrize("mode", ["P", "RGBA", "CMYK", "YCbCr"])
def test_every_mode_keeps_its_colours(tmp_path: Path, mode: str) -> None:
    kind = "TIFF" if mode in ("CMYK", "YCbCr") else "PNG"
    read = read_image(saved(tmp_path / "picture", picture().convert(mode), kind))
    assert near(read.pixels[3, 0], RED, 40) and near(read.pixels[3, 7], BLUE, 40)


@pytest.mark.parametrize("mode", ["1", "L", "LA"])
def test_grey_pictures(tmp_path: Path, mode: str) -> None:
    grey = Image.fromarray(np.repeat(np.array([[0, 255]], np.uint8), 4, 1)).convert(mode)
    read = read_image(saved(tmp_path / "picture", grey))
    assert read.pixels.shape == (1, 8, 3) and read.pixels[0, 0].tolist() == [0] * 3
    assert read.pixels[0, 7].tolist() == [255] * 3


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_sixteen_bits_keep_their_shades(tmp_path: Path, kind: str) -> None:
    deep = Image.fromarray(np.array([[0, 257 * 100, 65535]], np.uint16))
    read = read_image(saved(tmp_path / "picture", deep, kind))
    assert read.pixels[0, :, 0].tolist() == [0, 100, 255]


def test_what_lets_through_stands_on_white(tmp_path: Path) -> None:
    clear = picture().convert("RGBA")
    clear.putalpha(Image.fromarray(np.repeat(np.array([[255, 0]], np.uint8), 4, 1).repeat(6, 0)))
    palette = picture().convert("P", palette=Image.Palette.ADAPTIVE, colors=2)
    place = palette.getpixel((7, 0))
    for path in (
        saved(tmp_path / "alpha", clear),
        saved(tmp_path / "palette", palette, transparency=place),
    ):
        read = read_image(path)
        assert near(read.pixels[3, 0], RED) and read.pixels[3, 7].tolist() == [255] * 3


@pytest.mark.parametrize(("orientation", "shape", "corner"), [(1, (6, 8), RED), (3, (6, 8), BLUE), (6, (8, 6), RED)])
def test_photographs_are_turned_as_they_were_taken(
    tmp_path: Path, orientation: int, shape: tuple[int, int], corner: tuple[int, int, int]
) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    read = read_image(saved(tmp_path / "photo", picture(), "JPEG", quality=100, subsampling=0, exif=exif))
    assert read.pixels.shape[:2] == shape and near(read.pixels[0, 0], corner)


@pytest.mark.parametrize("kind", ["GIF", "PNG", "WEBP", "TIFF"])
def test_of_several_pictures_the_first_is_taken_and_that_is_told(tmp_path: Path, kind: str) -> None:
    second = Image.new("RGB", SIZE, BLUE)
    path = saved(tmp_path / "moving", Image.new("RGB", SIZE, RED), kind, save_all=True, append_images=[second])
    read = read_image(path)
    assert near(read.pixels[3, 7], RED) and read.notes == (
        "The file holds several pictures; the first is asked about.",
    )


# What cannot be used


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def bomb(side: int) -> bytes:
    """A PNG of a few bytes that says it is `side` pixels wide and high."""
    head = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")


def png() -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (60, 60, 3), dtype=np.uint8)).save(buffer, "PNG")
    return buffer.getvalue()


def fractions() -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(np.zeros((4, 4), np.float32)).save(buffer, "TIFF")
    return buffer.getvalue()


def deeper() -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(np.full((4, 4), 70_000, np.int32)).save(buffer, "TIFF")
    return buffer.getvalue()


REFUSED: dict[str, tuple[Callable[[], bytes], str]] = {
    "text": (lambda: b"Which white stones are in atari?\n", "no picture of a known kind; give a PNG"),
    "nothing": (lambda: b"", "no picture of a known kind"),
    "a program's drawing": (lambda: b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "no picture of a known kind"),
    "cut off": (lambda: png()[: len(png()) // 2], "the picture is damaged, give another file"),
    "damaged": (lambda: png()[:60] + b"\0" * 400 + png()[460:], "the picture is damaged, give another file"),
    "large": (lambda: bomb(6000), "6000x6000 pixels; 25 million are the limit, make it smaller"),
    "huge": (lambda: bomb(40_000), "1600000000 pixels; 25 million are the limit, make it smaller"),
    "fractions": (fractions, "more than 16 bits; save it with 8 bits"),
    "32 bits": (deeper, "more than 16 bits; save it with 8 bits"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_used_is_one_sentence(tmp_path: Path, name: str) -> None:
    make, words = REFUSED[name]
    path = tmp_path / "picture.png"
    path.write_bytes(make())
    with pytest.raises(UserError) as caught:
        read_image(path)
    told = str(caught.value)
    assert str(path) in told and words in told and "\n" not in told


def test_places_that_hold_no_file(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "nothing", Path("a\0b")):
        with pytest.raises(UserError, match="cannot read") as caught:
            read_image(path)
        assert "\n" not in str(caught.value)


def test_pictures_up_to_the_limit_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = saved(tmp_path / "picture", picture())
    monkeypatch.setattr(images, "LARGEST", 48)
    assert read_image(path).pixels.shape == (6, 8, 3)
    monkeypatch.setattr(images, "LARGEST", 47)
    with pytest.raises(UserError, match="8x6 pixels"):
        read_image(path)
