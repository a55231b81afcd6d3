"""Train and evaluate the models of Mood Mirror.

    python train.py face --data PATH             train on FER2013 and write models/face_emotion.*
    python train.py face --data PATH --resume    continue an interrupted run
    python train.py face --data PATH --evaluate  print the metrics of the served model
    python train.py face --data PATH --distil A.keras B.keras
                                                 train one network on the predictions of several (distillation)
    python train.py face --data PATH --start-from runs/face --run-dir runs/face2 --epochs 24 --learning-rate 0.04
                                                 start with the best weights of an earlier run
    python train.py text --data PATH             train on GoEmotions and further corpora, write models/text_emotion.*
    python train.py text --data PATH --evaluate  print the metrics of the served model
    python train.py text --data PATH --model tfidf
                                                 train the small model of word counts, write models/text_tfidf.pickle
    python train.py speech --data PATH [PATH …]  train on RAVDESS, TESS, EMO-DB and your own recordings
    python train.py speech --data PATH --model mlp
                                                 train a classic model, mlp or bagging, or another network, rnn
    python train.py speech --data PATH --explore plot the recordings without training
    python train.py fusion --data face=PATH speech=PATH
                                                 compare ways to combine face and voice, write models/fusion.md

PATH for face: fer2013.csv (with fer2013new.csv beside it, its FER+ votes are used), a folder with train/angry/*.jpg and so
on, or a folder with the grids fer2013_training.webp and .csv. PATH for speech: a folder of recordings with the file names of
their corpus, a folder with angry/*.wav and so on, or a CSV file with the columns path, emotion and, if several people speak,
speaker. PATH for text: the folder that holds goemotions/ and, optionally, carer/ and dailydialog/.

Training also runs on other Keras backends, for example on a GPU: KERAS_BACKEND=jax python train.py face …
"""

import argparse
import os
import sys
from pathlib import Path
from typing import Any

from moodmirror.training.options import add_options, settings_from
from moodmirror.training.settings import FaceTraining, SpeechTraining, TextTraining


