"""Read the emotion in words.

:class:`TextEmotionRecognizer` reads texts with the transformer that ``train.py text`` makes, :class:`TextEncoder` gives
their sentence vectors; both stand on one :class:`TextNetwork`. :class:`TextTokenizer` is the one way from a text to the
network's tokens, in training and in serving. Nothing here logs or keeps a text.

English is the one language that is read (:data:`LANGUAGES`); a text in another is told as such and stays nearly neutral.
"""

import io
import itertools
import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple, Self

import numpy as np
import numpy.typing as npt
from tokenizers import Tokenizer

from moodmirror.emotions import EMOTIONS, MoodVector, MoodVectorMixin
from moodmirror.recognition.model_files import MODELS_DIR, LiteRTSignature, ModelError, cached_loader, verified_model_bytes

if TYPE_CHECKING:
    from py3langid.langid import LanguageIdentifier

MODEL_NAME: Final = "text_emotion"
GRAPH: Final = f"{MODEL_NAME}.tflite"
TABLES: Final = f"{MODEL_NAME}.npz"
TOKENIZER: Final = f"{MODEL_NAME}_tokenizer.json"
TEXT_FILES: Final = (GRAPH, TABLES, TOKENIZER)
MAKE_COMMAND: Final = "python train.py text --data PATH"
LANGUAGES: Final = ("en",)  # ISO 639 codes of what is read

VECTOR_SIZE: Final = 384  # of a sentence vector
MAX_CHARACTERS: Final = 20_000  # some forty windows of the network: about a second
MAX_TOKENS: Final = 128  # of one window, the marks at its ends included; a longer text is read window by window
BATCH_TOKENS: Final = 512  # so many at once: the activations stay in a core's cache

# A text in which fewer of the words are common English ones goes to the language identifier.
LEAST_COMMON_WORDS: Final = 0.75
COMMON_COUNT: Final = 5  # so often a word stands in the training texts to be common
# Another language must be so many times likelier than English.
FOREIGN_ODDS: Final = 8.0
FOREIGN_NEUTRAL: Final = 0.9  # neutral's share of the answer to a text that is not understood

MIN_WEIGHT: Final = 0.05  # of a reading that says nothing
EXPLAINED_TOKENS: Final = 320  # read to explain one text: 100 ms on one thread
NEUTRAL: Final = EMOTIONS.index("neutral")

Texts = Sequence[str]
Vectors = npt.NDArray[np.float32]


class TextError(ValueError):
    """A text can't be read. The message says why, and never repeats the text."""


class SentenceReading(NamedTuple):
    """One sentence of a text: where it stands, in characters, and its mood vector."""

    start: int
    end: int
    vector: MoodVector


@dataclass(frozen=True)
class TextReading(MoodVectorMixin):
    """What is read in a text.

    `vector` is the whole text's; `sentences` are the course through it. Where `language_known` is false, the text is in
    none of :data:`LANGUAGES` and `vector` says nearly neutral. `word_count` is how many words it has.
    """

    vector: MoodVector
    language_known: bool
    sentences: list[SentenceReading]
    word_count: int

    @property
    def weight(self) -> float:
        """How much the reading should count, in (0, 1]: one minus its entropy by that of knowing nothing; less if short.

        One word alone counts half, three count three quarters. A text that is not understood counts least.
        """
        if not self.language_known:
            return MIN_WEIGHT
        shares = np.maximum(self.vector.astype(np.float64), 1e-12)
        certainty = 1 + float((shares * np.log(shares)).sum()) / np.log(len(EMOTIONS))
        return float(np.clip(certainty * self.word_count / (self.word_count + 1), MIN_WEIGHT, 1.0))


def decode_text(content: bytes) -> str:
    """The text in UTF-8 bytes, with or without a byte order mark. Raises TextError if they are something else."""
    if len(content) > 4 * MAX_CHARACTERS + 3:  # bytes of the longest character, and the mark
        raise TextError(_too_long())
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise TextError(f"The text is not UTF-8: byte {error.start} fits no character. Save it as UTF-8.") from None


