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

choose_disk
# The files for both processors have the same names.
files=$server
[ "$(uname -m)" != aarch64 ] || files=$server/arm64
"$installer" -d "$disk" "$option" "$config" -b "$files" ||
    stop "$installer failed; the machine is tried again when it boots from the network"

finish
