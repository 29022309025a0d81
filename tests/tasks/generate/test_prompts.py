"""What the tokenizer alone tells of a bank and of a plan's prompts, before any engine starts."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

import pytest

from models.contracts import Entity, EntityType
from models.language.tokenizer import load_tokenizer
from models.phantom.bank import entity_bank
from tasks.generate.prompts import context_problems, token_problems
from tasks.plan.plan import make_plan
from tasks.plan.spec import SampleSpec
from tasks.recipe.schema import Component, Recipe, ReportSection


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A model's folder with the files of its tokenizer that name added tokens."""
    added = [{"content": "<|im_end|>", "special": True}, {"content": "<think>", "special": False}]
    (tmp_path / "tokenizer.json").write_text(json.dumps({"added_tokens": [*added, {"content": "  "}]}))
    decoder = {"7": {"content": "<extra_id_7>", "special": True}, "8": {"content": "!", "special": True}}
    (tmp_path / "tokenizer_config.json").write_text(json.dumps({"added_tokens_decoder": decoder}))
    (tmp_path / "special_tokens_map.json").write_text(
        json.dumps({"eos_token": "</s>", "pad_token": {"content": "PAD"}, "additional_special_tokens": ["[SIDE]"]})
    )
    return tmp_path


def recipe(kind: str = "vllm", **options: object) -> Recipe:
    section = ReportSection(generator=Component(kind=kind, options=dict(options)))
    return Recipe(report_gates=(), image_gates=(), reports=section)


def entity(term: str) -> Entity:
    return Entity(f"disease/{term}", EntityType.DISEASE, term)


@pytest.mark.parametrize("token", ["<|im_end|>", "<THINK>", "<extra_id_7>", "</s>", "[side]"])
def test_a_term_with_a_control_token_of_the_model_is_refused_by_name(folder: Path, token: str) -> None:
    terms = [entity(f"nodule {token} here"), *map(entity, ["pad of fat", "no change!", "two  blanks", "ctr > 0.5"])]
    (line,) = token_problems(recipe(model=str(folder)), terms)
    assert f"'disease/nodule {token} here' holds '" in line
    assert f"control tokens of {folder}; take them out of the bank" in line


def test_many_are_counted(folder: Path) -> None:
    (line,) = token_problems(recipe(model=str(folder)), [entity(f"{n} </s>") for n in range(9)])
    assert "and 6 more: control tokens" in line


def test_an_ordinary_bank_reads_no_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("models.language.tokenizer.read_control_tokens", lambda _: pytest.fail("a file was read"))
    assert token_problems(recipe(), entity_bank()) == []


def test_prompts_with_room_to_spare_load_no_tokenizer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("models.language.context.load_tokenizer", lambda _: pytest.fail("a tokenizer was loaded"))
    specs = make_plan(recipe(), "e" * 64).samples(0, 8)
    for decoding in ("segments", "entity_grammar", "json", "free"):
        assert context_problems(recipe(decoding=decoding), specs) == []


def test_what_another_check_names_is_passed_over(tmp_path: Path) -> None:
    evil = [entity("x <|im_end|>")]
    assert token_problems(recipe(model=str(tmp_path / "none")), evil) == []
    assert token_problems(recipe(model="nobody/has-this-model"), evil) == []
    assert token_problems(recipe(model=str(tmp_path)), evil) == []
    assert token_problems(recipe("template"), evil) == []
    specs = make_plan(recipe(), "e" * 64).samples(0, 2)
    assert context_problems(recipe(model=str(tmp_path / "none")), specs) == []
    assert context_problems(recipe(temprature=2), specs) == []
    assert context_problems(recipe("openai", base_url="http://x/v1", model="m"), specs) == []


def test_a_file_that_is_cut_short_is_told_where_the_weights_are(folder: Path) -> None:
    (folder / "tokenizer.json").write_text('{"added_tokens": [')
    assert token_problems(recipe(model=str(folder)), [entity("x <|im_end|>")]) == []


@pytest.mark.engine
def test_the_packaged_models_tokens_come_from_its_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("SYNTHCXR_HOME", str(tmp_path))
    (line,) = token_problems(recipe(), [entity("x <|im_end|>"), entity("y <repo_name>"), entity("z < 5")])
    assert "'disease/x <|im_end|>' holds '<|im_end|>', 'disease/y <repo_name>' holds '<repo_name>': control" in line


@pytest.mark.engine
def test_prompts_that_cannot_fit_are_told_with_the_number_that_they_take(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("models.language.context.load_tokenizer", cache(load_tokenizer))
    specs = make_plan(recipe(), "e" * 64).samples(0, 8)
    for decoding in ("segments", "entity_grammar", "json", "free"):
        check_context(specs, decoding)


def check_context(specs: list[SampleSpec], decoding: str) -> None:
    assert context_problems(recipe(decoding=decoding), specs) == []
    (line,) = context_problems(recipe(decoding=decoding, max_model_len=64, max_tokens=32), specs)
    assert "max_model_len: 8 of the first 8 samples take more than 64 tokens" in line
    most = int(line.split("raise it to ")[1].split()[0])
    assert context_problems(recipe(decoding=decoding, max_model_len=most, max_tokens=32), specs) == []
