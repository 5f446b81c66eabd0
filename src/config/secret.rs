//! The admin's password as `pxeberry.toml` has it. Pure.

use std::fmt;

use argon2::Params;
use argon2::password_hash::PasswordHash;

/// Names of this box in a browser's address bar, beside its address and its own name.
const MOST_HOSTS: usize = 16;

/// What a hash may cost: one that takes a minute, or all of the memory, is a mistake.
const MOST_MEMORY_KIB: u32 = 16 * 1024;
const MOST_PASSES: u32 = 16;

/// A password of less is guessed; one of more is a file.
const SHORTEST: usize = 8;
const LONGEST: usize = 256;

/// `[admin]`: who may change something from a browser.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Admin {
    /// None: nobody; changes come by the button, or on the box itself.
    pub password: Option<Secret>,
    /// Whether it stands on the card in clear.
    pub in_clear: bool,
    /// Names that this box has beside its address and `pxeberry.local`.
    pub hosts: Vec<String>,
}

/// A password, or what it is checked with. It is never printed.
#[derive(Clone, PartialEq, Eq)]
pub enum Secret {
    /// As a person wrote it.
    Clear(String),
    /// Its Argon2 hash, in the PHC string format.
    Hash(String),
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Secret::Clear(_) => "Clear(..)",
            Secret::Hash(_) => "Hash(..)",
        })
    }
}

/// Checks the table's values; an error is the key and what is wrong.
pub(super) fn admin(
    password: Option<String>,
    hash: Option<String>,
    hosts: Vec<String>,
) -> Result<Admin, (&'static str, String)> {
    let hosts: Vec<String> = hosts.iter().map(|host| host.to_ascii_lowercase()).collect();
    let is_name = |host: &String| {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.');
        !host.is_empty() && host.len() <= 253 && host.bytes().all(plain)
    };
    if hosts.len() > MOST_HOSTS || !hosts.iter().all(is_name) {
        let message = format!("at most {MOST_HOSTS} names like \"pxe.example.lan\"");
        return Err(("admin.hosts", message));
    }
    let password = password.filter(|password| !password.is_empty());
    let hash = hash.filter(|hash| !hash.is_empty());
    let secret = match (password, hash) {
        (Some(_), Some(_)) => {
            return Err(("admin", "password or password_hash, not both".to_owned()));
        }
        (Some(clear), None) => {
            check_password(&clear).map_err(|message| ("admin.password", message))?;
            Some(Secret::Clear(clear))
        }
        (None, Some(hash)) => {
            check_hash(&hash).map_err(|message| ("admin.password_hash", message))?;
            Some(Secret::Hash(hash))
        }
        (None, None) => None,
    };
    let in_clear = matches!(secret, Some(Secret::Clear(_)));
    Ok(Admin { password: secret, in_clear, hosts })
}

/// Whether it can be a password at all.
pub fn check_password(password: &str) -> Result<(), String> {
    match password.len() {
        SHORTEST..=LONGEST => Ok(()),
        0..SHORTEST => Err(format!("at least {SHORTEST} letters; everybody on the LAN may try")),
        _ => Err(format!("at most {LONGEST} letters")),
    }
}

/// Whether a Pi 3 can check it in about a second.
fn check_hash(hash: &str) -> Result<(), String> {
    let usage = "`pxeberry hash-password` makes the right one";
    let parsed = PasswordHash::new(hash).map_err(|error| format!("{error}; {usage}"))?;
    if parsed.algorithm != argon2::ARGON2ID_IDENT || parsed.hash.is_none() || parsed.salt.is_none()
    {
        return Err(format!("no Argon2id hash; {usage}"));
    }
    let params = Params::try_from(&parsed).map_err(|error| format!("{error}; {usage}"))?;
    if params.m_cost() > MOST_MEMORY_KIB || params.t_cost() > MOST_PASSES || params.p_cost() != 1 {
        return Err(format!("a Raspberry Pi 3 takes too long for it; {usage}"));
    }
    Ok(())
}
