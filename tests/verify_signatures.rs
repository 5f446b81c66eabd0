//! Signatures made by the real GnuPG: what is right is accepted, and nothing else.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests fail so")]
#![allow(clippy::indexing_slicing, clippy::cast_possible_truncation, reason = "tests fail so")]

#[path = "support/chance.rs"]
mod chance;
#[path = "support/gpg.rs"]
mod gpg;

use chance::Random;
use gpg::{EARLY, Form, Gpg, LATE, packets};
use pxeberry::verify::armor;
use pxeberry::verify::openpgp::{Keyring, Outcome, Signatures};

const CONTENT: &[u8] = b"kernel\nof a small system\n";

/// A time between the two: 2021-06-01.
const NOW: u64 = 1_622_505_600;

/// 2020-12-31: a year after the keys were made, of 365 days.
const END: u64 = 1_577_836_800 + 365 * 86_400;

fn keyring(keys: &[Vec<u8>]) -> Keyring {
    let mut keyring = Keyring::default();
    for key in keys {
        keyring.add(key).unwrap();
    }
    keyring
}

fn outcome(keyring: &Keyring, signature: &[u8], content: &[u8]) -> Result<Outcome, &'static str> {
    let read = Signatures::read(signature)?;
    Ok(read.check(keyring, NOW, || Ok(content)).unwrap())
}

fn is_good(outcome: &Result<Outcome, &'static str>) -> bool {
    matches!(outcome, Ok(Outcome::Good(..)))
}

#[test]
fn rsa_and_ed25519_are_verified_in_both_forms_by_primary_keys_and_subkeys() {
    let gpg = Gpg::new();
    for (name, key) in [
        ("rsa", gpg.key("R <r@example.invalid>", "rsa2048", "never")),
        ("rsa 4096", gpg.key("R4 <r4@example.invalid>", "rsa4096", "never")),
        ("ed25519", gpg.key("E <e@example.invalid>", "ed25519", "never")),
        ("nistp256", gpg.key("N <n@example.invalid>", "nistp256", "never")),
        ("subkey rsa", gpg.key_with_subkey("SR <sr@example.invalid>", "rsa2048")),
        ("subkey ed25519", gpg.key_with_subkey("SE <se@example.invalid>", "ed25519")),
    ] {
        for public in [gpg.public(&key), gpg.public_binary(&key)] {
            let keyring = keyring(&[public]);
            for form in [Form::Binary, Form::Armoured] {
                let signature = gpg.sign(&key, CONTENT, form);
                let Ok(Outcome::Good(signer, lapsed)) = outcome(&keyring, &signature, CONTENT)
                else {
                    panic!("{name}, {form:?}: {:?}", outcome(&keyring, &signature, CONTENT));
                };
                assert_eq!(signer.fingerprint, key, "{name}");
                assert!(signer.name.ends_with("@example.invalid>"), "{name}: {}", signer.name);
                assert_eq!(lapsed.is_some(), name.starts_with("subkey"), "{name}");
            }
        }
    }
}

#[test]
fn a_signed_text_is_verified_and_a_changed_one_is_not() {
    let gpg = Gpg::new();
    let key = gpg.key("R <r@example.invalid>", "rsa2048", "never");
    let keyring = keyring(&[gpg.public(&key)]);
    let list = b"# a list\n- with a dash\nSHA256 (x) = ab  \nlast line\n";
    let signed = String::from_utf8(gpg.sign(&key, list, Form::Clear)).unwrap();
    let check = |text: &str| {
        let found = armor::cleartext(text)?;
        let signatures = Signatures::from_binary(&found.signature)?;
        Ok(signatures.check(&keyring, NOW, || Ok(found.text.as_bytes())).unwrap())
    };
    assert!(is_good(&check(&signed)), "{signed}");
    assert!(is_good(&check(&signed.replace('\n', "\r\n"))), "with the line ends of Windows");
    for (old, new) in [("last", "lasd"), ("SHA256 (x)", "SHA256 (y)"), ("- - with", "- with")] {
        assert!(!is_good(&check(&signed.replace(old, new))), "{old} → {new}");
    }
}

