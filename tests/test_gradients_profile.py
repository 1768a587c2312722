"""A profile of a deep network agrees with autograd where floats hold it, and with closed forms where they do not."""

import itertools
import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from course_lib.errors import CourseError
from course_lib.gradients.activations import ACTIVATIONS
from course_lib.gradients.config import BIASES, INITS, NORMS, ProfileConfig
from course_lib.gradients.experiment import BATCH, biases, inputs, profile, readout, weights
from course_lib.gradients.plots import ProfilePicture, plot_activation, plot_gradients, round_limits, summarise


def by_autograd(c):
    """Norms of dL/dW and dL/dz, and mean and spread of the outputs, from the network itself in float64."""
    w = [torch.tensor(one.astype(np.float64), requires_grad=True) for one in weights(c, 0, c.depth)]
    b, a, f = torch.tensor(biases(c)), torch.tensor(inputs(c)), ACTIVATIONS[c.activation].module()
    zs, outputs = [], []
    for k in range(c.depth):
        u = F.layer_norm(a, (c.width,)) if c.norm == "layer" else a
        z = u @ w[k].T
        z = z - z.detach() if c.bias == "cancel" else z + b[k]
        z.retain_grad()
        a = a + f(z) if c.residual else f(z)
        zs.append(z)
        outputs.append(a.detach())
    (a @ torch.tensor(readout(c))).mean().backward()
    return (
        [one.grad.norm().item() for one in w],
        [z.grad.norm().item() for z in zs],
        [a.mean().item() for a in outputs],
        [a.std(unbiased=False).item() for a in outputs],
    )


@pytest.mark.parametrize("init", INITS)
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_profile_agrees_with_autograd_in_float64(activation, init):
    for residual, norm, bias in itertools.product((False, True), NORMS, BIASES):
        c = ProfileConfig(activation, 37, 12, init, residual, norm, bias, seed=3)
        p, (gradient, error, mean, spread) = profile(c), by_autograd(c)
        np.testing.assert_allclose(np.exp(p.log_gradient), gradient, rtol=1e-6)
        np.testing.assert_allclose(np.exp(p.log_error), error, rtol=1e-6)
        np.testing.assert_allclose(np.exp(p.log_spread), spread, rtol=1e-6)
        np.testing.assert_allclose(p.mean, mean, rtol=1e-6, atol=1e-12 * max(spread))


