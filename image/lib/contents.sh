# shellcheck shell=bash disable=SC2154
# What goes into the image: the steps of image/build that put files together.

# Unpacks the packages beside each other; their maintainer scripts never run.
unpack_packages() {
    local file
    rm -rf "$unpacked"
    mkdir -p "$work/root.new/usr/lib"
    # Where depmod looks for modules depends on its version.
    ln -s usr/lib "$work/root.new/lib"
    package_files image | while read -r file; do
        dpkg-deb -x "$file" "$work/root.new"
    done
    mv "$work/root.new" "$unpacked"
    depmod -b "$unpacked" "$(kernel_release)"
    grep -qx 'CONFIG_RD_ZSTD=y' "$unpacked/lib/modules/$(kernel_release)/config" \
        || die "this kernel cannot unpack a zstd initramfs: choose another one in image/packages.toml"
    printf 'Linux %s\n' "$(kernel_release)"
}

kernel_release() {
    local folders=("$unpacked"/lib/modules/*/)
    basename "${folders[0]}"
}

version() {
    sed -n 's/^version = "\(.*\)"/\1/p;T;q' "$repo/Cargo.toml" 2>/dev/null || echo 0
}

choose_modules() {
    python3 "$repo/image/lib/modules.py" "$unpacked" "$release" "$repo/board" "$repo/image/modules.toml" \
        "$work/modules"
    mv "$work/modules/report.json" "$work/modules.json"
}

pack_initramfs() {
    local tree="$work/tree" modules size
    rm -rf "$tree"
    modules="$tree/lib/modules/$release"
    mkdir -p "$tree"/{proc,sys,dev,run,tmp,media,state,boot,etc} "$modules" "$tree/usr/share/pxeberry/loaders"
    install -m 0755 "$work/pxeberry" "$tree/init"
    install -m 0644 "$work/modules/"*.ko "$modules"
    install -m 0644 "$work/modules/load-order" "$tree/lib/modules/load-order"
    copy_loaders "$tree/usr/share/pxeberry/loaders"
    printf 'version = "%s"\nbuilt = %s\nkernel = "%s"\n' "$(version)" "$SOURCE_DATE_EPOCH" "$release" \
        >"$tree/etc/pxeberry-release"
    python3 "$repo/image/lib/initramfs.py" "$tree" "$work/initrd.cpio" "$SOURCE_DATE_EPOCH"
    # One thread: more would cut the input differently, and give other bytes.
    zstd -q -19 --single-thread -f "$work/initrd.cpio" -o "$work/initrd.img.new"
    mv "$work/initrd.img.new" "$work/initrd.img"
    rm -rf "$tree" "$work/initrd.cpio"
    size=$(stat -c %s "$work/initrd.img")
    printf '%d kB\n' "$((size / 1000))"
}

# What the machines that network-boot are given first.
copy_loaders() {
    local usr="$unpacked/usr/lib"
    install -m 0644 "$usr/PXELINUX/pxelinux.0" "$usr/ipxe/undionly.kpxe" "$usr/ipxe/ipxe.pxe" "$usr/ipxe/snponly.efi" \
        "$usr/ipxe/ipxe-amd64.efi" "$usr/ipxe/ipxe-arm64.efi" \
        "$usr"/syslinux/modules/bios/{ldlinux,chain,libcom32,libutil}.c32 "$1"
    # SYSLINUX for UEFI has modules of the same names.
    install -d "$1/efi64"
    install -m 0644 "$usr/SYSLINUX.EFI/efi64/syslinux.efi" \
        "$usr"/syslinux/modules/efi64/{ldlinux.e64,libcom32.c32,libutil.c32} "$1/efi64"
    install -m 0644 "$unpacked/boot/memtest86+x64.bin" "$1/memtest86plus.bin"
    install -m 0644 "$unpacked/boot/memtest86+x64.efi" "$1/memtest86plus.efi"
    # shim asks for GRUB by this name, in its own folder.
    install -m 0644 "$usr/shim/shimx64.efi.signed" "$1/shimx64.efi"
    install -m 0644 "$usr/shim/shimaa64.efi.signed" "$1/shimaa64.efi"
    install -m 0644 "$usr/grub/x86_64-efi-signed/grubnetx64.efi.signed" "$1/grubx64.efi"
    install -m 0644 "$usr/grub/arm64-efi-signed/grubnetaa64.efi.signed" "$1/grubaa64.efi"
}

make_card() {
    make_boot_partition
    make_state_partition
    python3 "$repo/image/lib/card.py" join "$work/boot.fat" "$work/state.ext4" "$work/pxeberry.img"
    rm -f "$work/boot.fat" "$work/state.ext4"
    printf 'kernel %s\n' "$release"
}

make_boot_partition() {
    local files="$work/boot"
    rm -rf "$files" "$work/boot.fat"
    mkdir -p "$files"
    install -m 0644 "$unpacked/lib/modules/$release/vmlinuz" "$work/initrd.img" "$files"
    copy_board_files "$files"
    install -m 0644 "$repo/board/config.txt" "$repo/board/cmdline.txt" "$files"
    # Read and edited on Windows as well.
    sed 's/$/\r/' "$repo/board/pxeberry.toml" >"$files/pxeberry.toml"
    sed 's/$/\r/' "$repo/board/README.txt" >"$files/README.txt"
    install -m 0644 "$unpacked/usr/share/doc/raspi-firmware/copyright" "$files/LICENCE.broadcom"
    python3 -c 'import json, sys
for p in json.load(open(sys.argv[1]))["packages"]:
    print(p["name"], p["version"], p["arch"], p["sha256"], end="\r\n")' "$work/packages/image.json" >"$files/PACKAGES.txt"
    find "$files" -exec touch -d "@$SOURCE_DATE_EPOCH" {} +

    truncate -s 188M "$work/boot.fat"
    # 2 KiB clusters: small enough that the partition is FAT32 by its cluster count.
    mkfs.vfat --invariant -F 32 -s 4 -S 512 -R 32 -g 255/63 -h 8192 -i 70786562 -n PXEBERRY "$work/boot.fat"
    MTOOLSRC=/dev/null mcopy -i "$work/boot.fat" -m -Q "$files"/* ::
    fsck.vfat -n "$work/boot.fat"
    rm -rf "$files"
}

# The firmware and the device trees that board/*.toml ask for.
copy_board_files() {
    local key file folder
    python3 - "$repo"/board/*.toml <<'PYTHON' | sort -u | while read -r key file; do
import sys, tomllib
for path in sys.argv[1:]:
    with open(path, "rb") as source:
        board = tomllib.load(source)
    for key in ("firmware", "dtb"):
        for name in board.get(key, []):
            print(key, name)
PYTHON
        folder="$unpacked/usr/lib/raspi-firmware"
        [[ $key == dtb ]] && folder="$unpacked/usr/lib/linux-image-$release/broadcom"
        install -m 0644 "$folder/$file" "$1"
    done
}

make_state_partition() {
    rm -f "$work/state.ext4"
    truncate -s 64M "$work/state.ext4"
    # Features by name and no configuration file: every release of mke2fs has other defaults.
    MKE2FS_CONFIG=/dev/null E2FSPROGS_FAKE_TIME=$SOURCE_DATE_EPOCH mke2fs -q -F -t ext4 -b 4096 -I 256 -m 0 \
        -O none,has_journal,ext_attr,dir_index,filetype,extent,flex_bg,sparse_super,large_file,huge_file,dir_nlink,extra_isize,metadata_csum,64bit \
        -J size=4 -L pxeberry-state -U 70786562-6572-4279-8000-000000000001 \
        -E hash_seed=70786562-6572-4279-8000-000000000002,lazy_itable_init=0,lazy_journal_init=0,root_owner=0:0,nodiscard \
        "$work/state.ext4"
    E2FSPROGS_FAKE_TIME=$SOURCE_DATE_EPOCH e2fsck -fn "$work/state.ext4" >/dev/null
}
