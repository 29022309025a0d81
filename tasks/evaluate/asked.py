"""An evaluation task that is asked of some films: its predictions, made where there are none, and its table."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache, partial
from typing import TYPE_CHECKING, Any

from models import own_kinds
from storage.canonical import canonical_json
from storage.layout import DatasetRef
from tasks.evaluate.film_facts import FilmFacts
from tasks.evaluate.label_metrics import AUROC
from tasks.evaluate.labelled_set import EvaluationData, LabelledSet
from tasks.evaluate.labels import CannotScore
from tasks.evaluate.predictions import VALIDATION_ROLE, Predictions, ensure_predictions
from tasks.evaluate.protocol import EvaluationTask, TrialPredictions, build_task, task_hash, tunes, validates
from tasks.evaluate.scores import ScoreTable
from tasks.evaluate.subgroups import attributes, score_subgroups
from tasks.evaluate.task_files import resolved
from tasks.recipe.base import KindSpec
from tasks.recipe.training import EvaluateSection

if TYPE_CHECKING:
    from models.vlp.model import VisionLanguageModel
    from storage.objects import ObjectStore


@dataclass(frozen=True, slots=True)
class AskedTask:
    """A task with the films that it is asked of.

    Args:
        spec: kind and options.
        task: of that kind.
        hash: `tasks.evaluate.protocol.task_hash`.
        data: the films.
        validated_on: the validation films, where the task reads them or is scored with predictions for them; None
            where it takes none, or `unvalidated` says why there are none.
        unvalidated: see there; empty where nothing is missing.
    """

    spec: KindSpec
    task: EvaluationTask
    hash: str
    data: EvaluationData
    validated_on: LabelledSet | None = None
    unvalidated: str = ""

    def predictions(
        self,
        store: ObjectStore,
        place: Callable[[DatasetRef, str], str],
        whose: Mapping[str, Any],
        load: Callable[[], VisionLanguageModel],
    ) -> tuple[Predictions, Predictions | None]:
        """What a model predicts for the test and for the validation films: from the store, or made and kept there.

        Args:
            store: where they are kept.
            place: their key, from a version and the hash of a task on it.
            whose: facts about the model, kept beside them.
            load: the model; called where there are no predictions yet.

        Raises:
            CannotScore: the rows of the test set do not hold what the task needs.
        """
        sets = [self.data.test]
        if self.validated_on is not None and validates(self.task):
            sets.append(self.validated_on)
        together = cache(lambda: self._predict_each(load(), sets))

        def predict(at: int) -> Predictions:
            self.data.test.need(self.task.needs, self.spec.kind)
            if _trains_once(self.task):
                return _with_facts(together()[at], sets[at])
            model = load()
            with own_kinds.named(self.spec.kind):
                return _with_facts(self.task.predict(model, replace(self.data, test=sets[at])), sets[at])

        found: list[Predictions] = []
        for at, films in enumerate(sets):
            facts = {**whose, "task": self.spec.model_dump(mode="json"), "test": films.identity()}
            if films is self.validated_on:
                facts |= {"role": VALIDATION_ROLE}
            key = place(films.version.ref, self._hash_on(films))
            found.append(_with_facts(ensure_predictions(store, key, facts, partial(predict, at)), films))
        return found[0], found[1] if len(found) > 1 else None

    def identity(self) -> Any:
        """What its scores depend on beside models and section: its hash, and what names the validation films."""
        return self.hash if self.validated_on is None else [self.hash, self.validated_on.identity()]

    def _hash_on(self, films: LabelledSet) -> str:
        """The task's hash; for other films than the test set's it counts which they are beside what was learnt."""
        if films is self.data.test:
            return self.hash
        if not self.task.trains:
            return task_hash(self.spec, self.task, replace(self.data, test=films))
        return hashlib.sha256(canonical_json([self.hash, films.identity()]).encode()).hexdigest()[: len(self.hash)]

    def _predict_each(self, model: VisionLanguageModel, sets: Sequence[LabelledSet]) -> list[Predictions]:
        task: Any = self.task  # has `predict_each`, which the protocol leaves to those that train
        with own_kinds.named(self.spec.kind):
            return task.predict_each(model, self.data, sets)

    def table(self, items: Sequence[TrialPredictions], section: EvaluateSection) -> ScoreTable:
        """The scores of trials, with what was asked.

        Raises:
            CannotScore: labels or scores that no metric can take.
        """
        with own_kinds.named(self.spec.kind):
            table = self.task.score(items, section)
        facts = next((item.predictions.facts for item in items if item.predictions.facts is not None), ())
        groups = attributes(facts) if table.metric == AUROC else {}
        asked = {
            "task": self.spec.kind, "task_hash": self.hash, "options": dict(self.spec.options),
            "dataset": str(self.data.test),
            "validation": "" if self.validated_on is None else str(self.validated_on), "unvalidated": self.unvalidated,
            "subgroups": score_subgroups(items, groups, section) if groups else [],
        }  # fmt: skip
        return table.model_copy(update=asked)


def ask(spec: KindSpec, data: EvaluationData) -> AskedTask:
    """A task, by its kind or by the name of its file, asked of some films.

    Raises:
        UnknownKind: there is no such task, or it does not take the options as given.
        CannotScore: it trains, and there are no films to train or to tune on.
    """
    spec = resolved(spec)
    task = build_task(spec)
    if not (validates(task) or tunes(task)):
        return AskedTask(spec, task, task_hash(spec, task, data), data)
    unvalidated = _why_unvalidated(spec, task, data)
    held = replace(data, validation=None) if unvalidated and not task.trains else data
    return AskedTask(
        spec, task, task_hash(spec, task, held), held, None if unvalidated else held.validation, unvalidated
    )


def _why_unvalidated(spec: KindSpec, task: EvaluationTask, data: EvaluationData) -> str:
    """Why there are no validation films for a task that takes some; empty where there are."""
    if data.validation is None:
        return "there are no validation films: name some in sources.validation"
    try:
        data.validation.need(task.needs, spec.kind)
    except CannotScore as error:
        return str(error)
    return ""


def _with_facts(found: Predictions, films: LabelledSet) -> Predictions:
    """Predictions with what the rows say of their images, where they do not say it themselves, as older ones."""
    if found.facts is not None:
        return found
    known = dict(zip(films.ids(), films.facts(), strict=True))
    return replace(found, facts=tuple(known.get(film, FilmFacts()) for film in found.films))


def _trains_once(task: EvaluationTask) -> bool:
    """Whether a task predicts for several sets of films at once."""
    return callable(getattr(task, "predict_each", None))
