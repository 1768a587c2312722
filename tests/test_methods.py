"""Each mitigation method against its formula, written out plainly: one sample, one group at a time."""

import copy
import gc
from collections import Counter

import pytest
import torch
import torch.nn.functional as F
from scipy.stats import chisquare
from torch import nn

from course_lib import mitigation
from course_lib.errors import CourseError
from course_lib.mitigation import METHODS, Method, Setting
from course_lib.mitigation import experiment as lab
from course_lib.networks import make_network
from course_lib.randomness import generator
from course_lib.training import Batch, TrainingSet, fit

NINE = ["StdM", "UpWt", "Resample", "GDRO", "RUBi", "LNL", "IRMv1", "LFF", "SD"]
TOLD = ["UpWt", "Resample", "GDRO", "RUBi", "LNL", "IRMv1"]
TINY = {"n_train": 200, "n_test": 100, "epochs": 1, "cell": 8, "progress": False}
CLASSES, VALUES, INPUTS = 4, 3, 6


class Tiny(nn.Module):
    """Small enough for plain formulas, with the two halves that a method may rely on."""

    def __init__(self):
        super().__init__()
        self.body, self.head = nn.Linear(INPUTS, 5), nn.Linear(5, CLASSES)

    def features(self, x):
        return torch.tanh(self.body(x))

    def forward(self, x):
        return self.head(self.features(x))


def problem(n=60, seed=0, told=True):
    """Random inputs, labels and unequally frequent bias labels; not every pair (b, y) exists."""
    draw = generator(seed, "problem")
    x = 2 * torch.randn(n, INPUTS, generator=draw, dtype=torch.float64)
    y = torch.randint(CLASSES, (n,), generator=draw)
    b = (torch.rand(n, generator=draw) ** 2 * VALUES).long()
    b[(b == 2) & (y == 3)] = 0  # an empty group
    return x, TrainingSet(x, y, b if told else None, CLASSES, VALUES)


def make(name, data, *, seed=0, **settings):
    """A method on a new Tiny network, all in double precision."""
    network = Tiny().double()
    draw = generator(seed, "weights")
    with torch.no_grad():
        for weight in network.parameters():
            weight.copy_(torch.randn(weight.shape, generator=draw) * 0.7)
    objective = METHODS[name](network, data, generator(seed, "method"), **settings)
    for extra in objective.modules[1:]:
        extra.double()
    if name == "GDRO":
        objective.q = objective.q.double()
    if name == "LFF":
        for average in (objective.average_main, objective.average_biased):
            average.value = average.value.double()
    return objective


def batch_of(x, data, index):
    index = torch.as_tensor(index)
    return Batch(index, x[index], data.labels[index], None if data.bias is None else data.bias[index])


def entropy(logits, label):
    """The cross-entropy of one sample."""
    return torch.log(torch.exp(logits).sum()) - logits[label]


def mean(values):
    return sum(values) / len(values)


def assert_same(loss, expected, network, twin=None, rtol=1e-9):
    """The two losses agree, and so do their gradients in all weights of their networks."""
    torch.testing.assert_close(loss, expected, rtol=rtol, atol=1e-12, check_dtype=False)
    found = torch.autograd.grad(loss, list(network.parameters()), retain_graph=True)
    wanted = torch.autograd.grad(expected, list((twin or network).parameters()), retain_graph=True)
    scale = max(g.abs().max().item() for g in wanted)
    assert scale > 1e-3, "a gradient of nothing proves nothing"
    for one, other in zip(found, wanted, strict=True):
        torch.testing.assert_close(one, other, rtol=rtol, atol=rtol * scale)


def descend(network, loss, rate=0.5):
    """One plain gradient step, by hand."""
    gradients = torch.autograd.grad(loss, list(network.parameters()))
    with torch.no_grad():
        for weight, gradient in zip(network.parameters(), gradients, strict=True):
            weight -= rate * gradient


# Losses and gradients


@pytest.mark.parametrize("name", ["StdM", "Resample"])
def test_the_loss_is_the_mean_cross_entropy(name):
    x, data = problem(told=name == "Resample")
    objective = make(name, data)
    batch = batch_of(x, data, range(17))
    plain = mean([entropy(objective.network(x[i]), data.labels[i]) for i in range(17)])
    assert_same(objective.loss(batch), plain, objective.network)


