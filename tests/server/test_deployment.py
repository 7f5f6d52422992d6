"""The files that put a server into containers say what this version of the program understands, and agree with each other.

No container engine is needed: what an image is built from is installed and started, command lines are given to the program's own
parser, and names that one part uses are looked for in the others.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from lepton_server.cli import parser
from tests.support.proxies import would_start_with

ROOT = Path(__file__).parents[2]
SERVER = ROOT / "server"
MANIFESTS = sorted((SERVER / "kubernetes").glob("*.yaml"))
_VARIABLE = re.compile(r"\$\((\w+)\)")


@pytest.fixture(scope="module")
def instructions() -> list[tuple[str, str]]:
    """Of the Dockerfile: each instruction and its words."""
    text = re.sub(r"\\\n", " ", (SERVER / "Dockerfile").read_text())
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    return [(line.split(maxsplit=1)[0], line.split(maxsplit=1)[1]) for line in lines]


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    return dict(yaml.safe_load((SERVER / "compose.yaml").read_text()))


@pytest.fixture(scope="module")
def kinds() -> dict[str, list[dict[str, Any]]]:
    """What the manifests hold, by kind."""
    found: dict[str, list[dict[str, Any]]] = {}
    for file in MANIFESTS:
        for document in yaml.safe_load_all(file.read_text()):
            found.setdefault(document["kind"], []).append(document)
    return found


def values(instructions: list[tuple[str, str]], name: str) -> list[str]:
    return [words for instruction, words in instructions if instruction == name]


def accepted(words: list[str], environment: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Any:
    """What `lepton-server` makes of these arguments, in this environment."""
    for name in [name for name in os.environ if name.startswith("GIT_LEPTON_SERVER_")]:
        monkeypatch.delenv(name)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    words = [_VARIABLE.sub(lambda found: environment[found[1]], word) for word in words]
    return parser().parse_args(words)  # exits where it does not understand


# The image


def test_what_the_image_copies_is_there(instructions: list[tuple[str, str]]) -> None:
    ignored = (SERVER / "Dockerfile.dockerignore").read_text().splitlines()
    copies = [words.split() for words in values(instructions, "COPY") if "--from" not in words]
    assert copies
    for *sources, _ in copies:
        for source in sources:
            assert (ROOT / source).exists(), source
            assert any(f"!{source}".startswith(line) for line in ignored if line.startswith("!")), source


@pytest.mark.thorough
def test_what_the_image_installs_serves(instructions: list[tuple[str, str]], tmp_path: Path) -> None:
    """The files that are copied, built as its RUN line does (but for packages of others, which are here already), and its CMD."""
    source, installed, data = tmp_path / "source", tmp_path / "installed", tmp_path / "data"
    source.mkdir()
    for words in values(instructions, "COPY"):
        *names, target = words.split()
        if names[0].startswith("--"):
            continue
        for name in names:
            place = source / target / name if target == "./" else source / target
            place.parent.mkdir(parents=True, exist_ok=True)
            copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
            copy(ROOT / name, place)
    assert any("pip install --no-cache-dir '.[server]'" in words for words in values(instructions, "RUN"))
    install = ["pip", "install", "--quiet", "--no-deps", "--no-build-isolation", "--target", str(installed), "."]
    subprocess.run([sys.executable, "-m", *install], cwd=source, check=True, capture_output=True)
    assert (installed / "share" / "man" / "man1" / "git-lepton.1").is_file()  # where man finds it beside bin
    command = json.loads(values(instructions, "CMD")[-1])
    assert json.loads(values(instructions, "ENTRYPOINT")[-1])[-1] == "lepton-server"
    started = subprocess.Popen(
        [sys.executable, "-m", "lepton_server.cli", *command, "--port", "0"],
        env={**os.environ, "PYTHONPATH": str(installed), "GIT_LEPTON_SERVER_DATA": str(data)},
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert started.stdout is not None
        line = started.stdout.readline()
        said = json.loads(line)
        assert said["message"] == f"lepton-server listening on {said['url']}"
        assert said["admin_token_file"] == str(data / "admin-token")
        token = (data / "admin-token").read_text().strip()
        assert token not in line  # what a container prints is collected
        assert httpx.get(f"{said['url']}/readyz").json()["status"] == "ready"
    finally:
        started.terminate()
        _, log = started.communicate(timeout=30)
    assert token not in log
    assert "Traceback" not in log, log


def test_the_image_is_not_root_and_says_how_it_is(instructions: list[tuple[str, str]]) -> None:
    assert values(instructions, "USER") == ["10001:10001"]
    assert any("--uid 10001" in words for words in values(instructions, "RUN"))
    (check,) = values(instructions, "HEALTHCHECK")
    program = json.loads(check[check.index("[") :])
    assert program[0] == "python"
    compile(program[2], "HEALTHCHECK", "exec")
    assert "/healthz" in program[2]
    (port,) = values(instructions, "EXPOSE")
    assert f":{port}/" in program[2]


# compose.yaml


def environment_of(service: dict[str, Any]) -> dict[str, str]:
    lines: list[str] = []
    for file in service.get("env_file", []):
        lines += (SERVER / file.replace("environment/", "environment.example/")).read_text().splitlines()
    pairs = dict(line.split("=", 1) for line in lines if "=" in line and not line.startswith("#"))
    return pairs | {name: str(value) for name, value in service.get("environment", {}).items()}


def test_compose_commands_are_understood(compose: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("server", "care"):
        service = compose["services"][name]
        environment = {"GIT_LEPTON_SERVER_DATA": "/data"} | environment_of(service)
        options = accepted(service["command"], environment, monkeypatch)
        assert options.database == environment["GIT_LEPTON_SERVER_DATABASE"]
        assert options.s3_direct == "never"
        assert options.git == Path("/git")


def test_compose_parts_fit_together(compose: dict[str, Any]) -> None:
    services, volumes = compose["services"], compose["volumes"]
    for name, service in services.items():
        assert "image" in service, name
        for needed, how in service.get("depends_on", {}).items():
            healthy = how["condition"] == "service_healthy"
            # the server's health check is its image's
            assert not healthy or "healthcheck" in services[needed] or needed == "server", (name, needed)
        for mount in service.get("volumes", []):
            source = mount.split(":")[0]
            assert source.startswith(("/", "./")) or source in volumes, (name, mount)
            assert not source.startswith("./") or (SERVER / source).is_file()
        assert set(service["networks"]) <= set(compose["networks"])
    database = environment_of(services["database"])
    url = environment_of(services["server"])["GIT_LEPTON_SERVER_DATABASE"]
    user, password, name = (database[f"POSTGRES_{part}"] for part in ("USER", "PASSWORD", "DB"))
    assert url == f"postgresql://{user}:{password}@database:5432/{name}"
    storage, server = environment_of(services["storage"]), environment_of(services["server"])
    assert (storage["MINIO_ROOT_USER"], storage["MINIO_ROOT_PASSWORD"]) == (
        server["AWS_ACCESS_KEY_ID"],
        server["AWS_SECRET_ACCESS_KEY"],
    )
    bucket = server["GIT_LEPTON_SERVER_STORAGE"].removeprefix("s3://").partition("/")[0]
    assert f"storage/{bucket}" in services["bucket"]["command"][0]
    (subnet,) = [config["subnet"] for config in compose["networks"]["inner"]["ipam"]["config"]]
    assert f"--trusted-proxy={subnet}" in services["server"]["command"]


def test_compose_settings_of_nginx_are_sound(compose: dict[str, Any], tmp_path: Path) -> None:
    text = (SERVER / "nginx.conf").read_text()
    assert "server server:8417 resolve;" in text
    published = compose["services"]["proxy"]["ports"][0].rpartition(":")[2]
    assert f"listen {published};" in text
    would_start_with(tmp_path, text.replace("server server:8417 resolve;", "server 127.0.0.1:8417;"))


# Kubernetes


def pods(kinds: dict[str, list[dict[str, Any]]]) -> Iterator[tuple[str, dict[str, Any], dict[str, Any]]]:
    """Name, labels and specification of every pod that is made."""
    for owner in kinds["Deployment"]:
        yield owner["metadata"]["name"], owner["spec"]["template"]["metadata"]["labels"], owner["spec"]["template"]["spec"]
    for owner in kinds["CronJob"]:
        template = owner["spec"]["jobTemplate"]["spec"]["template"]
        yield owner["metadata"]["name"], template["metadata"]["labels"], template["spec"]


def environment_of_pod(kinds: dict[str, list[dict[str, Any]]], container: dict[str, Any]) -> dict[str, str]:
    found = {"GIT_LEPTON_SERVER_DATA": "/data"}  # the image's own
    for source in container["envFrom"]:
        kind, field, reference = (
            ("ConfigMap", "data", "configMapRef") if "configMapRef" in source else ("Secret", "stringData", "secretRef")
        )
        (match,) = [one for one in kinds[kind] if one["metadata"]["name"] == source[reference]["name"]]
        found |= match[field]
    return found


def test_kubernetes_commands_are_understood(kinds: dict[str, list[dict[str, Any]]], monkeypatch: pytest.MonkeyPatch) -> None:
    ran = []
    for _, _, pod in pods(kinds):
        for container in pod["containers"]:
            environment = environment_of_pod(kinds, container)
            options = accepted(container["args"], environment, monkeypatch)
            assert options.database.startswith("postgresql://")
            assert options.storage.startswith("s3://")
            assert options.git == Path("/git")
            ran.append(container["args"][0])
    assert sorted(ran) == ["backup", "gc", "repack", "scrub", "serve"]


def test_kubernetes_pods_have_little_to_break_out_of(kinds: dict[str, list[dict[str, Any]]]) -> None:
    for name, _, pod in pods(kinds):
        own = pod["securityContext"]
        assert own["runAsNonRoot"] and own["runAsUser"] == own["fsGroup"] == 10001, name
        assert own["seccompProfile"]["type"] == "RuntimeDefault"
        for container in pod["containers"]:
            context = container["securityContext"]
            assert context["readOnlyRootFilesystem"] and not context["allowPrivilegeEscalation"]
            assert context["capabilities"]["drop"] == ["ALL"]
            assert container["resources"]["limits"]["memory"] and container["resources"]["requests"]["memory"]
            mounted = {mount["name"] for mount in container["volumeMounts"]}
            assert mounted == {volume["name"] for volume in pod["volumes"]}
            paths = {mount["mountPath"] for mount in container["volumeMounts"]}
            assert paths == {"/data", "/tmp", "/git"}


def test_kubernetes_names_fit_together(kinds: dict[str, list[dict[str, Any]]]) -> None:
    claims = {one["metadata"]["name"] for one in kinds["PersistentVolumeClaim"]}
    accounts = {one["metadata"]["name"] for one in kinds["ServiceAccount"]}
    for name, _, pod in pods(kinds):
        assert pod["serviceAccountName"] in accounts
        used = {volume["persistentVolumeClaim"]["claimName"] for volume in pod["volumes"] if "persistentVolumeClaim" in volume}
        assert used <= claims, name
    (deployment,), (service,), (ingress,), (budget,) = (
        kinds[kind] for kind in ("Deployment", "Service", "Ingress", "PodDisruptionBudget")
    )
    labels = deployment["spec"]["template"]["metadata"]["labels"]
    for selector in (
        deployment["spec"]["selector"]["matchLabels"],
        service["spec"]["selector"],
        budget["spec"]["selector"]["matchLabels"],
    ):
        assert selector.items() <= labels.items()
        assert not any(selector.items() <= others.items() for name, others, _ in pods(kinds) if name != "lepton")
    (container,) = deployment["spec"]["template"]["spec"]["containers"]
    ports = {port["name"]: port["containerPort"] for port in container["ports"]}
    assert f"--port={ports['http']}" in container["args"]
    assert {port["targetPort"] for port in service["spec"]["ports"]} <= ports.keys()
    for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
        assert container[probe]["httpGet"]["port"] in ports
    assert container["readinessProbe"]["httpGet"]["path"] == "/readyz"
    (rule,) = ingress["spec"]["rules"]
    backend = rule["http"]["paths"][0]["backend"]["service"]
    assert backend["name"] == service["metadata"]["name"]
    assert backend["port"]["name"] in {port["name"] for port in service["spec"]["ports"]}
    (settings,) = kinds["ConfigMap"]
    assert settings["data"]["PUBLIC_URL"] == f"https://{rule['host']}"
    (kustomization,) = kinds["Kustomization"]
    listed = set(kustomization["resources"]) | {"kustomization.yaml", "secret.example.yaml"}
    assert listed == {file.name for file in MANIFESTS}


@pytest.mark.skipif(not shutil.which("kubectl"), reason="there is no kubectl on this machine")
def test_kustomize_builds() -> None:
    built = subprocess.run(["kubectl", "kustomize", str(SERVER / "kubernetes")], capture_output=True, text=True, check=True)
    images = {
        container["image"]
        for document in yaml.safe_load_all(built.stdout)
        if document["kind"] == "Deployment"
        for container in document["spec"]["template"]["spec"]["containers"]
    }
    assert images == {"registry.example.org/lepton-server:0.1.0"}


def test_words_of_shell_commands_in_the_dockerfile(instructions: list[tuple[str, str]]) -> None:
    for words in values(instructions, "RUN"):
        shlex.split(words)  # raises where a quote is open
