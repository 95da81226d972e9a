-- Which captions does this sample have, written by which model from what, and which one was chosen.
-- parameter sample_id: sample
SELECT c.chosen, c.kind, c.text, c.model, c.revision, c.inputs, c.status, c.reason, c.score, c.threshold,
    a.license AS model_license, a.output_terms
FROM caption c LEFT JOIN agent a ON a.agent_id = c.model
WHERE c.sample_id = $sample_id::UBIGINT
ORDER BY c.chosen DESC, c.kind, c.model
