"""Pictures as arrays: every mode, orientation, resize and crop against closed forms; what is no picture is refused."""

import io
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from clearance.data.pictures import read_picture
from clearance.errors import FileError, InputError

COLOURS = np.array([[[255, 0, 0], [0, 255, 0]], [[0, 0, 255], [10, 20, 30]], [[7, 7, 7], [0, 0, 0]]], dtype=np.uint8)


def saved(image: Image.Image, kind: str = "PNG", **how: object) -> bytes:
    stream = io.BytesIO()
    image.save(stream, kind, **how)
    return stream.getvalue()


def levels(content: bytes, **how: object) -> np.ndarray:
    return read_picture(content, "x", **how) * 255


class TestModes:
    def test_colours_and_grey(self):
        image = Image.fromarray(COLOURS)
        np.testing.assert_allclose(levels(saved(image)), COLOURS.transpose(2, 0, 1), atol=1e-5)
        np.testing.assert_allclose(levels(saved(image.convert("L"))), np.asarray(image.convert("L"))[None], atol=1e-5)
        assert set(levels(saved(image.convert("1"))).flatten().tolist()) == {0.0, 255.0}

    def test_transparency_is_shown_on_white(self):
        image = Image.fromarray(np.dstack([COLOURS, np.array([[0, 255], [128, 255], [0, 0]], dtype=np.uint8)]))
        found = levels(saved(image))
        assert found[:, 0, 0].tolist() == found[:, 2, 1].tolist() == [255, 255, 255]
        np.testing.assert_allclose(found[:, 0, 1], [0, 255, 0], atol=1e-5)
        np.testing.assert_allclose(found[:, 1, 0], [127, 127, 255], atol=1)  # 128 / 255 of blue on white
        grey = levels(saved(Image.fromarray(np.array([[[40, 255], [40, 0]]], dtype=np.uint8), "LA")))
        np.testing.assert_allclose(grey, [[[40, 255]]], atol=1e-4)

    def test_palettes_with_and_without_transparency(self):
        image = Image.fromarray(COLOURS).quantize(8)
        np.testing.assert_allclose(levels(saved(image)), np.asarray(image.convert("RGB")).transpose(2, 0, 1), atol=1e-4)
        clear = saved(image, transparency=image.getpixel((0, 0)))
        np.testing.assert_allclose(levels(clear)[:, 0, 0], 255, atol=1e-4)

    def test_cmyk(self):
        image = Image.new("CMYK", (2, 2), (255, 0, 0, 0))
        np.testing.assert_allclose(levels(saved(image, "TIFF"))[:, 0, 0], [0, 255, 255], atol=1)

    def test_16_bits_keep_their_precision(self):
        deep = np.array([[0, 1, 257], [65535, 32768, 300]], dtype=np.uint16)
        found = read_picture(saved(Image.fromarray(deep)), "x")
        np.testing.assert_allclose(found[0] * 65535, deep, rtol=1e-6)

    def test_levels_of_unknown_units(self):
        for image in (Image.new("F", (2, 2), 0.5), Image.new("I", (2, 2), 70000)):
            with pytest.raises(FileError, match=r"x: expected a picture, got one .*units are not known"):
                read_picture(saved(image, "TIFF"), "x")

    def test_the_first_frame_of_an_animation(self):
        frames = [Image.new("L", (3, 2), level) for level in (10, 200)]
        found = levels(saved(frames[0], "GIF", save_all=True, append_images=frames[1:]))
        np.testing.assert_allclose(found, 10, atol=1)

    @pytest.mark.parametrize(("orientation", "quarters"), [(1, 0), (3, 2), (6, -1), (8, 1)])
    def test_orientation_of_exif(self, orientation: int, quarters: int):
        image, exif = Image.fromarray(COLOURS), Image.Exif()
        exif[0x0112] = orientation
        turned = np.rot90(COLOURS, quarters).transpose(2, 0, 1)
        np.testing.assert_allclose(levels(saved(image, exif=exif)), turned, atol=1e-5)


class TestSizes:
    def test_the_shorter_side_becomes_the_size(self):
        content = saved(Image.new("RGB", (30, 20), (9, 9, 9)))
        assert read_picture(content, "x", resize=10).shape == (3, 10, 15)
        assert read_picture(content, "x", resize=(4, 50)).shape == (3, 4, 50)

    def test_a_smaller_picture_is_the_mean_over_what_a_pixel_covers(self):
        """Halving a picture of 2 × 2 equal blocks: weights 1/8, 3/8, 3/8, 1/8 on each axis."""
        image = Image.fromarray(np.kron(np.array([[0, 240]], dtype=np.uint8), np.ones((4, 4), dtype=np.uint8)))
        found = levels(saved(image), resize=(2, 4))[0, 0]
        np.testing.assert_allclose(found, [0, 30, 210, 240], atol=1)

    def test_the_centre_is_kept(self):
        values = np.arange(30, dtype=np.uint8).reshape(5, 6)
        found = levels(saved(Image.fromarray(values)), crop=(3, 2))
        np.testing.assert_allclose(found[0], values[1:4, 2:4], atol=1e-5)
        with pytest.raises(InputError, match=r"at least 6x6 \(--crop\), got one of 5x6; add --resize"):
            read_picture(saved(Image.fromarray(values)), "x", crop=6)


class TestRefusals:
    @pytest.mark.parametrize("content", [b"", b"text", b"\x89PNG\r\n\x1a\n", b"\x80\x04K\x01."])
    def test_no_picture(self, content: bytes):
        with pytest.raises(FileError, match="x: expected a picture, got"):
            read_picture(content, "x")

    def test_a_picture_that_is_cut(self, tmp_path: Path):
        (tmp_path / "a.png").write_bytes(saved(Image.fromarray(COLOURS.repeat(50, axis=0)))[:-40])
        with pytest.raises(FileError, match=r"a\.png: expected a picture, got one that cannot be read"):
            read_picture(tmp_path / "a.png", str(tmp_path / "a.png"))

    @pytest.mark.parametrize("limit", [Image.MAX_IMAGE_PIXELS, None, 1])
    @pytest.mark.parametrize("side", [15_000, 100_000, 2**31 - 1])
    def test_a_small_file_that_states_a_huge_picture(
        self, side: int, limit: int | None, monkeypatch: pytest.MonkeyPatch
    ):
        monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", limit)  # as other libraries of the process do

        def chunk(name: bytes, data: bytes) -> bytes:
            return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

        header = struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0)
        bomb = (
            b"\x89PNG\r\n\x1a\n"
            + chunk(b"IHDR", header)
            + chunk(b"IDAT", zlib.compress(bytes(1000)))
            + chunk(b"IEND", b"")
        )
        with pytest.raises(FileError, match=r"x: expected a picture of at most 89,478,485 pixels \(Pillow's limit\)"):
            read_picture(bomb, "x")
        with pytest.raises(FileError, match="Pillow's limit"):
            read_picture(saved(Image.new("L", (1, 1))), "x", resize=side)
