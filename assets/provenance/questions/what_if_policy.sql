-- 11. Which samples would have another verdict under another policy (one that ships with Winnow, or the one in force), and
-- how many of them are in the release. No rebuild: it says what would become of these rows, not which rows a build
-- would then choose instead of them.
-- parameter policy: name of the policy, e.g. research-eu (FROM policy lists them)
SELECT r.verdict AS verdict_now, u.verdict AS verdict_then, u.reason, u.image_license AS license, count(*) AS samples,
    count(m.sample_id) AS released, min(r.sample_id) AS for_example
FROM rights r
JOIN rights_under($policy::VARCHAR) u USING (sample_id)
LEFT JOIN (SELECT DISTINCT sample_id FROM release_member) m USING (sample_id)
WHERE u.verdict <> r.verdict
GROUP BY ALL ORDER BY released DESC, samples DESC, verdict_now, verdict_then, u.reason, license
