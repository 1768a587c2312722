"""The engine of studies: several processes, a real cluster that loses a worker, Ctrl-C, damage, a full disk."""

import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest
import quick_study
import torch
from dask_cluster import cluster, wait_for

from course_lib import environment, study
from course_lib.errors import CourseError
from course_lib.study import Order, engine, record
from course_lib.study.rows import Folder, key, read_table

HERE = Path(__file__).parent


@pytest.fixture(autouse=True)
def quick(monkeypatch, tmp_path):
    """Have the name of a study mean `quick_study`, whose runs leave a file each in the folder that is returned."""
    monkeypatch.setattr(study, "find", lambda name: quick_study.STUDY)
    log = tmp_path / "log"
    log.mkdir()
    monkeypatch.setenv(quick_study.LOG, str(log))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    return log


def order(**changes):
    return Order("augmentation", **changes)


def values(path):
    return {int(row["seed"]): int(row["value"]) for row in read_table(path, {"seed": 0})}


def squares(n):
    return {seed: seed * seed for seed in range(n)}


def test_several_processes_do_each_run_once(quick, tmp_path, monkeypatch):
    monkeypatch.setenv("QUICK_STUDY_WAIT", "0.3")
    path = engine.run(order(seeds=12, jobs=2), tmp_path / "out.csv")
    assert values(path) == squares(12)
    done = [name.name.split("_") for name in quick.iterdir()]
    assert sorted(int(seed) for seed, _ in done) == list(range(12))
    assert len({process for _, process in done} - {str(os.getpid())}) == 2
    assert [row["seed"] for row in read_table(path, {})] == [str(seed) for seed in range(12)]  # as planned


def test_a_row_is_kept_as_soon_as_its_run_is_finished(tmp_path):
    path = tmp_path / "out.csv"
    engine.run(order(seeds=2), path)
    folder = tmp_path / "out.csv.rows"
    plan = order(seeds=2).plan()
    for configuration in plan:
        _, body = (folder / f"{key(configuration)}.row").read_text("utf-8").splitlines()
        assert json.loads(body).items() >= configuration.items()
    assert not list(folder.glob("*.part"))


def test_more_seeds_go_on_from_the_table_alone(quick, tmp_path):
    path = engine.run(order(seeds=3), tmp_path / "out.csv")
    for file in (tmp_path / "out.csv.rows").iterdir():
        file.unlink()
    engine.run(order(seeds=5), path)
    assert values(path) == squares(5)
    assert sorted(name.name.split("_")[0] for name in quick.iterdir()) == ["0", "1", "2", "3", "4"]


