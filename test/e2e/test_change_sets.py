"""ChangeSets written by hand: whatever is wrong with them is refused or reported, and nothing escapes (semantics.md 4.3, 7.3)."""
import base64
import hashlib

import pytest

from harness.waiting import NotYet
from harness.workspace import name_of


def change(path, text="content\n", **fields):
    content = text.encode()
    return {"path": path, "op": "Write", "type": "File", "mode": 0o644, "size": len(content), "encoding": "Identity",
            "digest": "sha256:" + hashlib.sha256(content).hexdigest(), "content": base64.b64encode(content).decode()} | fields


def link(path, target):
    return {"path": path, "op": "Write", "type": "Symlink", "target": target}


@pytest.fixture
def hand(shared, request):
    """Posts ChangeSets to a LiveUpdate of this test's own, on a pod that all tests share."""
    app = getattr(shared, "app", None) or shared.deploy()
    shared.app = app
    name = name_of(request)
    target = {"workload": {"kind": "Deployment", "name": "app"}}

    class Hand:
        container = app.only()
        remote = f"/app/{name}"
        live_update = shared.live_update(name, target=target, steps=[{"sync": {"from": "src", "to": remote}}])

        def change_set(self, sequence, *changes, session="hand", **spec):
            return {"apiVersion": "liveupdate.dev/v1alpha1", "kind": "ChangeSet", "metadata": {"name": f"{name}-{session}-{sequence:06}"},
                    "spec": {"liveUpdate": name, "session": session, "sequence": sequence, "user": shared.kubectl.user, "changes": list(changes), **spec}}

        def post(self, sequence, *changes, **spec):
            shared.kubectl("create", "-f", "-", stdin=self.change_set(sequence, *changes, **spec))

        def refused(self, sequence, *changes, **spec):
            return shared.kubectl.refused("create", "-f", "-", stdin=self.change_set(sequence, *changes, **spec))

        def wait_phase(self, sequence, *phases, session="hand"):
            def there():
                status = shared.kubectl.get("lcs", f"{name}-{session}-{sequence:06}").get("status", {})
                if status.get("phase") not in phases:
                    raise NotYet(f"it is {status}")
                return status
            return shared.eventually(there, f"ChangeSet {sequence} is {' or '.join(phases)}", every=0.1)
    return Hand()


def test_good_one_is_applied(shared, hand):
    hand.post(1, change("src/a"))
    assert hand.wait_phase(1, "Applied")["containers"] == 1
    assert hand.container.read(f"{hand.remote}/a") == "content\n"
    assert "content" not in (hand.container.read(f"{hand.remote}/b") or "")


@pytest.mark.parametrize("transport", ["Agent", "Tar"])
def test_link_at_the_root_of_a_sync_leads_nothing_elsewhere(hand, transport):
    inner = f"{hand.remote}/inner"
    hand.live_update.patch({"spec": {"transport": transport, "steps": [{"sync": {"from": "src", "to": hand.remote}}, {"sync": {"from": "inner", "to": inner}}]}})
    hand.post(1, change("src/a"), change("inner/a"))
    hand.wait_phase(1, "Applied")
    hand.post(2, link("src", "/"))
    assert "sends the symlink src to " in hand.wait_phase(2, "Applied")["message"]
    # At the root of another sync, which lies in what the first one fills.
    hand.post(3, link("src/inner", "/"))
    assert "sends the symlink src/inner to " in hand.wait_phase(3, "Applied")["message"]
    hand.post(4, change("src/tmp/escaped"), change("inner/tmp/escaped"))
    hand.wait_phase(4, "Applied")
    assert hand.container.read(f"{hand.remote}/tmp/escaped") == hand.container.read(f"{inner}/tmp/escaped") == "content\n"
    assert hand.container.read("/tmp/escaped") is None


@pytest.mark.parametrize("path", ["../escape", "src/../../escape", "/etc/escape", "src//a", "./src/a", "src/a/", "src/./a", ".."])
def test_path_that_is_not_clean_is_refused(hand, path):
    said = hand.refused(1, change(path))
    assert "spec.changes" in said and ("path" in said)


