"""What nobody may cost the operator that all share: memory, turns of its loop, its probes (docs/security.md)."""
import base64
import hashlib
import subprocess
import sys

from harness import slow_clients
from harness.container import process_of
from harness.waiting import NotYet

KIB = 1024


def operator_process(product):
    return process_of(product.operator_pods()[0]["status"]["containerStatuses"][0]["containerID"].split("//")[-1])


def memory(process, what):
    """VmRSS or VmHWM in bytes."""
    with open(f"/proc/{process}/status") as status:
        return next(int(line.split()[1]) * KIB for line in status if line.startswith(what + ":"))


def long_turns(product):
    """How many turns of the loop have taken more than 100 ms of CPU."""
    metrics = product.metrics()
    return metrics["live_update_loop_turn_seconds_count"] - metrics['live_update_loop_turn_seconds_bucket{le="0.1"}']


def zeros(path, size):
    """A file of zeros: kilobytes of zstd, whatever its size."""
    digest = hashlib.sha256()
    packer = subprocess.Popen(["zstd", "-c"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    block = bytes(1 << 20)
    for _ in range(size // len(block)):
        digest.update(block)
        packer.stdin.write(block)
    content, _ = packer.communicate()
    return {"path": path, "op": "Write", "type": "File", "mode": 0o644, "size": size, "encoding": "Zstd",
            "digest": "sha256:" + digest.hexdigest(), "content": base64.b64encode(content).decode()}


def post(workspace, sequence, *changes):
    workspace.kubectl("create", "-f", "-", stdin={
        "apiVersion": "liveupdate.dev/v1alpha1", "kind": "ChangeSet", "metadata": {"name": f"app-hand-{sequence:06}"},
        "spec": {"liveUpdate": "app", "session": "hand", "sequence": sequence, "user": workspace.kubectl.user, "changes": list(changes)}})


def wait_phase(workspace, sequence, phase):
    def there():
        status = workspace.kubectl.get("lcs", f"app-hand-{sequence:06}").get("status", {})
        if status.get("phase") != phase:
            raise NotYet(f"it is {status}")
        return True
    workspace.eventually(there, f"ChangeSet {sequence} is {phase}", timeout=60, every=0.2)


def test_kilobytes_that_unpack_to_gigabytes(local, workspace, product):
    app = workspace.deploy(replicas=2)
    workspace.live_update(transport="Tar")
    bomb = zeros("src/zeros", 400 << 20)
    process = operator_process(product)
    before, turns = memory(process, "VmRSS"), long_turns(product)
    with open(f"/proc/{process}/clear_refs", "w") as refs:
        refs.write("5")  # VmHWM begins anew
    post(workspace, 1, bomb)
    wait_phase(workspace, 1, "Applied")
    assert memory(process, "VmHWM") - before < 10_000 * KIB
    assert long_turns(product) == turns
    for container in app.containers():
        assert int(container.exec("stat", "-c", "%s", "/app/src/zeros")) == 400 << 20


def test_more_than_a_gigabyte_is_refused(workspace):
    workspace.deploy()
    workspace.live_update()
    change = {"path": "src/a", "op": "Write", "type": "File", "size": (1 << 30) + 1, "digest": "sha256:" + "0" * 64}
    said = workspace.kubectl.refused("create", "-f", "-", stdin={
        "apiVersion": "liveupdate.dev/v1alpha1", "kind": "ChangeSet", "metadata": {"name": "large"},
        "spec": {"liveUpdate": "app", "session": "hand", "sequence": 1, "user": workspace.kubectl.user, "changes": [change]}})
    assert "1073741824" in said


def test_slow_connections_keep_no_probe_waiting(local, product):
    pod = product.operator_pods()[0]
    said = subprocess.run(["nsenter", "-t", str(operator_process(product)), "-n", sys.executable, slow_clients.__file__, "5", "8080:80", "8081:40", "--",
                           "8081/healthz", "8081/readyz", "8080/metrics"], capture_output=True, text=True, timeout=60)
    assert said.returncode == 0, said.stderr
    assert float(said.stdout) < 1
    assert product.operator_pods()[0]["metadata"]["uid"] == pod["metadata"]["uid"]
