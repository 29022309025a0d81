"""Pictures that are no DICOM: each kind by its bits, its colours, its zero and the way it is held."""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path
from typing import Literal

import cv2
import numpy as np
import pytest
from PIL import Image, ImageOps

from tasks.corpora.archives.errors import UnreadableFilm
from tasks.corpora.archives.image import to_8_bits
from tasks.corpora.archives.pixels import read_film
from tests.tasks.corpora.archives.made import DEEP, RAMP

ORIENTATION = 274
COLOURS = np.stack([RAMP, 255 - RAMP, np.roll(RAMP, 5)], -1)
GREY = np.asarray(Image.fromarray(COLOURS).convert("L"))


def tiff(path: Path, values: np.ndarray, photometric: int = 1, order: Literal["<", ">"] = "<", **tags: int) -> Path:
    """An uncompressed TIFF of `values` (H, W) or (H, W, samples), of a kind that Pillow does not write."""
    kinds = {"u": 1, "i": 2, "f": 3}
    height, width = values.shape[:2]
    samples = 1 if values.ndim == 2 else values.shape[2]
    pixels = values.astype(values.dtype.newbyteorder(order)).tobytes()
    shorts = {258: [8 * values.itemsize] * samples, 259: [1], 262: [photometric], 277: [samples],
              339: [tags.get("sample_format", kinds[values.dtype.kind])] * samples}  # fmt: skip
    if "orientation" in tags:
        shorts[ORIENTATION] = [tags["orientation"]]
    longs = {256: width, 257: height, 273: 8, 278: height, 279: len(pixels)}
    count = len(shorts) + len(longs)
    after = 8 + len(pixels) + 2 + 12 * count + 4
    body, extra = struct.pack(f"{order}H", count), b""
    for tag in sorted(shorts | longs):
        if tag in longs:
            body += struct.pack(f"{order}HHII", tag, 4, 1, longs[tag])
            continue
        value = struct.pack(f"{order}{len(shorts[tag])}H", *shorts[tag])
        if len(value) > 4:
            value, extra = struct.pack(f"{order}I", after + len(extra)), extra + value
        body += struct.pack(f"{order}HHI", tag, 3, len(shorts[tag])) + value.ljust(4, b"\0")
    head = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(f"{order}I", 8 + len(pixels))
    path.write_bytes(head + pixels + body + struct.pack(f"{order}I", 0) + extra)
    return path


def saved(path: Path, values: np.ndarray | Image.Image, **options: object) -> Path:
    (values if isinstance(values, Image.Image) else Image.fromarray(values)).save(path, **options)  # type: ignore[arg-type]
    return path


class TestWholeBytes:
    @pytest.mark.parametrize("name", ["a.tif", "a.bmp", "a.jp2", "a", "a.png.part", "a.dcm"])
    def test_greys_are_taken_as_they_are_whatever_the_name(self, tmp_path: Path, name: str) -> None:
        kind = {".tif": "TIFF", ".jp2": "JPEG2000", ".bmp": "BMP"}.get(Path(name).suffix, "PNG")
        options = {"irreversible": False} if kind == "JPEG2000" else {}
        film = read_film(saved(tmp_path / name, RAMP, format=kind, **options))
        assert np.array_equal(film.pixels, RAMP)
        assert film.kind == f"{kind} L"

    @pytest.mark.parametrize("compression", ["raw", "tiff_lzw", "packbits", "tiff_deflate"])
    @pytest.mark.parametrize("photometric", [0, 1])
    def test_white_may_be_0(self, tmp_path: Path, compression: str, photometric: int) -> None:
        path = saved(tmp_path / "a", RAMP, format="TIFF", compression=compression, tiffinfo={262: photometric})
        assert np.array_equal(read_film(path).pixels, RAMP)

    @pytest.mark.parametrize("kind", ["TIFF", "BMP", "PNG"])
    def test_colours_become_their_luminance(self, tmp_path: Path, kind: str) -> None:
        assert np.array_equal(read_film(saved(tmp_path / "a", COLOURS, format=kind)).pixels, GREY)

    @pytest.mark.parametrize("kind", ["TIFF", "BMP"])
    def test_one_bit_is_black_or_white(self, tmp_path: Path, kind: str) -> None:
        film = read_film(saved(tmp_path / "a", Image.fromarray(RAMP > 100), format=kind))
        assert np.array_equal(film.pixels, np.where(RAMP > 100, 255, 0))


