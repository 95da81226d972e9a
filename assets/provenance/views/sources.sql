-- What each host gave to the build.
-- column source: source set of the recipe
-- column host: host of the pages, or of the images where no page is known
-- column domain: registrable domain of that host
-- column crawl_files: crawl files with samples of the host
-- column pages: pages with images
-- column samples: <img> elements on them
-- column decoded: samples whose image decoded
-- column licensed: samples for which a license is stated
-- column reserved: samples whose rights are reserved
-- column released: samples in the release
-- column with_image: samples released with their image
-- column released_bytes: bytes of the images in the release
SELECT h.source, coalesce(d.host, '') AS host, any_value(d.domain) AS domain,
    count(DISTINCT s.shard_id) AS crawl_files, count(DISTINCT s.page_url) AS pages, count(*) AS samples,
    count(s.image_id) AS decoded,
    count(*) FILTER (r.image_license NOT IN ('NONE', 'NOASSERTION')) AS licensed,
    count(*) FILTER (r.reservation = 'reserved') AS reserved,
    count(m.sample_id) AS released,
    count(*) FILTER (m.with_image) AS with_image,
    coalesce(sum(i.bytes) FILTER (m.with_image), 0)::UBIGINT AS released_bytes
FROM sample s
LEFT JOIN shard h USING (shard_id)
LEFT JOIN image i USING (image_id)
LEFT JOIN rights r ON r.sample_id = s.sample_id
LEFT JOIN (SELECT sample_id, bool_or(with_image) AS with_image FROM release_member GROUP BY sample_id) m
    ON m.sample_id = s.sample_id
LEFT JOIN sample_host n ON n.sample_id = s.sample_id
LEFT JOIN host_domain d ON d.host_id = CASE WHEN s.page_url IS NULL THEN n.image_host ELSE n.page_host END
GROUP BY h.source, d.host
ORDER BY samples DESC, host
