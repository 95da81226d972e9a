"""Small image files with metadata, and what the rules find in them."""

from __future__ import annotations

import io
import struct

from PIL import Image, PngImagePlugin

from assets.rights.findings import Evidence, Findings
from assets.rights.image_rules import read_image
from tests.rights.conftest import licenses_in

BY = "https://creativecommons.org/licenses/by/4.0/"
NC = "https://creativecommons.org/licenses/by-nc/4.0/"
RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
PLUS = "http://ns.useplus.org/ldf/vocab/"
NAMESPACES = (
    'xmlns:cc="http://creativecommons.org/ns#" xmlns:xapRights="http://ns.adobe.com/xap/1.0/rights/" '
    'xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:p="http://ns.useplus.org/ldf/xmp/1.0/" '
    'xmlns:photoshop="http://ns.adobe.com/photoshop/1.0/"'
)


def packet(children: str = "", attributes: str = "") -> str:
    return packet_of(f'<rdf:Description rdf:about="" {attributes}>{children}</rdf:Description>')


def packet_of(nodes: str) -> str:
    return (
        f'<?xpacket begin="\ufeff"?><x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="{RDF}" {NAMESPACES}>'
        f'{nodes}</rdf:RDF></x:xmpmeta><?xpacket end="w"?>'
    )


def encoded(format: str, **options) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (4, 4)).save(out, format, **options)
    return out.getvalue()


def read(data: bytes) -> Evidence:
    findings = Findings()
    read_image(data, 5, None, findings)
    return findings.evidence()


def read_xmp(children: str = "", attributes: str = "") -> Evidence:
    return read(encoded("JPEG", xmp=packet(children, attributes).encode()))


def found(evidence: Evidence) -> set[tuple[str, str]]:
    return {(rule, spdx_id) for _, _, rule, spdx_id in licenses_in(evidence)}


def credits_in(evidence: Evidence) -> set[tuple[str, str]]:
    return {(row["field"], row["value"]) for row in evidence.attribution.to_pylist()}


def placed(evidence: Evidence, data: bytes) -> list[bytes]:
    """The bytes that license findings name."""
    return [data[row["byte_start"] : row["byte_end"]] for row in evidence.license_evidence.to_pylist()]


def segment(marker: int, content: bytes) -> bytes:
    return b"\xff" + bytes([marker]) + struct.pack(">H", len(content) + 2) + content


def in_jpeg(*segments: bytes) -> bytes:
    jpeg = encoded("JPEG")
    return jpeg[:2] + b"".join(segments) + jpeg[2:]


def chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + b"\0\0\0\0"


def in_png(*chunks: bytes) -> bytes:
    png = encoded("PNG")
    return png[:33] + b"".join(chunks) + png[33:]


def png_text(key: str, text: str, compressed: bool = False) -> bytes:
    info = PngImagePlugin.PngInfo()
    info.add_text(key, text, zip=compressed)
    return encoded("PNG", pnginfo=info)


def dataset(record: int, number: int, text: bytes) -> bytes:
    return b"\x1c" + bytes([record, number]) + struct.pack(">H", len(text)) + text


def iptc(*datasets: tuple[int, bytes], charset: bytes = b"") -> bytes:
    records = b"".join(dataset(2, number, text) for number, text in datasets)
    if charset:
        records = dataset(1, 90, charset) + records
    return in_jpeg(segment(0xED, photoshop(records)))


def photoshop(records: bytes) -> bytes:
    return b"Photoshop 3.0\x008BIM\x04\x04\0\0" + struct.pack(">I", len(records)) + records + b"\0" * (len(records) % 2)


def svg(metadata: str, before: str = "") -> bytes:
    return (
        f'{before}<svg xmlns="http://www.w3.org/2000/svg" xmlns:rdf="{RDF}" {NAMESPACES}><metadata>'
        f"<rdf:RDF>{metadata}</rdf:RDF></metadata></svg>"
    ).encode()
