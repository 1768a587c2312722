"""Lesson 04: what is taken over, what is kept, and what is trained, in every regime."""

import sys
from dataclasses import replace

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from course_lib.data import faces
from course_lib.errors import CourseError
from course_lib.training import inputs
from course_lib.transfer import REGIMES, Config, FaceNet, backbone, count_trained, held_out, labelled, load_trunk, run
from course_lib.transfer.experiment import begin, cached, prepare, scratch_of, stream, training_set
from course_lib.transfer.network import Kept
from course_lib.transfer.result import MIDDLE, UNIT, Evaluation, Result, score

SHORT = {"labels": 30, "steps": 12}


def state(network):
    """Weights and statistics by the name they have where nothing is kept."""
    return {name.replace(".layer.", "."): value.clone() for name, value in network.state_dict().items()}


# Config and data


@pytest.mark.parametrize(("settings", "said"), [
    ({"target": "hair"}, "target must be one of 'smile', 'age'"), ({"regime": "magic"}, "regime must be one of"),
    ({"labels": 9}, "labels must be a number from 10 to 2000"), ({"labels": 2001}, "labels must be"),
    ({"lr": -1}, "lr must be"), ({"lr": "fast"}, "lr must be"), ({"steps": 0}, "steps must be"),
    ({"seed": -1}, "seed must be"), ({"epochs": 3}, "no setting epochs"),
])  # fmt: skip
def test_bad_settings_are_one_clear_sentence(settings, said):
    with pytest.raises(CourseError, match=said):
        Config.of(**settings)


def test_more_labels_are_the_same_ones_and_more():
    few, many = (training_set(Config(labels=n)) for n in (40, 300))
    assert torch.equal(many.images[:40], few.images)
    assert torch.equal(many.labels[:40], few.labels)
    assert few.labels.sum() == 20
    assert many.labels.sum() == 150
    ages = training_set(Config(target="age", labels=300)).labels * UNIT + MIDDLE
    torch.testing.assert_close(ages, labelled(0)[0].age[:300])


def test_the_tested_faces_are_half_smiling_and_in_no_training_data():
    drawn, pictures = held_out()
    assert drawn.smile.sum() == 500
    known = {image.numpy().tobytes() for image in faces.render(drawn)}
    assert len(pictures) == len(known) == 1000
    for seed in range(2):
        assert not known & {image.numpy().tobytes() for image in faces.render(labelled(seed)[0])}


# What is taken, kept and trained


@pytest.mark.parametrize("name", REGIMES)
def test_a_network_begins_with_the_layers_of_its_regime(name):
    regime, trunk = REGIMES[name], load_trunk()
    begun = state(begin(regime, 3))
    scratch = state(begin(REGIMES["from scratch"], 3))
    for key, value in begun.items():
        layer = key.split(".")[1]
        taken = key.startswith("layers") and int(layer) < regime.taken
        assert torch.equal(value, trunk[key.removeprefix("layers.")] if taken else scratch[key]), key


@pytest.mark.parametrize("target", ["smile", "age"])
@pytest.mark.parametrize("name", REGIMES)
def test_what_is_kept_does_not_move_and_everything_else_does(name, target):
    """Neither weights, nor batch norm's statistics, nor its count of batches; the optimiser's weight decay is on."""
    before = state(begin(REGIMES[name], 0))
    result = run(progress=False, regime=name, target=target, **SHORT)
    for key, value in state(result.network).items():
        kept = key.startswith("layers") and int(key.split(".")[1]) < REGIMES[name].kept
        assert torch.equal(value, before[key]) == kept, key


def test_as_many_numbers_are_trained_as_it_says():
    def size(*layers):
        return sum(p.numel() for layer in layers for p in layer.parameters())

    plain = FaceNet(1)
    expected = {0: size(plain), 2: size(*plain.layers[2:], plain.head), 4: size(plain.head)}
    for regime in REGIMES.values():
        assert count_trained(begin(regime, 0)) == expected[regime.kept]
    assert expected[4] == 97


def test_to_count_them_changes_nothing_in_a_network_that_learns():
    network = begin(REGIMES["fine-tuning"], 0).train()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    count_trained(network)
    assert network.training
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())


def test_a_kept_layer_stays_in_eval_mode_whatever_is_said_around_it():
    network = begin(REGIMES["frozen features"], 0)
    network.train()
    assert network.training
    assert all(isinstance(layer, Kept) and not layer.training for layer in network.layers)
    assert not any(module.training for layer in network.layers for module in layer.modules())


def test_frozen_features_are_a_linear_model_on_features_computed_once():
    """The oracle: the features of the trunk as a table, and a linear layer trained on it by hand."""
    config = Config(regime="frozen features", labels=100, steps=30)
    data, network = training_set(config), begin(REGIMES[config.regime], config.seed)
    with torch.inference_mode():
        features = network.eval().features(inputs(data.images, slice(None)))
    features, head = features.clone(), nn.Linear(96, 1)
    head.load_state_dict(network.head.state_dict())
    optimizer = torch.optim.AdamW(head.parameters(), lr=config.rate(), weight_decay=1e-2)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, config.rate(), total_steps=30)
    order = torch.Generator().set_state(_training_generator(config).get_state())
    for _ in range(15):
        for index in torch.randperm(100, generator=order).split(64):
            optimizer.zero_grad()
            F.binary_cross_entropy_with_logits(head(features[index])[:, 0], data.labels[index]).backward()
            optimizer.step()
            schedule.step()
    found = run(config, progress=False).network.head
    torch.testing.assert_close(found.weight, head.weight, atol=1e-4, rtol=1e-3)
    torch.testing.assert_close(found.bias, head.bias, atol=1e-4, rtol=1e-3)


