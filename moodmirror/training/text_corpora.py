"""Read the text corpora that the text network is trained on, in the forms in which they exist in the world.

- GoEmotions (Demszky et al., ACL 2020): ``goemotions/train.tsv`` and ``dev.tsv`` with ``text, label ids, id``, the labels'
  names in ``emotions.txt``, and ``ekman_mapping.json``, which groups them into Ekman's six and neutral;
- CARER (Saravia et al., EMNLP 2018): ``carer/train.txt`` and ``val.txt`` with ``text;label``;
- DailyDialog (Li et al., IJCNLP 2017): ``dailydialog/validation_dialogues.txt``, utterances split by ``__eou__``, and
  ``validation_dialogues_emotion.txt`` with a number for each.

Only GoEmotions must be there; what else is missing is left out and named in the notes.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from zlib import crc32

import numpy as np
import numpy.typing as npt

from moodmirror.emotions import EMOTIONS
from moodmirror.training.corpora import CorpusError

# CARER's labels came from hashtags; it has no disgust and no neutral.
CARER_EMOTIONS: Final = {
    "anger": "angry",
    "fear": "fear",
    "joy": "happy",
    "love": "happy",
    "sadness": "sad",
    "surprise": "surprise",
}
DAILYDIALOG_EMOTIONS: Final = ("neutral", "angry", "disgust", "fear", "happy", "sad", "surprise")
FINE_LABELS: Final = 28  # GoEmotions' 27 emotions and neutral

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True)
class TextSplit:
    """Labelled texts.

    `labels` is bool [n, 7], in the order of EMOTIONS, at least one true in each row; `possible` bool [n, 7], which of them
    the corpus could have said; `fine` float32 [n, 28], GoEmotions' own labels, NaN where the corpus has none.
    """

    texts: list[str]
    labels: npt.NDArray[np.bool_]
    possible: npt.NDArray[np.bool_]
    fine: Floats

    def __len__(self) -> int:
        return len(self.texts)

    @classmethod
    def of(
        cls,
        texts: Sequence[str],
        labels: npt.NDArray[np.bool_],
        *,
        impossible: Sequence[str] = (),
        fine: Floats | None = None,
    ) -> "TextSplit":
        """Texts of a corpus that never says the `impossible` emotions."""
        possible = np.ones(labels.shape, dtype=bool)
        possible[:, [EMOTIONS.index(emotion) for emotion in impossible]] = False
        if fine is None:
            fine = np.full((len(texts), FINE_LABELS), np.nan, dtype=np.float32)
        return cls(list(texts), labels, possible, fine)

    @classmethod
    def joined(cls, splits: "Sequence[TextSplit]") -> "TextSplit":
        """The texts of all splits, one after the other."""
        return cls(
            [text for split in splits for text in split.texts],
            np.concatenate([split.labels for split in splits]),
            np.concatenate([split.possible for split in splits]),
            np.concatenate([split.fine for split in splits]),
        )

    def where(self, chosen: npt.NDArray[np.bool_]) -> "TextSplit":
        """The texts at which `chosen`, bool [n], is true."""
        texts = [text for text, taken in zip(self.texts, chosen, strict=True) if taken]
        return TextSplit(texts, self.labels[chosen], self.possible[chosen], self.fine[chosen])

    def shares(self) -> Floats:
        """The labels as distributions, float32 [n, 7]: several share equally."""
        labels = self.labels.astype(np.float32)
        shares: Floats = labels / labels.sum(axis=1, keepdims=True)
        return shares

    def parts(self, count: int) -> npt.NDArray[np.int_]:
        """Which of so many parts, from 0, each text falls into, int [n]. Equal texts fall into the same part."""
        return np.array([crc32(text.lower().encode()) % count for text in self.texts], dtype=np.int_)

    def halves(self) -> tuple["TextSplit", "TextSplit"]:
        """Two halves: one to calibrate on, one to measure on."""
        first = self.parts(2) == 0
        return self.where(first), self.where(~first)


@dataclass(frozen=True)
class TextCorpora:
    """The corpora in their parts: `training` by corpus, `development` (GoEmotions' own), and what else is held out.

    `emotion_of_fine`, int [28], tells which of EMOTIONS each of GoEmotions' labels belongs to. `everyday_calibration` and
    `everyday` are two sets of dialogues that nothing was trained on, the one to calibrate on, the other to measure on;
    `tweets` is CARER's validation part. None where the corpus is not there.
    """

    training: dict[str, TextSplit]
    development: TextSplit
    emotion_of_fine: npt.NDArray[np.int_]
    everyday_calibration: TextSplit | None = None
    everyday: TextSplit | None = None
    tweets: TextSplit | None = None
    notes: list[str] = field(default_factory=list)


def load_texts(path: Path) -> TextCorpora:
    """Read the corpora in the folder `path`. Raises CorpusError naming what is missing or damaged."""
    goemotions = path / "goemotions"
    if not (goemotions / "train.tsv").is_file():
        raise CorpusError(f"{path} holds no goemotions/train.tsv: name the folder that holds goemotions/")
    emotion_of_fine = _load_groups(goemotions)
    training = {"GoEmotions": _load_goemotions(goemotions / "train.tsv", emotion_of_fine)}
    development = _load_goemotions(goemotions / "dev.tsv", emotion_of_fine)
    notes, parts = [], {}
    known = {text.lower() for text in development.texts}
    clean = training["GoEmotions"].where(np.array([text.lower() not in known for text in training["GoEmotions"].texts]))
    notes.append(f"{len(training['GoEmotions']) - len(clean)} training texts left out that development repeats")
    training["GoEmotions"] = clean
    if (path / "carer").is_dir():
        training["CARER"] = _load_carer(path / "carer" / "train.txt")
        parts["tweets"] = _load_carer(path / "carer" / "val.txt")
    else:
        notes.append("no carer/")
    if (path / "dailydialog").is_dir():
        parts["everyday_calibration"], parts["everyday"], training["DailyDialog"] = _load_dailydialog(path / "dailydialog")
    else:
        notes.append("no dailydialog/")
    return TextCorpora(training, development, emotion_of_fine, notes=notes, **parts)


def _load_groups(folder: Path) -> npt.NDArray[np.int_]:
    """Which of EMOTIONS each of GoEmotions' labels belongs to, int [28]."""
    names = _lines(folder / "emotions.txt")
    names += [] if "neutral" in names else ["neutral"]
    groups = json.loads("\n".join(_lines(folder / "ekman_mapping.json")))
    seven = {name: EMOTIONS.index(groups["to7"][group]) for group, members in groups["ekman"].items() for name in members}
    if len(names) != FINE_LABELS or set(names) != set(seven):
        raise CorpusError(f"{folder / 'emotions.txt'} and ekman_mapping.json must name the same {FINE_LABELS} labels")
    return np.array([seven[name] for name in names], dtype=np.int_)


def _load_goemotions(path: Path, emotion_of_fine: npt.NDArray[np.int_]) -> TextSplit:
    lines = [line for line in _lines(path) if line]
    labels = np.zeros((len(lines), len(EMOTIONS)), dtype=bool)
    fine = np.zeros((len(lines), FINE_LABELS), dtype=np.float32)
    texts = []
    for row, line in enumerate(lines):
        try:
            text, ids, *_ = line.split("\t")
            chosen = [int(number) for number in ids.split(",")]
            fine[row, chosen] = 1
            labels[row, emotion_of_fine[chosen]] = True
        except (ValueError, IndexError):
            raise CorpusError(
                f"{path}, line {row + 1}: expected a text, a tab and label ids in 0…{FINE_LABELS - 1}"
            ) from None
        texts.append(text)
    return TextSplit.of(texts, labels, fine=fine)


def _load_carer(path: Path) -> TextSplit:
    texts, chosen = [], []
    for number, line in enumerate(_lines(path), start=1):
        text, _, label = line.rpartition(";")
        if label not in CARER_EMOTIONS:
            raise CorpusError(f"{path}, line {number}: expected text;label with one of {', '.join(CARER_EMOTIONS)}")
        texts.append(text)
        chosen.append(EMOTIONS.index(CARER_EMOTIONS[label]))
    return TextSplit.of(texts, _one_hot(chosen), impossible=("disgust", "neutral"))


def _load_dailydialog(folder: Path) -> tuple[TextSplit, TextSplit, TextSplit]:
    """Three parts, by dialogue: a fifth to calibrate on, a fifth to measure on, and the rest.

    Equal dialogues stay together.
    """
    path = folder / "validation_dialogues.txt"
    dialogues = _lines(path)
    emotions = _lines(folder / "validation_dialogues_emotion.txt")
    if len(dialogues) != len(emotions):
        raise CorpusError(f"{path} has {len(dialogues)} dialogues, its emotions {len(emotions)}: they must match")
    parts: tuple[list[tuple[str, int]], ...] = ([], [], [])
    for number, (dialogue, numbers) in enumerate(zip(dialogues, emotions, strict=True), start=1):
        utterances = [text.strip() for text in dialogue.split("__eou__") if text.strip()]
        labels = [int(label) for label in numbers.split()]
        if len(utterances) != len(labels) or not all(0 <= label < len(DAILYDIALOG_EMOTIONS) for label in labels):
            raise CorpusError(f"{path}, line {number}: {len(utterances)} utterances, {len(labels)} emotions in 0…6")
        part = parts[min(crc32(dialogue.encode()) % 5, 2)]
        part += [(text, EMOTIONS.index(DAILYDIALOG_EMOTIONS[label])) for text, label in zip(utterances, labels, strict=True)]
    held_out = {text.lower() for text, _ in (*parts[0], *parts[1])}
    rest = [(text, label) for text, label in parts[2] if text.lower() not in held_out]
    calibration, measure, training = (
        TextSplit.of([text for text, _ in part], _one_hot([label for _, label in part]))
        for part in (parts[0], parts[1], rest)
    )
    return calibration, measure, training


def _one_hot(labels: Sequence[int]) -> npt.NDArray[np.bool_]:
    return np.eye(len(EMOTIONS), dtype=bool)[np.asarray(labels, dtype=np.int_)]


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="utf-8").rstrip("\n").split("\n")
    except FileNotFoundError:
        raise CorpusError(f"{path} is missing") from None
    except UnicodeDecodeError as error:
        raise CorpusError(f"{path} is not UTF-8: {error.reason} at byte {error.start}") from None
