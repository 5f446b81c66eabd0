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

const CROWDED: &str = "is not used: all keys together are larger than 2 MiB";

/// Which no file says of itself when it is read.
const TOO_LARGE: io::ErrorKind = io::ErrorKind::FileTooLarge;

/// The keys of these files, and what is wrong with those that cannot be used. One that cannot
/// be read may be whose signature counts: then there is no keyring at all. `goes_on` is asked
/// before each file: false ends it with an error.
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
        let message = match small(seen, LARGEST_PROOF) {
            Err(error) if error.kind() == TOO_LARGE => "is too large for a key".to_owned(),
            Err(error) => return Err(error),
            Ok(bytes) if bytes.len() > left => CROWDED.to_owned(),
            Ok(bytes) => {
                left -= bytes.len();
                match keyring.add(&bytes) {
                    Ok(_) => continue,
                    Err(flaw) => format!("is no key: {flaw}"),
                }
            }
        };
        problems.push((seen.file.path.clone(), message));
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
        return Err(io::Error::new(
            TOO_LARGE,
            format!("{}: too large for what it should be", file.path),
        ));
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::fs;
    use std::path::Path;

    use super::super::evidence::Stamp;
    use super::*;
    use crate::inventory::MediaFile;

    fn seen(volume: &Path, path: &str) -> Seen {
        let (size, modified, inside) = (0, 0, None);
        let file =
            MediaFile { volume: volume.into(), path: path.to_owned(), size, modified, inside };
        Seen { file, stamp: Stamp::default() }
    }

    #[test]
    fn what_is_no_key_is_told_and_what_cannot_be_read_may_be_any_key() {
        let place = std::env::temp_dir().join(format!("pxeberry-keys-{}", std::process::id()));
        fs::create_dir_all(&place).unwrap();
        fs::write(place.join("words.asc"), "-----").unwrap();
        fs::write(place.join("large.gpg"), vec![0; usize::try_from(LARGEST_PROOF + 1).unwrap()])
            .unwrap();
        let mut files = vec![seen(&place, "words.asc"), seen(&place, "large.gpg")];
        let (_, problems) = keyring(&files, &|| true).unwrap();
        let told: Vec<String> =
            problems.iter().map(|(file, why)| format!("{file} {why}")).collect();
        let words = "words.asc is no key: there is no public key in it";
        assert_eq!(told, [words, "large.gpg is too large for a key"]);
        files.push(seen(&place, "gone.asc"));
        assert!(keyring(&files, &|| true).unwrap_err().to_string().starts_with("gone.asc: "));
        // A stick that is pulled is not read to its end.
        let asked = Cell::new(0);
        let ended = keyring(&files, &|| asked.replace(asked.get() + 1) < 1).unwrap_err();
        assert_eq!((ended.kind(), asked.get()), (GIVEN_UP, 2));
        fs::remove_dir_all(&place).unwrap();
    }
}
