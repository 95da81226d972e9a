-- How many samples each stage let go on, and why it dropped the others; in the order of the stages.
-- column stage: stage
-- column came_in: samples it decided on
-- column kept: samples that went on
-- column dropped: samples it dropped
-- column top_reasons: the four most frequent reasons, with their numbers
-- column reasons: every reason with its number, most frequent first
WITH counted AS (
    SELECT stage, kept, reason, count(*) AS samples FROM decision GROUP BY ALL
),
why AS (
    SELECT stage, list({'reason': reason, 'samples': samples} ORDER BY samples DESC, reason) AS reasons
    FROM counted WHERE NOT kept GROUP BY stage
)
SELECT c.stage, sum(c.samples)::BIGINT AS came_in,
    coalesce(sum(c.samples) FILTER (c.kept), 0)::BIGINT AS kept,
    coalesce(sum(c.samples) FILTER (NOT c.kept), 0)::BIGINT AS dropped,
    array_to_string(list_transform(any_value(w.reasons)[:4], lambda x: concat(x.reason, ' ', x.samples)), ', ')
        AS top_reasons,
    any_value(w.reasons) AS reasons
FROM counted c JOIN stage_order o USING (stage) LEFT JOIN why w USING (stage)
GROUP BY c.stage, o.position ORDER BY o.position
