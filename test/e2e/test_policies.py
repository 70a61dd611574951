"""What the API server refuses by the chart's roles and policies: an attempt at each way to more rights (docs/security.md)."""
import contextlib
import json
import time

import pytest

from harness.product import NAMESPACE
from harness.waiting import eventually
from harness.workspace import write

OURS = "liveupdate.dev"
OPERATOR = f"system:serviceaccount:{NAMESPACE}:live-update"
SYNC = {"sync": {"from": "src", "to": "/app/src"}}
DEPLOYMENT = {"workload": {"kind": "Deployment", "name": "web"}}


def rule(resources, *verbs, group="", names=()):
    return {"apiGroups": [group], "resources": resources.split(), "verbs": list(verbs)} | ({"resourceNames": list(names)} if names else {})


EXEC, DELETE_PODS = rule("pods/exec", "create"), rule("pods", "delete")
PATCH_WEB = rule("deployments", "patch", group="apps", names=["web"])
PATCH_ALL = rule("deployments statefulsets daemonsets", "patch", group="apps")
WRITE = rule("liveupdates", "get", "create", "update", "patch", group=OURS)
EPHEMERAL = rule("pods/ephemeralcontainers", "patch")


@pytest.fixture(scope="module")
def people(shared):
    """people(name, rules, cluster_roles...): kubectl as a user who holds exactly that in the namespace."""
    def made(name, rules=(), *cluster_roles):
        user, kubectl = f"{name}-{shared.namespace}", shared.kubectl
        if rules:
            kubectl("apply", "-f", "-", stdin={"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role", "metadata": {"name": name}, "rules": list(rules)})
            kubectl("create", "rolebinding", name, f"--role={name}", f"--user={user}")
        for role in cluster_roles:
            kubectl("create", "rolebinding", f"{name}-{role}", f"--clusterrole={role}", f"--user={user}")
        person = kubectl.acting_as(user)
        last = rules[-1] if rules else None
        resource = f"{last['resources'][-1]}.{last['apiGroups'][0]}".rstrip(".") if last and "/" not in last["resources"][-1] else ""
        if resource and "resourceNames" not in last:
            eventually(lambda: may(person, last["verbs"][-1], resource), f"the rights of {user} are in effect")
        return person
    return made


def may(kubectl, verb, resource):
    return kubectl.run("auth", "can-i", verb, resource).stdout.strip() == "yes"


@pytest.fixture(scope="module")
def user(people):
    person = people("user", (), "live-update-user")
    eventually(lambda: may(person, "create", f"changesets.{OURS}"), "the user's role is in effect")
    return person


def live_update(name, target=DEPLOYMENT, steps=(), metadata=None, **spec):
    return {"apiVersion": f"{OURS}/v1alpha1", "kind": "LiveUpdate", "metadata": {"name": name, **(metadata or {})},
            "spec": {"target": target, "steps": [SYNC, *steps], **spec}}


def change_set(user, metadata=None, **spec):
    return {"apiVersion": f"{OURS}/v1alpha1", "kind": "ChangeSet", "metadata": {"name": "web-hand-000001", **(metadata or {})},
            "spec": {"liveUpdate": "web", "session": "hand", "sequence": 1, **({"user": user} if user else {}), "changes": [], **spec}}


def create(kubectl, manifest):
    kubectl("create", "--dry-run=server", "-f", "-", stdin=manifest)


def refused(kubectl, manifest, *words):
    said = kubectl.refused("create", "--dry-run=server", "-f", "-", stdin=manifest)
    for word in words:
        assert word in said, f"{word!r} is not in: {said}"


# ---- who a ChangeSet is from, and what its metadata may have

def test_nobody_speaks_in_anothers_name(user):
    name = user.user
    create(user, change_set(name))
    refused(user, change_set("ada"), "spec.user must be the name of the sender: live-update fills it in", f"(it is ada, the sender is {name})")
    refused(user, change_set(None), f"(it is missing, the sender is {name})")
    for other in ("", name.upper(), name + " "):
        refused(user, change_set(other), f"the sender is {name})")


