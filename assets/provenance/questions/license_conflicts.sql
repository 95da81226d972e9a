-- Which images stand under different licenses in different places: every copy with its own license and what it may be
-- used for. Two stated licenses are a conflict, and all copies have the strictest verdict; a silent copy is none.
WITH differing AS (
    SELECT i.sha256, count(DISTINCT o.image_license) AS licenses
    FROM sample s JOIN image i USING (image_id) JOIN occurrence o USING (sample_id)
    GROUP BY i.sha256 HAVING licenses > 1
)
SELECT lower(hex(d.sha256)) AS image_sha256, coalesce(t.conflict, false) AS conflict, s.sample_id,
    coalesce(s.page_url, s.image_url) AS place, o.image_license AS license, o.decided_by,
    o.verdict AS verdict_alone, r.verdict, r.reason
FROM differing d
JOIN image i USING (sha256)
JOIN sample s USING (image_id)
JOIN occurrence o USING (sample_id)
JOIN rights r ON r.sample_id = s.sample_id
LEFT JOIN twin t ON t.sha256 = d.sha256
ORDER BY conflict DESC, image_sha256, s.sample_id
