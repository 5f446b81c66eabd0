//! Conditions of a request (RFC 9110 §13): whether a client's copy is still good, and whether
//! the rest of a file that it asks for belongs to what it has. Pure.

use std::time::{Duration, UNIX_EPOCH};

use httpdate::HttpDate;

/// A version of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Version {
    /// With its quotes; strong.
    pub tag: String,
    /// Seconds since 1970.
    pub modified: u64,
}

/// The conditions of a request, as far as it has any.
#[derive(Debug, Clone, Copy, Default)]
pub struct Conditions<'a> {
    /// `If-Match`
    pub matches: Option<&'a str>,
    /// `If-Unmodified-Since`
    pub unmodified_since: Option<&'a str>,
    /// `If-None-Match`
    pub none_matches: Option<&'a str>,
    /// `If-Modified-Since`
    pub modified_since: Option<&'a str>,
    /// `If-Range`
    pub range: Option<&'a str>,
}

/// What the conditions come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Send it; a range only if `range`.
    Send {
        /// Whether the part that is asked for is of this version.
        range: bool,
    },
    /// 304: the client's copy is good.
    NotModified,
    /// 412: the client has a part of another version. UEFI then begins anew.
    Changed,
}

impl Version {
    /// Its `Last-Modified`.
    pub fn date(&self) -> HttpDate {
        let since_1970 = Duration::from_secs(self.modified.min(LAST_DATE));
        HttpDate::from(UNIX_EPOCH + since_1970)
    }

    /// In the order of RFC 9110 §13.2.2. A date that is none is no condition.
    pub fn meets(&self, asked: &Conditions) -> Verdict {
        let changed = match (asked.matches, asked.unmodified_since.and_then(parsed)) {
            (Some(tags), _) => !self.is_among(tags, false),
            (None, Some(since)) => self.date() > since,
            (None, None) => false,
        };
        if changed {
            return Verdict::Changed;
        }
        let same = match (asked.none_matches, asked.modified_since.and_then(parsed)) {
            (Some(tags), _) => self.is_among(tags, true),
            (None, Some(since)) => self.date() <= since,
            (None, None) => false,
        };
        if same {
            return Verdict::NotModified;
        }
        let range = asked
            .range
            .is_none_or(|wanted| wanted == self.tag || parsed(wanted) == Some(self.date()));
        Verdict::Send { range }
    }

    /// `"a", W/"b"` or `*`; a weak tag is as good as a strong one where only `weak`ly the
    /// same is asked for.
    fn is_among(&self, tags: &str, weak: bool) -> bool {
        tags.split(',').map(str::trim).any(|tag| {
            let tag = if weak { tag.strip_prefix("W/").unwrap_or(tag) } else { tag };
            tag == "*" || tag == self.tag
        })
    }
}

/// 9999-12-31: what follows is no HTTP date.
const LAST_DATE: u64 = 253_402_300_799;

fn parsed(date: &str) -> Option<HttpDate> {
    date.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SEND: Verdict = Verdict::Send { range: true };
    const WHOLE: Verdict = Verdict::Send { range: false };
    const BEFORE: Option<&str> = Some("Sun, 06 Nov 1994 08:49:36 GMT");
    const THEN: Option<&str> = Some("Sun, 06 Nov 1994 08:49:37 GMT");
    const OBSOLETE: Option<&str> = Some("Sunday, 06-Nov-94 08:49:37 GMT");
    const NO_DATE: Option<&str> = Some("yesterday");

    fn version() -> Version {
        Version { tag: "\"5-9\"".to_owned(), modified: 784_111_777 }
    }

    #[test]
    fn a_copy_that_is_still_good_is_not_sent_again() {
        for (tags, since, verdict) in [
            (None, None, SEND),
            (Some("\"5-9\""), None, Verdict::NotModified),
            (Some("W/\"5-9\""), None, Verdict::NotModified),
            (Some("\"x\", \"5-9\""), None, Verdict::NotModified),
            (Some("*"), None, Verdict::NotModified),
            (Some("\"x\""), THEN, SEND),
            (None, THEN, Verdict::NotModified),
            (None, OBSOLETE, Verdict::NotModified),
            (None, BEFORE, SEND),
            (None, NO_DATE, SEND),
        ] {
            let asked =
                Conditions { none_matches: tags, modified_since: since, ..Conditions::default() };
            assert_eq!(version().meets(&asked), verdict, "{asked:?}");
        }
    }

    #[test]
    fn the_rest_of_another_version_is_refused() {
        for (tags, since, verdict) in [
            (Some("\"5-9\""), None, SEND),
            (Some("*"), None, SEND),
            (Some("\"5-8\""), None, Verdict::Changed),
            (Some("W/\"5-9\""), None, Verdict::Changed),
            (None, THEN, SEND),
            (None, BEFORE, Verdict::Changed),
            (None, NO_DATE, SEND),
        ] {
            let asked =
                Conditions { matches: tags, unmodified_since: since, ..Conditions::default() };
            assert_eq!(version().meets(&asked), verdict, "{asked:?}");
        }
    }

    #[test]
    fn a_range_of_another_version_becomes_the_whole_file() {
        for (range, verdict) in [
            (Some("\"5-9\""), SEND),
            (THEN, SEND),
            (Some("W/\"5-9\""), WHOLE),
            (Some("\"5-8\""), WHOLE),
            (BEFORE, WHOLE),
            (NO_DATE, WHOLE),
        ] {
            let asked = Conditions { range, ..Conditions::default() };
            assert_eq!(version().meets(&asked), verdict, "{asked:?}");
        }
    }

    #[test]
    fn every_time_of_a_stick_has_a_date() {
        assert_eq!(version().date().to_string(), "Sun, 06 Nov 1994 08:49:37 GMT");
        let last = Version { tag: String::new(), modified: u64::MAX };
        assert_eq!(last.date().to_string(), "Fri, 31 Dec 9999 23:59:59 GMT");
    }
}
