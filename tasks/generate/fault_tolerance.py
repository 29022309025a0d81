"""What happens when the report engine dies: fresh starts, drafts with the error, and a bound on how many of either."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Protocol, runtime_checkable

from models.contracts import (
    ModelNotFound,
    ReportDraft,
    ReportGenerator,
    ReportRequest,
    RequestsRefused,
    Shortens,
    one_line,
)

_log = logging.getLogger(__name__)


@runtime_checkable
class Restarts(Protocol):
    """A generator that can drop a broken engine; the next call starts a fresh one."""

    def restart(self) -> None: ...


class ReportsLost(RuntimeError):
    """Too many samples of a shard have no report because the engine failed; nothing of the shard is published."""


class FaultTolerantGenerator:
    """A report generator for one shard, of which a death costs the request that causes it and no other.

    An engine that dies takes its whole call with it. The call is repeated once on a fresh engine, which writes the
    same texts, since they follow from the seeds. After a second death the call is halved, and what dies is halved
    again, until the request that kills stands alone. It is unknown how far a dead call had come, but halves that are
    done are kept. A server that does not answer at all (`ConnectionError`) is asked twice and never in halves. Without
    a death there is one call of the generator per call of this.

    Args:
        generator: what may die.
        samples: samples of the shard; the engine may die 3 + 2 log2(`samples`) times, at all attempts together, which
            is enough to find two requests that kill it, wherever they are.

    Attributes:
        lost: samples that are not worth another attempt: they kill the engine, or it is not started any more.
    """

    def __init__(self, generator: ReportGenerator, samples: int) -> None:
        self.lost: set[str] = set()
        self._generator = generator
        self._deaths, self._most_deaths = 0, 3 + 2 * (samples - 1).bit_length()
        self._last, self._answers = "", True

    def generate(self, requests: Sequence[ReportRequest]) -> list[ReportDraft]:
        """One draft per request, in order, whatever the engine does; those that it failed hold the error.

        Raises:
            ModelNotFound, RequestsRefused: what no fresh start mends.
        """
        blank = [ReportDraft(r.sample_id, "", "", 0, r.seed, r.attempt) for r in requests]
        return self._survive(blank, lambda part: self._generator.generate([requests[n] for n in part]))

    def shorten(
        self, requests: Sequence[ReportRequest], drafts: Sequence[ReportDraft], shares: Sequence[float]
    ) -> list[ReportDraft]:
        """The drafts with a shorter IMPRESSION (protocol `Shortens`); failed ones stay and hold the error.

        Raises:
            ModelNotFound, RequestsRefused: what no fresh start mends.
        """
        shortens = self._generator
        assert isinstance(shortens, Shortens), "the stage refuses others before it writes"
        return self._survive(
            drafts,
            lambda part: shortens.shorten(
                [requests[n] for n in part], [drafts[n] for n in part], [shares[n] for n in part]
            ),
        )

    def _survive(self, before: Sequence[ReportDraft], call: Callable[[range], list[ReportDraft]]) -> list[ReportDraft]:
        """What `call` makes of the positions in `before`; where it fails, the draft before with the reason."""
        after = list(before)
        parts, repeat = [range(len(after))], True
        while parts:
            part = parts.pop()
            if self._deaths >= self._most_deaths:
                self._mark_failed(after, part, f"not asked, since the engine died {self._deaths} times in this shard")
            elif (made := self._try(call, part)) is not None:
                for n, draft in zip(part, made, strict=True):
                    after[n] = draft
            elif repeat:
                repeat = False
                parts.append(part)
            elif len(part) > 1 and self._answers:
                half = len(part) // 2
                parts += [part[half:], part[:half]]
            else:
                self._mark_failed(after, part, "the engine died each time that it was given this request")
        return after

    def _try(self, call: Callable[[range], list[ReportDraft]], part: range) -> list[ReportDraft] | None:
        try:
            return call(part)
        except (ModelNotFound, RequestsRefused):
            raise
        except Exception as error:
            self._deaths += 1
            # Words only: the exception's frames hold the dead engine, and its memory must go before a fresh one comes.
            self._last = f"{type(error).__name__}: {one_line(error)}"
            self._answers = type(error) is not ConnectionError  # its kinds come from the pipes of a local engine
            _log.warning("the report engine died with %d requests: %r", len(part), error)
        if isinstance(self._generator, Restarts):
            self._generator.restart()
        return None

    def _mark_failed(self, drafts: list[ReportDraft], part: range, why: str) -> None:
        for n in part:
            drafts[n] = replace(drafts[n], error=f"{why}: {self._last}", fault=True)
            self.lost.add(drafts[n].sample_id)
        _log.error("%d reports lost: %s", len(part), why)


def check_refusals(drafts: Sequence[ReportDraft]) -> None:
    """Refuse a shard of which the engine took no request, for one reason; its numbers may differ.

    Raises:
        RequestsRefused: the message has the reason of the first request.
    """
    reasons = {re.sub(r"\d+", "0", draft.error or "") for draft in drafts if draft.refused}
    if len(reasons) == 1 and all(draft.refused for draft in drafts):
        raise RequestsRefused(
            f"the report engine took none of the {len(drafts)} requests of the shard; the first is "
            f"{drafts[0].sample_id}: {drafts[0].error}"
        )


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
