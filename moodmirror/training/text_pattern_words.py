"""Words and parts of the pattern sentences for training, by emotion. All are our own."""

from collections.abc import Mapping, Sequence
from typing import Final

Words = Sequence[str]


def _split(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split("|") if part.strip())


# Adjectives and phrases that follow "I feel" or "she was".
FEELINGS: Final[Mapping[str, Words]] = {
    "happy": _split(
        "happy|glad|delighted|overjoyed|cheerful|joyful|in a great mood|over the moon|grateful|thankful|proud|"
        "excited|thrilled|relieved|content|hopeful|blessed|ecstatic|pleased|in love|at ease|full of joy|lucky|stoked|"
        "hyped|amused|on cloud nine|satisfied|optimistic|loved|calm and content|peaceful|psyched|pumped up|buzzing"
    ),
    "sad": _split(
        "sad|unhappy|miserable|depressed|down|lonely|heartbroken|hopeless|gloomy|hurt|devastated|in tears|blue|low|"
        "empty|left out|disappointed|crushed|homesick|worthless|grief-stricken|sorry for myself|guilty|ashamed|"
        "melancholy|broken|so alone|gutted|bummed out|down in the mouth|rejected|let down|embarrassed"
    ),
    "angry": _split(
        "angry|furious|mad|annoyed|irritated|outraged|livid|enraged|pissed off|fed up|frustrated|cross|bitter|"
        "resentful|offended|seething|sick and tired of this|ticked off|fuming|ready to explode|hostile|"
        "salty about it|beyond annoyed|cheated|insulted"
    ),
    "fear": _split(
        "afraid|scared|terrified|frightened|anxious|nervous|worried|panicky|petrified|uneasy|horrified|alarmed|"
        "shaky with fear|on edge|tense and worried|spooked|scared stiff|apprehensive|freaked out|creeped out|"
        "paranoid|stressed and anxious|scared to death|in a panic|threatened|unsafe"
    ),
    "disgust": _split(
        "disgusted|grossed out|revolted|nauseated|repulsed|sickened|sick to my stomach|appalled|queasy|"
        "about to throw up|repelled|close to vomiting"
    ),
    "surprise": _split(
        "surprised|amazed|astonished|shocked|stunned|speechless|taken aback|astounded|startled|baffled|puzzled|"
        "confused|flabbergasted|blown away|caught off guard|dumbfounded|curious|thunderstruck|bewildered|perplexed"
    ),
    "neutral": _split(
        "fine|okay|alright|neither glad nor unhappy|indifferent|as usual|all right, I suppose|neutral about it|so-so|"
        "ready to start|at work|on my way|in the office|awake|busy today"
    ),
}

