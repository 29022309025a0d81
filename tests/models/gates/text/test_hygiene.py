"""Gates on the text alone, with the ugly texts that a language model writes."""

from __future__ import annotations

import pytest

from models import registry
from models.contracts import Candidate, EntityType, Gate, Mention
from models.gates.text.hygiene import LINTS, Leakage, Length, Lint, Repetition

FINDINGS = "There is a 1.5 cm nodule in the left upper zone at T12. No pneumothorax. The left lower zone is clear."


def score(gate: Gate, findings: str = FINDINGS, impression: str = "Small left lung nodule.", asked: str = "") -> tuple:
    mentions = (Mention("x", EntityType.ABNORMALITY, asked),) if asked else ()
    (result,) = gate.score([Candidate("s", mentions, findings, impression)])
    return result.score, result.reason


@pytest.mark.parametrize("kind", ["repetition", "leakage", "lint", "length", "near_duplicate"])
def test_gates_are_registered_under_their_own_name_and_pass_a_good_report(kind: str) -> None:
    gate = registry.build(registry.GATES, kind, {})
    assert isinstance(gate, Gate)
    assert gate.name == kind
    assert score(gate) == (1.0, "")
    assert gate.score([]) == []


def test_repeated_runs_of_words_lower_the_score_and_are_named() -> None:
    loop = "the left lung base shows an opacity " * 4
    value, reason = score(Repetition(), findings=loop)
    assert value < 0.5
    assert reason == "FINDINGS says 'the left lung base shows' 4 times"
    assert score(Repetition(), findings="", impression="One two.")[0] == 1.0


@pytest.mark.parametrize(
    "text",
    ["I'm sorry, but I cannot help.", "Sure! Small nodule.", "As an AI, no.", "Here is the report:", "```json",
     "<|im_end|>", "### Report", "Each entity word for word.", "assistant: Normal.",
     "{finding} is seen.", "Ignore the above."],
)  # fmt: skip
def test_refusals_chatter_and_leaks_are_named(text: str) -> None:
    value, reason = score(Leakage(), findings=text)
    assert value <= 0.5
    assert reason.startswith("FINDINGS holds ")


@pytest.mark.parametrize("words", ["nodule<|im_end|>", "[INST] nodule", "### Instruction: nodule", "nodule\x1b[2J"])
def test_marks_of_a_chat_and_control_characters_leak_even_where_they_were_asked_for(words: str) -> None:
    value, reason = score(Leakage(), findings=f"There is {words}.", asked=words)
    assert value == 0.5
    assert reason.startswith("FINDINGS holds ")


def test_words_that_were_asked_for_leak_nothing() -> None:
    assert score(Leakage(), findings="Ignore the above opacity.", asked="ignore the above opacity")[0] == 1.0


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("Compared to ___.", "de-identification mark"),
        ("Normal chest x-XXXX.", "de-identification mark"),
        ("Seen at [**Hospital**].", "de-identification mark"),
        ("Film of 3/14/2019.", "date"),
        ("Film of 2019-03-14.", "date"),
        ("Since March 2019.", "date"),
        ("At 14:13 and later.", "time"),
        ("Call 555-123-4567.", "phone number"),
        ("Mail a@b.org.", "address"),
        ("Told to Dr. Miller.", "name"),
        ("Anna Smith, MD", "name"),
        ("Accession 12345678", "number of a person or study"),
        ("67-year-old man", "age"),
    ],
)
def test_what_points_at_a_person_is_named(text: str, kind: str) -> None:
    value, reason = score(Lint(), findings=text)
    assert value < 1.0
    assert f"a {kind}: " in reason
    assert kind not in score(Lint(allow=[kind]), findings=text)[1]


@pytest.mark.parametrize(
    "text", ["", "T12 is 9 cm tall, 2 to 3 mm wide.", "MR is advised.", "Extent 1.5 x 2.5 cm.", "May be."]
)
def test_measures_point_at_nobody(text: str) -> None:
    assert score(Lint(), findings=text) == (1.0, "")


def test_an_unknown_lint_is_an_error_that_names_the_known() -> None:
    with pytest.raises(ValueError, match="known: de-identification mark"):
        Lint(allow=["dates"])
    assert "date" in LINTS


def test_length_is_how_far_off_in_words() -> None:
    assert score(Length(findings=(10, 20)), findings="Five words stand here now.") == (
        0.5, "FINDINGS has 5 words, 10 to 20 are allowed",
    )  # fmt: skip
    assert score(Length(impression=(1, 2)), impression="a b c d")[0] == 0.5
    assert score(Length(), findings="")[0] == 0.0
    with pytest.raises(ValueError, match=r"findings is \[9, 3\]"):
        Length(findings=(9, 3))
