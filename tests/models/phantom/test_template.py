"""The phantom's own writer behind the protocol."""

from __future__ import annotations

from models import registry
from models.contracts import EntityType, Mention, ReportGenerator, ReportRequest


def test_it_keeps_the_protocol_and_writes_what_is_asked() -> None:
    writer = registry.build(registry.REPORT_GENERATORS, "template", {})
    assert isinstance(writer, ReportGenerator)
    mention = Mention("a", EntityType.ABNORMALITY, "small left pleural effusion", "pleural effusion", True, "left")
    one, two = writer.generate([ReportRequest("s1", (mention,), 5), ReportRequest("s2", (mention,), 5, attempt=2)])
    assert (one.findings, one.impression) == (two.findings, two.impression)
    assert "small left pleural effusion" in one.findings.lower()
    assert (two.sample_id, two.seed, two.attempt, two.tokens, two.error) == ("s2", 5, 2, 0, None)
    assert len(writer.card.sha256) == 64


def test_requests_without_words_are_errors_of_their_own() -> None:
    writer = registry.build(registry.REPORT_GENERATORS, "template", {})
    blank = Mention("b", EntityType.ABNORMALITY, " ")
    errors = [draft.error for draft in writer.generate([ReportRequest("s1", (), 1), ReportRequest("s2", (blank,), 1)])]
    assert errors == ["a report needs at least one mention", "entity 'b' has no words to state"]
