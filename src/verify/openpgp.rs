//! Signatures and the keys that they may be made with. The cryptography is rPGP's, which
//! checks the numbers alone; what a key was allowed to sign, and when, is decided here.
//!
//! Refused: a subkey that its primary key does not vouch for, or that does not vouch for it; a
//! revoked key; a signature from outside of its key's life; MD5, RIPEMD and SHA-1; anything
//! that is not exactly the form which its content has. That a key has expired since it signed
//! is told, and no fault: every old release is in that state, and this box has no clock that
//! it could trust.

use std::io::{self, Read};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use pgp::crypto::hash::HashAlgorithm;
use pgp::packet::{
    Packet, PacketParser, Signature, SignatureType, SignatureVersion, SubpacketData,
};
use pgp::ser::Serialize;
use pgp::types::KeyId;

use super::armor::{self, Flaw};
use super::certificate::{Certificate, Checks, Key, Public, certificates, created, hex};
use super::verdict::Signer;

/// Signatures below one file; the publishers with the most have a handful.
const MOST_SIGNATURES: usize = 16;

/// A project has one, a distribution some dozens.
const MOST_CERTIFICATES: usize = 1_000;

/// Signatures that owners put on their keys. A slow one takes 15 ms on a Pi.
const MOST_CHECKS: u32 = 4_096;

/// Keys that may sign, from the files of `keys/`.
#[derive(Debug, Default)]
pub struct Keyring {
    certificates: Vec<Certificate>,
    checks: u32,
}

/// What one signature is worth.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// Right; with the day on which the key has expired since.
    Good(Arc<Signer>, Option<u64>),
    /// It does not fit the content.
    Differs(Arc<Signer>),
    /// Made when the key had expired, on this day.
    Expired(Arc<Signer>, u64),
    /// Its key was revoked.
    Revoked(Arc<Signer>),
    /// By a function that can be forged.
    Forgeable,
    /// What it says of itself cannot be.
    Damaged(Flaw),
    /// Made by this key, which is not in the keyring.
    Unknown(String),
}

impl Keyring {
    /// Adds the keys of one file, in binary form or as text. The number of keys that can sign.
    /// However many strangers' files there are, memory and time for them end.
    pub fn add(&mut self, file: &[u8]) -> Result<usize, Flaw> {
        let blocks = match armor::is_text(file) {
            true => {
                let text = std::str::from_utf8(file).map_err(|_| "it is no text")?;
                armor::blocks(text, armor::PUBLIC_KEY)
            }
            false => vec![Ok(file.to_vec())],
        };
        let mut added = 0;
        let mut flaw = "there is no public key in it";
        for block in blocks {
            let checks = Checks::of(MOST_CHECKS - self.checks);
            let found = block.and_then(|bytes| guarded(|| certificates(&bytes, &checks)));
            self.checks = MOST_CHECKS - checks.left();
            match found {
                Ok(found) if self.certificates.len() + found.len() > MOST_CERTIFICATES => {
                    flaw = "there are more keys than are looked at";
                }
                Ok(found) => {
                    added += found.len();
                    found.into_iter().for_each(|certificate| self.merge(certificate));
                }
                Err(found) => flaw = found,
            }
        }
        if added > 0 { Ok(added) } else { Err(flaw) }
    }

    /// Whose keys these are.
    pub fn signers(&self) -> impl Iterator<Item = &Signer> {
        self.certificates.iter().map(|certificate| &*certificate.signer)
    }

    /// A newer copy of a certificate prolongs or revokes the older one.
    fn merge(&mut self, new: Certificate) {
        let same = |old: &&mut Certificate| old.signer.fingerprint == new.signer.fingerprint;
        let Some(old) = self.certificates.iter_mut().find(same) else {
            return self.certificates.push(new);
        };
        for key in new.keys {
            match old.keys.iter_mut().find(|old| old.fingerprint() == key.fingerprint()) {
                Some(old) => {
                    old.revoked |= key.revoked;
                    old.expires = old.expires.zip(key.expires).map(|(a, b)| a.max(b));
                }
                None => old.keys.push(key),
            }
        }
        // A copy with the owner's last word may have neither keys nor names.
        old.revoked |= new.revoked;
        if old.revoked {
            old.keys.iter_mut().for_each(|key| key.revoked = true);
        }
        if old.signer.name.is_empty() {
            old.signer = new.signer;
        }
    }

