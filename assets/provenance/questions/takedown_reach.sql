-- Which release files a takedown of an address would touch: samples under it, copies of their bytes, and the samples that
-- stay in their place or that they stand for.
-- parameter url_prefix: start of an image's or a page's address
WITH named AS (
    SELECT sample_id, image_id FROM sample
    WHERE starts_with(image_url, $url_prefix::VARCHAR) OR starts_with(page_url, $url_prefix::VARCHAR)
),
reached AS (
    SELECT sample_id, 'exact' AS match FROM named
    UNION ALL
    SELECT s.sample_id, 'twin' FROM sample s JOIN image i USING (image_id)
    WHERE i.sha256 IN (SELECT sha256 FROM image SEMI JOIN named USING (image_id))
    UNION ALL
    SELECT other_sample_id, 'duplicate' FROM decision SEMI JOIN named USING (sample_id) WHERE other_sample_id IS NOT NULL
    UNION ALL
    SELECT sample_id, 'duplicate' FROM decision WHERE other_sample_id IN (SELECT sample_id FROM named)
),
first AS (
    SELECT sample_id, min_by(match, CASE match WHEN 'exact' THEN 0 WHEN 'twin' THEN 1 ELSE 2 END) AS match
    FROM reached GROUP BY sample_id
)
SELECT m.release_id, m.file, f.match, count(*) AS samples, list(f.sample_id ORDER BY f.sample_id) AS sample_ids
FROM first f JOIN release_member m USING (sample_id)
GROUP BY ALL ORDER BY m.release_id, m.file, f.match
