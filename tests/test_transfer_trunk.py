"""The pre-trained trunk: the file that comes with the kit, how it is read, and how it was made."""

import hashlib
import shutil

import numpy as np
import pytest
import torch

from course_lib.data import faces
from course_lib.errors import CourseError
from course_lib.runs import finish
from course_lib.training import Batch
from course_lib.transfer import FaceNet, held_out, labelled, load_trunk, pretrain, trunk
from course_lib.transfer.pretrain import ASKED, YES_NO, source_labels


def test_the_file_is_small_and_is_the_one_that_was_summed():
    assert trunk.FILE.stat().st_size <= 2_000_000
    assert hashlib.sha256(trunk.FILE.read_bytes()).hexdigest() == trunk._expected_sum(trunk.FILE)
    FaceNet(3).layers.load_state_dict(load_trunk())  # every layer, weights and statistics


def test_whoever_changes_what_is_loaded_changes_only_that():
    first = load_trunk()
    first["0.0.weight"].zero_()
    assert load_trunk()["0.0.weight"].any()


@pytest.fixture
def elsewhere(tmp_path, monkeypatch):
    """A copy of the data folder's two files that the kit reads instead."""
    for name in ("SHA256SUMS", trunk.FILE.name):
        shutil.copy(trunk.DATA / name, tmp_path / name)
    monkeypatch.setattr(trunk, "FILE", tmp_path / trunk.FILE.name)
    trunk._own.cache_clear()
    yield tmp_path / trunk.FILE.name
    trunk._own.cache_clear()


def test_a_changed_file_is_not_read(elsewhere):
    load_trunk()
    trunk._own.cache_clear()
    content = bytearray(elsewhere.read_bytes())
    content[5000] ^= 1
    elsewhere.write_bytes(content)
    with pytest.raises(CourseError, match="is not the file that came with the kit"):
        load_trunk()
    elsewhere.unlink()
    with pytest.raises(CourseError, match=r"cannot be read .*: put the kit's file back, or make one"):
        load_trunk()


def test_a_file_of_something_else_is_refused_and_a_pickle_never_opened(tmp_path):
    np.savez(tmp_path / "other.npz", a=np.zeros(3))
    np.savez(tmp_path / "objects.npz", **{"0.0.weight": np.array([{"a": 1}], dtype=object)})
    np.save(tmp_path / "array.npy", np.zeros(3))
    torch.save({"a": torch.zeros(2)}, tmp_path / "model.pt")
    (tmp_path / "text.npz").write_text("hello")
    (tmp_path / "empty.npz").touch()
    for path in tmp_path.iterdir():
        with pytest.raises(CourseError, match="holds no trunk for this network"):
            load_trunk(path)


def test_it_is_made_the_same_again_and_read_back(tmp_path):
    files = []
    for name in ("a.npz", "b.npz"):
        network = finish(pretrain.pretrain(n=300, epochs=1))
        trunk.save_trunk(network, tmp_path / name)
        files.append((tmp_path / name).read_bytes())
    assert files[0] == files[1]
    for key, value in load_trunk(tmp_path / "a.npz").items():
        assert torch.equal(value, network.layers.state_dict()[key])


def test_the_command_writes_the_file_and_says_its_checksum(tmp_path, monkeypatch, capsys):
    whole = pretrain.pretrain
    monkeypatch.setattr(pretrain, "pretrain", lambda: whole(n=200, epochs=1))
    assert pretrain.main(["--out", str(tmp_path / "own.npz")]) == 0
    digest = hashlib.sha256((tmp_path / "own.npz").read_bytes()).hexdigest()
    assert f"{digest}  {tmp_path / 'own.npz'}" in capsys.readouterr().out


def test_the_source_task_is_told_neither_smile_nor_age():
    drawn = faces.sample(2000, seed=1, bookshelf=0.5)
    asked = source_labels(drawn)
    assert torch.equal(source_labels(drawn.change(smile=~drawn.smile, age=98 - drawn.age)), asked)
    assert asked.shape == (2000, ASKED)
    yes_no, measured = asked.split([len(YES_NO), ASKED - len(YES_NO)], 1)
    assert set(yes_no.unique().tolist()) == {0.0, 1.0}
    torch.testing.assert_close(measured.mean(0), torch.zeros(measured.shape[1]), atol=1e-5, rtol=0)
    # Nor can all of the labels together tell: a linear model of 25 numbers explains about 25 / 2000 by chance.
    table = torch.cat([asked, torch.ones(2000, 1)], 1)
    for secret in (drawn.smile.float(), drawn.age):
        left = secret - table @ torch.linalg.lstsq(table, secret[:, None]).solution[:, 0]
        assert 1 - left.var() / secret.var() < 0.03


def test_the_source_faces_are_none_of_the_target_faces():
    source = {image.numpy().tobytes() for image in faces.render(faces.sample(1000, seed=pretrain.SEED, bookshelf=0.5))}
    for drawn in (held_out()[0], labelled(0)[0], labelled(1)[0]):
        assert not source & {image.numpy().tobytes() for image in faces.render(drawn)}


def test_the_fine_traits_count_eight_times_in_the_loss():
    """The oracle: the same sum, question by question."""
    draw = torch.Generator().manual_seed(0)
    said, asked = torch.randn(7, ASKED, generator=draw), torch.randn(7, ASKED, generator=draw)
    asked[:, :3] = (asked[:, :3] > 0).float()
    objective = pretrain.Attributes(lambda x: said, None, draw)
    expected = 0.0
    for k in range(ASKED):
        if k < 3:
            expected += torch.nn.functional.binary_cross_entropy_with_logits(said[:, k], asked[:, k]) / 3
        else:
            fine = k in (14, 15, 17, 18)  # after 3 answers and 5 amounts: mouth, smile, lines, grey
            expected += (8 if fine else 1) * (said[:, k] - asked[:, k]).square().mean() / (ASKED - 3)
    torch.testing.assert_close(objective.loss(Batch(torch.arange(7), said, asked)), expected)
