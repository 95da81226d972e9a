"""Names that are said in several ways: a country and its people, a city in its own language, a state and its letters.

A fusion that writes `Indian` for India or `Munich` for München invents nothing and loses nothing. A line is one thing;
words that stand together are joined by underscores.
"""

from __future__ import annotations

from functools import cache

from assets.captions.words import Text, stem, word_set

_LINES = """
afghanistan afghan
albania albanian
algeria algerian
argentina argentine argentinian argentinien
armenia armenian
australia australian aussie australien
austria austrian österreich autriche
belgium belgian belgien belgique bélgica
bolivia bolivian
brazil brazilian brasil brasilien brésil
bulgaria bulgarian bulgarien
cambodia cambodian khmer
cameroon cameroonian
canada canadian kanada
chile chilean
china chinese chine 中国 中國 китай
colombia colombian kolumbien
croatia croatian kroatien croatie hrvatska
cuba cuban kuba
cyprus cypriot zypern
czechia czech czech_republic tschechien bohemia
denmark danish dane dänemark danemark
ecuador ecuadorian
egypt egyptian ägypten égypte egipto
england english british englisch angleterre inglaterra
estonia estonian
ethiopia ethiopian
finland finnish finnland
france french français française frankreich francia frança франция
germany german deutschland deutsch deutsche deutscher allemagne alemania germania германия
ghana ghanaian
greece greek griechenland grèce grecia hellenic
guatemala guatemalan
hawaii hawaiian
hungary hungarian ungarn
iceland icelandic island
india indian indien inde
indonesia indonesian indonesien
iran iranian persia persian
iraq iraqi
ireland irish irland
israel israeli
italy italian italia italien italie италия
jamaica jamaican
japan japanese japon giappone 日本 япония
jordan jordanian
kenya kenyan
korea korean south_korea
laos laotian
latvia latvian
lebanon lebanese
lithuania lithuanian
luxembourg luxemburg
malaysia malaysian
malta maltese
mexico mexican méxico mexiko
mongolia mongolian
morocco moroccan marokko maroc
nepal nepalese nepali
netherlands dutch holland niederlande nederland niederländisch
nigeria nigerian
norway norwegian norwegen norge
pakistan pakistani
palestine palestinian
panama panamanian
peru peruvian
philippines philippine filipino
poland polish polen polska
portugal portuguese portugiesisch
romania romanian rumänien
russia russian россия русский российский
scotland scottish scots british schottland
serbia serbian
singapore singaporean
slovakia slovak
slovenia slovenian slovene slowenien
spain spanish españa spanien espagne
sweden swedish swede schweden sverige
switzerland swiss schweiz schweizer suisse svizzera
syria syrian
taiwan taiwanese
tanzania tanzanian
thailand thai
tibet tibetan
tunisia tunisian
turkey turkish türkiye türkei
uganda ugandan
ukraine ukrainian україна
uruguay uruguayan
venezuela venezuelan
vietnam vietnamese viet_nam
wales welsh british
zimbabwe zimbabwean
uk united_kingdom british great_britain britain u_k gb
us usa united_states united_states_of_america american america u_s u_s_a
eu european_union european europe europa
uae united_arab_emirates emirati
ussr soviet_union soviet
africa african afrika afrique
asia asian asien asie
bavaria bavarian bayern
saxony saxon sachsen
tuscany tuscan toscana toskana
sicily sicilian sicilia sizilien
venice venetian venezia venedig venise
rome roman roma rom
florence florentine firenze florenz
milan milanese milano mailand
naples neapolitan napoli neapel
turin torino
genoa genova genua
munich münchen monaco_di_bavaria
cologne köln
nuremberg nürnberg
vienna viennese wien vienne
geneva genève genf
zurich zürich
lucerne luzern
prague praha prag
warsaw warszawa warschau
moscow москва moskau moskva москве москвы
saint_petersburg st_petersburg санкт-петербург петербург
kyiv kiev київ киев
lisbon lisboa lissabon
seville sevilla
athens athenian athen
brussels bruxelles brüssel
bruges brugge
antwerp antwerpen
copenhagen københavn kopenhagen
gothenburg göteborg
paris parisian parigi париж
london londoner londres londra лондон
berlin berliner берлин
new_york new_yorker nyc new_york_city nueva_york
los_angeles la l_a
san_francisco sf
washington washington_dc dc d_c
tokyo 東京 东京
kyoto 京都
osaka 大阪
beijing peking 北京 pekin
shanghai 上海
hong_kong 香港
seoul 서울
black_forest schwarzwald
lake_constance bodensee
rhine rhein
danube donau
alps alpine alpen alpes alpi
mediterranean mittelmeer mer_méditerranée
atlantic atlantik atlantique
alabama al
alaska ak
arizona az
arkansas ar
california ca calif californian
colorado co
connecticut ct
delaware de
florida fl floridian
georgia ga
idaho id
illinois il
indiana in
iowa ia
kansas ks
kentucky ky
louisiana la
maine me
maryland md
massachusetts ma mass
michigan mi mich
minnesota mn minn
mississippi ms
missouri mo
montana mt
nebraska ne
nevada nv
new_hampshire nh
new_jersey nj
new_mexico nm
new_york ny
north_carolina nc
north_dakota nd
ohio oh
oklahoma ok
oregon or ore
pennsylvania pa penn
rhode_island ri
south_carolina sc
south_dakota sd
tennessee tn tenn
texas tx texan
utah ut
vermont vt
virginia va
washington wa
west_virginia wv
wisconsin wi wis
wyoming wy
british_columbia bc
ontario ont on
quebec qc québec
victoria victorian vic
georgia georgian
edward edwardian
elizabeth elizabethan
napoleon napoleonic
jesus christ christian
christ christian
islam islamic muslim
jew jewish judaism
buddha buddhist buddhism
hindu hinduism
bible biblical
catholic catholicism
orthodox
christmas xmas weihnachten noël navidad natale natal рождество
easter ostern pâques pascua
halloween
monday mon montag lundi lunes
tuesday tue tues dienstag mardi martes
wednesday wed mittwoch mercredi miércoles
thursday thu thurs donnerstag jeudi jueves
friday fri freitag vendredi viernes
saturday sat samstag samedi sábado
sunday sun sonntag dimanche domingo
january jan januar janvier enero gennaio janeiro января
february feb februar février febrero febbraio fevereiro февраля
march mar märz mars marzo março марта
april apr avril abril aprile апреля
may mai mayo maggio maio мая
june jun juni juin junio giugno junho июня
july jul juli juillet julio luglio julho июля
august aug août agosto августа
september sep sept septembre septiembre settembre setembro сентября
october oct oktober octobre octubre ottobre outubro октября
november nov novembre noviembre novembro ноября
december dec dezember décembre diciembre dicembre dezembro декабря
saint st sankt san santa
street st str straße
volume vol band
number no nr nummer numéro número
boulevard blvd
road rd
mount mt mountain
fort ft
doctor dr
professor prof
junior jr
senior sr
mister mr
missus mrs ms
president pres
governor gov
senator sen
general gen
lieutenant lt
sergeant sgt
captain capt
company co
corporation corp
limited ltd
university univ uni
department dept
international intl int'l
national nat'l natl
television tv
world_war_ii wwii ww2 second_world_war world_war_2 2nd_world_war
world_war_i wwi ww1 first_world_war world_war_1 1st_world_war great_war
middle_ages medieval
renaissance
""".strip().splitlines()

