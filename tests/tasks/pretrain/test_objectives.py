"""Every objective learns, and is kept with its heads."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from models.vlp.model import create, load
from models.vlp.objectives import OBJECTIVES, preparation
from models.vlp.text_tower import TextTower
from storage.local import LocalStore
from storage.objects import ObjectStore
from tasks.pretrain.arms import Arm, Draw, Trial
from tasks.pretrain.checkpoint import ensure_trained, read_weights
from tasks.pretrain.corpus import Batches
from tasks.pretrain.train import train_on
from tasks.recipe.base import KindSpec
from tasks.recipe.training import TrainSection
from tests.models.vlp.made_up import RESIDUAL, SIDE, TRANSFORMER, model_folder, tiny_bert
from tests.tasks.pretrain.test_train import stopped_after, toy_corpus

SECTION = TrainSection(samples_seen=160, batch=16, threads=1, learning_rate=1e-3)
SMALL: dict[str, dict[str, Any]] = {"convirt_mgca": {"hidden": 64}}


def trial_of(kind: str, draw: Draw | None, **options: Any) -> Trial:
    arm = Arm(name=kind, mix=() if draw is None else (draw,), samples_seen=160)
    return Trial(arm=arm, objective=KindSpec(kind=kind, options=SMALL.get(kind, {}) | options), seed=0)


@pytest.mark.parametrize("kind", OBJECTIVES)
def test_the_loss_falls_and_the_checkpoint_embeds(store: ObjectStore, real: Draw, kind: str) -> None:
    trial = trial_of(kind, real)
    held, trained = ensure_trained(store, trial, SECTION)
    assert trained is not None
    assert np.mean(trained.losses[-3:]) < np.mean(trained.losses[:3])
    model = load(read_weights(store, held), prepare=preparation(kind, trial.objective.options))
    films = np.random.default_rng(0).integers(0, 255, (2, 96, 96), np.uint8)
    assert np.isfinite(model.embed_images(films) @ model.embed_texts(["Cardiomegaly."]).T).all()


@pytest.mark.parametrize("kind", ["convirt_mgca", "gloria"])
def test_a_killed_training_goes_on_to_the_same_weights_of_the_heads_too(local_store: LocalStore, kind: str) -> None:
    section = TrainSection(samples_seen=64, batch=8, threads=1, save_steps=3, save_minutes=None)
    trial = trial_of(kind, None).model_copy(update={"arm": Arm(name="toy", mix=(), samples_seen=64)})
    whole = train_on(toy_corpus(), trial, section)
    again = train_on(toy_corpus(), trial, section, states=stopped_after(5, trial, section, local_store))
    assert again.weights == whole.weights
    assert again.losses == whole.losses
    assert again.equal_text_rows == whole.equal_text_rows


def test_equal_texts_of_all_batches_are_counted() -> None:
    section = TrainSection(samples_seen=64, batch=8, threads=1)
    batches = Batches(toy_corpus(), section.batch, 0)
    texts = [batches.at(step).texts for step in range(8)]
    assert texts == [batches.texts(step) for step in range(8)]
    expected = sum(batch.count(text) > 1 for batch in texts for text in batch)
    assert expected > 0
    arm = Arm(name="toy", mix=(), samples_seen=64)
    assert train_on(toy_corpus(), trial_of("clip", None).model_copy(update={"arm": arm}), section).equal_text_rows == (
        expected
    )


def test_the_random_control_has_no_heads_whatever_the_objective() -> None:
    arm = Arm(name="random", mix=(), samples_seen=0, control="random")
    trials = [trial_of(kind, None).model_copy(update={"arm": arm}) for kind in ("clip", "gloria")]
    assert len({trial.fingerprint(SECTION) for trial in trials}) == 1
    assert len({train_on(None, trial, SECTION).weights for trial in trials}) == 1


@pytest.mark.parametrize("config", [TRANSFORMER, RESIDUAL], ids=["transformer", "residual"])
def test_towers_of_open_clip_with_clips_vocabulary_are_trained(tmp_path: Path, config: dict[str, Any]) -> None:
    section = SECTION.model_copy(update={"model": model_folder(tmp_path, config), "samples_seen": 64})
    trial = trial_of("clip", None).model_copy(update={"arm": Arm(name="toy", mix=(), samples_seen=64)})
    trained = train_on(toy_corpus(side=SIDE), trial, section)
    assert np.isfinite(trained.losses).all()
    assert len(trained.losses) == 4
    films = np.random.default_rng(0).integers(0, 255, (2, SIDE, SIDE), np.uint8)
    untrained = create(section.model, trial.seed).embed_images(films)
    assert load(trained.weights, section.model).embed_images(films) != pytest.approx(untrained, abs=1e-3)


@pytest.mark.parametrize("frozen", [True, False])
def test_a_killed_training_with_a_text_tower_goes_on_to_the_same_weights(
    tmp_path: Path, local_store: LocalStore, frozen: bool
) -> None:
    tiny_bert(tmp_path)
    tower = TextTower(path=str(tmp_path), frozen=frozen, context=12)
    section = TrainSection(samples_seen=48, batch=8, threads=1, save_steps=2, save_minutes=None, text_tower=tower)
    trial = trial_of("gloria", None).model_copy(update={"arm": Arm(name="toy", mix=(), samples_seen=48)})
    whole = train_on(toy_corpus(), trial, section)
    again = train_on(toy_corpus(), trial, section, states=stopped_after(3, trial, section, local_store))
    assert again.weights == whole.weights
    assert again.losses == whole.losses
