"""A recipe makes the samples that it made before the code was changed: their hashes are written down here."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from storage.layout import DatasetRef
from storage.records import PairRow
from storage.shards import read_samples
from tasks.recipe.fingerprint import fingerprint
from tests.making import Making, fast_recipe

FINGERPRINT = "9275c8162d58181ccbaf33a28cddff72dc2557cd2c00ebb2360d3ea2d26fc1ce"
SAMPLES = "d58204a87978a797f5f7a349e393aa628de85406fd6a4b4fcbe435c6eb5b6350"
"""Recorded with the code of 14c8089, before reports and images became two stages."""


def test_a_small_recipe_makes_the_samples_that_it_always_made(tmp_path: Path) -> None:
    recipe = fast_recipe("pairs=12", "shard_size=4", "image_gates=[{kind: contrast, threshold: 0.4}]")
    assert fingerprint(recipe) == FINGERPRINT
    ref = DatasetRef("golden", "v1")
    making = Making(recipe, tmp_path, ref)
    entries = making.run_all()
    digest = hashlib.sha256()
    for sample in read_samples(making.store, [ref.pairs(entry.shard) for entry in entries]):
        row = PairRow.model_validate(sample.json)
        assert hashlib.sha256(sample.png).hexdigest() == row.png_sha256
        seen = [row.sample_id, row.findings, row.impression, row.report_seed, row.image_seed, row.image_attempts]
        digest.update(json.dumps([*seen, row.png_sha256]).encode())
    assert digest.hexdigest() == SAMPLES
