"""Every kind of image file is read exactly or refused with a reason."""

import io
import struct
import unicodedata
import zlib
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from PIL import Image

from restorebench.bench.errors import ImageError
from restorebench.bench.images import (
    MAX_PIXELS,
    Pixels,
    decode,
    encode_png,
    pixel_digest,
    read,
    resize,
    to_pixels,
    to_tensor,
)

RGB = np.random.default_rng(0).integers(0, 256, (24, 20, 3), dtype=np.uint8)
WIDE = np.random.default_rng(1).integers(0, 65536, (24, 20, 4), dtype=np.uint16)
PICTURE = Image.fromarray(RGB)


def saved(image: Image.Image, form: str = "PNG", **options: Any) -> bytes:
    file = io.BytesIO()
    image.save(file, form, **options)
    return file.getvalue()


def written(suffix: str, image: np.ndarray) -> bytes:
    """Encode with OpenCV, which writes what Pillow does not."""
    return cv2.imencode(suffix, image)[1].tobytes()


def png_header(width: int, height: int) -> bytes:
    """Return a PNG that promises pixels and has none."""
    parts = [(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)), (b"IDAT", b"")]
    chunks = [
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in parts
    ]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


@pytest.mark.parametrize("form", ["PNG", "BMP", "TIFF"])
def test_a_lossless_file_is_read_exactly(form: str) -> None:
    np.testing.assert_array_equal(decode(saved(PICTURE, form), "x"), RGB)


def test_our_own_png_is_read_exactly_by_us_and_by_others() -> None:
    data = encode_png(RGB)
    np.testing.assert_array_equal(decode(data, "x"), RGB)
    np.testing.assert_array_equal(np.asarray(Image.open(io.BytesIO(data))), RGB)


def test_pixels_are_contiguous_8_bit_rgb() -> None:
    image = decode(saved(PICTURE, "JPEG"), "x")
    assert (image.shape, image.dtype, image.flags.c_contiguous) == ((24, 20, 3), np.uint8, True)


@pytest.mark.parametrize("mode", ["L", "1", "LA"])
def test_a_gray_image_becomes_three_equal_channels(mode: str) -> None:
    gray = PICTURE.convert(mode)
    expected = np.asarray(gray.convert("L"))
    np.testing.assert_array_equal(decode(saved(gray), "x"), np.dstack([expected] * 3))


def test_a_palette_image_becomes_its_colours() -> None:
    palette = PICTURE.convert("P", palette=Image.Palette.ADAPTIVE, colors=16)
    np.testing.assert_array_equal(decode(saved(palette), "x"), np.asarray(palette.convert("RGB")))


@pytest.mark.parametrize("unused", [{}, {"transparency": (1, 2, 3)}])
def test_alpha_that_hides_nothing_is_dropped(unused: dict[str, Any]) -> None:
    image = PICTURE if unused else PICTURE.convert("RGBA")
    np.testing.assert_array_equal(decode(saved(image, **unused), "x"), RGB)


def test_one_barely_transparent_pixel_is_refused() -> None:
    image = PICTURE.convert("RGBA")
    image.putpixel((3, 4), (1, 2, 3, 254))
    with pytest.raises(ImageError, match=r"x\.png: has transparent pixels; flatten it"):
        decode(saved(image), "x.png")


@pytest.mark.parametrize("mode", ["P", "L"])
def test_a_transparent_colour_that_is_used_is_refused(mode: str) -> None:
    image = PICTURE.convert(mode)
    with pytest.raises(ImageError, match="transparent"):
        decode(saved(image, transparency=image.getpixel((0, 0))), "x")


@pytest.mark.parametrize("suffix", [".png", ".tif"])
@pytest.mark.parametrize("channels", [1, 3, 4])
def test_16_bits_are_refused_never_cut_to_8(suffix: str, channels: int) -> None:
    image = WIDE[:, :, 0] if channels == 1 else WIDE[:, :, :channels]
    with pytest.raises(ImageError, match=r"(16|more than 8) bits a channel.*convert it to 8-bit"):
        decode(written(suffix, image), "x")


def test_floating_point_is_refused() -> None:
    with pytest.raises(ImageError, match="more than 8 bits"):
        decode(written(".tif", WIDE[:, :, 0].astype(np.float32)), "x")


@pytest.mark.parametrize(("mode", "form"), [("CMYK", "JPEG"), ("CMYK", "TIFF"), ("LAB", "TIFF")])
def test_other_colour_spaces_are_refused(mode: str, form: str) -> None:
    with pytest.raises(ImageError, match=f"colour mode {mode}; convert it to RGB"):
        decode(saved(PICTURE.convert(mode), form), "x")


@pytest.mark.parametrize("form", ["PNG", "WEBP", "TIFF"])
def test_several_frames_are_refused(form: str) -> None:
    data = saved(PICTURE, form, save_all=True, append_images=[Image.fromarray(255 - RGB)])
    with pytest.raises(ImageError, match=r"animated or multi-page \(2 frames\)"):
        decode(data, "x")


def test_a_phone_jpeg_with_a_preview_behind_it_is_its_first_picture() -> None:
    data = saved(PICTURE, "MPO", save_all=True, append_images=[Image.fromarray(255 - RGB)])
    np.testing.assert_array_equal(decode(data, "x"), decode(saved(PICTURE, "JPEG"), "x"))


