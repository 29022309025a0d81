"""The sides of `benchmarks/pretrain.py`: each does its work and returns how much there was."""

from __future__ import annotations

import hashlib
import importlib
import io
import math
import socket
import tempfile
from argparse import Namespace
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.distributed as dist
from torch import Tensor
from torch.multiprocessing.spawn import spawn
from torch.nn import functional as F

from models.training.schedule import Schedule
from models.training.trainer import Trainer, TrainerOptions, TrainingTask
from models.vlp.library import open_clip
from models.vlp.losses.gloria import LocalSimilarity, Words, local_similarities
from models.vlp.model import create
from models.vlp.objectives import TrainingBatch, build_objective
from models.vlp.text import split_report
from models.vlp.views import fit_film, plain_view
from storage.layout import DatasetRef
from storage.ledger import ShardContents, commit_shard
from storage.loader import Part, SampleOrder, SampleStream
from storage.local import LocalStore
from storage.png import decode_png, encode_png
from storage.records import PairRow
from storage.shards import Sample, sample_of
from tasks.pretrain.arms import Arm, Trial
from tasks.pretrain.corpus import Corpus, Stage
from tasks.pretrain.train import train_on
from tasks.recipe.base import KindSpec
from tasks.recipe.training import TrainSection

SIZE, BATCH, TARS = 96, 32, 8
REF = DatasetRef("benchmark", "v1")
CLIP = KindSpec(kind="clip")


def made_batches(steps: int, size: int) -> list[TrainingBatch]:
    """Batches of noise with texts, ready for a model."""
    model, rng = create(seed=0), np.random.default_rng(0)
    found = []
    for step in range(steps):
        films = torch.from_numpy(rng.integers(0, 255, (size, SIZE, SIZE), np.uint8))
        texts = tuple(f"Small nodule number {step * size + at}." for at in range(size))
        found.append(TrainingBatch(plain_view(films), model.tokenizer(texts), texts))
    return found


def loop_of_ours(batches: list[TrainingBatch]) -> float:
    """Our trainer over the batches; pairs seen."""
    model, objective = create(seed=0), build_objective("clip", {})

    def loss(batch: TrainingBatch) -> Tensor:
        return torch.stack(list(objective.losses(model, batch).values())).sum()

    task = TrainingTask(lambda step: batches[step], loss, lambda: model.module.logit_scale.clamp_(0, math.log(100)))
    options = TrainerOptions(device="cpu", decay_vectors=False, save_seconds=None)
    Trainer(model.module, task, Schedule(len(batches), 1e-3, warmup=1), options).run()
    return len(batches) * len(batches[0].texts)


def loop_of_open_clip(batches: list[TrainingBatch]) -> float:
    """``train_one_epoch`` over the same batches; pairs seen."""
    pairs = [(batch.images, batch.tokens) for batch in batches]
    return _train_one_epoch(_Loader(pairs, len(pairs), len(pairs) * len(batches[0].texts)))


@dataclass
class _Loader:
    """What ``train_one_epoch`` asks of a loader."""

    batches: Any
    num_batches: int
    num_samples: int

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        return iter(self.batches)


@dataclass
class _Data:
    dataloader: _Loader

    def set_epoch(self, epoch: int) -> None:
        del epoch


def _train_one_epoch(loader: _Loader) -> float:
    from open_clip_train.train import train_one_epoch

    module = create(seed=0).module
    module.output_dict = True
    vectors = [value for value in module.parameters() if value.ndim < 2]
    matrices = [value for value in module.parameters() if value.ndim >= 2]
    groups = [{"params": vectors, "weight_decay": 0.0}, {"params": matrices, "weight_decay": 0.01}]
    args = Namespace(
        device="cpu", precision="fp32", distill=False, accum_freq=1, skip_scheduler=True, grad_clip_norm=1.0,
        horovod=False, log_every_n_steps=10**9, world_size=1, rank=0, batch_size=BATCH, wandb=False, save_logs=False,
    )  # fmt: skip
    optimiser = torch.optim.AdamW(groups, lr=1e-3, betas=(0.9, 0.99))
    train_one_epoch(module, {"train": _Data(loader)}, open_clip().ClipLoss(), 0, optimiser, None, None, None, args)
    return loader.num_samples


