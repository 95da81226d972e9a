-- Everything that was found about a sample: license statements and opt-outs, with the bytes they were read from.
-- column sample_id: sample
-- column kind: license or reservation
-- column subject_type: what the finding is about: image, sample, text, page or site
-- column rule: rule that found it
-- column says: SPDX id of a license; unknown, allowed, conditional or reserved of an opt-out
-- column usage: what an opt-out is about: tdm, ai_train …
-- column confidence: how sure the rule is, 0 to 1; null for opt-outs
-- column value: raw value
-- column record_id: record it was read from
-- column crawl_file: crawl file of that record, or WARC file of the home that holds the fetched answer
-- column record_offset: where that record starts in the crawl file
-- column part: headers or body
-- column byte_start: start of the range in that part
-- column byte_end: end of the range, exclusive
-- column decided: True: the rule that decided the sample's rights
WITH subject AS NOT MATERIALIZED (
    SELECT sample_id, 'image' AS subject_type, image_record_id AS subject_id FROM sample
    UNION ALL SELECT sample_id, 'image', image_id FROM sample WHERE image_id IS DISTINCT FROM image_record_id
    UNION ALL SELECT sample_id, 'sample', sample_id FROM sample
    UNION ALL SELECT sample_id, 'text', sample_id FROM sample
    UNION ALL SELECT sample_id, 'page', page_record_id FROM sample
    UNION ALL
    SELECT sample_id, 'site', record_id FROM sample JOIN site_record ON site_record.host = host(page_url)
    UNION ALL
    SELECT sample_id, 'site', record_id FROM sample JOIN site_record ON site_record.host = host(image_url)
    WHERE host(image_url) IS DISTINCT FROM host(page_url)
),
finding AS NOT MATERIALIZED (
    SELECT 'license' AS kind, subject_type, subject_id, rule, spdx_id AS says, NULL AS usage, confidence, value,
        record_id, part, byte_start, byte_end
    FROM license_evidence
    UNION ALL
    SELECT 'reservation', subject_type, subject_id, rule, decision, usage, NULL, value,
        record_id, part, byte_start, byte_end
    FROM reservation_evidence
)
SELECT s.sample_id, f.kind, s.subject_type, f.rule, f.says, f.usage, f.confidence, f.value,
    f.record_id, coalesce(e.file, h.uri) AS crawl_file, e.offset AS record_offset, f.part, f.byte_start, f.byte_end,
    coalesce(f.rule = r.decided_by, false) AS decided
FROM subject s JOIN finding f USING (subject_type, subject_id)
LEFT JOIN record e ON e.record_id = f.record_id
LEFT JOIN shard h ON h.shard_id = e.shard_id
LEFT JOIN rights r ON r.sample_id = s.sample_id
