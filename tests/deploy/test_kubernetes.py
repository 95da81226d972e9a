"""What is deployed on Kubernetes: values for Dagster's chart, the image, and the pods that assets would get; no cluster."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import dagster as dg
import pytest
import yaml

from orchestration import executors
from orchestration.capacity import CapacityError, Needs, needs_of, whole_number
from orchestration.definitions import defs
from orchestration.stages import STEPS
from tests.conftest import REPOSITORY, make_project
from tests.deploy.cluster import Cluster, serving, without_proxies

DEPLOY = REPOSITORY / "deploy"
GIB = 1 << 30
ON_GPUS = {"embeddings", "eval_vectors", "vocabulary", "hints", "synthetic", "fusion", "comparison"}

SHOW = """
import json
from orchestration import definitions, stages
graph = definitions.defs.resolve_asset_graph()
assets = {key.to_user_string(): graph.get(key).assets_def for key in graph.get_all_asset_keys()}
print(json.dumps({
    "executor": definitions.defs.executor.name,
    "shards": stages.MAX_SHARDS_PER_RUN,
    "tags": {name: dict(one.op.tags) for name, one in assets.items() if one.is_executable},
    "code": {name: step.code_version() for name, step in stages.STEPS.items()},
}))
"""


def values() -> dict:
    return yaml.safe_load((DEPLOY / "kubernetes" / "values.yaml").read_text())


def deployment() -> dict:
    (winnow,) = values()["dagster-user-deployments"]["deployments"]
    return winnow


def environment() -> dict[str, str]:
    return {entry["name"]: entry["value"] for entry in deployment()["env"]}


def show(**changes: str) -> dict:
    """What a process with these variables loads."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("WINNOW", "DAGSTER"))}
    command = [sys.executable, "-c", SHOW]
    done = subprocess.run(command, env={**kept, **changes}, cwd=REPOSITORY, capture_output=True, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])


@pytest.fixture(scope="module")
def loaded() -> dict:
    """What the code server of the values would load."""
    pytest.importorskip("dagster_k8s", reason="pip install 'winnow[kubernetes]'")
    chosen = ("WINNOW_EXECUTOR", "WINNOW_SHARDS_PER_RUN", "WINNOW_PODS_PER_RUN", "WINNOW_GPU_NODES")
    resources = str(DEPLOY / "resources.yaml")
    return show(**{name: environment()[name] for name in chosen}, WINNOW_RESOURCES=resources)


@pytest.fixture
def resources(tmp_path, monkeypatch):
    """Writes a file of resources and names it."""

    def write(text: str) -> Path:
        path = tmp_path / "resources.yaml"
        path.write_text(text)
        monkeypatch.setenv("WINNOW_RESOURCES", str(path))
        return path

    return write


# The values


def test_the_values_are_for_the_chart_of_the_dagster_that_is_pinned():
    pinned = re.search(r'"dagster==([0-9.]+)"', (REPOSITORY / "pyproject.toml").read_text())[1]
    assert f"version {pinned}" in (DEPLOY / "kubernetes" / "values.yaml").read_text()


def test_the_code_reads_every_variable_that_the_values_set():
    code = "".join(
        path.read_text() for room in ("orchestration", "resources") for path in (REPOSITORY / room).rglob("*.py")
    )
    assert [name for name in environment() if f'"{name}"' not in code] == []


def test_the_values_hold_no_secret():
    written = (DEPLOY / "kubernetes" / "values.yaml").read_text()
    assert not any(name.startswith("AWS_") or "POSTGRES" in name for name in environment())
    assert "postgresqlPassword" not in yaml.safe_dump(values())
    named = {secret["name"] for secret in deployment()["envSecrets"]} | {values()["global"]["postgresqlSecretName"]}
    assert all(f"#   {name} " in written for name in named)


def test_the_server_of_the_values_and_of_the_image_serve_the_same_module():
    dockerfile = (DEPLOY / "Dockerfile").read_text()
    arguments = deployment()["dagsterApiGrpcArgs"]
    assert arguments == ["-m", "orchestration.definitions"]
    assert json.dumps(arguments)[1:-1] in dockerfile
    assert f"EXPOSE {deployment()['port']}" in dockerfile