def test_nor_does_an_administrator_or_the_operator(shared, people):
    refused(shared.kubectl, change_set("ada"), f"(it is ada, the sender is {shared.kubectl.user})")
    create(shared.kubectl, change_set(shared.kubectl.user))
    refused(shared.kubectl.acting_as(OPERATOR, "system:masters"), change_set("ada"), f"(it is ada, the sender is {OPERATOR})")


OWNER = {"apiVersion": f"{OURS}/v1alpha1", "kind": "LiveUpdate", "name": "web", "uid": "0de23f18-7541-4d17-8ee0-000000000000"}
METADATA = {
    "finalizers": ({"finalizers": ["example.com/never"]}, "a ChangeSet must have no finalizers"),
    "foreground deletion": ({"finalizers": ["foregroundDeletion"]}, "a ChangeSet must have no finalizers"),
    "another kind owns it": ({"ownerReferences": [OWNER | {"apiVersion": "apps/v1", "kind": "Deployment"}]}, "no owner but its LiveUpdate"),
    "that kind of another group": ({"ownerReferences": [OWNER | {"apiVersion": "evil.liveupdate.dev/v1"}]}, "no owner but its LiveUpdate"),
    "another LiveUpdate owns it": ({"ownerReferences": [OWNER | {"name": "api"}]}, "no owner but its LiveUpdate"),
    "two owners": ({"ownerReferences": [OWNER, OWNER | {"uid": "1de23f18-7541-4d17-8ee0-000000000000"}]}, "no owner but its LiveUpdate"),
    "a large annotation": ({"annotations": {"a": "x" * 4096}}, "of 4 KiB each in all"),
    "a large annotation of few characters": ({"annotations": {"a": "\u20ac" * 1400}}, "of 4 KiB each in all"),
    "many annotations": ({"annotations": {f"a{i}": "" for i in range(65)}}, "at most 64 annotations"),
    "a hundred thousand annotations": ({"annotations": {f"{i}": "" for i in range(50_000)}}, "denied request"),
    "many labels": ({"labels": {f"a{i}": "" for i in range(65)}}, "64 labels"),
    "large labels": ({"labels": {f"a{i}{'x' * 50}": "y" * 63 for i in range(40)}}, "of 4 KiB each in all"),
}


@pytest.mark.parametrize("what", METADATA)
def test_metadata_of_a_change_set(what, user):
    metadata, words = METADATA[what]
    refused(user, change_set(user.user, metadata), words)


def test_metadata_that_a_change_set_may_have(user):
    create(user, change_set(user.user, {"ownerReferences": [OWNER], "annotations": {"a": "x" * 4000}, "labels": {"a": "b"}}))


def test_a_live_update_gets_no_finalizers(shared, people):
    author = people("finalizer", [], "live-update-author")
    eventually(lambda: may(author, "author", f"liveupdates.{OURS}"), "the author's role is in effect")
    words = "a LiveUpdate must get no finalizers"
    refused(author, live_update("finalizer", metadata={"finalizers": ["example.com/never"]}), words)
    author("create", "-f", "-", stdin=live_update("finalizer"))
    patch = '{"metadata": {"finalizers": ["example.com/never"]}}'
    assert words in author.refused("patch", "lu", "finalizer", "--type=merge", "-p", patch)
    assert words in shared.kubectl.refused("patch", "lu", "finalizer", "--type=merge", "-p", patch)
    author("label", "lu", "finalizer", "still=changeable")
    author("delete", "lu", "finalizer", "--cascade=foreground", "--timeout=30s")


