-- Which releases contain this sample, and where.
-- parameter sample_id: sample
SELECT m.release_id, m.file, m."row", m.with_image, m.caption_kind, r.version, r.published_at, r.withdrawn_at
FROM release_member m
LEFT JOIN (SELECT DISTINCT release_id, version, published_at, withdrawn_at FROM release) r USING (release_id)
WHERE m.sample_id = $sample_id::UBIGINT ORDER BY m.release_id
