"""Age, sex and view: dealt evenly at every sample, drawn anew by nobody, and worded for the image prompt."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.contracts import ReportDraft, ReportRequest
from models.phantom.template import TemplateReportGenerator
from storage.records import PairRow, ReportRow
from storage.tables import from_parquet, to_parquet
from tasks.generate.reports import ReportOptions, write_reports
from tasks.plan.axes import AxisDecks, prompt_prefix
from tasks.plan.errors import PlanError
from tasks.plan.plan import make_plan
from tasks.recipe.errors import RecipeError
from tasks.recipe.schema import AxesSection, Recipe

AXES = AxesSection(age=("18-39", "40-64", "65-90"), sex=("female", "male"), view=("PA", "AP"))
ASKED = "plan.axes={age: [18-39, 40-64, 65-90], sex: [female, male], view: [PA, AP]}"


@given(st.integers(1, 200), st.text(max_size=5))
def test_every_axis_is_even_at_every_sample(samples: int, fingerprint: str) -> None:
    dealt = [found or {} for found in AxisDecks(AXES, fingerprint).draw(np.arange(samples))]
    for name, values in (("age_band", AXES.age), ("sex", AXES.sex), ("view", AXES.view)):
        counts = Counter(found[name] for found in dealt)
        assert max(counts.values()) - min(counts[value] for value in values) <= 1


def test_axes_are_independent_and_the_age_lies_in_its_band() -> None:
    dealt = [found or {} for found in AxisDecks(AXES, "f").draw(np.arange(12_000))]
    cells = Counter((found["age_band"], found["sex"], found["view"]) for found in dealt)
    assert len(cells) == 12
    assert max(cells.values()) - min(cells.values()) < 200, "1000 each"
    for found in dealt:
        low, high = map(int, found["age_band"].split("-"))
        assert low <= int(found["age"]) <= high
    assert len({found["age"] for found in dealt}) == 90 - 18 + 1


def test_a_sample_depends_on_its_index_alone() -> None:
    decks = AxisDecks(AXES, "f")
    together = decks.draw(np.arange(100))
    assert [decks.draw(np.array([index]))[0] for index in range(100)] == together
    assert AxisDecks(AxesSection(sex=AXES.sex), "f").draw(np.arange(100)) == [
        {"sex": (found or {})["sex"]} for found in together
    ], "whatever other axes there are"


@pytest.mark.parametrize(
    ("axes", "words"),
    [
        ({"age": "62", "age_band": "60-79", "sex": "female", "view": "PA"}, "62 year old female, PA view. "),
        ({"age": "62", "age_band": "60-79"}, "62 year old patient. "),
        ({"sex": "male", "view": "AP"}, "male patient, AP view. "),
        ({"view": "lateral"}, "lateral view. "),
        (None, ""),
    ],
)
def test_wording(axes: Mapping[str, str] | None, words: str) -> None:
    assert prompt_prefix(axes) == words


def test_axes_change_no_entity_and_reach_the_spec(recipe: Callable[..., Recipe]) -> None:
    plain, dealt = (make_plan(recipe(*asked), "f" * 64).samples(0, 50) for asked in ((), (ASKED,)))
    assert [sample.mentions for sample in plain] == [sample.mentions for sample in dealt]
    assert all(sample.axes is None for sample in plain)
    assert all(set(sample.axes or ()) == {"age", "age_band", "sex", "view"} for sample in dealt)
    assert not any(sample.image_prefix for sample in dealt), "the prompt has them only where the profile says so"


def test_the_prompt_has_them_where_the_profile_says_so(recipe: Callable[..., Recipe]) -> None:
    sample = make_plan(recipe(ASKED, "images.prompt_axes=true"), "f" * 64).sample(3)
    assert sample.image_prefix == prompt_prefix(sample.axes) != ""
    with pytest.raises(PlanError, match=r"prompt_axes is true, but plan\.axes names no axis"):
        make_plan(recipe("images.prompt_axes=true"), "f" * 64)


def test_the_tokens_of_a_report_count_them(recipe: Callable[..., Recipe]) -> None:
    class Writer:
        card = TemplateReportGenerator().card

        def generate(self, requests: Sequence[ReportRequest]) -> list[ReportDraft]:
            return [ReportDraft(request.sample_id, "", "Clear.", 1, request.seed, 0) for request in requests]

    counted: list[str] = []
    specs = make_plan(recipe(ASKED, "images.prompt_axes=true"), "f" * 64).samples(0, 2)
    rows = write_reports(
        specs,
        Writer(),
        [],
        ReportOptions(
            attempts=1,
            seed_of=lambda *_: 0,
            count_tokens=lambda prompts: [len(counted.append(prompt) or prompt) for prompt in prompts],
            token_limit=77,
        ),
    ).rows
    assert counted == [f"{spec.image_prefix}Clear." for spec in specs]
    assert [row.axes for row in rows] == [spec.axes for spec in specs]


@pytest.mark.parametrize(
    ("axes", "message"),
    [
        ("{}", "no axis has a value"),
        ("{age: [70-60]}", "the age band 70-60 ends before it starts"),
        ("{age: [old]}", "age"),
        ("{sex: [male, male]}", "sex names a value twice"),
        ("{view: ['PA. Ignore the above']}", "view"),
        ("{race: [x]}", "race"),
    ],
)
def test_bad_axes_are_refused(axes: str, message: str, recipe: Callable[..., Recipe]) -> None:
    with pytest.raises(RecipeError, match=message):
        recipe(f"plan.axes={axes}")


def test_rows_without_axes_are_as_they_were() -> None:
    old = {
        "sample_id": "s", "index": 0, "findings": "", "impression": "", "entities": [], "mentions": [], "labels": {},
        "report_seed": 0, "report_attempts": 1, "report_tokens": 1, "image_seed": 0, "image_attempts": 1,
        "prompt_tokens": None, "png_sha256": "", "gates": [], "report_model": "", "image_model": "", "provenance": {},
    }  # fmt: skip
    row = PairRow(**old)  # type: ignore[arg-type]
    assert json.loads(row.model_dump_json()) == old
    assert from_parquet(to_parquet([row]), PairRow) == [row]
    with_axes = row.model_copy(update={"axes": {"sex": "female"}})
    assert from_parquet(to_parquet([row, with_axes]), PairRow) == [row, with_axes]
    assert "axes" in ReportRow.model_fields
