"""The CRDs, asked of a real API server: what is accepted, what is refused and in which words, what kubectl shows."""
import re

import pytest

from conftest import REPO, changed, load_yaml

SAMPLES = sorted((REPO / "crds" / "samples").glob("*.yaml"))
REFUSED = load_yaml("test/testdata/refused.yaml")
CASES = [(kind, case) for kind, table in REFUSED.items() for case in table["cases"]]

pytestmark = pytest.mark.usefixtures("crds")


@pytest.fixture(scope="session")
def cluster(cluster):
    """As the user of the examples: where the chart is installed, its policies look at that, too."""
    return cluster.acting_as("ada", "system:masters")


def schemas():
    for file in ("liveupdate", "changeset"):
        crd = load_yaml(f"crds/{file}.yaml")
        yield crd["spec"]["names"]["kind"], crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]


def fields(schema, path=""):
    """Every field below: its path and its schema. List items count as the list."""
    for name, field in schema.get("properties", {}).items():
        at = f"{path}.{name}".lstrip(".")
        yield at, field
        yield from fields(field.get("items", field), at)


FIELDS = [(kind, path, field) for kind, schema in schemas() for path, field in fields(schema)]


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda path: path.name)
def test_sample_is_accepted(sample, module_kubectl):
    module_kubectl("create", "--dry-run=server", "--validate=strict", "-f", sample)


@pytest.mark.parametrize("kind", REFUSED)
def test_base_of_refused_objects_is_accepted(kind, module_kubectl):
    module_kubectl("create", "--dry-run=server", "-f", "-", stdin=REFUSED[kind]["base"])


@pytest.mark.parametrize("kind,case", CASES, ids=[f"{kind}-{case['rule']}-{case['name']}" for kind, case in CASES])
def test_refused(kind, case, module_kubectl):
    bad = changed(REFUSED[kind]["base"], case["set"])
    said = module_kubectl.refused("create", "--dry-run=server", "-f", "-", stdin=bad)
    line = next((line for line in said.splitlines() if case["message"] in line), None)
    assert line, f"expected: {case['field']}: {case['message']}\nsaid: {said}"
    assert f"{case['field']}:" in line or not case["field"], line


@pytest.mark.parametrize("page", ["liveupdate", "changeset"])
def test_examples_of_the_docs_are_accepted(page, module_kubectl):
    blocks = re.findall(r"```yaml\n(.*?)```", (REPO / "docs" / f"{page}.md").read_text(), re.S)
    whole = [block for block in blocks if block.startswith("apiVersion:")]
    assert whole
    for block in whole:
        module_kubectl("create", "--dry-run=server", "--validate=strict", "-f", "-", stdin=block)


ACCEPTED = {
    "a glob may lie outside of the context": {"spec.source": {"context": ["src", "Dockerfile"]}, "spec.steps[2].run.triggers": ["**/*.c"]},
    "paths need not be clean": {"spec.source": {"context": ["./src/", "Dockerfile"]}, "spec.steps[1].sync.from": "src//lib/./a"},
    "dots at the beginning of a name": {"spec.steps[1].sync.from": "..src/...", "spec.steps[1].sync.to": "/app/..src/..."},
    "the root on both sides": {"spec.steps[1].sync.from": ".", "spec.steps[1].sync.to": "/"},
    "names that only begin like the kernel's": {"spec.steps[1].sync.to": "/process/dev"},
    "an empty context is none": {"spec.source": {"context": []}},
    "an empty ignore file is none": {"spec.source": {"ignoreFile": ""}},
    "an ignore file below the root": {"spec.source": {"ignoreFile": "./conf/..ignore"}},
    "a run alone, with a trigger": {"spec.steps": [{"run": {"command": ["make"], "when": "Always", "triggers": ["src"]}}]},
    "the same sync twice": {"spec.steps[1]": {"sync": {"from": "src", "to": "/a"}}},
    "an escaped !": {"spec.steps[0].fallBackOn.paths[0]": "\\!Dockerfile"},
    "classes": {"spec.source": {"ignore": ["!a[^b-c\\]]", "[*[?]", "\\[a"]}},
    "63 characters": {"metadata.name": "a" * 63},
    "every restart": {"spec.steps[3]": {"restart": {"process": {"signal": "INT", "graceSeconds": 0}, "triggers": ["src/main.go"]}}},
}


