"""The bars, all of them ratios within one run or counts that must be nought. docs/performance.md says why these."""
from typing import NamedTuple

import workloads_idle as idle
import workloads_many as many
import workloads_save as save
import workloads_steps as steps
import workloads_tree as tree

OURS, FLOOR = "live-update", "floor"
QUIET = 5.0  # ms: spec.debounce.quietMilliseconds
MUST_ARRIVE = (tree.REMOVED, save.SAME_SIZE, save.BESIDE_GENERATOR, "W9 the generated file's last content")


class Gate(NamedTuple):
    title: str
    value: object  # None: not measured
    limit: float
    unit: str = "ms"

    @property
    def good(self):
        return self.value is not None and self.value <= self.limit

    def __str__(self):
        return f"{'PASS' if self.good else 'FAIL'}: {self.title}: {round(self.value, 3):g}, at most {round(self.limit, 3):g} {self.unit}".rstrip()


def of(record, transport):
    """All gates whose workloads were measured."""
    gates = tar_gates(record) if transport == "Tar" else [*one_file(record), *trees(record), *the_rest(record)]
    return [*(gate for gate in gates if gate and gate.value is not None), *losses(record)]


def gate(title, value, of_what, factor, plus=0.0):
    """value <= factor * of_what + plus, if both are known."""
    if value is not None and of_what is not None:
        return Gate(title, value, factor * of_what + plus)


def one_file(record):
    def p50(name):
        return record.at(OURS, name)
    floor, exec_true = [record.at(FLOOR, name) for name in (save.POST, save.ECHO)], record.at(FLOOR, save.KUBECTL_EXEC)
    for name in (save.IN_PLACE, save.BY_RENAME):
        if p50(name) and None not in floor:
            yield Gate(f"{name}, p50 without the debounce / floor", (p50(name) - QUIET) / sum(floor), 2, "")
            yield Gate(f"{name}, p50 / `kubectl exec true`", p50(name) / exec_true, 0.15, "")
            yield Gate(f"{name}, p99 / p50", record.at(OURS, name, 0.99) / p50(name), 5, "")
    yield Gate(save.OPERATOR_CPU, record.value(OURS, save.OPERATOR_CPU), 4)
    yield Gate(save.WATCHER_CPU, record.value(OURS, save.WATCHER_CPU), 1.5)
    one = p50(save.IN_PLACE)
    yield gate(f"{save.TEN}, p50", p50(save.TEN), one, 1.5)
    # Both end with the watcher's report, which is a write to the API server of its own: like is compared with like.
    yield gate(f"{steps.runs_name(1)}, p50", p50(steps.runs_name(1)), p50(steps.runs_name(0)), 1, 3)
    yield gate(f"{steps.runs_name(5)}, p50", p50(steps.runs_name(5)), p50(steps.runs_name(0)), 1, 10)
    yield gate(f"{save.BESIDE_GENERATOR}, p50", p50(save.BESIDE_GENERATOR), one, 3)
    single, twenty = p50(save.replicas_name(1, 1)), p50(save.replicas_name(1, 20))
    yield gate(f"{save.replicas_name(1, 20)}, last, p50", twenty, single, 2, 10)


def trees(record):
    thousand = record.at(OURS, tree.switch_name(1000))
    yield gate(f"{tree.switch_name(1000)}, p50", thousand, record.at(FLOOR, tree.tar_name(1000)), 1.3)
    yield gate(f"{tree.switch_name(10000)}, p50", record.at(OURS, tree.switch_name(10000)), thousand, 10)


def the_rest(record):
    for name in (steps.TORN, steps.MISSING, steps.LOSSES, idle.REQUESTS):
        yield Gate(name, record.value(OURS, name), 0, "")
    for name in (idle.HOST_CPU, idle.OPERATOR_CPU):
        yield Gate(name, record.value(OURS, name), 0.1, "%")
    if record.value(OURS, many.TURN) is not None:
        yield Gate(many.TURN, record.value(OURS, many.TURN), 20)
    execs, containers = record.value(OURS, steps.EXECS), record.value(OURS, steps.CONTAINERS)
    if execs is not None:
        yield Gate("execs more or less than one per container lifetime", abs(execs - containers), 0, "")


def losses(record):
    for name in {name for who, name in record.rows if who == OURS}:
        if name in MUST_ARRIVE or record.lost(OURS, name) and not name.startswith("W4"):
            yield Gate(f"{name}: lost", record.lost(OURS, name), 0, "")


def tar_gates(record):
    """Of transport Tar, whose every batch is an exec."""
    one = record.at(OURS, save.IN_PLACE)
    yield gate(f"{save.IN_PLACE}, p50 (1.6 x {save.EXEC})", one, record.at(FLOOR, save.EXEC), 1.6)
    yield gate(f"{save.replicas_name(1, 5)}, last, p50", record.at(OURS, save.replicas_name(1, 5)), record.at(OURS, save.replicas_name(1, 1)), 2.5)
