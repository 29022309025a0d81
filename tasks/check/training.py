"""Pretraining and evaluation: arms, the model, the sources, and whether the test set can score anything."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from pydantic import ValidationError

from models.device import device_problem, pick_device, processes_problem
from models.registry import UnknownKind
from models.typed import quoted, suggest
from models.vlp.names import lacks_features, wrong_model
from models.vlp.objectives import needs_features, objective_problems, preparation, splits_loss
from models.vlp.text_tower import wrong_text_tower
from models.weight_files import wrong_file
from tasks.check.report import Report
from tasks.corpora.phantom import FINDINGS, findings_shown
from tasks.corpora.source import ArchiveSource, PhantomSource
from tasks.evaluate.data import TRAINING, VALIDATION
from tasks.evaluate.protocol import build_task, task_problems
from tasks.evaluate.task_files import resolved
from tasks.pretrain.arms import needed_sources
from tasks.pretrain.parts import objective_problem
from tasks.pretrain.ray_train import ray_problems
from tasks.pretrain.torchrun import group_problems, torchrun_rank
from tasks.recipe.base import KindSpec
from tasks.recipe.schema import Recipe
from tasks.recipe.sources import SourceSection
from tasks.recipe.training import SYNTHETIC, MixEntry, TrainSection


def check_training(recipe: Recipe, report: Report) -> None:
    """What would stop `synth pretrain` and `synth evaluate` whatever was generated."""
    _arms(recipe, report)
    _evaluation(recipe, report)
    tower = recipe.pretrain.text_tower
    wrong = wrong_model(recipe.pretrain.model, tower is not None)
    if wrong:
        report.problems.append(f"pretrain.model: {wrong}")
    else:
        _features(recipe.pretrain, report)
        _parts(recipe.pretrain, report)
        _checkpointing(recipe.pretrain, report)
        _batch_norm(recipe.pretrain, report)
    if tower is not None:
        report.problems += [f"pretrain.text_tower.path: {wrong}" for wrong in wrong_text_tower(tower)]
    elsewhere = recipe.pretrain.ray_address is not None
    for section, device in (("pretrain", recipe.pretrain.device), ("evaluate", recipe.evaluate.device)):
        wrong = None if section == "pretrain" and elsewhere else device_problem(device)
        if wrong:
            report.problems.append(f"{section}.device: {wrong}")
    _processes(recipe, report)
    _source(recipe, "test", report)
    if "real" in needed_sources(recipe.pretrain) and recipe.sources.real is not None:
        _source(recipe, "real", report)


def _processes(recipe: Recipe, report: Report) -> None:
    """Whether the processes that train together can: those that ``torchrun`` or Ray starts, or those of the recipe."""
    rank = torchrun_rank()
    section, managed = recipe.pretrain, recipe.storage.root == "managed"
    if section.launcher == "ray":
        report.problems += ray_problems(section, managed, rank is not None)
    elif rank is not None:
        report.problems += group_problems(rank, section, managed)
    if rank is None and section.ray_address is None:
        wrong = processes_problem(section.processes, section.device)
        report.problems += [f"pretrain.processes: {wrong}"] if wrong else []


def check_amounts(recipe: Recipe, report: Report) -> None:
    """Whether there will be pairs enough to train on."""
    films, wanted = recipe.sources.real.films if recipe.sources.real else None, recipe.pretrain.pairs
    if wanted is not None and films is not None and wanted > films:
        report.problems.append(
            f"pretrain.pairs is {wanted}, but sources.real.films is {films}: lower the first or raise the second"
        )
    for name, number in (("pairs", recipe.pairs), ("sources.real.films", films)):
        if number is not None and number < 2:
            report.problems.append(f"{name} is {number}: an arm needs at least 2 pairs to contrast")
    for name, arm in recipe.pretrain.chosen.items():
        for number, entry in enumerate(arm.mix):
            _amount(recipe, f"pretrain.arms.{name}.mix.{number}", entry, report)


def _amount(recipe: Recipe, where: str, entry: MixEntry, report: Report) -> None:
    """Whether a source can hold the pairs that an entry of a mix asks for in numbers."""
    known, pairs = _most_pairs(recipe, entry.source), recipe.pretrain.pairs
    if known is None:
        return
    field, most = known
    if isinstance(entry.count, int) and entry.count > most:
        report.problems.append(f"{where}.count is {entry.count}, but {field} is {most}: lower the first to {most}")
    taken = round((entry.share or 0) * (pairs or 0))
    if taken > most:
        report.problems.append(
            f"{where}.share is {entry.share} of {pairs} pairs, which is {taken}, but {field} is {most}: lower "
            "the share or pretrain.pairs"
        )


def _most_pairs(recipe: Recipe, source: str) -> tuple[str, int] | None:
    """The field that says how many pairs a source can hold at most, and that number; None where nothing says it."""
    if source == SYNTHETIC:
        return "pairs", recipe.pairs
    section = recipe.sources.named().get(source)
    if section is not None and isinstance(section.parsed, PhantomSource):
        return f"sources.{source}.films", section.count
    return None


def _arms(recipe: Recipe, report: Report) -> None:
    section = recipe.pretrain
    for number, name in enumerate(section.only or ()):
        if name not in section.arms:
            report.problems.append(f"pretrain.only.{number}: {_unknown('arm', name, section.arms)}")
    for name, arm in section.chosen.items():
        for number, entry in enumerate(arm.mix):
            wrong = _wrong_source(recipe, entry.source)
            if wrong:
                report.problems.append(f"pretrain.arms.{name}.mix.{number}.source: {wrong}")
        if arm.objective is not None:
            _kind(f"pretrain.arms.{name}.objective", _of(arm.objective), report)
    _kind("pretrain.objective", _of(section.objective), report)
    _starting_weights(section, report)


def _starting_weights(section: TrainSection, report: Report) -> None:
    for where, spec in (
        ("pretrain.objective", section.objective),
        *((f"pretrain.arms.{name}.objective", arm.objective) for name, arm in section.chosen.items()),
    ):
        weights = None if spec is None else spec.options.get("weights")
        if isinstance(weights, str) and (wrong := wrong_file(Path(weights).expanduser())):
            report.problems.append(f"{where}.options.weights: {wrong}")
        elif spec is not None and spec.kind == "chexzero" and weights is None:
            report.notes.append(f"{where}: chexzero has no weights to go on from and starts from random ones")


def _objectives(section: TrainSection) -> list[KindSpec]:
    """The objectives that the chosen arms are trained with, as far as they are sound themselves."""
    wanted = (arm.objective or section.objective for arm in section.chosen.values() if arm.control != "random")
    return [one for one in wanted if not _of(one)]


def _parts(section: TrainSection, report: Report) -> None:
    """A batch can be computed in parts, where that is asked for: by the objectives, and by the layers."""
    if section.micro_batch is None or report.problems:
        return
    from models.training.errors import batch_norm_problem
    from models.vlp.layers import batch_norm_layers

    for one in {one.kind: one for one in _objectives(section)}.values():
        if not splits_loss(one.kind):
            report.problems.append(f"pretrain.micro_batch: {objective_problem(one.kind)}")
            continue
        heads = preparation(one.kind, one.options) if needs_features(one.kind) else None
        layers = batch_norm_layers(section.model, heads)
        if layers:
            where = f"{section.model} with {one.kind}" if heads else section.model
            report.problems.append(f"pretrain.micro_batch: {where}: {batch_norm_problem(layers)}")


def _batch_norm(section: TrainSection, report: Report) -> None:
    """Several processes that would not train as one does are noted."""
    if section.processes == 1 or report.problems:
        return
    on_cpu = section.device == "cpu" or (section.ray_address is None and pick_device(section.device).type == "cpu")
    if section.sync_batch_norm and not on_cpu:
        return
    from models.vlp.layers import batch_norm_layers

    objectives = [(one.kind, one.options) for one in _objectives(section) if needs_features(one.kind)]
    prepared = [preparation(*one) for one in objectives] or [None]
    if any(batch_norm_layers(section.model, heads) for heads in prepared):
        report.notes.append(
            f"pretrain.processes: {section.model} has batch norm, and each of {section.processes} processes takes the "
            "statistics of its own part of a batch: another training than in one process"
        )


def _checkpointing(section: TrainSection, report: Report) -> None:
    """The image tower can compute its activations anew, where that is asked for."""
    if not section.checkpoint_activations:
        return
    from models.vlp.layers import checkpointing_problem

    if wrong := checkpointing_problem(section.model):
        report.problems.append(f"pretrain.checkpoint_activations: {section.model}: {wrong}")


def _features(section: TrainSection, report: Report) -> None:
    """The towers give what the heads of each objective build on, as far as the objective is sound itself."""
    kinds = sorted({one.kind for one in _objectives(section) if needs_features(one.kind)})
    wrong = lacks_features(section.model, section.text_tower is not None) if kinds else None
    if wrong:
        report.problems.append(f"pretrain.model: objective {', '.join(kinds)}: {wrong}")


def _wrong_source(recipe: Recipe, source: str) -> str | None:
    named = recipe.sources.named()
    if source == SYNTHETIC or source in named:
        return None
    if source in type(recipe.sources).model_fields:
        return f"sources.{source} is empty, and this arm needs it: name a source, such as phantom:a"
    try:
        SourceSection(source=source)
    except ValidationError:
        return f"{_unknown('source', source, (SYNTHETIC, *named))}, or any spelling such as NAME@VERSION"
    return None


def _evaluation(recipe: Recipe, report: Report) -> None:
    arms = recipe.pretrain.arms
    for number, pair in enumerate(recipe.evaluate.comparisons or ()):
        for name in pair:
            if name not in arms:
                report.problems.append(f"evaluate.comparisons.{number}: {_unknown('arm', name, arms)}")
    for number, task in enumerate(recipe.evaluate.tasks):
        where = f"evaluate.tasks.{number}"
        try:
            found = resolved(task)
        except UnknownKind as error:
            _kind(where, {"kind": str(error)}, report)
            continue
        wrong = task_problems(found)
        _kind(where, wrong, report)
        if not wrong and build_task(found).trains:
            report.problems += [f"{where}: {line}" for line in _missing(recipe, task.kind)]


def _missing(recipe: Recipe, task: str) -> Iterator[str]:
    """Sources that a task which trains needs, and that the recipe leaves empty."""
    for name in (TRAINING, VALIDATION):
        if name not in recipe.sources.named():
            yield f"{task} trains on labelled films and needs sources.{name}, which is empty"


def _of(objective: KindSpec) -> Mapping[str, str]:
    return objective_problems(objective.kind, objective.options)


def _kind(where: str, found: Mapping[str, str], report: Report) -> None:
    report.problems += [f"{where}.{path}: {what}" for path, what in found.items()]


def _unknown(what: str, name: str, known: Iterable[str]) -> str:
    known = list(known)
    return f"unknown {what} {quoted(name)}{suggest(name, known)}; known: {', '.join(known)}"


def _source(recipe: Recipe, name: str, report: Report) -> None:
    """A source that is needed is there; what a phantom's films show follows from the seed, so nothing is drawn."""
    section = recipe.sources.named().get(name)
    if section is None:
        report.problems.append(f"sources.{name}: is empty, and the arms need it: name a source, such as phantom:a")
        return
    source = section.parsed
    if isinstance(source, ArchiveSource) and not source.path.is_dir():
        report.problems.append(f"sources.{name}: {source.path} is no folder on this machine")
    if isinstance(source, PhantomSource) and name == "test":
        _phantom_test_set(source, section, report)


def _phantom_test_set(source: PhantomSource, section: SourceSection, report: Report) -> None:
    present, absent = set[str](), set[str]()
    for shown in findings_shown(source.hospital, section.draw, section.count):
        present.update(shown)
        absent.update(set(FINDINGS).difference(shown))
        if len(present & absent) == len(FINDINGS):
            return
    scored = len(present & absent)
    if scored:
        report.notes.append(
            f"sources.test: {len(FINDINGS) - scored} of {len(FINDINGS)} findings are in none or all of its "
            f"{section.count} films and are left out of the scores; raise sources.test.films"
        )
        return
    report.problems.append(
        f"sources.test.films is {section.count}: no finding is in some of them and not in others, so that nothing can "
        "be scored: raise it"
    )
