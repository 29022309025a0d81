"""Lay out the arms: which pairs each one learns from, at equal pairs and equal compute.

An arm is a value. Its name is a label for tables and figures; nothing reads it, and it changes no weight.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from models.vlp.text import Text
from models.vlp.text_tower import content_of
from models.weight_hashes import file_hashes
from storage.canonical import canonical_json
from storage.records import Record
from tasks.recipe.base import KindSpec
from tasks.recipe.training import SYNTHETIC, ArmSection, MixEntry, TrainSection

REAL = "real"
TRIAL_FORMAT = 2
"""Raise it when the same trial would come to other weights: the order of pairs, the views, the texts, the schedule."""
COMPUTATION: Mapping[str, str] = {
    "threads": "changes speed, and results only by rounding",
    "device": "where it is computed; another device changes results only by rounding",
    "processes": "how many compute a batch; the batches are the same, and what batch norm makes of it is in the guide",
    "launcher": "what starts them; likewise",
    "ray_address": "likewise",
    "micro_batch": "the gradients are those of the whole batch but for rounding",
    "checkpoint_activations": "the gradients are the same but for rounding",
    "text_cache_megabytes": "what a frozen text tower makes of a text is the same but for rounding",
    "loader_workers": "decides when a batch is made; the batches are the same",
    "cache_megabytes": "decides where decoded images wait; the batches are the same",
    "save_minutes": "a training that was stopped goes on to the same weights, from whichever state",
    "save_steps": "likewise",
}
"""Fields of `TrainSection` on how it is computed: no part of a trial's fingerprint or a run's name, and the reason."""
EXCLUDED: Mapping[str, str] = {
    "arms": "which other arms run changes nothing about this one; the arm itself is inside",
    "only": "likewise",
    "seeds": "which other seeds run changes nothing about this one; the trial's own is inside",
    "objective": "the trial's own is inside",
    "pairs": "the numbers of pairs are in the arm's mix",
    "samples_seen": "the arm's own is inside",
    "epochs": "likewise",
    "matched": "likewise",
    **COMPUTATION,
}
"""Fields of `TrainSection` that are no part of a trial's fingerprint, with the reason."""
LATER: Mapping[str, Any] = {
    "epochs": None,
    "matched": "compute",
    "optimiser": "adamw",
    "momentum": 0.9,
    "average": None,
    "text_tower": None,
    "sync_batch_norm": True,
}
"""Fields of `TrainSection` that came later, with the value that everything had before."""
UNTRAINED = ("model", "text_tower")
"""The only fields that count where nothing is trained."""


class ArmsDoNotFit(ValueError):
    """The sources cannot give an arm its pairs; the message names the source and the remedy."""


class Draw(Record):
    """Pairs taken from one dataset version, from all of it or from a selection of it.

    Args:
        dataset, version: address in the store.
        fingerprint: of the dataset's recipe, from its manifest.
        pairs: how many, drawn at random by the training seed.
        selection: name of a curated selection of that version.
        selected: SHA-256 over the ids that the selection keeps; empty without a selection.
    """

    dataset: str
    version: str
    fingerprint: str
    pairs: int = Field(ge=1)
    selection: str | None = None
    selected: str = ""


class Arm(Record):
    """One way to train, to be compared with others.

    Args:
        mix: where the pairs come from.
        samples_seen: compute, in pairs through the model; 0 where nothing is trained.
        schedule: ``mix`` for all draws at once, ``then`` for one after the other.
        control: ``shuffled`` permutes the texts over the images; ``random`` keeps the first random weights.
        text: what a step reads of a report.
    """

    name: str
    mix: tuple[Draw, ...]
    samples_seen: int
    schedule: Literal["mix", "then"] = "mix"
    control: Literal["none", "shuffled", "random"] = "none"
    text: Text = "sentence"

    @property
    def pairs(self) -> int:
        """Different pairs that the arm learns from."""
        return sum(draw.pairs for draw in self.mix)

    @property
    def trained(self) -> bool:
        """Whether there is anything to train."""
        return self.control != "random"


