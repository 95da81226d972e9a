"""What became of the captions, in numbers, plots and triples that a person can read; good or bad.

Counts are over all rows. What is measured in words (lengths, assertions, names, recall, distinct-n) is measured on a
sample of at most `SAMPLE` samples, those with the smallest hashes.
"""

from __future__ import annotations

import base64
import hashlib
import html
import io
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa

from assets.captions import words
from assets.captions.gates import text_key
from assets.captions.mixtures import available, mask_of
from assets.crawl.tiles import Tile, tiles
from assets.provenance.tables import TABLES
from orchestration import plots

SAMPLE = 20_000
"""Samples whose words are measured."""

READ = (
    "sample_id",
    "kind",
    "attempt",
    "model",
    "status",
    "reason",
    "text",
    "similarity",
    "tokens",
    "chosen",
    "selected",
    "inputs",
)
NOT_ASKED = ("skipped",)


@dataclass
class Told:
    """What is gathered about accepted texts of one kind and model.

    Attributes:
        words: words of each text.
        assertions: assertions of each, see `assertions`.
        names: proper names of each.
        recall: share of the alt text's words that came back in each; fusions alone.
        unigrams, bigrams: different ones, hashed.
        counts: how many of both there are.
    """

    words: list[int] = field(default_factory=list)
    assertions: list[int] = field(default_factory=list)
    names: list[int] = field(default_factory=list)
    recall: list[float] = field(default_factory=list)
    unigrams: set[int] = field(default_factory=set)
    bigrams: set[int] = field(default_factory=set)
    entities: set[str] = field(default_factory=set)
    counts: tuple[int, int] = (0, 0)

    def add(self, text: str, alt: str | None) -> None:
        """Measure one text; `alt` is the web text that it was fused from."""
        found = words.Text(text)
        stems = found.stems
        pairs = list(zip(stems, stems[1:], strict=False))
        named = {stems[place] for place in words.names(found)}
        self.words.append(len(stems))
        self.assertions.append(assertions(found))
        self.names.append(len(named))
        self.entities |= named
        self.unigrams |= set(map(hash_of, stems))
        self.bigrams |= {hash_of(" ".join(pair)) for pair in pairs}
        self.counts = (self.counts[0] + len(stems), self.counts[1] + len(pairs))
        if alt is not None:
            wanted = words.Text(alt).facts
            if wanted:
                self.recall.append(len(wanted & words.known_words(found)) / len(wanted))

    def metrics(self) -> Iterator[tuple[str, float]]:
        """Names and values."""
        if not self.words:
            return
        yield "words_mean", float(np.mean(self.words))
        for part in (5, 50, 95):
            yield f"words_p{part}", float(np.percentile(self.words, part))
        yield "assertions_mean", float(np.mean(self.assertions))
        yield "names_mean", float(np.mean(self.names))
        yield "names_different", float(len(self.entities))
        for n, different, count in zip((1, 2), (self.unigrams, self.bigrams), self.counts, strict=True):
            if count:
                yield f"distinct_{n}", len(different) / count
        if self.recall:
            yield "recall_mean", float(np.mean(self.recall))
            yield "recall_p5", float(np.percentile(self.recall, 5))


def hash_of(text: str) -> int:
    """64 bits of a text, the same in every process."""
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "little")


def assertions(text: words.Text) -> int:
    """About how many things a text says: runs of words that carry facts, between function words and marks.

    Lai et al. count assertions with a language model; this counts phrases, as a measure of the same kind that needs none.
    """
    heavy = [folded not in words.FUNCTION_WORDS for folded in text.folded]
    opens = words.openings(text)
    return sum(now and (i == 0 or not heavy[i - 1] or i in opens) for i, now in enumerate(heavy))


