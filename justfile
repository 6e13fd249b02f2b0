set positional-arguments
set no-exit-message

export ODP_DIRECTORY := invocation_directory()
export ANSIBLE_CONFIG := justfile_directory() / "ansible.cfg"

# List the verbs
[private]
list:
    @echo './odp VERB, where VERB is one of:'
    @"{{ just_executable() }}" --list --unsorted --list-heading ''

# [inventory]: make the fleet so (default: local); a second run changes nothing
up *arguments:
    @python verbs/playbook.py up "$@"

# [inventory]: make Flux and its source, then deliver the services: clusters that exist
bootstrap *arguments:
    @python verbs/playbook.py bootstrap "$@"

# [inventory]: deliver the services anew, nothing else
sync *arguments:
    @python verbs/playbook.py sync "$@"

# [inventory]: take Cilium back from Flux, when Flux cannot work; the next `up` gives it back
rescue *arguments:
    @python verbs/playbook.py rescue "$@"

# [inventory]: bring clusters to the version that the inventory says, one node after the other
upgrade *arguments:
    @python verbs/playbook.py upgrade "$@"

# [inventory] -e remove=NODE[,NODE]: take nodes out of their clusters
remove *arguments:
    @python verbs/playbook.py remove "$@"

# [inventory]: keep what each cluster holds on this machine
backup *arguments:
    @python verbs/playbook.py backup "$@"

# [inventory] -e restore_from=DIRECTORY: make a cluster anew from a backup
restore *arguments:
    @python verbs/playbook.py restore "$@"

# [inventory]: renew the certificates of clusters
renew *arguments:
    @python verbs/playbook.py renew "$@"

# [inventory]: remove all that `up` made
down *arguments:
    @python verbs/playbook.py down "$@"

# [inventory] [--json]: show each cluster; 0 only when all are well
status *arguments:
    @python verbs/playbook.py status "$@"

# [inventory] [--json]: prove with test objects of our own that the fleet works
verify *arguments:
    @python verbs/playbook.py verify "$@"

# status|test [inventory] [--json]: show how clusters see each other, or try it with traffic of our own
mesh *arguments:
    @python verbs/playbook.py mesh "$@"

# Log in to a node, or run a command there
ssh node *command:
    @python verbs/reach.py ssh "$@"

# Run kubectl against a cluster
kubectl cluster *arguments:
    @python verbs/reach.py kubectl "$@"

# [inventory] [--port 8080]: serve each service with a route as http://<service>.localhost, until Ctrl-C
connect *arguments:
    @exec python verbs/connect.py "$@"

# [--cluster C] [--follow] [--tail N]: show what the pods of a service say
logs service *arguments:
    @exec python verbs/logs.py "$@"

# service NAME: write the role of a new service, which can be switched on as it is
new *arguments:
    @python verbs/new.py "$@"

# Run every test but molecule, or one layer: lint, unit, golden, molecule, e2e
test *layers:
    @python verbs/test.py "$@"

# Run the linters
lint:
    @python verbs/test.py lint

# [inventory]: say what this machine lacks for the fleet, and the command that mends it
doctor *arguments:
    @python verbs/doctor.py "$@"
