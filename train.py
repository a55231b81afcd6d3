"""Retrain the models of Mood Mirror.

    python train.py face --data PATH             train on FER2013, write models/face_emotion.*
    python train.py face --data PATH --resume    go on with a run that was ended
    python train.py face --data PATH --evaluate  measure the model that is served
    python train.py face --data PATH --distil A.keras B.keras
                                                 train one network on what several have learnt
    python train.py face --data PATH --start-from runs/face --run-dir runs/face2 --epochs 24 --learning-rate 0.04
                                                 train on from where another run was best
    python train.py text --data PATH             train on GoEmotions and its helpers, write models/text_emotion.*
    python train.py text --data PATH --evaluate  measure the model that is served
    python train.py text --data PATH --model tfidf
                                                 train the small model of word counts, write models/text_tfidf.pickle
    python train.py speech --data PATH [PATH …]  train on RAVDESS, TESS, EMO-DB and own recordings
    python train.py speech --data PATH --model mlp
                                                 a classic model instead: mlp or bagging; or another network: rnn
    python train.py speech --data PATH --explore draw what there is to hear, train nothing
    python train.py fusion --data face=PATH speech=PATH
                                                 measure the ways to make one mood of both, write models/fusion.md

For faces PATH is fer2013.csv (with fer2013new.csv beside it, its FER+ votes are used), a folder with train/angry/*.jpg and
so on, or a folder with the grids fer2013_training.webp and .csv. For speech it is a folder of recordings that are named as
their corpus names them, a folder with angry/*.wav and so on, or a CSV file with the columns path, emotion and, if several
people speak, speaker. For text it is the folder that holds goemotions/, and carer/ and dailydialog/ if they are there.
Another Keras backend trains too, on a GPU for instance: KERAS_BACKEND=jax python train.py face …
"""

import argparse
import os
import sys
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any, TypeVar

from moodmirror.training.settings import FaceTraining, SpeechTraining, TextTraining

