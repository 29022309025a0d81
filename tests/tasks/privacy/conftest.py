"""A small archive of phantom films, indexed once."""

from __future__ import annotations

import pytest

from models.encoders.classifier_features import ClassifierFeatureEncoder
from tasks.privacy.archive import archive_films
from tasks.privacy.index import index_and_measure

ARCHIVE, UNSEEN = "phantom:a/7/120", "phantom:a/7/5000-5080"


@pytest.fixture(scope="session")
def encoder():
    return ClassifierFeatureEncoder()


@pytest.fixture(scope="session")
def archive():
    return list(archive_films(ARCHIVE))


@pytest.fixture(scope="session")
def unseen():
    return list(archive_films(UNSEEN))


@pytest.fixture(scope="session")
def measured(archive, unseen, encoder):
    return index_and_measure(archive, unseen, encoder, canaries=8, false_alarms=0.05)


@pytest.fixture(scope="session")
def index(measured):
    return measured[0]
