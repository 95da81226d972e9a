"""What must hold of decisions about copies."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pyarrow as pa


def copies_name_who_stays(parts: Iterable[pa.Table], others_stay: bool = True) -> tuple[bool, str]:
    """Every dropped copy names another sample in whose favor it went, which itself stays.

    Args:
        parts: table `decision` of stage dedup, some rows at a time.
        others_stay: False for rule `semdedup`, under which the other may have gone as well.
    """
    ids, kept, named, dropped = [np.empty(0, np.uint64)], [np.empty(0, bool)], [np.empty(0, np.uint64)], []
    for part in parts:
        stays = part["kept"].to_numpy()
        ids.append(part["sample_id"].to_numpy())
        kept.append(stays)
        gone = part.filter(pa.array(~stays))
        if gone["other_sample_id"].null_count:
            lost = gone.filter(gone["other_sample_id"].is_null())["sample_id"][0]
            return False, f"sample {lost} is dropped as a copy, but names no other"
        named.append(gone["other_sample_id"].to_numpy())
        dropped.append(gone["sample_id"].to_numpy())
    everyone, stays = np.concatenate(ids), np.concatenate(kept)
    known = np.sort(everyone[stays] if others_stay else everyone)
    others, copies = np.concatenate(named), np.concatenate([np.empty(0, np.uint64), *dropped])
    wrong = np.flatnonzero(~np.isin(others, known) | (others == copies))
    if len(wrong):
        return False, f"sample {copies[wrong[0]]} is dropped in favor of {others[wrong[0]]}, which does not stay"
    return True, f"{len(everyone)} samples, {len(copies)} copies dropped, each in favor of one that stays"
