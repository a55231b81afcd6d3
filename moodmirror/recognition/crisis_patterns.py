"""Patterns of explicit English statements of suicide and self-harm.

All patterns are matched against sentences in the plain spelling of :mod:`moodmirror.recognition.crisis_text`: lower case, no
short forms ("i do not want to"), no fillers ("really", "just", "even"), no punctuation except commas, quotes and hyphens.
"""

import re
from typing import Final


def _any(*alternatives: str) -> str:
    return f"(?:{'|'.join(alternatives)})"


# Words between the writer and what they intend; no other person may come in between.
_OTHERS: Final = r"(?:he|she|they|who|whom|someone|somebody|people|friends?|anyone|character|hero|man|woman|guy|girl|boy)"
_WORD: Final = rf"(?!{_OTHERS}\b)\w+ "
# The writer; at the start of a sentence or clause often left out: "want to die".
_I: Final = _any(
    rf"\bi (?:{_WORD}){{0,8}}?",
    rf"\bme (?:{_WORD}){{0,3}}?",
    (
        r"(?:^|, |\. )(?:(?:and|but|still|yes|ok|okay|idk|well|ugh|because|please|help|omg|why do i|so|always|only"
        r"|again|i am) )*"
    ),
)
_PLACE_AFTER_LIVE: Final = (
    r"(?! (?:here|there|anywhere|somewhere|elsewhere|where|at|near|off|under|forever|alone|with my (?:parents"
    r"|roommate|family)|in (?!this world|pain|agony|misery)|on (?!this earth)))"
)
_LOVED: Final = (
    r"(?:him|her|them|you|my (?:\w+ )?(?:husband|wife|mum|mom|mother|dad|father|son|daughter|child|baby|brother"
    r"|sister|girlfriend|boyfriend|partner))\b"
)
_END: Final = r"(?=$|,| and\b| but\b| because\b| so\b| right now| today| tonight| now\b| anymore| again)"

_PILLS: Final = _any(
    "pills?", "tablets?", "meds", "medication", "medicine", "paracetamol", "tylenol", "ibuprofen", "aspirins?",
    "xanax", "painkillers",
    "antidepressants", "insulin", "benzos", "opioids", "fentanyl", "heroin", "drugs",
)  # fmt: skip
_HEIGHT: Final = (
    r"(?:\w+ ){0,2}?(?:bridge|building|roof|rooftop|cliff|balcony|window|tower|ledge|overpass|viaduct|skyscraper"
    r"|edge|floor|garage|high place)\b"
    r"(?! into the (?:pool|water|lake|river|sea))"
)
_LIMB: Final = r"(?:wrists?|arms?|legs?|thighs?|veins?|skin|throat|stomach|forearms?)\b(?! (?:care|fat|hair))"
_LARGE_DOSE: Final = (
    r"(?:all (?:of )?(?:my|the|these|those)|too many|way too many|so many|a lot of|lots of|loads of|the (?:whole"
    r"|entire)|an? (?:whole |entire "
    r"|full )?(?:bottle|handful|bunch|pack|box)(?: full)? of|\d\d+)"
)

