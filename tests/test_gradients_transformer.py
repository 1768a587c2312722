"""The small Transformer and its histograms: against PyTorch's own layers, counts by hand, and what training shows."""

from dataclasses import replace
from itertools import islice

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from course_lib.errors import CourseError
from course_lib.gradients.config import SETTINGS, TransformerConfig
from course_lib.gradients.heatmaps import HistoryPicture, plot_histograms, shown_layers, typical
from course_lib.gradients.transformer import BINS, HIGHEST, LOWEST, Block, Transformer, answer, histogram, run, stream
from course_lib.networks import build
from course_lib.randomness import generator

SMALL = TransformerConfig(layers=3, steps=25, width=16, batch_size=16)


@pytest.mark.parametrize("order", ["pre", "post"])
@pytest.mark.parametrize("activation", ["relu", "leaky_relu"])
def test_a_block_is_pytorchs_encoder_layer(order, activation):
    block = build(lambda: Block(16, order, activation), torch.Generator().manual_seed(0))
    theirs = nn.TransformerEncoderLayer(
        16, 4, 64, dropout=0.0, activation=getattr(F, activation), batch_first=True, norm_first=order == "pre"
    )
    with torch.no_grad():
        pairs = [
            (theirs.self_attn.in_proj_weight, block.qkv.weight), (theirs.self_attn.in_proj_bias, block.qkv.bias),
            (theirs.self_attn.out_proj.weight, block.out.weight), (theirs.self_attn.out_proj.bias, block.out.bias),
            (theirs.linear1.weight, block.up.weight), (theirs.linear1.bias, block.up.bias),
            (theirs.linear2.weight, block.down.weight), (theirs.linear2.bias, block.down.bias),
        ]  # fmt: skip
        for to, given in pairs:
            to.copy_(given)
    x = torch.randn(5, 7, 16, generator=torch.Generator().manual_seed(1))
    torch.testing.assert_close(block(x), theirs(x), rtol=1e-4, atol=1e-5)


def test_histograms_count_what_is_there():
    gradients = torch.tensor([[0.0, 0.0, 1e-3, -1e-3], [5.0, -1e-20, 1e30, 0.05]])
    shares = histogram(gradients)
    assert shares.shape == (2, 1 + BINS)
    np.testing.assert_allclose(shares.sum(1), 1)
    width = (HIGHEST - LOWEST) / BINS
    row = dict(zip(np.flatnonzero(shares[0]), shares[0][shares[0] > 0], strict=True))
    assert row[0] == 0.5
    (place,) = set(row) - {0}
    assert LOWEST + (place - 1) * width <= np.log10(1e-3) + 1e-5 < LOWEST + place * width + 1e-4
    assert shares[1, 1] == 0.25  # smaller than all bins
    assert shares[1, BINS] == 0.25  # larger than all bins


def test_the_histogram_of_a_step_is_of_that_steps_gradients():
    c = SMALL
    history = next(iter(stream(c)))
    digits = torch.randint(10, (c.steps * c.batch_size + 256, c.length), generator=generator(c.seed, "digits"))
    network = build(lambda: Transformer(c), generator(c.seed, "network"))
    x = digits[: c.batch_size]
    F.cross_entropy(network(x).flatten(0, 1), answer(x, c.task).flatten()).backward()
    for layer, block in enumerate(network.blocks):
        every = torch.cat([p.grad.flatten() for p in block.parameters()])
        counts = np.histogram(every.abs().log10().numpy(), BINS, (LOWEST, HIGHEST))[0] / len(every)
        np.testing.assert_allclose(history.histograms[0, layer, 1:], counts, atol=3 / len(every))


@pytest.mark.parametrize(("task", "expected"), [("sort", [1, 2, 9]), ("copy", [9, 1, 2])])
def test_tasks(task, expected):
    assert answer(torch.tensor([[9, 1, 2]]), task).tolist() == [expected]


