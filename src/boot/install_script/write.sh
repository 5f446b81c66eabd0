[ -n "$image" ] || stop "the image is not for a processor like this, so nothing is installed"
name=${image##*/}
case $name in
    *.gz) unpack='gzip -dc' ;;
    *.xz) unpack='xz -dc' ;;
    *.zst) unpack='zstd -dc' ;;
    *.bz2) unpack='bzip2 -dc' ;;
    *) unpack=cat ;;
esac
for program in "${unpack%% *}" dd mkfifo sha256sum tee; do
    command -v "$program" >/dev/null 2>&1 ||
        stop "the system in memory has no $program, so nothing is installed"
done

work=/tmp/pxeberry-write
rm -rf "$work"
mkdir "$work" && mkfifo "$work/copy" || stop "cannot write to /tmp, so nothing is installed"

# Some lists have the name of the file behind its checksum, after a star, and some have none.
listed=''
if [ -n "$sums" ]; then
    fetch "$sums" "$work/list" || stop "cannot fetch ${sums##*/}, so nothing is installed"
    tr -d '\r' <"$work/list" >"$work/lines"
    while read -r sum file; do
        file=${file#\*}
        file=${file#./}
        if [ "${#sum}" -eq 64 ] && [ "${file:-$name}" = "$name" ]; then
            listed=$(echo "$sum" | tr 'A-F' 'a-f')
        fi
    done <"$work/lines"
fi

# What is half there, or something else, must not start.
spoilt() {
    dd if=/dev/zero of="$disk" bs=1048576 count=1 conv=notrunc,fsync 2>/dev/null
    stop "$*; the machine is tried again when it boots from the network"
}

choose_disk
[ -e "$disk" ] || stop "there is no $disk, so nothing is installed"
sha256sum <"$work/copy" >"$work/sum" &
summing=$!
# A pipe says nothing of how its first programs ended.
{ fetch "$image" - || : >"$work/cut-off"; } |
    tee "$work/copy" |
    { $unpack || : >"$work/damaged"; } |
    dd of="$disk" bs=1048576 iflag=fullblock conv=notrunc,fsync 2>"$work/dd" ||
    spoilt "writing to $disk failed: $(tail -n 1 "$work/dd")"
wait "$summing"
[ ! -e "$work/cut-off" ] || spoilt "$name was cut off on its way"
[ ! -e "$work/damaged" ] || spoilt "$name cannot be unpacked"
read -r sum _ <"$work/sum"
if [ -z "$listed" ]; then
    say "no list of checksums names $name; its SHA-256 is $sum"
elif [ "$sum" = "$listed" ]; then
    say "$name is what ${sums##*/} says"
else
    spoilt "$name came as something else than ${sums##*/} says: $sum"
fi
blockdev --rereadpt "$disk" 2>/dev/null || :
finish
