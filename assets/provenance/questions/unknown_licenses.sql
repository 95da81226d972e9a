-- 10. How many samples have no known license: nothing stated (NONE) or not readable (NOASSERTION); seen and released.
SELECT r.image_license AS license, count(*) AS samples, round(count(*) / sum(count(*)) OVER (), 4) AS share,
    count(m.sample_id) AS released,
    round(count(m.sample_id) / nullif(sum(count(m.sample_id)) OVER (), 0), 4) AS share_of_release,
    count(*) FILTER (m.with_image) AS released_with_image
FROM (SELECT sample_id,
        CASE WHEN image_license IN ('NONE', 'NOASSERTION') THEN image_license ELSE 'stated' END AS image_license
    FROM rights) r
LEFT JOIN (SELECT sample_id, bool_or(with_image) AS with_image FROM release_member GROUP BY sample_id) m USING (sample_id)
GROUP BY r.image_license ORDER BY license