@pytest.mark.parametrize(("activation", "factor"), [("tanh", 1), ("relu", 0), ("logistic", 1 / 4), ("gelu", 1 / 2)])
@pytest.mark.parametrize("depth", [1, 2, 50, 10_000])
def test_zero_pre_activations_follow_the_closed_form(activation, factor, depth):
    p = profile(activation=activation, depth=depth, width=8, init="orthogonal", bias="cancel")
    top = -0.5 * math.log(BATCH)  # of dL/da: a unit vector over the batch, for each of its samples
    passed = np.arange(depth, 0, -1)
    expected = top + passed * math.log(factor) if factor else np.full(depth, -np.inf)
    np.testing.assert_allclose(p.log_error, expected, rtol=0, atol=1e-7 * depth)  # the weights are float32
    assert (p.z == 0).all()
    assert ACTIVATIONS[activation].at_zero == factor


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_activations_and_their_derivatives_are_pytorchs(name):
    f = ACTIVATIONS[name]
    z = torch.cat([torch.linspace(-6, 6, 241, dtype=torch.float64), torch.tensor([0.0, -800.0, 800.0], dtype=float)])
    z.requires_grad_()
    out = f.module()(z)
    out.sum().backward()
    with np.errstate(all="raise", under="ignore"):
        np.testing.assert_allclose(f.f(z.detach().numpy()), out.detach().numpy(), rtol=1e-9, atol=1e-12)
        np.testing.assert_allclose(f.derivative(z.detach().numpy()), z.grad.numpy(), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_slopes_near_zero_and_far_away_are_limits_of_the_derivative(name):
    f = ACTIVATIONS[name]
    for slopes, size in ((f.near, 1e-9), (f.far, 1e3)):
        np.testing.assert_allclose(f.derivative(np.array([-size, size])), slopes, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("init", ["xavier", "he"])
@pytest.mark.parametrize("activation", ["identity", "relu", "leaky_relu", "tanh", "selu"])
def test_a_deep_network_continues_what_a_shallow_one_measures(activation, init):
    """Where both are within a float: the forward pass of the first layers does not know how many follow."""
    shallow, deep = (profile(activation=activation, init=init, depth=d, width=16) for d in (40, 4000))
    np.testing.assert_allclose(deep.log_spread[:40], shallow.log_spread, rtol=1e-9, atol=1e-9)


def test_networks_of_scaled_layers_shift_the_logarithms_exactly():
    """ReLU layers are homogeneous: He's weights are Xavier's times sqrt(2), whatever over- or underflows."""
    xavier, he = (profile(activation="relu", init=init, depth=6000, width=16) for init in ("xavier", "he"))
    alive = np.isfinite(xavier.log_gradient)
    assert alive.all()
    shift = (6000 - 1) * 0.5 * math.log(2)  # of dL/dW: every other layer's factor, forward or backward
    np.testing.assert_allclose(he.log_gradient - xavier.log_gradient, shift, rtol=1e-6)
    assert xavier.log_gradient.min() < -1000  # no float64 holds that


def test_growth_beyond_every_float_is_measured_too():
    p = profile(activation="relu", init="he", residual=True, depth=10_000, width=8)
    assert p.log_spread[-1] > 1000
    assert p.log_gradient.max() > 1000
    assert not np.isnan(p.log_gradient).any()
    assert p.mean[-1] == np.inf


def test_a_layers_weights_do_not_depend_on_the_depth_or_on_how_they_are_asked_for():
    c = ProfileConfig(depth=700, width=64)
    np.testing.assert_array_equal(weights(c, 250, 262), weights(c, 0, 700)[250:262])
    assert not np.array_equal(weights(c, 0, 1), weights(ProfileConfig(seed=1), 0, 1))


@pytest.mark.parametrize(
    ("init", "variance"), [("xavier", 1 / 32), ("he", 2 / 32), ("small", 1e-4), ("orthogonal", 1 / 32)]
)
def test_initialisations_have_their_variance(init, variance):
    w = weights(ProfileConfig(init=init, width=32), 0, 200)
    assert w.mean() == pytest.approx(0, abs=1e-3)
    assert w.var() == pytest.approx(variance, rel=0.02)
    if init == "orthogonal":
        np.testing.assert_allclose(w @ w.transpose(0, 2, 1), np.broadcast_to(np.eye(32), w.shape), atol=1e-5)


def test_dead_units_pass_nothing_on_for_any_sample():
    p = profile(activation="relu", depth=12, width=64, init="he")
    z = p.z  # of every layer, there are few
    np.testing.assert_allclose(p.dead, (z <= 0).all(1).mean(1))
    assert profile(activation="leaky_relu", depth=12).dead.max() == 0  # a leak of one hundredth is enough
    assert profile(activation="logistic", depth=12, init="he").dead.max() == 0


def test_the_same_profile_twice_and_another_seed():
    one, again, other = (profile(depth=30, seed=seed) for seed in (0, 0, 1))
    np.testing.assert_array_equal(one.log_gradient, again.log_gradient)
    assert not np.array_equal(one.log_gradient, other.log_gradient)


def test_table_has_a_row_for_each_layer():
    table = profile(depth=9).table()
    assert list(table.columns) == ["layer", "log_gradient", "log_error", "mean", "log_spread", "dead"]
    assert list(table["layer"]) == list(range(1, 10))


@pytest.mark.parametrize(("changes", "said"), [
    ({"activation": "sigmoid"}, "activation must be one of 'tanh'"), ({"depth": 0}, "depth must be a number from 1"),
    ({"depth": 10_001}, "from 1 to 10000"), ({"depth": 2.5}, "depth must be a whole number"),
    ({"width": 257}, "width must be a number from 1 to 256"), ({"init": "kaiming"}, "init must be one of"),
    ({"norm": "batch"}, "norm must be one of"), ({"bias": 0}, "bias must be one of"), ({"residual": 1}, "residual"),
    ({"seed": -1}, "seed must be"), ({"layers": 3}, "There is no setting layers"),
])  # fmt: skip
def test_bad_settings_are_one_clear_sentence(changes, said):
    with pytest.raises(CourseError, match=said):
        profile(**changes)


# Pictures


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("depth", [1, 3, 10_000])
def test_the_picture_shows_the_profile_at_any_depth(activation, depth):
    p = profile(activation=activation, depth=depth, width=4)
    picture = ProfilePicture()
    picture.update(p)
    picture.png()
    low, high = picture.gradient.get_ylim()
    drawn = picture.weights.get_ydata()
    assert len(drawn) == depth
    seen = drawn[np.isfinite(drawn)]
    assert ((low <= seen) & (seen <= high)).all()
    assert f"{depth} layers" in picture.describe(p)


def test_the_background_is_kept_while_only_lines_move():
    picture = ProfilePicture()
    picture.update(profile(depth=50))
    picture.png()
    background = picture._background
    picture.update(profile(depth=51))
    assert picture._background is background
    picture.update(profile(depth=51, activation="relu"))
    assert picture._background is None


def test_limits_hold_all_values_and_change_in_large_steps():
    random = np.random.default_rng(0)
    for _ in range(200):
        values = random.normal(size=5) * 10 ** random.uniform(-2, 4)
        low, high = round_limits(values, 1.0)
        assert low <= min(values.min(), 0)
        assert high >= max(values.max(), 0)
        assert high - low >= 1
    assert round_limits([-10.0, 0.0], 1.0) == round_limits([-10.2, 0.0], 1.0)
    assert round_limits([-np.inf], 1.0) == round_limits([0.0], 1.0)


def test_plots_draw_on_the_axes_they_are_given():
    figure = ProfilePicture().figure
    ax = figure.add_axes((0, 0, 1, 1))
    assert plot_gradients({"a": profile(depth=5), "b": profile(depth=9)}, ax=ax) is ax
    assert [line.get_label() for line in ax.lines] == ["a", "b"]
    assert plot_activation("relu", ax=figure.add_axes((0, 0, 1, 1))).get_title(loc="left") == "ReLU"
    with pytest.raises(CourseError, match="activation must be one of"):
        plot_activation("swish")


def test_the_headline_says_what_happens_on_the_way():
    assert summarise(profile(activation="logistic", depth=200)).endswith("layers' dL/dW would be 0 in float32.")
    assert (
        summarise(profile(activation="relu", bias="cancel", depth=7)) == "The gradient is exactly 0 in 7 of 7 layers."
    )
    assert summarise(profile(depth=1)).startswith("One layer")
