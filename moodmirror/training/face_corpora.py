"""Load face corpora: FER2013 in the forms in which it is distributed, AffectNet, RAF-DB, and your own pictures in folders.

Read are

- CSV files with a picture's pixels in a cell, ``emotion, pixels, Usage``: ``fer2013.csv``, with FER+ votes if
  ``fer2013new.csv``, row for row, is in the same folder; ``icml_face_data.csv``, whose columns have another order;
- folders of pictures, ``train/angry/*.jpg``, with optional ``validation/`` and ``test/`` of the same structure, or without
  ``train/``, ``angry/*.jpg``; folders may have an emotion's other names (moodmirror.emotions.parse_emotion) or its number;
- grids: ``fer2013_training.webp`` with ``fer2013_training.csv``, one 48×48 tile per row of the table, and the same for
  ``fer2013_publictest``.

Pictures of other classes, such as contempt, are left out, and so are those that can't be read; the corpus' notes count them.
"""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

import cv2
import numpy as np
import numpy.typing as npt
import pandas as pd

from moodmirror.emotions import EMOTIONS, FERPLUS_EMOTIONS, parse_emotion, plain_name
from moodmirror.recognition.face import FACE_SIZE, Faces
from moodmirror.training.corpora import (
    CorpusError,
    files_in,
    left_out_note,
    read_table,
    require_classes,
    require_columns,
    subfolders,
    with_standard_columns,
)

# Columns of FER+ votes that name none of the seven emotions.
FERPLUS_OTHERS: Final = ("contempt", "unknown", "NF")
DEVELOPMENT_SHARE: Final = 0.1  # of the training faces of each emotion, where the corpus has no such part
PICTURE_SUFFIXES: Final = {".jpg", ".jpeg", ".jfif", ".png", ".webp", ".bmp", ".tif", ".tiff", ".avif"}
CSV_NAMES: Final = ("fer2013.csv", "icml_face_data.csv", "train.csv")  # in a folder, the first of these
COLUMN_NAMES: Final = {"emotion": ("label", "labels", "emotions"), "pixels": ("pixel",), "Usage": ("usage", "split", "part")}

# Names of folders and of Usage for each part.
TRAINING, DEVELOPMENT, TEST = "training", "development", "test"
PART_NAMES: Final = {
    **dict.fromkeys(("training", "train"), TRAINING),
    **dict.fromkeys(("publictest", "validation", "valid", "val", "development", "dev"), DEVELOPMENT),
    **dict.fromkeys(("privatetest", "test", "testing"), TEST),
}

# The numbers that corpora use as names of folders. Which corpus it is shows in the numbers that occur.
FER2013_NUMBERS: Final = EMOTIONS  # 0…6
AFFECTNET_NUMBERS: Final = ("neutral", "happy", "sad", "surprise", "fear", "disgust", "angry", "contempt")  # 0…7
RAFDB_NUMBERS: Final = ("", "surprise", "fear", "disgust", "happy", "sad", "angry", "neutral")  # 1…7


@dataclass(frozen=True)
class FaceSplit:
    """Labeled faces.

    `faces` is uint8 [n, 48, 48]; `labels` int [n], indices into EMOTIONS; `votes` float32 [n, 10], the vote counts of
    FER+ in the order of FERPLUS_EMOTIONS and then FERPLUS_OTHERS, or None where the corpus has none.
    """

    faces: Faces
    labels: npt.NDArray[np.int_]
    votes: npt.NDArray[np.float32] | None = None

    def __len__(self) -> int:
        return len(self.faces)

    def where(self, chosen: npt.NDArray[np.bool_]) -> "FaceSplit":
        """Return the faces for which `chosen`, bool [n], is true."""
        return FaceSplit(self.faces[chosen], self.labels[chosen], None if self.votes is None else self.votes[chosen])

    def vote_distributions(self) -> npt.NDArray[np.float32]:
        """Return the shares of the votes, float32 [n, 7] in the order of EMOTIONS; a row without usable votes is 0."""
        distributions = np.zeros((len(self), len(EMOTIONS)), dtype=np.float32)
        if self.votes is not None:
            for column, emotion in enumerate(FERPLUS_EMOTIONS.values()):
                distributions[:, EMOTIONS.index(emotion)] = self.votes[:, column]
            totals = distributions.sum(axis=1, keepdims=True)
            np.divide(distributions, totals, out=distributions, where=totals > 0)
        return distributions


