"""Side, zone and severity: from the bank, settled with the sample's place and with what a film can show."""

from __future__ import annotations

from collections.abc import Callable
from itertools import combinations

import numpy as np
import pytest

from models.contracts import Entity, EntityType, Mention
from models.phantom.bank import entity_bank
from models.phantom.vocabulary import BY_NAME, Finding, phrase
from tasks.plan.attributes import FOCAL, HIDDEN, HIDING, Attributes, phrase_of
from tasks.plan.plan import make_plan
from tasks.plan.spec import SampleSpec
from tasks.recipe.schema import Recipe

Make = Callable[..., Entity]
MANY = "plan.per_report={abnormality: 3, disease: 2, non_abnormality: 1, non_disease: 1, anatomy: 2}"


@pytest.fixture(params=["plan.max_use=", MANY], ids=["one of each", "many"])
def samples(request: pytest.FixtureRequest, recipe: Callable[..., Recipe]) -> list[SampleSpec]:
    return make_plan(recipe("pairs=4000", request.param), "f" * 64).samples(0, 4000)


def findings(sample: SampleSpec) -> list[Mention]:
    return [m for m in sample.mentions if m.present and m.label]


def place(mention: Mention) -> tuple[str | None, str | None]:
    return mention.side, mention.zone


def test_attributes_are_those_the_vocabulary_allows(samples: list[SampleSpec]) -> None:
    for mention in (m for sample in samples for m in sample.mentions):
        if mention.label is None:
            continue
        kind = BY_NAME[mention.label]
        for value, options in (
            (mention.side, kind.sides),
            (mention.zone, kind.zones),
            (mention.severity, kind.severities),
        ):
            assert value in options if mention.present and options else value is None


def test_phrases_are_the_vocabularys(samples: list[SampleSpec]) -> None:
    for mention in (m for sample in samples for m in sample.mentions):
        if mention.type is EntityType.ANATOMY:
            assert mention.phrase == f"{mention.side} {mention.zone or 'lung apex'}"
        elif mention.present:
            assert mention.label
            assert mention.phrase == phrase(Finding(mention.label, mention.side, mention.zone, mention.severity))
        else:
            assert mention.phrase == f"no {mention.label}"


def test_a_place_goes_to_a_finding_that_can_lie_there(samples: list[SampleSpec]) -> None:
    shared = 0
    for sample in samples:
        zoned = [m for m in findings(sample) if m.zone]
        places = [m for m in sample.mentions if m.type is EntityType.ANATOMY]
        could = any(
            m.side in BY_NAME[f.label or ""].sides and m.zone in BY_NAME[f.label or ""].zones
            for f in zoned
            for m in places
        )
        shares = bool({place(m) for m in places} & {place(f) for f in zoned})
        assert shares or not could
        shared += shares
    assert shared > len(samples) / 3


def test_atelectasis_is_never_put_into_an_upper_zone(samples: list[SampleSpec]) -> None:
    with_upper = [
        f
        for sample in samples
        if any(m.zone == "upper zone" for m in sample.mentions if m.type is EntityType.ANATOMY)
        for f in findings(sample)
        if f.label == "atelectasis"
    ]
    assert with_upper
    assert all(f.zone != "upper zone" for f in with_upper)


def test_no_two_focal_lesions_in_one_place(samples: list[SampleSpec]) -> None:
    for sample in samples:
        for a, b in combinations([m for m in findings(sample) if m.label in FOCAL], 2):
            assert place(a) != place(b)


def test_nothing_hides_a_lesion(samples: list[SampleSpec]) -> None:
    for sample in samples:
        hiding = {m.side for m in findings(sample) if (m.label, m.severity) in HIDING}
        assert not hiding & {m.side for m in findings(sample) if m.label in HIDDEN}


def test_draws_are_even(samples: list[SampleSpec]) -> None:
    drawn = [m for sample in samples for m in findings(sample) if m.label == "cardiomegaly"]
    shares = [sum(m.severity == s for m in drawn) / len(drawn) for s in BY_NAME["cardiomegaly"].severities]
    assert all(abs(share - 1 / 3) < 0.08 for share in shares)


def test_a_draw_depends_on_its_sample_alone() -> None:
    bank = entity_bank()
    attributes = Attributes(bank, "f")
    rows = np.random.default_rng(0).integers(0, len(bank), (50, 4))
    together = attributes.draw(np.arange(100, 150), rows)
    for number in range(50):
        alone = attributes.draw(np.array([100 + number]), rows[number : number + 1])
        assert (alone[:, 0] == together[:, number]).all()


@pytest.mark.parametrize(
    ("given", "attributes", "text"),
    [
        (("abnormality", "pleural effusion"), ("left", None, "large"), "large left pleural effusion"),
        (("anatomy", "left upper zone"), ("left", "upper zone", None), "left upper zone"),
        (("anatomy", "lung"), ("left", None, None), "left lung"),
        (("disease", 'quoted "mass" (.*)'), (None, None, None), 'quoted "mass" (.*)'),
    ],
)
def test_a_word_is_not_said_twice(
    given: tuple[str, str], attributes: tuple[str | None, ...], text: str, entity: Make
) -> None:
    assert phrase_of(entity(*given), *attributes) == text


@pytest.mark.parametrize("term", ["no pneumonia", "without pneumonia", "absence of pneumonia"])
def test_a_negated_term_keeps_its_words(term: str, entity: Make) -> None:
    assert phrase_of(entity("non_disease", term, present=False), None, None, None) == term


def test_a_bare_absent_term_gets_its_no(entity: Make) -> None:
    assert phrase_of(entity("non_disease", "pneumonia", present=False), None, None, None) == "no pneumonia"
    # "nodule" starts with "no", which is no negation
    assert phrase_of(entity("non_disease", "nodule", present=False), None, None, None) == "no nodule"


def test_a_bank_without_any_attribute_is_drawn(entity: Make) -> None:
    bank = [entity("disease", "mumps"), entity("anatomy", "heart")]
    assert (Attributes(bank, "f").draw(np.arange(3), np.array([[0, 1]] * 3)) == -1).all()
