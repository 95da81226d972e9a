-- 5. Which releases of this home contain this sample, earlier and withdrawn ones too, and where.
-- parameter sample_id: sample
SELECT m.release_id, m.file, m."row", m.with_image, m.caption_kind, r.version, r.supersedes, r.published_at, r.withdrawn_at
FROM (
    SELECT release_id, sample_id, file, "row", with_image, caption_kind FROM release_member
    UNION SELECT release_id, sample_id, file, "row", with_image, caption_kind FROM release_history
) m
LEFT JOIN (
    SELECT DISTINCT release_id, version, supersedes, published_at, withdrawn_at FROM release
) r USING (release_id)
WHERE m.sample_id = $sample_id::UBIGINT ORDER BY r.published_at, m.release_id
