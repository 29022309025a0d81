"""Copies of training films are found, unseen films are let through, and how well is measured and told."""

from __future__ import annotations

import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from benchmarks.noise_gap import NoGap, noise_gaps
from models.contracts import Candidate, ImageRequest, ModelCard, ModelNotFound
from models.diffusion.options import DiffusersOptions
from models.diffusion.pipeline import DiffusersImageGenerator
from models.encoders.classifier_features import ClassifierFeatureEncoder
from models.gates.memorisation import Memorisation
from models.gates.training_index import build_index, index_figures, load_index, save_index
from models.phantom.renderer import RendererImageGenerator
from storage.layout import DatasetRef
from storage.open import open_store
from storage.records import ReportRow
from storage.tables import from_parquet
from storage.versions import Version, VersionPlace, open_dataset
from tasks import publish
from tasks.curate.table import read_table
from tasks.generate.images import ImageOptions, draw_images
from tasks.privacy.archive import ArchiveUnknown, archive_films
from tasks.privacy.audit import NeighbourRow, audit
from tasks.privacy.canaries import KINDS
from tasks.privacy.index import NotEnoughFilms, clear, index_and_measure
from tasks.publish.archive import publish_archive
from tasks.publish.privacy_figures import card_figures
from tasks.recipe.schema import Component, GateSpec, ImageSection, Recipe


@pytest.fixture
def path(index, tmp_path):
    save_index(index, tmp_path / "memory.safetensors")
    return tmp_path / "memory.safetensors"


def candidate(film) -> Candidate:
    return Candidate("s0", (), "", "", film)


def recipe(*gates: GateSpec) -> Recipe:
    return Recipe(images=ImageSection(generator=Component(kind="renderer")), report_gates=(), image_gates=gates)


def test_exact_copies_are_found_and_named(index, archive, encoder):
    films = [(name, film) for name, film in archive[:12] if clear(film)]
    for (name, _), near in zip(films, index.nearest([film for _, film in films], encoder), strict=True):
        assert near.by_pixels == near.by_embedding == name
        assert near.correlation > 0.999
        assert near.cosine > 0.999


def test_most_near_copies_are_found_and_most_unseen_films_are_let_through(measured):
    _, figures = measured
    by_kind = {kind.kind: kind for kind in figures.kinds}
    assert by_kind.keys() == KINDS.keys()
    assert by_kind["exact"].sensitivity == 1
    assert by_kind["mirrored"].sensitivity == 1
    assert sum(k.found for k in figures.kinds) / sum(k.planted for k in figures.kinds) > 0.85
    assert figures.specificity > 0.8
    assert all(kind.low <= kind.sensitivity <= kind.high for kind in figures.kinds)


def test_a_limit_below_every_film_flags_all_and_the_figures_say_so(index, archive, unseen, encoder):
    from tasks.privacy.canaries import plant

    kinds = {name: KINDS[name] for name in ("exact", "grain")}
    blind = plant(index.with_limit(-1.0), encoder, [archive[1][1]], [unseen[0][1]], kinds=kinds, seeds=2)
    deaf = plant(index.with_limit(1.1), encoder, [archive[1][1]], [unseen[0][1]], kinds=kinds, seeds=2)
    assert (blind.specificity, [kind.sensitivity for kind in blind.kinds]) == (0, [1, 1])
    assert (deaf.specificity, [kind.sensitivity for kind in deaf.kinds]) == (1, [0, 0])


def test_the_gate_scores_copies_under_a_half_and_others_over_it(path, archive, unseen):
    gate = Memorisation(path)
    copied = next(film for _, film in archive if clear(film))
    scores = gate.score([candidate(copied), *(candidate(film) for _, film in unseen[:20])])
    assert scores[0].score < 0.01
    assert "phantom-a-7-" in scores[0].reason
    assert np.mean([score.score > 0.5 for score in scores[1:]]) > 0.8
    assert gate.score([]) == []


@pytest.mark.parametrize(
    "ugly",
    [np.zeros((128, 128), np.uint8), np.full((96, 200), 255, np.uint8), np.full((64, 64), np.nan, np.float32)],
)
def test_films_that_show_nothing_are_no_copies_and_no_crash(path, ugly):
    (score,) = Memorisation(path).score([candidate(ugly)])
    assert 0.5 < score.score <= 1


def test_a_candidate_without_a_film_is_named(path):
    with pytest.raises(ValueError, match="s0"):
        Memorisation(path).score([candidate(None)])


def test_an_index_comes_back_whole(path, index, archive, encoder):
    back = load_index(path)
    films = [film for _, film in archive[:3]]
    assert back.nearest(films, encoder) == index.nearest(films, encoder)
    assert (back.limit, back.figures) == (index.limit, index.figures)


@pytest.mark.parametrize("data", [None, b"junk"])
def test_no_memory_is_told_with_the_command_that_makes_one(tmp_path, data):
    if data is not None:
        (tmp_path / "m.safetensors").write_bytes(data)
    with pytest.raises(ModelNotFound, match="synth privacy index"):
        Memorisation(tmp_path / "m.safetensors").score([candidate(np.zeros((128, 128), np.uint8))])


def test_another_encoder_is_refused(index, archive):
    with pytest.raises(ValueError, match="examiner"):
        index.nearest([archive[0][1]], ClassifierFeatureEncoder("examiner"))


def test_too_few_films_to_measure_anything_is_an_error(archive, unseen, encoder):
    with pytest.raises(NotEnoughFilms, match="clear films"):
        index_and_measure(archive[:4], unseen, encoder, canaries=10)
    with pytest.raises(NotEnoughFilms, match="take 200"):
        index_and_measure(archive, unseen[:20], encoder, canaries=4)
    with pytest.raises(ValueError, match="without films"):
        build_index([], encoder)


