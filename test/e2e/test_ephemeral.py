"""Images without a shell: an ephemeral container puts the agent there, if the chart allows it (design of transport Ephemeral)."""
import os

import pytest

from harness import images
from harness.cluster import is_local
from harness.container import process_of
from harness.workspace import write

NAME = "live-update-"
DATA = {"name": "data", "mountPath": "/data"}


@pytest.fixture(scope="module", autouse=True)
def allowed(shared):
    if not is_local(shared.cluster.kubeconfig):
        pytest.skip("looks into containers without tar: needs the cluster of scripts/cluster")
    shared.product.configure(ephemeralContainers__enabled="true")
    yield
    shared.product.configure(ephemeralContainers__enabled="false")


@pytest.fixture
def project(project):
    project.transport, project.to = "Auto", "/tmp/src"
    return project


def ephemeral(project):
    """The ephemeral containers of its pods."""
    return [one for pod in project.app.pods() for one in pod["spec"].get("ephemeralContainers", [])]


def agents(container):
    """The agents that run in it, by process ID on this machine."""
    space = os.readlink(f"/proc/{process_of(container.id)}/ns/mnt")
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            if os.readlink(f"/proc/{pid}/ns/mnt") == space and ".live-update-agent-" in os.readlink(f"/proc/{pid}/exe"):
                found.append(int(pid))
        except OSError:
            pass
    return found


def files_of_agents(container):
    return [name for name in container.tree("/tmp") if b".live-update-agent-" in name]


@pytest.mark.parametrize("poor", [images.EMPTY, images.NO_SHELL, images.OTHER_USER], ids=["empty", "no-shell", "other-user"])
def test_an_image_without_a_shell(project, poor):
    project.start(poor)
    project.save("a", "1")
    project.save("dir/b", "2")
    container, = project.live_update.status()["containers"]
    assert container["transport"] == "Ephemeral" and not container.get("message")
    one, = ephemeral(project)
    assert one["name"].startswith(NAME)
    owner = {images.OTHER_USER: 1000}.get(poor, 0)
    assert os.stat(f"/proc/{process_of(project.app.only().id)}/root/tmp/src/a").st_uid == owner


def test_it_may_be_asked_for_where_there_is_a_shell(project):
    project.start(images.BUSYBOX, transport="Ephemeral")
    project.save("a", "1")
    assert [it["transport"] for it in project.live_update.status()["containers"]] == ["Ephemeral"]
    assert len(ephemeral(project)) == 1


def test_replicas_each_get_their_own(project):
    project.start(images.EMPTY, replicas=3)
    project.save("a", "1")
    assert len(ephemeral(project)) == 3


@pytest.fixture
def restricted(shared):
    """The namespace takes only pods of the Pod Security Standard `restricted`."""
    label = "pod-security.kubernetes.io/enforce"
    shared.cluster("label", "namespace", shared.namespace, f"{label}=restricted")
    yield
    shared.cluster("label", "namespace", shared.namespace, f"{label}-")


def test_the_context_of_the_container_and_nothing_more(project, restricted):
    context = {"runAsUser": 1000, "runAsGroup": 1000, "runAsNonRoot": True, "allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]},
               "readOnlyRootFilesystem": True, "seccompProfile": {"type": "RuntimeDefault"}}
    project.start(images.EMPTY, to="/data/src", container={"securityContext": context, "volumeMounts": [DATA]},
                  pod={"volumes": [{"name": "data", "emptyDir": {}}], "securityContext": {"fsGroup": 1000}})
    project.save("a", "1")
    one, = ephemeral(project)
    assert one["securityContext"] == context


def test_a_shared_process_namespace(project):
    project.start(images.EMPTY, pod={"shareProcessNamespace": True}, extra=[{"name": "other", "image": images.BUSYBOX, "command": ["sleep", "infinity"]}],
                  container={"command": ["/idle"]})
    project.live_update.patch({"spec": {"target": {"container": project.app.name}}})
    project.save("a", "1")
    other, = project.app.containers("other")
    assert other.read("/tmp/src/a") is None and not files_of_agents(other)


def test_runs_and_restarts_happen_in_the_container_itself(project, shared):
    project.start(images.NO_SHELL, steps=[{"run": {"command": ["/bin/cat", "/tmp/src/a", "/proc/self/cgroup"]}},
                                          {"restart": {"container": {}, "triggers": ["*/main"]}}])
    project.save("a", "printed by cat")
    project.watcher.wait_line(r"\| printed by cat")
    project.watcher.wait_line(rf"\| .*{project.app.only().id[:12]}")
    before = project.app.only()
    write(project.host / "main", "1")
    shared.eventually(lambda: project.app.all_new([before]), "the container was restarted", timeout=60)
    project.in_sync(timeout=60)
    assert project.watcher.text().count("| printed by cat") == 2, "each save runs it once"


def test_a_restarted_operator_finds_what_is_there(project, shared):
    project.start(images.EMPTY)
    project.save("a", "1")
    container = project.app.only()
    shared.product.kill_operator()
    shared.eventually(shared.product.operator_ready, "the operator is back", timeout=60)
    project.save("a", "2")
    assert len(ephemeral(project)) == 1 and project.app.only().id == container.id
    assert len(agents(container)) == 1 and len(files_of_agents(container)) == 1


def test_an_agent_that_somebody_removed_is_put_there_again(project):
    project.start(images.EMPTY)
    project.save("a", "1")
    container = project.app.only()
    name, = files_of_agents(container)
    os.unlink(f"/proc/{process_of(container.id)}/root/tmp/".encode() + name)
    for pid in agents(container):
        os.kill(pid, 9)
    project.save("a", "2", timeout=60)
    assert len(ephemeral(project)) == 2


def test_a_restarted_container_gets_it_again(project, shared):
    project.start(images.BUSYBOX, transport="Ephemeral")
    project.save("a", "1")
    before = project.app.only()
    before.kill_main()
    shared.eventually(lambda: project.app.all_new([before]), "the container was restarted", timeout=60)
    project.in_sync(timeout=60)
    assert len(ephemeral(project)) == 2


def test_on_a_volume_it_outlives_the_container(project, shared):
    project.start(images.EMPTY, steps=[{"restart": {"container": {}, "triggers": ["*/main"]}}], container={"volumeMounts": [DATA]},
                  pod={"volumes": [{"name": "data", "emptyDir": {}}]})
    project.save("a", "1")
    for number in range(2):
        before = project.app.only()
        write(project.host / "main", f"{number}")
        shared.eventually(lambda: project.app.all_new([before]), "the container was restarted", timeout=60)
        project.in_sync(timeout=60)
    project.live_update.wait_synced(1)
    assert len(ephemeral(project)) == 1


def test_nothing_to_write_to(project):
    project.start(images.EMPTY, container={"securityContext": {"readOnlyRootFilesystem": True}})
    write(project.host / "a", "1")
    project.live_update.wait_stalled("ToolMissing", "/tmp: is not writable: Read-only file system", project.app.only().pod, timeout=60)


def test_not_allowed(project, shared):
    """As the chart has it when nothing is said."""
    shared.product.configure(ephemeralContainers__enabled="false")
    project.start(images.EMPTY, transport="Ephemeral")
    write(project.host / "a", "1")
    project.live_update.wait_stalled("AgentUnavailable", "ephemeralContainers.enabled", project.app.only().pod)
    assert not ephemeral(project)
    shared.product.configure(ephemeralContainers__enabled="true")
    project.save("a", "2")
