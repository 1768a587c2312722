"""ResNet-18 as a backbone: what is given where torchvision is there, and what is said where something is missing.

Torchvision need not be installed: a small one stands in, with the names and the shapes of its ResNet-18.
"""

import copy
import hashlib
import http.client
import sys
from types import ModuleType
from urllib.error import URLError

import pytest
import torch
from torch import nn

from course_lib.errors import CourseError
from course_lib.transfer import backbone

MEAN = torch.tensor([0.485, 0.456, 0.406])[:, None, None]
SD = torch.tensor([0.229, 0.224, 0.225])[:, None, None]


class ResNet18(nn.Module):
    """A shorter ResNet-18: one convolution for each layer, and features before ``fc``, as torchvision's has them."""

    def __init__(self):
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(3, 64, 7, 2, 3, bias=False), nn.BatchNorm2d(64)
        self.layer1, self.layer2 = self.layer(64, 64, 1), self.layer(64, 128, 2)
        self.layer3, self.layer4 = self.layer(128, 256, 2), self.layer(256, 512, 2)
        self.fc = nn.Linear(512, 1000)

    @staticmethod
    def layer(inputs, outputs, stride):
        return nn.Sequential(nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU())

    def features(self, x):
        x = nn.functional.max_pool2d(self.bn1(self.conv1(x)).relu(), 3, 2, 1)
        return self.layer4(self.layer3(self.layer2(self.layer1(x)))).mean((2, 3))

    def forward(self, x):
        return self.fc(self.features(x))


def pictures(n=3):
    return torch.rand(n, 3, 64, 64, generator=torch.Generator().manual_seed(0))


@pytest.fixture(scope="module")
def trained():
    """The network whose weights are offered: its batch norm has seen pictures."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = ResNet18()
        network(pictures(8))
    return network.eval()


@pytest.fixture
def torchvision(tmp_path, monkeypatch, trained):
    """A torchvision that fetches its weights as the real one does: by torch, from the cache or a server."""
    server = tmp_path / "server"
    server.mkdir()
    torch.save(trained.state_dict(), server / "weights")
    digest = hashlib.sha256((server / "weights").read_bytes()).hexdigest()
    file = (server / "weights").rename(server / f"resnet18-{digest[:8]}.pth")

    class Weights:
        @staticmethod
        def get_state_dict():
            return torch.hub.load_state_dict_from_url(file.as_uri(), progress=False, check_hash=True)

    def resnet18(*, weights=None):
        network = ResNet18()
        if weights is not None:
            network.load_state_dict(weights.get_state_dict())
        return network

    package, models = ModuleType("torchvision"), ModuleType("torchvision.models")
    package.models, models.resnet18 = models, resnet18
    models.ResNet18_Weights = type("ResNet18_Weights", (), {"DEFAULT": Weights})
    package.file, package.cache = file, tmp_path / "home" / "hub" / "checkpoints" / file.name
    monkeypatch.setitem(sys.modules, "torchvision", package)
    monkeypatch.setitem(sys.modules, "torchvision.models", models)
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "home"))
    return package


@pytest.fixture
def package(tmp_path, monkeypatch):
    """Where a torchvision of one's own is found before every other."""
    (tmp_path / "torchvision").mkdir()
    monkeypatch.syspath_prepend(tmp_path)
    for name in [name for name in sys.modules if name.partition(".")[0] == "torchvision"]:
        monkeypatch.delitem(sys.modules, name)
    return tmp_path / "torchvision" / "__init__.py"


def refuse(error):
    """Return a server that cannot be reached."""

    def urlopen(*_, **__):
        raise error

    return urlopen


# What is given


def test_the_features_are_those_before_the_last_layer_of_pictures_scaled_as_imagenets(torchvision, trained):
    body, x = backbone("resnet18"), pictures()
    assert body(x).shape == (3, 512)
    assert body.features == 512
    torch.testing.assert_close(body(x), trained.features((x - MEAN) / SD))
    assert not any(isinstance(layer, nn.Linear) for layer in body.modules())


def test_its_weights_are_downloaded_once_and_then_come_from_the_cache(torchvision, monkeypatch):
    first = backbone("resnet18")
    assert torchvision.cache.read_bytes() == torchvision.file.read_bytes()
    monkeypatch.setattr(torch.hub, "urlopen", refuse(AssertionError("asked the server again")))
    for (name, one), other in zip(first.state_dict().items(), backbone("resnet18").state_dict().values(), strict=True):
        assert torch.equal(one, other), name


