"""Lesson 05's runs: labels that are kept back, a shared trunk, and the same start and batches for each task alone."""

from dataclasses import replace

import pytest
import torch

from course_lib.data import faces
from course_lib.errors import CourseError
from course_lib.multitask import (
    TASKS,
    Config,
    experiment,
    has_label,
    held_out,
    make_network,
    references,
    run,
    start,
    stream,
    task_losses,
    training_set,
)
from course_lib.multitask.objective import TOGETHER, Together, make_networks, pulls
from course_lib.multitask.pictures import AGE_DEVIATION, MEAN_AGE, first_faces, targets, training_faces
from course_lib.randomness import generator
from course_lib.runs import Latest
from course_lib.training import inputs

SHORT = {"n_train": 300, "epochs": 2, "noise": 0, "labels": {"smile": 40}}


@pytest.fixture(scope="module")
def short():
    return run(progress=False, **SHORT)


# Config


@pytest.mark.parametrize(("settings", "said"), [
    ({"tasks": ()}, "one or more of"), ({"tasks": ("smile", "height")}, "a task of tasks must be"),
    ({"tasks": 3}, "a list of some of"), ({"alone": 3}, "a list of some of smile, age, gender;"),
    ({"tasks": ("smile", "age"), "alone": "gender"}, "a task of alone must be one of 'smile', 'age'"),
    ({"labels": (1, 2)}, "a number for each"), ({"labels": {"height": 1}}, "a task of labels"),
    ({"labels": {"age": 1.5}}, "labels of age must be"), ({"weights": {"age": -1}}, "weights of age must be"),
    ({"weights": {"age": float("nan")}}, "weights of age must be"), ({"weights": 1}, "a number for each"),
    ({"weights": (0, 0, 0, 1)}, "Nothing would be learned"), ({"labels": (0, 0, 0, 0)}, "Nothing would be learned"),
    ({"tasks": ("smile", "age"), "labels": {"smile": 0}, "weights": {"age": 0}}, "Nothing would be learned"),
    ({"unit": "months"}, "unit must be"), ({"balance": "fair"}, "balance must be"), ({"channels": 1}, "channels"),
    ({"noise": 101}, "noise"), ({"strength": 1}, "no setting strength"),
])  # fmt: skip
def test_bad_settings_are_one_clear_sentence(settings, said):
    with pytest.raises(CourseError, match=said):
        Config.of(**settings)


def test_one_config_in_all_its_spellings():
    named = Config(tasks=["gender", "smile"], labels={"smile": 7}, weights={"age": 2})
    assert named == Config(tasks=("smile", "gender"), labels=(7, 2000, 2000, 2000), weights=(1, 2, 1, 1))
    assert Config(tasks="smile").tasks == ("smile",)
    assert Config(alone=["gender", "age", "smile"]) == Config() != Config(alone=())
    assert Config(tasks=("smile", "coin"), alone="coin").compared() == ("coin",)
    assert Config(n_train=600).labels == (500, 600, 600, 600)
    assert named.columns() == [0, 2]
    assert Config.of(**named.values()) == named


# Data


def test_the_labels_are_those_of_the_faces_and_as_many_as_said():
    config = Config(n_train=500, labels=(20, 100, 0, 500), seed=3)
    data, drawn = training_set(config), faces.sample(500, seed=3)
    known = ~data.labels.isnan()
    assert known.sum(0).tolist() == [20, 100, 0, 500]
    truth = torch.stack([drawn.smile.float(), (drawn.age - MEAN_AGE) / AGE_DEVIATION, drawn.gender.float()], 1)
    assert torch.equal(data.labels[:, :3][known[:, :3]], truth[known[:, :3]])
    years = training_set(replace(config, unit="years")).labels[:, 1]
    assert torch.equal(years[known[:, 1]], drawn.age[known[:, 1]])


def test_with_more_labels_those_that_had_one_keep_it():
    few, many = (has_label(Config(labels=(n, n, n, n))) for n in (50, 400))
    assert not (few & ~many).any()
    assert few.sum(0).tolist() == [50] * 4
    assert not torch.equal(few[:, 0], few[:, 1])  # each task has its own


