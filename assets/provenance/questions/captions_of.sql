-- Which captions does this sample have, written by which model from what, and which one was chosen.
-- parameter sample_id: sample
SELECT c.chosen, c.kind, c.attempt, c.text, c.model, c.revision, c.inputs, c.status, c.reason, c.score, c.threshold,
    c.similarity, c.selected,
    c.model_license, c.output_terms, c.license, c.obligations
FROM caption c WHERE c.sample_id = $sample_id::UBIGINT
ORDER BY c.chosen DESC, c.kind, c.model, c.attempt
