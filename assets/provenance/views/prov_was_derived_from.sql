-- What was made from what: release rows, captions, samples, images, records and files, down to the crawl files. Filter by
-- sample_id or record_id where you can: identifiers are put together row by row, numbers are looked up.
-- column generated: what was made
-- column used: what it was made from
-- column activity: run that made it, as in prov_activity; null where the build does not know
-- column what: kind of what was made: file, record, image, sample, hint, caption or release_row
-- column sample_id: sample that it is or belongs to; null for records, images and files
-- column record_id: record that it is or was decoded from; null for the others
WITH maker AS (
    SELECT table_name, shard_id, any_value(activity) AS activity FROM prov_maker
    WHERE table_name IN ('image', 'sample', 'hint', 'release_member') GROUP BY ALL
),
record_maker AS (
    SELECT shard_id, asset = 'fetch' AS fetched, any_value(activity) AS activity FROM prov_maker
    WHERE table_name = 'record' GROUP BY ALL
),
caption_maker AS (
    SELECT shard_id, asset = 'fusion' AS fused, any_value(activity) AS activity FROM prov_maker
    WHERE table_name = 'draft' GROUP BY ALL
),
text AS NOT MATERIALIZED (
    SELECT prov_caption(c.sample_id, c.kind, c.model, c.attempt) AS id, c.sample_id, c.kind, c.inputs, m.activity
    FROM caption c LEFT JOIN caption_maker m
        ON m.shard_id = (c.sample_id >> 32)::UINTEGER AND m.fused = (c.kind IN ('alt', 'fused'))
    WHERE c.text IS NOT NULL
)
SELECT prov_artifact(f.uri) AS generated, u.entity AS used, u.activity, 'file' AS what,
    NULL::UBIGINT AS sample_id, NULL::UBIGINT AS record_id
FROM artifact f JOIN prov_activity a USING (asset, fingerprint) JOIN prov_used u ON u.activity = a.activity
WHERE f.uri NOT LIKE 'observations/%'
UNION ALL
SELECT prov_record(r.record_id), coalesce(prov_artifact(r.file), prov_shard(r.shard_id)), m.activity, 'record',
    NULL, r.record_id
FROM record r LEFT JOIN record_maker m ON m.shard_id = r.shard_id AND m.fetched = (r.file IS NOT NULL)
UNION ALL
SELECT prov_image(i.image_id), prov_record(i.image_id), m.activity, 'image', NULL, i.image_id
FROM image i LEFT JOIN maker m ON m.table_name = 'image' AND m.shard_id = i.shard_id
UNION ALL
SELECT prov_sample(s.sample_id), coalesce(prov_record(s.page_record_id), prov_shard(s.shard_id)), m.activity, 'sample',
    s.sample_id, NULL
FROM sample s LEFT JOIN maker m ON m.table_name = 'sample' AND m.shard_id = s.shard_id
UNION ALL
SELECT prov_sample(s.sample_id), prov_record(s.image_record_id), m.activity, 'sample', s.sample_id, NULL
FROM sample s LEFT JOIN maker m ON m.table_name = 'sample' AND m.shard_id = s.shard_id
WHERE s.image_record_id IS NOT NULL
UNION ALL
SELECT prov_sample(s.sample_id), prov_image(s.image_id), m.activity, 'sample', s.sample_id, NULL
FROM sample s LEFT JOIN maker m ON m.table_name = 'sample' AND m.shard_id = s.shard_id
WHERE s.image_id IS NOT NULL
UNION ALL
SELECT prov_hint(h.sample_id), prov_image(s.image_id), m.activity, 'hint', h.sample_id, NULL
FROM hint h JOIN sample s USING (sample_id)
LEFT JOIN maker m ON m.table_name = 'hint' AND m.shard_id = s.shard_id WHERE s.image_id IS NOT NULL
UNION ALL
SELECT id, prov_sample(sample_id), activity, 'caption', sample_id, NULL FROM text WHERE kind = 'alt'
UNION ALL
SELECT t.id, prov_image(s.image_id), t.activity, 'caption', t.sample_id, NULL
FROM text t JOIN sample s USING (sample_id) WHERE list_contains(t.inputs, 'image') AND s.image_id IS NOT NULL
UNION ALL
SELECT id, prov_hint(sample_id), activity, 'caption', sample_id, NULL FROM text
WHERE array_to_string(inputs, ' ') LIKE '%hint-%'
UNION ALL
SELECT t.id, prov_caption(c.sample_id, c.kind, c.model, c.attempt), t.activity, 'caption', t.sample_id, NULL
FROM text t JOIN caption c ON c.sample_id = t.sample_id AND list_contains(t.inputs, c.kind)
WHERE (c.selected OR c.kind = 'alt') AND c.text IS NOT NULL
UNION ALL
SELECT prov_release_row(r.release_id, r.sample_id), prov_sample(r.sample_id), m.activity, 'release_row',
    r.sample_id, NULL
FROM release_member r
LEFT JOIN maker m ON m.table_name = 'release_member' AND m.shard_id = (r.sample_id >> 32)::UINTEGER
UNION ALL
SELECT prov_release_row(r.release_id, r.sample_id), prov_caption(c.sample_id, c.kind, c.model, c.attempt), m.activity,
    'release_row', r.sample_id, NULL
FROM release_member r JOIN caption c ON c.sample_id = r.sample_id AND c.kind = r.caption_kind AND c.chosen
LEFT JOIN maker m ON m.table_name = 'release_member' AND m.shard_id = (r.sample_id >> 32)::UINTEGER
UNION ALL
SELECT prov_release_row(r.release_id, r.sample_id), prov_image(s.image_id), m.activity, 'release_row',
    r.sample_id, NULL
FROM release_member r JOIN sample s USING (sample_id)
LEFT JOIN maker m ON m.table_name = 'release_member' AND m.shard_id = (r.sample_id >> 32)::UINTEGER
WHERE r.with_image AND s.image_id IS NOT NULL
