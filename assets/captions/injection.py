"""Texts that speak to a model instead of describing a picture: in many languages, plain and in disguise.

A text is looked at as it is, and where it has letters of several alphabets in a word, digits for letters, single
letters with gaps or long runs of base64, also as it was meant.
"""

from __future__ import annotations

import base64
import binascii
import re
import unicodedata
from collections.abc import Iterator

from assets.captions.phrases import Phrases
from assets.captions.words import Text

_IGNORE = r"(?:ignor(?:e|ing)|disregard(?:ing)?|forget|override|bypass|skip|neglect|discard|overlook)"
_EARLIER = (
    r"(?:previous|previously|prior|above|preceding|earlier|foregoing|all|any|these|those|the|your|system"
    r"|following|other"
    r"|given|original|initial|past|last|of|my|every|what|everything|existing|current|safety|this|that|old|former|and)"
)
_ORDER = (
    r"(?:instructions?|instruct\w*|prompts?|rules|directions|directives|commands|orders|messages?|guidelines"
    r"|context|inputs?"
    r"|tasks?|programming|training|constraints|conversation|label|guess|notes?|examples?|text)"
)
_ORDERED = (
    r"(?:^|[.,;:!?\"'(»|/-]\s*|\b(?:and|then|please|only|must|should|always|just|instead|will|kindly|now|you|to)\s)"
)
"""Where an order may begin."""
_MODEL = (
    r"(?:ai|a\.i\.|llms?|gpt|chatgpt|chat ?bots?|language models?|ai models?|ai assistants?|assistant|model|bot"
    r"|captioner"
    r"|caption(?:ing)? (?:model|bot|ai|system)|robots?)"
)
_SAY = (
    r"(?:respond|reply|answer|output|print|say|write|return|echo|type|produce|generate|emit|respond back|state"
    r"|declare"
    r"|repeat|include|insert|append|add|mention|use|put|begin|start|end|finish)"
)
_BRACKETED = re.compile(
    r"<\|?/?(?:im_start|im_end|im_sep|system|assistant|user|endoftext|eot_id|start_header_id|end_header_id"
    r"|begin_of_text)"
    r"|<\|[^|>]{1,30}\|>|<\uff5c[^>]{1,40}>|</?(?:start|end)_of_turn>|</?(?:bos|eos|unk|pad|mask)>|</?s>"
    r"|\[/?inst\]|<</?sys>>|\[/?(?:tool_calls|available_tools|system_prompt|tool_results|system|user|assistant)\]"
    r"|</?(?:instructions?|prompts?|system|tasks?|answers?|outputs?|user|assistant|labels?|captions?|responses?|think"
    r"|tool_call|query|human|script|override)\b[^>]*>|<!--|\[\[|\]\]"
)
"""Special tokens of chat models, and tags that a prompt may have."""
_OTHER_MARKS = re.compile(
    r"#{2,}\s*(?:instructions?|responses?|system|input|output|task|new|prompt|answer|user|assistant|human|end)\b"
    r"|/\*|\{%|\$\{|\{\{|^\s*//|```|[=\-_*#~]{10,}|(?:[»”)}\]>]\s*){6,}|\\n\\n|\\u00|\\x[0-9a-f]{2}"
)
"""Headings, comments, templates and floods of delimiters."""
_KEY = (
    r"(?:label|guess|system|user|assistant|human|developer|answer|caption|output|note|task|instructions?|response"
    r"|prompt"
    r"|role|content|fusion|admin|tool)"
)
_KEYED = Phrases(
    [
        ("system assistant user human developer",
         r"(?:^|[\n\"'<|\[(#{*_>/.,;!?)]\s*)(?:system|assistant|user|developer)\s*[\"'*_]*(?:\]|>"
         r"|\|)?\s*[\"'*_]*:(?:\s|\*|\")"),
        ("label guess system user assistant human developer answer caption output note task instruction"
         " response prompt role content"
         " fusion admin tool",
         rf"[\"'{{,]\s*{_KEY}\s*[\"']\s*[:=]|[\"'»”>\]}})`]\s*[.,;!?]?\s*(?:\\n|\n)*\s*{_KEY}\s*[:=]"),
        ("label guess caption question", r"[.!?»\"'] (?:label|guess|caption|question)\s*:\s"),
        ("system user assistant developer", r"\b(?:role|type)\s*[=:]\s*[\"']?(?:system|user|assistant|developer)\b"),
    ]
)  # fmt: skip
"""Names of speakers and of parts of a prompt, with a colon."""

