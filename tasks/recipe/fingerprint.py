"""The fingerprint: which samples a recipe makes, in 64 hexadecimal digits.

Sample *i* of the pairs asked for is a pure function of (fingerprint, i), and one of a top-up round of these and the
shards committed before it. Everything that changes a sample's entities, prompts,
seeds or acceptance is inside; so are `pairs`, `shard_size` and `top_up`, because a dataset version is a
fixed set of samples in fixed shards, and a resume with another of them would mix two layouts in one
version. Gate thresholds are inside for the same reason: they decide at which attempt a sample was taken.
Everything else is in `EXCLUDED`, with its reason. A bank or a table of pairs in a file, and weights that are named
by a path (`tasks.recipe.weights`), count by their bytes, not by their path.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from models.findings.label_sets import ENDINGS, names
from models.registry import former_option
from storage.canonical import canonical_json
from storage.plain import is_mapping, is_sequence
from tasks.recipe import retired
from tasks.recipe.errors import RecipeError
from tasks.recipe.schema import Recipe
from tasks.recipe.weights import content_of, named_by_path

FORMAT_VERSION = 5
"""Raise it when the same recipe would make other samples: the sampler, the phrases, the phantom bank, the seeds."""

BUILT_IN_BANKS = ("phantom",)
VOCABULARY_GATES = ("no_extra_finding", "impression_consistency")
"""Gates that look for the findings of the recipe's bank, unless their options name others."""

_THROUGHPUT = "how fast the engine runs, not what it is asked"
_PLACE = "where the engine runs, not what it is asked"
_ROUNDING = "the same sum by another kernel or in other portions: it changes the rounding, not what is asked"
_DOWNSTREAM = "reads the finished dataset"
_TERMS = "under which terms the samples may be used, not what they are"
EXCLUDED: Mapping[str, str] = {
    "profile": "the name of the file the recipe came from",
    "dataset": "where the samples are kept, not what they are",
    "version": "where the samples are kept, and derived from the fingerprint itself",
    "engine": "who works on the shards, and in which order",
    "cost_per_hour": "a price",
    "storage": "where the samples are kept",
    "tracking": "where runs are written down",
    "sources": "a source is a dataset of its own, with its own seed",
    "curate": _DOWNSTREAM,
    "pretrain": _DOWNSTREAM,
    "evaluate": _DOWNSTREAM,
    "plan.licence": _TERMS,
    "plan.credentialed": _TERMS,
    "images.generator.licence": _TERMS,
    "images.generator.credentialed": _TERMS,
    "reports.generator.licence": _TERMS,
    "reports.generator.credentialed": _TERMS,
    "images.batch": _THROUGHPUT,
    "images.generator.options.attention": _ROUNDING,
    "images.generator.options.batch": _THROUGHPUT,
    "images.generator.options.compile": _ROUNDING,
    "images.generator.options.device": _PLACE,
    "images.generator.options.slicing": _ROUNDING,
    "reports.error_budget": "when to stop, not what to write",
    "reports.generator.options.answer_price": "a price",
    "reports.generator.options.api_key_variable": "a credential's name",
    "reports.generator.options.base_url": _PLACE,
    "reports.generator.options.concurrency": _THROUGHPUT,
    "reports.generator.options.cost_budget": "when to stop, not what to write",
    "reports.generator.options.engine.enable_prefix_caching": _THROUGHPUT,
    "reports.generator.options.engine.enforce_eager": _THROUGHPUT,
    "reports.generator.options.engine.gpu_memory_utilization": _THROUGHPUT,
    "reports.generator.options.engine.max_num_batched_tokens": _THROUGHPUT,
    "reports.generator.options.max_num_seqs": _THROUGHPUT,
    "reports.generator.options.prompt_price": "a price",
    "reports.generator.options.tensor_parallel_size": _PLACE,
    "reports.generator.options.timeout": "when to give up waiting, not what to ask",
    "reports.generator.options.token_budget": "when to stop, not what to write",
    "reports.generator.options.tries": "retries on infrastructure",
    "ray": _PLACE,
    "workers": _PLACE,
}

ADDED: Mapping[str, Any] = {
    "plan.label_set": None,
    "plan.target": "uniform",
    "plan.cooccurrence": None,
    "plan.axes": None,
    "images.prompt_axes": False,
    "reports.summarise_again": False,
    "report_gates.allow_unjudged": [],
    "image_gates.allow_unjudged": [],
}
"""Fields that came after the format, with the value at which they change nothing and are left out; the path of an
item in a list is without its number."""


@dataclass(frozen=True, slots=True)
class FieldChange:
    """One field that two recipes disagree on; None where a recipe does not have it."""

    path: str
    before: Any
    after: Any

    def __str__(self) -> str:
        return f"{self.path}: {_shown(self.before)} -> {_shown(self.after)}"


