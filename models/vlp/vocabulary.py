"""The tokenizer that belongs to an open_clip model: ours, CLIP's byte-level BPE, or one of transformers."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from models.contracts import ModelNotFound
from models.vlp.library import open_clip
from models.vlp.names import lacking
from models.vlp.tokenizer import VOCABULARY, shipped

if TYPE_CHECKING:
    from torch import Tensor

CLIP_CONTEXT = 77


class Tokenizer(Protocol):
    """From texts to what a text tower reads."""

    @property
    def context_length(self) -> int:
        """Tokens of a row."""
        ...

    def __call__(self, texts: str | Sequence[str]) -> Tensor:
        """Token ids, int64 (n, context_length)."""
        ...

    def word_ids(self, texts: str | Sequence[str]) -> Tensor:
        """Which word each token is a piece of, int64 (n, context_length), for the tokens that calling it gives.

        Words are numbered from 0 without a gap, a start token being one of them; the end token and padding are -1.
        """
        ...


class ClipTokenizer:
    """CLIP's byte-level BPE of 49,408 pieces, which comes with open_clip.

    Args:
        inner: an ``open_clip.SimpleTokenizer``.
    """

    def __init__(self, inner: Any) -> None:
        self.context_length = int(inner.context_length)
        self._inner = inner

    def __call__(self, texts: str | Sequence[str]) -> Tensor:
        """See `Tokenizer`."""
        return self._inner(_listed(texts))

    def word_ids(self, texts: str | Sequence[str]) -> Tensor:
        """See `Tokenizer`. A word is what CLIP's pattern matches; its last piece, and no other, ends in ``</w>``."""
        import torch

        ids, inner = self(texts), self._inner
        special = torch.tensor(inner.all_special_ids)
        closing = torch.tensor([inner.decoder[piece].endswith("</w>") for piece in range(len(inner.decoder))])
        closes = (closing[ids] | torch.isin(ids, special)).long()
        numbers = closes.cumsum(dim=1) - closes
        places = torch.arange(ids.shape[1])
        end = (places * (ids == inner.eot_token_id)).amax(dim=1, keepdim=True)  # a text may spell the end token too
        return numbers.masked_fill(places >= end, -1)


class TransformersTokenizer:
    """A tokenizer of transformers with open_clip's cleaning of texts.

    Args:
        inner: an ``open_clip.tokenizer.HFTokenizer``.
    """

    def __init__(self, inner: Any) -> None:
        self.context_length = int(inner.context_length)
        self._inner = inner

    def __call__(self, texts: str | Sequence[str]) -> Tensor:
        """See `Tokenizer`."""
        import torch

        batch = _listed(texts)
        return self._inner(batch) if batch else torch.zeros((0, self.context_length), dtype=torch.long)

    def word_ids(self, texts: str | Sequence[str]) -> Tensor:
        """See `Tokenizer`.

        Raises:
            ValueError: the tokenizer is none of the fast ones, which alone know words.
        """
        import torch

        inner, batch = self._inner, _listed(texts)
        words = torch.full((len(batch), self.context_length), -1, dtype=torch.long)
        if not batch:
            return words
        if not inner.tokenizer.is_fast:
            raise ValueError(f"{type(inner.tokenizer).__name__} knows no words: add a tokenizer.json to its folder")
        clean = [inner.clean_fn(text) for text in batch]
        found = inner.tokenizer(clean, max_length=self.context_length, padding="max_length", truncation=True)
        for row in range(len(batch)):
            words[row] = torch.tensor(_numbered(found.word_ids(row)))
        return words


def tokenizer_of(name: str, config: Mapping[str, Any]) -> Tokenizer:
    """The tokenizer of the open_clip model `name`.

    Args:
        name: as open_clip has it, or ``local-dir:`` and a folder.
        config: of the model, one that `models.vlp.names.wrong_config` finds no fault with.

    Raises:
        ModelNotFound: it is one of the hub's and not on this machine; the message says which and how to get it.
    """
    text = config["text_cfg"]
    length, source = int(text.get("context_length", CLIP_CONTEXT)), text.get("hf_tokenizer_name")
    if not source and text.get("vocab_size") == VOCABULARY:
        return shipped(length)
    library = open_clip()
    if not source:
        return ClipTokenizer(library.SimpleTokenizer(context_length=length, **text.get("tokenizer_kwargs", {})))
    try:
        return TransformersTokenizer(library.get_tokenizer(name))
    except (OSError, ValueError) as error:
        raise ModelNotFound(lacking(name, source)) from error


def _listed(texts: str | Sequence[str]) -> list[str]:
    return [texts] if isinstance(texts, str) else list(texts)


def _numbered(words: Iterable[Hashable]) -> list[int]:
    """Words of transformers, None where a token is part of none, as `Tokenizer.word_ids` numbers them."""
    numbers: dict[Hashable, int] = {}
    return [
        -1 if word is None and place else numbers.setdefault(word, len(numbers)) for place, word in enumerate(words)
    ]
