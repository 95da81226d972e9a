-- How did fetching end: addresses by outcome of their last attempt, and how many attempts that took.
SELECT status, reason, count(*) AS addresses, sum(attempts)::BIGINT AS attempts
FROM fetch_outcome GROUP BY ALL ORDER BY addresses DESC, status, reason