def test_standardised_ages_are_and_a_coin_shows_in_no_face():
    _, known = training_faces(2000, 0, 0)
    age = targets(known, "standardised")[:, 1]
    assert age.mean().abs() < 0.05
    assert age.std() == pytest.approx(1, abs=0.03)
    assert known[:, 3].mean() == pytest.approx(0.5, abs=0.04)
    assert torch.corrcoef(known.T)[3, :3].abs().max() < 0.06


def test_the_tested_faces_are_in_no_training_data():
    tested = {image.numpy().tobytes() for image in held_out(0)[0]}
    for seed in range(3):
        assert not tested & {image.numpy().tobytes() for image in training_faces(2000, 0, seed)[0]}


# Gradients at the start


def test_the_start_is_that_of_plain_autograd():
    config = Config(**SHORT, weights={"age": 4.0})
    found, network = start(config), make_network(config).train()
    pictures, known = training_faces(300, 0, 0)
    losses = task_losses(network(inputs(pictures[:128], slice(None))), targets(known[:128], "standardised"))[:3]
    rows = []
    for loss in losses:
        network.zero_grad()
        loss.backward(retain_graph=True)
        rows.append(torch.cat([p.grad.flatten() for p in network.trunk.parameters()]))
    torch.testing.assert_close(found.loss, losses.detach())
    for i, a in enumerate(rows):
        assert found.norm[i] == pytest.approx(float(a.norm()), rel=1e-4)
        for j, b in enumerate(rows):
            assert found.cosine[i, j] == pytest.approx(float(torch.cosine_similarity(a, b, 0)), abs=1e-4)
    torch.testing.assert_close(found.loss_shares()[1], 4 * losses[1] / (losses[0] + 4 * losses[1] + losses[2]))
    assert float(found.gradient_shares().sum()) == pytest.approx(1)


def test_age_in_years_drowns_all_else_and_a_weight_undoes_it():
    years = start(Config(unit="years"))
    assert years.loss_shares()[1] > 0.999
    assert years.gradient_shares()[1] > 0.99
    weighted = start(Config(unit="years", weights={"age": 1 / 2700}))
    assert weighted.loss_shares()[1] < 0.6


def test_looking_at_gradients_changes_nothing():
    config = Config(**SHORT)
    network = make_network(config).eval()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    pulls(network, config, torch.ones(3))
    assert not network.training
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
    assert all(p.grad is None for p in network.parameters())


@pytest.mark.parametrize(("n", "noise"), [(2000, 40), (2000, 0), (101, 7)])
def test_the_first_faces_are_the_first_of_the_training_faces(n, noise):
    every, known = training_faces(n, noise, 3)
    first, theirs = first_faces(Config(n_train=n, noise=noise, seed=3), 128)
    assert torch.equal(first, every[:128])
    assert torch.equal(theirs, known[:128])


# Runs


def test_all_networks_start_the_same_and_one_task_together_is_that_task_alone():
    networks = make_networks(Config(**SHORT), Config.tasks)
    assert list(networks) == [TOGETHER, "smile", "age", "gender"]
    first = networks[TOGETHER].state_dict()
    assert all(torch.equal(first[n], v) for arm in networks for n, v in networks[arm].state_dict().items())
    one = run(progress=False, **SHORT | {"tasks": ("gender",)}).evaluations[-1].said
    assert torch.equal(one[TOGETHER], one["gender"])


def test_a_task_alone_does_not_depend_on_the_others(short, monkeypatch):
    monkeypatch.setattr(references, "_answers", Latest(64))
    alone = run(progress=False, **SHORT | {"tasks": ("smile",)})
    ours, theirs = short.evaluations[-1].said["smile"], alone.evaluations[-1].said["smile"]
    torch.testing.assert_close(ours[:, 0], theirs[:, 0], rtol=1e-4, atol=1e-4)


