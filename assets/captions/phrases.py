"""Phrases that give a bad fusion away: wording of a task, refusals, talk about the task, and marks of pages and code.

All patterns but MARKUP are searched in cleaned, folded text (`Text.plain`). They count only where the inputs do not
have them: a page about sentence structure may say so. Phrases that steer a model are in `injection.py`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from assets.captions.words import Text


class Phrases:
    """Patterns, each asked only of a text that has one of its words.

    Most texts have none of these words, and looking words up in a set is far cheaper than searching.
    """

    def __init__(self, rows: Iterable[tuple[str, str]]):
        """Take rows of (words, pattern); a match of the pattern must contain one of the words, or a word that begins
        with its first five letters."""
        self.patterns: list[re.Pattern[str]] = []
        self.heads: dict[str, list[int]] = {}
        for i, (words, pattern) in enumerate(rows):
            self.patterns.append(re.compile(pattern))
            for word in words.split():
                self.heads.setdefault(word[:5], []).append(i)
        self._known = self.heads.keys()

    def matches(self, text: Text, form: str | None = None) -> Iterator[str]:
        """Every phrase found in a text, or in another form of it."""
        hits = self._known & text.heads
        if hits:
            for i in sorted({i for head in hits for i in self.heads[head]}):
                for match in self.patterns[i].finditer(form or text.plain):
                    yield match.group()

    def found(self, text: Text, form: str | None = None) -> bool:
        """Whether a text has one of the phrases."""
        return not self._known.isdisjoint(text.heads) and next(self.matches(text, form), None) is not None


_TEXTS = r"(?:sentence|caption|description|statement|input|prompt)"

LEAK = Phrases(
    [
        ("structure structures",
         r"\b(?:coherent|cohesive|clear|fluent|logical|proper|grammatical|syntactic|semantic) structures?\b"),
        ("instruction instructions guidelines",
         r"\b(?:follow|obey|according to|per|as per|based on)(?:s|ed|ing)? (?:all |your |the |given |these )*"
         r"(?:instructions?|guidelines)\b"),
        ("grammar", r"\b(?:improved|better|correct|good|proper|fluent|english) grammar\b"),
        ("combined merged fused rewritten revised final", r"^(?:combined|merged|fused|rewritten|revised|final)\s*:"),
        ("real", r"\breal[- ]world\b"),
        ("well", r"\bwell[- ](?:structured|formed|organi[sz]ed|constructed)\b"),
        ("well", r"\bwell[- ](?:written|crafted|phrased) (?:sentence|caption|description|statement|text)\b"),
        ("sentence sentences", r"\bsentences?['s]* (?:structures?|form|format|one|two)\b"),
        ("structure structured",
         r"\b(?:structured?|grammatical|syntactic) (?:sentence|caption|description|manner)\b"),
        ("grammatical grammatically grammar syntax",
         r"\bgrammatical(?:ly)?\b|\b(?:correct|proper|good) (?:grammar|syntax)\b"),
        ("false factual incorrect inaccurate misleading contradictory erroneous redundant",
         r"\b(?:false|factual|incorrect|inaccurate|misleading|contradictory|erroneous|redundant) "
         r"(?:information|details?|facts?|knowledge|statements?|content)\b"),
        ("information details facts knowledge",
         r"\b(?:given|provided|detailed|additional|original|key|all|relevant|important|world) (?:facts|knowledge)\b"),
        ("information details facts knowledge content",
         r"\b(?:information|details|facts|knowledge|content) (?:from|of|in|provided by|given in) "
         r"(?:both|the (?:first|second|two|given|original|raw|other|web|label|alt|caption|sentence|input|page))\b"),
        ("information details", r"\b(?:given|provided) (?:information|details|facts)\b"),
        ("information details facts", r"\b(?:information|details|facts) (?:given|provided)\b"),
        ("retaining preserving keeping retains preserves incorporating incorporates merging combining",
         r"\b(?:retain|preserv|keep|incorporat|merg|combin)(?:ing|s|es|ed)? (?:all |the |its |of |key |both "
         r"|most |important )*"
         r"(?:facts|information|knowledge|sentences|captions|descriptions|inputs|details)\b"),
        ("sentence sentences caption captions description descriptions input inputs statement statements prompt",
         r"\b(?:sentence|caption|description|input|statement|text) ?(?:#|no\.? ?|number )?(?:[12]\b|one\b|two\b)"),
        ("sentence input", r"\b(?:sentence|input) [ab]\b"),
        ("sentence sentences caption captions description descriptions input inputs statement statements prompt",
         rf"\b(?:first|second|two|both|original|given|provided|raw|synthetic|fused|merged|combined|new|single"
         rf"|previous|other"
         rf"|following|above|rewritten|revised|final|resulting|refined) (?:fluent |plain |clear )?{_TEXTS}s?\b"),
        ("text texts label labels",
         r"\b(?:given|provided|raw|synthetic|fused|merged|combined|input) (?:text|label)s?\b|\b(?:both|first"
         r"|second) texts?\b"),
        ("alt alternative", r"\balt(?:ernative)?[- ]?text\b|\balt[- ](?:label|caption|description)\b"),
        ("web page machine model guess label",
         r"\b(?:web text|page label|machine caption|image caption|page says|machine sees|web page says"
         r"|(?:the|this|first|a) (?:label|guess|web ?page|program|machine) (?:says|states|mentions|sees|reads"
         r"|comes|describes))\b"),
        ("sentence caption description statement",
         r"\b(?:fluent|coherent|concise|cohesive|comprehensive|complete|informative|grammatical|short|plain"
         r"|descriptive|simple"
         r"|unified|natural|clear|accurate|one|single|english) (?:english |and \w+ )?(?:sentence|caption"
         r"|statement)\b"),
        ("description summary",
         r"\b(?:fluent|coherent|concise|cohesive|unified|one-sentence) (?:description|summary)\b"),
        ("merge merges merged merging combine combines combined combining concatenate concatenates concatenated"
         " concatenating concatenation",
         r"\b(?:merg|combin)(?:e|es|ed|ing) (?:these|both|them|the two|the (?:sentence|caption|text|input|label"
         r"|information"
         r"|description)s?|two (?:sentence|caption|text|input|description)s)\b|\bconcatenat\w*"),
        ("rewrite rewriting rewrites rewritten rephrase rephrases rephrased rephrasing paraphrase paraphrased"
         " paraphrasing",
         r"\b(?:rewrit|rephras|paraphras)(?:e|es|ed|ing|ten) (?:the|these|both|it|into|two|this|that|as|version"
         r"|sentence)\b"),
        ("answer output result response caption sentence fusion merged fused label tags tag description"
         " combined new final"
         " summary rewritten revised refined improved guess",
         r"^['\"(*\s]*(?:(?:the |a |your |my )?(?:new|final|merged|fused|combined|rewritten|revised|refined"
         r"|improved) )?"
         r"(?:answer|output|result|response|caption|sentence|fusion|merged|label|tags?|description|summary|guess"
         r"|text)\s*:"),
        ("label tags caption output answer sentence guess",
         r"\b(?:label|tags|caption|output|answer|sentence|guess)\s*:"),
        ("add invent include mention follow copy repeat directly use",
         r"\b(?:do not|don't|must not|never) (?:add|invent|include|mention|follow|copy|repeat|directly|use)\b"),
        ("avoid avoiding without",
         r"\b(?:avoid|avoiding|without) (?:simply |directly |any )?(?:concatenat|copying|repeating|adding"
         r"|losing)\w*"),
        ("semantic semantically", r"\bsemantic(?:ally)? (?:meaning|information|correct|content|similar)\b"),
        ("noisy", r"\bnoisy (?:text|caption|label|sentence|web|input)s?\b"),
    ]
)  # fmt: skip
"""Wording of instructions for fusion, ours and those that were seen to leak elsewhere."""

REFUSAL = Phrases(
    [
        ("i'm i am we are we're sorry unable afraid",
         r"\b(?:i'm|i am|we are|we're) (?:\w+ )?(?:sorry|unable|not able|afraid)\b"),
        ("sorry", r"\bsorry,? (?:but|i|that|for|this)\b|^sorry\b"),
        ("apologize apologise apologies", r"\b(?:i|we) (?:\w+ )?apologi[sz]e\b|\bapologies\b"),
        ("i we",
         r"\b(?:i|we) (?:can't|cannot|can not|could not|couldn't|won't|will not|am not|do not|don't|must decline"
         r"|lack)\b"),
        ("ai artificial language large text assistant chatbot",
         r"\bas an? (?:ai|artificial intelligence|(?:large )?(?:text-based )?language model|(?:ai )?(?:assistant"
         r"|chatbot))\b"),
        ("appropriate possible able", r"\bnot (?:appropriate|possible|able) (?:for me )?to\b"),
        ("unable cannot can't", r"^(?:\w+ )?(?:unable|cannot|can't|can not) (?:to )?(?:be )?"
         r"(?:assist|help|provide|generate|create|fulfil|comply|process|see|view|identify|determine|describe"
         r"|merge|combine|write)"),
        ("request", r"\b(?:this|the|your|that) request\b"),
        ("guidelines policy policies programming",
         r"\b(?:my|content|safety|usage) (?:guidelines|programming|polic(?:y|ies))\b"),
        ("given provided available supplied attached",
         r"\b(?:no|not enough|insufficient|any) (?:information|description|text|caption|image|details?|context)"
         r"[^.]{0,20}\b(?:given|provided|available|supplied|attached)\b"),
        ("insufficient enough", r"\b(?:insufficient|not enough) (?:information|context|details?)\b"),
        ("inappropriate offensive harmful",
         r"\b(?:inappropriate|offensive|harmful|explicit) (?:content|material|request|language)\b"),
        ("determined clear unclear", r"\bcannot be (?:determined|described|generated|merged|combined)\b"
         r"|\b(?:it is|it's) (?:not clear|unclear)\b"),
        ("ich leider tut",
         r"\bich kann (?:\w+ ){0,2}(?:leider )?(?:nicht|keine)\b|\btut mir (?:sehr )?leid\b|\bleider kann\b"),
        ("je désolé", r"\bje ne (?:peux|suis)\b|\bje suis désolé|\bdésolé,"),
        ("puedo siento", r"\bno puedo\b|\blo siento\b"),
        ("não desculpe lamento", r"\bnão posso\b|\bdesculpe,|\blamento,"),
        ("posso dispiace", r"\bnon posso\b|\bmi dispiace\b"),
        ("spijt ik", r"\bhet spijt (?:me|mij)\b|\bik kan (?:\w+ )?niet\b"),
        ("я не к извин",
         r"\bя не могу\b|\bк сожалению\b|\bизвините\b|\bне могу (?:выполнить|помочь|описать|предоставить)"),
        ("无 抱 对 無 對", r"无法(?:提供|完成|生成|处理|描述|协助)|抱歉|对不起|對不起"),
        ("申 で ご", r"申し訳|できません|ごめんなさい"),
        ("죄", r"죄송"),
    ]
)  # fmt: skip
"""A model that declines, in the languages it is likely to do it in."""

META = Phrases(
    [
        ("sure certainly of absolutely okay ok great yes no got understood alright",
         r"^(?:sure(?: thing)?|certainly|of course|absolutely|okay|ok|great|yes|got it|understood"
         r"|alright)\b\s*[,!.:;—–-]|^no\s*[,!:]"),
        ("here",
         r"^here(?:'s| is| are| you go| it is)\b|\bhere(?:'s| is) (?:the|a|an|your|my) (?:\w+ )?(?:sentence|caption|description"
         r"|result)\b"),
        ("note please explanation hint task question instruction instructions disclaimer",
         r"(?:^|[.(] ?)(?:note|please note|explanation|hint|task|question|instructions?|disclaimer)\b\s*(?:that|:)"),
        ("i we",
         r"\b(?:i|we) (?:have|will|would|can|am|hope|think|believe|need|see|understand|suggest|merged|combined"
         r"|used|wrote|added|kept|removed|tried|changed|should|could|chose|created|rewrote)\b"),
        ("i'm i've i'll i'd let me my your you as please",
         r"\b(?:i'm|i've|i'll|i'd|let me|let's (?:see|merge|combine|start)|my (?:\w+ )?(?:task|answer|response"
         r"|apologies|version|caption|sentence|description|summary|attempt)"
         r"|your (?:request|task|answer|prompt|input|question)|as (?:you )?requested|please (?:provide|let me"
         r"|note))\b"),
        ("sentence sentences caption captions statement statements prompt prompts instruction instructions"
         " description descriptions input"
         " inputs", r"\b(?:this|these) (?:sentence|caption|statement|prompt|instructions?|description|input)s?\b"
         r"|\bthe (?:sentence|prompt|instructions?|inputs?|statement|caption|description) (?:is|was|are|were"
         r"|says?|states?|describes?"
         r"|mentions?|suggests?|provided|above|below|given|should|must|asks?|combines?|captures?|could|can|needs?"
         r"|of the image)\b"
         r"|\bthe (?:sentence|prompt)\b"),
        ("smollm chatgpt openai hugging language ai helpful anthropic gemini llama gpt qwen mistral",
         r"\b(?:smollm|chatgpt|openai|hugging face|language model|ai (?:assistant|model)|helpful assistant"
         r"|anthropic|gpt-?[345]"
         r"|trained by)\b"),
        ("help assist", r"\bhow (?:can|may|could) i (?:help|assist)\b"),
        ("sentence description caption",
         r"\bis (?:a|an) (?:fluent|good|correct|clear|concise) (?:sentence|description|caption)\b"),
        ("words summary summarize summarise conclusion",
         r"\bin other words\b|\bin summary\b|\bto summari[sz]e\b|\bin conclusion\b"),
        ("hope feel let happy you", r"\bhope (?:this|that) helps\b|\bfeel free to\b|\blet me know\b|\bhappy to help\b"
         r"|\bwould you like (?:me|to)\b|\bif you (?:want|need|have any|would like|'d like|prefer)\b"),
        ("input inputs prompt prompts caption captions label labels tags notes note guess alt sentence"
         " sentences instruction instructions"
         " information", r"\b(?:based on|according to|from) (?:the|your|these|this) (?:\w+ )?"
         r"(?:input|prompt|caption|label|tags|notes?|guess|alt|sentence|instruction|information)s?\b"),
        ("user final word step option version example",
         r"\bthe user (?:wants|asked|asks|said|provided|is asking)\b|\bfinal answer\b|\bword count\b"
         r"|\b(?:step|option|version|example) [123a]:"),
        ("described stated mentioned written specified",
         r"\bas (?:described|stated|mentioned|written|specified) (?:in|by|above)\b"),
        ("think thinking hmm wait okay", r"<?/?think>|^(?:hmm|wait|well|so),|\bthinking process\b|\blet's think\b"),
        ("hier voici aquí ecco вот 这 以 以下 aqui",
         r"^(?:hier ist|voici|aquí (?:está|tienes)|ecco|вот|aqui está)\b|^(?:这是|以下是)"),
    ]
)  # fmt: skip
"""A model that talks about its task or itself."""

MARKUP = re.compile(
    r"<\s*/?\s*[a-zA-Z|!][^>]*>|<\||\|>|\[/?(?:INST|SYS|img|url)\]|https?://|\bwww\.|\S+@\S+\.\w|```|\{\{|\}\}"
    r"|\]\(|!\["
    r"|&(?:[a-z]{2,8}|#\d+);|\n\s*\S|[\x00-\x08\x0b-\x1f\x7f\u202a-\u202e\u2066-\u2069\ue000-\uf8ff\ufffd]"
    r"|\*\*|^\s*(?:[-*#>•]|\d+[.)])\s|\\[nt\"]|^\s*[\[{].*[\]}]\s*$|\{\s*[\"'][^}]*\}|</?\w+>|~~|__\w+__|\$\{|%\("
    r"|<!--|-->"
    r"|[=\-_*#]{4,}|\(\)\s*[;{]?|;\s*$|\b\w+\([\"']|\s#\w+\b.*\s#\w+|\|.*\|",
    re.IGNORECASE,
)
"""What belongs to a page, a prompt or a program and not into a caption; searched in the text as it is."""

MARKS = frozenset("<>|[]{}@`&*#\\~$%=_;•()\n\r\ufffd")
"""Characters without which, `www.`, an address, a numbered list and four hyphens apart, a printable text has no"
" markup."""
_LIST = re.compile(r"\s*(?:-|\d+[.)])\s")


def has_markup(raw: str) -> bool:
    """Whether a text holds tags, addresses, code, lists or special tokens."""
    plain = raw.isprintable() and MARKS.isdisjoint(raw)
    if plain and "://" not in raw and "ww." not in raw.lower() and "----" not in raw and not _LIST.match(raw):
        return False
    return MARKUP.search(raw) is not None
