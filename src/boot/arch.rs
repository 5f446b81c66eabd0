//! What kind of program asks: firmware by its architecture, or iPXE, or none of our
//! business. Pure; facts from RFC 4578 (with erratum 4624) and IANA's registry.

use crate::dhcp::option::suboption;
use crate::dhcp::wire::Request;
use crate::net::Mac;

/// The processor and firmware of a machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Platform {
    /// x86 with a BIOS.
    Bios,
    /// UEFI, 32-bit x86.
    Efi32,
    /// UEFI, 64-bit x86.
    Efi64,
    /// UEFI, 64-bit ARM.
    EfiArm64,
    /// Something that we have no loader for.
    Other,
}

/// The program that sent the request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Program {
    /// PXE firmware.
    Rom(Platform),
    /// UEFI HTTP boot firmware.
    HttpRom(Platform),
    /// iPXE with all that our scripts use.
    Ipxe(Platform),
    /// An iPXE in a ROM that lacks HTTP, menus or the kernel format: it loads ours first.
    LesserIpxe(Platform),
    /// U-Boot, which looks for `pxelinux.cfg/` and can start EFI programs.
    UBoot(Platform),
    /// A Raspberry Pi's boot ROM or EEPROM.
    RaspberryPi,
    /// No network boot: an operating system, a printer.
    Other,
}

impl Program {
    /// The machine that it runs on, if it tells.
    pub fn platform(self) -> Option<Platform> {
        match self {
            Program::Rom(platform)
            | Program::HttpRom(platform)
            | Program::Ipxe(platform)
            | Program::LesserIpxe(platform)
            | Program::UBoot(platform) => Some(platform),
            Program::RaspberryPi | Program::Other => None,
        }
    }
}

/// Looks at what the client says of itself, in order of trust.
pub fn program(request: &Request) -> Program {
    let class = request.vendor_class.as_slice();
    if class.starts_with(b"HTTPClient") {
        return Program::HttpRom(platform(request));
    }
    if class.starts_with(b"U-Boot") {
        return Program::UBoot(platform(request));
    }
    if !class.starts_with(b"PXEClient") {
        return Program::Other;
    }
    if is_ipxe(&request.user_class) {
        let platform = platform(request);
        return if is_complete(&request.ipxe, platform) {
            Program::Ipxe(platform)
        } else {
            Program::LesserIpxe(platform)
        };
    }
    // Every Raspberry Pi calls itself a BIOS PC (rpi-eeprom#182).
    if is_raspberry_pi(request.mac, request.uuid.as_deref().unwrap_or_default()) {
        return Program::RaspberryPi;
    }
    Program::Rom(platform(request))
}

/// Option 93, else the five digits in `PXEClient:Arch:00007:UNDI:003000`.
fn platform(request: &Request) -> Platform {
    let from_class = || {
        let class = std::str::from_utf8(&request.vendor_class).ok()?;
        class.split(':').skip_while(|part| *part != "Arch").nth(1)?.parse().ok()
    };
    match request.arch.or_else(from_class) {
        Some(0) => Platform::Bios,
        Some(6 | 15) => Platform::Efi32,
        // 7 and 9 are both x64 in the field: RFC 4578 as printed had them swapped.
        Some(7 | 9 | 16 | 17) => Platform::Efi64,
        // 22 is U-Boot on 64-bit ARM, which starts EFI programs as UEFI does.
        Some(11 | 19 | 22) => Platform::EfiArm64,
        _ => Platform::Other,
    }
}

/// iPXE sends four raw bytes where RFC 3004 wants a length first.
fn is_ipxe(user_class: &[u8]) -> bool {
    matches!(user_class, b"iPXE" | b"\x04iPXE")
}

/// iPXE's feature flags in option 175: HTTP, menu, and the kernel format of the platform.
fn is_complete(encapsulated: &[u8], platform: Platform) -> bool {
    const HTTP: u8 = 0x13;
    const BZIMAGE: u8 = 0x18;
    const EFI: u8 = 0x24;
    const MENU: u8 = 0x27;
    let kernel = if platform == Platform::Bios { BZIMAGE } else { EFI };
    [HTTP, MENU, kernel].iter().all(|feature| suboption(encapsulated, *feature) == Some(&[1]))
}