def test_its_batch_norm_is_frozen_and_its_weights_can_be_trained_or_not(torchvision):
    body = backbone("resnet18")
    assert not any(layer.training for layer in body.modules())
    before = copy.deepcopy(body.state_dict())
    alone = body(pictures())[:1]
    torch.testing.assert_close(body(pictures(1)), alone)  # whoever else is in the batch
    alone.sum().backward()
    assert all(p.grad is not None and p.grad.any() for p in (body.body.conv1.weight, body.body.layer4[0].weight))
    assert all(torch.equal(value, before[name]) for name, value in body.state_dict().items())  # and the statistics
    assert not body.requires_grad_(False)(pictures()).requires_grad


def test_each_call_gives_a_network_of_its_own(torchvision):
    first, second = backbone("resnet18"), backbone("resnet18")
    with torch.no_grad():
        first.body.conv1.weight.zero_()
    assert second.body.conv1.weight.any()


# What is said


@pytest.mark.parametrize("error", [
    URLError("Name or service not known"), OSError(28, "No space left on device"), TimeoutError("timed out"),
    http.client.IncompleteRead(b"", 45_000_000),
], ids=lambda error: type(error).__name__)  # fmt: skip
def test_weights_that_cannot_be_had_are_one_clear_sentence(torchvision, monkeypatch, error):
    monkeypatch.setattr(torch.hub, "urlopen", refuse(error))
    with pytest.raises(CourseError, match=r"^ResNet-18's weights could not be had") as said:
        backbone("resnet18")
    assert str(error) in str(said.value)  # the cause
    assert str(said.value).endswith('try again later, or use backbone("trunk"), which comes with the kit.')
    monkeypatch.undo()
    assert backbone("trunk")(torch.rand(1, 3, 32, 32)).shape == (1, 96)  # and so it does


def test_a_download_that_breaks_off_is_said_and_not_kept(torchvision):
    whole = torchvision.file.read_bytes()
    torchvision.file.write_bytes(whole[:1000])
    with pytest.raises(CourseError, match=r"weights are damaged .*invalid hash value"):
        backbone("resnet18")
    torchvision.file.write_bytes(whole)
    assert backbone("resnet18")(pictures()).shape == (3, 512)  # tried again


@pytest.mark.parametrize("damage", [
    lambda whole: b"", lambda whole: b"<html>Log in to this network</html>", lambda whole: whole[: len(whole) // 2],
], ids=["empty", "page", "half"])  # fmt: skip
def test_a_damaged_file_in_the_cache_is_said_with_its_place(torchvision, damage):
    torchvision.cache.parent.mkdir(parents=True)
    torchvision.cache.write_bytes(damage(torchvision.file.read_bytes()))
    with pytest.raises(CourseError, match=r"weights are damaged .*: delete resnet18-\*\.pth in ") as said:
        backbone("resnet18")
    assert str(torchvision.cache.parent) in str(said.value)
    torchvision.cache.unlink()
    assert backbone("resnet18")(pictures()).shape == (3, 512)  # what was said helps


def test_without_torchvision_it_says_what_to_install(monkeypatch):
    for name in ("torchvision", "torchvision.models"):
        monkeypatch.setitem(sys.modules, name, None)  # an import of it fails as if it were not there
    with pytest.raises(CourseError, match=r"^resnet18 needs torchvision: `pip install torchvision`, or use backbone"):
        backbone("resnet18")


@pytest.mark.parametrize("fault", [
    "RuntimeError('operator torchvision::nms does not exist')",
    "ImportError('libcudart.so.12: cannot open shared object file')",
    "AttributeError('partially initialized module')",
    "OSError('undefined symbol')",
], ids=lambda fault: fault.partition("(")[0])  # fmt: skip
def test_a_torchvision_that_does_not_load_counts_as_not_there_and_says_why(package, fault):
    package.write_text(f"raise {fault}")
    with pytest.raises(CourseError, match=r"needs the torchvision that was released with .* does not load") as said:
        backbone("resnet18")
    assert fault.partition("(")[2].strip("')") in str(said.value)
    assert str(said.value).endswith('or use backbone("trunk"), which comes with the kit.')
