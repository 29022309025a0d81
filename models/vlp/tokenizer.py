"""Our own small tokenizer: at most 1,024 byte-level pieces of radiology text, so that no word is unknown."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import Tensor

VOCABULARY = 1024
PAD, START, END = 0, 1, 2
SPECIAL = ("<pad>", "<start>", "<end>")
SHIPPED = Path(__file__).parent / "tokenizer.json"


class ReportTokenizer:
    """Texts to (n, context_length) token ids the way open_clip expects: start, pieces, end, padding.

    Upper case is folded; text beyond the context is cut and still ends with the end token.

    Raises:
        FileNotFoundError: `path` does not exist.
    """

    def __init__(self, path: Path = SHIPPED, context_length: int = 24) -> None:
        from tokenizers import Tokenizer

        if not path.exists():
            raise FileNotFoundError(f"no tokenizer at {path}: it is part of the package, install it again")
        self.context_length = context_length
        self._tokenizer: Any = Tokenizer.from_file(str(path))

    @property
    def vocab_size(self) -> int:
        return self._tokenizer.get_vocab_size()

    def __call__(self, texts: str | Sequence[str], context_length: int | None = None) -> Tensor:
        """Token ids, int64 (n, context_length)."""
        import torch

        length = context_length or self.context_length
        batch = [texts] if isinstance(texts, str) else list(texts)
        ids = torch.full((len(batch), length), PAD, dtype=torch.long)
        for row, encoding in enumerate(self._tokenizer.encode_batch(batch)):
            pieces = [START, *encoding.ids[: length - 2], END]
            ids[row, : len(pieces)] = torch.tensor(pieces)
        return ids

    def word_ids(self, texts: str | Sequence[str], context_length: int | None = None) -> Tensor:
        """Which word each token is a piece of, int64 (n, context_length), for the tokens that calling it gives.

        The start token is word 0, the words of the text follow from 1; the end token and padding are -1.
        """
        import torch

        length = context_length or self.context_length
        batch = [texts] if isinstance(texts, str) else list(texts)
        words = torch.full((len(batch), length), -1, dtype=torch.long)
        for row, encoding in enumerate(self._tokenizer.encode_batch(batch)):
            numbers = [0, *(number + 1 for number in encoding.word_ids[: length - 2])]
            words[row, : len(numbers)] = torch.tensor(numbers)
        return words


@lru_cache(maxsize=4)
def shipped(context_length: int = 24) -> ReportTokenizer:
    """The tokenizer that belongs to ``synthcxr-tiny``."""
    return ReportTokenizer(SHIPPED, context_length)


def build_tokenizer(texts: Iterable[str], path: Path, vocabulary: int = VOCABULARY) -> None:
    """Learn byte-pair merges from `texts` and write them to `path`; the same texts give the same file."""
    from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.BPE())
    tokenizer.normalizer = normalizers.Sequence([normalizers.NFKC(), normalizers.Lowercase()])  # pyright: ignore
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)  # pyright: ignore
    tokenizer.decoder = decoders.ByteLevel()  # pyright: ignore
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary,
        special_tokens=list(SPECIAL),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    tokenizer.save(str(path))
