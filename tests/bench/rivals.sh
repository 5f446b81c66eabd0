# shellcheck shell=bash disable=SC2154,SC2034
# Shared by tests/bench/http, tests/bench/tftp and tests/bench/storm: the network, the servers
# and their files, what they cost, medians and goals. The script that sources this sets $repo,
# $work and $name, and has sourced image/lib/common.sh.

die() {
    printf 'tests/bench/%s: %s\n' "$name" "$*" >&2
    exit 1
}

# Each server has an address of its own, so all of them can run at once.
declare -A address=(
    [pxeberry]=10.64.0.1 [nginx]=10.64.0.2 [lighttpd]=10.64.0.3
    [dnsmasq]=10.64.0.4 [tftpd-hpa]=10.64.0.5 [atftpd]=10.64.0.6
)
network=10.64.0.0/14
# What firmware is given; and addresses of clients, of which there are as many as are wanted.
pool=(10.65.0.1 10.65.3.254)
clients=(10.65.0.0/16 10.67.0.0/16)

run=/run/bench
packages=$work/packages
load=$repo/target/release/examples/load
host=$(rustc --print host-tuple)
program=$repo/target/bench/cargo/$host/release/pxeberry

# enter SCRIPT ARGUMENT...: runs `SCRIPT --inside ARGUMENT...` in namespaces of its own for at
# most $most seconds. However it ends, the kernel takes everything away with the namespaces.
enter() {
    local rootless=()
    [[ $(id -u) -eq 0 ]] || rootless=(--map-root-user)
    setpriv --pdeathsig KILL timeout --foreground --kill-after=5 "$most" \
        setpriv --pdeathsig KILL unshare --net --mount --pid --fork --kill-child --mount-proc \
        "${rootless[@]}" -- "$1" --inside "${@:2}" 9>&- &
    trap 'kill -KILL $! 2>/dev/null || true' EXIT
    wait $! || {
        local status=$?
        [[ $status -ne 124 ]] || die "not ended after $most s: this machine is busy; try --quick"
        exit $status
    }
}

# One benchmark at a time, each needs the whole machine.
prepare() {
    mkdir -p "$work" "$packages"
    exec 9>"$repo/target/bench/lock"
    flock --nonblock 9 || die "a benchmark runs already"
    need_packages iproute2 iputils-ping mount util-linux "$@"
    # As the image has it (image/lib/toolchain.sh), for this machine.
    if [[ $program == "$repo/target/bench/cargo/"* ]]; then
        printf 'compiling\n' >&2
        RUSTFLAGS='-C target-feature=+crt-static -C relocation-model=static' \
            cargo build --release --locked --quiet --no-default-features --bin pxeberry \
            --target "$host" --target-dir "$repo/target/bench/cargo" --manifest-path "$repo/Cargo.toml"
    fi
    cargo build --release --locked --quiet --example load --manifest-path "$repo/Cargo.toml"
}

# borrow PACKAGE...: unpacks Debian packages into $packages, without installing them: some
# exclude each other, and all of them would be started.
borrow() {
    local package
    for package in "$@"; do
        [[ ! -d $packages/$package ]] || continue
        rm -rf "$packages/new" && mkdir -p "$packages/new"
        (cd "$packages/new" && apt-get download -q "$package" >"$work/step.log" 2>&1) ||
            die "cannot download $package: $(tail -n 1 "$work/step.log"); is apt-get update due?"
        dpkg-deb -x "$packages/new/$package"_*.deb "$packages/new/$package"
        mv "$packages/new/$package" "$packages/$package"
        rm -rf "$packages/new"
    done
}

# noise MIB FILE: what does not compress, the same each time.
noise() {
    [[ ! -f $2 || $(stat -c %s "$2") -ne $(($1 << 20)) ]] || return 0
    mkdir -p "$(dirname "$2")"
    openssl enc -aes-128-ctr -pass pass:bench -nosalt -pbkdf2 -iter 1 </dev/zero 2>/dev/null |
        head -c "$(($1 << 20))" >"$2" || true
    [[ $(stat -c %s "$2") -eq $(($1 << 20)) ]] || die "cannot make $2"
}

