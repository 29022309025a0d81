"""What the adapter is taught is what the engine will be asked."""

from __future__ import annotations

from itertools import islice

import numpy as np
import pytest

from models.build.report_adapter import IGNORED, by_position, conversations, draw_mentions, encode
from models.findings.mention_text import NOTHING_FOUND, core
from models.language.grammar import findings_pattern, impression_pattern
from models.phantom.bank import entity_bank
from models.phantom.report import write_report


def test_every_answer_taught_is_one_that_the_grammar_allows() -> None:
    rng = np.random.default_rng(4)
    for _ in range(300):
        mentions = draw_mentions(entity_bank(), rng)
        findings, impression = write_report(mentions, rng)
        named = [m for m in mentions if m.present and core(m).lower() in impression.lower()]
        assert findings_pattern(by_position(mentions, findings)).fullmatch(findings), findings
        assert impression_pattern(by_position(named, impression)).fullmatch(impression), impression
        assert impression != NOTHING_FOUND


def test_a_conversation_has_both_sections_as_the_assistants_turns() -> None:
    messages = next(conversations(np.random.default_rng(0)))
    assert [message["role"] for message in messages] == ["system", "user", "assistant", "user", "assistant"]
    (again,) = islice(conversations(np.random.default_rng(0)), 1)
    assert again == messages


class Tokenizer:
    """Characters as tokens, with the chat marks of SmolLM2."""

    def apply_chat_template(self, messages, tokenize: bool, add_generation_prompt: bool = False) -> str:
        assert tokenize is False
        turns = "".join(f"<|im_start|>{m['role']}\n{m['content']}<|im_end|>\n" for m in messages)
        return turns + ("<|im_start|>assistant\n" if add_generation_prompt else "")

    def __call__(self, text: str, add_special_tokens: bool) -> dict[str, list[int]]:
        assert add_special_tokens is False
        return {"input_ids": [ord(character) for character in text]}


@pytest.mark.parametrize("seed", range(5))
def test_only_the_answers_and_their_end_marks_are_learnt(seed: int) -> None:
    messages = next(conversations(np.random.default_rng(seed)))
    tokens, labels = encode(Tokenizer(), messages)
    assert len(tokens) == len(labels)
    learnt = "".join(chr(token) for token in labels if token != IGNORED)
    assert learnt == "".join(f"{m['content']}<|im_end|>" for m in messages if m["role"] == "assistant")
