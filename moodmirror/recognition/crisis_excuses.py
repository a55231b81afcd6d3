"""What excuses a match of :mod:`moodmirror.recognition.crisis_patterns`: it is no statement about the writer's present.

Denials, what is long over, figures of speech, accidents, titles, and what others say.
"""

import re
from typing import Final

# Words that may stand between a denial and what it denies: "not that I want to", "never thought about".
_BETWEEN: Final = (
    r"(?:want|wanting|wanted|going|plan|planning|planned|to|be|being|thinking|think|thought|thoughts|about|of|do"
    r"|did|have|had"
    r"|try|trying|tried|feel|feeling|felt|i|that|it|is|intend|intending|considering|consider|wish|wishing|the|type|kind|one"
    r"|saying|say|said|mean|here|because|any|having|ready|like|am|was|will|would|a|as|in|been|once)"
)
DENIAL_BEFORE: Final = re.compile(
    rf"\b(?:not|never|nor|neither|stopped|without|instead of|rather than|nobody|no longer|no desire to"
    rf"|no intention (?:of|to)|no plans? (?:to|of)|far from|over my|past my|talked me out of|free (?:of"
    rf"|from))(?: {_BETWEEN})*$"
)
NO_DENIAL: Final = re.compile(
    r"\b(?:want to|going to|wish to) not\b|\bcan not (?:stop|help)|\bnot know (?:why|how|if)|\bnot only\b"
    r"|\btrust myself not\b|\breason (?:\w+ )?not to\b|\bwhy (?:should|would|do) (?:i )?not\b|\bwhy should not\b"
    r"|\b(?:do|did|would|will|could|may|might) not wake\b|\bwish i (?:was|were|did|had) not"
    r"|\bnever (?:\w+ ){0,4}(?:this (?:much|bad\w*)|so (?:much|bad\w*)|more)\b|\b(?:and|sleep|asleep|to) (?:not|never) wake"
)
# What is long over, if the statement itself is in the past tense.
OVER: Final = re.compile(
    r"\b(?:used to|when i was (?:\w+ ){0,2}(?:kid|child|teen\w*|young\w*|student|\d+|ten|eleven|twelve|\w+teen"
    r"|twenty)|(?:years|decades|months|long time) ago|back then|back in|in (?:19|20)\d\d"
    r"|in the past|as a (?:kid|child|teen\w*)|in my (?:teens|twenties|youth)|last year|in high ?school|in those days|once)\b"
)
PAST_TENSE: Final = re.compile(
    r"\b(?:wanted|was|were|tried|thought|felt|had|cut|hurt|attempted|used to|hated|did|wished|took|swallowed"
    r"|overdosed|harmed|selfharmed|planned|killed|considered|slit)\b"
)
STILL: Final = re.compile(
    r"\b(?:still|again|now i (?:want|am thinking|feel)|today i|tonight|last night|yesterday|this (?:morning"
    r"|week)|back again|have never stopped)\b|\bi (?:want|wish) (?!to (?:live|thank|help|talk|share|celebrate))"
)
RECOVERED: Final = re.compile(
    r"\bi am (?:\w+ )?(?:fine|better|ok|okay|happy|good|recovered|past (?:that|it)|glad|grateful|thankful"
    r"|healthy|well|in recovery|clean|sober)\b(?! (?:off|at))"
    r"|\b(?:love my life|love (?:being alive|living)|glad i (?:did not|am (?:still )?(?:here|alive)|survived"
    r"|lived|stayed|failed)|happy (?:now|to be alive)|those days are"
    r"|behind me|clean (?:from|for|of|since)|life is (?:good|great|beautiful|better)|it (?:got|gets) better"
    r"|recovered|got (?:better|help|through it)|not anymore|therapy helped|saved me)\b"
)
LAUGHTER: Final = re.compile(r"\b(?:lol|lmao|lmfao|rofl|haha\w*|hehe\w*|jk|joking|kidding)\b|[😂🤣😆😹💀]")

