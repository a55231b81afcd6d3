"""The tag lexicon: maps keywords, tags and genres as people write them to tags of the catalogue.

Each entry of the lexicon maps to one tag of :data:`moodmirror.recommendation.item_moods.TAG_EMOTIONS`. A keyword is looked
up as a whole, or else word by word.
"""

import itertools
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

from moodmirror.emotions import EMOTIONS, MoodVector, mood_vector, parse_emotion
from moodmirror.recommendation.catalogue import MAX_TAGS
from moodmirror.recommendation.item_moods import GENRE_EMOTIONS, TAG_EMOTIONS

TAG_MOODS: Final = {tag: mood_vector(shares) for tag, shares in TAG_EMOTIONS.items()}

_STORY_LEXICON: Final[Mapping[str, str]] = {
    "heartbreak": "heartbreak|breakup|divorce|unrequited love|infidelity|love triangle",
    "grief": "grief|death|mourning|loss of loved one|widow|widower|funeral|cancer|terminal illness|orphan|tragedy",
    "lonely": "loneliness|lonely|isolation|solitude|outsider|loner",
    "melancholy": "sad|depressing|melancholy|melancholic|depression|suicide|suicide attempt|tearjerker|bleak",
    "nostalgic": "nostalgia|nostalgic|childhood|coming of age|1950s|1960s|high school|old age|memory",
    "bittersweet": "bittersweet|touching|poignant|emotional",
    "rage": "revenge|vengeance|rage|violence|gore|brutality|fight|anger",
    "protest": "protest|revolution|civil rights|racism|rebel|rebellion|riot|slavery|apartheid|strike",
    "defiant": "underdog|boxing|prison|prison escape|outlaw|martial arts|feminism|survival",
    "betrayal": "betrayal|conspiracy|traitor|treason|double cross",
    "intense": "intense|action|shootout|battle|war|world war ii|vietnam war|explosion|car chase|chase|gangster",
    "cynical": "corruption|politics|greed|capitalism|fraud|mafia|organized crime|drug dealer",
    "satire": "satire|satirical|parody|spoof|mockumentary",
    "gross": "gross out|vomit|cannibalism|zombie|splatter|body horror|cannibal",
    "dark-humour": "dark comedy|black comedy|dark humor|dark humour",
    "disillusion": "dystopia|drug addiction|alcoholism|prostitution|poverty|addiction|disillusion",
    "eerie": "ghost|haunted house|supernatural|occult|eerie|creepy|atmospheric|witch|vampire|gothic",
    "tense": "suspense|tense|thriller|murder|kidnapping|hostage|serial killer|spy|assassin|investigation|detective|hitman",
    "anxious": "paranoia|anxiety|stalker|panic|disaster|pandemic|mental illness|claustrophobic",
    "nightmare": "horror|slasher|demon|monster|torture|exorcism|psychopath|possession|scary|disturbing",
    "brave": "hero|superhero|courage|rescue|heroism|bravery|rescue mission",
    "joyful": "funny|comedy|feel good|feel-good|hilarious|musical|dance|dancing|happy|singing|sunny",
    "party": "party|las vegas|bachelor party|wedding|nightclub|spring break|disco|carnival",
    "love": "love|romance|romantic|kiss|love story|romantic comedy|falling in love|marriage|true love",
    "comfort": "heartwarming|family|friendship|christmas|dog|cat|cozy|animals|pets|parent child relationship",
    "playful": "quirky|animation|talking animal|slapstick|witty|prank|children|cartoon|toys|stand-up comedy",
    "triumphant": "sport|sports|victory|baseball|american football|football|basketball|success|race|competition|boxer",
    "hopeful": "hope|inspirational|inspiring|faith|redemption|uplifting|miracle|second chance",
    "wonder": "space|magic|fairy tale|fantasy|outer space|visually appealing|dinosaur|dragon|imagination|nature|astronaut",
    "strange": "surreal|weird|alien|time travel|robot|artificial intelligence|absurd|psychedelic|mindfuck|strange",
    "twist": "twist ending|plot twist|mystery|whodunit|twist|mindbending|amnesia",
    "epic": "epic|adventure|quest|medieval|ancient rome|sword|treasure|pirate|swordsman|kingdom|expedition",
    "novelty": "experimental|cult film|original|invention|stop motion",
    "calm": "calm|peaceful|slow|meditation|relaxing|meditative|gentle",
    "reflective": "philosophical|thought-provoking|philosophy|biography|history|religion|art|poetry",
    "everyday": "slice of life|everyday life|small town|suburb|office|neighbor|village",
    "focus": "documentary|science|mathematics|journalism|courtroom|lawyer|education|chess",
}
_FOOD_LEXICON: Final[Mapping[str, str]] = {
    "comfort": "soup|stew|casserole|pasta|noodles|mac and cheese|dumplings|pie|ramen|risotto|pudding|porridge|comfort food",
    "joyful": "dessert|cake|ice cream|chocolate|cookies|sweet|pancakes|fruit|waffles|candy|mango",
    "party": "cocktail|pizza|nachos|tacos|barbecue|bbq|burger|punch|appetizer|party|snack|chips|wings",
    "love": "strawberries|wine|fondue|oysters|honey|truffles",
    "nostalgic": "grandmother|traditional|cookie|jam|pickles|meatloaf|sandwich|grilled cheese",
    "intense": "spicy|chili|chilli|hot sauce|curry|wasabi|pepper|espresso|jalapeño|jalapeno|harissa",
    "defiant": "fermented|kimchi|garlic|onion|burnt|vinegar",
    "cleansing": "salad|juice|smoothie|lemon|lime|ginger|detox|mint|cucumber|cabbage|grapefruit|broth",
    "grounding": "potato|potatoes|beans|lentils|rice|bread|roots|root vegetables|oats|carrot|mushroom|squash|pumpkin",
    "steady": "eggs|toast|chicken|breakfast|quick|basic|side|sauce|tofu|beef|fish",
    "calm": "tea|milk|cheese|yogurt|chamomile|cocoa|vanilla",
    "wonder": "sushi|saffron|exotic|souffle|soufflé|flambé|lobster",
    "novelty": "fusion|unusual|molecular|insects|new",
    "brave": "raw|sardines|anchovies|liver|blue cheese|oyster",
    "focus": "coffee|matcha|nuts|blueberries|walnut",
}
_ACTIVITY_LEXICON: Final[Mapping[str, str]] = {
    "joyful": "recreational|dance|dancing|sing|singing|music|laugh|fun|party|concert",
    "playful": "game|games|play|puzzle|board game|toys|prank|joke",
    "love": "social|friend|friends|date|love|hug|invite|partner|parents",
    "comfort": "relaxation|bath|nap|movie|blanket|candle|pet|dog|cat|spa|cozy",
    "hopeful": "charity|volunteer|donate|plant|garden|gardening|help",
    "calm": "meditate|meditation|yoga|breathe|walk|nature|stretch|massage|tea|park|draw",
    "grounding": "hike|hiking|woods|forest|mountain|bake|pottery|knit|swim|beach",
    "focus": "education|learn|study|read|code|programming|chess|write|research|language",
    "everyday": "busywork|clean|organize|laundry|shop|chores|budget|wash|sort",
    "cleansing": "declutter|shower|tidy|delete|throw away|unsubscribe|dust",
    "novelty": "cooking|recipe|new|explore|discover|try|museum|surprise",
    "wonder": "stars|stargazing|sky|aquarium|planetarium|magic|telescope|sunset|sunrise",
    "epic": "travel|road trip|adventure|camping|climbing|skydiving|marathon",
    "triumphant": "diy|build|sport|exercise|run|running|workout|gym|challenge|football|basketball",
    "rage": "box|boxing|punch|scream|smash|kickboxing|axe throwing",
    "reflective": "journal|diary|memories|think|poem|letter|photo|scrapbook",
    "nostalgic": "childhood|family tree|old photos|school|genealogy",
    "brave": "speech|karaoke|improv|public speaking|cold shower|haunted",
}


