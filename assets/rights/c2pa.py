"""C2PA manifests: what the signer of an image says of training, mining, license and author.

Assertions read are CAWG's `cawg.training-mining` (1.1, May 2025) and its forerunner `c2pa.training-mining` (C2PA 1.4),
`stds.schema-org.CreativeWork` and `cawg.metadata`, all of the active manifest only: a manifest further down is about
an ingredient, which is another asset. The library is optional (extra `c2pa`) and may use no network: manifests that are
only named by an address are not fetched, no certificate is looked up, and no list of trusted signers is loaded. So a
signature shows whether a file was changed, not who signed it, and trust stays unchecked.
"""

from __future__ import annotations

import io
import json
import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any

from assets.rights.preferences import ALLOWED, CONDITIONAL, RESERVED, UNKNOWN
from assets.rights.xmp import PROPERTIES, STRUCTURES, Properties, UnreadableError, prefix_of

LABEL = b"training-mining"
"""Part of the name of every assertion about training, legible in a file that cannot be read otherwise."""

MAX_STORE = 16 << 20
"""A larger manifest store is not read; thumbnails of ingredients make real ones a few megabytes."""

MAX_ENTRIES, MAX_DEPTH, MAX_LEAVES = 100, 8, 500

_SETTINGS = {
    "verify": {
        "verify_after_reading": True,
        "verify_trust": False,
        "verify_timestamp_trust": False,
        "check_ingredient_trust": False,
        "ocsp_fetch": False,
        "remote_manifest_fetch": False,
    },
    # The first forbids every request that a setting of its own does not; the second would look up did:web addresses.
    "core": {"allowed_network_hosts": [], "decode_identity_assertions": False},
}

_CLOCK_OR_TRUST = {"signingCredential.expired", "signingCredential.untrusted"}
"""Failures that say nothing about the bytes: the same file must read the same in a year and without a trust list."""


class MissingExtraError(UnreadableError):
    """The library is not installed."""


@dataclass
class Manifest:
    """What the active manifest states.

    Attributes:
        validation: the library's verdict on signature and hashes, with what failed.
        uses: (rule, usage, decision, value) of each entry about training and mining.
        stated: license, owner and author, by the names that XMP has for them.
    """

    validation: str
    sound: bool
    uses: list[tuple[str, str, str, str]] = field(default_factory=list)
    stated: Properties = field(default_factory=lambda: defaultdict(list))


def _library() -> ModuleType:
    try:
        import c2pa
    except ImportError as error:
        raise MissingExtraError("the extra c2pa is not installed") from error
    return c2pa


def read_manifest(file: bytes, size: int) -> Manifest:
    """The active manifest of a file whose manifest store has `size` bytes. Raises UnreadableError."""
    library = _library()
    if size > MAX_STORE:
        raise UnreadableError("the manifest store is too large")
    try:
        context = library.Context.from_dict(_SETTINGS)
        with context, library.Reader(_format(file), io.BytesIO(file), context=context) as reader:
            store = json.loads(reader.json())
    except (library.C2paError, ValueError, RecursionError) as error:
        raise UnreadableError(str(error)[:200]) from error
    manifest = store.get("manifests", {}).get(store.get("active_manifest"))
    if manifest is None:
        raise UnreadableError("the active manifest cannot be read")
    found = _validated(store)
    for assertion in manifest.get("assertions") or ():
        _read_assertion(assertion.get("label") or "", assertion.get("data"), found)
    return found


def _format(file: bytes) -> str | None:
    """Media type where the library does not see it by itself."""
    return "image/svg+xml" if file[:100].lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"<") else None


def _validated(store: dict[str, Any]) -> Manifest:
    results = (store.get("validation_results") or {}).get("activeManifest") or {}
    failed = {str(failure.get("code")) for failure in results.get("failure") or ()} - _CLOCK_OR_TRUST
    sound = bool(results.get("success")) and not failed
    reasons = f" ({', '.join(sorted(failed)[:3])})" if failed else ""
    return Manifest("Valid" if sound else "Invalid" + reasons, sound)


_MINING = re.compile(r"(cawg|c2pa)\.training-mining(?:\.v\d+|__\d+)*")
_METADATA = re.compile(r"(?:cawg|c2pa)\.metadata(?:\.v\d+|__\d+)*")
_CREATIVE_WORK = re.compile(r"stds\.schema-org\.CreativeWork(?:\.v\d+|__\d+)*")


def _read_assertion(label: str, data: Any, found: Manifest) -> None:
    if mining := _MINING.fullmatch(label):
        rule = {"cawg": "c2pa_cawg", "c2pa": "c2pa_legacy"}[mining[1]]
        found.uses += [(rule, *use) for use in _uses(label, data, found)]
    elif _METADATA.fullmatch(label) and isinstance(data, dict):
        _read_metadata(data, found.stated)
    elif _CREATIVE_WORK.fullmatch(label) and isinstance(data, dict):
        for name, value in _creative_work(data):
            _add(found.stated, name, value)