@pytest.mark.parametrize("form", ["PNG", "JPEG", "WEBP", "BMP"])
def test_a_cut_file_never_gives_wrong_pixels(form: str) -> None:
    data = saved(PICTURE, form)
    whole = decode(data, "x")
    refused = 0
    for length in range(0, len(data), 7):
        try:
            np.testing.assert_array_equal(decode(data[:length], "x"), whole)
        except ImageError:
            refused += 1
    assert refused >= len(data) // 7 - 3


def test_a_damaged_byte_in_a_png_is_noticed() -> None:
    data = bytearray(saved(PICTURE))
    data[len(data) // 2] ^= 0x55
    with pytest.raises(ImageError, match="x: damaged image"):
        decode(bytes(data), "x")


@pytest.mark.parametrize("side", [9_000, 10_000, 30_000, 100_000])
@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
def test_a_huge_image_is_refused_from_its_header(side: int) -> None:
    assert side**2 > MAX_PIXELS
    with pytest.raises(ImageError, match=r"more than 67,108,864 pixels; cut it into tiles"):
        decode(png_header(side, side), "x")


@pytest.mark.filterwarnings("error")
def test_a_huge_image_is_refused_alike_where_warnings_are_errors() -> None:
    with pytest.raises(ImageError, match="67,108,864"):
        decode(png_header(10_000, 10_000), "x")


@pytest.mark.parametrize("data", [b"", b"hello", b"<html>404</html>", b"\x89PNG\r\n\x1a\n"])
def test_what_is_no_image_is_refused_with_its_size(data: bytes) -> None:
    with pytest.raises(ImageError, match=rf"x: not an image that can be read \({len(data)} bytes\)"):
        decode(data, "x")


@pytest.mark.parametrize("form", ["JPEG", "PNG"])
def test_a_turned_photo_is_turned_upright(form: str) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was turned a quarter to the right
    upright = np.rot90(decode(saved(PICTURE, form), "x"), -1)
    np.testing.assert_array_equal(decode(saved(PICTURE, form, exif=exif), "x"), upright)


@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_names_from_everywhere_are_read(form: Any, tmp_path: Path) -> None:
    path = tmp_path / (unicodedata.normalize(form, "Zoë 写真 №1 'x' = [2]") + ".PNG")
    path.write_bytes(saved(PICTURE))
    np.testing.assert_array_equal(read(path), RGB)


def test_the_contents_decide_not_the_suffix(tmp_path: Path) -> None:
    path = tmp_path / "really-a-png.jpg"
    path.write_bytes(saved(PICTURE))
    np.testing.assert_array_equal(read(path), RGB)


def test_a_missing_file_and_a_folder_are_named(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match=r"gone\.png: cannot be read \(No such file or directory\)"):
        read(tmp_path / "gone.png")
    with pytest.raises(ImageError, match="cannot be read"):
        read(tmp_path)


def test_the_digest_is_of_the_pixels_and_their_shape() -> None:
    assert pixel_digest(decode(saved(PICTURE, "BMP"), "x")) == pixel_digest(RGB)
    assert pixel_digest(np.asfortranarray(RGB)) == pixel_digest(RGB)
    assert pixel_digest(RGB.reshape(20, 24, 3)) != pixel_digest(RGB)
    other = RGB.copy()
    other[0, 0, 0] ^= 1
    assert pixel_digest(other) != pixel_digest(RGB)


def test_resize_keeps_the_kind_of_number_and_takes_height_first() -> None:
    assert resize(RGB, (48, 10), "bicubic").shape == (48, 10, 3)
    assert resize(RGB, (48, 10), "bicubic").dtype == np.uint8
    assert resize(RGB.astype(np.float32), (48, 10), "lanczos").dtype == np.float32
    np.testing.assert_array_equal(resize(RGB, (24, 20), "lanczos"), RGB)


def test_area_is_the_mean_of_whole_blocks() -> None:
    means = RGB.reshape(6, 4, 5, 4, 3).mean(axis=(1, 3))
    np.testing.assert_allclose(resize(RGB, (6, 5), "area"), means, atol=0.51)


def test_tensors_are_channels_first_in_0_to_1() -> None:
    tensor = to_tensor([RGB, 255 - RGB])
    assert (tensor.shape, tensor.dtype) == ((2, 3, 24, 20), torch.float32)
    assert tensor[0, 2, 5, 7].item() == pytest.approx(RGB[5, 7, 2] / 255)
    assert tensor[1, 0, 0, 0].item() == pytest.approx(1 - RGB[0, 0, 0] / 255)


@pytest.mark.parametrize("quantise", ["round", "truncate"])
def test_eight_bits_survive_the_way_through_a_tensor(quantise: Any) -> None:
    levels = np.arange(256, dtype=np.uint8).repeat(3).reshape(16, 16, 3)
    (back,) = to_pixels(to_tensor([levels]), quantise)
    np.testing.assert_array_equal(back, levels)


def test_outputs_are_clamped_and_rounded_as_declared() -> None:
    values = torch.tensor([-0.5, 0.5 / 255, 1.5 / 255, 1.6 / 255, 254.7 / 255, 3.0]).view(1, 1, 1, 6).expand(1, 3, 1, 6)
    assert to_pixels(values, "round")[0][0, :, 0].tolist() == [0, 0, 2, 2, 255, 255]  # half to even
    assert to_pixels(values, "truncate")[0][0, :, 0].tolist() == [0, 0, 1, 1, 254, 255]


def test_a_batch_comes_back_in_order() -> None:
    images: list[Pixels] = [np.full((2, 3, 3), value, np.uint8) for value in (7, 99, 255)]
    assert [int(image[0, 0, 0]) for image in to_pixels(to_tensor(images))] == [7, 99, 255]