def clean_text(text: str) -> str:
    """A text as it may be shown: without control characters, direction overrides and other invisible marks.

    Raises TextError if it is too long, or nothing is left of it.
    """
    if len(text) > MAX_CHARACTERS:
        raise TextError(_too_long())
    clean = _visible(text)
    if not clean.strip():
        raise TextError("The text is empty. Write at least one word.")
    return clean


def _too_long() -> str:
    return f"The text is too long: at most {MAX_CHARACTERS:,} characters are read. Send a part of it."


# Cc: controls; Cf: direction overrides, zero-width marks; Cs: halves of a character; Co, Cn: without a meaning.
_INVISIBLE: Final = {"Cc", "Cf", "Cs", "Co", "Cn"}


def _visible(text: str) -> str:
    if text.isascii() and text.isprintable():
        return text
    return "".join(
        " " if character.isspace() else character
        for character in text
        if character.isspace() or unicodedata.category(character) not in _INVISIBLE
    )


_STRETCHED: Final = re.compile(r"([^\W\d_])\1{2,}")
_WORD: Final = re.compile(r"\S+")
_LETTERS: Final = re.compile(r"[^\W\d_]+")
_PICTURES_FROM: Final = 0x2600  # the first code point of Unicode's Miscellaneous Symbols
_MOST_STRETCHES: Final = 4  # of one word: more would be too many ways to spell it
_PLAIN: Final = str.maketrans({"‘": "'", "’": "'", "“": '"', "”": '"', "–": "-", "—": "-", "…": "..."})


class TextTokenizer:
    """From texts to tokens: pictographs are read by their names, stretched words by their likeliest spelling."""

    def __init__(self, tokenizer: Tokenizer, counts: npt.NDArray[np.uint32]) -> None:
        """`counts`, uint32 [vocabulary], tell how often each token stands in English texts."""
        self._tokenizer = tokenizer
        self._counts = counts
        self._vocabulary: dict[str, int] = tokenizer.get_vocab()

    def normalize(self, text: str) -> str:
        """A text as the tokenizer takes it: small letters, plain quotes, names for pictographs, words unstretched."""
        text = unicodedata.normalize("NFKC", _visible(text)).translate(_PLAIN).lower()
        if not text.isascii():
            text = _named_pictures(text)
        return _LETTERS.sub(lambda match: self._unstretched(match[0]), text) if _STRETCHED.search(text) else text

    def encode(self, texts: Texts) -> list[list[int]]:
        """Token ids of each text, without the marks at its ends."""
        encoded = self._tokenizer.encode_batch([self.normalize(text) for text in texts], add_special_tokens=False)
        return [encoding.ids for encoding in encoded]

    def common_share(self, text: str) -> float:
        """Which share of the words are common English ones, 0…1; 1 if there are no letters at all."""
        words = _LETTERS.findall(self.normalize(text))
        common = [self._count(word) >= COMMON_COUNT for word in words]
        return sum(common) / len(common) if common else 1.0

    def _count(self, word: str) -> int:
        token = self._vocabulary.get(word)
        return 0 if token is None else int(self._counts[token])

    def _unstretched(self, word: str) -> str:
        """A word whose letters stand three times or more, "sooo", with them once or twice, as is the more common."""
        parts = _STRETCHED.split(word)  # between, letter, between, letter, …, between
        stretches = len(parts) // 2
        if stretches == 0:
            return word
        if stretches > _MOST_STRETCHES:
            return _STRETCHED.sub(r"\1", word)
        spellings = [
            "".join(itertools.chain(*zip(parts[::2], (*letters, ""), strict=True)))
            for letters in itertools.product(*((letter, 2 * letter) for letter in parts[1::2]))
        ]
        return max(spellings, key=self._count)


