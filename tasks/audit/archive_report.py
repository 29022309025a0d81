"""Write an archive's audit: the cleaned index, a page, and one figure."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from tasks.audit.archive import ArchiveAudit
from tasks.audit.archive_figure import draw
from tasks.audit.copies import Copy
from tasks.audit.verdicts import COPY, LEAK
from tasks.corpora.archives.film import ArchiveFilm, label_counts
from tasks.corpora.archives.names import escaped

SHOWN = 50
UNREADABLE = "unreadable"
_BOX = pa.struct([("finding", pa.string()), *((name, pa.float32()) for name in ("x", "y", "width", "height"))])
_FACTS: dict[str, pa.DataType] = {
    "film": pa.string(), "path": pa.string(), "patient": pa.string(), "study": pa.string(), "view": pa.string(),
    "sex": pa.string(), "age": pa.float32(), "split": pa.string(), "labelled_by": pa.string(), "report": pa.string(),
}  # fmt: skip


def write_audit(audit: ArchiveAudit, folder: Path) -> None:
    """Write ``index.parquet``, ``report.md`` and ``report.png`` into `folder`."""
    write_index(audit, folder / "index.parquet")
    write_report(audit, folder)


def write_index(audit: ArchiveAudit, path: Path) -> None:
    """One row per film that the archive names: its facts, ``kept``, ``reasons``, and every check's score."""
    measurements, verdicts = audit.measurements, audit.verdicts
    lost = len(measurements.unreadable)
    films = [*measurements.films, *(film for film, _ in measurements.unreadable)]
    none = [None] * lost
    columns: dict[str, pa.Array] = {name: pa.array(_fact(films, name), kind) for name, kind in _FACTS.items()}
    columns |= {
        "labels": pa.array([list(film.labels.items()) for film in films], pa.map_(pa.string(), pa.int8())),
        "boxes": pa.array(
            [[{name: getattr(box, name) for name in _BOX.names} for box in film.boxes] for film in films],
            pa.list_(_BOX),
        ),
        "kind": pa.array([*measurements.kinds, *none], pa.string()),
        "height": pa.array([*(size[0] for size in measurements.sizes), *none], pa.int32()),
        "width": pa.array([*(size[1] for size in measurements.sizes), *none], pa.int32()),
        "kept": pa.array([*(not own for own in verdicts.reasons), *[False] * lost], pa.bool_()),
        "reasons": pa.array([*verdicts.reasons, *[[UNREADABLE]] * lost], pa.list_(pa.string())),
        "detail": pa.array([*verdicts.details, *(why for _, why in measurements.unreadable)], pa.string()),
        "hash": pa.array([*(row.tobytes() for row in measurements.hashes), *none], pa.binary()),
    }
    measured = {f"score_{name}": row for name, row in measurements.scores.items()}
    measured |= {f"question_{at + 1}": row for at, row in enumerate(measurements.answers.T)}
    columns |= {name: pa.array([*map(float, row), *none], pa.float32()) for name, row in measured.items()}
    pq.write_table(pa.table(columns), path, compression="zstd")


def write_report(audit: ArchiveAudit, folder: Path) -> None:
    """Write ``report.md`` and ``report.png``."""
    draw(audit, folder / "report.png")
    parts = (_summary, _left_out, _checks, _judge, _groups, _copies, _tail, _unreadable)
    lines = [line for part in parts for line in part(audit)]
    (folder / "report.md").write_text("\n".join(lines) + "\n", encoding="utf-8")


def dropped(audit: ArchiveAudit) -> Counter[str]:
    """Films by the reason for dropping them; a film may count several times."""
    counts = Counter(reason for own in audit.verdicts.reasons for reason in own)
    counts[UNREADABLE] = len(audit.measurements.unreadable)
    return +counts


