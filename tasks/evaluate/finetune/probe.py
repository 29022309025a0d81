"""A linear probe: how well findings are told apart on a model's frozen embeddings with so many labelled films."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
from pydantic import Field

from storage.records import Manifest
from tasks.evaluate.finetune.nested import nested_subset
from tasks.evaluate.labelled_set import EvaluationData, LabelledSet
from tasks.evaluate.predictions import Predictions
from tasks.evaluate.score import score_trials
from tasks.evaluate.scores import ScoreTable

if TYPE_CHECKING:
    from models.vlp.model import VisionLanguageModel
    from tasks.evaluate.protocol import TrialPredictions
    from tasks.recipe.training import EvaluateSection

STRENGTHS = (0.001, 0.01, 0.1, 1.0, 10.0)
"""Inverse strengths of regularisation that are tried; the first of the best on the validation films is taken."""
_SCORING = 1
"""Raise it when the same model and films would get other scores."""


class Probe:
    """Logistic regression per finding on frozen image embeddings: AUROC and AUPRC on the test films.

    Embeddings are those that zero-shot classification compares, standardised on the training films. Films whose label
    is uncertain or unknown are left out of training. A finding that all training films show, or none, gets the same
    score on every film, which is an AUROC of 0.5.

    Args:
        share: of the training patients that are used; a smaller share is part of every larger one.
        seed: of the order in which patients are taken.
    """

    needs = frozenset({"labels"})
    trains = True
    validates = True

    def __init__(
        self, share: Annotated[float, Field(gt=0, le=1)] = 1.0, seed: Annotated[int, Field(ge=0)] = 0
    ) -> None:
        self.share, self.seed = share, seed

    def identity(self, test: Manifest) -> Mapping[str, Any]:
        """The version of the scoring, and the strengths that are tried."""
        del test
        return {"scoring": _SCORING, "strengths": list(STRENGTHS)}

    def predict(self, model: VisionLanguageModel, data: EvaluationData) -> Predictions:
        """Fit on the training films and score every test film for every finding that the test set labels.

        Raises:
            CannotScore: there are no films to train or tune on, or the test set labels no finding of its label set, or
                one that is not in the set.
        """
        return self.predict_each(model, data, [data.test])[0]

    def predict_each(
        self, model: VisionLanguageModel, data: EvaluationData, sets: Sequence[LabelledSet]
    ) -> list[Predictions]:
        """The same for the films of several sets, and the findings that the test set labels."""
        training, validation = data.to_train_on("probe")
        names = data.test.findings()
        rows = nested_subset(training.ids(), training.patients(), self.share, self.seed)
        learnt = training.embeddings(model)[rows]
        known, held = training.truth(names)[rows], validation.truth(names)
        standardised = _standardised(learnt)
        asked = np.concatenate([films.embeddings(model) for films in sets])
        inputs = [standardised(part) for part in (learnt, validation.embeddings(model), asked)]
        columns = [_scores(inputs, known[:, at], held[:, at]) for at in range(len(names))]
        scores = np.stack(columns, axis=1).astype(np.float32)
        ends = np.cumsum([len(films.rows()) for films in sets])
        return [
            Predictions(films.ids(), names, part, films.truth(names), films.patients())
            for films, part in zip(sets, np.split(scores, ends[:-1]), strict=True)
        ]

    def score(self, predictions: Sequence[TrialPredictions], section: EvaluateSection) -> ScoreTable:
        """The measures of a classification per finding and their macro mean, as for ``zero_shot``."""
        protocol = (
            f"linear probe: logistic regression per finding on frozen image embeddings of {self.share:.0%} of the "
            "training patients, regularisation chosen by AUROC on the validation films; a finding without both "
            "labels in training scores 0.5"
        )
        return score_trials(predictions, section, protocol=protocol, probability="that of the logistic regression")


def _standardised(training: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
    """From embeddings (n, d) to the same with the mean and the deviation of `training` taken out."""
    from sklearn.preprocessing import StandardScaler  # pyright: ignore[reportMissingTypeStubs]

    scaler: Any = StandardScaler  # which has no types
    return scaler().fit(training).transform


def _scores(inputs: Sequence[np.ndarray], known: np.ndarray, held: np.ndarray) -> np.ndarray:
    """Decision values (films,) of one finding.

    Args:
        inputs: of the training and the validation films and of those that are asked for, (n, d) each.
        known, held: labels of the training and of the validation films; only 0 and 1 count.
    """
    from sklearn.linear_model import LogisticRegression  # pyright: ignore[reportMissingTypeStubs]
    from sklearn.metrics import roc_auc_score  # pyright: ignore[reportMissingTypeStubs, reportUnknownVariableType]

    regression: Any = LogisticRegression  # which has no types
    auroc: Any = roc_auc_score  # pyright: ignore[reportUnknownVariableType]
    training, validation, asked = inputs
    rows, checked = np.isin(known, (0, 1)), np.isin(held, (0, 1))
    if len(set(known[rows])) < 2:
        return np.zeros(len(asked))
    strengths = STRENGTHS if len(set(held[checked])) == 2 else (1.0,)
    fits = [regression(C=one, max_iter=1000).fit(training[rows], known[rows]) for one in strengths]
    if len(fits) == 1:
        return fits[0].decision_function(asked)
    reached = [auroc(held[checked], fit.decision_function(validation[checked])) for fit in fits]
    return fits[int(np.argmax(reached))].decision_function(asked)