# make_network wire|cable [DELAY-IN-MICROSECONDS LOST-OF-1000]: srv0 here, and load0 in a
# namespace of its own, with a veth pair or with the cable of tests/bench/load between them.
make_network() {
    local who
    [[ -d $run ]] || {
        mount -t tmpfs tmpfs /run
        mount -t sysfs sysfs /sys
        mkdir -p "$run"
        ip link set lo up
        ip netns add load
    }
    if [[ $1 == wire ]]; then
        ip link add srv0 type veth peer name load0 netns load
    else
        "$load" cable srv0 load0 "$2" "$3" >"$run/cable" 2>&1 &
        cable=$!
        wait_for "grep -qs ready $run/cable" "the cable: $(cat "$run/cable" 2>/dev/null || true)"
        # A burst of TCP must not be lost in the cable itself.
        ip link set srv0 txqueuelen 10000
        ip link set load0 txqueuelen 10000
        ip link set load0 netns load
    fi
    for who in "${!address[@]}"; do
        ip address add "${address[$who]}/${network#*/}" dev srv0
    done
    ip link set srv0 up
    ip -n load address add "10.64.1.1/${network#*/}" dev load0
    ip -n load link set lo up
    ip -n load link set load0 up
    for who in "${clients[@]}"; do
        # Every one of them is this host's.
        ip -n load route replace local "$who" dev lo
    done
}

remove_network() {
    if [[ -n ${cable-} ]]; then
        kill "$cable"
        wait "$cable" || true
        cable=''
    else
        ip link delete srv0
    fi
}

# wait_for CONDITION WORDS: a command that is true within ten seconds; an emulator takes more.
wait_for() {
    local deadline=$((SECONDS + ${emulator:+50} + 10))
    until eval "$1"; do
        [[ $SECONDS -lt $deadline ]] || die "$2"
        sleep 0.02
    done
}

# Of each server that runs: its process group.
declare -A group=()

# start SERVER: ready when it listens.
start() {
    local who=$1 udp='' tcp=''
    set -m
    "start_${who//-/_}" >"$run/$who.log" 2>&1 &
    group[$who]=$!
    set +m
    case $who in
        pxeberry) tcp=8080 udp=69 ;;
        nginx | lighttpd) tcp=8080 ;;
        *) udp=69 ;;
    esac
    [[ -z $tcp ]] || wait_for "ss -Htln 'sport = :$tcp' | grep -Eq '${address[$who]}[%:]'" "$(log_of "$who")"
    [[ -z $udp ]] || wait_for "ss -Huln 'sport = :$udp' | grep -Eq '${address[$who]}[%:]'" "$(log_of "$who")"
}

log_of() {
    echo "$1 does not start: $(tail -n 3 "$run/$1.log" 2>/dev/null || true)"
}

stop() {
    kill -- "-${group[$1]}"
    wait "${group[$1]}" 2>/dev/null || true
    unset "group[$1]"
}

start_pxeberry() {
    mkdir -p "$run/state"
    cat >"$run/pxeberry.toml" <<CONF
mode = "server"
interface = "srv0"
media.path = "$work/media"
state.path = "$run/state"
control.socket = "$run/control.sock"
http.ports = [8080]
[server]
address = "${address[pxeberry]}/${network#*/}"
pool = "${pool[0]}-${pool[1]}"
# The machines are all one host, which has every address already.
probe = false
CONF
    exec ${emulator-} "$program" serve --config "$run/pxeberry.toml"
}

# As Debian configures it, but for the folders.
start_nginx() {
    cat >"$run/nginx.conf" <<CONF
user root;
worker_processes auto;
daemon off;
pid $run/nginx.pid;
error_log $run/nginx.error;
events { worker_connections 768; }
http {
    sendfile on;
    tcp_nopush on;
    default_type application/octet-stream;
    access_log $run/nginx.access;
    client_body_temp_path $run/nginx.1; proxy_temp_path $run/nginx.2;
    fastcgi_temp_path $run/nginx.3; uwsgi_temp_path $run/nginx.4; scgi_temp_path $run/nginx.5;
    server { listen ${address[nginx]}:8080; root $work/media/stick; }
}
CONF
    exec "$packages/nginx/usr/sbin/nginx" -c "$run/nginx.conf" -e "$run/nginx.error"
}

start_lighttpd() {
    cat >"$run/lighttpd.conf" <<CONF
server.bind = "${address[lighttpd]}"
server.port = 8080
server.document-root = "$work/media/stick"
server.errorlog = "$run/lighttpd.error"
server.max-fds = 4096
CONF
    exec "$packages/lighttpd/usr/sbin/lighttpd" -D -f "$run/lighttpd.conf" -m "$packages/lighttpd/usr/lib/lighttpd"
}

