"""Gates on report text: complete, nothing invented, consistent, and short enough for the image generator.

The paper checks that the entities recognised in the text are the entities asked (section 2). Here that is two
scores, what is missing and what is too much, each by the words of the entity and by rules for negation.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from models.contracts import Candidate, Entity, EntityType, GateScore, Mention
from models.encoders.text import NGRAMS, text_encoder
from models.findings.mention_text import core, for_impression
from models.gates.text.consistency import clashes
from models.gates.text.match import MODES, Mode, stated
from models.gates.text.vocabulary import vocabulary_of, with_bank
from models.language.prompts import LEAKS
from models.typed import Count, Share

RULES = "rules/1"


class Completeness:
    """Share of the mentions that FINDINGS states with the right polarity; a positive must be in IMPRESSION too.

    A place only has to be named: "No focal lesion in the left upper zone" denies a lesion, not the zone.

    Args:
        mode: ``exact`` requires the words, ``normalised`` takes another word, order or plural of the same finding with
            its attributes, ``soft`` takes an entity of the same type and polarity that is near in an embedding too.
        encoder: what ``soft`` embeds with: ``ngrams``, or a folder or hub id.
        similarity: the cosine from which two entities are near.

    Raises:
        ValueError: an unknown mode.
    """

    name: str = "completeness"

    def __init__(self, mode: Mode = "exact", encoder: str = NGRAMS, similarity: Share = 0.7) -> None:
        if mode not in MODES:
            raise ValueError(f"gate completeness: mode is {mode!r}: it is one of {', '.join(MODES)}")
        self._mode: Mode = mode
        self._similarity = similarity
        self._encoder = text_encoder(encoder) if mode == "soft" else None
        self._model = RULES if self._encoder is None else f"{RULES}+{self._encoder.revision}"

    def score(self, batch: Sequence[Candidate]) -> list[GateScore]:
        """Scores in [0, 1]; 1.0 is complete. A candidate without mentions scores 0."""
        return [self._one(candidate) for candidate in batch]

    def _one(self, candidate: Candidate) -> GateScore:
        if not candidate.mentions:
            return GateScore(self.name, 0.0, "nothing was asked for", RULES)
        summarised = for_impression(candidate.mentions)
        problems = [
            problem
            for mention in candidate.mentions
            if (problem := self._missing(mention, candidate, mention in summarised)) is not None
        ]
        share = 1.0 - len(problems) / len(candidate.mentions)
        return GateScore(self.name, share, "; ".join(problems), self._model)

    def _missing(self, mention: Mention, candidate: Candidate, summarised: bool) -> str | None:
        words = core(mention)
        seen = self._stated(mention, candidate.findings)
        if not seen:
            return f"{words!r} is not in FINDINGS"
        if mention.type is not EntityType.ANATOMY and mention.present not in seen:
            return f"{words!r} is {'denied' if mention.present else 'stated as present'} in FINDINGS"
        if summarised and True not in self._stated(mention, candidate.impression):
            return f"{words!r} is not stated in IMPRESSION"
        return None

    def _stated(self, mention: Mention, text: str) -> list[bool]:
        return stated(mention, text, self._mode, self._encoder, self._similarity)


class _OnVocabulary:
    """Base of the gates on the findings of a vocabulary, that of the recipe's bank or the one that is named."""

    def __init__(self, vocabulary: str | None) -> None:
        self._chosen, self._vocabulary = vocabulary, vocabulary_of(vocabulary)

    def take_bank(self, entities: Sequence[Entity], label_set: str) -> None:  # noqa: ARG002
        """Take the findings of a bank, unless the option names others."""
        self._vocabulary = with_bank(self._chosen, entities) or self._vocabulary

    @property
    def known_labels(self) -> frozenset[str]:
        """The findings of the vocabulary."""
        return self._vocabulary.known

    def covers(self, mention: Mention) -> bool:
        """Whether the score depends on this mention."""
        return self._vocabulary.covers(mention)


