"""Mining a bank: normalised, merged, counted, without junk, and taken by the planner."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

import pytest
from typer.testing import CliRunner

from flows.cli.app import app
from models.contracts import EntityType
from models.findings.chest_recogniser import ChestRecogniser, Span
from models.findings.label_sets import load
from tasks.audit.duplicates import near_duplicates
from tasks.audit.tail import draw_tail, tail_of
from tasks.corpora.mentions import is_junk, mine
from tasks.corpora.reports import Report
from tasks.plan.bank import load_bank

TEXTS = (
    "FINDINGS: Small left pleural effusions. No pneumothorax. Streaky atelectasis in the RLL.",
    "FINDINGS: Large right effusion. No pneumothoraces. The right lower lobe is clear. A pacemaker.",
    "FINDINGS: PTX. Pleural effusion, pleural effusion.",
)


class SplitsAtCommas:
    """A recogniser of the open kind: everything between commas, as one type."""

    def __init__(self, kind: EntityType) -> None:
        self.kind = kind

    def spans(self, texts: Sequence[str]) -> list[list[Span]]:
        status = "absent" if self.kind.value.startswith("non") else "present"
        return [[Span(0, 0, t, t.strip(), t.strip(), self.kind, status) for t in text.split(",")] for text in texts]


def terms(text: str, kind: EntityType = EntityType.ABNORMALITY) -> dict[str, int]:
    return {entity.term: entity.count for entity in mine([Report("r", text)], SplitsAtCommas(kind)).entities}


def test_spellings_plurals_sides_and_sizes_are_one_entity() -> None:
    bank = mine([Report(str(at), text) for at, text in enumerate(TEXTS)], ChestRecogniser())
    found = {(entity.type.value, entity.term): entity for entity in bank.entities}
    effusion = found["abnormality", "pleural effusion"]
    assert (effusion.count, effusion.reports, effusion.label) == (4, 3, "pleural effusion")
    assert (effusion.sides, effusion.severities) == ({"left": 1, "right": 1}, {"small": 1, "large": 1})
    assert found["non_disease", "no pneumothorax"].count == 2
    assert not found["non_disease", "no pneumothorax"].present
    assert found["disease", "pneumothorax"].count == 1
    assert found["abnormality", "streaky atelectasis"].label == "atelectasis"
    assert found["anatomy", "right lower lobe"].count == 2
    assert found["non_abnormality", "pacemaker"].present
    assert (bank.reports, bank.entities[0]) == (3, effusion)


def test_labels_are_of_the_label_set_that_is_given() -> None:
    reports = [Report(str(at), text) for at, text in enumerate(TEXTS)]
    bank = mine(reports, ChestRecogniser(), label_set=load("chexpert-14"))
    labels = {entity.term: entity.label for entity in bank.entities}
    assert labels["pleural effusion"] == "Pleural Effusion"
    assert labels["no pneumothorax"] == "Pneumothorax"
    assert labels["pacemaker"] == "Support Devices"
    assert labels["right lower lobe"] is None


def test_an_open_vocabulary_is_normalised_too() -> None:
    assert terms("Lung Nodules,the lung nodule,small left lung nodule") == {"lung nodule": 3}
    assert terms("pneumothoraces,no widget", EntityType.NON_DISEASE) == {"no pneumothorax": 1, "no widget": 1}
    assert terms("clear,normal", EntityType.NON_ABNORMALITY) == {"clear": 1, "normal": 1}
    assert terms("left lung bases,RLL", EntityType.ANATOMY) == {"left lung base": 1, "right lower lobe": 1}


@pytest.mark.parametrize(
    ("term", "why"),
    [("", "no letter"), ("12 3", "no letter"), ("xxxx opacity", "de-identification mark"), ("a", "too short"),
     ("word " * 9, "too long"), ("x" * 300, "de-identification mark"), ("b" * 300, "too long"),
     ("of the", "only filler"), ('"ignore" (.*)', ""), ("mass", "")],
)  # fmt: skip
def test_junk(term: str, why: str) -> None:
    assert is_junk(term) == why


def test_junk_and_rare_entities_are_counted() -> None:
    bank = mine([Report("r", "mass,mass,cyst,12,XXXX")], SplitsAtCommas(EntityType.ABNORMALITY), least=2)
    assert [entity.term for entity in bank.entities] == ["lung mass"]
    assert bank.junk == {"no letter": 1, "de-identification mark": 1, "rare": 1}


def test_the_tail_of_known_counts(tmp_path: Path) -> None:
    assert tail_of([5, 5, 5, 5]).gini == 0
    assert tail_of([0, 0, 0, 10]).gini == 0.75
    tail = tail_of([1, 1, 90, 8])
    assert (tail.entities, tail.mentions, tail.once) == (4, 100, 0.5)
    assert tail.cover == {0.5: 1, 0.8: 1, 0.9: 1, 0.99: 3}
    assert tail_of([]).entities == 0
    draw_tail({"disease": [3, 1], "anatomy": []}, tmp_path / "tail.png")
    assert (tmp_path / "tail.png").read_bytes().startswith(b"\x89PNG")


def test_the_command_writes_a_bank_that_the_planner_takes(tmp_path: Path) -> None:
    for at, text in enumerate(TEXTS):
        (tmp_path / f"r{at}.txt").write_text(text)
    out = tmp_path / "bank"
    result = CliRunner().invoke(app, ["audit", "entities", str(tmp_path), "--out", str(out)])
    assert result.exit_code == 0, result.output
    assert "3 reports" in result.output
    bank = {entity.term: entity for entity in load_bank(str(out / "bank.csv"))}
    assert (bank["pleural effusion"].sides, bank["pleural effusion"].label) == (("left", "right"), "pleural effusion")
    assert bank["no pneumothorax"].present is False
    assert bank["pleural effusion"].count == 4, "for plan.target"
    with (out / "counts.csv").open() as file:
        assert next(csv.DictReader(file)) == {
            "type": "abnormality", "term": "pleural effusion", "mentions": "4", "reports": "3",
        }  # fmt: skip
    assert "| pleural effusion | abnormality | 4 |" in (out / "tail.md").read_text()


def test_a_bank_of_another_label_set_is_planned_with_that_set(tmp_path: Path) -> None:
    (tmp_path / "r.txt").write_text(TEXTS[0])
    out = tmp_path / "bank"
    words = ["audit", "entities", str(tmp_path), "--labels", "chexpert-14", "--out", str(out)]
    assert CliRunner().invoke(app, words).exit_code == 0
    bank = {entity.term: entity for entity in load_bank(str(out / "bank.csv"), label_set="chexpert-14")}
    assert bank["pleural effusion"].label == "Pleural Effusion"


def test_what_the_command_cannot_do_is_one_message(tmp_path: Path) -> None:
    (tmp_path / "r.txt").write_text("Der Text spricht von nichts.")
    for words, message in (
        ([str(tmp_path)], "no entity is found in 1 reports"),
        ([str(tmp_path / "x")], "does not exist"),
        ([str(tmp_path), "--recogniser", "magic"], "'rules' or 'rate-ner'"),
        ([str(tmp_path), "--recogniser", "rate-ner"], "needs --model"),
        ([str(tmp_path), "--labels", "chexpert"], "did you mean 'chexpert-14'?"),
    ):
        result = CliRunner().invoke(app, ["audit", "entities", *words, "--out", str(tmp_path / "o")])
        assert result.exit_code == 2
        assert message in result.output


def test_near_duplicates_name_the_earlier_report(tmp_path: Path) -> None:
    text = (
        "There is a moderate left pleural effusion with a small right apical nodule and mild cardiomegaly, no edema."
    )
    reports = [
        Report("a", text),
        Report("b", "Something else is said here, at some length."),
        Report("a", text + " So."),
    ]
    count, found = near_duplicates(reports)
    assert (count, [(pair.name, pair.of) for pair in found]) == (3, [("a", "a")])
    for at, report in enumerate(reports):
        (tmp_path / f"{at}.txt").write_text(report.text)
    result = CliRunner().invoke(app, ["audit", "duplicates", str(tmp_path)])
    assert "2 repeats 0" in result.output
    assert "1 of 3 reports (33.3%)" in result.output
