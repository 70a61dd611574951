"""What can go wrong on the host: limits, rights, roots that vanish (design.md 8, semantics.md 2.4, 7.2, 7.4)."""
import json
import os
import shutil
import signal
import subprocess
import time

import pytest

from harness.workspace import write


@pytest.fixture(scope="module")
def app(shared):
    app = shared.deploy()
    app.live_update = shared.live_update(source={"context": ["src"], "maxDeletes": 100})
    return app


@pytest.fixture
def watch(shared, app):
    watchers = []

    def start(**options):
        watchers.append(shared.watch("app", **options))
        return watchers[-1]
    yield start
    for watcher in watchers:
        watcher.kill()


def test_limit_of_inotify_watches_is_said_and_the_rest_is_polled(shared, app, watch):
    limited = ["unshare", "--user", "--map-root-user", "sh", "-c", 'echo 12 >/proc/sys/user/max_inotify_watches && exec "$@"', "sh"]
    if subprocess.run([*limited, "true"], capture_output=True).returncode:
        pytest.skip("no user namespaces here")
    for number in range(40):
        (shared.root / f"src/limit/{number}").mkdir(parents=True)
    watcher = watch(before=limited)
    watcher.wait_line(r"max_user_watches")
    for number in range(40):
        write(shared.root / f"src/limit/{number}/file", f"{number}")
    shared.in_sync(app, timeout=40)
    shutil.rmtree(shared.root / "src/limit")
    write(shared.root / "src/after", "the watcher must not have died")
    shared.in_sync(app, timeout=40)