@pytest.mark.parametrize("name", ACCEPTED)
def test_accepted(name, module_kubectl):
    module_kubectl("create", "--dry-run=server", "-f", "-", stdin=changed(REFUSED["LiveUpdate"]["base"], ACCEPTED[name]))


def test_as_large_as_it_may_be(module_kubectl):
    """The limits of lists leave room below the API server's budget for CEL."""
    steps = [{"fallBackOn": {"paths": [f"{'f' * 50}/{i}/{k}" for k in range(10)]}} for i in range(20)]
    steps += [{"sync": {"from": f"{'s' * 50}/{i}", "to": f"/app/{i}"}} for i in range(20)]
    steps += [{"run": {"shell": "true", "triggers": [f"{'s' * 50}/{i}/{k}" for k in range(9)]}} for i in range(24)]
    context = [f"{'z' * 50}/{i}" for i in range(18)] + ["f" * 50, "s" * 50]
    large = changed(REFUSED["LiveUpdate"]["base"], {"spec.steps": steps, "spec.source": {"context": context}})
    module_kubectl("create", "--dry-run=server", "-f", "-", stdin=large)
    more = changed(large, {"spec.steps[63].run.triggers": [f"{'s' * 50}/{k}" for k in range(16)], "spec.steps[62].run.triggers": [f"{'s' * 50}/{k}" for k in range(32)]})
    assert "must have at most 500 paths and patterns in all" in module_kubectl.refused("create", "--dry-run=server", "-f", "-", stdin=more)
    longer = changed(large, {"spec.steps[63].run.triggers": [f"{'s' * 500}/{k}" for k in range(9)], "spec.source.ignore": ["i" * 500] * 16})
    assert "must have at most 32768 characters in all" in module_kubectl.refused("create", "--dry-run=server", "-f", "-", stdin=longer)
    scripts = changed(large, {f"spec.steps[{i}]": {"run": {"shell": "s" * 16384}} for i in range(61, 64)})
    module_kubectl("create", "--dry-run=server", "-f", "-", stdin=scripts)
    longer = changed(scripts, {"spec.steps[60]": {"run": {"command": ["s" * 8192] * 2}}})
    assert "must have at most 65536 characters in all its commands" in module_kubectl.refused("create", "--dry-run=server", "-f", "-", stdin=longer)
    one_more = changed(large, {"spec.steps[64]": {"run": {"shell": "true"}}})
    assert "must have at most 64 items" in module_kubectl.refused("create", "--dry-run=server", "-f", "-", stdin=one_more)


def test_change_set_of_4096_changes(module_kubectl):
    file = REFUSED["ChangeSet"]["base"]["spec"]["changes"][0]
    changes = [dict(file, path=f"node_modules/{'x' * 60}/{i}.js") for i in range(4096)]
    module_kubectl("create", "-f", "-", stdin=changed(REFUSED["ChangeSet"]["base"], {"spec.changes": changes}))
    module_kubectl("delete", "changeset", "web-7f3a-000042")


def test_sequences_of_more_than_six_digits(module_kubectl):
    later = changed(REFUSED["ChangeSet"]["base"], {"metadata.name": "web-7f3a-1234567", "spec.sequence": 1234567})
    module_kubectl("create", "--dry-run=server", "-f", "-", stdin=later)


