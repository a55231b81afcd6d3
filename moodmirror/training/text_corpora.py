"""Load the corpora of the text network in their published formats.

- GoEmotions (Demszky et al., ACL 2020): ``goemotions/train.tsv`` and ``dev.tsv`` with ``text, label ids, id``, the label
  names in ``emotions.txt``, and ``ekman_mapping.json``, which groups them into Ekman's six emotions and neutral;
- CARER (Saravia et al., EMNLP 2018): ``carer/train.txt`` and ``val.txt`` with ``text;label``;
- DailyDialog (Li et al., IJCNLP 2017): ``dailydialog/validation_dialogues.txt``, utterances separated by ``__eou__``, and
  ``validation_dialogues_emotion.txt`` with a number for each.

Only GoEmotions is required; other missing corpora are skipped and listed in the notes.
"""

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final
from zlib import crc32

import numpy as np
import numpy.typing as npt

from moodmirror.emotions import EMOTIONS
from moodmirror.training.corpora import CorpusError, left_out_note, require_classes
from moodmirror.training.settings import TextTraining

# CARER was labeled by hashtags; it has no disgust and no neutral.
CARER_EMOTIONS: Final = {
    "anger": "angry",
    "fear": "fear",
    "joy": "happy",
    "love": "happy",
    "sadness": "sad",
    "surprise": "surprise",
}
DAILYDIALOG_EMOTIONS: Final = ("neutral", "angry", "disgust", "fear", "happy", "sad", "surprise")
QUICK_TEXTS: Final = (6000, 1500)  # of GoEmotions in a quick run: for training and for development
FINE_LABELS: Final = 28  # GoEmotions' 27 emotions and neutral

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True)
class TextSplit:
    """Labeled texts.

    `labels` is bool [n, 7], in the order of EMOTIONS, at least one true in each row; `possible` is bool [n, 7], true for the
    emotions that the corpus can label; `fine` is float32 [n, 28], GoEmotions' own labels, NaN where the corpus has none.
    """

    texts: list[str]
    labels: npt.NDArray[np.bool_]
    possible: npt.NDArray[np.bool_]
    fine: Floats

    def __len__(self) -> int:
        return len(self.texts)

    @classmethod
    def from_labels(
        cls,
        texts: Sequence[str],
        labels: npt.NDArray[np.bool_],
        *,
        impossible: Sequence[str] = (),
        fine: Floats | None = None,
    ) -> "TextSplit":
        """Return a split of texts from a corpus that never labels the `impossible` emotions."""
        possible = np.ones(labels.shape, dtype=bool)
        possible[:, [EMOTIONS.index(emotion) for emotion in impossible]] = False
        if fine is None:
            fine = np.full((len(texts), FINE_LABELS), np.nan, dtype=np.float32)
        return cls(list(texts), labels, possible, fine)

    @classmethod
    def concatenate(cls, splits: "Sequence[TextSplit]") -> "TextSplit":
        """Return one split with the texts of all, in order."""
        return cls(
            [text for split in splits for text in split.texts],
            np.concatenate([split.labels for split in splits]),
            np.concatenate([split.possible for split in splits]),
            np.concatenate([split.fine for split in splits]),
        )

    def select(self, selected: npt.NDArray[np.bool_]) -> "TextSplit":
        """Return the texts for which `selected`, bool [n], is true."""
        texts = [text for text, is_selected in zip(self.texts, selected, strict=True) if is_selected]
        return TextSplit(texts, self.labels[selected], self.possible[selected], self.fine[selected])

    def label_distributions(self) -> Floats:
        """Return the labels as distributions, float32 [n, 7]: several labels of a text get equal shares."""
        labels = self.labels.astype(np.float32)
        distributions: Floats = labels / labels.sum(axis=1, keepdims=True)
        return distributions

    def folds(self, count: int) -> npt.NDArray[np.int_]:
        """Return the fold of each text, int [n], 0…`count` − 1. Equal texts are in the same fold."""
        return np.array([crc32(text.lower().encode()) % count for text in self.texts], dtype=np.int_)

    def halves(self) -> tuple["TextSplit", "TextSplit"]:
        """Return two halves: one for calibration, one for measuring it."""
        in_first = self.folds(2) == 0
        return self.select(in_first), self.select(~in_first)


