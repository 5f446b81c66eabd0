//! More keys, and more on them, than anybody has: what they cost ends.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests fail so")]
#![allow(clippy::indexing_slicing, clippy::cast_possible_truncation, reason = "tests fail so")]

#[path = "support/gpg.rs"]
mod gpg;

use gpg::{Gpg, packets};
use pgp::composed::{KeyType, SecretKeyParamsBuilder};
use pgp::ser::Serialize;
use pxeberry::verify::openpgp::Keyring;
use rand::SeedableRng;
use rand::rngs::StdRng;

/// The same keys each time.
fn keys(random: &mut StdRng, count: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    for number in 0..count {
        let mut wanted = SecretKeyParamsBuilder::default();
        wanted.key_type(KeyType::Ed25519Legacy).can_certify(true).can_sign(true);
        let wanted = wanted.primary_user_id(number.to_string()).build().unwrap();
        wanted.generate(&mut *random).unwrap().to_public_key().to_writer(&mut bytes).unwrap();
    }
    bytes
}

#[test]
fn of_more_than_a_thousand_keys_the_first_thousand_count() {
    let mut random = StdRng::seed_from_u64(1);
    let mut keyring = Keyring::default();
    for _ in 0..10 {
        assert_eq!(keyring.add(&keys(&mut random, 100)), Ok(100));
    }
    let flaw = keyring.add(&keys(&mut random, 1)).unwrap_err();
    assert_eq!(flaw, "there are more keys than are looked at");
    assert_eq!(keyring.signers().count(), 1_000);
}

/// A key, its user name, and so many signatures of its own of which none holds.
fn with_signatures(gpg: &Gpg, count: usize) -> Vec<u8> {
    let key = gpg.public_binary(&gpg.key(
        &format!("Flood {count} <f@example.invalid>"),
        "ed25519",
        "never",
    ));
    let word = packets(&key).into_iter().find(|(tag, _)| *tag == 2).unwrap().1;
    let mut wrong = key[word..].to_vec();
    *wrong.last_mut().unwrap() ^= 1;
    [key[..word].to_vec(), wrong.repeat(count)].concat()
}

#[test]
fn signatures_on_keys_are_checked_up_to_a_number_and_no_key_counts_whose_are_not() {
    let gpg = Gpg::new();
    let mut keyring = Keyring::default();
    let flood = with_signatures(&gpg, 2_045);
    for _ in 0..2 {
        assert_eq!(keyring.add(&flood), Err("there is no key in it that may sign"));
    }
    let honest = gpg.public(&gpg.key("Honest <h@example.invalid>", "ed25519", "never"));
    assert_eq!(keyring.add(&honest), Ok(1), "a few are left");
    let spent = "there are more signatures on keys than are looked at";
    assert_eq!(keyring.add(&with_signatures(&gpg, 10)), Err(spent));
    assert_eq!(keyring.add(&honest), Err(spent));
    assert_eq!(keyring.signers().count(), 1);
}

#[test]
fn what_others_signed_on_a_key_costs_nothing() {
    let gpg = Gpg::new();
    let known = gpg.public_binary(&gpg.key("Known <k@example.invalid>", "ed25519", "never"));
    let other = gpg.public_binary(&gpg.key("Other <o@example.invalid>", "ed25519", "never"));
    let word = packets(&other).into_iter().find(|(tag, _)| *tag == 2).unwrap().1;
    let mut keyring = Keyring::default();
    let crowded = [known, other[word..].repeat(2_400)].concat();
    for _ in 0..3 {
        assert_eq!(keyring.add(&crowded), Ok(1));
    }
}

#[test]
fn a_file_with_more_than_any_key_has_is_not_taken_apart() {
    let gpg = Gpg::new();
    let key = gpg.public_binary(&gpg.key("Names <n@example.invalid>", "ed25519", "never"));
    // User names of no letters.
    let full = [key.clone(), [0xb4, 0].repeat(2_500 - packets(&key).len())].concat();
    assert_eq!(Keyring::default().add(&full), Ok(1));
    let flaw = Keyring::default().add(&[full, vec![0xb4, 0]].concat());
    assert_eq!(flaw, Err("there is more in it than in any key"));
}
