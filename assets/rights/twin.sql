-- Groups of samples that show the same bytes, of which some state a license or a reservation. A sample that states
-- nothing conflicts with nothing and makes no copy stricter; NOASSERTION is no license that could differ from another.
-- The words around one copy say nothing about the others.
SELECT sha256,
    coalesce(list_sort(list(DISTINCT image_license) FILTER (image_license NOT IN ('NONE', 'NOASSERTION'))), []) AS licenses,
    len(licenses) > 1 AS conflict,
    (['allow', 'url_only', 'review', 'deny'])[
        max(list_position(['allow', 'url_only', 'review', 'deny'], image_verdict))
        FILTER (image_license <> 'NONE' OR reservation IN ('reserved', 'conditional'))] AS verdict,
    count(*)::UINTEGER AS samples
FROM occurrence JOIN sample_sha256 USING (sample_id)
WHERE sha256 IS NOT NULL
GROUP BY sha256
HAVING samples > 1 AND verdict IS NOT NULL
ORDER BY sha256
