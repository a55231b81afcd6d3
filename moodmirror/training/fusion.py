"""Measure ways to fuse a face and a voice into one mood, the served one among them, on people nobody was fitted on.

No corpus here has faces and voices of the same people, so pairs are made: a voice and a face that express one emotion, drawn
at random within it. Nobody is on both sides. What a voice says comes from the network of its fold of speakers, which never
heard the speaker; faces come from the development part, which no network was trained on, one half of it to fit with and the
other to judge by. Whatever is fitted is fitted once for each fold of speakers, on the other folds' voices.
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Final

import keras
import numpy as np

from moodmirror.emotions import EMOTIONS
from moodmirror.recognition.audio import Samples
from moodmirror.recognition.face import FaceEmotionRecognizer, sharpness, sharpness_weight
from moodmirror.recognition.speech import LABELS, snr_weight, split_windows, to_mood_vectors, voice_activity
from moodmirror.training.corpora import CorpusError
from moodmirror.training.face_corpora import FaceCorpus, FaceSplit, load_faces, without_copies
from moodmirror.training.face_evaluation import DEGRADATIONS, halves
from moodmirror.training.fusion_card import write_card
from moodmirror.training.fusion_evaluation import FINE, FITTED, WORSE, Labels, Sense, evaluation
from moodmirror.training.speech import mean_logits
from moodmirror.training.speech_augmentation import add_noise, colored_noise, decaying_room
from moodmirror.training.speech_card import seven
from moodmirror.training.speech_corpora import SpeechCorpus, load_speech
from moodmirror.training.speech_evaluation import (
    AS_RECORDED,
    NOISE_SEED,
    FoldAnswers,
    as_recorded,
    in_a_room,
    in_white_noise,
    judged,
    unweighted_average_recall,
    windows_of,
)

# What worsens the faces and voices that are judged is not what worsened those that were fitted on.
FITTING_CHANGES: Final = (
    "brighter by 80 gray levels",
    "blurred, σ 1 pixel",
    "noise, σ 10 gray levels",
    "24 pixels wide",
)
TEST_CHANGES: Final = (
    "darker by 80 gray levels",
    "blurred, σ 1.5 pixels",
    "noise, σ 20 gray levels",
    "20 pixels wide",
)
SAME_RECALL: Final = 0.03  # by how much the recall of a fold may exceed what was noted when its network was trained


def train(face: Path, speech: list[Path], *, run_dir: Path, models_dir: Path, pairings: int, seed: int) -> None:
    """Measure every fusion on pairs of the corpora at `face` and `speech`; write card and figures into `models_dir`.

    The networks that answer about voices are the folds' of the run in `run_dir`. Raises CorpusError for corpora that
    can't be read or that the run does not fit, FileNotFoundError where there is no run.
    """
    faces = load_faces(face, seed)
    voices = load_speech(speech)
    print(f"{faces.name}\n{voices.describe()}", flush=True)
    recognizer = FaceEmotionRecognizer.load(models_dir)
    voice, voice_folds = hear(voices, run_dir)
    fitted_faces, judged_faces = (look(half, recognizer, seed) for half in halves(unseen(faces)))
    for half, purpose in ((fitted_faces, "fit with"), (judged_faces, "judge by")):
        missing = sorted({EMOTIONS[label] for label in set(voice.labels.tolist()) - set(half.labels.tolist())})
        if missing:
            raise CorpusError(f"{faces.name}: no development face to {purpose} expresses {', '.join(missing)}")
    result = evaluation(fitted_faces, judged_faces, voice, voice_folds, pairings=pairings, seed=seed)
    models_dir.mkdir(parents=True, exist_ok=True)
    write_card(
        result,
        faces=faces,
        voices=voices,
        counts=(len(fitted_faces.labels), len(judged_faces.labels), len(voice.labels)),
        rarest=min((int((judged_faces.labels == label).sum()), EMOTIONS[label]) for label in np.unique(voice.labels)),
        seed=seed,
        models_dir=models_dir,
    )


# What the senses answer


def unseen(corpus: FaceCorpus) -> FaceSplit:
    """The development faces of which the training part holds no exact copy."""
    return without_copies(corpus.development, corpus.training)


def look(split: FaceSplit, recognizer: FaceEmotionRecognizer, seed: int) -> Sense:
    """What a face network answers about faces: as they are, and worsened, each in one of several ways in turn."""
    vectors, weights = {}, {}
    for condition, ways in ((FINE, ("as they are",)), (FITTED, FITTING_CHANGES), (WORSE, TEST_CHANGES)):
        print(f"asking the face network about {len(split):,} faces, {condition}", flush=True)
        rng = np.random.default_rng(seed)
        worsened = np.stack(
            [DEGRADATIONS[ways[number % len(ways)]](face, rng) for number, face in enumerate(split.faces)]
        ).astype(np.uint8)
        vectors[condition] = recognizer.predict_proba(worsened)
        weights[condition] = np.array([sharpness_weight(sharpness(face)) for face in worsened])
    return Sense("face", split.labels, vectors, weights)


def fitted_worse(samples: Samples, number: int) -> Samples:
    """A voice in pink noise at 10 dB, or in a room of decaying noise, in turn."""
    rng = np.random.default_rng(number)
    if number % 2:
        return decaying_room(samples, rng, t60=0.5, wetness=1.0)
    return add_noise(samples, colored_noise(len(samples), 1.0, rng), 10.0)


def judged_worse(samples: Samples, number: int) -> Samples:
    """A voice in white noise at 15 dB, in a room with walls, or in white noise at 5 dB, in turn."""
    if number % 3 == 2:
        rng = np.random.default_rng((NOISE_SEED, number))
        return add_noise(samples, colored_noise(len(samples), 0.0, rng), 5.0)
    return (in_white_noise, in_a_room)[number % 3](samples, number // 3)


VOICES: Final[dict[str, Callable[[Samples, int], Samples]]] = {
    AS_RECORDED: as_recorded,
    FITTED: fitted_worse,
    WORSE: judged_worse,
}


def hear(corpus: SpeechCorpus, run_dir: Path) -> tuple[Sense, Labels]:
    """What the networks of a run of ``train.py speech`` answer about the speakers of their folds, whom they never heard.

    Returns it with each recording's fold, int [n]. Raises FileNotFoundError if the run has no such networks, CorpusError if
    its folds are not this corpus'.
    """
    chosen = judged(corpus)
    labels, folds = corpus.labels[chosen], corpus.folds[chosen]
    networks = {}
    for fold in np.unique(folds):
        members = sorted(run_dir.glob(f"fold{fold}-*.keras"))
        if not members:
            raise FileNotFoundError(f"{run_dir} has no network of fold {fold}: make it with train.py speech --data PATH")
        networks[fold] = [keras.models.load_model(path, compile=False) for path in members]
    made, logits, weights = {}, {}, {}
    for condition, worsen in VOICES.items():
        print(f"asking the folds' speech networks about {len(chosen):,} recordings, {condition}", flush=True)
        sounds = [worsen(corpus.sounds[index], number) for number, index in enumerate(chosen)]
        made[condition] = windows_of(sounds)
        weights[condition] = np.array([recording_weight(samples) for samples in sounds])
        logits[condition] = np.zeros((len(made[condition].owner), len(LABELS)))
        for fold, members in networks.items():
            here = folds[made[condition].owner] == fold
            logits[condition][here] = mean_logits(members, made[condition].features[here])
            if condition == AS_RECORDED:
                owners, named = made[condition].owner[here], logits[condition][here].argmax(axis=1)
                require_strangers(run_dir, int(fold), unweighted_average_recall(labels[owners], named))
    answers = FoldAnswers(chosen, labels, folds, made, logits)
    vectors = {name: to_mood_vectors(answers.probabilities(name), LABELS) for name in VOICES}
    for by_condition in (vectors, weights):
        by_condition[FINE] = by_condition.pop(AS_RECORDED)
    return Sense("speech", seven(labels), vectors, weights), folds


def require_strangers(run_dir: Path, fold: int, recall: float) -> None:
    """Raise CorpusError if a fold's networks know its speakers better than it was noted when these were held out."""
    noted = [
        list(json.loads(path.read_text(encoding="utf-8"))["recall"].values())[-1]
        for path in run_dir.glob(f"fold{fold}-*.json")
    ]
    if not noted or recall > np.mean(noted) + SAME_RECALL:
        raise CorpusError(
            f"{run_dir}: the networks of fold {fold} have a recall of {recall:.3f} on its speakers, but of "
            f"{np.mean(noted) if noted else np.nan:.3f} when these were held out. They were trained on other folds: give "
            "the same recordings as to train.py speech, or train anew"
        )


def recording_weight(samples: Samples) -> float:
    """The weight of a recording, 0…1: the mean of its windows' in which a voice is heard; 0 where there is none."""
    voices = [voice for _, part in split_windows(samples) if (voice := voice_activity(part))]
    return float(np.mean([snr_weight(voice.snr_db) for voice in voices])) if voices else 0.0
