"""Train the shipped image generator and the networks of its gates on hospital A's archive, stage after stage.

Every stage keeps its result under the cache folder and is skipped when that is complete; an interrupted one
goes on from its last checkpoint. ``python -m models.build.image_generator --help`` lists the options; ``torchrun
--nproc-per-node 2 -m models.build.image_generator --threads 1`` is faster where other work shares the cores.
"""

from __future__ import annotations

import argparse
import json
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch

from models.build.autoencoder import encode, train_autoencoder
from models.build.classifiers import label_auroc, train_classifier
from models.build.denoiser import (
    NORMAL_SHARE,
    TAIL_POWER,
    DescribedLatents,
    film_chances,
    new_scheduler,
    train_denoiser,
)
from models.build.films import RenderedArchive, load_films
from models.build.fit import Run
from models.build.text_tower import load_tokenizer, new_tokenizer, read, train_text_tower
from models.build.wording import plain_impression, writer
from models.compat import torchvision_ready
from models.gates.film.basics import accepted, fit_film_look, save_film_look
from models.nets.classifier import logits, save_classifier
from models.nets.slots import sided_vector, slot_vector
from models.phantom.hospital import HOSPITAL_A, HOSPITAL_B
from models.phantom.vocabulary import LABELS
from models.training.distributed import barrier, join_ranks, rank, world_size
from models.training.schedule import Schedule

STAGES = ("render", "text", "looks", "autoencoder", "agreement", "examiner", "denoiser", "save")
SEED_A, SEED_B = 7, 11
LESSONS = 12_000  # films that the denoiser learns from, drawn from all of hospital A with the rare ones first
WORDINGS = 2  # of each film: the archive's own and a plain one


