from orchestration.jobs import range_tags
from orchestration.registry import Shard, Snapshot


def test_a_run_covers_every_shard_of_a_snapshot_whatever_the_order_in_which_dagster_knows_them():
    snapshot = Snapshot(tuple(Shard(n, source, f"{n}", "00", 1) for n, source in ((1, "w"), (2, "x"), (3, "x"))))
    known = ["x.00001", "x.00002", "w.00001", "y.00009", "x.00003"]
    tags = range_tags(snapshot, known)
    start, end = (known.index(tags[f"dagster/asset_partition_range_{side}"]) for side in ("start", "end"))
    assert {shard.partition for shard in snapshot.shards} <= set(known[start : end + 1])
