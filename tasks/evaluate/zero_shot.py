"""Ask a vision-language model for every finding in every image, without training on any label."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from models.findings.label_sets import UnknownLabels, load
from storage.canonical import canonical_json
from storage.records import Manifest
from tasks.evaluate.labelled_set import EvaluationData, LabelledSet
from tasks.evaluate.labels import CannotScore
from tasks.evaluate.predictions import Predictions
from tasks.evaluate.prompts import DEFAULT, FindingPrompts, PromptSetName, Rule, all_prompts, prompts_for
from tasks.evaluate.score import score_trials
from tasks.evaluate.scores import ScoreTable

if TYPE_CHECKING:
    from models.vlp.model import VisionLanguageModel
    from tasks.evaluate.protocol import TrialPredictions
    from tasks.recipe.training import EvaluateSection

Unlisted = Literal["unknown", "absent"]
RULES: Mapping[Rule, str] = {
    "normal": "cosine of the film with the mean of the finding's prompts less that with the mean of the prompts for a "
    "normal film",
    "pair": "cosine of the film with the mean of the finding's prompts less that with the mean of its negated prompts",
    "max": "highest cosine of the film with any of the finding's prompts",
}
MEASURES = (
    "AUROC and AUPRC per finding, macro mean; percentile bootstrap over patients where they are known, else over "
    "films, the same resamples for every arm"
)
PROBABILITY = "softmax of the cosines with the finding's prompts and with those that they are contrasted with"
"""It is the sigmoid of their difference; the model's learned scale has no part in it, as in CheXzero."""
_SCORING = 1
"""Raise it when the same model, prompts and image would get another score."""


class ZeroShot:
    """Zero-shot classification: AUROC and AUPRC of each finding that the test set labels.

    A film's score depends on that film alone: nothing is normalised over the test set.

    Args:
        prompts: sentence forms: ``report`` as reports say it, ``label`` the bare label, ``caption`` in forms that no
            report has.
        rule: what a finding is contrasted with: ``normal`` films, its negation (``pair``), or nothing (``max``, over
            its prompts).
        group: name of a group of the label set, such as ``rare`` of padchest: only its findings are asked for. None
            asks for all that the test set labels.
        unlisted: what a finding is on a film that has labels, but none for it: ``unknown``, or ``absent``, as in
            PadChest and OpenI, which list what is there.
    """

    needs = frozenset({"labels"})
    trains = False
    validates = True

    def __init__(
        self, prompts: PromptSetName = "report", rule: Rule = "normal", group: str | None = None,
        unlisted: Unlisted = "unknown",
    ) -> None:  # fmt: skip
        self.prompts: PromptSetName = prompts
        self.rule: Rule = rule
        self.group, self.unlisted = group, unlisted

    def identity(self, test: Manifest) -> Mapping[str, Any]:
        """The version of the scoring, and the prompts by content; the rule is an option and counts with these."""
        items = all_prompts(test.label_set or DEFAULT, self.prompts, self.rule)
        prompts = canonical_json([asdict(item) for item in items])
        return {"scoring": _SCORING, "prompts": hashlib.sha256(prompts.encode()).hexdigest()}

    def predict(self, model: VisionLanguageModel, data: EvaluationData) -> Predictions:
        """Scores of every image for every finding.

        Raises:
            CannotScore: the test set labels no finding of its label set or of the group, one that is not in the set,
                or the set has no such group.
        """
        test = data.test
        names, label_set = self._findings(test), test.version.manifest.label_set or DEFAULT
        prompts = prompts_for(label_set, names, f"dataset {test}", self.prompts, self.rule)
        scores = zero_shot(model, test.embeddings(model), prompts)
        truth = test.truth(names)
        if self.unlisted == "absent":
            labelled = np.array([bool(row.labels) for row in test.rows()])
            truth[np.isnan(truth) & labelled[:, None]] = 0
        return Predictions(test.ids(), names, scores, truth, test.patients())

    def _findings(self, test: LabelledSet) -> tuple[str, ...]:
        """What is asked for. A finding of the group that no film lists is asked for too where it counts as absent."""
        stated = test.findings()
        if self.group is None:
            return stated
        try:
            members = load(test.version.manifest.label_set or DEFAULT).group(self.group)
        except UnknownLabels as error:
            raise CannotScore(f"dataset {test}: {error}") from error
        names = members if self.unlisted == "absent" else tuple(name for name in members if name in stated)
        if not set(members) & set(stated):
            raise CannotScore(f"dataset {test} labels no finding of the group {self.group}")
        return names

    def score(self, predictions: Sequence[TrialPredictions], section: EvaluateSection) -> ScoreTable:
        """The measures of a classification per finding and their macro mean, with intervals.

        The rule ``max`` contrasts a finding with nothing: its scores state no probability.
        """
        protocol = f"zero-shot, prompts {self.prompts}, rule {self.rule}: {RULES[self.rule]}; {MEASURES}"
        protocol += "; what a labelled film does not list is absent" if self.unlisted == "absent" else ""
        probability = "" if self.rule == "max" else PROBABILITY
        return score_trials(predictions, section, protocol=protocol, probability=probability)


def zero_shot(model: VisionLanguageModel, images: np.ndarray, prompts: Sequence[FindingPrompts]) -> np.ndarray:
    """Scores (films, findings) float32: cosine with the positive prompts less cosine with the negative ones.

    CheXzero's softmax over the pair is a monotone function of this difference, so AUROC is the same. Each side is the
    mean of its prompts' embeddings, scaled to unit length. Without negative prompts the score is the highest cosine
    with any positive one.

    Args:
        model: trained or not.
        images: embeddings (n, d) of the films by this model.
        prompts: one set per finding; all of them have negative prompts, or none.
    """
    if not any(item.negative for item in prompts):
        highest = [(images @ model.embed_texts(item.positive).T).max(axis=1) for item in prompts]
        return np.stack(highest, axis=1).astype(np.float32)
    positive = np.stack([direction(model, item.positive) for item in prompts])
    negative = np.stack([direction(model, item.negative) for item in prompts])
    return (images @ (positive - negative).T).astype(np.float32)


def direction(model: VisionLanguageModel, texts: Sequence[str]) -> np.ndarray:
    """The mean of the embeddings of texts, (d,) of unit length."""
    mean = model.embed_texts(texts).mean(axis=0)
    return mean / max(float(np.linalg.norm(mean)), 1e-8)
