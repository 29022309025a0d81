"""Full fine-tuning: how well findings are told apart when the whole image tower is trained on labelled films."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from storage.records import Manifest
from tasks.evaluate.finetune.fitting import chosen_films, first_tower, fitted, rates_text
from tasks.evaluate.finetune.nested import nested_subset
from tasks.evaluate.finetune.options import Initial, Rates, Seed, Share, Steps
from tasks.evaluate.labelled_set import EvaluationData, LabelledSet
from tasks.evaluate.labels import CannotScore
from tasks.evaluate.metrics.macro import with_both_classes
from tasks.evaluate.metrics.ranking import auroc
from tasks.evaluate.predictions import Predictions
from tasks.evaluate.score import score_trials
from tasks.evaluate.scores import ScoreTable

if TYPE_CHECKING:
    from torch import Tensor, nn

    from models.vlp.model import VisionLanguageModel
    from tasks.evaluate.protocol import TrialPredictions
    from tasks.recipe.training import EvaluateSection

BATCH = 32
"""Films of a training step."""
_SCORING = 1
"""Raise it when the same model and films would get other scores."""


class Finetune:
    """Full fine-tuning: the image tower and a linear layer are trained on labelled films: AUROC and AUPRC on test.

    The loss is the mean binary cross-entropy over the labels that are 0 or 1; uncertain and unknown ones have no part
    in it. Films are not varied. Every share is trained for the same number of steps.

    Args:
        share: of the training patients that are used; a smaller share is part of every larger one.
        seed: of the order in which patients and films are taken, and of new layers.
        initial: weights of the image tower to begin with: the model's, or random ones of the same architecture.
        steps: of training, with 32 films each.
        rates: learning rates, of which the one with the highest macro AUROC on the validation films is taken.
    """

    needs = frozenset({"labels"})
    trains = True
    validates = True

    def __init__(
        self, share: Share = 1.0, seed: Seed = 0, initial: Initial = "pretrained", steps: Steps = 300,
        rates: Rates = (1e-4, 1e-3),
    ) -> None:  # fmt: skip
        self.share, self.seed = share, seed
        self.initial: Initial = initial
        self.steps, self.rates = steps, tuple(rates)

    def identity(self, test: Manifest) -> Mapping[str, Any]:
        """The version of the scoring, and how it is trained."""
        del test
        return {"scoring": _SCORING, "batch": BATCH, "steps": self.steps, "rates": list(self.rates)}

    def predict(self, model: VisionLanguageModel, data: EvaluationData) -> Predictions:
        """Train on the training films and score every test film for every finding that the test set labels.

        Raises:
            CannotScore: there are no films to train or tune on, the test set labels no finding of its label set or one
                that is not in the set, the validation films cannot tell one rate from another, or random weights are
                asked for and the architecture cannot be made anew.
        """
        return self.predict_each(model, data, [data.test])[0]

    def predict_each(
        self, model: VisionLanguageModel, data: EvaluationData, sets: Sequence[LabelledSet]
    ) -> list[Predictions]:
        """The same for the films of several sets, and the findings that the test set labels."""
        from models.vlp.finetuning import Fitting, Learning, label_loss, outputs, views
        from models.vlp.image_tower import classifier

        training, validation = data.to_train_on("finetune")
        names = data.test.findings()
        rows = nested_subset(training.ids(), training.patients(), self.share, self.seed)
        truth, held = training.truth(names)[rows], validation.truth(names)
        known = np.isin(held, (0, 1))
        judged = with_both_classes(np.where(known, held, 0), known)
        if not judged:
            raise CannotScore(
                f"dataset {validation} shows no finding on some films and not on others: no rate is best"
            )
        films = chosen_films(training, rows, model.film_size)

        def net() -> nn.Module:
            tower = first_tower(model, self.initial, self.seed)
            return classifier(tower, views(model, films[:1]), len(names))

        def loss(net: nn.Module, batch: np.ndarray) -> Tensor:
            return label_loss(net(views(model, films[batch])), truth[batch])

        def quality(net: nn.Module) -> float:
            found = np.concatenate(list(outputs(net, model, validation.blocks(model.film_size))))
            return float(np.mean([auroc(found[known[:, at], at], held[known[:, at], at]) for at in judged]))

        learning = Learning(net, loss, quality, len(rows))
        trained = fitted(learning, Fitting(self.steps, BATCH, self.rates, self.seed), model)
        scores = [np.concatenate(list(outputs(trained, model, films.blocks(model.film_size)))) for films in sets]
        return [
            Predictions(films.ids(), names, found.astype(np.float32), films.truth(names), films.patients())
            for films, found in zip(sets, scores, strict=True)
        ]

    def score(self, predictions: Sequence[TrialPredictions], section: EvaluateSection) -> ScoreTable:
        """The measures of a classification per finding and their macro mean, as for ``zero_shot``."""
        protocol = (
            f"fine-tuning: the {self.initial} image tower and a linear layer trained for {self.steps} steps on "
            f"{self.share:.0%} of the training patients, learning rate of {rates_text(self.rates)} chosen by "
            "macro AUROC on the validation films"
        )
        return score_trials(predictions, section, protocol=protocol, probability="sigmoid of the network's output")