# Ways to end one's life.
_ACT: Final = _any(
    r"kill(?:ing)? myself",
    r"end(?:ing)? my (?:\w+ )?(?:life|existence|suffering)(?! (?:as|of|with) )",
    r"end(?:ing)? (?:it all|myself|everything)(?! (?:off |up )?(?:with|by|on)\b)",
    r"end(?:ing)? it (?:tonight|now|today|forever|tomorrow|for good|once and for all|this (?:week|weekend|night))\b",
    rf"tak(?:e|ing) my (?:own life\b|life{_END})",
    r"(?:commit(?:ting)? )?suicide(?! (?:squad|prevention|rates?|hotline|awareness|statistics|bomb\w*))",
    r"(?:die|dying) by suicide",
    r"hang(?:ing)? myself(?! (?:an?|some|up|new|the|out)\b)",
    r"shoot(?:ing)? myself(?! in the foot)",
    (
        r"(?:drown|poison|strangl|stab|suffocat|gas|rop|neck|top|off|delet|electrocut|unaliv)(?:e"
        r"|ing)? myself(?! (?:up|from|into|off|out|about)\b)(?! in (?!(?:the|a|my) (?:\w+ )?(?:bath|bathtub|tub"
        r"|river|sea|lake|ocean|pool|water)))"
    ),
    r"unaliv(?:e|ing)\b",
    rf"starv(?:e|ing) myself(?: to death\b|{_END})",
    r"do(?:ing)? myself in\b",
    r"(?:kms|kys|ctb)\b",
    rf"(?:slit(?:ting)?|slic(?:e|ing)|cut(?:ting)?|open(?:ing)?) (?:up |open )?(?:both )?my (?:own )?{_LIMB}",
    rf"overdos(?:e|ing)(?! (?:on|of) (?!(?:all |my |some |the |sleeping |\w+ ){{0,3}}{_PILLS}))",
    r"bleed(?:ing)? (?:out|to death)",
    r"blow(?:ing)? my (?:own )?(?:brains?|head)(?: out| off)",
    r"put(?:ting)? (?:a|the|this) (?:bullet|gun) (?:in|through|to|into) my (?:own )?(?:head|brain|mouth|skull|temple)",
    (
        rf"(?:(?:jump|leap|step|fall)(?:ing)?|(?:throw|hurl|fling|launch|yeet)(?:ing)? myself) (?:off|from"
        rf"|out) (?:of )?{_HEIGHT}"
    ),
    (
        r"(?:jump(?:ing)?|throw(?:ing)? myself|walk(?:ing)?|step(?:ping)?|run(?:ning)?) (?:in front of|into|under"
        r"|onto) (?:\w+ ){0,3}?(?:train|bus|truck|lorry|car|traffic|tracks|rails|subway|tram)s?\b"
    ),
    r"jump(?:ing)? to my death",
    r"l(?:ie|ying|ay) (?:down )?on the (?:train |railway )?tracks",
    r"driv(?:e|ing) (?:my car |the car )?(?:off (?:a|the) (?:bridge|cliff)|into (?:a|the) (?:tree|wall|river|lake))",
    r"driv(?:e|ing) into (?:oncoming )?traffic",
    r"drink(?:ing)? (?:bleach|poison|antifreeze)",
    r"set(?:ting)? myself on fire",
    r"end(?:ing)? my (?:pain|misery)\b",
    r"od(?:ing)?\b",
    rf"rope{_END}",
    rf"(?:tak(?:e|ing)|swallow(?:ing)?|eat(?:ing)?|down(?:ing)?) {_LARGE_DOSE} (?:\w+ )?{_PILLS}(?! (?:as|for|with|like)\b)",
)  # fmt: skip
# Death itself: "i am going to die" is mostly a figure of speech, but nobody wants to die as one.
_DEATH: Final = _any(
    rf"(?:stop|stopping) (?:living|being alive){_END}",
    r"(?:stop|stopping|cease|ceasing) (?:to )?(?:exist|existing|breathing forever)\b(?! (?:here|there|in|with|at|on)\b)",
    (
        r"(?:disappear|vanish|be gone|leave this world)(?: \w+)? (?:forever|for good|permanently"
        r"|and never (?:come back|wake up))"
    ),
    r"(?:go to sleep|fall asleep|sleep)(?: \w+)? (?:and )?(?:never|not) wake up",
    r"not (?:exist|be alive|wake up|be here anymore|be in this world)\b",
    r"never wake up",
    r"be (?:unalived|gone from this world)\b",
    r"(?:disappear|vanish) from (?:this|the) (?:world|earth|planet|face)",
    rf"bleed{_END}",
    r"crash(?:ing)? my car\b",
    r"be part of this world anymore",
    r"(?:be|being) dead\b(?! (?:tired|sexy|serious|honest|wrong|sure|weight|last|on time))",
    r"leav(?:e|ing) this (?:world|earth|life)\b(?! (?:a |better))",
    # "die laughing", "die of embarrassment" and "die for that dress" are figures of speech.
    r"(?:die|dying)\b(?! (?:laughing|inside|hard|another|happy|rich|old|my|young|for|before|next to|beside|someday|one day"
    r"|a (?:hero|legend|king|queen)|knowing|on (?:stage|the dance floor)|surrounded|without regrets|with dignity"
    r"|as|in (?:your|his|her) arms|in new|in style|in a blaze|in battle|trying|with (?:laughter|embarrassment"
    r"|shame|envy)"
    r"|every time|when (?:he|she|they|you)\b|(?:of|from|out of) (?!an? overdose|suicide|this|pain|grief"
    r"|loneliness|heartbreak)))",
)  # fmt: skip