# Exclamations and whole utterances.
UTTERANCES: Final[Mapping[str, Words]] = {
    "happy": _split(
        "woohoo|yay|yes!!|hurray|this is wonderful|what a great day|best day ever|I love it|I love you|"
        "that's so sweet of you|thank you so much|thanks a million|this is awesome|hahaha that's so funny|"
        "good for you|congratulations|well done|I had such a good time|can't stop smiling|this cheered me up|so cute|"
        "what a relief|life is good|that's fantastic news|I'm looking forward to it|this film is a gem|this rocks|"
        "that's dope|this song is fire|what a banger|you made my day|it turned out perfectly|love this so much|"
        "lmao I can't stop laughing|haha good one|that's lovely|sounds great, I'd love to|finally some good news|"
        "what a view|I adore him|I'm a fan|nice one|cool, thanks|I would be delighted|it's a pleasure|"
        "best gift I ever got|I appreciate it|this is so relaxing|it feels good to be home"
    ),
    "sad": _split(
        "I want to cry|I can't stop crying|nobody cares about me|I lost everything|it breaks my heart|"
        "I feel so alone|my heart aches|I wish I could turn back time|what a pity|I'm so sorry for your loss|"
        "rest in peace|life has no meaning|everything went wrong|I have no friends|it hurts so much|"
        "I let everybody down|such a shame|that's really sad news|I miss those days|I miss my dad|"
        "nothing matters any more|I gave up hope|I feel like a failure|poor thing|I should have been there for him|"
        "it's my fault|we will never see her again|why does it always go wrong for me|I cried myself to sleep|"
        "my chest feels heavy with grief|I can't get out of bed|he didn't even say goodbye|"
        "not the ending I hoped for|I ruined it all|what a letdown|I deserved better from life"
    ),
    "angry": _split(
        "leave me alone|shut up|how could you|this is outrageous|what a jerk|I hate this|I hate him|I've had enough|"
        "get lost|this is so unfair|you idiot|damn it|what the hell is wrong with you|stop it right now|"
        "don't you ever do that again|that drives me mad|this is ridiculous|I'm sick of your excuses|"
        "you had no right|he makes my blood boil|screw this|that's a lie and you know it|who do you think you are|"
        "what a load of crap|mind your own business|they treat us like dirt|this company is a joke|"
        "you never listen to me|I want my money back|worst service ever|stop wasting my time|I could scream|"
        "for god's sake, be quiet|nonsense, I totally disagree|that is not acceptable|you broke your promise again|"
        "are you serious right now|this is bullshit|keep your hands off my stuff"
    ),
    "fear": _split(
        "help me please|I'm scared|something is out there|don't leave me here|I can't breathe|what was that noise|"
        "I think somebody is in the house|please don't hurt me|I'm going to die|my heart is racing|"
        "I have a bad feeling|I can't sleep because of the nightmares|what if something happens to her|"
        "I hope nothing bad happens|be careful|that's terrifying|it gives me nightmares|this place is creepy|"
        "I dread tomorrow|I panicked|I'm shaking|run|what if they find out|I'm worried sick|we could lose everything|"
        "I'm afraid of flying|the thought of it scares me|I was too frightened to move|my knees were trembling|"
        "it sent a chill down my spine|I'm nervous about the results"
    ),
    "disgust": _split(
        "ew|eww gross|that's disgusting|how gross|that's nasty|it makes me sick|I want to vomit|"
        "I feel like throwing up|what a stench|it reeks|this is vile|that's repulsive|it turns my stomach|so gross|"
        "gag|barf|ugh, how filthy|he's a creep, it's disgusting|what a filthy room|that is foul|"
        "I can't even look at it, it's so gross|bleh|the smell was unbearable|this tastes rotten|"
        "it's revolting how they behave|puke|that's icky|absolutely vile people|your socks stink|there's slime on it"
    ),
    "surprise": _split(
        "wow|oh my god|no way|what?!|really?!|I can't believe it|I didn't see that coming|you're kidding|seriously?|"
        "that's unexpected|I had no idea|how is that possible|well, I never|I did not expect that|what on earth|"
        "holy cow|who would have thought|that came out of nowhere|wait, what|huh?|is that true?|"
        "oh, I just realised it|that's incredible|you did what?|since when?|omg what|I'm confused, what happened|"
        "I wonder why that is|how come nobody told me|unreal|my jaw dropped|plot twist|I never would have guessed|"
        "so that's why!"
    ),
    "neutral": _split(
        "ok|okay then|alright|sure|I see|yes|no|maybe|perhaps|right|fine by me|no problem|of course|here you are|"
        "you're welcome|excuse me|just a moment please|hi|hello there|hey|good morning everyone|good afternoon|"
        "good evening|good night|bye|goodbye then|see you|see you later|talk to you later|how are you doing|"
        "nice to meet you|take care|this is Peter speaking|come in|have a seat|speaking|let me check|that depends|"
        "I think so|I don't know|as you wish|thank you, goodbye|it's up to you|welcome|hi, this is Maria|"
        "hello, is anyone there|good day|morning|hey there"
    ),
}