def test_overflow_of_the_queue_leads_to_a_rescan(shared, app, watch):
    """The watcher is stopped while more happens than the queue holds."""
    watcher = watch()
    queue = int(open("/proc/sys/fs/inotify/max_queued_events").read())
    if queue > 100_000:
        pytest.skip(f"the queue holds {queue} events")
    os.kill(watcher.process.pid, signal.SIGSTOP)
    path = shared.root / "src/overflow"
    path.mkdir()
    a, b = os.fspath(path / "a"), os.fspath(path / "b")
    for _ in range(queue // 6 + 100):
        for name in (a, b):
            os.close(os.open(name, os.O_CREAT | os.O_WRONLY))
            os.unlink(name)
    write(path / "last", "the event for this one was dropped")
    write(path / "deep/er", "and this folder's, too")
    os.kill(watcher.process.pid, signal.SIGCONT)
    shared.in_sync(app, timeout=40)
    write(path / "deep/er", "still watched")
    shared.in_sync(app)


def test_unreadable_file_is_named_and_comes_when_it_can_be_read(shared, app, watch):
    """In a user namespace even root needs permission."""
    without_rights = ["unshare", "--user"]
    if subprocess.run([*without_rights, "true"], capture_output=True).returncode:
        pytest.skip("no user namespaces here")
    watcher = watch(before=without_rights)
    mark = watcher.mark()
    secret = write(shared.root / "src/unreadable/secret", "hidden", 0o000)
    write(shared.root / "src/unreadable/good", "goes on")
    shared.eventually(lambda: app.only().read("/app/src/unreadable/good"), "the readable one arrives")
    watcher.wait_line(r"src/unreadable/secret.*[Pp]ermission", after=mark)
    assert app.only().entry("/app/src/unreadable/secret") is None
    secret.chmod(0o644)
    shared.in_sync(app)


def test_ignore_file_is_read_again(shared, app, watch):
    watcher = watch()
    write(shared.root / ".dockerignore", "**/*.tmp\n")
    write(shared.root / "src/ignore/a.tmp", "ignored now")
    write(shared.root / "src/ignore/a.txt", "not")
    shared.in_sync(app, leave_out={"a.tmp"})
    mark = watcher.mark()
    write(shared.root / ".dockerignore", "**/*.tmp\n[z-a]\n")
    watcher.wait_line(r"\.dockerignore:2.*\[z-a\]", after=mark)
    write(shared.root / "src/ignore/b.tmp", "the old rules stay")
    write(shared.root / "src/ignore/b.txt", "not")
    shared.in_sync(app, leave_out={"a.tmp", "b.tmp"})
    (shared.root / ".dockerignore").unlink()
    shared.in_sync(app)


def test_many_deletes_are_asked_about(shared, app, watch):
    for number in range(130):
        write(shared.root / f"src/precious/{number}", "1")
    watcher = watch()
    shared.in_sync(app)
    shutil.rmtree(shared.root / "src/precious")
    watcher.wait_line(r"allow-deletes")
    assert len(app.only().tree("/app/src/precious")) >= 30  # what went before the hundredth was a deed of its own
    if watcher.running():
        watcher.stop()
    write(shared.root / "src/precious/0", "they are back, so nothing is amiss")
    for number in range(1, 130):
        write(shared.root / f"src/precious/{number}", "1")
    watch()
    shared.in_sync(app)


def test_many_deletes_when_allowed(shared, app):
    for number in range(130):
        write(shared.root / f"src/allowed/{number}", "1")
    watcher = shared.watch("app", "--allow-deletes")
    shared.in_sync(app)
    shutil.rmtree(shared.root / "src/allowed")
    shared.in_sync(app)
    watcher.stop()


def test_root_that_vanishes_deletes_nothing(shared, app, watch):
    write(shared.root / "src/vanish/a", "1")
    watcher = watch()
    shared.in_sync(app)
    before = len(app.only().tree("/app/src"))
    mark = watcher.mark()
    shared.root.rename(shared.folder / "moved-away")
    watcher.wait_line(r"(?i)root|gone|allow-deletes", after=mark)
    assert len(app.only().tree("/app/src")) == before
    (shared.folder / "moved-away").rename(shared.root)


def test_idle_watcher_does_nothing(shared, app, watch):
    watcher = watch()

    def ticks():
        fields = open(f"/proc/{watcher.process.pid}/stat").read().rsplit(")", 1)[1].split()
        return int(fields[11]) + int(fields[12])
    start = ticks()
    time.sleep(3)
    assert ticks() - start <= 3, "a watcher that has nothing to do uses the processor"


def without_rights():
    """Words before a command that make root need permission like anybody else."""
    words = ["unshare", "--user"]
    if subprocess.run([*words, "true"], capture_output=True).returncode:
        pytest.skip("no user namespaces here")
    return words


def push(shared, *words, before=(), root=None):
    return subprocess.run([*before, *shared.command("push", "app", *words)], cwd=root or shared.root, env=shared.environment(), capture_output=True,
                          text=True, timeout=60, stdin=subprocess.DEVNULL)


def test_what_cannot_be_read_is_not_deleted(shared, app, watch):
    """Rule 7.6: by push, by a fresh start of watch, on request, and in a new pod."""
    before = without_rights()
    folder = shared.root / "src/unknown"
    for name in ("a", "big", "secret", "dir/d", "dir/e/f"):
        write(folder / name, f"first {name}")
    done = push(shared, before=before)
    assert done.returncode == 0, done.stderr
    write(folder / "a", "second a")
    (folder / "secret").chmod(0)
    (folder / "dir").chmod(0)
    os.truncate(folder / "big", 40 << 20)

    def as_before(container):
        for name in ("big", "secret", "dir/d", "dir/e/f"):
            assert container.read(f"/app/src/unknown/{name}") == f"first {name}", name
    try:
        done = push(shared, before=before)
        assert done.returncode == 1
        for name in ("big", "secret", "dir"):
            assert f"src/unknown/{name}" in done.stderr.splitlines()[-1]
        shared.eventually(lambda: app.only().read("/app/src/unknown/a") == "second a", "what can be read arrives")
        as_before(app.only())
        watcher = watch(before=before)
        write(folder / "a", "third a")
        shared.eventually(lambda: app.only().read("/app/src/unknown/a") == "third a", "a save arrives")
        mark = watcher.mark()
        shared.kubectl("annotate", "liveupdate", "app", f"liveupdate.dev/sync-requested-at={time.time()}", "--overwrite")
        watcher.wait_line(r"everything .* -> 1/1 pods", after=mark)
        as_before(app.only())
        shared.kubectl("delete", "pod", "--all", "--grace-period=0", "--force")
        shared.eventually(lambda: app.only().read("/app/src/unknown/a") == "third a", "a new pod is up to date", timeout=40)
        shared.eventually(lambda: app.only().read("/app/src/unknown/dir/d"), "and has what is known of the rest")
        as_before(app.only())
        (folder / "secret").chmod(0o644)
        write(folder / "secret", "second secret")
        shared.eventually(lambda: app.only().read("/app/src/unknown/secret") == "second secret", "it can be read again")
    finally:
        (folder / "dir").chmod(0o755)
        (folder / "secret").chmod(0o644)
        write(folder / "big", "small again")
    shared.in_sync(app)


def test_large_folder_is_renamed(shared, app, watch):
    """More files than maxDeletes: their content arrives elsewhere, so there is nothing to ask."""
    for number in range(150):
        write(shared.root / f"src/named/{number}", f"content {number}")
    watcher = watch()
    shared.in_sync(app)
    (shared.root / "src/named").rename(shared.root / "src/renamed")
    shared.in_sync(app)
    watcher.stop()
    (shared.root / "src/renamed").rename(shared.root / "src/named")
    watch()
    shared.in_sync(app)
    assert "allow-deletes" not in "".join(w.text() for w in shared.watchers[-2:])
    shutil.rmtree(shared.root / "src/named")
    shared.watchers[-1].stop()
    shared.watch("app", "--allow-deletes")
    shared.in_sync(app)


def test_one_of_several_refuses_and_the_others_go_on(shared, app, watch):
    other = shared.live_update("refuses", target={"workload": {"kind": "Deployment", "name": "app"}}, source={"ignoreFile": "nowhere"})
    watcher = shared.watch("refuses", "app")
    watcher.wait_line(r"refuses: .*nowhere")
    for number in range(3):
        write(shared.root / "src/several", f"{number}")
        shared.in_sync(app)
    shared.kubectl("annotate", "liveupdate", "refuses", "touched=yes")
    write(shared.root / "src/several", "and on")
    shared.in_sync(app)
    assert watcher.running()
    watcher.stop()
    shared.kubectl("delete", "liveupdate", other.name)


def test_two_pushes_at_once(shared, app, tmp_path):
    """Two clones of one tree, ten rounds: both arrive, and nobody hears of sequences."""
    clones = []
    for name in ("one", "two"):
        shutil.copytree(shared.root, tmp_path / name)
        clones.append(tmp_path / name)
    for number in range(10):
        for clone in clones:
            write(clone / "src/round", f"{number}")
        pushes = [subprocess.Popen(shared.command("push", "app"), cwd=clone, env=shared.environment(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                   text=True, stdin=subprocess.DEVNULL) for clone in clones]
        for each in pushes:
            said, _ = each.communicate(timeout=60)
            assert each.returncode == 0, f"round {number}: {said}"
            assert "already used" not in said
        assert app.only().read("/app/src/round") == f"{number}"


def no_secrets(name, namespace):
    """A policy of the cluster that takes no ChangeSet with a path that ends in "secret"."""
    kinds = {"apiGroups": ["liveupdate.dev"], "apiVersions": ["*"], "operations": ["CREATE"], "resources": ["changesets"]}
    group = {"apiVersion": "admissionregistration.k8s.io/v1"}
    return {"apiVersion": "v1", "kind": "List", "items": [
        {**group, "kind": "ValidatingAdmissionPolicy", "metadata": {"name": name}, "spec": {
            "matchConstraints": {"resourceRules": [kinds], "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": namespace}}},
            "validations": [
                {"expression": "!has(object.spec.packed) || !object.spec.packed.contains('/secret\"')", "message": "no secrets here"},
                {"expression": "!has(object.spec.changes) || !object.spec.changes.exists(c, c.path.endsWith('/secret'))", "message": "no secrets here"}]}},
        {**group, "kind": "ValidatingAdmissionPolicyBinding", "metadata": {"name": name}, "spec": {"policyName": name, "validationActions": ["Deny"]}}]}


