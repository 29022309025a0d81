"""A comparison of two runs as a page, a picture of the losses, or JSON."""

from __future__ import annotations

import base64
import io
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from pydantic_core import to_json

if TYPE_CHECKING:
    from tasks.evaluate.compare_runs import RunComparison, TrainedArm
    from tasks.evaluate.paired_runs import PairedScore

ENDINGS = (".html", ".png", ".json")
SCORE_COLUMNS = ("task", "arm", "test set", "first", "second", "difference")
TRAINING_COLUMNS = ("run", "arm", "steps", "seconds", "first loss", "last loss", "checkpoint")
_Section = tuple[str, tuple[str, ...], list[tuple[str, ...]]]
_PAGE = """<!doctype html><html lang="en"><meta charset="utf-8"><title>{{ title }}</title>
<style>body{font:15px/1.5 sans-serif;max-width:70em;margin:2em auto;padding:0 1em}table{border-collapse:collapse}
td,th{padding:.2em .8em;border-bottom:1px solid #ccc;text-align:left;vertical-align:top}img{max-width:100%}</style>
<h1>{{ title }}</h1>
{% for name, header, rows in tables %}<h2>{{ name }}</h2>
<table><tr>{% for cell in header %}<th>{{ cell }}</th>{% endfor %}</tr>
{% for row in rows %}<tr>{% for cell in row %}<td>{{ cell }}</td>{% endfor %}</tr>{% endfor %}</table>
{% endfor %}{% for note in notes %}<p>{{ note }}</p>{% endfor %}
<h2>Losses</h2><img alt="losses over steps" src="data:image/png;base64,{{ picture }}"></html>
"""


def score_cells(score: PairedScore) -> tuple[str, ...]:
    """A score under `SCORE_COLUMNS`; in place of a difference that there is none of, the reason."""
    found = score.difference
    if found is None:
        last = score.why
    else:
        last = f"{found.difference:+.4f} ({found.low:+.4f} to {found.high:+.4f}, by {score.unit})"
    metric = f"{score.task}, {score.metric}" if score.metric else score.task
    return metric, score.arm, score.test, _figure(score.before), _figure(score.after), last


def training_cells(training: TrainedArm) -> tuple[str, ...]:
    """A training under `TRAINING_COLUMNS`."""
    label = f"{training.arm}, seed {training.seed}"
    losses = _figure(training.first), _figure(training.last)
    return training.run, label, str(training.steps), f"{training.seconds:.1f}", *losses, training.checkpoint


def sections(found: RunComparison) -> list[_Section]:
    """Name, header and rows of each table that is not empty."""
    header = ("field", found.before, found.after)
    changes = {
        "Settings that change the weights": found.settings,
        "Other settings": found.other_settings,
        "Arms and their data": found.arms,
        "Recipes of the data": found.recipes,
    }
    tables: list[_Section] = [
        (name, header, [(item.path, _value(item.before), _value(item.after)) for item in items])
        for name, items in changes.items()
        if items
    ]
    tables.append(("Trainings", TRAINING_COLUMNS, [training_cells(item) for item in found.trainings]))
    if found.scores:
        tables.append(("Scores", SCORE_COLUMNS, [score_cells(item) for item in found.scores]))
    return tables


def notes(found: RunComparison) -> list[str]:
    """What stands under the tables, a sentence each."""
    lines = list(found.notes)
    if found.same_checkpoints:
        lines.append(f"both runs have the same checkpoint of {'; '.join(found.same_checkpoints)}")
    if found.scores:
        lines.append("difference: second run less first, over the same resamples of the same films; first and second "
                     "are macro means over the seeds of both")  # fmt: skip
    return lines


def losses_figure(found: RunComparison) -> bytes:
    """The losses of all trainings over steps as PNG: a colour for each arm and seed, the second run dashed."""
    from matplotlib.figure import Figure

    figure: Any = Figure(figsize=(8, 4.5), layout="constrained")
    axes: Any = figure.subplots()
    labels = dict.fromkeys((item.arm, item.seed) for item in found.trainings)
    colours = {label: f"C{at % 10}" for at, label in enumerate(labels)}
    for item in found.trainings:
        if not item.losses:
            continue
        width = max(1, len(item.losses) // 20)
        smooth = np.convolve(item.losses, np.ones(width) / width, mode="valid")
        second = item.run == found.after and found.after != found.before
        axes.plot(np.arange(len(smooth)) + width, smooth, color=colours[item.arm, item.seed],
                  linestyle="--" if second else "-", label=f"{item.arm}, seed {item.seed}, {item.run}")  # fmt: skip
    axes.set_xlabel("optimiser steps")
    axes.set_ylabel(f"loss (dashed: {found.after})")
    if axes.get_legend_handles_labels()[0]:
        axes.legend(fontsize="x-small", frameon=False)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=130, metadata={"Software": None})
    return buffer.getvalue()


def write(found: RunComparison, path: Path) -> None:
    """Write a page, a picture or all figures, by the ending of `path`, one of `ENDINGS`."""
    ending = path.suffix.lower()
    if ending == ".png":
        path.write_bytes(losses_figure(found))
    elif ending == ".json":
        path.write_bytes(as_json(found))
    else:
        path.write_text(page(found), encoding="utf-8")


def as_json(found: RunComparison) -> bytes:
    """All figures."""
    return to_json(found, indent=1, fallback=str)


def page(found: RunComparison) -> str:
    """HTML that needs nothing from the network; every text is escaped."""
    from jinja2 import Environment, StrictUndefined

    template = Environment(autoescape=True, undefined=StrictUndefined).from_string(_PAGE)
    return template.render(
        title=f"{found.before} and {found.after}",
        tables=sections(found),
        notes=notes(found),
        picture=base64.b64encode(losses_figure(found)).decode(),
    )


def _figure(value: float | None) -> str:
    return "" if value is None else f"{value:.4f}"


def _value(value: Any) -> str:
    return "-" if value is None else f"{value:.6g}" if isinstance(value, float) else str(value)
