"""Statements about a release that must hold before anybody may see it."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pyarrow as pa

from assets.release.manifest import verify_folder
from assets.release.shards import ReleaseError

EXPECTED = {True: ("allow",), False: ("url_only",)}
WITHOUT_BYTES = {True: (), False: ("allow", "url_only")}
"""Verdicts with which a sample may go with its image, and by its address: of a whole release, of one without bytes."""


def released_samples_are_allowed(members: pa.Table, rights: pa.Table, bytes_too: bool = True) -> tuple[bool, str]:
    """Every released sample is there once, has one rights row, is not reserved, and is released as its verdict says.

    Args:
        members: table `release_member` of one release.
        rights: table `rights` of all samples.
        bytes_too: False for a release of addresses and captions alone.
    """
    listed = members.select(["sample_id", "with_image"]).to_pylist()
    times = Counter(row["sample_id"] for row in listed)
    found: dict[int, list[tuple[str, str]]] = {sample: [] for sample in times}
    columns = (rights.column(name).to_pylist() for name in ("sample_id", "verdict", "reservation"))
    for sample, verdict, reservation in zip(*columns, strict=True):
        if sample in found:
            found[sample].append((verdict, reservation))
    for row in listed:
        sample, rows = row["sample_id"], found[row["sample_id"]]
        if times[sample] != 1:
            return False, f"sample {sample} is released {times[sample]} times"
        if len(rows) != 1:
            return False, f"sample {sample} is released and has {len(rows)} rights rows, but must have one"
        verdict, reservation = rows[0]
        if reservation == "reserved":
            return False, f"sample {sample} is released, but its rights are reserved"
        if verdict not in (EXPECTED if bytes_too else WITHOUT_BYTES)[row["with_image"]]:
            how = "with its image" if row["with_image"] else "by its address"
            return False, f"sample {sample} is released {how}, but its verdict is {verdict}"
    return True, f"{len(listed)} released samples, each with one rights row that allows it"


def release_reads_back(folder: Path) -> tuple[bool, str]:
    """Every file of the release has the hash that its SHA256SUMS says, none is missing and none is extra."""
    try:
        wrong = verify_folder(folder)
    except ReleaseError as error:
        return False, str(error)
    if wrong:
        return False, f"{len(wrong)} files are missing, changed or not listed: {', '.join(wrong[:5])}"
    return True, "every file has the hash that SHA256SUMS says"
