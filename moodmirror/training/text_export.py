"""Export the networks of a text training run to model files, manifest and model card."""

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
from tokenizers import Tokenizer

from moodmirror.recognition.model_files import record_in_manifest
from moodmirror.recognition.text_network import GRAPH_FILE, MODEL_NAME, TABLES_FILE, TEXT_FILES, TOKENIZER_FILE, TokenTables
from moodmirror.training.atomic_files import write_text
from moodmirror.training.export import export_to_litert
from moodmirror.training.run_directory import NETWORK_FILE
from moodmirror.training.settings import TextTraining
from moodmirror.training.text_baselines import sentence_vector_metrics, tfidf_metrics
from moodmirror.training.text_calibration import calibrate
from moodmirror.training.text_card import Provenance, write_card
from moodmirror.training.text_corpora import TextCorpora
from moodmirror.training.text_encoder import encoder_folder, load_pretrained
from moodmirror.training.text_evaluation import MultilabelMetrics
from moodmirror.training.text_network import (
    CLASSIFIER,
    EMOTIONS_OUTPUT,
    MOODS_OUTPUT,
    POSITION_ROWS,
    SENTENCE_OUTPUT,
    TOKEN_ROWS,
    average_networks,
    build_serving_model,
    initial_network,
    predict,
)
from moodmirror.training.text_run import TOKEN_COUNTS, network_directories, other_network_directories, text_run_directory
from moodmirror.training.text_token_batcher import EmbeddedTokenBatcher, TokenBatcher

BASELINE_TEXTS: Final = 2_000  # training texts of the baseline of frozen sentence vectors

Floats = npt.NDArray[np.float32]


def export(corpora: TextCorpora, *, config: TextTraining, run_dir: Path, models_dir: Path) -> None:
    """Average, calibrate, export and evaluate the networks of a run.

    Writes graph, tables, tokenizer, manifest, metrics, plots and card to `models_dir`. Raises FileNotFoundError if no
    network has reached a checkpoint.
    """
    trained = [directory for directory in network_directories(run_dir, config) if directory.holds_network]
    if not trained:
        raise FileNotFoundError(f"{run_dir} contains no network yet. Continue its training with --resume")
    others = other_network_directories(config)
    averaged = [directory.read_state() for directory in (*trained, *others)]
    network = average_networks([directory.path / NETWORK_FILE for directory in (*trained, *others)])
    tokenizer = Tokenizer.from_file(str(run_dir / TOKENIZER_FILE))
    counts = np.load(run_dir / TOKEN_COUNTS, allow_pickle=False)
    [token_rows], [position_rows] = (network.get_layer(name).get_weights() for name in (TOKEN_ROWS, POSITION_ROWS))
    tables = TokenTables.quantized(token_rows, position_rows, counts)
    classifier, batcher = network.get_layer(CLASSIFIER), EmbeddedTokenBatcher(tokenizer, tables)
    calibration = calibrate(corpora, lambda texts: predict(classifier, texts, batcher)[EMOTIONS_OUTPUT])
    served = build_serving_model(classifier, calibration)
    served_path = run_dir / f"{MODEL_NAME}.keras"
    served.save(served_path)
    models_dir.mkdir(parents=True, exist_ok=True)
    export_to_litert(served_path, models_dir / GRAPH_FILE)
    (models_dir / TABLES_FILE).write_bytes(tables.to_bytes())
    write_text(models_dir / TOKENIZER_FILE, tokenizer.to_str())
    record_in_manifest(models_dir, list(TEXT_FILES), config.emotions)
    baselines, pretrained_vectors = _baselines(corpora, config, TokenBatcher(tokenizer, counts))
    provenance = Provenance(
        settings=asdict(config),
        other_teacher_settings=[
            asdict(text_run_directory(Path(path).parent).read_state().settings) for path in config.also_taught
        ],
        parameters=served.count_params(),
        calibration=calibration,
        networks=len(trained),
        other_network_settings=[asdict(state.settings) for state in averaged[len(trained) :]],
        histories=[state.history for state in averaged],
        keras_moods=predict(served, corpora.development.texts, batcher)[MOODS_OUTPUT],
        pretrained_vectors=pretrained_vectors,
        baselines=baselines,
    )
    write_card(corpora, provenance, models_dir)


def _baselines(
    corpora: TextCorpora, config: TextTraining, batcher: TokenBatcher
) -> tuple[Mapping[str, MultilabelMetrics], Floats]:
    """Return development metrics of simpler models by name, and pre-trained sentence vectors."""
    training, development = corpora.training["GoEmotions"], corpora.development
    sample = training.select(np.random.default_rng(config.seed).permutation(len(training)) < BASELINE_TEXTS)
    pretrained = load_pretrained(encoder_folder(config.encoder))
    print(f"computing {len(sample) + len(development)} pre-trained sentence vectors …", flush=True)
    network = initial_network(pretrained, config, corpora.emotion_of_fine)
    vectors = predict(network, [*sample.texts, *development.texts], batcher)[SENTENCE_OUTPUT]
    sample_vectors, development_vectors = vectors[: len(sample)], vectors[len(sample) :]
    return {
        "TF-IDF": tfidf_metrics(training, development),
        f"frozen vectors ({len(sample):,} texts)": sentence_vector_metrics(
            sample_vectors, sample.labels, development_vectors, development
        ),
    }, development_vectors
