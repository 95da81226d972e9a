-- 13. Which domains gave the most content: decoded image bytes seen and released, largest first (for the top 10 % that the
-- EU public summary asks for, see rank_share).
WITH counted AS (
    SELECT coalesce(d.domain, '') AS domain, count(*) AS samples, sum(i.bytes)::UBIGINT AS bytes,
        count(m.sample_id) AS released, coalesce(sum(i.bytes) FILTER (m.with_image), 0)::UBIGINT AS released_bytes
    FROM sample s
    JOIN image i USING (image_id)
    LEFT JOIN sample_host n USING (sample_id)
    LEFT JOIN host_domain d ON d.host_id = n.page_host
    LEFT JOIN (SELECT sample_id, bool_or(with_image) AS with_image FROM release_member GROUP BY sample_id) m
        ON m.sample_id = s.sample_id
    GROUP BY ALL
)
SELECT domain, samples, bytes, round(bytes / sum(bytes) OVER (), 4) AS share, released, released_bytes,
    round(row_number() OVER (ORDER BY bytes DESC, domain) / count(*) OVER (), 4) AS rank_share
FROM counted ORDER BY bytes DESC, domain