def main(arguments: list[str] | None = None) -> int:
    """Run the command line and return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True, metavar="face|speech|text|fusion")
    _add_face(commands)
    _add_speech(commands)
    _add_text(commands)
    _add_fusion(commands)
    options = parser.parse_args(arguments)
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

    from moodmirror.recognition.model_files import ModelError
    from moodmirror.training.corpora import CorpusError

    try:
        {"face": _face, "speech": _speech, "text": _text, "fusion": _fusion}[options.command](options)
    except (CorpusError, ModelError, FileNotFoundError) as error:
        print(f"train.py: {error}", file=sys.stderr)
        return 1
    return 0


def _add_directories(parser: argparse.ArgumentParser, run_dir: str, run_help: str) -> None:
    parser.add_argument("--run-dir", type=Path, default=Path(run_dir), help=f"{run_help} (default: %(default)s)")
    parser.add_argument(
        "--models-dir", type=Path, default=Path("models"), help="directory for the results (default: %(default)s)"
    )


def _add_face(commands: Any) -> None:
    face = commands.add_parser("face", help="the network for faces", description="Train the network for faces.")
    face.add_argument("--data", type=Path, required=True, help="FER2013: a CSV file, folders of pictures, or grids")
    face.add_argument("--resume", action="store_true", help="continue the run in --run-dir, with its own settings")
    face.add_argument("--export", action="store_true", help="without training, export the best epoch of the run so far")
    face.add_argument("--evaluate", action="store_true", help="without training, print the metrics of the served model")
    _add_directories(face, "runs/face", "directory for the checkpoints")
    add_options(face, FaceTraining)


def _add_speech(commands: Any) -> None:
    speech = commands.add_parser("speech", help="the model for voices", description="Train a model for voices.")
    speech.add_argument(
        "--data", type=Path, nargs="+", required=True, metavar="PATH", help="corpora, your own recordings, CSV files"
    )
    speech.add_argument(
        "--resume", action="store_true", help="continue the run in --run-dir: finished networks are not trained again"
    )
    speech.add_argument(
        "--evaluate", action="store_true", help="without training, print the metrics of the served model on --data"
    )
    speech.add_argument("--explore", action="store_true", help="without training, plot the recordings into --out")
    speech.add_argument(
        "--out", type=Path, default=Path("runs/speech/explore"), help="directory for these plots (default: %(default)s)"
    )
    _add_directories(speech, "runs/speech/run", "directory for the trained networks")
    add_options(speech, SpeechTraining)


def _add_text(commands: Any) -> None:
    text = commands.add_parser("text", help="the network for texts", description="Train the network for texts.")
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
    text.add_argument("--evaluate", action="store_true", help="without training, print the metrics of the served model")
    _add_directories(text, "runs/text", "directory for the checkpoints")
    add_options(text, TextTraining)


def _add_fusion(commands: Any) -> None:
    fusion = commands.add_parser(
        "fusion",
        help="ways to combine a face and a voice into one mood",
        description="Compare the served rule for combining a face and a voice with learned ones. Pairs consist of a face "
        "and a voice with the same emotion. Train the other models first: the served face network and, in --run-dir, the "
        "speech networks of the folds predict the emotions. Each speech network predicts for speakers outside of its "
        "training set.",
        epilog="example: python train.py fusion --data face=faces/ speech=ravdess/",
    )
    fusion.add_argument(
        "--data",
        type=_named_path,
        nargs="+",
        required=True,
        metavar="NAME=PATH",
        help="face=PATH once, and speech=PATH for each of the corpora that train.py speech was run with",
    )
    _add_directories(fusion, "runs/speech/run", "run directory of train.py speech")
    fusion.add_argument("--pairings", type=int, default=5, help="faces paired with each voice (default: %(default)s)")
    fusion.add_argument("--seed", type=int, default=7, help="seed of all random numbers (default: %(default)s)")


def _named_path(argument: str) -> tuple[str, Path]:
    name, equals, path = argument.partition("=")
    if name not in ("face", "speech") or not equals or not path:
        raise argparse.ArgumentTypeError(f"expected face=PATH or speech=PATH, not {argument!r}")
    return name, Path(path)


def _face(options: argparse.Namespace) -> None:
    from moodmirror.training import face as face_training
    from moodmirror.training import face_evaluation

    if options.evaluate:
        face_evaluation.evaluate(options.data, models_dir=options.models_dir, seed=options.seed)
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

        explore(options.data, options.out)
    elif options.evaluate:
        from moodmirror.training.speech_evaluation import evaluate

        evaluate(options.data, models_dir=options.models_dir)
    else:
        from moodmirror.training import speech as speech_training

        config = settings_from(options, SpeechTraining)
        speech_training.train(
            options.data, config=config, run_dir=options.run_dir, models_dir=options.models_dir, resume=options.resume
        )


def _text(options: argparse.Namespace) -> None:
    if options.model == "tfidf":
        from moodmirror.training import text_baselines

        if options.evaluate:
            text_baselines.evaluate(options.data, models_dir=options.models_dir)
        else:
            text_baselines.train(options.data, models_dir=options.models_dir)
        return
    from moodmirror.training import text as text_training
    from moodmirror.training import text_evaluation

    if options.evaluate:
        text_evaluation.evaluate(options.data, models_dir=options.models_dir)
    elif options.export:
        text_training.export_run(options.data, run_dir=options.run_dir, models_dir=options.models_dir)
    else:
        config = settings_from(options, TextTraining)
        text_training.train(
            options.data, config=config, run_dir=options.run_dir, models_dir=options.models_dir, resume=options.resume
        )


def _fusion(options: argparse.Namespace) -> None:
    from moodmirror.training import fusion as fusion_training
    from moodmirror.training.corpora import CorpusError

    faces = [path for name, path in options.data if name == "face"]
    speech = [path for name, path in options.data if name == "speech"]
    if len(faces) != 1 or not speech or options.pairings < 1:
        raise CorpusError("--data needs face=PATH once and speech=PATH at least once, and --pairings 1 or more")
    fusion_training.train(
        faces[0],
        speech,
        run_dir=options.run_dir,
        models_dir=options.models_dir,
        pairings=options.pairings,
        seed=options.seed,
    )


if __name__ == "__main__":
    sys.exit(main())
