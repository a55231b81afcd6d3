"""Generate training sentences from patterns.

They cover what the corpora lack: negation, "but", emoji, sarcasm, neutral sentences. They train how words combine. No
sentence of the test cases is among them; ``tests/test_text_data.py`` checks that.
"""

from collections.abc import Callable
from typing import Final

import numpy as np

from moodmirror.emotions import EMOTIONS
from moodmirror.training import text_pattern_words as words
from moodmirror.training.text_corpora import TextSplit
from moodmirror.training.text_pattern_words import Words

Sentence = tuple[str, tuple[str, ...]]  # a text and its emotions
Rng = np.random.Generator

_NOT_NEUTRAL: Final = EMOTIONS[:-1]


def pattern_sentences(count: int, rng: np.random.Generator) -> TextSplit:
    """Return `count` random sentences with their emotions."""
    generators, shares = zip(*_GENERATORS, strict=True)
    probabilities = np.array(shares)
    texts, labels = [], np.zeros((count, len(EMOTIONS)), dtype=bool)
    for row, index in enumerate(rng.choice(len(generators), size=count, p=probabilities / probabilities.sum())):
        text, emotions = generators[index](rng)
        texts.append(_with_ending(text, rng))
        labels[row, [EMOTIONS.index(emotion) for emotion in emotions]] = True
    return TextSplit.from_labels(texts, labels)


def _pick(rng: Rng, options: Words) -> str:
    return options[int(rng.integers(len(options)))]


def _with_ending(text: str, rng: Rng) -> str:
    if text[-1].isalnum():
        text += _pick(rng, ("", "", ".", ".", "!"))
    return text[0].upper() + text[1:] if rng.random() < 0.6 else text


def _feeling(rng: Rng) -> Sentence:
    emotion = _pick(rng, EMOTIONS)
    degree = rng.random()
    word = _pick(rng, words.FEELINGS[emotion])
    if emotion != "neutral":
        word = (
            f"{_pick(rng, words.INTENSIFIERS)} {word}"
            if degree < 0.4
            else f"{_pick(rng, words.SOFTENERS)} {word}"
            if degree < 0.6
            else word
        )
    return _pick(rng, words.FEELING_TEMPLATES).format(word), (emotion,)


def _utterance(rng: Rng) -> Sentence:
    emotion = _pick(rng, EMOTIONS)
    return _pick(rng, words.UTTERANCES[emotion]), (emotion,)


def _event(rng: Rng) -> Sentence:
    emotion = _pick(rng, EMOTIONS)
    return f"{_pick(rng, words.EVENT_OPENINGS)} {_pick(rng, words.EVENTS[emotion])}".strip(), (emotion,)


def _negated_feeling(rng: Rng) -> Sentence:
    kind = rng.random()
    if kind < 0.5:  # a person who is not happy is sad or angry
        text = _pick(rng, words.NEGATION_TEMPLATES).format(_pick(rng, words.FEELINGS["happy"]))
        return text, ("sad", "angry") if rng.random() < 0.3 else ("sad",)
    unpleasant = _pick(rng, ("sad", "angry", "fear", "disgust"))
    if kind > 0.9:  # with an expression of relief
        template = _pick(rng, words.NO_LONGER_TEMPLATES + words.NEGATION_TEMPLATES)
        return f"{template.format(_pick(rng, words.FEELINGS[unpleasant]))}, {_pick(rng, words.RELIEF_PHRASES)}", ("happy",)
    template = _pick(rng, words.NO_LONGER_TEMPLATES if kind < 0.65 else words.NEGATION_TEMPLATES)
    return template.format(_pick(rng, words.FEELINGS[unpleasant])), ("happy", "neutral") if kind < 0.65 else ("neutral",)


def _negated_statement(rng: Rng) -> Sentence:
    emotion = _pick(rng, EMOTIONS if rng.random() < 0.5 else ("happy", "sad"))
    return _pick(rng, words.NEGATED_STATEMENTS[emotion]), (emotion,)


def _contrast(rng: Rng) -> Sentence:
    """Return a sentence that negates one emotion and states another."""
    emotion = _pick(rng, EMOTIONS)
    other = _pick(rng, tuple(name for name in EMOTIONS if name != emotion))
    if rng.random() < 0.5:
        template = _pick(
            rng,
            (
                "it wasn't {}, it was {}",
                "that's not {}, that's {}",
                "not {} but {}",
                "I thought it would be {} but it was {}",
            ),
        )
        return template.format(_pick(rng, words.JUDGMENTS[other]), _pick(rng, words.JUDGMENTS[emotion])), (emotion,)
    template = _pick(
        rng,
        (
            "I'm not {}, I'm {}",
            "I was {} at first, now I am {}",
            "first {}, then {}",
            "she isn't {} any longer, she is {} now",
            "I was so {}, but now I'm {} again",
        ),
    )
    return template.format(_pick(rng, words.FEELINGS[other]), _pick(rng, words.FEELINGS[emotion])), (emotion,)


