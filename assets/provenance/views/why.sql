-- The story of each sample in one row: where it came from, its rights and what decided them, where it was dropped or
-- under which text it was released.
-- column sample_id: sample
-- column outcome: released, dropped, or kept (no release yet)
-- column page_url: page
-- column image_url: image
-- column alt: alt attribute as crawled
-- column text: text the later stages paired with the image
-- column crawl_file: crawl file of the page
-- column record_offset: where the page's record starts in it
-- column fetched_at: when the page was fetched
-- column image_crawl_file: crawl file of the image, or WARC file of the home that holds the fetched answer
-- column image_offset: where the image's record starts in it
-- column image_sha256: hash of the image's bytes, hexadecimal
-- column image_file: tar of the lake that holds the bytes
-- column image_member: name in that tar
-- column image_license: SPDX id or expression, NONE or NOASSERTION
-- column verdict: allow, url_only, review or deny
-- column rights_reason: why, in a word or two
-- column reservation: unknown, allowed, conditional or reserved
-- column decided_by: rule of the finding that decided
-- column decided_value: what that finding read
-- column decided_record: record it was read from
-- column decided_crawl_file: crawl file of that record
-- column decided_offset: where that record starts
-- column decided_part: headers or body
-- column decided_byte_start: start of the range in that part
-- column decided_byte_end: end of the range, exclusive
-- column dropped_stage: stage that dropped it
-- column dropped_reason: why
-- column dropped_score: number that decided, where there is one
-- column dropped_threshold: limit it was held against
-- column other_sample_id: sample that stays in its place
-- column cluster_id: concept
-- column cluster_distance: cosine distance to its centroid
-- column cluster_size: samples of that concept
-- column cluster_quota: samples it keeps
-- column caption: text that was chosen
-- column caption_kind: alt, synthetic-short, synthetic-dense, synthetic-dense+ or fused
-- column caption_model: model that wrote it
-- column fusion_status: ok, rejected, skipped or failed; null if no fusion was tried
-- column fusion_reason: why the fusion was refused or skipped
-- column release_id: release that holds it
-- column release_file: file of that release
-- column release_row: row of that file's Parquet twin
-- column with_image: False: the address only
WITH dropped AS (
    SELECT sample_id, arg_min({'stage': stage, 'reason': reason, 'score': score, 'threshold': threshold,
        'other': other_sample_id}, position) AS first
    FROM decision JOIN stage_order USING (stage) WHERE NOT kept GROUP BY sample_id
),
deciding AS (
    SELECT e.sample_id, arg_max({'value': e.value, 'record': e.record_id, 'file': e.crawl_file,
        'offset': e.record_offset, 'part': e.part, 'start': e.byte_start, 'end': e.byte_end},
        (e.says = r.image_license, e.says = r.reservation, coalesce(e.confidence, 1), -coalesce(e.byte_start, 0)))
        AS finding
    FROM sample_evidence e JOIN rights r USING (sample_id) WHERE e.decided GROUP BY e.sample_id
),
chosen AS (
    SELECT sample_id, arg_min({'text': text, 'kind': kind, 'model': model}, kind) AS caption
    FROM caption WHERE chosen GROUP BY sample_id
),
fusion AS (
    SELECT sample_id, arg_max({'status': status, 'reason': reason}, attempt) AS fusion
    FROM caption WHERE kind = 'fused' GROUP BY sample_id
),
released AS (
    SELECT sample_id, arg_max({'id': release_id, 'file': file, 'row': "row", 'with_image': with_image}, release_id) AS place
    FROM release_member GROUP BY sample_id
)
SELECT s.sample_id,
    CASE WHEN m.place IS NOT NULL THEN 'released' WHEN d.first IS NOT NULL THEN 'dropped' ELSE 'kept' END AS outcome,
    s.page_url, s.image_url, s.alt, s.text,
    h.uri AS crawl_file, p.offset AS record_offset, p.fetched_at,
    coalesce(ip.file, ih.uri) AS image_crawl_file, ip.offset AS image_offset,
    lower(hex(i.sha256)) AS image_sha256, i.file AS image_file, i.member AS image_member,
    r.image_license, r.verdict, r.reason AS rights_reason, r.reservation, r.decided_by,
    e.finding.value AS decided_value, e.finding.record AS decided_record, e.finding.file AS decided_crawl_file,
    e.finding.offset AS decided_offset, e.finding.part AS decided_part, e.finding.start AS decided_byte_start,
    e.finding."end" AS decided_byte_end,
    d.first.stage AS dropped_stage, d.first.reason AS dropped_reason, d.first.score AS dropped_score,
    d.first.threshold AS dropped_threshold, d.first.other AS other_sample_id,
    n.cluster_id, n.distance AS cluster_distance, k.size AS cluster_size, k.quota AS cluster_quota,
    c.caption.text AS caption, c.caption.kind AS caption_kind, c.caption.model AS caption_model,
    f.fusion.status AS fusion_status, f.fusion.reason AS fusion_reason,
    m.place.id AS release_id, m.place.file AS release_file, m.place."row" AS release_row,
    m.place.with_image AS with_image
FROM sample s
LEFT JOIN shard h ON h.shard_id = s.shard_id
LEFT JOIN record p ON p.record_id = s.page_record_id
LEFT JOIN record ip ON ip.record_id = coalesce(s.image_id, s.image_record_id)
LEFT JOIN shard ih ON ih.shard_id = ip.shard_id
LEFT JOIN image i ON i.image_id = s.image_id
LEFT JOIN rights r ON r.sample_id = s.sample_id
LEFT JOIN deciding e ON e.sample_id = s.sample_id
LEFT JOIN dropped d ON d.sample_id = s.sample_id
LEFT JOIN cluster_member n ON n.sample_id = s.sample_id
LEFT JOIN cluster k ON k.cluster_id = n.cluster_id
LEFT JOIN chosen c ON c.sample_id = s.sample_id
LEFT JOIN fusion f ON f.sample_id = s.sample_id
LEFT JOIN released m ON m.sample_id = s.sample_id
