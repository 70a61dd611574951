"""Containers that cannot be updated, or only in part: one clear condition each (semantics.md 4.9, 5.1, 5.2)."""
import json

import pytest

from harness import images
from harness.workspace import write

NON_ROOT = {"runAsUser": 1000, "runAsGroup": 1000}


def test_gnu_tar_and_bash(project):
    project.start(images.GNU)
    write(project.host / "dir/name with\nnewline", "1")
    write(project.host / "a", "a", 0o755)
    (project.host / "link").symlink_to("a")
    project.in_sync()
    (project.host / "a").unlink()
    (project.host / "dir").rename(project.host / "moved")
    project.in_sync()
    project.live_update.wait_synced(1)


def test_the_agent_needs_no_tar(project):
    project.start(images.NO_TAR, transport="Agent")
    write(project.host / "a", "1")
    project.in_sync()


def test_no_tar(project):
    project.start(images.NO_TAR, transport="Tar")
    write(project.host / "a", "1")
    project.live_update.wait_stalled("ToolMissing", "tar", project.app.only().pod)
    project.watcher.wait_line(r"tar")


@pytest.mark.parametrize("poor", [images.NO_SHELL, images.EMPTY], ids=["no-shell", "empty"])
def test_no_shell(project, poor):
    project.start(poor)
    write(project.host / "a", "1")
    project.live_update.wait_stalled("ToolMissing", "sh", project.app.only().pod)


def test_not_writable_as_another_user(project):
    project.start(container={"securityContext": NON_ROOT})
    write(project.host / "a", "1")
    project.live_update.wait_stalled("NotWritable", "/app", "1000")
    project.watcher.wait_line(r"/app.*1000")


def test_writable_as_another_user(project):
    project.start(container={"securityContext": NON_ROOT, "volumeMounts": [{"name": "data", "mountPath": "/app/src"}]},
                  pod={"volumes": [{"name": "data", "emptyDir": {}}], "securityContext": {"fsGroup": 1000}})
    write(project.host / "dir/a", "1", 0o755)
    project.in_sync()
    project.live_update.wait_synced(1)
    assert project.app.only().exec("stat", "-c", "%u", "/app/src/dir/a").strip() == "1000"


def test_read_only_root(project):
    project.start(container={"securityContext": {"readOnlyRootFilesystem": True}})
    write(project.host / "a", "1")
    project.live_update.wait_stalled("ReadOnlyFileSystem", "/app", "emptyDir")


def test_read_only_root_with_a_volume(project):
    project.start(container={"securityContext": {"readOnlyRootFilesystem": True}, "volumeMounts": [{"name": "data", "mountPath": "/app/src"}]},
                  pod={"volumes": [{"name": "data", "emptyDir": {}}]})
    write(project.host / "a", "1")
    project.in_sync()


def test_disk_full_and_freed(project):
    project.start(container={"volumeMounts": [{"name": "data", "mountPath": "/app/src"}]},
                  pod={"volumes": [{"name": "data", "emptyDir": {"medium": "Memory", "sizeLimit": "2Mi"}}]})
    write(project.host / "small", "fits")
    project.in_sync()
    write(project.host / "large", bytes(4_000_000))
    project.live_update.wait_stalled("NoSpace", "/app/src/large", "no space", project.app.only().pod, "user ID 0", timeout=30)
    assert project.app.only().read("/app/src/small") == "fits"
    write(project.host / "large", "small now")
    project.in_sync()
    project.live_update.wait_synced(1)


def test_several_containers_and_none_chosen(project):
    extra = [{"name": "sidecar", "image": images.BUSYBOX, "command": ["sleep", "infinity"]}]
    project.start(extra=extra)
    write(project.host / "a", "1")
    project.live_update.wait_stalled("ContainerNotChosen", project.name, "sidecar", "spec.target.container")
    project.live_update.patch({"spec": {"target": {"container": "sidecar"}}})
    project.app.name = project.name
    project.live_update.wait_synced(1)
    sidecar, = project.app.containers("sidecar")
    main, = project.app.containers()
    assert sidecar.read("/app/src/a") == "1"
    assert main.read("/app/src/a") is None


def test_the_default_container_of_several(project):
    extra = [{"name": "sidecar", "image": images.BUSYBOX, "command": ["sleep", "infinity"]}]
    project.start(extra=extra)
    project.live_update.wait_stalled("ContainerNotChosen")
    project.shared.kubectl("patch", "deployment", project.name, "-p", json.dumps({"spec": {"template": {"metadata": {
        "annotations": {"kubectl.kubernetes.io/default-container": project.name}}}}}))
    write(project.host / "a", "1")
    project.live_update.wait_synced(1, timeout=60)
    main, = project.app.containers()
    sidecar, = project.app.containers("sidecar")
    assert main.read("/app/src/a") == "1"
    assert sidecar.read("/app/src/a") is None


def test_container_chosen_by_image(project):
    extra = [{"name": "sidecar", "image": "localhost/busybox:1", "command": ["sleep", "infinity"]}]
    project.start(images.GNU, extra=extra, target={"workload": {"kind": "Deployment", "name": project.name}, "image": "localhost/e2e-gnu"})
    write(project.host / "a", "1")
    project.in_sync()
    sidecar, = project.app.containers("sidecar")
    assert sidecar.read("/app/src/a") is None