#[test]
fn expired_wrong_and_revoked_keys_are_told_apart() {
    let gpg = Gpg::new();
    let old = gpg.key("Old <old@example.invalid>", "rsa2048", "1y");
    let own = gpg.key("Own <own@example.invalid>", "ed25519", "never");
    let other = gpg.key("Other <other@example.invalid>", "ed25519", "never");
    let ring = keyring(&[gpg.public(&old), gpg.public(&own)]);
    // Signed in time: the key's end is told, and no fault.
    let signature = gpg.sign(&old, CONTENT, Form::Binary);
    let Ok(Outcome::Good(_, Some(END))) = outcome(&ring, &signature, CONTENT) else {
        panic!("{:?}", outcome(&ring, &signature, CONTENT));
    };
    // Of somebody who is not there.
    let signature = gpg.sign(&other, CONTENT, Form::Binary);
    assert_eq!(outcome(&ring, &signature, CONTENT), Ok(Outcome::Unknown(other.clone())));
    // Signed late, which takes a key whose end was moved forwards afterwards.
    let late = gpg.sign_at(LATE, &own, CONTENT, Form::Binary);
    assert!(is_good(&outcome(&ring, &late, CONTENT)));
    gpg.expires(&own, "20201231T000000");
    let ring = keyring(&[gpg.public(&own)]);
    let Ok(Outcome::Expired(signer, at)) = outcome(&ring, &late, CONTENT) else {
        panic!("{:?}", outcome(&ring, &late, CONTENT));
    };
    assert_eq!((signer.fingerprint.as_str(), at / 86_400), (own.as_str(), END / 86_400));
    // The other copy of the key prolongs it.
    let signature = gpg.sign(&other, CONTENT, Form::Binary);
    assert!(is_good(&outcome(&keyring(&[gpg.public(&other)]), &signature, CONTENT)));
    gpg.revoke(&other);
    let ring = keyring(&[gpg.public(&other)]);
    assert!(matches!(outcome(&ring, &signature, CONTENT), Ok(Outcome::Revoked(_))));
}

/// Copies of a certificate that differ in what its owner said last, in either order.
#[track_caller]
fn together_revoked(old: &[u8], new: &[u8], signature: &[u8], name: &str) {
    assert!(is_good(&outcome(&keyring(&[old.to_vec()]), signature, CONTENT)));
    for copies in [[old.to_vec(), new.to_vec()], [new.to_vec(), old.to_vec()]] {
        let found = outcome(&keyring(&copies), signature, CONTENT);
        let Ok(Outcome::Revoked(signer)) = &found else { panic!("{found:?}") };
        assert_eq!(signer.name, name);
    }
}

#[test]
fn a_revocation_counts_for_older_copies_whatever_else_is_left_of_the_key() {
    let gpg = Gpg::new();
    for (name, key) in [
        ("Own <o@example.invalid>", gpg.key("Own <o@example.invalid>", "ed25519", "never")),
        ("Sub <s@example.invalid>", gpg.key_with_subkey("Sub <s@example.invalid>", "ed25519")),
    ] {
        let signature = gpg.sign(&key, CONTENT, Form::Binary);
        let old = gpg.public_binary(&key);
        gpg.revoke(&key);
        let whole = gpg.public_binary(&key);
        together_revoked(&old, &whole, &signature, name);
        // The key and its revocation alone, as servers of keys give them without names.
        let bare = whole[..packets(&whole)[2].1].to_vec();
        assert_eq!(Keyring::default().add(&bare), Ok(1));
        together_revoked(&old, &bare, &signature, name);
        // With the name, and without the subkey.
        let parts = packets(&whole);
        let end = parts.iter().find(|(tag, _)| *tag == 14).map_or(whole.len(), |(_, at)| *at);
        together_revoked(&old, &whole[..end], &signature, name);
    }
}

#[test]
fn a_key_whose_owner_has_taken_back_all_its_names_counts_no_more() {
    let gpg = Gpg::new();
    let (one, two) = ("One <1@example.invalid>", "Two <2@example.invalid>");
    let key = gpg.key(one, "ed25519", "never");
    let signature = gpg.sign(&key, CONTENT, Form::Binary);
    gpg.add_name(&key, two);
    let old = gpg.public(&key);
    gpg.take_back(&key, one);
    let renamed = gpg.public(&key);
    assert!(is_good(&outcome(&keyring(&[old.clone(), renamed]), &signature, CONTENT)));
    // GnuPG takes back no last name, so its packets are left out.
    let bytes = gpg.public_binary(&key);
    let names: Vec<usize> =
        packets(&bytes).iter().filter(|(tag, _)| *tag == 13).map(|(_, at)| *at).collect();
    let kept = bytes[..names[1]].to_vec();
    let other = [bytes[..names[0]].to_vec(), bytes[names[1]..].to_vec()].concat();
    let gone = if keyring_holds(&kept, &signature) { other } else { kept };
    for copies in [vec![gone.clone()], vec![old.clone(), gone.clone()], vec![gone, old]] {
        let found = outcome(&keyring(&copies), &signature, CONTENT);
        assert!(matches!(found, Ok(Outcome::Revoked(_))), "{found:?}");
    }
}