def test_it_cannot_be_altered(shared, hand):
    hand.post(1, change("src/a"))
    said = shared.kubectl.refused("replace", "-f", "-", stdin=hand.change_set(1, change("src/a", "other")))
    assert "must not be changed" in said or "resourceVersion" in said


@pytest.mark.parametrize("wrong", ["digest", "size", "content"])
def test_content_that_is_not_what_it_says(hand, wrong):
    bad = {"digest": change("src/a", digest="sha256:" + "0" * 64), "size": change("src/a", size=3),
           "content": change("src/a", content=base64.b64encode(b"something else, longer").decode())}[wrong]
    hand.post(1, bad)
    hand.live_update.wait_condition("Synced", "False", reason="ContentNeeded", message="src/a (what a ChangeSet brought as that is something else)")
    assert "src/a" in hand.wait_phase(1, "Waiting")["message"]
    assert hand.container.read(f"{hand.remote}/a") is None
    hand.post(2, change("src/b"))
    hand.wait_phase(2, "Applied")
    assert hand.container.read(f"{hand.remote}/b") == "content\n"
    assert [it["path"] for it in hand.live_update.get()["status"]["wanted"]] == ["src/a"]
    hand.post(3, change("src/a"))
    hand.wait_phase(3, "Applied")
    hand.live_update.wait_synced(1)


def test_content_that_is_not_zstd(hand):
    hand.post(1, change("src/a", encoding="Zstd"))
    hand.live_update.wait_condition("Synced", "False", reason="ContentNeeded", message="src/a")
    assert hand.container.read(f"{hand.remote}/a") is None


def test_gap_in_the_sequence(hand):
    hand.post(1, change("src/a"))
    hand.wait_phase(1, "Applied")
    hand.post(3, change("src/c"))
    hand.live_update.wait_condition("SnapshotNeeded", reason="SequenceGap", message="2")
    assert hand.container.read(f"{hand.remote}/c") is None
    hand.post(2, change("src/b"))
    hand.wait_phase(3, "Applied")
    assert [hand.container.read(f"{hand.remote}/{name}") for name in "abc"] == ["content\n"] * 3
    hand.live_update.wait_condition("SnapshotNeeded", "False")


def test_batch_in_parts_is_applied_as_one(hand):
    hand.post(1, change("src/a"), part=1, parts=2)
    hand.live_update.workspace.eventually(lambda: hand.live_update.get().get("status"), "it is seen")
    assert hand.container.read(f"{hand.remote}/a") is None
    hand.post(2, change("src/b"), part=2, parts=2)
    hand.wait_phase(2, "Applied")
    assert [hand.container.read(f"{hand.remote}/{name}") for name in "ab"] == ["content\n"] * 2


def test_sequence_used_twice(hand):
    hand.post(1, change("src/a"))
    hand.wait_phase(1, "Applied")
    hand.post(1, change("src/a", "of another session"), session="other")
    status = hand.wait_phase(1, "Refused", session="other")
    assert "1" in status["message"]
    assert hand.container.read(f"{hand.remote}/a") == "content\n"


def test_symlink_out_of_the_sync_root_is_not_followed(hand):
    hand.post(1, {"path": "src/out", "op": "Write", "type": "Symlink", "target": "/tmp"})
    hand.wait_phase(1, "Applied")
    hand.post(2, change("src/out/escaped"))
    hand.live_update.workspace.eventually(
        lambda: hand.live_update.status().get("sequence") == 2 and hand.live_update.condition("Reconciling")["status"] == "False", "it is settled")
    assert hand.container.read("/tmp/escaped") is None


def test_no_such_live_update(shared, hand):
    """Nobody's ChangeSet waits, and harms nobody."""
    lost = hand.change_set(1, change("src/a"))
    lost["spec"]["liveUpdate"] = "nobody"
    lost["metadata"]["name"] = "nobody-hand-000001"
    shared.kubectl("create", "-f", "-", stdin=lost)
    hand.post(1, change("src/b"))
    hand.wait_phase(1, "Applied")


def test_sync_into_the_kernels_folders_is_refused(shared, hand):
    said = shared.kubectl.refused("patch", "lu", hand.live_update.name, "--type=json", "--patch-file=/dev/stdin",
                                  stdin=[{"op": "replace", "path": "/spec/steps/0/sync/to", "value": "/proc/sys"}])
    assert "/proc" in said