# Events in people's lives, as they report them in surveys and letters.
EVENTS: Final[Mapping[str, Words]] = {
    "happy": _split(
        "my niece said her first word today|the baby smiled at me|our dog came back after three days|"
        "grandma is out of hospital|my little boy learned to swim|we finally paid off the house|"
        "I held my grandson for the first time|"
        "I passed my driving test|I got the job|my team won the cup|we got engaged|my son was born|"
        "I met my old friends again|she said yes|I got a pay rise|my parents came to visit|I finished the marathon|"
        "he asked me out|we adopted a puppy|I got an A in maths|my sister had a healthy baby|we danced all night|"
        "I was accepted at the university|my father recovered from his illness|I won a prize|"
        "we spent a sunny day at the lake|my best friend came home|I fell in love|"
        "the test came back negative and I am healthy|we moved into our first house|my poem was published|"
        "my wife surprised me with tickets|I got a hug from my little niece|the exams were over at last|"
        "they gave me flowers for my birthday|we laughed until our bellies hurt|"
        "I heard that I had won the scholarship"
    ),
    "sad": _split(
        "the vet had to put our cat down|we buried grandpa on Sunday|every song makes me think of her|"
        "I still set the table for two|her chair is empty now|my best friend has cancer|"
        "the house feels so quiet since he left|they closed the cafe we all loved|"
        "my grandfather died|my dog was run over|my girlfriend broke up with me|I failed my final exams|"
        "my parents separated|I lost my job|my best friend moved away|I was not invited|"
        "I had to say goodbye to my family|we had a miscarriage|nobody remembered my birthday|"
        "my mother is seriously ill|I didn't get the place at university|our cat ran away|"
        "a classmate of mine was killed in an accident|I was rejected again|my favourite teacher passed away|"
        "I spent the holidays by myself|the one I love married someone else|I was far from home for the first time|"
        "my uncle's funeral was today|we had to sell grandma's house|"
        "I said something awful to my sister and can't undo it|he left without a word|I had let my parents down|"
        "the friendship ended|I forgot my lines on stage before everyone"
    ),
    "angry": _split(
        "they cancelled the concert and kept our money|I missed the ferry because of a rude clerk|"
        "he left me waiting for three hours and didn't even call|the delivery is late for the fifth time|"
        "someone stole my bike|my boss took the credit for my work|he cheated on me|"
        "a driver cut me off and swore at me|my brother broke my laptop and denied it|"
        "they overcharged us and refused a refund|my neighbours made noise all night|"
        "a friend told everyone my secret|the teacher punished me for something I had not done|"
        "they spread lies about me|my landlord kept the deposit|I was treated unjustly|she insulted my mother|"
        "someone jumped the queue|he borrowed money and never paid it back|"
        "my colleague shouted at me before the client|they cancelled my flight and nobody would help|"
        "my ex keeps sending me insults|the referee robbed us|my sister took my clothes without permission|"
        "he kept interrupting me|the phone company put me on hold for two hours|somebody vandalised the bus stop|"
        "they promised to fix it and did nothing"
    ),
    "fear": _split(
        "they found a lump and I have to wait for the test|the scan showed something that should not be there|"
        "I heard a bang and threw myself to the ground|the glass shattered right behind me|"
        "I might never find work again|"
        "a stranger was following me at night|I was alone in a dark forest|the plane began to shake|"
        "a big dog ran at me|someone tried to break in|I almost drowned|the car skidded on the ice|"
        "I had to speak in front of hundreds of people|I was waiting for the results of the biopsy|"
        "there was an earthquake|I was robbed at knifepoint|I got lost in a foreign city at midnight|"
        "the lift stopped between two floors|I saw a snake beside my foot|I watched a horror film alone|"
        "my child did not come home from school|I walked through a graveyard after dark|the bridge was swaying|"
        "I woke up and someone was in my room|the night before the exam|I had to go to the hospital for an operation|"
        "a gang was standing at the corner|the brakes failed|the bomb alarm went off|"
        "I noticed a shadow behind the curtain"
    ),
    "disgust": _split(
        "there was something furry growing in the jar|the dog ate its own sick|"
        "the sink was full of greasy hair|"
        "I found a hair in my soup|somebody vomited on the bus|the milk had gone sour and lumpy|"
        "I stepped in dog mess|a drunk urinated in the doorway|I saw a rotting carcass with flies|"
        "there were worms in the apple|the toilet was covered in filth|he spat on the floor beside me|"
        "I saw someone pick his nose and eat it|the fridge was full of mouldy food|"
        "an old man groped a girl on the train|I had to clean up after the sick cat|he chewed with his mouth open|"
        "the meat was crawling with maggots|I read how the prisoners were tortured|"
        "somebody left used bandages on the seat|the drain was blocked with slimy hair|I bit into something rotten|"
        "a cockroach crawled out of the bread|I saw a pool of vomit on the pavement|"
        "the man beside me smelled of sweat and urine"
    ),
    "surprise": _split(
        "everybody leapt out from behind the sofa and shouted|I never expected to meet him at this place|"
        "a firework went off beside me and I leapt|suddenly the lights went on and the whole family was there|"
        "I turned round and there was my brother from Australia|"
        "my friends threw me a party that I knew nothing about|I met my teacher on a beach in Thailand|"
        "a parcel came that I had not ordered|my shy cousin became a stuntman|he turned up without warning|"
        "they announced the merger out of the blue|I found a hundred dollars in an old coat|"
        "the quiet girl suddenly burst into song|it snowed in June|I learnt that my neighbour is a famous writer|"
        "she had dyed her hair green|I won although I came in last|an old friend called after twenty years|"
        "the magician made my watch vanish|I got a letter from a person I believed dead|"
        "the answer turned out to be the opposite of what we all thought|they told me I was adopted|"
        "a bird flew in through the kitchen window|the final chapter changed everything"
    ),
    "neutral": _split(
        "I bought some bread and milk|I took the tram home|I cleaned the kitchen|we changed the tyres|"
        "I answered some emails|I had lunch with the team|I went for groceries|I put the washing on the line|"
        "we discussed the schedule|I read the manual|I moved the desk to the other wall|I walked to the station|"
        "I paid the electricity bill|I filled in the form|I booked a table for four|we watched the news|"
        "I renewed my passport|I set the alarm for six|I printed the tickets|the plumber came at ten|"
        "I parked near the library|we met at the usual place"
    ),
}

