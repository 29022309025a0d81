"""Ask a vision-language model where a finding is, without training on any box or mask."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from models.findings.label_sets import LabelSet, load
from storage.records import Manifest, PairRow
from tasks.evaluate.areas import area_of, film_size
from tasks.evaluate.labelled_set import EvaluationData, LabelledSet
from tasks.evaluate.labels import CannotScore
from tasks.evaluate.metrics.localisation import chance, contrast_to_noise, dice, pointing_game
from tasks.evaluate.predictions import Predictions
from tasks.evaluate.prompts import DEFAULT, FindingPrompts, PromptSetName, prompts_for
from tasks.evaluate.score_means import FilmValues, MeanMetric, score_means
from tasks.evaluate.scores import ScoreTable
from tasks.evaluate.zero_shot import ZeroShot, direction

if TYPE_CHECKING:
    from models.vlp.model import VisionLanguageModel
    from tasks.evaluate.protocol import TrialPredictions
    from tasks.recipe.training import EvaluateSection

Measure = Literal["pointing", "contrast", "dice_oracle"]
MEASURES: Mapping[Measure, MeanMetric] = {
    "pointing": MeanMetric(
        "pointing game",
        "share of films whose map is highest inside the finding's area; `chance` is the area's share of the film",
    ),
    "contrast": MeanMetric(
        "contrast to noise",
        "difference of the map's means inside and outside of the area, over the root of the sum of their variances",
    ),
    "dice_oracle": MeanMetric(
        "Dice (oracle size)", "overlap of the area with as many of the map's highest pixels as the area has"
    ),
}
CHANCE = "chance"
SIDE = 64
"""Side in pixels of the maps that are scored."""
_SCORING = 1
"""Raise it when the same model, prompts and film would get another value."""


class Grounding:
    """Zero-shot grounding: where on the film a finding's prompts fit, against its masks, or boxes where it has none.

    The map of a finding is the cosine of each place of the image tower with the finding's prompts less that with the
    prompts that the rule ``normal`` contrasts it with, enlarged bilinearly. Films with an area of the finding count.

    Args:
        measure: ``pointing`` game, ``contrast`` to noise, or ``dice_oracle``, the overlap at the area's own size.
        prompts: sentence forms, as for ``zero_shot``.
    """

    needs = frozenset({"boxes|masks"})
    trains = False

    def __init__(self, measure: Measure = "pointing", prompts: PromptSetName = "report") -> None:
        self.measure: Measure = measure
        self.prompts: PromptSetName = prompts

    def identity(self, test: Manifest) -> Mapping[str, Any]:
        """The version of the scoring, and the prompts by content."""
        return {"scoring": _SCORING, **ZeroShot(self.prompts).identity(test)}

    def predict(self, model: VisionLanguageModel, data: EvaluationData) -> Predictions:
        """The measure of every film for every finding that has an area on some film; NaN where it has none there.

        Raises:
            CannotScore: no film has a box or a mask of a finding of the label set.
            NoFeatures: the model's image tower gives no map.
        """
        test = data.test
        label_set = load(test.version.manifest.label_set or DEFAULT)
        prompts = prompts_for(label_set, _placed(test, label_set), f"dataset {test}", self.prompts)
        if not prompts:
            raise CannotScore(f"dataset {test} has neither a mask nor a box of a finding: it cannot test grounding")
        names = tuple(item.label for item in prompts)
        columns = (*names, *(f"{name} ({CHANCE})" for name in names)) if self.measure == "pointing" else names
        table = np.full((len(test.rows()), len(columns)), np.nan)
        film = film_size(test)
        for line, row, places in zip(table, test.rows(), _similarities(model, test, prompts), strict=True):
            for column, name in enumerate(names):
                area = area_of(row, lambda found: _name(label_set, found), name, film, SIDE)
                if area is None:
                    continue
                line[column] = _value(self.measure, _enlarged(places[:, :, column]), area)
                if self.measure == "pointing":
                    line[len(names) + column] = chance(area[None])[0]
        truth = np.full(table.shape, np.nan)
        return Predictions(test.ids(), columns, table.astype(np.float32), truth, test.patients())

    def score(self, predictions: Sequence[TrialPredictions], section: EvaluateSection) -> ScoreTable:
        """The measure per finding and their macro mean; for the pointing game beside an arm that plays at chance."""
        items, values = list(predictions), [_values(item.predictions, by_chance=False) for item in predictions]
        if self.measure == "pointing" and all(item.arm != CHANCE for item in items):
            first = items[0]
            items.append(type(first)(CHANCE, first.seed, first.predictions))
            values.append(_values(first.predictions, by_chance=True))
        return score_means(items, values, MEASURES[self.measure], section)


def _similarities(
    model: VisionLanguageModel, test: LabelledSet, prompts: Sequence[FindingPrompts]
) -> Iterator[np.ndarray]:
    """Film by film how each place fits each finding: (height, width, findings)."""
    contrast = np.stack([direction(model, item.positive) - direction(model, item.negative) for item in prompts])
    for block in test.blocks(model.film_size):
        for part in model.embed_regions(block):
            lengths = np.linalg.norm(part, axis=3, keepdims=True)
            yield from (part / np.maximum(lengths, 1e-8)) @ contrast.T


def _enlarged(places: np.ndarray) -> np.ndarray:
    """A map (height, width) as (SIDE, SIDE)."""
    import cv2

    return np.asarray(cv2.resize(np.ascontiguousarray(places), (SIDE, SIDE), interpolation=cv2.INTER_LINEAR))


def _value(measure: Measure, found: np.ndarray, area: np.ndarray) -> float:
    if measure == "pointing":
        return float(pointing_game(found[None], area[None])[0])
    if measure == "contrast":
        return float(contrast_to_noise(found[None], area[None])[0])
    highest = np.zeros(area.size, bool)
    highest[np.argsort(-found.ravel(), kind="stable")[: int(area.sum())]] = True
    return float(dice(highest.reshape(1, *area.shape), area[None])[0])


def _values(predictions: Predictions, *, by_chance: bool) -> FilmValues:
    ends = f" ({CHANCE})"
    chosen = [at for at, name in enumerate(predictions.labels) if name.endswith(ends) == by_chance]
    names = tuple(predictions.labels[at].removesuffix(ends) for at in chosen)
    return FilmValues(names, predictions.scores[:, chosen].astype(np.float64))


def _placed(test: LabelledSet, label_set: LabelSet) -> list[str]:
    """The findings of the label set that have a mask or a box on some film."""
    found = (_name(label_set, place.finding) for row in test.rows() for place in _places(row))
    return list(dict.fromkeys(name for name in found if name is not None))


def _places(row: PairRow) -> Iterator[Any]:
    yield from row.masks
    yield from row.boxes


def _name(label_set: LabelSet, found: str) -> str | None:
    label = label_set.find(found)
    return None if label is None else label.name