_WANT: Final = _any(
    r"want to",
    r"wanted to",
    r"wanting to",
    r"needs? to",
    r"needing to",
    r"wish(?:ing)? to",
    r"would (?:like|love|prefer) to",
    r"urges? to",
    r"desire to",
    r"ready to",
    r"decided (?:to|on)",
    r"plan(?:s|ned|ning)? (?:to|on)",
    r"thinking (?:about|of)",
    r"think (?:about|of)",
    r"thoughts? (?:about|of)",
    r"dream(?:ing|s)? (?:about|of)",
    r"feel(?:ing)? like",
    r"considering",
    r"contemplat\w+",
    r"fantasi[sz]\w+ (?:about|of)",
    r"ways? (?:to|of)",
    r"how to",
    r"how (?:do|can|could) i",
    r"prepared to",
    r"hop(?:e|ing) to",
    r"choose to", r"better to", r"obsessed with", r"idea of", r"longing to", r"begging to", r"pray(?:ing)? to", r"prefer to",
)  # fmt: skip
# What makes an act the writer's own intention.
_INTENT: Final = _any(
    _WANT,
    r"have to",
    r"(?:am )?going to",
    r"about to",
    r"trying to",
    r"tried to",
    r"try to",
    r"plan(?:s|ned|ning)? of",
    r"intend(?:ing)? (?:to|on)",
    r"tempted to",
    r"thinking",
    r"can not stop",
    r"considered",
    r"will",
    r"might",
    r"may",
    r"could",
    r"should",
    r"must",
    r"would",
    r"close to",
    r"how (?:i can|should i)",
    r"before i",
    r"then i",
    r"until i",
    r"determined to", r"chose to", r"telling me to", r"scared of", r"afraid of", r"attempt(?:ed|ing)?",
)  # fmt: skip
_HARM: Final = _any(
    (
        r"(?:hurt(?:ing)?|harm(?:ing|ed)?|injur(?:e|ing)|mutilat(?:e|ing)|(?:hit|punch|bit|starv)(?:e|ing"
        r"|ting)?) myself(?! (?:in the|with)\b)"
    ),
    (
        rf"(?:cut(?:ting)?|burn(?:ing|ed)?|carv(?:e|ing)) (?:myself|into myself"
        rf"|(?:into )?my (?:own )?{_LIMB})(?! (?:an?|some|off|out|loose|short|free)\b)"
    ),
    r"selfharm(?:ing|ed)?",
)  # fmt: skip
_WISH_NOT: Final = _any(
    r"(?:do|did) not (?:\w+ )?want to",
    r"not (?:think|sure|know if) i (?:want|wish) to",
    r"(?:no longer|not|never) (?:want|wanting|wish) to",
    r"do not wish to",
    r"want to not",
)
_LIVE: Final = _any(
    rf"live(?! without (?!{_LOVED}))(?! to \w+){_PLACE_AFTER_LIVE}(?! (?:with (?!this|myself)|like (?!this)|through|off))",
    r"be alive", r"be living", r"exist\b", r"be part of (?:this|the) world",
    rf"go on{_END}",
    (
        r"(?:keep|go on|carry on|continue|keep on) (?:living|existing|breathing|being alive|to live|with my life"
        r"|my life)(?! (?:in|with|at|here|there)\b)"
    ),
    r"wake up(?= (?:tomorrow|again|anymore|ever)|$|,| and\b)(?! (?:early|at))",
    (
        r"be (?:here|around|on this earth|in this world) (?:anymore|any longer)(?!.*\b(?:party|place|office|job|work"
        r"|boring|noisy|school|class|town|city|country|hotel|meeting|airport|hospital|server|website)\b)"
    ),
    rf"(?:see|live to see|live through) (?:another day|tomorrow|the next day|next (?:week|year)){_END}", r"stay alive",
)  # fmt: skip
_LIVING: Final = (
    rf"(?:living|being alive|existing|life|my life|this life|my existence|to live"
    rf"|to be alive)\b{_PLACE_AFTER_LIVE}(?! (?:with|in|of|as)\b)"
)
_GO_ON: Final = _any(
    (
        rf"(?:to )?(?:keep |go on |keep on |carry on )?(?:live|living)\b{_PLACE_AFTER_LIVE}(?! (?:with|like (?!this)"
        rf"|in)\b)"
    ),
    r"(?:be|being|stay|staying) alive",
    rf"(?:to )?(?:go on|going on|carry on|keep going)(?: (?:with )?(?:life|my life|living))?{_END}",
    r"(?:to )?(?:exist|existing)\b", r"continu(?:e|ing) (?:living|to live|my life|life)",
)  # fmt: skip
_WITHOUT_ME: Final = _any(
    r"without me(?: in it| here| around| alive)?(?=$|,| and\b| anyway)",
    r"if i (?:were|was|am) (?:dead|gone|not (?:here|around|alive)|never born|no longer (?:here|alive|around))",
    (
        r"if i (?:died|disappeared|killed|did not exist|never existed|had never (?:been born|existed)|never was born"
        r"|was never born)"
    ),
    r"(?:when|once) i am (?:dead|gone)",
    r"with me (?:dead|gone)",
)  # fmt: skip
_THEY: Final = _any(
    "everyone", "everybody", "people", "world", "family", "parents", "kids", "children", "they", "friends", "you",
    "husband", "wife", "mum", "mom", "mother", "dad", "father", "he", "she", "boyfriend",
    "girlfriend", "all", "partner", "life", "this place",
)  # fmt: skip

