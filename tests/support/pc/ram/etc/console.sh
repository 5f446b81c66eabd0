# shellcheck shell=sh
# Sourced. Output goes to the first serial port, and to the kernel's console too
# when that is another device.

say() { echo "${SPEAKER:-stand-in}: $*"; }

speak_on_serial() {
    # Line buffered by nature: every message is one write.
    # The last one named is /dev/console.
    if [ "$(awk '{ print $NF }' /sys/class/tty/console/active)" = ttyS0 ]; then
        exec >/dev/ttyS0 2>&1 </dev/null
        return
    fi
    mkfifo /run/console
    tee /dev/ttyS0 </run/console >/dev/console 2>/dev/null &
    exec >/run/console 2>&1 </dev/null
}