fn keyring_holds(key: &[u8], signature: &[u8]) -> bool {
    let mut ring = Keyring::default();
    ring.add(key).is_ok() && is_good(&outcome(&ring, signature, CONTENT))
}

#[test]
fn what_can_be_forged_is_refused() {
    let gpg = Gpg::new();
    let key = gpg.key("R <r@example.invalid>", "rsa2048", "never");
    let keyring = keyring(&[gpg.public(&key)]);
    let signature = gpg.sign_with("SHA1", &key, CONTENT);
    assert_eq!(outcome(&keyring, &signature, CONTENT), Ok(Outcome::Forgeable));
}

#[test]
fn a_subkey_that_its_primary_key_does_not_vouch_for_signs_nothing() {
    let gpg = Gpg::new();
    let good = gpg.key("Good <good@example.invalid>", "ed25519", "never");
    let evil = gpg.key_with_subkey("Evil <evil@example.invalid>", "ed25519");
    let signature = gpg.sign(&evil, CONTENT, Form::Binary);
    // The subkey with its binding signature, put behind somebody else's key.
    let stolen = gpg.public_binary(&evil);
    let at = packets(&stolen).into_iter().find(|(tag, _)| *tag == 14).unwrap().1;
    let mixed = [gpg.public_binary(&good), stolen[at..].to_vec()].concat();
    let found = outcome(&keyring(&[mixed]), &signature, CONTENT);
    assert!(matches!(found, Ok(Outcome::Unknown(_))), "{found:?}");
    assert!(is_good(&outcome(&keyring(&[stolen]), &signature, CONTENT)));
}

#[test]
fn one_bit_anywhere_in_file_or_signature_is_refused() {
    let gpg = Gpg::new();
    for algorithm in ["rsa2048", "ed25519"] {
        let key = gpg.key(&format!("{algorithm} <x@example.invalid>"), algorithm, "never");
        let keyring = keyring(&[gpg.public(&key)]);
        for form in [Form::Binary, Form::Armoured] {
            let signature = gpg.sign(&key, CONTENT, form);
            assert!(is_good(&outcome(&keyring, &signature, CONTENT)));
            let bad = |signature: &[u8], content: &[u8]| {
                let found = outcome(&keyring, signature, content);
                // "Unknown" would let it pass for the signature of somebody else.
                !matches!(found, Ok(Outcome::Good(..) | Outcome::Unknown(_)))
            };
            for bit in 0..CONTENT.len() * 8 {
                assert!(
                    bad(&signature, &flipped(CONTENT, bit)),
                    "{algorithm} {form:?} content {bit}"
                );
            }
            for bit in 0..signature.len() * 8 {
                assert!(bad(&flipped(&signature, bit), CONTENT), "{algorithm} {form:?} bit {bit}");
            }
            let whole = signature.trim_ascii_end().len();
            for length in 0..whole.min(signature.len()) {
                assert!(bad(&signature[..length], CONTENT), "{algorithm} {form:?}, {length} bytes");
            }
            for length in 0..CONTENT.len() {
                assert!(bad(&signature, &CONTENT[..length]), "{algorithm}, {length} bytes");
            }
        }
    }
}

fn flipped(bytes: &[u8], bit: usize) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    bytes[bit / 8] ^= 1 << (bit % 8);
    bytes
}

#[test]
fn one_bit_anywhere_in_a_signed_list_is_refused() {
    let gpg = Gpg::new();
    let key = gpg.key("E <e@example.invalid>", "ed25519", "never");
    let keyring = keyring(&[gpg.public(&key)]);
    let list = format!("SHA256 (vmlinuz) = {}\n", "ab".repeat(32));
    let signed = gpg.sign(&key, list.as_bytes(), Form::Clear);
    let good = |text: &[u8]| {
        let Ok(text) = std::str::from_utf8(text) else { return false };
        let Ok(found) = armor::cleartext(text) else { return false };
        let Ok(signatures) = Signatures::from_binary(&found.signature) else { return false };
        let outcome = signatures.check(&keyring, NOW, || Ok(found.text.as_bytes())).unwrap();
        matches!(outcome, Outcome::Good(..))
    };
    assert!(good(&signed));
    for bit in 0..signed.len() * 8 {
        assert!(!good(&flipped(&signed, bit)), "bit {bit}");
    }
}

