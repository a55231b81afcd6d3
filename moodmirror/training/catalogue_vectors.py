"""Compute the sentence vectors of the shipped catalogue.

``python -m moodmirror.training.catalogue_vectors`` writes data/catalogue_vectors.npz; with ``--check`` it writes nothing and
exits with 1 if the file was computed from other tables or another encoder.
"""

import argparse
import hashlib
import sys
from pathlib import Path

from moodmirror.paths import DATA_DIR, MODELS_DIR
from moodmirror.recognition.model_files import ModelError, verified_model_bytes
from moodmirror.recognition.text import TextEncoder
from moodmirror.recognition.text_network import GRAPH_FILE, TEXT_FILES
from moodmirror.recognition.text_network import MAKE_COMMAND as MAKE_ENCODER
from moodmirror.recommendation.catalogue import KINDS, CatalogueError, Item, read_table
from moodmirror.recommendation.sentence_vectors import MAKE_COMMAND, VECTORS_FILE, CatalogueVectors, item_text


def main(arguments: list[str] | None = None) -> int:
    """Run the command and return its exit status."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    parser.add_argument("--check", action="store_true", help="only check whether the stored vectors are up to date")
    parser.add_argument("--data-dir", type=Path, default=DATA_DIR, help="folder of the tables (default: %(default)s)")
    parser.add_argument("--models-dir", type=Path, default=MODELS_DIR, help="folder of the encoder (default: %(default)s)")
    options = parser.parse_args(arguments)
    try:
        tables = {kind: read_table(options.data_dir / f"{kind}.csv", kind) for kind in KINDS}
        if options.check:
            fault = find_fault(tables, options.data_dir, options.models_dir)
            print(fault or f"{VECTORS_FILE} is up to date")
            return 1 if fault else 0
        write_vectors(tables, options.data_dir, options.models_dir)
    except (CatalogueError, ModelError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def encoder_hash(models_dir: Path) -> str:
    """Return one SHA-256 hash over the encoder's files.

    Raises ModelError if one is missing or its hash isn't the manifest's.
    """
    contents = (verified_model_bytes(name, MAKE_ENCODER, models_dir) for name in TEXT_FILES)
    return hashlib.sha256(b"".join(hashlib.sha256(content).digest() for content in contents)).hexdigest()


def write_vectors(tables: dict[str, list[Item]], data_dir: Path, models_dir: Path) -> None:
    """Encode every item of the tables and store the vectors in `data_dir`."""
    encoder = TextEncoder.load(models_dir)
    vectors = {}
    for kind, items in tables.items():
        vectors[kind] = encoder.encode([item_text(item, kind) for item in items])
        print(f"{kind}: {len(items)} vectors", flush=True)
    CatalogueVectors.from_float32(tables, vectors, encoder_hash(models_dir)).save(data_dir)


def find_fault(tables: dict[str, list[Item]], data_dir: Path, models_dir: Path) -> str | None:
    """Return why the stored vectors don't match the tables or the encoder; None if they do."""
    stored = CatalogueVectors.load(data_dir)
    if stored.encoder != encoder_hash(models_dir):
        return f"the vectors in {VECTORS_FILE} were computed with another {GRAPH_FILE}. Run: {MAKE_COMMAND}"
    return stored.find_fault(tables)


if __name__ == "__main__":
    sys.exit(main())
