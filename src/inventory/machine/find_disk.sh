
# disk_fact NAME COLUMN FILE...: what lsblk knows of a disk (udev asked it), else the
# kernel; in one line, without blanks around it.
disk_fact() {
    disk_name=$1 disk_column=$2
    shift 2
    disk_told=
    if command -v lsblk >/dev/null 2>&1; then
        disk_told=$(lsblk -dno "$disk_column" "/dev/$disk_name" 2>/dev/null | head -n 1)
    fi
    for disk_file in "$@"; do
        [ -n "$disk_told" ] && break
        disk_told=$(head -n 1 "$disk_sys/block/$disk_name/$disk_file" 2>/dev/null)
    done
    echo "$disk_told" | sed 's/^[[:space:]]*//; s/[[:space:]]*$//'
}

disk_bus_of() {
    case $1 in
        nvme*) echo nvme && return ;;
        mmcblk*) echo mmc && return ;;
    esac
    # The way through the buses to the disk, as the kernel writes it.
    case $(cd -P "$disk_sys/block/$1" 2>/dev/null && pwd -P) in
        */usb[0-9]*) echo usb ;;
        */ata[0-9]*) echo sata ;;
        */end_device-*) echo sas ;;
        */virtio[0-9]*) echo virtio ;;
        *) echo scsi ;;
    esac
}

# Page 0x80 of SCSI: four bytes, then the serial number. lsblk without udev has none. The
# tr of BusyBox knows no [:graph:].
disk_page_80() {
    tail -c +5 "$disk_sys/block/$1/device/vpd_pg80" 2>/dev/null | tr -cd ' -~' |
        sed 's/^ *//; s/ *$//'
}

disk_look_at() {
    disk_serial=$(disk_fact "$1" SERIAL serial device/serial)
    [ -n "$disk_serial" ] || disk_serial=$(disk_page_80 "$1")
    disk_model=$(disk_fact "$1" MODEL device/model)
    disk_wwn=$(disk_fact "$1" WWN wwid device/wwid | tr '[:upper:]' '[:lower:]' |
        sed 's/^0x//; s/^naa\.//; s/^eui\.//')
    disk_bus=$(disk_bus_of "$1")
    # The kernel counts in 512 bytes, whatever the disk's own sectors are.
    disk_size=$(($(cat "$disk_sys/block/$1/size" 2>/dev/null || echo 0) * 512))
}

# Whole disks that can be written; none that only exist in memory, no partitions.
disk_is_one() {
    case $1 in
        loop* | ram* | zram* | sr* | fd* | dm-* | md* | nbd* | mtdblock* | mmcblk*boot* | mmcblk*rpmb)
            return 1
            ;;
    esac
    [ -e "$disk_sys/block/$1/device" ] &&
        [ "$(cat "$disk_sys/block/$1/hidden" 2>/dev/null)" != 1 ] &&
        [ "$(cat "$disk_sys/block/$1/ro" 2>/dev/null)" != 1 ]
}

find_disk() {
    disk_sys=${disk_sys:-/sys}
    disk_found='' disk_count=0 disk_seen=''
    for disk_path in "$disk_sys"/block/*; do
        disk_each=${disk_path##*/}
        disk_is_one "$disk_each" || continue
        disk_look_at "$disk_each"
        [ "$disk_size" -gt 0 ] || continue
        disk_seen="$disk_seen
  /dev/$disk_each: serial ${disk_serial:--}, WWN ${disk_wwn:--}, model ${disk_model:--}, bus $disk_bus, $((disk_size / 1000000000)) GB"
        if disk_fits; then
            disk_found="$disk_found /dev/$disk_each"
            disk_count=$((disk_count + 1))
        fi
    done
    if [ "$disk_count" = 1 ]; then
        echo "${disk_found# }"
        return 0
    fi
    if [ "$disk_count" = 0 ]; then
        echo "no disk fits the rule ($disk_rule); this machine has:${disk_seen:- none}" >&2
    else
        echo "$disk_count disks fit the rule ($disk_rule), it must be one:$disk_found; this machine has:$disk_seen" >&2
    fi
    return 1
}