def caption_metrics(
    captions: Callable[[], Iterable[pa.Table]],
    targets: Callable[[], Iterable[pa.Table]],
    shares: Mapping[str, Mapping[str, float]],
    sample: int = SAMPLE,
) -> pa.Table:
    """Table `caption_metric` of a build; see docs/captions.md for what each metric is.

    Args:
        captions: gives the parts of table `caption`, each time anew.
        targets: the same for table `caption_target`.
        shares: of kinds, by target, as the recipe has them.
        sample: samples whose words are measured.
    """
    counted, total, kinds = _counts(captions())
    rows = [_row(*key, float(value)) for key, value in sorted(counted.items(), key=_order)]
    rows += _measured(captions(), total, sample)
    rows += _mixed(targets(), shares, kinds)
    return pa.Table.from_pylist(rows, schema=TABLES["caption_metric"].schema)


Key = tuple[str, str | None, str | None, str | None]
"""Metric, kind, model, part."""


def _order(item: tuple[Key, Any]) -> tuple[str, ...]:
    return tuple(part or "" for part in item[0])


def _row(metric: str, kind: str | None, model: str | None, part: str | None, value: float) -> dict[str, Any]:
    return {"metric": metric, "kind": kind, "model": model, "value_of": part, "value": value}


def _counts(parts: Iterable[pa.Table]) -> tuple[Counter[Key], int, set[str]]:
    """Counts of rows by status, reason and choice; how many samples there are; which kinds have accepted texts."""
    counted: Counter[Key] = Counter()
    samples: set[int] = set()
    repeats: Counter[bytes] = Counter()
    kinds: set[str] = set()
    last: dict[int, str] = {}
    for part in parts:
        for row in part.select(list(READ)).to_pylist():
            kind, model = row["kind"], row["model"]
            samples.add(row["sample_id"])
            counted["rows", kind, model, row["status"]] += 1
            if row["reason"] is not None:
                counted[row["status"], kind, model, row["reason"]] += 1
            if row["chosen"]:
                counted["chosen", kind, model, None] += 1
            if row["tokens"]:
                counted["tokens", kind, model, None] += row["tokens"]
            if row["status"] == "ok" and row["text"]:
                kinds.add(kind)
            if kind == "fused":
                last[row["sample_id"]] = row["status"]
                if row["status"] == "ok":
                    repeats[text_key(row["text"])] += 1
                    counted["accepted_at_attempt", kind, model, str(row["attempt"])] += 1
    asked = {sample: status for sample, status in last.items() if status not in NOT_ASKED}
    counted["samples", None, None, None] = len(samples)
    counted["fusions_asked", "fused", None, None] = len(asked)
    counted["fusions_accepted", "fused", None, None] = sum(status == "ok" for status in asked.values())
    counted["texts_repeated", "fused", None, None] = sum(count for count in repeats.values() if count > 1)
    counted["most_repeated", "fused", None, None] = max(repeats.values(), default=0)
    return counted, len(samples), kinds


def _measured(parts: Iterable[pa.Table], total: int, sample: int) -> list[dict[str, Any]]:
    """What is measured in words, and image-text scores, by kind and model."""
    limit = 2**64 if total <= sample else int(2**64 * sample / total)
    told: dict[tuple[str, str | None], Told] = defaultdict(Told)
    scores: dict[tuple[str, str | None], list[float]] = defaultdict(list)
    alt: tuple[int, str | None] = (-1, None)
    for part in parts:
        for row in part.select(list(READ)).to_pylist():
            if row["kind"] == "alt":
                alt = row["sample_id"], row["text"]
            if row["status"] != "ok" or not row["text"] or hash_of(str(row["sample_id"])) >= limit:
                continue
            about = row["kind"], row["model"]
            web = alt[1] if row["kind"] == "fused" and alt[0] == row["sample_id"] else None
            told[about].add(row["text"], web)
            if row["similarity"] is not None:
                scores[about].append(row["similarity"])
    found = []
    for kind, model in sorted(told, key=lambda about: (about[0], about[1] or "")):
        found += [_row(metric, kind, model, None, value) for metric, value in told[kind, model].metrics()]
        if values := scores[kind, model]:
            found.append(_row("similarity_mean", kind, model, None, float(np.mean(values))))
    return found