def test_the_card_gets_the_figures_of_the_gate_and_nothing_without_it(path, index, tmp_path):
    gate = GateSpec(kind="memorisation", threshold=0.5, options={"index": str(path)})
    assert card_figures(recipe()) == {}
    assert card_figures(recipe(gate)) == index_figures(path) == index.figures
    assert {"sensitivity to exact copies planted", "specificity on unseen films"} <= index.figures.keys()
    save_index(index.with_limit(0.9), tmp_path / "untried.safetensors")
    untried = GateSpec(kind="memorisation", threshold=0.5, options={"index": str(tmp_path / "untried.safetensors")})
    with pytest.raises(ValueError, match="never tried on planted copies"):
        card_figures(recipe(untried))


def test_no_text_that_we_publish_calls_data_private():
    texts = [path.read_text() for path in Path(publish.__file__).parent.rglob("*.*") if path.suffix != ".pyc"]
    assert texts
    assert not [text for text in texts if re.search(r"\bprivate\b", text, re.IGNORECASE)]


def test_every_film_of_a_version_is_compared_once_and_copies_are_flagged(index, encoder, tmp_path):
    from models.phantom.archive import films
    from models.phantom.hospital import HOSPITAL_A

    store, ref = open_store(str(tmp_path)), DatasetRef("leaky", "v1")
    drawn: list[Any] = [
        SimpleNamespace(
            image=film.image,
            labels={},
            findings_text="x",
            impression_text="y",
            defect=None,
            view="PA",
            boxes=[],
            masks=[],
        )
        for film in films(HOSPITAL_A, 7, [3, 5000, 4, 5001])
    ]
    publish_archive(VersionPlace(store, ref), drawn, count=4, shard_size=2)
    manifest = open_dataset(store, ref)
    rows = audit(Version(store, ref, manifest), index, encoder)
    assert [row.by_pixels for row in rows if row.flagged] == ["phantom-a-7-3", "phantom-a-7-4"]
    assert [row.sample_id for row in rows] == read_table(Version(store, ref, manifest)).pairs["sample_id"].to_list()
    kept = [from_parquet(store.get(info.key), NeighbourRow) for info in store.list("measures/leaky/v1/")]
    assert sum(map(len, kept)) == 4
    for entry in manifest.shards:
        assert entry.pairs is not None
        store.delete(ref.key(entry.pairs.key))
    assert audit(Version(store, ref, manifest), index, encoder) == rows
    assert dict(archive_films("phantom:a/7/3-4")).keys() == {"phantom-a-7-3"}


@pytest.mark.parametrize("source", ["mimic", "phantom:z/7/10", "phantom:a/7/10-10", "phantom:a/7"])
def test_an_archive_that_leads_nowhere_is_named(source):
    with pytest.raises(ArchiveUnknown, match=r"phantom"):
        list(archive_films(source))


@pytest.mark.engine
def test_the_noise_gap_is_heard_while_the_sampler_draws_as_always():
    generator = DiffusersImageGenerator(DiffusersOptions(steps=2, guidance=2.0, batch=2))
    requests = [ImageRequest(f"s{n}", prompt, n) for n, prompt in enumerate(["Pneumothorax.", "Cardiomegaly.", ""])]
    before = generator.generate(requests)
    gaps = noise_gaps(generator, requests)
    assert gaps.shape == (3,)
    assert (gaps[:2] > 10 * gaps[2]).all()  # an empty prompt is the one without text
    assert all(np.array_equal(one, other) for one, other in zip(before, generator.generate(requests), strict=True))


@pytest.mark.engine
def test_a_generator_without_guidance_or_denoiser_has_no_gap():
    with pytest.raises(NoGap, match="guidance above 1"):
        noise_gaps(DiffusersImageGenerator(DiffusersOptions(steps=1, guidance=1.0)), [ImageRequest("s", "x", 0)])
    with pytest.raises(NoGap, match="only diffusers"):
        noise_gaps(RendererImageGenerator(), [])


class Leaking:
    """An image generator that knows one film by heart and draws it whenever the prompt says so."""

    token_limit = 77
    card = ModelCard("leaking", "leaking", "1", "0", "Apache-2.0")

    def __init__(self, known, other):
        self._known, self._other = known, other

    def count_tokens(self, prompts):
        return [1 for _ in prompts]

    def generate(self, requests):
        return [self._known if "heart" in request.prompt else self._other for request in requests]


def test_a_film_known_by_heart_ends_among_the_rejects_and_others_are_kept(path, archive, unseen):
    films = {"by heart": next(film for _, film in archive if clear(film)), "new": unseen[1][1]}
    rows = [
        ReportRow(sample_id=name, index=at, findings=name, impression=name, entities=[], mentions=[], seed=0,
                  attempts=1, tokens=1, tokens_all_attempts=1, gates=[])
        for at, name in enumerate(films)
    ]  # fmt: skip
    gates = [(Memorisation(path), 0.5)]
    drawn = draw_images(
        rows, Leaking(*films.values()), gates, ImageOptions(attempts=2, batch=2, seed_of=lambda _, attempt: attempt)
    )
    assert [row.sample_id for row, _ in drawn.samples] == ["new"]
    assert [(row.sample_id, row.gate, row.attempts) for row in drawn.rejects] == [("by heart", "memorisation", 2)]
    assert "nearest is phantom-a-7-" in drawn.rejects[0].reason
