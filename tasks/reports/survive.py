"""What happens when the report engine fails: one fresh start, drafts that say so, and a bound on how many."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Protocol, runtime_checkable

from models.contracts import ModelNotFound, ReportDraft, ReportGenerator, ReportRequest

_log = logging.getLogger(__name__)


@runtime_checkable
class Restarts(Protocol):
    """A generator that can drop a broken engine; the next call starts a fresh one."""

    def restart(self) -> None: ...


class ReportsLost(RuntimeError):
    """Too many samples of a shard have no report because the engine failed; nothing of the shard is published."""


def drafts_of(generator: ReportGenerator, requests: Sequence[ReportRequest]) -> tuple[list[ReportDraft], bool]:
    """One draft per request whatever the engine does, and whether it died for good.

    An engine that dies takes its whole call with it; the call is repeated once on a fresh engine, which writes the
    same texts, since they follow from the seeds. After a second death each draft says why there is none.

    Raises:
        ModelNotFound: the weights are missing, which no fresh start mends.
    """
    try:
        return generator.generate(requests), False
    except ModelNotFound:
        raise
    except Exception as error:
        _log.warning("the report engine died with %d requests, starting it afresh: %s", len(requests), _said(error))
    try:
        if isinstance(generator, Restarts):
            generator.restart()
        return generator.generate(requests), False
    except ModelNotFound:
        raise
    except Exception as error:
        why = f"the engine died, and once more after a fresh start: {_said(error)}"
        _log.error("%s", why)
    drafts = [
        ReportDraft(request.sample_id, "", "", 0, request.seed, request.attempt, why, fault=True)
        for request in requests
    ]
    return drafts, True


def check_losses(failed: Mapping[str, ReportDraft], samples: int, budget: float) -> None:
    """Refuse a shard that lost more than the share `budget` of its samples to the engine.

    Args:
        failed: the last draft of every sample that did not pass, by sample id; those without `fault` do not count.
        samples: samples of the shard.

    Raises:
        ReportsLost: the message names the first sample, its reason and the remedy.
    """
    lost = {sample: draft for sample, draft in failed.items() if draft.fault}
    if len(lost) <= budget * samples:
        return
    sample, draft = next(iter(lost.items()))
    raise ReportsLost(
        f"{len(lost)} of {samples} reports of the shard were lost to the report engine, more than "
        f"reports.error_budget = {budget:g} allows; the first is {sample}: {draft.error}. Nothing of this shard was "
        "published and finished shards are safe: mend the engine and run again, or raise reports.error_budget"
    )


def _said(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"
