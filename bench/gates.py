"""Gates after fusion on one core, and what each of them catches: `python -m bench.gates`."""

from __future__ import annotations

import random
import statistics
import time
from typing import Any

from assets.captions.gates import judge_all
from assets.captions.words import word_set
from bench.measure import machine, table

ROWS, ROUNDS = 20_000, 5
GOAL = 10_000
"""Rows a second."""

Rows = tuple[list[str], list[str], list[str]]

_SYLLABLES = sorted(
    word_set(
        """
    ba ro len kir sto mar vel din tor sha ka lo mi fen gar hol is ju nor pe qua ri su ter wen ya zo
    """
    )
)
_THINGS = sorted(
    word_set(
        """
    chair lamp bridge church poster handbag necklace kettle bicycle camera guitar jacket castle harbor market garden
    library museum orchestra festival engine compass statue fountain mosaic lantern teapot saddle violin rug
    """
    )
)
_QUALITIES = sorted(
    word_set(
        """
    red blue golden wooden striped vintage tiny large narrow round bright faded carved woven glass copper floral
    modern rustic painted
    """
    )
)
_PLACES = [
    "on a table",
    "near a window",
    "beside a wall",
    "in front of a house",
    "under a tree",
    "at the waterfront",
    "in a workshop",
]
_ACTS = ["stands", "hangs", "is displayed", "rests", "can be seen", "is photographed"]
_OTHERS = (
    ("de", "{name} {thing} im Zentrum für Möbel und Geräte, Größe {number} cm, schön"),
    ("fr", "Le {thing} « {name} » à {town} près du château, été {number}, très élégant"),
    ("ru", "Старый {thing} в городе {town}, фотография {number} года, вид сбоку и спереди"),
    ("ja", "{town}の{thing} {name} {number}年の写真"),
    ("es", "{name}, {quality} {thing} de {town} en la exposición del año {number}, España"),
)


def rows(count: int, seed: int = 0) -> Rows:
    """Web texts of about 11 words, captions of 9 and fusions of 23, no two alike; a tenth of the web texts is in another
    language."""
    rng = random.Random(seed)
    made: Rows = ([], [], [])
    for i in range(count):
        name, town, maker = (_name(rng) for _ in range(3))
        words = {"name": name, "town": town, "thing": rng.choice(_THINGS), "quality": rng.choice(_QUALITIES),
                 "number": rng.randrange(1850, 2024)}  # fmt: skip
        other, place, act = rng.choice(_THINGS), rng.choice(_PLACES), rng.choice(_ACTS)
        if i % 10 == 9:
            alt = rng.choice(_OTHERS)[1].format(**words)
        else:
            alt = f"{name} {maker}'s {words['quality']} {words['thing']} from {town}, model {words['number']}, {other} and more"
        synthetic = f"a {words['quality']} {words['thing']} with a {other} {place}"
        fused = (
            f"The {words['quality']} {words['thing']} {name} from {town}, which {maker if maker in alt else 'someone'} made in"
            f" {words['number']}, {act} with a {other} {place}, where it looks calm and bright."
        )
        for column, text in zip(made, (alt, synthetic, fused), strict=True):
            column.append(text)
    return made


def _name(rng: random.Random) -> str:
    return "".join(rng.choices(_SYLLABLES, k=rng.randrange(2, 5))).capitalize()


def measure(count: int = ROWS, rounds: int = ROUNDS) -> dict[str, Any]:
    """Rows a second of each round, on rows that no round shares with another, and how long the texts are."""
    speeds, accepted = [], 0
    for round_ in range(rounds):
        alts, synthetics, fused = rows(count, seed=round_)
        started = time.perf_counter()
        verdicts = judge_all(alts, synthetics, fused, finish_reasons=["stop"] * count)
        speeds.append(count / (time.perf_counter() - started))
        accepted += sum(verdict.accepted for verdict in verdicts)
    lengths = [statistics.mean(len(text.split()) for text in column) for column in (alts, synthetics, fused)]
    return {"speeds": speeds, "rows": count, "words": lengths, "accepted": accepted / (count * rounds)}


def section(results: dict[str, Any]) -> str:
    """The section of docs/benchmarks.md, with what the gates catch of the labelled fusions of the tests."""
    from tests.captions.fusions import fusions
    from tests.captions.fusions import table as caught

    speed = statistics.median(results["speeds"])
    alt, synthetic, fused = results["words"]
    good = sum(fusion.good for fusion in fusions())
    lines = [
        (
            f"`{gate}`",
            meant,
            f"{100 * recall:.1f} %" if meant else "–",
            own,
            f"{100 * precision:.1f} %" if own else "–",
        )  # fmt: skip
        for gate, meant, _, own, precision, recall in caught()
    ]
    reached = "reached" if speed >= GOAL else "not reached"
    return f"""## Gates after fusion

`judge_all` on one core, one thread (`bench/gates.py`): **{speed:,.0f} rows/s**, the median of {len(results["speeds"])} runs over
{results["rows"]:,} made-up rows each, no two alike ({min(results["speeds"]):,.0f} to {max(results["speeds"]):,.0f}). Web texts have
{alt:.1f} words and a tenth of them is in another language than English; captions have {synthetic:.1f} words, fusions {fused:.1f};
{100 * results["accepted"]:.0f} % pass. The aim was {GOAL:,} rows/s; it is {reached}. {machine(("py3langid",))}.

What the gates make of {len(fusions()):,} labelled fusions (`tests/captions/fusions.py`), {good} of them good. *Caught* is the share
of the fusions meant for a gate that any gate refused, *right* the share of its own refusals that were of bad fusions:

{table(("gate", "meant for it", "caught", "refused by it", "right"), lines)}"""


def main() -> str:
    """Measure, and the section."""
    return section(measure())


if __name__ == "__main__":
    print(main())
