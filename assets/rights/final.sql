-- Rights: each occurrence, made as strict as the strictest copy of the same bytes that states something.
SELECT o.* EXCLUDE (image_verdict) REPLACE (
    o.conflict OR coalesce(t.conflict, false) AS conflict,
    CASE WHEN harder THEN t.verdict ELSE o.verdict END AS verdict,
    CASE WHEN NOT harder THEN o.reason WHEN t.conflict THEN 'twin_conflict' ELSE 'twin_refused' END AS reason,
    CASE WHEN harder THEN 'twin' ELSE o.decided_by END AS decided_by)
FROM (
    SELECT o.sample_id, t.sha256, coalesce(list_position(['allow', 'url_only', 'review', 'deny'], t.verdict)
        > list_position(['allow', 'url_only', 'review', 'deny'], o.verdict), false) AS harder
    FROM occurrence o LEFT JOIN sample_sha256 h USING (sample_id) LEFT JOIN twin t USING (sha256)
) j JOIN occurrence o USING (sample_id) LEFT JOIN twin t USING (sha256)
ORDER BY o.sample_id
