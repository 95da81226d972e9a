-- Whom to credit for each released sample whose license asks for it or whose author is stated.
-- column release_id: release
-- column sample_id: sample
-- column file: file of the release
-- column row: row of that file's Parquet twin
-- column work_title: title of the work, as stated
-- column creator: author, as stated
-- column credit: whom to credit, as stated
-- column copyright_notice: copyright notice, as stated
-- column source: where the work comes from, as stated, else the page, else the image
-- column license: SPDX id or expression, NONE or NOASSERTION
-- column license_url: the license's own address; of an expression those of all its licenses
-- column text_license: license of the words around the image
-- column text_license_url: its own address
-- column required: True: a license of the sample asks for attribution
SELECT m.release_id, m.sample_id, m.file, m."row", a.work_title, a.creator, a.credit, a.copyright_notice,
    coalesce(a.source_url, s.page_url, s.image_url) AS source, r.image_license AS license,
    l.license_url, r.text_license, tl.license_url AS text_license_url, (r.obligations & 1) = 1 AS required
FROM release_member m
JOIN sample s USING (sample_id)
JOIN rights r ON r.sample_id = m.sample_id
LEFT JOIN ({addressed}) l ON l.expression = r.image_license
LEFT JOIN ({addressed}) tl ON tl.expression = r.text_license
LEFT JOIN ({attributed}) a ON a.sample_id = m.sample_id
WHERE (r.obligations & 1) = 1 OR a.creator IS NOT NULL OR a.credit IS NOT NULL
ORDER BY m.release_id, m.sample_id
