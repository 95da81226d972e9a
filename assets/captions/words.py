"""Words and names of a caption, in the form in which gates compare them.

Nothing here knows a dictionary. Words are compared without case, width, accents, invisible characters,
possessive and common English endings. A text is taken apart once, see `Text`.
"""

from __future__ import annotations

import re
import unicodedata

CJK = "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\uac00-\ud7af"
_WORD = re.compile(rf"[{CJK}]|(?:(?![{CJK}])[^\W_])+(?:['.&](?:(?![{CJK}_])[^\W_])+)*")
_ASCII_WORD = re.compile(r"[A-Za-z0-9]+(?:['.&][A-Za-z0-9]+)*")
_CYRILLIC = re.compile(r"[\u0400-\u04ff]+")
_CAMEL = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|[^\W\d_]+|\d+")
_OTHER_DIGIT = re.compile(r"(?![0-9])\d")
_POSSESSIVE = re.compile(r"'s$|'$")
_STRAIGHT = {0x2018: "'", 0x2019: "'", 0x02BC: "'", 0x2010: "-", 0x2011: "-", 0x2212: "-", 0x201C: '"', 0x201D: '"'}
_CLOSING = "\"'”’»)]}› "
TERMINAL = tuple(".!?…。！？؟।۔։")
"""Marks that end a sentence."""


def word_set(text: str) -> frozenset[str]:
    """The words of a text."""
    return frozenset(text.split())


FUNCTION_WORDS = word_set(
    """
    a an the this that these those there here it its he she they them his their her who whose which what where when
    while and or but nor so yet as at by for from in into of off on onto out over per than then through to toward
    towards under up upon via with within without above across after against along among around before behind below
    beneath beside besides between beyond down during inside near next outside past since until is are was were be
    been being am has have had having do does did can could may might must shall should will would not no also both
    each every some any all such one if because although though like very more most much many other another same own
    only just too
    """
)
"""English words that carry no fact."""

GENERIC_WORDS = word_set(
    """
    picture image photo photograph photography illustration drawing clipart clip art graphic icon logo symbol shown
    showing shows show featuring features feature depicts depicting depicted displays displaying displayed view
    close-up scene
    """
)
"""Words that say it is a picture, of nothing in particular."""

ARTICLES = word_set("a an the")
SMALL_WORDS = {
    "de": word_set(
        "der die das und ist mit ein eine einem einer im auf dem den von vom bei zu zum zur steht sitzt für sind"
    ),
    "fr": word_set("le la les un une des du à et est avec dans sur au aux devant qui pour sont par cette ce"),
    "es": word_set("el la los las un una y es con en del al sobre por para se está que junto su este esta"),
    "it": word_set("il lo la gli un una e è con nel nella del della sul sulla di che dei delle davanti per questo"),
    "pt": word_set("o a os as um uma e é com no na do da em ao por para que dos das sobre está seu sua"),
    "nl": word_set("de het een en is met op van in voor zijn aan bij naast staat zit deze dit die"),
    "pl": word_set("i w na z jest przed obok się do od która który oraz"),
    "sv": word_set("och är en ett med på i av som framför vid det den"),
    "tr": word_set("bir ve ile bu için olan önünde üzerinde"),
}
"""Articles, prepositions and such, by language."""
_SMALL = frozenset().union(*SMALL_WORDS.values())


def clean(text: str) -> str:
    """NFKC, straight quotes and hyphens, digits of any script as 0-9, no invisible or control characters, single
    spaces."""
    if text.isascii() and text.isprintable():
        return " ".join(text.split())
    if not text.isascii():
        text = unicodedata.normalize("NFKC", text).translate(_STRAIGHT)
        if _OTHER_DIGIT.search(text):
            text = _OTHER_DIGIT.sub(lambda digit: str(unicodedata.decimal(digit.group())), text)
    if not text.isprintable():
        text = "".join(map(_seen, text))
    return " ".join(text.split())


def _seen(character: str) -> str:
    if character.isspace():
        return " "
    return "" if unicodedata.category(character) in ("Cc", "Cf", "Co", "Cs", "Cn") else character


class _Stems(dict[str, str]):
    """Stems by word, each worked out once; words come back all the time, texts do not."""

    def __missing__(self, word: str) -> str:
        if len(self) > 200_000:
            self.clear()
        self[word] = found = _stem(word)
        return found


def _stem(word: str) -> str:
    word = unicodedata.normalize("NFC", word.casefold()).replace(".", "") if "." in word else word.casefold()
    word = _POSSESSIVE.sub("", word)
    if not word.isascii() and not _CYRILLIC.match(word):
        bare = "".join(c for c in unicodedata.normalize("NFKD", word) if not unicodedata.combining(c))
        word = bare if bare.isascii() else word
    if len(word) < 4 or not word.isascii():
        return word[: -2 if len(word) > 5 else -1] if len(word) > 4 and _CYRILLIC.fullmatch(word) else word
    if not word.replace("'", "").replace("&", "").isalpha():
        return word
    for ending, instead, least in (("ies", "y", 5), ("sses", "ss", 5), ("ing", "", 6), ("ed", "", 5), ("es", "e", 5)):
        if word.endswith(ending) and len(word) >= least:
            word = word[: -len(ending)] + instead
            break
    else:
        if word.endswith("s") and not word.endswith(("ss", "us", "is")):
            word = word[:-1]
    if len(word) > 3 and word[-1] == word[-2] and word[-1] not in "lsz":
        word = word[:-1]
    return word[:-1] if word.endswith("e") and len(word) > 3 else word


