"""The summary says the same on a terminal and in Markdown."""

from __future__ import annotations

import io

from rich.console import Console

from tasks.publish.summary import Arm, Difference, Summary, TaskMeans

SUMMARY = Summary(
    dataset="d/v1",
    asked=10,
    planned=12,
    accepted=9,
    rejected_by_gate={"agreement": 2, "contrast": 1},
    entity_ratio=1.2,
    seconds_per_pair=0.5,
    cost_per_pair=0.5 / 3600 * 0.08,
    arms=(
        Arm(name="real", pairs=9, macro=0.7, low=0.6, high=0.8),
        Arm(name="synthetic", pairs=9, macro=0.8, low=0.7, high=0.9),
    ),
    differences=(Difference(name="synthetic - real", value=0.1, low=0.02, high=0.18),),
    confidence=0.95,
    samples_seen=640,
    seconds=12,
    caveats=("The generator learnt from more films.", "The figures are from a phantom."),
    places={"dataset": "s3://bucket/d/v1", "MLflow run": "http://127.0.0.1:5000/#/x"},
)


def test_both_views_hold_every_number() -> None:
    out = io.StringIO()
    Console(file=out, width=120).print(SUMMARY.tables())
    facts = ("9  (75.0%", "rejected by agreement", "1.20", "640", "s3://bucket/d/v1")
    scores = ("0.700", "0.600 to 0.800", "+0.100", "+0.020 to +0.180")
    for view in (out.getvalue(), SUMMARY.markdown()):
        for text in (*facts, *scores, *SUMMARY.caveats):
            assert text in view, text


def test_markdown_links_what_a_browser_can_open_and_quotes_the_rest() -> None:
    text = SUMMARY.markdown()
    assert "[http://127.0.0.1:5000/#/x](http://127.0.0.1:5000/#/x)" in text
    assert "`s3://bucket/d/v1`" in text


def test_every_task_stands_beside_every_arm() -> None:
    tasks = (
        TaskMeans(name="zero_shot", metric="AUROC", macros={"real": 0.7, "synthetic": 0.8}),
        TaskMeans(name="grounding-pointing", metric="pointing game", macros={"real": 0.3, "chance": 0.1}),
    )
    summary = SUMMARY.model_copy(update={"tasks": tasks})
    assert summary.columns() == ["real", "synthetic", "chance"]
    assert summary.means() == [
        ("zero_shot AUROC", "0.700", "0.800", ""), ("grounding-pointing pointing game", "0.300", "", "0.100")
    ]  # fmt: skip
    assert "learn from" not in summary.markdown()
    labelled = summary.model_copy(update={"labelled": "phantom:b"})
    assert "segmentation learn from phantom:b, whatever the arm" in labelled.markdown()
    assert "| grounding-pointing pointing game | 0.300 |  | 0.100 |" in summary.markdown()


def test_eight_columns_of_long_names_are_readable_on_a_terminal_of_80() -> None:
    names = ["real", "synthetic", "mixed", "mixed_full", "random", "shuffled_synthetic", "shuffled_mixed", "chance"]
    task = TaskMeans(name="segmentation-0.1-150", metric="Dice", macros=dict.fromkeys(names, 0.25))
    out = io.StringIO()
    Console(file=out, width=80).print(SUMMARY.model_copy(update={"tasks": (task, task)}).tables())
    assert out.getvalue().count("0.250") == 16
    assert "…" not in out.getvalue()


def test_a_single_task_has_no_second_table() -> None:
    only = TaskMeans(name="zero_shot", metric="AUROC", macros={"real": 0.7})
    assert SUMMARY.model_copy(update={"tasks": (only,)}).markdown() == SUMMARY.markdown()
