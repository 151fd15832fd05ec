"""Images on disk and in memory.

On disk: 8-bit, lossless where we write.  In memory: `uint8` RGB arrays `(H, W, 3)` at rest and
`float32` RGB tensors `(B, 3, H, W)` in `[0, 1]` where networks and metrics work.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from .errors import ImageError

if TYPE_CHECKING:
    import torch

Pixels = NDArray[np.uint8]
"""`uint8` RGB image, shape `(H, W, 3)`."""

SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff"})
LOSSLESS_SUFFIXES = frozenset({".png", ".bmp", ".tif", ".tiff"})
FORMATS = (
    "PNG",
    "JPEG",
    "WEBP",
    "TIFF",
    "BMP",
)  # whatever the suffix: for PostScript, Pillow runs Ghostscript; MPO is a JPEG
MAX_PIXELS = 8192 * 8192  # refused from the header, before anything is decoded; below Pillow's own limit

Value = TypeVar("Value", np.uint8, np.float32)
Filter = Literal["nearest", "bilinear", "bicubic", "area", "lanczos"]
CV2_FILTER = {
    "nearest": cv2.INTER_NEAREST,
    "bilinear": cv2.INTER_LINEAR,
    "bicubic": cv2.INTER_CUBIC,
    "area": cv2.INTER_AREA,
    "lanczos": cv2.INTER_LANCZOS4,
}


def read(path: Path) -> Pixels:
    """Read one image file.

    Gray and palette images become RGB, which loses nothing; EXIF orientation is applied; an alpha
    channel is dropped only when it is fully opaque.

    Returns:
        `uint8` RGB array `(H, W, 3)`.

    Raises:
        ImageError: the file is missing, not an image, truncated, animated, 16-bit, CMYK, partly
            transparent, or larger than `MAX_PIXELS`.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ImageError(f"{path}: cannot be read ({error.strerror or error})") from None
    return decode(data, str(path))


def decode(data: bytes, name: str) -> Pixels:
    """Decode the bytes of one image file; `name` is what error messages call it.  See `read`."""
    try:
        image = Image.open(io.BytesIO(data), formats=FORMATS)
        _check_header(image, name)
        return np.ascontiguousarray(np.asarray(_as_rgb(image, name), dtype=np.uint8))
    except ImageError:
        raise
    except UnidentifiedImageError:
        raise ImageError(f"{name}: not an image that can be read ({len(data)} bytes)") from None
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):  # the latter where warnings are errors
        raise ImageError(f"{name}: more than {MAX_PIXELS:,} pixels; cut it into tiles first") from None
    except Exception as error:  # Pillow's decoders raise many kinds on damaged bytes
        raise ImageError(f"{name}: damaged image ({error})") from None


def _check_header(image: Image.Image, name: str) -> None:
    width, height = image.size
    if width * height > MAX_PIXELS:
        raise ImageError(f"{name}: {width} x {height} is more than {MAX_PIXELS:,} pixels; cut it into tiles first")
    if getattr(image, "n_frames", 1) > 1 and image.format != "MPO":  # a phone's JPEG with a preview behind it
        raise ImageError(f"{name}: animated or multi-page ({getattr(image, 'n_frames', 0)} frames); save one frame")
    if image.mode.startswith(("I", "F")):
        raise ImageError(f"{name}: more than 8 bits a channel (mode {image.mode}); convert it to 8-bit first")
    if ";16" in str(getattr(image, "tile", "")):  # Pillow would silently keep the upper byte
        raise ImageError(f"{name}: 16 bits a channel; convert it to 8-bit first")
    if image.mode not in {"RGB", "L", "P", "1", "RGBA", "LA", "PA", "RGBX"}:
        raise ImageError(f"{name}: colour mode {image.mode}; convert it to RGB first")


def _as_rgb(image: Image.Image, name: str) -> Image.Image:
    image = ImageOps.exif_transpose(image)
    if image.mode in {"RGBA", "LA", "PA"} or "transparency" in image.info:
        image = image.convert("RGBA")
        if image.getchannel("A").getextrema() != (255, 255):
            raise ImageError(f"{name}: has transparent pixels; flatten it onto a background first")
    return image if image.mode == "RGB" else image.convert("RGB")


# Differences to the row above, runs of equal bytes, Huffman codes: on restored faces as small as zlib's usual matching
# (390 KB at 512 x 512), written and read in half the time (7 and 3 ms)
_PNG_FLAGS = (
    *(cv2.IMWRITE_PNG_COMPRESSION, 1),
    *(cv2.IMWRITE_PNG_FILTER, cv2.IMWRITE_PNG_FILTER_UP),
    *(cv2.IMWRITE_PNG_STRATEGY, cv2.IMWRITE_PNG_STRATEGY_RLE),
)


def encode_png(image: Pixels) -> bytes:
    """Return the image as PNG bytes (lossless, fast compression)."""
    ok, data = cv2.imencode(".png", image[:, :, ::-1], _PNG_FLAGS)
    if not ok:
        raise ImageError(f"OpenCV could not encode an image of shape {image.shape} as PNG")
    return data.tobytes()


def pixel_digest(image: Pixels) -> str:
    """Return the sha256 of the pixels and their shape, whatever file they came from."""
    height, width, channels = image.shape
    digest = hashlib.sha256(f"uint8 {height}x{width}x{channels}\n".encode())
    digest.update(np.ascontiguousarray(image).data)
    return digest.hexdigest()


def resize(image: NDArray[Value], size: tuple[int, int], how: Filter) -> NDArray[Value]:
    """Resize with OpenCV.

    Args:
        image: RGB `(H, W, 3)`, `uint8` (rounded and clipped) or `float32` (may overshoot).
        size: target `(height, width)`.
        how: filter name; OpenCV's `lanczos` has 8 x 8 taps, and none of them antialiases except `area`.
    """
    height, width = size
    if image.shape[:2] == (height, width):
        return image
    return np.asarray(cv2.resize(image, (width, height), interpolation=CV2_FILTER[how]), dtype=image.dtype)


def to_tensor(images: Sequence[Pixels], device: torch.device | str = "cpu") -> torch.Tensor:
    """Stack equal-sized `uint8` RGB images into a `float32` tensor `(B, 3, H, W)` in `[0, 1]`."""
    import torch

    device = torch.device(device)
    if device.type == "cuda":  # the small 8-bit images travel, from memory that the GPU can reach by itself
        stacked = torch.from_numpy(np.stack(images)).pin_memory().to(device, non_blocking=True)
        return stacked.permute(0, 3, 1, 2).float().div_(255).contiguous()
    planes = np.empty((len(images), 3, *images[0].shape[:2]), np.uint8)
    for planar, image in zip(planes, images, strict=True):
        planar[:] = cv2.split(image)
    return torch.from_numpy(planes).float().div_(255)


def to_pixels(images: torch.Tensor, quantise: Literal["round", "truncate"] = "round") -> list[Pixels]:
    """Turn a float tensor `(B, 3, H, W)` into `uint8` RGB images; values are clamped to `[0, 1]`.

    Args:
        images: the output of a restorer.
        quantise: `round` (half to even, as most official scripts) or `truncate` (GPEN, DFDNet).
    """
    scaled = images.detach().clamp(0, 1).mul_(255)
    scaled = scaled.round_() if quantise == "round" else scaled.floor_()
    return [np.asarray(cv2.merge(list(planes)), dtype=np.uint8) for planes in scaled.byte().cpu().numpy()]