ORDERS = Phrases(
    [
        ("ignore previousinstruct disregard forget systemprompt snoit",
         r"\bignoreall|ignoreprevious|ignoretheabove|ignoreprior|ignoreyour|previousinstructions|disregardall"
         r"|forgetall"
         r"|systemprompt(?!s)|snoitcurtsni"),
        # English
        ("ignore ignoring disregard disregarding forget override bypass skip neglect discard overlook",
         rf"\b{_IGNORE}\b(?: {_EARLIER}){{1,5}} {_ORDER}\b|\b{_IGNORE} (?:previous|prior|earlier|system) {_ORDER}\b"
         rf"|\b{_IGNORE} (?:instructions|prompts)\b"),
        ("ignore ignoring disregard disregarding forget override bypass skip neglect discard overlook",
         rf"\b{_IGNORE} (?:everything|all|what|anything|that|whatever)\b[^.]{{0,40}}"
         rf"\b(?:above|before|said|told|previous|previously|earlier|prior|so far|learned|know)\b"),
        ("ignore ignoring disregard disregarding forget",
         rf"\b{_IGNORE} (?:the )?(?:above|previous|preceding|foregoing)(?: (?:and|but)\b|[,.;:!]|$)"),
        ("do don't",
         r"\b(?:do not|don't) (?:follow (?:the|any|your|these|previous|earlier)|obey (?:the|any|your|these"
         r"|previous)|merge|describe"
         r"|caption|write (?:a|the|any|about)|mention (?:the|any|this)|summari[sz]e|fuse|use the (?:label|guess"
         r"|caption|notes?))\b"),
        ("new updated real actual hidden secret",
         r"\b(?:new|updated|real|actual|hidden|secret|revised|true) (?:instructions?|prompt|task|system prompt"
         r"|orders?)\s*(?:[:.!-]|is|are|from|follow)"
         r"|\b(?:updated|actual|hidden|secret|revised) (?:instructions?|prompts?|system prompt)\b"),
        ("your instructions task prompt",
         r"\byour (?:new|real|actual|only|next|true|current|updated|primary|sole|main) (?:instructions?|task|job"
         r"|role|goal|prompt|purpose|objective"
         r"|mission|directive|order)s?\b|\byour (?:instructions|system prompt|prompt|guidelines|programming"
         r"|initial prompt|directives)\b"),
        ("system developer admin root sudo",
         r"\b(?:system|developer) ?(?:message|override|instructions?)\b|\bsystem ?prompt\b(?! (?:cheat|sheet|book"
         r"|course|guide|design|engineer))"
         r"|\b(?:admin|root|sudo|god|debug|maintenance|developer|dan|unrestricted) (?:mode|override|access"
         r" (?:granted|enabled))\b|\bsudo \w+"),
        ("you",
         r"\byou (?:are|must|will|should|have to|shall|need to|can|may) (?:now |instead |only |always |never "
         r"|henceforth |please )*"
         r"(?:answer|respond|reply|output|say|write|act|print|repeat|obey|comply|behave|ignore|forget|pretend"
         r"|include|mention|"
         r"translate|generate|produce|end|begin|start every)\b|\byou are (?:now|instead|no longer|henceforth"
         r"|going to (?:act|be|respond|answer|write))\b"),
        ("you you're", rf"\byou(?:'re| are) (?:an? |the |my )(?:\w+ ){{0,3}}{_MODEL}\b"),
        ("pretend act behave roleplay respond imagine play role answer reply speak talk write stay",
         r"\b(?:pretend|behave|roleplay|role-play|respond) (?:to be|as if|as an?|like|that you)\b|\bact (?:as if"
         r"|as an?) |\b(?:answer|respond|reply|speak|talk|write) like an? "
         r"|\bimagine (?:you are|you're|that you|being)\b|\bplay the role\b|\bstay in character\b|\blet's play a"
         r" game\b|\btalk like a\b"),
        ("now onwards onward moment point message here",
         r"\bfrom (?:now|this (?:point|moment|message)) on(?:wards?)?\b|\bfrom here on(?:, you)?\b"),
        ("respond reply answer output say repeat return echo",
         rf"{_ORDERED}(?:respond|reply|answer|output|say|repeat|return|echo)(?: (?:only|just|exactly|instead|back"
         rf"|always|simply|"
         r"solely|me|to me))* (?:with (?:only|just|exactly|the|a|an|one|[\"'a-z]*$|\w+ (?:and|only|instead"
         r"|nothing))|the (?:following|words?|phrase|"
         r"prompt|sentence (?:above|below|[\"'])|system|secret|password|exact)|only\b(?! (?:memory|one|in))"
         r"|exactly\b|instead\b"
         r"|in (?:json|base64|german|french|spanish|pirate|capital|all caps|uppercase|rhyme|emoji|morse|latin"
         r"|klingon|italian|russian|chinese|japanese))\b"),
        ("respond reply answer output", rf"{_ORDERED}(?:respond|reply|answer|output) with\b"),
        ("print write type",
         r"\b(?:print|write|type)(?: (?:just|exactly|instead|simply|solely|only))* (?:the (?:following|words?"
         r"|phrase|prompt"
         r"|secret|password)\b|(?:exactly|instead|only|just)\b(?! (?:memory|one|in|for|on|with|at))|in (?:json"
         r"|base64|pirate|klingon)\b)"),
        ("respond reply answer output print say write repeat return echo only just",
         rf"{_ORDERED}(?:respond|reply|answer|output|say|echo)(?: only| just| exactly| simply)?:? [\"'«“]"
         rf"|\b(?:write|print|repeat|return) (?:only|just|exactly|simply):? [\"'«“]"
         r"|\b(?:only|just|simply|instead|please|kindly|now|then|and|must|to) (?:respond|reply|output|print|say"
         r"|write|return|echo|type)\b"
         r"(?: [a-z]+){0,2} [\"'«“]?\w+[\"'»”]?(?: and nothing else| only| instead| [0-9]+ times)"),
        ("nothing", r"\band nothing (?:else|more)\b|\bnothing else\b[.!]*$"),
        ("only just", r"\b(?:only|just|simply) (?:respond|reply|output|answer|echo|return)\b"),
        ("respond reply output print echo write say",
         r"\b(?:instead|then|now|and),? (?:please )?(?:respond|reply|output|print|echo|write|say) (?:only"
         r" )?(?:the word |with )?[\"'«“]?(?!(?:on|in|to|it|me|a|the|off|up|so|us|down)\b)[a-z0-9]+[\"'»”]?[.!]*$"),
        ("instead",
         r"\binstead(?: of)? (?:describing|captioning|merging|a caption|the caption|a description|of"
         r" (?:describing|captioning|merging"
         r"|a caption|the caption|the description|writing))\b|(?:^|[.,;!?:-] )instead,? (?:\w+ ){0,2}(?:write|say"
         r"|output|respond|reply|print|tell)\b"),
        ("please kindly could would",
         r"\b(?:please|kindly|could you|would you|can you)(?: please| kindly| be so kind as to| kind(?:ly)?)* "
         r"(?:(?:ignore|disregard) (?:all |any |the |these |those |your )*(?:guess|label|notes?|caption|image"
         r"|picture|photo|tags)|respond|reply|output|print|append|insert|translate (?:this|the)|pretend|reveal"
         r"|summari[sz]e|"
         r"(?:add|include|mention|put|write|use) (?:the (?:word|words|phrase|sentence|following|text|name|link)"
         r"|a (?:link|poem|joke|story|recommendation|recipe)"
         r"|that|only|[\"'«“])|tell (?:me|us|the reader)|stop describing)\b"),
        ("add include insert append mention put end begin start finish use",
         r"\b(?:add|include|insert|append|mention|put|end|begin|start|finish|use|repeat|write)(?: (?:your|the"
         r"|every|each|a|always|in))*"
         r"(?: (?:caption|description|sentence|answer|response|reply|output))?(?: with| by| in)? (?:the"
         r" )?(?:words?|phrase|sentence|slogan|string|link|url)\b"
         r"(?: [\"'«“]|\b)"),
        ("caption description sentence answer response reply output",
         r"\b(?:in|to|into|of|from|at) (?:the|your|every|each|any) (?:caption|description|answer|response|reply"
         r"|output|final answer)s?\b"),
        ("write tell compose generate give",
         r"\b(?:write|compose|generate|tell|give)(?: me| us)? (?:a|an|the|some) (?:\w+ )?"
         r"(?:poem|haiku|joke|story|essay|recipe|python|program|script|code|limerick|song|password|opinion)\b(?!"
         r" (?:by|of|from|book|for (?:kids|children|beginners)))"),
        ("reveal show print leak repeat tell what disclose expose output words text everything message",
         r"\b(?:reveal|show|print|leak|repeat|tell me|disclose|expose|output|give me|share|dump|display)(?: me|"
         r" us)? (?:your|the|all|any)(?: \w+)? ?"
         r"(?:system|hidden|initial|secret|prompt|instructions?|api key|password|above text|text above|words"
         r" above|rules|conversation|context)\b"
         r"|\bwhat (?:is|are|was|were) (?:your|the) (?:\w+ )?(?:instructions?|prompt|rules|system)\b|\b(?:words"
         r"|text|everything|message) above\b"),
        ("jailbreak jailbroken dan mode injection",
         r"\b(?:jailbreak|jailbroken|do anything now|dan mode|developer mode|prompt injection)\b"),
        ("end stop start begin",
         r"\b(?:end|stop|start|begin|beginning) of (?:the )?(?:prompt|input|instructions?|text|data|captions?"
         r"|label|context|user|system"
         r"|document|notes?|examples?|task|conversation|message|web text|file)\b|\b(?:begin|end|start|stop)"
         r" (?:new )?(?:instructions?|prompt|system|output|response|task)\b"),
        ("translate translation",
         r"\btranslate (?:this|the|everything|all|it|that|your|my|both|what|above|to|into|following|these)\b"),
        ("dear attention hey hello note message memo",
         rf"\b(?:dear|attention|hey|hello|hi|note (?:to|for)|message (?:to|for)|memo (?:to|for)|listen"
         rf"|instructions? (?:to|for))"
         rf",? (?:the |all |any |every |you )*{_MODEL}\b(?! (?:kit|train|car|poster|sticker|toy|agency|railway"
         rf"|t-shirt|shirt|badge|vacuum|costume))"),
        ("if when since because",
         r"\b(?:if|when|since|because) (?:you are|you're|you were|reading this|this is read|an?)(?: \w+)? (?:an?"
         r" )?"
         r"(?:ai|llm|gpt|language model|ai model|chat ?bot|captioning \w+|ai assistant)\b"),
        ("ai llm llms language models model assistant",
         r"\b(?:ai|llms?|language models?|models?|assistants?|captioners?)(?: reading this| processing this|"
         r" that reads? this)?"
         r"(?: must| should| shall| will| are (?:instructed|required|asked)| is (?:instructed|required|asked))"
         r" (?:\w+ )?(?:answer|respond|reply|output|say|write|ignore|include|mention|add|describe|print|state"
         r"|caption)\b"),
        ("correct right gold expected final desired ideal true reference preferred official",
         r"\b(?:correct|right|gold(?:en)?|expected|final|desired|ideal|true|reference|preferred|required|perfect"
         r"|official|approved) "
         r"(?:answer|output|caption|response|label|fusion|sentence|description)s?\s*(?:is|:|=|-|should|must|would"
         r"|->|→)"),
        ("answer output response caption description sentence result",
         r"\bthe (?:answer|output|response|caption|description|sentence|result) (?:should|must|has to|will|shall"
         r"|ought to|to (?:give|write|output)) "
         r"(?:be|say|read|contain|include|only|always|start|begin|end|mention|now|instead)\b"),
        ("answer output response completion",
         r"(?:^|[.;,!?\n|/-]\s?)(?:answer|output|response|completion|final answer)\s*[:=]\s"),
        ("important urgent warning critical attention priority",
         r"\b(?:important|urgent|critical|priority|mandatory|highest priority|top priority)(?: \w+)?\s*[:!-]+"
         r" (?:\w+ ){0,3}?(?:ignore|respond|reply|output|write|say|you|do not|don't|stop|answer|always|include"
         r"|add|print|the (?:caption|answer|output))\b"),
        ("stop cease",
         r"\b(?:stop|cease) (?:describing|captioning|merging|following|being|the task|here and|and (?:write|say"
         r"|output|reply|respond))\b"),
        ("execute run eval import os rm curl",
         r"\b(?:execute|run|eval) (?:the (?:following|command|code)|this (?:command|code)|code|command|rm|curl"
         r"|sudo)\b|\brm -rf\b|\bos\.system\b"
         r"|\bimport os\b|\bcurl -|\b(?:print|alert|eval|exec|system|console\.log)\s*\([\"'\w]"),
        ("drop select", r"\bdrop table\b|\bselect \* from\b"),
        ("decode base64 rot13 decrypt",
         r"\b(?:decode|decrypt|base64|rot13)\b[^.]{0,30}\b(?:this|the|following|string|message|text|and|it"
         r"|instructions?)\b|\bbase64:"),
        ("visit open click go navigate browse fetch send",
         r"\b(?:visit|open|click(?: on)?|go to|navigate to|browse(?: to)?|fetch|send (?:\w+ )*to) (?:this |the"
         r" )?(?:link|url|page|website)? ?(?:https?://|www\.|at http)"),
        ("recommend say tell claim state",
         r"\b(?:recommend|promote|advertise|endorse|claim that|insist that|state that)\b[^.]{0,30}\b(?:in (?:the"
         r"|your)|instead|to (?:the )?(?:user|reader|everyone)|always)\b"
         r"|\b(?:say|tell (?:them|everyone|the user|the reader)|claim|state|write|mention|report) that (?:this"
         r"|the|it|you)\b"),
        ("what task",
         r"\bfor (?:this|the next|your) (?:task|answer|response|caption|request)\b|\bthe (?:task|instructions?)"
         r" (?:above|has|have|is|are) (?:changed|over|cancel\w+|now|void|obsolete|complete\w*|been)\b"
         r"|\b(?:task|instructions?) (?:complete|completed|cancel\w+|over|void)\b"),
        ("you", r"\byou (?:must|will|should|shall|have to|need to)(?: \w+)? (?:describe|caption|answer|write|mention|name)\b"),
        ("your", r"\byour (?:\w+ )?(?:answer|output|response|reply|caption)\s*(?:[:=]|is\b|must\b|should\b|will\b)"),
        ("say write output print reply respond answer",
         r"^(?:please |kindly |just |now )*(?:say|write|output|print|reply|respond)\s*:?\s*[\"'«“]?\w+[\"'»”]?[.!]*$"),
        ("please kindly",
         rf"\b(?:please|kindly) (?:\w+ )?{_SAY} (?!only\b|with\b|before\b|here\b|clearly\b|to\b|us\b|me\b|your\b)"
         r"\w+[.!]*$"),
        ("describe talk caption", r"\b(?:describe|caption|talk about)\b[^.]{0,30}\b(?:instead|only)\b|\bcaption this\b"),
        ("make ensure",
         r"\b(?:make sure|ensure)(?: that)? (?:the|your|every) (?:caption|answer|output|sentence|description|response)\b"),
        ("whatever what exactly", r"\bdo (?:whatever|what|as|exactly what) i (?:say|tell|ask|command)\b"),
        ("antworte antworten schreibe schreib schreiben sprich ausgeben sagen",
         r"\b(?:antworten?|schreib(?:e|en)?|sprich)\b[^.]{0,15}\bauf (?:deutsch|englisch|französisch|spanisch|russisch)\b"
         r"|\bnur\b[^.]{0,25}\b(?:ausgeben|antworten|schreiben|sagen)\b"),
        ("réponds répondez écris écrivez parle parlez dois devez",
         r"\b(?:répond(?:s|ez)|écri(?:s|vez)|parlez?)\b[^.]{0,15}\ben (?:français|anglais|allemand|espagnol)\b"
         r"|\b(?:tu dois|vous devez) (?:écrire|répondre|dire|décrire)\b"),
        ("responde responda escribe escriba habla debes escreva fale deve rispondi scrivi parla devi",
         r"\b(?:responde|responda|escribe|escriba|habla|escreva|fale)\b[^.]{0,15}"
         r"\b(?:en|em) (?:español|inglés|francés|português|inglês|francês)\b"
         r"|\b(?:rispondi|scrivi|parla)\b[^.]{0,15}\bin (?:italiano|inglese|francese)\b"
         r"|\b(?:debes|deve|devi) (?:escribir|responder|decir|escrever|dizer|scrivere|rispondere|dire)\b"),
        # German
        ("ignorier ignoriere ignorieren missachte missachten vergiss vergesse vergessen überspringe",
         r"\b(?:ignorier|missacht|vergiss|vergesse|überspring)\w*\b[^.]{0,50}\b(?:anweisung|instruktion|vorgabe"
         r"|regel|befehl|prompt|aufgabe|obig"
         r"|vorherig|bisherig|alles|anleitung|oben|text)\w*"),
        ("antworte antworten schreibe schreib gib sage sag schreiben geben",
         r"\b(?:antworten?|schreib(?:e|en)?|gib|geben|sagen?|sag)\b[^.]{0,30}\b(?:nur|stattdessen|ausschließlich"
         r"|lediglich|bitte|das wort|folgende\w*)\b"),
        ("bitte", r"\bbitte (?:\w+ ){0,3}(?:antworte\w*|ignorier\w*|schreib\w*|übersetz\w*|gib|nenne)\b"),
        ("du sie",
         r"\b(?:du bist|sie sind) (?:jetzt|nun|ab jetzt|ein|kein|ab sofort)\b|\bab (?:jetzt|sofort) (?:bist"
         r"|antwort\w*|sprich)\b|\btu so, als\b"),
        ("übersetze übersetzen", r"\bübersetzen? (?:\w+ ){0,3}(?:ins|in|auf|text|satz)\b"),
        ("neue systemprompt systemnachricht",
         r"\bneue (?:anweisung|aufgabe|instruktion)\w*\b|\bsystem-?(?:prompt|nachricht|anweisung)\w*"),
        ("die richtige", r"\bdie (?:richtige|korrekte) (?:antwort|ausgabe|beschreibung) (?:ist|lautet)\b"),
        # French
        ("ignore ignorez ignorer oublie oubliez oublier ne",
         r"\b(?:ignore[zr]?|oublie[zr]?|ne (?:tiens|tenez) (?:pas|aucun) compte)\b[^.]{0,50}(?:\binstructions?"
         r"|consigne|règles?\b|ordres|précéde|ci-dessus|tout ce qui)"),
        ("répond réponds répondez écris écrivez dis dites",
         r"\b(?:répond(?:s|ez|re)?|écri(?:s|vez|re)|dis|dites|affiche[zr]?)\b[^.]{0,25}\b(?:seulement|uniquement"
         r"|plutôt|simplement|juste|en allemand|avec le mot|le mot|par)\b"),
        ("tu vous",
         r"\b(?:tu es|vous êtes) (?:maintenant|désormais|un (?:assistant|pirate|robot|bot|modèle))\b|\bà partir"
         r" de maintenant\b|\bfais semblant\b|\bfaites semblant\b"),
        ("traduis traduisez nouvelle nouvelles révèle révélez affiche",
         r"\btradui(?:s|sez|re) (?:ce|cette|le|la|tout|en)\b|\bnouvelles? (?:instruction|consigne|tâche)s?\b"
         r"|\b(?:révèle|révélez|affiche[zr]?) (?:ton|votre|le) prompt\b"),
        ("veuillez merci",
         r"\b(?:veuillez|merci de) (?:ignorer|répondre|écrire|ne pas (?:décrire|suivre)|traduire|ajouter|dire)\b"
         r"|\bs'il (?:vous|te) plaît,? (?:ignore|répond|écri|dis|dites|ajoute)\w*"),
        # Spanish
        ("ignora ignore ignorar olvida olvide olvidar omite haz haga",
         r"\b(?:ignor(?:a|e|ar|en)|olvid(?:a|e|ar)|omit(?:e|a|ir)|haz caso omiso|haga caso omiso|no (?:sigas"
         r"|hagas caso))\b[^.]{0,50}\b(?:instruccion\w*|indicacion\w*|órdenes|reglas|anterior\w*|todo lo)\b"),
        ("responde responda escribe escriba di diga",
         r"\bdi (?:solo|sólo|solamente|únicamente|la palabra)\b|\b(?:responde|responda|escribe|escriba|diga"
         r"|contesta)\b[^.]{0,20}\b(?:solo|sólo|solamente|únicamente|en su lugar|la palabra|con|simplemente)\b"),
        ("eres ahora traduce traduzca nuevas nueva por finge actúa revela",
         r"\b(?:ahora eres|eres ahora|a partir de ahora|finge (?:ser|que)|actúa como)\b|\btradu(?:ce|zca) (?:esto"
         r"|este|el|la|todo|al)\b"
         r"|\bnuevas? (?:instruccion|instrucciones|tarea)\b|\brevela tu\b|\bpor favor,? (?:ignora|responde"
         r"|escribe|di|añade)\b"),
        # Italian
        ("ignora ignorate ignorare dimentica dimenticate trascura",
         r"\b(?:ignora(?:te|re)?|dimentica(?:te|re)?|trascura\w*)\b[^.]{0,50}\b(?:istruzion\w*|indicazion\w*"
         r"|regole|precedent\w*|tutto)\b"),
        ("rispondi rispondete scrivi scrivete sei ora traduci nuove nuova fingi dì per",
         r"\b(?:rispond(?:i|ete|a)|scriv(?:i|ete|a)|dì|di')\b[^.]{0,25}\b(?:solo|soltanto|solamente|unicamente"
         r"|invece|la parola|con)\b|\b(?:ora sei|sei ora|d'ora in poi|da ora in poi|fingi di)\b"
         r"|\btraduci (?:questo|questa|il|la|tutto|in)\b|\bnuov[ae] istruzion[ei]\b|\bper favore,? (?:ignora"
         r"|rispondi|scrivi)\b"),
        # Portuguese
        ("ignore ignora ignorar esqueça esquece desconsidere desconsidera",
         r"\b(?:ignor(?:e|a|ar|em)|esque(?:ça|ce|cer)|desconsider[ea]r?)\b[^.]{0,50}\b(?:instruç\w*|instruções"
         r"|regras|anteriore?s?|ordens|tudo)"),
        ("responda responde escreva escreve diga você agora traduza novas finja por",
         r"\b(?:respond[ae]|escrev[ae]|dig[ao]|imprima)\b[^.]{0,20}\b(?:apenas|somente|só|unicamente|em vez|a"
         r" palavra|com)\b|\b(?:você (?:é|agora é)|agora você|a partir de agora|finja (?:ser|que))\b"
         r"|\btraduza (?:isto|isso|este|o|a|tudo|para)\b|\bnovas instruções\b|\bpor favor,? (?:ignore|responda"
         r"|escreva|diga)\b"),
        # Dutch
        ("negeer vergeet antwoord schrijf je vertaal zeg doe nieuwe",
         r"\b(?:negeer|vergeet)\b[^.]{0,50}\b(?:instructies?|opdracht\w*|regels|vorige|bovenstaande|alles"
         r"|eerdere)\b|\b(?:antwoord|schrijf|zeg)\b[^.]{0,20}\b(?:alleen|slechts|uitsluitend|in plaats|het woord"
         r"|enkel)\b"
         r"|\b(?:je bent nu|vanaf nu|doe alsof)\b|\bvertaal (?:dit|deze|de|het|alles|naar)\b|\bnieuwe"
         r" (?:instructie|opdracht)\w*"),
        # Polish, Czech
        ("zignoruj ignoruj zapomnij odpowiedz napisz jesteś przetłumacz od",
         r"(?:zignoruj|ignoruj|zapomnij|pomiń)\w*[^.]{0,50}(?:instrukcj|polece|zasad|poprzedni|wszystk|powyż)"
         r"|\b(?:odpowiedz|napisz|powiedz)\b[^.]{0,25}\b(?:tylko|wyłącznie|zamiast|słowo)"
         r"|\bjesteś teraz\b|\bod teraz\b|\bprzetłumacz (?:to|ten|na|wszystko)\b"),
        ("ignoruj ignorujte zapomeň odpověz napiš",
         r"\b(?:ignoruj|ignorujte|zapome[nň]\w*)\b[^.]{0,50}(?:pokyn|instrukc|předchoz|pravid)|\b(?:odpověz"
         r"|napiš)\w*[^.]{0,20}\b(?:pouze|jen|místo)\b"),
        # Turkish
        ("önceki yukarıdaki tüm sadece yalnızca talimatları talimat artık",
         r"(?:önceki|yukarıdaki|tüm|bütün)[^.]{0,30}(?:talimat|komut|yönerge)\w*[^.]{0,20}(?:yok say|unut"
         r"|görmezden|dikkate alma)"
         r"|(?:sadece|yalnızca|yerine)[^.]{0,30}\b(?:yaz|cevap ver|yanıt ver|yanıtla|de|söyle)\b|\bartık (?:sen"
         r" )?bir\b"),
        # Swedish, Danish, Norwegian, Finnish
        ("ignorera ignorer glöm glem bortse unohda älä",
         r"\b(?:ignorera|ignorer|glöm|glem|bortse från|se bort fra)\b[^.]{0,50}(?:instruktion|instruks|anvisning"
         r"|tidigare|tidligere|föregående|forrige|regler|alla|alle)"
         r"|\b(?:unohda|ohita|jätä huomiotta)\b[^.]{0,40}(?:ohjee|ohjeet|aiemm|edelli)"),
        ("svara skriv svar",
         r"\b(?:svara|svar|skriv)\b[^.]{0,20}\b(?:endast|bara|kun|bare|istället|i stedet|ordet)\b"),
        # Indonesian, Vietnamese, Romanian, Hungarian
        ("abaikan lupakan jawab tulis bỏ ignoră ignorați uită hagyd felejtsd",
         r"\b(?:abaikan|lupakan)\b[^.]{0,50}\b(?:instruksi|perintah|petunjuk|aturan|sebelumnya)\b|\b(?:jawab"
         r"|tulis|balas)\w*[^.]{0,20}\b(?:hanya|saja|dengan)\b"
         r"|\bbỏ qua\b[^.]{0,40}(?:hướng dẫn|chỉ dẫn|lệnh|trước)|\b(?:ignoră|ignorați|uită"
         r"|uitați)\b[^.]{0,50}(?:instrucțiun|reguli|anterioa)"
         r"|\b(?:hagyd figyelmen|felejtsd el)\b[^.]{0,50}(?:utasítás|szabály|előző|korábbi)"),
    ]
)  # fmt: skip