#[test]
fn mutated_keys_and_signatures_are_survived_and_never_good() {
    let gpg = Gpg::new();
    let keys = [
        gpg.key("R <r@example.invalid>", "rsa2048", "1y"),
        gpg.key_with_subkey("S <s@example.invalid>", "ed25519"),
    ];
    let right = keyring(&keys.each_ref().map(|key| gpg.public(key)));
    let signatures: Vec<Vec<u8>> = keys
        .iter()
        .flat_map(|key| [Form::Binary, Form::Armoured].map(|form| gpg.sign(key, CONTENT, form)))
        .collect();
    let publics: Vec<Vec<u8>> =
        keys.iter().flat_map(|key| [gpg.public(key), gpg.public_binary(key)]).collect();
    // Keys cost a hundred times as much as signatures: their own signatures are checked.
    for number in 0..chance::rounds(100_000, 3_000_000) {
        let mut random = Random::of_case(chance::seed(), number);
        let original = random.one_of(&signatures).clone();
        let signature = mutated(original.clone(), &mut random);
        let good = is_good(&outcome(&right, &signature, CONTENT));
        assert!(!good || says_the_same(&signature, &original), "case {number}");
    }
    for number in 0..chance::rounds(3_000, 200_000) {
        let mut random = Random::of_case(chance::seed() ^ 0x6b65_7973, number);
        let key = mutated(random.one_of(&publics).clone(), &mut random);
        let mut ring = Keyring::default();
        if ring.add(&key).is_ok() {
            for signature in &signatures {
                let _ = outcome(&ring, signature, CONTENT);
            }
        }
    }
}

/// Armour may be written in several ways, and blanks end lines.
fn says_the_same(one: &[u8], other: &[u8]) -> bool {
    let packets = |bytes: &[u8]| match armor::is_text(bytes) {
        true => armor::block(std::str::from_utf8(bytes).ok()?, armor::SIGNATURE).ok(),
        false => Some(bytes.to_vec()),
    };
    let holds = |one: &[u8], other: &[u8]| {
        // There are two ways to write the tag and the length before a packet.
        let body = &other[if other[0] & 3 == 0 { 2 } else { 3 }..];
        // Other signatures, damaged ones too, may stand before and behind a good one.
        one.windows(body.len()).any(|part| part == body)
    };
    packets(one).zip(packets(other)).is_some_and(|(one, other)| holds(&one, &other))
}

fn mutated(mut bytes: Vec<u8>, random: &mut Random) -> Vec<u8> {
    for _ in 0..=random.below(4) {
        if bytes.is_empty() {
            break;
        }
        let at = random.below(bytes.len());
        match random.below(8) {
            0 => bytes[at] ^= 1 << random.below(8),
            1 => bytes[at] = random.byte(),
            2 => bytes[at] = *random.one_of(&[0, 1, 2, 3, 4, 127, 128, 254, 255]),
            3 => bytes.truncate(at),
            4 => drop(bytes.drain(at..(at + 1 + random.below(40)).min(bytes.len()))),
            5 => {
                let twin = bytes[at..(at + 1 + random.below(200)).min(bytes.len())].to_vec();
                bytes.splice(at..at, twin);
            }
            // Lengths and tags stand at the begin.
            6 => {
                let early = random.below(bytes.len().min(40));
                bytes[early] = random.byte();
            }
            _ => {
                let length = 1 + random.below(20);
                let noise = random.bytes(length);
                bytes.splice(at..at, noise);
            }
        }
    }
    bytes
}

#[test]
fn the_moment_of_signing_decides_and_the_clock_does_not() {
    let gpg = Gpg::new();
    let key = gpg.key("Old <old@example.invalid>", "rsa2048", "1y");
    let keyring = keyring(&[gpg.public(&key)]);
    let signature = Signatures::read(&gpg.sign_at(EARLY, &key, CONTENT, Form::Binary)).unwrap();
    for (now, lapsed) in [(0, None), (END - 1, None), (END, Some(END)), (u64::MAX, Some(END))] {
        let outcome = signature.check(&keyring, now, || Ok(CONTENT)).unwrap();
        assert!(
            matches!(outcome, Outcome::Good(_, found) if found == lapsed),
            "{now}: {outcome:?}"
        );
    }
}