class Trial(Record):
    """What is trained once: an arm with an objective and a training seed."""

    arm: Arm
    objective: KindSpec
    seed: int

    @property
    def label(self) -> str:
        """For people: ``mixed, seed 0``."""
        return f"{self.arm.name}, seed {self.seed}"

    def fingerprint(self, section: TrainSection) -> str:
        """SHA-256 in hexadecimal over the canonical JSON of everything that changes the weights."""
        return hashlib.sha256(canonical_json(self.identity(section)).encode()).hexdigest()

    def identity(self, section: TrainSection) -> dict[str, Any]:
        """What `fingerprint` is taken over: without labels, and without what `EXCLUDED` names."""
        settings = without_later(section.model_dump(mode="json", exclude=set(EXCLUDED)))
        if section.text_tower is not None:
            settings["text_tower"]["path"] = content_of(section.text_tower)
        if not self.arm.trained:
            return {
                "format": TRIAL_FORMAT,
                "seed": self.seed,
                "section": {name: settings[name] for name in UNTRAINED if name in settings},
                "arm": {"control": self.arm.control},
            }
        arm = self.arm.model_dump(mode="json", exclude={"name"})
        for draw in arm["mix"]:
            del draw["selection"]  # a name; what it keeps is in `selected`
        objective = self.objective.model_dump(mode="json")
        if isinstance(file := objective["options"].get("weights"), str):
            objective["options"]["weights"] = sorted(file_hashes(Path(file).expanduser()).values())
        return {"format": TRIAL_FORMAT, "seed": self.seed, "section": settings, "arm": arm, "objective": objective}