def thresholds(audit: ArchiveAudit) -> str:
    """Where the limits of the checks come from, as a sentence."""
    rate, taken = audit.verdicts.calibration.false_rejects, audit.verdicts.taken
    if not taken:
        return (
            f"The checks' limits come from the phantom hospital (at {rate:.1%} false rejects of its films), not from "
            "this archive: read them as a ranking, or name films of it that are good with --good."
        )
    limits = f"The checks' limits are those at which {rate:.1%} of {taken} films of this archive fall."
    if audit.settings.good is not None:
        return f"{limits} These are listed as good in {audit.settings.good.name}."
    return (
        f"{limits} These were drawn by their ids and taken as good unseen: what is bad among them has widened the "
        "limits, and where that is more than the stated share, most bad films pass. --good takes a list of good ones."
    )


def _summary(audit: ArchiveAudit) -> list[str]:
    measurements = audit.measurements
    listed = len(measurements.films) + len(measurements.unreadable)
    rows = [("films listed", listed), ("readable", len(measurements.films)), ("kept", audit.kept)]
    kinds = Counter(measurements.kinds)
    return [
        f"# Audit of an archive: {plain(audit.archive.root.name)}", "",
        f"Layout `{audit.archive.layout}`. {plain(thresholds(audit))}", "",
        *_table(("", "films"), rows), "", "![The worst films of each check, and the tail](report.png)", "",
        *_table(("kind of file", "films"), kinds.most_common()), "",
        *(f"- {plain(note)}: {count}" for note, count in sorted(audit.archive.notes.items()) if count), "",
    ]  # fmt: skip


def _left_out(audit: ArchiveAudit) -> list[str]:
    left = audit.left_out
    if not left.counts:
        return []
    rows = [(kind, count, ", ".join(left.examples[kind])) for kind, count in left.counts.most_common()]
    return ["## Left out", "", "Files of the folder that are none of its films.", "",
            *_table(("kind", "files", "such as"), rows), ""]  # fmt: skip


def _checks(audit: ArchiveAudit) -> list[str]:
    counts, number = dropped(audit), len(audit.measurements.films)
    rows = []
    for name, worst in audit.measurements.worst.items():
        first, share = worst[0], f"{counts[name] / number:.1%}"
        rows.append((name, counts[name], share, first.film, f"{first.score:.2f}", first.reason))
    head = ("check", "objects to", "share", "worst film", "its score", "what is said of it")
    return ["## Checks", "", *_table(head, rows), ""]


def _judge(audit: ArchiveAudit) -> list[str]:
    if not audit.questions:
        return []
    yes = audit.measurements.answers >= 0.5
    rows = [(question, f"{share:.1%}") for question, share in zip(audit.questions, yes.mean(0), strict=True)]
    no = (~yes).sum(1)
    width = yes.shape[1]
    rules = [("all_no", width), ("any_no", 1), *((f"k_of_n, k = {k}", k) for k in range(2, width))]
    kept = [(name, f"{(no < most).mean():.1%}") for name, most in rules]
    return [
        "## Vision-language gate", "", f"{plain(audit.judge)}; it decides with the checks.", "",
        *_table(("question", "answered yes"), rows), "", *_table(("rule", "would keep"), kept), "",
    ]  # fmt: skip


def _groups(audit: ArchiveAudit) -> list[str]:
    lines = []
    for title in ("view", "split", "sex", "labelled_by"):
        every, kept = Counter[str](), Counter[str]()
        for film, own in zip(audit.measurements.films, audit.verdicts.reasons, strict=True):
            value = getattr(film, title) or "not said"
            every[value] += 1
            kept[value] += not own
        if len(every) > 1 or "not said" not in every:
            rows = [(value, count, kept[value], f"{kept[value] / count:.1%}") for value, count in every.most_common()]
            lines += [*_table((title.replace("_", " "), "readable", "kept", "share"), rows), ""]
    return ["## Who is kept", "", *lines] if lines else []


