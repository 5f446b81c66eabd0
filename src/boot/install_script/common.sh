
say() {
    echo "pxeberry: $*"
    # People look at the screen or the serial console, not into the journal.
    { echo "pxeberry: $*" >/dev/console; } 2>/dev/null
}

# fetch URL FILE
fetch() {
    if command -v wget >/dev/null 2>&1; then
        wget -q -O "$2" "$1"
    else
        curl -fsS -o "$2" "$1"
    fi
}

# A machine that is not heard is installed once more. A server that lost its power is back
# within these two minutes, and has read its sticks.
report() {
    for pause in 1 2 4 8 15 30 30 30 0; do
        fetch "$server/v1/event?token=$token&event=$1" /dev/null && return
        [ "$pause" != 4 ] || say "the server does not answer; asking it for two minutes"
        sleep "$pause"
    done
    false
}

stop() {
    say "$*"
    report failed
    exit 1
}

choose_disk() {
    if [ -z "$disk" ]; then
        disk=$(find_disk 2>/tmp/pxeberry-disk) ||
            stop "$(cat /tmp/pxeberry-disk), so nothing is installed"
    fi
    say "installing on $disk; everything on it is overwritten"
}

finish() {
    report installed || say "the server did not hear that this machine is installed"
    say "installed on $disk, rebooting"
    sync
    reboot
}