def test_a_namespace_ends_with_all_that_is_in_it(shared, cluster):
    """The policies are about creation and what is added: nothing that goes is held up, whatever there is, and whoever deletes it."""
    name = f"{shared.namespace}-end"
    kubectl = cluster.within(name)
    cluster("create", "namespace", name)
    eventually(lambda: kubectl.run("get", "serviceaccount", "default").returncode == 0, "a service account", every=0.2)
    kubectl("create", "deployment", "web", "--image=localhost/busybox:1", "--", "sleep", "infinity")
    owners = []
    for number in range(3):
        kubectl("create", "-f", "-", stdin=live_update(f"web{number}", fallBack={"redeploy": "None"}))
        owners.append(OWNER | {"name": f"web{number}", "uid": kubectl.get("lu", f"web{number}")["metadata"]["uid"]})
    items = [change_set(kubectl.user, {"name": f"web{i % 3}-hand-{i:06}", "ownerReferences": [owners[i % 3] | {"blockOwnerDeletion": True}]},
                        liveUpdate=f"web{i % 3}", sequence=i) for i in range(1, 61)]
    items += [change_set(kubectl.user, {"name": f"nobody-hand-{i:06}"}, liveUpdate="nobody", sequence=i) for i in range(1, 21)]
    kubectl("create", "-f", "-", stdin={"apiVersion": "v1", "kind": "List", "items": items})
    kubectl("delete", "lu", "web0", "--cascade=foreground", "--wait=false")
    kubectl("delete", "lu", "web1", "--cascade=orphan", "--wait=false")
    begin = time.monotonic()
    cluster("delete", "namespace", name, "--timeout=90s", timeout=100)
    assert time.monotonic() - begin < 90
    assert cluster.run("get", "namespace", name).returncode != 0


# ---- who may write LiveUpdates

NO_REDEPLOY = {"fallBack": {"redeploy": "None"}}
RESTART = {"steps": [{"restart": {"container": {}}}]}
SELECTOR = {"target": {"selector": {"matchLabels": {"app": "web"}}}}


def of(kind, name="web"):
    return {"target": {"workload": {"kind": kind, "name": name}}}


