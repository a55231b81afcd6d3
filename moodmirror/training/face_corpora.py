"""Load the face corpus FER2013 in the forms in which it is distributed.

FER2013 (Goodfellow et al., "Challenges in Representation Learning", ICONIP 2013) is read from

- ``fer2013.csv``: ``emotion, pixels, Usage``; with FER+ votes if ``fer2013new.csv``, row for row, is in the same folder;
- folders of pictures: ``train/angry/*.jpg``, and optionally ``validation/`` and ``test/`` of the same structure;
- grids: ``fer2013_training.webp`` with ``fer2013_training.csv``, one 48×48 tile per row of the table, and the same for
  ``fer2013_publictest``.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

import cv2
import numpy as np
import numpy.typing as npt
import pandas as pd

from moodmirror.emotions import EMOTIONS, FERPLUS_EMOTIONS, parse_emotion
from moodmirror.recognition.face import FACE_SIZE, Faces
from moodmirror.training.corpora import CorpusError, read_table, require_columns

# Columns of FER+ votes that name none of the seven emotions.
FERPLUS_OTHERS: Final = ("contempt", "unknown", "NF")
DEVELOPMENT_SHARE: Final = 0.1  # of the training faces, where the folders include no validation/
PICTURE_SUFFIXES: Final = {".jpg", ".jpeg", ".png", ".webp", ".bmp"}


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

    `name` and `notes` describe in the model card what was read and what was excluded.
    """

    name: str
    training: FaceSplit
    development: FaceSplit
    test: FaceSplit | None = None
    notes: list[str] = field(default_factory=list)


def load_faces(path: Path, seed: int) -> FaceCorpus:
    """Load FER2013 from a file or a folder, in any of the forms above, and exclude training pictures without a face.

    `seed` decides which faces are held out for development where the corpus has no such part.
    Raises CorpusError if no known form is found, or a file is damaged.
    """
    if path.is_file() and path.suffix == ".csv":
        corpus = _load_csv(path)
    elif (path / "fer2013.csv").is_file():
        corpus = _load_csv(path / "fer2013.csv")
    elif (path / "fer2013_training.csv").is_file():
        corpus = _load_grids(path)
    elif (path / "train").is_dir():
        corpus = _load_folders(path, seed)
    else:
        raise CorpusError(
            f"{path} holds no face corpus: expected fer2013.csv, or folders train/angry/*.jpg and so on, "
            "or the grids fer2013_training.webp and .csv"
        )
    return _without_unusable_faces(corpus)


def without_copies(split: FaceSplit, training: FaceSplit) -> FaceSplit:
    """Return the faces of `split` of which `training` holds no exact copy, pixel for pixel."""
    known = {face.tobytes() for face in training.faces}
    return split.where(np.array([face.tobytes() not in known for face in split.faces], dtype=bool))


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
            raise CorpusError(f"{corpus.name}: the {name} part has no faces")
    return replace(corpus, training=training.where(keep), notes=[*corpus.notes, *notes])


def _load_csv(path: Path) -> FaceCorpus:
    table = read_table(path)
    require_columns(path, table, ("emotion", "pixels", "Usage"))
    side = FACE_SIZE * FACE_SIZE
    faces = np.empty((len(table), side), dtype=np.uint8)
    for row, pixels in enumerate(table["pixels"]):
        values = np.array(str(pixels).split(), dtype=np.int64)
        if len(values) != side or values.min() < 0 or values.max() > 255:
            raise CorpusError(f"{path}, line {row + 2}, pixels: expected {side} numbers in 0…255")
        faces[row] = values
    labels = table["emotion"].to_numpy(dtype=np.int_)
    if len(labels) and not (labels.min() >= 0 and labels.max() < len(EMOTIONS)):
        raise CorpusError(f"{path}: emotion must be 0…{len(EMOTIONS) - 1}")
    votes = None
    votes_path = path.with_name("fer2013new.csv")
    if votes_path.is_file():
        votes_table = read_table(votes_path)
        if len(votes_table) != len(table):
            raise CorpusError(f"{votes_path} has {len(votes_table)} rows, but {path} has {len(table)}: they must match")
        votes = _votes(votes_path, votes_table)
    everything = FaceSplit(faces.reshape(-1, FACE_SIZE, FACE_SIZE), labels, votes)
    usage = table["Usage"].to_numpy(dtype=str)
    test = everything.where(usage == "PrivateTest")
    return FaceCorpus(
        name=f"FER2013 ({path.name}{' with FER+ votes' if votes is not None else ''})",
        training=everything.where(usage == "Training"),
        development=everything.where(usage == "PublicTest"),
        test=test if len(test) else None,
    )


def _load_grids(path: Path) -> FaceCorpus:
    return FaceCorpus(
        name="FER2013 (training and publictest) with FER+ votes",
        training=_load_grid(path, "fer2013_training"),
        development=_load_grid(path, "fer2013_publictest"),
    )


def _load_grid(folder: Path, name: str) -> FaceSplit:
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
    unknown = sorted(set(table["emotion"]) - set(EMOTIONS))
    if unknown:
        raise CorpusError(f"{table_path}, emotion: unknown {', '.join(map(str, unknown))}")
    labels = table["emotion"].map(EMOTIONS.index).to_numpy(dtype=np.int_)
    return FaceSplit(faces, labels, _votes(table_path, table) if "NF" in table else None)


def _load_folders(path: Path, seed: int) -> FaceCorpus:
    training = _load_folder(path / "train")
    test = _load_folder(path / "test") if (path / "test").is_dir() else None
    if (path / "validation").is_dir():
        development, note = _load_folder(path / "validation"), "development part: validation/"
    else:
        held_out = np.random.default_rng(seed).random(len(training)) < DEVELOPMENT_SHARE
        development, training = training.where(held_out), training.where(~held_out)
        note = f"development part: {DEVELOPMENT_SHARE:.0%} of train/, held out at random with seed {seed}"
    return FaceCorpus(f"folders of pictures ({path.name})", training, development, test, [note])


def _load_folder(folder: Path) -> FaceSplit:
    faces, labels = [], []
    for picture, emotion in _pictures(folder):
        gray = cv2.imread(str(picture), cv2.IMREAD_GRAYSCALE)
        if gray is None:
            raise CorpusError(f"{picture} is not a readable picture")
        if gray.shape != (FACE_SIZE, FACE_SIZE):
            gray = cv2.resize(gray, (FACE_SIZE, FACE_SIZE), interpolation=cv2.INTER_AREA)
        faces.append(gray.astype(np.uint8))
        labels.append(EMOTIONS.index(emotion))
    if not faces:
        raise CorpusError(f"{folder} holds no pictures in folders named {', '.join(EMOTIONS)}")
    return FaceSplit(np.stack(faces), np.array(labels, dtype=np.int_))


def _pictures(folder: Path) -> Iterator[tuple[Path, str]]:
    for subfolder in sorted(entry for entry in folder.iterdir() if entry.is_dir()):
        try:
            emotion = parse_emotion(subfolder.name)
        except ValueError as error:
            raise CorpusError(f"{subfolder}: {error}") from None
        for picture in sorted(subfolder.iterdir()):
            if picture.suffix.lower() in PICTURE_SUFFIXES:
                yield picture, emotion


def _votes(path: Path, table: pd.DataFrame) -> npt.NDArray[np.float32]:
    columns = [*FERPLUS_EMOTIONS, *FERPLUS_OTHERS]
    require_columns(path, table, columns)
    return table[columns].to_numpy(dtype=np.float32)
