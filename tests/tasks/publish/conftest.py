"""A version that the factory itself makes: template reports, rendered films, real gates, some rejects, one attack."""

from __future__ import annotations

from pathlib import Path

import pytest

from storage.layout import DatasetRef
from storage.ledger import ShardContents, commit_shard
from storage.local import LocalStore
from storage.records import PairRow
from storage.shards import read_samples, sample_of
from storage.versions import Version, VersionPlace
from tasks.plan.plan import make_plan
from tasks.publish.dataset import open_version
from tasks.recipe.fingerprint import fingerprint
from tasks.recipe.profile import dump_recipe, load_recipe
from tests.making import Making

PROFILE = Path(__file__).parents[2] / "profiles" / "fast.yaml"
EVIL = '<script>document.title = "owned"</script><img src=x onerror=alert(1)> "quoted" & done'


class Published(Version):
    """A published version in a local store."""

    @property
    def folder(self) -> Path:
        return Path(self.store.root) / self.ref.prefix


@pytest.fixture
def evil() -> str:
    """A report text that attacks the page."""
    return EVIL


@pytest.fixture(scope="session")
def factory_version(tmp_path_factory: pytest.TempPathFactory) -> Published:
    """Two shards of the fast profile with a contrast gate that refuses some, and a third shard that holds `EVIL`."""
    changes = ["pairs=24", "shard_size=12", "images.attempts=1", "image_gates.1.threshold=0.78"]
    recipe = load_recipe(str(PROFILE), changes, PROFILE.parent)
    mark = fingerprint(recipe)
    store, ref = LocalStore(tmp_path_factory.mktemp("publish") / "store"), DatasetRef("fast-cxr", f"v-{mark[:10]}")
    open_version(VersionPlace(store, ref), dump_recipe(recipe), mark)
    making = Making(recipe, store, ref)
    entries = [making.run(shard) for shard in range(2)]
    good = next(iter(read_samples(store, [ref.pairs(0)])))
    said = {"findings": EVIL, "impression": EVIL, "entities": [EVIL], "mentions": [], "sample_id": "attack"}
    evil = PairRow.model_validate(good.json).model_copy(update=said)
    entries.append(commit_shard(store, ref, 2, ShardContents([sample_of(evil, good.png)])))
    return Published(store, ref, making.finish(entries))


LATE_BANK = """type,term,label,sides,severities
abnormality,granuloma,,,
abnormality,air trapping,,,
abnormality,tenting,,,
abnormality,septal lines,,,
abnormality,calcification,,,
abnormality,osteopenia,,,
abnormality,bronchial cuffing,,,
abnormality,tracheal deviation,,,
disease,silicosis,,,
disease,asthma,,,
non_abnormality,no cavitation,,,
non_disease,no malignancy,,,
anatomy,right hilum,,,
anatomy,carina,,,
abnormality,pleural effusion,pleural effusion,left|right,small|large
"""


@pytest.fixture(scope="session")
def late_version(tmp_path_factory: pytest.TempPathFactory) -> Published:
    """A version of a foreign bank: its one label, side and severity come after the fifth sample."""
    folder = tmp_path_factory.mktemp("late")
    (folder / "bank.csv").write_text(LATE_BANK, encoding="utf-8")
    changes = [
        *("pairs=12", "shard_size=12", f"plan.bank={folder}/bank.csv", "report_gates=[]", "image_gates=[]"),
        "plan.per_report={disease: 1, abnormality: 1, non_abnormality: 1, non_disease: 1, anatomy: 1}",
    ]
    for seed in range(100):
        recipe = load_recipe(str(PROFILE), [*changes, f"seed={seed}"], PROFILE.parent)
        mark = fingerprint(recipe)
        late = [any(m.label for m in spec.mentions) for spec in make_plan(recipe, mark).samples(0, 12)]
        if True in late[6:] and True not in late[:6]:
            break
    else:
        raise AssertionError("no seed deals the label late")
    store, ref = LocalStore(folder / "store"), DatasetRef("late", f"v-{mark[:10]}")
    open_version(VersionPlace(store, ref), dump_recipe(recipe), mark)
    making = Making(recipe, store, ref)
    return Published(store, ref, making.finish([making.run(0)]))
