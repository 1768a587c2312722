"""The training loop and the networks: what they promise, against plain PyTorch."""

import copy
import math

import pytest
import torch
import torch.nn.functional as F
from scipy.stats import kstest
from torch import nn

from course_lib.errors import CourseError
from course_lib.networks import NETWORKS, Laptop, build, initialise, make_network
from course_lib.parallel import cores
from course_lib.randomness import generator
from course_lib.runs import finish
from course_lib.training import CHUNK, Objective, TrainingSet, fit, inputs, predict, require_device


def pixels(n=100, size=16, seed=0):
    return torch.randint(0, 256, (n, 3, size, size), dtype=torch.uint8, generator=generator(seed, "pixels"))


def problem(n=100, size=16):
    images = pixels(n, size)
    return TrainingSet(images, images.float().mean((1, 2, 3)).argsort().argsort() * 10 // n)


def objective(data=None, seed=0, kind=Objective):
    return kind(make_network("laptop", generator(seed, "network")), data or problem(), generator(seed, "training"))


def losses(*args, **options):
    return [progress.loss for progress in fit(objective(*args), **options)]


# fit


def test_progress_counts_every_step_of_every_epoch():
    seen = list(fit(objective(), epochs=3, batch_size=32))
    assert [p.step for p in seen] == list(range(1, 13))  # four batches of 32, 32, 32 and 4
    assert {p.steps for p in seen} == {12}
    assert all(p.evaluation is None and math.isfinite(p.loss) for p in seen)


def test_evaluations_come_every_so_many_steps_and_after_the_last():
    asked = []

    def evaluate(network, progress):
        assert not network.training
        yield
        asked.append(progress.step)
        yield
        return f"after {progress.step}"

    seen = list(fit(objective(), epochs=3, batch_size=32, evaluate=evaluate, evaluate_every=5))
    assert asked == [5, 10, 12]
    assert [(p.step, p.evaluation) for p in seen if p.evaluation] == [(s, f"after {s}") for s in asked]
    assert [p.step for p in seen].count(5) == 4  # the step, two pauses, the evaluation
    assert [p.step for p in seen].count(4) == 1


@pytest.mark.parametrize(("first", "expected"), [(2, [2, 5, 10, 12]), (5, [5, 10, 12]), (12, [5, 10, 12])])
def test_a_first_evaluation_can_come_sooner(first, expected):
    asked = []

    def evaluate(network, progress):
        asked.append(progress.step)
        yield

    for _ in fit(objective(), epochs=3, batch_size=32, evaluate=evaluate, evaluate_every=5, first=first):
        pass
    assert asked == expected


def test_without_a_number_of_steps_only_the_end_is_evaluated():
    def evaluate(network, progress):
        yield
        return progress.steps

    seen = list(fit(objective(), epochs=2, batch_size=50, evaluate=evaluate))
    assert [(p.step, p.evaluation) for p in seen if p.evaluation] == [(4, 4)]


def test_an_evaluation_changes_nothing_in_the_training():
    def evaluate(network, progress):
        yield from predict(network, problem().images, 100)

    plain = losses(epochs=2, batch_size=32)
    watched = fit(objective(), epochs=2, batch_size=32, evaluate=evaluate, evaluate_every=1)
    assert list({p.step: p.loss for p in watched}.values()) == plain


def test_closing_cancels_between_steps():
    run = objective()
    steps = fit(run, epochs=100, batch_size=32)
    for progress in steps:
        if progress.step == 3:
            break
    weights = copy.deepcopy(run.network.state_dict())
    steps.close()
    assert list(steps) == []
    assert all(torch.equal(weights[k], v) for k, v in run.network.state_dict().items())
    partial = objective()
    assert [p.loss for p, _ in zip(fit(partial, epochs=100, batch_size=32), range(3), strict=False)]


def test_closing_cancels_inside_an_evaluation_too():
    closed = []

    def evaluate(network, progress):
        try:
            while True:
                yield
        finally:
            closed.append(progress.step)

    steps = fit(objective(), epochs=1, batch_size=50, evaluate=evaluate, evaluate_every=1)
    for _ in range(5):
        next(steps)
    assert closed == []
    steps.close()
    assert closed == [1]


def test_the_same_seed_gives_the_same_losses_bit_for_bit_and_another_gives_others():
    assert losses(epochs=2) == losses(epochs=2)
    assert losses(None, 1, epochs=2) != losses(epochs=2)


def test_global_randomness_is_neither_used_nor_changed():
    def evaluate(network, progress):
        yield from predict(network, problem().images, 100)

    torch.manual_seed(1)
    before = torch.get_rng_state()
    first = losses(epochs=1, evaluate=evaluate)
    assert torch.equal(torch.get_rng_state(), before)
    torch.manual_seed(2)
    assert losses(epochs=1, evaluate=evaluate) == first


def test_images_drawn_on_the_fly_train_like_stored_ones():
    stored = problem()
    asked = []

    def draw(index):
        asked.append(index)
        return stored.images[index]

    drawn = TrainingSet(draw, stored.labels)
    assert losses(drawn, epochs=2, batch_size=32) == losses(stored, epochs=2, batch_size=32)
    assert [len(index) for index in asked] == [32, 32, 32, 4] * 2


def test_training_leaves_the_images_alone():
    data = problem()
    before = data.images.clone()
    losses(data, epochs=1)
    assert torch.equal(data.images, before)


def test_fit_does_what_a_bare_loop_does():
    run = objective()
    twin, data = copy.deepcopy(run.network), run.data
    optimizer = torch.optim.AdamW(twin.parameters(), lr=3e-3, weight_decay=0.1)
    shuffle = generator(0, "training")
    expected = []
    for _ in range(2):
        for index in torch.randperm(100, generator=shuffle).split(32):
            twin.train()
            loss = F.cross_entropy(twin(data.images[index].float() / 255), data.labels[index])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            expected.append(loss.item())
    steps = fit(run, epochs=2, batch_size=32, lr=3e-3, weight_decay=0.1, one_cycle=False)
    assert [p.loss for p in steps] == pytest.approx(expected, rel=1e-3)


class Rates(Objective):
    """Notes the learning rate of each step."""

    def step(self, batch, optimizer):
        (group,) = optimizer.param_groups
        self.rates = [*getattr(self, "rates", []), group["lr"]]
        return super().step(batch, optimizer)


def cosine(start, end, share):
    return end + (start - end) / 2 * (1 + math.cos(math.pi * share))


def test_the_learning_rate_follows_one_cycle():
    run = objective(kind=Rates)
    list(fit(run, epochs=10, batch_size=50, lr=0.02))
    top = 0.3 * 20 - 1  # the peak, after three tenths of the 20 steps
    expected = []
    for step in range(20):
        if step <= top:
            expected.append(cosine(0.02 / 25, 0.02, step / top))
        else:
            expected.append(cosine(0.02, 0.02 / 25 / 1e4, (step - top) / (19 - top)))
    assert run.rates == pytest.approx(expected)
    assert max(run.rates) == pytest.approx(0.02)


def test_the_learning_rate_can_stay_where_it_is():
    run = objective(kind=Rates)
    list(fit(run, epochs=2, batch_size=50, lr=0.02, one_cycle=False))
    assert run.rates == [0.02] * 4


@pytest.mark.parametrize("steps", [1, 2, 3])
def test_the_shortest_runs_work(steps):
    assert len(losses(epochs=steps, batch_size=1000)) == steps


def test_whole_numbers_may_be_given_as_floats():
    assert losses(epochs=2.0, batch_size=50.0) == losses(epochs=2, batch_size=50)


@pytest.mark.parametrize(
    ("setting", "wrong"),
    [
        ("epochs", [0, -1, 1.5, 1001, "four", None, math.nan, True]),
        ("batch_size", [1, 0, 2.5, 10**6, "all"]),
        ("lr", [-1e-3, math.inf, math.nan, 101, "fast"]),
        ("weight_decay", [-1e-3, math.inf, None]),
    ],
)
def test_settings_out_of_range_are_refused(setting, wrong):
    for value in wrong:
        with pytest.raises(CourseError, match=f"{setting} must be a "):
            next(fit(objective(), **{setting: value}))


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_a_loss_that_is_not_finite_stops_the_run_with_advice(value):
    class Broken(Objective):
        def loss(self, batch):
            return super().loss(batch) * value

    with pytest.raises(CourseError, match=r"The loss became -?(nan|inf) at step 1 of 4: lower lr"):
        list(fit(objective(kind=Broken)))


def test_a_learning_rate_that_is_far_too_high_is_told_not_hidden():
    class Exploding(Objective):
        def loss(self, batch):
            return super().loss(batch) * torch.exp(self.network.head.weight.abs().sum())

    with pytest.raises(CourseError, match="The loss became"):
        list(fit(objective(kind=Exploding), lr=100, one_cycle=False, batch_size=10))


def test_all_modules_of_an_objective_are_trained_and_in_training_mode():
    class Two(Objective):
        def __init__(self, *args):
            super().__init__(*args)
            self.second = build(Laptop, self.generator)
            self.modules.append(self.second)

        def loss(self, batch):
            assert self.network.training
            assert self.second.training
            return super().loss(batch) + F.cross_entropy(self.second(batch.x), batch.y)

    run = objective(kind=Two)
    run.network.eval()
    run.second.eval()
    before = run.second.head.weight.detach().clone()
    list(fit(run, epochs=1))
    assert not torch.equal(before, run.second.head.weight)


# Batches, predictions, progress


def test_a_batch_holds_pixels_in_zero_to_one_and_what_belongs_to_them():
    images, labels = pixels(20), torch.arange(20) % 10
    index = torch.tensor([7, 3, 7])
    batch = TrainingSet(images, labels, labels.flip(0)).batch(index)
    torch.testing.assert_close(batch.x, images[index].float() / 255)
    assert batch.x.is_contiguous(memory_format=torch.channels_last)
    assert batch.y.tolist() == [7, 3, 7]
    assert batch.b.tolist() == [2, 6, 2]
    assert batch.index is index
    assert TrainingSet(images, labels).batch(index).b is None


@pytest.mark.parametrize("n", [1, CHUNK, 2 * CHUNK + 30])
def test_predict_pauses_after_a_chunk_for_each_core_and_equals_a_plain_forward(n):
    images = pixels(3 * CHUNK)
    network = make_network("laptop", generator(0, "network")).eval()
    before = copy.deepcopy(network.state_dict())
    work = predict(network, images, n)
    pauses = 0
    while True:
        try:
            next(work)
            pauses += 1
            assert not torch.is_inference_mode_enabled()  # no pause leaves its mode behind
        except StopIteration as done:
            predicted = done.value
            break
    assert pauses == math.ceil(math.ceil(n / CHUNK) / cores())
    with torch.no_grad():
        expected = network(images[:n].float() / 255).argmax(1)
    assert torch.equal(predicted, expected)
    assert predicted.dtype == torch.int64
    assert torch.equal(finish(predict(network, lambda index: images[index], n)), expected)
    assert all(torch.equal(before[k], v) for k, v in network.state_dict().items())


def test_inputs_takes_slices_and_indices():
    images = pixels(10)
    assert torch.equal(inputs(images, slice(2, 4)), inputs(images, torch.tensor([2, 3])))


def test_a_device_that_is_not_there_is_refused():
    assert require_device("cpu") == "cpu"
    missing = [] if torch.cuda.is_available() else ["cuda"]
    for wrong in ["tpu", "", "cpu:1:2", 3.5, *missing]:
        with pytest.raises(CourseError, match="device must be one that this torch can use"):
            require_device(wrong)


# Networks


def test_the_laptop_network_is_this_plain_stack_of_layers():
    network = make_network("laptop", generator(0, "network"))
    plain = nn.Sequential(
        nn.PixelUnshuffle(2),
        nn.Conv2d(12, 24, 3, padding=1, bias=False),
        nn.BatchNorm2d(24),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(24, 32, 3, padding=1, bias=False),
        nn.BatchNorm2d(32),
        nn.ReLU(),
        nn.Conv2d(32, 64, 3, padding=1, bias=False),
        nn.BatchNorm2d(64),
        nn.ReLU(),
        nn.AdaptiveMaxPool2d(1),
        nn.Flatten(),
        nn.Linear(64, 10),
    )
    for ours, theirs in zip(network.parameters(), plain.parameters(), strict=True):
        theirs.data.copy_(ours.data)
    data = problem(size=42)
    index = torch.arange(16)
    x, y = data.batch(index).x, data.labels[index]
    for module in (network, plain):
        module.train()
    torch.testing.assert_close(network(x), plain(x), rtol=1e-4, atol=1e-5)  # with statistics of the batch
    for module in (network, plain):
        module.zero_grad()
        F.cross_entropy(module(x), y).backward()
    for ours, theirs in zip(network.parameters(), plain.parameters(), strict=True):
        torch.testing.assert_close(ours.grad, theirs.grad, rtol=1e-3, atol=1e-5)
    for module in (network, plain):
        module.eval()
    torch.testing.assert_close(network(x), plain(x), rtol=1e-4, atol=1e-5)  # with running statistics


def test_the_paper_network_has_the_papers_size():
    network = make_network("paper", generator(0, "network"))
    layers = {"norm": 2 * 3, "conv 1": 32 * (3 * 25 + 1), "conv 2": 32 * (32 * 9 + 1), "conv 3": 64 * (32 * 9 + 1)}
    layers |= {"conv 4": 64 * (64 * 9 + 1), "head": 10 * (64 + 1)}
    assert sum(p.numel() for p in network.parameters()) == sum(layers.values()) == 67_760
    x = torch.rand(2, 3, 96, 96, generator=generator(0, "x"))
    assert network(x).shape == (2, 10)
    assert network.body(x).shape == (2, 64, 10, 10)
    network.train()
    network.body[0].eps = 1e-12  # its only trace of the scale
    torch.testing.assert_close(network(x), network(255 * x), rtol=1e-3, atol=1e-4)  # 0..1 or 0..255 is the same


@pytest.mark.parametrize("name", NETWORKS)
def test_a_network_is_a_head_on_its_features(name):
    network = make_network(name, generator(0, "network")).eval()
    x = torch.rand(3, 3, 42, 42, generator=generator(0, "x"))
    z = network.features(x)
    assert z.shape == (3, network.head.in_features)
    assert torch.equal(network.head(z), network(x))
    assert network.head.out_features == 10


@pytest.mark.parametrize("name", NETWORKS)
def test_a_network_depends_on_its_generator_alone(name):
    torch.manual_seed(0)
    before = torch.get_rng_state()
    first, second, other = (make_network(name, generator(seed, "network")).state_dict() for seed in (0, 0, 1))
    assert torch.equal(torch.get_rng_state(), before)
    assert all(torch.equal(first[key], second[key]) for key in first)
    assert not torch.equal(first["head.weight"], other["head.weight"])
    assert not any(tensor.is_meta for tensor in first.values())


def test_an_unknown_network_is_refused():
    with pytest.raises(CourseError, match="network must be one of 'laptop', 'paper'; it was 'resnet'"):
        make_network("resnet", generator(0, "network"))


@pytest.mark.parametrize(
    "make",
    [
        lambda: nn.Linear(80, 50),
        lambda: nn.Linear(80, 50, bias=False),
        lambda: nn.Conv2d(12, 24, 3),
        lambda: nn.Conv2d(12, 24, (5, 3)),
    ],
    ids=["linear", "no bias", "square", "oblong"],
)
def test_initial_weights_have_pytorchs_own_distribution(make):
    torch.manual_seed(3)
    layer, reference = make(), make()
    initialise(layer, generator(0, "layer"))
    fan_in = layer.weight[0].numel()
    for ours, theirs in zip(layer.parameters(), reference.parameters(), strict=True):
        ours, theirs = ours.detach().flatten(), theirs.detach().flatten()
        bound = fan_in**-0.5
        assert ours.abs().max() <= bound
        assert theirs.abs().max() <= bound  # PyTorch's own bound
        assert kstest(ours.numpy(), "uniform", (-bound, 2 * bound)).pvalue > 1e-3
        assert kstest(ours.numpy(), theirs.numpy()).pvalue > 1e-3
        if len(ours) > 1000:
            assert ours.abs().max() > 0.99 * bound
            assert ours.mean().item() == pytest.approx(0, abs=4 * bound / math.sqrt(3 * len(ours)))
            assert ours.std().item() == pytest.approx(bound / math.sqrt(3), rel=0.05)


def test_initialise_resets_what_a_network_has_learned():
    network = make_network("laptop", generator(0, "network"))
    fresh = copy.deepcopy(network.state_dict())
    network.train()
    network(torch.rand(8, 3, 16, 16, generator=generator(0, "x")))
    assert network.norm1.num_batches_tracked == 1
    assert initialise(network, generator(0, "network")) is network
    assert all(torch.equal(fresh[key], value) for key, value in network.state_dict().items())


def test_initialise_says_which_layer_it_does_not_know():
    with pytest.raises(TypeError, match="no rule for a Embedding layer"):
        initialise(nn.Embedding(3, 3), generator(0, "layer"))
