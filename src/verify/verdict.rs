//! What is known of a file's origin, in words, and what follows from it. Pure.

use std::fmt;
use std::sync::Arc;

use crate::config::Verify;

/// Somebody whose key is on a stick.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signer {
    /// Of the primary key, in hexadecimal.
    pub fingerprint: String,
    /// The name that the key's owner gave it; may be empty.
    pub name: String,
}

/// What is known of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Not looked at yet.
    Waiting,
    /// It is what its publisher signed.
    Good {
        /// Who signed.
        signer: Arc<Signer>,
        /// When the key has expired since.
        lapsed: Option<u64>,
    },
    /// It fits a list of checksums that nobody signed.
    SumOnly(String),
    /// There is neither signature nor checksum.
    NotSigned,
    /// Signed by this key, which is not on a stick.
    NoKey(String),
    /// It is not what was signed, or nobody can tell any more.
    Bad(Fault),
    /// It, or what belongs to it, cannot be read.
    Unreadable(String),
}

/// What is wrong with a file or its signature.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// The content is another one.
    Differs {
        /// From this signature or list.
        from: String,
        /// How many bytes there are.
        size: u64,
        /// What shows that it is cut off.
        cut: Option<Cut>,
    },
    /// Signed when the key had expired.
    Expired {
        /// Whose key.
        signer: Arc<Signer>,
        /// When it expired.
        at: u64,
    },
    /// The key's owner has declared it lost.
    Revoked(Arc<Signer>),
    /// The signature itself is damaged.
    Damaged {
        /// The file with the signature.
        file: String,
        /// What is wrong with it.
        flaw: &'static str,
    },
    /// A list's own signature does not fit the list.
    ListDiffers(String),
    /// A list is not the one that the signed list of lists names.
    ListNotNamed {
        /// The list.
        list: String,
        /// The one that should name it.
        by: String,
    },
    /// By a function that can be forged.
    Forgeable(String),
}

/// Why a file is thought to be cut off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cut {
    /// It is this long where it was published.
    Of(u64),
    /// The end of its compression is missing.
    NoEnd,
    /// It ends in zeros: a copy that was not finished.
    Zeros,
}

/// May a machine have a file?
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gate {
    /// Yes.
    Open,
    /// Not yet: it is being verified.
    Wait,
    /// No, and why.
    Closed(Reason),
}

/// Why a file is not given to machines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reason {
    /// "it is not signed", said of the file.
    pub of_file: &'static str,
    /// "its image is not signed", said of a machine.
    pub of_image: &'static str,
}

macro_rules! reason {
    ($words:literal) => {
        Reason { of_file: concat!("it ", $words), of_image: concat!("its image ", $words) }
    };
}

impl Verdict {
    /// The one decision. `needed` says whether the file is a kernel, an initial RAM disk or
    /// a disk image.
    pub fn gate(&self, policy: Verify, needed: bool) -> Gate {
        let strict = match policy {
            Verify::Off => return Gate::Open,
            Verify::Required => needed,
            Verify::WhenSigned => false,
        };
        match self {
            Verdict::Good { .. } => Gate::Open,
            Verdict::Bad(fault) => Gate::Closed(fault.in_short()),
            _ if !strict => Gate::Open,
            Verdict::Waiting => Gate::Wait,
            Verdict::SumOnly(_) | Verdict::NotSigned => Gate::Closed(reason!("is not signed")),
            Verdict::NoKey(_) => {
                Gate::Closed(reason!("is signed by a key that is not on the stick"))
            }
            Verdict::Unreadable(_) => Gate::Closed(reason!("cannot be read")),
        }
    }

    /// Every name of one.
    pub const NAMES: [&str; 10] = [
        "waiting",
        "verified",
        "checksum-only",
        "not-signed",
        "unknown-key",
        "expired-key",
        "revoked-key",
        "damaged-signature",
        "bad",
        "unreadable",
    ];