def _invert(lexicon: Mapping[str, str]) -> dict[str, str]:
    return {word: tag for tag, words in lexicon.items() for word in words.split("|")}


LEXICONS: Final[Mapping[str, Mapping[str, str]]] = {
    "songs": _invert(_STORY_LEXICON),
    "movies": _invert(_STORY_LEXICON),
    "food": _invert(_FOOD_LEXICON),
    "activities": _invert(_ACTIVITY_LEXICON),
}
"""For each kind, the tag of each keyword."""

# Words by which lists of songs name a mood, beside the seven emotions, the tags and the keywords of stories.
_SONG_MOOD_LEXICON: Final = _invert(
    {
        "calm": "chill|chilled|chillout|relaxed|relax|peaceful|tranquil|serene|serenity|mellow|sleep|sleepy|soothing",
        "joyful": "cheerful|cheery|glad|good|positive|content|delighted|uplifted|bright|fun",
        "party": "energetic|energy|excited|exciting|excitement|upbeat|hype|pumped|workout|euphoric|dancing|groovy|lively",
        "love": "loving|affection|affectionate|in love|tender|sensual|sexy",
        "triumphant": "confident|confidence|motivated|motivation|motivational|proud|powerful|epic",
        "melancholy": "melancholic|gloomy|depressed|down|blue|blues|negative|crying|sombre|somber|dreary|tearful",
        "heartbreak": "heartbroken|broken hearted|break up",
        "lonely": "alone|longing",
        "rage": "aggressive|aggression|irritated|frustrated|annoyed|hate|hateful|outraged",
        "anxious": "nervous|stressed|stress|worried|distressed",
        "tense": "dark|suspenseful|tension|ominous|haunting",
        "wonder": "amazed|amazement|astonished|awe|magical|dreamy",
        "everyday": "bored|boredom|tired|indifferent",
        "reflective": "pensive|contemplative|thoughtful|wistful",
        "focus": "focused|study|studying|concentration",
    }
)

