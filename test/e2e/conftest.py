"""What all end-to-end tests share: a cluster, kubectl, a namespace of one's own.

The cluster is that of KUBECONFIG, else the one of `scripts/cluster up`. Tests need root only for what they say themselves.
"""
import json
import os
import re
import shutil
import uuid

import pytest
import yaml

from harness import cluster as clusters
from harness import images
from harness.cluster import REPO
from harness.kubectl import Kubectl
from harness.product import Product
from harness.project import Project
from harness.workspace import Workspace, name_of


def changed(base, changes):
    """A copy of `base` with fields set by path (`spec.steps[1].sync.to`); None removes the field."""
    out = json.loads(json.dumps(base))
    for path, value in changes.items():
        keys = [int(index) if index else name for name, index in re.findall(r"([^.\[\]]+)|\[(\d+)\]", path)]
        place = out
        for key in keys[:-1]:
            place = place[key]
        if value is None:
            del place[keys[-1]]
        elif isinstance(keys[-1], int) and keys[-1] == len(place):
            place.append(value)
        else:
            place[keys[-1]] = value
    return out


def pytest_addoption(parser):
    parser.addoption("--transport", default="Auto", choices=["Auto", "Agent", "Tar"], help="spec.transport of every LiveUpdate that does not say")


def pytest_configure(config):
    Workspace.transport = config.getoption("--transport")


@pytest.fixture(scope="session")
def kubeconfig():
    path = os.environ.get("KUBECONFIG") or clusters.local_cluster("kubeconfig")
    if not os.path.exists(path.split(":")[0]):
        pytest.exit("no cluster: run scripts/cluster up, or set KUBECONFIG", returncode=1)
    return path


@pytest.fixture(scope="session")
def cluster(kubeconfig):
    """kubectl without a namespace."""
    program = shutil.which("kubectl") or os.path.join(clusters.local_cluster("tools").split(":")[0], "kubectl")
    if ":" in kubeconfig:
        os.environ["KUBECONFIG"] = kubeconfig
        kubeconfig = kubeconfig.split(":")[0]
    kubectl = Kubectl(program, kubeconfig)
    kubectl("get", "--raw", "/readyz")
    return kubectl


@pytest.fixture(scope="session")
def crds(cluster):
    """The CRDs of this tree, in the cluster and served."""
    for file in ("liveupdate.yaml", "changeset.yaml"):
        cluster("apply", "--server-side", "--force-conflicts", "--field-manager=live-update-tests", "-f", REPO / "crds" / file)
    names = ["crd/liveupdates.liveupdate.dev", "crd/changesets.liveupdate.dev"]
    cluster("wait", "--for=condition=Established", "--timeout=30s", *names)
    return names


@pytest.fixture(scope="session")
def product(cluster):
    """The programs, and the operator installed by the chart."""
    product = Product(cluster)
    product.install()
    return product


@pytest.fixture(scope="session")
def image(cluster, tmp_path_factory):
    """Makes a test image known to the cluster, once: image(images.GNU)."""
    made = {images.BUSYBOX} if clusters.is_local(cluster.kubeconfig) else set()

    def known(name):
        if name not in made:
            images.make(name, tmp_path_factory.mktemp("images"))
            made.add(name)
        return name
    return known


def _workspace(cluster, product, image, folder):
    workspace = Workspace(cluster, product, image, folder)
    yield workspace
    workspace.close()


@pytest.fixture
def workspace(cluster, product, image, tmp_path):
    """A namespace and a source root for this test."""
    yield from _workspace(cluster, product, image, tmp_path)


@pytest.fixture(scope="module")
def shared(cluster, product, image, tmp_path_factory):
    """A namespace and a source root for this file."""
    yield from _workspace(cluster, product, image, tmp_path_factory.mktemp("shared"))


@pytest.fixture
def project(shared, request):
    project = Project(shared, name_of(request))
    yield project
    project.close()


@pytest.fixture
def local(cluster):
    """For tests that reach into the machinery of scripts/cluster."""
    if not clusters.is_local(cluster.kubeconfig):
        pytest.skip("needs the cluster of scripts/cluster")


@pytest.fixture
def kubectl(cluster):
    """kubectl within a namespace made for this test."""
    name = f"test-{uuid.uuid4().hex[:8]}"
    cluster("create", "namespace", name)
    yield cluster.within(name)
    cluster("delete", "namespace", name, "--wait=false")


@pytest.fixture(scope="module")
def module_kubectl(cluster):
    """kubectl within a namespace made for this file, for many small tests that leave nothing behind."""
    name = f"test-{uuid.uuid4().hex[:8]}"
    cluster("create", "namespace", name)
    yield cluster.within(name)
    cluster("delete", "namespace", name, "--wait=false")


def load_yaml(path):
    return yaml.safe_load((REPO / path).read_text())


def pytest_collection_modifyitems(items):
    """The schema's tests write statuses as an operator does: they come first, before there is one."""
    items.sort(key=lambda item: "test_crds" not in item.nodeid)
