-- How did hosts answer: addresses and bytes by host, refusals first.
SELECT host, count(*) AS addresses, sum(attempts)::BIGINT AS attempts, count(*) FILTER (status = 'ok') AS ok,
    count(*) FILTER (status = 'failed') AS failed, count(*) FILTER (status = 'refused') AS refused,
    sum(bytes)::BIGINT AS bytes, min(reason) FILTER (status <> 'ok') AS a_reason
FROM fetch_outcome GROUP BY ALL ORDER BY refused DESC, failed DESC, host