@dataclass(frozen=True)
class FaceCorpus:
    """A corpus in its parts: `training`, `development` to choose epochs and settings by, and `test`, if there is one.

    `name` and `notes` describe in the model card what was read and what was excluded; `emotions` are those that are trained.
    """

    name: str
    training: FaceSplit
    development: FaceSplit
    test: FaceSplit | None = None
    notes: list[str] = field(default_factory=list)
    emotions: tuple[str, ...] = EMOTIONS


def load_faces(data: Path | Sequence[Path], seed: int, emotions: Sequence[str] = ()) -> FaceCorpus:
    """Load face corpora from files or folders, in any of the forms above, and exclude training pictures without a face.

    With `emotions`, faces of the others are left out. `seed` decides which faces are held out for development where a
    corpus has no such part. Raises CorpusError if no known form is found, a file is damaged, or nothing is left.
    """
    paths = [data] if isinstance(data, Path) else list(data)
    corpus = _without_unusable_faces(_joined([_load(path, seed) for path in paths]))
    if emotions:
        corpus = _of_emotions(corpus, emotions)
    present = np.unique(corpus.training.labels)
    return replace(corpus, emotions=tuple(EMOTIONS[label] for label in present))


def require_trainable(corpus: FaceCorpus) -> None:
    """Raise CorpusError if a network can't be trained on the corpus: one emotion only, or too few faces of one."""
    counts = np.bincount(corpus.training.labels, minlength=len(EMOTIONS))
    require_classes(corpus.name, dict(zip(EMOTIONS, counts.tolist(), strict=True)), "training faces")


def without_copies(split: FaceSplit, training: FaceSplit) -> FaceSplit:
    """Return the faces of `split` of which `training` holds no exact copy, pixel for pixel."""
    known = {face.tobytes() for face in training.faces}
    return split.where(np.array([face.tobytes() not in known for face in split.faces], dtype=bool))


def sampled(corpus: FaceCorpus, training_faces: int, other_faces: int, seed: int) -> FaceCorpus:
    """Return a random part of a corpus: at most so many training faces, and so many development and test faces each."""
    rng = np.random.default_rng(seed)

    def part(split: FaceSplit, most: int) -> FaceSplit:
        return split.where(rng.permutation(len(split)) < most)

    test = None if corpus.test is None else part(corpus.test, other_faces)
    training, development = part(corpus.training, training_faces), part(corpus.development, other_faces)
    return replace(corpus, training=training, development=development, test=test)


def _load(path: Path, seed: int) -> FaceCorpus:
    if path.is_file() and path.suffix.lower() in {".csv", ".tsv", ".txt"}:
        return _load_csv(path, seed)
    if not path.is_dir():
        raise CorpusError(f"{path} holds no face corpus: it is neither a folder nor a CSV file")
    table = next((path / name for name in CSV_NAMES if (path / name).is_file()), None)
    if table is not None:
        return _load_csv(table, seed)
    if (path / "fer2013_training.csv").is_file():
        return _load_grids(path)
    parts = {part: folder for folder in subfolders(path) if (part := PART_NAMES.get(plain_name(folder.name)))}
    if TRAINING in parts:
        return _load_folders(path, parts, seed)
    if any(_emotion_in_name(folder.name) for folder in subfolders(path)) or _numbering([path]):
        return _load_folders(path, {TRAINING: path}, seed)
    raise CorpusError(
        f"{path} holds no face corpus: expected fer2013.csv or icml_face_data.csv, or folders train/angry/*.jpg and so on, "
        "or the grids fer2013_training.webp and .csv"
    )


