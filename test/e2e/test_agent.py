"""The resident agent: one session for each container, live output, restarts, what happens when the session is lost (design of transport Agent)."""
import os
import subprocess
import time

import pytest

from harness import images
from harness.project import Project
from harness.workspace import write

# No handler for TERM: from inside its container such a process 1 cannot be ended.
STUBBORN = ["sleep", "infinity"]
# Says which process it is, each time it starts; Kubernetes makes $$ of $$$$.
SERVER = "echo started $$$$ >>/tmp/starts; trap 'exit 0' TERM; while :; do sleep 0.1; done"


@pytest.fixture
def project(project):
    project.transport = "Agent"
    return project


def agents(container):
    """The process IDs of all agents in a container, as they are in there."""
    return container.exec("sh", "-c", "for p in /proc/[0-9]*; do case $(readlink $p/exe) in */.live-update-agent-*) echo ${p#/proc/} ;; esac; done").split()


def kill_agent(container):
    container.exec("kill", "-9", *agents(container))


def execs(product):
    """Exec sessions that the operator has begun so far."""
    return sum(value for name, value in product.metrics().items() if name.startswith(("live_update_exec_sessions_total", "live_update_exec_sessions_open")))


def test_a_save_costs_no_exec(project, shared):
    project.start(replicas=2)
    project.save("a", "0")
    before = execs(shared.product)
    for number in range(10):
        project.save("a", f"{number} again")
    assert execs(shared.product) <= before  # those of other tests may be ending
    assert [it["transport"] for it in project.live_update.status()["containers"]] == ["Agent"] * 2


def test_output_of_a_run_is_shown_while_it_goes_on(project):
    project.start(steps=[{"run": {"shell": "echo first; sleep 4; echo last"}}])
    write(project.host / "a", "1")
    project.watcher.wait_line(r"\| first$")
    assert "| last" not in project.watcher.text()
    project.watcher.wait_line(r"\| last$")
    project.watcher.wait_line(r"/a -> 1/1 pods")
    assert project.watcher.text().count("| first") == 1


def test_a_session_that_is_lost_is_opened_again(project):
    project.start()
    project.save("a", "1")
    container = project.app.only()
    kill_agent(container)
    project.save("a", "2")
    assert project.app.only().id == container.id


