"""Whole inputs that are damaged: small files with one of everything."""

from __future__ import annotations

import gzip
import io
import json
import tarfile
from functools import cache
from importlib.util import find_spec

from PIL import Image, ImageCms

from tests.crawl.warcs import block, http, member, picture, response

PAGES = (
    b"""<!DOCTYPE html><html lang="en-GB"><head><meta charset="utf-8"><title>Birds &amp; more</title>
<base href="/deep/"><meta property="og:image" content="og.jpg"><link rel="license" href="https://example.org/l"></head>
<body><h1>Birds</h1><p><img src="/a.png" alt="red"><img src="/b.png" alt="blue">before
<img src="a.jpg" alt="a &quot;robin&quot;" title=t srcset="a.jpg 1x, b.jpg 2x, c.jpg 800w">
after</p><figure><a href="big.jpg"><img data-src="lazy.jpg" src="data:image/gif;base64,R0lGODlhAQABAAAAACw="></a>
<figcaption>A caption</figcaption></figure><picture><source srcset="x.webp 400w, y.webp 800w" type="image/webp">
<img src="//other.example/p.png"></picture><noscript><img src="n.jpg"></noscript><svg><image href="v.svg"/></svg>
<table><tr><td><img src="t.gif"><td>cell</table><template><img src=no></template><script>"<img src=no>"</script>""",
    "<html lang=de><title>Bücher</title><p>Größe <img src='ä ö.jpg' alt='größer'><img alt>".encode("cp1252"),
    "<html><meta http-equiv=content-type content='text/html; charset=shift_jis'><img src=a alt='鳥'>".encode(
        "shift_jis"
    ),
    "\ufeff<html><body><img src=a alt='ありがとう'>".encode("utf-16-le"),
    b"<div>" * 60 + b"<img src=x>" + b"</div>" * 60,
    b"<ul>" + b"<li><img src=a.png alt=x><a href=b.jpg>b" * 40,
    b"<p>text<img src=a alt=b>" * 60,
)


@cache
def pictures() -> tuple[bytes, ...]:
    """Images of every format and mode that is read, with metadata."""
    noise = Image.effect_noise((48, 36), 60).convert("RGB")
    exif = Image.Exif()
    exif[0x0112], exif[0x010E] = 6, "a description"
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    found = [_saved(noise, "JPEG", exif=exif, icc_profile=profile, comment=b"c"), _saved(noise, "JPEG", progressive=True),
             _saved(noise.convert("CMYK"), "JPEG"), _saved(noise.convert("L"), "JPEG"),
             _saved(noise.resize((700, 520)), "JPEG", quality=60),
             _saved(noise, "MPO", save_all=True, append_images=[noise]),
             _saved(noise, "PNG", exif=exif, icc_profile=profile), _saved(noise.convert("P"), "PNG", transparency=0),
             _saved(noise, "PNG", save_all=True, append_images=[noise.rotate(90)]),
             picture(0x1234, (9, 7), "PNG", "I;16"), picture(1, (9, 7), "PNG", "1"),
             _saved(noise, "WEBP", exif=exif), _saved(noise, "WEBP", lossless=True),
             _saved(noise, "WEBP", save_all=True, append_images=[noise.rotate(90)]),
             _saved(noise, "GIF", save_all=True, append_images=[noise.rotate(90)] * 3, comment=b"x" * 600),
             _saved(noise, "BMP"), _saved(noise.convert("P"), "BMP"), _saved(noise, "TIFF", exif=exif),
             _saved(noise, "TIFF", compression="tiff_lzw"), _saved(noise, "TIFF", compression="jpeg"),
             _saved(noise, "TIFF", save_all=True, append_images=[noise]), _saved(noise.convert("F"), "TIFF"),
             _saved(noise.convert("LAB"), "TIFF"), _saved(noise, "TIFF", big_tiff=True), _saved(noise, "AVIF", exif=exif),
             ]  # fmt: skip
    return tuple(found)


def _saved(image: Image.Image, kind: str, **options) -> bytes:
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()


@cache
def records() -> tuple[bytes, ...]:
    """WARC records, uncompressed, with every kind of answer."""
    import brotli

    page, chunked = PAGES[0], b"5\r\n<img \r\n6\r\nsrc=a>\r\n0\r\n\r\n"
    return (
        block("warcinfo", None, b"software: x\r\n", "application/warc-fields"),
        response("http://a.example/1", page),
        response("http://a.example/2", gzip.compress(page, mtime=0), "text/html", "200 OK", "Content-Encoding: gzip"),
        response("http://a.example/3", chunked, "text/html", "200 OK", "Transfer-Encoding: chunked"),
        response("http://a.example/4", brotli.compress(page), "text/html", "200 OK", "Content-Encoding: br"),
        response("http://a.example/a.png", picture(), "image/png"),
        response("http://a.example/r", b"", "text/html", "301 Moved", "Location: /1"),
        block("revisit", "http://a.example/1", http(b"")),
        block("resource", "http://a.example/b.png", picture("blue"), "image/png"),
        response("http://a.example/5", PAGES[1], "text/html; charset=windows-1252"),
    )


