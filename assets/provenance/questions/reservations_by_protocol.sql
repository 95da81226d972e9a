-- 14. Which opt-out protocols were found, about which use, what they say, and how many samples each one reaches.
SELECT rule AS protocol, usage, says AS decision, count(DISTINCT record_id) AS records,
    count(DISTINCT sample_id) AS samples, count(DISTINCT sample_id) FILTER (decided) AS decided
FROM sample_evidence WHERE kind = 'reservation'
GROUP BY ALL ORDER BY samples DESC, protocol, usage, decision