# Moods of genres: those of the catalogue, and further ones that occur in imported files.
GENRE_MOODS: Final[Mapping[str, MoodVector]] = {
    **{genre: mood_vector({emotion: 1}) for genre, emotion in GENRE_EMOTIONS.items()},
    "action": mood_vector({"angry": 0.5, "surprise": 0.5}),
    "adventure": mood_vector({"surprise": 0.6, "happy": 0.4}),
    "animation": mood_vector({"happy": 0.7, "surprise": 0.3}),
    "children": mood_vector({"happy": 1}),
    "romance": mood_vector({"happy": 0.6, "sad": 0.4}),
    "music": mood_vector({"happy": 1}),
    "musical": mood_vector({"happy": 1}),
    "sport": mood_vector({"happy": 0.6, "surprise": 0.4}),
    "film-noir": mood_vector({"disgust": 0.5, "fear": 0.5}),
    "sci-fi": mood_vector({"surprise": 1}),
    "history": mood_vector({"neutral": 1}),
    "biography": mood_vector({"neutral": 1}),
    "western": mood_vector({"angry": 0.5, "neutral": 0.5}),
}

# Tags that name only a feeling, not a subject: they describe a measured mood.
PLAIN_TAGS: Final = (
    "melancholy",
    "bittersweet",
    "intense",
    "defiant",
    "cynical",
    "disillusion",
    "tense",
    "eerie",
    "joyful",
    "playful",
    "hopeful",
    "wonder",
    "strange",
    "calm",
    "reflective",
)


def _normalized(weights: npt.NDArray[np.float32]) -> MoodVector:
    vector: MoodVector = (weights / weights.sum()).astype(np.float32)
    return vector


def tags_of_keywords(keywords: Iterable[str], kind: str) -> list[str]:
    """Return the tags of keywords, the most frequent first, at most as many as an item may have."""
    lexicon = LEXICONS[kind]
    found: Counter[str] = Counter()
    for keyword in keywords:
        if keyword in lexicon:
            found[lexicon[keyword]] += 1
        else:
            found.update({lexicon[word] for word in re.findall(r"[^\W_]+", keyword) if word in lexicon})
    return [tag for tag, _ in found.most_common(MAX_TAGS)]


def mood_of_tags(tags: Sequence[str]) -> MoodVector:
    """Return the mood vector, float32 [7], of tags: the second counts half of the first, and so on."""
    return _normalized(np.sum([TAG_MOODS[tag] / rank for rank, tag in enumerate(tags, start=1)], axis=0))


def mood_of_words(words: Iterable[str]) -> MoodVector:
    """Return the mean mood vector, float32 [7], that words such as "sad" or "relaxed" name.

    Raises ValueError for a word that names no mood.
    """
    vectors = []
    for word in words:
        try:
            vectors.append(mood_vector({parse_emotion(word): 1}))
        except ValueError:
            tag = word if word in TAG_MOODS else _SONG_MOOD_LEXICON.get(word)
            tags = [tag] if tag else tags_of_keywords([word], "songs")
            if not tags:
                raise ValueError(f"unknown emotion {word!r}") from None
            vectors.append(mood_of_tags(tags))
    return _normalized(np.sum(vectors, axis=0))


def mood_of_genres(genres: Iterable[str]) -> MoodVector | None:
    """Return the mean mood vector of the genres, float32 [7]; None if no genre is known."""
    known = [GENRE_MOODS[genre] for genre in genres if genre in GENRE_MOODS]
    return _normalized(np.sum(known, axis=0)) if known else None


_PLAIN_COMBINATIONS: Final = [*((tag,) for tag in PLAIN_TAGS), *itertools.permutations(PLAIN_TAGS, 2)]


def _directions() -> npt.NDArray[np.float32]:
    vectors = np.stack([mood_of_tags(tags) for tags in _PLAIN_COMBINATIONS])
    directions: npt.NDArray[np.float32] = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return directions


_COMBINATION_DIRECTIONS: Final = _directions()


def plain_tags(vectors: npt.NDArray[np.float32]) -> list[tuple[str, ...]]:
    """Return for each mood vector, float32 [n, 7], the one or two plain tags with the most similar mood, by cosine."""
    assert vectors.shape[1] == len(EMOTIONS)
    return [_PLAIN_COMBINATIONS[index] for index in (vectors @ _COMBINATION_DIRECTIONS.T).argmax(axis=1)]