def _mixed(
    parts: Iterable[pa.Table], shares: Mapping[str, Mapping[str, float]], kinds: set[str]
) -> list[dict[str, Any]]:
    """Shares by target: published or named by the recipe, asked for after stand-ins, and realized."""
    counted: dict[str, Counter[str]] = defaultdict(Counter)
    for part in parts:
        for target, kind in zip(part["target"].to_pylist(), part["kind"].to_pylist(), strict=True):
            counted[target][kind] += 1
    found = []
    for target, wanted in sorted(shares.items()):
        asked, _ = available(wanted, mask_of(sorted(kinds)))
        total = sum(counted[target].values())
        for kind in sorted({*wanted, *asked, *counted[target]}):
            found.append(_row("share_in_recipe", kind, None, target, wanted.get(kind, 0.0)))
            found.append(_row("share_asked", kind, None, target, asked.get(kind, 0.0)))
            found.append(_row("share", kind, None, target, counted[target][kind] / total if total else 0.0))
    return found


def values_of(metrics: pa.Table, metric: str, kind: str | None = None) -> dict[str, float]:
    """Values of a metric by their part, over all models."""
    found: dict[str, float] = defaultdict(float)
    for row in metrics.to_pylist():
        if row["metric"] == metric and kind in (None, row["kind"]):
            found[row["value_of"] or row["kind"] or ""] += row["value"]
    return dict(found)


def sentence(metrics: pa.Table) -> str:
    """How many fusions were asked for, how many passed, and why the others did not."""
    asked = int(values_of(metrics, "fusions_asked").get("fused", 0))
    accepted = int(values_of(metrics, "fusions_accepted").get("fused", 0))
    skipped = values_of(metrics, "skipped", "fused")
    left_out = f" {int(sum(skipped.values()))} samples were not asked for." if skipped else ""
    if not asked:
        return f"No fusion was asked for.{left_out}"
    refused = {**values_of(metrics, "rejected", "fused"), **values_of(metrics, "failed", "fused")}
    told = ", ".join(
        f"{reason} {int(n)}" for reason, n in sorted(refused.items(), key=lambda item: (-item[1], item[0]))
    )
    why = f"; refused attempts: {told}" if told else ""
    return f"Of {asked} fusions {accepted} ({100 * accepted / asked:.0f} %) passed the gates{why}.{left_out}"


def metric_plots(metrics: pa.Table) -> dict[str, str]:
    """Sentences, tables and pictures of the report, as Markdown."""
    found = {"fusion in words": sentence(metrics), "texts by kind": _kinds_table(metrics)}
    for title, png in metric_pictures(metrics).items():
        found[title] = plots.inline(title, png)
    found["shares by target"] = _shares_table(metrics)
    return found


def metric_pictures(metrics: pa.Table) -> dict[str, bytes]:
    """PNG pictures by title: outcomes of fusion attempts, what the release carries."""
    outcomes = {"accepted": values_of(metrics, "fusions_accepted").get("fused", 0.0)}
    for status in ("rejected", "failed", "skipped"):
        for reason, count in sorted(values_of(metrics, status, "fused").items(), key=lambda item: (-item[1], item[0])):
            outcomes[f"{status}: {reason}"] = count
    written = values_of(metrics, "chosen")
    pictures = {
        "fusion attempts by outcome": plots.bars(list(outcomes), [int(n) for n in outcomes.values()], "attempts"),
        "text of the release by kind": plots.bars(list(written), [int(n) for n in written.values()], "samples"),
    }
    refused = {
        f"{row['kind']}: {row['value_of']}": row["value"]
        for row in metrics.to_pylist()
        if row["metric"] in ("rejected", "failed") and (row["kind"] or "").startswith("synthetic")
    }
    if refused:
        pictures["synthetic captions refused"] = plots.bars(
            list(refused), [int(n) for n in refused.values()], "captions"
        )
    return pictures


_COLUMNS = {
    "words_mean": "words", "words_p5": "p5", "words_p95": "p95", "assertions_mean": "assertions", "names_mean": "names",
    "distinct_1": "distinct-1", "distinct_2": "distinct-2", "recall_mean": "recall of alt", "similarity_mean": "image-text",
}  # fmt: skip


