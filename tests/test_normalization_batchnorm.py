"""The shortcut that runs many batches at once is torch's own batch normalisation; and what the lesson shows holds."""

import copy

import pytest
import torch
from torch import nn

from course_lib.data import digits
from course_lib.errors import CourseError
from course_lib.networks import build
from course_lib.normalization import BatchNormConfig, brighten, make_network, run_batchnorm, trained
from course_lib.normalization.batchnorm import SIZES, forward, refuses, shown_batch, stored
from course_lib.normalization.config import LAYERS
from course_lib.randomness import generator

each_layer = pytest.mark.parametrize("layer", LAYERS)


@pytest.fixture(scope="module")
def x():
    images, _ = digits.load("bundled", "train")
    return brighten(images[:60, None] / 255, 0.2)


@each_layer
@torch.no_grad()
def test_many_batches_at_once_are_torchs_train_mode(layer, x):
    network = copy.deepcopy(trained(layer, 0)).train()
    logits, statistics = forward(network, x.unflatten(0, (5, 12)))
    torch.testing.assert_close(torch.cat([network(batch) for batch in x.split(12)]), logits.flatten(0, 1))
    norms = [m for m in network if hasattr(m, "running_mean")]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = 1.0
    network(x[:12])
    for norm, (mean, variance) in zip(norms, statistics, strict=True):
        torch.testing.assert_close(norm.running_mean, mean[0])
        torch.testing.assert_close(norm.running_var, variance[0])


@each_layer
@torch.no_grad()
def test_with_running_statistics_it_is_torchs_eval_mode(layer, x):
    network = trained(layer, 0)
    assert not network.training
    torch.testing.assert_close(forward(network, x[None], stored(network))[0][0], network(x))


@each_layer
@pytest.mark.parametrize("momentum", [0.0, 0.1, 0.7, 1.0])
@torch.no_grad()
def test_frozen_weights_drift_as_they_do_in_torch(layer, momentum):
    c = BatchNormConfig(layer=layer, momentum=momentum, batches=6, batch_size=15)
    result = run_batchnorm(c)
    network = copy.deepcopy(trained(layer, 0))
    norms = [m for m in network if hasattr(m, "running_mean")]
    for norm in norms:
        norm.momentum = momentum
    images, labels = digits.load("bundled", "train")
    order = torch.randperm(len(labels), generator=generator(0, "frozen"))
    test, truth = digits.load("bundled", "test")
    asked = torch.randperm(len(truth), generator=generator(0, "order"))[:300]
    start = norms[0].running_mean.clone(), norms[0].running_var.clone()
    for step in range(7):
        network.eval()
        accuracy = (network(test[asked, None] / 255).argmax(1) == truth[asked]).float().mean()
        moved = ((norms[0].running_mean - start[0]).abs() / (start[1] + 1e-5).sqrt()).mean()
        row = result.drift.iloc[step]
        assert row["accuracy"] == pytest.approx(float(accuracy), abs=0.0034)  # one image may be on the edge
        assert row["moved"] == pytest.approx(float(moved), abs=1e-4)
        network.train()
        network(brighten(images[order[step * 15 : step * 15 + 15], None] / 255, 0.3))


@each_layer
def test_the_trained_network_knows_its_digits_and_is_the_same_again(layer):
    result = run_batchnorm(layer=layer, brightness=0)
    assert result.accuracy("eval") > 0.95
    trained.cache_clear()
    again = run_batchnorm(layer=layer, brightness=0)
    assert torch.equal(result.eval_true, again.eval_true)


def test_nothing_that_is_asked_changes_the_shared_network():
    before = {name: value.clone() for name, value in trained("BatchNorm1d", 0).state_dict().items()}
    for n in (2, 30):
        run_batchnorm(batch_size=n, batches=20, brightness=0.8)
    for name, value in trained("BatchNorm1d", 0).state_dict().items():
        assert torch.equal(value, before[name]), name


def test_train_mode_undoes_brightness_and_eval_mode_does_not():
    plain, bright = run_batchnorm(brightness=0.0, batch_size=50), run_batchnorm(brightness=0.5, batch_size=50)
    assert bright.accuracy("train") == pytest.approx(plain.accuracy("train"), abs=0.02)
    assert bright.accuracy("eval") < plain.accuracy("eval") - 0.3


def test_small_batches_and_batches_of_one_digit_ruin_train_mode():
    result, sorted_ = run_batchnorm(brightness=0.0), run_batchnorm(brightness=0.0, by_digit=True)
    table = result.by_size.set_index("n")["train"]
    assert table[2] < 0.6 < 0.9 < table[50]
    assert sorted_.accuracy("train") < result.accuracy("train") - 0.3
    assert sorted_.accuracy("eval") == result.accuracy("eval")  # the same images


@torch.no_grad()
def test_what_refuses_a_batch_of_one_is_what_torch_refuses():
    image = torch.rand(1, 1, 28, 28)
    for layer in LAYERS:
        network = make_network(layer).train()
        if refuses(layer, 1):
            with pytest.raises(ValueError, match="more than 1 value per channel"):
                network(image)
        else:
            network(image)
    dense, convolutional = (run_batchnorm(layer=layer, batch_size=1) for layer in LAYERS)
    assert dense.train_true is None
    assert dense.drift is None
    assert dense.accuracy("train") != dense.accuracy("train")  # NaN
    assert convolutional.accuracy("train") > 0.9
    assert len(convolutional.drift) == 11


@each_layer
def test_the_same_batch_twice_is_what_torch_says_of_it(layer):
    result = run_batchnorm(layer=layer, batch_size=12)
    network, batch = copy.deepcopy(trained(layer, 0)), shown_batch(result.config)[:, None]
    rows = torch.arange(12)
    with torch.no_grad():
        torch.testing.assert_close(result.eval_true, network(batch).softmax(1)[rows, result.labels])
        torch.testing.assert_close(result.train_true, network.train()(batch).softmax(1)[rows, result.labels])


def test_every_batch_size_of_the_control_has_an_accuracy():
    for n in (3, 20, 49):
        table = run_batchnorm(batch_size=n).by_size
        assert table["n"].tolist() == sorted({*SIZES, n})
        assert table["eval"].nunique() == 1


@pytest.mark.parametrize("wrong", [
    {"layer": "LayerNorm"}, {"batch_size": 0}, {"batch_size": 51}, {"brightness": 1}, {"by_digit": 2},
    {"batches": 0}, {"batches": 21}, {"momentum": 1.1}, {"seed": -1}, {"size": 3},
])  # fmt: skip
def test_settings_out_of_range_are_refused(wrong):
    with pytest.raises(CourseError):
        run_batchnorm(**wrong)


def test_run_batchnorm_takes_a_config_and_changes():
    c = BatchNormConfig(batch_size=5)
    assert run_batchnorm(c, momentum=0.5).config == BatchNormConfig(batch_size=5, momentum=0.5)
    with pytest.raises(CourseError, match="takes a BatchNormConfig"):
        run_batchnorm(3)


def test_a_network_with_batch_norm_1d_can_be_drawn_from_a_seed():
    one, other = (build(lambda: nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4)), generator(5, "a")) for _ in range(2))
    assert torch.equal(one[0].weight, other[0].weight)
    assert torch.equal(one[1].running_var, torch.ones(4))