def test_what_admission_refuses_is_named_and_the_rest_arrives(shared, app, watch):
    """Neither the save that it is in is lost with it, nor the Snapshot; and it arrives when it may."""
    policy = no_secrets(f"no-secrets-{shared.namespace}", shared.namespace)
    user = json.loads(shared.kubectl("auth", "whoami", "-o", "json"))["status"]["userInfo"]["username"]
    probe = {"apiVersion": "liveupdate.dev/v1alpha1", "kind": "ChangeSet", "metadata": {"name": "app-probe-000001"},
             "spec": {"liveUpdate": "app", "session": "probe", "user": user, "sequence": 1, "changes": [{"path": "src/secret", "op": "Delete"}]}}

    def refused():
        return "no secrets" in shared.kubectl.run("create", "--dry-run=server", "-f", "-", stdin=probe).stderr

    shared.cluster("apply", "-f", "-", stdin=policy)
    try:
        shared.eventually(refused, "the policy is in force")
        watcher = watch()
        for number in range(30):
            write(shared.root / f"src/admission/{number}", f"{number}")
        write(shared.root / "src/admission/secret", "1")
        watcher.wait_line(r"src/admission/secret -> not accepted: .*no secrets here")
        shared.in_sync(app, leave_out={"secret"})
        mark = watcher.mark()
        shared.kubectl("annotate", "liveupdate", "app", f"liveupdate.dev/sync-requested-at={time.time()}", "--overwrite")
        watcher.wait_line(r"^everything .* -> 1/1 pods", after=mark)
        write(shared.root / "src/admission/0", "after it")
        shared.in_sync(app, leave_out={"secret"})
    finally:
        shared.cluster("delete", "-f", "-", stdin=policy)
    shared.eventually(lambda: not refused(), "the policy is gone")
    write(shared.root / "src/admission/secret", "2")
    shared.in_sync(app)


def test_watch_beside_pushes_loses_no_save(shared, app, watch, tmp_path):
    """Both speak for the same files, so a push may put an older one back; but every save is taken by the operator."""
    clone = tmp_path / "clone"
    shutil.copytree(shared.root, clone)
    watcher = watch()
    mark = watcher.mark()
    for number in range(8):
        pushing = subprocess.Popen(shared.command("push", "app"), cwd=clone, env=shared.environment(), stdout=subprocess.PIPE,
                                   stderr=subprocess.STDOUT, text=True, stdin=subprocess.DEVNULL)
        while pushing.poll() is None:
            write(shared.root / f"src/beside-{number}", f"{time.time()}")
            time.sleep(0.01)
        assert pushing.returncode == 0, pushing.stdout.read()
    assert "refused" not in watcher.text(mark)
    assert "already used" not in watcher.text(mark)
    for number in range(8):
        write(shared.root / f"src/beside-{number}", "at last")
    shared.in_sync(app)
