-- What did the newest build cost, by asset: shards that were computed, tries that failed, seconds, processor and GPU seconds, bytes; the most first.
WITH newest AS (SELECT build_id FROM build ORDER BY completed_at DESC NULLS LAST LIMIT 1),
runs AS (
    SELECT *, date_diff('microsecond', started_at, ended_at) / 1e6 AS seconds FROM run
    WHERE build_id = (FROM newest)
)
SELECT asset, count(*) FILTER (status = 'ok' AND NOT reused) AS computed, count(*) FILTER (reused) AS reused,
    count(*) FILTER (status = 'failed') AS failed,
    round(coalesce(sum(seconds) FILTER (NOT reused), 0), 3) AS seconds,
    round(sum(cpu_seconds) FILTER (NOT reused), 3) AS cpu_seconds,
    round(sum(gpu_seconds) FILTER (NOT reused), 3) AS gpu_seconds,
    sum(bytes_read) FILTER (NOT reused)::UBIGINT AS bytes_read,
    sum(bytes_written) FILTER (NOT reused)::UBIGINT AS bytes_written,
    round(avg(seconds) FILTER (status = 'ok' AND NOT reused), 3) AS seconds_per_shard
FROM runs GROUP BY asset ORDER BY seconds DESC, asset