AUTHORS = {  # what somebody holds, what the LiveUpdate has, and what the refusal says; nothing: it is accepted
    "no right": ([], NO_REDEPLOY, "may not write LiveUpdates in namespace"),
    "all but exec": ([DELETE_PODS, PATCH_ALL, EPHEMERAL], {}, "may not write LiveUpdates in namespace"),
    "exec alone": ([EXEC], {}, "may not delete pods in namespace"),
    "exec alone, and it redeploys by default": ([EXEC], {"fallBack": {}}, "may not delete pods in namespace"),
    "exec alone, and it redeploys": ([EXEC], {"fallBack": {"redeploy": "Restart"}}, "spec.fallBack.redeploy is Restart"),
    "exec alone, and it redeploys nothing": ([EXEC], NO_REDEPLOY, None),
    "exec alone, and it restarts containers": ([EXEC], NO_REDEPLOY | RESTART, "a step has restart.container, which may delete pods"),
    "exec and deleting pods, and it restarts containers": ([EXEC, DELETE_PODS], NO_REDEPLOY | RESTART, None),
    "exec alone, and it restarts a process": ([EXEC], NO_REDEPLOY | {"steps": [{"restart": {"process": {}}}]}, None),
    "no right to patch": ([EXEC, DELETE_PODS], {}, "which patches Deployment web, but user"),
    "the right to patch, but none to delete pods": ([EXEC, PATCH_ALL], {}, "may not delete pods in namespace"),
    "the right to patch another": ([EXEC, DELETE_PODS, PATCH_WEB], of("Deployment", "api"), "which patches Deployment api"),
    "the right to patch one of another kind": ([EXEC, DELETE_PODS, PATCH_WEB], of("StatefulSet"), "which patches StatefulSet web"),
    "a DaemonSet": ([EXEC, DELETE_PODS, PATCH_WEB], of("DaemonSet"), "which patches DaemonSet web"),
    "the right to patch that one": ([EXEC, DELETE_PODS, PATCH_WEB], {}, None),
    "the right to patch all": ([EXEC, DELETE_PODS, PATCH_ALL], of("StatefulSet"), None),
    "a pod, which a Deployment may own": ([EXEC, DELETE_PODS], of("Pod"), "which patches whatever workload owns the pods of Pod web, but user"),
    "a pod, and the right to patch one workload": ([EXEC, DELETE_PODS, PATCH_WEB], of("Pod"), "which patches whatever workload owns the pods of Pod web"),
    "a pod, and the right to patch all": ([EXEC, DELETE_PODS, PATCH_ALL], of("Pod"), None),
    "a pod, and it redeploys nothing": ([EXEC], of("Pod") | NO_REDEPLOY, None),
    "another kind": ([EXEC, DELETE_PODS], of("ReplicaSet"), "which patches whatever workload owns the pods of ReplicaSet web"),
    "a kind that nobody knows": ([EXEC, DELETE_PODS], of("deployment"), "which patches whatever workload owns the pods of deployment web"),
    "a pod, and no right to delete it": ([EXEC], of("Pod"), "may not delete pods in namespace"),
    "a selector": ([EXEC, DELETE_PODS, PATCH_ALL], SELECTOR, None),
    "a selector, and the right to patch one": ([EXEC, DELETE_PODS, PATCH_WEB], SELECTOR, "which patches whatever workload owns the pods of spec.target.selector"),
    "ephemeral containers": ([EXEC], NO_REDEPLOY | {"transport": "Ephemeral"}, "may not patch pods/ephemeralcontainers in namespace"),
    "the right to add ephemeral containers": ([EXEC, EPHEMERAL], NO_REDEPLOY | {"transport": "Ephemeral"}, None),
    "the verb author": ([rule("liveupdates", "author", group=OURS)], RESTART | {"transport": "Ephemeral"}, None),
}


@pytest.mark.parametrize("what", AUTHORS)
def test_an_author_holds_every_right_that_the_object_uses(what, people):
    rights, fields, words = AUTHORS[what]
    person = people(f"author-{list(AUTHORS).index(what)}", [*rights, WRITE])
    manifest = live_update("by-somebody", **fields)
    if words:
        refused(person, manifest, words, "the role live-update-author")
    else:
        create(person, manifest)


def test_what_was_allowed_once_does_not_grow(shared, people):
    person = people("grower", [EXEC, WRITE])
    person("create", "-f", "-", stdin=live_update("grower", **NO_REDEPLOY))
    for change, words in (({"spec": {"fallBack": {"redeploy": "Restart"}}}, "may not delete pods"), ({"spec": {"fallBack": None}}, "may not delete pods"),
                          ({"spec": {"transport": "Ephemeral"}}, "may not patch pods/ephemeralcontainers")):
        said = person.refused("patch", "lu", "grower", "--type=merge", "-p", json.dumps(change))
        assert words in said, said
    person("patch", "lu", "grower", "--type=merge", "-p", json.dumps({"spec": {"suspend": True}}))


def test_asking_for_everything_takes_an_author(shared, people):
    """It makes every watcher send all that it has."""
    shared.kubectl("create", "-f", "-", stdin=live_update("asked"))
    person = people("asker", [WRITE])
    request = "liveupdate.dev/sync-requested-at"
    assert "or ask for everything by one" in person.refused("annotate", "lu", "asked", f"{request}=now")
    person("annotate", "lu", "asked", "note=that")
    person("label", "lu", "asked", "note=that")
    shared.kubectl("annotate", "lu", "asked", f"{request}=now")
    person("annotate", "lu", "asked", "note-")
    assert "may not write LiveUpdates" in person.refused("annotate", "--overwrite", "lu", "asked", f"{request}=later")


# ---- roles

