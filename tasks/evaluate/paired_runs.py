"""Scores of two runs beside each other, computed anew from the predictions that both kept."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from models.registry import UnknownKind
from storage.errors import CorruptShard
from storage.layout import PREDICTIONS
from tasks.evaluate.labels import CannotScore
from tasks.evaluate.predictions import VALIDATION_ROLE, prediction_facts, read_predictions
from tasks.evaluate.protocol import TrialPredictions, build_task
from tasks.evaluate.scores import Difference, ScoreTable
from tasks.recipe.base import KindSpec
from tasks.recipe.training import EvaluateSection

if TYPE_CHECKING:
    from storage.objects import ObjectStore
    from tasks.pretrain.runs import RunTrial

BEFORE, AFTER = "before", "after"


@dataclass(frozen=True, slots=True)
class KeptPredictions:
    """Predictions that a trial of a run has in the store.

    Args:
        arm, seed: whose.
        key: where they are.
        task: the evaluation task with its options.
        test: what names the test set's content, as `tasks.evaluate.labelled_set.LabelledSet.identity` has it.
    """

    arm: str
    seed: int
    key: str
    task: KindSpec
    test: Mapping[str, Any]

    @property
    def version(self) -> str:
        """The test set as ``name@version``."""
        return f"{self.test.get('dataset')}@{self.test.get('version')}"

    @property
    def task_hash(self) -> str:
        """`tasks.evaluate.protocol.task_hash`: another one was asked with other prompts, films or protocol."""
        return self.key.rpartition("/")[2].removesuffix(".parquet")


@dataclass(frozen=True, slots=True)
class PairedScore:
    """One task and arm that both runs have predictions of.

    Args:
        task: kind and options.
        arm: of both runs.
        test: the test set, as ``name@version``; both where they differ.
        metric: what `before` and `after` are macro means of.
        before, after: over the seeds that both runs have; None where it was not scored.
        difference: of the second run less the first, with its interval; None where there is none.
        unit: what the interval resamples; empty without one.
        why: why there is no paired interval, or no score; empty otherwise.
    """

    task: str
    arm: str
    test: str
    metric: str = ""
    before: float | None = None
    after: float | None = None
    difference: Difference | None = None
    unit: str = ""
    why: str = ""


def kept_predictions(store: ObjectStore, trials: Sequence[RunTrial]) -> list[KeptPredictions]:
    """Every object of predictions of the checkpoints of a run, but for those that thresholds were chosen on.

    Raises:
        CorruptShard: an object there is none of ours.
    """
    found: list[KeptPredictions] = []
    for trial in trials:
        for info in store.list(f"{PREDICTIONS}{trial.fingerprint}-{trial.step:06d}/"):
            if not info.key.endswith(".parquet"):  # embeddings
                continue
            try:
                facts = prediction_facts(store.get(info.key))
                if facts.get("role") == VALIDATION_ROLE:
                    continue
                task, test = KindSpec.model_validate(facts["task"]), dict(facts["test"])
            except (ValueError, KeyError, TypeError, OSError) as error:
                raise CorruptShard(
                    f"{store.uri(info.key)} does not say what it holds predictions of: remove it and evaluate again"
                ) from error
            found.append(KeptPredictions(trial.arm, trial.seed, info.key, task, test))
    return found


def pair_scores(
    store: ObjectStore, before: Sequence[KeptPredictions], after: Sequence[KeptPredictions], section: EvaluateSection
) -> list[PairedScore]:
    """What two runs reached in each task that both were asked, arm by arm.

    Args:
        store: where the predictions are.
        before, after: of the first and of the second run.
        section: resamples, confidence, and what becomes of uncertain labels.
    """
    sides = [_by_question(side) for side in (before, after)]
    return [_pair(store, *question, (sides[0][question], sides[1][question]), section)
            for question in sides[0] if question in sides[1]]  # fmt: skip


def _by_question(kept: Sequence[KeptPredictions]) -> dict[tuple[str, str], list[KeptPredictions]]:
    found: dict[tuple[str, str], list[KeptPredictions]] = {}
    for item in kept:
        found.setdefault((_spelt(item.task), item.arm), []).append(item)
    return found


def _spelt(task: KindSpec) -> str:
    options = ", ".join(f"{name} {value}" for name, value in sorted(task.options.items()))
    return f"{task.kind} ({options})" if options else task.kind


def _pair(
    store: ObjectStore, task: str, arm: str, sides: tuple[list[KeptPredictions], list[KeptPredictions]],
    section: EvaluateSection,
) -> PairedScore:  # fmt: skip
    one, other = sides
    versions = {item.task_hash: item.version for item in one}
    shared = [name for name in dict.fromkeys(item.task_hash for item in other) if name in versions]
    if not shared:
        return _apart(store, task, arm, sides, section)
    chosen = [{item.seed: item for item in side if item.task_hash == shared[-1]} for side in sides]
    seeds = [seed for seed in chosen[0] if seed in chosen[1]]
    made = PairedScore(task, arm, versions[shared[-1]])
    if not seeds:
        return replace(made, why=f"the runs have no training seed in common: {_seeds(one)} and {_seeds(other)}")
    items = [
        TrialPredictions(name, seed, read_predictions(store, side[seed].key))
        for name, side in zip((BEFORE, AFTER), chosen, strict=True)
        for seed in seeds
    ]
    films = {item.predictions.films for item in items}
    if len(films) > 1:
        return replace(made, why="the predictions are of different films of one version: no paired interval")
    return _scored(made, one[0].task, items, section)


def _scored(
    made: PairedScore, task: KindSpec, items: Sequence[TrialPredictions], section: EvaluateSection
) -> PairedScore:
    try:
        table = build_task(task).score(items, section)
    except (CannotScore, UnknownKind, ValueError) as error:
        return replace(made, why=f"not scored: {error}")
    return replace(
        made,
        metric=table.metric,
        before=table.of(BEFORE).macro,
        after=table.of(AFTER).macro,
        difference=table.differences[0],
        unit=table.unit,
    )


def _apart(
    store: ObjectStore, task: str, arm: str, sides: tuple[list[KeptPredictions], list[KeptPredictions]],
    section: EvaluateSection,
) -> PairedScore:  # fmt: skip
    """Scores of what was asked otherwise, each for itself."""
    tables: list[ScoreTable] = []
    test, why = _why_apart(sides)
    made = PairedScore(task, arm, test)
    for name, side in zip((BEFORE, AFTER), sides, strict=True):
        last = [item for item in side if item.task_hash == side[-1].task_hash]
        items = [TrialPredictions(name, item.seed, read_predictions(store, item.key)) for item in last]
        try:
            tables.append(build_task(side[-1].task).score(items, section))
        except (CannotScore, UnknownKind, ValueError) as error:
            return replace(made, why=f"{why}; not scored: {error}")
    return replace(
        made, metric=tables[0].metric, before=tables[0].of(BEFORE).macro, after=tables[1].of(AFTER).macro, why=why
    )


def _why_apart(sides: tuple[list[KeptPredictions], list[KeptPredictions]]) -> tuple[str, str]:
    """The test sets of two sides in words, and why their scores cannot be paired."""
    one, other = (side[-1] for side in sides)
    if one.test == other.test:
        hashes = f"{one.task_hash} and {other.task_hash}"
        return one.version, (
            f"the task was asked with other prompts, validation films or protocol (hash {hashes}): no paired interval"
        )
    test = f"{one.version} and {other.version}"
    return test, f"the test sets are different films ({test}): no paired interval"


def _seeds(kept: Sequence[KeptPredictions]) -> str:
    return ", ".join(str(seed) for seed in sorted({item.seed for item in kept}))
