"""`synth audit fidelity` through the command line, on a small version that the phantom's renderer drew."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import yaml
from typer.testing import CliRunner

from flows.cli.app import app
from models.contracts import ImageRequest
from models.phantom.renderer import RendererImageGenerator
from storage.layout import DatasetRef
from storage.ledger import ShardContents, commit_shard
from storage.local import LocalStore
from storage.objects import ObjectStore
from storage.png import encode_png
from storage.records import PairRow
from storage.shards import read_tar, sample_of
from storage.versions import Version, VersionPlace
from tasks.errors import AuditError
from tasks.fidelity import report as fidelity_report
from tasks.fidelity.version import read_version
from tasks.publish.dataset import ManifestFacts, open_version, publish_manifest
from tasks.recipe.schema import Recipe

MARK = "f" * 64
IMPRESSION = "Large left pleural effusion."
Said = Callable[..., str]


def begin(store: ObjectStore, name: str, films: int) -> DatasetRef:
    """A version of which there is only its recipe."""
    recipe = Recipe.model_validate(
        {
            "dataset": name,
            "pairs": films,
            "images": {"generator": {"kind": "renderer"}},
            "report_gates": (),
            "image_gates": (),
        }
    )
    ref = DatasetRef(name, "v1")
    open_version(VersionPlace(store, ref), yaml.safe_dump(recipe.model_dump(mode="json")), MARK)
    return ref


def version(store: ObjectStore, name: str, films: int, model: str = "phantom-a@code", prompt: str = "") -> DatasetRef:
    """A published version of films that show an effusion each."""
    ref = begin(store, name, films)
    requests = [ImageRequest(f"s{at}", IMPRESSION, at) for at in range(films)]
    samples = []
    for at, film in enumerate(RendererImageGenerator().generate(requests)):
        png = encode_png(film)
        row = PairRow(
            sample_id=f"s{at}", index=at, findings="f", impression=IMPRESSION, entities=[], mentions=[],
            labels={"pleural effusion": 1, "pneumothorax": 0}, report_seed=0, report_attempts=1, report_tokens=1,
            image_seed=at, image_attempts=1, png_sha256=hashlib.sha256(png).hexdigest(), gates=[], image_model=model,
            provenance={"prompt": prompt} if prompt else {},
        )  # fmt: skip
        samples.append(sample_of(row, png))
    entry = commit_shard(store, ref, 0, ShardContents(samples))
    publish_manifest(VersionPlace(store, ref), [entry], ManifestFacts(fingerprint=MARK, asked=films, models={}))
    return ref


@pytest.fixture
def store(tmp_path: Path) -> LocalStore:
    return LocalStore(tmp_path / "store")


@pytest.fixture
def said(store: LocalStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Said:
    """Run the command; returns what it printed."""
    monkeypatch.setenv("SYNTHCXR_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setattr(fidelity_report, "REFERENCE", 24)

    def run(*words: str, code: int = 0) -> str:
        fixed = ["--root", str(store.root), "--out", str(tmp_path / "out")]
        result = CliRunner().invoke(app, ["audit", "fidelity", *words, *fixed])
        assert result.exit_code == code, result.output
        assert "Traceback" not in result.output
        return result.stdout if code == 0 else " ".join(result.output.split())

    return run


def test_a_version_is_measured_shown_and_written(said: Said, store: LocalStore, tmp_path: Path) -> None:
    version(store, "try", 10)
    out = said("try@v1", "--seeds", "4")
    assert "try/v1 against hospital_a, encoder defects@" in out
    assert "pleural" in out
    assert "…" not in out  # every word of it fits 80 columns
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "fidelity.json",
        "fidelity.md",
        "fidelity.png",
    ]
    (against,) = json.loads((tmp_path / "out" / "fidelity.json").read_text())["comparisons"]
    assert [row["finding"] for row in against["rows"]] == ["overall", "pleural effusion"]
    assert against["rows"][0]["figures"]["made"] == against["rows"][0]["floor"]["made"] == 10
    assert against["rows"][0]["seeds"]["pairs"] == 4


def test_json_is_all_that_is_printed_and_an_archive_may_be_the_second_reference(
    said: Said, store: LocalStore, tmp_path: Path
) -> None:
    version(store, "try", 9)
    for at in range(40):
        path = tmp_path / "real" / f"{at}.png"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(encode_png(np.random.default_rng(at).integers(0, 255, (150, 100), np.uint8)))
    words = ["--real", "hospital_a", "--real", f"{tmp_path}/real/folder", "--films", "8", "--seeds", "0", "--json"]
    found = json.loads(said("try", *words))
    assert [each["reference"] for each in found["comparisons"]] == ["hospital_a", "real (folder)"]
    assert (found["films"], found["side"]) == (8, 128)
    phantom, noise = (each["rows"][0] for each in found["comparisons"])
    assert noise["figures"]["kid"] > 3 * phantom["figures"]["kid"]
    assert phantom["seeds"] is None
    assert found["comparisons"][1]["rows"][1]["figures"] is None  # a plain folder has no labels


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["gone"], "no version is meant by 'gone'"),
        (["try@v9"], "there are: few@v1, other@v1, try@v1"),
        (["few", "--seeds", "0"], "few/v1 has 6 films to compare; figures take 7 or more"),
        (["try", "--films", "3"], "--films': Input should be greater than or equal to 7"),
        (["try", "--real", "hospital_q"], "neither a phantom hospital (hospital_a, hospital_b) nor a folder"),
        (["try", "--encoder", "resnet"], "no model folder at 'resnet'"),
        (["try", "--encoder", "no/such-model"], "is not in the local hub cache"),
        (["other"], "painter@9 drew the films of other/v1, and phantom-a@code is here"),
    ],
)
def test_what_can_be_mended_is_one_message(said: Said, store: LocalStore, words: list[str], told: str) -> None:
    version(store, "try", 8)
    version(store, "few", 6)
    version(store, "other", 7, model="painter@9")
    assert told in said(*words, code=2)


def test_a_folder_that_holds_another_kind_of_model_is_no_encoder(
    said: Said, store: LocalStore, tmp_path: Path
) -> None:
    version(store, "try", 8)
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "config.json").write_text('{"model_type": "no such thing"}')
    (tmp_path / "model" / "model.safetensors").write_bytes(b"")
    assert "is no vision model that can be read" in said("try", "--encoder", str(tmp_path / "model"), code=2)


def test_a_version_that_is_only_begun_says_how_to_finish_it(said: Said, store: LocalStore) -> None:
    begin(store, "begun", 6)
    assert "has no manifest yet: run `synth run` again" in said("begun", code=2)


def test_prompts_are_drawn_again_with_seeds_that_are_not_the_samples_own(store: LocalStore) -> None:
    made = read_version(Version.open(store, version(store, "try", 5)), films=4, seeds=3)
    assert (len(made.films), len(made.again)) == (4, 3)
    for film, again in zip(made.films, made.again, strict=False):
        assert film.pixels.shape == again.shape
        assert not np.array_equal(film.pixels, again)
    repeated = read_version(Version.open(store, DatasetRef("try", "v1")), films=4, seeds=9).again
    assert len(repeated) == 4
    assert all(np.array_equal(one, other) for one, other in zip(made.again, repeated, strict=False))


def test_the_prompt_is_the_one_that_was_drawn_where_it_is_not_the_impression(store: LocalStore) -> None:
    plain = read_version(Version.open(store, version(store, "plain", 1)), films=1, seeds=1)
    version(store, "normal", 1, prompt="No acute finding.")
    normal = read_version(Version.open(store, DatasetRef("normal", "v1")), films=1, seeds=1)
    assert not np.array_equal(plain.again[0], normal.again[0])


def test_the_films_of_an_archive_have_no_second_seed(store: LocalStore) -> None:
    ref = DatasetRef("hospital", "v1")
    version(store, "try", 1)
    open_version(VersionPlace(store, ref), yaml.safe_dump({"archive": "hospital", "films": 1}), MARK)
    tar = store.get(DatasetRef("try", "v1").pairs(0))
    entry = commit_shard(store, ref, 0, ShardContents(read_tar(tar)))
    publish_manifest(VersionPlace(store, ref), [entry], ManifestFacts(fingerprint=MARK, asked=1, models={}))
    hospital = Version.open(store, ref)
    assert len(read_version(hospital, films=1, seeds=0).films) == 1
    with pytest.raises(AuditError, match="no generator drew them: --seeds 0"):
        read_version(hospital, films=1, seeds=1)


def test_help_shows_commands_to_copy() -> None:
    out = CliRunner().invoke(app, ["audit", "fidelity", "--help"]).output
    assert "synth audit fidelity phantom-cxr" in out
