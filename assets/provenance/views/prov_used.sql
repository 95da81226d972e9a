-- Which run used which file: of its own shard, of an asset that takes all shards, or everything where it takes all of them
-- itself. Files are those of the assets it declares as inputs, answers of hosts and models that were recorded before it,
-- and crawl files.
-- column activity: run, as in prov_activity
-- column entity: file of the home, or crawl file
-- column asset: asset that used it
-- column shard_id: shard it worked on; null: all of them
-- column run_id: its run
-- column started_at: its start
-- column ended_at: its end
WITH readable AS (
    SELECT i.asset, f.shard_id, prov_artifact(f.uri) AS entity FROM step_input i JOIN artifact f ON f.asset = i.input
    UNION ALL
    SELECT asset, shard_id, prov_artifact(uri) FROM artifact WHERE uri LIKE 'observations/%'
    UNION ALL
    SELECT asset, shard_id, prov_shard(shard_id)
    FROM shard, (VALUES ('shards'), ('candidates'), ('crawl'), ('evidence'), ('documents')) reads_crawl_files(asset)
    WHERE asset <> 'documents' OR EXISTS (FROM step_input WHERE step_input.asset = 'documents')
),
pair AS (
    SELECT a, f.entity FROM prov_activity a JOIN readable f USING (asset, shard_id)
    UNION ALL
    SELECT a, f.entity FROM prov_activity a JOIN readable f USING (asset) WHERE f.shard_id IS NULL
    UNION ALL
    SELECT a, f.entity FROM prov_activity a JOIN readable f USING (asset)
    WHERE a.shard_id IS NULL AND f.shard_id IS NOT NULL
)
SELECT a.activity, entity, a.asset, a.shard_id, a.run_id, a.started_at, a.ended_at FROM pair
