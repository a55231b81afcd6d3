"""Prediction of film ratings with and without the viewer's mood, on LDOS-CoMoDa."""

from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import sparse
from sklearn.linear_model import Ridge
from sklearn.model_selection import KFold

from benchmarks.recommend.report import Finding, FloatArray, print_row

FOLDS: Final = 10
BOOTSTRAP_SAMPLES: Final = 2000


def measure_mood_and_ratings(folder: Path) -> list[Finding]:
    """Measure the rating error with the mood against that without it."""
    table = pd.read_csv(folder / "ldos_comoda.csv")
    table = table[table["mood"].notna()].reset_index(drop=True)
    base = (table["userID"], table["itemID"], table["genre1"], table["director"])
    without = _one_hot(*base)
    before = (table["mood"], _crossed(table["mood"], table["genre1"]), _crossed(table["mood"], table["userID"]))
    during = table["dominantEmo"]
    with_mood = _one_hot(*base, *before)
    with_both = _one_hot(*base, *before, during, _crossed(during, table["genre1"]), _crossed(during, table["userID"]))
    ratings = table["rating"].to_numpy(float)
    people = table["userID"].to_numpy()
    print(f"\nDoes the mood help? {len(table)} film ratings (1…5) of {len(np.unique(people))} people, LDOS-CoMoDa")
    errors = {
        name: _squared_errors(features, ratings)
        for name, features in (("without", without), ("with", with_mood), ("both", with_both))
    }
    print_row("", "RMSE", "gain", "from", "to")
    print_row("people, films, genres, directors", _rmse(errors["without"]))
    findings = []
    for name, key in (("… and the mood before the film", "with"), ("… and the emotion felt during the film*", "both")):
        gains = _bootstrap_gains(people, errors["without"], errors[key])
        gain, (low, high) = _rmse(errors["without"]) - _rmse(errors[key]), np.percentile(gains, (2.5, 97.5))
        print_row(name, _rmse(errors[key]), gain, low, high)
        findings.append(Finding(f"RMSE gained by {name[2:].rstrip('*')}", "no target", f"{gain:.3f} ({low:.3f}…{high:.3f})"))
    print(
        f"  Ridge regression, {FOLDS} folds of the ratings, seed 0; 95 % interval of the gain from {BOOTSTRAP_SAMPLES}\n"
        "  bootstrap samples of people. * known only after the film: what reading it could be worth, not a prediction"
    )
    return findings


def _one_hot(*columns: pd.Series) -> sparse.csr_matrix:
    parts = []
    for column in columns:
        codes, values = pd.factorize(column)
        ones = np.ones((codes >= 0).sum())
        rows = np.flatnonzero(codes >= 0)
        parts.append(sparse.csr_matrix((ones, (rows, codes[rows])), shape=(len(column), max(len(values), 1))))
    return sparse.hstack(parts).tocsr()


def _crossed(one: pd.Series, other: pd.Series) -> pd.Series:
    return (one.astype(str) + "×" + other.astype(str)).where(one.notna() & other.notna())


def _squared_errors(features: sparse.csr_matrix, ratings: FloatArray) -> FloatArray:
    """Return the squared errors of held-out ratings, float64 [n].

    Each fold chooses its penalty on a tenth of its training part.
    """
    errors = np.empty(len(ratings))
    for train, test in KFold(FOLDS, shuffle=True, random_state=0).split(ratings):
        held, rest = np.split(np.random.default_rng(0).permutation(train), [len(train) // 10])
        trials = [
            (
                float(((_fit_ridge(features, ratings, rest, alpha).predict(features[held]) - ratings[held]) ** 2).mean()),
                alpha,
            )
            for alpha in (1.0, 2.0, 4.0, 8.0, 16.0)
        ]
        predicted = _fit_ridge(features, ratings, train, min(trials)[1]).predict(features[test])
        errors[test] = (np.clip(predicted, 1, 5) - ratings[test]) ** 2
    return errors


def _fit_ridge(features: sparse.csr_matrix, ratings: FloatArray, rows: npt.NDArray[np.int_], alpha: float) -> Any:
    return Ridge(alpha=alpha).fit(features[rows], ratings[rows])


def _rmse(squared: FloatArray) -> float:
    return float(np.sqrt(squared.mean()))


def _bootstrap_gains(people: npt.NDArray[np.int_], one: FloatArray, other: FloatArray) -> FloatArray:
    """Return the differences of RMSE in bootstrap samples of people, float64 [BOOTSTRAP_SAMPLES]."""
    codes, names = pd.factorize(people)
    sums = np.array([np.bincount(codes, weights) for weights in (one, other, np.ones(len(one)))])
    generator = np.random.default_rng(0)
    drawn = sums[:, generator.integers(0, len(names), (BOOTSTRAP_SAMPLES, len(names)))].sum(axis=2)
    return np.asarray(np.sqrt(drawn[0] / drawn[2]) - np.sqrt(drawn[1] / drawn[2]))
