"""The judged wishes, and the predicates that say which items have what they ask for."""

import pytest

from benchmarks.recommend.wishes import SETS, WISHES_DIR, Wish, read_wishes
from moodmirror.paths import DATA_DIR
from moodmirror.recommendation.catalogue import KINDS, Item, read_table

pytestmark = pytest.mark.unit


@pytest.fixture(scope="module")
def tables() -> dict[str, list[Item]]:
    return {kind: read_table(DATA_DIR / f"{kind}.csv", kind) for kind in KINDS}


def titles(tables: dict[str, list[Item]], line: str) -> set[str]:
    wish = Wish.parse(line)
    return {item.title for item in tables[wish.kind] if wish.is_met_by(item)}


def test_predicates_compare_parts_of_cells_numbers_and_words(tables):
    assert "12 Angry Men" in titles(tables, "movies|x|genres = crime & year <= 1957 & minutes >= 96")
    assert "12 Angry Men" not in titles(tables, "movies|x|genres = crime & year <= 1956")
    assert "12 Angry Men" not in titles(tables, "movies|x|genres != crime & year <= 1957")
    assert titles(tables, "songs|x|artist = 10CC / nobody") == {"I'm Not in Love"}
    assert "Acarajé" in titles(tables, "food|x|text ~ bean & diet = dairy-free")
    assert "Acarajé" not in titles(tables, "food|x|text ~ ean")


@pytest.mark.parametrize("line", ["songs|no predicate", "songs|x|year", "songs|x|year == 1990"])
def test_lines_that_are_no_wish_are_refused(line):
    with pytest.raises(ValueError, match=r"condition|unpack"):
        Wish.parse(line)


@pytest.mark.parametrize("name", SETS)
def test_every_wish_can_be_met_and_the_tables_have_about_as_many(tables, name):
    wishes = read_wishes(WISHES_DIR / SETS[name])
    for wish in wishes:
        assert any(map(wish.is_met_by, tables[wish.kind])), wish.text
    for kind in KINDS:
        assert sum(wish.kind == kind for wish in wishes) == pytest.approx(len(wishes) / 4, rel=0.15)
    texts = [wish.text for file in SETS.values() for wish in read_wishes(WISHES_DIR / file)]
    assert len(set(texts)) == len(texts) == 150
