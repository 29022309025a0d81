"""Every kind of image file that archives hold becomes a grey film of 8 bits, or one message."""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path

import numpy as np
import pydicom
import pytest
from PIL import Image
from pydicom.dataset import Dataset

from tasks.corpora.archives.errors import UnreadableFilm
from tasks.corpora.archives.pixels import Header, read_film
from tests.tasks.corpora.archives.made import DEEP, J2K, JPEG, RAMP, dicom, packed

REAL = ("UNCI", "UNCR", "J2KI", "J2KR")


def saved(path: Path, image: Image.Image) -> Path:
    image.save(path)
    return path


class TestPictures:
    @pytest.mark.parametrize("mode", ["L", "RGB", "RGBA", "P", "LA"])
    def test_eight_bits_are_taken_as_they_are(self, tmp_path: Path, mode: str) -> None:
        film = read_film(saved(tmp_path / "a.png", Image.fromarray(RAMP).convert(mode)))
        assert (film.pixels.dtype, film.kind) == (np.uint8, f"PNG {mode}")
        assert np.array_equal(film.pixels, RAMP)

    def test_transparency_hides_nothing(self, tmp_path: Path) -> None:
        layers = np.stack([RAMP, RAMP, RAMP, np.zeros_like(RAMP)], -1)
        assert np.array_equal(read_film(saved(tmp_path / "a.png", Image.fromarray(layers))).pixels, RAMP)

    def test_a_jpeg_whatever_its_name(self, tmp_path: Path) -> None:
        path = tmp_path / "a.png"
        Image.fromarray(RAMP).save(path, "JPEG", quality=100)
        film = read_film(path)
        assert film.kind == "JPEG L"
        assert np.abs(film.pixels.astype(int) - RAMP).max() <= 3

    def test_sixteen_bits_take_their_span_but_for_stray_pixels(self, tmp_path: Path) -> None:
        deep = np.linspace(1000, 5000, 10_000).astype(np.uint16).reshape(100, 100)
        deep[0, 0] = 65535  # a marker
        film = read_film(saved(tmp_path / "a.png", Image.fromarray(deep)))
        assert film.kind == "PNG I;16"
        assert (film.pixels[0, 1], film.pixels[-1, -1], film.pixels[50, 0]) == (0, 255, 127)

    def test_sixteen_bits_of_one_value_are_black(self, tmp_path: Path) -> None:
        assert not read_film(saved(tmp_path / "a.png", Image.fromarray(np.full((9, 9), 700, np.uint16)))).pixels.any()


def bomb(width: int, height: int) -> bytes:
    """A PNG whose header claims `width` x `height` pixels that it does not have."""
    head = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    chunks = [head, b"IDAT" + zlib.compress(b"\0" * 100), b"IEND"]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(chunk) - 4) + chunk + struct.pack(">I", zlib.crc32(chunk)) for chunk in chunks
    )


PNG = io.BytesIO()
Image.fromarray(np.random.default_rng(1).integers(0, 255, (64, 64), np.uint8)).save(PNG, "PNG")


class TestWhatCannotBeRead:
    @pytest.mark.parametrize(("data", "told"), [
        (b"", "the file is empty"), (b"hello", "no PNG, JPEG or DICOM file"), (b"GIF89a" + bytes(40), "no PNG, JPEG"),
        (PNG.getvalue()[:2000], "damaged"), (PNG.getvalue()[:30], "damaged|no PNG"),
        (bomb(10_000, 10_000), "10000 x 10000 pixels are refused|refused, a film has at most"),
        (bomb(60_000, 60_000), "refused"), (bytes(128) + b"DICM" + bytes(50), "damaged|holds no image"),
    ])  # fmt: skip
    @pytest.mark.filterwarnings("ignore:Image size")
    def test_it_is_named_with_the_reason(self, tmp_path: Path, data: bytes, told: str) -> None:
        path = tmp_path / "film.png"
        path.write_bytes(data)
        with pytest.raises(UnreadableFilm, match=told) as error:
            read_film(path)
        assert str(error.value).startswith(f"{path}: ")

    def test_a_missing_file_and_a_folder(self, tmp_path: Path) -> None:
        with pytest.raises(UnreadableFilm, match=r"gone\.png: the file is missing"):
            read_film(tmp_path / "gone.png")
        with pytest.raises(UnreadableFilm, match="directory"):
            read_film(tmp_path)


