
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

# A machine that is not heard is installed once more.
report() {
    for pause in 1 2 4 8 15 0; do
        fetch "$server/v1/event?token=$token&event=$1" /dev/null && return
        sleep "$pause"
    done
    false
}

stop() {
    say "$*"
    report failed
    exit 1
}

# The loader names the card it booted from in BOOTIF=01-aa-bb-…; without it, the card
# that leads to the server.
boot_mac() {
    for word in $(cat /proc/cmdline); do
        case $word in
            BOOTIF=??-??-??-??-??-??-??)
                echo "${word#BOOTIF=??-}" | tr 'A-F-' 'a-f:'
                return
                ;;
        esac
    done
    card=$(ip -o route get "$address" 2>/dev/null | sed -n 's/.* dev \([^ ]*\).*/\1/p')
    [ -n "$card" ] && cat "/sys/class/net/$card/address"
}

mac=$(boot_mac)
[ -n "$mac" ] || stop "cannot tell from which network card this machine booted"

config=/tmp/pxeberry-$mac.$ending
say "fetching the configuration of $mac"
fetch "$server/$folder/$mac.$ending" "$config" ||
    stop "the stick has no usable $folder/$mac.$ending, so nothing is installed"
[ -s "$config" ] || stop "$folder/$mac.$ending is empty, so nothing is installed"

if [ -z "$disk" ]; then
    disk=$(find_disk 2>/tmp/pxeberry-disk) || stop "$(cat /tmp/pxeberry-disk), so nothing is installed"
fi
say "installing on $disk; everything on it is overwritten"
# The files for both processors have the same names.
files=$server
[ "$(uname -m)" != aarch64 ] || files=$server/arm64
"$installer" -d "$disk" "$option" "$config" -b "$files" ||
    stop "$installer failed; the machine is tried again when it boots from the network"

report installed || say "the server did not hear that this machine is installed"
say "installed on $disk, rebooting"
sync
reboot