/// By the fourcc in the UUID of a Pi 4 or 5, the constant one of a Pi 3, or the maker's
/// address blocks.
fn is_raspberry_pi(mac: Mac, uuid: &[u8]) -> bool {
    const BLOCKS: [[u8; 3]; 7] = [
        [0xb8, 0x27, 0xeb],
        [0xdc, 0xa6, 0x32],
        [0xe4, 0x5f, 0x01],
        [0x28, 0xcd, 0xc1],
        [0xd8, 0x3a, 0xdd],
        [0x2c, 0xcf, 0x67],
        [0x88, 0xa2, 0x9e],
    ];
    let [a, b, c, ..] = mac.octets();
    let data = uuid.get(1..).unwrap_or_default();
    data.starts_with(b"RPi")
        || (!data.is_empty() && data.iter().all(|byte| *byte == 0x44))
        || BLOCKS.contains(&[a, b, c])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dhcp::wire;

    const PC: [u8; 6] = [0x52, 0x54, 0, 0, 0, 1];
    const FULL: &[u8] = b"\x13\x01\x01\x18\x01\x01\x24\x01\x01\x27\x01\x01";

    fn ask(mac: [u8; 6], options: &[(u8, &[u8])]) -> Program {
        program(&wire::parse(&wire::tests::packet(1, mac, options)).unwrap())
    }

    #[test]
    fn option_93_names_the_platform() {
        for (arch, expected) in [
            (0, Platform::Bios),
            (6, Platform::Efi32),
            (7, Platform::Efi64),
            (9, Platform::Efi64),
            (11, Platform::EfiArm64),
            (12, Platform::Other),
        ] {
            let found = ask(PC, &[(60, b"PXEClient"), (93, &[0, arch])]);
            assert_eq!(found, Program::Rom(expected), "{arch}");
        }
        let http = ask(PC, &[(60, b"HTTPClient:Arch:00016"), (93, &[0, 16])]);
        assert_eq!(http, Program::HttpRom(Platform::Efi64));
    }

    #[test]
    fn without_option_93_the_vendor_class_tells() {
        let found = ask(PC, &[(60, b"PXEClient:Arch:00007:UNDI:003000")]);
        assert_eq!(found, Program::Rom(Platform::Efi64));
    }

    #[test]
    fn ipxe_is_known_in_both_spellings_and_by_what_it_can_do() {
        for user_class in [&b"iPXE"[..], b"\x04iPXE"] {
            let found =
                ask(PC, &[(60, b"PXEClient"), (93, &[0, 0]), (77, user_class), (175, FULL)]);
            assert_eq!(found, Program::Ipxe(Platform::Bios));
        }
        let without_http = &FULL[3..];
        let found =
            ask(PC, &[(60, b"PXEClient"), (93, &[0, 0]), (77, b"iPXE"), (175, without_http)]);
        assert_eq!(found, Program::LesserIpxe(Platform::Bios));
    }

    #[test]
    fn a_raspberry_pi_is_not_taken_for_a_pc() {
        let pxe: (u8, &[u8]) = (60, b"PXEClient:Arch:00000:UNDI:002001");
        assert_eq!(ask([0xdc, 0xa6, 0x32, 1, 2, 3], &[pxe, (93, &[0, 0])]), Program::RaspberryPi);
        let uuid = b"\0RPi4aaaabbbbcccc";
        assert_eq!(ask(PC, &[pxe, (97, uuid)]), Program::RaspberryPi);
    }

    #[test]
    fn u_boot_says_so_itself() {
        let found = ask(PC, &[(60, b"U-Boot.armv8"), (93, &[0, 22])]);
        assert_eq!(found, Program::UBoot(Platform::EfiArm64));
    }

    #[test]
    fn everything_else_is_none_of_our_business() {
        assert_eq!(ask(PC, &[(60, b"MSFT 5.0")]), Program::Other);
        assert_eq!(ask(PC, &[]), Program::Other);
    }
}
