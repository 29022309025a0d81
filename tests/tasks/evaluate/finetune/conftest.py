"""Toy films with masks of one finding to train, to tune and to test on."""

from __future__ import annotations

import numpy as np
import pytest

from storage.layout import DatasetRef
from storage.local import LocalStore
from storage.masks import encode_mask
from storage.records import PairRow
from storage.shards import Sample, sample_of
from storage.versions import Version
from tasks.evaluate.labelled_set import EvaluationData, LabelledSet
from tests.tasks.pretrain.conftest import publish, toy_samples

FINDING = "lung nodule"
"""The toy films show it at a height and a breadth of 0.3 of their side."""


def with_mask(sample: Sample) -> Sample:
    """A toy film with a mask of `FINDING`, labelled for nothing else, two films to a patient."""
    down, across = np.mgrid[:96, :96]
    inside = (down - 0.3 * 96) ** 2 + (across - 0.3 * 96) ** 2 < 16**2
    there = sample.json["labels"][FINDING]
    changed = {
        "masks": [encode_mask(FINDING, inside)] if there else [],
        "labels": {FINDING: there},
        "patient": f"p{sample.json['index'] // 2}",
    }
    return sample_of(PairRow.model_validate({**sample.json, **changed}), sample.png)


def opened(store: LocalStore, name: str, samples: list[Sample]) -> LabelledSet:
    """A published set of these samples."""
    draw = publish(store, name, samples)
    return LabelledSet(Version.open(store, DatasetRef(draw.dataset, draw.version)))


@pytest.fixture(scope="session")
def masked(tmp_path_factory: pytest.TempPathFactory) -> EvaluationData:
    store = LocalStore(tmp_path_factory.mktemp("masked"))
    test, validation, training = (
        opened(store, name, [with_mask(one) for one in toy_samples(name, films, seed)])
        for name, films, seed in (("test", 24, 4), ("validation", 16, 5), ("training", 48, 6))
    )
    return EvaluationData(test, validation, training)
