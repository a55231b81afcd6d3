"""Load the recordings of speech corpora and a person's own ones, and divide their speakers into folds.

Recordings are in folders, with the names that :mod:`moodmirror.training.speech_file_names` reads, or listed in a CSV file
with the columns ``path,emotion`` and, if several people speak, ``speaker``.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from moodmirror.media.clip_analysis import joined_samples
from moodmirror.media.decoder_client import AudioChunk, decode_file
from moodmirror.media.errors import MediaError
from moodmirror.recognition.audio import Samples, SoundError, read_sound
from moodmirror.recognition.speech import LABELS
from moodmirror.recognition.speech_features import SILENCE
from moodmirror.training.corpora import (
    CorpusError,
    files_in,
    left_out_note,
    read_table,
    require_classes,
    require_columns,
    with_standard_columns,
)
from moodmirror.training.speech_file_names import SONGS, Clip, clip_of_file, label_or_none

SOUND_SUFFIXES: Final = {".wav", ".flac", ".ogg", ".oga", ".opus", ".mp3"}
# Read by the decoder of clips, in a process of its own.
CLIP_SUFFIXES: Final = {".mp4", ".m4a", ".mov", ".webm", ".mkv", ".avi", ".3gp", ".aac", ".aif", ".aiff", ".caf", ".wma"}
FOLDS: Final = 5
COLUMN_NAMES: Final = {
    "path": ("paths", "file", "filename", "file name", "file path", "filepath", "wav", "audio"),
    "emotion": ("emotions", "label", "labels", "class"),
    "speaker": ("speakers", "speaker id", "actor", "actors"),
}
KNOWN_VOICE: Final = (
    "ONE SPEAKER ONLY: the figures come from a voice that the model was trained on and say nothing about other people's. "
    "Add recordings of other people, or name the speakers in a CSV file with the columns path, emotion and speaker."
)


@dataclass(frozen=True)
class SpeechCorpus:
    """Recordings with their samples, float32 [n] at 16 kHz each; `notes` state for the model card what was excluded."""

    clips: list[Clip]
    sounds: list[Samples]
    notes: list[str] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.clips)

    @property
    def labels(self) -> npt.NDArray[np.int_]:
        """Indices into LABELS, int [n]."""
        return np.array([LABELS.index(clip.label) for clip in self.clips], dtype=np.int_)

    @property
    def present_labels(self) -> list[str]:
        """Those of LABELS that occur."""
        return [LABELS[label] for label in np.unique(self.labels)]

    @property
    def trained_subset(self) -> list[str]:
        """Those of LABELS that occur, if not all do, for the manifest."""
        return self.present_labels if len(self.present_labels) < len(LABELS) else []

    @property
    def corpora(self) -> npt.NDArray[np.str_]:
        """The name of each recording's corpus, [n]."""
        return np.array([clip.corpus for clip in self.clips])

    @property
    def known_voice(self) -> bool:
        """Whether all recordings are of one speaker, so that no voice can be held out for evaluation."""
        return len({clip.speaker for clip in self.clips}) == 1

    @property
    def folds(self) -> npt.NDArray[np.int_]:
        """The fold that each recording is evaluated in, int [n] in 0…4: all recordings of a speaker in the same fold.

        The speakers of each corpus are distributed in the order of their names. For RAVDESS this is the order of the actors'
        numbers, which gives each fold as many women as men; the same actors' songs are in the same folds. The recordings of
        a single speaker are distributed by themselves, those of each label evenly.
        """
        if self.known_voice:
            folds = np.zeros(len(self), dtype=np.int_)
            for label in np.unique(self.labels):
                rows = np.flatnonzero(self.labels == label)
                folds[rows] = np.arange(len(rows)) % FOLDS
            return folds
        order: dict[str, int] = {}
        for corpus in sorted(set(self.corpora)):
            names = sorted({clip.speaker for clip in self.clips if clip.corpus == corpus} - set(order))
            order.update({name: number % FOLDS for number, name in enumerate(names)})
        if len(set(order.values())) == 1:  # several corpora of one speaker each
            order = {name: number % FOLDS for number, name in enumerate(order)}
        return np.array([order[clip.speaker] for clip in self.clips], dtype=np.int_)

    def voices(self) -> list[list[Samples]]:
        """Return, for each recording, those of the same corpus and fold, [n] lists: only these may occur in its copies."""
        groups = [(clip.corpus, int(fold)) for clip, fold in zip(self.clips, self.folds, strict=True)]
        sounds: dict[tuple[str, int], list[Samples]] = {group: [] for group in groups}
        for group, samples in zip(groups, self.sounds, strict=True):
            sounds[group].append(samples)
        return [sounds[group] for group in groups]

    def describe(self) -> str:
        """Return one line with the number of recordings and speakers of each corpus."""
        parts = []
        for corpus in dict.fromkeys(self.corpora.tolist()):
            clips = [clip for clip in self.clips if clip.corpus == corpus]
            parts.append(f"{corpus}: {len(clips):,} recordings of {len({clip.speaker for clip in clips})} speakers")
        return "; ".join(parts)


