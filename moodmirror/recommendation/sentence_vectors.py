"""Sentence vectors of the catalogue's items, for text queries.

They are computed at build time, by ``python -m moodmirror.training.catalogue_vectors``, and stored as int8 in
data/catalogue_vectors.npz: no item is encoded when the server starts.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Self

import numpy as np
import numpy.typing as npt

from moodmirror.paths import DATA_DIR
from moodmirror.recommendation.catalogue import KINDS, CatalogueError, Item

VECTORS_FILE: Final = "catalogue_vectors.npz"
MAKE_COMMAND: Final = "python -m moodmirror.training.catalogue_vectors"
SCALE: Final = 127  # the int8 value of 1


def item_text(item: Item, kind: str) -> str:
    """Return the text that an item's vector is computed from: title, artist or director, line, genres and tags."""
    creator = item.facts.get("artist") or item.facts.get("director")
    title = f"{item.title} by {creator.replace('|', ' and ')}" if creator and kind == "songs" else item.title
    words = [word for word in (item.facts.get("genres", ""), item.facts.get("cuisine", ""), "|".join(item.tags)) if word]
    return f"{title}. {item.line} {', '.join('|'.join(words).split('|'))}"


def fingerprint(tables: Mapping[str, Sequence[Item]]) -> str:
    """Return a SHA-256 hash of everything that the vectors are computed from: it changes with any row's id or text."""
    parts = (f"{kind}\0{item.id}\0{item_text(item, kind)}\n" for kind in KINDS for item in tables[kind])
    return hashlib.sha256("".join(parts).encode()).hexdigest()


@dataclass(frozen=True)
class CatalogueVectors:
    """Sentence vectors by kind: `ids` in the order of the rows of `vectors`, int8 [n, 384], 127 times the unit vector.

    `made_from` is the :func:`fingerprint` of the tables, and `encoder` the hash of the encoder's file, that they come from.
    """

    ids: Mapping[str, tuple[str, ...]]
    vectors: Mapping[str, npt.NDArray[np.int8]]
    made_from: str
    encoder: str

    @classmethod
    def from_float32(
        cls, tables: Mapping[str, Sequence[Item]], vectors: Mapping[str, npt.NDArray[np.float32]], encoder: str
    ) -> Self:
        """Quantize unit vectors, float32 [n, 384] for each kind, in the order of the tables' items."""
        return cls(
            ids={kind: tuple(item.id for item in items) for kind, items in tables.items()},
            vectors={kind: np.rint(SCALE * rows).astype(np.int8) for kind, rows in vectors.items()},
            made_from=fingerprint(tables),
            encoder=encoder,
        )

    @classmethod
    def load(cls, folder: Path = DATA_DIR) -> Self:
        """Read the stored vectors. Raises CatalogueError if they are missing or damaged."""
        path = folder / VECTORS_FILE
        try:
            with np.load(path, allow_pickle=False) as stored:
                return cls(
                    ids={kind: tuple(map(str, stored[f"{kind}_ids"])) for kind in KINDS},
                    vectors={kind: stored[f"{kind}_vectors"] for kind in KINDS},
                    made_from=str(stored["made_from"]),
                    encoder=str(stored["encoder"]),
                )
        except (OSError, ValueError, KeyError) as error:
            raise CatalogueError(f"{path} can't be read: {error}. Make it with: {MAKE_COMMAND}") from None

    def save(self, folder: Path = DATA_DIR) -> None:
        """Write the vectors to a folder."""
        arrays: dict[str, Any] = {"made_from": np.array(self.made_from), "encoder": np.array(self.encoder)}
        arrays |= {f"{kind}_ids": np.array(ids) for kind, ids in self.ids.items()}
        arrays |= {f"{kind}_vectors": rows for kind, rows in self.vectors.items()}
        np.savez_compressed(folder / VECTORS_FILE, **arrays)

    def similarity(self, query: npt.NDArray[np.float32], kind: str) -> npt.NDArray[np.float32]:
        """Return each item's cosine similarity to a query's vector, float32 [384] of unit length, in the order of `ids`."""
        return np.asarray(self.vectors[kind] @ query / SCALE, dtype=np.float32)

    def rows(self, items: Sequence[Item], kind: str) -> npt.NDArray[np.float32]:
        """Return the vectors of a kind's items, float32 [n, 384], about of unit length; zeros where none is stored."""
        row_of = {item: row for row, item in enumerate(self.ids[kind])}
        rows = np.zeros((len(items), self.vectors[kind].shape[1]), dtype=np.float32)
        for index, item in enumerate(items):
            if item.id in row_of:
                rows[index] = self.vectors[kind][row_of[item.id]]
        rows /= SCALE
        return rows

    def find_fault(self, tables: Mapping[str, Sequence[Item]]) -> str | None:
        """Return what is wrong with the stored vectors for these tables; None if they are up to date."""
        if self.made_from == fingerprint(tables):
            return None
        return f"the vectors in {VECTORS_FILE} are older than the tables: make them again with: {MAKE_COMMAND}"