def test_the_image_runs_as_the_user_of_the_pods_and_not_as_root():
    dockerfile = (DEPLOY / "Dockerfile").read_text()
    user = deployment()["podSecurityContext"]["runAsUser"]
    assert f"--uid {user} winnow" in dockerfile
    assert "\nUSER winnow\n" in dockerfile
    launcher = values()["runLauncher"]["config"]["k8sRunLauncher"]
    assert launcher["runK8sConfig"]["podSpecConfig"]["securityContext"]["runAsUser"] == user


def test_the_image_has_the_extras_and_files_that_it_names():
    dockerfile, project = (DEPLOY / "Dockerfile").read_text(), (REPOSITORY / "pyproject.toml").read_text()
    extras = re.search(r"'\.\[([a-z0-9,]+)\]'", dockerfile)[1].split(",")
    assert [extra for extra in extras if not re.search(rf"^{extra} = \[", project, re.MULTILINE)] == []
    copied = re.findall(r"^!(\S+)$", (DEPLOY / "Dockerfile.dockerignore").read_text(), re.MULTILINE)
    assert [name for name in copied if not (REPOSITORY / name).exists()] == []
    assert environment()["WINNOW_RESOURCES"] == "/winnow/deploy/resources.yaml"
    assert "WORKDIR /winnow" in dockerfile


def test_what_a_run_may_take_is_bounded_and_no_pod_is_held_to_few_processors():
    queue = values()["dagsterDaemon"]["runCoordinator"]["config"]["queuedRunCoordinator"]
    assert queue["maxConcurrentRuns"] >= 1
    launcher = values()["runLauncher"]["config"]["k8sRunLauncher"]["resources"]
    assert deployment()["resources"] == launcher
    assert "cpu" not in launcher["limits"]


def merged(base, over):
    """Values over a chart's own, as Helm lays them: mappings into each other, anything else in place of what was there."""
    if not isinstance(base, dict) or not isinstance(over, dict):
        return over
    return {**base, **{key: merged(base.get(key), value) for key, value in over.items()}}


def test_the_chart_takes_the_values():
    """WINNOW_CHART_SCHEMA names the chart's values.schema.json; its own values.yaml lies beside it."""
    named = os.environ.get("WINNOW_CHART_SCHEMA")
    if not named:
        pytest.skip("WINNOW_CHART_SCHEMA names no values.schema.json of Dagster's chart")
    jsonschema = pytest.importorskip("jsonschema")
    own = yaml.safe_load(Path(named).with_name("values.yaml").read_text())
    schema = within_reach(json.loads(Path(named).read_text()))
    errors = jsonschema.Draft7Validator(schema).iter_errors(merged(own, values()))
    assert [f"{error.json_path}: {error.message}" for error in errors] == []