def test_upwt_weights_each_sample_by_one_over_the_size_of_its_group():
    x, data = problem()
    objective = make("UpWt", data)
    index = [3, 41, 7, 19, 50, 12]
    pairs = list(zip(data.bias.tolist(), data.labels.tolist(), strict=True))
    sizes = Counter(pairs)
    assert len(sizes) < CLASSES * VALUES  # an empty group does not count among the K
    terms = []
    for i in index:
        weight = len(data) / (len(sizes) * sizes[pairs[i]])
        terms.append(weight * entropy(objective.network(x[i]), data.labels[i]))
    assert_same(objective.loss(batch_of(x, data, index)), mean(terms), objective.network, rtol=1e-6)


def test_the_weights_of_upwt_average_to_one_over_the_training_set():
    _, data = problem(n=977)
    weight = make("UpWt", data).weight
    assert weight.mean().item() == pytest.approx(1, abs=1e-6)
    group = data.bias * CLASSES + data.labels
    totals = [weight[group == g].sum().item() for g in group.unique()]
    assert totals == pytest.approx([totals[0]] * len(totals), rel=1e-5)  # every group counts the same


def test_gdro_moves_its_group_weights_by_their_losses_and_sums_the_weighted_losses():
    x, data = problem()
    objective = make("GDRO", data, eta=0.5)
    twin = copy.deepcopy(objective.network)
    groups = [(b, y) for b in range(VALUES) for y in range(CLASSES)]
    q = dict.fromkeys(groups, 1 / len(groups))
    draw = generator(5, "batches")
    for _ in range(6):
        index = torch.randint(len(data), (15,), generator=draw)
        losses = {g: [] for g in groups}
        for i in index.tolist():
            group = data.bias[i].item(), data.labels[i].item()
            losses[group].append(entropy(twin(x[i]), data.labels[i]))
        by_group = {g: mean(some) if some else torch.zeros((), dtype=torch.float64) for g, some in losses.items()}
        q = {g: q[g] * torch.exp(0.5 * by_group[g].detach()) for g in groups}
        total = sum(q.values())
        q = {g: weight / total for g, weight in q.items()}
        plain = sum(q[g] * by_group[g] for g in groups)
        loss = objective.loss(batch_of(x, data, index))
        assert_same(loss, plain, objective.network, twin)
        torch.testing.assert_close(objective.q, torch.stack(list(q.values())))
        descend(objective.network, loss)
        descend(twin, plain)
    assert objective.q.sum().item() == pytest.approx(1)
    assert objective.q.max() > 1.3 / len(groups)  # the weights have moved


def test_rubi_masks_the_logits_with_what_the_bias_alone_says():
    x, data = problem()
    objective = make("RUBi", data)
    network, branch = objective.network.float(), objective.branch.float()  # its one-hot inputs are float32
    x = x.float()
    index = [0, 9, 33, 58]
    terms = []
    for i in index:
        one_hot = torch.zeros(VALUES)
        one_hot[data.bias[i]] = 1
        hidden = torch.clamp(branch[0].weight @ one_hot + branch[0].bias, min=0)
        guess = branch[2].weight @ hidden + branch[2].bias
        masked = network(x[i]) / (1 + torch.exp(-guess))
        terms.append(entropy(masked, data.labels[i]) + entropy(guess, data.labels[i]))
    loss = objective.loss(batch_of(x, data, index))
    assert_same(loss, mean(terms), network, rtol=1e-4)
    assert_same(loss, mean(terms), branch, rtol=1e-4)
    assert branch[0].weight.shape == (32, VALUES)
    assert branch[2].weight.shape == (CLASSES, 32)


