# Names, folders and addresses of one cluster. Sourced by scripts/cluster; everything else reads these.

name=${LIVE_UPDATE_CLUSTER:-default}
base=$(realpath --canonicalize-missing "${LIVE_UPDATE_CLUSTER_DIR:-/var/lib/live-update-cluster}")
state=$base/$name
cache=${XDG_CACHE_HOME:-$HOME/.cache}/live-update
cgroup=live-update-$name
log=$state/log
pki=$state/pki
kubeconfig=$state/kubeconfig
socket=$state/containerd.sock

# Inside the cluster's own network namespace: the same for every cluster, invisible outside.
node=node
node_address=10.88.0.1
pod_subnet=10.88.0.0/16
service_subnet=10.96.0.0/16
service_address=10.96.0.1
dns_address=10.96.0.10
etcd_url=http://127.0.0.1:2379

# The one thing the host sees: a veth pair with a /30 per cluster, of the range that RFC 2544 keeps free for tests.
slot_prefix=198.19

say() { echo "cluster: $*"; }
die() { echo "cluster: $*" >&2; exit 1; }

[[ $name =~ ^[a-z0-9]([-a-z0-9]{0,18}[a-z0-9])?$ ]] ||
  die "LIVE_UPDATE_CLUSTER=$name is no name for a cluster: use up to 20 of a-z, 0-9 and -"

# wait_for SECONDS WHAT COMMAND...: until the command succeeds; a daemon that ends meanwhile ends the wait.
wait_for() {
  local seconds=$1 deadline=$((SECONDS + $1)) what=$2
  shift 2
  until "$@" >/dev/null 2>&1; do
    ((SECONDS < deadline)) || die "$what: not ready after $seconds s; logs are in $log"
    daemons_alive || die "$what: not ready, and $(dead_daemons) ended; see $log"
    sleep 0.1
  done
}