def test_change_set_is_immutable(kubectl):
    kubectl("create", "-f", "-", stdin=REFUSED["ChangeSet"]["base"])
    for change in ('{"spec": {"user": "eve"}}', '{"spec": {"changes": []}}', '{"spec": {"observedAt": null}}'):
        said = kubectl.refused("patch", "lcs", "web-7f3a-000042", "--type=merge", "-p", change)
        assert "must not be changed after creation: post another ChangeSet with the next sequence" in said
    kubectl("label", "lcs", "web-7f3a-000042", "kept=yes")
    status = '{"status": {"phase": "Applied", "containers": 2, "targets": 2, "milliseconds": {"received": 3, "applied": 9}}}'
    kubectl("patch", "lcs", "web-7f3a-000042", "--subresource=status", "--type=merge", "-p", status)
    header, row = [re.split(r"\s{2,}", line.strip()) for line in kubectl("get", "lcs").splitlines()]
    assert header == ["NAME", "LIVEUPDATE", "SEQUENCE", "TYPE", "PHASE", "CONTAINERS", "MILLISECONDS", "USER", "AGE"]
    assert row[:8] == ["web-7f3a-000042", "web", "42", "Delta", "Applied", "2", "9", "ada"]


def test_change_sets_of_one_live_update_can_be_selected(kubectl):
    kubectl("create", "-f", "-", stdin=REFUSED["ChangeSet"]["base"])
    assert kubectl("get", "lcs", "--field-selector=spec.liveUpdate=web", "-o", "name").split()
    assert not kubectl("get", "lcs", "--field-selector=spec.liveUpdate=other", "-o", "name").split()


def test_defaults(kubectl):
    kubectl("create", "-f", REPO / "crds/samples/static-site.yaml")
    spec = kubectl.get("lu", "handbook")["spec"]
    assert spec["source"] == {"deletes": "Mirror", "maxDeletes": 1000, "onUnmatched": "FallBack"}
    run = spec["steps"][2]["run"]
    assert (run["when"], run["phase"], run["onFailure"], run["timeoutSeconds"]) == ("Matched", "AfterSync", "Stop", 600)
    assert (spec["transport"], spec["suspend"]) == ("Auto", False)


STATUS = {
    "observedGeneration": 1, "sequence": 42, "target": "Deployment/web", "synced": "2/3", "state": "Applying", "targets": 3, "syncedTargets": 2,
    "session": {"holder": "ada@laptop", "user": "ada", "since": "2026-01-01T00:00:00Z", "lease": "web"}, "unmatched": 0,
    "containers": [{"pod": f"web-{i}", "container": "web", "containerID": f"containerd://{i}", "appliedSequence": 42, "state": "Synced", "failedSteps": [2], "rules": "5e2f 9a1b", "olderRules": True,
                    "appliedAt": "2026-01-01T00:00:00.123456Z", "transport": "Tar", "lastMilliseconds": 2, "message": ""} for i in range(3)],
    "others": [{"appliedSequence": 42, "state": "Synced", "transport": "Agent", "rules": "5e2f", "olderRules": False, "failedSteps": [2], "ids": ["00ff"]}],
    "history": "3 7-9", "wanted": [{"path": "docs/x", "digest": "sha256:" + "0" * 64}], "due": ["-", "run 1 2"],
    "fallBack": {"reason": "StopPath", "paths": ["Dockerfile"], "otherPaths": 0, "changeSet": "web-7f3a-000041", "phase": "Redeployed", "message": ""},
    "conditions": [{"type": "Synced", "status": "True", "reason": "Synced", "message": "all there", "lastTransitionTime": "2026-01-01T00:00:00Z"},
                   {"type": "Ready", "status": "True", "reason": "Ready", "message": "fine so far", "lastTransitionTime": "2026-01-01T00:00:00Z"}],
}


def apply_status(kubectl, status, manager):
    head = {k: REFUSED["LiveUpdate"]["base"][k] for k in ("apiVersion", "kind", "metadata")}
    kubectl("apply", "--server-side", "--subresource=status", f"--field-manager={manager}", "-f", "-", stdin={**head, "status": status})


