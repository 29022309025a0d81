"""A small good store, and commands that read it."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import yaml

from storage.layout import DatasetRef, prediction_key, run_key
from storage.ledger import ShardContents, commit_shard, committed_shards, publish_reports
from storage.local import LocalStore
from storage.png import encode_png
from storage.records import GateRow, PairRow, RejectRow, ReportRow
from storage.shards import Sample, sample_of
from storage.tags import set_tag
from storage.versions import VersionPlace
from tasks.curate.keep import write_selection
from tasks.curate.select import Choice, Selection
from tasks.pretrain.arms import Arm, Draw, Trial
from tasks.pretrain.checkpoint import write_checkpoint
from tasks.pretrain.runs import keep_trials
from tasks.pretrain.train import TrainedTrial
from tasks.publish.dataset import ManifestFacts, open_version, publish_manifest
from tasks.recipe.base import KindSpec
from tasks.recipe.curation import Rules
from tasks.recipe.fingerprint import fingerprint
from tasks.recipe.profile import dump_recipe, parse_recipe
from tasks.recipe.training import TrainSection

PROFILE = """\
dataset: films
version: v-1
pairs: 10
shard_size: 5
storage: {root: managed}
reports:
  generator: {kind: template}
  attempts: 2
images:
  generator: {kind: renderer}
  batch: 4
report_gates:
  - {kind: completeness, threshold: 1.0}
  - {kind: length, threshold: 1.0, options: {findings: [3, 200]}}
image_gates:
  - {kind: contrast, threshold: 0.06}
sources:
  real: {source: "phantom:a", films: 24}
  test: {source: "phantom:b", films: 60, seed: 11}
pretrain:
  only: [synthetic, random]
  samples_seen: 64
  batch: 8
