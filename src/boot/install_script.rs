//! `/cloud-configs/install.sh`: what the system in memory runs to install itself.
//!
//! POSIX shell (the real CoreOS runs it with bash whatever its first line says), without
//! `ifconfig`, `$HOME` or name resolution. Everything that stands in it was checked where
//! it was parsed, so nothing needs quoting beyond single quotes.

use super::Endpoint;

/// What one machine's script says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Job<'a> {
    /// For people.
    pub machine: &'a str,
    /// `coreos/1185.3.0`, for people.
    pub image: &'a str,
    /// `coreos-install` or `flatcar-install`.
    pub installer: &'a str,
    /// The whole disk to overwrite.
    pub disk: &'a str,
    /// Proves that a report comes from this installation.
    pub token: &'a str,
}

/// The script for a machine that is to be installed.
pub fn install(job: &Job, endpoint: Endpoint) -> String {
    let Job { machine, image, installer, disk, token } = job;
    let server = endpoint.base();
    let address = endpoint.address;
    format!(
        "#!/bin/sh
# pxeberry: installs {image} on {machine}
server='{server}'
address='{address}'
disk='{disk}'
token='{token}'
installer='{installer}'
{BODY}"
    )
}

/// The script for a machine that must not be installed.
pub fn refusal(reason: &str) -> String {
    format!(
        "#!/bin/sh
echo 'pxeberry: nothing is installed on this machine: {reason}' >&2
exit 1
"
    )
}

/// The part that is the same for all.
const BODY: &str = include_str!("install.sh");

#[cfg(test)]
mod tests {
    use super::super::plan::tests::ENDPOINT;
    use super::*;
    use std::process::Command;

    fn job() -> String {
        let job = Job {
            machine: "node-1",
            image: "coreos/1185.3.0",
            installer: "coreos-install",
            disk: "/dev/vda",
            token: "0123456789abcdef",
        };
        install(&job, ENDPOINT)
    }

    #[test]
    fn the_script_is_a_script_and_names_its_disk_and_server() {
        let text = job();
        assert!(text.starts_with("#!/bin/sh\n"));
        assert!(text.contains("disk='/dev/vda'\n"));
        assert!(text.contains("server='http://10.10.10.1:8080'\n"));
        assert!(!text.contains('\r'));
    }

    #[test]
    fn every_shell_can_read_it() {
        for (text, shell) in [(job(), "sh"), (job(), "bash"), (refusal("no"), "sh")] {
            let status = Command::new(shell).args(["-n", "-c", &text]).status().unwrap();
            assert!(status.success(), "{shell}");
        }
    }
}
