"""An evaluation task that is asked of some films: its predictions, made where there are none, and its table."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from models import own_kinds
from tasks.evaluate.labelled_set import EvaluationData
from tasks.evaluate.predictions import Predictions, ensure_predictions
from tasks.evaluate.protocol import EvaluationTask, TrialPredictions, build_task, task_hash
from tasks.evaluate.scores import ScoreTable
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
    """

    spec: KindSpec
    task: EvaluationTask
    hash: str
    data: EvaluationData

    def predictions(
        self, store: ObjectStore, key: str, whose: Mapping[str, Any], load: Callable[[], VisionLanguageModel]
    ) -> Predictions:
        """What a model predicts: what `store` has at `key`, or made now and kept there.

        Args:
            store, key: where they are.
            whose: facts about the model, kept beside them.
            load: the model; called where there are no predictions yet.

        Raises:
            CannotScore: the rows of the test set do not hold what the task needs.
        """

        def predict() -> Predictions:
            self.data.test.need(self.task.needs, self.spec.kind)
            model = load()
            with own_kinds.named(self.spec.kind):
                return self.task.predict(model, self.data)

        asked = {"task": self.spec.model_dump(mode="json"), "test": self.data.test.identity()}
        return ensure_predictions(store, key, {**whose, **asked}, predict)

    def table(self, items: Sequence[TrialPredictions], section: EvaluateSection) -> ScoreTable:
        """The scores of trials, with what was asked.

        Raises:
            CannotScore: labels or scores that no metric can take.
        """
        with own_kinds.named(self.spec.kind):
            table = self.task.score(items, section)
        asked = {
            "task": self.spec.kind, "task_hash": self.hash, "options": dict(self.spec.options),
            "dataset": str(self.data.test),
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
    return AskedTask(spec, task, task_hash(spec, task, data), data)
