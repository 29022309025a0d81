"""Shorten an IMPRESSION that the image generator would cut off, where `reports.summarise_again` is set."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from models.contracts import ReportDraft, ReportGenerator, ReportRequest, Shortens

CountTokens = Callable[[Sequence[str]], list[int]]
MARGIN = 0.85
"""Of the words that would just fit, so many are asked for: a small model counts badly."""


def check_shortens(generator: ReportGenerator) -> Shortens:
    """The generator, which must be able to shorten.

    Raises:
        ValueError: it is not.
    """
    if not isinstance(generator, Shortens):
        raise ValueError(
            f"reports.summarise_again is true, but {generator.card.kind} cannot say an IMPRESSION again: set it to "
            "false, and the gate prompt_length decides"
        )
    return generator


def fit_drafts(
    generator: Shortens,
    requests: Sequence[ReportRequest],
    drafts: Sequence[ReportDraft],
    prefixes: Sequence[str],
    count_tokens: CountTokens,
    limit: int,
) -> list[ReportDraft]:
    """The drafts, with those summarised once more whose prompt has more tokens than `limit`.

    Args:
        generator: shortens them.
        requests, drafts: as they were asked and written.
        prefixes: what stands before each IMPRESSION in the prompt.
        count_tokens: token counts of prompts, uncut.
        limit: most tokens that the image generator reads.
    """
    counts = count_tokens([before + draft.impression for before, draft in zip(prefixes, drafts, strict=True)])
    long = [n for n, draft in enumerate(drafts) if draft.error is None and counts[n] > limit]
    if not long:
        return list(drafts)
    shares = [MARGIN * limit / counts[n] for n in long]
    again = generator.shorten([requests[n] for n in long], [drafts[n] for n in long], shares)
    fitted = dict(zip(long, again, strict=True))
    return [fitted.get(n, draft) for n, draft in enumerate(drafts)]
