"""How the shipped generator is trained: schedule, resumption, wording, sampling of the tail."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from models.build.autoencoder import _whiten, encode, new_autoencoder
from models.build.denoiser import film_chances, new_denoiser, new_scheduler, train_denoiser
from models.build.text_tower import WIDTH, new_tokenizer, token_ids
from models.build.wording import plain_impression, random_findings, writer
from models.findings.recogniser import mentions
from models.nets.slots import SIDED, SLOTS, sided_vector, slot_vector
from models.phantom.vocabulary import LABELS, Finding
from models.training.loop import Schedule, fit, shuffled


def test_the_learning_rate_warms_up_and_falls_to_zero_with_steps_or_minutes() -> None:
    schedule = Schedule(steps=1000, rate=1.0, minutes=10, warmup=100)
    assert schedule.learning_rate(0, 0) == pytest.approx(0.01)
    assert schedule.learning_rate(500, 0) == pytest.approx(0.5)
    assert schedule.learning_rate(200, 300) == pytest.approx(0.5)
    assert schedule.learning_rate(1000, 0) == pytest.approx(0)
    assert schedule.done(5, 600) == 1


def test_an_interrupted_training_goes_on_and_a_finished_one_is_not_repeated(tmp_path: Path) -> None:
    seen: list[int] = []

    def run(steps: int, stop: int | None = None) -> nn.Module:
        torch.manual_seed(0)
        net = nn.Linear(2, 1)

        def loss(step: int) -> torch.Tensor:
            if step == stop:
                raise KeyboardInterrupt
            seen.append(step)
            return (net(torch.ones(4, 2)) - 3).square().mean()

        return fit(net, loss, Schedule(steps, 0.1, warmup=1, save_every=0), tmp_path / "net.pt", "net")

    with pytest.raises(KeyboardInterrupt):
        run(40, stop=15)
    net = run(40)
    assert seen == list(range(40))
    run(40)
    assert len(seen) == 40
    assert not net.training
    assert float(net(torch.ones(1, 2)).detach()) == pytest.approx(3, abs=1.0)


def test_slots_hold_labels_first_and_then_their_attributes() -> None:
    vector = slot_vector([Finding("pleural effusion", "left", None, "small")])
    assert SLOTS[: len(LABELS)] == SIDED[: len(LABELS)] == LABELS
    assert [SLOTS[i] for i in np.flatnonzero(vector)] == [
        "pleural effusion", "pleural effusion/left", "pleural effusion/small"
    ]  # fmt: skip
    assert sided_vector([Finding("scoliosis", None, None, "mild")]).sum() == 1


def test_plain_impressions_say_what_they_stand_for() -> None:
    dice = np.random.default_rng(0)
    for _ in range(200):
        findings = random_findings(dice)
        said = {found.label for found in mentions(plain_impression(findings, dice)) if found.present}
        assert said == {finding.name for finding in findings}


def test_the_writer_is_a_function_of_the_number() -> None:
    write = writer([("Scoliosis.", (Finding("scoliosis"),))])
    assert [write(i) for i in range(20)] == [write(i) for i in range(20)]
    assert len({write(i)[0] for i in range(50)}) > 20


def test_tokens_are_padded_as_the_pipeline_pads_them_and_any_text_can_be_spelt(tmp_path: Path) -> None:
    tokenizer = new_tokenizer(["pleural effusion"] * 3, tmp_path)
    ids = token_ids(tokenizer, ["", "Übergröße: 5 µm?!"])
    assert ids.shape == (2, 77)
    assert ids[0].tolist() == [tokenizer.bos_token_id] + [tokenizer.eos_token_id] * 76
    spelt = tokenizer("Übergröße: 5 µm?!").input_ids[1:-1]
    assert tokenizer.eos_token_id not in spelt


def test_rare_findings_are_drawn_more_and_refused_films_never() -> None:
    labels = np.zeros((1000, 2), int)
    labels[:500, 0], labels[500:510, 1] = 1, 1
    good = np.arange(1000) != 505
    chances = film_chances(labels, good, power=1.0, normal=0.5)
    assert chances[505] == 0
    assert chances[500] == pytest.approx(50 * float(chances[0]))
    assert chances[999] == pytest.approx(0.5 * float(chances[0]))
    rows = torch.cat([next(shuffled(1000, 500, 1, chances)) for _ in range(4)])
    assert 505 not in rows


def test_whitened_latents_have_unit_variance_and_decode_to_the_same_film() -> None:
    torch.manual_seed(0)
    net = new_autoencoder().eval()
    films = np.random.default_rng(0).integers(0, 255, (16, 32, 32), np.uint8)
    before = net.decode(encode(net, films)).sample
    _whiten(net, films)
    latents = encode(net, films)
    assert latents.mean((0, 2, 3)).abs().max() < 0.05
    assert (latents.std((0, 2, 3)) - 1).abs().max() < 0.05
    assert torch.allclose(net.decode(latents).sample, before, atol=0.05)


def test_the_schedule_of_noise_ends_in_pure_noise() -> None:
    assert float(new_scheduler().alphas_cumprod[-1]) < 1e-6


def test_the_denoiser_takes_a_training_step_from_latents_and_states(tmp_path: Path) -> None:
    states = torch.randn(3, 77, WIDTH).bfloat16()
    before = new_denoiser().conv_in.weight
    net = train_denoiser(
        torch.randn(8, 4, 32, 32), states, torch.tensor([[0, 1]] * 8), states[2], torch.ones(8), Schedule(2, 1e-3),
        tmp_path / "d.pt",
    )  # fmt: skip
    assert torch.isfinite(net.conv_in.weight).all()
    assert net.conv_in.weight.shape == before.shape


def test_a_denoiser_goes_on_from_the_net_it_is_given(tmp_path: Path) -> None:
    start, states = new_denoiser(), torch.zeros(1, 77, WIDTH).bfloat16()
    before = start.conv_in.weight.detach().clone()
    net = train_denoiser(
        torch.randn(4, 4, 32, 32), states, torch.zeros(4, 1).long(), states[0], torch.ones(4), Schedule(1, 1e-4),
        tmp_path / "d.pt", start=start,
    )  # fmt: skip
    assert net is start
    assert 0 < (net.conv_in.weight - before).abs().max() < 1e-3
