-- 4. Which model and revision wrote the captions of each kind, under which terms, and what became of them.
SELECT c.kind, c.model, c.revision, c.model_license, c.output_terms, count(*) AS captions,
    count(*) FILTER (c.status = 'ok') AS accepted, count(*) FILTER (c.status = 'rejected') AS rejected,
    count(*) FILTER (c.status = 'skipped') AS skipped, count(*) FILTER (c.status = 'failed') AS failed,
    count(*) FILTER (c.chosen) AS chosen,
    count(m.sample_id) FILTER (c.chosen) AS released
FROM (SELECT * FROM caption QUALIFY attempt = max(attempt) OVER (PARTITION BY sample_id, kind, model)) c
LEFT JOIN (SELECT DISTINCT sample_id FROM release_member) m ON m.sample_id = c.sample_id
GROUP BY ALL ORDER BY c.kind, c.model, c.revision
