"""A report on a model: its numbers against autograd and a real step, its findings on models made ill on purpose."""

import math

import pandas as pd
import pytest
import torch
import torch.nn.functional as F
from matplotlib.figure import Figure
from torch import nn

from course_lib.errors import CourseError
from course_lib.gradients.heatmaps import plot_report
from course_lib.gradients.report import report


@pytest.fixture
def batch():
    random = torch.Generator().manual_seed(0)
    return torch.randn(64, 32, generator=random), torch.randint(10, (64,), generator=random)


def mlp(depth, activation=nn.ReLU, std=None, seed=0):
    random = torch.Generator().manual_seed(seed)
    layers = []
    for _ in range(depth):
        layers += [nn.Linear(32, 32), activation()]
    model = nn.Sequential(*layers, nn.Linear(32, 10))
    for layer in model:
        if isinstance(layer, nn.Linear):
            nn.init.normal_(layer.weight, std=std or (2 / 32) ** 0.5, generator=random)
            nn.init.zeros_(layer.bias)
    return model


def names(model, batch, **more):
    return [finding.name for finding in report(model, batch, F.cross_entropy, **more).findings]


def adam(model, lr):
    return torch.optim.Adam(model.parameters(), lr=lr)


@pytest.mark.parametrize(("ill", "finding"), [
    (lambda: mlp(12, nn.Sigmoid), "vanishing"), (lambda: mlp(10, std=0.01), "vanishing"),
    (lambda: mlp(8, std=1.0), "exploding"), (lambda: mlp(3), "healthy"), (lambda: mlp(12, nn.Tanh), "healthy"),
])  # fmt: skip
@pytest.mark.parametrize("lr", [None, 1e-3])
def test_each_illness_is_named(ill, finding, lr, batch):
    model = ill()
    assert names(model, batch, optimizer=lr and adam(model, lr)) == [finding]


def test_dead_units_are_found(batch):
    model = mlp(3)
    nn.init.constant_(model[2].bias, -100.0)
    found = report(model, batch, F.cross_entropy)
    assert [f.name for f in found.findings] == ["dead"]
    assert "100% of the units of" in str(found)
    table = found.table.set_index("parameter")
    assert table["dead"]["2.weight"] == table["zeros"]["2.weight"] == 1
    assert table["dead"]["6.weight"] == 1  # nothing comes in, so nothing is learned from it
    assert math.isnan(table["dead"]["2.bias"])


def test_some_dead_units_are_counted_and_no_finding(batch):
    model = mlp(3)
    with torch.no_grad():
        model[2].bias[:8] = -100.0
    found = report(model, batch, F.cross_entropy)
    table = found.table.set_index("parameter")
    assert table["dead"]["2.weight"] == pytest.approx(8 / 32)
    assert [f.name for f in found.findings] == ["healthy"]


def test_a_learning_rate_is_too_low_only_where_gradients_arrive(batch):
    healthy, ill = mlp(3), mlp(12, nn.Sigmoid)
    assert names(healthy, batch, optimizer=adam(healthy, 3e-9)) == ["learning rate too low"]
    assert names(ill, batch, optimizer=adam(ill, 3e-9)) == ["vanishing"]
    assert names(healthy, batch) == ["healthy"]  # without an optimiser, nobody knows


def test_gradients_that_are_not_finite_explode(batch):
    found = report(mlp(3), batch, lambda out, y: F.cross_entropy(out, y) * math.inf)
    assert found.findings[0].name == "exploding"
    assert "not a finite number" in found.findings[0].text


def test_numbers_are_those_of_autograd_and_of_a_real_step(batch):
    model = mlp(2)
    found = report(model, batch, F.cross_entropy, optimizer=torch.optim.SGD(model.parameters(), lr=0.1))
    loss = F.cross_entropy(model(batch[0]), batch[1])
    loss.backward()
    assert found.loss == loss.item()
    assert list(found.table["parameter"]) == [name for name, _ in model.named_parameters()]
    for row, p in zip(found.table.itertuples(), model.parameters(), strict=True):
        assert row.shape == tuple(p.shape)
        assert row.weight == pytest.approx(p.norm().item())
        assert row.gradient == pytest.approx(p.grad.norm().item())
        assert row.rms == pytest.approx(p.grad.square().mean().sqrt().item())
        if p.norm() > 0:
            assert row.update == pytest.approx(0.1 * p.grad.norm().item() / p.norm().item(), rel=1e-4)
        else:
            assert math.isnan(row.update)


def test_the_model_and_everything_around_it_stay_as_they_are(batch):
    model = nn.Sequential(nn.Linear(32, 32), nn.BatchNorm1d(32), nn.Dropout(0.5), nn.Linear(32, 10))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    F.cross_entropy(model(batch[0]), batch[1]).backward()
    optimizer.step()
    before = {k: v.clone() for k, v in model.state_dict().items()}
    gradients = [p.grad.clone() for p in model.parameters()]
    momenta = [state["momentum_buffer"].clone() for state in optimizer.state.values()]
    random = torch.random.get_rng_state()
    report(model, batch, F.cross_entropy, optimizer=optimizer)
    assert all(torch.equal(v, before[k]) for k, v in model.state_dict().items())
    assert all(torch.equal(p.grad, g) for p, g in zip(model.parameters(), gradients, strict=True))
    after = [state["momentum_buffer"] for state in optimizer.state.values()]
    assert all(torch.equal(a, b) for a, b in zip(after, momenta, strict=True))
    assert torch.equal(torch.random.get_rng_state(), random)
    assert model.training


