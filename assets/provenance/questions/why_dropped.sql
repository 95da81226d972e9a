-- 2. What did each stage decide about this sample, against which limit, and under which code and settings.
-- parameter sample_id: sample
SELECT d.stage, d.kept, d.reason, d.score, d.threshold, d.other_sample_id, f.asset, f.fingerprint,
    any_value(r.code_version) AS code_version, lower(hex(any_value(r.config_sha256))) AS config_sha256
FROM decision d
JOIN stage_order o USING (stage)
JOIN sample s USING (sample_id)
LEFT JOIN decision_file f ON f.stage = d.stage AND (f.shard_id = s.shard_id OR f.shard_id IS NULL)
LEFT JOIN run r ON r.fingerprint = f.fingerprint AND r.asset = f.asset
WHERE d.sample_id = $sample_id::UBIGINT
GROUP BY d.stage, d.kept, d.reason, d.score, d.threshold, d.other_sample_id, f.asset, f.fingerprint, o.position
ORDER BY o.position