def load_speech(paths: Sequence[Path], labels: Sequence[str] = ()) -> SpeechCorpus:
    """Load every recording under `paths`, folders or CSV files, in any of the forms above; with `labels`, only theirs.

    Of recordings that are equal sample for sample one is loaded, of silent ones none. What can't be read or has another
    class is left out, and the notes count it. Raises CorpusError if there are no recordings, or a listed one is missing.
    """
    clips: list[Clip] = []
    notes: list[str] = []
    for path in paths:
        found, more = find_clips(path)
        clips += found
        notes += more
    if labels:
        others = Counter(clip.label for clip in clips if clip.label not in labels)
        clips = [clip for clip in clips if clip.label in labels]
        if others:
            notes.append(left_out_note("recordings of emotions that --emotions does not name", others))
    unique: dict[bytes, tuple[Clip, Samples]] = {}
    silent = 0
    unreadable: dict[str, int] = {}
    for clip in clips:
        try:
            samples = read_recording(clip.path)
        except (SoundError, MediaError) as error:
            unreadable[f"{clip.path.name} ({error})"] = 1
            continue
        if np.abs(samples).max(initial=0.0) <= SILENCE:
            silent += 1
        else:
            unique.setdefault(samples.tobytes(), (clip, samples))
    copies = len(clips) - silent - len(unreadable) - len(unique)
    if unreadable:
        notes.append(left_out_note("recordings that can't be read", unreadable))
    notes += [f"exact copies of other recordings excluded: {copies}", f"silent recordings excluded: {silent}"]
    if not unique:
        raise CorpusError(f"{', '.join(map(str, paths))}: no recording is left; {'; '.join(notes)}")
    return SpeechCorpus([clip for clip, _ in unique.values()], [samples for _, samples in unique.values()], notes)


def require_trainable(corpus: SpeechCorpus) -> None:
    """Raise CorpusError if a model can't be trained on the corpus: one label only, or too few recordings of one."""
    counts = np.bincount(corpus.labels, minlength=len(LABELS)).tolist()
    names = ", ".join(dict.fromkeys(corpus.corpora.tolist()))
    require_classes(names, dict(zip(LABELS, counts, strict=True)), "recordings")


def read_recording(path: Path) -> Samples:
    """Return the samples, float32 [n] at 16 kHz, of a recording, or of a clip's sound. Raises SoundError or MediaError."""
    if path.suffix.lower() not in CLIP_SUFFIXES or not path.is_file():
        return read_sound(path)
    with path.open("rb") as file:
        samples = joined_samples([chunk for chunk in decode_file(file, ("audio", "video")) if isinstance(chunk, AudioChunk)])
    if not len(samples):
        raise SoundError("it has no sound")
    return samples


def find_clips(path: Path) -> tuple[list[Clip], list[str]]:
    """Return the recordings under `path`, a folder or a CSV file, ordered by name, and notes on those left out.

    Raises CorpusError if there are none.
    """
    if path.is_file() and path.suffix.lower() in {".csv", ".tsv", ".txt"}:
        return _clips_of_table(path)
    if not path.is_dir():
        raise CorpusError(f"{path} is neither a folder nor a CSV file")
    root = path.absolute()
    read = [clip_of_file(file, root) for file in files_in(root, SOUND_SUFFIXES | CLIP_SUFFIXES)]
    clips = [clip for clip in read if isinstance(clip, Clip)]
    others = Counter(entry for entry in read if isinstance(entry, str))
    notes = [left_out_note("recordings whose name and folder name no emotion", others)] if others else []
    if any(clip.corpus == SONGS for clip in clips):
        notes.append("RAVDESS' songs are trained on, and evaluated only where there is no speech of RAVDESS")
    if not clips:
        reason = "; ".join(["holds no recordings with an emotion", *notes]) if others else "holds no recordings"
        raise CorpusError(
            f"{path} {reason}: expected the file names of RAVDESS (03-01-05-01-02-01-12.wav), TESS (OAF_back_angry.wav), "
            "EMO-DB (03a01Fa.wav), SAVEE (DC_a01.wav) or CREMA-D (1001_DFA_ANG_XX.wav), names that end in an emotion "
            f"(me_happy.wav), or folders named {', '.join(LABELS)}; files may be "
            f"{', '.join(sorted(SOUND_SUFFIXES | CLIP_SUFFIXES))}"
        )
    return clips, notes


def _clips_of_table(path: Path) -> tuple[list[Clip], list[str]]:
    table = with_standard_columns(read_table(path, dtype=str, keep_default_na=False), COLUMN_NAMES)
    require_columns(path, table, ("path", "emotion"))
    clips = []
    others: Counter[str] = Counter()
    for row, entry in enumerate(table.to_dict("records")):
        label = label_or_none(entry["emotion"])
        if label is None:
            others[entry["emotion"].strip()] += 1
            continue
        file = path.parent / entry["path"].strip()
        if not file.is_file():
            raise CorpusError(f"{path}, line {row + 2}, path: there is no file {file}")
        speaker = entry.get("speaker", "").strip() or "own"
        clips.append(Clip(file, path.stem, f"{path.stem}_{speaker}", "", label))
    notes = [left_out_note("recordings of other emotions", others)] if others else []
    if not clips:
        raise CorpusError("; ".join([f"{path} lists no recordings with an emotion of {', '.join(LABELS)}", *notes]))
    return clips, notes
