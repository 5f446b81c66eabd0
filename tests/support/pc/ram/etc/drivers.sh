# shellcheck shell=sh
# Sourced. load_drivers NAME...: inserts the modules of the named drivers, those
# of PCI devices only when the machine has such a device (each costs time in an emulator).

pci_has() { cat /sys/bus/pci/devices/*/uevent 2>/dev/null | grep -qE "$1"; }

wanted() {
    case $1 in
    virtio_*) pci_has 'PCI_ID=1AF4:' ;;
    e1000) pci_has 'PCI_ID=8086:100[0-9A-F]' ;;
    e1000e) pci_has 'PCI_ID=8086:10D3' ;;
    ahci) pci_has 'PCI_CLASS=10601' ;;
    ata_piix) pci_has 'PCI_CLASS=101' ;;
    sd_mod) pci_has 'PCI_CLASS=10[16]' ;;
    esac
}

load_drivers() {
    for driver in "$@"; do
        wanted "$driver" || continue
        while read -r module; do
            [ -e "/sys/module/${module%.ko}" ] || insmod "/lib/modules/$module"
        done <"/lib/modules/$driver.order"
    done
}
