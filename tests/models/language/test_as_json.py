"""The JSON decoding reads strictly: what is not the object asked for is an error that says why."""

from __future__ import annotations

import json

import pytest

from models.contracts import EntityType, Mention, ReportRequest
from models.language.as_json import SCHEMA
from models.language.decodings import write_drafts
from tests.models.language.fakes import Engine

REQUEST = ReportRequest("s", (Mention("a", EntityType.ABNORMALITY, "lung nodule", "lung nodule"),), 4)


def test_the_schema_and_the_entities_are_asked_for_once() -> None:
    engine = Engine(lambda _: json.dumps({"impression": " Lung nodule. ", "findings": "FINDINGS: Lung\nnodule."}))
    (draft,) = write_drafts([REQUEST], "json", engine)
    assert (draft.findings, draft.impression, draft.error) == ("Lung nodule.", "Lung nodule.", None)
    ((request,),) = engine.calls
    assert (request.schema, request.messages[1]["content"]) == (SCHEMA, "lung nodule")
    assert set(SCHEMA["required"]) == {"findings", "impression"}


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ("Sure! Here is the report.", "Invalid JSON"),
        ('{"findings": "a", "impression": "b"', "Invalid JSON"),
        ('```json\n{"findings": "a", "impression": "b"}\n```', "Invalid JSON"),
        ('{"findings": "a"}', "impression: Field required"),
        ('{"findings": "a", "impression": "b", "note": "c"}', "note: Extra inputs"),
        ('{"findings": ["a"], "impression": "b"}', "findings: Input should be a valid string"),
        ('{"findings": " ", "impression": "b"}', "findings: String should have at least 1"),
        ("[]", "the answer: "),
    ],
)
def test_anything_else_is_an_error(said: str, why: str) -> None:
    (draft,) = write_drafts([REQUEST], "json", Engine(lambda _: said))
    assert why in (draft.error or "")
    assert (draft.findings, draft.fault, draft.tokens) == ("", True, 5)