start_dnsmasq() {
    exec dnsmasq --keep-in-foreground --conf-file=/dev/null --port=0 --pid-file= --user=root \
        --group=root --bind-interfaces --listen-address="${address[dnsmasq]}" \
        --enable-tftp --tftp-root="$work/media/stick/tftp" --tftp-max=300 \
        --dhcp-leasefile="$run/dnsmasq.leases" --log-facility="$run/dnsmasq.log" \
        ${dnsmasq_dhcp[@]+"${dnsmasq_dhcp[@]}"}
}

start_tftpd_hpa() {
    exec "$packages/tftpd-hpa/usr/sbin/in.tftpd" --foreground --address "${address[tftpd-hpa]}:69" \
        --user root --secure "$work/media/stick/tftp"
}

start_atftpd() {
    exec "$packages/atftpd/usr/sbin/atftpd" --daemon --no-fork --user root.root --logfile - \
        --bind-address "${address[atftpd]}" --maxthread 300 "$work/media/stick/tftp"
}

# processor_time SERVER: seconds of all its processes, and of those that have ended.
processor_time() {
    # Some end while they are read.
    { sed 's/.*) //' /proc/[0-9]*/stat 2>/dev/null || true; } |
        awk -v group="${group[$1]}" -v hz="$(getconf CLK_TCK)" \
            '$3 == group { ticks += $12 + $13 + $14 + $15 } END { printf "%.2f", ticks / hz }'
}

# memory SERVER...: of all their processes together, MiB; what is shared counts once.
memory() {
    local who stat
    for who in "$@"; do
        { awk -v group="${group[$who]}" '{ sub(/.*\) /, "") } $3 == group { print FILENAME }' \
            /proc/[0-9]*/stat 2>/dev/null || true; } | while read -r stat; do
            grep '^Pss:' "${stat%stat}smaps_rollup" 2>/dev/null || true
        done
    done | awk '{ sum += $2 } END { printf "%.1f", sum / 1024 }'
}

# there COMMAND...: among the clients.
there() {
    ip netns exec load "$@"
}

# of WORD LINE: the value of a `name=value` in what tests/bench/load has printed.
of() {
    sed -E "s/.*\b$1=([^ ]+).*/\1/" <<<"$2"
}

declare -A results=()

# note WHO WHAT VALUE
note() {
    results["$1 $2"]+="$3"$'\n'
}

# median WHO WHAT: of what was noted.
median() {
    printf '%s' "${results["$1 $2"]-}" | sort -g |
        awk '{ v[NR] = $1 } END { print NR ? v[int((NR + 1) / 2)] : "-" }'
}

# ratio WHO OTHER WHAT: the median of the ratios of each round, which is what a machine that
# does other things meanwhile disturbs least.
ratio() {
    paste <(printf '%s' "${results["$1 $3"]-}") <(printf '%s' "${results["$2 $3"]-}") |
        awk 'NF == 2 && $2 > 0 { print $1 / $2 }' | sort -g |
        awk '{ v[NR] = $1 } END { print NR ? v[int((NR + 1) / 2)] : "-" }'
}

missed=''

# goal VALUE RELATION LIMIT WORDS...
goal() {
    local verdict
    verdict=$(awk -v value="$1" -v limit="$3" -v relation="$2" 'BEGIN {
        met = relation == "<=" ? value <= limit : value >= limit
        print (value == "-" ? "-" : met ? "yes" : "NO") }')
    [[ $verdict != NO ]] || missed=yes
    printf '%-4s %9.9s %2s %-6s %s\n' "$verdict" "$1" "$2" "$3" "${*:4}"
}

verdict() {
    [[ -z $missed ]] || die "a goal is missed"
}

# progress WORDS...
progress() {
    [[ ! -t 2 ]] || printf '\r\033[K' >&2
    printf '[%4d s] %s' "$SECONDS" "$*" >&2
    [[ -t 2 ]] || printf '\n' >&2
}

# The servers one round after the other: forwards, then backwards.
in_turn() {
    local round=$1
    shift
    if ((round % 2)); then printf '%s\n' "$@"; else printf '%s\n' "$@" | tac; fi
}
