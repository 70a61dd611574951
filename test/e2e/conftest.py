"""What all end-to-end tests share: a cluster, kubectl, a namespace of one's own.

The cluster is that of KUBECONFIG, else the one of `scripts/cluster up`. Tests need root only for what they say themselves.
"""
import json
import os
import pathlib
import re
import shutil
import subprocess
import uuid

import pytest
import yaml

REPO = pathlib.Path(__file__).resolve().parents[2]


class Kubectl:
    """kubectl with a kubeconfig and, unless a call says otherwise, a namespace."""

    def __init__(self, program, kubeconfig, namespace=None):
        self.program, self.kubeconfig, self.namespace = program, str(kubeconfig), namespace

    def run(self, *args, stdin=None, timeout=60):
        """The finished process; never raises because of its exit code."""
        command = [self.program, "--kubeconfig", self.kubeconfig]
        if self.namespace:
            command += ["--namespace", self.namespace]
        if stdin is not None and not isinstance(stdin, str):
            stdin = json.dumps(stdin)
        return subprocess.run(command + [str(a) for a in args], input=stdin, capture_output=True, text=True, timeout=timeout)

    def __call__(self, *args, stdin=None, timeout=60):
        """The output; a failure fails the test with what kubectl said."""
        done = self.run(*args, stdin=stdin, timeout=timeout)
        if done.returncode:
            pytest.fail(f"kubectl {' '.join(map(str, args))}: {done.stderr.strip() or done.stdout.strip()}", pytrace=False)
        return done.stdout

    def get(self, *args):
        """The object, or the list of objects, as Python values."""
        return json.loads(self("get", *args, "-o", "json"))

    def refused(self, *args, stdin=None):
        """What kubectl says when the API server refuses; accepting it fails the test."""
        done = self.run(*args, stdin=stdin)
        assert done.returncode, f"kubectl {' '.join(map(str, args))} was accepted: {done.stdout.strip()}"
        return done.stderr

    def within(self, namespace):
        return Kubectl(self.program, self.kubeconfig, namespace)


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


def _own_cluster(command):
    done = subprocess.run([REPO / "scripts" / "cluster", command], capture_output=True, text=True)
    return done.stdout.strip() if done.returncode == 0 else ""


@pytest.fixture(scope="session")
def kubeconfig():
    path = os.environ.get("KUBECONFIG") or _own_cluster("kubeconfig")
    if not path or not os.path.exists(path.split(":")[0]):
        pytest.exit("no cluster: run scripts/cluster up, or set KUBECONFIG", returncode=1)
    return path


@pytest.fixture(scope="session")
def cluster(kubeconfig):
    """kubectl without a namespace."""
    program = shutil.which("kubectl") or os.path.join(_own_cluster("tools").split(":")[0], "kubectl")
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
