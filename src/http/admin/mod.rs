//! Who may change something from a browser: one password, sessions, and what keeps other
//! sites and guessers out.
//!
//! Passwords are checked one at a time on a thread of their own: HTTP goes on meanwhile, and
//! a crowd that guesses takes one core's time and one hash's memory, no more.

mod origin;
pub mod password;
mod session;
mod tries;

use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

pub use origin::{Names, is_ours};
use session::{Number, Sessions, same};
use tries::Tries;

use crate::config::Secret;

/// The admin's side of the LAN.
pub struct Admin {
    key: Option<Key>,
    sessions: Mutex<Sessions>,
    tries: Mutex<Tries>,
    turn: Arc<tokio::sync::Mutex<()>>,
    /// Stands in the form for the password: another site cannot read it.
    welcome: Number,
}

/// What a password is checked with. One in clear becomes a hash in the background, when the
/// servers have started, and is forgotten.
type Key = Arc<OnceLock<String>>;

/// What became of a try.
#[derive(Debug, PartialEq, Eq)]
pub enum Entry {
    /// The number for his cookie, and the one for his forms.
    Welcome(Number, Number),
    /// It was the wrong one.
    Wrong,
    /// Too many wrong ones: after how long he may try again.
    Later(Duration),
    /// There is no password: nobody can sign in.
    NoPassword,
    /// This box is out of threads or of randomness.
    Broken,
}

impl Admin {
    /// Nobody is signed in.
    pub fn new(secret: Option<Secret>) -> Admin {
        Admin {
            key: secret.map(key),
            sessions: Mutex::default(),
            tries: Mutex::default(),
            turn: Arc::default(),
            welcome: number().unwrap_or_default(),
        }
    }

    /// Whether there is a password at all.
    pub fn is_possible(&self) -> bool {
        self.key.is_some()
    }

    /// What stands in the form for the password.
    pub fn welcome(&self) -> &str {
        &self.welcome
    }

    /// Whether that form is ours.
    pub fn is_welcome(&self, number: &str) -> bool {
        same(&self.welcome, number)
    }

    /// The number for the forms of whoever shows this cookie; none: he is not signed in.
    pub fn form_of(&self, cookie: &str) -> Option<Number> {
        locked(&self.sessions).form_of(cookie, Instant::now())
    }

    /// Whether this cookie and the number in the form belong together.
    pub fn may(&self, cookie: &str, form: &str) -> bool {
        self.form_of(cookie).is_some_and(|ours| same(&ours, form))
    }

    /// Keeps a word for the next page of whoever shows this cookie.
    pub fn say(&self, cookie: &str, good: bool, words: String) {
        locked(&self.sessions).say(cookie, good, words);
    }

    /// That word, once.
    pub fn word(&self, cookie: &str) -> Option<(bool, String)> {
        locked(&self.sessions).word(cookie)
    }

    /// Signs out.
    pub fn leave(&self, cookie: &str) {
        locked(&self.sessions).end(cookie);
    }

    /// Somebody at `address` says that this is the password.
    pub async fn try_password(&self, address: Ipv4Addr, password: String) -> Entry {
        let Some(key) = self.key.clone() else {
            return Entry::NoPassword;
        };
        if let Err(wait) = locked(&self.tries).begin(address, Instant::now()) {
            return Entry::Later(wait);
        }
        // He may go before his turn comes, or in it.
        let mut place = Place { tries: &self.tries, address, right: false };
        let turn = Arc::clone(&self.turn).lock_owned().await;
        let pause = locked(&self.tries).pause(Instant::now());
        tokio::time::sleep(pause).await;
        // The turn lasts as long as the work, even if he goes.
        let checked = tokio::task::spawn_blocking(move || {
            let _turn = turn;
            password::fits(&password, key.wait())
        });
        match checked.await {
            Ok(true) => place.right = true,
            Ok(false) => {
                log::warn!("http: {address} tried a wrong admin password");
                return Entry::Wrong;
            }
            Err(_) => return Entry::Broken,
        }
        let (Some(cookie), Some(form)) = (number(), number()) else {
            return Entry::Broken;
        };
        log::info!("http: {address} has signed in as the admin");
        locked(&self.sessions).begin(cookie.clone(), form.clone(), Instant::now());
        Entry::Welcome(cookie, form)
    }
}