def test_a_run_grows_step_by_step_and_repeats():
    seen = [(h.step, len(h.accuracies), h.finished) for h in stream(SMALL)]
    assert seen == [(step, -(-step // 10) if step == 25 else step // 10, step == 25) for step in range(1, 26)]
    first, second = run(SMALL, progress=False), run(SMALL, progress=False)
    np.testing.assert_array_equal(first.histograms, second.histograms)
    assert first.accuracy == second.accuracy
    assert not np.array_equal(first.losses, run(SMALL, seed=1, progress=False).losses)


def test_warm_up_takes_smaller_steps_at_first():
    moved = {w: [h.moved for h in islice(stream(replace(SMALL, warm_up=w)), 5)] for w in (0, 10)}
    assert moved[10][0] == pytest.approx(moved[0][0] / 10, rel=0.01)
    assert (np.diff(moved[10]) > 0).all()


@pytest.mark.parametrize("seed", [0, 1])
def test_named_settings_show_what_their_names_say(seed):
    """At two thirds of the steps, what the lesson says of 200 steps and three seeds is plain already."""
    found = {name: run(progress=False, steps=130, seed=seed, **changes) for name, changes in SETTINGS.items()}
    healthy, collapse, rescued, still, blown = found.values()
    assert healthy.accuracy > 0.6
    assert rescued.accuracy > 0.5
    assert max(collapse.accuracy, still.accuracy, blown.accuracy) < 0.3
    first = {h: [float(typical(h, layer).removeprefix("10^")) for layer in (0, -1)] for h in (healthy, still)}
    assert min(first[healthy]) > -6
    assert typical(collapse, 0) == "0" or float(typical(collapse, 0).removeprefix("10^")) < -9
    assert min(first[still]) > -6  # the gradients are well, and nothing moves
    assert still.moved < 1e-5
    assert blown.moved > 5


@pytest.mark.parametrize(("changes", "said"), [
    ({"order": "mid"}, "order must be one of 'pre', 'post'"), ({"layers": 0}, "layers must be a number from 1 to 12"),
    ({"lr": 0}, "lr must be a number from 1e-09 to 10"), ({"width": 30}, "multiple of 4"), ({"task": "add"}, "task"),
    ({"warm_up": -1}, "warm_up must"), ({"depth": 3}, "There is no setting depth"),
])  # fmt: skip
def test_bad_settings_are_one_clear_sentence(changes, said):
    with pytest.raises(CourseError, match=said):
        run(**changes)


# Pictures


@pytest.mark.parametrize(
    ("layers", "shown"), [(1, [1]), (3, [1, 2, 3]), (6, [1, 2, 3, 4, 5, 6]), (12, [1, 3, 5, 8, 10, 12])]
)
def test_at_most_six_layers_are_shown_the_first_and_the_last_among_them(layers, shown):
    assert shown_layers(layers) == shown


def test_the_picture_follows_a_run_and_then_another_one():
    picture, size = HistoryPicture(), set()
    for changes in ({}, {"layers": 5, "order": "post"}, {"layers": 1, "steps": 12}):
        for history in stream(replace(SMALL, **changes)):
            if history.step % 10 == 0 or history.finished:
                picture.update(history)
                size.add(len(picture.png()) > 0)
        assert len(picture.maps) == min(6, history.config.layers)
        top = picture.maps[-1].image.get_array()
        np.testing.assert_allclose(top[2:, -1], history.histograms[-1, -1, 1:], rtol=1e-6)
        np.testing.assert_allclose(top[0, -1], history.histograms[-1, -1, 0], rtol=1e-6)
        assert f"{history.config.layers} layers" in picture.describe(history)


def test_one_layers_heat_map_as_a_plot():
    history = run(SMALL, progress=False)
    ax = HistoryPicture().figure.add_axes((0, 0, 1, 1))
    assert plot_histograms(history, 2, ax=ax) is ax
    for layer in (0, 4, "first"):
        with pytest.raises(CourseError, match="layer must be"):
            plot_histograms(history, layer, ax=ax)