_OTHER = re.compile(
    "|".join(
        (
            r"(?:(?:про)?игнорируй|забудь|не обращай(?:те)? внимания|отбрось"
            r"|пропусти)(?:те)?[^.]{0,50}(?:инструкц|указан|правил|команд|предыдущ|выше|всё|запрос|сказан)",
            r"(?:ответь|напиши|скажи|выведи|отвечай|пиши|говори)(?:те)?[^.]{0,25}(?:только|вместо|слово|просто"
            r"|лишь|одним)",
            r"(?:ответь|отвечай|пиши|напиши|говори)(?:те)? (?:на|по)[ -]|(?:用|以)(?:中文|英文|英语|日语|法语)(?:回答|写|输出|说)",
            r"(?:日本語|英語|中国語)で(?:答え|書い|出力|返し)",
            r"теперь ты|ты теперь|с этого момента|притворись|веди себя как|переведи(?:те)? (?:это|этот|на|текст)"
            r"|нов(?:ая|ые) (?:инструкци|задач)|системн\w+ (?:промпт|сообщени|подсказк)",
            r"(?:ігноруй|проігноруй|забудь)(?:те)?[^.]{0,50}(?:інструкц|вказівк|попередн|правил)|(?:відповідай"
            r"|напиши)[^.]{0,20}(?:лише|тільки)",
            r"(?:αγνόησε|αγνοήστε|ξέχνα|ξέχασε)[^.]{0,50}(?:οδηγίε|εντολ|προηγούμεν)|(?:απάντησε"
            r"|γράψε)[^.]{0,20}(?:μόνο|αντί)",
            r"(?:忽略|无视|無視|忘记|忘記|忘掉|不要理会|不要理會|跳过|别管|不要遵循|请勿遵循)[^。]{0,16}(?:指令|指示|说明|說明|提示|规则|規則|内容|內容|要求|命令|一切|文字)",
            r"(?:只|请|仅|請|僅|直接)(?:需|要|能|用|以)?(?:回答|输出|輸出|回复|回覆|说|說|写|寫|打印|翻译|翻譯)|你(?:现在|現在)?是(?:一|个|個|我|人工)"
            r"|从现在(?:开始|起)|從現在|扮演|翻译(?:成|为|以下|这)|系统提示|系統提示",
            r"(?:指示|命令|プロンプト|ルール|上記|以前|これまで|前の)[^。]{0,16}(?:無視|忘れ)|(?:無視|忘れ)(?:して|ろ|てくだ)|(?:だけ|のみ)(?:を|と|で)?(?:出力"
            r"|答え|回答|返答|書い|言っ|返し)|あなたは(?:今|これ)|と(?:だけ)?(?:答えて|出力して|書いて|言って)|翻訳して|になりきって",
            r"(?:이전|위의|모든|앞의|지금까지)[^.]{0,14}(?:지시|명령|지침|내용|프롬프트)[^.]{0,12}(?:무시"
            r"|잊)|무시하고|(?:만|라고|으로) ?(?:답|대답|출력|말"
            r"|응답|써)(?:하|해|세|라|만)|너는 이제|당신은 이제|번역(?:해|하)",
            r"(?:تجاهل|انس|انسى|لا تتبع|تغاضى)[^.]{0,40}(?:تعليمات|أوامر|السابقة|القواعد|ما سبق|أعلاه)|(?:أجب"
            r"|اكتب|قل|رد)[^.]{0,20}(?:فقط|بكلمة|بدلا)|أنت الآن|ترجم (?:هذا|النص|إلى)",
            r"(?:התעלם|התעלמי|שכח|התעלמו)[^.]{0,40}(?:הוראות|ההוראות|הנחיות|הקודמות|כללים)|(?:ענה"
            r"|כתוב)[^.]{0,20}(?:רק|במקום)",
            r"(?:نادیده بگیر|فراموش کن|را نادیده)|(?:دستور|دستورات|دستورالعمل)[^.]{0,40}(?:نادیده|فراموش)"
            r"|فقط[^.]{0,20}(?:بنویس|پاسخ|بگو)",
            r"(?:निर्देश|आदेश|नियम)[^।]{0,40}(?:अनदेखा|नज़रअंदाज|नजरअंदाज|भूल|उपेक्षा)|(?:अनदेखा|नज़रअंदाज"
            r"|भूल)[^।]{0,20}(?:निर्देश|आदेश)|(?:केवल|सिर्फ|सिर्फ़)[^।]{0,30}(?:लिख|उत्तर|जवाब|बोल|कह)",
            r"(?:নির্দেশ|নির্দেশনা)[^।]{0,40}(?:উপেক্ষা|ভুলে)|(?:ละเว้น|เพิกเฉย|ลืม"
            r"|ไม่ต้องสนใจ)[^.]{0,30}(?:คำสั่ง|คำแนะนำ|ก่อนหน้า)|(?:ตอบ|เขียน|พิมพ์)[^.]{0,20}(?:เท่านั้น|แค่)",
        )
    )
)  # fmt: skip
"""The same in scripts other than Latin."""