def _kinds_rows(metrics: pa.Table) -> list[list[str]]:
    """Kind, model and the columns of `_COLUMNS`."""
    found: dict[tuple[str, str], dict[str, float]] = defaultdict(dict)
    for row in metrics.to_pylist():
        if row["metric"] in _COLUMNS:
            found[row["kind"], row["model"] or ""][row["metric"]] = row["value"]
    return [
        [kind, model, *(f"{values[name]:.3g}" if name in values else "" for name in _COLUMNS)]
        for (kind, model), values in found.items()
    ]


def _kinds_table(metrics: pa.Table) -> str:
    # Short enough to stand on the page itself; models are in the whole report.
    rows = [[row[0], *row[2:]] for row in _kinds_rows(metrics)]
    return _markdown(["kind", *_COLUMNS.values()], rows)


def _shares_rows(metrics: pa.Table) -> list[list[str]]:
    found: dict[tuple[str, str], dict[str, float]] = defaultdict(dict)
    for row in metrics.to_pylist():
        if row["metric"].startswith("share"):
            found[row["value_of"], row["kind"]][row["metric"]] = row["value"]
    return [
        [target, kind, *(f"{100 * values[name]:.1f} %" for name in ("share_in_recipe", "share_asked", "share"))]
        for (target, kind), values in sorted(found.items())
    ]


def _shares_table(metrics: pa.Table) -> str:
    return _markdown(["target", "kind", "recipe", "asked", "realized"], _shares_rows(metrics))


