"""Read the labels and speakers of recordings from their names, as the corpora of emotional speech write them.

- RAVDESS (Livingstone and Russo, PLOS ONE 13 (2018)): ``03-01-05-01-02-01-12.wav``, songs ``03-02-…``, and the clips with
  pictures, ``01-01-….mp4`` and ``01-02-….mp4``, in any subfolders
- TESS (Pichora-Fuller and Dupuis, 2020): ``OAF_back_angry.wav``, in any subfolders
- EMO-DB (Burkhardt et al., Interspeech 2005): ``03a01Fa.wav``
- SAVEE (Haq and Jackson, 2009): ``DC_a01.wav``, or ``DC/a01.wav``
- CREMA-D (Cao et al., IEEE TAC 5 (2014)): ``1001_DFA_ANG_XX.wav``
- own recordings: in folders named after emotions, ``angry/*.wav``, or with a name that ends or starts with an emotion,
  ``kids-talking_happy.wav``, ``happy_01.wav``
"""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from moodmirror.recognition.speech import LABELS, parse_label

# Modality (01 picture and sound, 02 picture only, 03 sound only), channel (01 speech, 02 song), emotion, intensity,
# statement, repetition, actor.
_RAVDESS: Final = re.compile(r"(?P<modality>0[123])-(?P<channel>0[12])-(?P<emotion>0[1-8])-\d\d-\d\d-\d\d-(?P<actor>\d\d)")
_TESS: Final = re.compile(r"(?P<speaker>OAF?|YAF)_(?P<word>[a-z]+)_(?P<emotion>[a-z_ ]+)", re.IGNORECASE)
_EMODB: Final = re.compile(r"(?P<speaker>\d\d)[ab]\d\d(?P<emotion>[WLEAFTN])[a-f]?")
_SAVEE: Final = re.compile(r"(?P<speaker>DC|JE|JK|KL)_(?P<emotion>sa|su|[adfhn])\d\d", re.IGNORECASE)
_CREMAD: Final = re.compile(r"(?P<speaker>1\d\d\d)_[A-Z]{3}_(?P<emotion>[A-Z]{3})_(LO|MD|HI|XX?)", re.IGNORECASE)

SONGS: Final = "RAVDESS songs"
# Ärger (Wut), Ekel, Angst, Freude, Trauer, neutral. Boredom (L) is none of the eight labels.
_EMODB_LABELS: Final = {"W": "angry", "E": "disgust", "A": "fear", "F": "happy", "T": "sad", "N": "neutral"}
_EMODB_WOMEN: Final = {"08", "09", "13", "14", "16"}
_SAVEE_LABELS: Final = {
    "a": "angry",
    "d": "disgust",
    "f": "fear",
    "h": "happy",
    "n": "neutral",
    "sa": "sad",
    "su": "surprise",
}
_SAVEE_SPEAKERS: Final = {"DC", "JE", "JK", "KL"}  # four men


@dataclass(frozen=True)
class Clip:
    """One recording: its `label` is one of LABELS, `sex` is ``male``, ``female`` or unknown (empty)."""

    path: Path
    corpus: str
    speaker: str
    sex: str
    label: str


def clip_of_file(file: Path, root: Path) -> Clip | str:
    """Return the recording in `file`, found under `root`, by its name or its folders; the class of one that is left out."""
    name = file.stem
    if match := _RAVDESS.fullmatch(name):
        if match["modality"] == "02":
            return "RAVDESS' clips without sound"
        corpus = "RAVDESS" if match["channel"] == "01" else SONGS
        sex = "male" if int(match["actor"]) % 2 else "female"
        return Clip(file, corpus, f"ravdess_{match['actor']}", sex, LABELS[int(match["emotion"]) - 1])
    if match := _TESS.fullmatch(name):
        # The name of one file of the corpus starts with OA_.
        speaker = "YAF" if match["speaker"].upper() == "YAF" else "OAF"
        label = label_or_none(match["emotion"])
        return Clip(file, "TESS", f"tess_{speaker}", "female", label) if label else match["emotion"]
    if match := _EMODB.fullmatch(name):
        sex = "female" if match["speaker"] in _EMODB_WOMEN else "male"
        label = _EMODB_LABELS.get(match["emotion"])
        return Clip(file, "EMO-DB", f"emodb_{match['speaker']}", sex, label) if label else "EMO-DB's boredom"
    with_speaker = f"{file.parent.name}_{name}" if file.parent.name.upper() in _SAVEE_SPEAKERS else name
    if match := _SAVEE.fullmatch(name) or _SAVEE.fullmatch(with_speaker):
        speaker = match["speaker"].upper()
        return Clip(file, "SAVEE", f"savee_{speaker}", "male", _SAVEE_LABELS[match["emotion"].lower()])
    if match := _CREMAD.fullmatch(name):
        label = label_or_none(match["emotion"])
        return Clip(file, "CREMA-D", f"cremad_{match['speaker']}", "", label) if label else match["emotion"]
    # The nearest folder that names an emotion is what the user sorted by; the file's own name comes after all of them.
    folders = [label_at_end(folder.name) for folder in file.parents if root in folder.parents]
    label = next(filter(None, [*folders, label_or_none(root.name)]), None) or label_at_end(name) or label_at_start(name)
    return Clip(file, root.name, f"{root.name}_own", "", label) if label else file.parent.name


def label_at_end(name: str) -> str | None:
    """Return the label that a name ends with, numbers aside, as ``kids-talking_happy_02``; None for other names."""
    words = _words(name)
    return next((label for count in (2, 1) if (label := label_or_none(" ".join(words[-count:])))), None)


def label_at_start(name: str) -> str | None:
    """Return the label that a name starts with, numbers aside, as ``01_happy-take``; None for other names."""
    words = _words(name)
    return next((label for count in (2, 1) if (label := label_or_none(" ".join(words[:count])))), None)


def _words(name: str) -> list[str]:
    """Return the words of a name, divided by signs and numbers."""
    return re.findall(r"[^\W\d_]+", name)


def label_or_none(name: str) -> str | None:
    """Return the label that a name stands for, None for other names."""
    try:
        return parse_label(name)
    except ValueError:
        return None
