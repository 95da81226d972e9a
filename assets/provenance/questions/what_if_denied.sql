-- Which released samples would a stricter policy take out, if it denied every license that matches a pattern.
-- parameter license: pattern of SPDX ids, with * for any characters, e.g. CC-BY-SA-* or *-1.0
SELECT m.release_id, m.file, r.image_license AS license, count(*) AS samples
FROM release_member m JOIN rights r USING (sample_id)
WHERE r.image_license GLOB $license::VARCHAR
GROUP BY ALL ORDER BY m.release_id, m.file, license
