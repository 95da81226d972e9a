"""A sample's story as text for a terminal: one screen, no control characters from the web."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from assets.provenance.story import MOST, Row, Story

WIDTH = 110
"""Most characters of a text from the web that are shown."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_TEXTS = ("alt", "title", "caption", "heading", "context")


def render(story: Story) -> str:
    """The story as lines of at most about WIDTH characters; long texts are cut, long lists counted."""
    lines = [f"sample {story.sample['sample_id']}: {_outcome(story)}"]
    for title, part in (
        ("crawl", _crawl(story)),
        ("texts", _texts(story)),
        ("rights", _rights(story)),
        ("stages", _stages(story)),
        ("captions", _listed(_captions(story))),
        ("release", _release(story)),
    ):
        made = list(part)
        if made:
            lines += ["", title, *(f"  {line}" for line in made)]
    return "\n".join(lines)


def plain(value: Any, most: int = WIDTH) -> str:
    """Text from the web on one line, cut at `most` characters, without characters that a terminal obeys."""
    text = " ".join("".join(c if c.isprintable() else " " for c in str(value)).split())
    return text if len(text) <= most else text[: most - 1] + "…"


def _outcome(story: Story) -> str:
    drop = next((row for row in story.decisions if not row["kept"]), None)
    if story.releases:
        place = story.releases[-1]
        how = "" if place["with_image"] else " by its address only"
        return f"released{how} in {place['release_id']}, {place['file']} row {place['row']}"
    if drop:
        return f"dropped at {drop['stage']}: {plain(drop['reason'], 60)}{_score(drop)}"
    return "kept so far, in no release"


def _crawl(story: Story) -> Iterator[str]:
    if story.sample["page_url"]:
        yield f"page    {plain(story.sample['page_url'])}, <img> {story.sample['position']}"
        yield f"        {_record(story.page)}"
    else:
        yield f"from    {plain(story.origin)}"
    yield f"image   {plain(story.sample['image_url'] or 'no address')}"
    if story.image_record:
        yield f"        {_record(story.image_record)}"
    else:
        yield "        not in the crawl"
    for attempt in story.attempts:
        why = f" {plain(attempt['reason'] or '', 60)}".rstrip()
        said = f" ({plain(attempt['detail'], 60)})" if attempt["detail"] else ""
        yield f"        fetch {attempt['attempt']}: {attempt['status']}{why}{said}, {_time(attempt['started_us'])}"
    if story.image:
        image = story.image
        size = f"{image['width']}x{image['height']}, {image['bytes']} bytes"
        yield f"        {image['format']} {size}, sha256 {image['sha256']}"
        yield f"        {image['file']}: {image['member']}"


def _record(row: Row) -> str:
    if not row:
        return "record is not in this database"
    size = f", {row['length']} bytes" if row["length"] is not None else ""
    fetched = f", fetched {_time(row['fetched_us'])}" if row["fetched_us"] is not None else ""
    said = "" if row["status"] == "ok" else f", {row['status']} {row['reason'] or ''}".rstrip()
    return f"{plain(row['crawl_file'])} at offset {row['offset']}{size}{fetched}{said}"


def _time(microseconds: int) -> str:
    return (_EPOCH + timedelta(microseconds=microseconds)).strftime("%Y-%m-%dT%H:%M:%SZ")


def _texts(story: Story) -> Iterator[str]:
    for name in _TEXTS:
        if story.sample[name] is not None:
            yield f"{name:<8}{_quote(story.sample[name])}"
    if story.sample["language"]:
        yield f"language {plain(story.sample['language'], 20)}"


def _rights(story: Story) -> Iterator[str]:
    rights = story.rights
    if rights:
        policy = f" under policy {plain(story.policy, 40)}" if story.policy else ""
        conflict = ", statements conflict" if rights["conflict"] else ""
        yield (
            f"verdict {rights['verdict']}{policy}: {rights['reason']}; image license {rights['image_license']}, "
            f"text {rights['text_license']}, training {rights['reservation']}{conflict}"
        )
        if rights["decided_by"] == "twin":
            yield "decided by a copy of the same bytes, see below"
        elif rights["decided_by"]:
            yield f"decided by {rights['decided_by']}, confidence {rights['confidence']:.2f}"
        else:
            yield "no finding decided"
    yield from _listed(map(_license, story.licenses))
    yield from _listed(map(_reservation, story.reservations))
    yield from _listed(
        f"credit  {row['field']}: {plain(row['value'], 60)} ({row['rule']}, {row['subject_type']})"
        for row in story.attributions
    )
    for row in story.copies:
        decided = f", decided by {row['decided_by']}" if row["decided_by"] else ""
        terms = f"{row['image_license']}, {row['verdict']}{decided}"
        yield f"copy    sample {row['sample_id']}: {terms}, {plain(row['page_url'], 60)}"
    if story.copy_count > len(story.copies):
        yield f"copies  {story.copy_count} in all"