def _joined(corpora: Sequence[FaceCorpus]) -> FaceCorpus:
    """Join corpora part by part; faces without votes get none."""
    if len(corpora) == 1:
        return corpora[0]
    tests = [corpus.test for corpus in corpora if corpus.test is not None]
    return FaceCorpus(
        name="; ".join(corpus.name for corpus in corpora),
        training=_concatenated([corpus.training for corpus in corpora]),
        development=_concatenated([corpus.development for corpus in corpora]),
        test=_concatenated(tests) if tests else None,
        notes=[note for corpus in corpora for note in corpus.notes],
    )


def _concatenated(splits: Sequence[FaceSplit]) -> FaceSplit:
    votes = None
    if any(split.votes is not None for split in splits):
        no_votes = len(FERPLUS_EMOTIONS) + len(FERPLUS_OTHERS)
        votes = np.concatenate(
            [np.zeros((len(split), no_votes), np.float32) if split.votes is None else split.votes for split in splits]
        )
    faces, labels = (np.concatenate([getattr(split, name) for split in splits]) for name in ("faces", "labels"))
    return FaceSplit(faces, labels, votes)


def _of_emotions(corpus: FaceCorpus, emotions: Sequence[str]) -> FaceCorpus:
    """Return a corpus with the faces of these emotions only."""
    chosen = [EMOTIONS.index(emotion) for emotion in emotions]

    def part(split: FaceSplit) -> FaceSplit:
        return split.where(np.isin(split.labels, chosen))

    test = None if corpus.test is None or not len(part(corpus.test)) else part(corpus.test)
    training, development = part(corpus.training), part(corpus.development)
    for name, split in ((TRAINING, training), (DEVELOPMENT, development)):
        missing = [emotion for emotion, label in zip(emotions, chosen, strict=True) if not (split.labels == label).any()]
        if missing:
            raise CorpusError(f"{corpus.name}: the {name} part has no face with {', '.join(missing)}")
    others = Counter(EMOTIONS[label] for label in corpus.training.labels if label not in chosen)
    note = left_out_note("training faces of emotions that --emotions does not name", others)
    return replace(
        corpus,
        training=training,
        development=development,
        test=test,
        notes=[*corpus.notes, *([note] if others else [])],
    )


def _without_unusable_faces(corpus: FaceCorpus) -> FaceCorpus:
    """Exclude blank tiles from the training part, and tiles that most FER+ annotators marked as no face."""
    training = corpus.training
    keep = training.faces.reshape(len(training), -1).std(axis=1) > 0
    notes = [f"{int((~keep).sum())} blank training faces excluded"]
    if training.votes is not None:
        not_a_face = training.votes[:, -1] > training.votes.sum(axis=1) / 2
        notes.append(f"{int((not_a_face & keep).sum())} training pictures excluded that most annotators marked as no face")
        keep &= ~not_a_face
    for name, split in (("training", training.where(keep)), ("development", corpus.development)):
        if len(split) == 0:
            raise CorpusError("; ".join([f"{corpus.name}: the {name} part has no faces", *corpus.notes, *notes]))
    return replace(corpus, training=training.where(keep), notes=[*corpus.notes, *notes])


def _held_out(split: FaceSplit, seed: int) -> npt.NDArray[np.bool_]:
    """Return which faces to hold out for development, bool [n]: DEVELOPMENT_SHARE of each emotion, but at least one.

    An emotion with a single face keeps it for training.
    """
    rng = np.random.default_rng(seed)
    held_out = np.zeros(len(split), dtype=bool)
    for label in np.unique(split.labels):
        rows = rng.permutation(np.flatnonzero(split.labels == label))
        held_out[rows[: max(round(DEVELOPMENT_SHARE * len(rows)), min(len(rows) - 1, 1))]] = True
    return held_out


