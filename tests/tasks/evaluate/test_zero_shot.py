"""Zero-shot scores by every rule, from a model whose embeddings are given."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from tasks.evaluate.prompts import FindingPrompts
from tasks.evaluate.protocol import build_task, task_problems
from tasks.evaluate.scores import Scores, ScoreTable, spreads_of
from tasks.evaluate.zero_shot import ZeroShot, zero_shot
from tasks.recipe.base import KindSpec

TEXTS = {"a": (1.0, 0.0), "b": (0.0, 1.0), "c": (-1.0, 0.0)}


class GivenModel:
    """Embeds a film of value v as the direction at v degrees, and a text as `TEXTS` says."""

    def embed_images(self, films: np.ndarray) -> np.ndarray:
        angle = np.deg2rad(films.reshape(len(films), -1)[:, 0].astype(float))
        return np.stack([np.cos(angle), np.sin(angle)], axis=1)

    def embed_texts(self, texts: Sequence[str]) -> np.ndarray:
        return np.array([TEXTS[text] for text in texts])


FILMS = np.array([0, 30, 60, 90, 120, 180], np.uint8)[:, None, None]
ANGLES = np.deg2rad(FILMS[:, 0, 0].astype(float))
COS, SIN = np.cos(ANGLES), np.sin(ANGLES)


def scores(positive: tuple[str, ...], negative: tuple[str, ...]) -> np.ndarray:
    model: Any = GivenModel()
    return zero_shot(model, model.embed_images(FILMS), [FindingPrompts("x", positive, negative)])[:, 0]


def test_a_contrast_is_the_difference_of_two_cosines() -> None:
    assert scores(("a",), ("b",)) == pytest.approx(COS - SIN, abs=1e-6)


def test_several_prompts_are_one_direction() -> None:
    assert scores(("a", "b"), ("c",)) == pytest.approx((COS + SIN) / 2**0.5 + COS, abs=1e-6)


def test_without_a_contrast_the_best_prompt_counts() -> None:
    assert scores(("a", "b"), ()) == pytest.approx(np.maximum(COS, SIN), abs=1e-6)


def test_a_film_has_the_same_score_whatever_the_other_films_are() -> None:
    model: Any = GivenModel()
    for negative in (("b",), ()):
        prompts = [FindingPrompts("x", ("a",), negative)]
        alone = np.concatenate(
            [zero_shot(model, model.embed_images(FILMS[[at]]), prompts) for at in range(len(FILMS))]
        )
        assert alone == pytest.approx(zero_shot(model, model.embed_images(FILMS), prompts))


def test_prompts_and_rule_are_options_and_others_are_refused() -> None:
    task = build_task(KindSpec(kind="zero_shot", options={"prompts": "caption", "rule": "pair"}))
    assert isinstance(task, ZeroShot)
    assert (task.prompts, task.rule) == ("caption", "pair")
    assert list(task_problems(KindSpec(kind="zero_shot", options={"rule": "both"}))) == ["options.rule"]
    assert list(task_problems(KindSpec(kind="zero_shot", options={"prompts": "mine"}))) == ["options.prompts"]


def table(macros: dict[str, float], **options: str) -> ScoreTable:
    arms = [
        Scores(arm=arm, seeds=(0,), films=9, macro=macro, low=0, high=1, per_label={}) for arm, macro in macros.items()
    ]
    return ScoreTable(
        task="zero_shot",
        options=options,
        bootstrap=10,
        confidence=0.9,
        seed=0,
        scores=arms,
        differences=[],
        protocol="",
    )


def test_the_spread_between_prompt_sets_is_told_for_each_arm() -> None:
    tables = [
        table({"real": 0.6, "mixed": 0.7}),
        table({"real": 0.5, "mixed": 0.7}, prompts="label", rule="pair"),
        table({"real": 0.7, "mixed": 0.7}, prompts="caption"),
    ]
    real, mixed = spreads_of(tables)
    assert real.macros == {"zero_shot": 0.6, "zero_shot-label-pair": 0.5, "zero_shot-caption": 0.7}
    assert (real.lowest, real.highest, real.sd) == (0.5, 0.7, pytest.approx(0.1))
    assert mixed.sd == pytest.approx(0)
    assert spreads_of(tables[:1]) == []