class TestDicom:
    def test_eight_bits_without_luts_are_taken_as_they_are(self, tmp_path: Path) -> None:
        film = read_film(dicom(tmp_path / "a.dcm", RAMP))
        assert np.array_equal(film.pixels, RAMP)
        assert film.kind == "DICOM MONOCHROME2 8 bits, uncompressed"

    def test_monochrome1_is_turned_over(self, tmp_path: Path) -> None:
        film = read_film(dicom(tmp_path / "a.dcm", RAMP, PhotometricInterpretation="MONOCHROME1"))
        assert np.array_equal(film.pixels, 255 - RAMP)

    def test_deep_values_take_their_span(self, tmp_path: Path) -> None:
        film = read_film(dicom(tmp_path / "a.dcm", DEEP, stored=12))
        assert (film.pixels[0, 0], film.pixels[50, 0], film.pixels[-1, -1]) == (0, 128, 255)

    def test_a_window_cuts_what_is_outside(self, tmp_path: Path) -> None:
        film = read_film(
            dicom(tmp_path / "a.dcm", DEEP, stored=12, WindowCenter=["2050", "1"], WindowWidth=["1000", "1"])
        )
        assert (film.pixels[:35] == 0).all()
        assert (film.pixels[65:] == 255).all()
        assert film.pixels[50, 0] == pytest.approx(128, abs=3)

    def test_a_sigmoid_window_bends_but_cuts_nothing(self, tmp_path: Path) -> None:
        told = {"WindowCenter": "2050", "WindowWidth": "2000", "VOILUTFunction": "SIGMOID"}
        film = read_film(dicom(tmp_path / "a.dcm", DEEP, stored=12, **told))
        steps = np.diff(film.pixels[:, 0].astype(int))
        assert steps[48:52].mean() > 2 * steps[:10].mean() > 0

    def test_a_window_without_width_is_left_out(self, tmp_path: Path) -> None:
        film = read_film(dicom(tmp_path / "a.dcm", DEEP, stored=12, WindowCenter="2000", WindowWidth="0"))
        assert film.pixels[50, 0] == 128

    def test_the_rescale_comes_before_the_window(self, tmp_path: Path) -> None:
        told = {"RescaleSlope": "-1", "RescaleIntercept": "4095", "WindowCenter": "2045", "WindowWidth": "1000"}
        film = read_film(dicom(tmp_path / "a.dcm", DEEP, stored=12, **told))
        assert (film.pixels[:35] == 255).all()
        assert (film.pixels[65:] == 0).all()

    def test_a_voi_lut_is_gone_through(self, tmp_path: Path) -> None:
        lut = Dataset()
        lut.LUTDescriptor, lut.LUTData = [256, 0, 16], np.arange(255, -1, -1, dtype=np.uint16).tobytes()
        film = read_film(
            dicom(tmp_path / "a.dcm", np.arange(256, dtype=np.uint8).reshape(16, 16), VOILUTSequence=[lut])
        )
        assert film.pixels[0, 0] == 255
        assert film.pixels[-1, -1] == 0

    @pytest.mark.parametrize(("syntax", "off"), [(JPEG, 3), (J2K, 0)])
    def test_compressed_pixels(self, tmp_path: Path, syntax: str, off: int) -> None:
        smooth = np.tile(np.arange(0, 256, 4, dtype=np.uint8), (64, 1))
        seen = read_film(packed(tmp_path / "a.dcm", smooth, syntax)).pixels
        assert np.abs(seen.astype(int) - smooth).max() <= off

    def test_its_header_is_read_with_it(self, tmp_path: Path) -> None:
        told = {
            "PatientID": "p1",
            "PatientSex": "F",
            "PatientAge": "062Y",
            "ViewPosition": "",
            "StudyInstanceUID": "1.2",
        }
        assert read_film(dicom(tmp_path / "a.dcm", RAMP, **told)).header == Header("p1", "1.2", None, "F", "062Y")

    @pytest.mark.filterwarnings("error")
    def test_an_age_without_its_unit_is_read_without_a_word(self, tmp_path: Path) -> None:
        path = dicom(tmp_path / "a.dcm", RAMP, PatientAge="062Y")
        path.write_bytes(path.read_bytes().replace(b"062Y", b"62  "))
        assert read_film(path).header.age == "62"

    @pytest.mark.parametrize(("tags", "told"), [
        ({"NumberOfFrames": 3, "PixelData": RAMP.tobytes() * 3}, "it holds 3 frames, a film has one; split it first"),
        ({"Rows": 60000, "Columns": 60000}, "60000 x 60000 pixels are refused"),
        ({"PixelData": b"\0\0"}, "damaged"), ({"Rows": 0}, "it has no pixels"),
    ])  # fmt: skip
    def test_what_is_refused(self, tmp_path: Path, tags: dict, told: str) -> None:
        with pytest.raises(UnreadableFilm, match=told):
            read_film(dicom(tmp_path / "a.dcm", RAMP, **tags))

    def test_a_file_without_pixels(self, tmp_path: Path) -> None:
        path = dicom(tmp_path / "a.dcm", RAMP)
        data = pydicom.dcmread(path)
        del data.PixelData
        data.save_as(path)
        with pytest.raises(UnreadableFilm, match="a DICOM file without PixelData holds no image"):
            read_film(path)

    def test_one_real_film_in_four_encodings(self, packaged) -> None:
        films = {
            kind: read_film(packaged("pydicom-data==1.0.0", f"data_store/data/RG1_{kind}.dcm", f"{kind}.dcm"))
            for kind in REAL
        }
        assert {film.pixels.shape for film in films.values()} == {(1955, 1841)}
        assert np.array_equal(films["UNCI"].pixels, films["J2KI"].pixels)
        assert np.array_equal(films["UNCR"].pixels, films["J2KR"].pixels)
        film = films["UNCR"]
        assert film.kind == "DICOM MONOCHROME1 15 bits, uncompressed"
        assert (film.header.view, film.header.sex) == ("PA", "F")
        assert film.pixels[900:1000, 900:950].mean() > film.pixels[700:1000, 400:600].mean()  # spine over lung
