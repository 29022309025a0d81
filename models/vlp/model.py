"""Make, save, load and ask a vision-language model."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

import numpy as np

from models.device import device_of, pick_device
from models.vlp.heads import NAME, Heads, PrepareModel, heads_of
from models.vlp.library import open_clip
from models.vlp.names import IMAGE_SIZE, wrong_config
from models.vlp.normalisation import Normalisation
from models.vlp.text_tower import TextTower
from models.vlp.views import plain_view
from models.vlp.vocabulary import Tokenizer, tokenizer_of

if TYPE_CHECKING:
    import torch

DEFAULT = "synthcxr-tiny"
LEAST_TEXT = {"context_length": 4, "vocab_size": 4, "width": 8, "heads": 1, "layers": 1}
"""Of open_clip's own text tower where another takes its place at once."""


@runtime_checkable
class GivesRegions(Protocol):
    """A module that embeds the places of an image by itself."""

    def encode_regions(self, images: torch.Tensor) -> torch.Tensor:
        """Images (b, channels, h, w) to embeddings (b, height, width, d) of their places, of any length."""
        ...


@dataclass(frozen=True, slots=True)
class VisionLanguageModel:
    """A model with the tokenizer and film size that belong to it; it computes where its weights are.

    Args:
        name: what messages call it.
        module: of open_clip, or of another library behind the same methods: ``encode_image``, ``encode_text`` and,
            where it has maps of its own, `GivesRegions`.
        tokenizer: of its text tower.
        film_size: side in pixels of the films that it reads.
        normalisation: what its images were normalised with in training; None: each film by itself, as ours are.
        identity: names the content of its weights where they lie in a store or in files, so that what it embeds can
            be kept; None for a model that is not to be found again.
    """

    name: str
    module: Any
    tokenizer: Tokenizer
    film_size: int
    normalisation: Normalisation | None = None
    identity: str | None = None

    def embed_images(self, films: np.ndarray, batch: int = 128) -> np.ndarray:
        """Films (n, size, size) uint8 to (n, d) float32 of unit norm."""
        import torch

        self.module.eval()
        rows = []
        with torch.inference_mode():
            for at in range(0, len(films), batch):
                part = torch.from_numpy(np.ascontiguousarray(films[at : at + batch]))
                rows.append(_unit_rows(self._embed_images(self.views(part.to(self.device)))))
        return np.concatenate(rows) if rows else np.zeros((0, self._width), np.float32)

    def embed_regions(self, films: np.ndarray, batch: int = 64, *, finer: bool = False) -> Iterator[np.ndarray]:
        """Films (n, size, size) uint8 to embeddings (b, height, width, d) float32 of their places, `batch` at a time.

        They have any length: with average pooling and an affine projection their mean is the film's embedding before
        it is scaled to unit length.

        Args:
            films: see above.
            batch: see above.
            finer: look between the places of a convolutional tower too (`models.vlp.features.finer_places`).

        Raises:
            NoFeatures: the image tower gives only whole embeddings.
        """
        import torch

        from models.vlp.features import finer_places

        self.module.eval()
        for at in range(0, len(films), batch):
            part = torch.from_numpy(np.ascontiguousarray(films[at : at + batch]))
            with torch.inference_mode(), finer_places(self.module) if finer else nullcontext():
                yield self._embed_regions(self.views(part.to(self.device))).float().cpu().numpy()

    def embed_texts(self, texts: Sequence[str], batch: int = 256) -> np.ndarray:
        """Texts to (n, d) float32 of unit norm."""
        import torch

        self.module.eval()
        with torch.inference_mode():
            parts = (texts[at : at + batch] for at in range(0, len(texts), batch))
            rows = [_unit_rows(self._embed_texts(part)) for part in parts]
        return np.concatenate(rows) if rows else np.zeros((0, self._width), np.float32)

    def views(self, films: torch.Tensor) -> torch.Tensor:
        """Films (n, size, size) uint8 as the image tower reads them, (n, channels, size, size) float32."""
        return self.seen(plain_view(films)) if self.normalisation is None else self.normalisation.views(films)

    def seen(self, views: torch.Tensor) -> torch.Tensor:
        """Grey views (n, 1, h, w) with the channels that the image tower reads: one, or three times the same.

        Every tower that is trained here gets views of mean 0 and deviation 1 each (`models.vlp.views`). The mean and
        deviation that open_clip keeps with some weights are those of photographs; they apply where such weights are
        evaluated as they are (`normalisation`).
        """
        return views.expand(-1, channels_of(self.module), -1, -1)

    def to_bytes(self) -> bytes:
        """The weights as safetensors."""
        from safetensors.torch import save

        state = self.module.state_dict()
        return save({key: value.detach().cpu().contiguous() for key, value in state.items()})

    @property
    def device(self) -> torch.device:
        """Where its weights are."""
        return device_of(self.module)

    @property
    def heads(self) -> Heads | None:
        """The layers that its objective put on the towers; None where open_clip's own projections embed."""
        return heads_of(self.module)

    def _embed_images(self, view: torch.Tensor) -> torch.Tensor:
        heads = self.heads
        return self.module.encode_image(view) if heads is None else heads.embed_images(self.module, view)

    def _embed_regions(self, view: torch.Tensor) -> torch.Tensor:
        if self.heads is not None:
            return self.heads.embed_regions(self.module, view)
        if isinstance(self.module, GivesRegions):
            return self.module.encode_regions(view)
        from models.vlp.features import position_features

        places = position_features(self.module, view)
        return self.module.visual.head(places.flatten(0, 2)).reshape(*places.shape[:3], -1)

    def _embed_texts(self, texts: Sequence[str]) -> torch.Tensor:
        ids, heads = self.tokenizer(texts).to(self.device), self.heads
        if heads is None:
            return self.module.encode_text(ids)
        return heads.embed_texts(self.module, ids, self.tokenizer.word_ids(texts).to(self.device))

    @property
    def _width(self) -> int:
        if self.heads is not None:
            return self.heads.width
        own = getattr(self.module, "embed_dim", None)
        return int(_config(self.name)["embed_dim"] if own is None else own)


