"""The engine of studies: several processes, a real cluster that loses a worker, Ctrl-C, damage, a full disk."""

import http.server
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from pathlib import Path

import pytest
import quick_study
import torch
from dask_cluster import cluster, wait_for

from course_lib import __version__, environment, study
from course_lib.errors import CourseError
from course_lib.study import Order, engine, record, track
from course_lib.study.rows import Folder, digest, key, read_table

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


def plan_only(monkeypatch, seeds, of=quick_study.STUDY):
    """Have the study consist of these seeds."""
    plan = [{"source": "bundled", "seed": seed, "wait": 0.0} for seed in seeds]
    monkeypatch.setattr(study, "find", lambda name: study.Study(lambda *_: plan, of.measure, devices=of.devices))


@contextmanager
def serving(handler=http.server.SimpleHTTPRequestHandler):
    """Serve HTTP at a free port; yield the server."""
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


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


@pytest.mark.parametrize(("seed", "said"), [
    (666, "The loss became nan."),
    (667, "RuntimeError: CUDA error: out of memory."),
    (668, "MemoryError: no memory is left."),
])  # fmt: skip
def test_a_run_that_fails_is_named_and_ends_no_other(tmp_path, monkeypatch, seed, said):
    plan_only(monkeypatch, (1, seed, 3))
    with pytest.raises(CourseError) as error:
        engine.run(order(), tmp_path / "out.csv")
    assert str(error.value).startswith("1 of 3 runs failed, the first, ")
    assert str(error.value).endswith(f"'seed': {seed}, 'wait': 0.0}}: {said}")
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
    path = engine.run(order(seeds=9, only=("seed=4", "source=bundled")), tmp_path / "out.csv")
    assert values(path) == {4: 16}


@pytest.mark.parametrize(("changes", "said"), [
    ({"only": ("seed",)}, "--only takes COLUMN=VALUE, such as --only seed=0; it was 'seed'."),
    ({"only": ("sed=0",)}, "the column of --only must be one of 'source', 'seed', 'wait'; it was 'sed'."),
    ({"only": ("seed=7",)}, "seed of --only must be one of '0', '1', '2'; it was '7'."),
    ({"only": ("seed=1", "seed=7")}, "seed of --only must be one of '0', '1', '2'; it was '7'."),
    ({"only": ("seed=1", "seed=2")}, "No run of augmentation has seed=1 and seed=2: leave one of them out."),
    ({"preset": "huge"}, "augmentation has no presets: leave --preset huge out."),
    ({"device": "cuda"}, "augmentation is a study for the processor: leave --device cuda out."),
    ({"device": "tpu"}, "device must be one of 'cpu', 'cuda', 'mps', 'auto'; it was 'tpu'."),
    ({"jobs": 0}, "jobs must be a number from 1 to 1024; it was 0."),
])  # fmt: skip
def test_slips_are_told_in_a_sentence(tmp_path, changes, said):
    with pytest.raises(CourseError) as error:
        engine.run(order(**changes), tmp_path / "out.csv")
    assert said in str(error.value)
    assert [path.name for path in tmp_path.iterdir()] == ["log"]


def test_a_folder_of_another_study_is_left_alone(tmp_path):
    path = engine.run(order(seeds=1), tmp_path / "out.csv")
    before = sorted(tmp_path.glob("out.csv.rows/*.row"))
    with pytest.raises(CourseError, match=r"rows holds runs of the study 'augmentation': name another --out\."):
        engine.run(Order("transfer", seeds=1), path)
    assert sorted(tmp_path.glob("out.csv.rows/*.row")) == before


