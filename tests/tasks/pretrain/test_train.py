"""Training learns from pairs that belong together, and from nothing else."""

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from flows.cli.failure import is_mendable
from models.own_kinds import OwnKindFailed
from models.training.errors import CannotAccumulate
from models.vlp.model import load
from models.vlp.text import split_report
from storage.loader import SampleOrder
from storage.objects import ObjectStore
from tasks.pretrain.arms import Arm, Trial
from tasks.pretrain.corpus import Corpus, Stage, load_corpus
from tasks.pretrain.state import TrialState
from tasks.pretrain.train import TrainingDiverged, steps_of, train_on, train_trial
from tasks.recipe.base import KindSpec
from tasks.recipe.training import TrainSection


def toy_auroc(checkpoint: bytes, corpus: Corpus, words: list[str]) -> float:
    """Mean AUROC of telling which of the corpus's films show each finding."""
    model = load(checkpoint)
    assert corpus.images is not None
    scores = model.embed_images(np.stack(corpus.images)) @ model.embed_texts([f"There is {word}." for word in words]).T
    labels = np.array([[word in " ".join(report.findings) for word in words] for report in corpus.reports])
    return float(np.mean([float(roc_auc_score(labels[:, at], scores[:, at])) for at in range(len(words))]))


def test_the_honest_arm_learns_and_its_shuffled_control_does_not(store, planned):
    section = TrainSection(samples_seen=960, batch=16, learning_rate=1e-3, threads=1)
    trials = planned(section)
    test = load_corpus(store, trials["real"].arm, section, seed=0)
    words = ["left pleural effusion", "right pleural effusion", "lung nodule", "cardiomegaly"]
    reached = {}
    for name in ("synthetic", "shuffled_synthetic"):
        trained = train_trial(trials[name], section, store)
        assert trained.samples_seen == section.samples_seen
        assert np.mean(trained.losses[-5:]) < np.mean(trained.losses[:5])
        reached[name] = toy_auroc(trained.weights, test, words)
    assert reached["synthetic"] > 0.85
    assert abs(reached["shuffled_synthetic"] - 0.5) < 0.25, "three deviations (0.083) of untrained weights' means"
    assert reached["synthetic"] - reached["shuffled_synthetic"] > 0.2


def test_the_random_control_is_what_every_arm_starts_from(store, planned, section):
    five, six = (planned(section)["random"].model_copy(update={"seed": seed}) for seed in (5, 6))
    random = train_trial(five, section, store)
    assert random.losses == ()
    assert random.samples_seen == random.steps == 0
    assert train_trial(five, section, store).weights == random.weights
    assert train_trial(six, section, store).weights != random.weights


def test_the_same_seed_gives_the_same_losses_and_every_step_is_called(store, planned, section):
    trial = planned(section)["real"]
    called: list[tuple[int, float]] = []
    first = train_trial(trial, section, store, on_step=lambda step, loss: called.append((step, loss)))
    assert train_trial(trial, section, store).losses == pytest.approx(first.losses, rel=1e-3)
    assert called == list(enumerate(first.losses, 1))


def test_a_loss_that_is_not_a_number_names_trial_and_step():
    images = list(np.full((8, 96, 96), 90, np.uint8))
    stage = Stage(0, 0, SampleOrder([[8]], 0))
    corpus = Corpus(tuple("abcdefgh"), (split_report("Clear."),) * 8, np.arange(8), images, (stage,))
    section = TrainSection(samples_seen=160, batch=8, threads=1).model_copy(update={"learning_rate": float("inf")})
    trial = Trial(arm=Arm(name="real", mix=(), samples_seen=160), objective=KindSpec(kind="clip"), seed=0)
    said = r"real, seed 0.*step 1 of 20.*learning_rate.*8 samples, such as [a-h], [a-h], [a-h]$"
    with pytest.raises(TrainingDiverged, match=said):
        train_on(corpus, trial, section)


