//! Reading the files of `keys/`, and other small ones.

use std::io::{self, Read};

use super::check::GIVEN_UP;
use super::evidence::Seen;
use super::openpgp::Keyring;
use crate::inventory::media_file::open_beneath;

/// Signatures are some hundred bytes, certificates with all their users some ten thousand.
pub(super) const LARGEST_PROOF: u64 = 1024 * 1024;

/// All files with keys together; Debian's whole keyring has 60 kB.
const LARGEST_KEYS: usize = 2 * 1024 * 1024;

/// The keys of these files, and what is wrong with those that cannot be used. `goes_on` is
/// asked before each: false ends it with an error.
pub fn keyring(
    files: &[Seen],
    goes_on: &dyn Fn() -> bool,
) -> io::Result<(Keyring, Vec<(String, String)>)> {
    let mut keyring = Keyring::default();
    let mut problems = Vec::new();
    let mut left = LARGEST_KEYS;
    for seen in files {
        if !goes_on() {
            return Err(GIVEN_UP.into());
        }
        let added = small(seen, LARGEST_PROOF)
            .map_err(|error| format!("cannot be read: {error}"))
            .and_then(|bytes| {
                left = left
                    .checked_sub(bytes.len())
                    .ok_or("is not used: all keys together are larger than 2 MiB")?;
                keyring.add(&bytes).map_err(|flaw| format!("is no key: {flaw}"))
            });
        if let Err(message) = added {
            problems.push((seen.file.path.clone(), message));
        }
    }
    Ok((keyring, problems))
}

/// A whole file, if it is no larger than this.
pub(super) fn small(seen: &Seen, largest: u64) -> io::Result<Vec<u8>> {
    let file = &seen.file;
    let named = |error: io::Error| io::Error::new(error.kind(), format!("{}: {error}", file.path));
    let mut bytes = Vec::new();
    let open = open_beneath(&file.volume, &file.path).map_err(named)?;
    open.take(largest + 1).read_to_end(&mut bytes).map_err(named)?;
    if bytes.len() as u64 > largest {
        return Err(named(io::Error::other("too large for what it should be")));
    }
    Ok(bytes)
}