def _named_pictures(text: str) -> str:
    """Each pictograph as its Unicode name, once where it is repeated: "😂😂" becomes " face with tears of joy "."""
    parts: list[str] = []
    last = ""
    for character in text:
        category = unicodedata.category(character)
        if category == "So" and ord(character) >= _PICTURES_FROM:
            if character != last:
                parts.append(f" {unicodedata.name(character, '').lower()} ")
            last = character
        # Skin tones and variation selectors say nothing about a mood.
        elif not ("\U0001f3fb" <= character <= "\U0001f3ff" or "\ufe00" <= character <= "\ufe0f"):
            parts.append(character)
            last = ""
    return "".join(parts)


class LanguageGate:
    """Tells whether a text is in a language that is read.

    The words decide first: where three of four are common English ones, it is English. Only other texts go to py3langid
    (Lui and Baldwin, "langid.py: An Off-the-shelf Language Identification Tool", ACL 2012), which is opened when the first
    of them comes, for it takes a second and 100 MB.
    """

    def __init__(self, tokenizer: TextTokenizer) -> None:
        self._tokenizer = tokenizer
        self._identifier = cached_loader(_open_identifier)

    def is_supported(self, text: str) -> bool:
        """Whether the text is in one of :data:`LANGUAGES`, or has no words at all."""
        if self._tokenizer.common_share(text) >= LEAST_COMMON_WORDS:
            return True
        ranked = dict(self._identifier().rank(self._tokenizer.normalize(text)))
        return bool(max(ranked.values()) < FOREIGN_ODDS * max(ranked[language] for language in LANGUAGES))


def _open_identifier() -> "LanguageIdentifier":
    from py3langid.langid import MODEL_FILE, LanguageIdentifier  # noqa: PLC0415  # takes a second

    return LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)


@dataclass(frozen=True)
class TokenTables:
    """What turns token ids into the graph's input.

    `tokens` int8 [vocabulary, 384] with a `scale` float32 [vocabulary] for each row, `positions` float32 [128, 384], and
    `counts` uint32 [vocabulary]: how often each token stands in the training texts. Looked up in numpy, so that the graph
    needs no table of its own and a row costs nothing until it is read.
    """

    tokens: npt.NDArray[np.int8]
    scale: Vectors
    positions: Vectors
    counts: npt.NDArray[np.uint32]

    @classmethod
    def quantized(cls, tokens: Vectors, positions: Vectors, counts: npt.NDArray[np.uint32]) -> Self:
        """Tables of float32 rows, each row's largest value taken as 127."""
        scale = np.maximum(np.abs(tokens).max(axis=1), 1e-8) / 127
        rounded = np.rint(tokens / scale[:, np.newaxis]).astype(np.int8)
        return cls(rounded, scale.astype(np.float32), positions[:MAX_TOKENS].astype(np.float32), counts)

    @classmethod
    def from_bytes(cls, content: bytes) -> Self:
        """Tables in the bytes of an .npz file. Raises ModelError if they are none."""
        try:
            with np.load(io.BytesIO(content), allow_pickle=False) as stored:
                return cls(**{name: stored[name] for name in ("tokens", "scale", "positions", "counts")})
        except (ValueError, KeyError, OSError) as error:
            raise ModelError(f"{TABLES} holds no token tables: {error}. Make it anew with: {MAKE_COMMAND}") from None

    def to_bytes(self) -> bytes:
        """The bytes of an .npz file."""
        stored = io.BytesIO()
        np.savez(stored, tokens=self.tokens, scale=self.scale, positions=self.positions, counts=self.counts)
        return stored.getvalue()

    def embed(self, ids: npt.NDArray[np.int_]) -> Vectors:
        """The graph's input, float32 [n, tokens, 384], of token ids, int [n, tokens]."""
        embedded: Vectors = self.tokens[ids] * self.scale[ids][..., np.newaxis]
        embedded += self.positions[: ids.shape[1]]
        return embedded


