//! What has to be said on the cable, word by word.

use super::super::net::firmware::{Pc, question_for_script, questions_of_uefi, secure};
use super::super::net::lan::SERVER;
use super::super::net::rival::ROUTER;
use super::super::net::stick::{INITRD, KERNEL};
use super::{Board, Cell, First, Lan};

impl Cell {
    /// Fails unless the computer asked for just what it needs, was told just that by us,
    /// and has its address from whoever gives them.
    pub(super) fn assert_talk(&self, pc: &Pc) {
        let talk = pc.talk();
        assert_eq!(talk.asked(), self.questions());
        let (files, address) = (self.boot_files(), talk.address());
        let answers = |address: &str, kinds: &[&str]| -> Vec<String> {
            let one = |kind: &str, file: &str| format!("{kind} {address} {file}");
            let each = |file: &String| {
                let answers = kinds.iter().map(|kind| one(kind, file).trim_end().to_owned());
                answers.collect::<Vec<_>>()
            };
            files.iter().flat_map(each).collect()
        };
        match self.lan {
            Lan::Alone => {
                let ours = answers(&address.to_string(), &["OFFER", "ACK"]);
                assert_eq!(talk.told_by(SERVER), ours);
            }
            Lan::BesideDnsmasq => {
                let mut ours = answers("0.0.0.0", &["OFFER"]);
                ours.retain(|answer| answer != "OFFER 0.0.0.0");
                assert_eq!(talk.told_by(SERVER), ours);
                let once = ["OFFER", "ACK"].map(|kind| format!("{kind} {address}"));
                let theirs: Vec<String> = files.iter().flat_map(|_| once.clone()).collect();
                assert_eq!(talk.told_by(ROUTER), theirs);
            }
        }
    }

    /// The boot file of each DHCP conversation, in order; of one that is about an address
    /// alone, none.
    fn boot_files(&self) -> Vec<String> {
        let script = format!("http://10.10.10.1:8080{}", &question_for_script(self.mac())[4..]);
        let url = if self.row.by_http { "http://10.10.10.1:8080/boot/" } else { "" };
        let first = format!("{url}{}", self.loader());
        match self.row.first {
            First::Script => vec![script],
            First::Ipxe => vec![first, script],
            First::Syslinux => vec![first, String::new()],
            First::Pxelinux | First::Shim | First::PxelinuxCfg => vec![first],
        }
    }

    fn loader(&self) -> &'static str {
        match (self.row.first, self.row.board) {
            (First::Script, _) => "",
            (First::Pxelinux, _) => "pxelinux.0",
            (First::Syslinux, _) => "efi64/syslinux.efi",
            (First::Shim, Board::EfiArm64) => "shimaa64.efi",
            (First::Shim, _) => "shimx64.efi",
            (_, Board::EfiX64) => "snponly.efi",
            _ => "ipxe-arm64.efi",
        }
    }

    fn questions(&self) -> Vec<String> {
        let server = if self.lan == Lan::Alone { SERVER } else { ROUTER };
        let cpu = if self.row.board == Board::EfiArm64 { "aa64" } else { "x64" };
        let mac = self.mac();
        let by_tftp = [KERNEL, INITRD].map(|file| format!("TFTP {file}")).to_vec();
        let by_http = [KERNEL, INITRD].map(|file| format!("GET /boot/{file}"));
        // iPXE says first what its machine is.
        let by_ipxe = [&["GET /v1/hello".to_owned()][..], &by_http].concat();
        // EDK2's HTTP: GRUB sees the length first.
        let by_firmware = [KERNEL, INITRD]
            .map(|file| ["HEAD", "GET"].map(|method| format!("{method} /boot/{file}")))
            .concat();
        let (to_script, files) = match (self.row.first, self.row.by_http) {
            (First::Script, _) => {
                let script = question_for_script(mac);
                ([dhcp("iPXE", 0, server).to_vec(), vec![script]].concat(), by_ipxe)
            }
            (First::Pxelinux, _) => (pxelinux(mac, server), by_tftp),
            (First::Syslinux, _) => (syslinux(mac, server), by_tftp),
            (First::Ipxe, false) => {
                (questions_of_uefi(self.archs()[1], self.loader(), server, mac), by_ipxe)
            }
            (First::Ipxe, true) => (self.ipxe_by_url(server), by_ipxe),
            (First::Shim, false) => {
                (secure::questions(self.archs()[1], cpu, server), by_http.into())
            }
            (First::Shim, true) => (
                [dhcp("firmware", self.archs()[0], server).to_vec(), secure::by_url(cpu)].concat(),
                by_firmware,
            ),
            (First::PxelinuxCfg, _) => (u_boot(mac, server), by_tftp.into_iter().rev().collect()),
        };
        [to_script, files].concat()
    }

    /// RFC 4578's numbers for HTTP boot and PXE.
    fn archs(&self) -> [u8; 2] {
        if self.row.board == Board::EfiArm64 { [19, 11] } else { [16, 7] }
    }

    fn ipxe_by_url(&self, server: std::net::Ipv4Addr) -> Vec<String> {
        let ([firmware, ipxe], loader) = (self.archs(), self.loader());
        let loads = [
            format!("HEAD /boot/{loader}"),
            format!("GET /boot/{loader}"),
            "GET /boot/autoexec.ipxe".to_owned(),
        ];
        let [first, second] = [dhcp("firmware", firmware, server), dhcp("iPXE", ipxe, server)];
        [&first[..], &loads, &second, &[question_for_script(self.mac())]].concat()
    }
}

fn dhcp(program: &str, arch: u8, server: std::net::Ipv4Addr) -> [String; 2] {
    [format!("DISCOVER by {program} {arch}"), format!("REQUEST to {server} by {program} {arch}")]
}

fn pxelinux(mac: &str, server: std::net::Ipv4Addr) -> Vec<String> {
    let config = format!("TFTP pxelinux.cfg/01-{}", mac.replace(':', "-"));
    let files = ["TFTP pxelinux.0", "TFTP ldlinux.c32"].map(str::to_owned);
    [&dhcp("iPXE", 0, server)[..], &files, &[config]].concat()
}

/// EDK2 loads it, it has EDK2 ask for an address once more, and looks for all else beside
/// itself.
fn syslinux(mac: &str, server: std::net::Ipv4Addr) -> Vec<String> {
    let config = format!("pxelinux.cfg/01-{}", mac.replace(':', "-"));
    let tftp = |file: &str| format!("TFTP efi64/{file}");
    let address = ["DISCOVER by firmware".to_owned(), format!("REQUEST to {server} by firmware")];
    let first = tftp("syslinux.efi");
    let loads = [&dhcp("firmware", 7, server)[..], &[first.clone(), first]].concat();
    [&loads[..], &address, &[tftp("ldlinux.e64"), tftp(&config)]].concat()
}

/// It loads the boot file, and does not start it.
fn u_boot(mac: &str, server: std::net::Ipv4Addr) -> Vec<String> {
    let config = format!("TFTP pxelinux.cfg/01-{}", mac.replace(':', "-"));
    [&dhcp("firmware", 22, server)[..], &["TFTP ipxe-arm64.efi".to_owned(), config]].concat()
}