def _markdown(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = ["|" + "|".join(header) + "|", "|" + "-|" * len(header)]
    return "\n".join(lines + ["|" + "|".join(plain(cell) for cell in row) + "|" for row in rows])


def plain(text: str, most: int = 300) -> str:
    """A text of the web that is text in Markdown and HTML as well."""
    text = " ".join(words.clean(text).split())
    text = html.escape(text if len(text) <= most else text[: most - 1] + "…")
    return "".join(f"\\{c}" if c in "\\`*_[]|" else c for c in text)


@dataclass(frozen=True)
class Triple:
    """A fusion as it can be read: what went in, what came out, what was said of it.

    Attributes:
        sample_id: sample.
        alt: text of the web.
        synthetic: caption from the pixels.
        fused: last thing that the language model wrote.
        verdict: accepted, or why not.
    """

    sample_id: int
    alt: str
    synthetic: str
    fused: str
    verdict: str


def find_triples(parts: Iterable[pa.Table], most: int) -> list[Triple]:
    """Random samples for which a language model wrote something, accepted or not; those with the smallest hashes."""
    texts: dict[int, dict[str, tuple[str, str]]] = {}
    last = -1
    for part in parts:
        for row in part.select(list(READ)).to_pylist():
            if not row["text"]:
                continue
            about = texts.setdefault(row["sample_id"], {})
            if row["kind"] in ("alt", "fused") or row["selected"]:
                verdict = "accepted" if row["status"] == "ok" else row["reason"] or row["status"]
                about[row["kind"]] = row["text"], verdict
            if row["kind"] == "fused":
                about["synthetic"] = about.get(next((k for k in row["inputs"] if k != "alt"), ""), ("", ""))
            last = row["sample_id"]
        if len(texts) > 50_000:
            # The last sample may go on in the next part.
            texts = {last: texts[last], **_smallest(texts, most)} if last in texts else _smallest(texts, most)
    nothing = ("", "")
    return [
        Triple(
            sample,
            found.get("alt", nothing)[0],
            found.get("synthetic", nothing)[0],
            found["fused"][0],
            found["fused"][1],
        )
        for sample, found in _smallest(texts, most).items()
    ]


def _smallest(texts: dict[int, Any], most: int) -> dict[int, Any]:
    fused = sorted((sample for sample in texts if "fused" in texts[sample]), key=lambda one: hash_of(str(one)))
    return {sample: texts[sample] for sample in fused[:most]}


def triples(build: Any, most: int) -> str:
    """Random triples with their pictures, as a Markdown table."""
    found = find_triples(_parts(build), most)
    shown = tiles(build, [one.sample_id for one in found])
    rows = []
    for one in found:
        picture = thumbnail(shown[one.sample_id])
        image = f"![{one.sample_id}]({picture})" if picture else plain(shown[one.sample_id].absence)
        rows.append([image, *map(plain, (one.alt, one.synthetic, one.fused, one.verdict))])
    lines = ["|picture|alt|synthetic|fused|verdict|", "|-|-|-|-|-|", *("|" + "|".join(row) + "|" for row in rows)]
    return "\n".join(lines) if rows else "No language model wrote anything."


def _parts(build: Any) -> Iterator[pa.Table]:
    for path in build.paths("captions", "caption"):
        yield from build.lake.each_group(path, list(READ))


def thumbnail(tile: Tile, side: int = 96) -> str | None:
    """A picture as a data URI, no side longer than `side`; None where there is none."""
    if tile.picture is None:
        return None
    small = tile.picture.convert("RGB")
    small.thumbnail((side, side))
    stream = io.BytesIO()
    small.save(stream, "JPEG", quality=75)
    return f"data:image/jpeg;base64,{base64.b64encode(stream.getvalue()).decode()}"


_STYLE = """body{font:15px/1.45 system-ui,sans-serif;margin:2rem auto;max-width:70rem;padding:0 1rem;color:#222}
table{border-collapse:collapse;margin:1rem 0;width:100%}td,th{border-bottom:1px solid #ddd;padding:.35rem .5rem;
text-align:left;vertical-align:top}img{max-width:100%}.no{color:#c8553d}.yes{color:#2f7d5b}"""


def caption_page(build: Any, metrics: pa.Table, most: int) -> str:
    """The whole report as one HTML page without scripts or anything from elsewhere."""
    found = find_triples(_parts(build), most)
    shown = tiles(build, [one.sample_id for one in found])
    pictures = "".join(
        f'<h3>{html.escape(title)}</h3><img alt="{html.escape(title)}" '
        f'src="data:image/png;base64,{base64.b64encode(png).decode()}">'
        for title, png in metric_pictures(metrics).items()
    )
    header = ["picture", "alt", "synthetic", "fused", "verdict"]
    rows = "".join(_triple(one, shown[one.sample_id]) for one in found)
    counted = [
        [row["metric"], row["kind"] or "", row["model"] or "", row["value_of"] or "", f"{row['value']:.6g}"]
        for row in metrics.to_pylist()
    ]
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>Captions</title><style>{_STYLE}</style>'
        f"<h1>Captions</h1><p>{html.escape(sentence(metrics))}</p>"
        f"<h2>Texts by kind and model</h2>{_html_table(['kind', 'model', *_COLUMNS.values()], _kinds_rows(metrics))}"
        f"<h2>Shares by target</h2>"
        f"{_html_table(['target', 'kind', 'recipe', 'asked', 'realized'], _shares_rows(metrics))}{pictures}"
        f"<h2>{len(found)} random triples</h2><table><tr>{''.join(f'<th>{h}</th>' for h in header)}</tr>{rows}</table>"
        f"<h2>All numbers</h2>{_html_table(['metric', 'kind', 'model', 'of', 'value'], counted)}</html>\n"
    )


def _triple(one: Triple, tile: Tile) -> str:
    picture = thumbnail(tile)
    image = f'<img alt="{one.sample_id}" src="{picture}">' if picture else html.escape(tile.absence)
    mark = "yes" if one.verdict == "accepted" else "no"
    texts = "".join(f"<td>{html.escape(words.clean(text)[:600])}</td>" for text in (one.alt, one.synthetic, one.fused))
    return f'<tr><td>{image}</td>{texts}<td class="{mark}">{html.escape(one.verdict)}</td></tr>'


def _html_table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    head = "".join(f"<th>{html.escape(cell)}</th>" for cell in header)
    body = "".join("<tr>" + "".join(f"<td>{html.escape(cell)}</td>" for cell in row) + "</tr>" for row in rows)
    return f"<table><tr>{head}</tr>{body}</table>"