/// `password_hash = "…"` for pxeberry.toml, of the first line that `input` has.
pub fn hash_line(input: impl std::io::BufRead) -> Result<String, String> {
    use std::io::IsTerminal;
    if std::io::stdin().is_terminal() {
        eprintln!("The new password (it is shown while you type), then Enter:");
    }
    let mut line = String::new();
    let mut input = std::io::Read::take(input, 4_096);
    std::io::BufRead::read_line(&mut input, &mut line).map_err(|error| error.to_string())?;
    let password = line.trim_end_matches(['\r', '\n']);
    crate::config::check_password(password)?;
    Ok(format!("password_hash = \"{}\"", password::hash(password)?))
}

/// A place in the line of those who try. Whoever does not see its end was wrong.
struct Place<'a> {
    tries: &'a Mutex<Tries>,
    address: Ipv4Addr,
    right: bool,
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        locked(self.tries).ended(self.address, self.right, Instant::now());
    }
}

fn key(secret: Secret) -> Key {
    let key = Key::default();
    match secret {
        Secret::Hash(hash) => {
            let _ = key.set(hash);
        }
        Secret::Clear(clear) => {
            let made = Arc::clone(&key);
            let make = move || {
                let hash = password::hash(&clear).unwrap_or_else(|error| {
                    log::error!("http: the admin's password cannot be used: {error}");
                    String::new()
                });
                let _ = made.set(hash);
            };
            // Without the thread nobody can sign in, and all else works.
            if let Err(error) = std::thread::Builder::new().name("password".to_owned()).spawn(make)
            {
                log::error!("http: no thread for the admin's password: {error}");
                let _ = key.set(String::new());
            }
        }
    }
    key
}

/// 128 random bits in hexadecimal.
fn number() -> Option<Number> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).ok()?;
    Some(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    const OWNER: Ipv4Addr = Ipv4Addr::new(10, 10, 10, 2);

    fn tried(admin: &Admin, password: &str) -> Entry {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(admin.try_password(OWNER, password.to_owned()))
    }

    #[test]
    fn the_right_password_begins_a_session_and_its_numbers_belong_together() {
        let admin = Admin::new(Some(Secret::Clear("correct horse".to_owned())));
        assert_eq!(tried(&admin, "wrong"), Entry::Wrong);
        let Entry::Welcome(cookie, form) = tried(&admin, "correct horse") else {
            panic!("not let in");
        };
        assert_eq!(cookie.len(), 32);
        assert!(admin.may(&cookie, &form));
        for (cookie, form) in [(&form, &cookie), (&cookie, &String::new()), (&cookie, &cookie)] {
            assert!(!admin.may(cookie, form));
        }
        admin.leave(&cookie);
        assert!(!admin.may(&cookie, &form));
    }

    #[test]
    fn without_a_password_nobody_signs_in() {
        assert_eq!(tried(&Admin::new(None), ""), Entry::NoPassword);
        assert!(!Admin::new(None).is_welcome(""));
    }

    #[test]
    fn who_goes_away_while_his_password_is_checked_has_used_up_a_try() {
        let admin = Admin::new(Some(Secret::Clear("correct horse".to_owned())));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        for _ in 0..5 {
            runtime.block_on(async {
                let turn = admin.turn.lock().await;
                let trying = admin.try_password(OWNER, "guess".to_owned());
                let gone = tokio::time::timeout(Duration::from_millis(1), trying).await;
                assert!(gone.is_err());
                drop(turn);
            });
        }
        assert!(matches!(tried(&admin, "guess"), Entry::Later(_)));
    }
}