@dataclass(frozen=True)
class TextCorpora:
    """The corpora in their parts.

    `training` is by corpus, `development` GoEmotions' own. `emotion_of_fine`, int [28], is the index in EMOTIONS of each of
    GoEmotions' labels. `everyday_calibration` and `everyday` are two sets of DailyDialog's dialogues excluded from training,
    one for calibration, one for evaluation; `tweets` is CARER's validation part. Parts of a missing corpus are None.
    """

    training: dict[str, TextSplit]
    development: TextSplit
    emotion_of_fine: npt.NDArray[np.int_]
    everyday_calibration: TextSplit | None = None
    everyday: TextSplit | None = None
    tweets: TextSplit | None = None
    notes: list[str] = field(default_factory=list)
    emotions: tuple[str, ...] = EMOTIONS


def load_for_training(path: Path, config: TextTraining) -> TextCorpora:
    """Load the corpora in the folder `path` with the emotions that `config` names, and a part of them for a quick run.

    Raises CorpusError for a corpus that can't be read or that a network can't be trained on.
    """
    corpora = load_text_corpora(path)
    if config.emotions:
        corpora = _of_emotions(corpora, config.emotions)
    if config.quick:
        rng = np.random.default_rng(config.seed)
        goemotions, development = (
            split.select(rng.permutation(len(split)) < most)
            for split, most in zip((corpora.training["GoEmotions"], corpora.development), QUICK_TEXTS, strict=True)
        )
        corpora = replace(corpora, training=corpora.training | {"GoEmotions": goemotions}, development=development)
    counts = corpora.training["GoEmotions"].labels.sum(axis=0).tolist()
    require_classes("GoEmotions", dict(zip(EMOTIONS, counts, strict=True)), "training texts")
    return corpora


def only_emotions(split: TextSplit, emotions: Sequence[str]) -> TextSplit:
    """Return the texts of a split that have none but these emotions."""
    others = np.array([emotion not in emotions for emotion in EMOTIONS])
    return split.select(~np.any(split.labels[:, others], axis=1, keepdims=True)[:, 0])


def _of_emotions(corpora: TextCorpora, emotions: Sequence[str]) -> TextCorpora:

    def part(split: TextSplit | None) -> TextSplit | None:
        chosen = None if split is None else only_emotions(split, emotions)
        return chosen if chosen else None

    training = {name: only_emotions(split, emotions) for name, split in corpora.training.items()}
    counts = {name: len(split) - len(training[name]) for name, split in corpora.training.items()}
    note = left_out_note("training texts of emotions that --emotions does not name", counts)
    return replace(
        corpora,
        training={name: split for name, split in training.items() if len(split) or name == "GoEmotions"},
        development=only_emotions(corpora.development, emotions),
        notes=[*corpora.notes, note],
        emotions=tuple(emotion for emotion in EMOTIONS if emotion in emotions),
        everyday_calibration=part(corpora.everyday_calibration),
        everyday=part(corpora.everyday),
        tweets=part(corpora.tweets),
    )


def load_text_corpora(path: Path) -> TextCorpora:
    """Load the corpora in the folder `path`.

    Raises CorpusError naming the file that is missing or damaged.
    """
    goemotions = path / "goemotions"
    if not (goemotions / "train.tsv").is_file():
        raise CorpusError(f"{path} contains no goemotions/train.tsv. Pass the folder that contains goemotions/")
    emotion_of_fine = _load_label_groups(goemotions)
    training = {"GoEmotions": _load_goemotions(goemotions / "train.tsv", emotion_of_fine)}
    development = _load_goemotions(goemotions / "dev.tsv", emotion_of_fine)
    notes: list[str] = []
    held_out: dict[str, Any] = {}
    development_texts = {text.lower() for text in development.texts}
    is_new = np.array([text.lower() not in development_texts for text in training["GoEmotions"].texts])
    notes.append(f"{int((~is_new).sum())} training texts excluded because the development part contains them")
    training["GoEmotions"] = training["GoEmotions"].select(is_new)
    if (path / "carer").is_dir():
        training["CARER"] = _load_carer(path / "carer" / "train.txt", notes)
        held_out["tweets"] = _load_carer(path / "carer" / "val.txt", notes)
    else:
        notes.append("no carer/")
    if (path / "dailydialog").is_dir():
        calibration, everyday, training["DailyDialog"] = _load_dailydialog(path / "dailydialog")
        held_out |= {"everyday_calibration": calibration, "everyday": everyday}
    else:
        notes.append("no dailydialog/")
    return TextCorpora(training, development, emotion_of_fine, notes=notes, **held_out)


