"""The scalers agree with scikit-learn, do what they promise in odd cases, and say what they cannot do."""

import numpy as np
import pytest
import torch
from sklearn.decomposition import PCA
from sklearn.preprocessing import MinMaxScaler, StandardScaler

from course_lib.errors import CourseError
from course_lib.normalization import SCALERS, PCAWhitening, Range, ZCAWhitening, ZScore

every_scaler = pytest.mark.parametrize("make", SCALERS.values(), ids=SCALERS)
whitening = pytest.mark.parametrize("make", [PCAWhitening, ZCAWhitening])


def draw(n, d, seed=0):
    """Correlated features in different units."""
    rng = np.random.default_rng(seed)
    return rng.normal(size=(n, d)) @ rng.normal(size=(d, d)) * 10.0 ** rng.integers(-1, 2, d) + rng.normal(size=d) * 50


def close(ours, theirs):
    np.testing.assert_allclose(ours.numpy(), theirs, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize(("n", "d"), [(50, 4), (5, 3), (2, 1), (1, 2), (300, 8)])
@pytest.mark.parametrize("seed", range(5))
def test_range_and_z_score_agree_with_scikit_learn(n, d, seed):
    train, test = draw(n, d, seed), draw(20, d, seed + 100)
    pairs = [
        (Range(), MinMaxScaler((-1, 1))), (Range(0, 1), MinMaxScaler()), (Range(-3, 2.5), MinMaxScaler((-3, 2.5))),
        (ZScore(), StandardScaler()),
    ]  # fmt: skip
    for ours, theirs in pairs:
        ours.fit(torch.tensor(train)), theirs.fit(train)
        close(ours.transform(torch.tensor(train)), theirs.transform(train))
        close(ours.transform(torch.tensor(test)), theirs.transform(test))


@pytest.mark.parametrize("scaler", [(Range(), MinMaxScaler((-1, 1))), (ZScore(), StandardScaler())], ids=["range", "z"])
@pytest.mark.parametrize("constant", [0.0, 5.0, 0.1, 1e9 + 0.3, -1e-9])
def test_constant_features_and_missing_values_agree_with_scikit_learn(scaler, constant):
    ours, theirs = scaler
    train, test = draw(17, 3), draw(9, 3, 1)
    train[:, 1] = constant
    train[3, 0] = train[5, 2] = test[0, 0] = np.nan
    ours.fit(torch.tensor(train)), theirs.fit(train)
    for x in (train, test):
        got, want = ours.transform(torch.tensor(x)).numpy(), theirs.transform(x)
        np.testing.assert_allclose(got, want, rtol=1e-9, atol=1e-9 * max(1, abs(constant)))  # theirs keeps rounding


@pytest.mark.parametrize("constant", [0.0, 5.0, 0.1, 1e9 + 0.3, -1e-9])
def test_a_constant_feature_becomes_exactly_the_lower_end_or_zero(constant):
    x = torch.full((17, 2), constant, dtype=torch.float64)
    for make in SCALERS.values():
        assert (make().fit_transform(x) == (-1 if make is Range else 0)).all(), make


@pytest.mark.parametrize(("n", "d"), [(50, 4), (12, 3), (30, 1), (400, 6)])
@pytest.mark.parametrize("seed", range(5))
def test_pca_whitening_agrees_with_scikit_learn_up_to_signs(n, d, seed):
    rng = np.random.default_rng(seed)
    train, test = rng.normal(size=(n, d)) @ rng.normal(size=(d, d)), rng.normal(size=(20, d))
    ours, theirs = PCAWhitening().fit(torch.tensor(train)), PCA(whiten=True).fit(train)
    for x in (train, test):
        want = theirs.transform(x)
        got = ours.transform(torch.tensor(x))
        signs = torch.sign((got * torch.tensor(want)).sum(0))
        close(got * signs, want)


@whitening
def test_whitened_training_data_have_the_identity_as_covariance(make):
    x = torch.tensor(draw(200, 5))
    white = make().fit_transform(x)
    torch.testing.assert_close(torch.cov(white.T), torch.eye(5, dtype=torch.float64), rtol=0, atol=1e-8)
    torch.testing.assert_close(white.mean(0), torch.zeros(5, dtype=torch.float64), rtol=0, atol=1e-8)


def test_zca_is_the_symmetric_whitening_and_the_nearest_one():
    x = torch.tensor(draw(200, 4))
    scaler = ZCAWhitening().fit(x)
    torch.testing.assert_close(scaler.matrix, scaler.matrix.mT)
    torch.testing.assert_close(torch.linalg.inv(scaler.matrix) @ torch.linalg.inv(scaler.matrix), torch.cov(x.T))
    white, centred = scaler.transform(x), x - x.mean(0)
    for seed in range(10):
        turn, _ = torch.linalg.qr(torch.randn(4, 4, generator=torch.Generator().manual_seed(seed), dtype=x.dtype))
        assert (white - centred).norm() <= (white @ turn - centred).norm()


def test_the_axes_of_pca_have_signs_that_do_not_depend_on_chance():
    x = torch.tensor(draw(100, 3))
    one, other = PCAWhitening().fit(x), PCAWhitening().fit(x.flip(0))
    torch.testing.assert_close(one.matrix, other.matrix)


@whitening
def test_whitening_leaves_nothing_where_there_is_no_variance(make):
    x = torch.tensor(draw(40, 3))
    copied = torch.cat([x, x[:, :1] + x[:, 1:2]], 1)  # the fourth direction is empty
    white = make().fit_transform(copied)
    assert torch.linalg.matrix_rank(white, rtol=1e-6) == 3
    assert white.isfinite().all()
    constant = torch.full((10, 2), 0.1)
    assert not make().fit_transform(constant).any()


@whitening
def test_a_direction_counts_from_the_stated_variance_on(make):
    x = torch.randn(500, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    x = torch.linalg.qr(x - x.mean(0))[0]
    for share, counts in ((1e-11, False), (1e-9, True)):
        white = make().fit_transform(x * torch.tensor([1.0, share**0.5]))
        assert bool(white[:, 1].any()) == counts


@every_scaler
def test_one_sample_is_the_lower_end_or_nothing(make):
    x = torch.tensor([[3.0, -7.0, 1e6]])
    want = -1.0 if make is Range else 0.0
    assert (make().fit_transform(x) == want).all()


@every_scaler
@pytest.mark.parametrize("n", [1, 2, 30])
def test_many_sets_at_once_are_scaled_each_for_itself(make, n):
    sets = torch.stack([torch.tensor(draw(n, 2, seed)) for seed in range(6)]).reshape(2, 3, n, 2)
    together = make().fit_transform(sets)
    for i in range(2):
        for j in range(3):
            torch.testing.assert_close(together[i, j], make().fit_transform(sets[i, j]))


@every_scaler
def test_the_input_is_not_changed_and_fit_returns_the_scaler(make):
    x = torch.tensor(draw(10, 2))
    before, scaler = x.clone(), make()
    assert scaler.fit(x) is scaler
    scaler.transform(x)
    assert torch.equal(x, before)


@every_scaler
def test_transform_is_the_same_map_for_every_sample(make):
    train, test = torch.tensor(draw(30, 3)), torch.tensor(draw(8, 3, 1))
    scaler = make().fit(train)
    torch.testing.assert_close(torch.cat([scaler.transform(row[None]) for row in test]), scaler.transform(test))


@every_scaler
@pytest.mark.parametrize(
    "x", [torch.zeros(3), torch.zeros(0, 2), torch.zeros(2, 0), torch.zeros(2, 2) * 1j, "a", [[1], [1, 2]], None]
)
def test_other_shapes_are_refused(make, x):
    with pytest.raises(CourseError, match=r"must be numbers of shape .samples, features."):
        make().fit(x)


@every_scaler
def test_what_cannot_be_scaled_is_refused_in_one_sentence(make):
    x = torch.tensor(draw(5, 2))
    with pytest.raises(CourseError, match="call fit before transform"):
        make().transform(x)
    with pytest.raises(CourseError, match="must have 2 features, as in fit; it has 3"):
        make().fit(x).transform(torch.zeros(4, 3))
    with pytest.raises(CourseError, match="finite"):
        make().fit(torch.tensor([[1.0], [torch.inf]]))


@whitening
def test_whitening_refuses_missing_values_and_says_why(make):
    x = torch.tensor(draw(5, 2))
    scaler = make().fit(x)
    x[2, 1] = torch.nan
    for use in (scaler.fit, scaler.transform):
        with pytest.raises(CourseError, match="mixes all features"):
            use(x)


@pytest.mark.parametrize("make", [Range, ZScore])
def test_a_feature_of_missing_values_only_stays_missing(make):
    x = torch.tensor([[1.0, torch.nan], [2.0, torch.nan]])
    out = make().fit_transform(x)
    assert out[:, 1].isnan().all()
    assert out[:, 0].isfinite().all()


@pytest.mark.parametrize(("low", "high"), [(1, 1), (2, -1), ("a", 1), (0, torch.inf), (None, 1)])
def test_a_range_needs_two_ends_in_order(low, high):
    with pytest.raises(CourseError):
        Range(low, high)


@pytest.mark.parametrize("make", [Range, ZScore])
def test_a_change_of_unit_and_zero_point_vanishes_for_a_set_that_is_scaled_by_itself(make):
    x = torch.tensor(draw(20, 3))
    changed = x * torch.tensor([0.1, 3.0, 25.4]) + torch.tensor([5.0, -300.0, 0.0])
    torch.testing.assert_close(make().fit_transform(changed), make().fit_transform(x))
