-- 3. Which license statements were seen for this sample, by which rule and in which bytes, and which one decided.
-- parameter sample_id: sample
SELECT decided, rule, says, confidence, subject_type, value, crawl_file, record_offset, part, byte_start, byte_end
FROM sample_evidence
WHERE sample_id = $sample_id::UBIGINT AND kind = 'license'
ORDER BY decided DESC, confidence DESC, rule, byte_start, says
