-- Which program or model was at work in which run: the program in all of them, models where captions, hints or vectors
-- name them.
-- column activity: run, as in prov_activity
-- column agent: program or model
-- column agent_id: its id in table agent
WITH writer AS (
    SELECT DISTINCT (sample_id >> 32)::UINTEGER AS shard_id, CASE kind WHEN 'fused' THEN 'fusion' ELSE 'synthetic' END AS asset, model
    FROM caption WHERE model IS NOT NULL AND text IS NOT NULL
),
expert AS (
    SELECT DISTINCT shard_id, unnest(experts) AS model
    FROM (SELECT DISTINCT (sample_id >> 32)::UINTEGER AS shard_id, experts FROM hint)
),
pair AS (
    SELECT activity, 'winnow' AS agent_id FROM prov_activity
    UNION
    SELECT m.activity, w.model FROM writer w JOIN prov_maker m USING (shard_id, asset)
    UNION
    SELECT m.activity, e.model FROM expert e JOIN prov_maker m USING (shard_id) WHERE m.table_name = 'hint'
    UNION
    SELECT m.activity, g.agent_id FROM agent g, prov_maker m WHERE g.kind = 'encoder' AND m.table_name = 'embedding'
)
SELECT activity, prov_agent(agent_id) AS agent, agent_id FROM pair
