"""A report of fidelity: figures beside their floors, findings with too few films, and the pages it leaves."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from tasks.errors import AuditError
from tasks.fidelity import report as fidelity_report
from tasks.fidelity.films import FeatureAccumulator, FeatureSet, Film
from tasks.fidelity.page import as_json, as_markdown, cells, draw, write
from tasks.fidelity.report import OVERALL, FidelityReport, Row, compare, report
from tasks.fidelity.version import GeneratedFilms

WIDTH, SIDE = 4, 24
FINDINGS = ("edema", "nodule")


class Encoder:
    """Mean greys of a film's four quarters, so many `times` (protocol `Encoder`)."""

    revision = "quarters@1"

    def __init__(self, times: int = 1) -> None:
        self._times = times

    def embed(self, batch: Sequence[np.ndarray]) -> np.ndarray:
        rows = [cv2.resize(film, (2, 2), interpolation=cv2.INTER_AREA).ravel() / 255 for film in batch]
        return np.tile(np.array(rows), self._times)


class Real:
    """Films from rng, brighter by `light` (protocol `Reference`)."""

    def __init__(self, light: float = 0, most: int = 10_000) -> None:
        self.name, self.left_out = "real", Counter(odd=2)
        self.read_as: Mapping[str, Sequence[str]] = {"edema": ["Edema"], "gout": ["Gout"]}
        self._light, self._most = light, most

    def halves(self, half: int, side: int) -> Iterator[tuple[int, Film]]:
        rng = np.random.default_rng(1)
        for number in range(min(2 * half, self._most)):
            yield number % 2, Film(picture(rng, self._light, side), {"edema": int(number % 6 < 2), "gout": 1})


def picture(rng: np.random.Generator, light: float, side: int = SIDE) -> np.ndarray:
    quarters = rng.integers(40, 160, (2, 2)) + light
    grain = rng.integers(0, 50, (side, side))
    return (cv2.resize(quarters, (side, side), interpolation=cv2.INTER_NEAREST) + grain).astype(np.uint8)


def made(count: int, again: int = 0, light: float = 0) -> GeneratedFilms:
    rng = np.random.default_rng(2)
    films = [
        Film(picture(rng, light), {"edema": int(at % 2), "nodule": 0, "gout": int(at == 0)}) for at in range(count)
    ]
    return GeneratedFilms("try/v1", films, [film.pixels for film in films[:again]])


def side(count: int, middle: float, seed: int, edema: int, nodule: int) -> FeatureSet:
    rng = np.random.default_rng(seed)
    labels = np.array([[at < edema, at >= count - nodule] for at in range(count)], int)
    films = rng.integers(0, 255, (count, SIDE, SIDE), np.uint8)
    return FeatureSet(rng.normal(middle, 1, (count, WIDTH)).astype(np.float32), labels, films)


@pytest.fixture(autouse=True)
def _few(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fidelity_report, "REFERENCE", 60)


@pytest.fixture
def found() -> FidelityReport:
    return report(made(40, again=10, light=30), [Real()], Encoder())


def row(rows: Sequence[Row], finding: str) -> Row:
    return next(each for each in rows if each.finding == finding)


class TestCompare:
    def test_films_like_the_second_half_lie_on_the_floor_and_others_far_from_it(self) -> None:
        one, two = side(80, 0, 1, 40, 0), side(80, 0, 2, 40, 0)
        same = row(compare(two, two.pictures[:0], one, two, FINDINGS), OVERALL)
        assert same.figures == same.floor
        far = row(compare(side(80, 5, 3, 40, 0), two.pictures[:0], one, two, FINDINGS), OVERALL)
        assert far.figures is not None
        assert far.floor is not None
        assert far.floor == same.floor
        assert far.figures.fid > 10 * far.floor.fid
        assert far.figures.coverage < 0.1 < far.floor.coverage

    @pytest.mark.parametrize(("made_with", "second_with"), [(30, 12), (12, 30)])
    def test_a_figure_and_its_floor_are_of_as_many_films(self, made_with: int, second_with: int) -> None:
        rows = compare(
            side(60, 0, 1, made_with, 0), np.zeros((0, SIDE, SIDE), np.uint8), side(60, 0, 2, 20, 0),
            side(60, 0, 3, second_with, 0), FINDINGS,
        )  # fmt: skip
        edema = row(rows, "edema")
        assert edema.figures is not None
        assert edema.floor is not None
        assert (edema.figures.real, edema.figures.made, edema.floor.made) == (20, 12, 12)
        assert (edema.real, edema.made) == (20, made_with)

    def test_a_finding_with_too_few_films_on_any_side_has_no_figures_and_no_floor(self) -> None:
        for counts in ((6, 20, 20), (20, 6, 20), (20, 20, 6)):
            sides = [side(40, 0, at, 20, count) for at, count in enumerate(counts)]
            nodule = row(compare(sides[0], sides[0].pictures[:0], sides[1], sides[2], FINDINGS), "nodule")
            assert nodule.figures is None or nodule.floor is None
            assert cells(nodule)[2][0] == "too few"

    def test_seeds_are_those_of_the_prompts_with_the_finding(self) -> None:
        ours = side(20, 0, 1, 5, 0)
        again = ours.pictures[:10].copy()
        again[5:] = 255 - again[5:]
        rows = compare(ours, again, side(20, 0, 2, 5, 0), side(20, 0, 3, 5, 0), FINDINGS)
        edema, overall = row(rows, "edema"), row(rows, OVERALL)
        assert edema.seeds is not None
        assert overall.seeds is not None
        assert overall.different is not None
        assert (edema.seeds.pairs, edema.seeds.mean) == (5, pytest.approx(1))
        assert (overall.seeds.pairs, overall.different.pairs) == (10, 10)
        assert overall.seeds.mean < 0.7
        assert row(rows, "nodule").seeds is None