Settings = TypeVar("Settings", FaceTraining, SpeechTraining, TextTraining)


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; returns the exit status."""
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


def _add_face(commands: Any) -> None:
    face = commands.add_parser("face", help="the network that reads faces", description="Train the face network.")
    face.set_defaults(**asdict(FaceTraining()))
    face.add_argument("--data", type=Path, required=True, help="FER2013: a CSV file, folders, or grids")
    face.add_argument("--resume", action="store_true", help="go on with the run in --run-dir, with its settings")
    face.add_argument("--export", action="store_true", help="train no more: export the run's best epoch so far")
    face.add_argument("--evaluate", action="store_true", help="train nothing: print the served model's figures")
    face.add_argument("--run-dir", type=Path, default=Path("runs/face"), help="checkpoints (default: %(default)s)")
    face.add_argument("--models-dir", type=Path, default=Path("models"), help="results (default: %(default)s)")
    face.add_argument("--epochs", type=int, help="so many (default: %(default)s)")
    face.add_argument("--batch-size", type=int, help="faces a step (default: %(default)s)")
    face.add_argument("--learning-rate", type=float, help="the peak (default: %(default)s)")
    face.add_argument("--weight-decay", type=float, help="of SGD (default: %(default)s)")
    face.add_argument("--votes-weight", type=float, help="the FER+ votes' share of the loss (default: %(default)s)")
    face.add_argument("--label-smoothing", type=float, help="0…1 (default: %(default)s)")
    face.add_argument("--balance", type=float, help="0: by face, 1: by emotion (default: %(default)s)")
    face.add_argument("--dropout", type=float, help="before the last layer (default: %(default)s)")
    face.add_argument("--distil", dest="teachers", metavar="KERAS", nargs="+", help="learn from these trained models too")
    face.add_argument("--start-from", metavar="RUN", help="begin with the weights that the run in this folder led to")
    face.add_argument("--kept", type=float, help="share of those weights in what is served (default: %(default)s)")
    face.add_argument(
        "--cool-down", type=float, help="share of the epochs before faces change little (default: %(default)s)"
    )
    face.add_argument("--distilled", type=float, help="the teachers' share (default: %(default)s)")
    face.add_argument("--seed", type=int, help="of everything random (default: %(default)s)")


def _add_speech(commands: Any) -> None:
    speech = commands.add_parser("speech", help="the model that hears voices", description="Train a model of speech.")
    speech.set_defaults(**asdict(SpeechTraining()))
    speech.add_argument(
        "--data", type=Path, nargs="+", required=True, metavar="PATH", help="corpora, own recordings, CSV files"
    )
    speech.add_argument(
        "--model",
        choices=("cnn", "rnn", "mlp", "bagging"),
        help="networks over spectrograms (cnn, rnn: the one that is served), or scikit-learn's over classic features "
        "(default: %(default)s)",
    )
    speech.add_argument("--resume", action="store_true", help="go on with the run in --run-dir: what is done there stays")
    speech.add_argument("--evaluate", action="store_true", help="train nothing: print the served model's answers to --data")
    speech.add_argument("--explore", action="store_true", help="train nothing: draw the recordings into --out")
    speech.add_argument("--out", type=Path, default=Path("runs/speech/explore"), help="pictures (default: %(default)s)")
    speech.add_argument("--run-dir", type=Path, default=Path("runs/speech/run"), help="networks (default: %(default)s)")
    speech.add_argument("--models-dir", type=Path, default=Path("models"), help="results (default: %(default)s)")
    speech.add_argument("--epochs", type=int, help="so many (default: %(default)s)")
    speech.add_argument("--members", type=int, help="networks to average (default: %(default)s)")
    speech.add_argument("--copies", type=int, help="augmented, of each recording (default: %(default)s)")
    speech.add_argument("--batch-size", type=int, help="windows a step (default: %(default)s)")
    speech.add_argument("--learning-rate", type=float, help="AdamW's peak (default: %(default)s)")
    speech.add_argument("--weight-decay", type=float, help="of AdamW (default: %(default)s)")
    speech.add_argument("--label-smoothing", type=float, help="0…1 (default: %(default)s)")
    speech.add_argument("--mixup", type=float, help="0: none (default: %(default)s)")
    speech.add_argument("--balance", type=float, help="0: by recording, 1: by label (default: %(default)s)")
    speech.add_argument("--dropout", type=float, help="before the last layer (default: %(default)s)")
    speech.add_argument("--unchanged", type=float, help="share not augmented (default: %(default)s)")
    speech.add_argument("--most-of-a-speaker", type=int, metavar="N", help="recordings an epoch (default: %(default)s)")
    speech.add_argument("--seed", type=int, help="of everything random (default: %(default)s)")


def _add_text(commands: Any) -> None:
    text = commands.add_parser("text", help="the network that reads words", description="Train the text network.")
    text.set_defaults(**asdict(TextTraining()))
    text.add_argument("--data", type=Path, required=True, help="the folder that holds goemotions/, carer/ and dailydialog/")
    text.add_argument(
        "--model",
        choices=("transformer", "tfidf"),
        default="transformer",
        help="tfidf: the small one (default: %(default)s)",
    )
    text.add_argument(
        "--resume",
        action="store_true",
        help="go on with the run in --run-dir, with its settings but --epochs, --networks and --also-averaged",
    )
    text.add_argument("--export", action="store_true", help="train no more: export the run as far as it got")
    text.add_argument("--evaluate", action="store_true", help="train nothing: print the served model's figures")
    text.add_argument("--run-dir", type=Path, default=Path("runs/text"), help="checkpoints (default: %(default)s)")
    text.add_argument("--models-dir", type=Path, default=Path("models"), help="results (default: %(default)s)")
    text.add_argument("--epochs", type=float, help="so many, or a part (default: %(default)s)")
    text.add_argument("--batch-size", type=int, help="texts a step (default: %(default)s)")
    text.add_argument("--learning-rate", type=float, help="the peak (default: %(default)s)")
    text.add_argument("--weight-decay", type=float, help="of AdamW (default: %(default)s)")
    text.add_argument("--dropout", type=float, help="in every layer (default: %(default)s)")
    text.add_argument("--fine-weight", type=float, help="of the 28 labels' loss (default: %(default)s)")
    text.add_argument("--anchor-weight", type=float, help="of the sentence vectors' loss (default: %(default)s)")
    text.add_argument("--patterns", type=int, help="made sentences an epoch (default: %(default)s)")
    text.add_argument("--tweets", type=int, help="texts of CARER an epoch (default: %(default)s)")
    text.add_argument("--most-tokens", type=int, help="of a training text (default: %(default)s)")
    text.add_argument(
        "--folds",
        type=int,
        help="parts of GoEmotions, and teachers who each learn all but one; 0 for no teachers (default: %(default)s)",
    )
    text.add_argument("--teacher-epochs", type=float, help="of each teacher (default: %(default)s)")
    text.add_argument("--teacher-share", type=float, help="of the targets (default: %(default)s)")
    text.add_argument("--teacher-learning-rate", type=float, help="the peak (default: %(default)s)")
    text.add_argument(
        "--also-taught",
        nargs="+",
        metavar="TAUGHT.NPY",
        help="what teachers of other runs said, in their folders; all are weighed label by label, with those of --folds",
    )
    text.add_argument(
        "--teacher-frozen",
        type=int,
        help="of a teacher's lower layers stay as pre-trained, which saves time (default: %(default)s)",
    )
    text.add_argument(
        "--teacher-encoder",
        help="folder of a pre-trained encoder that teachers begin with, of BERT's or MPNet's kind: a larger one teaches "
        "more (default: the network's own)",
    )
    text.add_argument(
        "--specialist-share",
        type=float,
        help="how much what a network of GoEmotions alone says of other corpora's texts counts beside their labels "
        "(default: %(default)s)",
    )
    text.add_argument(
        "--specialist-share-of-patterns",
        type=float,
        help="the same of made sentences; both 0: no such network (default: %(default)s)",
    )
    text.add_argument("--encoder", help="folder of a pre-trained BERT encoder (default: the package's)")
    text.add_argument(
        "--networks", type=int, help="trained one after another, their weights averaged (default: %(default)s)"
    )
    text.add_argument(
        "--also-averaged",
        nargs="+",
        metavar="FOLDER",
        help="networks of other runs, runs/text/network1 and so on, of the same seed and encoder: averaged with these",
    )
    text.add_argument("--seed", type=int, help="of everything random (default: %(default)s)")


def _add_fusion(commands: Any) -> None:
    fusion = commands.add_parser(
        "fusion",
        help="the ways to make one mood of a face and a voice",
        description="Fit the learned fusions of a face and a voice, and measure them beside the served one. Pairs are "
        "made of faces and voices of one emotion. Networks answer for both, so train these first: the served one for faces, "
        "for voices those of the folds in --run-dir, which never heard the speakers whom they answer for.",
        epilog="example: python train.py fusion --data face=faces/ speech=ravdess/",
    )
    fusion.add_argument(
        "--data",
        type=_named_path,
        nargs="+",
        required=True,
        metavar="NAME=PATH",
        help="face=PATH once, and speech=PATH for each of the corpora that train.py speech was given",
    )
    fusion.add_argument(
        "--run-dir", type=Path, default=Path("runs/speech/run"), help="of train.py speech (default: %(default)s)"
    )
    fusion.add_argument("--models-dir", type=Path, default=Path("models"), help="results (default: %(default)s)")
    fusion.add_argument("--pairings", type=int, default=5, help="faces for each voice (default: %(default)s)")
    fusion.add_argument("--seed", type=int, default=7, help="of everything random (default: %(default)s)")


def _named_path(argument: str) -> tuple[str, Path]:
    name, equals, path = argument.partition("=")
    if name not in ("face", "speech") or not equals or not path:
        raise argparse.ArgumentTypeError(f"expected face=PATH or speech=PATH, not {argument!r}")
    return name, Path(path)


def _settings(kind: type[Settings], options: argparse.Namespace) -> Settings:
    return kind(**{field.name: getattr(options, field.name) for field in fields(kind)})


def _face(options: argparse.Namespace) -> None:
    from moodmirror.training import face as face_training
    from moodmirror.training import face_evaluation

    if options.evaluate:
        face_evaluation.evaluate(options.data, models_dir=options.models_dir, seed=options.seed)
    elif options.export:
        face_training.export_run(options.data, run_dir=options.run_dir, models_dir=options.models_dir)
    else:
        options.teachers = tuple(str(Path(teacher).resolve()) for teacher in options.teachers)
        config = _settings(FaceTraining, options)
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

        config = _settings(SpeechTraining, options)
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
        config = _settings(TextTraining, options)
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
