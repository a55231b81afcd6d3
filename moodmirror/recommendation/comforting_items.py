"""Items that suit a person in a crisis: warm, and nothing in them bleak, violent or of alcohol.

They are chosen more strictly than for a low mood (:mod:`moodmirror.recommendation.content_safety`): by tags, genres, valence
and the words of names and descriptions. Good items are lost, which does less harm than one wrong one.
"""

import re
from typing import Final

from moodmirror.recommendation.catalogue import RISKS_COLUMN, Item
from moodmirror.recommendation.content_safety import ALCOHOL, find_risks

COMFORTING_TAGS: Final = frozenset(
    ("comfort", "calm", "hopeful", "love", "joyful", "playful", "wonder", "cleansing", "grounding", "steady", "everyday")
)
CONNECTING_TAGS: Final = frozenset(("comfort", "love", "hopeful"))
HARSH_TAGS: Final = frozenset(
    (
        "heartbreak", "grief", "lonely", "melancholy", "rage", "protest", "defiant", "betrayal", "intense", "cynical",
        "satire", "gross", "dark-humour", "disillusion", "eerie", "tense", "anxious", "nightmare", "strange", "twist",
    )
)  # fmt: skip
HARSH_GENRES: Final = frozenset(
    (
        "horror", "thriller", "crime", "war", "action", "western", "mystery", "metal", "punk", "hardcore", "industrial",
        "goth", "film noir", "true crime", "grunge", "emo", "drill",
    )
)  # fmt: skip
# Warm items with a suicide, a violent death or despair in them, which neither their tags nor their words show.
NOT_COMFORTING_IDS: Final = frozenset(
    (
        "airplane-1980", "amelie-2001", "ted-lasso-2020", "tokyo-godfathers-2003", "lage-raho-munna-bhai-2006",
        "my-sassy-girl-2001", "the-grand-budapest-hotel-2014", "om-shanti-om-2007", "after-life-1998", "rocky-1976",
        "spy-x-family-2022", "the-lord-of-the-rings-the-fellowship-of-the-ring-2001", "sweet-bean-2015",
        "derry-girls-2018", "frieren-beyond-journeys-end-2023", "the-west-wing-1999", "flow-2024",
        "fantastic-mr-fox-2009", "il-postino-the-postman-1994", "inside-out-2015", "mary-poppins-1964",
        "patrick-watson-je-te-laisserai-des-mots", "the-flaming-lips-do-you-realize",
        "michel-polnareff-on-ira-tous-au-paradis", "ice-cube-it-was-a-good-day", "the-notorious-b-i-g-juicy",
        "jose-gonzalez-stay-alive", "brian-eno-an-ending-ascent", "bobby-mcferrin-the-23rd-psalm",
        "phoebe-bridgers-kyoto", "fleet-foxes-helplessness-blues", "the-war-on-drugs-under-the-pressure",
        "wilco-impossible-germany",
    )
)  # fmt: skip
MIN_VALENCE: Final = {"songs": 0.55, "movies": 0.55, "food": 0.5, "activities": 0.5}  # of an item, 0 bleak … 1 bright
# Words in names and descriptions: death and violence, despair, drinking.
_BLEAK: Final = re.compile(
    r"\b(kill\w*|murder\w*|dead|deadly|deaths?|dies?|died|dying|suicid\w*|blood\w*|guns?|shots?|shoot\w*|bullets?|wars?|corpses?"
    r"|grave\w*|funerals?|cemeter\w*|knives|knife|stab\w*|violen\w*|revenge|poison\w*|drown\w*|hang(ed|ing|man)|ghosts?|hell"
    r"|devils?|haunt\w*|cancer|terminal|illness|despair\w*|hopeless\w*|alone|lonel\w*|grie(f|v\w*)|mourn\w*|widow\w*|orphan\w*"
    r"|bereave\w*|tears?|cry(ing)?|cries|hate\w*|evil|cruel\w*|prison\w*|tortur\w*|abus\w*|bomb\w*|battle\w*|fights?|fighting"
    r"|crash\w*|disaster\w*|apocalyp\w*|the end|good-?bye|farewell|pills?|hospital\w*|ill|sick\w*|lost|broken|bleak\w*"
    r"|doom\w*|cut(ting|s)?|burn(ing|ed|s)?|jump(ed|ing|s)?|cliffs?|gambl\w*|drink(ing|s)? (too|away)"
    r"|hangovers?|toasts? with)\b",
    re.IGNORECASE,
)
# In activities also what can be used for harm: heights, tracks, blades, ropes, fire, cold water.
_HARMFUL: Final = re.compile(
    r"\b(axes?|archery|ropes?|knots?|climb\w*|roofs?|rooftops?|bridges?|towers?|railways?|trains?|station|platforms?|peaks?"
    r"|boxing|smash\w*|scream\w*|shout\w*|fire|bonfires?|night swim\w*|cold plunge|ice bath|carv\w*|whittl\w*|sharpen\w*"
    r"|fast|motor\w*|drive|driving|news|tasting|hang|waterfall)\b",
    re.IGNORECASE,
)
_ALCOHOL: Final = re.compile(rf"\b({ALCOHOL})\b", re.IGNORECASE)


def is_comforting(kind: str, item: Item) -> bool:
    """Return whether an item suits a person in a crisis."""
    tags, text = set(item.tags), f"{item.title}. {item.line}"
    genres = set(item.facts.get("genres", "").casefold().split("|"))
    return (
        item.id not in NOT_COMFORTING_IDS
        and bool(tags & COMFORTING_TAGS)
        and not tags & HARSH_TAGS
        and not genres & HARSH_GENRES
        and item.valence >= MIN_VALENCE[kind]
        and not item.facts.get(RISKS_COLUMN)
        and not find_risks(kind, item.title, item.line)
        and not _BLEAK.search(text)
        and not _ALCOHOL.search(text)
        and not (kind == "activities" and _HARMFUL.search(text))
    )


def connects(kind: str, item: Item) -> bool:
    """Return whether an activity is for company, and any other item speaks of love, hope or comfort."""
    if kind == "activities":
        return "together" in item.facts.get("company", "").split("|")
    return bool(CONNECTING_TAGS & set(item.tags))