STATEMENT_SUBJECTS: Final = _split(
    "the shop|the library|the museum|the bank|the office|our school|the bakery|the pharmacy|the train|the bus|"
    "the film|the course|the concert|the store|the ferry|the next session|the conference|the market"
)
STATEMENT_PREDICATES: Final = _split(
    "opens at eight|closes at six|is on the second floor|is near the station|begins at half past seven|"
    "takes about an hour|leaves every twenty minutes|is across the street|costs ten dollars|lasts two hours|"
    "is in the city centre|starts in September|has a new entrance|is closed on Mondays|was built in 1970|"
    "is next to the park"
)
PEOPLE: Final = _split(
    "I|we|he|she|they|my brother|my aunt|Tom|the manager|Mrs. Lee|my neighbour|the teacher|our guide|Anna"
)
ACTIONS: Final = _split(
    "went to the supermarket|read the newspaper|wrote an email|made some tea|took notes|called the office|"
    "bought a ticket|moved the boxes to the garage|opened the window|closed the door|ordered a pizza|"
    "washed the dishes|checked the map|walked to the post office|set the table|cooked rice|signed the contract|"
    "picked up the parcel|watered the plants|drove to the airport|lived in Boston for a year|studied chemistry|"
    "has a meeting at three|will arrive on Friday|used to work as a driver|put the keys in the drawer|"
    "changed the password|saved the document|wore a blue shirt"
)
FACTS: Final = _split(
    "the table is made of wood|there are seven days in a week|Paris is the capital of France|"
    "the file is in the blue folder|it's about five kilometres from here|my phone number ends with nine|"
    "the second chapter is about trade|the room has two windows|it is Thursday|tomorrow is the first of May|"
    "the recipe needs three eggs|the box weighs four kilos|the page has two columns|the earth goes round the sun|"
    "my flight is at noon|the form must be signed twice|the lamp stands beside the sofa|"
    "the colour of the wall is grey|I'm at the hotel now|I would like a cup of coffee, please|"
    "I'd like to book a room for two nights|just go straight ahead and turn right|I'll call you back in ten minutes|"
    "you can pay by card|I have an appointment with the dentist on Tuesday|"
    "I am looking for a pair of shoes, size nine|it takes ten minutes on foot|we have a branch in Denver|"
    "the password has eight characters|it's made in Italy|I usually get up at seven|he's my cousin|my name is Daniel"
)
QUESTIONS: Final = _split(
    "what time is it|where is the nearest bank|how much is this|do you have a pen|can I pay by card|"
    "when does it open|could you repeat that please|what's your name|where are you from|do you speak English|"
    "would you like some tea|how long does it take|is this seat free|may I use your phone|"
    "which bus goes to the centre|are you ready to order|what do you do for a living|can you help me with this box|"
    "did you read the email|what's the date today|how do I get to the museum|shall we meet at six|"
    "have you got any change|is breakfast included|when is the deadline|who is in charge here|what size do you wear|"
    "does this train stop in Oxford|could you pass the salt|where can I buy stamps|do you want the window open|"
    "how many pages does it have|what's the weather like|can I have the bill please|when will you be back|"
    "how old is the building|is there a pharmacy around here"
)
NEUTRAL_WORDS: Final = _split(
    "Monday|table|paper|Berlin|seven|window|bread|tomorrow|yesterday|blue|computer|meeting|breakfast|coffee|street|"
    "maybe|bus|September|pencil|kitchen|email|report|ticket|left|north|quarter|number|chair|Thursday|noon|water|"
    "shirt|page"
)
EMOTION_WORDS: Final[Mapping[str, Words]] = {
    "happy": _split(
        "joy|love|fun|smile|laughing|wonderful|amazing|lovely|party|celebration|great|fantastic|sunshine|bliss|cheers"
    ),
    "sad": _split(
        "grief|tears|sorrow|misery|crying|loss|funeral|loneliness|despair|depressing|tragic|goodbye forever|mourning"
    ),
    "angry": _split("rage|hate|anger|fury|outrageous|infuriating|annoying|unfair|idiots|liar|betrayed|infuriated"),
    "fear": _split("fear|panic|horror|danger|nightmare|frightening|terrifying|creepy|terror|dread|phobia|anxiety"),
    "disgust": _split("gross|vomit|filthy|revolting|nasty|nauseating|repulsive|slimy|stinking|rotten|vile|foul"),
    "surprise": _split(
        "astonishing|shocking|unexpected|suddenly|whoa|surprise|incredible|unthinkable|startling|mind-blowing|wow"
    ),
}