    /// One word for programs.
    pub fn name(&self) -> &'static str {
        match self {
            Verdict::Waiting => "waiting",
            Verdict::Good { .. } => "verified",
            Verdict::SumOnly(_) => "checksum-only",
            Verdict::NotSigned => "not-signed",
            Verdict::NoKey(_) => "unknown-key",
            Verdict::Bad(Fault::Expired { .. }) => "expired-key",
            Verdict::Bad(Fault::Revoked(_)) => "revoked-key",
            Verdict::Bad(Fault::Damaged { .. }) => "damaged-signature",
            Verdict::Bad(_) => "bad",
            Verdict::Unreadable(_) => "unreadable",
        }
    }

    /// How much a person has to know of it: the highest of several files stands for all.
    pub fn weight(&self) -> u8 {
        match self {
            Verdict::Good { .. } => 0,
            Verdict::SumOnly(_) => 1,
            Verdict::NotSigned => 2,
            Verdict::NoKey(_) => 3,
            Verdict::Waiting => 4,
            Verdict::Unreadable(_) => 5,
            Verdict::Bad(_) => 6,
        }
    }

    /// Whose signature is good.
    pub fn signer(&self) -> Option<&Signer> {
        match self {
            Verdict::Good { signer, .. } => Some(signer),
            _ => None,
        }
    }
}

impl Fault {
    fn in_short(&self) -> Reason {
        match self {
            Fault::Differs { .. } => reason!("is not what was signed"),
            Fault::Expired { .. } => reason!("was signed with a key that had expired"),
            Fault::Revoked(_) => reason!("is signed with a revoked key"),
            Fault::Damaged { .. } => reason!("has a damaged signature"),
            Fault::ListDiffers(_) | Fault::ListNotNamed { .. } => {
                reason!("has a list of checksums that is not what was signed")
            }
            Fault::Forgeable(_) => reason!("has a signature that can be forged"),
        }
    }
}

impl fmt::Display for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.fingerprint)?;
        match self.name.as_str() {
            "" => Ok(()),
            name => write!(f, " ({name})"),
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Verdict::Waiting => f.write_str("waits to be verified"),
            Verdict::Good { signer, lapsed: None } => write!(f, "verified by {signer}"),
            Verdict::Good { signer, lapsed: Some(end) } => {
                write!(f, "verified by {signer}, whose key expired later, on {}", Date(*end))
            }
            Verdict::SumOnly(list) => write!(f, "checksum only: as in {list}, which is not signed"),
            Verdict::NotSigned => f.write_str("not signed"),
            Verdict::NoKey(key) => {
                write!(f, "signed by the key {key}, which is not on the stick; put it into keys/")
            }
            Verdict::Bad(fault) => fault.fmt(f),
            Verdict::Unreadable(why) => write!(f, "cannot be verified: {why}"),
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Fault::Differs { size, cut: Some(Cut::Of(whole)), .. } => {
                write!(f, "is cut off: {size} of {whole} bytes; copy it to the stick again")
            }
            Fault::Differs { size, cut: Some(Cut::NoEnd), .. } => {
                write!(f, "is cut off: its end is missing after {size} bytes; copy it again")
            }
            Fault::Differs { cut: Some(Cut::Zeros), .. } => {
                f.write_str("ends in zeros: copying it was not finished; copy it again")
            }
            Fault::Differs { from, size, cut: None } => {
                let what = "does not match";
                write!(f, "{what} {from}: changed, or cut off after {size} bytes; copy it again")
            }
            Fault::Expired { signer, at } => write!(
                f,
                "signed when the key {signer} had expired, on {}; put its publisher's newer key \
                 into keys/",
                Date(*at)
            ),
            Fault::Revoked(signer) => {
                write!(f, "signed with the revoked key {signer}; get a release with a newer key")
            }
            Fault::Damaged { file, flaw } => {
                write!(f, "its signature {file} is damaged or cut off: {flaw}; copy it again")
            }
            Fault::ListDiffers(list) => {
                write!(f, "the list {list} does not match its signature; copy both again")
            }
            Fault::ListNotNamed { list, by } => {
                write!(f, "the list {list} is not the one that {by} names; copy both again")
            }
            Fault::Forgeable(file) => {
                write!(f, "its signature {file} uses MD5 or SHA-1, which can be forged")
            }
        }
    }
}