LOOK, SEND = "get list watch".split(), "get list watch create".split()
WRITES = [*LOOK, *"create update patch delete author".split()]
MAY = {  # as which role: what it may do with LiveUpdates and with ChangeSets
    "live-update-viewer": (LOOK, []), "live-update-user": (LOOK, SEND), "live-update-author": (WRITES, SEND),
    "view": (LOOK, []), "edit": (LOOK, SEND), "admin": (LOOK, SEND),
}


def rights(kubectl):
    """From resource to verbs: all that somebody may do in the namespace."""
    review = {"apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectRulesReview", "spec": {"namespace": kubectl.namespace}}
    found = {}
    for held in json.loads(kubectl("create", "--validate=false", "-o", "json", "-f", "-", stdin=review))["status"]["resourceRules"]:
        for resource in (f"{resource}.{group}".rstrip(".") for resource in held["resources"] for group in held["apiGroups"]):
            found.setdefault(resource, set()).update(held["verbs"])
    return found


@pytest.mark.parametrize("role", MAY)
def test_what_a_role_may_do(role, people):
    person = people(f"role-{role}", (), role)
    looked = {}

    def as_it_should_be():
        looked.clear()
        looked.update(rights(person))
        return [looked.get(f"{kind}.{OURS}", set()) for kind in ("liveupdates", "changesets")] == [set(verbs) for verbs in MAY[role]]
    eventually(as_it_should_be, f"{role} may do what it should", every=0.3, diagnosis=lambda: str(looked))
    assert not {resource for resource in looked if resource.startswith(("liveupdates/", "changesets/"))}
    if role.startswith("live-update"):
        own = {resource for resource in looked if resource.endswith(f".{OURS}")} | {"events"}
        nobodys = {resource for resource in looked if resource.startswith("self")}
        assert set(looked) == own | nobodys, "neither pods nor Leases of other programs nor anything else"


def test_a_viewer_sees_the_status_and_no_files(shared, people):
    shared.kubectl("apply", "-f", "-", stdin=live_update("seen"))
    person = people("viewer", (), "live-update-viewer")
    eventually(lambda: may(person, "list", f"liveupdates.{OURS}"), "the viewer's role is in effect")
    person("get", "lu", "seen")
    assert "forbidden" in person.refused("get", "lcs")


# ---- the operator's own account

@pytest.fixture
def operator(shared):
    return shared.kubectl.acting_as(OPERATOR, "system:serviceaccounts", f"system:serviceaccounts:{NAMESPACE}", "system:authenticated")


@pytest.fixture(scope="module")
def web(shared):
    """A Deployment whose template has an annotation of somebody else's, and no pods."""
    container = {"name": "web", "image": "localhost/busybox:1", "command": ["sleep", "infinity"]}
    template = {"metadata": {"labels": {"app": "web"}, "annotations": {"theirs": "1"}}, "spec": {"containers": [container]}}
    shared.kubectl("apply", "-f", "-", stdin={"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web", "annotations": {"theirs": "1"}},
                                              "spec": {"replicas": 0, "selector": {"matchLabels": {"app": "web"}}, "template": template}})


@contextlib.contextmanager
def pod(kubectl, name, **annotations):
    kubectl("apply", "-f", "-", stdin={"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "annotations": annotations}, "spec": {
        "terminationGracePeriodSeconds": 0, "containers": [{"name": name, "image": "localhost/busybox:1", "command": ["sleep", "infinity"]}]}})
    try:
        yield name
    finally:
        kubectl("delete", "pod", name, "--ignore-not-found", "--wait=false")


