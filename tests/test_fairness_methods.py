"""The mitigation methods of lesson 06: each does what its objective says."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from course_lib.errors import CourseError
from course_lib.fairness.methods import BUILT_IN, CONTROLS, METHODS
from course_lib.fairness.methods.exemplars import set_aside
from course_lib.fairness.methods.fermi import dependence
from course_lib.networks import Laptop, build, initialise
from course_lib.randomness import generator
from course_lib.training import TrainingSet, fit

SIZES = (60, 8, 20, 72)  # of the groups, in the order 2 b + y


class Small(nn.Module):
    """A network in float64 without batch norm, for exact comparisons."""

    def __init__(self):
        super().__init__()
        self.body, self.head = nn.Linear(12, 5), nn.Linear(5, 2)

    def features(self, x):
        return torch.tanh(self.body(x.flatten(1).to(self.body.weight.dtype)))

    def forward(self, x):
        return self.head(self.features(x))


@pytest.fixture
def data():
    group = torch.repeat_interleave(torch.arange(4), torch.tensor(SIZES))
    images = torch.randint(256, (len(group), 3, 2, 2), generator=generator(0, "images"), dtype=torch.uint8)
    images[:, 0] = 200 * (group % 2 == 1)[:, None, None].to(torch.uint8)  # the label can be seen
    return TrainingSet(images, group % 2, group // 2, classes=2, values=2)


def made(name, data, **settings):
    network = build(Small, generator(1, "network")).double()
    return BUILT_IN[name](network, data, generator(2, "training"), **settings)


def group_of(data, index):
    return 2 * data.bias[index] + data.labels[index]


@pytest.mark.parametrize("name", BUILT_IN)
def test_every_method_trains_a_network_with_batch_norm(name):
    group = torch.arange(4).repeat_interleave(torch.tensor([30, 6, 10, 33]))
    images = torch.randint(256, (len(group), 3, 8, 8), generator=generator(0, "images"), dtype=torch.uint8)
    told = METHODS[name].knows == "bias labels"
    data = TrainingSet(images, group % 2, group // 2 if told else None, classes=2, values=2)

    def trained():
        network = build(lambda: Laptop(2, (4, 4, 4)), generator(0, "network"))
        start = [p.clone() for p in network.parameters()]
        steps = list(fit(METHODS[name](network, data, generator(0, "t")), epochs=4, batch_size=16))
        assert len(steps) == 4 * 5
        assert any(not torch.equal(a, b) for a, b in zip(start, network.parameters(), strict=True))
        return network.head.weight

    assert torch.equal(trained(), trained())  # nothing but the seeds decides


def test_subg_draws_as_many_of_each_group_as_the_smallest_has(data):
    method = made("SUBG", data)
    for _ in range(2):
        seen = torch.cat(list(method.batches(16)))
        assert torch.bincount(group_of(data, seen)).tolist() == [8, 8, 8, 8]
        assert len(seen.unique()) == 32


def test_exemplars_are_balanced_and_never_trained_on_but_by_their_control(data):
    for name in ("DFR", "FORML"):
        method = made(name, data, exemplars=40)
        assert torch.bincount(group_of(data, method.exemplars)).tolist() == [4] * 4  # half of the smallest
        trained = torch.cat(list(method.batches(16)))
        assert not set(trained.tolist()) & set(method.exemplars.tolist())
        assert len(trained) + len(method.exemplars) == len(data)
    control = made("Exemplars", data, exemplars=3)
    assert torch.bincount(group_of(data, torch.cat(list(control.batches(16))))).tolist() == [3] * 4


def test_dfr_forml_and_its_control_have_the_same_exemplars(data):
    dfr, forml, control = (set(made(name, data).exemplars.tolist()) for name in ("DFR", "FORML", "Exemplars"))
    assert dfr == forml == control
    assert CONTROLS == {"FORML": "Exemplars"}


def test_a_group_without_samples_is_one_clear_sentence(data):
    without = TrainingSet(data.images[:60], data.labels[:60], data.bias[:60], classes=2, values=2)
    for name in ("SUBG", "DFR", "FORML", "Exemplars"):
        with pytest.raises(CourseError, match=f"{name} needs .* of every group"):
            made(name, without)


def test_dfr_moves_the_head_alone_to_the_best_on_the_exemplars(data):
    method = made("DFR", data, exemplars=4, l2=0.1)
    body = method.network.body.weight.clone()
    method.conclude()
    assert torch.equal(body, method.network.body.weight)
    batch = data.batch(method.exemplars)
    z = method.network.features(batch.x).detach()
    scale = z.std(0)
    weight = (method.network.head.weight * scale).detach().requires_grad_()  # for standardised features
    bias = (method.network.head.bias + method.network.head.weight @ z.mean(0)).detach().requires_grad_()
    loss = F.cross_entropy(F.linear((z - z.mean(0)) / scale, weight, bias), batch.y) + 0.05 * weight.square().sum()
    for slope in torch.autograd.grad(loss, (weight, bias)):  # convex: where it is flat is the best
        assert slope.abs().max() < 1e-4


def test_jtt_repeats_what_the_first_network_gets_wrong(data):
    method = made("JTT", data, first=0.5, lam=3)
    method.epochs = 4
    first = [torch.cat(list(method.batches(1000))) for _ in range(2)]
    assert all(sorted(epoch.tolist()) == list(range(len(data))) for epoch in first)
    assert method.training is method.scout
    method.scout.eval()
    x = data.batch(torch.arange(len(data))).x
    wrong = method.scout(x).argmax(1) != data.labels
    times = torch.bincount(torch.cat(list(method.batches(1000))), minlength=len(data))
    assert method.training is method.network
    assert torch.equal(times, torch.where(wrong, 3, 1))
    assert 0 < wrong.sum() < len(data)


def test_jtt_always_trains_its_second_network(data):
    method = made("JTT", data, first=0.8)
    start = [p.clone() for p in method.network.parameters()]
    list(fit(method, epochs=2, batch_size=40))
    assert any(not torch.equal(a, b) for a, b in zip(start, method.network.parameters(), strict=True))
    with pytest.raises(CourseError, match="at least 2 epochs"):
        list(fit(made("JTT", data), epochs=1, batch_size=40))


def test_jtt_leaves_the_other_network_alone(data):
    method = made("JTT", data, first=0.5)
    start = [p.clone() for p in method.network.parameters()]
    steps = fit(method, epochs=2, batch_size=40)
    for _ in range(4):
        next(steps)
    assert all(torch.equal(a, b) for a, b in zip(start, method.network.parameters(), strict=True))
    scout = [p.clone() for p in method.scout.parameters()]
    list(steps)
    assert all(torch.equal(a, b) for a, b in zip(scout, method.scout.parameters(), strict=True))
    assert any(not torch.equal(a, b) for a, b in zip(start, method.network.parameters(), strict=True))


def opponents_turn(method, batch):
    """Return the weights r [B], mean r l and the KL divergence of r from 1, all by their formulas."""
    h = method.opponent(batch.x)[torch.arange(len(batch.y)), batch.y]
    r = len(h) * torch.softmax(h, 0)
    losses = F.cross_entropy(method.network(batch.x), batch.y, reduction="none")
    return r, (r * losses).mean(), (r * r.log()).mean()


def test_rpdro_starts_with_equal_weights(data):
    method, batch = made("RPDRO", data), data.batch(torch.arange(40))
    assert method.log_ratios(batch).abs().max() == 0
    assert method.loss(batch).item() == pytest.approx(made("FERMI", data, lam=0).loss(batch).item(), abs=1e-12)


def test_rpdros_network_minimises_what_its_opponent_maximises(data):
    method, batch = made("RPDRO", data, tau=0.7), data.batch(torch.arange(0, len(data), 4))
    initialise(method.opponent, generator(3, "opponent"))  # no longer at r = 1
    _, weighted, divergence = opponents_turn(method, batch)
    value = weighted - 0.7 * divergence
    assert method.loss(batch).item() == pytest.approx(value.item(), abs=1e-12)
    mine, theirs = list(method.network.parameters()), list(method.opponent.parameters())
    expected = torch.autograd.grad(value, [*mine, *theirs])
    found = torch.autograd.grad(method.loss(batch), [*mine, *theirs])
    for slope, wanted in zip(found[: len(mine)], expected, strict=False):
        torch.testing.assert_close(slope, wanted)
    for slope, wanted in zip(found[len(mine) :], expected[len(mine) :], strict=True):
        torch.testing.assert_close(slope, -wanted)
    assert min(slope.abs().max() for slope in found) > 1e-6


@pytest.mark.parametrize("tau", [0.3, 1.0, 4.0])
def test_rpdros_opponent_ends_at_the_closed_form(data, tau):
    """Of all weights of mean 1, those proportional to exp(l / tau) maximise mean r l - tau mean r log r."""
    method, batch = made("RPDRO", data, tau=tau), data.batch(torch.tensor([0, 1, 61, 62, 70, 100]))
    solver = torch.optim.LBFGS(method.opponent.parameters(), max_iter=500, line_search_fn="strong_wolfe")

    def closure():
        solver.zero_grad()
        _, weighted, divergence = opponents_turn(method, batch)
        (tau * divergence - weighted).backward()
        return tau * divergence.detach() - weighted.detach()

    solver.step(closure)
    losses = F.cross_entropy(method.network(batch.x), batch.y, reduction="none")
    r = method.log_ratios(batch).exp()
    torch.testing.assert_close(r, 6 * torch.softmax(losses / tau, 0), atol=1e-4, rtol=0)
    assert r.mean().item() == pytest.approx(1, abs=1e-12)


def test_fermis_dependence_is_chi_square_over_n():
    """For certain predictions psi is Pearson's chi-square statistic of the table, divided by n."""
    from scipy.stats import chi2_contingency

    for seed in range(5):
        said, group = torch.randint(0, 2, (2, 90), generator=generator(seed, "table"))
        table = torch.zeros(2, 2, dtype=torch.float64)
        table.index_put_((group, said), torch.ones(90, dtype=torch.float64), accumulate=True)
        psi = dependence(F.one_hot(said, 2).double(), F.one_hot(group, 2).double())
        assert float(psi) == pytest.approx(chi2_contingency(table, correction=False).statistic / 90, abs=1e-12)
    independent = torch.tensor([[0.3, 0.7]]).double().expand(90, 2)
    assert float(dependence(independent, F.one_hot(group, 2).double())) == pytest.approx(0, abs=1e-12)