class TextNetwork:
    """The transformer as it is served: from texts to mood vectors and sentence vectors, in any number and length."""

    def __init__(self, tokenizer: Tokenizer, tables: TokenTables, graph: LiteRTSignature) -> None:
        self.tokenizer = TextTokenizer(tokenizer, tables.counts)
        self.gate = LanguageGate(self.tokenizer)
        self._tables = tables
        self._graph = graph
        self._start, self._end, self._padding = (special_token_id(tokenizer, mark) for mark in ("[CLS]", "[SEP]", "[PAD]"))

    @classmethod
    def load(cls, models_dir: Path = MODELS_DIR, *, threads: int = 1) -> Self:
        """Open the trained network, to run on so many `threads`.

        Raises ModelError if a file is missing or not the one the manifest names.
        """
        graph, tables, tokenizer = (verified_model_bytes(name, MAKE_COMMAND, models_dir) for name in TEXT_FILES)
        return cls(
            Tokenizer.from_str(tokenizer.decode("utf-8")), TokenTables.from_bytes(tables), LiteRTSignature(graph, threads)
        )

    def __call__(self, texts: Texts) -> tuple[Vectors, Vectors]:
        """Mood vectors, float32 [n, 7], and sentence vectors of unit length, float32 [n, 384].

        A text longer than one window answers with the mean of its windows, weighted by their tokens.
        Raises ModelError if the graph answers with anything but finite numbers.
        """
        windows: list[list[int]] = []
        owners: list[int] = []
        for owner, ids in enumerate(self.tokenizer.encode(texts)):
            cut = list(_windows(ids, MAX_TOKENS - 2))
            windows += cut
            owners += [owner] * len(cut)
        moods, vectors = self._run(windows)
        lengths = np.array([len(window) + 1 for window in windows], dtype=np.float32)[:, np.newaxis]
        mood_sums = np.zeros((len(texts), len(EMOTIONS)), np.float32)
        vector_sums = np.zeros((len(texts), vectors.shape[1]), np.float32)
        np.add.at(mood_sums, owners, moods * lengths)
        np.add.at(vector_sums, owners, vectors * lengths)
        if not (np.isfinite(mood_sums).all() and np.isfinite(vector_sums).all()):
            raise ModelError(f"The text network answered with no numbers. Make it anew with: {MAKE_COMMAND}")
        return (
            mood_sums / mood_sums.sum(axis=1, keepdims=True),
            vector_sums / np.maximum(np.linalg.norm(vector_sums, axis=1, keepdims=True), 1e-12),
        )

    def _run(self, windows: list[list[int]]) -> tuple[Vectors, Vectors]:
        """Both answers for windows of token ids, in batches of one length each.

        The length of a window alone decides how far it is padded, so that its company changes nothing.
        """
        moods = np.empty((len(windows), len(EMOTIONS)), np.float32)
        vectors = np.empty((len(windows), self._tables.positions.shape[1]), np.float32)
        lengths = np.array([padded_length(len(window) + 2) for window in windows], dtype=np.int_)
        for length in np.unique(lengths):
            members = np.flatnonzero(lengths == length)
            most = max(BATCH_TOKENS // int(length), 1)
            for batch in np.split(members, range(most, len(members), most)):
                ids = np.full((len(batch), length), self._padding, dtype=np.int_)
                mask = np.zeros((len(batch), length), np.float32)
                for row, window in enumerate(batch):
                    tokens = [self._start, *windows[window], self._end]
                    ids[row, : len(tokens)] = tokens
                    mask[row, : len(tokens)] = 1
                answer = self._graph(embeddings=self._tables.embed(ids), mask=mask)
                moods[batch], vectors[batch] = answer["moods"], answer["sentence"]
        return moods, vectors


def special_token_id(tokenizer: Tokenizer, mark: str) -> int:
    """The id of a mark such as [CLS]. Raises ModelError if the vocabulary lacks it."""
    number = tokenizer.token_to_id(mark)
    if number is None:
        raise ModelError(f"{TOKENIZER} has no {mark}. Make it anew with: {MAKE_COMMAND}")
    return int(number)


def padded_length(tokens: int) -> int:
    """How many tokens a window of so many is padded to: few different lengths, little waste."""
    step = 2 if tokens <= 32 else 8 if tokens <= 64 else 16
    return -(-tokens // step) * step


def _windows(ids: list[int], most: int) -> Iterator[list[int]]:
    """Windows of about equal length, at most `most` tokens each; one, perhaps empty, for a short text."""
    count = max(-(-len(ids) // most), 1)
    bounds = [round(len(ids) * part / count) for part in range(count + 1)]
    return (ids[start:end] for start, end in itertools.pairwise(bounds))


class TextEmotionRecognizer:
    """Maps texts to mood vectors, in scikit-learn's manner.

    A mood vector is one softmax over the seven, learnt from texts that carry one label or several (each then gets its
    share) and calibrated on held-out ones, so that a share of 0.8 is right about eight times in ten.
    """

    classes_: Final = EMOTIONS

    def __init__(self, network: TextNetwork) -> None:
        self._network = network

    @classmethod
    def load(cls, models_dir: Path = MODELS_DIR, *, threads: int = 1) -> Self:
        """Open the trained network, to run on so many `threads`.

        Raises ModelError if a file is missing or not the one the manifest names.
        """
        return cls(TextNetwork.load(models_dir, threads=threads))

    @property
    def network(self) -> TextNetwork:
        """What it reads with: ``TextEncoder(recognizer.network)`` shares it."""
        return self._network

    def predict_proba(self, texts: Texts) -> Vectors:
        """Probabilities of the seven emotions, float32 [n, 7], of texts; n may be 0.

        A text in another language than English is nearly neutral. Raises TextError for a text that is empty or too long.
        """
        clean = clean_texts(texts)
        if not clean:
            return np.empty((0, len(EMOTIONS)), np.float32)
        moods, _ = self._network(clean)
        for row, text in enumerate(clean):
            if not self._network.gate.is_supported(text):
                moods[row] = _nearly_neutral(moods[row])
        return moods

    def predict(self, texts: Texts) -> list[str]:
        """The likeliest emotion of each text."""
        return [EMOTIONS[index] for index in self.predict_proba(texts).argmax(axis=1)]

    def read(self, text: str) -> TextReading:
        """Read a text: as a whole, and sentence by sentence.

        Raises TextError for a text that is empty or too long.
        """
        clean_text(text)
        spans = sentence_spans(text)
        pieces = [text] if len(spans) == 1 else [text, *(text[start:end] for start, end in spans)]
        moods, _ = self._network(pieces)
        known = self._network.gate.is_supported(text)
        if not known:
            moods = np.stack([_nearly_neutral(mood) for mood in moods])
        course = moods if len(spans) == 1 else moods[1:]
        return TextReading(
            vector=moods[0],
            language_known=known,
            sentences=[SentenceReading(*span, vector) for span, vector in zip(spans, course, strict=True)],
            word_count=len(_WORD.findall(text)),
        )

    def explain(self, text: str) -> list[tuple[int, int, float]]:
        """How much each word speaks for the text's leading emotion: (start, end, weight), places in characters.

        The weight, −1…1, is by how much the emotion's probability in the word's sentence falls when the word is left out
        (occlusion: Zeiler and Fergus, ECCV 2014); below 0, the word speaks against it. In a longer text neighbouring words
        are left out together, so that the answer comes as fast. Raises TextError for a text that is empty or too long.
        """
        clean_text(text)
        spans = sentence_spans(text)
        words = [[(start + m.start(), start + m.end()) for m in _WORD.finditer(text[start:end])] for start, end in spans]
        tokens = [len(ids) + 2 for ids in self._network.tokenizer.encode([text[start:end] for start, end in spans])]
        together = 1
        while (
            together < max(map(len, words))
            and sum(-(-len(places) // together) * count for places, count in zip(words, tokens, strict=True))
            > EXPLAINED_TOKENS
        ):
            together += 1
        occluded: list[tuple[int, list[tuple[int, int]], str]] = []  # sentence, words left out, what is left
        for index, ((start, end), places) in enumerate(zip(spans, words, strict=True)):
            for first in range(0, len(places), together):
                group = places[first : first + together]
                left = f"{text[start : group[0][0]]} {text[group[-1][1] : end]}"
                occluded.append((index, group, left))
        whole = [text, *(text[start:end] for start, end in spans)]
        moods, _ = self._network([*whole, *(left for _, _, left in occluded)])
        leading = int(moods[0].argmax())
        of_sentences, of_occluded = moods[1 : len(whole), leading], moods[len(whole) :, leading]
        return [
            (*place, float(of_sentences[index] - share))
            for (index, group, _), share in zip(occluded, of_occluded, strict=True)
            for place in group
        ]


class TextEncoder:
    """Maps texts to sentence vectors: texts that mean alike lie near each other, whatever their mood."""

    def __init__(self, network: TextNetwork) -> None:
        self._network = network

    @classmethod
    def load(cls, models_dir: Path = MODELS_DIR, *, threads: int = 1) -> Self:
        """Open the trained network, to run on so many `threads`.

        Raises ModelError if a file is missing or not the one the manifest names.
        """
        return cls(TextNetwork.load(models_dir, threads=threads))

    def encode(self, texts: Texts) -> Vectors:
        """Sentence vectors of unit length, float32 [n, 384]; n may be 0. Their dot product is their likeness, −1…1.

        Raises TextError for a text that is empty or too long.
        """
        clean = clean_texts(texts)
        return self._network(clean)[1] if clean else np.empty((0, VECTOR_SIZE), np.float32)


def clean_texts(texts: Texts) -> list[str]:
    """Texts as :func:`clean_text` gives them. Raises TextError naming the first that can't be read."""
    if isinstance(texts, str):
        raise TextError("Give a list of texts, not one text.")
    clean = []
    for number, text in enumerate(texts, start=1):
        try:
            clean.append(clean_text(text))
        except TextError as error:
            raise error if len(texts) == 1 else TextError(f"Text {number} of {len(texts)}: {error}") from None
    return clean


def _nearly_neutral(mood: MoodVector) -> MoodVector:
    vector = (mood * (1 - FOREIGN_NEUTRAL)).astype(np.float32)
    vector[NEUTRAL] += FOREIGN_NEUTRAL
    return vector


# An end: marks of a full stop, with the quotes and brackets that cling to them, before a blank; or a line's end.
_SENTENCE_END: Final = re.compile(r"[.!?…]+[\"'”’)\]]*(?=\s)|\n+")
# Not ends: "Mr. Meng", "e.g. so", "U.S. law". The longest has five characters and a stop.
_ABBREVIATION: Final = re.compile(r"(?:\b(?:mr|mrs|ms|dr|prof|st|vs|etc)|\b[a-z]\.[a-z])\.$", re.IGNORECASE)


def sentence_spans(text: str) -> list[tuple[int, int]]:
    """Where the sentences of a text stand: (start, end) in characters, without the blanks around them.

    At least one for a text with a visible character; what has none, between two ends, is no sentence.
    """
    ends = [m.end() for m in _SENTENCE_END.finditer(text) if not _ABBREVIATION.search(text, max(m.end() - 6, 0), m.end())]
    spans = []
    for start, end in itertools.pairwise(_bounds(ends, len(text))):
        piece = text[start:end]
        if _visible(piece).strip():
            spans.append((start + len(piece) - len(piece.lstrip()), start + len(piece.rstrip())))
    return spans


def _bounds(ends: Iterable[int], length: int) -> list[int]:
    return [0, *(end for end in ends if 0 < end < length), length]
