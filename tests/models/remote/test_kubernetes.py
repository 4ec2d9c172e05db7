"""The Kubernetes manifest fits what it names: Ray Serve's configuration, the application, ports."""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from models.remote.cluster.options import ServeOptions
from models.remote.credentials import SEAL_VARIABLE, TOKEN_VARIABLE

yaml = pytest.importorskip("yaml")

ROOT = Path(__file__).resolve().parents[3]
FOLDER = ROOT / "packaging" / "kubernetes"
NAME = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
QUANTITY = re.compile(r"[1-9][0-9]*(m|Mi|Gi)?")


@pytest.fixture(scope="module")
def manifest() -> Mapping[str, Any]:
    documents = list(yaml.safe_load_all((FOLDER / "rayservice.yaml").read_text(encoding="utf-8")))
    assert len(documents) == 1
    found: Mapping[str, Any] = documents[0]
    return found


@pytest.fixture(scope="module")
def config(manifest: Mapping[str, Any]) -> Mapping[str, Any]:
    found: Mapping[str, Any] = yaml.safe_load(manifest["spec"]["serveConfigV2"])
    return found


def groups(manifest: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    cluster = manifest["spec"]["rayClusterConfig"]
    yield cluster["headGroupSpec"]
    yield from cluster["workerGroupSpecs"]


def test_it_is_a_rayservice(manifest: Mapping[str, Any]) -> None:
    assert (manifest["apiVersion"], manifest["kind"]) == ("ray.io/v1", "RayService")
    assert set(manifest) == {"apiVersion", "kind", "metadata", "spec"}
    assert NAME.fullmatch(manifest["metadata"]["name"])
    spec = manifest["spec"]
    assert {"serveConfigV2", "rayClusterConfig"} <= set(spec)
    pinned = re.search(r"^ray==(.*)$", (ROOT / "constraints.txt").read_text("utf-8"), re.MULTILINE)
    assert pinned is not None and spec["rayClusterConfig"]["rayVersion"] == pinned[1]
    assert spec["rayClusterConfig"]["authOptions"] == {"mode": "token"}


def test_the_application_is_there_and_takes_the_options(config: Mapping[str, Any]) -> None:
    (application,) = config["applications"]
    module, _, name = application["import_path"].partition(":")
    spec = importlib.util.find_spec(module)
    assert spec is not None and spec.origin is not None
    assert f"\ndef {name}(" in Path(spec.origin).read_text(encoding="utf-8")
    options = ServeOptions.of(application["args"])
    assert not options.loopback  # so that a token is asked for
    assert options.deployment()
    assert application["route_prefix"] == "/"


def test_each_container_has_what_a_replica_needs(manifest: Mapping[str, Any]) -> None:
    for group in groups(manifest):
        assert all(isinstance(value, str) for value in group["rayStartParams"].values())
        (container,) = group["template"]["spec"]["containers"]
        assert NAME.fullmatch(container["name"]) and ":" in container["image"]
        named = {each["name"]: each for each in container["env"]}
        for secret in (TOKEN_VARIABLE, SEAL_VARIABLE):  # never in the manifest itself
            assert set(named[secret]) == {"name", "valueFrom"}
            assert named[secret]["valueFrom"]["secretKeyRef"]["name"] == "segue"
        assert named["RAY_USAGE_STATS_ENABLED"]["value"] == "0"
        assert named["PYTHONPATH"]["value"] == container["workingDir"]
        assert all(isinstance(each.get("value", ""), str) for each in container["env"])
        assert container["securityContext"]["runAsNonRoot"] is True
        assert container["resources"]["requests"] == container["resources"]["limits"]
        assert all(QUANTITY.fullmatch(v) for v in container["resources"]["limits"].values())
        ports = {each["name"]: each["containerPort"] for each in container["ports"]}
        assert ports["metrics"] == 8080


def test_there_is_room_for_the_replicas(
    manifest: Mapping[str, Any], config: Mapping[str, Any]
) -> None:
    options = ServeOptions.of(config["applications"][0]["args"])
    (workers,) = manifest["spec"]["rayClusterConfig"]["workerGroupSpecs"]
    (container,) = workers["template"]["spec"]["containers"]
    each = float(container["resources"]["limits"]["cpu"])
    assert workers["minReplicas"] <= workers["replicas"] <= workers["maxReplicas"]
    assert workers["minReplicas"] * each >= options.min_replicas * options.cpus
    assert workers["maxReplicas"] * each >= options.max_replicas * options.cpus
    port = config["http_options"]["port"]
    for group in groups(manifest):
        (container,) = group["template"]["spec"]["containers"]
        assert port in [each["containerPort"] for each in container["ports"]]


def test_the_image_copies_what_is_there() -> None:
    text = (FOLDER / "Dockerfile").read_text(encoding="utf-8")
    copied = [word for line in re.findall(r"^COPY (.+) \S+$", text, re.MULTILINE)
              for word in line.split()]  # fmt: skip
    assert {"models", "resources", "pyproject.toml"} <= set(copied)
    assert all((ROOT / each).exists() for each in copied)
    assert "USER segue" in text and "[serve]" in text
