"""The settings of each training, with their defaults. They are also the options of ``train.py``; each run stores its own."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TypeVar

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


@dataclass(frozen=True)
class FaceTraining:
    """How to train the face network. Stored with each run, so that a resumed run continues with the same settings."""

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
    seed: int = setting(7, "seed of all random numbers")


@dataclass(frozen=True)
class SpeechTraining:
    """How to train a speech model. Stored with each run, so that a resumed run continues with the same settings."""

    model: str = setting(
        "cnn",
        "cnn (the served one) or rnn: networks over spectrograms; mlp or bagging: scikit-learn models over classic features",
        choices=("cnn", "rnn", "mlp", "bagging"),
    )
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
    # RAVDESS has 60 recordings of each speaker, TESS has hundreds of each of its two.
    most_of_a_speaker: int = setting(60, "maximum number of recordings of one speaker in an epoch", metavar="N")
    seed: int = setting(7, "seed of all random numbers")


@dataclass(frozen=True)
class TextTraining:
    """How to train the text network. Stored with each run, so that a resumed run continues with the same settings."""

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
