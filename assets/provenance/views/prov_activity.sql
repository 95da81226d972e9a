-- Runs that made the files of the build: a PROV activity is one asset's work for one shard, or for all of them. Runs that
-- found the files there are not in it.
-- column activity: identifier
-- column asset: asset
-- column shard_id: shard; null for an asset that takes all of them
-- column partition: Dagster's key of the shard
-- column fingerprint: hash of code version, recipe section and inputs
-- column run_id: run that wrote the files; null where the ledger does not know
-- column build_id: build it worked for; a later build of the home may have taken the files over
-- column code_version: hash of the stage's modules and libraries
-- column config_sha256: hash of the recipe section
-- column started_at: start
-- column ended_at: end
WITH made AS (
    SELECT asset, shard_id, fingerprint, max(run_id) AS run_id FROM artifact GROUP BY ALL
),
writer AS (
    SELECT m.asset, m.fingerprint, arg_max(r, (r.run_id IS NOT DISTINCT FROM m.run_id, r.started_at)) AS run
    FROM made m JOIN run r USING (asset, fingerprint) WHERE r.status = 'ok' AND NOT r.reused
    GROUP BY m.asset, m.fingerprint
),
named AS (
    SELECT m.*, h.source || '.' || printf('%05d', h.shard_id) AS partition FROM made m LEFT JOIN shard h USING (shard_id)
)
SELECT prov_activity_id(n.asset, n.partition, n.fingerprint) AS activity, n.asset, n.shard_id, n.partition, n.fingerprint,
    coalesce(w.run.run_id, n.run_id) AS run_id, w.run.build_id, w.run.code_version, w.run.config_sha256,
    w.run.started_at, w.run.ended_at
FROM named n LEFT JOIN writer w USING (asset, fingerprint)
