"""Which samples' pictures may be shown to those who get a release."""

from __future__ import annotations

from collections.abc import Container, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

ATTRIBUTION, NO_DERIVATIVES = 1, 8
"""Bits of `rights.obligations`: credit must be given; a thumbnail would be an adaptation."""


def barred(build: Any, sample_ids: Sequence[int], credited: Container[int]) -> dict[int, str]:
    """Samples whose pictures a release must not show, and why: not to be copied, adapted, or shown without credit.

    Args:
        build: with step rights done.
        sample_ids: which samples are asked about.
        credited: samples that the release credits.
    """
    found = {}
    for shard in build.snapshot.shards:
        wanted = pa.array([one for one in sample_ids if int(one) >> 32 == shard.shard_id], pa.uint64())
        if len(wanted) == 0:
            continue
        rights = build.read("rights", "rights", ["sample_id", "verdict", "obligations"], shard=shard)
        for row in rights.filter(pc.is_in(rights["sample_id"], wanted)).to_pylist():
            if row["verdict"] != "allow":
                found[row["sample_id"]] = str(row["verdict"])
            elif (row["obligations"] or 0) & NO_DERIVATIVES:
                found[row["sample_id"]] = "not adapted"
            elif (row["obligations"] or 0) & ATTRIBUTION and row["sample_id"] not in credited:
                found[row["sample_id"]] = "not credited"
    return found