def _license(row: Row) -> str:
    mark = "  <- decided" if row["decided"] else ""
    rule = f"{row['rule']} ({row['subject_type']}, {row['confidence']:.2f})"
    return f"license {row['says']} by {rule}{mark}: {_where(row)}"


def _reservation(row: Row) -> str:
    mark = "  <- decided" if row["decided"] else ""
    return f"opt-out {row['says']} for {row['usage']} by {row['rule']} ({row['subject_type']}){mark}: {_where(row)}"


def _where(row: Row) -> str:
    located = row["byte_start"] is not None
    span = f"{row['part']} bytes {row['byte_start']}-{row['byte_end']}" if located else row["part"]
    place = f"{plain(row['crawl_file'], 60)} at {row['record_offset']}, {span}" if row["crawl_file"] else span
    return f"{_quote(row['value'], 60)} [{place}]"


def _stages(story: Story) -> Iterator[str]:
    for row in story.decisions:
        word = "kept" if row["kept"] else "DROPPED"
        reason = f" {plain(row['reason'], 60)}" if row["reason"] else ""
        yield f"{row['stage']:<13} {word}{reason}{_score(row)}"
        if row["other_sample_id"] is not None:
            yield f"{'':13} sample {row['other_sample_id']} stays in its place: {plain(row['other_url'] or '', 80)}"
        if row["stage"] in ("removals", "decontaminate") and not row["kept"]:
            yield from (f"{'':13} {_hit(hit)}" for hit in story.hits[:MOST] if _claims(row["stage"], hit))
        if row["stage"] == "prune" and story.cluster:
            yield f"{'':13} {_cluster(story.cluster)}"
    if story.cluster and not any(row["stage"] == "prune" for row in story.decisions):
        yield _cluster(story.cluster)
    if story.scores:
        yield "scores        " + ", ".join(f"{row['scorer']} {_number(row['value'])}" for row in story.scores[:MOST])


def _claims(stage: str, hit: Row) -> bool:
    return (stage == "decontaminate") == hit["list"].startswith("eval:")


def _hit(row: Row) -> str:
    """What claims a sample, and by what."""
    item = f", item {plain(row['item'], 60)}" if row["item"] else ""
    view = f", view {plain(row['view'], 30)}" if row["view"] else ""
    return f"claimed by {plain(row['list'], 60)}{item}: {row['match']}{view}{_score(row)}"


def _cluster(row: Row) -> str:
    size = f": {row['size']} samples, quota {row['quota']}" if row["size"] is not None else ""
    return f"concept {row['cluster_id']}{size}; distance to its centroid {row['distance']:.4f}"


def _score(row: Row) -> str:
    if row["score"] is None:
        return "" if row["threshold"] is None else f" (limit {_number(row['threshold'])})"
    limit = f", limit {_number(row['threshold'])}" if row["threshold"] is not None else ""
    return f" (score {_number(row['score'])}{limit})"


def _number(value: float | None) -> str:
    return "none" if value is None else f"{value:.6g}"


def _captions(story: Story) -> Iterator[str]:
    for row in story.captions:
        mark = "*" if row["chosen"] else " "
        reason = f", {plain(row['reason'], 40)}" if row["reason"] else ""
        model = f" by {plain(row['model'], 50)}" if row["model"] else ""
        known = f"{row['model_license'] or 'license unknown'}, outputs {row['output_terms'] or 'unknown'}"
        terms = f" ({plain(known, 80)})" if row["model"] else ""
        if row["license"] not in (None, "NONE"):
            terms += f" under {plain(row['license'], 60)}"
        text = _quote(row["text"]) if row["text"] is not None else "no text"
        again = f" attempt {row['attempt']}" if row["attempt"] > 1 else ""
        yield f"{mark} {row['kind']}{again} [{row['status']}{reason}{_score(row)}]{model}{terms}: {text}"


def _release(story: Story) -> Iterator[str]:
    for row in story.releases:
        image = "with its image" if row["with_image"] else "address only"
        yield f"{row['release_id']}: {row['file']} row {row['row']}, {image}, text is {row['caption_kind']}"
    for row in story.earlier:
        gone = f", withdrawn {_time(row['withdrawn_us'])}" if row["withdrawn_us"] is not None else ""
        yield f"also {row['release_id']}: {row['file']} row {row['row']}{gone}"
    for row in story.takedowns:
        came = f", received {_time(row['received_us'])}" if row["received_us"] is not None else ""
        yield f"reached by {row['takedown_id']} ({row['match']}), {row['basis']}, {row['status']}{came}"


def _quote(text: str, most: int = WIDTH) -> str:
    return f"“{plain(text, most)}”"


def _listed(lines: Any) -> Iterator[str]:
    """At most MOST lines, and how many more there are."""
    made = list(lines)
    yield from made[:MOST]
    if len(made) > MOST:
        yield f"… and {len(made) - MOST} more"
