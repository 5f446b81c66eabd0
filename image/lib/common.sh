# shellcheck shell=bash disable=SC2154
# Shared by image/build, image/run and image/flash: messages, steps, stamps.
# The script that sources this sets $repo and $work (target/image).

# Ends the script with one line that says what failed and what to do.
die() {
    printf '%s: %s\n' "image/$(basename "$0")" "$*" >&2
    exit 1
}

# say LINE: a line of its own below the current step.
say() {
    printf '  %s\n' "$*"
}

# step NAME INPUTS-HASH OUTPUT FUNCTION: runs FUNCTION unless OUTPUT exists and
# was made from the same inputs. Prints one line with the seconds it took.
step() {
    local name=$1 inputs=$2 output=$3 function=$4 begin
    local stamp="$work/stamps/$function"
    if [[ -e $output && -f $stamp && $(<"$stamp") == "$inputs" ]]; then
        printf '%-34s unchanged\n' "$name"
        return
    fi
    printf '%-34s ' "$name"
    begin=$(date +%s.%N)
    rm -f "$stamp"
    # A plain `function || …` would switch off errexit inside it.
    set +e
    (set -e; "$function") >"$work/step.log" 2>&1
    local status=$?
    set -e
    if [[ $status -ne 0 ]]; then
        printf 'failed\n'
        cat "$work/step.log" >&2
        exit 1
    fi
    mkdir -p "$work/stamps"
    printf '%s' "$inputs" >"$stamp"
    printf '%5.1f s' "$(seconds_since "$begin")"
    [[ -s $work/step.log ]] && printf '   %s' "$(tail -n 1 "$work/step.log")"
    printf '\n'
}

# Seconds since a `date +%s.%N`.
seconds_since() {
    awk -v begin="$1" -v now="$(date +%s.%N)" 'BEGIN { printf "%.1f", now - begin }'
}

# hash_of FILE-OR-FOLDER... [-- WORD...]: one checksum over contents and words.
hash_of() {
    local path
    {
        while [[ $# -gt 0 && $1 != -- ]]; do
            path=$1
            shift
            if [[ -d $path ]]; then
                find "$path" -type f -print0 | LC_ALL=C sort -z | xargs -0 -r sha256sum
            else
                sha256sum "$path"
            fi
        done
        printf '%s\n' "$@"
    } | sha256sum | cut -d' ' -f1
}

# need_tools TOOL=PACKAGE...: installs the Debian packages of the tools that the
# host lacks, with sudo when not root.
need_tools() {
    local pair missing=()
    for pair in "$@"; do
        PATH=$PATH:/usr/sbin:/sbin command -v "${pair%%=*}" >/dev/null || missing+=("${pair#*=}")
    done
    install_missing "${missing[@]}"
}

# need_packages PACKAGE...: the same for packages that are more than a tool.
need_packages() {
    local package missing=()
    for package in "$@"; do
        [[ $(dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null) == installed ]] || missing+=("$package")
    done
    install_missing "${missing[@]}"
}

install_missing() {
    [[ $# -eq 0 ]] && return
    local missing
    mapfile -t missing < <(printf '%s\n' "$@" | sort -u)
    command -v apt-get >/dev/null \
        || die "needs ${missing[*]}, and this host has no apt-get: install them by hand"
    echo "installing what this host lacks: ${missing[*]}"
    local as_root=()
    if [[ $(id -u) -ne 0 ]]; then
        command -v sudo >/dev/null || die "needs ${missing[*]}: as root, run: apt-get install ${missing[*]}"
        as_root=(sudo)
    fi
    if ! install_packages "${missing[@]}" >"$work/step.log" 2>&1; then
        tail -n 3 "$work/step.log" >&2
        die "could not install ${missing[*]}: as root, run: apt-get update && apt-get install ${missing[*]}"
    fi
}

install_packages() {
    DEBIAN_FRONTEND=noninteractive "${as_root[@]}" apt-get install -y -q --no-install-recommends "$@" && return
    # The host's package lists may be empty or old.
    "${as_root[@]}" apt-get update -q
    DEBIAN_FRONTEND=noninteractive "${as_root[@]}" apt-get install -y -q --no-install-recommends "$@"
}
