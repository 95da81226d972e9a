-- 9. Everything whose page or image comes from a domain or host, and what became of it.
-- parameter domain: registrable domain (example.org: with all hosts under it) or host (www.example.org)
WITH wanted AS (
    SELECT host_id FROM host_domain
    WHERE domain = lower($domain::VARCHAR) OR host = lower($domain::VARCHAR)
        OR ends_with(host, '.' || lower($domain::VARCHAR))
),
hit AS MATERIALIZED (
    SELECT sample_id FROM sample_host WHERE page_host IN (FROM wanted) OR image_host IN (FROM wanted)
)
SELECT s.sample_id, s.page_url, s.image_url, r.image_license AS license, r.verdict,
    coalesce(m.file, '') <> '' AS released, m.file, d.stage AS dropped_stage, d.reason AS dropped_reason
FROM sample s SEMI JOIN hit USING (sample_id)
LEFT JOIN rights r ON r.sample_id = s.sample_id
LEFT JOIN (SELECT sample_id, min(file) AS file FROM release_member GROUP BY sample_id) m ON m.sample_id = s.sample_id
LEFT JOIN (SELECT * FROM decision SEMI JOIN hit USING (sample_id) WHERE NOT kept) d ON d.sample_id = s.sample_id
ORDER BY s.sample_id