def irm_penalty(network, x, data, index):
    """Sum over environments of the product of d/dw mean CE(w f) at w = 1 on both halves."""
    total = torch.zeros((), dtype=torch.float64)
    for e in range(VALUES):
        members = [i for i in index if data.bias[i] == e]
        halves = members[: len(members) // 2], members[len(members) // 2 :]
        slopes = []
        for half in halves:
            if half:
                w = torch.ones((), dtype=torch.float64, requires_grad=True)
                risk = mean([entropy(w * network(x[i]), data.labels[i]) for i in half])
                slopes += torch.autograd.grad(risk, w, create_graph=True)
        if len(slopes) == 2:  # an environment with one sample has no halves to compare
            total = total + slopes[0] * slopes[1]
    return total


@pytest.mark.parametrize("index", [range(20), range(20, 51), [0, 1, 2]], ids=["even", "odd", "few"])
def test_irm_adds_the_product_of_the_scale_gradients_of_both_halves_of_each_environment(index):
    x, data = problem()
    objective = make("IRMv1", data, lam=3.0)
    plain = mean([entropy(objective.network(x[i]), data.labels[i]) for i in index])
    plain = plain + 3.0 * irm_penalty(objective.network, x, data, list(index))
    assert_same(objective.loss(batch_of(x, data, index)), plain, objective.network)


def test_the_penalty_of_irm_can_be_negative():
    x, data = problem()
    signs = set()
    for seed in range(8):
        free, punished = make("IRMv1", data, seed=seed, lam=0.0), make("IRMv1", data, seed=seed, lam=1.0)
        batch = batch_of(x, data, range(seed, seed + 12))
        for objective in (free, punished):
            objective.network.head.weight.data /= 10  # not sure of anything yet
        signs.add(bool(punished.loss(batch) < free.loss(batch)))
    assert signs == {True, False}


def test_sd_punishes_the_distance_of_the_true_logit_from_gamma():
    x, data = problem(told=False)
    objective = make("SD", data, lam=0.7, gamma=1.5)
    terms = []
    for i in range(12):
        logits = objective.network(x[i])
        terms.append(entropy(logits, data.labels[i]) + 0.7 / 2 * (logits[data.labels[i]] - 1.5) ** 2)
    assert_same(objective.loss(batch_of(x, data, range(12))), mean(terms), objective.network)


def test_lff_weights_samples_by_the_relative_difficulty_of_two_networks():
    x, data = problem(n=30, told=False)
    objective = make("LFF", data, q=0.6)
    main, biased = copy.deepcopy(objective.network), copy.deepcopy(objective.biased)
    seen_main, seen_biased = {}, {}  # the moving average of each sample seen so far

    def relative(seen, i):
        """The sample's average over the largest one of all samples of its class seen so far."""
        return seen[i] / max(average for j, average in seen.items() if data.labels[j] == data.labels[i])

    draw = generator(1, "batches")
    for _ in range(7):
        index = torch.randperm(len(data), generator=draw)[:9].tolist()
        losses = {}
        for i in index:
            losses[i] = entropy(main(x[i]), data.labels[i]), entropy(biased(x[i]), data.labels[i])
            for seen, loss in zip((seen_main, seen_biased), losses[i], strict=True):
                value = loss.item()
                seen[i] = 0.7 * seen[i] + 0.3 * value if i in seen else value
        plain_main, plain_biased = [], []
        for i, (loss_main, loss_biased) in losses.items():
            b, m = relative(seen_biased, i), relative(seen_main, i)
            plain_main.append(b / (b + m + 1e-8) * loss_main)
            p_true = torch.softmax(biased(x[i]), 0)[data.labels[i]].item()
            plain_biased.append(0.6 * p_true**0.6 * loss_biased)
        plain = mean(plain_main) + mean(plain_biased)
        loss = objective.loss(batch_of(x, data, index))
        assert_same(loss, plain, objective.network, main, rtol=1e-6)
        assert_same(loss, plain, objective.biased, biased, rtol=1e-6)
        found = torch.autograd.grad(loss, [*objective.network.parameters(), *objective.biased.parameters()])
        with torch.no_grad():
            for ours, theirs, gradient in zip(
                [*objective.network.parameters(), *objective.biased.parameters()],
                [*main.parameters(), *biased.parameters()],
                found,
                strict=True,
            ):
                ours -= 0.5 * gradient
                theirs -= 0.5 * gradient
    assert len(seen_main) > 20  # samples were met again, and some classes were larger than a batch's part


def test_the_two_networks_of_lff_start_differently():
    _, data = problem(told=False)
    objective = make("LFF", data)
    assert not torch.equal(objective.network.head.weight.float(), objective.biased.head.weight.float())


class Recorder(torch.optim.SGD):
    """SGD that remembers the weights of a module after each step."""

    watched: nn.Module

    def step(self, closure=None):
        super().step(closure)
        self.seen = [*getattr(self, "seen", []), [w.detach().clone() for w in self.watched.parameters()]]


def test_lnl_takes_its_two_steps_one_after_the_other():
    x, data = problem()
    lam, reversal, rate = 0.8, 0.3, 0.4
    objective = make("LNL", data, lam=lam, reversal=reversal)
    main, reader = copy.deepcopy(objective.network), copy.deepcopy(objective.reader)
    index = [5, 11, 23, 42, 57]

    # Step 1, by hand: the main network alone.
    main_optimizer = torch.optim.SGD(main.parameters(), lr=rate)
    terms = []
    for i in index:
        p = torch.softmax(reader(main.features(x[i])), 0)
        terms.append(entropy(main(x[i]), data.labels[i]) + lam * sum(p_k * torch.log(p_k) for p_k in p))
    first = mean(terms)
    main_optimizer.zero_grad()
    first.backward()
    main_optimizer.step()
    head_after_one = [w.detach().clone() for w in main.head.parameters()]

    # Step 2, by hand, where the weights are now: the reader downhill, the features uphill, slowly.
    second = mean([entropy(reader(main.features(x[i])), data.bias[i]) for i in index])
    down = torch.autograd.grad(second, list(reader.parameters()), retain_graph=True)
    up = torch.autograd.grad(second, list(main.body.parameters()))
    main_optimizer.zero_grad()
    reader_optimizer = torch.optim.SGD(reader.parameters(), lr=rate)
    for weight, gradient in zip(reader.parameters(), down, strict=True):
        weight.grad = gradient
    for weight, gradient in zip(main.body.parameters(), up, strict=True):
        weight.grad = -reversal * gradient
    main_optimizer.step()
    reader_optimizer.step()

    weights = [w for module in objective.modules for w in module.parameters()]
    optimizer = Recorder(weights, lr=rate)
    optimizer.watched = objective.reader
    untouched = [w.detach().clone() for w in objective.reader.parameters()]
    loss = objective.step(batch_of(x, data, index), optimizer)

    assert loss == pytest.approx(first.item(), rel=1e-9)
    assert len(optimizer.seen) == 2
    torch.testing.assert_close(optimizer.seen[0], untouched, rtol=0, atol=0)  # step 1 is not the reader's
    torch.testing.assert_close(list(objective.network.parameters()), list(main.parameters()))
    torch.testing.assert_close(list(objective.reader.parameters()), list(reader.parameters()))
    torch.testing.assert_close(list(objective.network.head.parameters()), head_after_one)  # step 2 is not the head's


def test_the_loss_and_gradient_of_the_first_step_of_lnl():
    x, data = problem()
    objective = make("LNL", data, lam=0.8)
    terms = []
    for i in range(9):
        z = objective.network.features(x[i])
        p = torch.softmax(objective.reader(z), 0)
        terms.append(entropy(objective.network.head(z), data.labels[i]) + 0.8 * sum(q * torch.log(q) for q in p))
    assert_same(objective.loss(batch_of(x, data, range(9))), mean(terms), objective.network)


def test_weight_decay_does_not_move_the_bias_reader_in_the_first_step_of_lnl():
    x, data = problem()
    objective = make("LNL", data)
    before = [w.detach().clone() for w in objective.reader.parameters()]
    weights = [w for module in objective.modules for w in module.parameters()]
    optimizer = torch.optim.AdamW(weights, lr=0.1, weight_decay=0.5, fused=True)
    snapshots = []
    optimizer.register_step_post_hook(
        lambda *_: snapshots.append([w.detach().clone() for w in objective.reader.parameters()])
    )
    objective.step(batch_of(x, data, range(9)), optimizer)
    torch.testing.assert_close(snapshots[0], before, rtol=0, atol=0)
    assert not torch.equal(snapshots[1][0], before[0])


# Batches


def lopsided(n=3000):
    """Groups of very unequal sizes, from about 5 to about 1,000 samples; one pair is missing."""
    draw = generator(2, "lopsided")
    y = (torch.rand(n, generator=draw) ** 5 * CLASSES).long()
    b = (torch.rand(n, generator=draw) ** 5 * VALUES).long()
    b[(b == 2) & (y == 3)] = 1
    return TrainingSet(torch.zeros(n, 1), y, b, CLASSES, VALUES)


@pytest.mark.parametrize("name", ["Resample", "GDRO"])
def test_all_groups_that_exist_are_drawn_equally_often(name):
    data = lopsided()
    objective = make(name, data)
    batches = [index for _ in range(20) for index in objective.batches(64)]
    drawn = torch.cat(batches)
    assert [len(index) for index in batches[:47]] == [64] * 46 + [56]  # an epoch is as long as ever
    group = data.bias * CLASSES + data.labels
    sizes = torch.bincount(group)
    assert sizes[sizes > 0].min() * 50 < sizes.max()
    counts = torch.bincount(group[drawn], minlength=CLASSES * VALUES)
    assert (counts[torch.bincount(group, minlength=CLASSES * VALUES) == 0] == 0).all()
    assert chisquare(counts[counts > 0].numpy()).pvalue > 1e-3
    largest = sizes.argmax()
    within = torch.bincount(drawn, minlength=len(data))[group == largest]
    assert chisquare(within.numpy()).pvalue > 1e-3  # and inside a group, its samples


def test_a_batch_of_irm_holds_equally_many_samples_of_sixteen_environments():
    n, values = 4000, 20
    bias = (torch.rand(n, generator=generator(3, "bias")) ** 2 * values).long()
    bias[bias == 7] = 8  # an environment without samples
    data = TrainingSet(torch.zeros(n, 1), torch.zeros(n, dtype=torch.long), bias, CLASSES, values)
    objective = make("IRMv1", data)
    batches = [index for _ in range(10) for index in objective.batches(128)]
    assert len(batches) == 10 * 32
    taken = Counter()
    for index in batches:
        environments = Counter(bias[index].tolist())
        assert len(environments) == 16
        assert set(environments.values()) == {8}
        taken.update(environments.keys())
    assert len(taken) == 19
    assert chisquare(list(taken.values())).pvalue > 1e-3
    rare = torch.cat(batches)
    members = torch.bincount(rare, minlength=n)[bias == 0]
    assert chisquare(members.numpy()).pvalue > 1e-3  # with replacement, all of them alike


def test_with_few_environments_each_fills_its_part_of_irms_batch():
    _, data = problem(n=100)
    for index in make("IRMv1", data).batches(30):
        assert Counter(data.bias[index].tolist()) == {0: 10, 1: 10, 2: 10}


@pytest.mark.parametrize("name", [name for name in NINE if name not in ("Resample", "GDRO", "IRMv1")])
def test_the_other_methods_visit_every_sample_once_an_epoch_in_a_new_order(name):
    _, data = problem(n=50)
    objective = make(name, data)
    first, second = (torch.cat(list(objective.batches(16))) for _ in range(2))
    assert sorted(first.tolist()) == sorted(second.tolist()) == list(range(50))
    assert first.tolist() != second.tolist() != list(range(50))
    assert [len(index) for index in objective.batches(16)] == [16, 16, 16, 2]


# What a method knows


@pytest.fixture
def register():
    """Register methods for one test only."""
    names = []

    def add(name, method, **words):
        names.append(name)
        return METHODS.register(name, method, **words)

    yield add
    for name in names:
        if name in METHODS:
            METHODS.remove(name)


@pytest.mark.parametrize("knows", ["nothing", "bias labels"])
def test_a_method_sees_bias_labels_only_if_it_may(register, knows):
    told = []

    class Spy(Method):
        def loss(self, batch):
            told.append((self.data.bias, batch.b, batch.index))
            return super().loss(batch)

    Spy.knows = knows
    register("Spy", Spy)
    result = mitigation.run(method="Spy", explicit="texture_color", **TINY)
    train = lab.dataset("bundled", "train", 0.5, 200, 0, 8, "cpu")
    for bias, b, index in told:
        if knows == "nothing":
            assert bias is None
            assert b is None
        else:
            assert torch.equal(bias, train.values[:, 6])
            assert torch.equal(b, train.values[index, 6])
    assert result.config.told == (None if knows == "nothing" else "texture_color")


@pytest.mark.parametrize("name", TOLD)
def test_a_method_that_needs_bias_labels_says_so(name):
    _, data = problem(told=False)
    with pytest.raises(CourseError, match="must be told the bias labels"):
        make(name, data)


# The registry


def test_the_kit_comes_with_nine_methods_in_order():
    assert [name for name in METHODS if name in NINE] == NINE
    assert list(METHODS)[:9] == NINE
    assert [name for name in NINE if METHODS[name].knows == "bias labels"] == TOLD
    assert all(METHODS[name].knows in ("nothing", "bias labels") for name in METHODS)


@pytest.mark.parametrize("name", NINE)
def test_every_method_says_what_it_is(name):
    method = METHODS[name]
    assert method.__name__ == name
    assert method.title
    assert method.idea.endswith(".")
    assert ". " not in method.idea, "one sentence"
    assert method.source
    assert method.__doc__
    for setting in method.settings:
        assert setting.low <= setting.default <= setting.high
        assert setting.text


def test_the_default_settings_are_the_papers():
    defaults = {name: {s.name: s.default for s in METHODS[name].settings} for name in NINE}
    assert {name: settings for name, settings in defaults.items() if settings} == {
        "GDRO": {"eta": 1e-3},
        "LNL": {"lam": 0.01, "reversal": 0.1},
        "IRMv1": {"lam": 0.01},
        "LFF": {"q": 0.5},
        "SD": {"lam": 1e-3, "gamma": 1e-3},
    }


@pytest.mark.parametrize("name", NINE)
def test_settings_out_of_range_and_unknown_ones_are_refused(name):
    _, data = problem()
    with pytest.raises(CourseError, match=f"{name} has no setting 'wheels'"):
        make(name, data, wheels=4)
    for setting in METHODS[name].settings:
        for wrong in (setting.low - 1, setting.high + 1, float("nan"), "much", None):
            with pytest.raises(CourseError, match=f"{setting.name} must be a number from"):
                make(name, data, **{setting.name: wrong})
        assert getattr(make(name, data, **{setting.name: setting.high}), setting.name) == setting.high
        assert getattr(make(name, data), setting.name) == setting.default


def test_an_unknown_name_gets_a_list_of_the_known_ones():
    with pytest.raises(CourseError, match=r"There is no method 'JTT'; there are StdM, UpWt"):
        METHODS["JTT"]
    assert "JTT" not in METHODS
    assert len(METHODS) == len(list(METHODS))


def test_a_function_of_logits_and_labels_knows_nothing(register):
    def focal(logits, y):
        """Easy samples count less.

        Not shown.
        """
        p = torch.softmax(logits, 1).gather(1, y[:, None]).squeeze(1)
        return (1 - p) ** 2 * -torch.log(p)

    method = register("focal", focal)
    assert METHODS["focal"] is method
    assert issubclass(method, Method)
    assert (method.knows, method.title, method.source) == ("nothing", "focal", "yours")
    assert method.idea == "Easy samples count less."
    x, data = problem(told=False)
    objective = make("focal", data)
    batch = batch_of(x, data, range(8))
    assert_same(objective.loss(batch), focal(objective.network(batch.x), batch.y).mean(), objective.network)


def test_a_function_of_logits_labels_and_bias_is_told_the_bias(register):
    def by_bias(logits, y, b):
        return ((1 + b) * F.cross_entropy(logits, y, reduction="none")).mean()

    method = register("by bias", by_bias, title="By bias", idea="The larger, the more.")
    assert (method.knows, method.title, method.idea) == ("bias labels", "By bias", "The larger, the more.")
    x, data = problem()
    objective = make("by bias", data)
    terms = [(1 + data.bias[i]) * entropy(objective.network(x[i]), data.labels[i]) for i in range(8)]
    assert_same(objective.loss(batch_of(x, data, range(8))), mean(terms), objective.network)
    assert mitigation.run(method="by bias", **TINY).finished


def test_parameters_with_a_default_are_the_functions_own(register):
    def smooth(logits, y, amount=0.1):
        return F.cross_entropy(logits, y, label_smoothing=amount)

    assert register("smooth", smooth).knows == "nothing"
    assert mitigation.run(method="smooth", **TINY).finished
    assert register("plain", F.cross_entropy).knows == "nothing"
    assert mitigation.run(method="plain", **TINY).losses == mitigation.run(method="StdM", **TINY).losses


def test_a_class_of_ones_own_can_be_registered_and_tuned(register):
    class Louder(Method):
        title, idea, source = "Louder", "The same, only louder.", "a test"
        settings = (Setting("volume", 2.0, 1.0, 11.0, "how loud"),)

        def loss(self, batch):
            return self.volume * super().loss(batch)

    assert register("Louder", Louder) is Louder
    quiet = mitigation.run(method="StdM", **TINY)
    loud = mitigation.run(method="Louder", settings={"volume": 11}, **TINY)
    assert loud.losses[0] == pytest.approx(11 * quiet.losses[0], rel=1e-5)
    with pytest.raises(CourseError, match="volume must be a number from 1 to 11"):
        mitigation.run(method="Louder", settings={"volume": 12}, **TINY)


def keyword_only(logits, y, *, weight):
    return logits.sum()


@pytest.mark.parametrize(
    ("method", "message"),
    [
        (lambda logits: logits.sum(), r"must take \(logits, y\) or \(logits, y, b\)"),
        (lambda a, b, c, d: a.sum(), r"must take \(logits, y\) or \(logits, y, b\)"),
        (lambda *anything: 0, r"must take \(logits, y\) or \(logits, y, b\)"),
        (keyword_only, r"must take \(logits, y\) or \(logits, y, b\)"),
        (Tiny, "The class Tiny must be a subclass of mitigation.Method"),
        (Tiny(), "must take"),
        ("StdM", "must be a function or a subclass of Method; it was 'StdM'"),
        (None, "must be a function or a subclass of Method; it was None"),
    ],
)
def test_what_is_no_method_is_refused(method, message):
    with pytest.raises(CourseError, match=message):
        METHODS.register("mine", method)
    assert "mine" not in METHODS


@pytest.mark.parametrize("name", ["", "  ", "a name of more than 24 characters", 7, None])
def test_a_name_must_be_a_short_text(name):
    with pytest.raises(CourseError, match="name must be a text of 1 to 24 characters"):
        METHODS.register(name, F.mse_loss)


@pytest.mark.parametrize("name", NINE)
def test_the_methods_of_the_kit_stay_as_they_are(name):
    kept = METHODS[name]
    with pytest.raises(CourseError, match=f"'{name}' comes with the kit"):
        METHODS.register(name, lambda logits, y: logits.sum())
    with pytest.raises(CourseError, match="Only a method that you registered can be removed"):
        METHODS.remove(name)
    assert METHODS[name] is kept


def test_registering_again_replaces_a_method_and_runs_anew(register):
    register("mine", lambda logits, y: F.cross_entropy(logits, y))
    first = mitigation.run(method="mine", **TINY)
    register("mine", lambda logits, y: 2 * F.cross_entropy(logits, y))
    second = mitigation.run(method="mine", **TINY)
    assert list(METHODS).count("mine") == 1
    assert second.losses[0] == pytest.approx(2 * first.losses[0], rel=1e-6)


def test_a_method_can_be_removed_and_its_results_stay_readable(register):
    register("mine", lambda logits, y, b: F.cross_entropy(logits, y))
    result = mitigation.run(method="mine", **TINY)
    METHODS.remove("mine")
    assert "mine" not in METHODS
    assert result.summary()["told"] == "distractor_shape"
    with pytest.raises(CourseError, match="There is no method 'mine'"):
        mitigation.run(method="mine", **TINY)
    with pytest.raises(CourseError, match="Only a method that you registered can be removed"):
        METHODS.remove("mine")


def test_listeners_hear_of_every_change_for_as_long_as_they_live(register):
    heard = []

    class Listener:
        def registry_changed(self):
            heard.append(list(METHODS)[9:])

    listener = Listener()
    METHODS.subscribe(listener)
    register("one", lambda logits, y: logits.sum())
    register("one", lambda logits, y: logits.mean())
    METHODS.remove("one")
    assert heard == [["one"], ["one"], []]
    del listener
    gc.collect()
    register("two", lambda logits, y: logits.sum())
    assert len(heard) == 3


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (lambda logits, y: logits, r"'mine' must return one loss, or one per sample \[64\]; got a tensor of shape"),
        (lambda logits, y: logits.sum(0), r"got a tensor of shape \[10\]"),
        (lambda logits, y: 0.5, r"must return one loss, or one per sample \[64\]; got 0.5"),
        (lambda logits, y: None, "got None"),
        (lambda logits, y: torch.tensor(1.0), "does not depend on the logits: nothing could be learned"),
        (lambda logits, y: (logits.argmax(1) != y).float(), "does not depend on the logits"),
        (lambda logits, y: logits.mean() * float("nan"), "The loss became nan at step 1 of 4"),
        (lambda logits, y: F.cross_entropy(logits, y) / 0, "The loss became inf at step 1 of 4"),
    ],
    ids=["matrix", "per class", "float", "nothing", "constant", "accuracy", "nan", "infinite"],
)
def test_a_function_that_returns_no_loss_gets_one_clear_sentence(register, function, message):
    register("mine", function)
    with pytest.raises(CourseError, match=message) as caught:
        mitigation.run(method="mine", **TINY)
    assert "\n" not in str(caught.value)


