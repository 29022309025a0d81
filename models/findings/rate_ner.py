"""RaTE-NER: a DeBERTa token classifier for the five entity types (Zhao et al. 2024, RaTEScore), by transformers.

The paper's recogniser (section 1). Weights are a local folder or a hub id, such as ``Angelakeke/RaTE-NER-Deberta``;
none ship with the project.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from models.compat import torchvision_ready
from models.contracts import EntityType, ModelNotFound
from models.findings.chest_recogniser import Span, Status

_TYPES = {kind.value.replace("_", "-"): kind for kind in EntityType}
_ABSENT = (EntityType.NON_ABNORMALITY, EntityType.NON_DISEASE)


class RateNer:
    """Typed spans from a token classifier (protocol `SpanRecogniser`).

    Args:
        model: a folder in the transformers layout, or a hub id.
        revision: the hub's commit; pin it for a dataset that must be made again.
        batch: texts per forward pass.
        device: such as ``cpu`` or ``cuda:0``.

    Raises:
        ModelNotFound: no model there, or one whose labels are not the five types.
    """

    def __init__(self, model: str, revision: str | None = None, batch: int = 16, device: str = "cpu") -> None:
        torchvision_ready()
        from transformers import AutoModelForTokenClassification, AutoTokenizer, TokenClassificationPipeline

        if model.startswith((".", "/", "~")) and not Path(model).expanduser().is_dir():
            raise ModelNotFound(f"recogniser: the folder {model} does not exist")
        path = str(Path(model).expanduser()) if Path(model).expanduser().is_dir() else model
        try:
            net = AutoModelForTokenClassification.from_pretrained(path, revision=revision, use_safetensors=True)
            tokenizer: Any = AutoTokenizer.from_pretrained(path, revision=revision)
        except (OSError, ValueError) as error:
            raise ModelNotFound(f"recogniser: {model} holds no token classifier with safetensors: {error}") from error
        labels = {str(label) for label in net.config.id2label.values()}
        unknown = sorted(label for label in labels if label != "O" and _type(label) is None)
        if unknown or labels == {"O"}:
            raise ModelNotFound(f"recogniser: {model} has the labels {unknown or ['O']}, not those of RaTE-NER")
        limit = min(int(tokenizer.model_max_length), int(getattr(net.config, "max_position_embeddings", 512)))
        tokenizer.model_max_length = limit
        # A report longer than the model's window is read in windows that overlap by a quarter.
        self._pipeline = TokenClassificationPipeline(
            model=net.eval(), tokenizer=tokenizer, device=device, aggregation_strategy="first", stride=limit // 4
        )
        self._batch = batch

    def spans(self, texts: Sequence[str]) -> list[list[Span]]:
        """Entities per text, in order; spans index the text, and the term is the text in lower case."""
        wanted = [number for number, text in enumerate(texts) if text.strip()]
        results: list[list[Span]] = [[] for _ in texts]
        answers: Any = self._pipeline([texts[number] for number in wanted], batch_size=self._batch) if wanted else []
        for number, groups in zip(wanted, answers, strict=True):
            results[number] = [span for group in groups if (span := _span(texts[number], group)) is not None]
        return results


def _type(label: str) -> EntityType | None:
    return _TYPES.get(label.removeprefix("B-").removeprefix("I-").lower().replace("_", "-"))


def _span(text: str, group: dict[str, Any]) -> Span | None:
    kind = _type(str(group["entity_group"]))
    if kind is None:
        return None
    start, end = int(group["start"]), int(group["end"])
    start += len(text[start:end]) - len(text[start:end].lstrip())
    term = " ".join(text[start:end].lower().split())
    status: Status = "absent" if kind in _ABSENT else "present"
    return Span(start, end, text[start:end], term, term, kind, status) if term else None
