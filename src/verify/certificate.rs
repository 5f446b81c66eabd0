//! Keys as their owners publish them: which of them may sign, how long, and in whose name.
//!
//! A subkey counts when its primary key vouches for it and it for its primary key. Of several
//! words of the owner the newest one counts.

use std::cell::Cell;
use std::cmp::Reverse;
use std::sync::Arc;

use pgp::composed::{Deserializable, SignedPublicKey, SignedPublicSubKey};
use pgp::crypto::hash::HashAlgorithm;
use pgp::errors::Result as Checked;
use pgp::packet::{PacketParser, PublicKey, PublicSubkey, Signature, SignatureType, SubpacketData};
use pgp::types::{KeyDetails, KeyVersion, SignedUser, Tag};

use super::armor::Flaw;
use super::verdict::Signer;

/// A name longer than this is no name.
const LONGEST_NAME: usize = 100;

/// Of one file. Each takes some hundred bytes of it, and thousands here; those of a
/// distribution have a few hundred.
const MOST_PACKETS: usize = 2_500;

/// How many signatures may still be checked to learn what owners say of their keys.
#[derive(Debug)]
pub(super) struct Checks {
    left: Cell<u32>,
    overdrawn: Cell<bool>,
}

impl Checks {
    pub fn of(left: u32) -> Checks {
        Checks { left: Cell::new(left), overdrawn: Cell::new(false) }
    }

    pub fn left(&self) -> u32 {
        self.left.get()
    }

    /// Whether the signature is right, if that may still be found out.
    fn holds(&self, word: &Signature, check: impl FnOnce(&Signature) -> Checked<()>) -> bool {
        if !is_strong_enough(word) {
            return false;
        }
        let Some(left) = self.left.get().checked_sub(1) else {
            self.overdrawn.set(true);
            return false;
        };
        self.left.set(left);
        check(word).is_ok()
    }
}

#[derive(Debug)]
pub(super) struct Certificate {
    pub signer: Arc<Signer>,
    pub keys: Vec<Key>,
    /// Then all its keys are, in whatever copy of it.
    pub revoked: bool,
}

/// A primary key or subkey with what its owner says of it.
#[derive(Debug)]
pub(super) struct Key {
    pub public: Public,
    pub created: u64,
    /// Its own end, or its certificate's.
    pub expires: Option<u64>,
    /// By itself, or with its certificate.
    pub revoked: bool,
}

#[derive(Debug)]
pub(super) enum Public {
    Primary(PublicKey),
    Sub(PublicSubkey),
}

/// The certificates in these packets that have a key which may sign, or are revoked. Damaged
/// ones are left out.
pub(super) fn certificates(bytes: &[u8], checks: &Checks) -> Result<Vec<Certificate>, Flaw> {
    if PacketParser::new(bytes).nth(MOST_PACKETS).is_some() {
        return Err("there is more in it than in any key");
    }
    let parsed = SignedPublicKey::from_bytes_many(bytes).map_err(|_| "it is no key")?;
    let found = parsed.filter_map(|key| certificate(key.ok()?, checks));
    let found: Vec<Certificate> = found.filter(|c| !c.keys.is_empty() || c.revoked).collect();
    if checks.overdrawn.get() {
        // A word that was not checked may be the one that a key is lost.
        return Err("there are more signatures on keys than are looked at");
    }
    if found.is_empty() { Err("there is no key in it that may sign") } else { Ok(found) }
}

fn certificate(found: SignedPublicKey, checks: &Checks) -> Option<Certificate> {
    let primary = &found.primary_key;
    if !matches!(primary.version(), KeyVersion::V4 | KeyVersion::V6) {
        return None;
    }
    let details = &found.details;
    let own = |word: &Signature| checks.holds(word, |word| word.verify_key(primary));
    let mut ends = details.revocation_signatures.iter().filter(|word| may_be_of(word, primary));
    let lost = ends.any(own);
    // What its owner said of it, by each user name and by itself; the newest word counts.
    let (names, withdrawn) = names(&details.users, primary, checks);
    let mut words: Vec<&Signature> = names.iter().map(|(word, _)| *word).collect();
    let direct = details.direct_signatures.iter().filter(|word| may_be_of(word, primary));
    words.extend(newest(direct, own));
    let newest = words.iter().copied().max_by_key(|word| created(word));
    // A key whose owner has taken back all of its names is as good as lost.
    let revoked = lost || (withdrawn && newest.is_none());
    let name = names.iter().max_by_key(|(word, _)| (word.is_primary(), created(word)));
    let name = name.map_or_else(String::new, |(_, name)| clean(name));
    let fingerprint = hex(primary.fingerprint().as_bytes());
    let signer = Arc::new(Signer { fingerprint, name });
    let created = u64::from(primary.created_at().as_secs());
    let expires = newest.and_then(|word| end_of(created, word));
    // Lost without a word, it is known all the same: for what it signed, and for other copies.
    let signs = newest.map_or(revoked, may_sign);
    let mut keys = Vec::new();
    for sub in &found.public_subkeys {
        keys.extend(subkey(sub, primary, expires, revoked, checks));
    }
    if signs {
        keys.push(Key { public: Public::Primary(found.primary_key), created, expires, revoked });
    }
    (newest.is_some() || revoked).then_some(Certificate { signer, keys, revoked })
}