INTENSIFIERS: Final = _split(
    "so|very|really|extremely|absolutely|incredibly|totally|so so|super|quite|truly|just so|deeply|ridiculously"
)
SOFTENERS: Final = _split("a bit|a little|somewhat|slightly|kind of|sort of|rather|mildly|a tad|a little bit")
FEELING_TEMPLATES: Final = _split(
    "I am {}|I'm {}|I feel {}|I was {}|we are {}|she is {}|he was {}|today I feel {}|I'm feeling {} today|"
    "it makes me {}|right now I am {}|lately I've been {}|that left me {}|I felt {} afterwards|this makes me feel {}|"
    "my mum is {}|to be honest I am {}|everybody was {}|I woke up {}|I can't tell you how {} I am|"
    "{}, that's what I am|they were {}"
)
NEGATION_TEMPLATES: Final = _split(
    "I'm not {}|I am not {} at all|I don't feel {}|I wasn't {}|she isn't {}|I'm not even a bit {}|he didn't feel {}|"
    "I'm far from {}|I have never been less {}|nobody was {}|I am anything but {}|I'm hardly {}|we weren't {}|"
    "it didn't make me {}|I can't say I'm {}|I wouldn't call myself {}|none of us felt {}|not {} at all"
)
NO_LONGER_TEMPLATES: Final = _split(
    "I'm no longer {}|I am not {} any more|she isn't {} anymore|I stopped being {}|luckily I'm not {} now"
)
# Judgments of a thing, for "it wasn't …, it was …".
JUDGMENTS: Final[Mapping[str, Words]] = {
    "happy": _split("lovely|brilliant|hilarious|wonderful|charming|delicious|touching in the best way|a pleasure"),
    "sad": _split("heartbreaking|depressing|tragic|a great loss|so sad|lonely"),
    "angry": _split("infuriating|mean|unfair|an insult|outrageous|plain rude|a rip-off"),
    "fear": _split("terrifying|creepy|threatening|dangerous|a nightmare|spooky"),
    "disgust": _split("disgusting|revolting|foul|filthy|slimy|sickening"),
    "surprise": _split("astonishing|unbelievable|a complete surprise|baffling|not at all what I expected"),
    "neutral": _split("ordinary|average|the usual|okay|standard"),
}
# Statements that express an emotion by a negation.
NEGATED_STATEMENTS: Final[Mapping[str, Words]] = {
    "happy": _split(
        "I couldn't be prouder of her|I couldn't have asked for more|nothing could spoil this day|it doesn't get better|"
        "I can't complain, life is good|not too bad, I had fun|that wasn't half bad|I couldn't stop grinning|"
        "I don't mind it, in fact I've grown fond of it|I have never laughed so hard|I've never been this happy|"
        "there is nothing I'd rather do|I couldn't wish for a better friend|never a dull moment with you|"
        "I didn't dislike it, it was rather sweet|I never tire of this view|we couldn't stop dancing"
    ),
    "sad": _split(
        "I haven't laughed in months|I haven't had a good day in ages|nobody called me on my birthday|"
        "there's no one I could talk to|I don't enjoy anything any more|I don't see the point of getting up|"
        "I have nothing to look forward to|nobody asks how I am|I never get invited|he never wrote back|"
        "no one would notice if I were gone for a week|it isn't the same without her|I've never felt so little hope|"
        "I can't remember when I last had fun|I couldn't hold back the tears|they didn't choose me|"
        "I'll never hear his voice again|there is no joy in it for me|I seldom felt so little pride|nothing helps"
    ),
    "angry": _split(
        "I don't like the way you talk to me|that's not okay and you know it|I won't put up with this|"
        "you never help with anything|I can't stand him|not one of them apologised|I don't want to hear your excuses|"
        "nobody asked for your opinion|I don't care what he says, it's unacceptable|he doesn't respect anybody|"
        "I will not be treated like that|it's not funny, stop it"
    ),
    "fear": _split(
        "I don't dare to open the letter|I can't stop worrying about it|I don't want to go in there, it's dark|"
        "nothing feels safe any more|I couldn't move for fright|no one knows what will happen to us|"
        "what if it never gets better|what if I fail|what if nobody finds us|I don't know how we will pay the rent|"
        "they found a shadow on the scan|the doctor wants to run more tests"
    ),
    "surprise": _split(
        "I never thought it could be you|I hadn't seen that coming|nobody could have guessed it|I couldn't believe my eyes|"
        "I didn't know you could sing|nothing prepared me for this|I didn't recognise you at all|never in my wildest dreams|"
        "I wasn't expecting a visitor|I had no clue you two were married"
    ),
    "disgust": _split("I couldn't swallow it, it was foul|I can't bear the smell|I won't touch that, it's filthy"),
    "neutral": _split(
        "there is no need to hurry|there's no reason to panic|you needn't worry about it|nothing to be afraid of|"
        "don't be sad, it's only a cup|no need to be nervous|it's not a big deal|I have no opinion on that|"
        "I wasn't there that day|it doesn't matter to me|no news so far|we don't have that size|he isn't in at the moment"
    ),
}
RELIEF_PHRASES: Final = _split("luckily|thank goodness|thank God|to my relief|I'm glad to say")
BUT_CONNECTIVES: Final = _split(
    "but|, but|, yet|. However,|, although in the end|, but then|, but now|; still,|, but honestly"
)
POSITIVE_CLAUSES: Final = _split(
    "the weather was nice|the food was tasty|the start was fun|the hotel looked pretty|the price was good|"
    "everyone smiled|the music was great|she meant well|I like the colour|the first half was exciting|"
    "the party was nice|I won the first game|the pictures looked lovely|it was a sunny day|I like my job|"
    "he is charming|we had a nice dinner"
)
NEGATIVE_CLAUSES: Final = _split(
    "it rained all day|the start was boring|I was tired|I had doubts|we got lost first|the queue was long|"
    "the seats were hard|it cost a lot|I had been dreading it|the week was rough|everyone warned me|"
    "it looked scary at first|I nearly gave up|the reviews were bad|I missed the train|the room was ugly|"
    "I expected nothing"
)
SARCASTIC_OPENINGS: Final = _split(
    "oh great|wow, how lovely|yeah, right, fantastic|well done|what a joy|I just love it when|"
    "so kind of them, really|brilliant|thanks a lot|how wonderful|just what I needed|what a treat|best day ever|"
    "lucky me|sure, I'm so happy that|perfect"
)
ANNOYANCES: Final = _split(
    "my train is late again|the printer jams before the deadline|I get to work all weekend|"
    "another three hours of meetings|they raised the rent|my laptop crashed|I have to wait two hours on hold|"
    "the neighbours drill at six|it rains on my holiday|my flight got cancelled|someone ate my lunch|"
    "I have to do his work too|the wifi is down|they lost my luggage|more homework for the holidays|"
    "the toilet is blocked|I got a parking ticket|the boss forgot to pay us|the cake fell down"
)
EMOJI: Final[Mapping[str, Words]] = {
    "happy": _split("😀|😃|😄|😁|😊|😍|🥰|😂|🤣|❤️|💕|🎉|🥳|☺️|😎|🙌|👍|💖|😘|🌞|💃|😆|🤗|🎊|😻|💗|😇|🎂|🏆|💞"),
    "sad": _split("😢|😭|😞|😔|💔|☹️|🙁|😿|🥺|😥|😓|😩|🥀|😟|😪"),
    "angry": _split("😡|😠|🤬|👿|💢|😤|🖕|😾"),
    "fear": _split("😱|😨|😰|😧|👻|🫣|💀"),
    "disgust": _split("🤢|🤮|💩|🤧"),
    "surprise": _split("😮|😲|😯|🤯|😳|🙀|⁉️|😵"),
    "neutral": _split("🚌|📄|🕘|📧|🏢|🪑|📅|🛒|🚪|🖨️"),
}
EMOTICONS: Final[Mapping[str, Words]] = {
    "happy": _split(":)|:-)|:D|=)|;)|<3|^^|^_^|xD|(:|:-D|:P|=D|:]|\\o/"),
    "sad": _split(":(|:-(|:'(|=(|;(|T_T|:[|</3|):|:-[|;_;"),
    "angry": _split(">:(|>:-(|:@|>_<|D:<"),
    "fear": _split("D:|O_O"),
    "surprise": _split(":O|:-O|:o|o_O|O.o|=O|:0"),
}
EVENT_OPENINGS: Final = _split(
    "I remember that|last week|yesterday|when|the day|today|it happened that|once|this morning|a year ago|"
    "on Saturday|well,|you know,|so|just heard:|honestly,|"
)