def _unit_rows(embeddings: torch.Tensor) -> np.ndarray:
    from torch.nn import functional as F

    return F.normalize(embeddings, dim=-1).float().cpu().numpy()


def film_size(name: str = DEFAULT) -> int:
    """Side in pixels of the films that the model reads."""
    return int(_config(name)["vision_cfg"].get("image_size", IMAGE_SIZE))


def channels_of(module: Any) -> int:
    """Channels of the images that an open_clip model reads: 1 where its tower says so (`film_channels`), else 3."""
    return int(getattr(getattr(module.visual, "trunk", None), "film_channels", 3))


def create(
    name: str = DEFAULT, seed: int = 0, device: str = "cpu", prepare: PrepareModel | None = None,
    text_tower: TextTower | None = None,
) -> VisionLanguageModel:  # fmt: skip
    """An untrained model; the same seed gives the same weights, on whatever device (`models.device`).

    Args:
        name: of an open_clip model.
        seed: of the weights.
        device: where it computes.
        prepare: what an objective does to it, such as adding heads; the towers' weights are the same without.
        text_tower: takes the place of the model's own, with its trained weights.

    Raises:
        ValueError: open_clip has no model of that name.
        ModelNotFound: its tokenizer or text tower cannot be had; the message says how to get it.
    """
    import torch

    library, config = open_clip(), _config(name)
    if wrong := wrong_config(name, config, text_tower is not None):
        raise ValueError(wrong)
    replaced = {} if text_tower is None else {"force_custom_text": True, "text_cfg": LEAST_TEXT}
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        with quiet():
            module = library.create_model(name, load_weights=False, pretrained_text=False, **replaced)
        if text_tower is None:
            tokenizer = tokenizer_of(name, config)
        else:
            from models.vlp.transformers_text import load_text_tower

            module.text, tokenizer = load_text_tower(text_tower, int(config["embed_dim"]))
            module.context_length, module.vocab_size = module.text.context_length, module.text.vocab_size
        if prepare is not None:
            prepare(module)
    module = module.to(pick_device(device), memory_format=torch.channels_last)
    return VisionLanguageModel(name, module, tokenizer, film_size(name))


def _config(name: str) -> dict[str, Any]:
    config = open_clip().get_model_config(name)
    if config is None:
        raise ValueError(f"open_clip knows no model {name!r}: use {DEFAULT!r} or one of open_clip.list_models()")
    return config


@contextmanager
def quiet() -> Iterator[None]:
    """Hush open_clip's warning that there are no pretrained weights: that is what was asked for."""
    before = logging.root.manager.disable
    logging.disable(max(before, logging.WARNING))
    try:
        yield
    finally:
        logging.disable(before)


def load(
    weights: bytes, name: str = DEFAULT, device: str = "cpu", prepare: PrepareModel | None = None,
    text_tower: TextTower | None = None,
) -> VisionLanguageModel:  # fmt: skip
    """A trained model from safetensors bytes, on a device (`models.device`).

    Args:
        weights: of the model, and of the heads where there are some.
        name: of an open_clip model.
        device: where it computes.
        prepare: of the objective that trained it; asked only where the weights hold heads.
        text_tower: that it was created with; its folder must still be here, for the tokenizer and the network.

    Raises:
        ValueError: the weights are damaged or belong to another model.
        ModelNotFound: as `create`.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load as parse

    try:
        state = parse(weights)
        headed = any(key.startswith(f"{NAME}.") for key in state)
        if headed and prepare is None:
            raise ValueError(f"these weights of {name!r} hold the heads of an objective: say which objective")
        model = create(name, device=device, prepare=prepare if headed else None, text_tower=text_tower)
    except SafetensorError as error:
        raise ValueError(f"these {len(weights)} bytes are no weights of {name!r}: {error}") from error
    if wrong := unfit(model.module, state):
        raise ValueError(f"these {len(weights)} bytes are no weights of {name!r}: {wrong}")
    model.module.load_state_dict(state, strict=True)
    return model


def unfit(module: Any, state: Mapping[str, torch.Tensor]) -> str | None:
    """Why weights by name are not those of `module`, in one line; None where each fits."""
    own: dict[str, torch.Tensor] = module.state_dict()
    other = [
        f"{name} is {tuple(state[name].shape)} and not {tuple(value.shape)}"
        for name, value in own.items()
        if name in state and state[name].shape != value.shape
    ]
    lacking, extra = [name for name in own if name not in state], [name for name in state if name not in own]
    kinds = ((lacking, "missing"), (extra, "of another model"), (other, "of another shape"))
    wrong = [f"{len(names)} weights are {what} (such as {names[0]})" for names, what in kinds if names]
    return "; ".join(wrong) or None