def test_an_unknown_model_is_named(store, planned):
    section = TrainSection(model="synthcxr-huge")
    with pytest.raises(ValueError, match="synthcxr-huge"):
        train_trial(planned(section)["real"], section, store)


def test_arms_of_equal_compute_take_equally_many_steps(planned, section):
    assert {steps_of(trial.arm, section) for trial in planned(section).values() if trial.arm.trained} == {4}
    assert steps_of(planned(section)["random"].arm, section) == 0


def toy_corpus(pairs: int = 32, side: int = 96) -> Corpus:
    """Pairs of noise: whatever they teach, they teach it again."""
    images = list(np.random.default_rng(0).integers(0, 255, (pairs, side, side), np.uint8))
    reports = tuple(split_report(f"IMPRESSION: Nodule number {at}. Stable.") for at in range(pairs))
    stages = (Stage(0, 0, SampleOrder([[pairs]], 0)),)
    return Corpus(tuple(f"d/{at}" for at in range(pairs)), reports, np.arange(pairs), images, stages)


def stopped_after(step: int, trial: Trial, section: TrainSection, store: ObjectStore) -> TrialState:
    """The states of a training on `toy_corpus` that was interrupted after a step."""
    states = TrialState(store, trial.fingerprint(section))

    def interrupt(done: int, _: float) -> None:
        if done == step:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train_on(toy_corpus(), trial, section, states=states, on_step=interrupt)
    return states


TOY = Trial(arm=Arm(name="real", mix=(), samples_seen=64), objective=KindSpec(kind="clip"), seed=1)


def test_a_killed_training_goes_on_in_the_store_to_the_same_weights_and_losses(local_store):
    section = TrainSection(samples_seen=64, batch=8, threads=1, save_steps=3, save_minutes=None)
    whole = train_on(toy_corpus(), TOY, section)
    seen: list[int] = []
    states = stopped_after(5, TOY, section, local_store)
    again = train_on(toy_corpus(), TOY, section, states=states, on_step=lambda step, _: seen.append(step))
    assert seen == [4, 5, 6, 7, 8], "three of eight steps were behind it"
    assert again.weights == whole.weights
    assert again.losses == whole.losses


def test_training_moves_model_and_batches_to_the_device_of_the_section():
    """On ``meta`` both towers and the loss run through, and only the loss's value cannot be read."""
    section = TrainSection(samples_seen=64, batch=8, threads=1, device="meta")
    with pytest.raises(RuntimeError, match=r"item.*meta"):
        train_on(toy_corpus(), TOY, section)


class Boom:
    """An objective of one's own with a fault in it."""

    def losses(self, *_):
        raise RuntimeError("boom")


def test_an_error_of_an_objective_of_ones_own_names_its_class():
    trial = Trial(arm=TOY.arm, objective=KindSpec(kind=f"{__name__}:Boom"), seed=1)
    with pytest.raises(OwnKindFailed, match=rf"^{__name__}:Boom failed: RuntimeError: boom$"):
        train_on(toy_corpus(), trial, TrainSection(samples_seen=64, batch=16, threads=1, device="cpu"))
    assert is_mendable(OwnKindFailed("my_ext:Boom failed"))


def test_a_trained_trial_says_how_its_embeddings_lie(store, planned, section):
    health = train_trial(planned(section)["real"], section, store).health
    assert health is not None
    assert -1 <= health.image_cosine < 1
    assert health.scale == pytest.approx(1 / 0.07, rel=0.2)


def test_an_average_changes_the_weights_and_batch_norm_refuses_parts():
    section = TrainSection(samples_seen=32, batch=16, threads=1, device="cpu")
    last = train_on(toy_corpus(), TOY, section).weights
    assert train_on(toy_corpus(), TOY, section.model_copy(update={"average": 0.9})).weights != last
    with pytest.raises(CannotAccumulate, match=r"layer visual\.trunk\.conv1\.1 is batch norm"):
        train_on(toy_corpus(), TOY, section.model_copy(update={"micro_batch": 8}))
