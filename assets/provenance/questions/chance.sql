-- Does the pruned set train better than chance: every figure beside the other arms', with what its deviations support.
SELECT metric, other, round(mean, 4) AS pruned, round(deviation, 4) AS deviation, round(other_mean, 4) AS other_mean,
    round(other_deviation, 4) AS other_deviation, supported, statement
FROM evaluation_comparison ORDER BY metric, other