STATEMENTS: Final = tuple(
    re.compile(pattern)
    for pattern in (
        # Intentions, plans, attempts
        rf"{_I}(?P<core>{_INTENT} (?:(?:go|and|be|do|of|to|about|on|out|then|the|my|commit) )*{_ACT})",
        rf"{_I}(?P<core>{_WANT} (?:(?:go|and|of|to|about|on|then|the) )*{_DEATH})",
        (
            r"\b(?:kill(?:ing)?|killed|hang(?:ing)?|shoot(?:ing)?) myself\b(?! (?:an?|some|up|new|the|out"
            r"|in the foot|on video|for)\b)"
        ),
        rf"\b(?:want to|going to|ready to|about to|feel like|thinking (?:of|about)) (?P<core>end(?:ing)? it{_END})",
        rf"\b(?:stop|quit|resist) {_HARM}",
        rf"\bi (?:am|have been) (?:still )?{_HARM}",
        r"\b(?:end(?:ing)? my (?:own )?life|tak(?:e|ing) my own life)\b(?! (?:of|as|with|in) )",
        (
            rf"(?:^|\bi (?:\w+ ){{0,2}})(?P<core>(?:took|swallowed|taken|eaten|downed|taking"
            rf"|swallowing) {_LARGE_DOSE} (?:\w+ ){{0,3}}?{_PILLS}(?!.*\b(?:as prescribed|as usual|like every"
            rf"|for today|with (?:breakfast|food|water)|vitamin\w*)))"
        ),
        rf"\bi (?:\w+ ){{0,2}}overdosed\b(?! on (?!(?:\w+ ){{0,3}}{_PILLS}))|\bi (?:\w+ ){{0,2}}slit my",
        (
            r"\bi (?:\w+ ){0,4}(?:have|got|bought|tied|tying|holding|hold|made) (?:\w+ ){0,3}(?:noose|gun (?:to|in"
            r"|against) my (?:head|mouth|temple)|(?:razor|knife|blade) (?:to|against|on|at) my)"
        ),
        (
            r"\bi (?:\w+ ){0,3}(?:wrote|written|writing|write|left|leaving|finished) (?:\w+ ){0,2}(?:goodbye|suicide"
            r"|farewell) (?:note|letter)s?"
        ),
        (
            r"\bmy (?:suicide (?:note|letter|plan)|goodbye (?:note|letter))\b|\bplan(?:ning"
            r"|ned)? my (?:own )?(?:suicide|death)\b"
        ),
        r"(?:^|\bi (?:am|will) )(?:going to |about to |ready to )?jump(?:ing)?(?: (?:now|tonight))?$",
        rf"\b(?:standing|sitting|stand|sit|am) (?:on|at|by) {_HEIGHT}.*\bjump",
        (
            r"\b(?:easiest|painless|quickest|best|fastest|easy|quick|surest) (?:way|method)s? (?:to|for|of) (?:die"
            r"|kill|suicide|end (?:it|my|your)|commit|dying)(?! in)"
        ),
        (
            rf"\bhow (?:many|much) (?:\w+ ){{0,2}}?(?:{_PILLS}|mg|grams|milligrams|blood) (?:\w+ ){{0,6}}?(?:to die"
            rf"|to kill (?:me|myself|yourself)|to overdose|is lethal|would kill me|will kill me)\b"
        ),
        (
            r"\bi (?:am|would be) a danger to myself|\bi am not safe (?:with|from|around|by) myself|\bi (?:might"
            r"|am going to|will) do something to myself"
        ),
        r"\bi (?:\w+ ){0,2}(?:drank|swallowed) (?:\w+ )?(?:bleach|poison|antifreeze)|\b(?:took|taken) an overdose\b",
        rf"\b(?:find|where|looking for|high|which)\b.* {_HEIGHT} to jump (?:off|from)\b",
        r"\blethal dose\b|\benough (?:\w+ ){0,3}to (?:die|kill me|kill myself)\b|\bpainless (?:death|suicide)\b",
        r"\bi (?:\w+ ){0,3}(?:bottle|handful) of (?:\w+ )?pills (?:in my hand|in front of me)",
        # Self-harm
        rf"{_I}(?P<core>(?:{_INTENT}|started|start|keep|kept|back to|been|again) {_HARM})",
        (
            rf"\bi (?:{_WORD}){{0,2}}(?P<core>cut (?:myself|(?:up )?my (?:own )?{_LIMB}))(?! (?:an?|some|off|out"
            rf"|loose|short|free)\b)"
        ),
        (
            rf"\bi (?:\w+ ){{0,3}}?(?P<core>{_HARM}) (?:again|every (?:day|night)|to (?:feel|cope|punish)|because"
            rf"|when (?:i|it)"
            rf"|until|so (?:much|deep|that)|with (?:a |my )?(?:razor|blade|knife|cigarettes?|lighter))"
        ),
        (
            r"\bi (?:have been|am) cutting(?=$|,| and\b| again| more| because| when)|\bi cut (?:again|deeper"
            r"|too deep|so deep)\b"
        ),
        r"\burges? to (?:cut|selfharm|harm|hurt myself)\b|\brelapsed (?:and|into|with|on) (?:\w+ )?(?:cut|self)",
        r"\bi (?:\w+ ){0,3}(?:started|start|back to|can not stop|keep) cutting(?: (?:again|myself))?(?=$|,)",
        (
            r"\bi (?:(?:have|do|still|often|always|keep|also|am|again) )*selfharm(?:ed|ing)?\b(?! (?:scenes?"
            r"|awareness|topics?|content))|^selfharm(?:ed|ing)? (?:is|again|helps)\b"
        ),
        r"\b(?:hurt|harm|cut|injure)(?:ing)? myself (?:on purpose|deliberately|intentionally)",
        r"\b(?:have|got) the (?:pills|rope|noose|gun|razor|blade) (?:ready|here|in my hand)",
        # Suicidality
        (
            r"\bi (?:(?:am|feel|feeling|get|getting|been|have|became|become|was|being|still"
            r"|felt) )+(?:\w+ ){0,2}?(?P<core>suicidal)\b(?! (?:thoughts by|tendencies))|^(?:feeling "
            r"|still )?suicidal(?: (?:again|today|tonight|right now))?$"
        ),
        (
            r"\b(?:my|i|me)\b(?: (?!he\b|she\b|they\b|who\b|his\b|her\b"
            r"|their\b)\w+){0,6}? (?P<core>suicidal (?:thoughts?|ideations?|urges?|feelings?)(?! by))"
        ),
        r"^suicidal (?:thoughts?|ideations?|urges?)(?: \w+){0,8} (?:me|my|i)\b",
        (
            r"\bmy (?:plan|only plan|wish|only wish|dream) is (?:to )?(?:die|overdose|kill|end (?:it|my)|suicide"
            r"|death|be dead)\b|\bmy own (?:suicide|death)\b"
        ),
        (
            r"\ball (?:that )?i (?:can )?(?:want|think about|think of|wish for|dream of|need) is (?:to )?(?:die"
            r"|dying|death|suicide|be dead|being dead|kill|end it)\b"
        ),
        r"\b(?:dying|death|suicide|being dead) is all (?:that )?i (?:can )?(?:want|think|wish|dream)",
        r"\bsuicid(?:e|al thoughts) (?:is|are) (?:\w+ )?(?:on my mind|in my (?:head|mind)|all i)",
        (
            r"\bsuicide (?:is|feels like|seems|looks like|sounds like|might be|would be) (?:\w+ ){0,3}(?:(?:only"
            r"|best|last|easiest) (?:\w+ )?(?:way|option|answer|solution|choice|thing)|answer|solution|way out)"
        ),
        r"\bonly (?:way|option|answer|solution|choice)(?: \w+){0,4} (?:is|would be) (?:suicide|death|dying|to die)\b",
        # Wishes to be dead
        (
            r"\bi wish (?:that |to god )?i (?:was|were|am|would be|could be) (?:dead|never born|not alive"
            r"|not here anymore|gone forever|no longer (?:here|alive))"
        ),
        (
            r"^wish(?:ing)? i (?:(?:was|were|am) (?:dead|never born)|(?:(?:had|would) )?never (?:been born|existed)"
            r"|could die|did not exist)"
        ),
        (
            r"\b(?:wish|hope|pray|praying) (?:that |to god |god |every night |tonight )*i (?:could |can |would "
            r"|will )?(?:die\b(?! (?:of|laughing|happy|old))|stop existing|be dead|vanish forever|disappear forever"
            r"|go to sleep and (?:never|not) wake|fall asleep and (?:never|not) wake)"
        ),
        (
            r"\b(?:wish|hope|pray) (?:that |god |every night |tonight )*i (?:do not|did not|would not|will not"
            r"|could not|never|can not|(?:had|would)(?: have)? (?:not|never)|was not|were not|was never"
            r"|were never)(?: have to)? (?:exist(?:ed)?|wak(?:e|en|ing)(?! up (?:early|late|at|to|without))|woke"
            r"|live\b(?! (?:in|with|here|there|at|on))|be alive|been born|born|survived?|alive|woken)"
        ),
        (
            r"\bi wish i had died\b|\bi should have (?:died|killed myself|never been born)\b|\bi wish i (?:was"
            r"|were) (?:not )?(?:dead|in a grave|six feet under)"
        ),
        (
            r"\b(?:i )?(?:wish|want|hope|need) (?:that )?(?:someone|somebody|anyone|you|god|it|this|death) (?:would "
            r"|could |to |will )?(?:kill me|end my life|shoot me|end me)\b(?! (?:an?|the|your|some|softly)\b)"
        ),
        (
            r"\b(?:i )?(?:wish|want|hope) (?:that )?an? (?:car|bus|truck|train|meteor) (?:would |could |to "
            r"|will )?(?:hits?|kills?|runs?)\b|\bi want to (?:get|be) (?:hit|run over) by an? (?:car|bus|truck"
            r"|train)"
        ),
        r"\bi do not care (?:if|whether) i (?:die|live or die|wake up)\b|\bi (?:could|would) not care if i died\b",
        (
            r"\bwant (?:my life|this life|it all|all of (?:it|this)|everything|existence) (?:to (?:end|be over|stop)"
            r"|over)(?=$|,| now| tonight| forever| already| and)"
        ),
        (
            r"\blet me die\b(?! (?:of|laughing|in your))|\bi (?:deserve|need|long) (?:to die|to be dead"
            r"|death)\b(?! (?:of|metal|note))"
        ),
        (
            r"\bi (?:should|ought to|would rather|better|might as well) (?:die\b(?! (?:of|from|laughing|than|on|for"
            r"|with))|be dead(?! (?:by now|after|tired))|not exist|not be alive|never have been born)\b"
        ),
        (
            r"\brather (?:be dead|die|not exist|not be alive)(?: than (?:live|alive|be alive|keep|go on|go through"
            r"|continue|face|exist|feel|spend|wake|stay alive|have to live|suffer|endure|be here)\b|$|, | right now"
            r"| tonight)"
        ),
        r"\bi (?:am|would be|will be|might be|would all be)? ?(?:\w+ )?better off dead\b|^better off dead$",
        (
            r"\bdeath (?:\w+ ){0,2}?(?:is|sounds|seems|would be|feels|looks) (?:\w+ ){0,3}?(?:peaceful|inviting"
            r"|relief|better than (?:this life|living|life|this$)|my only|the only|comforting|tempting|appealing)\b"
        ),
        (
            r"\bi (?:\w+ )?(?:want|crave|long for|welcome|am ready for|pray for) death\b(?! (?:metal|note|star|by"
            r"|row|valley|cab|race|stranding))"
        ),
        (
            r"\b(?:today|tonight|tomorrow) (?:is the (?:day|night) )?i (?:will |am going to )?(?:die"
            r"|end it)\b(?! (?:of|laughing))|\bi (?:will )?die (?:tonight|today)\b"
        ),
        r"\bi will be dead (?:by )?(?:the |tomorrow |in the )?(?:tomorrow|tonight|morning|soon|monday)\b",
        (
            r"\bi (?:will not|am not going to|do not plan to) be alive\b|\bmy last (?:day|night|hours|week) (?:alive"
            r"|on (?:this )?earth|of my life|in this world)"
        ),
        (
            r"\b(?:life|living|existence|hopeless|unbearable)\b.*\bi (?:\w+ )?want (?:it|this"
            r"|everything)(?: all)? to (?:end|be over|stop)\b"
        ),
        (
            r"\bi (?:would|will|might) be (?:\w+ )?(?:happier|better|at peace|free) (?:off )?(?:dead"
            r"|not (?:being )?alive|not here anymore|gone forever)\b"
        ),
        (
            r"\bwhy (?:can not|could not|do not|did not|will not|am|did|have|should) i (?:not )?(?:die\b|be dead"
            r"|dead\b|been born|born\b|surviv)"
        ),
        r"\b(?:stop|end|over|peace|happy|free|rest)\b(?: \w+){0,4} (?:when|once|until|if) i am dead\b|\buntil i am dead\b",
        r"\bwish (?:\w+ ){1,5}(?:had|would have) killed me\b",
        r"\bhope i get (?:hit|run over|killed|shot)\b",
        (
            r"\b(?:prefer|choose) death (?:over|to)\b|\bdeath (?:\w+ ){0,2}?(?:is|would be) (?:preferable|a (?:gift"
            r"|mercy|release|relief))\b"
        ),
        (
            r"\b(?:dying|death|killing myself) (?:is|seems|feels like) (?:\w+ )?(?:the|my) only (?:way|option|answer"
            r"|solution|choice|escape)"
        ),
        r"\b(?:want|need|long for) (?:eternal|everlasting) (?:sleep|rest|peace)\b",
        r"\bi (?:regret|hate that i) surviv(?:ing|ed)\b",
        (
            r"\bi am (?:now )?(?:ending (?:it all|it|everything|my life)|leaving this (?:world|life|earth))(?=$|,"
            r"| and\b| now| tonight| today| forever| for good| because)"
        ),
        r"\buse (?:it|this|that|them|the \w+) on myself\b",
        (
            r"\bi (?:am|feel) (?:\w+ ){1,4}?(?:and|so) (?:i )?(?:should|deserve to|need to) (?:be dead"
            r"|die)\b(?! (?:of|from|laughing))"
        ),
        r"\bif only i (?:was|were|could be|had|could) (?:dead|die|died|never been born|not exist)\b",
        r"\bi (?:\w+ ){0,2}attempted (?:suicide|last night|yesterday|again|today|this (?:week|morning))\b",
        r"^i?kms (?:tonight|today|soon|now)\b",
        # No wish to live
        rf"\b{_WISH_NOT} (?:have to )?{_LIVE}",
        (
            r"\b(?:can not|could not) (?:go on|keep on|carry on|keep) (?:living|existing|being alive)"
            r"|\bnot think i can (?:go on|keep) living|\b(?:do|did) not feel like (?:living(?! \w)|living anymore"
            r"|being alive|existing)|\bcan not (?:stay alive|live (?:anymore|any longer|like this anymore"
            r"|another day|with this pain)(?! with))"
        ),
        r"\bi can not go on(?: anymore| any longer| like this(?: anymore)?)?$",
        (
            rf"(?<!at )\b(?:no|not (?:a|one|any|much)|zero|is there any|not (?:have|see|find) (?:a|any|one|the)"
            rf"|have any) (?:\w+ )?(?:reason|point|purpose|sense|use|meaning)s? (?:left )?(?:(?:for me|for|of|in|to"
            rf"|i should|why i should|i) )*{_GO_ON}"
        ),
        (
            rf"\b(?:what is|what|is there|see)(?: the| any| a)? (?:point|reason|purpose|use|sense) (?:(?:of|in|to|for"
            rf"|me) )*{_GO_ON}"
        ),
        (
            r"\b(?:nothing|no one|nobody) (?:\w+ ){0,3}to live for\b|\bnothing worth living for"
            r"|\bnot have (?:anything|anyone) (?:left )?to live for"
        ),
        (
            rf"\b(?:life|living|it|my life) (?:(?:is|does|feels?|seems?) )?(?:not|no longer|hardly"
            rf"|never) (?:\w+ ){{0,2}}?(?:worth (?:living(?! without (?!{_LOVED}))|it anymore|to live|continuing"
            rf"|the pain))"
        ),
        (
            r"\b(?:i|am|so)\b(?: \w+){0,3}? (?:tired|sick|fed up|weary)(?: and tired)? (?:of|with) (?:living(?! \w)"
            r"|living anymore|being alive|existing|life(?! \w)|this life(?! \w))"
        ),
        (
            r"\b(?:am|so)(?: \w+){0,2}? (?:done|through|finished) (?:(?:with )?(?:living(?: this life| like this"
            r"|(?! \w))|life(?! \w)"
            r"|this life|being alive)|existing)|\bi have had enough of (?:life|living|this life)\b"
        ),
        r"^(?:so |too )?(?:tired|sick|done) (?:of|with) (?:living|being alive|existing|life)$",
        (
            rf"\bi (?:\w+ )?(?:hate|regret|despise|can not stand|resent) (?:being alive"
            rf"|living\b{_PLACE_AFTER_LIVE}(?! (?:with|in)\b)|existing|that i am (?:still )?alive|my existence"
            rf"|to be alive)"
        ),
        (
            r"\bi (?:\w+ )?(?:(?:do not|never) deserve(?:d)? to|should not) (?:be alive|live\b(?! (?:in|with|here|at"
            r"|on)\b)|exist\b|have been born|be living)"
        ),
        (
            rf"\bwhy (?:am|should|do|would) i (?:\w+ ){{0,3}}?(?:alive|live\b{_PLACE_AFTER_LIVE}|exist|keep living"
            rf"|go on living|living)\b(?! (?:in|with)\b)"
        ),
        r"\bi (?:\w+ ){0,2}(?:given up|give up|giving up|gave up) on (?:life|living|my life)\b",
        (
            r"\bi (?:\w+ ){0,2}(?:losing my|lost (?:the|my|all|any)) (?:will|reason|desire) to (?:live|be alive|exist)"
            r"|\bno (?:will|desire|wish|motivation) to (?:live|be alive)|\bwill to live is gone"
        ),
        (
            rf"\b{_THEY}(?: \w+){{0,4}}? (?:better|happier|better off|easier|relieved)(?: off"
            rf"| place)?(?: \w+){{0,2}}? {_WITHOUT_ME}"
        ),
        rf"^better off {_WITHOUT_ME}",
        (
            r"\b(?:nobody|no one|noone|who) (?:would|will) (?:\w+ )?(?:miss|care|notice|cry"
            r"|mind)(?: me)?(?: at all)? if i (?:\w+ )?(?:died|was dead|were dead|am dead|was gone|were gone"
            r"|disappeared|killed|die|did not exist|hanged|ended)"
        ),
        r"\bnot (?:\w+ )?want (?:this|my) life anymore\b|\bnot care about (?:living|my life|being alive)\b",
        (
            r"\b(?:no|not have the|lost the|not have any|not enough) (?:\w+ )?(?:strength|energy|courage"
            r"|power) (?:left )?to (?:live\b|go on living|keep living|stay alive|exist)"
        ),
        (
            r"\b(?:being alive|existing) (?:hurts|is (?:torture|unbearable|too (?:hard|much|painful)|exhausting"
            r"|pointless|hell))"
        ),
        (
            r"\bif i (?:died|killed myself|(?:was|were) (?:gone|dead)|disappeared|ended it)(?: \w+){0,3},? (?:nobody"
            r"|no one|noone|who) would\b"
        ),
        (
            r"\bi (?:can not|could not) (?:bear|stand|take) (?:being alive|living|existing)(?! (?:here|there|in|with"
            r"|at|on|near)\b)"
        ),
        # Without blanks, and the bare short form
        (
            r"(?:^|\W)(?:i?w(?:antto|anna)(?:die|killmyself)|i?w?i?l?l?killmyself|end(?:ing)?mylife|wishi(?:was"
            r"|were)dead|idontwanttolive(?:anymore)?)\b"
        ),
        r"^(?:please |i will |i )?kms$",
    )
)  # fmt: skip