class TestDeep:
    @pytest.mark.parametrize("order", ["<", ">"])
    @pytest.mark.parametrize("values", [DEEP, DEEP.astype(np.int16) - 2000, DEEP.astype(np.float32) / 7])
    def test_a_tiff_takes_its_span(self, tmp_path: Path, values: np.ndarray, order: Literal["<", ">"]) -> None:
        assert np.array_equal(read_film(tiff(tmp_path / "a.tif", values, order=order)).pixels, to_8_bits(values))

    def test_one_whose_0_is_white_is_turned_over(self, tmp_path: Path) -> None:
        assert np.array_equal(read_film(tiff(tmp_path / "a", DEEP, 0)).pixels, 255 - to_8_bits(DEEP))
        assert np.array_equal(
            read_film(tiff(tmp_path / "b", DEEP.astype(np.float32), 0)).pixels, 255 - to_8_bits(DEEP)
        )

    def test_unsigned_values_of_32_bits_stay_unsigned(self, tmp_path: Path) -> None:
        values = DEEP.astype(np.uint32) * 1_000_000
        assert np.array_equal(read_film(tiff(tmp_path / "a", values)).pixels, to_8_bits(values))

    @pytest.mark.parametrize("kind", ["png", "tif"])
    @pytest.mark.parametrize("samples", [3, 4])
    def test_colours_keep_all_their_bits(self, tmp_path: Path, kind: str, samples: int) -> None:
        colours = np.stack([DEEP] * 3 + [np.full_like(DEEP, 65535)] * (samples - 3), -1)
        path = tmp_path / f"a.{kind}"
        if kind == "png":
            cv2.imwrite(str(path), colours)
        else:
            tiff(path, colours, 2)
        assert np.abs(read_film(path).pixels.astype(int) - to_8_bits(DEEP)).max() <= 1

    def test_greys_of_16_bits_under_a_layer_of_alpha(self, tmp_path: Path) -> None:
        rows = b"".join(b"\0" + row.tobytes() for row in np.stack([DEEP, 0 * DEEP], -1).astype(">u2"))
        chunks = [b"IHDR" + struct.pack(">IIBBBBB", 100, 100, 16, 4, 0, 0, 0), b"IDAT" + zlib.compress(rows), b"IEND"]
        data = b"".join(struct.pack(">I", len(c) - 4) + c + struct.pack(">I", zlib.crc32(c)) for c in chunks)
        (tmp_path / "a").write_bytes(b"\x89PNG\r\n\x1a\n" + data)
        assert np.abs(read_film(tmp_path / "a").pixels.astype(int) - to_8_bits(DEEP)).max() <= 1


