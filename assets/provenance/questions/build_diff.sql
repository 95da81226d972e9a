-- 8. What is different between two builds: samples that the release gained or lost, other captions, licenses and deliveries,
-- each with stage and reason; of table release_change, which has every pair of builds that was compared.
-- parameter older: build or release before: an id, or its start
-- parameter newer: build or release after: an id, or its start
WITH pair AS (
    SELECT older, newer FROM release_change GROUP BY ALL
    HAVING (starts_with(older, $older::VARCHAR) OR older IN (SELECT build_id FROM release WHERE release_id = $older::VARCHAR))
        AND (starts_with(newer, $newer::VARCHAR) OR newer IN (SELECT build_id FROM release WHERE release_id = $newer::VARCHAR))
)
SELECT c.sample_id, c.change, c.stage, c.reason, c.before, c.after, s.image_url
FROM release_change c SEMI JOIN pair USING (older, newer) LEFT JOIN sample s USING (sample_id)
ORDER BY c.change, c.sample_id