def _but(rng: Rng) -> Sentence:
    """Return two clauses joined by "but", of which the second states the emotion."""
    emotion = _pick(rng, _NOT_NEUTRAL)
    first = _pick(
        rng,
        words.NEGATIVE_CLAUSES
        if emotion == "happy"
        else words.POSITIVE_CLAUSES
        if rng.random() < 0.8
        else words.NEGATIVE_CLAUSES,
    )
    kind = rng.random()
    if kind < 0.4:
        second = _pick(rng, words.FEELING_TEMPLATES).format(_pick(rng, words.FEELINGS[emotion]))
    elif kind < 0.7:
        second = _pick(rng, words.EVENTS[emotion])
    else:
        second = _pick(rng, words.UTTERANCES[emotion])
    text = f"{first}{_pick(rng, words.BUT_CONNECTIVES)} {second}"
    return text.replace("but", " but").replace("  ", " ").replace(" ,", ","), (emotion,)


def _emoji(rng: Rng) -> Sentence:
    """Return emoji alone, or after a sentence that is neutral or of the same emotion."""
    emotion = _pick(rng, _NOT_NEUTRAL)
    emoji = _pick(rng, words.EMOJI[emotion]) * int(rng.choice([1, 1, 2, 3]))
    kind = rng.random()
    if kind < 0.25:
        return "".join(rng.choice(words.EMOJI[emotion], size=2, replace=False)), (emotion,)
    text = _neutral_text(rng) if kind < 0.65 else _pick(rng, words.EVENTS[emotion])
    return f"{text} {emoji}", (emotion,)


def _emoticon(rng: Rng) -> Sentence:
    emotion = _pick(rng, tuple(words.EMOTICONS))
    text = _neutral_text(rng) if rng.random() < 0.7 else _pick(rng, words.UTTERANCES[emotion])
    return f"{text} {_pick(rng, words.EMOTICONS[emotion])}", (emotion,)


def _sarcasm(rng: Rng) -> Sentence:
    opening = _pick(rng, words.SARCASTIC_OPENINGS)
    annoyance_last = rng.random() < 0.8
    annoyance = _pick(rng, words.ANNOYANCES)
    text = f"{opening}, {annoyance}" if annoyance_last else f"{annoyance}. {opening}"
    if rng.random() < 0.3:
        text = f"{_pick(rng, words.UTTERANCES['happy'])}, {_pick(rng, words.ANNOYANCES)}"
    return f"{text}{_pick(rng, ('.', '!', ''))} /s", ("angry", "sad") if rng.random() < 0.4 else ("angry",)


def _neutral(rng: Rng) -> Sentence:
    return _neutral_text(rng), ("neutral",)


def _neutral_text(rng: Rng) -> str:
    kind = rng.random()
    if kind < 0.2:
        return f"{_pick(rng, words.STATEMENT_SUBJECTS)} {_pick(rng, words.STATEMENT_PREDICATES)}"
    if kind < 0.45:
        return f"{_pick(rng, words.PEOPLE)} {_pick(rng, words.ACTIONS)}"
    if kind < 0.65:
        return _pick(rng, words.FACTS)
    if kind < 0.85:
        return f"{_pick(rng, words.QUESTIONS)}{_pick(rng, ('?', '?', ''))}"
    return _pick(rng, words.EVENTS["neutral"])


def _single_word(rng: Rng) -> Sentence:
    if rng.random() < 0.3:
        return _pick(rng, words.NEUTRAL_WORDS), ("neutral",)
    emotion = _pick(rng, _NOT_NEUTRAL)
    return _pick(rng, words.EMOTION_WORDS[emotion]), (emotion,)


def _paragraph(rng: Rng) -> Sentence:
    """Return several neutral sentences with one that states the emotion."""
    emotion = _pick(rng, _NOT_NEUTRAL)
    feeling = _pick(rng, words.EVENTS[emotion] if rng.random() < 0.5 else words.UTTERANCES[emotion])
    parts = [_neutral_text(rng) for _ in range(rng.integers(1, 3))]
    parts.insert(int(rng.integers(len(parts) + 1)), feeling)
    return ". ".join(parts).replace("?.", "?"), (emotion,)


# Each kind of sentence and its relative frequency.
_GENERATORS: Final[tuple[tuple[Callable[[Rng], Sentence], float], ...]] = (
    (_feeling, 0.12),
    (_utterance, 0.11),
    (_event, 0.19),
    (_negated_feeling, 0.11),
    (_negated_statement, 0.08),
    (_contrast, 0.05),
    (_but, 0.08),
    (_emoji, 0.08),
    (_emoticon, 0.04),
    (_sarcasm, 0.05),
    (_neutral, 0.12),
    (_single_word, 0.03),
    (_paragraph, 0.04),
)