def _copies(audit: ArchiveAudit) -> list[str]:
    films, counts = audit.measurements.films, dropped(audit)
    apart = Counter(_relation(films, copy) for copy in audit.verdicts.copies)
    rows = [
        ("repeat another film", counts[COPY]),
        *((f"- {name}", count) for name, count in apart.most_common()),
        ("have a patient who is in a split kept apart too", counts[LEAK]),
    ]
    shown = [
        (films[copy.later].film, films[copy.earlier].film, copy.bits, _relation(films, copy))
        for copy in audit.verdicts.copies[:SHOWN]
    ]
    listed = [*_table(("film", "repeats", "bits", "relation"), shown), ""] if shown else []
    return ["## Copies and leaks", "", *_table(("films that", ""), rows), "", *listed]


def _relation(films: Sequence[ArchiveFilm], copy: Copy) -> str:
    one, other = films[copy.later], films[copy.earlier]
    if not one.patient or not other.patient:
        patient = "patient not said"
    else:
        patient = "same patient" if one.patient == other.patient else "another patient"
    return f"{patient}, across splits" if one.split != other.split else patient


def _tail(audit: ArchiveAudit) -> list[str]:
    rows = [
        (name, tail.entities, tail.mentions, f"{tail.gini:.3f}", f"{tail.once:.1%}", tail.cover[0.5], tail.cover[0.9])
        for name, tail in audit.tails.items()
    ]
    head = ("type", "different", "mentions", "Gini", "mentioned once", "cover 50 %", "cover 90 %")
    lines = ["## The long tail", "", _tail_of_what(audit), "", *(_table(head, rows) if rows else ()), ""]
    found = label_counts(audit.measurements.films).most_common()
    if found:
        lines += [*_table(("label", "readable films"), found if len(found) <= 2 * SHOWN else found[:SHOWN]), ""]
    if len(found) > 2 * SHOWN:
        lines += [*_table(("rarest labels", "readable films"), found[-SHOWN:]), ""]
    return lines


def _tail_of_what(audit: ArchiveAudit) -> str:
    if audit.bank is not None:
        return f"Entities of {audit.bank.reports} reports; more in [entities](entities/tail.md)."
    if audit.counts:
        return "Findings as the archive labels them; it has no report in English to find entities in."
    return "The archive has neither labels nor reports in English: the tail of its findings is not known."


def causes(audit: ArchiveAudit) -> list[tuple[str, int, str]]:
    """Why films cannot be read: the reason of the first film of a kind, how many there are, and that film's id."""
    found: dict[str, tuple[str, int, str]] = {}
    for film, why in audit.measurements.unreadable:
        reason = why.removeprefix(f"{escaped(film.path)}: ")
        like = re.sub(r"\d+", "#", reason.partition(" (")[0])
        first, count, name = found.get(like, (reason, 0, film.film))
        found[like] = (first, count + 1, name)
    return sorted(found.values(), key=lambda cause: -cause[1])


def _unreadable(audit: ArchiveAudit) -> list[str]:
    lost = audit.measurements.unreadable
    if not lost:
        return []
    rows = [(film.film, why.removeprefix(f"{escaped(film.path)}: ")) for film, why in lost]
    counts = _table(("why", "films", "such as"), causes(audit)[:SHOWN])
    return [f"## Not readable: {len(lost)}", "", *counts, "", *_table(("film", "why"), rows[:SHOWN])]


def plain(text: object) -> str:
    """Text out of an archive so that it stays text in Markdown and in a cell of a table."""
    line = escaped(" ".join(str(text).split()))
    for sign, meant in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;"), ("|", "&#124;"), ("[", "&#91;"), ("`", "&#96;")):
        line = line.replace(sign, meant)
    return line


def _table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> list[str]:
    lines = [" | ".join(map(plain, row)) for row in rows]
    return [f"| {' | '.join(head)} |", "|---" * len(head) + "|", *(f"| {line} |" for line in lines)]


def _fact(films: Sequence[ArchiveFilm], name: str) -> list[Any]:
    values = [getattr(film, name) for film in films]
    return [escaped(value) for value in values] if name == "path" else values
