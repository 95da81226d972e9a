"""In which character set a page is read: byte order mark, header, meta element, then what its bytes look like."""

from __future__ import annotations

import codecs
import re

FALLBACK = "cp1252"
_MARKS = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"))
_PRESCAN = 4096
_DETECTED = 16384
_COMMENT = re.compile(rb"<!--.*?-->", re.DOTALL)
_NOT_ASCII = re.compile(rb"[\x80-\xff]")
_META = re.compile(rb"<meta[^>]{0,400}?charset\s*=\s*[\"']?\s*([a-zA-Z0-9_:.-]{2,40})", re.IGNORECASE)
_XML = re.compile(rb"\s*<\?xml[^>]{0,200}?encoding\s*=\s*[\"']([a-zA-Z0-9_:.-]{2,40})")

# Of Python's codecs those that browsers have; the encoding standard reads some labels as their supersets.
_SAME = ("utf-8", "utf-16-be", "cp866", "koi8-r", "koi8-u", "mac-roman", "mac-cyrillic", "iso8859-2", "iso8859-3",
         "iso8859-4", "iso8859-5", "iso8859-6", "iso8859-7", "iso8859-8", "iso8859-10", "iso8859-13", "iso8859-14",
         "iso8859-15", "iso8859-16", "cp874", "cp932", "cp949", "cp1250", "cp1251", "cp1252", "cp1253", "cp1254",
         "cp1255", "cp1256", "cp1257", "cp1258", "gb18030", "big5hkscs", "euc_jp", "iso2022_jp")  # fmt: skip
_WIDER = {"iso8859-1": "cp1252", "ascii": "cp1252", "iso8859-9": "cp1254", "iso8859-11": "cp874", "tis-620": "cp874",
          "shift_jis": "cp932", "euc_kr": "cp949", "gb2312": "gb18030", "gbk": "gb18030", "big5": "big5hkscs",
          "utf-16": "utf-16-le", "utf-16-le": "utf-16-le"}  # fmt: skip
_CODECS = {**{name: name for name in _SAME}, **_WIDER}
# Labels of the standard that Python does not know.
_LABELS = {"x-sjis": "cp932", "windows-31j": "cp932", "ms_kanji": "cp932", "x-euc-jp": "euc_jp", "korean": "cp949",
           "ks_c_5601-1987": "cp949", "ks_c_5601-1989": "cp949", "ksc5601": "cp949", "ksc_5601": "cp949",
           "windows-949": "cp949", "chinese": "gb18030", "x-gbk": "gb18030", "gb_2312-80": "gb18030",
           "gb_2312": "gb18030", "cn-big5": "big5hkscs", "x-x-big5": "big5hkscs", "dos-874": "cp874",
           "windows-874": "cp874", "x-mac-roman": "mac-roman", "mac": "mac-roman", "x-mac-cyrillic": "mac-cyrillic",
           "x-mac-ukrainian": "mac-cyrillic", "koi": "koi8-r", "koi8": "koi8-r", "koi8-ru": "koi8-u",
           "iso-8859-8-i": "iso8859-8", "logical": "iso8859-8", "unicode-1-1-utf-8": "utf-8", "unicode": "utf-16-le",
           "ucs-2": "utf-16-le", "x-user-defined": "cp1252",
           **{f"x-cp125{i}": f"cp125{i}" for i in range(9)}}  # fmt: skip


def decode_html(body: bytes, header_charset: str | None) -> tuple[str, str]:
    """Text of a page and the codec it was read with; bytes that the codec does not know become U+FFFD.

    The order is the encoding standard's: byte order mark, Content-Type header, meta element or XML declaration; then
    UTF-8 where the bytes are valid, else detection.
    """
    for mark, name in _MARKS:
        if body.startswith(mark):
            return body[len(mark) :].decode(name, "replace"), name
    stated = codec(header_charset) or _declared(body)
    if stated:
        return body.decode(stated, "replace"), stated
    try:
        return body.decode("utf-8"), "utf-8"
    except UnicodeDecodeError:
        detected = _detected(body)
        return body.decode(detected, "replace"), detected


def codec(label: str | None) -> str | None:
    """The codec that stands for a label of the encoding standard; None where browsers know no such label."""
    key = (label or "").strip(" \t\r\n\f").lower()
    if key in _LABELS:
        return _LABELS[key]
    try:
        return _CODECS.get(codecs.lookup(key).name) if key else None
    except (LookupError, ValueError):
        return None


def _declared(body: bytes) -> str | None:
    head = _COMMENT.sub(b"", body[:_PRESCAN])
    match = _META.search(head) or _XML.match(head)
    name = codec(match[1].decode()) if match else None
    # What could be read as ASCII to find the label is not UTF-16.
    return "utf-8" if name in ("utf-16-le", "utf-16-be") else name


def _detected(body: bytes) -> str:
    from charset_normalizer import from_bytes

    # The start alone may be all ASCII: begin where it is not.
    first = _NOT_ASCII.search(body)
    start = max(0, first.start() - 512) if first else 0
    best = from_bytes(body[start : start + _DETECTED], cp_isolation=list(_SAME)).best()
    if best is None or FALLBACK in best.could_be_from_charset:
        return FALLBACK
    return codec(best.encoding) or FALLBACK
