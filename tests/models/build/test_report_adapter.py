"""What the adapter is taught is what the engine will be asked."""

from __future__ import annotations

from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from models.build.adapter_files import report_lora, write_adapter
from models.build.report_adapter import IGNORED, Settings, by_position, conversations, draw_mentions, encode, fit
from models.compat import torchvision_ready
from models.findings.mention_text import NOTHING_FOUND, core
from models.language.adapter import find_adapter, merge
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

    pad_token_id = 0

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


def tiny_llama() -> Any:
    torchvision_ready()
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=256, hidden_size=32, intermediate_size=48, num_hidden_layers=2, num_attention_heads=2,
        num_key_value_heads=2, max_position_embeddings=4096,
    )  # fmt: skip
    return LlamaForCausalLM(config).bfloat16()


def test_an_adapter_learns_is_written_and_merged_answers_as_it_did(tmp_path: Path) -> None:
    settings = Settings(rank=4, alpha=8.0, first_layer=1, steps=12, batch=2, learning_rate=1e-2, warmup=1)
    base, frozen = tiny_llama(), tiny_llama().state_dict()
    config = report_lora(settings.rank, settings.alpha, range(1, 2), ("q_proj", "up_proj"), "m")
    losses, _, tensors = fit(base, config, Tokenizer(), settings, "cpu")
    assert len(losses) == 12
    assert np.mean(losses[-3:]) < np.mean(losses[:3])
    assert {name.split(".lora_")[0] for name in tensors} == {
        "base_model.model.model.layers.1.self_attn.q_proj", "base_model.model.model.layers.1.mlp.up_proj",
    }  # fmt: skip
    assert all(torch.equal(v, frozen[k.replace(".base_layer", "")]) for k, v in base.state_dict().items()
               if "lora_" not in k)  # fmt: skip
    write_adapter(tmp_path, config, tensors, {})
    ids = torch.arange(40)[None] % 256
    with torch.inference_mode():
        taught, merged, plain = (net(ids).logits.float() for net in (
            base, merge(tiny_llama(), find_adapter(str(tmp_path))), tiny_llama()))  # fmt: skip
    assert (merged - taught).abs().max() < 0.1 * (plain - taught).abs().max()
