"""Compare ways to fuse a face and a voice into one mood, among them the served one, on people that no model was fitted on.

No corpus here has faces and voices of the same people, so the pairs are artificial: a voice and a random face with the same
emotion. No person is in both the fitting and the test set. Each voice is predicted by the speech network of its fold, which
was not trained on the speaker. Faces come from the development part, which no network was trained on: one half to fit, the
other to test. Learned fusion methods are fitted once for each fold of speakers, on the voices of the other folds.
"""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

import keras
import numpy as np

from moodmirror.emotions import EMOTIONS
from moodmirror.recognition.audio import Samples
from moodmirror.recognition.face import FaceEmotionRecognizer, sharpness, sharpness_weight
from moodmirror.recognition.speech import LABELS, to_mood_vectors
from moodmirror.recognition.speech_features import split_windows
from moodmirror.recognition.voice_activity import snr_weight, voice_activity
from moodmirror.training.corpora import CorpusError
from moodmirror.training.face_corpora import FaceSplit, load_faces, sampled, without_copies
from moodmirror.training.face_evaluation import DEGRADATIONS, QUICK_FACES, halves
from moodmirror.training.fusion_card import write_card
from moodmirror.training.fusion_evaluation import FINE, FITTING, WORSE, Labels, SourcePredictions, evaluation
from moodmirror.training.speech import mean_logits
from moodmirror.training.speech_augmentation import add_noise, colored_noise, decaying_room
from moodmirror.training.speech_conditions import AS_RECORDED, NOISE_SEED, as_recorded, in_a_room, in_white_noise
from moodmirror.training.speech_corpora import SpeechCorpus, load_speech, require_trainable
from moodmirror.training.speech_evaluation import (
    FoldPredictions,
    emotion_indices,
    evaluation_recordings,
    unweighted_average_recall,
    windows_of,
)

# The degradations of the test pairs differ from those that the fusion methods are fitted on.
FITTING_DEGRADATIONS: Final = (
    "brighter by 80 gray levels",
    "blurred, σ 1 pixel",
    "noise, σ 10 gray levels",
    "24 pixels wide",
)
TEST_DEGRADATIONS: Final = (
    "darker by 80 gray levels",
    "blurred, σ 1.5 pixels",
    "noise, σ 20 gray levels",
    "20 pixels wide",
)
MAX_RECALL_EXCESS: Final = 0.03  # of a fold's recall over the one that was recorded when its network was trained


def train(
    face: Sequence[Path],
    speech: Sequence[Path],
    *,
    run_dir: Path,
    models_dir: Path,
    pairings: int,
    seed: int,
    out: Path | None = None,
    quick: bool = False,
) -> None:
    """Evaluate every fusion method on pairs of the corpora at `face` and `speech`; write card and metrics to `out`.

    Faces are predicted by the network in `models_dir`, which is also the default of `out`, voices by the networks of the
    folds in `run_dir`. A quick run takes a part of the faces. Raises CorpusError for corpora that can't be read or
    that the run was not trained on, FileNotFoundError where there is no run.
    """
    faces, voices = load_faces(face, seed), load_speech(speech)
    if quick:
        faces = sampled(faces, len(faces.training), QUICK_FACES, seed)
    print(f"{faces.name}\n{voices.describe()}; {'; '.join(voices.notes)}", flush=True)
    if voices.known_voice:
        raise CorpusError(f"{voices.describe()}: fusion is measured on voices that no network was trained on. Add speakers")
    require_trainable(voices)
    recognizer = FaceEmotionRecognizer.load(models_dir)
    voice, voice_folds = predict_voices(voices, run_dir)
    # No network was trained on these faces: the development part without exact copies of training faces.
    unseen_faces = without_copies(faces.development, faces.training)
    fitting_faces, test_faces = (predict_faces(half, recognizer, seed) for half in halves(unseen_faces))
    for half, purpose in ((fitting_faces, "fit on"), (test_faces, "test on")):
        missing = sorted({EMOTIONS[label] for label in set(voice.labels.tolist()) - set(half.labels.tolist())})
        if missing:
            raise CorpusError(f"{faces.name}: no development face to {purpose} expresses {', '.join(missing)}")
    result = evaluation(fitting_faces, test_faces, voice, voice_folds, pairings=pairings, seed=seed)
    out = out or models_dir
    out.mkdir(parents=True, exist_ok=True)
    write_card(
        result,
        faces=faces,
        voices=voices,
        counts=(len(fitting_faces.labels), len(test_faces.labels), len(voice.labels)),
        rarest=min((int((test_faces.labels == label).sum()), EMOTIONS[label]) for label in np.unique(voice.labels)),
        seed=seed,
        quick=quick,
        out=out,
    )