class TestReport:
    def test_it_names_the_encoder_and_the_findings_that_the_films_show(self, found: FidelityReport) -> None:
        assert (found.encoder, found.features, found.films, found.side) == ("quarters@1", WIDTH, 40, SIDE)
        (against,) = found.comparisons
        assert [each.finding for each in against.rows] == [OVERALL, "edema", "gout"]
        assert against.halves == (60, 60)
        assert against.read_as == {"edema": ["Edema"], "gout": ["Gout"]}
        assert (row(against.rows, "gout").made, row(against.rows, "gout").figures) == (1, None)

    def test_more_films_ask_for_larger_halves(self) -> None:
        assert report(made(70), [Real()], Encoder()).comparisons[0].halves == (70, 70)

    @pytest.mark.parametrize(
        ("ours", "reference", "told"),
        [
            (made(6), Real(), "try/v1 has 6 films to compare; figures take 7 or more"),
            (made(20), Real(most=13), "half of real has 6 films"),
            (made(20), Real(most=0), "half of real has 0 films"),
        ],
    )
    def test_too_few_films_are_refused(self, ours: GeneratedFilms, reference: Real, told: str) -> None:
        with pytest.raises(AuditError, match=told):
            report(ours, [reference], Encoder())

    @pytest.mark.parametrize("count", [1, 64, 65])
    def test_no_film_is_lost_between_batches(self, count: int) -> None:
        gathered = FeatureAccumulator(Encoder(), FINDINGS, 12)
        for number in range(count):
            gathered.add(Film(np.full((SIDE, 18), number, np.uint8), {"nodule": number % 2, "edema": -1}))
        made = gathered.side()
        assert made.pictures.shape == (count, 12, 12)
        assert np.allclose(made.features[:, 0] * 255 / WIDTH**0.5, np.arange(count))
        assert made.labels.tolist() == [[0, number % 2] for number in range(count)]


class TestPages:
    def test_figures_that_are_no_numbers_are_null_for_programs_and_open_for_people(self) -> None:
        few = report(made(8), [Real()], Encoder())
        figures = json.loads(as_json(report(made(60), [Real()], Encoder())))["comparisons"][0]["rows"][0]["figures"]
        assert figures["fid"] > 0
        edema = json.loads(as_json(few))["comparisons"][0]["rows"][1]
        assert (edema["figures"], edema["made"]) == (None, 4)
        wide = report(made(8), [Real()], Encoder(times=10))
        assert json.loads(as_json(wide))["comparisons"][0]["rows"][0]["figures"]["fid"] is None
        assert "FID is left open (–) where a side has no more films than the encoder has features, 40" in as_markdown(
            wide
        )

    def test_three_files_are_written_and_replaced(self, found: FidelityReport, tmp_path: Path) -> None:
        for _ in range(2):
            write(found, tmp_path / "new" / "out")
        folder = tmp_path / "new" / "out"
        assert sorted(path.name for path in folder.iterdir()) == ["fidelity.json", "fidelity.md", "fidelity.png"]
        assert json.loads((folder / "fidelity.json").read_text())["dataset"] == "try/v1"
        page = (folder / "fidelity.md").read_text()
        assert "(fidelity.png)" in page
        assert "## Against real" in page
        assert "left out: 2 odd" in page
        assert Image.open(folder / "fidelity.png").width > 1000

    def test_a_name_out_of_an_archive_stays_text(self) -> None:
        reference = Real()
        reference.name = "<b>|x"
        page = as_markdown(report(made(20), [reference], Encoder()))
        assert "&lt;b&gt;&#124;x" in page
        assert "<b>" not in page

    def test_the_figure_can_be_drawn_where_no_finding_has_enough(self, found: FidelityReport) -> None:
        assert draw(found).startswith(b"\x89PNG")
        assert draw(report(made(8), [Real(), Real(light=20)], Encoder())).startswith(b"\x89PNG")

    def test_no_figure_is_minus_nothing(self, found: FidelityReport) -> None:
        assert "-0.00" not in as_markdown(found)
