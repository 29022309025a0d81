"""What is told of a sample: everything its row holds, in words that page and command line share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from models.language.prompts import SUMMARISE, WRITE
from storage.records import GateRow, PairRow, RejectRow
from storage.shards import Sample
from tasks.plan.seeds import seed_for
from tasks.publish.provenance import LATER, Place, explain_attempts, explain_prompts, explain_sample, gate_line

PLACE = Place(3, "pairs/00003.parquet", 7, "pairs/00003.tar", {"png": (512, 900)})


def told(chapters: list) -> dict[str, dict[str, str]]:
    return {chapter.title: dict(chapter.facts) for chapter in chapters}


def test_an_accepted_sample_tells_all_that_its_row_holds(
    make_pair: Callable[..., Sample], mention: dict[str, Any]
) -> None:
    absent = {**mention, "entity": "disease/pneumothorax", "phrase": "no pneumothorax", "present": False}
    row = PairRow.model_validate(make_pair(5, mentions=[mention, absent]).json)
    says = told(explain_sample(row, PLACE, selections=["default"], runs=[]))
    assert says["Asked"]["abnormality/pleural effusion"] == "small left pleural effusion"
    assert says["Asked"]["disease/pneumothorax"] == "no pneumothorax (absent)"
    assert says["Report"]["seed"] == str(row.report_seed)
    assert says["Film"]["prompt"] == row.impression
    assert says["Film"]["SHA-256 of the PNG"] == row.png_sha256
    assert says["Gates"]["contrast"] == "0.25 ≥ 0.06 (classical)"
    assert says["Place"] == {"index in the plan": "5", "shard": "3", "object": "pairs/00003.parquet", "row in it": "7"}
    assert says["Bytes"] == {"tar": "pairs/00003.tar", "png": "900 bytes from byte 512"}
    assert says["Used by"] == {"selections": "default", "training runs": "none"}


def test_what_comes_after_the_page_is_said_to_come_after_it(make_pair: Callable[..., Sample]) -> None:
    says = told(explain_sample(PairRow.model_validate(make_pair(5).json), PLACE))
    assert says["Used by"] == {"selections": LATER, "training runs": LATER}


def test_a_reject_tells_where_and_why_it_ended(make_reject: Callable[..., RejectRow]) -> None:
    says = told(explain_sample(make_reject(5), Place(0, "rejects/00000.parquet", 0)))
    assert says["Rejected"]["gate"] == "two_lungs"
    assert says["Rejected"]["score"] == "0.1, 0.5 was needed"
    assert says["Gates"]["two_lungs"] == "0.1 below 0.5 (no lung found on the left)"
    assert "Used by" not in says


def test_the_prompts_are_those_that_a_chat_model_got(make_pair: Callable[..., Sample]) -> None:
    row = PairRow.model_validate(make_pair(5).json)
    said = explain_prompts(row, "vllm").facts
    assert [role for role, _ in said] == ["system", "user", "assistant", "user"]
    assert said[0][1] == WRITE
    assert "small left pleural effusion" in said[1][1]
    assert said[2][1] == row.findings
    assert said[3][1].startswith(SUMMARISE)
    assert explain_prompts(row, "template").facts == ()


def test_every_attempt_has_the_seed_that_the_worker_used() -> None:
    facts = dict(explain_attempts("f" * 64, "sample", {"reports": 1, "images": 2}).facts)
    assert list(facts) == ["reports 1", "images 1", "images 2"]
    assert facts["images 2"] == str(seed_for("f" * 64, "sample", "images", 1))


def test_a_score_that_is_no_number_is_told_as_such() -> None:
    assert gate_line(GateRow(gate="g", score=float("nan"), threshold=0.5, passed=False)) == "nan below 0.5"