def predict_faces(split: FaceSplit, recognizer: FaceEmotionRecognizer, seed: int) -> SourcePredictions:
    """Predict the emotions of faces: unchanged and degraded, each face by one of several degradations in turn."""
    vectors, weights = {}, {}
    for condition, names in ((FINE, ("as they are",)), (FITTING, FITTING_DEGRADATIONS), (WORSE, TEST_DEGRADATIONS)):
        print(f"predicting {len(split):,} faces, {condition}", flush=True)
        rng = np.random.default_rng(seed)
        degraded = np.stack(
            [DEGRADATIONS[names[number % len(names)]](face, rng) for number, face in enumerate(split.faces)]
        ).astype(np.uint8)
        vectors[condition] = recognizer.predict_proba(degraded)
        weights[condition] = np.array([sharpness_weight(sharpness(face)) for face in degraded])
    return SourcePredictions("face", split.labels, vectors, weights)


def degraded_to_fit(samples: Samples, number: int) -> Samples:
    """Degrade a voice by pink noise at 10 dB or by a room of decaying noise, in turn."""
    rng = np.random.default_rng(number)
    if number % 2:
        return decaying_room(samples, rng, t60=0.5, wetness=1.0)
    return add_noise(samples, colored_noise(len(samples), 1.0, rng), 10.0)


def degraded_to_test(samples: Samples, number: int) -> Samples:
    """Degrade a voice by white noise at 15 dB, by a room with walls, or by white noise at 5 dB, in turn."""
    if number % 3 == 2:
        rng = np.random.default_rng((NOISE_SEED, number))
        return add_noise(samples, colored_noise(len(samples), 0.0, rng), 5.0)
    return (in_white_noise, in_a_room)[number % 3](samples, number // 3)


VOICE_CONDITIONS: Final[dict[str, Callable[[Samples, int], Samples]]] = {
    AS_RECORDED: as_recorded,
    FITTING: degraded_to_fit,
    WORSE: degraded_to_test,
}


def predict_voices(corpus: SpeechCorpus, run_dir: Path) -> tuple[SourcePredictions, Labels]:
    """Predict the emotions of voices with the networks of a run of ``train.py speech``, each fold with its own.

    Returns the predictions and the fold of each recording, int [n]. Raises FileNotFoundError if the run has no such
    networks, CorpusError if its folds are not those of this corpus.
    """
    indices = evaluation_recordings(corpus)
    labels, folds = corpus.labels[indices], corpus.folds[indices]
    networks = {}
    for fold in np.unique(folds):
        members = sorted(run_dir.glob(f"fold{fold}-*.keras"))
        if not members:
            raise FileNotFoundError(f"{run_dir} has no network of fold {fold}: train it with train.py speech --data PATH")
        networks[fold] = [keras.models.load_model(path, compile=False) for path in members]
    windows, logits, weights = {}, {}, {}
    for condition, change in VOICE_CONDITIONS.items():
        print(f"predicting {len(indices):,} recordings, {condition}", flush=True)
        sounds = [change(corpus.sounds[index], number) for number, index in enumerate(indices)]
        windows[condition] = windows_of(sounds)
        weights[condition] = np.array([recording_weight(samples) for samples in sounds])
        logits[condition] = np.zeros((len(windows[condition].recording), len(LABELS)))
        for fold, members in networks.items():
            in_fold = folds[windows[condition].recording] == fold
            logits[condition][in_fold] = mean_logits(members, windows[condition].features[in_fold])
            if condition == AS_RECORDED:
                true_labels = labels[windows[condition].recording[in_fold]]
                predicted = logits[condition][in_fold].argmax(axis=1)
                require_held_out_speakers(run_dir, int(fold), unweighted_average_recall(true_labels, predicted))
    predictions = FoldPredictions(indices, labels, folds, windows, logits)
    vectors = {name: to_mood_vectors(predictions.probabilities(name), LABELS) for name in VOICE_CONDITIONS}
    for by_condition in (vectors, weights):
        by_condition[FINE] = by_condition.pop(AS_RECORDED)
    return SourcePredictions("speech", emotion_indices(labels), vectors, weights), folds


def require_held_out_speakers(run_dir: Path, fold: int, recall: float) -> None:
    """Raise CorpusError if the recall on a fold is higher than recorded in training, when its speakers were held out."""
    recorded = [
        list(json.loads(path.read_text(encoding="utf-8"))["recall"].values())[-1]
        for path in run_dir.glob(f"fold{fold}-*.json")
    ]
    if not recorded or recall > np.mean(recorded) + MAX_RECALL_EXCESS:
        raise CorpusError(
            f"{run_dir}: the networks of fold {fold} have a recall of {recall:.3f} on its speakers, but "
            f"{np.mean(recorded) if recorded else np.nan:.3f} was recorded for held-out speakers. They were trained on "
            "other folds: name the same recordings as for train.py speech, or train again"
        )


def recording_weight(samples: Samples) -> float:
    """Return the weight of a recording, 0…1: the mean weight of its windows with a voice; 0 without any."""
    voices = [voice for _, part in split_windows(samples) if (voice := voice_activity(part))]
    return float(np.mean([snr_weight(voice.snr_db) for voice in voices])) if voices else 0.0