@pytest.fixture
def trained_alone(monkeypatch):
    """Forgets earlier runs; the list of what each run from now on trains alone."""
    monkeypatch.setattr(experiment, "_finished", Latest(32))
    monkeypatch.setattr(references, "_answers", Latest(64))
    asked = []

    def noting(config, alone=()):
        asked.append(list(alone))
        return make_networks(config, alone)

    monkeypatch.setattr(experiment, "make_networks", noting)
    return asked


def test_what_a_task_learned_alone_is_not_trained_again(trained_alone, monkeypatch):
    run(progress=False, **SHORT)
    changed = SHORT | {"weights": {"age": 4}, "unit": "years"}
    quick = run(progress=False, **changed)
    assert trained_alone == [["smile", "age", "gender"], ["age"]]  # its unit is another
    monkeypatch.setattr(experiment, "_finished", Latest(32))
    monkeypatch.setattr(references, "_answers", Latest(64))
    anew = run(progress=False, **changed)
    assert trained_alone[2] == ["smile", "age", "gender"]
    assert [e.step for e in quick.evaluations] == [e.step for e in anew.evaluations]
    for one, other in zip(quick.evaluations, anew.evaluations, strict=True):
        assert one.said.keys() == other.said.keys()
        assert all(torch.equal(one.said[arm], other.said[arm]) for arm in one.said)


@pytest.mark.parametrize(("changes", "again"), [
    ({"balance": "uncertainty"}, []), ({"tasks": TASKS}, ["coin"]), ({"labels": {"smile": 41}}, ["smile"]),
    ({"labels": {"smile": 40, "age": 30}}, ["age"]), ({"seed": 1}, ["smile", "age", "gender"]),
    ({"noise": 1}, ["smile", "age", "gender"]), ({"channels": 16}, ["smile", "age", "gender"]),
    ({"lr": 0.02}, ["smile", "age", "gender"]), ({"epochs": 1}, ["smile", "age", "gender"]),
])  # fmt: skip
def test_what_changes_a_task_alone_is_trained_alone_again(trained_alone, changes, again):
    run(progress=False, **SHORT)
    run(progress=False, **SHORT | changes)
    assert trained_alone[1] == again


def test_only_the_tasks_to_compare_are_trained_alone(trained_alone):
    some = run(progress=False, **SHORT | {"alone": ("smile",)})
    assert trained_alone == [["smile"]]
    table = some.table().set_index("task")
    assert list(table.index) == ["smile", "age", "gender"]
    assert table["alone"].isna().tolist() == table["gain"].isna().tolist() == [False, True, True]
    assert set(some.curves().query("arm == 'alone'")["task"]) == {"smile"}
    assert "alone" in repr(some)
    assert "nan" not in repr(some)
    every = run(progress=False, **SHORT)
    assert trained_alone[1] == ["age", "gender"]
    torch.testing.assert_close(
        every.evaluations[-1].said[TOGETHER], some.evaluations[-1].said[TOGETHER], rtol=1e-4, atol=1e-4
    )
    none = run(progress=False, **SHORT | {"alone": ()})  # also where they are known
    assert trained_alone[2] == []
    assert none.table()["alone"].isna().all()


def test_a_run_that_stops_leaves_nothing_to_the_next(trained_alone):
    results = stream(Config(**SHORT))
    next(results)
    results.close()
    run(progress=False, **SHORT | {"weights": {"age": 4}})
    assert trained_alone == [["smile", "age", "gender"]] * 2


def test_as_many_tasks_are_kept_as_fit(trained_alone, monkeypatch):
    monkeypatch.setattr(references._answers, "most", 2)
    run(progress=False, **SHORT)
    assert list(references.kept(Config(**SHORT))) == ["age", "gender"]


def test_a_weight_of_zero_is_a_task_that_is_not_there(short):
    without = run(progress=False, **SHORT | {"weights": {"age": 0, "gender": 0}})
    said = without.evaluations[-1].said
    torch.testing.assert_close(said[TOGETHER][:, 0], said["smile"][:, 0], rtol=1e-4, atol=1e-4)
    assert not torch.equal(short.evaluations[-1].said[TOGETHER], said[TOGETHER])


