-- 1. Where did this sample come from: crawl files, byte offsets, page and image.
-- parameter sample_id: sample
SELECT s.sample_id, h.source, h.uri AS crawl_file, lower(hex(h.sha256)) AS crawl_file_sha256,
    p.offset AS page_offset, p.length AS page_length, p.fetched_at, s.page_url, s.position,
    coalesce(i.file, ih.uri) AS image_crawl_file, i.offset AS image_offset, i.length AS image_length, s.image_url,
    lower(hex(m.sha256)) AS image_sha256, m.file AS image_file, m.member AS image_member
FROM sample s
LEFT JOIN shard h USING (shard_id)
LEFT JOIN record p ON p.record_id = s.page_record_id
LEFT JOIN record i ON i.record_id = coalesce(s.image_id, s.image_record_id)
LEFT JOIN shard ih ON ih.shard_id = i.shard_id
LEFT JOIN image m USING (image_id)
WHERE s.sample_id = $sample_id::UBIGINT