class TestTurned:
    @pytest.mark.parametrize("orientation", range(10))
    @pytest.mark.parametrize("kind", ["PNG", "TIFF", "JPEG"])
    def test_a_film_stands_as_its_exif_says(self, tmp_path: Path, orientation: int, kind: str) -> None:
        exif = Image.Exif()
        exif[ORIENTATION] = orientation
        path = saved(tmp_path / "a", RAMP, format=kind, exif=exif)
        plain = Image.open(io.BytesIO(path.read_bytes()))  # given a path, Pillow scrambles a turned TIFF
        assert np.array_equal(read_film(path).pixels, np.asarray(ImageOps.exif_transpose(plain)))

    @pytest.mark.parametrize("orientation", range(1, 9))
    @pytest.mark.parametrize("values", [RAMP, RAMP.astype(np.uint16) * 257])
    def test_an_uncompressed_tiff_too(self, tmp_path: Path, orientation: int, values: np.ndarray) -> None:
        straight = read_film(tiff(tmp_path / "a", values)).pixels
        turned = read_film(tiff(tmp_path / "b", values, orientation=orientation)).pixels
        exif = Image.Exif()
        exif[ORIENTATION] = orientation
        expected = ImageOps.exif_transpose(Image.open(saved(tmp_path / "c", straight, format="PNG", exif=exif)))
        assert np.array_equal(turned, np.asarray(expected))

    @pytest.mark.parametrize("orientation", [3, 6])
    def test_a_deep_one_too(self, tmp_path: Path, orientation: int) -> None:
        exif = Image.Exif()
        exif[ORIENTATION] = orientation
        path = saved(tmp_path / "a", DEEP, format="PNG", exif=exif)
        assert np.array_equal(read_film(path).pixels, np.rot90(to_8_bits(DEEP), 2 if orientation == 3 else 3))

    @pytest.mark.parametrize("junk", [b"Exif\0\0junk", b"Exif\0\0II*\0\xff\xff\xff\xff", b"Exif\0\0"])
    def test_exif_that_cannot_be_read_leaves_the_film_as_it_is(self, tmp_path: Path, junk: bytes) -> None:
        film = read_film(saved(tmp_path / "a", RAMP, format="JPEG", quality=100, exif=junk))
        assert np.abs(film.pixels.astype(int) - RAMP).max() <= 3


class TestPages:
    def test_several_are_refused(self, tmp_path: Path) -> None:
        path = saved(tmp_path / "a", RAMP, format="TIFF", save_all=True, append_images=[Image.fromarray(RAMP)] * 2)
        with pytest.raises(UnreadableFilm, match="it holds 3 pages, a film has one; split it first"):
            read_film(path)

    def test_a_smaller_copy_is_no_page(self, tmp_path: Path) -> None:
        small = Image.fromarray(RAMP[::2, ::2])
        small.encoderinfo = {"tiffinfo": {254: 1}}
        path = saved(tmp_path / "a", RAMP, format="TIFF", save_all=True, append_images=[small])
        with Image.open(path) as image:
            image.seek(1)
            assert image.tag_v2[254] == 1  # type: ignore[attr-defined]
        assert np.array_equal(read_film(path).pixels, RAMP)


class TestWhatIsNotKnown:
    @pytest.mark.parametrize("kind", ["TIFF", "JPEG"])
    def test_cmyk(self, tmp_path: Path, kind: str) -> None:
        path = saved(tmp_path / "a", Image.fromarray(np.stack([RAMP] * 4, -1), "CMYK"), format=kind)
        with pytest.raises(UnreadableFilm, match="its pixels are CMYK, which is not read; store them as grey or RGB"):
            read_film(path)

    @pytest.mark.parametrize(("values", "photometric", "told"), [
        (RAMP.view(np.int8), 1, "its pixels are signed L"),
        (DEEP.astype(np.float64), 1, r"a TIFF of a kind that is not read \(photometric 1, bits \(64,\)"),
        (np.stack([DEEP.astype(np.float32)] * 3, -1), 2, "a TIFF of a kind that is not read .photometric 2"),
        (np.where(DEEP > 200, DEEP, np.nan).astype(np.float32), 1, "some of its values are no numbers"),
    ])  # fmt: skip
    def test_other_tiffs(self, tmp_path: Path, values: np.ndarray, photometric: int, told: str) -> None:
        with pytest.raises(UnreadableFilm, match=told) as error:
            read_film(tiff(tmp_path / "a", values, photometric))
        assert "damaged" not in str(error.value)

    @pytest.mark.parametrize("kind", ["TIFF", "BMP", "JPEG2000", "JPEG"])
    def test_what_is_cut_off_is_damaged(self, tmp_path: Path, kind: str) -> None:
        path = saved(tmp_path / "a", np.tile(RAMP, (9, 9)), format=kind)
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
        with pytest.raises(UnreadableFilm, match=r"damaged \("):
            read_film(path)

    def test_deep_colours_too(self, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
        path = tmp_path / "a.png"
        cv2.imwrite(str(path), np.stack([DEEP] * 3, -1))
        path.write_bytes(path.read_bytes()[:200])
        with pytest.raises(UnreadableFilm, match=r"damaged \("):
            read_film(path)
        assert capfd.readouterr() == ("", "")
