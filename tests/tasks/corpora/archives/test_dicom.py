"""A DICOM file is opened with its mark or without; what its pixels lack, contradict or need is said by name."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pydicom.uid
import pytest
from PIL import Image
from pydicom.uid import UID

from tasks.corpora.archives import dicom as dicom_module
from tasks.corpora.archives.errors import UnreadableFilm
from tasks.corpora.archives.pixels import read_film
from tests.tasks.corpora.archives.made import DEEP, EXTENDED, J2K, JPEG, RAMP, capsules, data_set, dicom, packed

COLOURS = np.stack([RAMP] * 3, -1)
HTJ2K, LOSSLESS, JPEG_LS, MPEG = (f"1.2.840.10008.1.2.4.{number}" for number in (201, 70, 80, 102))
SR, STATE, DIRECTORY, PDF = (
    "1.2.840.10008.5.1.4.1.1.88.11", "1.2.840.10008.5.1.4.1.1.11.1", "1.2.840.10008.1.3.10",
    "1.2.840.10008.5.1.4.1.1.104.1",
)  # fmt: skip


class TestWithoutItsMark:
    @pytest.mark.parametrize("cut", [lambda data: data[132:], lambda data: data[:128] + bytes(4) + data[132:],
                                     lambda data: data[:128] + data[132:]],
                             ids=["no preamble", "a spoilt mark", "no mark"])  # fmt: skip
    def test_the_first_elements_tell(self, tmp_path: Path, cut: Any) -> None:
        path = dicom(tmp_path / "a.dcm", RAMP)
        path.write_bytes(cut(path.read_bytes()))
        assert np.array_equal(read_film(path).pixels, RAMP)

    @pytest.mark.parametrize(("implicit", "little"), [(True, True), (False, True), (False, False)])
    def test_a_bare_data_set(self, tmp_path: Path, implicit: bool, little: bool) -> None:
        data = data_set(DEEP, 12, PixelData=DEEP.astype("<u2" if little else ">u2").tobytes())
        del data.file_meta
        pydicom.dcmwrite(tmp_path / "a", data, implicit_vr=implicit, little_endian=little)
        seen = read_film(tmp_path / "a")
        assert np.array_equal(seen.pixels, read_film(dicom(tmp_path / "b", DEEP, 12)).pixels)
        assert seen.kind == "DICOM MONOCHROME2 12 bits, uncompressed"

    def test_a_file_that_does_not_say_its_transfer_syntax(self, tmp_path: Path) -> None:
        path = tmp_path / "a.dcm"
        data = data_set(RAMP)
        del data.file_meta.TransferSyntaxUID
        pydicom.dcmwrite(path, data, implicit_vr=True, little_endian=True)
        assert np.array_equal(read_film(path).pixels, RAMP)

    def test_compressed_pixels_need_it(self, tmp_path: Path) -> None:
        path = packed(tmp_path / "a.dcm", RAMP, JPEG)
        data = pydicom.dcmread(path)
        del data.file_meta
        pydicom.dcmwrite(path, data, implicit_vr=False, little_endian=True)
        with pytest.raises(UnreadableFilm, match="compressed, and no transfer syntax says how; export the file anew"):
            read_film(path)

    def test_a_deflated_one(self, tmp_path: Path) -> None:
        data = data_set(RAMP)
        data.file_meta.TransferSyntaxUID = pydicom.uid.DeflatedExplicitVRLittleEndian
        data.save_as(tmp_path / "a", enforce_file_format=True)
        assert np.array_equal(read_film(tmp_path / "a").pixels, RAMP)

    def test_one_that_inflates_to_more_than_a_film(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        data = data_set(np.zeros((100, 100), np.uint8))
        data.file_meta.TransferSyntaxUID = pydicom.uid.DeflatedExplicitVRLittleEndian
        data.save_as(tmp_path / "a", enforce_file_format=True)
        monkeypatch.setattr(dicom_module, "MOST_PIXELS", 1000)
        with pytest.raises(UnreadableFilm, match="refused, its data set inflates to more than 6000 bytes"):
            read_film(tmp_path / "a")


NEEDED = ("PhotometricInterpretation", "SamplesPerPixel", "BitsAllocated", "BitsStored", "PixelRepresentation", "Rows")


class TestWhatIsNotKnown:
    @pytest.mark.parametrize("name", NEEDED)
    def test_a_missing_attribute_is_named(self, tmp_path: Path, name: str) -> None:
        with pytest.raises(UnreadableFilm, match=f"it has no {name}, without which its pixels are a guess; set it"):
            read_film(dicom(tmp_path / "a.dcm", RAMP, **{name: None}))

    @pytest.mark.parametrize("photometric", ["ARGB", "CMYK", "HSV", "YBR_PARTIAL_422", "GREY", "monochrome2"])
    def test_a_photometric_interpretation(self, tmp_path: Path, photometric: str) -> None:
        with pytest.raises(UnreadableFilm, match=f"its PhotometricInterpretation is {photometric}, which is not read"):
            read_film(dicom(tmp_path / "a.dcm", RAMP, PhotometricInterpretation=photometric))

    @pytest.mark.parametrize(("values", "tags", "told"), [
        (RAMP, {"PhotometricInterpretation": "RGB"}, "RGB and SamplesPerPixel 1 contradict each other"),
        (COLOURS, {"PhotometricInterpretation": "MONOCHROME2"}, "MONOCHROME2 and SamplesPerPixel 3 contradict"),
        (COLOURS, {"PlanarConfiguration": None}, "its PlanarConfiguration is None, not 0 or 1"),
        (COLOURS, {"PlanarConfiguration": 2}, "its PlanarConfiguration is 2, not 0 or 1"),
        (RAMP, {"BitsAllocated": 12}, "its BitsAllocated is 12, which is not read"),
        (RAMP, {"BitsStored": 12}, "BitsAllocated 8, BitsStored 12 and HighBit 7 contradict each other"),
        (DEEP, {"HighBit": 5}, "BitsStored 16 and HighBit 5 contradict each other"),
        (DEEP, {"BitsStored": 0}, "BitsStored 0 and HighBit 15 contradict each other"),
        (RAMP, {"PixelRepresentation": 2}, "its PixelRepresentation is 2, not 0 or 1"),
        (RAMP, {"PixelPresentation": "MIXED"}, "colours of a supplemental palette, which is not read"),
        (RAMP, {"Columns": 13}, "make 195 bytes, and it holds 240"),
        (COLOURS, {"SamplesPerPixel": 1, "PhotometricInterpretation": "MONOCHROME2"}, "make 240 bytes.* holds 720"),
        (RAMP, {"PixelData": RAMP.tobytes()[:100]}, "damaged .it holds 100 of 240 bytes of pixels.; get it anew"),
    ])  # fmt: skip
    def test_what_contradicts_itself(self, tmp_path: Path, values: np.ndarray, tags: dict, told: str) -> None:
        with pytest.raises(UnreadableFilm, match=told):
            read_film(dicom(tmp_path / "a.dcm", values, **tags))

    def test_a_row_of_padding_is_none(self, tmp_path: Path) -> None:
        path = dicom(tmp_path / "a.dcm", RAMP, PixelData=RAMP.tobytes() + bytes(16))
        assert np.array_equal(read_film(path).pixels, RAMP)

    @pytest.mark.parametrize("name", ["FloatPixelData", "DoubleFloatPixelData"])
    def test_floats(self, tmp_path: Path, name: str) -> None:
        data = data_set(RAMP)
        del data.PixelData
        setattr(data, name, RAMP.astype("f4" if name == "FloatPixelData" else "f8").tobytes())
        data.save_as(tmp_path / "a", enforce_file_format=True)
        with pytest.raises(UnreadableFilm, match=f"its pixels are {name}, which is no film's"):
            read_film(tmp_path / "a")

    @pytest.mark.parametrize(("kind", "told"), [
        (SR, "Basic Text SR"), (STATE, "Softcopy Presentation State"), (DIRECTORY, "Media Storage Directory"),
        (PDF, "Encapsulated PDF"),
    ])  # fmt: skip
    def test_what_is_no_image_is_named(self, tmp_path: Path, kind: str, told: str) -> None:
        data = data_set(RAMP)
        for name in ("PixelData", "Rows", "Columns"):
            delattr(data, name)
        data.SOPClassUID = data.file_meta.MediaStorageSOPClassUID = UID(kind)
        data.save_as(tmp_path / "a", enforce_file_format=True)
        with pytest.raises(UnreadableFilm, match=f"a DICOM file without PixelData holds no image: it is a .*{told}"):
            read_film(tmp_path / "a")

    def test_an_image_whose_pixels_were_cut_off_is_damaged(self, tmp_path: Path) -> None:
        with pytest.raises(UnreadableFilm, match="holds no image: its pixels were cut off; get it anew"):
            read_film(cut(tmp_path / "a.dcm"))


def cut(path: Path) -> Path:
    dicom(path, RAMP)
    path.write_bytes(path.read_bytes()[: -len(RAMP.tobytes()) - 12])
    return path


class TestCodecs:
    @pytest.mark.parametrize(("syntax", "told"), [
        (LOSSLESS, "its pixels are JPEG Lossless: install a decoder for it .pip install python-gdcm., or store"),
        (JPEG_LS, "its pixels are JPEG-LS .*pip install python-gdcm"),
        (HTJ2K, "High-Throughput JPEG 2000.* install a decoder for it .pip install pylibjpeg pylibjpeg-openjpeg."),
        (MPEG, "its transfer syntax .*4.102 .MPEG-4 .*none that is read; store the file uncompressed"),
        ("1.2.3.4", "its transfer syntax 1.2.3.4 is none that is read; store"),
    ])  # fmt: skip
    def test_what_is_not_decodable_here_is_not_damaged(self, tmp_path: Path, syntax: str, told: str) -> None:
        with pytest.raises(UnreadableFilm, match=told) as error:
            read_film(capsules(dicom(tmp_path / "a.dcm", RAMP), b"\xff\xd8\xff\xd9", syntax))
        assert "damaged" not in str(error.value)

    def test_depths_that_pillow_does_not_decode(self, tmp_path: Path) -> None:
        path = capsules(dicom(tmp_path / "a.dcm", DEEP, 12), b"\xff\xd8\xff\xd9", EXTENDED)
        with pytest.raises(UnreadableFilm, match="its pixels are JPEG Extended with 12 bits: install a decoder"):
            read_film(path)
        deep = np.stack([DEEP] * 3, -1)
        path = capsules(dicom(tmp_path / "b.dcm", deep, 12), b"\xff\x4f", J2K)
        with pytest.raises(UnreadableFilm, match=r"its pixels are JPEG 2000 .* with 12 bits: install a decoder"):
            read_film(path)

    def test_a_codec_and_bits_that_do_not_go_together(self, tmp_path: Path) -> None:
        with pytest.raises(UnreadableFilm, match="BitsAllocated 16 and JPEG Baseline contradict each other"):
            read_film(packed(tmp_path / "a.dcm", RAMP, JPEG, BitsAllocated=16, BitsStored=8, HighBit=7))
        with pytest.raises(UnreadableFilm, match="HighBit 15 and BitsStored 12 contradict each other in JPEG 2000"):
            read_film(packed(tmp_path / "b.dcm", DEEP, J2K, 12, HighBit=15))

    def test_a_transfer_syntax_that_the_pixels_do_not_follow(self, tmp_path: Path) -> None:
        path = packed(tmp_path / "a.dcm", RAMP, JPEG)
        path.write_bytes(path.read_bytes().replace(b"1.2.840.10008.1.2.4.50", b"1.2.840.10008.1.2.1\0\0\0"))
        with pytest.raises(UnreadableFilm, match=r"its transfer syntax is Explicit VR .* its pixels are compressed"):
            read_film(path)
        native = dicom(tmp_path / "b.dcm", RAMP)
        data = native.read_bytes()
        native.write_bytes(data.replace(b"1.2.840.10008.1.2.1\0", b"1.2.840.10008.1.2.5\0"))
        with pytest.raises(
            UnreadableFilm, match="its transfer syntax is RLE Lossless, and its pixels are uncompressed"
        ):
            read_film(native)

    @pytest.mark.parametrize("syntax", [JPEG, J2K])
    def test_a_stream_of_another_size_or_colour_than_the_header_says(self, tmp_path: Path, syntax: str) -> None:
        told = "its header says 15 x 16 pixels with 1 samples, its JPEG .* stream 16 x 15 pixels with 1 samples"
        with pytest.raises(UnreadableFilm, match=told):
            read_film(packed(tmp_path / "a.dcm", RAMP, syntax, Rows=16, Columns=15))
        grey = {"SamplesPerPixel": 1, "PhotometricInterpretation": "MONOCHROME2"}
        with pytest.raises(UnreadableFilm, match=r"with 1 samples, its JPEG .* with 3 samples"):
            read_film(packed(tmp_path / "b.dcm", COLOURS, syntax, **grey))

    def test_a_stream_that_is_cut_off_is_damaged(self, tmp_path: Path) -> None:
        stream = io.BytesIO()
        Image.fromarray(RAMP).save(stream, "JPEG2000", no_jp2=True)
        path = capsules(dicom(tmp_path / "a.dcm", RAMP), stream.getvalue()[:40], J2K)
        with pytest.raises(UnreadableFilm, match=r"damaged .*; get it anew"):
            read_film(path)

    @pytest.mark.timeout(30)
    def test_a_stream_whose_boxes_never_end_is_damaged(self, tmp_path: Path) -> None:
        stream = b"\0\0\0\x0cjP  \r\n\x87\n" + bytes(40)
        with pytest.raises(UnreadableFilm, match=r"damaged .a box of its JPEG 2000 stream has no length"):
            read_film(capsules(dicom(tmp_path / "a.dcm", RAMP), stream, J2K))

    def test_text_of_the_file_stays_on_one_line(self, tmp_path: Path) -> None:
        with pytest.raises(UnreadableFilm, match=r"PhotometricInterpretation is A \\x1b, which") as error:
            read_film(dicom(tmp_path / "a.dcm", RAMP, PhotometricInterpretation="A\n\x1b"))
        assert str(error.value).isprintable()
