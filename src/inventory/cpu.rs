//! Processors and firmware, as far as a choice of files depends on them. Pure.

use serde::Deserialize;

/// A processor that an image is made for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize, serde::Serialize)]
pub enum Cpu {
    /// 32-bit x86; 64-bit machines with a BIOS run it, too.
    #[serde(rename = "x86")]
    X86,
    /// 64-bit x86.
    #[serde(rename = "x86_64")]
    X86_64,
    /// 64-bit ARM.
    #[serde(rename = "arm64")]
    Arm64,
    /// One that no machine here has: such images are known, and never given.
    #[serde(rename = "other")]
    Other,
}

/// What publishers write for them in names of files and folders. Longer ones before their
/// own beginnings, so that `x86_64` is not read as `x86`.
pub const SPELLINGS: [(&str, Cpu); 16] = [
    ("x86_64", Cpu::X86_64),
    ("x86-64", Cpu::X86_64),
    ("amd64", Cpu::X86_64),
    ("x64", Cpu::X86_64),
    ("aarch64", Cpu::Arm64),
    ("arm64", Cpu::Arm64),
    ("aa64", Cpu::Arm64),
    ("i386", Cpu::X86),
    ("i586", Cpu::X86),
    ("i686", Cpu::X86),
    ("x86", Cpu::X86),
    ("armhf", Cpu::Other),
    ("armv7", Cpu::Other),
    ("ppc64le", Cpu::Other),
    ("s390x", Cpu::Other),
    ("riscv64", Cpu::Other),
];

impl Cpu {
    /// The processor that a publisher calls so, in any case.
    pub fn named(name: &str) -> Option<Cpu> {
        let found = SPELLINGS.iter().find(|(spelling, _)| spelling.eq_ignore_ascii_case(name));
        found.map(|(_, cpu)| *cpu)
    }

    /// For people.
    pub fn title(self) -> &'static str {
        match self {
            Cpu::X86 => "32-bit x86",
            Cpu::X86_64 => "64-bit x86",
            Cpu::Arm64 => "64-bit ARM",
            Cpu::Other => "another kind of processor",
        }
    }
}

/// The firmware of a machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Firmware {
    /// A PC's BIOS.
    Bios,
    /// UEFI.
    Uefi,
}

/// The program that starts an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Loader {
    /// iPXE.
    Ipxe,
    /// PXELINUX, and U-Boot, which reads its configuration.
    Pxelinux,
    /// GRUB.
    Grub,
}
