"""The address of MLflow's runs: whether MLflow supports it."""

from __future__ import annotations

from tasks.check.report import Report
from tasks.recipe.schema import Recipe
from tasks.track.address import check_address
from tasks.track.errors import TrackingError


def check_tracking(recipe: Recipe, report: Report) -> None:
    """What would keep MLflow from being opened; no server is asked."""
    if recipe.tracking.uri == "managed":
        return
    try:
        check_address(recipe.tracking.uri)
    except TrackingError as error:
        report.problems.append(str(error))
