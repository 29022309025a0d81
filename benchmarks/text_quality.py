"""What the reports of the local profile are like: yield, inventions, diversity, duplicates. Writes docs/reports.md.

    python benchmarks/text_quality.py [--reports 512] [--decoding entity_grammar]

The real engine writes them as a run would, gates and retries included. Beside them stand the phantom's own reports of
the same entities and, where the package is at hand, as many of OpenI, drawn at random. Inventions are counted by the
recogniser of real chest reports, which no gate of the profile uses.
"""

from __future__ import annotations

import argparse
import random
import re
import time
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from multiprocessing import Pool
from pathlib import Path
from statistics import fmean

import numpy as np
from nltk.translate.bleu_score import SmoothingFunction, sentence_bleu
from planned import local_recipe

from benchmarks import public_corpora as public
from models import registry
from models.contracts import EntityType, Mention
from models.findings.chest_recogniser import ChestRecogniser
from models.findings.extra_findings import SIGNS
from models.findings.mention_text import core
from models.findings.tokens import key
from models.phantom.report import write_report
from storage.records import ReportRow
from tasks.audit.duplicates import near_duplicates
from tasks.corpora.reports import Report
from tasks.generate.decide import open_gates
from tasks.generate.images import read_mentions
from tasks.generate.reports import ReportBatch, ReportOptions, write_reports
from tasks.plan.plan import make_plan
from tasks.plan.seeds import seed_for
from tasks.recipe.schema import Recipe

MARK = "text quality"
SHOWN, NEAR, BIGRAMS = 10, 0.7, 10_000
PAGE = Path(__file__).parents[1] / "docs" / "reports.md"
BY_EYE = "\n## Read by eye\n"
_RECOGNISER = ChestRecogniser(anatomy=False)
_WORD = re.compile(r"[a-z0-9-]+|[.,]")
Text = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Corpus:
    """Reports as (FINDINGS, IMPRESSION), and what they came from."""

    name: str
    texts: list[Text]

    def whole(self) -> list[str]:
        """FINDINGS and IMPRESSION as one text each."""
        return [f"{findings} {impression}" for findings, impression in self.texts]


