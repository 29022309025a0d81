"""Segmentation: how well a U-Net on a model's image tower draws the areas of findings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from storage.records import Manifest
from tasks.evaluate.areas import Areas, areas
from tasks.evaluate.finetune.fitting import chosen_films, first_tower, fitted, rates_text
from tasks.evaluate.finetune.nested import nested_subset
from tasks.evaluate.finetune.options import Initial, Rates, Seed, Share, Steps
from tasks.evaluate.labelled_set import EvaluationData, LabelledSet
from tasks.evaluate.labels import CannotScore
from tasks.evaluate.metrics.localisation import dice, iou
from tasks.evaluate.predictions import Predictions
from tasks.evaluate.score_means import FilmValues, MeanMetric, score_means
from tasks.evaluate.scores import ScoreTable

if TYPE_CHECKING:
    from torch import Tensor, nn

    from models.vlp.model import VisionLanguageModel
    from tasks.evaluate.protocol import TrialPredictions
    from tasks.recipe.training import EvaluateSection

IOU = " (IoU)"
"""What names the column of a finding's IoU, beside that of its Dice."""
SIDE = 128
"""Side in pixels at which areas are compared, for every model the same."""
BATCH = 16
"""Films of a training step."""
_SCORING = 1
"""Raise it when the same model and films would get other scores."""


class Segmentation:
    """A U-Net on the image tower, all of it trained on masks: Dice and IoU of the areas of findings.

    Encoder is the model's image tower with its weights, decoder and losses are those of segmentation_models_pytorch:
    Dice and cross-entropy by pixel, summed, one output for each finding with an area on some test film. A film without
    an area of a finding has an empty one where its label is 0, and is left out of that finding where it is not. Films
    are not varied. Every share is trained for the same number of steps.

    Args:
        share: of the training patients that are used; a smaller share is part of every larger one.
        seed: of the order in which patients and films are taken, and of new layers.
        initial: weights of the image tower to begin with: the model's, or random ones of the same architecture.
        steps: of training, with 16 films each.
        rates: learning rates, of which the one with the highest mean Dice on the validation films is taken.
        boxes: where a film has no mask of a finding, its boxes are areas, filled.
    """

    needs = frozenset({"masks"})
    trains = True

    def __init__(
        self, share: Share = 1.0, seed: Seed = 0, initial: Initial = "pretrained", steps: Steps = 300,
        rates: Rates = (5e-4, 2e-3), boxes: bool = False,
    ) -> None:  # fmt: skip
        self.share, self.seed = share, seed
        self.initial: Initial = initial
        self.steps, self.rates, self.boxes = steps, tuple(rates), boxes
        self.needs = frozenset({"boxes|masks"}) if boxes else frozenset({"masks"})

    def identity(self, test: Manifest) -> Mapping[str, Any]:
        """The version of the scoring, and how it is trained."""
        del test
        return {"scoring": _SCORING, "batch": BATCH, "steps": self.steps, "rates": list(self.rates), "side": SIDE}

    def predict(self, model: VisionLanguageModel, data: EvaluationData) -> Predictions:
        """Train on the training films, and the Dice and IoU of every test film for every finding.

        `Predictions.truth` says whether the film has an area; both are NaN where that is not known. Where area and
        output are empty, both measures are 1; where one of them is, 0.

        Raises:
            CannotScore: there are no films to train or tune on, they have no masks of the findings of the test set, or
                random weights are asked for and the architecture cannot be made anew.
            NoFeatures: the image tower has no stages of falling resolution.
        """
        from models.vlp.finetuning import Fitting, Learning, views
        from models.vlp.unet import AreaLoss, UNet

        training, validation = data.to_train_on("segmentation")
        drawn = areas(data.test, boxes=self.boxes)
        learnt, held = (areas(films, drawn.names, boxes=self.boxes) for films in (training, validation))
        for name, known in ((training, learnt), (validation, held)):
            if not known.shown.any():
                raise CannotScore(f"dataset {name} has no area of the findings of dataset {data.test}")
        rows = nested_subset(training.ids(), training.patients(), self.share, self.seed)
        films = chosen_films(training, rows, model.film_size)
        measure = AreaLoss()

        def net() -> nn.Module:
            return UNet(first_tower(model, self.initial, self.seed), len(drawn.names)).to(model.device)

        def loss(net: nn.Module, batch: np.ndarray) -> Tensor:
            wanted = np.stack([learnt.of(row, model.film_size) for row in rows[batch].tolist()])
            return measure(net(views(model, films[batch])), wanted, learnt.known[rows[batch]])

        def quality(net: nn.Module) -> float:
            found = _overlaps(net, model, validation, held)[0]
            return float(
                np.mean([found[held.shown[:, at], at].mean() for at in np.flatnonzero(held.shown.any(axis=0))])
            )

        learning = Learning(net, loss, quality, len(rows))
        trained = fitted(learning, Fitting(self.steps, BATCH, self.rates, self.seed), model)
        scores = np.concatenate(_overlaps(trained, model, data.test, drawn), axis=1)
        truth = np.where(drawn.known, drawn.shown, np.nan)
        labels = (*drawn.names, *(f"{name}{IOU}" for name in drawn.names))
        return Predictions(data.test.ids(), labels, scores, np.tile(truth, (1, 2)), data.test.patients())

    def score(self, predictions: Sequence[TrialPredictions], section: EvaluateSection) -> ScoreTable:
        """The mean Dice per finding over the films that have its area, and their macro mean."""
        protocol = (
            f"segmentation: a U-Net on the {self.initial} image tower trained for {self.steps} steps on "
            f"{self.share:.0%} of the training patients, learning rate of {rates_text(self.rates)} chosen by mean "
            f"Dice on the validation films; films with an area, from a probability of 0.5, {SIDE} x {SIDE} pixels"
        )
        values = [_values(item.predictions) for item in predictions]
        return score_means(predictions, values, MeanMetric("Dice", protocol), section)


def _overlaps(net: nn.Module, model: VisionLanguageModel, held: LabelledSet, drawn: Areas) -> tuple[np.ndarray, ...]:
    """Dice and IoU of every film and finding, (films, findings) float32 each, NaN where the area is not known."""
    from models.vlp.finetuning import outputs

    found = [np.full(drawn.known.shape, np.nan, np.float32) for _ in range(2)]
    film = 0
    for logits in outputs(net, model, held.blocks(model.film_size)):
        for maps in logits:
            taken, wanted, known = _enlarged(maps) > 0, drawn.of(film, SIDE), drawn.known[film]
            for table, metric in zip(found, (dice, iou), strict=True):
                table[film, known] = metric(taken[known], wanted[known])
            film += 1
    return tuple(found)


def _enlarged(maps: np.ndarray) -> np.ndarray:
    """Maps (findings, h, w) as (findings, SIDE, SIDE), bilinear."""
    import cv2

    large = [cv2.resize(np.ascontiguousarray(maps[at]), (SIDE, SIDE)) for at in range(len(maps))]
    return np.stack([np.asarray(one) for one in large])


def _values(predictions: Predictions) -> FilmValues:
    chosen = [at for at, name in enumerate(predictions.labels) if not name.endswith(IOU)]
    shown = predictions.truth[:, chosen] == 1
    names = tuple(predictions.labels[at] for at in chosen)
    return FilmValues(names, np.where(shown, predictions.scores[:, chosen], np.nan).astype(np.float64))
