//! Firmware with Secure Boot on, and what is signed for it.

use std::fs;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};

use super::super::tools;
use super::{Board, DISK_RUNS};

/// Debian's EDK2 with Microsoft's keys, its variables (a file that the firmware writes), and
/// more memory: shim, GRUB and a kernel are in it at once.
pub fn firmware(board: Board, name: &str) -> Vec<String> {
    let written = format!("/run/{name}.variables");
    let (code, variables, package, more): (_, _, _, &[&str]) = match board {
        Board::Bios | Board::UBoot => panic!("{board:?} has no Secure Boot"),
        Board::EfiX64 => (
            "/usr/share/OVMF/OVMF_CODE_4M.ms.fd",
            "/usr/share/OVMF/OVMF_VARS_4M.ms.fd",
            "ovmf",
            // Only code in system management mode may change the variables.
            &["-M", "smm=on", "-global", "driver=cfi.pflash01,property=secure,value=on"],
        ),
        Board::EfiArm64 => (
            "/usr/share/AAVMF/AAVMF_CODE.ms.fd",
            "/usr/share/AAVMF/AAVMF_VARS.ms.fd",
            "qemu-efi-aarch64",
            &[],
        ),
    };
    tools::need_loader(code, package);
    tools::need_loader(variables, package);
    fs::copy(variables, &written).unwrap();
    let flash = [
        format!("if=pflash,format=raw,unit=0,readonly=on,file={code}"),
        format!("if=pflash,format=raw,unit=1,file={written}"),
    ];
    let more = more.iter().chain(&["-m", "1024"]).map(|word| (*word).to_owned());
    let flash = flash.into_iter().flat_map(|drive| ["-drive".to_owned(), drive]);
    more.chain(flash).collect()
}

/// A disk as Debian's installer leaves it: firmware finds nothing on it by itself.
pub fn disk(board: Board, name: &str) -> String {
    let root = format!("/run/{name}.disk");
    let folder = format!("{root}/EFI/debian");
    copy_signed(board, "grub", &folder);
    // This GRUB has the folder built in.
    fs::write(format!("{folder}/grub.cfg"), format!("echo '{DISK_RUNS}'\nsleep 600\n")).unwrap();
    format!("file=fat:{root},readonly=on")
}

/// The line of pxeberry.toml that serves the signed loaders of the card image, and its iPXE
/// for x64.
pub fn loaders() -> String {
    const FOLDER: &str = "/run/loaders";
    for board in [Board::EfiX64, Board::EfiArm64] {
        copy_signed(board, "grubnet", FOLDER);
    }
    fs::copy(unpacked("ipxe/snponly.efi"), format!("{FOLDER}/snponly.efi")).unwrap();
    format!("boot.loaders = {FOLDER:?}")
}

/// Debian's shim and one of its GRUBs, by the names that firmware and shim know.
pub(super) fn copy_signed(board: Board, grub: &str, folder: &str) {
    let (cpu, arch) = suffixes(board);
    fs::create_dir_all(folder).unwrap();
    for (from, name) in [
        (format!("shim/shim{cpu}.efi.signed"), format!("shim{cpu}.efi")),
        (format!("grub/{arch}-efi-signed/{grub}{cpu}.efi.signed"), format!("grub{cpu}.efi")),
    ] {
        fs::copy(unpacked(&from), format!("{folder}/{name}")).unwrap();
    }
}

pub(super) fn suffixes(board: Board) -> (&'static str, &'static str) {
    if board == Board::EfiArm64 { ("aa64", "arm64") } else { ("x64", "x86_64") }
}

/// A file of the packages that the card image is made of.
#[track_caller]
fn unpacked(path: &str) -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/image/root/usr/lib");
    let file = root.join(path);
    assert!(file.exists(), "{} is missing: run image/build", file.display());
    file
}

/// What a kernel says that was started with Secure Boot on.
pub const KERNEL_KNOWS: &str = "Secure boot enabled";

/// What shim and then GRUB ask after EDK2 was given a URL.
pub fn by_url(cpu: &str) -> Vec<String> {
    let grub = if cpu == "x64" { "x86_64-efi" } else { "arm64-efi" };
    let mut questions = vec![
        format!("HEAD /boot/shim{cpu}.efi"),
        format!("GET /boot/shim{cpu}.efi"),
        "GET /boot/revocations_sku.efi".to_owned(),
        "GET /boot/revocations_sbat.efi".to_owned(),
        "GET /boot/shim_certificate_0.efi".to_owned(),
        format!("GET /boot//grub{cpu}.efi"),
    ];
    let lists = ["command.lst", "fs.lst", "crypto.lst", "terminal.lst"];
    questions.extend(lists.map(|list| format!("HEAD /grub/{grub}/{list}")));
    questions.extend(["HEAD", "GET"].map(|method| format!("{method} /grub/grub.cfg")));
    questions
}

/// What EDK2, shim and then GRUB ask, from power on to GRUB's configuration, while `server`
/// gives the addresses. shim and GRUB look for more than they need.
pub fn questions(arch: u8, cpu: &str, server: Ipv4Addr) -> Vec<String> {
    let grub = if cpu == "x64" { "x86_64-efi" } else { "arm64-efi" };
    let lists = ["command.lst", "fs.lst", "crypto.lst", "terminal.lst"];
    let tftp = |name: &str| format!("TFTP {name}");
    let shim = tftp(&format!("shim{cpu}.efi"));
    let mut questions = vec![
        format!("DISCOVER by firmware {arch}"),
        format!("REQUEST to {server} by firmware {arch}"),
        shim.clone(),
        shim,
    ];
    questions.extend(["sku", "sbat"].map(|kind| tftp(&format!("revocations_{kind}.efi"))));
    questions.push(tftp("shim_certificate_0.efi"));
    questions.push(tftp(&format!("grub{cpu}.efi")));
    questions.extend(lists.map(|list| tftp(&format!("/grub/{grub}/{list}"))));
    questions.push(tftp("/grub/grub.cfg"));
    questions
}

/// A file that `tests/support/pc/build target/pc` made: its kernel is Debian's, signed.
#[track_caller]
pub fn of_the_pc(name: &str) -> Vec<u8> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/pc").join(name);
    assert!(file.exists(), "{} is missing: run tests/support/pc/build target/pc", file.display());
    fs::read(file).unwrap()
}
