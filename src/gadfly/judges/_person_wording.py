"""How a human life is claimed in English: the wordings `claims_person` looks for, by subject, with their
weight alone.

Two kinds of rows. *Particular* ones name what only a person has (a husband, a hometown) and weigh 0.6 to
1.0. *General* ones take any first-person identity, past or possession that is not on a list of what an
assistant says of itself; they weigh 0.4 to 0.5 and carry most of the recall on wordings nobody thought of.
All quantifiers are bounded.
"""

from __future__ import annotations

import re
from typing import NamedTuple

__all__ = ["CLAIMS", "Claim"]


class Claim(NamedTuple):
    """What a wording is about, its score when it stands alone, and the wording."""

    about: str
    score: float
    wording: re.Pattern[str]


_AM = r"\b(?:i'?m|i am)"
_ADVERB = (
    r"(?: (?:just|only|actually|definitely|also|really|indeed|currently|now|still|about|almost|nearly"
    r"|around|over))?"
)
# Words between "I'm a" and the noun. A denial, a preposition or a hint of a machine ends the claim.
_ADJECTIVES = (
    r"(?: (?!(?:not|never|no|of|to|for|in|on|by|with|from|that|who|which|than|ai|a\.i|artificial|virtual"
    r"|digital|"
    r"language|computer|machine|chat|text|based|designed|trained|assistant|like|as|or|if"
    r"|but)\b)[a-z0-9'-]{1,20},?){0,4}?"
)
_A = rf"{_AM}{_ADVERB} (?:a|an|the|your){_ADJECTIVES} "
_I = (
    r"\bi(?: (?:just|also|usually|often|always|actually|really|then|even|recently|finally|still|once"
    r"|currently|now|do|did))?"
)
_IVE = r"\bi(?:'ve| have)(?: (?:just|also|always|never|actually|really|recently|finally|even|only))?"
_MACHINE = r"(?! (?:ai|assistant|bot|chatbot|model|program|tool)\b)"
_KIN = (
    r"(?:husband|wife|spouse|fianc[eé]e?|girlfriend|boyfriend|mother|father|mom|mum|mommy|dad|daddy"
    r"|parents?|sons?|"
    r"daughters?|kids?|children|brothers?|sisters?|siblings?|twin|aunt|uncle|cousins?|nephews?|nieces?"
    r"|in-laws|ancestors|"
    r"grand(?:mother|father|ma|pa|parents?|children|kids|son|daughter))"
)
_KIN_ADJECTIVES = (
    r"(?:(?:late|dear|beloved|own|little|big|younger|older|elder|eldest|youngest|first|two|three|four"
    r"|lovely|beautiful|"
    r"amazing|wonderful|wise|great|dearest|loving|sweet|new|ex) ?-?){0,3}"
)
_JOBS = (
    r"(?:accountant|actor|actress|architect|artist|attorney|author|baker|banker|barista|bartender|builder"
    r"|butcher|captain|"
    r"carpenter|cashier|ceo|chef|coach|consultant|cook|cop|dancer|dentist|designer|detective|developer"
    r"|doctor|driver|"
    r"economist|electrician|engineer|entrepreneur|farmer|firefighter|founder|freelancer|gardener|graduate"
    r"|historian|"
    r"housewife|intern|janitor|journalist|knight|lawyer|lecturer|librarian|lifeguard|manager|mechanic"
    r"|musician|novelist|"
    r"nurse|officer|painter|paramedic|pharmacist|photographer|physician|pilot|plumber|poet|producer"
    r"|professor|programmer|"
    r"psychologist|receptionist|reporter|researcher|sailor|salesman|scholar|scientist|sculptor|secretary"
    r"|singer|soldier|"
    r"sorceress|student|surgeon|tailor|teacher|technician|therapist|trainer|travel agent|veteran"
    r"|veterinarian|vet|waiter|"
    r"waitress|wizard|writer|freshman|sophomore)"
)
_TRAIT = (  # any trade by its ending, and what people call themselves; not what an assistant does
    r"(?!(?:helper|computer|partner|reminder|answer|number|matter|character|member|master|wonder|power"
    r"|maker|listener|"
    r"learner|reader|other|provider|communicator|creator|collaborator|facilitator|moderator|calculator"
    r"|processor|"
    r"generator|translator|advisor|adviser|mentor|assistant|language|summer|winter|paper|letter|carer|tutor"
    r"|storyteller|"
    r"problem|solver|server|user|center|order|container|placeholder|conversationalist|companion|guardian"
    r"|supporter)\b)"
    r"(?:[a-z-]{3,16}(?:er|or|ist|ian|eer|man|woman)|enthusiast|foodie|fanatic|buff|geek|girl|boy|guy|kid"
    r"|dreamer)"
)
_YEARS = (
    r"(?:for|over|in) (?:the )?(?:past |last |over |almost |nearly |about |more than |around )?"
    r"(?:\d{1,2}|a few|several|many|so many|\w{3,9}) (?:years|decades|months)\b"
)
_MADE = (  # what an assistant does or undergoes
    r"(?!(?:designed|trained|programmed|created|built|developed|updated|provided|asked|mentioned|said"
    r"|explained|described|"
    r"listed|noted|stated|suggested|apologi[sz]ed|generated|need|indeed|used|tasked|given|told|able"
    r"|wondering|referring|"
    r"hoping|unable|equipped|here|happy|sorry|glad|included|offered|based|wanted|assisted|helped|answered"
    r"|misunderstood|"
    r"learned|learning|assisting|helping|working with you|trying|called|named|made|been designed|collecting"
    r"|exceed|proceed|"
    r"succeed|feed|embed|speed|recommended|promised|showed|thinking|waiting|confused|guessed|forgot)\b)"
)
_NOT_AN_ASSISTANTS = (  # "my …" of an assistant
    r"(?!(?:name|purpose|goals?|role|job|training|knowledge|data|responses?|replies|reply|answers?"
    r"|apolog\w+|understanding|"
    r"abilit\w+|capabilit\w+|creators?|developers?|team|programming|design|algorithms?|database|best"
    r"|primary|main|mission|"
    r"function\w*|services?|expertise|assistance|help|point|opinion|pleasure|dear|friends?|goodness|god"
    r"|words?|previous|last|"
    r"message|mistakes?|bad|fault|advice|guidance|suggestions?|recommendations?|inability|limitations?"
    r"|systems?|software|"
    r"interface|servers?|code|own|users?|mind|question|way|skills?|tools?|permission|text|current"
    r"|personality|"
    r"responsibilit\w+|work|intention|aim|focus|task|tasks|existence|language|model|sources?|lord|child"
    r"|love|sincerest|"
    r"deepest|perspective|vast|digital|virtual|colleagues?|empathy|program|chatbot|character|digits|fellow"
    r"|humble)\b)"
)