    /// The key that made `signature`. Every hint has to fit: they are not signed themselves.
    fn key_of(&self, signature: &Signature) -> Option<(&Arc<Signer>, &Key)> {
        let ids: Vec<&[u8]> = signature.issuer_key_id().into_iter().map(AsRef::as_ref).collect();
        let prints = signature.issuer_fingerprint();
        let fits = |key: &&Key| {
            ids.iter().all(|id| *id == key.id())
                && prints.iter().all(|p| p.as_bytes() == key.fingerprint())
        };
        let mut all = self.certificates.iter();
        all.find_map(|owner| Some((&owner.signer, owner.keys.iter().find(fits)?)))
    }

    /// Whether a part of what the signature says of its key fits one that is here, or its number
    /// differs in one bit: no accident of two keys.
    fn nearly_knows(&self, signature: &Signature) -> bool {
        let off_by = |key: &Key, id: &KeyId| -> u32 {
            let pairs = id.as_ref().iter().zip(key.id());
            pairs.map(|(a, b)| (a ^ b).count_ones()).sum()
        };
        let ids = signature.issuer_key_id();
        let prints = signature.issuer_fingerprint();
        let close = |key: &Key| {
            ids.iter().any(|id| off_by(key, id) <= 1)
                || prints.iter().any(|print| print.as_bytes() == key.fingerprint())
        };
        self.certificates.iter().flat_map(|owner| &owner.keys).any(close)
    }
}

/// The signatures of one file.
#[derive(Debug)]
pub struct Signatures(Vec<Signature>);

impl Signatures {
    /// Reads a detached signature in either form.
    pub fn read(file: &[u8]) -> Result<Signatures, Flaw> {
        if file.is_empty() {
            return Err("it is empty");
        }
        if !armor::is_text(file) {
            return Signatures::from_binary(file);
        }
        let text = std::str::from_utf8(file).map_err(|_| "it is no text")?;
        Signatures::from_binary(&armor::block(text, armor::SIGNATURE)?)
    }

    /// Reads packets.
    pub fn from_binary(bytes: &[u8]) -> Result<Signatures, Flaw> {
        guarded(|| {
            let mut found = Vec::new();
            for packet in PacketParser::new(bytes) {
                match packet {
                    Ok(Packet::Signature(signature)) if found.len() < MOST_SIGNATURES => {
                        found.push(proper(signature)?);
                    }
                    Ok(_) => return Err("it holds something else than signatures"),
                    Err(_) => return Err("it is no whole signature"),
                }
            }
            if found.is_empty() || !is_exactly(&found, bytes) {
                return Err("it is no whole signature");
            }
            Ok(Signatures(found))
        })
    }

    /// Checks them against the content that `open` gives, read once for each signature whose
    /// key is there, until one is good. An error is one of reading.
    pub fn check<R: Read>(
        &self,
        keyring: &Keyring,
        now: u64,
        mut open: impl FnMut() -> io::Result<R>,
    ) -> io::Result<Outcome> {
        let mut worst = None;
        for signature in &self.0 {
            let outcome = match judge(signature, keyring, now) {
                Err(outcome) => outcome,
                Ok((signer, key, lapsed)) => match fits(signature, key, open()?)? {
                    true => return Ok(Outcome::Good(Arc::clone(signer), lapsed)),
                    false => Outcome::Differs(Arc::clone(signer)),
                },
            };
            let rank = |outcome: &Outcome| !matches!(outcome, Outcome::Unknown(_));
            if worst.as_ref().is_none_or(|worst| rank(&outcome) && !rank(worst)) {
                worst = Some(outcome);
            }
        }
        Ok(worst.unwrap_or_else(|| Outcome::Unknown(String::new())))
    }
}

/// What can be said of a signature without its content; `Ok` if it is the content that counts.
fn judge<'a>(
    signature: &Signature,
    keyring: &'a Keyring,
    now: u64,
) -> Result<(&'a Arc<Signer>, &'a Key, Option<u64>), Outcome> {
    use HashAlgorithm::{Sha3_256, Sha3_512, Sha224, Sha256, Sha384, Sha512};
    let Some((signer, key)) = keyring.key_of(signature) else {
        return Err(match keyring.nearly_knows(signature) {
            true => Outcome::Damaged("its key's number is wrong"),
            false => Outcome::Unknown(issuer(signature)),
        });
    };
    let strong = [Sha224, Sha256, Sha384, Sha512, Sha3_256, Sha3_512];
    if !signature.hash_alg().is_some_and(|hash| strong.contains(&hash)) {
        return Err(Outcome::Forgeable);
    }
    if key.revoked {
        return Err(Outcome::Revoked(Arc::clone(signer)));
    }
    let made = created(signature);
    match key.expires {
        // A signature that is older than its key was not made with it.
        _ if made < key.created => Err(Outcome::Differs(Arc::clone(signer))),
        Some(end) if made >= end => Err(Outcome::Expired(Arc::clone(signer), end)),
        end => {
            let own = signature.signature_expiration_time().map(|life| u64::from(life.as_secs()));
            let own = own.filter(|life| *life > 0).map(|life| made + life);
            let end = end.into_iter().chain(own).min();
            Ok((signer, key, end.filter(|end| *end <= now)))
        }
    }
}

