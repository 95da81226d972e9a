"""Phrases that give a bad fusion away, and phrases by which a web text tries to steer a model.

All patterns but MARKUP are searched in cleaned, folded text (`words.clean`, then casefold). Leak, refusal and meta
phrases count only where the inputs do not have them: a page about sentence structure may say so.
"""

from __future__ import annotations

import re


def _any(*alternatives: str) -> re.Pattern[str]:
    return re.compile("|".join(f"(?:{alternative})" for alternative in alternatives))


LEAK = _any(
    r"\breal[- ]world\b",
    r"\bwell[- ]structured\b",
    r"\bwell[- ]formed\b",
    r"\bsentence structure\b",
    r"\bfalse information\b",
    r"\bfactual information\b",
    r"\b(?:sentence|caption|description|text|input|label) ?(?:#|no\.? ?)?[12ab]\b",
    r"\b(?:first|second|two|both|original|given|provided|raw|synthetic|fused|merged|combined) "
    r"(?:sentence|caption|description|text|input|label)s?\b",
    r"\balt(?:ernative)?[- ]text\b",
    r"\b(?:web text|page label|machine caption|page says|machine sees)\b",
    r"\b(?:one|a single|single) (?:fluent |plain |new |english )*sentence\b",
    r"\b(?:merg|combin|concatenat|rewrit|rephras|paraphras)(?:e|es|ed|ing) "
    r"(?:the|these|both|them|it|into|two|this|that)\b",
    r"^(?:answer|output|result|response|caption|sentence|fusion|merged|label|tags?|description)\s*:",
    r"\b(?:label|tags|description|caption|output|answer|sentence)\s*:",
    r"\b(?:do not|don't|must not|never) (?:add|invent|include|mention|follow|copy|repeat)\b",
)
"""Wording of instructions for fusion, ours and those that were seen to leak elsewhere."""

REFUSAL = _any(
    r"\b(?:i'm|i am|we are|we're) (?:sorry|unable|not able|afraid)\b",
    r"\bsorry,? but\b",
    r"\bi apologi[sz]e\b",
    r"\bapologies\b",
    r"\b(?:i|we) (?:can't|cannot|can not|could not|couldn't|won't|will not|am not able|do not have|don't have)\b",
    r"\bas an? (?:ai|artificial intelligence|(?:large )?language model|(?:ai )?assistant)\b",
    r"\bnot (?:appropriate|possible) (?:for me )?to\b",
    r"\bagainst my (?:guidelines|programming|policy)\b",
    r"\bno (?:information|description|text|caption) (?:is |was )?(?:given|provided|available)\b",
    r"\bich kann (?:das |dies |diese[rn]? )?(?:leider )?nicht\b",
    r"\bje ne peux pas\b|\bno puedo\b|\bnão posso\b|\bя не могу\b|无法(?:提供|完成|生成)|抱歉",
)
"""A model that declines, in the languages it is likely to do it in."""

META = _any(
    r"^(?:sure|certainly|of course|absolutely|okay|ok|great|yes|no)\b\s*[,!.:]",
    r"^here(?:'s| is| are)\b",
    r"^(?:note|please note|explanation|hint|task|question|instructions?)\b\s*(?:that|:)",
    r"\b(?:i|we) (?:have|will|would|can|am|hope|think|believe|need|see|understand|suggest|merged|combined"
    r"|used|wrote)\b",
    r"\b(?:i'm|i've|i'll|i'd|let me|let's|my task|your request|as requested|as you requested|please provide)\b",
    r"\b(?:this|the) (?:sentence|caption|statement|prompt|instructions?)\b",
    r"\b(?:smollm|chatgpt|openai|hugging face|language model|ai assistant|helpful assistant)\b",
    r"\bhow (?:can|may) i (?:help|assist)\b",
    r"\bis (?:a|an) (?:fluent|good|correct|clear|concise) (?:sentence|description|caption)\b",
    r"\bin other words\b",
)
"""A model that talks about its task or itself."""

MARKUP = re.compile(
    r"<\s*/?\s*[a-zA-Z|!][^>]*>|<\||\|>|\[/?(?:INST|SYS|img|url)\]|https?://|\bwww\.|\S+@\S+\.\w|```|\{\{|\}\}|\]\(|!\["
    r"|&(?:[a-z]{2,8}|#\d+);|\n\s*\S|[\x00-\x08\x0b-\x1f\x7f\u202a-\u202e\u2066-\u2069\ue000-\uf8ff\ufffd]"
    r"|\*\*|^\s*(?:[-*#>]|\d+[.)])\s",
    re.IGNORECASE,
)
"""What belongs to a page, a prompt or a program and not into a caption; searched in the text as it is."""

_IGNORE = r"(?:ignore|disregard|forget|override|bypass|skip)"
_EARLIER = r"(?:previous|prior|above|preceding|earlier|foregoing|all|any|these|those|the|your|system|following|other)"
_ORDER = r"(?:instructions?|prompts?|rules|directions|commands|orders|messages?|guidelines|context|inputs?|task)"