@pytest.mark.parametrize(("label", "version"), [
    ('{"study": "augmentation", "course_lib": "0.0.9"}', "0.0.9"),
    ('{"study": "augmentation", "format": 1}', "of an unknown version"),
    ('{"study', "of an unknown version"),
])  # fmt: skip
def test_a_folder_of_another_version_is_left_alone_and_its_runs_can_be_taken_over(
    quick, tmp_path, capsys, label, version
):
    old, new = tmp_path / "old.csv", tmp_path / "new.csv"
    engine.run(order(seeds=3), old)
    old.unlink()  # as if the study had been killed, with the rows in the folder alone
    folder = tmp_path / "old.csv.rows"
    (folder / "study.json").write_text(label)
    for path in folder.glob("*.row"):
        row = {**json.loads(path.read_text("utf-8").splitlines()[1]), "course_lib": "0.0.9"}
        path.write_text(f"{digest(row)}\n{json.dumps(row)}\n", "utf-8")
    with pytest.raises(CourseError) as error:
        engine.run(order(seeds=4), old)
    assert str(error.value) == (
        f"{folder} was made by course_lib {version}, and this is {__version__}: name another --out, and add --reuse "
        f"{old} to take over what is finished there."
    )
    assert len(list(folder.glob("*.row"))) == 3
    assert "another course_lib" not in capsys.readouterr().out
    engine.run(order(seeds=4), new, reuse=[old])
    assert values(new) == squares(4)
    assert [row["course_lib"] for row in read_table(new, {})] == ["0.0.9"] * 3 + [__version__]
    assert len(list(quick.iterdir())) == 4  # none was done again
    assert f"by another course_lib before (0.0.9): this is {__version__}." in capsys.readouterr().out


def test_two_studies_cannot_write_into_one_folder(tmp_path):
    with (
        Folder(tmp_path / "out.csv", "augmentation"),
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
    engine.run(Order("augmentation", seeds=4), {out!r}{more})
except CourseError as error:
    print("SAID", error)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="limits of files are Unix")
def test_a_full_disk_is_told_and_no_finished_run_is_lost(quick, tmp_path):
    """Real refusals to write: the system lets this process write no file of more than 10 kB."""
    code = LIMITED.format(path=[str(HERE), str(HERE.parent)], out=str(tmp_path / "out.csv"), more="")
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


@pytest.mark.parametrize("lost", ["scheduler", "workers"])
def test_a_cluster_that_is_lost_is_told_and_no_finished_run_is(quick, tmp_path, monkeypatch, lost, capfd):
    monkeypatch.setenv("DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES", "0")  # one lost worker is enough
    monkeypatch.setenv("QUICK_STUDY_WAIT", "0.3")
    wanted, said = order(seeds=30), "The Dask cluster was lost: what is finished stays"
    with cluster(tmp_path, HERE) as (address, processes):
        if lost == "workers":
            plan_only(monkeypatch, (*range(10), 669))
            said = "One task ended each worker that took it up"

        def kill():
            wait_for(lambda: len(list(tmp_path.glob("out.csv.rows/*.row"))) >= 2)
            processes[-1].kill()

        killer = threading.Thread(target=kill if lost == "scheduler" else lambda: None)
        killer.start()
        with pytest.raises(CourseError, match=said):
            engine.run(order(seeds=wanted.seeds, dask=address), tmp_path / "out.csv")
        killer.join()
    kept = values(tmp_path / "out.csv")
    assert kept.items() <= squares(30).items()
    assert 2 <= len(kept) < 30
    assert len(list(tmp_path.glob("out.csv.rows/*.row"))) == len(kept)
    assert "Traceback" not in capfd.readouterr().err


def test_a_device_is_looked_for_where_the_run_is_done(tmp_path, monkeypatch):
    monkeypatch.setattr(study, "find", lambda name: quick_study.ON_DEVICES)
    if not torch.cuda.is_available():
        with pytest.raises(CourseError, match="device must be one that this torch can use, such as 'cpu'; it was 'cu"):
            engine.run(order(seeds=1, device="cuda"), tmp_path / "out.csv")
        assert not (tmp_path / "out.csv.rows").exists()
    assert Order("augmentation", device="auto", dask="tcp://there:8786").chosen_device() == "auto"
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")  # of the workers
    with cluster(tmp_path, HERE) as (address, _):
        path = engine.run(order(seeds=2, device="auto", dask=address), tmp_path / "auto.csv")
        assert [(row["done_on"], row["device"]) for row in read_table(path, {})] == [("cpu", "cpu")] * 2
        with pytest.raises(CourseError, match=r"2 of 2 runs failed.* device must be one .*; it was 'cuda'\."):
            engine.run(order(seeds=2, device="cuda", dask=address), tmp_path / "cuda.csv")