@pytest.mark.parametrize("damage", [
    lambda text: text.replace('"value": 4', '"value": 5'),  # a flipped number
    lambda text: text[: len(text) // 2],  # cut off
    lambda text: "",
])  # fmt: skip
def test_a_damaged_row_is_found_and_done_again(quick, tmp_path, capsys, damage):
    path = engine.run(order(seeds=4), tmp_path / "out.csv")
    path.unlink()
    row = tmp_path / "out.csv.rows" / f"{key(order(seeds=4).plan()[2])}.row"
    row.write_text(damage(row.read_text("utf-8")), "utf-8")
    for name in quick.iterdir():
        name.unlink()
    engine.run(order(seeds=4), path)
    assert values(path) == squares(4)
    assert [name.name.split("_")[0] for name in quick.iterdir()] == ["2"]
    assert f"{row.name} is damaged" in capsys.readouterr().out


def test_a_run_that_fails_is_named_and_ends_no_other(tmp_path, monkeypatch):
    plan = [{"source": "bundled", "seed": seed, "wait": 0.0} for seed in (1, 666, 3)]
    monkeypatch.setattr(study, "find", lambda name: study.Study(lambda *_: plan, quick_study.measure))
    with pytest.raises(CourseError, match=r"1 of 3 runs failed, the first, .*666.*: The loss became nan\."):
        engine.run(order(), tmp_path / "out.csv")
    assert values(tmp_path / "out.csv") == {1: 1, 3: 9}


def test_runs_of_another_table_are_taken_over_and_none_that_is_not_wanted(quick, tmp_path):
    other = engine.run(Order("augmentation", seeds=3), tmp_path / "other.csv")
    done = len(list(quick.iterdir()))
    path = engine.run(Order("augmentation", seeds=2), tmp_path / "out.csv", reuse=[other])
    assert len(list(quick.iterdir())) == done == 3
    assert path.read_text().splitlines() == other.read_text().splitlines()[:3]
    with pytest.raises(CourseError, match=r"There is no file .*none\.csv\."):
        engine.run(Order("augmentation"), tmp_path / "new.csv", reuse=[tmp_path / "none.csv"])
    with pytest.raises(CourseError, match="cannot be read: Is a directory"):
        engine.run(Order("augmentation"), tmp_path / "new.csv", reuse=[tmp_path])
    (tmp_path / "picture.csv").write_bytes(bytes(range(256)))
    with pytest.raises(CourseError, match=r"picture\.csv is not a table of this study"):
        engine.run(Order("augmentation"), tmp_path / "new.csv", reuse=[tmp_path / "picture.csv"])


def test_only_takes_the_runs_that_are_named(tmp_path):
    path = engine.run(order(seeds=9, only=("seed=4",)), tmp_path / "out.csv")
    assert values(path) == {4: 16}


@pytest.mark.parametrize(("changes", "said"), [
    ({"only": ("seed",)}, "--only takes COLUMN=VALUE, such as --only seed=0; it was 'seed'."),
    ({"only": ("sed=0",)}, "the column of --only must be one of 'source', 'seed', 'wait'; it was 'sed'."),
    ({"only": ("seed=7",)}, "seed of --only must be one of '0', '1', '2'; it was '7'."),
    ({"preset": "huge"}, "preset of augmentation must be one of"),
    ({"device": "cuda"}, "augmentation is a study for the processor: leave --device cuda out."),
    ({"device": "tpu"}, "device must be one of 'cpu', 'cuda', 'mps', 'auto'; it was 'tpu'."),
    ({"jobs": 0}, "jobs must be a number from 1 to 1024; it was 0."),
])  # fmt: skip
def test_slips_are_told_in_a_sentence(tmp_path, changes, said):
    with pytest.raises(CourseError) as error:
        engine.run(order(**changes), tmp_path / "out.csv")
    assert said in str(error.value)
    assert not (tmp_path / "out.csv").exists()


def test_a_folder_of_another_study_or_version_is_left_alone(tmp_path):
    path = engine.run(order(seeds=1), tmp_path / "out.csv")
    before = sorted(tmp_path.glob("out.csv.rows/*.row"))
    with pytest.raises(CourseError, match="holds rows of another study, or of another version"):
        engine.run(Order("transfer", seeds=1), path)
    (tmp_path / "out.csv.rows" / "study.json").write_text('{"study": "augmentation", "format": 0}')
    with pytest.raises(CourseError, match="'format': 0"):
        engine.run(order(seeds=1), path)
    assert sorted(tmp_path.glob("out.csv.rows/*.row")) == before


def test_two_studies_cannot_write_into_one_folder(tmp_path):
    with (
        Folder(tmp_path / "out.csv.rows", "augmentation"),
        pytest.raises(CourseError, match="Another study is writing into"),
    ):
        engine.run(order(seeds=1), tmp_path / "out.csv")
    assert values(engine.run(order(seeds=1), tmp_path / "out.csv")) == squares(1)


LIMITED = """
import resource, sys
sys.path[:0] = {path!r}
import quick_study
from course_lib import environment, study
from course_lib.errors import CourseError
from course_lib.study import Order, engine
study.find = lambda name: quick_study.STUDY
def plan(source, seeds):  # the third row is longer than what a file may hold
    return [dict(source=source, seed=seed, wait=0.0, note="x" * (20_000 if seed == 2 else 5)) for seed in range(seeds)]
study.find = lambda name: study.Study(plan, quick_study.measure)
import signal; signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, 10_000))
try:
    engine.run(Order("augmentation", seeds=4), {out!r})
except CourseError as error:
    print("SAID", error)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="limits of files are Unix")
def test_a_full_disk_is_told_and_no_finished_run_is_lost(quick, tmp_path):
    """Real refusals to write: the system lets this process write no file of more than 10 kB."""
    code = LIMITED.format(path=[str(HERE), str(HERE.parent)], out=str(tmp_path / "out.csv"))
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert "cannot be written (File too large)" in done.stdout, done.stderr
    assert "the runs that are finished stay" in done.stdout
    assert values(tmp_path / "out.csv") == squares(2)
    assert len(list(tmp_path.glob("out.csv.rows/*.row"))) == 2


START = """
import sys
sys.path[:0] = {path!r}
import quick_study
from course_lib import cli, study
study.find = lambda name: quick_study.STUDY
if __name__ == "__main__":
    sys.exit(cli.main(["study", "augmentation", "--seeds", "40", "--jobs", "2", "--out", {out!r}]))
"""


@pytest.mark.skipif(sys.platform == "win32", reason="signals are Unix")
def test_ctrl_c_ends_all_processes_and_keeps_what_is_finished(quick, tmp_path, monkeypatch):
    monkeypatch.setenv("QUICK_STUDY_WAIT", "0.5")
    monkeypatch.setenv(environment.HANDED_OVER, "here")
    script = tmp_path / "start.py"
    script.write_text(START.format(path=[str(HERE), str(HERE.parent)], out=str(tmp_path / "out.csv")))
    with subprocess.Popen(
        [sys.executable, script], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    ) as process:
        wait_for(lambda: len(list(tmp_path.glob("out.csv.rows/*.row"))) >= 3)
        os.killpg(process.pid, signal.SIGINT)  # what a terminal does
        _, said = process.communicate(timeout=30)
    assert process.returncode == 130
    assert "Stopped: the same command goes on where it was." in said
    assert "Traceback" not in said
    wait_for(lambda: not alive(process.pid), 10)
    kept = values(tmp_path / "out.csv")
    assert 3 <= len(kept) < 40
    monkeypatch.setenv("QUICK_STUDY_WAIT", "0.5")
    for name in quick.iterdir():
        name.unlink()
    engine.run(order(seeds=len(kept) + 2, jobs=2), tmp_path / "out.csv")
    assert not {int(name.name.split("_")[0]) for name in quick.iterdir()} & set(kept)


def alive(group):
    """Tell whether a process of a group is left."""
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True


def test_a_cluster_that_loses_a_worker_gives_every_result(quick, tmp_path, monkeypatch):
    monkeypatch.setenv("QUICK_STUDY_WAIT", "0.5")
    with cluster(tmp_path, HERE) as (address, workers):

        def kill():
            wait_for(lambda: len(list(quick.iterdir())) >= 4)
            workers[0].kill()

        killer = threading.Thread(target=kill)
        killer.start()
        path = engine.run(order(seeds=12, dask=address), tmp_path / "out.csv")
        killer.join()
    assert values(path) == squares(12)
    ran = [name.name.split("_") for name in quick.iterdir()]
    assert {int(seed) for seed, _ in ran} == set(range(12))
    assert workers[0].returncode is not None
    assert str(workers[0].pid) in {process for _, process in ran}  # it had done some


def test_an_unreachable_cluster_is_told_in_a_sentence(tmp_path):
    with pytest.raises(CourseError, match=r"There is no Dask cluster at 'tcp://127.0.0.1:9'"):
        engine.run(order(dask="tcp://127.0.0.1:9"), tmp_path / "out.csv")


def test_the_energy_is_time_times_a_range_of_power():
    row = record.record(3600.0, "cpu")
    assert (row["wh_low"], row["wh_high"]) == record.CORE
    assert record.record(1800.0, "cpu")["wh_high"] == record.CORE[1] / 2
    assert row["seconds"] == 3600.0
    assert row["device"] == "cpu"


# --- mirrors -------------------------------------------------------------------------------------------------


def test_mlflow_gets_every_run(tmp_path, monkeypatch):
    """The real package, with a store of files."""
    pytest.importorskip("mlflow")
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", (tmp_path / "store").as_uri())
    import mlflow

    engine.run(order(seeds=2), tmp_path / "out.csv", "mlflow")
    engine.run(order(seeds=3), tmp_path / "out.csv", "mlflow")  # two are there already
    client = mlflow.MlflowClient()
    found = client.search_runs([client.get_experiment_by_name("study augmentation").experiment_id])
    assert {run.data.params["seed"]: run.data.metrics["value"] for run in found} == {"0": 0.0, "1": 1.0, "2": 4.0}
    assert len(found) == 3
    assert {run.data.tags["device"] for run in found} == {"cpu"}
    assert {run.data.tags["torch"] for run in found} == {torch.__version__}


def test_what_mlflow_refuses_is_told_and_nothing_runs(quick, tmp_path, monkeypatch):
    pytest.importorskip("mlflow")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "nowhere://a")
    with pytest.raises(CourseError, match="MLflow refuses: "):
        engine.run(order(seeds=2), tmp_path / "out.csv", "mlflow")
    assert not list(quick.iterdir())


def test_tensorboard_gets_every_run(tmp_path):
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    engine.run(order(seeds=3), tmp_path / "out.csv", "tensorboard")
    folders = sorted((tmp_path / "out.csv.tensorboard").iterdir())
    assert len(folders) == 3
    seen = [EventAccumulator(str(folder)).Reload() for folder in folders]
    assert sorted(one.Scalars("value")[0].value for one in seen) == [0.0, 1.0, 4.0]
    assert all(one.Tensors("device/text_summary") for one in seen)


def test_a_tool_that_there_is_not_is_told(tmp_path, monkeypatch):
    with pytest.raises(CourseError, match="tracker must be one of 'mlflow', 'tensorboard'; it was 'wandb'"):
        engine.run(order(), tmp_path / "out.csv", "wandb")
    monkeypatch.setitem(sys.modules, "mlflow", None)
    with pytest.raises(CourseError, match="--track mlflow needs the package mlflow: pip install mlflow"):
        engine.run(order(), tmp_path / "out.csv", "mlflow")