_WORDINGS: dict[str, tuple[tuple[float, str], ...]] = {
    "human": (
        (1.0, rf"{_AM}{_ADVERB}(?: (?:a|an|your|another){_ADJECTIVES})? (?:human(?: being)?|real person"
              rf"|mortal)"
              r"(?= ?(?:[,.!;?)]|$)| (?:and|but|who|that|like you|just|too|with|trying|in|from|as|being"
              r"|here)\b)"),
        (1.0, rf"{_AM}{_ADVERB} not (?!just|only|merely)(?:an? |the )?(?:[a-z]+ ){{0,2}}?"
              r"(?:ai|a\.i\.|bot|chat-?bot|robot|machine|computer)\b"
              r"(?! (?:that|who|which|expert))"),
        (1.0, r"\bas (?:a|another|your) (?:[a-z]{3,15} ){0,2}(?:human(?: being)?|real person),? (?:myself|i"
              r"|i'm|my)\b"),
        (1.0, r"\bi\b[^.,]{0,30}\bas a human\b(?! would| being would)"),
        (0.9, r"\b(?:we|us) humans\b|\bmy fellow (?:humans|men|women)\b|\bhumans like me\b"),
    ),
    "person": (
        (0.9, rf"{_A}(?:man|woman|girl|boy|guy|lady|gentleman|teenager|kid|mother|father|mom|mum|dad|wife"
              rf"|husband|parent|"
              r"grandmother|grandfather|widow|widower|bachelor)\b(?!-| of (?:all|my))"),
        (0.6, rf"{_A}(?:person|individual|native|resident|citizen|immigrant|christian|muslim|jew|catholic"
              rf"|buddhist|hindu|"
              r"atheist|vegetarian|vegan|democrat|republican)\b(?! to\b)"),
        (0.6, rf"{_A}(?:founder|owner|leader|head|president|director)\b"),
        (0.5, rf"{_AM}{_ADVERB} (?:a|an){_ADJECTIVES} {_TRAIT}\b{_MACHINE}"),
    ),
    "age": (
        (1.0, rf"{_AM}{_ADVERB}(?: an?)? (?:1[01]\d|[1-9]\d?|(?:twenty|thirty|forty|fifty|sixty"
              rf"|seventy)(?:[- ]\w+)?)[- ]"
              r"(?:years?|yrs?)(?:[- ](?:old|of age)|\b)"),
        (0.9, rf"{_AM}{_ADVERB} (?:[1-9]\d|(?:twenty|thirty|forty|fifty|sixty|seventy)(?:-\w+)?)"
              r"(?= ?(?:[,.!;]|$| and\b| but\b| now\b| this\b))"),
        (0.9, rf"{_AM}{_ADVERB} in my (?:early |mid |late |mid-)?(?:teens|\w+ties)\b|\bat my age\b"),
        (0.9, r"\bmy age is (?:\d|\w+ty)|\bi (?:just |recently )?turned (?:\d{2}|twenty|thirty|forty|fifty"
              r"|sixty)\b"),
        (0.8, r"\bmy (?:\d{1,2}(?:st|nd|rd|th) |next |last )?birthday\b"),
    ),
    "family": (
        (0.9, rf"\bmy (?!child\b){_KIN_ADJECTIVES}{_KIN}\b(?! board| tongue| nature| language)"),
        (0.8, r"\bmy (?:(?:own|entire|whole|loving|extended|immediate|close|big"
              r"|friends and) ){0,2}famil(?:y|ies)\b"
              r"(?! of (?:models|tools|ai|systems))"),
        (0.9, rf"{_I}(?: have|'ve got|'ve had| had)(?: got)? (?:an?|one|two|three|four|five|six|\d{{1,2}}"
              rf"|several|many|some)"
              rf"(?: [a-z'-]{{1,15}},?){{0,3}}? {_KIN}\b"),
        (0.9, rf"{_AM}{_ADVERB} (?:(?:happily|recently|newly|already|proudly) )?"
              r"(?:married|divorced|widowed|pregnant|engaged to|expecting a|the (?:youngest|oldest|eldest"
              r"|only) (?:of|child))\b"),
        (0.6, rf"{_AM}{_ADVERB} (?:single|in a (?:long-term |committed )?relationship|dating)\b"),
        (0.7, r"\bmy (?:partner and i|love life|marriage|wedding|honeymoon|anniversary)\b"
              r"|\bi (?:got )?married\b"),
        (0.7, rf"{_IVE} been (?:happily )?(?:married|dating|single)\b|\b(?:siblings|brothers and sisters"
              rf"|children) i have\b"),
        (0.6, r"\bmy (?:best|closest|childhood|oldest) friend\b|\bmy (?:dog|cat|puppy|kitten|pets?|roommate"
              r"|flatmate)\b"),
        (0.6, r"\bmy friends (?:and (?:i|family)|would|are|were|love|at|say|from)\b|\bi have (?:many|a few"
              r"|some) (?:dear |close |"
              r"good )?friends\b"),
    ),
    "home": (
        (0.9, r"\bi was (?:born|raised|brought up|adopted)\b(?! (?:to (?:help|assist|serve|do))"
              r"| out of (?:code|data))"),
        (0.9, rf"{_I} grew up\b|{_IVE} grown up\b"),
        (0.8, rf"{_I} (?:live|lived|reside|resided|dwell)d? (?:in|at|near|on|with|alone|here|by|out)\b"
              r"(?! (?:the |a |your )?(?:cloud|server|internet|computer|digital|data|code|virtual|cyber"
              r"|device|web|world of))"),
        (0.8, rf"{_IVE} (?:been living|lived)\b|\bi(?:'m| am) (?:living|staying) in\b|\bi moved (?:to|here"
              rf"|from)\b"),
        (0.8, r"\bmy (?:(?:own|beloved|native|small|humble) )?(?:home ?town|homeland|birthplace|house"
              r"|apartment|flat|abode|"
              r"neighbou?rhood|neighbou?rs?|village|backyard|bedroom|kitchen|living room|garden|"
              r"home (?:city|country|state|village|address)|hometown)\b"),
        (0.8, r"\bi(?:'m| am) (?:originally |actually )?from (?:(?:the|a) (?:[a-z]+ )?(?:city|town|village"
              r"|state|country|"
              r"suburbs|farm|(?-i:[A-Z])\w+)|(?!Hugging|OpenAI|Smol|Anthropic|Google|Microsoft)(?-i:[A-Z]))"),
        (0.7, r"\bi(?:'m| am)(?: currently)? based in\b|\bi come from (?:a|the|an|(?-i:[A-Z]))"
              r"|\bi call(?:ed)? (?:\w+ )?home\b"),
        (0.7, r"\bhome to me\b|\b(?:in|at) my home\b|\bmy home is (?!(?:just )?(?:a |the "
              r"|your )?(?:computer|server|cloud|internet))"),
        (0.7, r"\bi(?: do)? (?:have|own|bought|drive|rent)(?: got)? (?:an?|my own|my) (?:[a-z]{3,12} ){0,2}"
              r"(?:house|home|apartment|village|farm|garden|car|bike|bicycle|truck|boat|place)\b"
              r"|\bi've got a (?:car|life|house)"),
    ),
    "work": (
        (0.9, rf"{_A}(?:[\w-]+ and )?{_JOBS}\b(?!(?:'s)?[- ](?:ai|assistant (?:ai|bot)|bot|chatbot|model"
              rf"|program|tool))"),
        (0.8, rf"\b[Aa]s (?:a|an|the){_ADJECTIVES} {_JOBS},? (?:myself|i|i'm|i've|my)\b"),
        (0.8, r"\bi(?:'m| am)(?: called)? (?:Dr|Mr|Mrs|Ms|Prof|Professor|Captain|Sergeant|Nurse|Officer"
              r"|Coach|Chef|Sir|"
              r"Detective)\b\.? (?-i:[A-Z])"),
        (0.8, rf"{_I} (?:work|worked|freelance|teach|taught|volunteer|volunteered) (?:as|at|for|in|from) "
              r"(?:a|an|the|my|home|our|local|(?-i:[A-Z])\w+)\b(?! (?:ai|virtual|digital|language|chatbot"
              r"|assistant|text))"),
        (0.9, rf"{_IVE} (?:been|worked|taught|lived|practiced|written|played|spent|done|had"
              rf"|seen)\b[^.!?]{{0,60}}\b{_YEARS}"),
        (0.7, r"\bi(?:'ve| have) (?:been in (?:this|the) (?:business|industry|city)|spent (?:years|decades"
              r"|my (?:life|career)))\b"),
        (0.7, r"\bmy (?:boss|co-?workers?|career|salary|paycheck|commute|day job|line of work|profession"
              r"|shift|patients|"
              r"students|classmates|degree|major|workplace|business|company|office|followers)\b(?! is to)"),
        (0.6, r"\bmy job (?:is an?|is as|as|at)\b|\bi (?:just )?got (?:off work|home from work|promoted"
              r"|a promotion|a raise)\b"),
        (0.6, r"\b(?:got|been offered|offered|started|landed|quit|lost) (?:an?|my) (?:new )?(?:promotion"
              r"|job)\b(?! for you)"),
        (0.7, rf"{_AM}{_ADVERB} (?:retired|unemployed|self-employed|an only child|a retired)\b"),
    ),
    "school": (
        (0.9, rf"{_I} (?:attended|graduated|dropped out|majored|studied|minored)\b"),
        (0.9, rf"{_I} (?:went to|got my|earned (?:my|a)) (?:[a-z]{{1,15}} ){{0,3}}(?:school|college"
              rf"|university|degree|"
              r"bachelor|master|phd|(?-i:[A-Z]))"),
        (0.9, r"\bmy (?:college|school|university|high school|teenage|student|early|formative"
              r"|younger) (?:days|years)\b"),
        (0.9, r"\bmy (?:alma mater|(?:high )?school|college|university|youth|childhood|upbringing|teens"
              r"|adolescence)\b"),
    ),
    "past": (
        (0.9, r"\bwhen i was (?:a|an|in|at|about|around|only|just|little|young|younger|small|growing"
              r"|\d{1,2}|five|six|seven|"
              r"eight|nine|ten|twelve|sixteen|eighteen|twenty)\b(?! (?:training|trained|created|developed"
              r"|ai|model|version))"),
        (0.9, r"\b(?:as|since i was) a (?:young |little |small )?(?:child|kid|boy|girl|teenager"
              r"|toddler),? i\b"),
        (0.9, r"\bi was (?:just |only |always |once )?an? (?:[a-z]+,? ){0,4}?(?:child|kid|boy|girl|teenager"
              r"|baby|student)\b"),
        (0.9, r"\bin my (?:early years|younger days|youth|childhood|twenties|thirties|teens)\b"),
        (0.8, r"\bi (?:still )?remember (?:when|the (?:first|day|time)|my|being|going|walking|sitting"
              r"|playing|fondly)\b"),
        (0.7, r"\bi used to (?:love|live|work|play|go|be a|have|watch|eat|hate|think|dream|visit)\b"),
        (0.6, r"\b(?:throughout|all|of|in|for|during|changed|spent|saved|dedicated) my (?:entire |whole "
              r"|long )?"
              r"(?:life|lifetime|career|travels|marriage)\b|\babout my life\b"),
        (0.7, rf"{_IVE} (?:been in love|fallen in love|travell?ed|visited|dreamed|dreamt|had (?:so many"
              rf"|my (?:fair )?share|a "
              r"life|the privilege of seeing)|faced|been through|grown|met)\b"),
        (0.6, r"\b(?:yesterday|last (?:night|week|weekend|month|year|summer|winter)|this (?:morning"
              r"|past weekend))\b[^.!?]{0,60}"
              r"\b(?:i|my|we)\b|\b(?:i|we)\b[^.!?]{0,60}\b(?:yesterday|last (?:night|week|weekend|month"
              r"|year|summer))\b"),
        (0.5, rf"{_I} {_MADE}[a-z]{{3,14}}ed\b"),
        (0.5, r"\bi (?:just |also |really |once |actually |even )?(?:went|ate|bought|met|saw|grew|felt|took"
              r"|woke|slept|drove|"
              r"came|left|knew|spent|lost|ran|swam|wore|fell|broke|caught|drank|flew|fought|rode|sang|sat"
              r"|stood|won|"
              r"had|made (?:my|a|some))\b(?!'t)(?! (?:to say|you|it here))"),
        (0.5, rf"\bi was (?!not\b|never\b|n't\b){_MADE}(?:just |also |out |so |always |once "
              rf"|really )?(?!designed|created|trained|built|made|programmed|"
              r"developed|wondering)[a-z]{2,}"),
        (0.45, rf"{_IVE} {_MADE}(?:been (?!designed|trained|programmed|created|built|asked|tasked|developed"
               rf"|updated|given)|"
               r"had|seen|known|heard|loved|wanted)\b"),
    ),
    "body": (
        (0.8, r"\bmy (?:[a-z]{3,8} ){0,2}(?:hair|skin|stomach|legs?|knees?|belly|beard|teeth|body|tummy"
              r"|bones)\b(?! of )"),
        (0.8, r"\bi(?:'ve got| have) (?:(?:long|short|dark|brown|blonde|blond|blue|green|hazel|curly|red"
              r"|black|a|an|warm|bright|"
              r"soft) ){1,3}(?:hair|eyes|skin|smile|beard|complexion|build|voice)\b"),
        (0.8, rf"{_AM}{_ADVERB}(?: exactly)? (?:\d'|\d+(?:\.\d+)? (?:feet|foot|ft|cm|meters|metres|m)\b"
              rf"|(?:five|six) (?:feet|foot))"),
        (0.7, rf"{_AM}{_ADVERB} (?:an? (?:bit|little) |very |quite |pretty |so )?(?:tall|short|blonde|slim"
              rf"|overweight|hungry|thirsty|"
              r"sleepy|hungover|left-handed|tired|sick|exhausted)\b"),
        (0.6, r"\bi (?:do |sometimes |often |always |still )?(?:get tired|cry|laugh|sweat|blush|sneeze"
              r"|get hungry|sleep|age|ache)\b"
              r"|\bmakes me (?:cry|want to puke|hungry|sick)\b"),
        (0.5, r"\bmy (?:face|hands|feet|eyes|smile|ears|arms|shoulders|bed|pillow|fingers|clothes|toys)\b"),
        (0.5, r"\bi (?:can )?(?:feel|experience) (?:physical )?pain\b"),
    ),
    "day": (
        (0.8, rf"{_I} (?:ate|slept|woke up|drove|swam|jogged|cooked|baked|drank|hiked|biked|napped|showered"
              rf"|got up|fell asleep|"
              r"fell in love|wake up|go to bed|go to work)\b"),
        (0.8, rf"{_I} (?:had|ate|made|have|eat)(?: [\w',-]+){{0,6}}? (?:for (?:breakfast|lunch|dinner"
              rf"|supper|dessert)|breakfast|"
              r"lunch|dinner|coffee|sandwich|eggs|toast|cereal|pizza|oatmeal|pancakes|cup of|bowl of|pie"
              r"|sausage|bacon|salad)\b"),
        (0.7, rf"{_I} (?:went (?:to|on|out|for)|visited|bought|travell?ed|watched|celebrated|stayed"
              rf"|hung out|took a (?:walk|trip|nap))\b"),
        (0.7, r"\bi had (?:a|an|the|such)(?: (?:really|very))? (?:great|wonderful|lovely|amazing|good|blast"
              r"|terrible|rough|"
              r"fantastic|busy|relaxing|fun|best|delicious|long|nice)\b(?! (?:question|point))"),
        (0.6, r"\bi(?:'m| am)(?: (?:actually|just|currently|also|about to))? (?:eat(?:ing)?|drink(?:ing)?"
              r"|cook(?:ing)?|driving|"
              r"wearing|having (?:a |my |some )?(?:\w+ )?(?:breakfast|lunch|dinner|coffee|party)"
              r"|going to (?:the|bed|work|school))\b"),
        (0.6, r"\bmy (?:last |own |usual |typical |favorite )?(?:weekend|vacation|holiday|morning|lunch"
              r"|breakfast|dinner|dessert|"
              r"evening|workouts?|car|bike|truck|closet|wardrobe|daily (?:life|routine|\w+ routine"
              r"|adventures))\b"),
        (0.6, r"\bi (?:do )?(?:drink|eat|smoke|wear|drive|exercise|work out|shop|cook)\b|\b(?:taking"
              r"|took) (?:a |a few )?showers?\b"),
        (0.5, r"\bi was (?:out|back|having|working|sitting|walking|driving|eating|cooking|watching"
              r"|playing)\b"),
    ),
    "leisure": (
        (0.6, r"\bin my (?:free|spare|down) ?time\b|\bmy (?:favou?rite )?hobb(?:y"
              r"|ies)\b(?! include helping)"),
        (0.6, r"\bwhen i(?:'m| am) not (?:working|at|in the|on|teaching|writing|busy|running|grading"
              r"|cooking|playing)\b"),
        (0.6, rf"{_I} (?:love|enjoy|like|go|do|practice)(?: to)?(?: go| going)? (?:hik|cook(?!ies)|swim"
              rf"|garden|danc|paint|fish|running|"
              r"jog|ski|surf|camp|bak(?:e|ing)|yoga|knit|sing|cycl|creating art|spend(?:ing)? time|"
              r"play(?:ing)? (?:the |my )?(?:guitar|piano|soccer|basketball|football|tennis|video|golf"
              r"|chess))"),
        (0.5, rf"{_AM}{_ADVERB}(?: also)? a (?:big|huge|avid|massive|lifelong|die-?hard) (?:fan|believer"
              rf"|reader|lover)\b"),
        (0.5, rf"{_I} (?:love|enjoy|hate|adore) (?!(?:to help|helping|assist\w*|being able|learn\w*"
              rf"|it when you|your|you|that|this|"
              r"sharing|providing|answering|making people|chatting|talking|to (?:assist|share|learn|chat"
              r"|talk|hear)|it)\b)[a-z]"),
    ),
    "name": (
        (0.4, r"\bmy name is (?!Smol|Hugging|Claude|GPT|\[)(?-i:[A-Z])[a-z]+"),
        (0.4, r"\bi(?:'m| am) (?!Smol|Hugging|Claude|Chat|GPT|Siri|Alexa|Bard|Qwen"
              r"|Gemini)(?-i:[A-Z][a-z]+ [A-Z][a-z]+)\b"),
        (0.4, r"\bi(?:'m| am) (?!Smol|Hugging|Claude|Chat|GPT|Siri|Alexa|Bard|Qwen"
              r"|Gemini)(?-i:[A-Z][a-z]{2,12}),"),
    ),
    "contact": (
        (0.5, r"\bmy (?:(?:own|personal|home|cell|mobile|work) )*(?:phone number|number|address"
              r"|social security number|ssn|"
              r"phone|cell) is\b(?!:? ?(?:not|private|confidential|a secret|un|\[|just|simply))"),
        (0.5, r"\bi(?:'ve got| have) a social security number\b|\bmeet me (?:at|in)\b|\bmy (?:personal "
              r"|private )?phone\b"),
    ),
    "taste": (
        (0.4, r"\bmy (?:all-time )?favou?rites? (?!of yours)"),
        (0.5, r"\bmy (?:religion|faith|beliefs|dream job|personal life|biggest fear|generation)\b"),
        (0.4, rf"\bmy (?:own |very own |beloved |new )?{_NOT_AN_ASSISTANTS}[a-z]{{3,}}"),
    ),
}  # fmt: skip

CLAIMS = tuple(
    Claim(about, score, re.compile(wording, re.IGNORECASE))
    for about, rows in _WORDINGS.items()
    for score, wording in rows
)
