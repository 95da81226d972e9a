-- 6. Whom does the release have to credit: title, author, source and license of each sample.
SELECT sample_id, work_title AS title, coalesce(creator, credit, copyright_notice) AS author, source, license,
    license_url, required, release_id, file, "row"
FROM attribution_list ORDER BY release_id, sample_id
