"""Find the report of each film among all reports of a test set, and the film of each report among all films."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from storage.records import Manifest, PairRow
from tasks.evaluate.labelled_set import EvaluationData
from tasks.evaluate.labels import CannotScore
from tasks.evaluate.metrics.retrieval import ranks, text_groups
from tasks.evaluate.predictions import Predictions
from tasks.evaluate.score_means import FilmValues, MeanMetric, score_means
from tasks.evaluate.scores import ScoreTable

if TYPE_CHECKING:
    from models.vlp.model import VisionLanguageModel
    from tasks.evaluate.protocol import TrialPredictions
    from tasks.recipe.training import EvaluateSection

RetrievedText = Literal["impression", "findings", "report"]
DIRECTIONS = ("film to report", "report to film")
LOOKED_AT = (1, 5, 10)
METRIC = MeanMetric(
    "recall",
    "retrieval: rank of a film's report among all different reports by cosine, and of a report's film among all "
    "films; equal reports are one; share of films whose rank is at most 1, 5 and 10, and the mean of all six; "
    "percentile bootstrap over patients where they are known, else over films, each with the whole gallery",
)
_SCORING = 1
"""Raise it when the same model and films would get other ranks."""


class Retrieval:
    """Retrieval of reports by films and of films by reports: recall among the first 1, 5 and 10.

    Args:
        text: which part of a report is found; a film without that part is found by the other one.
    """

    needs = frozenset({"impression"})
    trains = False

    def __init__(self, text: RetrievedText = "impression") -> None:
        self._text: RetrievedText = text

    def identity(self, test: Manifest) -> Mapping[str, Any]:
        """The rule; the text is among the options."""
        del test
        return {"scoring": _SCORING}

    def predict(self, model: VisionLanguageModel, data: EvaluationData) -> Predictions:
        """The ranks from 1 of every film in both directions, in place of scores; nothing is true or false.

        A film without a report has no rank and is in no gallery.

        Raises:
            CannotScore: there are no two different reports.
        """
        test = data.test
        texts = [_text(row, self._text) for row in test.rows()]
        there = np.array([bool(text) for text in texts])
        groups = text_groups([text for text in texts if text])
        if len(groups) == 0 or groups.max() == 0:
            raise CannotScore(
                f"dataset {test}: its {len(texts)} films have not two different reports: none can be found"
            )
        different = dict(zip(groups.tolist(), (text for text in texts if text), strict=True))
        images = test.embeddings(model)
        found = np.full((len(texts), len(DIRECTIONS)), np.nan)
        found[there] = ranks(images[there], model.embed_texts([different[at] for at in sorted(different)]), groups)
        return Predictions(
            test.ids(), DIRECTIONS, found.astype(np.float32), np.full(found.shape, np.nan), test.patients()
        )

    def score(self, predictions: Sequence[TrialPredictions], section: EvaluateSection) -> ScoreTable:
        """Recall in both directions, and the mean of all."""
        return score_means(predictions, [_hits(item.predictions) for item in predictions], METRIC, section)


def _hits(predictions: Predictions) -> FilmValues:
    """Whether each film's rank is at most 1, 5 and 10, direction by direction."""
    names = tuple(f"{direction}, first {k}" for direction in predictions.labels for k in LOOKED_AT)
    found = predictions.scores[:, :, None].astype(np.float64)
    hits = np.where(np.isnan(found), np.nan, found <= np.array(LOOKED_AT))
    return FilmValues(names, hits.reshape(len(hits), -1))


def _text(row: PairRow, text: RetrievedText) -> str:
    if text == "report":
        return f"{row.findings} {row.impression}".strip()
    first, other = (row.impression, row.findings) if text == "impression" else (row.findings, row.impression)
    return first or other