/// A day, from seconds since 1970.
struct Date(u64);

impl fmt::Display for Date {
    /// Days to a date of the civil calendar; years begin in March here, so that the leap day
    /// is the last one.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let days = self.0 / 86_400 + 719_468;
        let (era, day) = (days / 146_097, days % 146_097);
        let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
        let day = day - (365 * year + year / 4 - year / 100);
        let month = (5 * day + 2) / 153;
        let in_month = day - (153 * month + 2) / 5 + 1;
        let (month, next) = if month < 10 { (month + 3, 0) } else { (month - 9, 1) };
        write!(f, "{:04}-{month:02}-{in_month:02}", era * 400 + year + next)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn signer() -> Arc<Signer> {
        Arc::new(Signer { fingerprint: "AB12".to_owned(), name: "A <a@b>".to_owned() })
    }

    fn differs(cut: Option<Cut>) -> Verdict {
        Verdict::Bad(Fault::Differs { from: "x.sig".to_owned(), size: 7, cut })
    }

    fn all() -> Vec<Verdict> {
        let damaged = Fault::Damaged { file: "x.sig".to_owned(), flaw: "it is empty" };
        let (list, by) = ("SHA256SUMS".to_owned(), "Release".to_owned());
        let unnamed = Fault::ListNotNamed { list, by };
        vec![
            Verdict::Waiting,
            Verdict::Good { signer: signer(), lapsed: None },
            Verdict::Good { signer: signer(), lapsed: Some(0) },
            Verdict::SumOnly("SHA256SUMS".to_owned()),
            Verdict::NotSigned,
            Verdict::NoKey("CD".to_owned()),
            Verdict::Unreadable("x".to_owned()),
            differs(None),
            differs(Some(Cut::Of(9))),
            differs(Some(Cut::NoEnd)),
            differs(Some(Cut::Zeros)),
            Verdict::Bad(Fault::Expired { signer: signer(), at: 0 }),
            Verdict::Bad(Fault::Revoked(signer())),
            Verdict::Bad(damaged),
            Verdict::Bad(Fault::ListDiffers("SHA256SUMS".to_owned())),
            Verdict::Bad(unnamed),
            Verdict::Bad(Fault::Forgeable("x.sig".to_owned())),
        ]
    }

    #[test]
    fn required_gives_out_nothing_but_what_is_verified() {
        for verdict in all() {
            let good = matches!(verdict, Verdict::Good { .. });
            let gate = verdict.gate(Verify::Required, true);
            assert_eq!(gate == Gate::Open, good, "{verdict:?}");
            assert_eq!(gate == Gate::Wait, verdict == Verdict::Waiting, "{verdict:?}");
        }
    }

    #[test]
    fn when_signed_keeps_back_what_is_bad_alone_and_off_keeps_back_nothing() {
        for verdict in all() {
            let bad = matches!(verdict, Verdict::Bad(_));
            for (policy, needed) in [(Verify::WhenSigned, true), (Verify::Required, false)] {
                assert_eq!(verdict.gate(policy, needed) == Gate::Open, !bad, "{verdict:?}");
            }
            assert_eq!(verdict.gate(Verify::Off, true), Gate::Open);
        }
    }

    #[test]
    fn each_verdict_says_something_else() {
        let mut words: Vec<String> = all().iter().map(ToString::to_string).collect();
        words.sort();
        words.dedup();
        assert_eq!(words.len(), all().len(), "{words:#?}");
    }

    #[test]
    fn days_are_those_of_the_calendar() {
        for (seconds, day) in [
            (0, "1970-01-01"),
            (951_782_399, "2000-02-28"),
            (951_782_400, "2000-02-29"),
            (951_868_800, "2000-03-01"),
            (1_622_505_600, "2021-06-01"),
            (4_107_542_399, "2100-02-28"),
            (4_107_542_400, "2100-03-01"),
            (u64::from(u32::MAX), "2106-02-07"),
        ] {
            assert_eq!(Date(seconds).to_string(), day);
        }
    }
}
