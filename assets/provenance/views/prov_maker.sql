-- Which run made the rows of a table, for every shard: runs that take all shards stand here for each of them.
-- column table_name: table
-- column shard_id: shard
-- column asset: asset; some tables are made by several
-- column activity: run, as in prov_activity
SELECT DISTINCT f.table_name, h.shard_id, a.asset, a.activity
FROM artifact f JOIN prov_activity a USING (asset, fingerprint) JOIN shard h ON h.shard_id = a.shard_id
WHERE f.uri NOT LIKE 'observations/%'
UNION ALL
SELECT DISTINCT f.table_name, h.shard_id, a.asset, a.activity
FROM artifact f JOIN prov_activity a USING (asset, fingerprint), shard h
WHERE a.shard_id IS NULL