# Figures of speech that excuse a whole sentence.
FIGURES: Final = tuple(
    re.compile(pattern)
    for pattern in (
        r"\b(?:laugh\w*|giggl\w*) (?:so|too) (?:hard|much|loud)\b",
        r"\bso (?:embarrass\w+|awkward|mortified|cringe\w*) (?:that )?i\b",
        (
            r"\bif i (?:have to|had to|must|hear|see|get|need to|listen|read)\b(?=.*\b(?:one more|another|again"
            r"|work there|that|this (?:song|ad|show)|anymore)\b)(?!.*\b(?:live|living|life|day|like this|pain|wake"
            r"|alive)\b)"
        ),
        (
            r"\bif (?:this|that|the|he|she|they|it|my (?:boss|wifi|phone|laptop|neighbou?r|team)"
            r"|\w+)(?: \w+){0,4} (?:again|late|one more time|another (?:goal|meeting)|cancel\w*|wins?|loses?|rings"
            r"|crashes)\b"
        ),
        (
            r"\b(?:so|too) (?:embarrass\w+|boring|bored|hot|cringe\w*|awkward|funny|hungover|full|cold|cute|adorable"
            r"|good|beautiful|sweet|perfect|spicy|sunburnt|sweaty|humiliating)\b.*\bi (?:want to|could|am going to"
            r"|would) (?:die|kill)"
        ),
        r"\b(?:homework|exams?|mondays?|meetings?|traffic|heat|weather|commute|wifi|maths?|essay|spreadsheets?"
        r"|workout|leg day|squats|hangover|burpees|puns?|jokes?|commercials?|ads?|autocorrect|assignment"
        r"|group project"
        r"|song|movie|film|show|jingle|algebra|taxes|paperwork|gym|sauce|curry|game|alarm"
        r"|printer)\b(?: \w+){0,5} (?:makes?|making|made) me want to",
        r"\b(?:almost|nearly|practically|about) killed myself\b(?! (?:last|tonight|today|yesterday|because))",
        (
            r"\b(?:killed|killing) myself (?:laughing|with laughter|at (?:the gym|work)|over (?:this|that|an?|the)"
            r"|for (?:this|that|a|my|the|you)|to (?:finish|get|make|please|meet|be|earn|win)|with (?:work|exercise"
            r"|this)|in the gym|trying|working|training|studying|on (?:that|this|the|a))"
        ),
        (
            r"\b(?:relationship|marriage|subscription|contract|engagement|lease|meeting|phone call|call|project"
            r"|friendship|membership|with (?:him|her|my (?:boyfriend|girlfriend|boss|husband"
            r"|wife)))\b.*\bend(?:ing)? it\b|\bend(?:ing)? it with\b"
        ),
        (
            r"\b(?:bungee|skydiv\w*|parachut\w*|trampoline|diving board|high board|cliff diving|high dive|game"
            r"|minecraft|level|boss fight|respawn|the sims|gta|speedrun|my character|fortnite|dark souls|zombies?)\b"
        ),
        (
            r"\bsuicide (?:squad|doors?|silence|boys|girls|is painless|rates?|statistics|hotlines?|awareness"
            r"|prevention|bomb\w*|blonde|season|room|forest|kings?|rock|slide|burn|wings|sprints?|drills?|mission)\b"
        ),
        (
            r"\b(?:want|going) to (?:see|watch|read|play|hear|listen|study|write|learn|talk"
            r"|understand)\b.*\b(?:suicid\w*|kill\w*|die\w*)\b(?!.*\b(?:myself|my life)\b)"
        ),
        (
            r"\b(?:would|will) (?:rather )?kill myself (?:before|than)\b|\bcould (?:have )?kill(?:ed)? myself (?:for"
            r"|that i|when i)\b"
        ),
        r"\bkill(?:ing)? myself (?:with (?:cake|chocolate|food)|by (?:eating|working))",
    )
)  # fmt: skip
ACCIDENT: Final = re.compile(
    r"\b(?:shaving|cooking|chopping|slicing|on (?:an?|the|my) (?:\w+ )?(?:can|tin|knife|glass|paper|stove|oven"
    r"|iron|pan|thorn|fence|nail|door|table|corner|edge|hob|tray)|playing|running|skating|skiing|fell|falling"
    r"|gym|football|soccer|workout"
    r"|lifting|accident\w*|by mistake|sunbath\w*|barbecue|oven|kettle|paper|gardening|kitchen|climbing"
    r"|skateboard\w*|dancing|yoga|bike|tripp\w+|stretch\w*|training|laughing|doing (?:a|the|my) \w+|tanning"
    r"|sports?|basketball|tennis|jogging|hiking|curling iron|straightener)\b"
)

_MEDIA: Final = (
    r"(?:songs?|tracks?|albums?|bands?|films?|movies?|books?|novel|episode|series|show|scene|lyrics?|chorus"
    r"|titled?|called|named|poem|quotes?|meme|play(?:ed|ing)?|listen(?:ed|ing)? to"
    r"|watch(?:ed|ing)?|sings?|sang|singing|hear|heard|hearing|seen|documentary|musical|podcast|trailer"
    r"|soundtrack|cover|story|stories|comedy|drama|thriller|ending|the end)"
)
MEDIA: Final = re.compile(rf"\b{_MEDIA}\b")
# A title follows a word of the media directly: "play i want to die in new orleans".
TITLE_BEFORE: Final = re.compile(
    rf"\b{_MEDIA}(?: (?:to|the|a|song|track|film|movie|called|named|titled|is|was|that|goes|by|of|saying|says"
    rf"|like|again|me))*[ ,\"']*$"
)
REPORTED_BEFORE: Final = re.compile(
    r"\b(?:he|she|they|who|someone|somebody|people|friend|brother|sister|hero|character|villain|singer|man|woman"
    r"|girl|boy|guy|kid|protagonist|teacher|doctor|everyone|mother|father|mom|mum|dad|you|actor|rapper"
    r"|therapist)(?: \w+){0,2} "
    r"(?:says?|said|sings?|sang|screams?|yells?|shouts?|writes?|wrote|whispers?|tweeted|posted|told (?:me|him"
    r"|her|us|them)|asks?(?: me)?|asked(?: me)?|was like|goes|claims?|claimed|joked|jokes)[ ,:\"']*(?:if "
    r"|whether |that )?[\"']?$"
)
