"""kubeconfigs: those of people with few rights, and those with something wrong."""
import base64
import copy
import json
import os

import yaml

from harness.waiting import eventually


def load(kubectl):
    """The cluster's kubeconfig with everything embedded and only the current context."""
    return json.loads(kubectl("config", "view", "--minify", "--flatten", "--raw", "-o", "json"))


def write(config, path):
    """Writes a kubeconfig that only we can read."""
    with open(os.open(path, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600), "w") as file:
        yaml.safe_dump(config, file)
    return path


class Kubeconfig:
    """A kubeconfig to change: kubeconfig.cluster["server"] = ..., kubeconfig.user = {...}, kubeconfig.save(path)."""

    def __init__(self, kubectl):
        self.config = copy.deepcopy(load(kubectl))

    @property
    def cluster(self):
        return self.config["clusters"][0]["cluster"]

    @property
    def user(self):
        return self.config["users"][0]["user"]

    @user.setter
    def user(self, value):
        self.config["users"][0]["user"] = value

    def through(self, proxy):
        """Reaches the API server at the proxy's address; the certificate is checked as before."""
        self.cluster.setdefault("tls-server-name", "kubernetes.default.svc")
        self.cluster["server"] = f"https://127.0.0.1:{proxy.port}"
        return self

    def trusting(self, certificate):
        self.cluster["certificate-authority-data"] = base64.b64encode(certificate.encode()).decode()
        return self

    def save(self, path):
        return write(self.config, path)


def service_account(workspace, name, *cluster_roles):
    """A kubeconfig of a new service account that has these ClusterRoles in the workspace's namespace; its path."""
    kubectl = workspace.kubectl
    kubectl("create", "serviceaccount", name)
    for role in cluster_roles:
        kubectl("create", "rolebinding", f"{name}-{role}", f"--clusterrole={role}", f"--serviceaccount={workspace.namespace}:{name}")
    config = Kubeconfig(workspace.cluster)
    config.user = {"token": kubectl("create", "token", name).strip()}
    path = config.save(workspace.folder / f"{name}.kubeconfig")
    if cluster_roles:
        eventually(lambda: workspace.cluster.run("--kubeconfig", path, "-n", workspace.namespace, "get", "lu").returncode == 0,
                   f"the rights of {name} are in effect", every=0.2)
    return path
