"""`synth audit entities`: a bank that `plan.bank` takes, its counts, and its long tail."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from models.contracts import EntityType
from models.findings.chest_recogniser import SpanRecogniser
from models.findings.label_sets import load
from tasks.audit.tail import Tail, draw_tail, tail_of
from tasks.corpora.mentions import Bank, Mined, mine
from tasks.corpora.reports import Corpus
from tasks.errors import AuditError

SHOWN = 50


@dataclass(frozen=True, slots=True)
class EntityAudit:
    """What was found: the bank, its tail in all and by type, the files that could not be read, where it lies.

    `left_out` names the files that hold no reports, a line for each kind.
    """

    bank: Bank
    tails: dict[str, Tail]
    problems: list[str]
    folder: Path
    left_out: list[str]


def audit_entities(
    reports: Path,
    recogniser: SpanRecogniser,
    folder: Path,
    *,
    column: str | None = None,
    least: int = 1,
    labels: str = "phantom",
) -> EntityAudit:
    """Mine `reports` and write ``bank.csv``, ``counts.csv``, ``tail.png`` and ``tail.md`` into `folder`.

    Args:
        reports: a file or folder of reports.
        recogniser: finds the entities.
        folder: made where it is missing; files of these names in it are replaced.
        column: the column with the text, for tables where it cannot be guessed.
        least: least mentions of an entity.
        labels: name or file of the label set of the bank's labels; `plan.label_set` must name the same.

    Raises:
        AuditError: nothing to read, or nothing found in it.
        UnknownLabelSet, TableError: `labels` names no label set, or a file that holds none.
    """
    label_set = load(labels)
    corpus = Corpus(reports, column)
    bank = mine(corpus.reports(), recogniser, least, label_set)
    if not bank.entities:
        raise AuditError(
            f"{reports}: no entity is found in {bank.reports} reports; is it chest radiology, in English?"
        )
    left_out = corpus.left_out_lines()
    tails = write_entities(bank, folder, [*(f"not readable: {problem}" for problem in corpus.problems), *left_out])
    return EntityAudit(bank, tails, corpus.problems, folder, left_out)


def write_entities(bank: Bank, folder: Path, dropped: list[str]) -> dict[str, Tail]:
    """Write ``bank.csv``, ``counts.csv``, ``tail.png`` and ``tail.md`` into `folder`.

    Args:
        bank: the bank.
        folder: made where it is missing.
        dropped: lines on files that are not in the bank.

    Returns:
        The tail of all entities and of those of each type.
    """
    counts = counts_by_type(bank)
    tails = {"all": tail_of([entity.count for entity in bank.entities])}
    tails |= {kind: tail_of(values) for kind, values in counts.items()}
    folder.mkdir(parents=True, exist_ok=True)
    _write_bank(bank.entities, folder / "bank.csv")
    _write_counts(bank.entities, folder / "counts.csv")
    draw_tail(counts, folder / "tail.png")
    (folder / "tail.md").write_text(_markdown(bank, tails, dropped), encoding="utf-8")
    return tails


def counts_by_type(bank: Bank) -> dict[str, list[int]]:
    """Mentions of the entities of each type that has any, falling."""
    by_type = {kind.value: [e.count for e in bank.entities if e.type is kind] for kind in EntityType}
    return {kind: counts for kind, counts in by_type.items() if counts}


def _write_bank(entities: Sequence[Mined], path: Path) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file)
        table.writerow(["type", "term", "label", "present", "sides", "severities", "count"])
        for entity in entities:
            sides = "|".join(sorted(entity.sides)) if entity.present else ""
            severities = "|".join(sorted(entity.severities)) if entity.present else ""
            truth = "true" if entity.present else "false"
            table.writerow(
                [entity.type.value, entity.term, entity.label or "", truth, sides, severities, entity.count]
            )


def _write_counts(entities: Sequence[Mined], path: Path) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file)
        table.writerow(["type", "term", "mentions", "reports"])
        table.writerows([entity.type.value, entity.term, entity.count, entity.reports] for entity in entities)


def _markdown(bank: Bank, tails: dict[str, Tail], dropped: list[str]) -> str:
    head = "| type | entities | mentions | Gini | mentioned once | cover 50 % | cover 90 % |"
    lines = [f"# Entities of {bank.reports} reports", "", head, "|---|---|---|---|---|---|---|"]
    for name, tail in tails.items():
        lines.append(
            f"| {name} | {tail.entities} | {tail.mentions} | {tail.gini:.3f} | {tail.once:.1%} | {tail.cover[0.5]} "
            f"| {tail.cover[0.9]} |"
        )
    lines += ["", "![Count over rank](tail.png)", ""]
    for title, part in (("Commonest", bank.entities[:SHOWN]), ("Rarest", bank.entities[-SHOWN:])):
        lines += [f"## {title} {len(part)}", "", "| entity | type | mentions |", "|---|---|---|"]
        lines += [f"| {entity.term} | {entity.type.value} | {entity.count} |" for entity in part] + [""]
    lines += ["## Dropped", "", *(f"- {why}: {count}" for why, count in sorted(bank.junk.items()))]
    return "\n".join([*lines, *(f"- {line}" for line in dropped), ""])
