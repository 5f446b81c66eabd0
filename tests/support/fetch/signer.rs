//! Somebody with a signing key.

use super::gpg::{Form, Gpg};

/// One key in a keyring of its own.
pub struct Signer {
    gpg: Gpg,
    print: String,
    /// For people.
    pub name: &'static str,
}

impl Signer {
    /// Makes a key.
    pub fn new(name: &'static str) -> Signer {
        let gpg = Gpg::new();
        let print = gpg.key(&format!("{name} <{name}@example.invalid>"), "ed25519", "never");
        Signer { gpg, print, name }
    }

    /// A detached signature; `armored` as `.asc` files are.
    pub fn sign(&self, content: &[u8], armored: bool) -> Vec<u8> {
        let form = if armored { Form::Armoured } else { Form::Binary };
        self.gpg.sign(&self.print, content, form)
    }

    /// The public key, as it lies in `keys/`.
    pub fn public(&self) -> Vec<u8> {
        self.gpg.public(&self.print)
    }

    /// Its fingerprint.
    pub fn fingerprint(&self) -> &str {
        &self.print
    }
}