# Training


@pytest.mark.parametrize("name", NINE)
def test_every_method_trains_and_the_same_seed_trains_the_same(name):
    train = lab.dataset("bundled", "train", 0.5, 200, 0, 8, "cpu")
    bias = train.values[:, 3] if name in TOLD else None
    data = TrainingSet(train.images, train.labels, bias)
    runs = []
    untouched = torch.get_rng_state()
    for _ in range(2):
        network = make_network("laptop", generator(1, "network"))
        before = copy.deepcopy(network.state_dict())
        objective = METHODS[name](network, data, generator(1, "training"))
        losses = [progress.loss for progress in fit(objective, epochs=2, batch_size=32)]
        assert len(losses) == 14
        assert torch.tensor(losses).isfinite().all()
        for key, weight in network.state_dict().items():
            assert not torch.equal(weight, before[key]), f"{key} stands still"
        runs.append((losses, network.state_dict()))
    (first, weights), (second, again) = runs
    assert first == second
    assert all(torch.equal(weights[key], again[key]) for key in weights)
    assert torch.equal(torch.get_rng_state(), untouched)  # global state is neither used nor changed


@pytest.mark.parametrize("name", NINE)
def test_every_method_lowers_the_error_on_what_it_trains_on(name):
    x, data = problem(n=200, seed=4)
    x = torch.randn(200, INPUTS, generator=generator(4, "x"), dtype=torch.float64)
    labels = x[:, :CLASSES].argmax(1)  # learnable
    data = TrainingSet(x, labels, data.bias, CLASSES, VALUES)
    objective = make(name, data)
    if name == "RUBi":
        x = x.float()
        objective.network.float(), objective.branch.float()
    before = (objective.network(x).argmax(1) == labels).double().mean()
    weights = [w for module in objective.modules for w in module.parameters()]
    optimizer = torch.optim.Adam(weights, lr=0.02)
    for _ in range(15):
        for index in objective.batches(20):
            objective.step(batch_of(x, data, index), optimizer)
    after = (objective.network(x).argmax(1) == labels).double().mean()
    assert after > 0.8 > before


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device here")
@pytest.mark.parametrize("name", METHODS)
def test_every_method_trains_on_a_gpu_from_the_same_weights(name):
    settings = {"method": name, "n_train": 200, "n_test": 100, "epochs": 1, "progress": False}
    here, there = mitigation.run(**settings), mitigation.run(**settings, device="cuda")
    assert there.finished
    assert there.losses[0] == pytest.approx(here.losses[0], rel=1e-2)
