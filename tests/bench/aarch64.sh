# shellcheck shell=bash disable=SC2154,SC2034
# Sourced by tests/bench/http: the instructions that the aarch64 program takes for a MiB, a
# figure that does not depend on the machine. Debian's qemu-user has no plugins. It lists the
# instructions of a block as it translates it, and writes a line whenever the block is run. (One
# instruction at a time takes so long that the server gives its stick up.)

# The program as it is in the image; image/build leaves it there.
aarch64=$repo/target/image/pxeberry

# QEMU before 9.1 does not know openat2(2), which opens every file of a stick.
find_emulator() {
    local version
    version=$(qemu-aarch64 --version 2>/dev/null | sed -nE '1s/.*version ([0-9]+\.[0-9]+).*/\1/p')
    if [[ -n $version && $(printf '%s\n' 9.1 "$version" | sort -V | head -n 1) == 9.1 ]]; then
        ln -sfn "$(command -v qemu-aarch64)" "$packages/qemu-aarch64"
    elif [[ ! -x $packages/qemu-aarch64 ]]; then
        progress "Debian 13's qemu-user, 70 MB"
        borrow_from trixie qemu-user
        ln -sfn "$packages/qemu-user/usr/bin/qemu-aarch64" "$packages/qemu-aarch64"
    fi
}

# borrow_from SUITE PACKAGE: by an apt of its own, which checks Debian's signatures.
borrow_from() {
    local apt=$packages/apt-$1 keys=/usr/share/keyrings/debian-archive-keyring.gpg
    mkdir -p "$apt"/{lists/partial,cache/archives/partial}
    touch "$apt/status"
    echo "deb [signed-by=$keys] http://deb.debian.org/debian $1 main" >"$apt/sources.list"
    cat >"$apt/apt.conf" <<CONF
Dir::State::Lists "$apt/lists";
Dir::State::status "$apt/status";
Dir::Cache "$apt/cache";
Dir::Etc::SourceList "$apt/sources.list";
Dir::Etc::SourceParts "/dev/null";
APT::Sandbox::User "root";
Acquire::Languages "none";
CONF
    APT_CONFIG=$apt/apt.conf apt-get update -qq >"$work/step.log" 2>&1 ||
        die "cannot read Debian's $1: $(tail -n 1 "$work/step.log")"
    APT_CONFIG=$apt/apt.conf borrow "$2"
}

# instructions PATH: for a MiB of a file of 256 MiB. What starting and idling takes is left out; it
# is never twice the same, so so much is sent. How often the server has to wait for its client is
# not the same either: single counts are between 850 and 1,500.
instructions() {
    local few many
    few=$(count_instructions "$1" 1)
    many=$(count_instructions "$1" 256)
    echo $(((many - few) / 255))
}

# count_instructions PATH MIB: of a server that sends so much.
count_instructions() {
    local url=http://${address[pxeberry]}:8080$1 counter
    rm -f "$run/trace" && mkfifo "$run/trace"
    awk "$sum_of_blocks" "$run/trace" >"$run/count" &
    counter=$!
    emulator="$packages/qemu-aarch64 -d in_asm,exec,nochain -D $run/trace"
    program=$aarch64 start pxeberry
    wait_for "there curl -sf -r 0-0 -o /dev/null $url" "the aarch64 program reads no stick"
    there curl -sf -r "0-$((($2 << 20) - 1))" -o /dev/null "$url" || die "the aarch64 program sends no file"
    stop pxeberry
    emulator=''
    wait "$counter"
    cat "$run/count"
}

# Another thread's block may be run between a list and the first run of the block that it lists,
# so a list is known by its first address.
sum_of_blocks='
    /^IN:/ { first = ""; next }
    /^0x/ { if (first == "") { first = substr($1, 3, 8); length_of[first] = 0 } length_of[first]++; next }
    /^Trace/ { split($4, part, "/"); sum += length_of[substr(part[2], 9)] }
    END { printf "%.0f\n", sum }'
