"""Pretraining and evaluation: arms, the model, and whether hospital B's films can score anything."""

from __future__ import annotations

from models.phantom.archive import sampled
from models.phantom.case import labels_of
from models.phantom.hospital import HOSPITALS
from models.phantom.vocabulary import LABELS
from models.typed import quoted, suggest
from models.vlp.names import wrong_model
from tasks.check.report import Report
from tasks.pretrain.arms import ARMS, CONTROLS
from tasks.recipe.schema import ArchiveSection, Recipe

SHUFFLED = "shuffled_"


def check_training(recipe: Recipe, report: Report) -> None:
    """What would stop `synth pretrain` and `synth evaluate` whatever was generated."""
    _arms(recipe, report)
    wrong = wrong_model(recipe.pretrain.model)
    if wrong:
        report.problems.append(f"pretrain.model: {wrong}")
    _test_set(recipe.archive_b, report)


def check_amounts(recipe: Recipe, report: Report) -> None:
    """Whether there will be pairs enough to train on."""
    films, wanted = recipe.archive_a.films, recipe.pretrain.pairs
    if wanted is not None and wanted > films:
        report.problems.append(
            f"pretrain.pairs is {wanted}, but archive_a.films is {films}: lower the first or raise the second"
        )
    for name, number in (("pairs", recipe.pairs), ("archive_a.films", films)):
        if number < 2:
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


def _test_set(section: ArchiveSection, report: Report) -> None:
    """The films' findings follow from the seed alone, so that nothing needs to be drawn."""
    present, absent = set[str](), set[str]()
    for index in sampled(section.seed, section.films):
        shown = labels_of(HOSPITALS["b"], section.seed, index)
        present.update(shown)
        absent.update(set(LABELS).difference(shown))
        if len(present & absent) == len(LABELS):
            return
    scored = len(present & absent)
    if scored:
        report.notes.append(
            f"archive_b: {len(LABELS) - scored} of {len(LABELS)} findings are in none or all of its {section.films} "
            "films and are left out of the scores; raise archive_b.films"
        )
        return
    report.problems.append(
        f"archive_b.films is {section.films}: no finding is in some of them and not in others, so that nothing can be "
        "scored: raise it"
    )