_STEMS = _Stems()
stem = _STEMS.__getitem__
"""Compared form of one word: folded case, no accents on Latin letters, possessive and common English endings cut."""

EMPTY_STEMS = frozenset(stem(word) for word in FUNCTION_WORDS | GENERIC_WORDS)
"""Stems that carry no fact."""
_NO_FACTS = (
    EMPTY_STEMS
    | frozenset(map(stem, _SMALL))
    | word_set(
        """
    img imgp dsc dscn dscf dcim jpg jpeg png gif webp svg bmp tif tiff pdf http https www com html php px amp quot nbsp
    thumbnail download free ship stock royalty buy onlin sale wallpaper hd pinterest etsy ebay amazon alamy shutterstock
    istock dreamstim getty flickr youtub redbubbl vector
    """
    )
)
_FILE_WORD = re.compile(r"(?:img|imgp|dscn?|dscf|pict|image|photo|p)\d{3,}|\d{6,}")


class Text:
    """A text and its words, taken apart once.

    Hyphens and underscores separate words; Chinese, Japanese and Korean characters stand alone.

    Attributes:
        raw: as it came.
        clean: after `clean`.
        plain: that in folded case; phrases are looked for in it.
        folded: words in folded case, in order.
        stems: their compared forms, in the same order.
        forms: all of `folded`, and parts of words that marks join.
        heads: first five letters of each of these.
    """

    __slots__ = ("raw", "clean", "plain", "_words", "folded", "stems", "forms", "heads")

    def __init__(self, raw: str):
        self.raw = raw
        self.clean = clean(raw)
        if self.clean.isascii():
            self.plain = self.clean.lower()
            self._words: list[str] | None = None
            self.folded: list[str] = _ASCII_WORD.findall(self.plain)
        else:
            self.plain = self.clean.casefold()
            self._words = _WORD.findall(self.clean)
            self.folded = [word.casefold() for word in self._words]
        self.stems = list(map(stem, self.folded))
        self.forms = set(self.folded)
        if "." in self.plain[:-1] or "&" in self.plain:
            self.forms.update(part for word in self.folded if "." in word or "&" in word for part in _parts(word))
        self.heads = {word[:5] for word in self.forms}

    @property
    def words(self) -> list[str]:
        """As written."""
        if self._words is None:
            self._words = _ASCII_WORD.findall(self.clean)
        return self._words

    @property
    def facts(self) -> set[str]:
        """Stems that carry facts: neither function words nor words for `picture`."""
        return set(self.stems) - EMPTY_STEMS

    @property
    def claims(self) -> set[str]:
        """Facts that a fusion has to keep: not what belongs to a file or to who offers it, nor another language's
        function words; all words where nothing else is there."""
        found = set(self.stems) - _NO_FACTS
        found -= {word for word in found if not word.isalpha() and _FILE_WORD.fullmatch(word)}
        return found or self.facts or set(self.stems)


def _parts(word: str) -> list[str]:
    return re.split(r"[.&]", word)


def parts(word: str) -> list[str]:
    """Stems of the letters and digits that a word is made of: `tram` and `28` of tram28."""
    return [stem(part) for part in _CAMEL.findall(word)]


def known_words(text: Text) -> set[str]:
    """Everything a name may be called by: stems, parts of camelCase and file names, neighbors written together,
    initials."""
    stems = text.stems
    known = set(stems)
    known |= {stem(part) for word in text.words for part in _CAMEL.findall(word)}
    for size in (2, 3):
        known |= {"".join(stems[i : i + size]) for i in range(len(stems) - size + 1)}
    bare = [unicodedata.normalize("NFC", word.replace(".", "")) for word in text.folded]
    for size in (2, 3, 4, 5):
        known |= {"".join(word[0] for word in bare[i : i + size] if word) for i in range(len(bare) - size + 1)}
    return known


def title_case(text: Text) -> bool:
    """Whether capitals say nothing: every longer word that could do without one has it."""
    pairs = zip(text.words, text.folded, strict=True)
    words = [word for word, folded in pairs if word[0].isalpha() and folded not in FUNCTION_WORDS]
    return len(words) >= 3 and all(word[0].isupper() or len(word) < 4 for word in words)


def abbreviated(text: Text) -> dict[str, set[str]]:
    """Initials of neighboring capitalized words, two to five, and the stems they stand for: `un` for United Nations."""
    words, stems = text.words, text.stems
    found: dict[str, set[str]] = {}
    for size in (2, 3, 4, 5):
        for i in range(len(words) - size + 1):
            if all(word[0].isupper() for word in words[i : i + size]):
                initials = "".join(word[0] for word in words[i : i + size]).casefold()
                found.setdefault(initials, set()).update(stems[i : i + size])
    return found


