//! Who is signed in. Pure.
//!
//! A session is a random number in a cookie that no script sees, and a second one that stands
//! in every form: another site can send the first, and knows nothing of the second.

use std::time::{Duration, Instant};

/// One operator has two browsers and a telephone; the oldest session goes first.
const MOST: usize = 8;

/// Of no use.
const IDLE: Duration = Duration::from_secs(60 * 60);

/// Whoever is at it all day signs in once more.
const LONGEST: Duration = Duration::from_secs(12 * 60 * 60);

/// 128 random bits in hexadecimal.
pub type Number = String;

/// Everybody who is signed in.
#[derive(Debug, Default)]
pub struct Sessions(Vec<Session>);

#[derive(Debug)]
struct Session {
    cookie: Number,
    form: Number,
    begun: Instant,
    used: Instant,
    /// What he is to be told on his next page: whether it worked, in words.
    word: Option<(bool, String)>,
}

impl Sessions {
    /// The password was right.
    pub fn begin(&mut self, cookie: Number, form: Number, now: Instant) {
        self.forget_old(now);
        if self.0.len() >= MOST {
            self.0.remove(0);
        }
        self.0.push(Session { cookie, form, begun: now, used: now, word: None });
    }

    /// The number for the forms of whoever shows this cookie.
    pub fn form_of(&mut self, cookie: &str, now: Instant) -> Option<Number> {
        self.forget_old(now);
        let session = self.0.iter_mut().find(|session| same(&session.cookie, cookie))?;
        session.used = now;
        Some(session.form.clone())
    }

    /// Keeps a word for his next page.
    pub fn say(&mut self, cookie: &str, good: bool, words: String) {
        if let Some(session) = self.0.iter_mut().find(|session| same(&session.cookie, cookie)) {
            session.word = Some((good, words));
        }
    }

    /// That word, once.
    pub fn word(&mut self, cookie: &str) -> Option<(bool, String)> {
        self.0.iter_mut().find(|session| same(&session.cookie, cookie))?.word.take()
    }

    /// Signs out.
    pub fn end(&mut self, cookie: &str) {
        self.0.retain(|session| !same(&session.cookie, cookie));
    }

    fn forget_old(&mut self, now: Instant) {
        let lives = |session: &Session| {
            now.saturating_duration_since(session.used) < IDLE
                && now.saturating_duration_since(session.begun) < LONGEST
        };
        self.0.retain(lives);
    }
}

/// Compares in a time that does not tell where they differ. Nothing is like nothing.
pub fn same(ours: &str, theirs: &str) -> bool {
    let differs = ours.bytes().zip(theirs.bytes()).fold(0, |all, (a, b)| all | (a ^ b));
    !ours.is_empty() && ours.len() == theirs.len() && differs == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn begun(numbers: &[&str], now: Instant) -> Sessions {
        let mut sessions = Sessions::default();
        for number in numbers {
            sessions.begin((*number).to_owned(), format!("form of {number}"), now);
        }
        sessions
    }

    #[test]
    fn who_signed_in_is_known_until_he_signs_out() {
        let now = Instant::now();
        let mut sessions = begun(&["a", "b"], now);
        assert_eq!(sessions.form_of("a", now).as_deref(), Some("form of a"));
        for nobody in ["", "c", "aa"] {
            assert_eq!(sessions.form_of(nobody, now), None, "{nobody:?}");
        }
        sessions.end("a");
        assert_eq!(sessions.form_of("a", now), None);
        assert!(sessions.form_of("b", now).is_some());
        sessions.say("b", true, "done".to_owned());
        assert_eq!(sessions.word("b"), Some((true, "done".to_owned())));
        assert_eq!(sessions.word("b"), None);
    }

    #[test]
    fn a_session_ends_when_it_is_idle_or_old() {
        let start = Instant::now();
        let mut sessions = begun(&["idle"], start);
        assert!(sessions.form_of("idle", start + IDLE - Duration::from_secs(1)).is_some());
        assert!(sessions.form_of("idle", start + 2 * IDLE).is_none());
        let mut sessions = begun(&["busy"], start);
        let mut now = start;
        while now < start + LONGEST {
            assert!(sessions.form_of("busy", now).is_some());
            now += IDLE / 2;
        }
        assert!(sessions.form_of("busy", now).is_none());
    }

    #[test]
    fn the_oldest_goes_when_there_are_too_many() {
        let now = Instant::now();
        let names: Vec<String> = (0..=MOST).map(|number| number.to_string()).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let mut sessions = begun(&names, now);
        assert_eq!(sessions.0.len(), MOST);
        assert!(sessions.form_of("0", now).is_none());
        assert!(sessions.form_of(names[MOST], now).is_some());
    }
}
