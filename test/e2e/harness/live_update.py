"""A LiveUpdate as the tests see it: applied with kubectl, read from its status."""
from harness.waiting import NotYet


def default_steps():
    return [{"sync": {"from": "src", "to": "/app/src"}}]


class LiveUpdate:
    def __init__(self, workspace, name):
        self.workspace, self.kubectl, self.name = workspace, workspace.kubectl, name

    def apply(self, spec):
        self.kubectl("apply", "-f", "-", stdin={"apiVersion": "liveupdate.dev/v1alpha1", "kind": "LiveUpdate",
                                                "metadata": {"name": self.name}, "spec": spec})

    def patch(self, change):
        self.kubectl("patch", "lu", self.name, "--type=merge", "--patch-file=/dev/stdin", stdin=change)

    def get(self):
        return self.kubectl.get("lu", self.name)

    def status(self):
        return self.get().get("status", {})

    def condition(self, kind):
        """The condition of that type, an empty one if there is none."""
        found = [c for c in self.status().get("conditions", []) if c["type"] == kind]
        return found[0] if found else {"type": kind, "status": "Unknown", "reason": "", "message": ""}

    def wait_condition(self, kind, status="True", reason=None, message="", timeout=20):
        """The condition, once it is like this."""
        def matches():
            condition = self.condition(kind)
            if condition["status"] != status or (reason and condition["reason"] != reason) or message not in condition["message"]:
                raise NotYet(f"it is {condition['status']}/{condition['reason']}: {condition['message']}")
            return condition
        expected = f"{kind}={status}" + (f", reason {reason}" if reason else "") + (f", message with {message!r}" if message else "")
        return self.workspace.eventually(matches, f"condition {expected} of {self.name}", timeout, every=0.1)

    def wait_stalled(self, reason, *words, timeout=20):
        """The Stalled condition with this reason, whose message has all the words."""
        condition = self.wait_condition("Stalled", reason=reason, timeout=timeout)
        for word in words:
            assert word.lower() in condition["message"].lower(), f"{word!r} is not in: {condition['message']}"
        return condition

    def wait_synced(self, targets=None, timeout=20):
        """Every target has confirmed every change."""
        def synced():
            status = self.status()
            good = [c for c in status.get("conditions", []) if c["type"] == "Synced" and c["status"] == "True"]
            if not good or (targets is not None and status.get("syncedTargets") != targets):
                raise NotYet(f"{status.get('state')} {status.get('synced')}")
            return status
        return self.workspace.eventually(synced, f"{self.name} is synced" + (f" in {targets}" if targets else ""), timeout, every=0.1)

    def events(self):
        """(reason, message) of its Events."""
        items = self.kubectl.get("events", "--field-selector", f"involvedObject.kind=LiveUpdate,involvedObject.name={self.name}")["items"]
        return [(item["reason"], item.get("message") or item.get("note", "")) for item in items]

    def change_sets(self):
        """Its ChangeSets, by sequence."""
        items = [item for item in self.kubectl.get("lcs")["items"] if item["spec"]["liveUpdate"] == self.name]
        return sorted(items, key=lambda item: item["spec"]["sequence"])