def test_fermi_is_cross_entropy_and_the_dependence_it_says(data):
    batch = data.batch(torch.arange(len(data)))
    plain, parity = made("FERMI", data, lam=0), made("FERMI", data, lam=2, odds=0)
    p = torch.softmax(parity.network(batch.x), 1)
    psi = dependence(p, F.one_hot(batch.b, 2).double())
    assert (parity.loss(batch) - plain.loss(batch)).item() == pytest.approx(2 * psi.item(), abs=1e-9)
    odds = made("FERMI", data, lam=1, odds=1)
    each = [dependence(p[batch.y == y], F.one_hot(batch.b, 2).double()[batch.y == y]) for y in (0, 1)]
    expected = sum(((batch.y == y).double().mean() * each[y]).item() for y in (0, 1))
    assert (odds.loss(batch) - plain.loss(batch)).item() == pytest.approx(expected, abs=1e-9)


def test_the_adversarys_gradient_is_reversed_in_the_features_and_not_in_the_reader(data):
    batch = data.batch(torch.arange(len(data)))

    def slopes(reversal):
        method = made("Adversary", data, reversal=reversal)
        method.reader.double()
        method.loss(batch).backward()
        return method.network.body.weight.grad, method.reader[0].weight.grad

    (off, reader_off), (one, reader_one), (two, _) = slopes(0.0), slopes(1.0), slopes(2.0)
    torch.testing.assert_close(two - off, 2 * (one - off))
    torch.testing.assert_close(reader_off, reader_one)
    assert (one - off).abs().max() > 1e-4
    method = made("Adversary", data, reversal=1.0)
    method.reader.double()
    z = method.network.features(batch.x)
    read = method.reader(torch.cat([z, F.one_hot(batch.y, 2).double()], 1))
    plain = torch.autograd.grad(F.cross_entropy(read, batch.b), method.network.body.weight)[0]
    torch.testing.assert_close(one - off, -plain)


