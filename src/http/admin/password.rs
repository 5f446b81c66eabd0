//! The admin's password: made into a hash, and checked against one.
//!
//! Argon2id with 12 MiB and three passes (OWASP's second set): far below what the servers may
//! have. 241 million instructions, by `tests/bench/password`: less than half a second on a
//! Pi 3, as far as that can be said without one.

use argon2::password_hash::{PasswordHash, SaltString};
use argon2::{Algorithm, Argon2, Params, PasswordHasher, PasswordVerifier, Version};

const MEMORY_KIB: u32 = 12 * 1024;
const PASSES: u32 = 3;
const LANES: u32 = 1;

/// What `password_hash` in pxeberry.toml takes: the PHC string format.
pub fn hash(password: &str) -> Result<String, String> {
    let mut salt = [0; 16];
    getrandom::fill(&mut salt).map_err(|error| error.to_string())?;
    let salt = SaltString::encode_b64(&salt).map_err(|error| error.to_string())?;
    let params = Params::new(MEMORY_KIB, PASSES, LANES, None).map_err(|error| error.to_string())?;
    let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
    let hash = argon2.hash_password(password.as_bytes(), &salt);
    Ok(hash.map_err(|error| error.to_string())?.to_string())
}

/// Takes as long whether it fits or not.
pub fn fits(password: &str, hash: &str) -> bool {
    let Ok(hash) = PasswordHash::new(hash) else {
        return false;
    };
    Argon2::default().verify_password(password.as_bytes(), &hash).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hash_fits_its_password_and_no_other_and_is_never_the_same_twice() {
        let made = hash("correct horse").unwrap();
        assert!(made.starts_with("$argon2id$v=19$m=12288,t=3,p=1$"), "{made}");
        assert!(fits("correct horse", &made));
        assert!(!fits("correct horsf", &made));
        assert!(!fits("", &made));
        assert_ne!(hash("correct horse").unwrap(), made);
        assert!(!fits("x", "no hash"));
    }

    #[test]
    fn what_we_make_is_what_the_configuration_takes() {
        let made = hash("correct horse").unwrap();
        crate::config::parse(&format!("admin.password_hash = \"{made}\"")).unwrap();
    }
}
