"""Words of abuse, hate and sex that no caption is to pass on.

Only words that say it wherever they stand are refused outright; those that birds, plants, food, medicine or art use as
well are refused where the inputs do not have them. Whole words are compared, so that Scunthorpe is a town.
"""

from __future__ import annotations

from assets.captions.words import Text, word_set

ALWAYS = word_set(
    """
    arschloch arschlöcher arsehole arseholes asshole assholes bastards bitches bitchy blowjob blowjobs bollocks buceta
    bukkake bullshit cabrones cabrón caralho cazzo chingar clit clits cocksucker cocksuckers cocksucking connard
    connards connasse coño creampie cumming cumshot cumshots cunnilingus cunt cunts cunty deepthroat dickhead dickheads
    dildo dildos douchebag douchebags dumbass ejaculate ejaculating enculé enculés faggot faggots fapping fellatio
    femdom fick ficken fisting foder follar fotze fotzen froci frocio fuck fucked fucker fuckers fuckface fuckin fucking
    fucks gangbang gangbangs gefickt gilipollas gook gooks gtfo handjob handjobs hentai hoer horny hure hurensohn incest
    jizz joder kanake kanaken kike kikes klootzak kutwijf maricones maricón masturbate masturbates masturbating
    masturbation merde mierda milf milfs missgeburt mofo molest molested molesting motherfucker motherfuckers
    motherfucking neuken nigga niggas nigger niggers niquer nutte nutten nympho orgasm orgasms orgies orgy paedophile
    paedophiles pedophile pedophiles pedophilia pendejo pendejos porno pornographic pornography pornstar pornstars puta
    putain putas putes puto puttana puttane pédé raghead ragheads raped rapist rapists retards rimjob salope salopes
    scheisse scheiß scheiße schlampe schlampen schwuchtel shemale shemales shit shite shits shitty slut sluts slutty
    spics stfu stronzi stronzo titfuck titties titty towelhead trannies tranny troie twat twats upskirt vaffanculo viado
    viados wank wanker wankers wanking wetback wetbacks whore whores wichser wtf xxx бля блядь ебаный ебать жопа мудак
    пидор пидорас пизда пиздец сука суки хуй хуйня хуя шлюха
    """
)
"""Refused in a fusion even where the web text has them."""

IF_NEW = word_set(
    """
    anal anus ass asses bastard bdsm bestiality bitch bondage boner boob boobs busty butt cleavage clitoris coon cum
    damn dick dyke dykes erection erotic erotica fag fags fap fetish genital genitals goddamn hitler hooker hookers
    hooters idiot idiots jackass jap japs kinky labia lesbo lust moron morons naked nazi nazis nipple nipples nsfw nude
    nudes nudist nudity nègre pecker penis penises pimp piss pissed porn prick prostitute prostitutes pubic pussies
    pussy rape raping rectum retard retarded schlong scrotum seductive seductively semen sex sexual sexually sexy smut
    sperm spic stripper strippers striptease stupid subhuman terrorist terrorists tits topless turd undressed undressing
    vagina vaginal vermin vulva wench
    """
)
"""Refused in a fusion where neither input has them."""

_UNDRESSED = word_set("naked nude nudes nudist nudity topless undressed")


def unsafe_words(fused: Text, *inputs: Text) -> set[str]:
    """Words of a fusion that must not be passed on; empty for nearly all."""
    always, new = fused.forms & ALWAYS, fused.forms & IF_NEW
    if new:
        known = set().union(*(text.forms for text in inputs))
        new -= known if known.isdisjoint(_UNDRESSED) else known | _UNDRESSED
    return always | new
