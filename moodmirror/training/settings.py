"""How to train: the settings of each training, with their defaults. Kept beside each run, so that it goes on as it began."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class FaceTraining:
    """How to train. Stored beside the checkpoint, so that a resumed run goes on as it began."""

    epochs: int = 52
    batch_size: int = 128
    learning_rate: float = 0.1  # SGD's peak, reached after two epochs, then falling along a cosine
    # A step takes learning rate × this off each kernel: ten times what is usual where decay goes through the momentum.
    weight_decay: float = 5e-3
    votes_weight: float = 0.4  # share of the loss that the second answer, the FER+ votes, has where there are any
    label_smoothing: float = 0.05
    balance: float = 0.3  # 0: every face counts the same; 1: every emotion does
    dropout: float = 0.2
    distilled: float = 0.7  # share of the teachers' answers in the target, where there are teachers
    teachers: tuple[str, ...] = ()  # paths of Keras models whose mean answer is learnt beside the labels
    # Folder of a run whose weights, as served, this one begins with, none if empty: a warm restart of the learning rate
    # (Loshchilov and Hutter, "SGDR", ICLR 2017).
    start_from: str = ""
    # Share that those weights keep in the network that is served: it then stands worse pictures as the first did and reads
    # good ones as the second (Wortsman et al., "Robust fine-tuning of zero-shot models", CVPR 2022).
    kept: float = 0.0
    # Share of the epochs after which faces are only mirrored and moved a little, so that the network ends on pictures as
    # they are served (He et al., "Data Augmentation Revisited", arXiv:1909.09148).
    cool_down: float = 0.92
    seed: int = 7


@dataclass(frozen=True)
class SpeechTraining:
    """How to train. Stored beside the run, so that a resumed one goes on as it began."""

    model: str = "cnn"
    members: int = 1  # networks of other seeds whose logits are averaged in the one that is served
    epochs: int = 45
    batch_size: int = 64
    learning_rate: float = 3e-3  # AdamW's peak, reached after two epochs, then falling along a cosine
    weight_decay: float = 0.02
    label_smoothing: float = 0.1
    mixup: float = 0.0  # both parameters of the beta distribution; 0 for none (Zhang et al., ICLR 2018)
    balance: float = 0.5  # 0: every recording counts the same; 1: every label does
    dropout: float = 0.3
    copies: int = 10  # of each recording, one of them unchanged
    unchanged: float = 0.25  # share of the recordings that are learnt as they are
    most_of_a_speaker: int = 60  # recordings an epoch, as RAVDESS has: TESS has hundreds of each of its two women
    seed: int = 7


@dataclass(frozen=True)
class TextTraining:
    """How to train. Stored beside the checkpoint, so that a resumed run goes on as it began."""

    epochs: float = 2.0  # of all texts; the last may be a part
    batch_size: int = 64
    learning_rate: float = 1.5e-4  # AdamW's peak, reached after a twentieth of the steps, then falling along a line
    weight_decay: float = 0.01
    dropout: float = 0.1
    fine_weight: float = 1.0  # of the loss on GoEmotions' own 28 labels, beside the seven
    anchor_weight: float = 3.0  # of the loss that keeps sentence vectors where they were pre-trained
    patterns: int = 12_000  # sentences made of patterns in an epoch
    tweets: int = 6000  # texts of CARER in an epoch: all it has would outweigh what is said outside of tweets
    most_tokens: int = 64  # of a text in training; longer ones are cut
    folds: int = 3  # so many teachers: each learns all but one of as many parts of GoEmotions, and answers for that one
    teacher_epochs: float = 1.4  # of each
    teacher_share: float = 0.5  # how much a teacher's answer counts; the labels count for the rest
    teacher_learning_rate: float = 1e-4  # the peak; of a larger encoder less
    teacher_frozen: int = 0  # of a teacher's lower layers stay as pre-trained; and its token table, if any
    also_taught: Sequence[str] = ()  # files with what teachers of other runs said of the same texts
    specialist_share: float = 0.4  # how much a network of GoEmotions alone counts beside other corpora's labels
    specialist_share_of_patterns: float = 0.1  # the same of patterns, whose labels are more certain
    teacher_encoder: str = ""  # folder of the pre-trained encoder that teachers begin with; `encoder` if empty
    encoder: str = ""  # folder of the pre-trained encoder; that of the installed package if empty
    networks: int = 3  # so many are trained, alike but for the order of texts; what is served has the mean of their weights
    also_averaged: Sequence[str] = ()  # folders of networks of other runs, which began alike: their weights count as well
    seed: int = 7
