# The cluster that the demo and the end-to-end tests run against: that of KUBECONFIG or --context when given, else the local one.
# Sourced, with $top set. `context` is an array of kubectl's own arguments, such as (--context kind-dev), or empty.

# Sets KUBECONFIG, PATH (kubectl, helm) and local_cluster (true or false).
choose_cluster() {
  local ours
  ours=$("$top/scripts/cluster" kubeconfig)
  local_cluster=false
  if [[ (-z ${KUBECONFIG:-} || $KUBECONFIG == "$ours") && ${#context[@]} == 0 ]]; then
    local_cluster=true
    export KUBECONFIG=$ours
  elif command -v kubectl >/dev/null && command -v helm >/dev/null; then
    return
  fi
  PATH=$("$top/scripts/cluster" tools):$PATH
}

kube() { kubectl "${context[@]}" "$@"; }

start_cluster() { # a cluster of somebody else's has to run already
  if $local_cluster; then
    "$top/scripts/cluster" up
  else
    kube version >/dev/null || die "the cluster of context $(context_name) does not answer"
  fi
}

context_name() { [[ ${#context[@]} != 0 ]] && echo "${context[1]}" || kubectl config current-context; }

# load_image NAME TAR: brings an image to the cluster's nodes and prints the name it has there.
load_image() {
  local at
  at=$(context_name)
  if [[ -n ${LIVE_UPDATE_REGISTRY:-} ]]; then
    push_image "$1" "$2"
    return
  fi
  case $at in
    live-update-*) LIVE_UPDATE_CLUSTER=${at#live-update-} "$top/scripts/cluster" load "$2" ;;
    kind-*) kind load image-archive "$2" --name "${at#kind-}" ;;
    k3d-*) k3d image import --cluster "${at#k3d-}" "$2" ;;
    *)
      minikube profile list 2>/dev/null | grep -qw "$at" ||
        die "how do images get to the nodes of $at? Set LIVE_UPDATE_REGISTRY=HOST/PATH to a registry that they pull from"
      minikube --profile "$at" image load "$2"
      ;;
  esac >&2
  echo "$1"
}

push_image() {
  local name=$LIVE_UPDATE_REGISTRY/${1#localhost/}
  command -v skopeo >/dev/null || die "pushing to $LIVE_UPDATE_REGISTRY needs skopeo: apt-get install skopeo"
  skopeo copy "docker-archive:$2:$1" "docker://$name" >&2
  echo "$name"
}
