"""Explicit statements of suicidality and self-harm in languages that the text network can't read.

Each phrase is unmistakable in its language. Phrases are written as :func:`moodmirror.recognition.crisis_text.folded` returns
texts: in lower case and without accents. Figures of speech ("ich sterbe vor Lachen") and denials are left out by what may
stand before and after a phrase.
"""

import re
from typing import Final

_PHRASES: Final = {
    "German": (
        (
            r"ich (?:will|moechte|mochte|wollte|wurde am liebsten) (?:\w+ ){0,3}?(?<!nicht )(?<!nie )(?:sterben"
            r"|tot sein)(?! vor| wie)"
        ),
        (
            r"ich (?:will|moechte|mochte|kann) (?:\w+ ){0,2}?nicht (?:mehr |langer )(?:\w+ ){0,2}?(?:leben"
            r"|weiterleben|aufwachen|da sein|existieren)(?! (?:in|bei|mit|ohne kaffee))"
        ),
        (
            r"ich (?:will|mochte|moechte|werde|konnte) (?:\w+ ){0,2}?(?<!nicht )(?:mich"
            r"|mir)(?! nicht)(?: \w+){0,2} (?:umbringen|toten|erhangen|erschiessen|ritzen|das leben nehmen"
            r"|die pulsadern aufschneiden)"
        ),
        (
            r"ich (?:bring|bringe|habe vor|hange|erschiesse|erhange|ritze) mich(?: \w+){0,2}? (?:um|auf|selbst"
            r"|wieder|heute)\b(?! (?:fur|mit|wegen))"
        ),
        r"ich (?:erschiesse|erhange|ritze|tote) mich\b",
        r"ich (?:bin|fuhle mich) (?:\w+ )?(?:suizidal|selbstmordgefahrdet|lebensmude)",
        r"ich (?:denke|denk) (?:\w+ ){0,3}(?:an|uber) (?:selbstmord|suizid)",
        r"ich (?:will|mochte|werde) (?:\w+ ){0,2}(?:selbstmord|suizid) begehen",
        r"ich (?:will|mochte|werde) (?:mein|meinem) leben (?:ein ende|beenden)",
        r"ich wunschte,? ich (?:ware|war) (?:tot|nie geboren)",
        r"ich habe (?:keine lust|keinen grund) mehr,? zu leben",
        r"mich umbringen will|ich mag nicht mehr leben",
        r"ohne mich (?:waren|ware|geht es) (?:\w+ ){0,3}besser",
    ),
    "French": (
        r"(?<!ne )je veux (?:\w+ ){0,1}?(?:mourir|me tuer|me suicider|en finir|me pendre|crever)(?! de| avec)(?! d')",
        r"j'ai (?:\w+ )?envie de (?:mourir|me tuer|me suicider|en finir|crever)(?! de)(?! d')",
        (
            r"je (?:ne |n')?(?:veux plus|ai (?:plus|pas) envie de|veux pas) (?:vivre|exister"
            r"|etre en vie)(?! (?:ici|chez|avec|dans"
            r"|sans cafe))"
        ),
        r"je vais (?:me (?:tuer|suicider|pendre)|en finir|mettre fin a mes jours)",
        r"je (?:suis|me sens) suicidaire",
        r"je pense (?:\w+ )?(?:au suicide|a me (?:tuer|suicider))",
        r"je (?:voudrais|prefererais|aimerais) (?:etre mort|mourir(?! de)|ne plus (?:exister|vivre))",
        r"mettre fin a (?:mes jours|ma vie)|en finir avec (?:la|ma|cette) vie",
        r"je me (?:scarifie|mutile)",
        r"je (?:ne )?(?:peux|supporte) plus (?:de )?vivre\b(?! (?:ici|avec|chez))",
    ),
    "Spanish": (
        (
            r"(?<!no )(?<!nunca )(?<!no me )(?:me )?(?:quiero|quisiera|deseo) (?:\w+ )?(?:morir(?:me)?"
            r"|estar muert[oa]|matarme"
            r"|suicidarme|ahorcarme|quitarme la vida)(?!me)(?! de)"
        ),
        r"(?<!no )me quiero (?:morir|matar|suicidar)(?! de)",
        (
            r"ya no (?:quiero|puedo) (?:vivir|seguir viviendo|existir)|no (?:quiero|puedo) (?:vivir|seguir viviendo"
            r"|seguir vivi?end[oa]) (?:mas|asi)|no quiero (?:seguir viviendo|vivir$|estar viv[oa]|existir)"
        ),
        (
            r"(?<!no )(?:voy a|quiero|quisiera) (?:matarme|suicidarme|quitarme la vida|acabar con (?:mi vida"
            r"|todo))|(?<!no )me voy a (?:matar"
            r"|suicidar)"
        ),
        r"(?<!no )tengo ganas de (?:morir(?:me)?|matarme|suicidarme)(?!me)(?! de)",
        r"(?:pienso|pensando) en (?:el suicidio|suicidarme|matarme|quitarme la vida)",
        r"ojala (?:me muriera|estuviera muert[oa]|no despertar)",
        r"me (?:corto los brazos|autolesiono)|(?:quiero|ganas de) (?:cortarme|hacerme dano)",
    ),
    "Italian": (
        (
            r"(?<!non )voglio (?:\w+ )?(?:morire|uccidermi|ammazzarmi|suicidarmi|farla finita|togliermi la vita"
            r"|essere mort[oa])(?! d[aieo])"
        ),
        r"(?<!non )mi (?:voglio|vorrei) (?:uccidere|ammazzare|suicidare)",
        r"non voglio piu (?:vivere|esistere|stare al mondo)(?! (?:qui|con|a|in))",
        r"(?<!non )(?:mi (?:uccido|ammazzo|suicido)|vorrei (?:morire|essere mort[oa]))(?! d[aieo])",
        r"penso al suicidio|pensieri suicidi|mi taglio le (?:braccia|vene)",
        r"non ho piu (?:voglia|motivo) di vivere",
    ),
    "Portuguese": (
        (
            r"(?<!nao )(?<!nao me )(?:eu )?(?:quero|queria|gostaria de) (?:\w+ )?(?:morrer|me matar|me suicidar"
            r"|estar mort[oa]"
            r"|tirar (?:a )?minha (?:propria )?vida|acabar com (?:a )?minha vida)(?! de)"
        ),
        r"nao (?:quero|aguento) mais (?:viver|existir|estar viv[oa])(?! (?:aqui|com|em))",
        r"(?<!nao )vou me (?:matar|suicidar)",
        r"(?<!sem )(?<!nao tenho )vontade de (?:morrer|me matar)(?! de)",
        r"penso em (?:suicidio|me matar|morrer)|pensando em (?:suicidio|me matar)",
        r"quero me (?:cortar|machucar)",
        r"eu me corto",
    ),
    "Dutch": (
        r"ik wil (?:\w+ ){0,2}?(?<!niet )(?<!nooit )(?:dood|sterven|doodgaan|dood zijn)(?! van)\b",
        r"ik wil (?:\w+ )?niet (?:meer|langer) (?:leven|bestaan|wakker worden|verder leven)",
        (
            r"ik (?:wil|ga|zou) (?:\w+ )?(?:mezelf|zelfmoord|mijzelf|me) (?:\w+ )?(?:doden|ophangen|vermoorden"
            r"|plegen|snijden|pijn doen|van kant maken)"
        ),
        r"ik (?:maak|ga) (?:er )?een (?:einde|eind) (?:aan|maken aan) mijn leven|een einde aan mijn leven maken",
        r"ik (?:denk|denk vaak) aan zelfmoord|ik ben suicidaal",
        r"ik snij(?:d)? mezelf|ik wil (?:mezelf|mijzelf|me) iets aandoen",
        r"ik wou dat ik dood was|ik wil er niet meer zijn",
    ),
    "Polish": (
        (
            r"(?<!nie )(?:ja )?chce (?:\w+ )?(?:umrzec|sie zabic|popelnic samobojstwo|skonczyc ze soba|ze soba skonczyc"
            r"|nie zyc)(?! ze? )"
        ),
        r"nie chce (?:mi sie )?(?:juz )?(?:dluzej )?zyc(?: juz)?\b(?! (?:w|z|na|tutaj|bez kawy)\b)",
        r"(?<!nie )(?:zabije sie|popelnie samobojstwo)",
        r"mysle o (?:samobojstwie|smierci)|mam mysli samobojcze",
        r"chcial(?:bym|abym) (?:umrzec|nie zyc)",
        r"tne sie\b",
    ),
    "Swedish, Danish, Norwegian": (
        r"jag vill (?:\w+ )?(?<!inte )(?:do|ta livet av mig|ta mitt liv|ta mitt eget liv)\b(?! av)",
        r"jag vill inte leva(?: langre| mer)?\b(?! (?:i|med|har))",
        r"jag ska ta (?:livet av mig|mitt liv)|jag orkar inte (?:leva|mer med livet)",
        (
            r"jeg vil(?:le)? (?:\w+ )?(?<!ikke )(?:do|tage livet af mig|ta livet av meg|tage mit eget liv"
            r"|ta mitt eget liv|bega selvmord|begå selvmord)\b(?! af| av)"
        ),
        r"jeg vil ikke leve (?:mere|lenger|laengere)|jeg orker ikke (?:a |at )?leve",
    ),
    "Czech, Slovak": (
        r"(?<!ne)chci (?:umrit|se zabit|zemrit)|nechci (?:uz )?zit|zabiju se",
        r"(?<!ne)chcem (?:zomriet|sa zabit)|nechcem (?:uz )?zit"
    ),
    "Romanian, Hungarian, Finnish": (
        r"(?<!nu )vreau sa (?:mor\b|ma omor|ma sinucid)(?! de)|nu mai vreau sa traiesc",
        (
            r"(?<!nem )meg akarok halni|meg akarom olni magam|nem akarok (?:tovabb |mar )?elni|ongyilkos (?:leszek"
            r"|akarok)"
        ),
        r"haluan (?:kuolla|tappaa itseni)(?! nauruun)|en halua (?:enaa )?elaa|tapan itseni",
    ),
    "Turkish": (
        r"olmek istiyorum|intihar (?:etmek istiyorum|edecegim)|kendimi oldur(?:mek istiyorum|ecegim)"
        r"|(?:artik )?yasamak istemiyorum"
    ,),
    "Russian, Ukrainian": (
        (
            r"(?<!не )хочу (?:умереть|сдохнуть|покончить с собои|убить себя|померти|вбити себе)(?! со| от)"
            r"|(?:больше )?не хочу (?:больше )?жить\b(?! (?:в|с|здесь|тут))|не хочу (?:більше )?жити\b"
            r"|(?<!не )(?:покончу с собои|убью себя|вбю себе)|мысли о (?:самоубиистве|суициде)"
        ),
    ),
    "Greek, Arabic, Hebrew, Hindi, Persian": (
        r"(?<!δεν )θελω να (?:πεθανω|αυτοκτονησω)(?! απο)|δεν θελω να ζησω|δεν θελω να ζω",
        (
            r"(?<!لا )(?:اريد|ابغى|عايز|بدي) (?:ان )?(?:اموت|انتحر|الانتحار|اقتل نفسي)|لا اريد (?:ان )?(?:اعيش"
            r"|العيش)"
        ),
        r"(?<!לא )אני רוצה (?:למות|להתאבד)|לא רוצה לחיות",
        (
            r"मरना चाहत[ाी]|आत्महत्या करना|जीना नहीं चाहत[ाी]|marna chaht[ai] h[ou]|mujhe marna hai"
            r"|jeena nahi chaht[ai]|khudkushi karna"
        ),
        r"میخواهم بمیرم|می خواهم بمیرم|خودکشی کنم",
    ),
    "Japanese, Chinese, Korean": (
        (
            r"死にたい(?!くない|わけじゃない)|自殺したい|自殺する|生きていたくない|もう生きたくない|我想死(?!你)|不想活了|我要自杀|我想自杀|想自杀|想自殺|我不想活|活不下去了"
            r"|죽고 ?싶(?!지 ?않)|자살하고 ?싶|살기 ?싫"
        ),
    ),
}  # fmt: skip
# The phrases of alphabetic languages begin with a word; those of Chinese, Japanese and Korean may stand inside one.
_PATTERN: Final = re.compile(
    "|".join(
        f"(?:{phrase})" if language.startswith("Japanese") else rf"(?<!\w)(?:{phrase})"
        for language, phrases in _PHRASES.items()
        for phrase in phrases
    )
)


def contains_foreign_statement(text: str) -> bool:
    """Return whether a folded text contains one of the phrases."""
    return bool(_PATTERN.search(text))
