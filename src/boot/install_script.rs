//! `/cloud-configs/install.sh`: what the system in memory runs to install itself.
//!
//! POSIX shell (the real CoreOS runs it with bash whatever its first line says), without
//! `ifconfig`, `$HOME` or name resolution. Every value in it is one quoted word.

use super::Endpoint;
use crate::inventory::ConfigKind;
use crate::inventory::machine::Disk;
use crate::inventory::machine::shell::quote;

/// What one machine's script says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Job<'a> {
    /// For people.
    pub machine: &'a str,
    /// `coreos/1185.3.0`, for people.
    pub image: &'a str,
    /// `coreos-install` or `flatcar-install`.
    pub installer: &'a str,
    /// What it takes: a cloud-config, or Ignition.
    pub config: ConfigKind,
    /// The whole disk to overwrite, or what it must be.
    pub disk: &'a Disk,
    /// Proves that a report comes from this installation.
    pub token: &'a str,
}

/// The script for a machine that is to be installed.
pub fn install(job: &Job, endpoint: Endpoint) -> String {
    let Job { machine, image, installer, config, disk, token } = job;
    let option = if *config == ConfigKind::Ignition { "-i" } else { "-c" };
    // A rule is evaluated on the machine, by find_disk.
    let disk = match disk {
        Disk::Path(path) => format!("disk={}\n", quote(path)),
        Disk::Rule(_) => format!("disk=''\n{}", disk.shell()),
    };
    format!(
        "#!/bin/sh
# pxeberry: installs {image} on {machine}
server={server}
address={address}
token={token}
installer={installer}
folder={folder}
ending={ending}
option={option}
{disk}{BODY}",
        server = quote(&endpoint.base()),
        address = quote(&endpoint.address.to_string()),
        token = quote(token),
        installer = quote(installer),
        folder = quote(config.folder()),
        ending = quote(config.extensions().first().unwrap_or(&"")),
        option = quote(option),
    )
}

/// The script for a machine that must not be installed.
pub fn refusal(reason: &str) -> String {
    format!(
        "#!/bin/sh
echo {} >&2
exit 1
",
        quote(&format!("pxeberry: nothing is installed on this machine: {reason}"))
    )
}

/// The part that is the same for all.
const BODY: &str = include_str!("install.sh");

#[cfg(test)]
mod tests {
    use super::super::plan::tests::ENDPOINT;
    use super::*;
    use crate::inventory::machine::DiskRule;
    use std::process::Command;

    fn job(disk: &Disk) -> String {
        let job = Job {
            machine: "node-1",
            image: "coreos/1185.3.0",
            installer: "coreos-install",
            config: ConfigKind::CloudConfig,
            disk,
            token: "0123456789abcdef",
        };
        install(&job, ENDPOINT)
    }

    fn to_vda() -> String {
        job(&Disk::Path("/dev/vda".to_owned()))
    }

    fn to_the_one_that_fits() -> String {
        let rule = DiskRule { serial: "S5'*".to_owned(), ..DiskRule::default() };
        job(&Disk::Rule(rule))
    }

    #[test]
    fn the_script_is_a_script_and_names_its_disk_and_server() {
        let text = to_vda();
        assert!(text.starts_with("#!/bin/sh\n"));
        assert!(text.contains("disk='/dev/vda'\n"));
        assert!(text.contains("server='http://10.10.10.1:8080'\n"));
        assert!(!text.contains('\r'));
    }

    #[test]
    fn every_shell_can_read_it() {
        for (text, shell) in [
            (to_vda(), "sh"),
            (to_vda(), "bash"),
            (to_the_one_that_fits(), "sh"),
            (to_the_one_that_fits(), "bash"),
            (refusal("it's not armed"), "sh"),
        ] {
            let status = Command::new(shell).args(["-n", "-c", &text]).status().unwrap();
            assert!(status.success(), "{shell}");
        }
    }
}