def test_no_such_container(project):
    project.start(target={"workload": {"kind": "Deployment", "name": project.name}, "container": "nobody"})
    project.live_update.wait_stalled("NoSuchContainer", "nobody", project.name)


def test_target_matches_nothing(shared, project):
    project.host.mkdir()
    project.live_update = shared.live_update(project.name, target={"selector": {"matchLabels": {"app": "nobody-has-this"}}},
                                             steps=[{"sync": {"from": project.name, "to": "/app"}}])
    watcher = shared.watch(project.name)
    project.live_update.wait_condition("Synced", "False", "NoTarget", "app=nobody-has-this")
    mark = watcher.mark()
    write(project.host / "a", "stays due")
    watcher.wait_line(rf"{project.name}/a", after=mark)
    watcher.stop()


def test_selector(shared, project):
    project.start(target={"selector": {"matchExpressions": [{"key": "app", "operator": "In", "values": [project.name, "other"]}]}})
    write(project.host / "a", "1")
    project.in_sync()


def test_pod_that_refuses(shared, project):
    project.start()
    shared.kubectl("annotate", "pod", project.app.only().pod, "liveupdate.dev/allow=false")
    project.live_update.wait_condition("Synced", "False", "NotAllowed", timeout=10)
    write(project.host / "a", "1")
    assert project.app.only().read("/app/src/a") is None


@pytest.mark.parametrize("kind", ["StatefulSet", "DaemonSet"])
def test_workload_of_kind(shared, project, kind):
    name = f"{kind.lower()}"
    labels = {"app": name}
    template = {"metadata": {"labels": labels}, "spec": {"terminationGracePeriodSeconds": 1, "containers": [
        {"name": name, "image": images.BUSYBOX, "command": ["sleep", "infinity"]}]}}
    spec = {"selector": {"matchLabels": labels}, "template": template} | ({"serviceName": name} if kind == "StatefulSet" else {})
    shared.kubectl("apply", "-f", "-", stdin={"apiVersion": "apps/v1", "kind": kind, "metadata": {"name": name}, "spec": spec})
    shared.kubectl("rollout", "status", f"{kind}/{name}", "--timeout=60s", timeout=70)
    (shared.root / name).mkdir()
    live_update = shared.live_update(name, target={"workload": {"kind": kind, "name": name}}, steps=[{"sync": {"from": name, "to": "/app"}}])
    watcher = shared.watch(name)
    write(shared.root / name / "a", "1")
    live_update.wait_synced(1)
    pod = shared.kubectl.get("pods", "-l", f"app={name}")["items"][0]["metadata"]["name"]
    shared.eventually(lambda: shared.kubectl.run("exec", pod, "--", "cat", "/app/a").stdout == "1", "the file has arrived")
    watcher.stop()


def one_pod(shared, labels):
    pods = [pod for pod in shared.kubectl.get("pods", "-l", labels)["items"] if pod["status"]["phase"] == "Running"]
    return pods[0]["metadata"]["name"] if len(pods) == 1 else None


@pytest.mark.parametrize("kind", ["Pod", "CronJob"])
def test_target_of_kind(shared, kind):
    name = f"of-{kind.lower()}"
    pod = {"restartPolicy": "Never", "terminationGracePeriodSeconds": 1,
           "containers": [{"name": name, "image": images.BUSYBOX, "command": ["sleep", "infinity"]}]}
    meta = {"name": name, "labels": {"app": name}}
    objects = {
        "Pod": {"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": pod},
        "CronJob": {"apiVersion": "batch/v1", "kind": "CronJob", "metadata": {"name": name}, "spec": {
            "schedule": "0 0 1 1 *", "jobTemplate": {"spec": {"template": {"metadata": {"labels": {"app": name}}, "spec": pod}}}}},
    }
    shared.kubectl("apply", "-f", "-", stdin=objects[kind])
    if kind == "CronJob":
        shared.kubectl("create", "job", f"{name}-now", f"--from=cronjob/{name}")
    shared.eventually(lambda: one_pod(shared, f"app={name}"), "the pod runs", timeout=60)
    (shared.root / name).mkdir()
    live_update = shared.live_update(name, target={"workload": {"kind": kind, "name": name}}, steps=[{"sync": {"from": name, "to": "/app"}}])
    watcher = shared.watch(name)
    write(shared.root / name / "a", "1")
    live_update.wait_synced(1)
    running = one_pod(shared, f"app={name}")
    shared.eventually(lambda: shared.kubectl.run("exec", running, "--", "cat", "/app/a").stdout == "1", "the file has arrived")
    watcher.stop()
    shared.kubectl("delete", f"{kind.lower()}/{name}", "--wait=false")


def test_a_kind_that_is_misspelled(shared, project):
    write(project.host / "a", "1")
    project.live_update = shared.live_update(project.name, target={"workload": {"kind": "Deploymnt", "name": project.name}},
                                             steps=[{"initialSync": {}}, {"sync": {"from": project.name, "to": "/app"}}])
    project.live_update.wait_condition("Synced", "False", "NoTarget", "the nearest is Deployment")
    done = shared.run("push", project.name, "--timeout", "4", timeout=30)
    assert done.returncode == 1
    assert "warning: spec.target.workload.kind: no kind that is known is spelled Deploymnt, the nearest is Deployment" in done.stderr
    assert "waiting: no running pod matches Deploymnt" in done.stdout + done.stderr
