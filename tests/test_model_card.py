"""Rendering model cards from templates."""

import pytest
from jinja2 import UndefinedError

from moodmirror.training import model_card

pytestmark = pytest.mark.training


@pytest.fixture
def template(tmp_path, monkeypatch):
    monkeypatch.setattr(model_card, "TEMPLATES", tmp_path)
    path = tmp_path / "card.md.j2"
    path.write_text(
        "# {{ title }}\n"
        "Accuracy {{ accuracy | percent(1) }} over {{ faces | thousands }} faces, error {{ error | fixed(3) }}.\n"
        "{% for name in names %}\n"
        "- {{ name }}\n"
        "{% endfor %}\n"
    )
    return path.name


def test_a_card_holds_the_values_in_their_formats(template):
    card = model_card.render(template, accuracy=0.694, faces=3589, error=0.0219, names=["angry", "R&D <b>"], title="Card")
    assert card == "# Card\nAccuracy 69.4% over 3,589 faces, error 0.022.\n- angry\n- R&D <b>\n"


@pytest.mark.parametrize("missing", ["error", "names", "title"])
def test_a_missing_value_is_an_error(template, missing):
    values = {"accuracy": 0.694, "faces": 3589, "error": 0.0219, "names": [], "title": "Card"}
    del values[missing]
    with pytest.raises(UndefinedError, match=missing):
        model_card.render(template, **values)
