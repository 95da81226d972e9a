-- What captions took: questions that were put to each model, answers, requests, tokens, seconds and money.
SELECT asset, agent_id, count(*) AS questions, count(*) FILTER (finish_reason IN ('stop', 'length')) AS answered,
    sum(attempts)::UBIGINT AS requests, sum(prompt_tokens)::UBIGINT AS tokens_read, sum(tokens)::UBIGINT AS tokens_written,
    sum(seconds)::DOUBLE AS seconds, median(seconds)::DOUBLE AS median_seconds, sum(cost) AS cost
FROM model_call GROUP BY ALL ORDER BY asset, agent_id
