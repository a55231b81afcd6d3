"""Load the corpora of emotional speech, whose file names are their labels, and a person's own recordings.

- RAVDESS (Livingstone and Russo, PLOS ONE 13 (2018)): ``03-01-05-01-02-01-12.wav``, in any subfolders
- TESS (Pichora-Fuller and Dupuis, 2020): ``OAF_back_angry.wav``, in any subfolders
- EMO-DB (Burkhardt et al., Interspeech 2005): ``03a01Fa.wav``
- own recordings: folders named after emotions, ``angry/*.wav``, or a CSV file with the columns ``path,emotion`` and, if
  several people speak, ``speaker``
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from moodmirror.recognition.audio import Samples, SoundError, read_sound
from moodmirror.recognition.speech import LABELS, parse_label
from moodmirror.recognition.speech_features import SILENCE
from moodmirror.training.corpora import CorpusError, read_table, require_columns

SOUND_SUFFIXES: Final = {".wav", ".flac", ".ogg", ".opus", ".mp3"}
FOLDS: Final = 5

# Modality, channel, emotion, intensity, statement, repetition, actor; modality 03 is audio only, channel 01 is speech.
_RAVDESS: Final = re.compile(r"^\d\d-(?P<channel>\d\d)-(?P<emotion>0[1-8])-\d\d-\d\d-\d\d-(?P<actor>\d\d)$")
_TESS: Final = re.compile(r"^(?P<speaker>OAF?|YAF)_(?P<word>[a-z]+)_(?P<emotion>[a-z]+)$", re.IGNORECASE)
_EMODB: Final = re.compile(r"^(?P<speaker>\d\d)[ab]\d\d(?P<emotion>[WLEAFTN])[a-f]?$")

# Ärger (Wut), Ekel, Angst, Freude, Trauer, neutral. Boredom (L) is none of the eight labels and is excluded.
_EMODB_EMOTIONS: Final = {"W": "angry", "E": "disgust", "A": "fear", "F": "happy", "T": "sad", "N": "neutral"}
_EMODB_WOMEN: Final = {"08", "09", "13", "14", "16"}


@dataclass(frozen=True)
class Clip:
    """One recording: its `label` is one of LABELS, `sex` is ``male``, ``female`` or unknown (empty)."""

    path: Path
    corpus: str
    speaker: str
    sex: str
    label: str


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
    def corpora(self) -> npt.NDArray[np.str_]:
        """The name of each recording's corpus, [n]."""
        return np.array([clip.corpus for clip in self.clips])

    @property
    def folds(self) -> npt.NDArray[np.int_]:
        """The fold that each recording is evaluated in, int [n] in 0…4: all recordings of a speaker in the same fold.

        The speakers of each corpus are distributed in the order of their names. For RAVDESS this is the order of the actors'
        numbers, which gives each fold as many women as men.
        """
        order: dict[tuple[str, str], int] = {}
        for corpus in sorted(set(self.corpora)):
            names = sorted({clip.speaker for clip in self.clips if clip.corpus == corpus})
            order.update({(corpus, name): number % FOLDS for number, name in enumerate(names)})
        return np.array([order[clip.corpus, clip.speaker] for clip in self.clips], dtype=np.int_)

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


def load_speech(paths: list[Path]) -> SpeechCorpus:
    """Load every recording under `paths`, folders or CSV files, in any of the forms above.

    Of recordings that are equal sample for sample one is loaded, of silent ones none.
    Raises CorpusError if there are no recordings, or one is damaged.
    """
    clips = [clip for path in paths for clip in find_clips(path)]
    unique: dict[bytes, tuple[Clip, Samples]] = {}
    silent = 0
    for clip in clips:
        try:
            samples = read_sound(clip.path)
        except SoundError as error:
            raise CorpusError(f"{clip.path}: {error}") from None
        if np.abs(samples).max() <= SILENCE:
            silent += 1
        else:
            unique.setdefault(samples.tobytes(), (clip, samples))
    notes = [
        f"exact copies of other recordings excluded: {len(clips) - silent - len(unique)}",
        f"silent recordings excluded: {silent}",
    ]
    if not unique:
        raise CorpusError(f"{', '.join(map(str, paths))}: all recordings are silent")
    return SpeechCorpus([clip for clip, _ in unique.values()], [samples for _, samples in unique.values()], notes)


def find_clips(path: Path) -> list[Clip]:
    """Return the recordings under `path`, a folder or a CSV file, ordered by name. Raises CorpusError if there are none."""
    if path.is_file() and path.suffix.lower() == ".csv":
        return _clips_of_table(path)
    if not path.is_dir():
        raise CorpusError(f"{path} is neither a folder nor a CSV file")
    files = (file for file in sorted(path.rglob("*")) if file.suffix.lower() in SOUND_SUFFIXES)
    clips = [clip for file in files for clip in _clip_of_file(file, root=path)]
    if not clips:
        raise CorpusError(
            f"{path} holds no recordings: expected RAVDESS' (03-01-05-01-02-01-12.wav), TESS' (OAF_back_angry.wav) or "
            f"EMO-DB's (03a01Fa.wav) file names, or folders named {', '.join(LABELS)}; "
            f"files may be {', '.join(sorted(SOUND_SUFFIXES))}"
        )
    return clips


def _clip_of_file(file: Path, root: Path) -> Iterator[Clip]:
    """Yield the recording in `file`, by its name or its folder's; nothing for songs and files with none of the labels."""
    name = file.stem
    if match := _RAVDESS.match(name):
        if match["channel"] == "01":
            sex = "male" if int(match["actor"]) % 2 else "female"
            yield Clip(file, "RAVDESS", f"ravdess_{match['actor']}", sex, LABELS[int(match["emotion"]) - 1])
    elif (match := _TESS.match(name)) and (label := _label_or_none(match["emotion"])):
        # The name of one file of the corpus starts with OA_.
        speaker = "YAF" if match["speaker"].upper() == "YAF" else "OAF"
        yield Clip(file, "TESS", f"tess_{speaker}", "female", label)
    elif match := _EMODB.match(name):
        if match["emotion"] in _EMODB_EMOTIONS:
            sex = "female" if match["speaker"] in _EMODB_WOMEN else "male"
            yield Clip(file, "EMO-DB", f"emodb_{match['speaker']}", sex, _EMODB_EMOTIONS[match["emotion"]])
    elif label := _label_or_none(file.parent.name):
        yield Clip(file, root.name, f"{root.name}_own", "", label)


def _label_or_none(name: str) -> str | None:
    """Return the label that a name stands for, None for other names."""
    try:
        return parse_label(name)
    except ValueError:
        return None


def _clips_of_table(path: Path) -> list[Clip]:
    table = read_table(path, dtype=str, keep_default_na=False)
    require_columns(path, table, ("path", "emotion"))
    clips = []
    for row, entry in enumerate(table.to_dict("records")):
        label = _label_or_none(entry["emotion"])
        if label is None:
            raise CorpusError(
                f"{path}, line {row + 2}, emotion: unknown {entry['emotion']!r}; use one of {', '.join(LABELS)}"
            )
        speaker = entry.get("speaker", "").strip() or "own"
        clips.append(Clip(path.parent / entry["path"], path.stem, f"{path.stem}_{speaker}", "", label))
    if not clips:
        raise CorpusError(f"{path} lists no recordings")
    return clips