def without_later(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Settings without the fields of `LATER` that are as before, so that trials and runs keep their names."""
    return {name: value for name, value in settings.items() if name not in LATER or value != LATER[name]}


def kept_pairs(whole: Draw, selection: str, kept: Iterable[str]) -> Draw:
    """What a selection of a dataset version has to offer.

    Args:
        whole: the version.
        selection: its name.
        kept: ids of the samples that it keeps.

    Raises:
        ArmsDoNotFit: nothing was kept.
    """
    ids = list(kept)
    if not ids:
        raise ArmsDoNotFit(
            f"selection {selection!r} of {whole.dataset}/{whole.version} keeps no pair: loosen the rules in `curate`"
        )
    return whole.model_copy(update={"pairs": len(ids), "selection": selection, "selected": kept_sha256(ids)})


def kept_sha256(kept: Iterable[str]) -> str:
    """SHA-256 over the ids that a selection keeps, in whatever order."""
    return hashlib.sha256(canonical_json(sorted(kept)).encode()).hexdigest()


def plan_trials(section: TrainSection, offers: Mapping[str, Draw]) -> tuple[Trial, ...]:
    """The trials that `section` names: each chosen arm with each training seed, seed by seed.

    Args:
        section: the arms, which of them are chosen, the seeds, and how many pairs an arm has.
        offers: by source as the mixes spell it, all the pairs that it has.

    Raises:
        ArmsDoNotFit: a source is not offered, holds fewer pairs than an arm takes, or leaves too few to contrast.
    """
    arms = [(plan_arm(name, arm, section, offers), arm) for name, arm in section.chosen.items()]
    return tuple(
        Trial(arm=arm, objective=asked.objective or section.objective, seed=seed)
        for seed in section.seeds
        for arm, asked in arms
    )


def plan_arm(name: str, asked: ArmSection, section: TrainSection, offers: Mapping[str, Draw]) -> Arm:
    """The arm of that name: its mix in numbers of pairs.

    Raises:
        ArmsDoNotFit: see `plan_trials`.
    """
    if asked.control == "random":
        return Arm(name=name, mix=(), samples_seen=0, control="random")
    missing = [entry.source for entry in asked.mix if entry.source not in offers]
    if missing:
        raise ArmsDoNotFit(f"arm {name!r}: there is no source {missing[0]!r}; there are {', '.join(offers) or 'none'}")
    counts = _counts(asked.mix, section, offers)
    arm = Arm(
        name=name,
        mix=tuple(
            _take(offers[entry.source], count, f"pretrain.arms.{name}", entry)
            for entry, count in zip(asked.mix, counts, strict=True)
        ),
        samples_seen=0,
        schedule=asked.schedule,
        control=asked.control,
        text=asked.text,
    )
    if arm.pairs < 2:
        raise ArmsDoNotFit(f"an arm needs at least 2 pairs to contrast, not {arm.pairs}")
    return arm.model_copy(update={"samples_seen": asked.samples_seen or _samples_seen(arm.pairs, section, offers)})


def _samples_seen(pairs: int, section: TrainSection, offers: Mapping[str, Draw]) -> int:
    """How many pairs an arm of `pairs` different ones sees, unless it says so itself."""
    if section.epochs is not None:
        return max(1, round(section.epochs * pairs))
    if section.matched == "compute":
        return section.samples_seen
    return max(1, round(section.samples_seen * pairs / pairs_per_arm(section, offers)))


def pairs_per_arm(section: TrainSection, offers: Mapping[str, Draw]) -> int:
    """How many pairs an arm has whose mix gives weights.

    Without ``pretrain.pairs`` as many as the smaller of ``real`` and ``synthetic`` has, as far as any arm of the
    recipe learns from them and they are offered: which of the arms are chosen changes nothing, nor do arms on other
    sources.

    Raises:
        ArmsDoNotFit: neither is there.
    """
    if section.pairs is not None:
        return section.pairs
    named = {entry.source for arm in section.arms.values() for entry in arm.mix}
    known = [offers[source].pairs for source in (REAL, SYNTHETIC) if source in named and source in offers]
    if not known:
        raise ArmsDoNotFit(
            f"pretrain.pairs: no arm learns from {REAL} or {SYNTHETIC}, or neither is there: say how many pairs an "
            "arm has"
        )
    return min(known)


def mixed_sources(section: TrainSection) -> tuple[str, ...]:
    """The sources that the chosen arms learn from, as their mixes spell them."""
    return tuple(dict.fromkeys(entry.source for arm in section.chosen.values() for entry in arm.mix))


def needed_sources(section: TrainSection) -> tuple[str, ...]:
    """The sources that count in planning the chosen arms: what they learn from, and what decides how many pairs."""
    chosen = mixed_sources(section)
    by_epochs = section.matched == "epochs" and section.epochs is None
    weighed = by_epochs or any(entry.measure != "count" for arm in section.chosen.values() for entry in arm.mix)
    every = {entry.source for arm in section.arms.values() for entry in arm.mix}
    equal = [source for source in (REAL, SYNTHETIC) if source in every] if weighed and section.pairs is None else []
    return tuple(dict.fromkeys((*chosen, *equal)))


def _counts(mix: tuple[MixEntry, ...], section: TrainSection, offers: Mapping[str, Draw]) -> list[int]:
    measure = mix[0].measure
    if measure == "count":
        return [offers[entry.source].pairs if entry.count == "all" else int(entry.count or 0) for entry in mix]
    pairs = pairs_per_arm(section, offers)
    if measure == "share":
        return [round((entry.share or 0) * pairs) for entry in mix]
    weights = [1.0 if entry.weight is None else entry.weight for entry in mix]
    ends = [int(pairs * sum(weights[: at + 1]) / sum(weights)) for at in range(len(weights))]
    ends[-1] = pairs
    return [end - start for start, end in zip([0, *ends], ends, strict=False)]


def _take(offer: Draw, pairs: int, arm: str, entry: MixEntry) -> Draw:
    where = f"dataset {offer.dataset}/{offer.version}"
    if offer.pairs < pairs:
        lower = {
            "count": f"the count of {entry.source} in {arm} to {offer.pairs}",
            "share": f"pretrain.pairs, or the share of {entry.source} in {arm},",
            "weight": f"pretrain.pairs to {offer.pairs}",
        }[entry.measure]
        raise ArmsDoNotFit(f"{where} holds {offer.pairs} pairs, but an arm needs {pairs}: lower {lower} or make more")
    if pairs < 1:
        raise ArmsDoNotFit(f"{where}: its weight in the mix is too small to take one pair of it")
    return offer.model_copy(update={"pairs": pairs})
