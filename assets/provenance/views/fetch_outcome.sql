-- Each address that a host was asked for, with its last attempt; `"fetch"`, in quotes, has all of them.
-- column shard_id: crawl file that named the address
-- column url: address
-- column host: its host
-- column attempts: how often it was tried
-- column status: ok, failed or refused
-- column reason: why it is not ok
-- column detail: what the host said or the system reported
-- column may_succeed: a later run tries again
-- column retry_at: not before this time
-- column last_at: when it was tried last
-- column http_status: status code of the last answer
-- column final_url: address of the last answer
-- column bytes: size of the body
-- column record_id: record that holds the answer
SELECT shard_id, url, host(url) AS host, count(*) AS attempts, arg_max(status, attempt) AS status,
    arg_max(struct_pack(v := reason), attempt).v AS reason, arg_max(struct_pack(v := detail), attempt).v AS detail,
    arg_max(may_succeed, attempt) AS may_succeed, arg_max(struct_pack(v := retry_at), attempt).v AS retry_at,
    max(started_at) AS last_at, arg_max(struct_pack(v := http_status), attempt).v AS http_status,
    arg_max(struct_pack(v := final_url), attempt).v AS final_url, arg_max(struct_pack(v := bytes), attempt).v AS bytes,
    arg_max(struct_pack(v := record_id), attempt).v AS record_id
FROM "fetch" WHERE kind = 'image' GROUP BY shard_id, url
ORDER BY shard_id, url
