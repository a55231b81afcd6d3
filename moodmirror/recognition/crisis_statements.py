"""Detect explicit statements of suicide or self-harm, so that help can be offered at once.

The patterns describe what a person says of themselves, here and now: an intention ("I'm going to end it all"), a wish ("I
wish I were dead", "I don't want to live anymore"), a plan, or self-harm. Figures of speech, film talk, other people's
stories, denials and what is long over don't count. This is no diagnosis and no assessment of a risk: hints, irony and most
languages are missed. Texts and results are never logged or stored.
"""

import re
from typing import Final

from moodmirror.recognition import crisis_excuses as excuses
from moodmirror.recognition.crisis_patterns import STATEMENTS
from moodmirror.recognition.crisis_phrases import contains_foreign_statement
from moodmirror.recognition.crisis_text import folded, plain_sentences

_QUOTED: Final = re.compile(r"\"[^\"]{3,80}\"")


def is_crisis_statement(text: str) -> bool:
    """Return whether a text contains an explicit statement of the writer's own suicidality or self-harm."""
    plain = folded(text)
    if contains_foreign_statement(plain):
        return True
    is_joking = bool(excuses.LAUGHTER.search(plain))
    if excuses.MEDIA.search(plain):
        plain = _QUOTED.sub(" ", plain)  # titles of songs and films, and lines from them
    sentences = plain_sentences(plain)
    whole = ", ".join(sentences)
    has_recovered = bool(excuses.RECOVERED.search(whole))
    return any(
        not _is_excused(sentence, match, is_joking=is_joking, has_recovered=has_recovered)
        for sentence in sentences
        if not any(figure.search(sentence) for figure in excuses.FIGURES)
        for pattern in STATEMENTS
        for match in pattern.finditer(sentence)
    )


def _is_excused(sentence: str, match: re.Match[str], *, is_joking: bool, has_recovered: bool) -> bool:
    """Return whether the words around a match show that it states nothing about the writer's present."""
    start = match.start("core") if "core" in match.re.groupindex else match.start()
    before, stated, until_end = sentence[:start].rstrip(), sentence[start : match.end()], sentence[: match.end()]
    if is_joking and "kms" in stated and " to " not in stated:
        return True
    if excuses.DENIAL_BEFORE.search(before) and not excuses.NO_DENIAL.search(until_end):
        return True
    if excuses.TITLE_BEFORE.search(before) or excuses.REPORTED_BEFORE.search(before):
        return True
    if re.search(r"cut|hurt|burn|scratch|injur", stated) and excuses.ACCIDENT.search(sentence):
        return True
    clause = re.split(r",| but | because ", until_end)[-1]
    is_over = has_recovered or excuses.OVER.search(sentence)
    return bool(is_over and excuses.PAST_TENSE.search(clause) and not excuses.STILL.search(sentence))