@pytest.fixture
def no_operator(cluster):
    """Nobody but the test writes status, also where another test has installed the operator."""
    operator = cluster.within("live-update")
    there = operator.run("get", "deployment", "live-update").returncode == 0
    if there:
        operator("scale", "deployment/live-update", "--replicas=0")
        operator("wait", "pod", "-l", "app.kubernetes.io/name=live-update", "--for=delete", "--timeout=30s", timeout=40)
    yield
    if there:
        operator("scale", "deployment/live-update", "--replicas=1")
        operator("rollout", "status", "deployment/live-update", "--timeout=60s", timeout=70)


def test_what_kubectl_get_shows(no_operator, kubectl):
    kubectl("create", "-f", "-", stdin=REFUSED["LiveUpdate"]["base"])
    apply_status(kubectl, STATUS, "live-update-operator")
    header, row = [re.split(r"\s{2,}", line.strip()) for line in kubectl("get", "lu").splitlines()]
    assert header == ["NAME", "TARGET", "SYNCED", "SEQUENCE", "STATE", "HOLDER", "AGE"]
    assert row[:6] == ["web", "Deployment/web", "2/3", "42", "Applying", "ada@laptop"]
    assert "fine so far" in kubectl("get", "lu", "-o", "wide")
    assert "liveupdate.liveupdate.dev/web" in kubectl("get", "live-update", "-o", "name")
    assert "liveupdate.liveupdate.dev/web" in kubectl("get", "all", "-o", "name")
    kubectl("wait", "--for=condition=Synced", "--timeout=5s", "lu/web")


def test_status_merges_by_keys(no_operator, kubectl):
    """Server-side apply by one manager replaces its containers and conditions by key, and leaves another manager's alone."""
    kubectl("create", "-f", "-", stdin=REFUSED["LiveUpdate"]["base"])
    apply_status(kubectl, STATUS, "live-update-operator")
    apply_status(kubectl, {"conditions": [dict(STATUS["conditions"][0], type="Other")]}, "someone-else")
    apply_status(kubectl, {"containers": STATUS["containers"][:1]}, "live-update-operator")
    status = kubectl.get("lu", "web")["status"]
    assert [c["pod"] for c in status["containers"]] == ["web-0"]
    assert [c["type"] for c in status["conditions"]] == ["Other"]
    assert "sequence" not in status


def test_spec_and_status_are_apart(no_operator, kubectl):
    kubectl("create", "-f", "-", stdin=changed(REFUSED["LiveUpdate"]["base"], {"status": {"sequence": 7}}))
    assert "status" not in kubectl.get("lu", "web")


@pytest.mark.parametrize("kind,path,field", FIELDS, ids=[f"{kind}.{path}" for kind, path, _ in FIELDS])
def test_field_is_described(kind, path, field):
    if path in ("metadata", "metadata.name"):
        return
    text = field.get("description", "")
    assert len(text) > 10 or path == "kind", f"{path} has no description"
    assert text[0].isupper() or text[0].isdigit(), text
    assert text.endswith((".", ".)")), f"{path}: {text}"


@pytest.mark.parametrize("path", ["lu", "lu.spec.steps.sync", "lu.spec.steps.run", "lu.spec.steps.restart.process", "lu.status.containers", "lcs.spec.changes"])
def test_explain(path, cluster):
    text = " ".join(cluster("explain", path).split())
    kind = {"lu": "LiveUpdate", "lcs": "ChangeSet"}[path.split(".")[0]]
    below = path.partition(".")[2]
    for at_kind, at, field in FIELDS:
        if at_kind == kind and at.rpartition(".")[0] == below and at not in ("apiVersion", "kind", "metadata"):
            words = " ".join(field["description"].split())
            assert words in text, f"kubectl explain {path} does not say: {words}"
