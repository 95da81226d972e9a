-- What becomes of each sample under a policy: the license that covers it, the words around it, what must stay as it is,
-- and any opt-out, in that order. The pipeline and "what if" run the same statement.
-- Verdicts count 0 allow, 1 url_only, 2 review, 3 deny, so that the stricter of two is the greater.
WITH setting AS (
    SELECT * FROM policy_setting WHERE policy = CASE
        WHEN EXISTS (SELECT 1 FROM policy_setting WHERE policy = {policy}) THEN {policy}
        ELSE error('no policy is named ' || {policy} || '; FROM policy lists them') END
),
term AS (SELECT * FROM policy_term WHERE policy = {policy}),
outside AS (SELECT DISTINCT subject_id FROM license_evidence WHERE rule = 'outside_main' AND subject_type = 'sample'),
owned AS (SELECT DISTINCT subject_id FROM attribution WHERE rule = 'caption_notice' AND subject_type = 'sample'),
judged AS (
    SELECT s.sample_id, s.page_record_id, s.image_record_id, length(coalesce(s.text, '')) AS characters,
        i.stored_sha256 <> i.sha256 AS changed,
        coalesce(there.domain <> here.domain AND NOT list_contains(p.cdn_allow, there.domain), false) AS elsewhere,
        outside.subject_id IS NOT NULL AS outside, owned.subject_id IS NOT NULL AS owned
    FROM sample s JOIN image i USING (image_id) CROSS JOIN setting p
    LEFT JOIN host_domain here ON here.host = host(s.page_url)
    LEFT JOIN host_domain there ON there.host = host(s.image_url)
    LEFT JOIN outside ON outside.subject_id = s.sample_id
    LEFT JOIN owned ON owned.subject_id = s.sample_id
),

-- Statements with what the policy says of their licenses: `near` where page and image are of one domain, `far` where not.
-- `precedence`: the lowest decides; of one rank the most restrictive, then the surest.
statement AS (
    SELECT e.subject_type, e.subject_id, e.rule, r.rank, e.spdx_id, round(e.confidence, 4) AS confidence,
        t.bits, t.by_license, t.near, t.far, e.spdx_id <> 'NOASSERTION' AS readable,
        r.rank < {unread} AS is_read, r.rank = {unread} AS blocks,
        (r.rank, -t.closed, -t.weight, -round(e.confidence, 4), e.spdx_id, e.rule) AS precedence,
        min(r.rank) FILTER (r.rank < {unread}) OVER (PARTITION BY e.subject_type, e.subject_id) AS best_rank
    FROM license_evidence e JOIN license_rule r USING (rule) JOIN term t USING (spdx_id)
),
page AS (
    SELECT subject_id AS page_record_id,
        arg_min({'rule': rule, 'spdx_id': spdx_id, 'confidence': confidence, 'by_license': by_license,
            'near': near, 'far': far}, precedence) FILTER (is_read) AS best,
        count(DISTINCT spdx_id) FILTER (counts) AS stated, bit_or(bits) FILTER (counts) AS bits,
        max(near) FILTER (counts) AS strictest_near, max(far) FILTER (counts) AS strictest_far,
        bool_or(blocks) AS blocked, min({'doubt': -confidence, 'rule': rule}) FILTER (NOT is_read) AS unread
    FROM (SELECT *, is_read AND (readable OR rank = best_rank) AS counts FROM statement WHERE subject_type = 'page')
    GROUP BY subject_id
),
own_statement AS (
    SELECT j.sample_id, s.*, CASE WHEN j.elsewhere AND s.rank >= {by_page} THEN s.far ELSE s.near END AS by_risk,
        CASE WHEN s.confidence < p.min_confidence THEN 2 ELSE 0 END AS by_doubt
    FROM (
        SELECT sample_id, elsewhere, 'sample' AS subject_type, sample_id AS subject_id FROM judged
        UNION ALL SELECT sample_id, elsewhere, 'image', image_record_id FROM judged
    ) j JOIN statement s USING (subject_type, subject_id) CROSS JOIN setting p
),
own AS (
    SELECT sample_id,
        arg_min({'rule': rule, 'rank': rank, 'spdx_id': spdx_id, 'confidence': confidence, 'bits': bits,
            'by_license': by_license, 'by_risk': by_risk}, precedence) FILTER (is_read) AS best,
        count(DISTINCT spdx_id) FILTER (is_read AND readable) AS stated,
        bit_or(bits) FILTER (is_read AND readable) AS bits,
        max({'verdict': greatest(by_risk, by_doubt), 'rule': rule, 'confidence': confidence})
            FILTER (is_read AND readable) AS strictest,
        bool_or(blocks) AS blocked, min({'doubt': -confidence, 'rule': rule}) FILTER (NOT is_read) AS unread
    FROM own_statement GROUP BY sample_id
),