_USAGES = {
    "data_mining": "tdm",
    "ai_training": "ai_train",
    "ai_generative_training": "ai_gen_train",
    "ai_inference": "ai_input",
}


def _uses(label: str, data: Any, found: Manifest) -> list[tuple[str, str, str]]:
    """(usage, decision, value) of an assertion's entries; an assertion that names no known use may still restrict."""
    prefix = f"validation={found.validation}; trust=unchecked; "
    uses = []
    for name, use, info in list(_entries(data))[:MAX_ENTRIES]:
        usage = _USAGES.get(name.removeprefix("cawg.").removeprefix("c2pa."))
        value = f"{prefix}{name}={use}" + (f" ({info})" if info else "")
        uses.append((usage or "tdm", _decision(use, info, found.sound) if usage else UNKNOWN, value))
    return uses or [("tdm", CONDITIONAL, f"{prefix}{label} without entries")]


def _decision(use: str, info: str, sound: bool) -> str:
    """What an entry says; a permission in a file that was changed is none, and what cannot be read may restrict.

    `constrained` without more counts as `notAllowed` (CAWG training and data mining 1.1, assertion definition).
    """
    if use == "allowed":
        return ALLOWED if sound else UNKNOWN
    if use == "constrained":
        return CONDITIONAL if info else RESERVED
    return RESERVED if use.lower() == "notallowed" else CONDITIONAL


def _entries(data: Any) -> Iterator[tuple[str, str, str]]:
    """(name, use, constraint) of entries: a map, a list, or (an early draft of the schema) the assertion itself."""
    entries = data.get("entries", data) if isinstance(data, dict) else data
    if isinstance(entries, dict):
        for name, entry in entries.items():
            if name not in ("metadata", "@context"):
                yield _entry(name, entry)
    for entry in entries if isinstance(entries, list) else ():
        if isinstance(entry, dict):
            named = next((entry[key] for key in ("name", "label", "type") if isinstance(entry.get(key), str)), None)
            for name, inner in [(named, entry)] if named else entry.items():
                yield _entry(name, inner)


def _entry(name: str, entry: Any) -> tuple[str, str, str]:
    if not isinstance(entry, dict):
        return name, str(entry)[:100], ""
    info = entry.get("constraint_info") or entry.get("constraints_info") or ""
    return name, str(entry.get("use"))[:100], " ".join(str(info).split())


_SCHEMA_ORG = {
    "license": "cc:license",
    "copyrightNotice": "dc:rights",
    "creditText": "photoshop:Credit",
    "name": "dc:title",
    "url": "cc:attributionURL",
    "acquireLicensePage": "plus:LicensorURL",
}


def _creative_work(data: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """XMP's name and the value of each property that is read; of people, their names."""
    for key, name in _SCHEMA_ORG.items():
        yield name, data.get(key)
    for key, name in (
        ("author", "dc:creator"),
        ("creator", "dc:creator"),
        ("copyrightHolder", "plus:CopyrightOwnerName"),
    ):
        people = data.get(key)
        for person in people if isinstance(people, list) else [people]:
            yield name, person.get("name") if isinstance(person, dict) else person


def _read_metadata(data: dict[str, Any], stated: Properties) -> None:
    """JSON-LD with XMP's properties; its context says which prefix stands for which namespace."""
    context = data.get("@context")
    prefixes = {
        prefix: known
        for prefix, namespace in (context.items() if isinstance(context, dict) else ())
        if isinstance(namespace, str) and (known := prefix_of(namespace))
    }
    for key, value in data.items():
        prefix, _, local = key.partition(":")
        name = f"{prefixes.get(prefix, prefix)}:{local}"
        if name in STRUCTURES:
            part = STRUCTURES[name].partition(":")[2]
            for inner in value if isinstance(value, list) else [value]:
                for inner_key, text in inner.items() if isinstance(inner, dict) else ():
                    if inner_key.rpartition(":")[2] == part:
                        _add(stated, STRUCTURES[name], text)
        elif name in PROPERTIES:
            _add(stated, name, value)


def _add(stated: Properties, name: str, value: Any) -> None:
    texts = [text for leaf in _leaves(value, MAX_DEPTH) if (text := " ".join(leaf.split()))]
    stated[name] += texts[: MAX_LEAVES - len(stated[name])]


def _leaves(value: Any, depth: int) -> Iterator[str]:
    """Texts in a JSON-LD value: itself, members of lists, addresses, and texts in several languages."""
    if isinstance(value, (str, bool)):
        yield str(value)
    elif isinstance(value, (list, dict)) and depth:
        inner = value if isinstance(value, list) else [v for key, v in value.items() if key != "@type"]
        for part in inner:
            yield from _leaves(part, depth - 1)