evaluate: {bootstrap: 50}
"""
REF, LATER, BEGUN = DatasetRef("films", "v-1"), DatasetRef("films", "v-2"), DatasetRef("films", "v-3")
RUN = "films-v-1-run"
RECIPE_FINGERPRINT = fingerprint(
    parse_recipe(yaml.safe_load(PROFILE) | {"version": REF.version, "seed": 0, "profile": "p"})
)
FINDINGS = ("pleural effusion", "pneumothorax")


@dataclass(frozen=True)
class Command:
    """A command line; `writes` where it may change the store when it ends well."""

    words: tuple[str, ...]
    writes: bool = False

    @property
    def name(self) -> str:
        """For the report."""
        return " ".join(self.words)


def build_store(folder: Path) -> LocalStore:
    """Two published versions and one that was begun, tagged, curated, trained on and scored."""
    store = LocalStore(folder)
    recipe = yaml.safe_load(PROFILE)
    for ref, seed in ((REF, 0), (LATER, 1), (BEGUN, 2)):
        made = parse_recipe(recipe | {"version": ref.version, "seed": seed, "profile": "p"})
        open_version(VersionPlace(store, ref), dump_recipe(made), fingerprint(made))
        for shard in range(2 if ref is not BEGUN else 1):
            pairs = [pair(seed * 100 + shard * 5 + number) for number in range(5)]
            publish_reports(store, ref, shard, [report(sample) for sample in pairs])
            commit_shard(
                store,
                ref,
                shard,
                ShardContents(pairs[:4], rejects=[reject(pairs[4])], seconds={"reports": 1.0}, counts={"planned": 5}),
            )
        if ref is not BEGUN:
            entries = list(committed_shards(store, ref).values())
            models = {"reports": {"name": "writer", "revision": "r1", "sha256": "a" * 64}}
            lineage = {"parent": str(REF)} if ref is LATER else {}
            publish_manifest(
                VersionPlace(store, ref),
                entries,
                ManifestFacts(fingerprint=fingerprint(made), asked=10, models=models, lineage=lineage),
            )
            store.put(ref.card("README.md"), b"# films\n")
    set_tag(store, REF, "champion")
    set_tag(store, REF, "latest")
    set_tag(store, LATER, "latest")
    _use(store)
    return store


def commands() -> list[Command]:
    """Commands that read a store; ``{root}`` and ``{profile}`` stand for places."""
    at = ("--root", "{root}")
    of = ("-p", "{profile}", "-s", "storage.root={root}")
    lines: Sequence[tuple[tuple[str, ...], bool]] = (
        (("status", "films@v-1", "--shards", *at), False),
        (("status", "films", *at), False),
        (("versions", *at), False),
        (("versions", "films", "--json", *at), False),
        (("diff", "films@v-1", "v-2", *at), False),
        (("tag", "films@v-1", "best", *at), True),
        (("explain", "s-00001", *at), False),
        (("explain", "s-00004", "--in", "films@v-1", *at), False),
        (("verify", "films@v-1", *at), False),
        (("verify", "films@champion", "--json", *at), False),
        (("gc", *at), False),
        (("gc", "--apply", *at), False),
        (("gc", "--abandon", "films@v-3", *at), False),
        (("check", *of), False),
        (("curate", "--dry-run", *of), False),
        (("generate", *of), False),
        (("pretrain", *of), False),
        (("evaluate", *of), False),
        (("privacy", "audit", *of), True),
        (("audit", "fidelity", "films@v-1", "--films", "7", "--seeds", "0", *at), False),
    )
    return [Command(*line) for line in lines]


def pair(number: int) -> Sample:
    """A sample with a film of its own."""
    png = encode_png(np.random.default_rng(number).integers(0, 255, (64, 64), np.uint8))
    row = PairRow(
        sample_id=f"s-{number:05d}", index=number, findings=f"There is a small left pleural effusion. Case {number}.",
        impression="Small left pleural effusion.", entities=["abnormality/pleural effusion"], mentions=[],
        labels=dict.fromkeys(_all_findings(), number % 2), report_seed=number, report_attempts=1, report_tokens=40,
        image_seed=number, image_attempts=1, png_sha256=hashlib.sha256(png).hexdigest(),
        gates=[GateRow(gate="contrast", score=0.25, threshold=0.06, passed=True, model="classical")],
        report_model="writer@r1", image_model="painter@r1", provenance={"fingerprint": "f" * 64},
    )  # fmt: skip
    return sample_of(row, png)


def report(sample: Sample) -> ReportRow:
    """The report of a sample."""
    row = PairRow.model_validate(sample.json)
    return ReportRow(
        sample_id=row.sample_id, index=row.index, findings=row.findings, impression=row.impression,
        entities=row.entities, mentions=row.mentions, seed=row.report_seed, attempts=1, tokens=40,
        tokens_all_attempts=40, gates=[],
    )  # fmt: skip


def reject(sample: Sample) -> RejectRow:
    """The same sample, given up."""
    return RejectRow(
        sample_id=sample.key, index=sample.json["index"], stage="images", gate="contrast", score=0.1, threshold=0.5,
        reason="too flat", attempts=2, entities=[], gates=[],
    )  # fmt: skip


def _all_findings() -> list[str]:
    from tasks.evaluate.prompts import all_prompts

    return [prompt.label for prompt in all_prompts()]


def trial() -> Trial:
    """The trial of which the store holds a checkpoint."""
    draw = Draw(dataset=REF.name, version=REF.version, fingerprint=RECIPE_FINGERPRINT, pairs=3, selection="default")
    arm = Arm(name="synthetic", mix=(draw,), samples_seen=64)
    return Trial(arm=arm, objective=KindSpec(kind="clip"), seed=0)


def _use(store: LocalStore) -> None:
    """A selection, a checkpoint, predictions and scores of the first version."""
    from safetensors.numpy import save

    from tasks.evaluate.predictions import Predictions, to_table
    from tasks.evaluate.scores import RunScores, Scores, ScoreTable

    ids = [f"s-{number:05d}" for number in (0, 1, 2, 3, 5, 6, 7, 8)]
    choices = [Choice(sample_id=sample, kept=sample != ids[0], reason="") for sample in ids]
    write_selection(VersionPlace(store, REF), "default", Selection(rules=Rules(), choices=choices))
    trained = TrainedTrial(1, 64, (1.0,), 1.0, save({"w": np.zeros(3, np.float32)}))
    held = write_checkpoint(store, trained, trial(), TrainSection(batch=64))
    keep_trials(store, RUN, [(trial(), held)])
    key = prediction_key(held.fingerprint, held.step, REF, "0" * 16)
    names = tuple(_all_findings())
    numbers = np.arange(8 * len(names), dtype=np.float64).reshape(8, -1)
    store.put(key, to_table(Predictions(tuple(ids), names, numbers.astype(np.float32), numbers % 2), {}))
    scores = Scores(arm="synthetic", seeds=(0,), films=8, macro=0.5, low=0.4, high=0.6, per_label={})
    table = ScoreTable(bootstrap=50, confidence=0.95, seed=0, scores=[scores], differences=[], protocol="1")
    whole = RunScores(run=RUN, dataset=str(REF), question="q", predictions={"zero_shot": [key]}, tables=[table])
    store.put(run_key(RUN, "scores.json"), whole.model_dump_json().encode())