def _load_label_groups(folder: Path) -> npt.NDArray[np.int_]:
    """Return the index in EMOTIONS of each of GoEmotions' labels, int [28]."""
    names = _read_lines(folder / "emotions.txt")
    names += [] if "neutral" in names else ["neutral"]
    groups = json.loads("\n".join(_read_lines(folder / "ekman_mapping.json")))
    emotion_of = {
        name: EMOTIONS.index(groups["to7"][group]) for group, members in groups["ekman"].items() for name in members
    }
    if len(names) != FINE_LABELS or set(names) != set(emotion_of):
        raise CorpusError(f"{folder / 'emotions.txt'} and ekman_mapping.json must name the same {FINE_LABELS} labels")
    return np.array([emotion_of[name] for name in names], dtype=np.int_)


def _load_goemotions(path: Path, emotion_of_fine: npt.NDArray[np.int_]) -> TextSplit:
    lines = [line for line in _read_lines(path) if line]
    labels = np.zeros((len(lines), len(EMOTIONS)), dtype=bool)
    fine = np.zeros((len(lines), FINE_LABELS), dtype=np.float32)
    texts = []
    for row, line in enumerate(lines):
        try:
            text, ids, *_ = line.split("\t")
            label_ids = [int(number) for number in ids.split(",")]
            fine[row, label_ids] = 1
            labels[row, emotion_of_fine[label_ids]] = True
        except (ValueError, IndexError):
            raise CorpusError(
                f"{path}, line {row + 1}: expected a text, a tab and label ids in 0…{FINE_LABELS - 1}"
            ) from None
        texts.append(text)
    return TextSplit.from_labels(texts, labels, fine=fine)


def _load_carer(path: Path, notes: list[str]) -> TextSplit:
    texts, labels = [], []
    others: Counter[str] = Counter()
    for line in _read_lines(path):
        text, _, label = line.rpartition(";")
        if label in CARER_EMOTIONS:
            texts.append(text)
            labels.append(EMOTIONS.index(CARER_EMOTIONS[label]))
        elif line:
            others[label] += 1
    if not texts:
        raise CorpusError(f"{path}, line 1: expected text;label with one of {', '.join(CARER_EMOTIONS)}")
    if others:
        notes.append(left_out_note(f"lines of {path.name} with another label", others))
    return TextSplit.from_labels(texts, _one_hot(labels), impossible=("disgust", "neutral"))


def _load_dailydialog(folder: Path) -> tuple[TextSplit, TextSplit, TextSplit]:
    """Return three parts, split by dialogue: calibration, evaluation and training.

    A fifth of the dialogues is for calibration, a fifth for evaluation, the rest for training. Equal dialogues stay
    together.
    """
    path = folder / "validation_dialogues.txt"
    dialogues = _read_lines(path)
    emotions = _read_lines(folder / "validation_dialogues_emotion.txt")
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
    calibration, test, training = (
        TextSplit.from_labels([text for text, _ in part], _one_hot([label for _, label in part]))
        for part in (parts[0], parts[1], rest)
    )
    return calibration, test, training


def _one_hot(labels: Sequence[int]) -> npt.NDArray[np.bool_]:
    return np.eye(len(EMOTIONS), dtype=bool)[np.asarray(labels, dtype=np.int_)]


def _read_lines(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="utf-8").rstrip("\n").split("\n")
    except FileNotFoundError:
        raise CorpusError(f"{path} is missing") from None
    except UnicodeDecodeError as error:
        raise CorpusError(f"{path} is not UTF-8: {error.reason} at byte {error.start}") from None
