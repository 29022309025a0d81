"""Lay out the arms: which pairs each one learns from, at equal pairs and equal compute."""

from __future__ import annotations

import difflib
import hashlib
import json
from typing import Any

from pydantic import Field

from storage.layout import DatasetRef
from storage.records import Record
from tasks.recipe.schema import TrainSection

ARMS = ("real", "synthetic", "mixed", "mixed_full")
CONTROLS = ("random", "shuffled_real", "shuffled_synthetic", "shuffled_mixed")
_NOT_IN_FINGERPRINT = {
    "arms": "which other arms run changes nothing about this one",
    "controls": "likewise",
    "pairs": "stands in the arm's sources",
    "threads": "changes speed, and results only by rounding",
    "cache_megabytes": "decides where the films wait, and so their order only",
}


class Source(Record):
    """Pairs taken from one dataset version, all of it or a selection of it.

    Args:
        dataset, version: address in the store.
        fingerprint: of the dataset's recipe, from its manifest.
        selection: name of a curated selection of that version.
        pairs: how many, drawn at random by the run's seed.
    """

    dataset: str
    version: str
    fingerprint: str
    pairs: int = Field(ge=1)
    selection: str | None = None


class Arm(Record):
    """One training run to be compared with others.

    Args:
        sources: what is concatenated.
        samples_seen: compute, in pairs through the model; the same for every trained arm.
        shuffled: texts are permuted over the films: a control that must not learn.
        trained: False keeps the first random weights: the other control.
    """

    name: str
    sources: tuple[Source, ...]
    samples_seen: int
    shuffled: bool = False
    trained: bool = True

    @property
    def pairs(self) -> int:
        """Different pairs that the arm learns from."""
        return sum(source.pairs for source in self.sources)

    def fingerprint(self, section: TrainSection, seed: int) -> str:
        """SHA-256 over everything that changes the weights."""
        settings = {key: value for key, value in _plain(section).items() if key not in _NOT_IN_FINGERPRINT}
        text = json.dumps({"arm": _plain(self), "section": settings, "seed": seed, "format": 1}, sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()


def curated(ref: DatasetRef, fingerprint: str, selection: str, kept: int) -> Source:
    """The kept pairs of a dataset version as a source.

    Raises:
        ValueError: nothing was kept.
    """
    if not kept:
        raise ValueError(f"selection {selection!r} of {ref} keeps no pair: loosen the rules in `curate`")
    return Source(dataset=ref.name, version=ref.version, fingerprint=fingerprint, pairs=kept, selection=selection)


def plan_arms(section: TrainSection, real: Source, synthetic: Source) -> tuple[Arm, ...]:
    """The arms and controls that `section` names, in its order.

    `real` and `synthetic` say how many pairs there are; every arm takes as many as `section.pairs`, or as the
    smaller of the two holds. ``mixed`` takes half from each; ``mixed_full`` takes all that both would give,
    twice the pairs at the same compute, and is named apart for that reason.

    Raises:
        ValueError: an unknown arm, or fewer pairs in a dataset than asked for.
    """
    pairs = section.pairs or min(real.pairs, synthetic.pairs)
    for source in (real, synthetic):
        if source.pairs < pairs:
            raise ValueError(
                f"dataset {source.dataset}/{source.version} holds {source.pairs} pairs, but every arm needs {pairs}: "
                f"lower pretrain.pairs to {source.pairs} or make more"
            )
    if pairs < 2:
        raise ValueError(f"an arm needs at least 2 pairs to contrast, not {pairs}")
    both = (_take(real, pairs // 2), _take(synthetic, pairs - pairs // 2))
    contents = {
        "real": (_take(real, pairs),),
        "synthetic": (_take(synthetic, pairs),),
        "mixed": both,
        "mixed_full": (_take(real, pairs), _take(synthetic, pairs)),
    }
    names = dict.fromkeys((*section.arms, *section.controls))
    return tuple(_arm(name, contents, section.samples_seen) for name in names)


def _arm(name: str, contents: dict[str, tuple[Source, ...]], samples_seen: int) -> Arm:
    if name == "random":
        return Arm(name=name, sources=(), samples_seen=0, trained=False)
    base = name.removeprefix("shuffled_")
    if base not in contents:
        known = (*ARMS, *CONTROLS)
        near = difflib.get_close_matches(name, known, n=1)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        raise ValueError(f"unknown arm {name!r}{hint} Known: {', '.join(known)}")
    return Arm(name=name, sources=contents[base], samples_seen=samples_seen, shuffled=base != name)


def _take(source: Source, pairs: int) -> Source:
    return source.model_copy(update={"pairs": pairs})


def _plain(model: Arm | TrainSection) -> dict[str, Any]:
    return model.model_dump(mode="json")
