import numpy as np
import pytest

from moodmirror.emotions import CIRCUMPLEX, EMOTIONS, mood_vector, parse_emotion, valence_arousal

pytestmark = pytest.mark.unit


def test_emotions_have_the_order_of_fer2013():
    assert EMOTIONS == ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")


def test_weights_become_shares_in_that_order():
    vector = mood_vector({"sad": 3, "happy": 1})
    assert vector.dtype == np.float32
    np.testing.assert_allclose(vector, [0, 0, 0, 0.25, 0.75, 0, 0])


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        ({"bored": 1}, "bored"),
        ({"sad": -1}, "sad"),
        ({"sad": float("nan")}, "sad"),
        ({"sad": 0}, "above 0"),
        ({}, "above 0"),
    ],
)
def test_invalid_weights_raise_an_error(weights, message):
    with pytest.raises(ValueError, match=message):
        mood_vector(weights)


def test_valence_and_arousal_are_plausible():
    valence = {emotion: valence_arousal(mood_vector({emotion: 1}))[0] for emotion in EMOTIONS}
    arousal = {emotion: valence_arousal(mood_vector({emotion: 1}))[1] for emotion in EMOTIONS}
    assert max(valence, key=lambda emotion: valence[emotion]) == "happy"
    assert min(valence, key=lambda emotion: valence[emotion]) == "sad"
    assert arousal["angry"] > arousal["neutral"] > arousal["sad"]
    assert all(-1 <= value <= 1 for position in CIRCUMPLEX.values() for value in position)


@pytest.mark.parametrize(
    ("name", "emotion"),
    [
        ("happy", "happy"),
        ("Happiness", "happy"),
        ("HAP", "happy"),
        ("joy", "happy"),
        ("anger", "angry"),
        ("ANG", "angry"),
        ("disgusted", "disgust"),
        ("fearful", "fear"),
        ("sadness", "sad"),
        ("surprised", "surprise"),
        ("ps", "surprise"),
        ("pleasant_surprise", "surprise"),
        (" Pleasant  Surprised ", "surprise"),
        ("pleasant-surprise", "surprise"),
        ("NEU", "neutral"),
        ("calm", "neutral"),
    ],
)
def test_the_names_that_corpora_use_stand_for_an_emotion(name, emotion):
    assert parse_emotion(name) == emotion


@pytest.mark.parametrize("name", ["contempt", "boredom", "", "happy sad", "7"])
def test_an_unknown_name_raises_an_error_with_the_list(name):
    with pytest.raises(ValueError, match="angry, disgust, fear, happy, sad, surprise, neutral"):
        parse_emotion(name)


def test_weights_under_several_names_of_an_emotion_are_added():
    np.testing.assert_allclose(mood_vector({"sadness": 2, "sad": 1, "joy": 1}), [0, 0, 0, 0.25, 0.75, 0, 0])
