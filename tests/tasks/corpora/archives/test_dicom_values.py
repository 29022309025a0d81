"""Stored pixels become greys by what the file says of them: bits, sign, colour space, palette, tables and windows."""

# pydicom names its helpers in no __all__.
# pyright: reportPrivateImportUsage=false

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pydicom.uid
import pytest
from PIL import Image
from pydicom.dataset import Dataset
from pydicom.pixels import apply_color_lut, convert_color_space
from pydicom.uid import RLELossless

from tasks.corpora.archives.errors import UnreadableFilm
from tasks.corpora.archives.image import luminance, to_8_bits
from tasks.corpora.archives.pixels import read_film
from tests.tasks.corpora.archives.made import DEEP, J2K, J2K_LOSSY, RAMP, data_set, dicom, packed, palette

DICE = np.random.default_rng(3)
COLOURS = np.stack([RAMP, 255 - RAMP, np.roll(RAMP, 5)], -1)
ENTRIES = [DICE.integers(0, 256, 256).astype(np.uint8) for _ in range(3)]


def grey(colours: np.ndarray) -> np.ndarray:
    return np.rint(luminance(colours)).astype(np.uint8)


class TestColours:
    def test_eight_bits_become_their_luminance(self, tmp_path: Path) -> None:
        assert np.array_equal(read_film(dicom(tmp_path / "a", COLOURS)).pixels, grey(COLOURS))

    def test_planes_one_after_another(self, tmp_path: Path) -> None:
        path = dicom(tmp_path / "a", COLOURS, PlanarConfiguration=1, PixelData=COLOURS.transpose(2, 0, 1).tobytes())
        assert np.array_equal(read_film(path).pixels, grey(COLOURS))

    @pytest.mark.parametrize(("kind", "stored"), [(np.uint16, 16), (np.uint16, 12), (np.uint32, 32)])
    def test_deeper_ones_take_their_span_and_never_wrap(self, tmp_path: Path, kind: type, stored: int) -> None:
        deep = (COLOURS.astype(kind) << (stored - 8)).astype(kind)
        seen = read_film(dicom(tmp_path / "a", deep, stored)).pixels
        assert np.corrcoef(seen.ravel(), luminance(COLOURS).ravel())[0, 1] > 0.999
        assert (seen.min(), seen.max()) == (0, 255)

    def test_run_lengths_of_deep_colours(self, tmp_path: Path) -> None:
        deep = COLOURS.astype(np.uint16) * 257
        path = dicom(tmp_path / "a", deep)
        data = pydicom.dcmread(path)
        data.compress(RLELossless)
        data.save_as(path)
        assert np.array_equal(read_film(path).pixels, to_8_bits(luminance(deep)))

    def test_eight_bits_in_wider_cells_are_taken_as_they_are(self, tmp_path: Path) -> None:
        assert np.array_equal(read_film(dicom(tmp_path / "a", RAMP.astype(np.uint16), 8)).pixels, RAMP)
        assert np.array_equal(read_film(dicom(tmp_path / "b", COLOURS.astype(np.uint16), 8)).pixels, grey(COLOURS))

    def test_ybr_full(self, tmp_path: Path) -> None:
        other = convert_color_space(COLOURS, "RGB", "YBR_FULL")
        seen = read_film(dicom(tmp_path / "a", other, PhotometricInterpretation="YBR_FULL")).pixels
        assert np.abs(seen.astype(int) - grey(COLOURS)).max() <= 2

    def test_ybr_full_of_sixteen_bits_is_its_luminance(self, tmp_path: Path) -> None:
        deep = np.stack([DEEP, DEEP * 0 + 32768, DEEP * 0 + 32768], -1)
        seen = read_film(dicom(tmp_path / "a", deep, PhotometricInterpretation="YBR_FULL")).pixels
        assert np.array_equal(seen, to_8_bits(DEEP))

    def test_ybr_full_422_shares_its_colours_between_two_pixels(self, tmp_path: Path) -> None:
        pairs = np.stack([RAMP[:, ::2], RAMP[:, 1::2], RAMP[:, ::2] * 0 + 128, RAMP[:, ::2] * 0 + 128], -1)
        tags = {"PhotometricInterpretation": "YBR_FULL_422", "PixelData": pairs.tobytes()}
        assert np.array_equal(read_film(dicom(tmp_path / "a", COLOURS, **tags)).pixels, RAMP)

    @pytest.mark.parametrize("photometric", ["YBR_RCT", "YBR_ICT", "RGB"])
    def test_jpeg_2000_undoes_its_own_colour_transform(self, tmp_path: Path, photometric: str) -> None:
        path = packed(tmp_path / "a", np.repeat(COLOURS, 4, 0), J2K, PhotometricInterpretation=photometric)
        assert np.abs(read_film(path).pixels.astype(int) - grey(np.repeat(COLOURS, 4, 0))).max() <= 1


