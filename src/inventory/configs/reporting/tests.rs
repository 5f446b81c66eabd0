use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;

pub const INSTALLED: &str = "http://10.10.10.1:8080/v1/event?token=00ff&event=installed";

pub fn reports() -> Reports {
    let url = |event: &str| INSTALLED.replace("installed", event);
    Reports {
        installed: url("installed"),
        failed: url("failed"),
        busybox: false,
        release: Some(13),
    }
}

/// What a script did.
#[derive(Debug)]
pub struct Ran {
    pub code: i32,
    /// The URLs that were asked for, in their order.
    pub told: Vec<String>,
    pub out: String,
}

/// The URL for this event, once.
pub fn tells(event: &str) -> Vec<String> {
    vec![INSTALLED.replace("installed", event)]
}

/// Runs a script whose curl, wget and sleep write down what they are asked for; the first so
/// many downloads fail.
pub fn runs_with(shell: &str, script: &str, failures: usize) -> Ran {
    static NUMBER: AtomicUsize = AtomicUsize::new(0);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let folder =
        std::env::temp_dir().join(format!("pxeberry-reporting-{}-{number}", std::process::id()));
    fs::create_dir_all(&folder).unwrap();
    let asked = folder.join("asked");
    let fetch = format!(
        "#!/bin/sh\nfor url; do :; done\n[ \"$url\" != --help ] || exit 0\n\
         echo \"$url\" >>'{asked}'\n\
         [ $(wc -l <'{asked}') -gt {failures} ]\n",
        asked = asked.display()
    );
    for (name, text) in [("curl", fetch.as_str()), ("wget", &fetch), ("sleep", "#!/bin/sh\n")] {
        let path = folder.join(name);
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    }
    let path = format!("{}:/usr/bin:/bin", folder.display());
    let ran = Command::new(shell).args(["-c", script]).env("PATH", path).output().unwrap();
    let told = fs::read_to_string(&asked).unwrap_or_default();
    fs::remove_dir_all(&folder).unwrap();
    Ran {
        code: ran.status.code().unwrap(),
        told: told.lines().map(str::to_owned).collect(),
        out: String::from_utf8_lossy(&ran.stdout).into_owned(),
    }
}

/// The same where everything is heard at once.
pub fn runs(shell: &str, script: &str) -> Ran {
    runs_with(shell, script, 0)
}

#[test]
fn a_report_is_tried_again_until_it_is_heard_and_fails_nothing_if_it_never_is() {
    let line = until_heard(INSTALLED);
    for shell in ["sh", "bash"] {
        let ran = runs_with(shell, &line, 5);
        assert_eq!((ran.code, ran.told.len()), (0, 6), "{shell}");
        let ran = runs_with(shell, &line, 99);
        assert_eq!((ran.code, ran.told.len()), (0, 18), "{shell}: nine times with each program");
    }
    let pauses: u32 = PAUSES.split(' ').map(|pause| pause.parse::<u32>().unwrap()).sum();
    assert_eq!(pauses, 120, "two minutes");
}

#[test]
fn kinds_that_hold_no_scripts_of_an_installer_are_left_as_they_are() {
    for kind in ConfigKind::ALL {
        let left = add(kind, "#!/bin/sh\n", &reports()) == Err(NOTHING);
        assert_eq!(left, !is_for(kind), "{kind:?}");
    }
}

#[test]
fn what_is_long_or_would_need_another_quoting_is_left_as_it_is() {
    let long = "#\n".repeat(LONGEST / 2 + 1);
    assert!(add(ConfigKind::Kickstart, &long, &reports()).is_err());
    for url in ["http://x/'", "http://x/ y", "http://x/$(y)", "https://x/%41", "http://x/\"", ""] {
        let odd = Reports { installed: url.to_owned(), ..reports() };
        assert!(add(ConfigKind::Kickstart, "text\n", &odd).is_err(), "{url}");
    }
}

#[test]
fn a_release_is_the_first_number_of_a_version() {
    let setting = Setting {
        server: "http://10.10.10.1:8080",
        ip: std::net::Ipv4Addr::LOCALHOST,
        token: "00ff",
        add_report: true,
    };
    for (version, release) in [("9.4", Some(9)), ("10-stream", Some(10)), ("rawhide", None)] {
        assert_eq!(Reports::new(setting, version).release, release, "{version}");
    }
    assert_eq!(Reports { release: Some(13), ..Reports::new(setting, "1") }, reports());
}
