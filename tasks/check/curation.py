"""The rules of curation: gates that the recipe has, findings that its bank has, and something left to keep."""

from __future__ import annotations

from models.findings.label_sets import load
from models.typed import suggest
from tasks.check.components import threshold_problem
from tasks.check.report import Report
from tasks.recipe.curation import EVERY_OTHER, NO_FINDING
from tasks.recipe.fingerprint import BUILT_IN_BANKS
from tasks.recipe.schema import Recipe


def check_curation(recipe: Recipe, report: Report) -> None:
    """What `synth curate` would refuse once the pairs are made."""
    rules = recipe.curate
    gates = [spec.kind for spec in (*recipe.report_gates, *recipe.image_gates)]
    named = {f"curate.thresholds.{gate}": gate for gate in rules.thresholds}
    if rules.top is not None:
        named["curate.top.gate"] = rules.top.gate
    if rules.utility is not None and rules.utility.agreement:
        named["curate.utility.gate"] = rules.utility.gate
    for where, gate in named.items():
        if gate not in gates:
            report.problems.append(
                f"{where}: the recipe has no gate {gate!r}{suggest(gate, gates)}; it has {', '.join(gates) or 'none'}"
            )
    for gate, threshold in rules.thresholds.items():
        if gate in gates and (why := threshold_problem(gate, threshold)):
            report.problems.append(f"curate.thresholds.{gate}: {why}")
    _findings(recipe, report)


def _findings(recipe: Recipe, report: Report) -> None:
    rules = recipe.curate
    caps = rules.caps
    if caps and caps.get(EVERY_OTHER) == 0 and not any(caps.values()):
        report.problems.append("curate.caps: every finding is capped at 0, so that no pair is kept")
    bank = recipe.plan.bank
    if bank not in BUILT_IN_BANKS:
        return  # a bank of one's own may have findings of its own
    known = (*load(bank).names, NO_FINDING, EVERY_OTHER)
    weights = rules.balance.weights if rules.balance else {}
    for where, names in (("curate.caps", caps), ("curate.balance.weights", weights)):
        for name in names:
            if name not in known:
                report.problems.append(f"{where}.{name}: the {bank}'s bank has no such finding{suggest(name, known)}")
