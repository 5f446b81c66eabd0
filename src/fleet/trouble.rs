//! Why a boot stopped, and one sentence of what to check. Pure.

use super::stage::Stage;
use crate::boot::arch::Platform;

/// Why a boot stopped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trouble {
    /// It was sent this loader whole, and its firmware came again.
    LoaderRefused(String),
    /// It was sent this loader whole, and nothing followed.
    LoaderSilent(String),
    /// It needs a file that is not there, behind this step.
    Missing(String, Stage),
    /// There is no configuration for it in this folder of the stick.
    NoConfig(&'static str),
    /// Kernel and initial RAM disks do not fit into its memory.
    Memory {
        /// Where it noticed.
        stage: Stage,
        /// What the machine has, in MiB, as far as it says.
        has: Option<u32>,
        /// What the image is said to need, in MiB.
        needs: Option<u32>,
    },
    /// Its iPXE cannot start this file: another processor's, or no kernel at all.
    WrongKind(Stage),
    /// Its iPXE could not do it for another reason, which it gives as a number.
    Other(Stage, u32),
}

/// What a machine's iPXE reports of a step that failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Failure {
    /// The step.
    pub step: Step,
    /// iPXE's error number.
    pub error: u32,
    /// The machine's memory in MiB, if it says.
    pub has: Option<u32>,
    /// What its image is said to need, in MiB.
    pub needs: Option<u32>,
}

/// The steps of our iPXE script that can fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Taking the kernel.
    Kernel,
    /// Taking an initial RAM disk.
    Initrd,
    /// Starting the kernel.
    Start,
}

impl Step {
    /// By its name in the script.
    pub fn named(name: &str) -> Option<Step> {
        match name {
            "kernel" => Some(Step::Kernel),
            "initrd" => Some(Step::Initrd),
            "start" => Some(Step::Start),
            _ => None,
        }
    }

    /// What is shown as reached when it fails.
    fn stage(self) -> Stage {
        match self {
            Step::Kernel => Stage::Kernel,
            Step::Initrd | Step::Start => Stage::Initrd,
        }
    }
}

impl Failure {
    /// Whether iPXE says that a file is not there.
    pub fn is_missing(&self) -> bool {
        posix(self.error) == ENOENT
    }

    /// What it means.
    pub fn trouble(&self) -> Trouble {
        let Failure { error, has, needs, .. } = *self;
        let stage = self.step.stage();
        match posix(error) {
            ENOSPC | ENOMEM => Trouble::Memory { stage, has, needs },
            ENOEXEC => Trouble::WrongKind(stage),
            _ => Trouble::Other(stage, error),
        }
    }
}

/// iPXE's numbers carry a POSIX error in their first byte; it counts them by the alphabet.
fn posix(error: u32) -> u8 {
    error.to_be_bytes()[0]
}

const ECONNREFUSED: u8 = 0x0e;
const ECONNRESET: u8 = 0x0f;
const EHOSTUNREACH: u8 = 0x17;
const EIO: u8 = 0x1d;
const ENETUNREACH: u8 = 0x28;
const ENOENT: u8 = 0x2d;
const ENOEXEC: u8 = 0x2e;
const ENOMEM: u8 = 0x31;
const ENOSPC: u8 = 0x34;
const ETIMEDOUT: u8 = 0x4c;

/// Names come from clients; nobody reads more of one.
const LONGEST_NAME: usize = 80;

impl Trouble {
    /// A file that is not there, wanted by a machine that came so far.
    pub(super) fn missing(name: &str, stage: Stage) -> Trouble {
        Trouble::Missing(name.chars().take(LONGEST_NAME).collect(), stage)
    }

    /// The last step that was reached; a later one ends the trouble.
    pub fn stage(&self) -> Stage {
        match *self {
            Trouble::LoaderRefused(_) | Trouble::LoaderSilent(_) => Stage::LoaderSent,
            Trouble::NoConfig(_) => Stage::Config,
            Trouble::Missing(_, stage)
            | Trouble::Memory { stage, .. }
            | Trouble::WrongKind(stage)
            | Trouble::Other(stage, _) => stage,
        }
    }

    /// What happened and what to check, behind the machine's name.
    pub fn words(&self, platform: Platform) -> String {
        match self {
            Trouble::LoaderRefused(loader) => {
                let check = check_loader(loader, platform);
                format!("was sent {loader} whole, and started anew without running it: {check}")
            }
            Trouble::LoaderSilent(loader) => {
                let check = check_loader(loader, platform);
                format!("was sent {loader} whole, and is silent since: {check}")
            }
            Trouble::Missing(name, _) => format!(
                "needs {name}, which is not there: look at what `pxeberry check` says of the stick"
            ),
            Trouble::NoConfig(folder) => format!(
                "has no configuration: the stick needs one in {folder}/, called after its MAC, its \
                 name, or default"
            ),
            Trouble::Memory { has, needs, .. } => memory_words(*has, *needs),
            Trouble::WrongKind(_) => format!(
                "cannot start the kernel that it got: is the image made for {}?{}",
                kind(platform),
                match platform {
                    Platform::Efi64 | Platform::EfiArm64 => " Or does Secure Boot refuse it?",
                    _ => "",
                }
            ),
            Trouble::Other(stage, error) => {
                let what = match stage {
                    Stage::Kernel => "take its kernel",
                    _ => "take its initial RAM disk or start it",
                };
                let check = check_download(*error);
                format!("could not {what} (iPXE's error {error:08x}): {check}")
            }
        }
    }
}

