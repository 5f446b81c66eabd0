//! Why a boot stopped, and one sentence of what to check. Pure.

use std::net::Ipv4Addr;

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
    /// Four offers, and it asked for none.
    OffersIgnored,
    /// It takes another DHCP server's address.
    ChoseServer(Ipv4Addr),
    /// It has its address, and nothing followed.
    AddressSilent,
    /// It asked for this loader or its size, and did not take it to its end.
    LoaderNotTaken(String),
    /// Its loader runs, and asks for no script.
    NoScript,
    /// It took its kernel, and asks for no initial RAM disk.
    NoInitrd,
    /// It has kernel and initial RAM disk, and its system asks for nothing.
    SystemSilent {
        /// Though it got itself an address.
        has_address: bool,
    },
    /// Its installer has its configuration, and says nothing more.
    InstallerSilent,
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

    /// What the machine said.
    pub fn words(&self) -> String {
        let step = match self.step {
            Step::Kernel => "taking its kernel",
            Step::Initrd => "taking an initial RAM disk",
            Step::Start => "starting its kernel",
        };
        format!("its iPXE reports that {step} failed (error {:08x})", self.error)
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
            Trouble::NoConfig(_) | Trouble::InstallerSilent => Stage::Config,
            Trouble::OffersIgnored | Trouble::ChoseServer(_) => Stage::Asked,
            Trouble::AddressSilent => Stage::Address,
            Trouble::LoaderNotTaken(_) => Stage::LoaderAsked,
            Trouble::NoScript => Stage::LoaderRuns,
            Trouble::NoInitrd => Stage::Kernel,
            Trouble::SystemSilent { .. } => Stage::Initrd,
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
            Trouble::ChoseServer(server) => format!(
                "takes the address that the DHCP server {server} offers: look at what that one \
                 names as boot server and file (options 66 and 67), or switch it off"
            ),
            Trouble::LoaderNotTaken(loader) => format!(
                "asked for {loader} and did not take it whole: does its network lose large \
                 packets, has it too little memory, or did its Secure Boot refuse it before?"
            ),
            silent => silence_words(silent).to_owned(),
        }
    }
}

/// Those where nothing more is known than that nothing more came.
fn silence_words(trouble: &Trouble) -> &'static str {
    match trouble {
        Trouble::OffersIgnored => {
            "takes none of our offers: does another DHCP server please it more, or does the \
             switch hold our answers back (DHCP snooping)?"
        }
        Trouble::AddressSilent => {
            "has its address and asks for no loader: does its switch or a firewall hold UDP port \
             69 back? Look at its screen"
        }
        Trouble::NoScript => {
            "runs its loader, which asks for no script: does its switch or a firewall hold the \
             port of HTTP back? Look at its screen"
        }
        Trouble::NoInitrd => {
            "took its kernel, and no initial RAM disk: has it too little memory? Look at its screen"
        }
        Trouble::SystemSilent { has_address: true } => {
            "runs its kernel, has an address and fetches nothing: look at its screen, and at \
             ip= and BOOTIF= in its arguments when it has several network cards"
        }
        Trouble::SystemSilent { has_address: false } => {
            "has kernel and initial RAM disk, and its system asks for no address: has it no \
             driver for this network card, or too little memory? Or does the switch's spanning \
             tree hold its port closed?"
        }
        _ => {
            "has its configuration, and reports nothing: look at its installer's own screen, at \
             its log lines in the timeline, and at what its configuration does to report"
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
    // With all that it needs it can still be short of it: firmware takes some.
    let needs = needs.filter(|needs| has.is_none_or(|has| has < *needs));
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
mod tests;
