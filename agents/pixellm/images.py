"""Picture files of people -> frames: whatever mode, depth or orientation they come in."""

from __future__ import annotations

import contextlib
import re
import stat
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from envs.errors import UserError

FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF", "PPM")  # not those for which Pillow starts other programs
LARGEST = 25_000_000  # px; a mask of every target has as many
_CURE = "give a PNG, JPEG, WebP, GIF, BMP, TIFF or PPM file"
_DEEP = 257  # a step of 8 bits in 16


@dataclass(frozen=True)
class Picture:
    """A picture uint8 (H, W, 3), and what people should know about how it was read, as sentences."""

    pixels: NDArray[np.uint8]
    notes: tuple[str, ...] = ()


def read_image(path: Path) -> Picture:
    """Read a picture file as it is meant to be seen: turned as its EXIF data say, on white where it lets through.

    Of several pictures in one file the first is taken, which a note says.

    Raises:
        UserError: there is no such file, it is no picture of a known format, it is damaged, it has more than 25 million
            pixels, or pixels of a kind or depth that RGB cannot be made of.
    """
    try:
        status = path.stat()
    except (OSError, ValueError) as error:  # ValueError: a name with a zero byte
        raise UserError(f"cannot read {path}: {getattr(error, 'strerror', None) or error}; check the file") from error
    if not stat.S_ISREG(status.st_mode):  # a pipe might never end
        raise UserError(f"cannot read {path}: it is no file; {_CURE}")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # large and odd files are told below
            with Image.open(path, formats=FORMATS) as image:
                if image.width * image.height > LARGEST:
                    _refuse_large(path, f"{image.width}x{image.height} pixels")
                notes = ("The file holds several pictures; the first is asked about.",) * _is_animated(image)
                image.load()
                return Picture(_as_rgb(image, path), notes)
    except UserError:
        raise
    except Image.UnidentifiedImageError as error:
        raise UserError(f"cannot read {path}: it is no picture of a known kind; {_CURE}") from error
    except Image.DecompressionBombError as error:  # "Image size (400000000 pixels) exceeds ..."
        found = re.search(r"\d+", str(error))
        _refuse_large(path, f"{found[0] if found else 'hundreds of millions of'} pixels")
    except Exception as error:  # Pillow's readers raise whatever a damaged file leads them to
        reason = " ".join(str(error).split())[:120] or type(error).__name__
        raise UserError(f"cannot read {path}: {reason}; the picture is damaged, give another file") from error


def _refuse_large(path: Path, size: str) -> NoReturn:
    raise UserError(f"{path} has {size}; {LARGEST // 10**6} million are the limit, make it smaller") from None


def _is_animated(image: Image.Image) -> bool:
    return bool(getattr(image, "is_animated", False))


def _as_rgb(image: Image.Image, path: Path) -> NDArray[np.uint8]:
    with contextlib.suppress(Exception):  # the picture is good without its EXIF data
        image = ImageOps.exif_transpose(image)
    if image.mode[0] in "IF":  # whole numbers of 16 or 32 bits, and fractions
        return _from_grey(np.asarray(image), image.mode, path)
    if image.mode in ("RGBA", "RGBa", "LA", "La", "PA") or "transparency" in image.info:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, (255, 255, 255, 255)), image)
    try:
        return np.array(image.convert("RGB"))  # Pillow's own memory cannot be written
    except ValueError as error:
        raise UserError(f"{path} has pixels of kind {image.mode!r}; save it as RGB") from error


def _from_grey(values: np.ndarray, mode: str, path: Path) -> NDArray[np.uint8]:
    """Grey values of 16 bits (H, W) as uint8 (H, W, 3); UserError for those of another range."""
    if mode == "F" or values.min() < 0 or values.max() >= 2**16:
        raise UserError(f"{path} has pixels of more than 16 bits; save it with 8 bits a channel")
    grey = ((values.astype(np.uint32) + _DEEP // 2) // _DEEP).astype(np.uint8)
    return np.ascontiguousarray(np.repeat(grey[..., None], 3, axis=2))