@pytest.mark.parametrize("namespace", ["kube-system", "kube-public", NAMESPACE])
def test_the_operator_works_on_nothing_here(namespace, shared, operator):
    within, admin, words = operator.within(namespace), shared.cluster.within(namespace), f"live-update works on no pods and workloads in namespace {namespace}"
    with pod(admin, f"victim-{shared.namespace}") as victim:
        assert words in within.refused("exec", victim, "--", "true")
        assert words in within.refused("delete", "pod", victim)
        admin("delete", "pod", victim, "--wait=false")
    if namespace == NAMESPACE:
        patch = '{"spec": {"template": {"metadata": {"annotations": {"redeploy.liveupdate.dev/x": "1"}}}}}'
        assert words in within.refused("patch", "deployment", "live-update", "-p", patch)


def test_the_operator_may_exec_and_delete_pods_elsewhere(shared, operator):
    with pod(shared.kubectl, "target") as target:
        shared.kubectl("wait", "--for=condition=Ready", f"pod/{target}", "--timeout=30s")
        operator("exec", target, "--", "true")
        operator("delete", "pod", target, "--wait=false")


def test_the_operator_deletes_no_pod_that_refuses(shared, operator):
    with pod(shared.kubectl, "refuses", **{"liveupdate.dev/allow": "false"}) as refuses:
        assert 'the pod has the annotation liveupdate.dev/allow: "false"' in operator.refused("delete", "pod", refuses)


WORKLOAD = {
    "its image": {"spec": {"template": {"spec": {"containers": [{"name": "web", "image": "evil"}]}}}},
    "privileges": {"spec": {"template": {"spec": {"containers": [{"name": "web", "securityContext": {"privileged": True}}]}}}},
    "its service account": {"spec": {"template": {"spec": {"serviceAccountName": "other"}}}},
    "its replicas": {"spec": {"replicas": 2}},
    "its strategy": {"spec": {"strategy": {"type": "Recreate", "rollingUpdate": None}}},
    "a field that was not set": {"spec": {"paused": True}},
    "a field that was set": {"spec": {"revisionHistoryLimit": None, "minReadySeconds": 5}},
    "a label of its template": {"spec": {"template": {"metadata": {"labels": {"more": "1"}}}}},
    "another annotation of its template": {"spec": {"template": {"metadata": {"annotations": {"sidecar.example/inject": "true"}}}}},
    "somebody's annotation of its template": {"spec": {"template": {"metadata": {"annotations": {"theirs": "2"}}}}},
    "one annotation less": {"spec": {"template": {"metadata": {"annotations": {"theirs": None}}}}},
    "its own annotations": {"metadata": {"annotations": {"theirs": None}}},
    "its labels": {"metadata": {"labels": {"more": "1"}}},
    "a finalizer": {"metadata": {"finalizers": ["example.com/never"]}},
    "an owner": {"metadata": {"ownerReferences": [OWNER]}},
    "ours, and its image": {"spec": {"template": {"metadata": {"annotations": {"redeploy.liveupdate.dev/web": "1"}},
                                                  "spec": {"containers": [{"name": "web", "image": "evil"}]}}}},
}


@pytest.mark.parametrize("what", WORKLOAD)
def test_the_operator_changes_nothing_of_a_workload(what, web, operator):
    said = operator.refused("patch", "deployment", "web", "-p", json.dumps(WORKLOAD[what]))
    assert "of a workload the operator may change nothing but annotations of spec.template with the prefix redeploy.liveupdate.dev/" in said


def test_the_operator_restarts_a_workload(web, shared, operator):
    for value in ("1", "2", None):
        patch = {"spec": {"template": {"metadata": {"annotations": {"redeploy.liveupdate.dev/web": value}}}}}
        operator("patch", "deployment", "web", "--type=merge", "-p", json.dumps(patch))


