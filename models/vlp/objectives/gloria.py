"""GLoRIA: regions against words, and images against texts, with the definitions of the released code."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from pydantic import Field
from torch import Tensor, nn

from models.typed import Amount, Count, Options, Side
from models.vlp.features import (
    ImageFeatures,
    TextFeatures,
    feature_widths,
    image_features,
    mean_of_words,
    text_features,
    words_of,
)
from models.vlp.heads import Heads, attach_heads, heads_of
from models.vlp.losses.gloria import Aggregate, LocalSimilarity, Words, global_loss, local_loss
from models.vlp.losses.same_text import SameText, positives_of

if TYPE_CHECKING:
    from models.vlp.model import VisionLanguageModel
    from models.vlp.objectives import TrainingBatch

Scale = Annotated[float, Field(gt=0, le=1000)]


class GloriaOptions(Options):
    """What ``gloria`` takes."""

    attention_scale: Scale = Field(default=4.0, description="between the softmax over words and that over regions")
    word_scale: Scale = Field(default=5.0, description="of the cosine of a word with what it looks at")
    scale: Scale = Field(default=10.0, description="of local and global similarities in the cross-entropies")
    local_weight: Amount = Field(default=1.0, le=1000, description="of the local term")
    global_weight: Amount = Field(default=1.0, le=1000, description="of the global term")
    aggregate: Aggregate = Field(
        default="sum", description="over words; `sum`, as released, favours long texts, `mean` does not"
    )
    layers: Count = Field(default=4, le=64, description="last layers of the text tower that are summed")
    stride: Count = Field(default=16, le=256, description="pixels a region; 16 is the third stage of a ResNet")
    enlarge_to: Side | None = Field(
        default=None, description="pixels to which images are enlarged first; GLoRIA enlarges 224 to 299"
    )
    chunk: Count = Field(default=16, le=65_536, description="texts whose attention is in memory at once")
    same_text: SameText = Field(default="negative", description="what pairs with equal texts are to each other")


class GloriaHeads(Heads):
    """Images and their regions are projected to the width of the text tower, whose own features are the texts'.

    Args:
        module: the open_clip model.
        options: which regions, of images of which size; how many layers of a text.
    """

    def __init__(self, module: nn.Module, options: GloriaOptions) -> None:
        super().__init__()
        widths = feature_widths(module, options.stride)
        self.width, self._options = widths.text, options
        self.regions = nn.Conv2d(widths.regions, widths.text, 1, bias=False)
        self.image = nn.Linear(widths.pooled, widths.text)

    def image_features(self, module: nn.Module, images: Tensor) -> ImageFeatures:
        """Embeddings (b, d) of images, and those of their regions (b, d, h, w)."""
        found = image_features(module, images, self._options.stride, self._options.enlarge_to)
        return ImageFeatures(self.image(found.pooled), self.regions(found.regions))

    def text_features(self, module: nn.Module, ids: Tensor, words: Tensor) -> TextFeatures:
        """The tokens of texts, their last layers summed."""
        return text_features(module, ids, words, self._options.layers)

    def embed_images(self, module: nn.Module, images: Tensor) -> Tensor:
        """See the base class."""
        return self.image_features(module, images).pooled

    def embed_regions(self, module: nn.Module, images: Tensor) -> Tensor:
        """See the base class: the regions that words were compared with in training."""
        return self.image_features(module, images).regions.permute(0, 2, 3, 1)

    def embed_texts(self, module: nn.Module, ids: Tensor, words: Tensor) -> Tensor:
        """See the base class: the mean over words."""
        return mean_of_words(self.text_features(module, ids, words))


class GloriaObjective:
    """GLoRIA as released (Huang et al., 2021): each word looks at the regions that it speaks of.

    The attention of a word over the regions and the sum over words are computed in float32, in chunks of texts.
    """

    options_model = GloriaOptions
    needs_features = True

    def __init__(self, options: GloriaOptions) -> None:
        self._options = options
        self._how = LocalSimilarity(options.attention_scale, options.word_scale, options.aggregate, options.chunk)

    def prepare(self, module: nn.Module) -> None:
        """Put the heads on a fresh model."""
        attach_heads(module, GloriaHeads(module, self._options))

    def losses(self, model: VisionLanguageModel, batch: TrainingBatch) -> dict[str, Tensor]:
        """``local`` and ``global``, scalars with their weights in them."""
        return self.feature_losses(model, self.embed(model, batch), batch.texts)

    def embed(self, model: VisionLanguageModel, batch: TrainingBatch) -> tuple[Tensor, ...]:
        """Images (b, d), their regions (b, r, d), texts (b, d), their words (b, w, d), and which slots hold a word."""
        heads = heads_of(model.module)
        if not isinstance(heads, GloriaHeads):
            raise ValueError("this model has no heads of gloria: make it with the objective's prepare")
        image = heads.image_features(model.module, batch.images)
        ids = model.tokenizer.word_ids(batch.texts).to(batch.tokens.device)
        text = heads.text_features(model.module, batch.tokens, ids)
        words, regions = words_of(text), image.regions.flatten(2).transpose(1, 2)
        return image.pooled, regions, mean_of_words(text), words.embeddings, words.mask

    def feature_losses(
        self, _: VisionLanguageModel, features: tuple[Tensor, ...], texts: tuple[str, ...], /
    ) -> dict[str, Tensor]:
        """``local`` and ``global`` of what `embed` gives."""
        options, (images, regions, read, words, mask) = self._options, features
        positives = positives_of(texts, options.same_text, images.device)
        local = local_loss(regions, Words(words, mask), options.scale, self._how, positives)
        whole = global_loss(images, read, options.scale, positives)
        return {"local": options.local_weight * local, "global": options.global_weight * whole}
