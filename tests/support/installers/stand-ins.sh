# shellcheck shell=bash disable=SC2154
# For tests/support/installers/build: an archive that is whole again where the one that can be
# reached lacks udebs. stand-ins.table says what each gets instead. Nobody has signed such an
# archive; the file unsigned beside it says what is in it.
#
# The script that sources this sets $here, $out and $mirror, and for the installer in .new its
# $kernel and $wanted, three words for each udeb: URL, file, checksum.

# For programs that have to be made anew. Made with an older libc, they run with a newer one.
compiler=aarch64-linux-gnu-gcc
development=(libparted-dev libparted2t64 libparted-fs-resize0t64
    libdebian-installer4-dev libdebian-installer4)

# stand_in SUITE VERSION CODENAME ARCH: completes .new.
stand_in() {
    suite=$1 installer=$2-$4 codename=$3 arch=$4
    names=() absent=() whole=() rows=() told=()
    local at
    reason=$missing
    [[ ${#wanted[@]} -gt 0 ]] || return 1
    rm -rf "$out"/.made "$out"/.lists
    mkdir -p "$out/.made" "$out/.new/pool/stand-ins"
    for ((at = 0; at < ${#wanted[@]}; at += 3)); do
        had_or_stood_in "${wanted[at + 1]}" "${wanted[at + 2]#SHA256:}" || return 1
    done
    list_anew || return 1
    rm -rf "$out"/.made "$out"/.lists
}

# had_or_stood_in FILE SUM: the udeb is there, or its stand-in, or it is among the absent.
had_or_stood_in() {
    local name made how version=-
    name=$(basename "$1")
    name=${name%%_*}
    names+=("$name")
    [[ ! -f $1 || $(sum_of "$1") != "$2" ]] || return 0
    rm -f "$1"
    # A kernel's udebs have its version in their names.
    read -ra how < <(awk -v of="$installer" -v name="${name%"-$kernel-di"}" \
        '$1 == of && $2 == name { $1 = $2 = ""; print }' "$here/stand-ins.table") || true
    if [[ ${#how[@]} -eq 0 ]]; then
        absent+=("$name")
        return 0
    fi
    say "$name: ${how[*]:0:2}"
    made=$out/.new/pool/stand-ins/$name.udeb
    "by_${how[0]}" "$name" "$made" || return 1
    rows+=("$name ${made#"$out/.new/"} $(sum_of "$made") $(stat -c %s "$made") $version")
    told+=("$name (${how[*]})")
}

# by_udeb NAME MADE
by_udeb() {
    other_packages "${how[1]}" "$arch" "${how[1]}" stable oldstable || return 1
    from_the_list "$1" "$2"
}

# by_older NAME MADE
by_older() {
    fetched "$mirror/${how[1]}" "$2" "SHA256:${how[2]}" || return 1
    version=$(dpkg-deb -f "$2" Version)
    unset 'how[2]'
}

# by_deb NAME MADE
by_deb() {
    local tree=$out/.made/tree package
    rm -rf "$tree"
    for package in "${how[@]:1}"; do downloaded "$package" "$tree" || return 1; done
    # The installer has rules of its own, and no manuals.
    (cd "$tree" && rm -rf usr/share etc/cron.d {,usr/}lib/{udev,systemd})
    packed "$1" "$2"
}

# by_modules NAME MADE
by_modules() {
    local tree=$out/.made/tree image=$out/.made/image module
    [[ -d $image ]] || downloaded "linux-image-$kernel" "$image" || return 1
    rm -rf "$tree"
    mkdir "$tree"
    for module in "${how[@]:1}"; do
        (cd "$image/usr" && find "lib/modules/$kernel" -name "$module.ko*" \
            -exec cp --parents -t "$tree" {} +)
        [[ -n $(find "$tree" -name "$module.ko*") ]] ||
            { fails "no $module in linux-image-$kernel"; return 1; }
    done
    packed "$1" "$2"
}

# by_port NAME MADE: amd64's, with its programs made for this processor.
by_port() {
    local tree=$out/.made/tree program
    other_packages "$codename" amd64 "$suite" || return 1
    from_the_list "$1" "$out/.made/amd64.udeb" || return 1
    rm -rf "$tree"
    dpkg-deb -R "$out/.made/amd64.udeb" "$tree"
    sed -i "s/^Architecture: amd64\$/Architecture: $arch/" "$tree/DEBIAN/control"
    while read -r program; do
        [[ $(head -c 4 "$program") != $'\x7fELF' ]] || made_anew "$program" || return 1
    done < <(find "$tree" -path "$tree/DEBIAN" -prune -o -type f -print)
    dpkg-deb --root-owner-group -Zxz -b "$tree" "$2" >/dev/null
}

# made_anew PROGRAM: from its source, which has the same version as the udeb.
made_anew() {
    local source=${how[1]:-} root=$out/.made/root package file sum
    [[ -n $source ]] || { fails "$1 is a program"; return 1; }
    command -v "$compiler" >/dev/null || die "needs $compiler: apt-get install gcc-aarch64-linux-gnu"
    if [[ ! -d $root ]]; then
        for package in "${development[@]}"; do downloaded "$package" "$root" || return 1; done
    fi
    if [[ ! -d $out/.made/$source ]]; then
        listed "$mirror/dists/$suite" "$list" main/source/Sources.xz || return 1
        read -r file sum < <(xz -dc "$list/main/source/Sources.xz" |
            awk -v source="$source" -v archive="${source}_$version.tar.xz" '
                /^Package: / { here = $2 == source }
                here && length($1) == 64 && $3 == archive { sum = $1 }
                here && /^Directory: / { folder = $2 }
                END { print folder "/" archive, sum }')
        fetched "$mirror/$file" "$out/.made/source.tar.xz" "SHA256:$sum" || return 1
        mkdir "$out/.made/$source"
        tar -C "$out/.made/$source" --strip-components=1 -xf "$out/.made/source.tar.xz"
    fi
    "$compiler" -Os -s -D_GNU_SOURCE -I"$root/usr/include" -I"$root/usr/include/aarch64-linux-gnu" \
        -o "$1" "$out/.made/$source/$(basename "$1").c" -L"$root/usr/lib/aarch64-linux-gnu" \
        -Wl,--as-needed -Wl,--allow-shlib-undefined -l:libparted.so.2 \
        -l:libparted-fs-resize.so.0 -l:libdebian-installer.so.4 ||
        { fails "$source does not compile"; return 1; }
}

# packed NAME MADE: the tree, as a udeb that needs nothing beside it.
packed() {
    local packages=$out/.deb/Packages
    mkdir -p "$out/.made/tree/DEBIAN"
    printf '%s: %s\n' Package "$1" Version "$(field_of "$packages" "$1" Version)" \
        Architecture "$arch" Maintainer nobody Section debian-installer \
        Provides "$(field_of "$packages" "$1" Provides)" Description "made of ${how[*]}" |
        sed '/^Provides: $/d' >"$out/.made/tree/DEBIAN/control"
    dpkg-deb --root-owner-group -Zxz -b "$out/.made/tree" "$2" >/dev/null
    whole+=("$1")
}

# downloaded PACKAGE TREE: one for installed systems, of the release that apt is told of.
downloaded() {
    rm -rf "$out/.made/deb"
    mkdir -p "$out/.made/deb"
    (cd "$out/.made/deb" && apt-get download -qq "$1" 2>/dev/null) || { fails "no $1"; return 1; }
    dpkg-deb -x "$out"/.made/deb/*.deb "$2"
}

# other_packages CODENAME ARCH SUITE...: $list, where another list of udebs is.
other_packages() {
    local name
    list=$out/.lists/$1-$2
    [[ ! -f $list/Packages ]] || return 0
    for name in "${@:3}"; do
        archive "$name" "$1" "$2" "$list" || continue
        xz -dc "$list/main/debian-installer/binary-$2/Packages.xz" >"$list/Packages"
        return 0
    done
    return 1
}

# from_the_list NAME FILE: a udeb, and its version.
from_the_list() {
    local file sum
    file=$(field_of "$list/Packages" "$1" Filename)
    sum=$(field_of "$list/Packages" "$1" SHA256)
    version=$(field_of "$list/Packages" "$1" Version)
    [[ -n $file ]] || { fails "no $1 in another list"; return 1; }
    fetched "$mirror/$file" "$2" "SHA256:$sum"
}

# field_of LIST NAME FIELD
field_of() {
    awk -v name="$2" -v field="$3:" \
        '/^Package: / { here = $2 == name } here && $1 == field { sub(/^[^ ]* /, ""); print; exit }' "$1"
}

sum_of() { sha256sum <"$1" | cut -d' ' -f1; }

# The list of udebs as they are now, and a Release that names it.
list_anew() {
    local dists=$out/.new/dists/$codename status=$out/.deb/var/lib/dpkg/status gone
    local packages=main/debian-installer/binary-$arch/Packages
    gone=$(awk -v kernel="$kernel" -v names="${names[*]}" -v absent="${absent[*]}" \
        -v whole="${whole[*]}" -f "$here/fields.awk" -f "$here/left-out.awk" \
        "$status" "$out/.deb/Packages") || return 1
    ! grep -qxE 'partman-(auto|base|ext3)' <<<"$gone" || { fails "$reason"; return 1; }
    gone=${gone//$'\n'/ }
    awk -v gone="$gone" -v rows="$(printf '%s\n' "${rows[@]}")" \
        -v whole="${whole[*]}" -f "$here/fields.awk" -f "$here/relisted.awk" \
        "$status" "$out/.deb/Packages" | xz -c >"$dists/$packages.xz"
    grep -E '^(Suite|Codename|Components|Architectures): ' "$dists/Release" >"$out/.deb/Release"
    printf 'Origin: a stand-in for Debian\nSHA256:\n %s %s %s.xz\n' \
        "$(sum_of "$dists/$packages.xz")" "$(stat -c %s "$dists/$packages.xz")" "$packages" \
        >>"$out/.deb/Release"
    cp "$out/.deb/Release" "$dists/InRelease"
    mv "$out/.deb/Release" "$dists/Release"
    rm "$dists/Release.gpg"
    printf '%s\n' "$reason" "instead: ${told[*]}" "left out: ${gone:-nothing}" >"$out/.new/unsigned"
}
