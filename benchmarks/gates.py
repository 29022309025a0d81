"""Planted errors against the text gates: recall per kind of error, false alarms per gate.

    python benchmarks/gates.py [--reports 512]

On reports that say every entity word for word, and on reports that say it in other words and order, which the modes
`normalised` and `soft` of the completeness gate are for; those share the rules' lexicon. The last table counts what
the gates that need no entities object to in real reports, where the package with OpenI is at hand.
"""

from __future__ import annotations

import argparse
import time

from planned import local_recipe

from benchmarks import public_corpora as public
from benchmarks.gate_grades import ON_TEXT, audit_gates, undisputed
from benchmarks.planted_reports import Writer, paraphrase
from models import registry
from models.contracts import Gate, Mention
from models.phantom.report import write_report
from tasks.plan.plan import make_plan

THRESHOLDS = {"completeness": 1.0, "no_extra_finding": 1.0, "impression_consistency": 1.0, "repetition": 0.9,
              "leakage": 1.0, "lint": 1.0, "length": 1.0, "near_duplicate": 0.3}  # fmt: skip


def main() -> None:
    """Plant, score and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--reports", type=int, default=512)
    count = parser.parse_args().reports
    recipe = local_recipe()
    plan = make_plan(recipe.model_copy(update={"pairs": max(count, recipe.pairs)}), "benchmark")
    asked = [spec.mentions for spec in plan.samples(0, count)]
    _print("word for word", "exact", asked, write_report)
    _print("in other words", "normalised", asked, paraphrase)
    _print("in other words", "soft", asked, paraphrase)
    _print_real()


def _print(title: str, mode: str, asked: list[tuple[Mention, ...]], writer: Writer) -> None:
    options = {"completeness": {"mode": mode}, "no_extra_finding": {"vocabulary": "chest"}}
    gates: list[tuple[Gate, float]] = [
        (registry.build(registry.GATES, name, options.get(name, {})), threshold)
        for name, threshold in THRESHOLDS.items()
    ]
    started = time.perf_counter()
    audit = audit_gates(gates, asked, writer)
    print(f"\n{audit.reports} reports {title}, completeness {mode}; {time.perf_counter() - started:.0f} s")
    short = [name[:12] for name in THRESHOLDS]
    print(f"{'planted':32}{'n':>5}{'recall':>8}  " + "".join(f"{name:>14}" for name in short))
    for row in audit.finds:
        shares = (f"{row.by_gate[name] / max(1, row.planted):14.3f}" for name in THRESHOLDS)
        print(f"{row.kind:32}{row.planted:5}{row.recall:8.3f}  " + "".join(shares))
    print(f"{'false alarms':45}  " + "".join(f"{audit.false_alarms[name]:14.3f}" for name in THRESHOLDS))


def _print_real() -> None:
    try:
        real = undisputed(public.openi())
    except public.CorpusNotFound as error:
        print(f"\nfalse alarms on real reports: skipped, {error}")
        return
    print(f"\nfalse alarms on {len(real)} real reports (OpenI, both sections, no de-identification mark)")
    for name in ON_TEXT:
        scores = registry.build(registry.GATES, name, {}).score(real)
        print(f"{name:45}{sum(not score.score >= THRESHOLDS[name] for score in scores) / len(real):14.3f}")


if __name__ == "__main__":
    main()