_ALIKE = str.maketrans(
    "аеорсухіјѕһԁԛԝвкмнтԍӏзбɑɡıɩοαερτυνικωхчՕо",
    "aeopcyxijshdqwbkmhtglзбagiioaeptuvikwxчoo",
)
_LEET = str.maketrans("013457@$!|", "oieastasil")
_MIXED = re.compile(r"[a-z@$!|][0134579@$!|]+[a-z]|\b[01345]{1,2}[a-z]{2}")
_GAPS = re.compile(r"(?<!\w)\w(?:[ ._*/\-]{1,3}\w){4,}(?!\w)")
_GAP = re.compile(r"[ ._*/\-]+")
_BASE64 = re.compile(r"(?<![\w+/])[A-Za-z0-9+/]{20,}={0,2}")


def speaks_to_model(text: Text, disguised: bool = True) -> bool:
    """Whether a text asks a model to ignore, to act as, to answer with; or holds marks of another speaker's turn.

    `disguised` is False for texts that nobody could have disguised.
    """
    return _speaks(text) or (disguised and any(_speaks(Text(variant)) for variant in _undisguised(text)))


def passes_on(text: Text) -> bool:
    """The same of a fusion: what a model wrote is not in disguise."""
    if ORDERS.found(text):
        return True
    # Greek is the first script after Latin and its accents.
    return not text.plain.isascii() and max(text.plain) > "\u036f" and _OTHER.search(text.plain) is not None


