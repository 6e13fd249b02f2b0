set positional-arguments
set no-exit-message

export ODP_DIRECTORY := invocation_directory()
export ANSIBLE_CONFIG := justfile_directory() / "ansible.cfg"

# List the verbs
[private]
list:
    @echo './odp VERB, where VERB is one of:'
    @"{{ just_executable() }}" --list --unsorted --list-heading ''

# [inventory]: apply the inventory (default: local); a second run changes nothing
up *arguments:
    @python verbs/playbook.py up "$@"

# [inventory]: install Flux and deliver the services, on existing clusters
bootstrap *arguments:
    @python verbs/playbook.py bootstrap "$@"

# [inventory]: deliver the services, nothing else
sync *arguments:
    @python verbs/playbook.py sync "$@"

# [inventory]: suspend the HelmRelease of Cilium and install Cilium with Helm when Flux cannot pull; the next `up` returns it to Flux
rescue *arguments:
    @python verbs/playbook.py rescue "$@"

# [inventory]: upgrade clusters to the inventory's version, one node after the other
upgrade *arguments:
    @python verbs/playbook.py upgrade "$@"

# [inventory] -e remove=NODE[,NODE]: remove nodes from their clusters
remove *arguments:
    @python verbs/playbook.py remove "$@"

# [inventory]: save the state of kubeadm and k3s clusters on this machine
backup *arguments:
    @python verbs/playbook.py backup "$@"

# [inventory] -e restore_from=DIRECTORY: recreate a cluster from a backup
restore *arguments:
    @python verbs/playbook.py restore "$@"

# [inventory]: renew the certificates of kubeadm clusters
renew *arguments:
    @python verbs/playbook.py renew "$@"

# [inventory]: tear the fleet down; servers at Hetzner Cloud and what was installed in existing clusters stay
down *arguments:
    @python verbs/playbook.py down "$@"

# save|restore|remove NAME [inventory], or list [inventory]: saves and restores the machines that were created on this host
snapshot *arguments:
    @python verbs/snapshot.py "$@"

# [inventory] [--json]: show each cluster and service; exit 0 only when all are healthy
status *arguments:
    @python verbs/playbook.py status "$@"

# [inventory] [--json]: run the example pipeline and check its figures
verify *arguments:
    @python verbs/playbook.py verify "$@"

# status|test [inventory] [--json]: show the connections between clusters, or test them with traffic
mesh *arguments:
    @python verbs/playbook.py mesh "$@"

# Log in to a node, or run a command there
ssh node *command:
    @python verbs/reach.py ssh "$@"

# Run kubectl against a cluster
kubectl cluster *arguments:
    @python verbs/reach.py kubectl "$@"

# [inventory] [--port 8080]: forward each service to http://<service>.localhost, until Ctrl-C
connect *arguments:
    @exec python verbs/connect.py "$@"

# [--cluster C] [--follow] [--tail N]: print the logs of a service's pods
logs service *arguments:
    @exec python verbs/logs.py "$@"

# service NAME [--into DIR]: write the role of a new service, which works as it is
new *arguments:
    @python verbs/new.py "$@"

# [SUITE…|changed|all] [--base REV] [--minutes N]: run the core suites of tests, or those given
test *arguments:
    @python verbs/test.py "$@"

# Run the linters
lint:
    @python verbs/test.py lint

# Build the documentation site into build/docs
docs:
    @python verbs/docs.py

# [inventory]: report missing prerequisites of this machine, with the command that fixes each
doctor *arguments:
    @python verbs/doctor.py "$@"
