"""The product under test: its programs, and the operator in the cluster."""
import os
import pathlib
import shutil
import subprocess

from harness.cluster import REPO, load, local_cluster

NAMESPACE = "live-update"
LABEL = "app.kubernetes.io/name=live-update"


def run(*command, timeout=1800):
    """Runs a command; a failure shows all it said."""
    done = subprocess.run([str(c) for c in command], capture_output=True, text=True, timeout=timeout)
    assert done.returncode == 0, f"{' '.join(map(str, command))}\n{done.stdout[-4000:]}\n{done.stderr[-4000:]}"
    return done.stdout.strip()


class Product:
    """LIVE_UPDATE_BUILD names the build folder (default build-release), LIVE_UPDATE_INSTALLED=1 says that
    all is built and the operator is installed."""

    def __init__(self, cluster):
        self.cluster = cluster
        self.kubectl = cluster.within(NAMESPACE)
        self.build = pathlib.Path(os.environ.get("LIVE_UPDATE_BUILD", REPO / "build-release")).resolve()
        self.program = self.build / "watcher/live-update"

    def install(self):
        if os.environ.get("LIVE_UPDATE_INSTALLED"):
            return
        self._compile()
        name, tar = run(REPO / "scripts/image", "--build", self.build).splitlines()[-1].split()
        load(tar)
        repository, tag = name.rsplit(":", 1)
        self._helm("upgrade", "--install", "live-update", REPO / "charts/live-update", "--namespace", NAMESPACE, "--create-namespace",
                   "--take-ownership", "--wait", "--timeout", "60s", "--set", f"image.repository={repository},image.tag={tag},logLevel=debug")

    def _compile(self):
        if not (self.build / "build.ninja").exists():
            run("meson", "setup", self.build, REPO, "-Dbuildtype=release")
        run("ninja", "-C", self.build, "watcher/live-update", "operator/live-update-operator", "agent/live-update-agent")

    def _helm(self, *args):
        program = shutil.which("helm") or os.path.join(local_cluster("tools").split(":")[1], "helm")
        return run(program, "--kubeconfig", self.cluster.kubeconfig, *args)

    def configure(self, **values):
        """Installs it again with these values of the chart changed, others as they are; `null` takes one back."""
        settings = ",".join(f"{name.replace('__', '.')}={value}" for name, value in values.items())
        self._helm("upgrade", "live-update", REPO / "charts/live-update", "--namespace", NAMESPACE, "--reset-then-reuse-values", "--wait",
                   "--timeout", "60s", "--set", settings)

    def operator_pods(self):
        """The operator's pods that are not going away."""
        return [pod for pod in self.kubectl.get("pods", "-l", LABEL)["items"] if "deletionTimestamp" not in pod["metadata"]]

    def operator_ready(self):
        """Whether an operator runs and is ready."""
        return any(c["type"] == "Ready" and c["status"] == "True" for pod in self.operator_pods() for c in pod["status"].get("conditions", []))

    @property
    def image(self):
        """The operator's image, which has the agent, too."""
        return self.operator_pods()[0]["spec"]["containers"][0]["image"]

    @property
    def agent(self):
        """The agent for this machine in that image."""
        return "/agents/live-update-agent-" + {"x86_64": "amd64", "aarch64": "arm64"}[os.uname().machine]

    def kill_operator(self):
        """Without a chance to say goodbye; the Deployment makes a new one."""
        self.kubectl("delete", "pod", "-l", LABEL, "--grace-period=0", "--force")

    def operator_log(self, word="", lines=15):
        """The end of the log, only lines with `word`."""
        said = self.kubectl.run("logs", "-l", LABEL, "--tail=2000", "--prefix=false").stdout.splitlines()
        return "\n".join([line[:400] for line in said if word in line][-lines:])

    def metrics(self):
        """What /metrics says, as a dictionary from the sample's name with labels to its value."""
        pod = self.operator_pods()[0]["metadata"]["name"]
        said = self.kubectl("get", "--raw", f"/api/v1/namespaces/{NAMESPACE}/pods/{pod}:8080/proxy/metrics")
        samples = (line.rsplit(" ", 1) for line in said.splitlines() if line and not line.startswith("#"))
        return {name: float(value) for name, value in samples}
