"""Recognize emotions in text, and encode texts as sentence vectors.

:class:`TextEmotionRecognizer` and :class:`TextEncoder` share one :class:`TextNetwork`, the transformer trained by
``train.py text``. Only English is supported: a text in another language is reported as such and gets a nearly neutral mood
vector, and a text that states suicidality or self-harm mostly sadness. Texts are never logged or stored.
"""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NamedTuple, Self

import numpy as np

from moodmirror.emotions import EMOTIONS, MoodVector, MoodVectorMixin, shares_by_name
from moodmirror.paths import MODELS_DIR
from moodmirror.recognition.crisis_statements import is_crisis_statement
from moodmirror.recognition.text_idioms import plain_idioms
from moodmirror.recognition.text_input import Texts, clean_text, clean_texts, sentence_spans
from moodmirror.recognition.text_language import LANGUAGES, LanguageDetector
from moodmirror.recognition.text_network import TextNetwork, Vectors

VECTOR_SIZE: Final = 384  # of a sentence vector
UNSUPPORTED_NEUTRAL_SHARE: Final = 0.9  # weight of neutral in the mood vector of a text in an unsupported language
MIN_WEIGHT: Final = 0.05  # of a reading without information
EXPLAIN_MAX_TOKENS: Final = 320  # tokens run to explain one text: 100 ms on one thread
MAX_SENTENCES: Final = 400  # of a text, which are read one by one: half a second on one thread
# Weight of sad in the mood vector of a statement of suicidality or self-harm. The network learned from forums, where "kill"
# is mostly written in anger, and where there is hardly any such statement.
CRISIS_SAD_SHARE: Final = 0.8
NEUTRAL: Final = EMOTIONS.index("neutral")
SAD: Final = EMOTIONS.index("sad")

_WORD: Final = re.compile(r"\S+")


class SentenceReading(NamedTuple):
    """One sentence of a text: its place, in characters, and its mood vector."""

    start: int
    end: int
    vector: MoodVector


@dataclass(frozen=True)
class TextReading(MoodVectorMixin):
    """The mood of a text, as a whole and by sentence.

    `vector` is that of the whole text. `language` is the ISO 639 code of its language; in a language that is not supported,
    `vector` is nearly neutral. `word_count` is the number of words, `sentence_count` that of all sentences: only the first
    MAX_SENTENCES are among the `sentences`. `states_crisis` is whether it states suicidality or self-harm, in any language.
    """

    vector: MoodVector
    language: str
    sentences: list[SentenceReading]
    word_count: int
    sentence_count: int
    states_crisis: bool

    @property
    def language_known(self) -> bool:
        """Return whether the text is in a supported language."""
        return self.language in LANGUAGES

    @property
    def weight(self) -> float:
        """Return the reading's weight, in (0, 1]: one minus its relative entropy, and less for a short text.

        The entropy is relative to that of the uniform distribution. One word counts one half of that, three words three
        quarters. A text in an unsupported language has MIN_WEIGHT.
        """
        if not self.language_known:
            return MIN_WEIGHT
        shares = np.maximum(self.vector.astype(np.float64), 1e-12)
        certainty = 1 + float((shares * np.log(shares)).sum()) / np.log(len(EMOTIONS))
        return float(np.clip(certainty * self.word_count / (self.word_count + 1), MIN_WEIGHT, 1.0))


