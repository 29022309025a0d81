"""Zero-shot scores by every rule, from a model whose embeddings are given."""

from __future__ import annotations

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from models.findings.label_sets import load
from tasks.evaluate.labelled_set import EvaluationData
from tasks.evaluate.labels import CannotScore
from tasks.evaluate.predictions import Predictions
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
    assert spreads_of([tables[0], table({"real": 0.9, "mixed": 0.9}, group="rare")]) == [], "of other findings"


def listed(*films: dict[str, int], label_set: str = "padchest") -> Any:
    """A test set of films with these labels."""
    stated = tuple(name for name in load(label_set).names if any(name in film for film in films))
    return SimpleNamespace(
        version=SimpleNamespace(manifest=SimpleNamespace(label_set=label_set)),
        findings=lambda: stated,
        rows=lambda: tuple(SimpleNamespace(labels=film) for film in films),
        truth=lambda names: np.array([[film.get(name, np.nan) for name in names] for film in films]),
        ids=lambda: tuple(map(str, range(len(films)))),
        patients=lambda: None,
        embeddings=lambda _: np.ones((len(films), 2)) / 2**0.5,
    )


class AnyText:
    def embed_texts(self, texts: Sequence[str]) -> np.ndarray:
        return np.tile([1.0, 0.0], (len(texts), 1))


def asked(test: Any, **options: Any) -> Predictions:
    model: Any = AnyText()
    return ZeroShot(**options).predict(model, EvaluationData(test))


def test_a_group_of_the_label_set_is_asked_for_alone() -> None:
    test = listed({"pleural effusion": 1, "cyst": 1}, {"cyst": 1})
    assert asked(test).labels == ("pleural effusion", "cyst")
    assert asked(test, group="seen").labels == ("pleural effusion",)
    assert asked(test, group="rare").labels == ("cyst",)


def test_what_a_labelled_film_does_not_list_may_be_taken_as_absent() -> None:
    test = listed({"pleural effusion": 1}, {"normal": 1}, {}, {"pleural effusion": -1})
    unknown, absent = asked(test).truth[:, 0], asked(test, unlisted="absent").truth[:, 0]
    assert np.isnan(unknown).tolist() == [False, True, True, False]
    assert absent.tolist()[:2] == [1, 0]
    assert np.isnan(absent[2]), "nothing is said of a film without a label"
    assert absent[3] == -1, "uncertain stays uncertain"


def test_a_finding_of_a_group_that_no_film_shows_is_asked_for_where_it_is_absent() -> None:
    test = listed({"cyst": 1}, {"normal": 1})
    found = asked(test, group="rare", unlisted="absent")
    assert len(found.labels) == 39
    assert found.truth[:, found.labels.index("empyema")].tolist() == [0, 0]


@pytest.mark.parametrize(("group", "told"), [
    ("seen", "labels no finding of the group seen"), ("sen", "has no group 'sen'; its groups: seen, unseen, rare"),
])  # fmt: skip
def test_a_group_that_the_test_set_lacks_is_told(group: str, told: str) -> None:
    with pytest.raises(CannotScore, match=told):
        asked(listed({"cyst": 1}), group=group)
