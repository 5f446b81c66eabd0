//! The real GnuPG with a home of its own: keys and signatures of any day.

#![allow(dead_code, reason = "each scenario uses the part that it needs")]

use std::fs;
use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Stdio};

/// Before every key of the tests has expired.
pub const EARLY: &str = "20200101T000000";

/// Two years later: keys of a year have expired.
pub const LATE: &str = "20220101T000000";

/// How a signature is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    Binary,
    Armoured,
    Clear,
}

/// A home with secret keys; gone, with its agent, when dropped.
pub struct Gpg {
    home: PathBuf,
}

impl Gpg {
    /// An empty one.
    pub fn new() -> Gpg {
        let installed = Command::new("gpg").arg("--version").output();
        assert!(installed.is_ok(), "gpg is missing; `apt-get install gnupg` brings it");
        // The agent's socket lies in it: a path of at most 107 bytes. A scenario that is alone
        // in its namespace has the number of every other such process.
        let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR"));
        let mut names = (0..10_000).map(|number| folder.join(format!("gpg-{number}")));
        let home = names.find(|home| fs::create_dir(home).is_ok()).expect("a folder for keys");
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o700);
        fs::set_permissions(&home, mode).unwrap();
        Gpg { home }
    }

    /// A new key, made at [`EARLY`]: `rsa2048` or `ed25519`; `life` as `1y`, `never`.
    pub fn key(&self, name: &str, algorithm: &str, life: &str) -> String {
        self.run(EARLY, &["--quick-gen-key", name, algorithm, "sign", life], b"");
        self.fingerprint(name)
    }

    /// A new key that signs with a subkey alone.
    pub fn key_with_subkey(&self, name: &str, algorithm: &str) -> String {
        self.run(EARLY, &["--quick-gen-key", name, "rsa2048", "cert", "never"], b"");
        let print = self.fingerprint(name);
        self.run(EARLY, &["--quick-add-key", &print, algorithm, "sign", "1y"], b"");
        print
    }

    /// From now on the key ends at this time.
    pub fn expires(&self, print: &str, end: &str) {
        // A second later, so that the newest word is this one.
        self.run("20200101T000001", &["--quick-set-expire", print, end], b"");
    }

    /// The key's owner declares it lost.
    pub fn revoke(&self, print: &str) {
        let path = self.home.join(format!("openpgp-revocs.d/{print}.rev"));
        // A colon keeps people from importing it by accident.
        let text = fs::read_to_string(path).unwrap().replace(":-----", "-----");
        self.run(LATE, &["--import"], text.as_bytes());
    }

    /// The key's owner takes back this name of it.
    pub fn take_back(&self, print: &str, name: &str) {
        self.run(LATE, &["--quick-revoke-uid", print, name], b"");
    }

    /// The key's owner gives it another name.
    pub fn add_name(&self, print: &str, name: &str) {
        self.run(EARLY, &["--quick-add-uid", print, name], b"");
    }

    /// The public key, as it stands in a file of `keys/`.
    pub fn public(&self, print: &str) -> Vec<u8> {
        self.run(LATE, &["--armor", "--export", print], b"")
    }

    /// The same in binary form.
    pub fn public_binary(&self, print: &str) -> Vec<u8> {
        self.run(LATE, &["--export", print], b"")
    }

    /// Signs at a time.
    pub fn sign_at(&self, at: &str, print: &str, content: &[u8], form: Form) -> Vec<u8> {
        let form: &[&str] = match form {
            Form::Binary => &["--detach-sign"],
            Form::Armoured => &["--armor", "--detach-sign"],
            Form::Clear => &["--clearsign"],
        };
        self.run(at, &[&["--local-user", print], form].concat(), content)
    }

    /// Signs when the key is young.
    pub fn sign(&self, print: &str, content: &[u8], form: Form) -> Vec<u8> {
        self.sign_at(EARLY, print, content, form)
    }

    /// Signs with a function of choice.
    pub fn sign_with(&self, digest: &str, print: &str, content: &[u8]) -> Vec<u8> {
        let digest = ["--digest-algo", digest, "--allow-weak-digest-algos"];
        let words = [&digest[..], &["--local-user", print, "--detach-sign"]].concat();
        self.run(EARLY, &words, content)
    }

    fn fingerprint(&self, name: &str) -> String {
        let listed = self.run(LATE, &["--with-colons", "--list-keys", name], b"");
        let listed = String::from_utf8(listed).unwrap();
        let line = listed.lines().find(|line| line.starts_with("fpr:")).unwrap();
        line.split(':').nth(9).unwrap().to_owned()
    }

    #[track_caller]
    fn run(&self, at: &str, words: &[&str], input: &[u8]) -> Vec<u8> {
        let mut child = self
            .command("gpg")
            .args(["--batch", "--quiet", "--pinentry-mode", "loopback", "--passphrase", ""])
            .args(["--faked-system-time", &format!("{at}!")])
            .args(words)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(input).unwrap();
        let ran = child.wait_with_output().unwrap();
        assert!(ran.status.success(), "{words:?}: {}", String::from_utf8_lossy(&ran.stderr));
        ran.stdout
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command.env("GNUPGHOME", &self.home).env("LC_ALL", "C");
        command
    }
}

impl Drop for Gpg {
    fn drop(&mut self) {
        let _ = self.command("gpgconf").args(["--kill", "all"]).output();
        let _ = fs::remove_dir_all(&self.home);
    }
}

/// Tag and place of each packet; GnuPG writes keys with the old headers.
pub fn packets(bytes: &[u8]) -> Vec<(u8, usize)> {
    let (mut found, mut at) = (Vec::new(), 0);
    while at < bytes.len() {
        let tag = bytes[at] >> 2 & 15;
        found.push((tag, at));
        at += match bytes[at] & 3 {
            0 => 2 + usize::from(bytes[at + 1]),
            _ => 3 + usize::from(u16::from_be_bytes([bytes[at + 1], bytes[at + 2]])),
        };
    }
    found
}
