"""Drawing a shard's films: retries, rejects, records; with the phantom renderer as generator."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Sequence
from dataclasses import asdict, replace

import numpy as np
import pytest

from models.contracts import Candidate, EntityType, GateScore, ImageRequest, Mention, ModelCard, RequestsRefused
from models.gates.film.basics import Contrast, Finite
from models.phantom.renderer import RendererImageGenerator
from storage.png import decode_png
from storage.records import GateRow, ReportRow
from tasks.generate.attempts import SettledCallback
from tasks.generate.images import ImageBatch, ImageOptions, draw_images, labels_of

EFFUSION = Mention(
    "abnormality/pleural effusion", EntityType.ABNORMALITY, "small left pleural effusion", "pleural effusion", True,
    "left", None, "small",
)  # fmt: skip
NO_EDEMA = Mention(
    "non_disease/no pulmonary edema", EntityType.NON_DISEASE, "no pulmonary edema", "pulmonary edema", False
)
PLACE = Mention("anatomy/left lower zone", EntityType.ANATOMY, "left lower zone")


def report(number: int, impression: str = "Small left pleural effusion.") -> ReportRow:
    mentions = (EFFUSION, NO_EDEMA, PLACE)
    return ReportRow(
        sample_id=f"s{number}", index=number, findings="Small left pleural effusion. No pulmonary edema.",
        impression=impression, entities=[m.entity for m in mentions],
        mentions=[asdict(m) | {"type": str(m.type)} for m in mentions], seed=5, attempts=2, tokens=40,
        tokens_all_attempts=90, gates=[GateRow(gate="completeness", score=1, threshold=1, passed=True)],
    )  # fmt: skip


class Counting(RendererImageGenerator):
    """The renderer, remembering what it was asked; the film of a seed in `spoilt` is full of NaN."""

    def __init__(self, spoilt: Sequence[int] = ()) -> None:
        super().__init__()
        self.asked: list[list[ImageRequest]] = []
        self.spoilt = set(spoilt)

    def generate(self, requests: Sequence[ImageRequest]) -> list[np.ndarray]:
        self.asked.append(list(requests))
        films = super().generate(requests)
        return [
            np.full((128, 128), np.nan) if r.seed in self.spoilt else f for r, f in zip(requests, films, strict=True)
        ]


def seed(sample: str, attempt: int) -> int:
    return int(sample[1:]) * 10 + attempt


def draw(
    generator: RendererImageGenerator, count: int = 5, on_progress: SettledCallback | None = None, **options: object
) -> ImageBatch:
    settings = {"attempts": 3, "batch": 2, "seed_of": seed, "provenance": {"fingerprint": "f"}, **options}
    gates = [(Finite(), 1.0), (Contrast(), 0.3)]
    return draw_images([report(i) for i in range(count)], generator, gates, ImageOptions(**settings), on_progress)  # type: ignore


def test_every_report_becomes_a_pair_with_all_that_is_known_of_it() -> None:
    batch = draw(Counting())
    assert [row.sample_id for row, _ in batch.samples] == ["s0", "s1", "s2", "s3", "s4"]
    row, data = batch.samples[3]
    assert decode_png(data).shape == (128, 128)
    assert row.png_sha256 == hashlib.sha256(data).hexdigest()
    assert row.labels == {"pleural effusion": 1, "pulmonary edema": 0}
    assert (row.report_seed, row.report_attempts, row.report_tokens) == (5, 2, 90)
    assert (row.image_seed, row.image_attempts, row.prompt_tokens) == (30, 1, 4)
    assert [gate.gate for gate in row.gates] == ["completeness", "finite", "contrast"]
    assert (row.image_model, row.provenance) == ("phantom-a@code", {"fingerprint": "f"})
    told = {key: value for key, value in batch.stats.items() if not key.startswith(("ms.", "seconds"))}
    assert told == {"films": 5, "attempts": 1, "retried": 0, "batch": 2}


def test_the_same_seeds_give_the_same_bytes_whatever_the_batch() -> None:
    one, other = draw(Counting(), batch=1), draw(Counting(), batch=5)
    assert [data for _, data in one.samples] == [data for _, data in other.samples]


def test_only_what_failed_is_tried_again_and_with_a_new_seed() -> None:
    generator = Counting(spoilt=[10, 11, 30])
    batch = draw(generator)
    asked = [[request.seed for request in requests] for requests in generator.asked]
    assert asked == [[0, 10], [20, 30], [40], [11, 31], [12]]
    assert [row.image_attempts for row, _ in batch.samples] == [1, 3, 1, 2, 1]
    assert batch.stats["films"] == 8
    assert batch.stats["retried"] == 2


def test_a_sample_given_up_says_at_which_gate_and_why() -> None:
    batch = draw(Counting(spoilt=[20, 21, 22]))
    (reject,) = batch.rejects
    assert (reject.sample_id, reject.stage, reject.gate, reject.attempts) == ("s2", "images", "finite", 3)
    assert (reject.score, reject.threshold) == (0.0, 1.0)
    assert "no numbers" in reject.reason
    assert [row.sample_id for row, _ in batch.samples] == ["s0", "s1", "s3", "s4"]


def test_a_film_of_no_numbers_is_never_accepted_even_without_gates() -> None:
    batch = draw_images([report(1)], Counting(spoilt=[10]), [], ImageOptions(attempts=1, batch=4, seed_of=seed))
    assert [reject.gate for reject in batch.rejects] == ["finite"]


def test_gates_see_the_mentions_and_the_prompt() -> None:
    seen: list[Candidate] = []

    class Spy:
        name = "spy"

        def score(self, batch: Sequence[Candidate]) -> list[GateScore]:
            seen.extend(batch)
            return [GateScore("spy", 1.0)] * len(batch)

    draw_images([report(1)], Counting(), [(Spy(), 1.0)], ImageOptions(attempts=1, batch=4, seed_of=seed))
    assert seen[0].mentions == (EFFUSION, NO_EDEMA, PLACE)
    assert (seen[0].impression, seen[0].prompt_tokens) == ("Small left pleural effusion.", 4)


def test_progress_counts_settled_samples_up_to_all_of_them() -> None:
    told: list[tuple[int, int]] = []
    draw(Counting(spoilt=[0]), on_progress=lambda done, of: told.append((done, of)))
    assert told == [(1, 5), (3, 5), (4, 5), (5, 5)]


class OnGpu(Counting):
    """The renderer, saying that it runs on a GPU."""

    @property
    def card(self) -> ModelCard:
        return replace(super().card, details={"device": "cuda:0"})


def test_on_a_gpu_a_batch_is_judged_while_the_next_is_drawn() -> None:
    drawn, judged = threading.Event(), threading.Event()

    class Waiting(OnGpu):
        def generate(self, requests: Sequence[ImageRequest]) -> list[np.ndarray]:
            if self.asked:
                assert judged.wait(20), "the gate did not begin before the second batch was drawn"
                drawn.set()
            return super().generate(requests)

    class Slow:
        name = "slow"

        def score(self, batch: Sequence[Candidate]) -> list[GateScore]:
            judged.set()
            assert drawn.wait(20), "the second batch waited for the gate"
            return [GateScore("slow", 1.0)] * len(batch)

    reports = [report(number) for number in range(4)]
    batch = draw_images(reports, Waiting(), [(Slow(), 1.0)], ImageOptions(attempts=1, batch=2, seed_of=seed))
    assert [row.sample_id for row, _ in batch.samples] == ["s0", "s1", "s2", "s3"]


def test_on_a_cpu_nothing_runs_beside_the_generator() -> None:
    threads: set[str] = set()

    class Watching:
        name = "watching"

        def score(self, batch: Sequence[Candidate]) -> list[GateScore]:
            threads.add(threading.current_thread().name)
            return [GateScore("watching", 1.0)] * len(batch)

    draw_images(
        [report(n) for n in range(4)], Counting(), [(Watching(), 1.0)], ImageOptions(attempts=1, batch=2, seed_of=seed)
    )
    assert threads == {threading.current_thread().name}


@pytest.mark.parametrize("kind", [Counting, OnGpu])
@pytest.mark.parametrize("bad", ["gate", "generator"])
def test_an_error_of_a_gate_or_of_the_generator_stops_the_stage(bad: str, kind: type[Counting]) -> None:
    class Broken(kind):  # type: ignore[misc, valid-type]
        def generate(self, requests: Sequence[ImageRequest]) -> list[np.ndarray]:
            if bad == "generator" and self.asked:
                raise RuntimeError("generator is broken")
            return super().generate(requests)

    class Gate:
        name = "broken"

        def score(self, batch: Sequence[Candidate]) -> list[GateScore]:
            if bad == "gate":
                raise RuntimeError("gate is broken")
            return [GateScore("broken", 1.0)] * len(batch)

    with pytest.raises(RuntimeError, match=f"{bad} is broken"):
        draw_images(
            [report(n) for n in range(6)], Broken(), [(Gate(), 1.0)], ImageOptions(attempts=1, batch=2, seed_of=seed)
        )


class Choosy(Counting):
    """The renderer, failing with every request whose sample is in `poison`, alone or among others."""

    def __init__(self, poison: Sequence[str], error: type[Exception] = ValueError) -> None:
        super().__init__()
        self.poison, self.error = poison, error

    def generate(self, requests: Sequence[ImageRequest]) -> list[np.ndarray]:
        if bad := [r.sample_id for r in requests if r.sample_id in self.poison]:
            raise self.error(f"cannot\ndraw {bad[0]}")
        return super().generate(requests)


def test_a_prompt_that_the_generator_cannot_draw_costs_its_own_sample() -> None:
    batch = draw(Choosy(["s1"]), batch=4)
    assert [row.sample_id for row, _ in batch.samples] == ["s0", "s2", "s3", "s4"]
    (reject,) = batch.rejects
    assert (reject.sample_id, reject.gate, reject.attempts) == ("s1", "draft", 3)
    assert reject.reason == "the image generator failed: ValueError: cannot draw s1"
    alone = draw(Choosy(["s0"]), count=1)
    assert [reject.sample_id for reject in alone.rejects] == ["s0"]


@pytest.mark.parametrize("count", [2, 5])
def test_a_generator_that_fails_with_every_prompt_stops_the_stage_with_its_reason(count: int) -> None:
    with pytest.raises(RequestsRefused, match=r"failed with \d samples in a row.*ValueError: cannot draw s.; mend"):
        draw(Choosy(["s0", "s1", "s2", "s3", "s4"]), count=count, batch=1)


def test_a_film_that_does_not_fit_into_memory_is_no_reject() -> None:
    with pytest.raises(RequestsRefused, match="the image generator cannot draw: cannot draw s3"):
        draw(Choosy(["s3"], MemoryError))


def test_what_generator_and_gates_took_is_summed_and_kept_out_of_the_rows() -> None:
    class Dear(Finite):
        def score(self, batch: Sequence[Candidate]) -> list[GateScore]:
            return [GateScore("finite", 1.0, seconds=0.5)] * len(batch)

    gates = [(Dear(), 1.0), (Contrast(), 0.3)]
    batch = draw_images(
        [report(n) for n in range(3)], Counting(), gates, ImageOptions(attempts=1, batch=2, seed_of=seed)
    )
    assert batch.stats["ms.gate.finite"] == 1500
    for part in ("ms.generator", "ms.gate.contrast"):
        assert 0 < batch.stats[part] < 1000 * batch.stats["seconds"]
    assert "seconds" not in str([row.model_dump() for row, _ in batch.samples])


def test_the_batch_that_fitted_into_memory_is_told() -> None:
    class Small(Counting):
        @property
        def card(self) -> ModelCard:
            return replace(super().card, details={"batch": "1"})

    assert draw(Small()).stats["batch"] == 1
    assert draw(Counting(), batch=4).stats["batch"] == 4


def test_no_reports_give_an_empty_batch_and_nonsense_is_refused() -> None:
    assert draw(Counting(), count=0).samples == []
    with pytest.raises(ValueError, match=r"images\.attempts \(0\)"):
        draw(Counting(), attempts=0)


def test_a_finding_asked_and_denied_counts_as_asked() -> None:
    assert labels_of((EFFUSION, NO_EDEMA, PLACE)) == {"pleural effusion": 1, "pulmonary edema": 0}


def test_axes_stand_before_the_impression_only_where_the_profile_says_so() -> None:
    row = report(1).model_copy(update={"axes": {"age": "62", "age_band": "60-79", "sex": "female", "view": "PA"}})
    drawn = {
        asked: draw_images(
            [row], Counting(), [], ImageOptions(attempts=1, batch=1, seed_of=seed, prompt_axes=asked)
        ).samples[0][0]
        for asked in (False, True)
    }
    assert "prompt" not in drawn[False].provenance
    assert drawn[True].provenance["prompt"] == f"62 year old female, PA view. {row.impression}"
    assert (drawn[True].prompt_tokens or 0) > (drawn[False].prompt_tokens or 0)
    assert drawn[True].axes == drawn[False].axes == row.axes