class NoExtraFinding(_OnVocabulary):
    """1.0 when the text states no finding but those asked; every one too many divides the score.

    Args:
        vocabulary: the findings that are searched for. ``phantom`` are the phantom's with side, zone and severity;
            ``chest`` those of real reports too, such as a rib fracture; ``bank`` those of real reports and of the
            recipe's bank; else the name of a label set or a file with one. None takes the phantom's where they are
            all findings of the bank, else the bank's. A sign of a finding asked for ("volume loss" of an
            atelectasis) is none of its own.

    Raises:
        ValueError: an unknown vocabulary.
    """

    name: str = "no_extra_finding"

    def __init__(self, vocabulary: str | None = None) -> None:
        super().__init__(vocabulary)

    def score(self, batch: Sequence[Candidate]) -> list[GateScore]:
        """Scores in (0, 1]: 1 / (1 + findings too many)."""
        return [self._one(candidate) for candidate in batch]

    def _one(self, candidate: Candidate) -> GateScore:
        asked = [mention for mention in candidate.mentions if mention.present]
        extra: dict[str, None] = {}
        for section in (candidate.findings, candidate.impression):
            extra |= dict.fromkeys(self._vocabulary.extra(section, asked))
        return GateScore(self.name, 1.0 / (1 + len(extra)), "; ".join(extra), RULES)


class ImpressionConsistency(_OnVocabulary):
    """1.0 when IMPRESSION and FINDINGS agree, neither loops, and no word of the prompt leaked into them.

    They disagree where one denies what the other states, where side or severity differ, and where a normal
    IMPRESSION follows FINDINGS that are not.

    Args:
        ngram: words in a run that must not stand again and again.
        repeats: how often it must stand to be a loop.
        vocabulary: the findings that are compared, as `NoExtraFinding` takes it.

    Raises:
        ValueError: an unknown vocabulary.
    """

    name: str = "impression_consistency"

    def __init__(self, ngram: Count = 6, repeats: Count = 3, vocabulary: str | None = None) -> None:
        self.ngram, self.repeats = ngram, repeats
        super().__init__(vocabulary)

    def score(self, batch: Sequence[Candidate]) -> list[GateScore]:
        """Scores in (0, 1]: 1 / (1 + problems)."""
        return [self._one(candidate) for candidate in batch]

    def _one(self, candidate: Candidate) -> GateScore:
        problems = clashes(candidate.findings, candidate.impression, self._vocabulary)
        allowed = " ".join(mention.phrase.lower() for mention in candidate.mentions)
        for name, text in (("FINDINGS", candidate.findings), ("IMPRESSION", candidate.impression)):
            if not text.strip():
                problems.append(f"{name} is empty")
            loop = _loop(text, self.ngram, self.repeats)
            if loop:
                problems.append(f"{name} repeats {loop!r}")
            problems += [f"{name} holds {w!r} of the prompt" for w in LEAKS if w in text.lower() and w not in allowed]
        return GateScore(self.name, 1.0 / (1 + len(problems)), "; ".join(problems), RULES)


class PromptLength:
    """Tokens left under the image generator's limit when it is given the IMPRESSION; below 0 the text is cut.

    Newer than the paper: a CLIP text tower holds 77 tokens and drops the rest in silence.
    """

    name: str = "prompt_length"
    scores: tuple[float, float] = (-1000.0, 1000.0)  # no generator reads more tokens

    def score(self, batch: Sequence[Candidate]) -> list[GateScore]:
        """Scores in tokens: limit - length; NaN, which never passes, where they were not counted."""
        return [self._one(candidate) for candidate in batch]

    def _one(self, candidate: Candidate) -> GateScore:
        length, limit = candidate.prompt_tokens, candidate.prompt_limit
        if length is None or limit is None:
            return GateScore(self.name, float("nan"), "the prompt's tokens were not counted")
        verb = "fit into" if length <= limit else "exceed"
        return GateScore(self.name, float(limit - length), f"{length} tokens {verb} the limit of {limit}")


def _loop(text: str, size: int, repeats: int) -> str | None:
    """The first run of `size` words that stands `repeats` times or more in `text`."""
    words = re.findall(r"\w+", text.lower())
    counts: dict[tuple[str, ...], int] = {}
    for start in range(len(words) - size + 1):
        run = tuple(words[start : start + size])
        counts[run] = counts.get(run, 0) + 1
        if counts[run] >= repeats:
            return " ".join(run)
    return None
