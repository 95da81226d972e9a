-- 7. Which licenses do the samples of each concept have, and how many of them were released.
SELECT n.cluster_id, r.image_license AS license, count(*) AS samples,
    round(count(*) / sum(count(*)) OVER (PARTITION BY n.cluster_id), 4) AS share,
    count(m.sample_id) AS released
FROM cluster_member n
JOIN rights r USING (sample_id)
LEFT JOIN (SELECT DISTINCT sample_id FROM release_member) m USING (sample_id)
GROUP BY n.cluster_id, r.image_license ORDER BY n.cluster_id, samples DESC, license
