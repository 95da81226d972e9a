-- 12. Which release files a takedown would rewrite: what a selector names, copies of the same bytes, and whole groups of
-- near-duplicates, until nothing new is reached; as winnow takedown does it.
-- parameter kind: url, url_prefix, host, domain, page, image_sha256, image_md5, phash, creator, record or sample
-- parameter value: the address, host, hash …; of phash 16 hexadecimal digits, and a radius as in …/8
WITH RECURSIVE selector AS (
    SELECT 'asked' AS list, $kind::VARCHAR AS kind, $value::VARCHAR AS value, length($value::VARCHAR) AS length,
        $radius::UTINYINT AS radius
),
named AS MATERIALIZED ({named}),
edge AS MATERIALIZED (
    SELECT sample_id AS a, other_sample_id AS b FROM decision WHERE stage = 'dedup' AND other_sample_id IS NOT NULL
    UNION ALL
    SELECT other_sample_id, sample_id FROM decision WHERE stage = 'dedup' AND other_sample_id IS NOT NULL
),
reached AS (
    SELECT sample_id FROM named
    UNION
    (
        SELECT b FROM reached JOIN edge ON a = sample_id
        UNION ALL
        SELECT t.sample_id FROM reached r JOIN sample s ON s.sample_id = r.sample_id JOIN image i ON i.image_id = s.image_id
        JOIN image c ON c.sha256 = i.sha256 JOIN sample t ON t.image_id = c.image_id
    )
),
matched AS (
    SELECT sample_id, coalesce(n.match, 'twin or duplicate') AS match
    FROM (SELECT DISTINCT sample_id FROM reached) LEFT JOIN named n USING (sample_id)
)
SELECT m.release_id, m.file, f.match, count(*) AS samples, list(f.sample_id ORDER BY f.sample_id)[:100] AS sample_ids
FROM matched f JOIN release_member m USING (sample_id)
GROUP BY ALL ORDER BY m.release_id, m.file, f.match
