"""05.5: does learning another task as well help, as far as a handful of seeds can tell?"""

import torch
from scipy import stats

from course_lib.grading.exercise import Exercise, Misconception
from course_lib.grading.sheet import Case


def does_it_help(alone, together, quantiles, *, least=0.01):
    """Return what another task does to the accuracy of the main one, at each of K numbers of labels.

    alone, together: float [S, K], the accuracy of the main task, 0 to 1, learned alone and with the other task; a
    row has the same seed in both: the same faces, start and batches. NaN where a run is missing; a seed then does
    not count for that number of labels.
    quantiles: float [N]; quantiles[n] is that of Student's t for a 95 % interval from n pairs (NaN below 2).
    Returns float [K], the mean gain in accuracy; float [K, 2], its 95 % interval; and int64 [K]: 1 if the other
    task helps, that is if the whole interval is above the least gain that counts, -1 if it hurts, that is if the
    whole interval is below minus that, and else 0, not known.
    """
    gain = together - alone
    n = (~gain.isnan()).sum(0)
    mean = gain.nansum(0) / n
    variance = (gain - mean).square().nansum(0) / (n - 1)
    reach = quantiles[n] * (variance / n).sqrt()
    low, high = mean - reach, mean + reach
    return mean, torch.stack([low, high], 1), (low > least).long() - (high < -least).long()


def one_number_of_labels_at_a_time(alone, together, quantiles, *, least=0.01):
    means, intervals, verdicts = [], [], []
    for k in range(alone.shape[1]):
        pairs = (together[:, k] - alone[:, k])[torch.isfinite(alone[:, k] + together[:, k])]
        error = pairs.std() / len(pairs) ** 0.5 if len(pairs) > 1 else torch.tensor(torch.nan)
        ends = pairs.mean() + quantiles[len(pairs)] * error * torch.tensor([-1.0, 1.0])
        means.append(pairs.mean())
        intervals.append(ends)
        verdicts.append(1 if ends.min() > least else -1 if ends.max() < -least else 0)
    return torch.stack(means), torch.stack(intervals), torch.tensor(verdicts)


def _told(mean, reach, least):
    low, high = mean - reach, mean + reach
    return mean, torch.stack([low, high], 1), (low > least).long() - (high < -least).long()


def _moments(values):
    """Count, mean and variance of each column, without NaN."""
    n = values.isfinite().sum(0)
    mean = values.nansum(0) / n
    return n, mean, (values - mean).square().nansum(0) / (n - 1)


def alone_minus_together(alone, together, quantiles, *, least=0.01):
    return does_it_help(together, alone, quantiles, least=least)


def pairs_torn_apart(alone, together, quantiles, *, least=0.01):
    complete = torch.where((together - alone).isnan(), torch.nan, 0.0)
    (n, mine, one), (_, theirs, other) = _moments(together + complete), _moments(alone + complete)
    return _told(mine - theirs, quantiles[n] * ((one + other) / n).sqrt(), least)


def spread_of_the_seeds(alone, together, quantiles, *, least=0.01):
    n, mean, variance = _moments(together - alone)
    return _told(mean, quantiles[n] * variance.sqrt(), least)


def as_if_there_were_many_seeds(alone, together, quantiles, *, least=0.01):
    n, mean, variance = _moments(together - alone)
    return _told(mean, 1.96 * (variance / n).sqrt(), least)


def divided_by_n(alone, together, quantiles, *, least=0.01):
    n, mean, variance = _moments(together - alone)
    return _told(mean, quantiles[n] * (variance * (n - 1) / n / n).sqrt(), least)


def quantile_of_one_pair_less(alone, together, quantiles, *, least=0.01):
    n, mean, variance = _moments(together - alone)
    return _told(mean, quantiles[n - 1] * (variance / n).sqrt(), least)


def believes_the_mean(alone, together, quantiles, *, least=0.01):
    mean, interval, _ = does_it_help(alone, together, quantiles)
    return mean, interval, (mean > least).long() - (mean < -least).long()


def any_gain_counts(alone, together, quantiles, *, least=0.01):
    return does_it_help(alone, together, quantiles, least=0.0)


def one_end_is_enough(alone, together, quantiles, *, least=0.01):
    mean, interval, _ = does_it_help(alone, together, quantiles)
    above, below = interval[:, 1] > least, interval[:, 0] < -least
    return mean, interval, above.long() - below.long()


def range_of_the_seeds(alone, together, quantiles, *, least=0.01):
    gain = together - alone
    ends = torch.stack([gain.nan_to_num(9.0).amin(0), gain.nan_to_num(-9.0).amax(0)], 1)
    return gain.nanmean(0), ends, (ends[:, 0] > least).long() - (ends[:, 1] < -least).long()


def missing_runs_count_as_zero(alone, together, quantiles, *, least=0.01):
    return does_it_help(alone.nan_to_num(0.0), together.nan_to_num(0.0), quantiles, least=least)


def seed_lost_for_all(alone, together, quantiles, *, least=0.01):
    complete = (together - alone).isfinite().all(1)
    return does_it_help(alone[complete], together[complete], quantiles, least=least)