def _training_generator(config):
    from course_lib.randomness import generator

    return generator(config.seed, "transfer/training")


# Runs


def test_the_same_config_gives_the_same_result_and_costs_nothing_twice():
    config = Config(regime="fine-tuning", **SHORT)
    first = run(config, progress=False)
    assert first.finished
    assert len(first.losses) == first.steps == first.step == 12
    assert run(config, progress=False) is first
    assert cached(replace(config, lr=REGIMES["fine-tuning"].lr)) is first  # the regime's own rate, by number
    other = run(replace(config, seed=1), progress=False)
    assert other.losses != first.losses
    assert scratch_of(replace(config, lr=0.5)) == Config(regime="from scratch", **SHORT)


def test_a_run_that_stops_is_not_kept_and_its_steps_grow():
    config = Config(seed=5, **SHORT)
    list(prepare(config))
    results = stream(config)
    steps = [next(results).step for _ in range(12)]
    assert steps == sorted(steps)  # evaluations pause, too
    assert steps[0] == 1 < steps[-1] < 12
    results.close()
    assert cached(config) is None


def test_the_score_is_what_the_network_says_of_the_tested_faces():
    drawn, pictures = held_out()
    for target in ("smile", "age"):
        result = run(progress=False, regime="from scratch", target=target, **SHORT)
        with torch.inference_mode():
            said = result.network.eval()(pictures.float() / 255)[:, 0].numpy()
        if target == "smile":
            expected = np.mean((said > 0) == drawn.smile.numpy())
        else:
            expected = np.abs(MIDDLE + UNIT * said - drawn.age.numpy()).mean()
        assert result.score == pytest.approx(expected, abs=2e-3)
        assert result.curve().iloc[-1].tolist() == [12, 1000, result.score]
        assert f"{result.score:.3g}" in repr(result)


def test_a_perfect_answer_has_a_perfect_score_and_none_has_none():
    drawn = held_out()[0]
    assert score("smile", 2.0 * drawn.smile[:300] - 1) == 1
    assert score("age", drawn.age) == 0
    assert np.isnan(Result(Config(), 10, (), ()).score)
    assert Result(Config(), 10, (0.1,), (Evaluation(1, drawn.age),)).loss == 0.1


@pytest.mark.parametrize("labels", [10, 65, 129])
def test_any_number_of_labels_can_be_trained_on(labels):
    """65 leave a batch of one, in which batch norm still has several positions to count."""
    assert run(progress=False, labels=labels, steps=10, regime="from scratch").finished


# Backbones


def test_the_trunk_as_a_backbone_gives_the_features_of_the_network():
    body, x = backbone(), torch.rand(5, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    network = begin(REGIMES["frozen features"], 0).eval()
    torch.testing.assert_close(body(x), network.features(x))
    assert body.features == 96
    assert not body.training


def test_what_is_missing_is_one_clear_sentence():
    with pytest.raises(CourseError, match="backbone must be one of 'trunk', 'resnet18'; it was 'vgg'"):
        backbone("vgg")
    try:
        import torchvision  # noqa: F401
    except ImportError:
        with pytest.raises(CourseError, match=r"resnet18 needs torchvision: .* use backbone\(\"trunk\"\)"):
            backbone("resnet18")


def test_a_torchvision_made_for_another_torch_counts_as_not_there(tmp_path, monkeypatch):
    package = tmp_path / "torchvision"
    package.mkdir()
    (package / "__init__.py").write_text("raise RuntimeError('operator torchvision::nms does not exist')")
    monkeypatch.syspath_prepend(tmp_path)
    for name in [name for name in sys.modules if name.partition(".")[0] == "torchvision"]:
        monkeypatch.delitem(sys.modules, name)
    for _ in range(2):  # a second import fails otherwise than the first
        with pytest.raises(CourseError, match=r"needs the torchvision that was released with torch .* does not load"):
            backbone("resnet18")


def test_resnet18_is_torchvisions_without_its_last_layer_and_with_the_weights_of_the_cache(tmp_path, monkeypatch):
    try:
        from torchvision.models import ResNet18_Weights, resnet18
    except (ImportError, RuntimeError):
        pytest.skip("torchvision is not installed, or made for another torch")
    theirs = resnet18().eval()
    cache = tmp_path / "hub" / "checkpoints"
    cache.mkdir(parents=True)
    torch.save(theirs.state_dict(), cache / ResNet18_Weights.DEFAULT.url.rpartition("/")[2])
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    body, x = backbone("resnet18"), torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    assert body(x).shape == (2, body.features)
    pixels = (x - torch.tensor([0.485, 0.456, 0.406])[:, None, None]) / torch.tensor([0.229, 0.224, 0.225])[
        :, None, None
    ]
    torch.testing.assert_close(theirs.fc(body(x)), theirs(pixels))