def test_ephemeral_containers_of_the_operator_are_its_own(shared, operator, people):
    shared.kubectl("create", "role", "adds", "--verb=get,patch", "--resource=pods/ephemeralcontainers")
    shared.kubectl("create", "rolebinding", "adds", "--role=adds", f"--serviceaccount={NAMESPACE}:live-update")
    image = shared.cluster.within(NAMESPACE).get("deployment", "live-update")["spec"]["template"]["spec"]["containers"][0]["image"]
    place = ["/agents/live-update-agent", "place", "/tmp"]

    def add(name, **fields):
        containers = [{"name": name, "image": image, "command": place, "targetContainerName": "poor", **fields}]
        return ("patch", "pod", "poor", "--subresource=ephemeralcontainers", "-p", json.dumps({"spec": {"ephemeralContainers": containers}}))
    words = f"the operator may add no ephemeral container but one that puts the agent there, of the image {image}"
    with pod(shared.kubectl, "poor"):
        shared.eventually(lambda: words in operator.run(*add("evil", image="localhost/busybox:1")).stderr, "the policy speaks, not RBAC")
        assert words in operator.refused(*add("evil", command=["/agents/live-update-agent", "supervise", "--", "sh"]))
        assert words in operator.refused(*add("evil", command=["/bin/sh"]))
        assert words in operator.refused(*add("evil", command=None))
        operator(*add("live-update-1"))
        shared.kubectl(*add("somebody-elses", image="localhost/busybox:1", command=["true"]))


def test_only_labelled_namespaces_if_so_configured(workspace):
    """A LiveUpdate elsewhere says what is missing, and goes on when the label comes."""
    label = "live-update-allowed"
    workspace.product.configure(**{f"operatorPolicy__namespaceSelector__matchLabels__{label}": "here"})
    try:
        app = workspace.deploy()
        update = workspace.live_update()
        workspace.watch()
        words = f"live-update works only in namespaces with the label {label}=here"
        operator = workspace.kubectl.acting_as(OPERATOR)
        workspace.eventually(lambda: words in operator.run("exec", app.only().pod, "--", "true").stderr, "the operator is refused", every=0.3)
        write(workspace.root / "src/a", "1")
        workspace.eventually(lambda: words in json.dumps(update.status()), "the status says what is missing", timeout=30, every=0.3)
        workspace.cluster("label", "namespace", workspace.namespace, f"{label}=here")
        workspace.in_sync(app, timeout=60)
    finally:
        workspace.product.configure(**{f"operatorPolicy__namespaceSelector__matchLabels__{label}": "null"})


# ---- around the operator

def test_the_operator_runs_in_a_restricted_namespace(shared, kubectl):
    kubectl.within(None)("label", "namespace", kubectl.namespace, "pod-security.kubernetes.io/enforce=restricted")
    refuses = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "any"}, "spec": {"containers": [{"name": "any", "image": "any"}]}}
    assert "violates PodSecurity" in kubectl.refused("create", "--dry-run=server", "-f", "-", stdin=refuses)
    template = shared.cluster.within(NAMESPACE).get("deployment", "live-update")["spec"]["template"]
    kubectl("create", "serviceaccount", template["spec"]["serviceAccountName"])
    kubectl("create", "--dry-run=server", "-f", "-", stdin={"apiVersion": "v1", "kind": "Pod", **template, "metadata": {"name": "operator"}})


def test_a_quota_bounds_the_change_sets_of_a_namespace(shared, cluster):
    """As in docs/security.md."""
    name = f"{shared.namespace}-quota"
    kubectl = cluster.within(name)
    cluster("create", "namespace", name)
    try:
        kubectl("create", "quota", "live-update", "--hard=count/changesets.liveupdate.dev=1")
        eventually(lambda: "hard" in kubectl.get("quota", "live-update").get("status", {}), "the quota is in effect", every=0.2)
        kubectl("create", "-f", "-", stdin=change_set(kubectl.user))
        second = change_set(kubectl.user, {"name": "web-hand-000002"}, sequence=2)
        eventually(lambda: "exceeded quota" in kubectl.run("create", "--dry-run=server", "-f", "-", stdin=second).stderr, "one is enough", every=0.2)
    finally:
        cluster("delete", "namespace", name, "--wait=false")