@cache
def members() -> tuple[bytes, ...]:
    """The records, each a gzip member."""
    return tuple(member(record) for record in records())


DRAWINGS = (
    b"""<?xml version="1.0"?><!DOCTYPE svg PUBLIC "-//W3C//DTD SVG 1.1//EN" "http://www.w3.org/svg11.dtd">
<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" width="40" height="30" viewBox="0 0 4 3">
<defs><linearGradient id="g"><stop offset="0" stop-color="red"/><stop offset="1"/></linearGradient>
<filter id="f"><feGaussianBlur stdDeviation="2"/></filter><clipPath id="c"><circle r="2"/></clipPath></defs>
<style>.a{fill:url(#g)}</style><rect class="a" width="4" height="3" filter="url(#f)"/><g clip-path="url(#c)">
<use xlink:href="#c"/><path d="M0 0C1 1 2 2 3 3z" transform="rotate(20)"/></g><text x="1" y="2">Text</text>
<image xlink:href="/etc/hostname" width="4" height="3"/></svg>""",
    b"<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 24 24'><g><g><circle cx='9' cy='9' r='3'/></g></g></svg>",
)


@cache
def wats() -> tuple[bytes, ...]:
    """Blocks of WAT records."""
    images = [{"path": "IMG@/src", "url": "a.jpg", "alt": "a"}, {"path": "A@/href", "url": "b.jpg", "text": "b"}]
    head = {"Title": "T", "Base": "/x/", "Metas": [{"name": "html@/lang", "content": "en"}],
            "Link": [{"path": "LINK@/href", "url": "l", "rel": "license"}]}  # fmt: skip
    answer = {"Response-Message": {"Status": "200", "Version": "HTTP/1.1", "Reason": "OK"},
              "Headers": {"Content-Type": "text/html", "X-Robots-Tag": ["noai", "none"]},
              "HTML-Metadata": {"Head": head, "Links": images * 3}}  # fmt: skip
    fields = {"WARC-Type": "response", "WARC-Target-URI": "http://a.example/", "WARC-Date": "2024-05-06T07:08:09Z"}
    whole = {"Container": {"Filename": "x.warc.gz", "Offset": "12"},
             "Envelope": {"WARC-Header-Metadata": fields,
                          "Payload-Metadata": {"HTTP-Response-Metadata": answer}}}  # fmt: skip
    return json.dumps(whole).encode(), json.dumps(whole, indent=1).encode("utf-8")


@cache
def lists() -> dict[str, bytes]:
    """Link lists by the ending of their names."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    rows = [
        {"url": f"http://a.example/{n}.jpg", "text": f'words, "{n}"', "width": n, "sha256": "0" * 64} for n in range(30)
    ]
    quoted = "".join(f'{row["url"]},"words, ""{row["width"]}""",{row["width"]}\n' for row in rows)
    stream = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(rows), stream, row_group_size=10)
    csv = b"url,text,width\n" + quoted.encode()
    return {".csv": csv, ".csv.gz": gzip.compress(csv, mtime=0), ".parquet": stream.getvalue(),
             ".tsv": b"url\ttext\n" + b"".join(f"{row['url']}\t{row['text']}\n".encode() for row in rows),
             ".jsonl": b"".join(json.dumps(row).encode() + b"\n" for row in rows)}  # fmt: skip


@cache
def tars() -> tuple[bytes, ...]:
    """Image shards of three layouts of tar."""
    found = []
    for form in (tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT):
        stream = io.BytesIO()
        with tarfile.open(fileobj=stream, mode="w", format=form) as tar:
            for key in ("000000000", "000000001", "long" * (10 if form == tarfile.USTAR_FORMAT else 40)):
                about = json.dumps({"url": "http://a.example/a.jpg", "caption": "c", "status": "success"}).encode()
                for name, data in (
                    (f"{key}.jpg", picture(kind="JPEG")),
                    (f"{key}.txt", b"text"),
                    (f"{key}.json", about),
                ):
                    entry = tarfile.TarInfo(name)
                    entry.size = len(data)
                    tar.addfile(entry, io.BytesIO(data))
        found.append(stream.getvalue())
    return tuple(found)


def draws() -> bool:
    """Whether the library that rasterizes drawings is there."""
    return find_spec("resvg_py") is not None
