-- What each evaluation set claimed, how it was matched, and how many samples went under its name.
SELECT r.name, r.version, r.date, r.license, r.items, r.failed, h.match, count(h.sample_id) AS claimed,
    count(d.sample_id) AS dropped_for_it, min(h.score) AS lowest, max(h.score) AS highest
FROM eval_registry r
LEFT JOIN hit h ON h.list = 'eval:' || r.name || '@' || r.version
LEFT JOIN decision d ON d.sample_id = h.sample_id AND d.stage = 'decontaminate' AND d.reason = h.list
GROUP BY ALL ORDER BY r.date, r.name, r.version, h.match
