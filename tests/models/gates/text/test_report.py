"""The text gates: each names the entity at fault."""

from __future__ import annotations

from dataclasses import replace
from math import isnan

import pytest

from models import registry
from models.contracts import Candidate, EntityType, Gate, Mention
from models.gates.text.report import Completeness, ImpressionConsistency, NoExtraFinding, PromptLength

A, D, N, P = EntityType.ABNORMALITY, EntityType.DISEASE, EntityType.NON_DISEASE, EntityType.ANATOMY
ASKED = (
    Mention("a", A, "moderate left pleural effusion", "pleural effusion", True, "left", None, "moderate"),
    Mention("d", D, "mild cardiomegaly", "cardiomegaly", True, None, None, "mild"),
    Mention("n", N, "no pneumothorax", "pneumothorax", False),
    Mention("p", P, "right upper zone", None, True, "right", "upper zone"),
)
GOOD = Candidate(
    "s1",
    ASKED,
    "There is a moderate left pleural effusion. Mild cardiomegaly is noted. No pneumothorax is seen. "
    "No focal lesion in the right upper zone.",
    "Moderate left pleural effusion. Mild cardiomegaly.",
    prompt_tokens=20,
    prompt_limit=77,
)


def score(gate: Gate, **changes: object) -> tuple[float, str]:
    (result,) = gate.score([replace(GOOD, **changes)])
    return result.score, result.reason


@pytest.mark.parametrize("kind", ["completeness", "no_extra_finding", "impression_consistency", "prompt_length"])
def test_gates_are_registered_under_their_own_name_and_pass_a_good_report(kind: str) -> None:
    gate = registry.build(registry.GATES, kind, {})
    assert isinstance(gate, Gate)
    assert gate.name == kind
    assert gate.score([GOOD, GOOD])[1].score >= (0 if kind == "prompt_length" else 1)
    assert gate.score([]) == []


class TestCompleteness:
    def test_a_missing_entity_is_named(self) -> None:
        value, reason = score(Completeness(), findings=GOOD.findings.replace("Mild cardiomegaly is noted. ", ""))
        assert value == 0.75
        assert "'mild cardiomegaly' is not in FINDINGS" in reason

    def test_wrong_polarity_counts_as_missing(self) -> None:
        denied = GOOD.findings.replace("There is a moderate", "There is no moderate")
        assert "'moderate left pleural effusion' is denied in FINDINGS" in score(Completeness(), findings=denied)[1]
        stated = GOOD.findings.replace("No pneumothorax is seen", "A pneumothorax is seen")
        assert "'pneumothorax' is stated as present in FINDINGS" in score(Completeness(), findings=stated)[1]

    def test_a_positive_must_stand_in_the_impression(self) -> None:
        value, reason = score(Completeness(), impression="Moderate left pleural effusion.")
        assert (value, reason) == (0.75, "'mild cardiomegaly' is not stated in IMPRESSION")

    def test_letter_case_and_line_breaks_do_not_matter(self) -> None:
        assert (
            score(Completeness(), findings=GOOD.findings.upper().replace("LEFT PLEURAL", "LEFT\n pleural"))[0] == 1.0
        )

    def test_the_entity_must_be_whole_words(self) -> None:
        tube = (Mention("x", A, "rib fracture"),)
        assert score(Completeness(), mentions=tube, findings="Rib fractured.", impression="Rib fracture.")[0] == 0.0

    def test_empty_texts_and_empty_mentions_score_nothing(self) -> None:
        assert score(Completeness(), findings="", impression="")[0] == 0.0
        assert score(Completeness(), mentions=())[0] == 0.0

    def test_hostile_words_are_words(self) -> None:
        odd = (Mention("x", A, 'so-called "ground (glass" [a-z]+ opacity'),)
        text = 'There is so-called "ground (glass" [a-z]+ opacity.'
        assert score(Completeness(), mentions=odd, findings=text, impression=text)[0] == 1.0


class TestNoExtraFinding:
    def test_an_invented_finding_is_named(self) -> None:
        value, reason = score(NoExtraFinding(), findings=GOOD.findings + " A large right lung mass is seen.")
        assert value == 0.5
        assert "'lung mass' was not asked for as large right lung mass" in reason or "lung mass" in reason

    def test_a_denied_invention_is_no_finding(self) -> None:
        assert score(NoExtraFinding(), findings=GOOD.findings + " No lung mass.")[0] == 1.0

    def test_an_asked_absence_stated_as_present_is_extra(self) -> None:
        value, reason = score(NoExtraFinding(), findings=GOOD.findings + " There is a pneumothorax.")
        assert value == 0.5
        assert "pneumothorax" in reason

    def test_another_side_is_another_finding(self) -> None:
        assert "right" in score(NoExtraFinding(), findings=GOOD.findings + " Small right pleural effusion.")[1]

    def test_a_synonym_without_attributes_is_the_same_finding(self) -> None:
        assert score(NoExtraFinding(), findings=GOOD.findings + " The heart is enlarged.")[0] == 1.0

    def test_the_impression_is_read_too(self) -> None:
        assert score(NoExtraFinding(), impression="Scoliosis.")[0] == 0.5

    def test_a_foreign_entity_may_contain_a_finding(self) -> None:
        foreign = (Mention("x", A, "bibasilar atelectasis"),)
        assert score(NoExtraFinding(), mentions=foreign, findings="Bibasilar atelectasis.", impression="")[0] == 1.0


class TestImpressionConsistency:
    def test_a_clash_between_the_sections_is_named(self) -> None:
        value, reason = score(ImpressionConsistency(), impression="No cardiomegaly.")
        assert (value, reason) == (0.5, "'cardiomegaly' is both stated and denied")

    def test_a_loop_is_named(self) -> None:
        loop = "the left lung is again and again the left lung is again and again the left lung is again and again"
        assert "repeats" in score(ImpressionConsistency(), findings=loop)[1]

    def test_a_leaked_prompt_is_named(self) -> None:
        assert "'word for word'" in score(ImpressionConsistency(), findings="Each entity word for word.")[1]

    def test_an_empty_section_is_named(self) -> None:
        assert score(ImpressionConsistency(), impression=" ")[1] == "IMPRESSION is empty"


class TestPromptLength:
    def test_the_score_is_what_is_left_and_the_reason_has_both_numbers(self) -> None:
        assert score(PromptLength()) == (57.0, "20 tokens fit into the limit of 77")
        assert score(PromptLength(), prompt_tokens=77)[0] == 0.0
        assert score(PromptLength(), prompt_tokens=80) == (-3.0, "80 tokens exceed the limit of 77")

    def test_an_uncounted_prompt_never_passes(self) -> None:
        value, reason = score(PromptLength(), prompt_tokens=None)
        assert isnan(value)
        assert "not counted" in reason