fn check_loader(loader: &str, platform: Platform) -> &'static str {
    match platform {
        _ if loader.starts_with("shim") || loader.starts_with("grub") => {
            "does its Secure Boot trust Microsoft's UEFI CA for third parties? Its setup has a \
             switch for that"
        }
        Platform::Efi64 | Platform::EfiArm64 => {
            "if its Secure Boot is on, say loader = \"shim\" in machines.toml, or switch it off \
             in its setup; else look at its screen"
        }
        _ => "look at its screen, or try bios_loader = \"pxelinux\"",
    }
}

fn memory_words(has: Option<u32>, needs: Option<u32>) -> String {
    let has = has.map_or_else(String::new, |has| format!(" of {has} MiB"));
    let needs = needs.map_or_else(String::new, |needs| format!(" (it needs {needs} MiB)"));
    format!("has too little memory{has} for its image{needs}: give it more, or a smaller image")
}

fn kind(platform: Platform) -> &'static str {
    match platform {
        Platform::Bios => "a PC with a BIOS",
        Platform::Efi32 => "a 32-bit PC with UEFI",
        Platform::Efi64 => "a 64-bit PC with UEFI",
        Platform::EfiArm64 => "a 64-bit ARM machine",
        Platform::Other => "this machine",
    }
}

fn check_download(error: u32) -> &'static str {
    match posix(error) {
        ENOENT => "the file is not on the stick; look at what `pxeberry check` says",
        ETIMEDOUT | EHOSTUNREACH | ENETUNREACH => {
            "its cable or its switch lets nothing through; it tries again"
        }
        ECONNREFUSED | ECONNRESET | EIO => {
            "the download broke off: was the stick pulled? It tries again"
        }
        _ => "look up the number at ipxe.org/err; it tries again",
    }
}

/// The memory of all modules, as SMBIOS has it (type 17, size): `0040-6802-`, a module a
/// part, two bytes each with the low one first. None: it does not say, or has too much for
/// that.
pub fn memory(modules: &str) -> Option<u32> {
    let mut sum = 0;
    for module in modules.split('-').take(MOST_MODULES).filter(|module| !module.is_empty()) {
        let bytes = u16::from_str_radix(module, 16).ok().filter(|_| module.len() == 4)?;
        match bytes.swap_bytes() {
            // Unknown, or written down elsewhere because it is so much.
            0xffff | 0x7fff => return None,
            kib if kib & 0x8000 != 0 => sum += u32::from(kib & 0x7fff) / 1024,
            mib => sum += u32::from(mib),
        }
    }
    (sum > 0).then_some(sum)
}

/// Places for memory that the script asks for: a machine with more has enough.
pub const MOST_MODULES: usize = 8;

#[cfg(test)]
mod tests {
    use super::*;

    fn failed(step: Step, error: u32) -> Trouble {
        Failure { step, error, has: Some(1024), needs: Some(2048) }.trouble()
    }

    #[test]
    fn every_trouble_says_what_to_check() {
        let loader = || "snponly.efi".to_owned();
        let pc = Platform::Efi64;
        for (trouble, platform, words) in [
            (Trouble::LoaderRefused(loader()), pc, "loader = \"shim\" in machines.toml"),
            (Trouble::LoaderSilent(loader()), pc, "is silent since: if its Secure Boot is on"),
            (Trouble::LoaderRefused("shimx64.efi".into()), pc, "trust Microsoft's UEFI CA"),
            (Trouble::LoaderRefused("undionly.kpxe".into()), Platform::Bios, "\"pxelinux\""),
            (Trouble::Missing("k".into(), Stage::Script), pc, "needs k, which is not there"),
            (Trouble::NoConfig("preseed"), pc, "in preseed/, called after"),
            (
                failed(Step::Initrd, 0x3418_2006),
                pc,
                "of 1024 MiB for its image (it needs 2048 MiB)",
            ),
            (
                failed(Step::Kernel, 0x2e00_8001),
                Platform::EfiArm64,
                "made for a 64-bit ARM machine?",
            ),
            (failed(Step::Kernel, 0x2e00_8001), pc, "does Secure Boot refuse it?"),
            (failed(Step::Kernel, 0x2d0c_618e), pc, "not on the stick"),
            (failed(Step::Initrd, 0x4c0a_6092), pc, "cable or its switch"),
            (failed(Step::Kernel, 0x0f0a_6039), pc, "(iPXE's error 0f0a6039): the download broke"),
            (failed(Step::Start, 0x0103_0405), pc, "ipxe.org/err"),
        ] {
            let told = trouble.words(platform);
            assert!(told.contains(words), "{trouble:?}: {told}");
        }
    }

    #[test]
    fn what_is_not_known_of_the_memory_is_not_said() {
        let told = memory_words(None, None);
        assert_eq!(told, "has too little memory for its image: give it more, or a smaller image");
    }

    #[test]
    fn memory_is_the_sum_of_all_modules_that_say_their_size() {
        for (modules, expected) in [
            ("0040-6802------", Some(17_000)),
            ("4000-", Some(64)),
            ("0000-0008-", Some(2048)),
            ("0090", Some(4)),
            ("ff7f-0008", None),
            ("ffff", None),
            ("-------", None),
            ("", None),
            ("zzzz", None),
            ("40", None),
        ] {
            assert_eq!(memory(modules), expected, "{modules:?}");
        }
    }
}