def main() -> None:
    """Write, measure, print and keep the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--reports", type=int, default=512)
    parser.add_argument("--decoding", default=None, help="another decoding than the profile's")
    args = parser.parse_args()
    recipe = local_recipe()
    recipe = recipe.model_copy(update={"pairs": max(args.reports, recipe.pairs)})
    started = time.perf_counter()
    batches = write(recipe, args.reports, args.decoding)
    rows = [row for batch in batches for row in batch.rows]
    print(f"{len(rows)} of {args.reports} accepted, {time.perf_counter() - started:.0f} s", flush=True)
    page = "\n".join(
        [
            "# Reports of the local profile\n",
            f"Made by `python benchmarks/text_quality.py`: {args.reports} reports, {yields(batches, args.reports)}\n",
            *diversity([Corpus("ours", [(r.findings, r.impression) for r in rows]), *others(rows)]),
            f"\n## The first {SHOWN}\n\nAs they came, in the order of the plan.\n",
            *(shown(row) for row in rows[:SHOWN]),
        ]
    )
    keep(page)
    print(page)
    for row in rows[SHOWN : SHOWN + 20]:
        print(shown(row))


def keep(page: str) -> None:
    """Write the page; what a reader noted at its end stays."""
    before = PAGE.read_text(encoding="utf-8") if PAGE.exists() else ""
    _, mark, noted = before.partition(BY_EYE)
    PAGE.write_text(f"{page.rstrip()}\n{mark}{noted}", encoding="utf-8")


def write(recipe: Recipe, count: int, decoding: str | None) -> list[ReportBatch]:
    """Shard by shard, as a run does it."""
    spec, plan = recipe.reports.generator, make_plan(recipe, MARK)
    generator = registry.build(
        registry.REPORT_GENERATORS, spec.kind, spec.options | ({"decoding": decoding} if decoding else {})
    )
    drawer = recipe.images.generator
    image_generator = registry.build(registry.IMAGE_GENERATORS, drawer.kind, drawer.options)
    gates = open_gates(recipe.report_gates)
    return [
        write_reports(
            plan.samples(start, min(start + recipe.shard_size, count)),
            generator,
            gates,
            ReportOptions(
                attempts=recipe.reports.attempts,
                seed_of=lambda sample, attempt: seed_for(MARK, sample, "reports", attempt),
                count_tokens=image_generator.count_tokens,
                token_limit=image_generator.token_limit,
            ),
        )
        for start in range(0, count, recipe.shard_size)
    ]


def yields(batches: Sequence[ReportBatch], asked: int) -> str:
    """Acceptance, tokens and inventions as a sentence each."""
    rows = [row for batch in batches for row in batch.rows]
    rejects = [row for batch in batches for row in batch.rejects]
    first = sum(row.attempts == 1 for row in rows) / asked
    invented = [words for row in rows if (words := inventions(row))]
    tokens = sum(batch.stats["tokens"] for batch in batches) / max(1, len(rows))
    gates = sorted({row.gate for row in rejects})
    return (
        f"{len(rows) / asked:.1%} accepted within three attempts (bar 95 %), {first:.1%} at the first; "
        f"{tokens:.0f} tokens per accepted report, rejected attempts included"
        + (f"; rejected by {', '.join(gates)}" if gates else "")
        + f".\n\nReports that state a finding nobody asked for, by a recogniser that no gate used: "
        f"{len(invented) / max(1, len(rows)):.1%} (bar 5 %)"
        + (f", such as {'; '.join(sorted({w for words in invented for w in words})[:8])}" if invented else "")
        + "."
    )


def inventions(row: ReportRow) -> list[str]:
    """Words of the findings that a report states and that were neither asked for nor a sign of what was."""
    asked = read_mentions(row)
    labels = {mention.label for mention in asked if mention.present}
    wanted = [set(key(core(mention))) for mention in asked]
    return [
        span.text
        for span in _RECOGNISER.spans([f"FINDINGS: {row.findings}\n\nIMPRESSION: {row.impression}"])[0]
        if span.status != "absent"
        and span.type in (EntityType.ABNORMALITY, EntityType.DISEASE)
        and span.concept not in labels
        and not SIGNS.get(span.concept, frozenset()) & labels
        and not any(set(key(span.text)) <= words for words in wanted)
    ]


def others(rows: Sequence[ReportRow]) -> list[Corpus]:
    """What ours stand beside, as many reports each."""
    found = [Corpus("phantom, the same entities", [_phantom(read_mentions(row), row.index) for row in rows])]
    try:
        real = public.openi()
    except public.CorpusNotFound as error:
        print(f"without OpenI: {error}")
        return found
    parts = [text.text.removeprefix("FINDINGS: ").split("\n\nIMPRESSION: ") for text in real]
    whole = [(one, two) for one, two in (p for p in parts if len(p) == 2) if one.strip() and two.strip()]
    return [*found, Corpus("OpenI, drawn at random", random.Random(0).sample(whole, len(rows)))]


def _phantom(mentions: Sequence[Mention], index: int) -> Text:
    return write_report(mentions, np.random.default_rng(index))


def diversity(corpora: Sequence[Corpus]) -> list[str]:
    """One row per corpus."""
    lines = [
        f"| reports | distinct-2, first {BIGRAMS:,} | self-BLEU-4 | exact duplicates | near-duplicates "
        f"(MinHash ≥ {NEAR}) | unique IMPRESSIONs | words, median |",
        "|---|--:|--:|--:|--:|--:|--:|",
    ]
    for corpus in corpora:
        texts, count = corpus.whole(), len(corpus.texts)
        _, near = near_duplicates((Report(str(n), t) for n, t in enumerate(texts)), NEAR)
        exact = count - len({text.casefold() for text in texts})
        lengths = sorted(len(text.split()) for text in texts)
        unique = len({impression.casefold() for _, impression in corpus.texts})
        lines.append(
            f"| {corpus.name} ({count}) | {distinct_2(texts):.3f} | {self_bleu(texts):.3f} | {exact / count:.1%} | "
            f"{len(near) / count:.1%} | {unique / count:.1%} | {lengths[count // 2]} |"
        )
    return lines


def distinct_2(texts: Sequence[str]) -> float:
    """Share of different bigrams among the first `BIGRAMS` (Li et al., 2016); a longer corpus would repeat more."""
    pairs = [pair for text in texts for pair in pairwise(_WORD.findall(text.lower()))]
    return len(set(pairs[:BIGRAMS])) / max(1, len(pairs[:BIGRAMS]))


_TOKENS: list[list[str]] = []


def self_bleu(texts: Sequence[str], sample: int = 200) -> float:
    """Mean BLEU-4 of the first `sample` texts against all other ones of them (Zhu et al., 2018); lower is richer."""
    _TOKENS[:] = [_WORD.findall(text.lower()) for text in texts[:sample]]
    with Pool(2) as pool:
        return fmean(pool.map(_bleu, range(len(_TOKENS)), chunksize=16))


def _bleu(number: int) -> float:
    rest = _TOKENS[:number] + _TOKENS[number + 1 :]
    # One set of weights gives one number; the stub allows for several.
    return float(str(sentence_bleu(rest, _TOKENS[number], smoothing_function=SmoothingFunction().method1)))


def shown(row: ReportRow) -> str:
    """One report with what it was asked to state."""
    asked = ", ".join(core(m) if m.present else f"no {core(m)}" for m in read_mentions(row))
    return f"**Asked:** {asked}\n\n> FINDINGS: {row.findings}\n>\n> IMPRESSION: {row.impression}\n"


if __name__ == "__main__":
    main()