/// The user names that its owner stands by, with the words that say so; and whether one was
/// taken back.
fn names<'a>(
    users: &'a [SignedUser],
    primary: &PublicKey,
    checks: &Checks,
) -> (Vec<(&'a Signature, &'a [u8])>, bool) {
    let mut names = Vec::new();
    let mut withdrawn = false;
    for user in users {
        let own = user.signatures.iter().filter(|word| may_be_of(word, primary));
        let newest = newest(own, |word| {
            checks.holds(word, |w| w.verify_certification(primary, Tag::UserId, &user.id))
        });
        match newest {
            Some(word) if word.typ() == Some(SignatureType::CertRevocation) => withdrawn = true,
            Some(word) => names.push((word, user.id.id())),
            None => {}
        }
    }
    (names, withdrawn)
}

/// A subkey that may sign, and whose bond to its primary key holds in both directions.
fn subkey(
    found: &SignedPublicSubKey,
    primary: &PublicKey,
    end: Option<u64>,
    lost: bool,
    checks: &Checks,
) -> Option<Key> {
    let own = |word: &Signature| {
        checks.holds(word, |word| word.verify_subkey_binding(primary, &found.key))
    };
    let of_type = |wanted| move |word: &&Signature| word.typ() == Some(wanted);
    let bonds = found.signatures.iter().filter(of_type(SignatureType::SubkeyBinding));
    let bond = newest(bonds, own).filter(|word| word.key_flags().sign())?;
    let back = bond.embedded_signature()?;
    back.verify_primary_key_binding(&found.key, primary).ok()?;
    let mut ends = found.signatures.iter().filter(of_type(SignatureType::SubkeyRevocation));
    let revoked = lost || ends.any(|word| may_be_of(word, primary) && own(word));
    let created = u64::from(found.key.created_at().as_secs());
    let expires = end_of(created, bond).into_iter().chain(end).min();
    Some(Key { public: Public::Sub(found.key.clone()), created, expires, revoked })
}

/// The newest of these that holds; of equally old ones the last. It is looked for from the
/// newest on: a certificate may have thousands.
fn newest<'a>(
    words: impl Iterator<Item = &'a Signature>,
    holds: impl Fn(&Signature) -> bool,
) -> Option<&'a Signature> {
    let mut words: Vec<&Signature> = words.collect();
    words.reverse();
    words.sort_by_key(|word| Reverse(created(word)));
    words.into_iter().find(|word| holds(word))
}

/// Whether a signature does not say to be another key's: most on a well known key are.
fn may_be_of(word: &Signature, key: &PublicKey) -> bool {
    word.issuer_key_id().iter().all(|id| **id == key.legacy_key_id())
        && word.issuer_fingerprint().iter().all(|print| **print == key.fingerprint())
}

impl Key {
    pub fn fingerprint(&self) -> Vec<u8> {
        let print = match &self.public {
            Public::Primary(key) => key.fingerprint(),
            Public::Sub(key) => key.fingerprint(),
        };
        print.as_bytes().to_vec()
    }

    pub fn id(&self) -> Vec<u8> {
        let id = match &self.public {
            Public::Primary(key) => key.legacy_key_id(),
            Public::Sub(key) => key.legacy_key_id(),
        };
        id.as_ref().to_vec()
    }
}

/// Old keys vouch for themselves with SHA-1, whose collisions rPGP finds; never with MD5.
fn is_strong_enough(word: &Signature) -> bool {
    !matches!(word.hash_alg(), None | Some(HashAlgorithm::Md5))
}

/// Without flags a key may do what its mathematics allows (RFC 9580, 5.2.3.29).
fn may_sign(word: &Signature) -> bool {
    let says = |data: &SubpacketData| matches!(data, SubpacketData::KeyFlags(_));
    let flagged = word.config().is_some_and(|c| c.hashed_subpackets().any(|p| says(&p.data)));
    !flagged || word.key_flags().sign()
}

fn end_of(created: u64, word: &Signature) -> Option<u64> {
    let life = word.key_expiration_time().map(|life| u64::from(life.as_secs()));
    life.filter(|life| *life > 0).map(|life| created + life)
}

/// When a signature was made.
pub(super) fn created(signature: &Signature) -> u64 {
    signature.created().map_or(0, |time| u64::from(time.as_secs()))
}

/// In the spelling of fingerprints.
pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02X}")).collect()
}

/// A user name is anything that somebody wrote: shown without what is no text.
fn clean(name: &[u8]) -> String {
    let text = String::from_utf8_lossy(name);
    text.chars().filter(|c| !c.is_control() && !is_invisible(*c)).take(LONGEST_NAME).collect()
}

/// Marks that turn the direction of writing, or take no place.
fn is_invisible(c: char) -> bool {
    matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}
