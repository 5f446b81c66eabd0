//! Who vouches for a file: the signing keys of a folder, and what they signed.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use sha2::{Digest as _, Sha256};

use crate::verify::evidence;
use crate::verify::openpgp::{Keyring, Outcome, Signatures};
use crate::verify::sums::{Comparison, Digest};

/// Keys whose signatures count.
pub struct Keys {
    folder: PathBuf,
    ring: Keyring,
}

/// Who signed a file.
pub enum Signer {
    /// The owner of one of the keys.
    Good {
        /// Of the primary key.
        fingerprint: String,
        /// The owner, for people.
        by: String,
    },
    /// Nobody whose key is here; the key that is missing.
    Unknown(String),
    /// The signature is not one that counts for this content.
    Bad(String),
}

/// Debian's whole keyring has 60 kB.
const LARGEST_KEY: u64 = 1 << 20;

/// Folders in folders of keys.
const DEEPEST: usize = 8;

impl Keys {
    /// Reads every key of a folder, of those that the box would take from `keys/`; says which
    /// files hold none.
    pub fn read(folder: &Path) -> Result<Keys, String> {
        let mut keys = Keys::none(folder);
        keys.add(folder, evidence::KEYS, DEEPEST)?;
        Ok(keys)
    }

    /// The same of the folder, or folders, with the keys of a stick.
    pub fn of_stick(stick: &Path) -> Result<Keys, String> {
        let mut keys = Keys::none(&stick.join(evidence::KEYS));
        for (name, path) in entries(stick)? {
            if name.eq_ignore_ascii_case(evidence::KEYS) && is_folder(&path) {
                keys.add(&path, &name, DEEPEST)?;
            }
        }
        Ok(keys)
    }

    /// `at` is the path that the folder has on a stick.
    fn add(&mut self, folder: &Path, at: &str, deeper: usize) -> Result<(), String> {
        for (name, path) in entries(folder)? {
            let at = format!("{at}/{name}");
            if is_folder(&path) && deeper > 0 {
                // What cannot be read has no key that counts; the others may do.
                self.add(&path, &at, deeper - 1).unwrap_or_else(|error| eprintln!("{error}"));
            } else if evidence::is_key(&at) && path.is_file() {
                self.add_file(&path);
            }
        }
        Ok(())
    }

    fn add_file(&mut self, path: &Path) {
        let mut bytes = Vec::new();
        let read = File::open(path).and_then(|f| f.take(LARGEST_KEY + 1).read_to_end(&mut bytes));
        let flaw = match read {
            Ok(_) if bytes.len() as u64 > LARGEST_KEY => {
                Some("it is too large for a key".to_owned())
            }
            Ok(_) => self.ring.add(&bytes).err().map(str::to_owned),
            Err(error) => Some(error.to_string()),
        };
        if let Some(flaw) = flaw {
            eprintln!("{}: not used as a key: {flaw}", path.display());
        }
    }

    /// No keys; `folder` is where they are missing.
    pub fn none(folder: &Path) -> Keys {
        Keys { folder: folder.to_owned(), ring: Keyring::default() }
    }

    /// Where they are from.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Compares what `open` gives with its signature.
    pub fn check<R: Read>(&self, open: impl FnMut() -> io::Result<R>, signature: &[u8]) -> Signer {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
        let signatures = match Signatures::read(signature) {
            Ok(signatures) => signatures,
            Err(flaw) => return Signer::Bad(format!("its signature is damaged: {flaw}")),
        };
        match signatures.check(&self.ring, now, open) {
            Err(error) => Signer::Bad(format!("it cannot be read: {error}")),
            Ok(Outcome::Good(by, lapsed)) => Signer::Good {
                fingerprint: by.fingerprint.clone(),
                // The rule for old releases: the key's end does not undo what it signed before.
                by: if lapsed.is_some() { format!("{by} (expired since)") } else { by.to_string() },
            },
            Ok(Outcome::Differs(by)) => {
                Signer::Bad(format!("the signature by {by} is one of another content"))
            }
            Ok(Outcome::Expired(by, _)) => {
                Signer::Bad(format!("the signature was made when the key of {by} had expired"))
            }
            Ok(Outcome::Revoked(by)) => {
                Signer::Bad(format!("the signature's key, {by}, is revoked"))
            }
            Ok(Outcome::Forgeable) => {
                Signer::Bad("its signature is of a kind that can be forged".to_owned())
            }
            Ok(Outcome::Damaged(flaw)) => Signer::Bad(format!("its signature is damaged: {flaw}")),
            Ok(Outcome::Unknown(key)) => Signer::Unknown(key),
        }
    }
}

/// Names and paths, in the order of the names: which keys come first is no matter of chance.
fn entries(folder: &Path) -> Result<Vec<(String, PathBuf)>, String> {
    let entries = fs::read_dir(folder).map_err(|e| format!("{}: {e}", folder.display()))?;
    let named = |entry: fs::DirEntry| Some((entry.file_name().into_string().ok()?, entry.path()));
    let mut entries: Vec<_> = entries.flatten().filter_map(named).collect();
    entries.sort();
    Ok(entries)
}

/// A link to one is none: it may lead back.
fn is_folder(path: &Path) -> bool {
    path.symlink_metadata().is_ok_and(|data| data.is_dir())
}

/// Whether these bytes are a detached signature; else what is wrong with them.
pub fn is_signature(bytes: &[u8]) -> Result<(), &'static str> {
    Signatures::read(bytes).map(|_| ())
}

/// The SHA-256 of what can be read.
pub fn sha256(content: &mut dyn Read) -> io::Result<Digest> {
    let mut hasher = Sha256::new();
    for_each_piece(content, |piece| hasher.update(piece))?;
    Ok(Digest::of_256(hasher))
}

/// Whether what can be read makes all of these.
pub fn fits(content: &mut dyn Read, wanted: &[Digest]) -> io::Result<bool> {
    let mut comparison = Comparison::with(wanted);
    for_each_piece(content, |piece| comparison.update(piece))?;
    Ok(comparison.is_equal())
}

fn for_each_piece(content: &mut dyn Read, mut take: impl FnMut(&[u8])) -> io::Result<()> {
    let mut buffer = vec![0; 256 * 1024];
    loop {
        match content.read(&mut buffer) {
            Ok(0) => return Ok(()),
            Ok(length) => take(buffer.get(..length).unwrap_or_default()),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}
