"""Both sections in one answer: an object by a JSON schema, the same for every report, read strictly."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, StringConstraints, ValidationError

from models.contracts import Mention, ReportRequest
from models.findings.mention_text import core, for_impression
from models.language.prompts import Messages, findings_messages
from models.language.script import CompletionRequest, ReportCoroutine, ReportResult, budget_of, clean
from models.language.sections import order_of_findings

_Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]
_TASK = (
    "Write a chest X-ray report as a JSON object with the strings findings and impression. FINDINGS: each entity "
    "word for word in a sentence of its own, in the given order, and no other finding. "
    "IMPRESSION: only what is present, without places."
)


class JsonReport(BaseModel):
    """The answer: two texts that are not empty, and nothing else."""

    model_config = ConfigDict(extra="forbid", strict=True)

    findings: _Text
    impression: _Text


SCHEMA = {
    "type": "object",
    "properties": {name: {"type": "string", "minLength": 1} for name in JsonReport.model_fields},
    "required": list(JsonReport.model_fields),
    "additionalProperties": False,
}


def messages_for(mentions: tuple[Mention, ...]) -> Messages:
    """The chat that requests the object; the entities as in the pass for FINDINGS."""
    _, entities = findings_messages(mentions)
    return [{"role": "system", "content": _TASK}, entities]


def as_object(request: ReportRequest) -> ReportCoroutine:
    """How ``json`` writes a report: one completion, parsed strictly."""
    mentions = order_of_findings(request)
    empty = [mention.entity for mention in mentions if not core(mention)]
    if not mentions or empty:
        why = f"entity {empty[0]!r} has no words to state" if empty else "a report needs at least one mention"
        return ReportResult("", "", 0, why)
    budget = budget_of(request) * (2 if for_impression(mentions) else 1)
    (completion,) = yield [
        CompletionRequest(messages_for(mentions), 2 * request.seed, budget, schema=SCHEMA, attempt=request.attempt)
    ]
    if completion.error:
        return ReportResult("", "", completion.tokens, completion.error, completion.fault, completion.refused)
    try:
        report = JsonReport.model_validate_json(completion.text)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or "the answer"
        why = f"the answer breaks its JSON schema, so the engine ignores the schema: {where}: {first['msg']}"
        return ReportResult("", "", completion.tokens, why, fault=True)
    return ReportResult(clean(report.findings), clean(report.impression), completion.tokens)