TITLES = word_set(
    """
    mr mrs ms miss dr sir lady lord king queen prince princess president professor captain saint st mount lake river
    castle church cathedral museum tower bridge street avenue park university college city town island no vol tv dvd cd
    usb led lcd diy pdf isbn dj vip ceo i xl
    """
)
"""Words that a fusion may write with a capital before or after a name of the inputs."""

_AMBIGUOUS = word_set(
    """
    volume vol band number no nr nummer numéro número great penn television xmas bible biblical christian jew
    al co de id il in ia la ma me mi mo ms mt or ok pa oh on ca ne ut va wa us mar may mai march mars august sun sat sen
    mon wed island turkey china jordan polish mass ore ont ar mich minn wis vic roman saint st san santa street avenue
    boulevard road mount mountain fort doctor professor junior senior mister general captain company corporation limited
    university department international national television int uni nat orthodox renaissance medieval victoria georgia
    edward elizabeth florence sf bc christ rom dr jr sr mr mrs prof pres gov gen lt sgt capt corp ltd univ dept intl tv
    ave blvd rd mt ft tenn penn colo ga dc nd sd nc sc gb eu natal rhine alpine orient missus governor senator lieutenant
    sergeant president apr jan feb jun jul aug sep sept oct nov dec tue tues thu thurs fri mass turin scots dane swede
    """
)
"""Words that are also something else when they open a sentence."""


