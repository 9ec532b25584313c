"""Pictures in any format that Pillow reads, as arrays: upright, in levels from 0 on, one channel or three.

- The orientation that EXIF states is applied.
- Transparent pixels are shown on white, as browsers and viewers do.
- Palettes, CMYK and other colour models become RGB; of an animation the first frame is read.
- Grey pictures have one channel in a set that begins with a grey picture, and three equal ones in a set of colours;
  `channels` says otherwise. Colours become grey by their luma (ITU-R 601-2, Pillow's mode L), in whole levels.
- 16-bit grey keeps its precision: its levels 0 to 65,535 become 0 to 1.
- Pillow's limit on pixels holds, as an error, wherever other libraries of the process have moved it: a small file can
  state a picture that fills the memory.
"""

from __future__ import annotations

import io
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from clearance.data.files import PIXEL_LEVELS, reason_of, require_file
from clearance.data.options import Size
from clearance.errors import FileError, InputError

if TYPE_CHECKING:
    from PIL.Image import Image

DEEP_LEVELS = 65535.0
"""The largest level of a 16-bit picture."""

DEEP_MODES = ("I;16", "I;16L", "I;16B", "I;16N", "I")
"""What Pillow calls grey pictures of more than 8 bits."""

GREY_MODES = ("1", "L", *DEEP_MODES)
"""What Pillow calls pictures without colour and without transparency; `LA` is one with it."""

MOST_PIXELS = 1024**3 // 4 // 3
"""Pillow's limit as it is when it is imported: a quarter of a gigabyte in three channels."""


def read_picture(
    source: Path | bytes, name: str, *, resize: Size | None = None, crop: Size | None = None, grey: bool = False
) -> NDArray[np.float32]:
    """One picture in [0, 1].

    Args:
        source: The file, or its content.
        name: What to call it in messages.
        resize: Its shorter side becomes this, with its proportions kept, or it becomes (height, width); bilinear, over
            all pixels that a new one covers. Before `crop`.
        crop: The centre of this size is kept: a square, or (height, width).
        grey: Colours become grey.

    Returns:
        `(channels, height, width)`, one channel if it is grey.

    Raises:
        FileError: If it is missing, damaged, too large, or of no known format.
        InputError: If it is smaller than `crop`.
    """
    pixels, most = read_levels(source, name, resize=resize, crop=crop, grey=grey)
    planes = pixels[None] if pixels.ndim == 2 else pixels.transpose(2, 0, 1)
    return np.ascontiguousarray(planes.astype(np.float32) / np.float32(most))


def read_levels(
    source: Path | bytes,
    name: str | None = None,
    *,
    resize: Size | None = None,
    crop: Size | None = None,
    grey: bool = False,
) -> tuple[NDArray[np.generic], float]:
    """The levels of one picture, as stored, and the largest that there can be.

    Args:
        source: The file, or its content.
        name: What to call it in messages; by default the file.
        resize: As in `read_picture`.
        crop: As in `read_picture`.
        grey: As in `read_picture`.

    Returns:
        `(height, width)` or `(height, width, 3)`, uint8 and 255; or float32 and 65,535 for 16 bits.

    Raises:
        FileError: As `read_picture`.
        InputError: As `read_picture`.
    """
    from PIL import Image

    called = str(source) if name is None and isinstance(source, Path) else name or "picture"
    if isinstance(source, Path):
        require_file(source)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with Image.open(source if isinstance(source, Path) else io.BytesIO(source)) as opened:
                _check_pixels(*opened.size)
                return _as_levels(_cropped(_resized(_upright(opened, grey=grey), resize), crop, called))
    except Image.DecompressionBombError:
        limit = f"at most {MOST_PIXELS:,} pixels (Pillow's limit)"
        raise FileError(f"{called}: expected a picture of {limit}, got one that states more") from None
    except Image.UnidentifiedImageError:
        raise FileError(f"{called}: expected a picture, got a file that is damaged or of another kind") from None
    except InputError:
        raise
    except Exception as error:  # a damaged picture fails in many ways, and all mean the same
        said = reason_of(error)
        raise FileError(f"{called}: expected a picture, got one that cannot be read ({said})") from None


def _check_pixels(width: int, height: int) -> None:
    from PIL import Image

    if width * height > MOST_PIXELS:
        raise Image.DecompressionBombError


def _upright(image: Image, *, grey: bool) -> Image:
    """The first frame, turned as EXIF states, in mode L, RGB or F (levels of 16 bits)."""  # noqa: DOC501
    from PIL import Image, ImageOps

    image.seek(0)
    turned = ImageOps.exif_transpose(image)
    if turned.mode in DEEP_MODES:
        return turned.convert("I").convert("F")
    if turned.mode == "F":
        raise ValueError("floating-point levels: their units are not known")
    if "A" in turned.getbands() or "a" in turned.getbands() or "transparency" in turned.info:
        clear = turned.convert("RGBA")
        white = Image.new("RGBA", clear.size, (255, 255, 255, 255))
        turned, colours = Image.alpha_composite(white, clear), turned.mode not in ("LA", "La", "L", "1")
    else:
        colours = turned.mode not in GREY_MODES
    return turned.convert("RGB" if colours else "L").convert("L" if grey or not colours else "RGB")


def _resized(image: Image, size: Size | None) -> Image:
    from PIL import Image

    if size is None:
        return image
    if isinstance(size, int):
        factor = size / min(image.size)
        width, height = (max(1, round(side * factor)) for side in image.size)
    else:
        height, width = size
    _check_pixels(width, height)
    return image.resize((width, height), Image.Resampling.BILINEAR)


def _cropped(image: Image, size: Size | None, name: str) -> Image:
    if size is None:
        return image
    height, width = (size, size) if isinstance(size, int) else size
    if width > image.width or height > image.height:
        got = f"one of {image.height}x{image.width}"
        raise InputError(f"{name}: expected a picture of at least {height}x{width} (--crop), got {got}; add --resize")
    left, top = (image.width - width) // 2, (image.height - height) // 2
    return image.crop((left, top, left + width, top + height))


def _as_levels(image: Image) -> tuple[NDArray[np.generic], float]:
    levels = np.asarray(image)
    if image.mode != "F":
        return levels, PIXEL_LEVELS
    if levels.min() < 0 or levels.max() > DEEP_LEVELS:
        raise ValueError("levels outside 0 to 65,535: their units are not known")
    return levels, DEEP_LEVELS
