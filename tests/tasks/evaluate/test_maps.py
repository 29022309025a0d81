"""Maps split the zero-shot score of a film over its places, less what all films have in common."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pytest

from models.vlp.model import create
from storage.layout import DatasetRef
from storage.local import LocalStore
from storage.versions import Version
from tasks.evaluate.labelled_set import LabelledSet
from tasks.evaluate.maps import FindingMaps, enlarged, finding_maps
from tasks.evaluate.prompts import prompts_for
from tasks.evaluate.zero_shot import zero_shot
from tests.tasks.pretrain.conftest import publish, toy_samples

PROMPTS = prompts_for("phantom", ["cardiomegaly", "lung nodule"])


class OwnPlaces:
    """A model whose finer places are left out."""

    def __init__(self) -> None:
        self.model = create(seed=0)
        self.film_size, self.embed_texts = self.model.film_size, self.model.embed_texts

    def embed_regions(self, films: np.ndarray, *, finer: bool) -> Iterator[np.ndarray]:
        for part in self.model.embed_regions(films, finer=finer):
            yield part[:, ::2, ::2]


class Corner:
    """Embeds every place the same, but for one that all films have lit and one that tells films apart."""

    film_size = 96

    def embed_texts(self, texts: Sequence[str]) -> np.ndarray:
        return np.array([[1.0, 0.0] if "odule" in text else [0.0, 1.0] for text in texts], np.float32)

    def embed_regions(self, films: np.ndarray, *, finer: bool) -> Iterator[np.ndarray]:
        assert finer
        places = np.full((len(films), 2, 2, 2), 0.5, np.float32)
        places[:, 0, 0, 0] = 3
        places[:, 1, 1, 0] += films.mean(axis=(1, 2)) / 255
        yield places


@pytest.fixture
def test(local_store: LocalStore) -> LabelledSet:
    return opened(local_store, "toy", seed=3)


def opened(store: LocalStore, name: str, seed: int) -> LabelledSet:
    publish(store, name, toy_samples(name, 12, seed))
    return LabelledSet(Version.open(store, DatasetRef(name, "v1")))


def maps_of(model: Any, test: LabelledSet, validation: LabelledSet | None = None) -> np.ndarray:
    return np.stack(list(finding_maps(model, PROMPTS, validation).of(test)))


def test_their_mean_over_the_places_of_the_tower_is_the_zero_shot_score_of_the_film(test: LabelledSet) -> None:
    model = OwnPlaces()
    scores = zero_shot(model.model, test.embeddings(model.model), PROMPTS)
    np.testing.assert_allclose(maps_of(model, test).mean(axis=(1, 2)), scores, atol=1e-5)


def test_on_the_validation_films_nothing_is_left_on_average(local_store: LocalStore, test: LabelledSet) -> None:
    held = opened(local_store, "held", seed=4)
    model = create(seed=0)
    assert np.abs(maps_of(model, held).mean(axis=0)).max() > 1e-3
    np.testing.assert_allclose(maps_of(model, held, held).mean(axis=0), 0, atol=1e-5)
    assert maps_of(model, test, held).shape == (12, 6, 6, 2)


def test_what_lights_up_on_every_film_does_not_hide_what_tells_them_apart(
    local_store: LocalStore, test: LabelledSet
) -> None:
    held, model = opened(local_store, "held", seed=4), Corner()
    nodule = [item.label for item in PROMPTS].index("lung nodule")
    plain, less = maps_of(model, test)[..., nodule], maps_of(model, test, held)[..., nodule]
    assert {int(one.argmax()) for one in plain} == {0}
    brightest = int(test.images(96).mean(axis=(1, 2)).argmax())
    assert int(less[brightest].argmax()) == 3


def test_only_chosen_films_are_embedded_and_in_their_order(test: LabelledSet) -> None:
    every = maps_of(Corner(), test)
    chosen = np.arange(12) % 3 == 1
    maps: FindingMaps = finding_maps(Corner(), PROMPTS, None)  # pyright: ignore[reportArgumentType]
    np.testing.assert_array_equal(np.stack(list(maps.of(test, chosen))), every[chosen])


def test_a_map_is_enlarged_to_the_middle_of_its_places() -> None:
    large = enlarged(np.array([[0, 1], [0, 1]], np.float32), 4)
    np.testing.assert_allclose(large, [[0, 0.25, 0.75, 1]] * 4)