@dataclass(frozen=True, slots=True)
class MadeArchive:
    """Films of noise that are smooth enough to compress as films do, published in a folder."""

    store: LocalStore
    parts: tuple[Part, ...]

    @property
    def films(self) -> int:
        """How many there are."""
        return sum(len(part.ids) for part in self.parts)

    @property
    def tars(self) -> list[str]:
        """Where the tars are."""
        return [self.store.uri(part.key).removeprefix("file://") for part in self.parts]


def make_archive(folder: Path, films: int) -> MadeArchive:
    """Publish `films` films of 128 px in `TARS` tars."""
    import cv2

    store, rng, parts = LocalStore(folder / "store"), np.random.default_rng(0), list[Part]()
    for shard in range(TARS):
        samples: list[Sample] = []
        for number in range(films // TARS):
            coarse = rng.integers(0, 255, (32, 32), np.uint8)
            png = encode_png(np.asarray(cv2.resize(coarse, (128, 128), interpolation=cv2.INTER_CUBIC), np.uint8))
            index = shard * (films // TARS) + number
            row = PairRow(
                sample_id=f"film-{index:05d}", index=index, findings="", impression=f"Nodule number {index}. Stable.",
                entities=[], mentions=[], labels={}, report_seed=0, report_attempts=1, report_tokens=5, image_seed=0,
                image_attempts=1, png_sha256=hashlib.sha256(png).hexdigest(), gates=[],
            )  # fmt: skip
            samples.append(sample_of(row, png))
        entry = commit_shard(store, REF, shard, ShardContents(samples))
        assert entry.pairs is not None
        parts.append(Part(REF.key(entry.pairs.key), tuple(sample.key for sample in samples)))
    return MadeArchive(store, tuple(parts))


def _stream(archive: MadeArchive) -> tuple[SampleOrder, SampleStream[np.ndarray]]:
    order = SampleOrder([[len(part.ids) for part in archive.parts]], 0, block=256)
    return order, SampleStream(archive.store, [archive.parts], order, lambda it: fit_film(decode_png(it.png), SIZE))


def train_from_store(archive: MadeArchive, pairs: int) -> float:
    """A training of ours that streams from the store; pairs seen."""
    order, stream = _stream(archive)
    ids = tuple(sample for part in archive.parts for sample in part.ids)
    reports = tuple(split_report(f"IMPRESSION: Nodule number {at}. Stable.") for at in range(len(ids)))
    corpus = Corpus(ids, reports, np.arange(len(ids)), None, (Stage(0, 0, order, stream.start_at),))
    section = TrainSection(samples_seen=pairs, batch=BATCH, threads=1, device="cpu", save_minutes=None)
    train_on(corpus, _trial(pairs), section)
    return pairs


def _trial(pairs: int) -> Trial:
    return Trial(arm=Arm(name="benchmark", mix=(), samples_seen=pairs), objective=CLIP, seed=0)


def train_on_webdataset(archive: MadeArchive, pairs: int) -> float:
    """``train_one_epoch`` on webdataset over the same tars; pairs seen."""
    tokenizer = create(seed=0).tokenizer
    loader = _webdataset(archive, lambda text: tokenizer([text])[0])
    return _train_one_epoch(_Loader(islice(loader, pairs // BATCH), pairs // BATCH, pairs))


def load_from_store(archive: MadeArchive) -> float:
    """Every film once, decoded, in our order; films."""
    _, stream = _stream(archive)
    for _ in zip(range(archive.films), stream.start_at(0), strict=False):
        pass
    return archive.films


def load_by_webdataset(archive: MadeArchive) -> float:
    """Every film once, decoded and shuffled by webdataset; films."""
    return float(sum(len(images) for images, _ in _webdataset(archive, len)))


def _webdataset(archive: MadeArchive, read_text: Any) -> Any:
    """Batches of (b, 1, SIZE, SIZE) float32 and what `read_text` makes of the texts."""
    from PIL import Image

    webdataset: Any = importlib.import_module("webdataset")  # which exports what it has at run time

    def view(data: bytes) -> Tensor:
        film = Image.open(io.BytesIO(data)).convert("L").resize((SIZE, SIZE), Image.Resampling.BICUBIC)
        grey = torch.from_numpy(np.array(film, np.float32) / 255)[None]
        return (grey - grey.mean()) / grey.std()

    return (
        webdataset.WebDataset(archive.tars, shardshuffle=TARS, seed=0, empty_check=False)
        .shuffle(256)
        .to_tuple("png", "txt")
        .map_tuple(view, lambda data: read_text(data.decode()))
        .batched(BATCH, collation_fn=lambda rows: tuple(_stacked(column) for column in zip(*rows, strict=True)))
    )


def _stacked(column: Any) -> Any:
    return torch.stack(column) if isinstance(column[0], Tensor) else list(column)


@dataclass(frozen=True, slots=True)
class MadeRegions:
    """Regions (b, r, d) of images and words (b, w, d) of texts of 5 to 40 words."""

    regions: Tensor
    words: Words


def made_regions(batch: int, side: int, width: int) -> MadeRegions:
    """Noise in the shape of one batch."""
    rng = torch.Generator().manual_seed(0)
    lengths = torch.randint(5, 41, (batch,), generator=rng)
    mask = torch.arange(40)[None, :] < lengths[:, None]
    embeddings = torch.randn(batch, 40, width, generator=rng) * mask[:, :, None]
    regions = torch.randn(batch, side * side, width, generator=rng)
    return MadeRegions(regions.requires_grad_(), Words(embeddings.requires_grad_(), mask))


def gloria_in_chunks(made: MadeRegions) -> float:
    """All similarities with their gradient, as our objective computes them."""
    local_similarities(made.regions, made.words, LocalSimilarity()).sum().backward()
    return 1


def gloria_text_by_text(made: MadeRegions) -> float:
    """The same similarities, one text after the other, as GLoRIA's release computes them."""
    how, columns = LocalSimilarity(), list[Tensor]()
    for words, mask in zip(made.words.embeddings, made.words.mask, strict=True):
        text = words[mask]
        dots = made.regions @ text.T
        weights = (how.attention_scale * dots.softmax(dim=2)).softmax(dim=1)
        context = weights.transpose(1, 2) @ made.regions
        cosines = F.cosine_similarity(context, text[None], dim=2)
        columns.append((how.word_scale * cosines).logsumexp(dim=1))
    torch.stack(columns, dim=1).sum().backward()
    return 1


def train_in_processes(processes: int, loader_workers: int, steps: int = 24) -> tuple[float, float]:
    """A training of ours by so many processes of one thread each; pairs seen, and seconds of the training alone.

    With a loader worker each process prepares its next batch in one more thread.
    """
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with tempfile.TemporaryDirectory() as folder:
        spawn(_one_process, (processes, port, steps, loader_workers, folder), nprocs=processes)
        return steps * 128, float((Path(folder) / "seconds").read_text())


def _one_process(number: int, processes: int, port: int, steps: int, loader_workers: int, folder: str) -> None:
    torch.set_num_threads(1)
    if processes > 1:
        dist.init_process_group("gloo", f"tcp://127.0.0.1:{port}", world_size=processes, rank=number)
    films = np.random.default_rng(0).integers(0, 255, (256, SIZE, SIZE), np.uint8)
    reports = tuple(split_report(f"IMPRESSION: Nodule number {at}. Stable.") for at in range(len(films)))
    stage = Stage(0, 0, SampleOrder([[len(films)]], 0))
    corpus = Corpus(tuple(map(str, range(len(films)))), reports, np.arange(len(films)), list(films), (stage,))
    section = TrainSection(
        samples_seen=steps * 128, batch=128, threads=1, device="cpu", save_minutes=None, loader_workers=loader_workers
    )
    trained = train_on(corpus, _trial(steps * 128), section)
    if number == 0:
        (Path(folder) / "seconds").write_text(str(trained.seconds))
    if processes > 1:
        dist.destroy_process_group()
