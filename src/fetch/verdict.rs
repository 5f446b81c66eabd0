//! What is known of a fetched file's origin, and the words for it. Pure.

use std::path::Path;

use super::publisher::Publisher;

/// What is known of a file's origin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It is what this key's owner signed.
    Signed(String),
    /// It is as an earlier fetch left it, says a list that anybody may have written.
    Unchanged,
    /// Nothing speaks against it, and nobody for it.
    Unsigned(String),
    /// It is not what was published.
    Bad(String),
}

/// Whose signatures count: any key is on the stick that somebody put there, and not every
/// publisher's word counts for every other one's files.
#[derive(Debug, Clone, Copy)]
pub struct Trust<'a> {
    /// Whose release it is.
    pub publisher: &'a Publisher,
    /// Where the keys are.
    pub keys: &'a Path,
    /// Whether a person named the server: then what is there may be signed by whoever runs it.
    pub elsewhere: bool,
}

impl Trust<'_> {
    /// On a good signature by the key with this fingerprint.
    pub fn signed(&self, fingerprint: &str, by: String) -> Verdict {
        let key = &self.publisher.key;
        let is_own = key.fingerprints.iter().any(|own| own == fingerprint);
        match (is_own || key.fingerprints.is_empty(), self.elsewhere) {
            (true, _) => Verdict::Signed(by),
            (false, true) => Verdict::Signed(format!("{by}, which is no key of its publisher's")),
            (false, false) => Verdict::Unsigned(format!(
                "it is signed by {by}, and that is no key of its publisher's; put {} into {} ({})",
                self.own_key(""),
                self.keys.display(),
                key.shown_at
            )),
        }
    }

    /// What to do about a key that is not there.
    pub fn missing_key(&self, issuer: &str) -> Verdict {
        Verdict::Unsigned(format!(
            "{} holds no key that signed it; put {} there ({})",
            self.keys.display(),
            self.own_key(issuer),
            self.publisher.key.shown_at
        ))
    }

    fn own_key(&self, issuer: &str) -> String {
        match self.publisher.key.fingerprints.as_slice() {
            [] => format!("the one with the ID {issuer}"),
            [one] => format!("the one with the fingerprint {one}"),
            many => format!("the one with one of the fingerprints {}", many.join(", ")),
        }
    }

    /// What was fetched, when all of it may be there.
    pub fn summary(&self, files: &[Verdict]) -> String {
        let mut signers: Vec<&str> = Vec::new();
        for file in files {
            match file {
                Verdict::Unsigned(why) => return format!("NOT VERIFIED ({why})"),
                Verdict::Signed(by) if !signers.contains(&by.as_str()) => signers.push(by),
                _ => {}
            }
        }
        let count =
            if files.len() == 1 { "1 file".to_owned() } else { format!("{} files", files.len()) };
        let trust = &self.publisher.trust;
        match signers.as_slice() {
            [] => format!("{count} unchanged since an earlier fetch, which is not verified again"),
            [one] => format!("{count}, good signature by {one}\n({trust})"),
            many => format!("{count}, good signatures by {}\n({trust})", many.join(" and by ")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trust(publisher: &Publisher, elsewhere: bool) -> Trust<'_> {
        Trust { publisher, keys: Path::new("stick/keys"), elsewhere }
    }

    #[test]
    fn the_publishers_own_server_counts_with_the_publishers_own_keys_alone() {
        let flatcar = Publisher::of("flatcar").unwrap();
        let own = flatcar.key.fingerprints[0].clone();
        let by = || "AB (somebody)".to_owned();
        for elsewhere in [false, true] {
            let verdict = trust(&flatcar, elsewhere).signed(&own, by());
            assert_eq!(verdict, Verdict::Signed(by()));
        }
        let Verdict::Unsigned(why) = trust(&flatcar, false).signed("AB", by()) else {
            panic!("another key's signature is taken");
        };
        for words in
            ["AB (somebody)", "no key of its publisher's", &own, "stick/keys", "flatcar.org"]
        {
            assert!(why.contains(words), "{words:?}: {why}");
        }
        assert!(!why.contains('\n'));
        let Verdict::Signed(by) = trust(&flatcar, true).signed("AB", by()) else {
            panic!("a mirror's own key is refused");
        };
        assert!(by.contains("no key of its publisher's"), "{by}");
        // Its keys change with each release, so none is listed.
        let fedora = Publisher::of("fedora-coreos").unwrap();
        let verdict = trust(&fedora, false).signed("AB", "x".to_owned());
        assert_eq!(verdict, Verdict::Signed("x".to_owned()));
    }

    #[test]
    fn each_signer_is_named_once() {
        let flatcar = Publisher::of("flatcar").unwrap();
        let by = |name: &str| Verdict::Signed(name.to_owned());
        let summary = trust(&flatcar, true).summary(&[by("one"), by("two"), by("one")]);
        assert!(summary.starts_with("3 files, good signatures by one and by two\n"), "{summary}");
        let summary = trust(&flatcar, true).summary(&[by("one")]);
        assert!(summary.starts_with("1 file, good signature by one\n"), "{summary}");
        let unsigned = Verdict::Unsigned("why".to_owned());
        assert_eq!(trust(&flatcar, true).summary(&[by("one"), unsigned]), "NOT VERIFIED (why)");
        let summary = trust(&flatcar, true).summary(&[Verdict::Unchanged]);
        assert!(summary.starts_with("1 file unchanged since an earlier fetch"), "{summary}");
    }
}