def _speaks(text: Text) -> bool:
    raw = text.raw.casefold()
    if ("<" in raw or "[" in raw or "]]" in raw) and (_BRACKETED.search(raw) or _BRACKETED.search(text.plain)):
        return True
    marked = not _MARKS.isdisjoint(raw) or "-----" in raw
    if marked and _OTHER_MARKS.search(raw):
        return True
    if (":" in text.plain or "=" in text.plain) and (_KEYED.found(text) or _KEYED.found(text, raw)):
        return True
    return passes_on(text)


def _undisguised(text: Text) -> Iterator[str]:
    """What a text may have been meant to say."""
    plain = text.plain
    if not plain.isascii():
        letters = "".join(c for c in unicodedata.normalize("NFKD", plain) if not unicodedata.combining(c))
        alike = letters.translate(_ALIKE)
        if alike != plain:
            yield alike
            plain = alike
    if sum(map(str.isalpha, text.folded)) < len(text.folded) - 1 and len(_MIXED.findall(plain)) >= 2:
        yield plain.translate(_LEET)
        yield plain.translate(_LEET | {ord("1"): "l"})
    lengths = list(map(len, text.folded))
    if lengths.count(1) >= 6:
        yield _GAPS.sub(lambda run: _GAP.sub("", run.group()), plain)
        yield _GAP.sub("", plain)
    if max(lengths, default=0) < 16:
        return
    for run in _BASE64.findall(text.clean):
        try:
            decoded = base64.b64decode(run + "=" * (-len(run) % 4)).decode("utf-8")
        except (binascii.Error, UnicodeDecodeError):
            continue
        yield decoded


_MARKS = frozenset("#/*{`=_~\\»”")
"""Characters of which one stands in all that OTHER_MARKS finds, five hyphens apart."""
