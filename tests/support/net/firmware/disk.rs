//! Disks: with an operating system that is one line on the console, and with Debian's kernel.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use super::super::tools;
use super::{Board, DISK_RUNS, kernel, secure};

/// Makes the disk of a computer; what QEMU's `-drive` calls it.
pub fn make(board: Board, computer: &str) -> String {
    let disk = of(computer).display().to_string();
    let (name, machine, code): (_, _, &[u8]) = match board {
        Board::Bios => {
            fs::write(&disk, boot_sector()).unwrap();
            return format!("file={disk}");
        }
        Board::EfiX64 => ("BOOTX64.EFI", 0x8664, &X64),
        Board::EfiArm64 | Board::UBoot => ("BOOTAA64.EFI", 0xaa64, &ARM64),
    };
    fs::create_dir_all(format!("{disk}/EFI/BOOT")).unwrap();
    fs::write(format!("{disk}/EFI/BOOT/{name}"), application(machine, code)).unwrap();
    // QEMU makes a partition with a FAT file system of the folder.
    format!("file=fat:{disk},readonly=on")
}

/// What plays the disk of a computer.
pub fn of(computer: &str) -> PathBuf {
    PathBuf::from(format!("/run/{computer}.disk"))
}

/// The same for a disk with nothing on it.
pub fn empty(mib: u64, computer: &str) -> String {
    let disk = of(computer);
    fs::File::create(&disk).unwrap().set_len(mib << 20).unwrap();
    format!("file={}", disk.display())
}

/// The same for a disk with Debian's kernel: on a PC with a BIOS the one that an emulated
/// installation leaves, else a GRUB at the fallback path, which starts it.
pub fn system(board: Board, computer: &str) -> String {
    let disk = of(computer).display().to_string();
    if board == Board::Bios {
        unpack(&disk);
        return format!("file={disk}");
    }
    secure::copy_signed(board, "grub", &format!("{disk}/EFI/debian"));
    let (cpu, _) = secure::suffixes(board);
    fs::create_dir_all(format!("{disk}/EFI/BOOT")).unwrap();
    let loader = format!("{disk}/EFI/BOOT/BOOT{}.EFI", cpu.to_uppercase());
    fs::rename(format!("{disk}/EFI/debian/grub{cpu}.efi"), loader).unwrap();
    fs::copy(kernel::of(board), format!("{disk}/vmlinuz")).unwrap();
    let config = format!("linux /vmlinuz {} {FROM_DISK}\nboot\n", kernel::TALKATIVE);
    fs::write(format!("{disk}/EFI/debian/grub.cfg"), config).unwrap();
    format!("file=fat:{disk},readonly=on")
}

/// What the disk's system says when its kernel runs, and no other.
pub fn system_says(board: Board) -> &'static str {
    if board == Board::Bios { "installed system: I have no user_data" } else { FROM_DISK }
}

/// An argument that the kernel repeats.
const FROM_DISK: &str = "pxeberry.from=disk";

fn unpack(disk: &str) {
    tools::need("bzip2");
    let image = kernel::of(Board::Bios).with_file_name("coreos_production_image.bin.bz2");
    let mut bzip2 = Command::new("bzip2");
    bzip2.args(["-dc"]).arg(image).stdin(Stdio::null()).stdout(fs::File::create(disk).unwrap());
    assert!(bzip2.status().unwrap().success(), "no disk image");
}

/// A disk with a boot sector that writes to the first serial port, byte by byte.
fn boot_sector() -> Vec<u8> {
    const START: u16 = 0x7c00;
    const CODE: usize = 22;
    let text = (START + CODE as u16).to_le_bytes();
    let mut disk: Vec<u8> = [
        &[0x31, 0xc0, 0x8e, 0xd8][..],   // xor ax, ax; mov ds, ax
        &[0xfc, 0xba, 0xf8, 0x03],       // cld; mov dx, 0x3f8
        &[0xbe, text[0], text[1]],       // mov si, text
        &[0xac, 0x08, 0xc0, 0x74, 0x03], // next: lodsb; or al, al; jz end
        &[0xee, 0xeb, 0xf8],             // out dx, al; jmp next
        &[0xf4, 0xeb, 0xfd],             // end: hlt; jmp end
    ]
    .concat();
    assert_eq!(disk.len(), CODE);
    disk.extend(format!("\r\n{DISK_RUNS}\r\n\0").bytes());
    disk.resize(510, 0);
    disk.extend([0x55, 0xaa]);
    disk.resize(1024 * 1024, 0);
    disk
}

/// SystemTable->ConOut->OutputString(ConOut, text), for a text right behind this code.
const X64: [u8; 21] = [
    0x48, 0x83, 0xec, 0x28, // sub rsp, 40
    0x48, 0x8b, 0x4a, 0x40, // mov rcx, [rdx + 64]
    0x48, 0x8d, 0x15, 0x06, 0, 0, 0, // lea rdx, [rip + 6]
    0xff, 0x51, 0x08, // call [rcx + 8]
    0xf4, 0xeb, 0xfd, // end: hlt; jmp end
];

/// The same.
const ARM64: [u8; 24] = [
    0x20, 0x20, 0x40, 0xf9, // ldr x0, [x1, 64]
    0xa1, 0x00, 0x00, 0x10, // adr x1, text
    0x08, 0x04, 0x40, 0xf9, // ldr x8, [x0, 8]
    0x00, 0x01, 0x3f, 0xd6, // blr x8
    0x7f, 0x20, 0x03, 0xd5, // end: wfi
    0xff, 0xff, 0xff, 0x17, // b end
];

/// A UEFI application: a PE32+ file with one section, which is `code` and the text.
fn application(machine: u16, code: &[u8]) -> Vec<u8> {
    const HEADERS: u32 = 0x200;
    const ADDRESS: u32 = 0x1000;
    let text = format!("\r\n{DISK_RUNS}\r\n\0");
    let mut section = code.to_vec();
    section.extend(text.encode_utf16().flat_map(u16::to_le_bytes));
    section.resize(0x200, 0);
    let mut file = vec![0; HEADERS as usize + section.len()];
    let mut put = |at: usize, bytes: &[u8]| file[at..at + bytes.len()].copy_from_slice(bytes);
    put(0, b"MZ");
    put(0x3c, &0x40_u32.to_le_bytes());
    put(0x40, b"PE\0\0");
    put(0x44, &machine.to_le_bytes());
    put(0x46, &[1]); // sections
    put(0x54, &[240, 0, 0x22]); // size of the optional header; an executable
    const OPTIONAL: usize = 0x58;
    for (at, value) in [
        (0, 0x20b),             // PE32+
        (16, ADDRESS),          // entry point
        (20, ADDRESS),          // code
        (32, 0x1000),           // alignment in memory
        (36, 0x200),            // alignment in the file
        (56, ADDRESS + 0x1000), // size in memory
        (60, HEADERS),
        (68, 10),  // a UEFI application
        (108, 16), // directories, all of them empty
    ] {
        put(OPTIONAL + at, &value.to_le_bytes());
    }
    const SECTION: usize = OPTIONAL + 240;
    put(SECTION, b".text");
    for (at, value) in
        [(8, 0x200), (12, ADDRESS), (16, 0x200), (20, HEADERS), (36, 0x6000_0020_u32)]
    {
        put(SECTION + at, &value.to_le_bytes());
    }
    put(HEADERS as usize, &section);
    file
}
