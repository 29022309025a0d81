"""Write the tokenizer anew from the phantom's own reports: ``python -m models.build.vlp_tokenizer``."""

from __future__ import annotations

import numpy as np

from models.phantom.case import draw_finding
from models.phantom.report import mentions_of, write_report
from models.phantom.vocabulary import LABELS
from models.vlp.tokenizer import SHIPPED, build_tokenizer

REPORTS = 6_000


def phantom_reports(count: int, seed: int = 0) -> list[str]:
    """Reports of up to four findings, every finding as often as every other."""
    rng = np.random.default_rng(seed)
    texts = []
    for _ in range(count):
        labels = rng.choice(LABELS, int(rng.integers(0, 5)), replace=False)
        findings = [draw_finding(str(label), rng) for label in labels]
        texts.append(" ".join(write_report(mentions_of(findings, rng), rng)))
    return texts


if __name__ == "__main__":
    build_tokenizer(phantom_reports(REPORTS), SHIPPED)
