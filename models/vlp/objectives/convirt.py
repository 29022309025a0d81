"""ConVIRT in two presets: with the numbers of its paper, and as MGCA's code has it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field
from torch import Tensor, nn

from models.typed import Count, Options, Share
from models.vlp.features import (
    feature_widths,
    image_features,
    max_of_tokens,
    mean_of_tokens,
    position_features,
    text_features,
)
from models.vlp.heads import Heads, attach_heads, heads_of
from models.vlp.losses.contrast import SUM, Directions
from models.vlp.losses.convirt import convirt_loss
from models.vlp.losses.same_text import SameText, positives_of

if TYPE_CHECKING:
    from models.vlp.model import VisionLanguageModel
    from models.vlp.objectives import TrainingBatch

TextPool = Literal["mean", "max", "tower"]
ContrastTemperature = Annotated[float, Field(ge=0.001, le=100)]


class ConvirtOptions(Options):
    """What ``convirt`` takes."""

    temperature: ContrastTemperature = Field(default=0.1, description="cosines are divided by it; it is not learnt")
    image_to_text: Share = Field(
        default=0.75, description="weight of finding the text of an image; the other direction has the rest of 1"
    )
    width: Count = Field(default=512, le=65_536, description="of the embeddings")
    hidden: Count | None = Field(
        default=None, le=65_536, description="width between a head's two linear layers; None takes that of its input"
    )
    text_pool: TextPool = Field(
        default="mean", description="of the tokens of words; `tower` takes the token that stands for the text"
    )
    same_text: SameText = Field(default="negative", description="what pairs with equal texts are to each other")


class MgcaConvirtOptions(Options):
    """What ``convirt_mgca`` takes."""

    temperature: ContrastTemperature = Field(default=0.07, description="cosines are divided by it; it is not learnt")
    hidden: Count = Field(default=2048, le=65_536, description="width between a head's two linear layers")
    width: Count = Field(default=128, le=65_536, description="of the embeddings")
    text_pool: TextPool = Field(
        default="tower", description="of the tokens of words; `tower` takes the token that stands for the text"
    )
    same_text: SameText = Field(default="negative", description="what pairs with equal texts are to each other")


class PooledHeads(Heads):
    """One network on the pooled features of either side.

    Args:
        image, text: from pooled features (b, d) to embeddings (b, `width`).
        width: of the embeddings.
        text_pool: how the features of a text's tokens become those of the text.
    """

    def __init__(self, image: nn.Module, text: nn.Module, width: int, text_pool: TextPool) -> None:
        super().__init__()
        self.image, self.text, self.width, self._text_pool = image, text, width, text_pool

    def embed_images(self, module: nn.Module, images: Tensor) -> Tensor:
        """See the base class."""
        return self.image(image_features(module, images).pooled)

    def embed_regions(self, module: nn.Module, images: Tensor) -> Tensor:
        """See the base class: the head on each place of the last stage."""
        places = position_features(module, images)
        return self.image(places.flatten(0, 2)).reshape(*places.shape[:3], self.width)

    def embed_texts(self, module: nn.Module, ids: Tensor, words: Tensor) -> Tensor:
        """See the base class."""
        features = text_features(module, ids, words)
        if self._text_pool == "tower":
            return self.text(features.pooled)
        return self.text(mean_of_tokens(features) if self._text_pool == "mean" else max_of_tokens(features))


def _attach(module: nn.Module, head: Callable[[int], nn.Module], options: ConvirtOptions | MgcaConvirtOptions) -> None:
    """Put a head for features of each side's width on a fresh model, the images' first."""
    widths = feature_widths(module)
    image, text = head(widths.pooled), head(widths.text)
    attach_heads(module, PooledHeads(image, text, options.width, options.text_pool))


class _ContrastsPooled:
    """What both presets have in common: the features that are contrasted, and how."""

    def __init__(self, options: ConvirtOptions | MgcaConvirtOptions, directions: Directions) -> None:
        self._shared, self._directions = options, directions

    def losses(self, model: VisionLanguageModel, batch: TrainingBatch) -> dict[str, Tensor]:
        """``contrastive``, a scalar."""
        return self.feature_losses(model, self.embed(model, batch), batch.texts)

    def embed(self, model: VisionLanguageModel, batch: TrainingBatch) -> tuple[Tensor, Tensor]:
        """The embeddings (b, d) of images and texts, of any length."""
        heads, words = heads_of(model.module), model.tokenizer.word_ids(batch.texts).to(batch.tokens.device)
        if heads is None:
            raise ValueError("this model has no heads: make it with the objective's prepare")
        images = heads.embed_images(model.module, batch.images)
        return images, heads.embed_texts(model.module, batch.tokens, words)

    def feature_losses(
        self, _: VisionLanguageModel, features: tuple[Tensor, ...], texts: tuple[str, ...], /
    ) -> dict[str, Tensor]:
        """``contrastive`` of what `embed` gives."""
        images, read = features
        positives = positives_of(texts, self._shared.same_text, images.device)
        return {"contrastive": convirt_loss(images, read, self._shared.temperature, self._directions, positives)}


class ConvirtObjective(_ContrastsPooled):
    """ConVIRT with the numbers of its paper (Zhang et al., 2020).

    Heads of linear, ReLU, linear on both sides; the weighted mean of both cross-entropies at a fixed temperature.
    """

    options_model = ConvirtOptions
    needs_features = True

    def __init__(self, options: ConvirtOptions) -> None:
        super().__init__(options, Directions(options.image_to_text, 1 - options.image_to_text))
        self._options = options

    def prepare(self, module: nn.Module) -> None:
        """Put the heads on a fresh model."""
        options = self._options

        def head(width: int) -> nn.Module:
            hidden = options.hidden or width
            return nn.Sequential(nn.Linear(width, hidden), nn.ReLU(), nn.Linear(hidden, options.width))

        _attach(module, head, options)


class MgcaConvirtObjective(_ContrastsPooled):
    """ConVIRT as MGCA's code has it, which many tables of results were made with (Wang et al., 2022).

    Heads of linear, batch norm, ReLU, linear, batch norm; both cross-entropies summed, twice their mean.
    """

    options_model = MgcaConvirtOptions
    needs_features = True

    def __init__(self, options: MgcaConvirtOptions) -> None:
        super().__init__(options, SUM)
        self._options = options

    def prepare(self, module: nn.Module) -> None:
        """Put the heads on a fresh model."""
        options = self._options

        def head(width: int) -> nn.Module:
            return nn.Sequential(
                nn.Linear(width, options.hidden),
                nn.BatchNorm1d(options.hidden),
                nn.ReLU(),
                nn.Linear(options.hidden, options.width),
                nn.BatchNorm1d(options.width, affine=False),
            )

        _attach(module, head, options)