def within_reach(schema):
    """A schema without its references to Kubernetes' own, which lie on the network: dagster-k8s is asked about those below."""
    if isinstance(schema, list):
        return [within_reach(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    return {
        key: within_reach(one) for key, one in schema.items() if key != "$ref" or not str(one).startswith("https://")
    }


# What dagster-k8s makes of them


def snake(value):
    """Keys of the chart's values as Dagster's settings spell them, as far down as the chart translates them."""
    return {re.sub(r"(?<!^)([A-Z])", r"_\1", key).lower(): one for key, one in value.items()}


def container_contexts():
    """What the pods of runs get from the run launcher and from the code server, as the chart writes it down."""
    k8s = pytest.importorskip("dagster_k8s.container_context", reason="pip install 'winnow[kubernetes]'")
    launcher = snake(values()["runLauncher"]["config"]["k8sRunLauncher"])
    launcher["run_k8s_config"] = snake(launcher["run_k8s_config"])
    server = {
        "image_pull_policy": deployment()["image"]["pullPolicy"],
        "env_secrets": [secret["name"] for secret in deployment()["envSecrets"]],
        "env": deployment()["env"],
        "volumes": deployment()["volumes"],
        "volume_mounts": deployment()["volumeMounts"],
        "resources": deployment()["resources"],
    }
    contexts = [k8s.K8sContainerContext.create_from_config({"k8s": config}) for config in (launcher, server)]
    return contexts[0].merge(contexts[1])


def test_dagster_takes_the_launcher_of_the_values():
    launcher = pytest.importorskip("dagster_k8s").K8sRunLauncher
    config = snake(values()["runLauncher"]["config"]["k8sRunLauncher"])
    config["run_k8s_config"] = snake(config["run_k8s_config"])
    fixed = {"service_account_name": "dagster", "instance_config_map": "dagster-instance",
             "postgres_password_secret": values()["global"]["postgresqlSecretName"],
             "dagster_home": values()["global"]["dagsterHome"]}  # fmt: skip
    from dagster._config import process_config, resolve_to_config_type

    checked = process_config(resolve_to_config_type(launcher.config_type()), {**config, **fixed})
    assert checked.success, checked.errors


def pod_of(tags: dict[str, str]) -> dict:
    """The pod that dagster-k8s would make for an asset with these tags."""
    job = pytest.importorskip("dagster_k8s.job", reason="pip install 'winnow[kubernetes]'")
    k8s = pytest.importorskip("dagster_k8s.container_context")
    context = container_contexts().merge(k8s.K8sContainerContext(run_k8s_config=job.get_user_defined_k8s_config(tags)))
    config = job.DagsterK8sJobConfig(
        job_image="winnow:0.1.0",
        dagster_home=values()["global"]["dagsterHome"],
        instance_config_map="dagster-instance",
        postgres_password_secret=values()["global"]["postgresqlSecretName"],
    )
    made = job.construct_dagster_k8s_job(config, ["dagster"], "one", user_defined_k8s_config=context.run_k8s_config)
    return made.to_dict()["spec"]["template"]["spec"]


def test_an_asset_on_gpus_gets_a_pod_on_a_node_that_has_them(loaded):
    pod = pod_of(loaded["tags"]["embeddings"])
    resources = pod["containers"][0]["resources"]
    assert resources["limits"] == {"memory": str(32 * GIB), "nvidia.com/gpu": "1"}
    assert resources["requests"] == {"cpu": "8", "memory": str(32 * GIB)}
    key, _, value = environment()["WINNOW_GPU_NODES"].partition("=")
    assert pod["node_selector"] == {key: value}
    assert [(one["key"], one["operator"], one["effect"]) for one in pod["tolerations"]] == [
        ("nvidia.com/gpu", "Exists", "NoSchedule")
    ]


def test_an_asset_without_gpus_gets_a_pod_on_any_node(loaded):
    pod = pod_of(loaded["tags"]["pool"])
    assert pod["containers"][0]["resources"] == {
        "requests": {"cpu": "2", "memory": str(4 * GIB)},
        "limits": {"memory": str(4 * GIB)},
        **({"claims": None} if "claims" in pod["containers"][0]["resources"] else {}),
    }
    assert not pod["node_selector"]
    assert not pod["tolerations"]


def test_every_pod_has_the_environment_the_cache_and_the_user_of_the_values(loaded):
    pod = pod_of(loaded["tags"]["crawl"])
    container = pod["containers"][0]
    assert environment().items() <= {one["name"]: one["value"] for one in container["env"]}.items()
    secrets = {one["secret_ref"]["name"] for one in container["env_from"] if one["secret_ref"]}
    assert secrets == {"winnow-store", "winnow-postgres"}
    assert environment()["WINNOW_CACHE"] in {one["mount_path"] for one in container["volume_mounts"]}
    assert pod["security_context"]["run_as_user"] == 1000


# The executor and its assets


def test_on_kubernetes_every_step_carries_what_it_needs(loaded):
    assert loaded["executor"] == "k8s"
    carried = {name: json.loads(tags["dagster-k8s/config"]) for name, tags in loaded["tags"].items() if name in STEPS}
    assert set(carried) == set(STEPS)
    with_cards = {name for name, config in carried.items() if "node_selector" in config.get("pod_spec_config", {})}
    assert with_cards == ON_GPUS


def test_on_one_machine_no_asset_carries_tags_and_the_code_is_the_same(loaded):
    here = show()
    assert here["executor"] in ("multiprocess", "in_process")
    assert [name for name, tags in here["tags"].items() if "dagster-k8s/config" in tags] == []
    assert here["code"] == loaded["code"]


def test_how_many_shards_a_run_takes_is_the_environments_to_say():
    assert show(WINNOW_SHARDS_PER_RUN="7")["shards"] == 7
    assert show()["shards"] == 100


def settings_of(executor: dg.ExecutorDefinition) -> dict:
    """The settings that a run's executor would be made with, defaults filled in."""
    from dagster._core.system_config.objects import ResolvedRunConfig

    @dg.op
    def nothing() -> None: ...

    @dg.job(executor_def=executor)
    def job() -> None:
        nothing()

    return dict(ResolvedRunConfig.build(job).execution.execution_engine_config)


def test_the_executors_settings_are_taken(monkeypatch):
    pytest.importorskip("dagster_k8s", reason="pip install 'winnow[kubernetes]'")
    monkeypatch.setenv("WINNOW_PODS_PER_RUN", "3")
    settings = settings_of(executors.kubernetes())
    assert settings["max_concurrent"] == 3
    assert settings["step_k8s_config"]["job_spec_config"]["ttl_seconds_after_finished"] == executors.KEPT_SECONDS


def test_the_executor_is_local_unless_said_otherwise(monkeypatch):
    monkeypatch.delenv("WINNOW_EXECUTOR", raising=False)
    monkeypatch.delenv("WINNOW_RESOURCES", raising=False)
    assert executors.chosen(STEPS).name in ("multiprocess", "in_process")
    assert executors.tags("embeddings", True) is None


def test_another_executor_is_refused_in_one_sentence(monkeypatch):
    monkeypatch.setenv("WINNOW_EXECUTOR", "nomad")
    with pytest.raises(CapacityError, match=r"^WINNOW_EXECUTOR is 'nomad', but it must be one of local, kubernetes"):
        executors.chosen(STEPS)


def test_a_missing_package_is_said_in_one_sentence(monkeypatch):
    monkeypatch.setattr(executors.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(CapacityError, match=r"pip install 'winnow\[kubernetes\]'$"):
        executors.kubernetes()


def test_a_part_of_a_card_is_a_whole_one_on_kubernetes(monkeypatch):
    monkeypatch.delenv("WINNOW_GPU_NODES", raising=False)
    made = executors.pod(Needs(cpus=0.5, gpus=0.25))
    assert made["container_config"]["resources"] == {"requests": {"cpu": "0.5"}, "limits": {"nvidia.com/gpu": "1"}}


def test_labels_of_the_gpu_nodes_are_the_environments_to_say(monkeypatch):
    monkeypatch.setenv("WINNOW_GPU_NODES", "pool=a100, zone=b")
    assert executors.pod(Needs(gpus=1))["pod_spec_config"]["node_selector"] == {"pool": "a100", "zone": "b"}
    monkeypatch.setenv("WINNOW_GPU_NODES", "a100")
    with pytest.raises(CapacityError, match="WINNOW_GPU_NODES is 'a100'"):
        executors.pod(Needs(gpus=1))


def test_a_run_makes_a_pod_for_each_asset_and_what_the_pods_make_is_in_the_home(tmp_path):
    """The real executor and client of dagster-k8s; the cluster is a small server here, and a pod a process."""
    pytest.importorskip("dagster_k8s", reason="pip install 'winnow[kubernetes]'")
    project, dagster_home = make_project(tmp_path / "project"), tmp_path / "dagster"
    dagster_home.mkdir()
    cluster = Cluster(
        {
            **without_proxies(),
            **{name: environment()[name] for name in ("WINNOW_EXECUTOR", "WINNOW_GPU_NODES")},
            "WINNOW_RESOURCES": str(DEPLOY / "resources.yaml"),
            "WINNOW_HOME": str(project.home),
            "WINNOW_RECIPE": str(project.folder / "recipe.yaml"),
            "DAGSTER_HOME": str(dagster_home),
            "PYTHONPATH": str(REPOSITORY),
        }
    )
    with serving(cluster, tmp_path) as kubeconfig:
        config = snake(values()["runLauncher"]["config"]["k8sRunLauncher"])
        config["run_k8s_config"] = snake(config["run_k8s_config"])
        fixed = {
            "load_incluster_config": False,
            "kubeconfig_file": str(kubeconfig),
            "job_namespace": "winnow",
            "job_image": "winnow:0.1.0",
            "service_account_name": "dagster",
            "instance_config_map": "dagster-instance",
            "postgres_password_secret": "dagster-postgresql-secret",
            "dagster_home": str(dagster_home),
        }
        launcher = {"module": "dagster_k8s", "class": "K8sRunLauncher", "config": {**config, **fixed}}
        (dagster_home / "dagster.yaml").write_text(yaml.safe_dump({"run_launcher": launcher}))
        command = [sys.executable, "-m", "dagster", "asset", "materialize", "-m", "orchestration.definitions"]
        done = subprocess.run(
            [*command, "--select", "shards,removal_list"], env=cluster.environment, cwd=project.folder,
            capture_output=True, text=True, timeout=300, check=False,
        )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    pods = {job["metadata"]["labels"]["dagster/op"]: job["spec"] for job in cluster.jobs.values()}
    assert {"shards", "removal_list"} <= set(pods)
    (container,) = pods["shards"]["template"]["spec"]["containers"]
    assert container["resources"]["requests"] == {"cpu": "2", "memory": str(4 * GIB)}
    assert pods["shards"]["ttlSecondsAfterFinished"] == executors.KEPT_SECONDS
    assert list(project.home.rglob("*.parquet"))


# The file of resources


def test_a_step_takes_from_the_default_what_it_leaves_out(resources):
    resources("default: {cpus: 2, memory: 4Gi}\nembeddings: {gpus: 1}\n")
    assert needs_of("embeddings") == Needs(cpus=2, gpus=1, memory=4 * GIB)
    assert needs_of("pool") == Needs(cpus=2, gpus=0, memory=4 * GIB)


def test_without_a_file_a_step_needs_one_processor(monkeypatch):
    monkeypatch.delenv("WINNOW_RESOURCES", raising=False)
    assert needs_of("pool") == Needs(cpus=1, gpus=0, memory=None)


@pytest.mark.parametrize(
    ("written", "size"),
    [("1024", 1024), ("8Gi", 8 * GIB), ("1.5Gi", 3 * GIB // 2), ("500M", 500_000_000), ("2k", 2000)],
)
def test_memory_is_bytes_or_a_size(resources, written, size):
    resources(f"default: {{memory: {written}}}\n")
    assert needs_of("pool").memory == size


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("embeddings: {gpus: some}", "embeddings.gpus is 'some', but it must be a number of 0 or more"),
        ("embeddings: {gpus: -1}", "embeddings.gpus is -1, but"),
        ("embeddings: {cpus: .nan}", "embeddings.cpus is nan, but"),
        ("embeddings: {cpus: true}", "embeddings.cpus is True, but"),
        ("embeddings: {cpus: 0}", "embeddings.cpus is 0, but every step needs some of a processor"),
        ("embeddings: {memory: lots}", "embeddings.memory is 'lots', but it must be bytes, or a size such as 8Gi"),
        ("embeddings: {memory: 0}", "embeddings.memory is 0, but"),
        ("embeddings: {memory: 8GiB}", "embeddings.memory is '8GiB', but"),
        ("embeddings: {cores: 2}", "embeddings.cores is no field; there are cpus, gpus and memory"),
        ("embeddings: 8", "it must be `default` and names of steps"),
        ("- embeddings", "it must be `default` and names of steps"),
        ("a: [", "is no YAML"),
    ],
)
def test_a_wrong_file_of_resources_is_said_in_one_sentence(resources, text, words):
    path = resources(text)
    with pytest.raises(CapacityError) as raised:
        needs_of("embeddings")
    said = str(raised.value)
    assert words in said
    assert said.startswith(str(path))
    assert "\n" not in said


def test_a_file_that_is_not_there_is_said(tmp_path, monkeypatch):
    monkeypatch.setenv("WINNOW_RESOURCES", str(tmp_path / "none.yaml"))
    with pytest.raises(CapacityError, match=r"^WINNOW_RESOURCES names .*none.yaml, which cannot be read"):
        needs_of("pool")


def test_an_entry_of_no_step_is_an_error_with_a_guess(resources):
    resources("embedings: {gpus: 1}\n")
    with pytest.raises(CapacityError, match="'embedings' is no step; did you mean 'embeddings'"):
        executors.chosen(STEPS)


def test_the_example_of_resources_is_for_these_steps_and_puts_the_models_on_gpus(monkeypatch):
    monkeypatch.setenv("WINNOW_RESOURCES", str(DEPLOY / "resources.yaml"))
    executors.chosen(STEPS)
    assert {name for name in STEPS if needs_of(name).gpus} == ON_GPUS


@pytest.mark.parametrize("written", ["0", "-1", "many", "1.5", "²"])
def test_a_number_that_is_none_is_refused(monkeypatch, written):
    monkeypatch.setenv("WINNOW_SHARDS_PER_RUN", written)
    with pytest.raises(CapacityError, match="WINNOW_SHARDS_PER_RUN is"):
        whole_number("WINNOW_SHARDS_PER_RUN", 100)


def test_the_assets_that_pods_are_for_have_the_policy_of_backfills():
    graph = defs.resolve_asset_graph()
    assert graph.get(dg.AssetKey("crawl")).backfill_policy.max_partitions_per_run == 100