/// Whether the content is what was signed; the content is read to its end.
fn fits(signature: &Signature, key: &Key, content: impl Read) -> io::Result<bool> {
    let mut content = Noting { content, failed: None };
    let fits = guarded(|| {
        let verified = match &key.public {
            Public::Primary(key) => signature.verify(key, &mut content),
            Public::Sub(key) => signature.verify(key, &mut content),
        };
        verified.map_err(|_| "it differs")
    });
    match content.failed {
        Some(error) => Err(error),
        None => Ok(fits.is_ok()),
    }
}

/// Remembers that reading failed: rPGP's error does not tell it from a wrong signature.
struct Noting<R> {
    content: R,
    failed: Option<io::Error>,
}

impl<R: Read> Read for Noting<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.content.read(buffer).map_err(|error| {
            let told = io::Error::from(error.kind());
            self.failed = Some(error);
            told
        })
    }
}

/// A fault of a library, met with bytes of strangers, is a fault of these bytes.
fn guarded<T>(work: impl FnOnce() -> Result<T, Flaw>) -> Result<T, Flaw> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or(Err("it cannot be understood"))
}

/// A signature over content, of a kind that is still made.
fn proper(signature: Signature) -> Result<Signature, Flaw> {
    let Some(config) = signature.config() else {
        return Err("its version is not known");
    };
    if !matches!(config.version(), SignatureVersion::V4 | SignatureVersion::V6) {
        return Err("it is of a kind that is no longer made");
    }
    if !matches!(config.typ, SignatureType::Binary | SignatureType::Text) {
        return Err("it does not sign a file");
    }
    // What is not signed itself may say who signed, and nothing else.
    let hint = |data: &SubpacketData| {
        matches!(data, SubpacketData::IssuerKeyId(_) | SubpacketData::IssuerFingerprint(_))
    };
    if config.unhashed_subpackets().any(|part| part.is_critical || !hint(&part.data)) {
        return Err("what it says of itself is damaged");
    }
    let unknown = |data: &SubpacketData| {
        matches!(data, SubpacketData::Other(..) | SubpacketData::Experimental(..))
    };
    if config.hashed_subpackets().any(|part| part.is_critical && unknown(&part.data)) {
        return Err("it depends on something that is not known here");
    }
    if signature.issuer_key_id().is_empty() && signature.issuer_fingerprint().is_empty() {
        return Err("it does not say whose it is");
    }
    // The number of a key is a part of its fingerprint.
    let (ids, prints) = (signature.issuer_key_id(), signature.issuer_fingerprint());
    let part_of = |print: &[u8], id: &[u8]| print.starts_with(id) || print.ends_with(id);
    let agree = |id: &&KeyId| prints.iter().all(|print| part_of(print.as_bytes(), id.as_ref()));
    if !ids.iter().all(agree) {
        return Err("it names two different keys");
    }
    Ok(signature)
}

/// Whether these are the bytes that the signatures are written as: then no bit of them can be
/// another one.
fn is_exactly(signatures: &[Signature], bytes: &[u8]) -> bool {
    use pgp::packet::PacketTrait;
    /// The longest header of a packet.
    const HEADER: usize = 6;
    let mut written = Vec::new();
    let whole = signatures.iter().all(|one| one.to_writer_with_header(&mut written).is_ok());
    if whole && written == bytes {
        return true;
    }
    // A header may give a length in more bytes than it needs.
    let [only] = signatures else { return false };
    let body = only.to_bytes().unwrap_or_default();
    bytes.len().checked_sub(body.len()).is_some_and(|rest| rest <= HEADER) && bytes.ends_with(&body)
}

/// Who says to have signed.
fn issuer(signature: &Signature) -> String {
    let print = signature.issuer_fingerprint().first().map(|print| hex(print.as_bytes()));
    let id = signature.issuer_key_id().first().map(|id| hex(id.as_ref()));
    print.or(id).unwrap_or_default()
}