@dataclass(frozen=True)
class AssetBuilder:
    """Where a training keeps its things, and how much of everything it does."""

    out: Path
    judges: Path
    cache: Path
    films: int = 20_000
    test_films: int = 1_500
    minutes: float = 45.0
    steps: int = 8_000
    workers: int = 2

    def say(self, text: str) -> None:
        """One line of progress with the time of day."""
        print(time.strftime("%H:%M:%S"), text, flush=True)

    @cached_property
    def archive(self) -> RenderedArchive:
        """Hospital A: all that anything here learns from."""
        return load_films(HOSPITAL_A, SEED_A, self.films, self.cache, workers=self.workers, progress=self.say)

    @cached_property
    def test(self) -> RenderedArchive:
        """Hospital B: only to measure the classifiers."""
        return load_films(HOSPITAL_B, SEED_B, self.test_films, self.cache, workers=self.workers, progress=self.say)

    def render(self) -> None:
        """Render both archives."""
        self.say(f"{len(self.archive)} films of hospital A and {len(self.test)} of hospital B are there")

    def autoencoder(self) -> None:
        """Train the autoencoder and keep it with whitened latents."""
        schedule = Schedule(steps=max(20, self.steps * 5 // 8), rate=2e-3, minutes=self.minutes / 3)
        chances = film_chances(self.archive.labels, self.good, TAIL_POWER, NORMAL_SHARE)
        net = train_autoencoder(self.archive.images, chances, self._run("autoencoder", schedule))
        if rank() == 0:
            net.save_pretrained(self.cache / "vae")

    def text(self) -> None:
        """Train tokenizer and text tower on the archive's impressions and on plain ones."""
        archive = list(zip(self.archive.impressions, self.archive.findings, strict=True))
        write = writer(archive)
        if rank() == 0:
            new_tokenizer((write(i)[0] for i in range(20_000)), self.cache / "tokenizer")
        barrier()
        tokenizer = load_tokenizer(self.cache / "tokenizer")

        def lesson(index: int) -> tuple[str, torch.Tensor]:
            text, findings = write(index)
            return text, torch.from_numpy(slot_vector(findings))

        schedule = Schedule(steps=max(20, self.steps * 3 // 8), rate=1.5e-3, minutes=self.minutes / 15)
        tower = train_text_tower(lesson, tokenizer, self._run("text", schedule))
        if rank() == 0:
            tower.save_pretrained(self.cache / "text_encoder")

    def looks(self) -> None:
        """Fit the statistics of frontal films, for the gates that do not depend on findings."""
        if rank() > 0:
            return
        save_film_look(fit_film_look(self.archive.images), self.judges)
        kept = self.good.mean()
        self.say(f"the film gates keep {kept:.1%} of hospital A")

    @cached_property
    def good(self) -> np.ndarray:
        """Which films of hospital A the gates accept, (n,) of bool."""
        path = self.cache / f"good-{self.films}.npy"
        if not path.exists():
            np.save(path, accepted(self.archive.images, self.judges))
        return np.load(path)

    def agreement(self) -> None:
        """Train the classifier that the agreement gate uses."""
        self._judge("agreement")

    def examiner(self) -> None:
        """Train the classifier that only ever measures."""
        self._judge("examiner")

    def _judge(self, name: str) -> None:
        targets = np.stack([sided_vector(findings) for findings in self.archive.findings])
        chances = film_chances(self.archive.labels, self.good, power=1.0, normal=1.0)
        schedule = Schedule(steps=max(20, self.steps // 4), rate=3e-3, minutes=self.minutes / 8)
        net = train_classifier(name, self.archive.images, targets, chances, self._run(name, schedule))
        if rank() > 0:
            return
        auroc = label_auroc(logits(net, self.test.images), self.test.labels)
        self.say(f"{name} on hospital B: " + ", ".join(f"{key} {value:.3f}" for key, value in auroc.items()))
        facts = {"auroc_hospital_b": auroc, "passing_logits": self._passing(net)}
        save_classifier(net, name, self.judges, facts)

    def _passing(self, net: Any, sample: int = 2000) -> list[float]:
        """Per label, the logit that all but a fiftieth of hospital A's films without it stay under."""
        rows = np.flatnonzero(self.good)[:sample]
        answers, labels = logits(net, self.archive.images[rows]), self.archive.labels[rows].astype(bool)
        return [float(np.quantile(answers[~labels[:, at], at], 0.98)) for at in range(len(LABELS))]

    def denoiser(self) -> None:
        """Train the U-Net on the latents of films that the gates accept, with several wordings of each."""
        torchvision_ready()
        from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL
        from transformers import CLIPTextModel

        vae = AutoencoderKL.from_pretrained(self.cache / "vae").to(memory_format=torch.channels_last)  # pyright: ignore
        tower = CLIPTextModel.from_pretrained(self.cache / "text_encoder").eval()
        tokenizer = load_tokenizer(self.cache / "tokenizer")
        self.say("encoding films and texts")
        chances = film_chances(self.archive.labels, self.good, TAIL_POWER, NORMAL_SHARE)
        count = min(LESSONS, int((chances > 0).sum()))
        rows = torch.multinomial(chances, count, generator=torch.Generator().manual_seed(17))
        latents = self._shared("latents", self.archive.images[rows.numpy()], lambda images: encode(vae, images))
        worded = self._wordings()
        texts = sorted({"", *(text for way in worded for text in way)})
        states = self._shared("states", texts, lambda part: read(tower, tokenizer, part))
        place = {text: at for at, text in enumerate(texts)}
        wordings = torch.tensor([[place[text] for text in way] for way in worded]).T[rows]
        schedule = Schedule(self.steps, 6e-4, self.minutes)
        data = DescribedLatents(latents, states, wordings, states[place[""]], chances[rows])
        net = train_denoiser(data, self._run("denoiser", schedule))
        if rank() == 0:
            net.save_pretrained(self.cache / "unet")

    def _run(self, name: str, schedule: Schedule) -> Run:
        return Run(schedule, self.cache / f"{name}.pt", self.say)

    def _shared(self, name: str, things: Any, make: Callable[[Any], torch.Tensor]) -> torch.Tensor:
        """`make` over `things`, each process doing its part, kept under the cache folder."""
        bounds = np.linspace(0, len(things), world_size() + 1).astype(int)
        paths = [self.cache / f"{name}-{len(things)}-{world_size()}-{part}.pt" for part in range(world_size())]
        if not paths[rank()].exists():
            torch.save(make(things[bounds[rank()] : bounds[rank() + 1]]), paths[rank()])
        barrier()
        return torch.cat([torch.load(path, weights_only=True) for path in paths])

    def _wordings(self) -> list[list[str]]:
        rng = np.random.default_rng(13)
        plain = [[plain_impression(f, rng) for f in self.archive.findings] for _ in range(WORDINGS - 1)]
        return [self.archive.impressions, *plain]

    def save(self) -> None:
        """Put the parts together as a pipeline of half-precision safetensors."""
        if rank() > 0:
            return
        save_pipeline(self.cache, self.out)
        size = sum(path.stat().st_size for path in self.out.rglob("*") if path.is_file())
        self.say(f"{self.out}: {size / 1e6:.1f} MB")


def save_pipeline(parts: Path, out: Path) -> None:
    """Write the `StableDiffusionPipeline` whose trained parts lie under `parts` to `out`, replacing it whole."""
    torchvision_ready()
    from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL
    from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel
    from diffusers.pipelines.stable_diffusion.pipeline_stable_diffusion import StableDiffusionPipeline
    from transformers import CLIPTextModel

    vae: Any = AutoencoderKL.from_pretrained(parts / "vae")
    unet: Any = UNet2DConditionModel.from_pretrained(parts / "unet")
    pipeline = StableDiffusionPipeline(
        vae=vae.half(), unet=unet.half(), text_encoder=CLIPTextModel.from_pretrained(parts / "text_encoder").half(),
        tokenizer=load_tokenizer(parts / "tokenizer"), scheduler=new_scheduler(),
        safety_checker=None, feature_extractor=None, requires_safety_checker=False,  # pyright: ignore
    )  # fmt: skip
    fresh = out.with_name(out.name + ".new")
    shutil.rmtree(fresh, ignore_errors=True)
    pipeline.save_pretrained(fresh, safe_serialization=True)
    for path in fresh.glob("*/config.json"):
        facts = json.loads(path.read_text())
        facts.pop("_name_or_path", None)  # the path of this machine's cache
        path.write_text(json.dumps(facts, indent=2) + "\n")
    for path in fresh.rglob("*.safetensors"):
        path.chmod(0o644)  # safetensors writes files that only their owner may read
    shutil.rmtree(out, ignore_errors=True)
    fresh.rename(out)


def main() -> None:
    """Run the stages asked for, in order."""
    root = Path(__file__).parents[2]
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=root / "models" / "assets" / "image-generator")
    parser.add_argument("--judges", type=Path, default=root / "models" / "assets" / "judges")
    parser.add_argument("--cache", type=Path, default=root / ".synthcxr" / "cache" / "image-generator")
    parser.add_argument("--films", type=int, default=20_000)
    parser.add_argument("--minutes", type=float, default=45.0, help="most time for the denoiser; others in scale")
    parser.add_argument("--steps", type=int, default=8_000)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--only", nargs="*", choices=STAGES, default=STAGES)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    join_ranks()
    builder = AssetBuilder(
        args.out, args.judges, args.cache, args.films, minutes=args.minutes, steps=args.steps, workers=args.workers
    )
    for stage in args.only:
        builder.say(f"stage {stage}")
        getattr(builder, stage)()
        barrier()


if __name__ == "__main__":
    main()
