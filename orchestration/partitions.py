"""Partitions: one per shard, that is per crawl file; hundreds, never one per image."""

from __future__ import annotations

import dagster as dg

from orchestration.registry import Snapshot

shards = dg.DynamicPartitionsDefinition(name="shard")


def announce(instance: dg.DagsterInstance, snapshot: Snapshot) -> list[str]:
    """Tell Dagster about shards it does not know yet; the keys it was told."""
    known = set(instance.get_dynamic_partitions("shard"))
    new = [shard.partition for shard in snapshot.shards if shard.partition not in known]
    if new:
        instance.add_dynamic_partitions("shard", new)
    return new
