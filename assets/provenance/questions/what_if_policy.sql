-- 11. Which samples would have another verdict under another policy (one that ships with Winnow, or the one in force), and
-- how many of them are in the release. No rebuild: it says what would become of these rows, not which rows a build
-- would then choose instead of them. Of a policy of your own: winnow what-if FILE.
-- parameter policy: name of the policy, e.g. research-eu (FROM policy lists them)
SELECT u.verdict_now, u.verdict_then, u.reason, u.license, count(*) AS samples, count(m.sample_id) AS released,
    min(u.sample_id) AS for_example
FROM verdict_change u
LEFT JOIN (SELECT DISTINCT sample_id FROM release_member) m USING (sample_id)
WHERE u.policy = $policy::VARCHAR
GROUP BY ALL
UNION ALL
SELECT error('no policy is named ' || $policy::VARCHAR || '; FROM policy lists them')::VARCHAR, NULL, NULL, NULL, 0, 0, 0
WHERE NOT EXISTS (FROM "policy" WHERE name = $policy::VARCHAR) AND EXISTS (FROM "policy")
ORDER BY released DESC, samples DESC, verdict_now, verdict_then, reason, license
