# What scripts/cluster does, one function per command.

needs_root() { ((EUID == 0)) || die "$1 must be run as root (it makes namespaces, mounts and cgroups)"; }

needs_programs() {
  local program missing=()
  for program in etcd containerd ctr runc iptables conntrack ip nsenter unshare openssl gcc python3; do
    command -v "$program" >/dev/null || missing+=("$program")
  done
  [[ -x /usr/lib/cni/bridge ]] || missing+=("CNI plugins in /usr/lib/cni")
  ((${#missing[@]} == 0)) || die "missing: $(IFS=, && echo "${missing[*]}"); run scripts/setup"
}

# One command at a time per cluster. `down` removes the file, so the one that was locked may be gone by then.
lock() {
  local file=$base/$name.lock
  until [[ $file -ef /proc/self/fd/9 ]]; do
    mkdir -p "$base"
    exec 9>"$file"
    flock --wait 300 9 || die "another scripts/cluster holds $file"
  done
}

node_ready() { [[ $(kube get node "$node" -o 'jsonpath={.status.conditions[?(@.type=="Ready")].status}') == True ]]; }
kube() { "$(k8s_dir)/kubectl" --kubeconfig="$kubeconfig" "$@"; }

needs_cluster() { [[ -f $kubeconfig ]] || die "$name is not running: scripts/cluster up"; }

cluster_up() {
  lock
  if all_running && node_ready 2>/dev/null; then
    say "$name is running; KUBECONFIG=$kubeconfig"
    return
  fi
  local begin=$SECONDS
  needs_programs
  k8s_up
  clean
  prepare
  start_all
  say "$name is ready after $((SECONDS - begin)) s; KUBECONFIG=$kubeconfig"
}

prepare() {
  mkdir -p "$log" "$state/run" "$state/images"
  claim_slot
  pki_up
  write_config
  cgroup_make
  namespace_up
  network_up
}

claim_slot() {
  exec 7<"$base"
  flock 7
  pick_slot
  exec 7>&-
}

start_all() {
  start_etcd
  start_apiserver
  start_containerd
  make_base_images
  wait_for 30 containerd ctr --address "$socket" version
  cluster_load "$state"/images/*.tar >/dev/null
  wait_for 60 "the API server" kube get --raw /readyz
  start_controllers
  start_node
  wait_for 60 "the node" node_ready
  wait_for 30 "the default service account" kube get serviceaccount default
}

# localhost/pause:1 for sandboxes, and localhost/busybox:1 (shell, tar, httpd) to run things in.
make_base_images() {
  mkdir -p "$state/images/pause"
  build_pause "$state/images/pause/pause"
  python3 "$here/../../scripts/image.py" --name localhost/pause:1 --root "$state/images/pause" --output "$state/images/pause.tar" -- /pause
  "$here/busybox-image" localhost/busybox:1 "$state/images/busybox.tar"
}

cluster_load() {
  local image
  needs_cluster
  (($# > 0)) || die "load: which image? Give the path of a docker-archive or OCI tar"
  for image in "$@"; do
    [[ -r $image ]] || die "load: cannot read $image"
    ctr --address "$socket" --namespace k8s.io images import --snapshotter "$(snapshotter)" "$image" ||
      die "load: $image was not imported; is the cluster up?"
  done
}

cluster_status() {
  local daemon
  [[ -d $state ]] || { say "$name is not running"; return 1; }
  say "$name in $state"
  for daemon in holder "${daemons[@]}"; do
    if is_alive "$daemon"; then echo "  $daemon: pid $(cat "$state/run/$daemon.pid")"; else echo "  $daemon: not running"; fi
  done
  all_running && node_ready 2>/dev/null && echo "  node Ready; KUBECONFIG=$kubeconfig"
}

cluster_pid() {
  local pod=${1:?pid: which pod?} container=${2:-} namespace=${3:-default} id filter='@.ready==true'
  needs_cluster
  [[ -z $container ]] || filter="@.name==\"$container\""
  id=$(kube get pod "$pod" --namespace "$namespace" -o "jsonpath={.status.containerStatuses[?($filter)].containerID}")
  [[ -n $id ]] || die "pid: $namespace/$pod has no running container ${container}"
  ctr --address "$socket" --namespace k8s.io tasks ls | awk -v id="${id##*/}" '$1 == id {print $2}'
}

# Ends and removes whatever an earlier `up` left, in whatever state that is.
clean() {
  cgroup_kill
  network_down
  cgroup_remove
  rm -rf "$state"
}

cluster_down() {
  lock
  clean
  rm -f "$base/$name.lock"
  rmdir --ignore-fail-on-non-empty "$base" 2>/dev/null || true
  say "$name is down"
}