def test_what_is_no_cluster_is_told_in_a_sentence_and_leaves_no_folder(tmp_path):
    start = time.monotonic()
    with serving() as server:  # something else that listens
        address = f"tcp://127.0.0.1:{server.server_port}"
        with pytest.raises(CourseError, match=rf"There is no Dask cluster at '{address}' \(no answer in 10 seconds\)"):
            engine.run(order(dask=address), tmp_path / "out.csv")
    assert time.monotonic() - start < 20
    with pytest.raises(CourseError, match=r"There is no Dask cluster at 'http:.*unknown address scheme"):
        engine.run(order(dask="http://127.0.0.1:8786"), tmp_path / "out.csv")
    assert not (tmp_path / "out.csv.rows").exists()


def test_a_missing_package_for_a_cluster_is_told_with_the_command_that_adds_it(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    (package,) = environment.requirements(["cluster"])["cluster"]
    with pytest.raises(CourseError) as error:
        engine.run(order(dask="tcp://127.0.0.1:9"), tmp_path / "out.csv")
    assert str(error.value).endswith(f'the package distributed: {sys.executable} -m pip install "{package}".')


def test_the_energy_is_time_times_a_range_of_power():
    row = record.record(3600.0, "cpu")
    assert (row["wh_low"], row["wh_high"]) == record.CORE
    assert record.record(1800.0, "cpu")["wh_high"] == record.CORE[1] / 2
    assert row["seconds"] == 3600.0
    assert row["device"] == "cpu"


# --- mirrors -------------------------------------------------------------------------------------------------


@pytest.fixture
def mlflow(tmp_path, monkeypatch):
    """The real package, with a store of files."""
    mlflow = pytest.importorskip("mlflow")
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", (tmp_path / "store").as_uri())
    for name in track.MLFLOW:
        monkeypatch.setenv(name, track.MLFLOW[name])  # and as it was, afterwards
    return mlflow


def mirrored(mlflow):
    client = mlflow.MlflowClient()
    return client.search_runs([client.get_experiment_by_name("study augmentation").experiment_id])


def test_mlflow_gets_every_run_once_also_those_of_before(mlflow, tmp_path):
    engine.run(order(seeds=2), tmp_path / "out.csv")
    engine.run(order(seeds=3), tmp_path / "out.csv", "mlflow")  # two are there already, and not mirrored
    engine.run(order(seeds=4), tmp_path / "out.csv", "mlflow")
    found = mirrored(mlflow)
    assert all(run.data.metrics["not prime or so"] == 1 for run in found)
    assert sorted((run.data.params["seed"], run.data.metrics["value"]) for run in found) == [
        ("0", 0.0), ("1", 1.0), ("2", 4.0), ("3", 9.0),
    ]  # fmt: skip
    assert {run.data.tags["device"] for run in found} == {"cpu"}
    assert {run.data.tags["torch"] for run in found} == {torch.__version__}


def test_what_mlflow_refuses_is_told_and_nothing_runs(mlflow, quick, tmp_path, monkeypatch):
    for address, said in (("nowhere://a", "unsupported URI 'nowhere://a'"), ("http://127.0.0.1:9", "refused")):
        monkeypatch.setenv("MLFLOW_TRACKING_URI", address)
        start = time.monotonic()
        with pytest.raises(CourseError, match=rf"^--track mlflow cannot be used: .*{said}.*\.$"):
            engine.run(order(seeds=2), tmp_path / "out.csv", "mlflow")
        assert time.monotonic() - start < 15
    assert not list(quick.iterdir())
    assert not (tmp_path / "out.csv.rows").exists()


def test_a_store_that_is_lost_ends_no_study_and_gets_the_rest_later(mlflow, tmp_path, monkeypatch, capsys):
    store = tmp_path / "store"

    def measure(configuration):
        if configuration["seed"] == 1:
            shutil.move(store, tmp_path / "away")
            store.write_text("a file is in its place")
        return (yield from quick_study.measure(configuration))

    monkeypatch.setattr(study, "find", lambda name: study.Study(quick_study.plan, measure))
    engine.run(order(seeds=4), tmp_path / "out.csv", "mlflow")
    assert values(tmp_path / "out.csv") == squares(4)
    assert capsys.readouterr().out.count("Nothing more is mirrored (") == 1
    store.unlink()
    shutil.move(tmp_path / "away", store)
    engine.run(order(seeds=4), tmp_path / "out.csv", "mlflow")
    assert sorted(run.data.metrics["value"] for run in mirrored(mlflow)) == [0.0, 1.0, 4.0, 9.0]


class Experiments(http.server.BaseHTTPRequestHandler):
    """What a server says before a run is begun: here is the experiment, without runs."""

    def do_GET(self):
        length = int(self.headers.get("Content-Length") or 0)
        self.rfile.read(length)
        text = b'{"experiment": {"experiment_id": "1", "name": "x", "lifecycle_stage": "active"}, "runs": []}'
        self.send_response(200)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    do_POST = do_GET

    def log_message(self, *_):
        pass


def test_a_server_that_is_lost_ends_no_study(mlflow, tmp_path, monkeypatch, capsys):
    with serving(Experiments) as server:
        monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://127.0.0.1:{server.server_port}")
        mirror = track.track("mlflow", "augmentation", tmp_path / "out.csv")
    monkeypatch.setattr(engine, "track", lambda *_: mirror)
    start = time.monotonic()
    engine.run(order(seeds=4), tmp_path / "out.csv", "mlflow")
    assert time.monotonic() - start < 15
    assert values(tmp_path / "out.csv") == squares(4)
    assert capsys.readouterr().out.count("Nothing more is mirrored (API request to http") == 1


def test_tensorboard_gets_every_run_once_also_those_of_before(tmp_path):
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    engine.run(order(seeds=2), tmp_path / "out.csv")
    engine.run(order(seeds=3), tmp_path / "out.csv", "tensorboard")
    engine.run(order(seeds=3), tmp_path / "out.csv", "tensorboard")
    files = sorted((tmp_path / "out.csv.tensorboard").glob("*/*"))
    assert len({file.parent for file in files}) == len(files) == 3
    seen = [EventAccumulator(str(file.parent)).Reload() for file in files]
    assert sorted(one.Scalars("value")[0].value for one in seen) == [0.0, 1.0, 4.0]
    assert all(one.Tensors("device/text_summary") for one in seen)
    assert all("_hparams_/session_start_info" in one.summary_metadata for one in seen)


@pytest.mark.skipif(sys.platform == "win32", reason="limits of files are Unix")
def test_a_disk_too_full_for_tensorboard_ends_no_study(tmp_path):
    """Real refusals to write: the system lets this process write no file of more than 800 bytes; a row has 300."""
    pytest.importorskip("tensorboard")
    code = LIMITED.format(path=[str(HERE), str(HERE.parent)], out=str(tmp_path / "out.csv"), more=', "tensorboard"')
    code = code.replace("10_000", "800").replace("20_000", "5")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert "Nothing more is mirrored ([Errno 27] File too large" in done.stdout, done.stderr
    assert "Traceback" not in done.stderr
    assert "SAID" not in done.stdout
    assert values(tmp_path / "out.csv") == squares(4)
    assert not list(tmp_path.glob("out.csv.tensorboard/*/*"))


def test_a_tool_that_there_is_not_is_told_and_leaves_no_folder(tmp_path, monkeypatch):
    with pytest.raises(CourseError, match="tracker must be one of 'mlflow', 'tensorboard'; it was 'wandb'"):
        engine.run(order(), tmp_path / "out.csv", "wandb")
    monkeypatch.setitem(sys.modules, "mlflow", None)
    with pytest.raises(CourseError) as error:
        engine.run(order(), tmp_path / "out.csv", "mlflow")
    said = f'--track mlflow needs the package mlflow: {sys.executable} -m pip install "mlflow>=3,<4".'
    assert str(error.value) == said
    assert not (tmp_path / "out.csv.rows").exists()
    tested = {requirement.replace("-skinny", "") for requirement in environment.requirements(["test"])["test"]}
    assert set(track.TRACKERS.values()) <= tested