-- The image's license. A page's license covers the page's own images in its main content; a caption's notice reserves
-- what the page licenses; an owner named in the caption casts doubt on it; and it says nothing of an image whose own
-- statement, or of a page whose rest, could not be read.
found AS (
    SELECT j.*, coalesce(page.blocked, false) AS page_unread,
        page.best.spdx_id AS page_license, coalesce(page.best.by_license, 0) AS by_page_license,
        least(own.unread, page.unread) AS doubtful, p.min_confidence, p.conflict AS by_conflict,
        CASE WHEN own.best IS NOT NULL THEN 'own'
            WHEN own.blocked OR page.blocked THEN 'unread'
            WHEN page.best IS NULL THEN CASE WHEN own.unread IS NULL AND page.unread IS NULL THEN 'none' ELSE 'unread' END
            WHEN j.outside OR j.elsewhere AND p.require_same_registered_domain THEN 'void'
            ELSE 'page' END AS source,
        CASE source WHEN 'own' THEN own.best.spdx_id WHEN 'page' THEN page.best.spdx_id
            WHEN 'unread' THEN 'NOASSERTION' ELSE 'NONE' END AS image_license,
        CASE source WHEN 'own' THEN own.best.rule WHEN 'unread' THEN (doubtful).rule ELSE page.best.rule END AS rule,
        CASE source WHEN 'own' THEN own.best.confidence WHEN 'unread' THEN -(doubtful).doubt
            WHEN 'page' THEN page.best.confidence * CASE WHEN j.owned THEN {owner_doubt} ELSE 1 END ELSE 0 END AS sure,
        CASE source WHEN 'own' THEN own.best.by_license WHEN 'page' THEN page.best.by_license
            WHEN 'unread' THEN greatest(p.by_noassertion, coalesce(page.strictest_near, 0))
            WHEN 'void' THEN greatest(p.by_none, page.best.near,
                CASE WHEN page.best.confidence * CASE WHEN j.owned THEN {owner_doubt} ELSE 1 END < p.min_confidence
                    THEN 2 ELSE 0 END)
            ELSE p.by_none END AS by_license,
        CASE source WHEN 'own' THEN own.best.by_risk
            WHEN 'page' THEN CASE WHEN j.elsewhere THEN page.best.far ELSE page.best.near END
            ELSE by_license END AS by_risk,
        CASE WHEN source IN ('own', 'page') AND sure < p.min_confidence THEN 2 ELSE 0 END AS by_doubt,
        greatest(by_risk, by_doubt) AS by_image,
        CASE source
            WHEN 'own' THEN CASE WHEN own.stated > 1 THEN own.strictest.verdict ELSE by_image END
            WHEN 'page' THEN greatest(by_doubt, CASE WHEN j.elsewhere THEN page.strictest_far ELSE page.strictest_near END)
            ELSE by_image END AS by_strictest,
        own.strictest AS strictest,
        CASE source WHEN 'own' THEN own.stated > 1 OR own.best.rank = {notice} AND page.best IS NOT NULL
            WHEN 'page' THEN page.stated > 1 ELSE false END AS conflict,
        coalesce(CASE source WHEN 'own' THEN CASE WHEN own.stated > 1 THEN own.bits ELSE own.best.bits END
            WHEN 'page' THEN page.bits END, 0) AS image_bits
    FROM judged j CROSS JOIN setting p
    LEFT JOIN page ON page.page_record_id = j.page_record_id
    LEFT JOIN own ON own.sample_id = j.sample_id
),
licensed AS (
    SELECT *, by_conflict = 'most_restrictive' AND by_strictest > by_image AS by_rival,
        CASE WHEN by_rival THEN by_strictest ELSE by_image END AS verdict, verdict AS image_verdict,
        CASE WHEN by_rival THEN 'license_conflict'
            WHEN source = 'void' THEN CASE WHEN outside THEN 'outside_main_content' ELSE 'page_license_of_other_site' END
            WHEN source = 'none' THEN 'no_license_found'
            WHEN by_doubt > by_risk THEN 'low_confidence'
            WHEN by_risk > by_license THEN 'risk'
            WHEN image_license = 'NOASSERTION' THEN 'unreadable_license'
            ELSE (['license_allowed', 'license_url_only', 'license_review', 'license_denied'])[by_license + 1] END AS reason,
        CASE WHEN by_rival AND source = 'own' THEN strictest.rule ELSE rule END AS decided_by,
        CASE WHEN by_rival AND source = 'own' THEN strictest.confidence ELSE sure END AS confidence
    FROM found
),

-- The license of the words around the image: the page's, or none.
worded AS (
    SELECT l.* EXCLUDE (verdict, reason),
        CASE WHEN p.inherit_page THEN by_page_license ELSE 0 END AS by_inherited,
        CASE WHEN NOT p.inherit_page THEN 'NONE' WHEN page_unread THEN 'NOASSERTION'
            ELSE coalesce(page_license, 'NONE') END AS text_license,
        CASE WHEN text_license NOT IN ('NONE', 'NOASSERTION') THEN by_inherited
            ELSE greatest(by_inherited, CASE WHEN characters > p.max_chars THEN p.by_long_text ELSE p.by_short_text END)
            END AS by_text,
        greatest(l.verdict, by_text) AS verdict,
        CASE WHEN by_text <= l.verdict THEN l.reason
            WHEN text_license IN ('NONE', 'NOASSERTION') AND by_inherited < by_text THEN
                CASE WHEN p.by_short_text < by_text THEN 'long_text_without_license' ELSE 'text_without_license' END
            WHEN by_text = 3 THEN 'text_license_denied' ELSE 'text_license_review' END AS reason
    FROM licensed l CROSS JOIN setting p
),

