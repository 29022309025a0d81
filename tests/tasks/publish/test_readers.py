"""The function on the dataset card reads what the factory writes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from storage.png import decode_png
from storage.shards import Sample, write_tar
from tasks.publish.readers import read_pairs, source_of_read_pairs


def test_it_gives_every_film_report_and_row_in_order(make_pair: Callable[..., Sample], tmp_path: Path) -> None:
    samples = [make_pair(number) for number in range(5)]
    (tmp_path / "00000.tar").write_bytes(write_tar(samples[:3]))
    (tmp_path / "00001.tar").write_bytes(write_tar(samples[3:]))
    got = list(read_pairs(str(tmp_path)))
    assert [row["sample_id"] for _, _, row in got] == [sample.key for sample in samples]
    assert [text for _, text, _ in got] == [sample.txt for sample in samples]
    for (film, _, _), sample in zip(got, samples, strict=True):
        assert np.array_equal(np.asarray(film.convert("L")), decode_png(sample.png))


def test_what_the_card_prints_runs_as_it_stands(make_pair: Callable[..., Sample], tmp_path: Path) -> None:
    (tmp_path / "00000.tar").write_bytes(write_tar([make_pair(0)]))
    names: dict[str, Callable[[str], object]] = {}
    exec(source_of_read_pairs(), names)
    assert len(list(names["read_pairs"](str(tmp_path)))) == 1  # pyright: ignore[reportArgumentType]