@cache
def _groups() -> tuple[dict[str, frozenset[str]], dict[str, frozenset[str]]]:
    """For each word, and for each phrase of several, the stems that may stand for it."""
    words: dict[str, set[str]] = {}
    phrases: dict[str, set[str]] = {}
    for line in _LINES:
        members = [member.replace("_", " ") for member in line.split()]
        stems = {stem(word) for member in members for word in member.split()}
        for member in members:
            target = phrases if " " in member else words
            key = member if " " in member else stem(member)
            target.setdefault(key, set()).update(stems)
    return (
        {word: frozenset(stems) for word, stems in words.items()},
        {phrase: frozenset(stems) for phrase, stems in phrases.items()},
    )


def relatives(text: Text) -> set[str]:
    """Stems that a fusion may use instead of words of a text."""
    words, phrases = _groups()
    found: set[str] = set()
    for word in words.keys() & set(text.stems):
        found |= words[word]
    spaced = f" {' '.join(text.folded)} "
    for phrase, stems in phrases.items():
        if f" {phrase} " in spaced:
            found |= stems
    return found


def akin(word: str, others: set[str]) -> bool:
    """Whether a stem belongs to one of others as `alaskan` does to `alaska`."""
    if len(word) < 5:
        return False
    for other in others:
        if other[:5] == word[:5] and other != word:
            common = next(
                (i for i, (a, b) in enumerate(zip(word, other, strict=False)) if a != b), min(len(word), len(other))
            )
            if (word[common:] in _SHORT and other[common:] in _LONG) or (
                word[common:] in _LONG and other[common:] in _SHORT
            ):
                return True
    return False


_SHORT = word_set("a e y o i") | {""}
_LONG = word_set("n an ian nian ean ese ish i er ic ist s es")


@cache
def proper() -> frozenset[str]:
    """Words that are names of places and peoples wherever they stand."""
    single = {member for line in _LINES for member in line.split() if "_" not in member}
    return frozenset(single | _CITIES) - _AMBIGUOUS


_CITIES = word_set(
    """
    amsterdam ankara baghdad bangkok barcelona basel bali bangalore beirut belfast belgrade birmingham bogota boston
    bratislava brisbane bucharest budapest cairo calgary chicago dallas damascus delhi denver detroit dresden dubai
    dublin dubrovnik edinburgh frankfurt glasgow hamburg hanoi havana heidelberg helsinki honolulu houston istanbul
    jakarta jerusalem johannesburg kolkata krakow kuala lahore leeds leipzig lima liverpool ljubljana luxor lyon madrid
    manchester manhattan brooklyn marrakech marseille melbourne memphis miami minneapolis montreal mumbai nairobi
    nashville orlando oslo ottawa oxford palermo philadelphia pittsburgh porto portland pisa reykjavik rio riga rotterdam
    salzburg santiago santorini sarajevo seattle shenzhen singapore sofia stockholm strasbourg stuttgart sydney taipei
    tallinn tehran toronto toulouse valencia vancouver verona versailles vilnius wellington yorkshire zagreb himalaya
    himalayas everest kilimanjaro matterhorn sahara siberia patagonia provence normandy brittany cornwall andalusia
    catalonia bordeaux hollywood vegas disneyland
    """
)
