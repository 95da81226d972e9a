-- Which run made what: files, and what the tables in them hold. What was observed (answers of hosts and models) was there
-- before the run that reads it, and is not in this view. Filter by numbers where you can, as in prov_was_derived_from.
-- column entity: what was made
-- column activity: run that made it, as in prov_activity
-- column made_at: when that run ended; null where the ledger does not know the run
-- column what: kind of what was made: file, record, image, sample, hint, caption or release_row
-- column sample_id: sample that it is or belongs to; null for records, images and files
-- column record_id: record that it is or was decoded from; null for the others
SELECT prov_artifact(f.uri) AS entity, a.activity, a.ended_at AS made_at, 'file' AS what,
    NULL::UBIGINT AS sample_id, NULL::UBIGINT AS record_id
FROM artifact f JOIN prov_activity a USING (asset, fingerprint)
WHERE f.uri NOT LIKE 'observations/%'
UNION ALL
SELECT prov_caption(c.sample_id, c.kind, c.model, c.attempt), a.activity, a.ended_at, 'caption', c.sample_id, NULL
FROM caption c
JOIN prov_maker m ON m.table_name = 'draft' AND m.shard_id = (c.sample_id >> 32)::UINTEGER
    AND (m.asset = 'fusion') = (c.kind IN ('alt', 'fused'))
JOIN prov_activity a USING (activity)
WHERE c.text IS NOT NULL
UNION ALL
SELECT d.entity, d.activity, a.ended_at, d.what, d.sample_id, d.record_id
FROM (
    SELECT DISTINCT generated AS entity, activity, what, sample_id, record_id FROM prov_was_derived_from
    WHERE what NOT IN ('file', 'caption')
) d JOIN prov_activity a USING (activity)
