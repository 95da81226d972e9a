import io
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pytest
from PIL import Image

from assets.provenance.decisions import kept_ids
from assets.release.attribution import attribution_csv
from assets.release.card import card_html, readme
from assets.release.croissant import FILE, Lineage, croissant
from assets.release.eu_summary import eu_summary_markdown
from assets.release.facts import Facts, gather
from assets.release.manifest import finish_release
from assets.release.rows import assemble
from assets.release.shards import Released, ReleaseSettings, write_release
from tests.provenance import tiny_build

LINEAGE = Lineage("c0de", [("crawl", "c1"), ("rights", "c2"), ("embeddings", "c3"), ("captions", "c4")], None)


@pytest.fixture(scope="session")
def tables():
    """The tiny build's tables; its four candidates are what the captions stage kept."""
    return tiny_build.tables()


@pytest.fixture(scope="session")
def assembled(tables):
    return assemble(kept_ids(tiny_build.table("decision", tiny_build.DECISIONS["captions"])), tables)


@pytest.fixture(scope="session")
def settings():
    return ReleaseSettings(tiny_build.RELEASE, "tiny", "1.0.0", samples_per_shard=2)


@pytest.fixture(scope="session")
def released(assembled, settings, tmp_path_factory):
    """A written release and its folder; tests only look at it."""
    folder = tmp_path_factory.mktemp("release")
    return write_release(assembled.rows, tiny_build.read_image_bytes, folder, settings), folder


@dataclass(frozen=True)
class Gallery:
    """A release of real pictures: 18 with their image in two tars, 3 by address; `rows` as `assemble` made them."""

    folder: Path
    rows: pa.Table
    written: Released
    facts: Facts
    settings: ReleaseSettings


@pytest.fixture(scope="session")
def gallery(tmp_path_factory):
    """Tests only look at it."""
    folder = tmp_path_factory.mktemp("gallery")
    images = [_picture(number) for number in range(21)]
    tables = _gallery_tables(images)
    rows = assemble(tables["sample"]["sample_id"].to_pylist(), tables).rows
    settings = ReleaseSettings("gallery-2.1.0-f00", "gallery", "2.1.0", samples_per_shard=10)
    members = {f"{number:06d}": data for number, data in enumerate(images)}
    written = write_release(rows, lambda file, names: (members[name] for name in names), folder, settings)
    facts = gather(rows, tables)
    credits = attribution_csv(rows, written.members)
    documents = {
        "README.md": readme(facts, settings, written.files),
        "card.html": card_html(facts, settings, written.files),
        "ATTRIBUTION.csv": credits,
        FILE: croissant(facts, settings, written.files, LINEAGE, {"ATTRIBUTION.csv": credits}),
        "EU-SUMMARY.md": eu_summary_markdown(facts, settings),
    }
    finish_release(folder, written.files, documents, settings)
    return Gallery(folder, rows, written, facts, settings)


FORMATS = ("JPEG", "PNG", "WEBP")


def _picture(number):
    """A picture of one color that tells its number, in the three formats that open_clip's loader takes."""
    stream = io.BytesIO()
    Image.new("RGB", (24 + number, 20), (10 * number, 255 - 10 * number, 128)).save(
        stream, FORMATS[number % 3], lossless=True
    )
    return stream.getvalue()


def _gallery_tables(images):
    """What `assemble` and `gather` read: one page, its images, and captions of all kinds; the last three by address."""
    page, ids = (1 << 32) | 1000, [(1 << 32) | number for number in range(len(images))]
    rows = {name: [] for name in ("sample", "image", "rights", "caption", "score", "cluster_member")}
    for number, (sample_id, data) in enumerate(zip(ids, images, strict=True)):
        url, alt = f"https://pictures.example/{number}.img", f"Picture “{number}”, über öffentlich, 図 {number}"
        rows["sample"].append(
            tiny_build.sample(sample_id, "https://pictures.example/", page, sample_id, url, alt, number)
        )
        rows["image"].append(_image_row(number, sample_id, data))
        verdict = "allow" if number < len(images) - 3 else "url_only"
        license = ("CC-BY-4.0", "CC0-1.0")[number % 2]
        rows["rights"].append(
            tiny_build.right(sample_id, license, verdict, "license_allowed", "figure_rel", 1 - number % 2)
        )
        fused = number % 4 == 0
        rows["caption"].append(tiny_build.caption(sample_id, "alt", alt, chosen=not fused))
        rows["caption"].append(tiny_build.caption(sample_id, "synthetic-short", f"color {number}"))
        if fused:
            rows["caption"].append(tiny_build.caption(sample_id, "fused", f"A picture of color {number}", chosen=True))
        for scorer, value in (("image_text_similarity", number / 32), ("nsfw", 0.0))[: 2 - (number == 5) * 2]:
            rows["score"].append({"sample_id": sample_id, "scorer": scorer, "model": "m@1", "value": value})
        rows["cluster_member"].append({"sample_id": sample_id, "cluster_id": number % 3, "distance": 0.5})
    made = {name: tiny_build.table(name, found) for name, found in rows.items()}
    whole = tiny_build.tables()
    return made | {name: whole[name] for name in ("license", "agent", "policy", "shard")}


def _image_row(number, image_id, data):
    with Image.open(io.BytesIO(data)) as picture:
        size = {"width": picture.width, "height": picture.height, "format": picture.format, "bytes": len(data)}
    known = {"sha256": tiny_build.sha(data), **size}
    stored = {f"stored_{name}": value for name, value in known.items()}
    row = {"image_id": image_id, "shard_id": 1, "md5": data[:16], "frames": 1, **known, **stored}
    return {**row, "file": "lake/image/1.tar", "member": f"{number:06d}"}
