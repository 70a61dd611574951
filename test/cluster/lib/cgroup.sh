# Everything a cluster runs is in one cgroup, daemons and pods alike: that is how `down` finds all of it, whatever happened before.
# cgroup v1 has one tree per controller, v2 has one; both at once (hybrid) works the same way.

cgroup_trees() { awk '$3 == "cgroup" || $3 == "cgroup2" {print $2}' /proc/self/mounts; }

cgroup_dirs() {
  local tree
  for tree in $(cgroup_trees); do
    [[ ! -d $tree/$cgroup ]] || echo "$tree/$cgroup"
  done
}

cgroup_make() {
  local tree dir
  for tree in $(cgroup_trees); do
    enable_controllers "$tree"
    for dir in "$tree/$cgroup" "$tree/$cgroup/daemons"; do
      mkdir -p "$dir" 2>/dev/null || die "cannot create the cgroup $dir: this machine or container does not allow it"
      inherit_cpuset "$dir"
    done
    enable_controllers "$tree/$cgroup"
  done
}

# v2 only: the kubelet and runc need these below the cluster's group.
enable_controllers() {
  local controller
  [[ -f $1/cgroup.subtree_control ]] || return 0
  for controller in cpu cpuset memory pids io hugetlb; do
    echo "+$controller" 2>/dev/null >"$1/cgroup.subtree_control" || true
  done
}

# v1 only: a new cpuset is empty, and nothing may run in it.
inherit_cpuset() {
  [[ -f $1/cpuset.mems && ! -f $1/cgroup.controllers ]] || return 0
  cat "$(dirname "$1")/cpuset.cpus" >"$1/cpuset.cpus"
  cat "$(dirname "$1")/cpuset.mems" >"$1/cpuset.mems"
}

# Moves the calling (sub)shell into the cluster's group.
cgroup_enter() {
  local dir
  for dir in $(cgroup_dirs); do
    echo "$BASHPID" >"$dir/daemons/cgroup.procs"
  done
}

cgroup_pids() {
  local dirs
  mapfile -t dirs < <(cgroup_dirs)
  ((${#dirs[@]} == 0)) || find "${dirs[@]}" -name cgroup.procs -exec cat {} + 2>/dev/null | sort -un
}

cgroup_kill() {
  local pids try
  for try in $(seq 200); do
    pids=$(cgroup_pids)
    [[ -n $pids ]] || return 0
    kill -KILL $pids 2>/dev/null || true
    sleep 0.05
  done
  die "these processes do not end: $(echo $pids)"
}

cgroup_remove() {
  local dirs try
  for try in $(seq 100); do
    mapfile -t dirs < <(cgroup_dirs)
    ((${#dirs[@]} > 0)) || return 0
    find "${dirs[@]}" -depth -type d -exec rmdir {} + 2>/dev/null || true
    sleep 0.02
  done
  die "these cgroups cannot be removed: ${dirs[*]}"
}
