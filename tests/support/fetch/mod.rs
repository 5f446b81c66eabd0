//! A publisher, a stick, and `pxeberry fetch` between them.

#![allow(dead_code, reason = "each scenario uses the part that it needs")]

#[path = "../gpg.rs"]
mod gpg;
pub mod layout;
pub mod publisher;
pub mod signer;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

pub use layout::{Layout, layouts};
pub use publisher::{Fault, Publisher};
pub use signer::Signer;

/// A folder that goes away with the test.
pub struct Place(PathBuf);

/// How a run of the command ended.
#[derive(Debug)]
pub struct Ran {
    /// Its exit status.
    pub code: Option<i32>,
    /// Standard output.
    pub out: String,
    /// Standard error.
    pub err: String,
}

impl Place {
    /// A new folder; `name` is the test's.
    pub fn new(name: &str) -> Place {
        let path = std::env::temp_dir().join(format!("pxeberry-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(path.join("stick")).unwrap();
        Place(path)
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// The stick's folder.
    pub fn stick(&self) -> PathBuf {
        self.0.join("stick")
    }

    /// Puts a key on the stick.
    pub fn trust(&self, signer: &Signer) {
        let folder = self.stick().join("keys");
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join(format!("{}.asc", signer.name)), signer.public()).unwrap();
    }

    /// The files on the stick without the keys, and their contents.
    pub fn files(&self) -> Vec<(String, Vec<u8>)> {
        let mut files = Vec::new();
        collect(&self.stick(), "", &mut files);
        files.retain(|(name, _)| !name.starts_with("keys/"));
        files.sort();
        files
    }

    /// Their names.
    pub fn names(&self) -> Vec<String> {
        self.files().into_iter().map(|(name, _)| name).collect()
    }

    /// The command, to be started.
    pub fn command(&self, publisher: &str, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_pxeberry"));
        command.arg("fetch").args(arguments).arg("--to").arg(self.stick());
        command.args(["--from", publisher]);
        for proxy in ["http_proxy", "https_proxy", "all_proxy"] {
            command.env_remove(proxy).env_remove(proxy.to_uppercase());
        }
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    /// Runs the command to its end.
    pub fn fetch(&self, publisher: &Publisher, arguments: &[&str]) -> Ran {
        finish(self.command(&publisher.url(), arguments).spawn().unwrap())
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

impl Ran {
    /// Fails the test unless the command went well.
    #[track_caller]
    pub fn good(&self) {
        assert_eq!(self.code, Some(0), "{}{}", self.out, self.err);
    }

    /// Fails the test unless the command failed with one line that says all of this.
    #[track_caller]
    pub fn bad(&self, words: &[&str]) {
        assert_eq!(self.code, Some(1), "{}{}", self.out, self.err);
        let message = self.err.lines().last().unwrap_or_default();
        assert!(message.starts_with("pxeberry: error: "), "{}", self.err);
        for word in words {
            assert!(message.contains(word), "{word:?} is missing in: {}", self.err);
        }
    }
}

/// Waits for the end of a command.
pub fn finish(child: Child) -> Ran {
    let output = child.wait_with_output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Ran { code: output.status.code(), out: text(&output.stdout), err: text(&output.stderr) }
}

fn collect(folder: &Path, before: &str, files: &mut Vec<(String, Vec<u8>)>) {
    for entry in fs::read_dir(folder).unwrap().flatten() {
        let name = format!("{before}{}", entry.file_name().to_string_lossy());
        if entry.path().is_dir() {
            collect(&entry.path(), &format!("{name}/"), files);
        } else {
            files.push((name, fs::read(entry.path()).unwrap()));
        }
    }
}