def openings(text: Text) -> set[int]:
    """Positions of the first words of the text and of the sentences and quotations in it."""
    pattern = _ASCII_WORD if text.clean.isascii() else _WORD
    between = pattern.split(text.clean)[:-1]
    return {i for i, marks in enumerate(between) if i == 0 or (marks != " " and _OPENS.search(marks))}


def beside(text: Text, i: int) -> bool:
    """Whether nothing but a space stands between a word and the one before it."""
    pattern = _ASCII_WORD if text.clean.isascii() else _WORD
    return pattern.split(text.clean)[i] == " "


_APPOSITION = re.compile(r"\W*[^\W\d_]+, (?:an?|the|who|which)\b")
_OPENS = re.compile(r'[.!?…。！？؟।۔։:"“]')
_SINGULAR_VERBS = word_set(
    "is was has stands sits smiles poses walks plays holds wears speaks looks performs attends hosts lies welcomes"
)


def names(text: Text) -> list[int]:
    """Positions of words that their capital marks as proper names.

    The first word of a sentence counts only if a capital follows it, or a possessive or verb that a common noun without
    article does not take. In German, where every noun has a capital, there are none.
    """
    capitals = [i for i, word in enumerate(text.words) if word[0].isupper() and len(word) > 1]
    capitals = [i for i in capitals if text.stems[i] not in EMPTY_STEMS and text.folded[i] not in _SMALL]
    if not capitals or german(text):
        return []
    opens = openings(text)
    return [i for i in capitals if i not in opens or _names_at_opening(text, i, opens)]


_COMMON_OPENERS = word_set(
    """
    actor actress ancient antique architect artist athlete author autumn baby bad beautiful big black blond blue boy bride
    bright brown calm captain cartoon celebrity chef child children city classic close cloudy coach cold colorful colourful
    comedian composer contemporary couple cozy cropped cute dancer dark dead decorative delicate delicious detailed digital
    dirty driver dry early elderly elegant empty evening exterior famous fan fans fashionable female fans fresh front full
    funny gigantic girl golden good gray great green grey group groom hand handmade happy healthy heavy high historic
    historical home hot huge illuminated indoor inside inscribed interior joyful kid kids lady large late left little live
    local long lovely low luxury male man many married men metal military mini miniature minimalist modern morning musician
    narrow native new night nine novelist official old open orange original ornate outdoor painter pair panoramic passenger
    passengers people person photographer pink plain player playful poet polished popular portable portrait pretty
    professional purple quiet rainy rare realistic rear red retro right round royal runner rural rustic sad scenic scientist
    sculptor senior several short side silver singer single small smiling snowy soccer soft soldier soldiers solid spring
    square stormy student students stylish summer sunny surrounding tall teenage temporary tennis thick thin tiny
    traditional transparent tropical unfinished unique urban used vintage visitor visitors warm watercolor wet white whole
    wide wild winter woman women wooden workers writer yellow young inspired designed located situated built painted made
    surrounded covered photographed captured set based priced ready reproduction standing sitting looking wearing holding
    playing walking running taken seen named called titled lights tourists crowds runners veterans firefighters
    seen next today tonight currently recently originally formerly behind meanwhile however additionally
    """
)
"""Words that often open a caption, also before a name."""


def _names_at_opening(text: Text, i: int, opens: set[int]) -> bool:
    word = text.words[i]
    if text.folded[i] in _COMMON_OPENERS or _CYRILLIC.match(word):
        return False
    if word.endswith("'s") or word[1:].isupper():
        return True
    if i == 0 and _APPOSITION.match(text.clean):
        return True
    if i + 1 == len(text.words) or i + 1 in opens:
        return False
    return text.words[i + 1][0].isupper() or text.folded[i + 1] in _SINGULAR_VERBS


_GERMAN = word_set(
    "der die das den dem des ein eine einen einem einer und ist sind mit von vom zum zur im auf für nicht"
)


def german(text: Text) -> bool:
    """Whether a text is German, where every noun has a capital: two or more of its small words."""
    return not _GERMAN.isdisjoint(text.forms) and sum(word in _GERMAN for word in text.folded) >= 2


def ends(text: Text) -> bool:
    """Whether a text ends as a sentence does."""
    return text.clean.endswith(TERMINAL) or text.clean.rstrip(_CLOSING).endswith(TERMINAL)


class _Scripts(dict[str, str]):
    """Writing systems by character; empty for what is no letter."""

    def __missing__(self, character: str) -> str:
        name = unicodedata.name(character, "?").split(" ")[0].split("-")[0] if character.isalpha() else ""
        name = {"HIRAGANA": "CJK", "KATAKANA": "CJK"}.get(name, name)
        self[character] = found = "" if name in ("MODIFIER", "FEMININE", "MASCULINE") else name
        return found


_SCRIPTS = _Scripts()


def scripts(text: str) -> set[str]:
    """Writing systems of the letters of a cleaned text, such as LATIN, CYRILLIC, CJK."""
    return {_SCRIPTS[character] for character in set(text)} - {""}