def _corpus_of_parts(name: str, parts: dict[str, FaceSplit], notes: list[str], seed: int) -> FaceCorpus:
    """Return the corpus of its parts; without a development part, some training faces become it."""
    training, development, test = (parts.get(part) for part in (TRAINING, DEVELOPMENT, TEST))
    if training is None or len(training) == 0:
        raise CorpusError("; ".join([f"{name}: the training part has no faces of {', '.join(EMOTIONS)}", *notes]))
    if development is None or len(development) == 0:
        held_out = _held_out(training, seed)
        development, training = training.where(held_out), training.where(~held_out)
        notes.append(f"development part: {DEVELOPMENT_SHARE:.0%} of the training part, held out at random with seed {seed}")
    return FaceCorpus(name, training, development, test if test is not None and len(test) else None, notes)


def _load_csv(path: Path, seed: int) -> FaceCorpus:
    table = with_standard_columns(read_table(path), COLUMN_NAMES)
    require_columns(path, table, ("emotion", "pixels"))
    side = FACE_SIZE * FACE_SIZE
    faces = np.empty((len(table), side), dtype=np.uint8)
    for row, pixels in enumerate(table["pixels"]):
        try:
            values = np.array(str(pixels).split(), dtype=np.int64)
        except ValueError:
            values = np.empty(0, dtype=np.int64)
        if len(values) != side or values.min() < 0 or values.max() > 255:
            raise CorpusError(f"{path}, line {row + 2}, pixels: expected {side} numbers in 0…255")
        faces[row] = values
    labels, notes = _labels(table["emotion"])
    votes = None
    votes_path = path.with_name("fer2013new.csv")
    if votes_path.is_file():
        votes_table = read_table(votes_path)
        if len(votes_table) != len(table):
            raise CorpusError(f"{votes_path} has {len(votes_table)} rows, but {path} has {len(table)}: they must match")
        votes = _votes(votes_path, votes_table)
    everything = FaceSplit(faces.reshape(-1, FACE_SIZE, FACE_SIZE), labels, votes)
    usage = table["Usage"].to_numpy(dtype=str) if "Usage" in table else np.full(len(table), TRAINING)
    part_of_row = np.array([PART_NAMES.get(plain_name(name), "") for name in usage])
    other_parts = Counter(name for name, part in zip(usage, part_of_row, strict=True) if not part)
    if other_parts:
        notes.append(left_out_note("rows with another Usage", other_parts))
    name = f"FER2013 ({path.name}{' with FER+ votes' if votes is not None else ''})"
    parts = {part: everything.where((part_of_row == part) & (labels >= 0)) for part in (TRAINING, DEVELOPMENT, TEST)}
    return _corpus_of_parts(name, parts, notes, seed)


def _labels(column: "pd.Series[str]") -> tuple[npt.NDArray[np.int_], list[str]]:
    """Return the index in EMOTIONS of each cell, int [n], −1 for other classes, and a note on those.

    Cells are numbers in FER2013's order, or names.
    """
    known: dict[str, int] = {}
    cells = [re.sub(r"\.0+$", "", str(cell).strip()) for cell in column]
    for cell in set(cells):
        emotion = FER2013_NUMBERS[int(cell)] if cell.isdecimal() and int(cell) < len(EMOTIONS) else _emotion_in_name(cell)
        known[cell] = -1 if emotion is None else EMOTIONS.index(emotion)
    others = Counter(cell for cell in cells if known[cell] < 0)
    notes = [left_out_note("rows with another emotion", others)] if others else []
    return np.array([known[cell] for cell in cells], dtype=np.int_), notes


def _load_grids(path: Path) -> FaceCorpus:
    (training, notes), (development, more) = (_load_grid(path, name) for name in ("fer2013_training", "fer2013_publictest"))
    name = "FER2013 (training and publictest) with FER+ votes"
    return FaceCorpus(name, training, development, notes=[*notes, *more])


