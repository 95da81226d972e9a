-- 15. The funnel: how many samples came into each stage, how many it kept, and why it dropped the others.
SELECT stage, came_in, kept, dropped, round(kept / came_in, 4) AS kept_share, top_reasons FROM funnel