def test_formls_alignment_is_the_slope_of_the_exemplars_loss(data):
    """Against finite differences of the exemplars' loss after the look-ahead step."""
    method = made("FORML", data, look_ahead=0.5)
    batch = data.batch(method.rest[:6])
    losses = F.cross_entropy(method.network(batch.x), batch.y, reduction="none")
    weight = torch.tensor([1.0, 0.5, 2.0, 0.0, 1.0, 1.5], dtype=torch.float64)
    found = method.alignment(losses, weight)
    theta = list(method.network.parameters())

    def ahead(weight):
        network = build(Small, generator(1, "network")).double()
        slopes = torch.autograd.grad((weight * losses).mean(), theta, retain_graph=True)
        with torch.no_grad():
            for p, old, slope in zip(network.parameters(), theta, slopes, strict=True):
                p.copy_(old - 0.5 * slope)
            return F.cross_entropy(network(method.fair.x), method.fair.y)

    for i in range(6):
        step = torch.zeros(6, dtype=torch.float64)
        step[i] = 1e-5
        slope = (ahead(weight + step) - ahead(weight - step)) / 2e-5
        assert float(found[i]) == pytest.approx(-float(slope), rel=1e-5, abs=1e-9)


def test_formls_look_ahead_leaves_batch_norms_statistics_alone():
    group = torch.arange(4).repeat_interleave(10)
    images = torch.randint(256, (40, 3, 8, 8), generator=generator(0, "images"), dtype=torch.uint8)
    data = TrainingSet(images, group % 2, group // 2, classes=2, values=2)
    network = build(lambda: Laptop(2, (4, 4, 4)), generator(0, "network"))
    method = BUILT_IN["FORML"](network, data, generator(0, "t"))
    batch = data.batch(torch.arange(20))
    losses = F.cross_entropy(network(batch.x), batch.y, reduction="none")
    before = [buffer.clone() for buffer in network.buffers()]
    method.alignment(losses, torch.ones(20))
    assert all(torch.equal(a, b) for a, b in zip(before, network.buffers(), strict=True))


def test_set_aside_takes_at_most_half_of_the_smallest_group(data):
    chosen, rest = set_aside(data, 3, generator(0, "x"), "A method")
    assert torch.bincount(group_of(data, chosen)).tolist() == [3] * 4
    assert sorted(torch.cat([chosen, rest]).tolist()) == list(range(len(data)))