def _load_grid(folder: Path, name: str) -> tuple[FaceSplit, list[str]]:
    table_path, picture_path = folder / f"{name}.csv", folder / f"{name}.webp"
    if not table_path.is_file():
        raise CorpusError(f"{table_path} is missing")
    table = read_table(table_path)
    require_columns(table_path, table, ("emotion",))
    grid = cv2.imread(str(picture_path), cv2.IMREAD_GRAYSCALE)
    if grid is None:
        raise CorpusError(f"{picture_path} is missing or not a picture")
    rows, columns = grid.shape[0] // FACE_SIZE, grid.shape[1] // FACE_SIZE
    if rows * columns < len(table):
        raise CorpusError(f"{picture_path} has {rows * columns} tiles, but {table_path.name} has {len(table)} rows")
    tiles = grid[: rows * FACE_SIZE, : columns * FACE_SIZE].reshape(rows, FACE_SIZE, columns, FACE_SIZE)
    faces = tiles.swapaxes(1, 2).reshape(-1, FACE_SIZE, FACE_SIZE)[: len(table)].astype(np.uint8)
    labels, notes = _labels(table["emotion"])
    split = FaceSplit(faces, labels, _votes(table_path, table) if "NF" in table else None)
    return split.where(labels >= 0), notes


def _load_folders(path: Path, folders: dict[str, Path], seed: int) -> FaceCorpus:
    numbering = _numbering(list(folders.values()))
    notes = []
    if numbering:
        order = ", ".join(f"{number} {emotion}" for number, emotion in enumerate(numbering) if emotion)
        notes.append(f"numbers of folders read as {order}")
    unknown: Counter[str] = Counter()
    unreadable: Counter[str] = Counter()
    parts = {part: _load_folder(folder, numbering, unknown, unreadable) for part, folder in folders.items()}
    if unknown:
        notes.append(left_out_note("pictures in folders of other names", unknown))
    if unreadable:
        notes.append(left_out_note("pictures that can't be read", unreadable))
    return _corpus_of_parts(f"folders of pictures ({path.name})", parts, notes, seed)


def _load_folder(folder: Path, numbering: Sequence[str], unknown: Counter[str], unreadable: Counter[str]) -> FaceSplit:
    """Load the pictures in the folders of emotions in `folder`; count the others by their folder's name."""
    faces: list[npt.NDArray[np.uint8]] = []
    labels = []
    for subfolder in subfolders(folder):
        number = int(subfolder.name) if subfolder.name.isdecimal() else len(numbering)
        name = numbering[number] if number < len(numbering) else subfolder.name
        emotion = _emotion_in_name(name)
        for picture in files_in(subfolder, PICTURE_SUFFIXES):
            if emotion is None:
                unknown[subfolder.name if name == subfolder.name else f"{subfolder.name} ({name})"] += 1
                continue
            gray = cv2.imread(str(picture), cv2.IMREAD_GRAYSCALE)
            if gray is None:
                unreadable[f"{subfolder.name}/{picture.name}"] += 1
                continue
            if gray.shape != (FACE_SIZE, FACE_SIZE):
                gray = cv2.resize(gray, (FACE_SIZE, FACE_SIZE), interpolation=cv2.INTER_AREA)
            faces.append(gray.astype(np.uint8))
            labels.append(EMOTIONS.index(emotion))
    stacked = np.stack(faces) if faces else np.empty((0, FACE_SIZE, FACE_SIZE), np.uint8)
    return FaceSplit(stacked, np.array(labels, dtype=np.int_))


def _numbering(folders: Sequence[Path]) -> Sequence[str]:
    """Return the emotion of each number that folders have as their names; nothing if none has."""
    numbers = {int(entry.name) for folder in folders for entry in subfolders(folder) if entry.name.isdecimal()}
    if not numbers:
        return ()
    if len(RAFDB_NUMBERS) - 1 in numbers:
        return AFFECTNET_NUMBERS if 0 in numbers else RAFDB_NUMBERS
    return FER2013_NUMBERS


def _emotion_in_name(name: str) -> str | None:
    """Return the emotion that a name stands for, also after a number, as in ``0_Angry``; None for other names."""
    try:
        return parse_emotion(re.sub(r"^\d+[\s._-]+", "", name))
    except ValueError:
        return None


def _votes(path: Path, table: pd.DataFrame) -> npt.NDArray[np.float32]:
    columns = [*FERPLUS_EMOTIONS, *FERPLUS_OTHERS]
    require_columns(path, table, columns)
    return table[columns].to_numpy(dtype=np.float32)