class TestPalettes:
    @pytest.mark.parametrize("bits", [8, 16])
    @pytest.mark.parametrize("first", [0, 10])
    def test_indices_become_the_luminance_of_their_colours(self, tmp_path: Path, bits: int, first: int) -> None:
        entries = [each.astype(f"u{bits // 8}") * (257 if bits == 16 else 1) for each in ENTRIES]
        path = dicom(tmp_path / "a", RAMP, **palette(entries, first, bits))
        shown = luminance(apply_color_lut(RAMP, pydicom.dcmread(path)))
        seen = read_film(path)
        assert np.array_equal(seen.pixels, np.rint(shown) if bits == 8 else to_8_bits(shown))
        assert seen.kind == "DICOM PALETTE COLOR 8 bits, uncompressed"

    def test_more_entries_than_eight_bits_count(self, tmp_path: Path) -> None:
        entries = [np.arange(1024) // 4] * 3
        path = dicom(tmp_path / "a", np.arange(1024, dtype=np.uint16).reshape(32, 32), 10, **palette(entries))
        assert np.array_equal(read_film(path).pixels.ravel(), np.arange(1024) // 4)

    def test_bytes_in_words_are_told_by_their_length(self, tmp_path: Path) -> None:
        tags = palette(ENTRIES)
        tags |= {name: np.frombuffer(entries, np.uint8).astype("<u2").tobytes()
                 for name, entries in tags.items() if isinstance(entries, bytes)}  # fmt: skip
        assert np.array_equal(read_film(dicom(tmp_path / "a", RAMP, **tags)).pixels, grey(np.stack(ENTRIES, -1)[RAMP]))

    def test_indices_beyond_the_ends_take_the_ends(self, tmp_path: Path) -> None:
        path = dicom(tmp_path / "a", RAMP, **palette([np.array([9, 50, 200])] * 3, first=100))
        seen = read_film(path).pixels.ravel()
        assert set(seen[:101]) == {9}
        assert seen[101] == 50
        assert set(seen[102:]) == {200}

    def test_signed_indices_start_below_zero(self, tmp_path: Path) -> None:
        values = np.arange(-100, 100, dtype=np.int16).reshape(10, 20)
        path = dicom(tmp_path / "a", values, **palette([np.arange(200)] * 3, first=-100))
        assert np.array_equal(read_film(path).pixels.ravel(), np.arange(200))

    def test_segments(self, tmp_path: Path) -> None:
        segments = np.array([0, 2, 0, 112, 1, 5, 192, 2, 1, 4, 0, 0, 0, 1, 244, 255, 0, 0], np.uint8)
        path = dicom(tmp_path / "a", RAMP, **palette([segments[:-2]] * 3, segmented=True))
        assert np.array_equal(read_film(path).pixels, grey(apply_color_lut(RAMP, pydicom.dcmread(path))))

    def test_segments_of_words_point_by_bytes(self, tmp_path: Path) -> None:
        segments = np.array([0, 2, 0, 112, 1, 5, 192, 2, 1, 8, 0, 1, 244, 255], np.uint16)
        seen = read_film(dicom(tmp_path / "a", RAMP, **palette([segments] * 3, bits=16, segmented=True))).pixels
        by_bytes = np.array([0, 2, 0, 112, 1, 5, 192, 2, 1, 4, 0, 0, 0, 1, 244, 255], np.uint8)
        other = dicom(tmp_path / "b", RAMP, **palette([by_bytes] * 3, segmented=True))
        assert np.array_equal(seen, to_8_bits(luminance(apply_color_lut(RAMP, pydicom.dcmread(other)))))

    @pytest.mark.parametrize(("tags", "told"), [
        ({"PhotometricInterpretation": "PALETTE COLOR"}, "RedPaletteColorLookupTable is missing"),
        (palette(ENTRIES) | {"BluePaletteColorLookupTableDescriptor": [255, 0, 8]}, "contradict each other"),
        (palette(ENTRIES) | {f"{c}PaletteColorLookupTableDescriptor": [256, 0, 12] for c in ("Red", "Green", "Blue")},
         "contradict each other or the standard"),
        (palette(ENTRIES) | {"GreenPaletteColorLookupTableData": bytes(100)}, "GreenPalette.* holds 100 of the 256"),
        (palette([np.array([1, 5, 192])] * 3, segmented=True), "cannot be expanded .*segment of type 1 at byte 0"),
        (palette([np.array([0, 2, 1, 2])] * 3, segmented=True), "its segments make 2"),
        (palette([np.array([0, 1, 7, 2, 255, 3, 0, 0, 0, 0])] * 3, segmented=True), "segment of type 2 at byte 3"),
        (palette([np.array([0, 2, 1])] * 3, segmented=True), "cannot be expanded to 256 entries"),
    ])  # fmt: skip
    def test_a_palette_that_is_none_is_refused(self, tmp_path: Path, tags: dict[str, Any], told: str) -> None:
        with pytest.raises(UnreadableFilm, match=told):
            read_film(dicom(tmp_path / "a", RAMP, **tags))


def overlay(values: np.ndarray) -> np.ndarray:
    """The values with a frame drawn into bit 13, above the 12 stored ones, as old overlays are."""
    drawn = values.copy()
    drawn[20:80, 20:22] |= 1 << 13
    drawn[20:22, 20:80] |= 1 << 13
    return drawn


class TestBits:
    def test_overlays_above_the_stored_bits_are_no_pixels(self, tmp_path: Path) -> None:
        assert np.array_equal(read_film(dicom(tmp_path / "a", overlay(DEEP), 12)).pixels, to_8_bits(DEEP))

    @pytest.mark.parametrize("syntax", [J2K, J2K_LOSSY])
    def test_neither_after_a_codec(self, tmp_path: Path, syntax: str) -> None:
        assert np.array_equal(read_film(packed(tmp_path / "a", overlay(DEEP), syntax, 12)).pixels, to_8_bits(DEEP))

    def test_neither_after_run_lengths(self, tmp_path: Path) -> None:
        path = dicom(tmp_path / "a", overlay(DEEP), 12)
        data = pydicom.dcmread(path)
        data.compress(RLELossless)
        data.save_as(path)
        assert np.array_equal(read_film(path).pixels, to_8_bits(DEEP))

    def test_what_a_lossy_codec_overshoots_stays_white(self, tmp_path: Path) -> None:
        over = np.where(DEEP > 3900, 4100, DEEP).astype(np.uint16)  # a little over 12 bits: wrapped it would be black
        seen = read_film(packed(tmp_path / "a", over, J2K_LOSSY, 12)).pixels
        assert seen[DEEP > 3900].min() == 255

    def test_signed_values_keep_their_sign(self, tmp_path: Path) -> None:
        signed = DEEP.astype(np.int16) - 2048
        assert np.array_equal(read_film(dicom(tmp_path / "a", signed, 12)).pixels, to_8_bits(signed))
        cut = (signed & 0x0FFF).astype(np.int16)  # the sign is in the twelfth bit alone
        assert np.array_equal(read_film(dicom(tmp_path / "b", cut, 12)).pixels, to_8_bits(signed))

    def test_stored_bits_at_the_top_of_their_cells(self, tmp_path: Path) -> None:
        high = (DEEP << 4) | 0x0007
        assert np.array_equal(read_film(dicom(tmp_path / "a", high, 12, HighBit=15)).pixels, to_8_bits(DEEP))

    def test_where_no_high_bit_is_told_the_standard_tells_it(self, tmp_path: Path) -> None:
        assert np.array_equal(read_film(dicom(tmp_path / "a", DEEP, 12, HighBit=None)).pixels, to_8_bits(DEEP))

    def test_one_bit(self, tmp_path: Path) -> None:
        mask = np.packbits(RAMP.ravel() > 100, bitorder="little")
        tags = {"BitsAllocated": 1, "BitsStored": 1, "HighBit": 0, "PixelData": mask.tobytes()}
        assert np.array_equal(read_film(dicom(tmp_path / "a", RAMP, **tags)).pixels, np.where(RAMP > 100, 255, 0))

    def test_big_endian(self, tmp_path: Path) -> None:
        data = data_set(DEEP, 12, PixelData=DEEP.astype(">u2").tobytes())
        data.file_meta.TransferSyntaxUID = pydicom.uid.ExplicitVRBigEndian
        data.save_as(tmp_path / "a", enforce_file_format=True)
        assert np.array_equal(read_film(tmp_path / "a").pixels, to_8_bits(DEEP))


def table(count: int, first: int, bits: int, entries: np.ndarray) -> list[Dataset]:
    item = Dataset()
    item.add_new("LUTDescriptor", "SS" if first < 0 else "US", [count, first, bits])
    item.add_new("LUTData", "OW", entries.tobytes())
    return [item]


class TestTables:
    def test_a_voi_lut_of_bytes_is_longer_than_bytes_count(self, tmp_path: Path) -> None:
        lut = table(4096, 0, 8, np.arange(4096, dtype=np.uint16) // 16)
        assert np.array_equal(read_film(dicom(tmp_path / "a", DEEP, 12, VOILUTSequence=lut)).pixels,
                              to_8_bits(DEEP // 16))  # fmt: skip

    def test_a_modality_lut_of_shallow_pixels(self, tmp_path: Path) -> None:
        lut = table(1024, 0, 16, np.arange(1024, dtype=np.uint16)[::-1].copy())
        seen = read_film(dicom(tmp_path / "a", RAMP, ModalityLUTSequence=lut)).pixels
        assert np.array_equal(seen, to_8_bits(1023 - RAMP.astype(int)))

    def test_a_table_begins_below_zero_where_values_do(self, tmp_path: Path) -> None:
        rescale = {"RescaleSlope": "1", "RescaleIntercept": "-1000"}
        lut = table(5000, 64536, 16, np.arange(5000, dtype=np.uint16))  # -1000 without its sign
        seen = read_film(dicom(tmp_path / "a", DEEP, 12, VOILUTSequence=lut, **rescale)).pixels
        assert np.array_equal(seen, to_8_bits(DEEP))

    def test_a_table_that_is_cut_off_is_told(self, tmp_path: Path) -> None:
        with pytest.raises(UnreadableFilm, match="a lookup table holds 50 of the 256 entries"):
            read_film(dicom(tmp_path / "a", RAMP, VOILUTSequence=table(256, 0, 8, np.arange(50, dtype=np.uint8))))

    def test_a_window_of_another_kind_is_told(self, tmp_path: Path) -> None:
        window = {"WindowCenter": "2000", "WindowWidth": "100", "VOILUTFunction": "LOG"}
        with pytest.raises(UnreadableFilm, match="its window is of the kind LOG, which is none of LINEAR"):
            read_film(dicom(tmp_path / "a", DEEP, 12, **window))

    @pytest.mark.filterwarnings("error")
    def test_a_steep_sigmoid_window(self, tmp_path: Path) -> None:
        window = {"WindowCenter": "2000", "WindowWidth": "1", "VOILUTFunction": "SIGMOID"}
        seen = read_film(dicom(tmp_path / "a", DEEP, 12, **window)).pixels
        assert (seen[0, 0], seen[-1, -1]) == (0, 255)

    def test_a_rescale_of_slope_0_is_left_out(self, tmp_path: Path) -> None:
        rescale = {"RescaleSlope": "0", "RescaleIntercept": "7"}
        assert np.array_equal(read_film(dicom(tmp_path / "a", RAMP, **rescale)).pixels, RAMP)


class TestRealFiles:
    """Files of pydicom's own tests, made by other software."""

    @pytest.mark.parametrize("name", ["OBXXXX1A", "OT-PAL-8-face", "gdcm-US-ALOKA-16"])
    def test_palettes_read_as_pydicom_reads_them(self, packaged: Any, name: str) -> None:
        path = packaged("pydicom-data==1.0.0", f"data_store/data/{name}.dcm", f"{name}.dcm")
        data = pydicom.dcmread(path, force=True)
        data.file_meta.TransferSyntaxUID = data.file_meta.get("TransferSyntaxUID", pydicom.uid.ImplicitVRLittleEndian)
        shown = luminance(apply_color_lut(data.pixel_array, data))
        assert np.array_equal(read_film(path).pixels, to_8_bits(shown))

    @pytest.mark.parametrize("name", ["OBXXXX1A_expb", "OBXXXX1A_rle", "gdcm-US-ALOKA-16_big"])
    def test_the_order_of_bytes_is_no_matter(self, packaged: Any, name: str) -> None:
        files = [packaged("pydicom-data==1.0.0", f"data_store/data/{each}.dcm", f"{each}.dcm")
                 for each in (name, name.rpartition("_")[0])]  # fmt: skip
        one, other = (read_film(path).pixels for path in files)
        assert np.array_equal(one, other)


class TestPadding:
    @pytest.mark.parametrize("photometric", ["MONOCHROME1", "MONOCHROME2"])
    @pytest.mark.parametrize(("kind", "pad"), [(np.uint16, 65535), (np.uint16, 0), (np.int16, -32768)])
    def test_it_is_black_and_counts_for_no_span(self, tmp_path: Path, photometric: str, kind: type, pad: int) -> None:
        body = DEEP[:, 10:].astype(kind)
        padded = np.full(DEEP.shape, pad, kind)
        padded[:, 10:] = body
        tags = {"PhotometricInterpretation": photometric}
        alone = read_film(dicom(tmp_path / "a", body, **tags)).pixels
        seen = read_film(dicom(tmp_path / "b", padded, PixelPaddingValue=pad, **tags)).pixels
        assert np.array_equal(seen[:, 10:], alone)
        assert not seen[:, :10].any()

    def test_a_range_of_it(self, tmp_path: Path) -> None:
        padded = DEEP.copy()
        padded[:, :5], padded[:, 5:10] = 60_000, 60_010
        path = dicom(tmp_path / "a", padded, PixelPaddingValue=60_000, PixelPaddingRangeLimit=60_010)
        assert not read_film(path).pixels[:, :10].any()

    def test_nothing_else_is_refused(self, tmp_path: Path) -> None:
        path = dicom(tmp_path / "a", np.full((8, 8), 7, np.uint16), PixelPaddingValue=7)
        with pytest.raises(UnreadableFilm, match="all of its pixels are padding"):
            read_film(path)


def test_a_window_outside_every_value_is_left_out(tmp_path: Path) -> None:
    path = dicom(tmp_path / "a", DEEP, WindowCenter=60_000, WindowWidth=10)
    assert np.array_equal(read_film(path).pixels, to_8_bits(DEEP))


def test_an_image_of_pillow_reads_the_same_in_a_capsule(tmp_path: Path) -> None:
    picture = Image.fromarray(np.repeat(np.repeat(COLOURS, 4, 0), 4, 1))
    picture.save(tmp_path / "a.jp2", irreversible=False)
    path = packed(tmp_path / "a", np.asarray(picture), J2K, PhotometricInterpretation="YBR_RCT")
    assert np.abs(read_film(path).pixels.astype(int) - read_film(tmp_path / "a.jp2").pixels).max() <= 1
