"""The tower reads texts as the pipeline will give them to it."""

from __future__ import annotations

from pathlib import Path

import torch

from models.build.fit import Run
from models.build.text_tower import WIDTH, new_tokenizer, read, token_ids, train_text_tower
from models.nets.slots import SLOTS
from models.training.schedule import Schedule


def test_tokens_are_padded_as_the_pipeline_pads_them_and_any_text_can_be_spelt(tmp_path: Path) -> None:
    tokenizer = new_tokenizer(["pleural effusion"] * 3, tmp_path)
    ids = token_ids(tokenizer, ["", "Übergröße: 5 µm?!"])
    assert ids.shape == (2, 77)
    assert ids[0].tolist() == [tokenizer.bos_token_id] + [tokenizer.eos_token_id] * 76
    spelt = tokenizer("Übergröße: 5 µm?!").input_ids[1:-1]
    assert tokenizer.eos_token_id not in spelt


def test_the_tower_learns_from_text_alone_and_is_frozen(tmp_path: Path) -> None:
    tokenizer, said = new_tokenizer(["pleural effusion"] * 3, tmp_path), list[str]()
    run = Run(Schedule(1, 1e-3), tmp_path / "t.pt", said.append)
    tower = train_text_tower(lambda n: ("pleural effusion", torch.full((len(SLOTS),), float(n % 2))), tokenizer, run)
    assert not any(parameter.requires_grad for parameter in tower.parameters())
    assert read(tower, tokenizer, ["effusion"]).shape == (1, 77, WIDTH)
    assert "reads every slot of" in said[-1]
