-- 12. Which release files a takedown would rewrite: what a selector names, copies of the same bytes, and whole groups of
-- near-duplicates, until nothing new is reached; as winnow takedown does it.
-- parameter kind: url, url_prefix, host, domain, page, image_sha256, image_md5, phash, creator, record or sample
-- parameter value: the address, host, hash …; of phash 16 hexadecimal digits, and a radius as in …/8
WITH selector AS (
    SELECT 'asked' AS list, $kind::VARCHAR AS kind, $value::VARCHAR AS value, length($value::VARCHAR) AS length,
        $radius::UTINYINT AS radius
),
named AS MATERIALIZED ({named}),
reached AS (
    SELECT sample_id, match FROM named
    UNION ALL
    SELECT g.sample_id, 'twin or duplicate' FROM sample_group g
    SEMI JOIN (SELECT group_id FROM sample_group SEMI JOIN named USING (sample_id)) n USING (group_id)
    ANTI JOIN named m ON m.sample_id = g.sample_id
)
SELECT m.release_id, m.file, f.match, count(*) AS samples, list(f.sample_id ORDER BY f.sample_id)[:100] AS sample_ids
FROM reached f JOIN release_member m USING (sample_id)
GROUP BY ALL ORDER BY m.release_id, m.file, f.match
