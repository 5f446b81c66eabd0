//! `/cloud-configs/install.sh`: what the system in memory runs to install itself.
//!
//! POSIX shell (the real CoreOS runs it with bash whatever its first line says), without
//! `ifconfig`, `$HOME` or name resolution. Every value in it is one quoted word.

use super::Endpoint;
use crate::inventory::cpu::Cpu;
use crate::inventory::machine::Disk;
use crate::inventory::machine::shell::quote;
use crate::inventory::{ConfigKind, Image};

/// What one machine's script says.
#[derive(Debug, Clone)]
pub struct Job<'a> {
    /// For people.
    pub machine: &'a str,
    /// `coreos/1185.3.0`, for people.
    pub image: &'a str,
    /// What it does.
    pub work: Work<'a>,
    /// What its own program takes: a cloud-config, or Ignition.
    pub config: ConfigKind,
    /// The whole disk to overwrite, or what it must be.
    pub disk: &'a Disk,
    /// Proves that a report comes from this installation.
    pub token: &'a str,
}

/// How a system gets onto the disk.
#[derive(Debug, Clone, Copy)]
pub enum Work<'a> {
    /// By its own program: `coreos-install` or `flatcar-install`.
    Run(&'a str),
    /// It is the image of a whole disk.
    Write(&'a Image),
}

impl<'a> Work<'a> {
    /// What installs this image, if a script of ours does.
    pub fn of(image: &'a Image) -> Option<Work<'a>> {
        match &image.profile.installer {
            _ if image.profile.written => Some(Work::Write(image)),
            installer => installer.as_deref().map(Work::Run),
        }
    }
}

/// The script for a machine that is to be installed.
pub fn install(job: &Job, endpoint: Endpoint) -> String {
    let Job { machine, image, work, config, disk, token } = job;
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
{work}{disk}{COMMON}{body}",
        server = quote(&endpoint.base()),
        address = quote(&endpoint.address.to_string()),
        token = quote(token),
        work = words(*work, *config, endpoint),
        body = match work {
            Work::Run(_) => INSTALL,
            Work::Write(_) => WRITE,
        },
    )
}

/// What the rest of the script asks of its work.
fn words(work: Work, config: ConfigKind, endpoint: Endpoint) -> String {
    let image = match work {
        Work::Run(installer) => return installer_words(installer, config),
        Work::Write(image) => image,
    };
    let url = |path: &str| quote(&format!("{}/images/{}/{path}", endpoint.base(), image.name()));
    let mut words = String::from("image=''\nsums=''\ncase $(uname -m) in\n");
    for start in &image.starts {
        let machine = if start.cpu == Cpu::Arm64 { "aarch64" } else { "x86_64" };
        let sums = list_for(image, &start.kernel).map_or_else(String::new, |list| url(&list));
        words += &format!("    {machine}) image={} sums={sums} ;;\n", url(&start.kernel));
    }
    words + "esac\n"
}

fn installer_words(installer: &str, config: ConfigKind) -> String {
    let option = if config == ConfigKind::Ignition { "-i" } else { "-c" };
    format!(
        "installer={installer}\nfolder={folder}\nending={ending}\noption={option}\n",
        installer = quote(installer),
        folder = quote(config.folder()),
        ending = quote(config.extensions().first().unwrap_or(&"")),
        option = quote(option),
    )
}

/// The list of checksums in the file's own folder that its publisher would name it in.
fn list_for(image: &Image, path: &str) -> Option<String> {
    let (folder, name) = path.rsplit_once('/').unwrap_or(("", path));
    let at = |list: &String| {
        let list = list.replace("{file}", name);
        let path = if folder.is_empty() { list } else { format!("{folder}/{list}") };
        image.files.get(&path).map(|_| path)
    };
    image.profile.verify.sums.iter().find_map(at)
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

/// The parts that are the same for all.
const COMMON: &str = include_str!("install_script/common.sh");
const INSTALL: &str = include_str!("install_script/install.sh");
const WRITE: &str = include_str!("install_script/write.sh");

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
            work: Work::Run("coreos-install"),
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