def test_of_two_operators_the_last_one_has_the_container(project, shared):
    """By hand, another session takes the container over; with the next save the operator takes it back."""
    project.start()
    project.save("a", "1")
    container = project.app.only()
    (first,) = agents(container)
    rival = subprocess.Popen(shared.kubectl.command("exec", "-i", container.pod, "-c", container.name, "--", "sh", "-c", "exec /tmp/.live-update-agent-* serve"),
                             stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    try:
        assert rival.stdout.read(16) == b"\x89live-update\r\n\x1a\n"
        (second,) = agents(container)
        assert second != first
        shared.eventually(lambda: "another session has taken over the container" in shared.product.operator_log("taken over"), "the operator says so")
        project.save("a", "2")
        (third,) = agents(container)
        assert third != second
        assert b"another session has taken over the container" in rival.stdout.read()
        assert rival.wait(timeout=10) == 4
    finally:
        rival.kill()
    project.save("a", "3")
    assert agents(container) == [third]


def test_an_agent_that_hangs_while_its_operator_dies_is_replaced(project, shared):
    """It does not notice the end of its session, and could go on later: the next session's agent ends it first."""
    project.start()
    project.save("a", "1")
    container = project.app.only()
    (old,) = agents(container)
    container.exec("kill", "-STOP", old)
    write(project.host / "a", "2")
    write(project.host / "b", "2")
    time.sleep(0.5)  # the batch is on its way, and stays there
    shared.product.kill_operator()
    write(project.host / "a", "3")
    shared.in_sync(project.app, project.host.name, timeout=90)
    project.live_update.wait_synced(1, timeout=30)
    (new,) = agents(container)
    assert new != old
    assert project.app.only().id == container.id


def test_an_agent_that_was_replaced_is_noticed(project, shared):
    project.start()
    project.save("a", "1")
    container = project.app.only()
    container.exec("sh", "-c", "f=$(echo /tmp/.live-update-agent-*); rm $f; printf '#!/bin/sh\\necho I am not the agent\\n' >$f; chmod 755 $f")
    kill_agent(container)
    project.save("a", "2")
    assert "not the agent" not in container.read(container.exec("sh", "-c", "echo /tmp/.live-update-agent-*").strip())


def test_restart_of_a_supervised_process(project, shared):
    agent = {"name": "agent", "mountPath": "/live-update"}
    project.start(steps=[{"restart": {"process": {}}}], command=["/live-update/agent", "supervise", "--", "sh", "-c", SERVER], container={"volumeMounts": [agent]},
                  pod={"volumes": [{"name": "agent", "emptyDir": {}}],
                       "initContainers": [{"name": "agent", "image": shared.product.image, "imagePullPolicy": "IfNotPresent",
                                           "command": [shared.product.agent, "install", "/live-update/agent"], "volumeMounts": [agent]}]})
    container = project.app.only()
    shared.eventually(lambda: len((container.read("/tmp/starts") or "").splitlines()) == 1, "it runs")
    project.save("a", "1")
    starts = container.read("/tmp/starts").splitlines()
    assert len(starts) == 2 and starts[0] != starts[1]
    assert project.app.only().id == container.id, "only the process was restarted"


@pytest.mark.parametrize("transport", ["Agent", "Tar"])
def test_with_the_nodes_processes_a_signal_goes_to_the_container_or_nowhere(project, shared, transport):
    project.start(steps=[{"restart": {"signal": "HUP"}}], pod={"hostPID": True}, transport=transport)
    write(project.host / "a", "1")
    if transport == "Tar":
        project.live_update.wait_stalled("RestartFailed", "not the container's own")
        return
    shared.eventually(lambda: project.app.only().read("/tmp/signals") == "hup\n", "the main process got HUP")
    project.live_update.wait_synced(1)


def test_what_another_container_planted_is_not_executed(project, shared):
    donor = Project(shared, f"{project.name}-donor", "Agent")
    donor.start()
    donor.save("a", "1")
    name = donor.app.only().exec("sh", "-c", "cd /tmp; echo .live-update-agent-*").strip()
    donor.close()
    mount = {"name": "shared", "mountPath": "/shared"}
    plant = f"printf '#!/bin/sh\\necho executed >/shared/proof\\n' >/shared/{name}; chmod 755 /shared/{name}; sleep infinity"
    project.start(to="/shared/src", target={"workload": {"kind": "Deployment", "name": project.name}, "container": project.name},
                  container={"securityContext": {"readOnlyRootFilesystem": True}, "volumeMounts": [mount]},
                  pod={"volumes": [{"name": "shared", "emptyDir": {}}]},
                  extra=[{"name": "other", "image": images.BUSYBOX, "imagePullPolicy": "IfNotPresent", "command": ["sh", "-c", plant], "volumeMounts": [mount]}])
    container = project.app.only()
    shared.eventually(lambda: container.read(f"/shared/{name}"), "it is planted")
    project.save("a", "1")
    assert [it["transport"] for it in project.live_update.status()["containers"]] == ["Agent"]
    assert container.read("/shared/proof") is None


@pytest.mark.parametrize("transport", ["Agent", "Tar"])
def test_a_file_that_is_replaced_keeps_its_owner_and_gets_the_time(project, transport):
    project.start(transport=transport)
    project.save("secret", "1")
    container = project.app.only()
    container.exec("sh", "-c", "cd /app/src; chown 33:34 secret; chmod 600 secret; echo built >/tmp/object")
    old = project.host / "new"
    write(old, "2")
    os.utime(old, (1, 1))
    os.chmod(old, 0o600)
    os.rename(old, project.host / "secret")
    project.in_sync()
    owner, mode, time_ = container.exec("stat", "-c", "%u:%g %a %Y", "/app/src/secret").split()
    assert (owner, mode) == ("33:34", "600")
    assert int(time_) >= int(container.exec("stat", "-c", "%Y", "/tmp/object"))


def test_restart_of_a_container(project, shared):
    project.start(steps=[{"restart": {"container": {}}}])
    before = project.app.only()
    write(project.host / "a", "1")
    shared.eventually(lambda: project.app.all_new([before]), "the container was restarted", timeout=60)
    project.save("b", "1")


def test_restart_of_a_container_that_does_not_end_replaces_the_pod(project, shared):
    project.start(steps=[{"restart": {"container": {}, "triggers": [f"{project.name}/main"]}}], command=STUBBORN)
    before = project.app.pods()[0]["metadata"]["name"]
    write(project.host / "main", "1")
    shared.eventually(lambda: [pod["metadata"]["name"] for pod in project.app.pods()] not in ([before], []), "another pod", timeout=60)
    shared.in_sync(project.app, project.host.name, timeout=60)


def test_where_no_agent_can_run_the_condition_names_what_was_tried(project):
    project.start(image=images.NO_SHELL)
    write(project.host / "a", "1")
    project.live_update.wait_stalled("AgentUnavailable", "sh: the image has none", project.app.only().pod)


def test_three_replicas_share_a_large_save_and_one_is_stopped(project, shared):
    """A container that hangs delays none of the others."""
    project.start(replicas=3)
    project.save("a", "1")
    stuck, *others = project.app.containers()
    stuck.pause()
    try:
        for number in range(20):
            write(project.host / f"large-{number}", f"{number}" * 200_000)
        shared.in_sync(project.app, project.host.name, containers=others)
    finally:
        stuck.resume()
    begun = time.monotonic()
    shared.in_sync(project.app, project.host.name, timeout=90)
    assert time.monotonic() - begun < 90
