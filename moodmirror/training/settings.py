"""The settings of each training, with their defaults. They are also the options of ``train.py``; each run stores its own."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, TypeVar

Value = TypeVar("Value")


def setting(
    default: Value, help_text: str, *, flag: str = "", metavar: str | None = None, choices: Sequence[str] | None = None
) -> Value:
    """Declare a setting: a dataclass field that carries what :mod:`moodmirror.training.options` needs for its option.

    `flag` is the option's name where it differs from the field's.
    """
    option = {"help": help_text, "flag": flag, "metavar": metavar, "choices": choices}
    value: Value = field(default=default, metadata=option)
    return value


def _emotions() -> tuple[str, ...]:
    return setting(
        (), "train on these emotions only, such as happy,sad,neutral (default: all of the data)", metavar="EMOTION"
    )


def _quick() -> bool:
    return setting(
        False,
        "a trial of minutes: a part of the data, one split, few epochs; written to directories of its own, and marked",
    )


@dataclass(frozen=True)
class FaceTraining:
    """How to train a face network. Stored with each run, so that a resumed run continues with the same settings."""

    model: str = setting(
        "residual",
        "residual: the served network; vgg: blocks of plain convolutions; mini_xception: separable convolutions, small. "
        "The latter two are written beside the served network, not in its place",
        choices=("residual", "vgg", "mini_xception"),
    )
    emotions: tuple[str, ...] = _emotions()
    quick: bool = _quick()
    epochs: int = setting(52, "number of passes over the training faces")
    batch_size: int = setting(128, "faces per training step")
    learning_rate: float = setting(
        0.1, "highest learning rate of SGD, reached after two epochs; afterwards it falls along a cosine"
    )
    # Ten times what is usual where the decay passes through the momentum.
    weight_decay: float = setting(5e-3, "a training step subtracts this share, times the learning rate, of each kernel")
    votes_weight: float = setting(
        0.4, "weight of the FER+ votes in the loss, 0…1, if there are any; the labels get the rest"
    )
    label_smoothing: float = setting(0.05, "share of each target that is spread evenly over all emotions, 0…1")
    balance: float = setting(
        0.3, "weight of rare emotions: with 0 every face has the same weight, with 1 every emotion has the same total"
    )
    dropout: float = setting(0.2, "share of the features that is randomly set to 0 before the last layer")
    distilled: float = setting(0.7, "share of the teachers' predictions in the targets, 0…1, where there are teachers")
    teachers: tuple[str, ...] = setting(
        (),
        "trained Keras models (teachers) whose mean prediction becomes part of the targets: distillation",
        flag="--distil",
        metavar="KERAS",
    )
    # A warm restart of the learning rate (Loshchilov and Hutter, "SGDR", ICLR 2017).
    start_from: str = setting("", "directory of an earlier run: start with the weights that it would serve", metavar="RUN")
    # The served network is then as robust to degraded pictures as the first network and as accurate on good ones as the
    # second (Wortsman et al., "Robust fine-tuning of zero-shot models", CVPR 2022).
    kept: float = setting(0.0, "share of the weights of --start-from in the weights of the served network, 0…1")
    # The network then ends on pictures as they are served (He et al., "Data Augmentation Revisited", arXiv:1909.09148).
    cool_down: float = setting(0.92, "share of the epochs after which faces are only mirrored and moved a little")
    mirror: float = setting(0.5, "augmentation: share of the faces that are mirrored, 0…1")
    rotation: float = setting(16.0, "augmentation: largest rotation, to both sides, in degrees")
    shift: float = setting(4.0, "augmentation: largest shift across and down, in pixels of 48")
    zoom_in: float = setting(0.2, "augmentation: a face becomes larger by at most this share")
    zoom_out: float = setting(0.15, "augmentation: a face becomes smaller by at most this share")
    relit: float = setting(
        0.4, "augmentation: share of the faces with another gamma, or another contrast and brightness, 0…1"
    )
    brightness: float = setting(50.0, "augmentation: largest change of the brightness, in gray levels of 255")
    noise: float = setting(14.0, "augmentation: largest standard deviation of noise, in gray levels of 255")
    hidden: float = setting(0.25, "augmentation: share of the faces of which a rectangle is covered, 0…1")
    seed: int = setting(7, "seed of all random numbers")


@dataclass(frozen=True)
class SpeechTraining:
    """How to train a speech model. Stored with each run, so that a resumed run continues with the same settings."""

    model: str = setting(
        "cnn",
        "cnn (the served one) or rnn: networks over spectrograms; cnn1d, mlp or bagging: a network of three 1-D "
        "convolutions and scikit-learn's models over classic features. All but cnn are written beside the served network",
        choices=("cnn", "rnn", "cnn1d", "mlp", "bagging"),
    )
    emotions: tuple[str, ...] = _emotions()
    quick: bool = _quick()
    members: int = setting(1, "networks with different seeds whose logits are averaged in the served model")
    epochs: int = setting(45, "number of passes over the recordings")
    batch_size: int = setting(64, "windows of 3 s per training step")
    learning_rate: float = setting(
        3e-3, "highest learning rate of AdamW, reached after two epochs; afterwards it falls along a cosine"
    )
    weight_decay: float = setting(0.02, "weight decay of AdamW")
    label_smoothing: float = setting(0.1, "share of each target that is spread evenly over all labels, 0…1")
    # Zhang et al., "mixup", ICLR 2018.
    mixup: float = setting(0.0, "both parameters of the beta distribution that mixes pairs of windows; 0 for no mixing")
    balance: float = setting(
        0.5, "weight of rare labels: with 0 every recording has the same weight, with 1 every label has the same total"
    )
    dropout: float = setting(0.3, "share of the features that is randomly set to 0 before the last layer")
    copies: int = setting(10, "copies of each recording: one unchanged, the others augmented")
    unchanged: float = setting(0.25, "share of the windows that are taken from the unchanged copy, 0…1")
    pitch: float = setting(3.0, "augmentation: largest shift of pitch and formants, to both sides, in semitones")
    speed: float = setting(0.15, "augmentation: a voice becomes slower by at most this share, and faster by about as much")
    noisy: float = setting(0.55, "augmentation: share of the copies with noise, 0…1")
    lowest_snr: float = setting(5.0, "augmentation: lowest signal-to-noise ratio of these, in dB")
    highest_snr: float = setting(25.0, "augmentation: highest signal-to-noise ratio of these, in dB")
    reverberation: float = setting(0.9, "augmentation: longest reverberation time of a room, in s, at least 0.15")
    gain: float = setting(12.0, "augmentation: largest change of the level, to both sides, in dB; half of the louder clip")
    # RAVDESS has 60 recordings of each speaker, TESS has hundreds of each of its two.
    most_of_a_speaker: int = setting(60, "maximum number of recordings of one speaker in an epoch", metavar="N")
    seed: int = setting(7, "seed of all random numbers")


@dataclass(frozen=True)
class TextTraining:
    """How to train the text network. Stored with each run, so that a resumed run continues with the same settings."""

    emotions: tuple[str, ...] = _emotions()
    quick: bool = _quick()
    epochs: float = setting(2.0, "number of passes over the texts; the last may be a part, as in 1.5")
    batch_size: int = setting(64, "texts per training step")
    learning_rate: float = setting(
        1.5e-4, "highest learning rate of AdamW, reached after a twentieth of the steps; afterwards it falls linearly"
    )
    weight_decay: float = setting(0.01, "weight decay of AdamW")
    dropout: float = setting(0.1, "share of the values that is randomly set to 0 in every layer")
    fine_weight: float = setting(1.0, "weight of the loss on GoEmotions' 28 labels; the seven emotions have weight 1")
    anchor_weight: float = setting(3.0, "weight of the loss that keeps sentence vectors close to the pre-trained ones")
    patterns: int = setting(12_000, "sentences per epoch that are generated from patterns")
    # All texts of CARER would outweigh what is written outside of tweets.
    tweets: int = setting(6000, "texts of CARER per epoch, drawn at random")
    most_tokens: int = setting(64, "maximum number of tokens of a training text; longer texts are cut")
    folds: int = setting(
        3, "parts of GoEmotions; one teacher per part trains on the other parts and predicts for this one; 0: no teachers"
    )
    teacher_epochs: float = setting(1.4, "number of passes of each teacher over its texts")
    teacher_share: float = setting(0.5, "share of the teachers' predictions in the targets, 0…1; the labels have the rest")
    teacher_learning_rate: float = setting(1e-4, "highest learning rate of the teachers; lower it for larger encoders")
    teacher_frozen: int = setting(
        0, "number of lower layers of a teacher that stay as pre-trained, together with its token table; saves time"
    )
    also_taught: Sequence[str] = setting(
        (),
        "predictions of teachers of other runs, in the directories of these runs; all teachers are weighted per label",
        metavar="TAUGHT.NPY",
    )
    specialist_share: float = setting(
        0.4, "share in the targets of other corpora that a network trained on GoEmotions alone predicts, 0…1"
    )
    # The labels of patterns are more certain than those of other corpora.
    specialist_share_of_patterns: float = setting(
        0.1, "the same share for texts generated from patterns; if both shares are 0, no such network is trained"
    )
    teacher_encoder: str = setting(
        "",
        "directory of the pre-trained encoder of the teachers, a BERT or an MPNet; larger encoders predict better "
        "(default: the encoder of the network)",
    )
    encoder: str = setting("", "directory of the pre-trained BERT encoder (default: that of the installed package)")
    networks: int = setting(
        3, "networks that train on differently ordered texts; the served network has the mean of their weights"
    )
    also_averaged: Sequence[str] = setting(
        (),
        "network directories of other runs with the same seed and encoder, such as runs/text/network1, for the mean",
        metavar="FOLDER",
    )
    seed: int = setting(7, "seed of all random numbers")


# What --quick sets, beside a part of the data and one split; options that are given win.
QUICK_SETTINGS: Final[Mapping[str, Mapping[str, float]]] = {
    "face": {"epochs": 8},
    "speech": {"epochs": 15, "copies": 3, "members": 1},
    "text": {
        "epochs": 1.0,
        "patterns": 1000,
        "tweets": 1000,
        "folds": 0,
        "specialist_share": 0.0,
        "specialist_share_of_patterns": 0.0,
        "networks": 1,
    },
    "fusion": {"pairings": 1},
}