class TextEmotionRecognizer:
    """Maps texts to mood vectors, in scikit-learn's manner.

    A mood vector is one softmax over the seven emotions, learned from texts with one or several labels (of equal shares) and
    calibrated on held-out texts, so that predictions with a share of 0.8 are right about eight times in ten.
    """

    classes_: Final = EMOTIONS

    def __init__(self, network: TextNetwork) -> None:
        self._network = network
        self._language = LanguageDetector(network.tokenizer)

    @classmethod
    def load(cls, models_dir: Path = MODELS_DIR, *, threads: int = 1) -> Self:
        """Load the trained network, to run on `threads` threads.

        Raises ModelError if a file is missing or its hash is not that of the manifest.
        """
        return cls(TextNetwork.load(models_dir, threads=threads))

    @property
    def network(self) -> TextNetwork:
        """Return the network, which ``TextEncoder(recognizer.network)`` can share."""
        return self._network

    def predict_proba(self, texts: Texts) -> Vectors:
        """Return the probabilities of the seven emotions, float32 [n, 7], of n texts; n may be 0.

        A text in an unsupported language is nearly neutral, and one that states suicidality or self-harm mostly sad. Raises
        TextError for a text that is empty or too long.
        """
        return self.predict_proba_and_languages(texts)[0]

    def predict_proba_and_languages(self, texts: Texts) -> tuple[Vectors, list[str]]:
        """Return what :meth:`predict_proba` does, and the ISO 639 code of each text's language; raises as it does."""
        clean = clean_texts(texts)
        if not clean:
            return np.empty((0, len(EMOTIONS)), np.float32), []
        moods, _ = self._network([plain_idioms(text) for text in clean])
        languages = [self._language.detect(text) for text in clean]
        for row, (text, language) in enumerate(zip(clean, languages, strict=True)):
            if language not in LANGUAGES:
                moods[row] = _nearly_neutral(moods[row])
            elif is_crisis_statement(text):
                moods[row] = _mixed_with(SAD, CRISIS_SAD_SHARE, moods[row])
        return moods, languages

    def predict(self, texts: Texts) -> list[str]:
        """Return the most probable emotion of each text. Raises TextError as :meth:`predict_proba` does."""
        return [EMOTIONS[index] for index in self.predict_proba(texts).argmax(axis=1)]

    def predict_proba_by_name(self, texts: Texts) -> list[dict[str, float]]:
        """Return the probabilities of the seven emotions of each text by name. Raises TextError as :meth:`predict_proba`."""
        return [shares_by_name(vector) for vector in self.predict_proba(texts)]

    def read(self, text: str) -> TextReading:
        """Return the reading of a text, as a whole and sentence by sentence, up to MAX_SENTENCES.

        Raises TextError for a text that is empty or too long.
        """
        clean_text(text)
        all_spans = sentence_spans(text)
        spans = all_spans[:MAX_SENTENCES]
        parts = [text] if len(all_spans) == 1 else [text, *(text[start:end] for start, end in spans)]
        moods, _ = self._network([plain_idioms(part) for part in parts])
        language, states_crisis = self._language.detect(text), is_crisis_statement(text)
        if language not in LANGUAGES:
            moods = np.stack([_nearly_neutral(mood) for mood in moods])
        elif states_crisis:
            moods = np.stack(
                [
                    _mixed_with(SAD, CRISIS_SAD_SHARE, mood) if is_crisis_statement(part) else mood
                    for part, mood in zip(parts, moods, strict=True)
                ]
            )
        by_sentence = moods if len(all_spans) == 1 else moods[1:]
        return TextReading(
            vector=moods[0],
            language=language,
            sentences=[SentenceReading(*span, vector) for span, vector in zip(spans, by_sentence, strict=True)],
            word_count=len(_WORD.findall(text)),
            sentence_count=len(all_spans),
            states_crisis=states_crisis,
        )

    def explain(self, text: str, reading: TextReading | None = None) -> list[tuple[int, int, float]]:
        """Return how much each word supports the text's leading emotion: (start, end, weight), positions in characters.

        A `reading` of the same text, in a supported language, saves half of the work. Words after the first MAX_SENTENCES
        are left out.

        The weight, −1…1, is the decrease of the emotion's probability in the word's sentence when the word is left out
        (occlusion: Zeiler and Fergus, ECCV 2014); it is negative for a word that speaks against the emotion. In longer texts
        neighboring words are left out together, which limits the work to about EXPLAIN_MAX_TOKENS tokens.
        Raises TextError for a text that is empty or too long.
        """
        clean_text(text)
        spans = sentence_spans(text)[:MAX_SENTENCES]
        words = [[(start + m.start(), start + m.end()) for m in _WORD.finditer(text[start:end])] for start, end in spans]
        tokens = [len(ids) + 2 for ids in self._network.tokenizer.encode([text[start:end] for start, end in spans])]
        group_size = 1
        while (
            group_size < max(map(len, words))
            and sum(-(-len(places) // group_size) * count for places, count in zip(words, tokens, strict=True))
            > EXPLAIN_MAX_TOKENS
        ):
            group_size += 1
        occluded: list[tuple[int, list[tuple[int, int]], str]] = []  # sentence, words left out, remaining text
        for index, ((start, end), places) in enumerate(zip(spans, words, strict=True)):
            for first in range(0, len(places), group_size):
                group = places[first : first + group_size]
                remaining = f"{text[start : group[0][0]]} {text[group[-1][1] : end]}"
                occluded.append((index, group, remaining))
        reading = reading or self.read(text)
        leading = int(reading.vector.argmax())
        of_sentences = [float(sentence.vector[leading]) for sentence in reading.sentences]
        moods, _ = self._network([plain_idioms(remaining) for _, _, remaining in occluded])
        of_occluded = moods[:, leading]
        return [
            (*place, float(of_sentences[index] - share))
            for (index, group, _), share in zip(occluded, of_occluded, strict=True)
            for place in group
        ]


class TextEncoder:
    """Maps texts to sentence vectors: texts with similar meanings have similar vectors, whatever their mood."""

    def __init__(self, network: TextNetwork) -> None:
        self._network = network

    @classmethod
    def load(cls, models_dir: Path = MODELS_DIR, *, threads: int = 1) -> Self:
        """Load the trained network, to run on `threads` threads.

        Raises ModelError if a file is missing or its hash is not that of the manifest.
        """
        return cls(TextNetwork.load(models_dir, threads=threads))

    def encode(self, texts: Texts) -> Vectors:
        """Return the sentence vectors of n texts, float32 [n, 384] of unit length; n may be 0.

        The dot product of two vectors is their cosine similarity, −1…1. Raises TextError for a text that is empty or too
        long.
        """
        clean = clean_texts(texts)
        return self._network(clean)[1] if clean else np.empty((0, VECTOR_SIZE), np.float32)


def _nearly_neutral(mood: MoodVector) -> MoodVector:
    return _mixed_with(NEUTRAL, UNSUPPORTED_NEUTRAL_SHARE, mood)


def _mixed_with(emotion: int, share: float, mood: MoodVector) -> MoodVector:
    """Mix a mood vector with one emotion, whose weight is `share`."""
    vector = (mood * (1 - share)).astype(np.float32)
    vector[emotion] += share
    return vector
