use std::os::unix::fs::symlink;

use super::*;
use crate::inventory::{Install, inventory};

/// A folder that goes when it is dropped.
struct Folder(std::path::PathBuf);

impl Folder {
    fn new(name: &str) -> Folder {
        let path =
            std::env::temp_dir().join(format!("pxeberry-scan-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).unwrap();
        Folder(path)
    }

    fn put(&self, path: &str, content: impl AsRef<[u8]>) {
        let path = self.0.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }

    fn empty_files(&self, folder: &str, names: impl Iterator<Item = String>) {
        let folder = self.0.join(folder);
        fs::create_dir_all(&folder).unwrap();
        names.for_each(|name| drop(fs::File::create(folder.join(name)).unwrap()));
    }

    /// Why its content must not serve.
    fn refused(&self) -> Vec<String> {
        let refused = inventory(&[list(&self.0)], &Profile::built_in()).err().unwrap_or_default();
        refused.iter().map(Problem::to_string).collect()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

const NEVER: &str = "[[machine]]\nmac = \"52:54:00:00:00:01\"\ninstall = \"never\"\n";

const YML: &str = "#cloud-config\nhostname: node-1\n";

const OWN: &str = "cloud-configs/52-54-00-00-00-01.yml";

#[test]
fn links_are_named_and_never_followed() {
    let folder = Folder::new("links");
    folder.put("images/real", "x");
    symlink("/etc/passwd", folder.0.join("images/link")).unwrap();
    let listing = list(&folder.0);
    let paths: Vec<&str> = listing.files.iter().map(|file| file.path.as_str()).collect();
    assert_eq!(paths, ["images/real"]);
    assert_eq!((listing.problems.len(), listing.refused.len()), (1, 0));
}

#[test]
fn a_machines_toml_that_cannot_be_read_refuses_the_stick() {
    type Make = fn(&Path);
    let cases: [(&str, &str, Make); 7] = [
        ("machines.toml", "is not UTF-8", |path| {
            fs::write(path, b"# f\xfcr Test\n[[machine]]\nmac = \"52:54:00:00:00:01\"\n").unwrap();
        }),
        ("machines.toml", "too large", |path| {
            fs::write(path, format!("{NEVER}#{}", "x".repeat(1024 * 1024))).unwrap();
        }),
        ("machines.toml", "links are not followed", |path| {
            symlink("/etc/passwd", path).unwrap();
        }),
        ("machines.toml", "is no file", |path| fs::create_dir(path).unwrap()),
        ("MACHINES.toml", "is not UTF-8", |path| fs::write(path, b"# \xfc\n").unwrap()),
        ("Machines.toml.txt", "name it machines.toml", |path| fs::write(path, NEVER).unwrap()),
        ("machines.toml", "which one is meant", |path| {
            fs::write(path, NEVER).unwrap();
            fs::write(path.with_file_name("Machines.TOML"), "").unwrap();
        }),
    ];
    for (name, reason, make) in cases {
        let folder = Folder::new("unread");
        folder.put(OWN, YML);
        assert_eq!(folder.refused(), [""; 0], "without it the config alone is what counts");
        make(&folder.0.join(name));
        let refused = folder.refused();
        assert!(refused.len() == 1 && refused[0].contains(reason), "{name}: {refused:?}");
    }
}

#[test]
fn machines_toml_counts_in_any_case_as_folders_do() {
    let folder = Folder::new("case");
    folder.put("Machines.TOML", NEVER);
    folder.put(OWN, YML);
    let found = inventory(&[list(&folder.0)], &Profile::built_in()).unwrap();
    let [machine] = found.roster.list() else { panic!("{:?}", found.roster.list()) };
    assert_eq!(machine.install, Install::Never);
}

#[test]
fn own_profiles_count_in_any_case_also_for_what_is_looked_for_in_isos() {
    let folder = Folder::new("profiles");
    let profile = "name = \"mine\"\ntitle = \"Mine\"\npurpose = \"live\"\nram = 16\n\
                   [[layout]]\nkernel = \"my-kernel\"\n";
    folder.put("Profiles/Mine.TOML", profile);
    let own = own_profiles(&folder.0);
    assert_eq!(own.iter().map(|own| own.name.as_str()).collect::<Vec<_>>(), ["mine"]);
}

#[test]
fn machines_and_configs_are_read_before_all_that_can_use_up_what_a_scan_may_take() {
    let folder = Folder::new("order");
    folder.put("machines.toml", NEVER);
    folder.put("preseed/52-54-00-00-00-01.cfg", "# d-i\n");
    folder.empty_files("images/coreos/1.0", (0..MOST_FILES).map(|at| at.to_string()));
    let listing = list(&folder.0);
    assert!(listing.refused.is_empty(), "{:?}", listing.refused);
    assert!(listing.problems[0].message.contains("more than 25,000"), "{:?}", listing.problems);
    let texts = listing.texts.iter().map(|(index, _)| listing.files[*index].path.as_str());
    let texts: Vec<&str> = texts.collect();
    assert_eq!(texts, ["machines.toml", "preseed/52-54-00-00-00-01.cfg"]);
}

#[test]
fn a_config_that_was_not_seen_leaves_no_machine_to_somebody_elses() {
    type Make = fn(&Folder);
    let cases: [(&str, Make); 5] = [
        ("links are not followed", |folder| {
            symlink("default.yml", folder.0.join(OWN)).unwrap();
        }),
        ("links are not followed", |folder| symlink("/etc", folder.0.join("preseed")).unwrap()),
        ("is no file", |folder| {
            drop(std::os::unix::net::UnixListener::bind(folder.0.join(OWN)).unwrap());
        }),
        ("more than 5,000 configs", |folder| {
            folder.empty_files("cloud-configs", (0..5_000).map(|at| format!("{at}.yml")));
        }),
        ("long names", |folder| {
            folder.empty_files("", (0..9_000).map(|at| format!("{at:x<240}")));
        }),
    ];
    for (reason, make) in cases {
        let folder = Folder::new("unseen");
        folder.put("machines.toml", "[[machine]]\nmac = \"52:54:00:00:00:01\"\n");
        folder.put("cloud-configs/default.yml", YML);
        assert_eq!(folder.refused(), [""; 0]);
        make(&folder);
        let refused = folder.refused();
        assert!(refused.len() == 1 && refused[0].contains(reason), "{reason}: {refused:?}");
    }
}