def test_frozen_parameters_unused_ones_and_embeddings(batch):
    class Words(nn.Module):
        def __init__(self):
            super().__init__()
            self.words, self.frozen = nn.Embedding(1000, 8), nn.Linear(8, 8)
            self.unused, self.head = nn.Linear(8, 8), nn.Linear(8, 10)
            self.frozen.requires_grad_(False)

        def forward(self, x):
            return self.head(torch.tanh(self.frozen(self.words(x))))

    torch.manual_seed(0)
    found = report(Words(), (torch.arange(64), batch[1]), F.cross_entropy)
    table = found.table.set_index("parameter")
    assert not [name for name in table.index if name.startswith("frozen")]
    assert math.isnan(table["dead"]["words.weight"])  # words that are not in the batch are not dead
    assert table["dead"]["unused.weight"] == 1
    assert [f.name for f in found.findings] == ["dead"]
    assert "unused.weight" in found.findings[0].text


@pytest.mark.parametrize(("arguments", "said"), [
    (lambda m, b: ("model", b, F.cross_entropy), "model must be a torch.nn.Module"),
    (lambda m, b: (m, b[0], F.cross_entropy), "batch must be a pair"),
    (lambda m, b: (m, b, lambda out, y: out), "must be one number"),
    (lambda m, b: (m, b, lambda out, y: out.detach().sum()), "must be one number that depends on"),
    (lambda m, b: (nn.ReLU(), b, F.cross_entropy), "no parameter that is trained"),
])  # fmt: skip
def test_bad_input_is_one_clear_sentence(arguments, said, batch):
    with pytest.raises(CourseError, match=said):
        report(*arguments(mlp(1), batch))


def test_norms_do_not_underflow_where_the_gradients_do_not(batch):
    model = mlp(40, nn.Sigmoid, std=32**-0.5)
    found = report(model, batch, F.cross_entropy)
    tiny = found.table[(found.table["zeros"] < 1) & found.table["dead"].notna()]
    assert tiny["gradient"].min() < 1e-20
    assert (tiny["gradient"] > 0).all()
    assert "vanishing" in [f.name for f in found.findings]
    huge = report(mlp(2), batch, lambda out, y: F.cross_entropy(out, y) * 1e25)
    assert huge.findings[0].name == "exploding"
    assert "times as large" in huge.findings[0].text  # large, and finite


def test_without_a_weight_matrix_there_is_nothing_to_judge(batch):
    class Scale(nn.Module):
        def __init__(self):
            super().__init__()
            self.factor = nn.Parameter(torch.ones(32))

        def forward(self, x):
            return (x * self.factor)[:, :10]

    assert names(Scale(), batch) == ["nothing to judge"]


def test_an_optimizer_that_holds_a_part_says_nothing_of_the_rest(batch):
    model = mlp(3)
    found = report(model, batch, F.cross_entropy, optimizer=torch.optim.SGD(model[-1].parameters(), lr=0.1))
    updates = found.table.set_index("parameter")["update"]
    assert updates["6.weight"] > 0
    assert updates.drop("6.weight").isna().all()  # a bias of 0 has no ratio, the others are not held
    assert [f.name for f in found.findings] == ["healthy"]


def test_sparse_gradients_are_read(batch):
    model = nn.Sequential(nn.Embedding(50, 8, sparse=True), nn.Linear(8, 10))
    found = report(model, (torch.arange(50), torch.arange(50) % 10), F.cross_entropy)
    assert found.table["gradient"].min() > 0


class Keeps(nn.Linear):
    def forward(self, x):
        self.last = super().forward(x)
        return self.last


def test_what_cannot_be_copied_or_stepped_is_told(batch):
    keeps = Keeps(32, 10)
    keeps(batch[0])
    with pytest.raises(CourseError, match="This model cannot be copied"):
        report(keeps, batch, F.cross_entropy)
    model = mlp(1)
    with pytest.raises(CourseError, match="LBFGS needs a closure"):
        report(model, batch, F.cross_entropy, optimizer=torch.optim.LBFGS(model.parameters()))


def test_an_optimizer_of_another_model_is_noticed(batch):
    with pytest.raises(CourseError, match="holds other parameters"):
        report(mlp(1), batch, F.cross_entropy, optimizer=adam(mlp(1), 0.1))
    with pytest.raises(CourseError, match=r"optimizer must be one of torch\.optim"):
        report(mlp(1), batch, F.cross_entropy, optimizer=0.1)


@pytest.mark.parametrize("depth", [1, 20])
def test_the_plot_shows_every_parameter(depth, batch):
    model = mlp(depth)
    found = report(model, batch, F.cross_entropy, optimizer=adam(model, 1e-3))
    ax = Figure().add_subplot()
    assert plot_report(found, ax=ax) is ax
    n = len(list(model.parameters()))
    assert len(ax.lines[0].get_xdata()) == n == len(found.table)
    assert 1 <= len(ax.get_xticklabels()) <= 17
    with pytest.raises(CourseError, match=r"what gradients\.report returns"):
        plot_report(pd.DataFrame(), ax=ax)