def test_the_summed_loss_is_the_weighted_sum():
    config = Config(**SHORT, weights=(1, 0.5, 2, 9))
    data = training_set(config)
    objective = Together(make_networks(config), data, generator(0, "x"), config)
    batch = data.batch(torch.arange(64))
    losses = task_losses(objective.network[TOGETHER](batch.x), batch.y)
    total = objective.summed(losses, torch.ones(4, dtype=torch.bool))
    torch.testing.assert_close(total, losses[0] + 0.5 * losses[1] + 2 * losses[2])  # coin is no task of this run
    assert objective.learn(TOGETHER, batch) == pytest.approx(total.item())
    parameters = [*objective.network.parameters()]
    for mine, expected in zip(parameters, torch.autograd.grad(total, parameters, allow_unused=True), strict=True):
        torch.testing.assert_close(mine.grad, expected)


def test_the_table_is_counted_from_what_was_said(short):
    table, said = short.table().set_index("task"), short.evaluations[-1].said
    labels = held_out(0)[1]
    smiles = ((said[TOGETHER][:, 0] > 0) == labels[:, 0].bool()).double().mean()
    assert table.loc["smile", "together"] == pytest.approx(float(smiles))
    years = (MEAN_AGE + AGE_DEVIATION * said["age"][:, 1] - labels[:, 1]).abs().mean()
    assert table.loc["age", "alone"] == pytest.approx(float(years), rel=1e-5)
    assert table.loc["age", "gain"] == pytest.approx(table.loc["age", "alone"] - table.loc["age", "together"])
    assert table["n"].tolist() == [2000] * 3
    assert table["labels"].tolist() == [40, 300, 300]


def test_a_run_has_curves_cosines_and_weights(short):
    assert short.finished
    assert short.step == short.steps == 10
    curves = short.curves()
    assert set(curves["arm"]) == {TOGETHER, "alone"}
    assert len(curves) == len(short.evaluations) * 6
    cosine = short.cosine("smile", "age")
    assert cosine["step"].tolist() == list(range(11))
    assert cosine["cosine"].abs().max() <= 1
    assert torch.equal(short.probes[0].cosine, start(short.config).cosine)
    assert short.weights().tolist() == [[1, 1, 1]] * 11
    assert "smile (40 labels)" in repr(short)


def test_a_task_without_any_label_is_not_heard_and_has_no_score():
    found = run(progress=False, **SHORT | {"labels": {"smile": 0}, "tasks": TASKS, "balance": "uncertainty"})
    smile = found.table().set_index("task").loc["smile"]
    assert smile[["together", "alone", "gain"]].isna().all()
    assert found.table()["together"].notna().sum() == 3
    for probe in (found.probes[0], found.probes[-1], start(found.config)):
        assert probe.weights[0] == probe.gradient_shares()[0] == probe.loss_shares()[0] == 0
        assert (probe.gradient_shares()[1:] > 0).all()


def test_uncertainty_takes_a_loss_in_years_down():
    found = run(progress=False, **SHORT | {"unit": "years", "balance": "uncertainty"})
    weights = found.weights()
    assert torch.equal(weights[0], torch.tensor([1.0, 0.5, 1.0]))
    assert weights[-1][1] < 0.4
    assert torch.equal(start(found.config).weights, weights[0])


def test_the_same_config_gives_the_same_result_and_costs_nothing_twice(short):
    assert run(progress=False, **SHORT) is short
    other = list(stream(Config(**SHORT | {"seed": 1})))[-1]
    assert not torch.equal(other.evaluations[-1].said[TOGETHER], short.evaluations[-1].said[TOGETHER])


def test_a_run_that_stops_is_not_kept_and_its_steps_grow():
    config = Config(**SHORT | {"seed": 2})
    results = stream(config)
    steps = [next(results).step for _ in range(60)]
    assert steps == sorted(steps)
    assert steps.count(1) > 4  # it pauses within an evaluation, too
    assert 1 < steps[-1] < 10
    results.close()
    assert not next(stream(config)).finished
