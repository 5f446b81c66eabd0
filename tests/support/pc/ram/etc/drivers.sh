# shellcheck shell=sh
# Sourced. load_drivers NAME...: inserts the modules of the named drivers, those
# of PCI devices only when the machine has such a device (each costs time in an emulator).

# One read and shell patterns only: every process costs tens of milliseconds there.
wanted() {
    case $1,$PCI in
    virtio_*,*PCI_ID=1AF4:*) ;;
    e1000,*PCI_ID=8086:100[0-9A-F]*) ;;
    e1000e,*PCI_ID=8086:10D3*) ;;
    ahci,*PCI_CLASS=10601*) ;;
    ata_piix,*PCI_CLASS=101[0-9A-F]*) ;;
    sd_mod,*PCI_CLASS=10601* | sd_mod,*PCI_CLASS=101[0-9A-F]*) ;;
    ext4,*) ;;
    *) return 1 ;;
    esac
}

load_drivers() {
    PCI=$(cat /sys/bus/pci/devices/*/uevent)
    for driver in "$@"; do
        wanted "$driver" || continue
        while read -r module; do
            [ -e "/sys/module/${module%.ko}" ] || insmod "/lib/modules/$module"
        done <"/lib/modules/$driver.order"
    done
}