-- No-derivatives: such an image goes out with its own bytes, or by its address.
kept_whole AS (
    SELECT w.* EXCLUDE (verdict, reason), p.nd_image AS by_nd,
        CASE WHEN w.image_bits & 8 = 0 THEN 0
            WHEN by_nd = 'drop' THEN 3
            WHEN by_nd = 'url_only' OR w.changed THEN 1 ELSE 0 END AS by_bytes,
        greatest(w.verdict, by_bytes) AS verdict,
        CASE WHEN by_bytes <= w.verdict THEN w.reason ELSE 'no_derivatives' END AS reason
    FROM worded w CROSS JOIN setting p
),

-- Opt-outs. Inside TDMRep a later channel supersedes what an earlier one says of the same usage: file, header, meta. All
-- else stands side by side, and any reservation wins; beside a channel that could not be read nothing is `allowed`.
signal AS (
    SELECT e.subject_type, e.subject_id, o.base AS rule, o.step, o.unread,
        list_position(['allowed', 'conditional', 'reserved'], e.decision) AS level,
        max(o.step) FILTER (level <> 2) OVER (PARTITION BY e.subject_type, e.subject_id, e.usage) AS last_step
    FROM reservation_evidence e JOIN optout_rule o USING (rule) CROSS JOIN setting p
    WHERE list_contains(p.honor, o.protocol) AND list_contains(p.usage, e.usage)
        AND (NOT o.legacy OR p.legacy_labels = 'reserved')
        AND (NOT o.by_agent OR list_has_any(list_transform(string_split(split_part(e.value, ':', 1), ','),
            lambda agent: lower(trim(agent))), p.agents))
),
heard AS (
    SELECT subject_type, subject_id, min({'level': -level, 'rule': rule}) AS loudest
    FROM signal WHERE level IS NOT NULL AND (step IS NULL OR level <> 2 AND step = last_step) GROUP BY ALL
),
unheard AS (SELECT DISTINCT subject_type, subject_id FROM signal WHERE unread),
asked AS (
    SELECT k.*, least(of_page.loudest, of_image.loudest, of_sample.loudest) AS strongest,
        CASE WHEN (strongest).level = -1 AND coalesce(un_page.subject_id, un_image.subject_id, un_sample.subject_id)
            IS NOT NULL THEN 'unknown'
            ELSE coalesce((['reserved', 'conditional', 'allowed'])[(strongest).level + 4], 'unknown') END AS reservation,
        CASE reservation WHEN 'reserved' THEN 3
            WHEN 'conditional' THEN CASE p.conditional WHEN 'reserved' THEN 3 WHEN 'review' THEN 2 ELSE 0 END
            ELSE 0 END AS by_reservation
    FROM kept_whole k CROSS JOIN setting p
    LEFT JOIN heard of_page ON of_page.subject_type = 'page' AND of_page.subject_id = k.page_record_id
    LEFT JOIN heard of_image ON of_image.subject_type = 'image' AND of_image.subject_id = k.image_record_id
    LEFT JOIN heard of_sample ON of_sample.subject_type = 'sample' AND of_sample.subject_id = k.sample_id
    LEFT JOIN unheard un_page ON un_page.subject_type = 'page' AND un_page.subject_id = k.page_record_id
    LEFT JOIN unheard un_image ON un_image.subject_type = 'image' AND un_image.subject_id = k.image_record_id
    LEFT JOIN unheard un_sample ON un_sample.subject_type = 'sample' AND un_sample.subject_id = k.sample_id
)
SELECT a.sample_id, a.image_license, a.text_license, NULL::VARCHAR AS caption_terms,
    (a.image_bits | coalesce(t.bits, 0))::USMALLINT AS obligations,
    (CASE WHEN by_reservation = 3 THEN 1 ELSE a.confidence END)::FLOAT AS confidence,
    a.conflict, a.reservation,
    CASE WHEN by_reservation = 3 OR by_reservation > verdict THEN a.strongest.rule ELSE a.decided_by END AS decided_by,
    (['allow', 'url_only', 'review', 'deny'])[greatest(a.image_verdict, by_reservation) + 1] AS image_verdict,
    (['allow', 'url_only', 'review', 'deny'])[greatest(a.verdict, by_reservation) + 1] AS verdict,
    CASE WHEN by_reservation = 3 THEN 'reserved' WHEN by_reservation > a.verdict THEN 'reserved_on_conditions'
        ELSE a.reason END AS reason
FROM asked a LEFT JOIN term t ON t.spdx_id = a.text_license AND a.text_license NOT IN ('NONE', 'NOASSERTION')
ORDER BY a.sample_id