def fingerprint(recipe: Recipe) -> str:
    """SHA-256 over the canonical JSON of the fields that change the samples, in hexadecimal.

    Raises:
        RecipeError: the entity bank, the table of pairs or weights that are named by a path cannot be read.
    """
    fields = sample_fields(recipe)
    if recipe.plan.bank not in BUILT_IN_BANKS:
        known = ", ".join(BUILT_IN_BANKS)
        remedy = f"give a CSV, YAML, JSON or Parquet file of typed entities, or a built-in bank ({known})"
        fields["plan.bank"] = _digest("plan.bank", recipe.plan.bank, remedy)
        fields |= dict.fromkeys(_bank_vocabularies(recipe), "bank")
    if recipe.plan.cooccurrence is not None:
        remedy = "give a file of pairs learnt from a corpus, or leave it empty"
        fields["plan.cooccurrence"] = _digest("plan.cooccurrence", recipe.plan.cooccurrence, remedy)
    fields |= {field: content_of(field, place) for field, place in named_by_path(fields).items()}
    for path, value in fields.items():
        if path.rpartition(".")[2] in ("label_set", "vocabulary") and str(value).lower().endswith(ENDINGS):
            fields[path] = _digest(path, str(value), f"give a file with a label set, or one of {', '.join(names())}")
    document = {"format": FORMAT_VERSION, "fields": fields}
    return hashlib.sha256(canonical_json(document).encode("utf-8", "surrogatepass")).hexdigest()


def _bank_vocabularies(recipe: Recipe) -> list[str]:
    """The gates' options that take the findings of a bank in a file, as the recipe gives no others."""
    return [
        f"{stage}.{number}.options.vocabulary"
        for stage in ("report_gates", "image_gates")
        for number, spec in enumerate(getattr(recipe, stage))
        if spec.kind in VOCABULARY_GATES and spec.options.get("vocabulary") is None
    ]


def version_of(recipe: Recipe) -> str:
    """The dataset version: the recipe's own, or ``v-`` and ten digits of the fingerprint for ``auto``."""
    return f"v-{fingerprint(recipe)[:10]}" if recipe.version == "auto" else recipe.version


def sample_fields(recipe: Recipe | Mapping[str, Any]) -> dict[str, Any]:
    """Every leaf that changes the samples, by dotted path; items of a list by their number."""
    data = recipe.model_dump(mode="json") if isinstance(recipe, Recipe) else recipe
    fields = leaves(data)
    return {
        _first_name(path, fields): value
        for path, value in fields.items()
        if reason_excluded(path) is None and not _is_as_before(path, value)
    }


def _first_name(path: str, fields: Mapping[str, Any]) -> str:
    """`path` with the first name of an option that was renamed, so that the fingerprint stays what it was."""
    part, options, name = path.partition(".options.")
    return f"{part}{options}{former_option(str(fields.get(f'{part}.kind')), name)}" if options else path


def _is_as_before(path: str, value: Any) -> bool:
    plain = ".".join(part for part in path.split(".") if not part.isdigit())
    return plain in ADDED and value == ADDED[plain]


def reason_excluded(path: str) -> str | None:
    """Why the field at `path` is no part of the fingerprint; None if it is a part."""
    parts = path.split(".")
    prefixes = (".".join(parts[:length]) for length in range(1, len(parts) + 1))
    if parts[0] in retired.ARCHIVES:
        return retired.REASON
    if ".".join(parts[:2]) in retired.RESOURCES:
        return _PLACE
    return next((EXCLUDED[prefix] for prefix in prefixes if prefix in EXCLUDED), None)


def leaves(data: Any, path: str = "") -> dict[str, Any]:
    """The plain values in `data` by dotted path; an empty list or mapping is a leaf of its own."""
    if is_mapping(data) and data:
        pairs = [(str(key), value) for key, value in data.items()]
    elif is_sequence(data) and data:
        pairs = [(str(number), value) for number, value in enumerate(data)]
    else:
        # 4 and 4.0 are one value, whichever the profile writes.
        return {path: int(data) if isinstance(data, float) and data.is_integer() else data}
    return {
        inner: leaf for key, value in pairs for inner, leaf in leaves(value, f"{path}.{key}" if path else key).items()
    }


def diff(before: Recipe | Mapping[str, Any], after: Recipe | Mapping[str, Any]) -> list[FieldChange]:
    """The fields that change the samples and on which two recipes (or stored ``recipe.yaml``) disagree."""
    old, new = sample_fields(before), sample_fields(after)
    paths = sorted(old.keys() | new.keys())
    changes = [FieldChange(path, old.get(path), new.get(path)) for path in paths]
    return [change for change in changes if _shown(change.before) != _shown(change.after)]


def explain_diff(before: Recipe | Mapping[str, Any], after: Recipe | Mapping[str, Any]) -> str:
    """`diff` as text for people, one field a line."""
    changes = diff(before, after)
    if not changes:
        return "no field that changes the samples differs (the contents of a file that it names or the format may)"
    return "\n".join(["these fields change the samples and differ:", *(f"  {change}" for change in changes)])


def _digest(field: str, file: str, remedy: str) -> str:
    path = Path(file)
    if path.exists() and not path.is_file():  # a pipe would be waited for, a device never ends
        raise RecipeError("recipe", [f"{field}: {file} is no regular file; {remedy}"])
    try:
        with path.open("rb") as stream:
            return f"sha256:{hashlib.file_digest(stream, 'sha256').hexdigest()}"
    except OSError as error:
        raise RecipeError("recipe", [f"{field}: {file}: {error.strerror or error}; {remedy}"]) from error


def _shown(value: Any) -> str:
    return "(absent)" if value is None else json.dumps(value, ensure_ascii=False)
