"""A Deployment for the tests, and its containers."""
from harness.container import Container
from harness.waiting import eventually

# Ends on TERM, crashes on USR1, notes each HUP: whatever a test needs of a main process.
SHELL_IDLE = """trap 'exit 0' TERM; trap 'exit 3' USR1; trap 'echo hup >>/tmp/signals' HUP
while :; do sleep 3600 & wait $!; done"""


class App:
    """`command`: of the containers; by default a shell that idles, or the image's own for images without one.
    `container`, `pod`: fields to add to the container and the pod. `extra`: further containers of the pod."""

    def __init__(self, workspace, name, image, replicas=1, command=None, container=None, pod=None, extra=()):
        self.workspace, self.kubectl, self.name, self.replicas = workspace, workspace.kubectl, name, replicas
        main = {"name": name, "image": image, "imagePullPolicy": "IfNotPresent", **(container or {})}
        if command is None and "busybox" in image:
            command = ["sh", "-c", SHELL_IDLE]
        if command:
            main["command"] = command
        self.spec = {"containers": [main, *extra], "terminationGracePeriodSeconds": 1, "enableServiceLinks": False, **(pod or {})}

    def manifest(self):
        labels = {"app": self.name}
        return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": self.name},
                "spec": {"replicas": self.replicas, "selector": {"matchLabels": labels},
                         "template": {"metadata": {"labels": labels}, "spec": self.spec}}}

    def apply(self):
        self.kubectl("apply", "-f", "-", stdin=self.manifest())

    def wait_ready(self, timeout=60):
        self.kubectl("rollout", "status", f"deployment/{self.name}", f"--timeout={timeout}s", timeout=timeout + 10)

    def scale(self, replicas):
        self.replicas = replicas
        self.kubectl("scale", f"deployment/{self.name}", f"--replicas={replicas}")

    def pods(self):
        """Its pods that are not going away, oldest first."""
        pods = self.kubectl.get("pods", "-l", f"app={self.name}")["items"]
        return sorted((pod for pod in pods if "deletionTimestamp" not in pod["metadata"]), key=lambda pod: pod["metadata"]["creationTimestamp"])

    def containers(self, name=None):
        """Those of its containers that run, of all pods (by default the main ones)."""
        running = []
        for pod in self.pods():
            for status in pod["status"].get("containerStatuses", []):
                if status["name"] == (name or self.name) and "running" in status["state"]:
                    running.append(Container(self.kubectl, pod["metadata"]["name"], status["name"], status["containerID"].split("//")[-1]))
        return running

    def only(self):
        """The container of an app with one replica."""
        return eventually(lambda: len(found := self.containers()) == 1 and found[0], f"one container of {self.name}")

    def all_new(self, before):
        """Whether every replica runs, and none of them is one of the containers `before`."""
        ids = {container.id for container in self.containers()}
        return len(ids) == self.replicas and not ids & {container.id for container in before}