def means_of_what_is_there(alone, together, quantiles, *, least=0.01):
    _, interval, _ = does_it_help(alone, together, quantiles)
    mean = together.nanmean(0) - alone.nanmean(0)
    return _told(mean, (interval[:, 1] - interval[:, 0]) / 2, least)


def seed_cases(generator, *, least):
    quantiles = torch.tensor([torch.nan] * 2 + [stats.t.ppf(0.975, n - 1) for n in range(2, 31)], dtype=torch.float32)

    def draw(seeds, columns):
        """Accuracies with a given mean gain, and reach of its interval, in each column."""
        noise = torch.randn(seeds, len(columns), generator=generator)
        noise = (noise - noise.mean(0)) / noise.std(0)
        mean, reach = torch.tensor(columns).T
        gain = mean + noise * reach * seeds**0.5 / quantiles[seeds]
        common = 0.06 * torch.randn(seeds, len(columns), generator=generator)  # some seeds are easier, for both
        alone = 0.78 + common
        order = torch.randperm(len(columns), generator=generator)
        return alone[:, order], (alone + gain)[:, order], quantiles

    helps, hurts = (2.5 * least + 0.02, 0.7 * least + 0.008), (-2.5 * least - 0.03, 0.6 * least + 0.01)
    hardly, maybe = (0.6 * least, 0.2 * least), (0.5 * least, 0.8 * least)
    unsure, doubtful = (1.6 * least + 0.004, 2 * least + 0.004), (-1.5 * least - 0.005, 1.4 * least + 0.009)
    # Ends of intervals just beyond what counts and just short of it: another's least gain decides them otherwise.
    reach = 0.5 * least + 0.004
    beyond, short = (least + 0.0004 + reach, reach), (-least + 0.0004 - reach, reach)
    yield Case(draw(6, [helps, hurts, hardly, unsure, maybe, beyond]))
    yield Case(draw(8, [helps, unsure, maybe, hardly, doubtful, hurts, short]))
    yield Case(draw(5, [hurts, hardly, maybe, helps, doubtful, beyond, short]))
    alone, together, quantiles = draw(9, [helps, hurts, unsure, hardly])
    alone[1, 2], alone[4, 0], together[4, 1], together[7, 3] = [torch.nan] * 4
    yield Case((alone, together, quantiles), edge="runs that are missing")
    alone, together, quantiles = draw(6, [helps, hurts, hardly])
    alone[1:, 0] = torch.nan
    yield Case((alone, together, quantiles), edge="a number of labels with a single pair")


def seed_numbers(generator):
    return {"least": round(0.005 + 0.001 * int(torch.randint(0, 26, (), generator=generator)), 3)}


DOES_IT_HELP = Exercise(
    id="05.5",
    title="When does another task help?",
    reference=does_it_help,
    cases=seed_cases,
    points=4,
    core=3,
    numbers=seed_numbers,
    told={"least": "the least gain in accuracy that counts"},
    alternatives=(one_number_of_labels_at_a_time,),
    misconceptions=(
        Misconception(
            alone_minus_together,
            "Your signs are the wrong way round: a gain is what is *better* with the other task.",
        ),
        Misconception(
            pairs_torn_apart,
            "Your intervals are too wide: you treat the runs as if each had a seed of its own. A row has the same "
            "seed in both, so look at the differences within a row.",
        ),
        Misconception(
            spread_of_the_seeds,
            "Your interval tells how far single seeds are apart. How well the *mean* is known gets better with the "
            "number of seeds.",
        ),
        Misconception(
            as_if_there_were_many_seeds,
            "Your intervals are too narrow: you use the quantile of a normal distribution. With a handful of seeds "
            "the spread is itself hardly known, for which there is `quantiles`.",
        ),
        Misconception(
            divided_by_n,
            "Your intervals are a little too narrow: the variance of a handful of seeds around their own mean must "
            "be corrected for that.",
        ),
        Misconception(
            quantile_of_one_pair_less,
            "Your quantile is that of one pair less. The table is by the number of pairs, and has taken care of the "
            "degrees of freedom.",
        ),
        Misconception(
            believes_the_mean,
            "Your intervals are right, but your decision looks at the mean alone. Could it be chance?",
        ),
        Misconception(
            any_gain_counts,
            "You say that it helps, or hurts, as soon as the interval is on one side of 0. A gain has to be large "
            "enough to count.",
        ),
        Misconception(
            one_end_is_enough,
            "You decide as soon as one end of the interval is far enough from 0. The *whole* interval must be.",
        ),
        Misconception(
            range_of_the_seeds,
            "Your interval goes from the worst seed to the best. That is a range, which gets wider with every seed, "
            "while the mean gets better known.",
        ),
        Misconception(
            missing_runs_count_as_zero,
            "A missing run counts as one with accuracy 0. It tells nothing.",
        ),
        Misconception(
            seed_lost_for_all,
            "A seed that misses a run is left out everywhere, also at numbers of labels where it has both.",
        ),
        Misconception(
            means_of_what_is_there,
            "Where a run is missing, its partner still counts in your mean gain. Only pairs can be compared.",
        ),
    ),
)
