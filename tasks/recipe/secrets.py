"""What must not stand in a recipe, since it is published with the dataset: passwords, tokens and keys."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from storage.addresses import has_secret
from tasks.recipe.fingerprint import leaves

_NAMED = re.compile(r"(^|_)(password|passwd|pwd|secret|secret_key|access_key|token|api_key|credentials?)$", re.I)
REMEDIES: Mapping[str, str] = {
    "tracking.uri": "MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD (or MLFLOW_TRACKING_TOKEN)",
    "storage.root": "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY",
    "storage.endpoint": "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY",
    "reports.generator.options.base_url": "the variable that reports.generator.options.api_key_variable names",
}


def secrets_in(data: Mapping[str, Any]) -> list[str]:
    """A problem for each value of plain recipe data that holds a secret; the secret itself is not repeated."""
    found: list[str] = []
    for path, value in leaves(data).items():
        named = bool(_NAMED.search(path.rpartition(".")[2])) and isinstance(value, str) and bool(value)
        if named or (isinstance(value, str) and has_secret(value)):
            where = REMEDIES.get(path, "the environment variable that its library reads (HF_TOKEN, AWS_…, MLFLOW_…)")
            found.append(
                f"{path}: holds a password or key, and a recipe is published with its dataset: put it in {where}, "
                "in the environment or a Prefect secret block"
            )
    return found
