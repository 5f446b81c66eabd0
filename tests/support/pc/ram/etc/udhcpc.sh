#!/bin/sh
# shellcheck disable=SC2154 # set by udhcpc
# udhcpc's event script: put the address on the interface and say so.
. /etc/console.sh
case $1 in
deconfig) ip addr flush dev "$interface" ;;
bound | renew)
    ip addr flush dev "$interface"
    ip addr add "$ip/$mask" dev "$interface"
    for gateway in $router; do ip route add default via "$gateway" dev "$interface"; done
    : >/etc/resolv.conf
    for server in $dns; do echo "nameserver $server" >>/etc/resolv.conf; done
    say "address $ip ($interface, from $serverid)" >/dev/ttyS0
    ;;
leasefail) say "$interface: no DHCP answer yet" >/dev/ttyS0 ;;
esac
