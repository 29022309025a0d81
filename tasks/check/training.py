"""Pretraining and evaluation: arms, the model, the sources, and whether the test set can score anything."""

from __future__ import annotations

from models.phantom.archive import sampled
from models.phantom.case import labels_of
from models.phantom.hospital import HOSPITALS
from models.phantom.vocabulary import LABELS
from models.typed import quoted, suggest
from models.vlp.names import wrong_model
from tasks.check.report import Report
from tasks.corpora.source import ArchiveSource, PhantomSource
from tasks.pretrain.arms import ARMS, CONTROLS
from tasks.recipe.schema import Recipe
from tasks.recipe.sources import SourceSection

SHUFFLED = "shuffled_"


def check_training(recipe: Recipe, report: Report) -> None:
    """What would stop `synth pretrain` and `synth evaluate` whatever was generated."""
    _arms(recipe, report)
    wrong = wrong_model(recipe.pretrain.model)
    if wrong:
        report.problems.append(f"pretrain.model: {wrong}")
    for name in ("real", "test"):
        _source(recipe, name, report)


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


def _arms(recipe: Recipe, report: Report) -> None:
    section = recipe.pretrain
    if not section.arms:
        report.problems.append(f"pretrain.arms: names no arm: name some of {', '.join(ARMS)}")
    for path, names, known in (("arms", section.arms, ARMS), ("controls", section.controls, CONTROLS)):
        for number, name in enumerate(names):
            where = f"pretrain.{path}.{number}"
            trained = name.removeprefix(SHUFFLED)
            if name not in (*known, *(f"{SHUFFLED}{arm}" for arm in ARMS if path == "controls")):
                what = f"unknown {path[:-1]} {quoted(name)}{suggest(name, known)}"
                report.problems.append(f"{where}: {what}; known: {', '.join(known)}")
            elif name in names[:number]:
                report.problems.append(f"{where}: {name} stands there twice")
            elif path == "controls" and trained != name and trained not in section.arms:
                report.problems.append(
                    f"{where}: {name} is the control of {trained}, which is not among pretrain.arms: add it there, or "
                    "leave the control out"
                )


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
    for index in sampled(section.draw, section.count):
        shown = labels_of(HOSPITALS[source.hospital], section.draw, index)
        present.update(shown)
        absent.update(set(LABELS).difference(shown))
        if len(present & absent) == len(LABELS):
            return
    scored = len(present & absent)
    if scored:
        report.notes.append(
            f"sources.test: {len(LABELS) - scored} of {len(LABELS)} findings are in none or all of its "
            f"{section.count} films and are left out of the scores; raise sources.test.films"
        )
        return
    report.problems.append(
        f"sources.test.films is {section.count}: no finding is in some of them and not in others, so that nothing can "
        "be scored: raise it"
    )