INJECTION = _any(
    rf"\b{_IGNORE}\b(?: (?:{_EARLIER}|of|my|every|what|everything)){{0,4}} {_ORDER}\b",
    rf"\b{_IGNORE} (?:everything|all|what)\b[^.]{{0,30}}\b(?:above|before|said|told|previous)\b",
    r"\bdo not (?:follow|obey|merge|describe|write)\b",
    r"\b(?:new|updated|real|actual|hidden|secret) (?:instructions?|prompt|task|system prompt)\b",
    r"\b(?:system|developer) ?(?:prompt|message|override|instructions?)\b",
    r"(?:^|[\n\"'\s<|\[(#])(?:system|assistant|user|human|developer)\s*(?:\]|>|\|)?\s*:\s",
    r"<\|?/?(?:im_start|im_end|system|assistant|user|endoftext|eot_id|start_header_id)",
    r"\[/?inst\]|<<sys>>|</?s>|###\s*(?:instruction|response|system)",
    r"\byou (?:are|must|will|should|have to|shall) "
    r"(?:now|instead|only|always|never|answer|respond|reply|output|say|write|act|print|repeat)\b",
    r"\b(?:pretend|act|behave|roleplay|respond) (?:to be|as if|as an?|like)\b",
    r"\b(?:respond|reply|answer|output|print|say|write|repeat|return|echo)"
    r"(?: (?:only|just|exactly|instead|back|always))* "
    r"(?:with|the (?:following|words?|phrase|text|prompt|sentence|system)|only|exactly"
    r"|in (?:json|base64|german|french|pirate))\b",
    r"\b(?:respond|reply|answer|output|print|say|write|repeat|echo) (?:only |just |exactly )?[\"'«“]",
    r"\b(?:reveal|show|print|leak|repeat|tell me) (?:me )?(?:your|the) "
    r"(?:system|hidden|initial|secret|prompt|instructions?)\b",
    r"\b(?:jailbreak|dan mode|developer mode|prompt injection)\b",
    r"\bend of (?:prompt|input|instructions?|text|data|caption)\b",
    r"\b(?:ignorier|missacht|vergiss|vergesse)\w*\b"
    r"[^.]{0,40}\b(?:anweisung|instruktion|vorgabe|regel|befehl|prompt|aufgabe|obige|vorherige)\w*",
    r"\b(?:antworte|schreibe?|gib|sage?)\b[^.]{0,20}\b(?:nur|stattdessen|ausschließlich)\b",
    r"\b(?:ignore[zr]?|oublie[zr]?|ne tiens? pas compte)\b"
    r"[^.]{0,40}\b(?:instructions?|consignes?|règles|ordres|précédent\w*)\b",
    r"\b(?:répond[sez]*|écri[stvez]+|di[ts]es?)\b[^.]{0,15}\b(?:seulement|uniquement|plutôt)\b",
    r"\b(?:ignora|olvida|omite|haz caso omiso)\w*\b"
    r"[^.]{0,40}\b(?:instruccion\w*|indicacion\w*|órdenes|reglas|anterior\w*)\b",
    r"\b(?:responde|escribe|di)\b[^.]{0,15}\b(?:solo|sólo|solamente|únicamente)\b",
    r"\b(?:ignora|dimentica|trascura)\w*\b[^.]{0,40}\b(?:istruzion\w*|indicazion\w*|regole|precedent\w*)\b",
    r"\b(?:ignore|ignora|esqueça|desconsidere)\b[^.]{0,40}\b(?:instruç\w*|instruções|regras|anteriore?s?)\b",
    r"(?:игнорируй|забудь|не обращай внимания|проигнорируй)\w*"
    r"[^.]{0,40}(?:инструкци|указани|правил|команд|предыдущ|выше)",
    r"(?:ответь|напиши|скажи|выведи)\w*[^.]{0,15}(?:только|вместо)",
    r"(?:忽略|无视|忘记|不要理会)[^。]{0,12}(?:指令|指示|说明|提示|规则|内容|要求)",
    r"(?:只|请|仅)(?:回答|输出|回复|说|写)",
    r"(?:無視|忘れ)[^。]{0,6}(?:して|て|し|ろ)|(?:指示|命令|プロンプト)[^。]{0,6}(?:無視|忘れ)",
    r"(?:이전|위의|모든)[^.]{0,10}(?:지시|명령|지침)[^.]{0,10}(?:무시|잊)",
    r"(?:تجاهل|انس)[^.]{0,30}(?:التعليمات|الأوامر|السابقة)",
    r"(?:zignoruj|ignoruj|zapomnij)\w*[^.]{0,40}(?:instrukcj|polece|zasad|poprzedni)",
    r"(?:negeer|vergeet)\b[^.]{0,40}\b(?:instructies|opdracht\w*|regels|vorige|bovenstaande)",
    r"(?:önceki|yukarıdaki|tüm)[^.]{0,20}(?:talimat|komut)\w*[^.]{0,15}(?:yok say|unut|görmezden)",
)
"""A text that speaks to a model."""
