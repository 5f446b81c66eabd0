//! URLs and file names that may be used, whoever wrote them.

use std::fmt;

/// An absolute `http` or `https` URL that a request can be made of as it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Url {
    secure: bool,
    /// Host and port.
    authority: String,
    /// Path and query, with the leading slash.
    path: String,
}

/// No publisher's URL is longer; signed ones of download hosts have about 1,000 characters.
const LONGEST_URL: usize = 4096;

/// Longer names do not fit on every stick together with `.part.from`.
const LONGEST_NAME: usize = 128;

/// `netboot/debian-installer/amd64/linux` has four.
const MOST_PARTS: usize = 6;

impl Url {
    /// Reads an absolute URL; says what is wrong with it.
    pub fn parse(text: &str) -> Result<Url, String> {
        let shown = || text.chars().take(100).collect::<String>().escape_debug().to_string();
        if text.len() > LONGEST_URL || !text.bytes().all(|b| b.is_ascii_graphic()) {
            return Err(format!("\"{}\" is no URL: it is too long or holds spaces", shown()));
        }
        let (scheme, rest) = text.split_once("://").unwrap_or(("", text));
        let secure = match scheme.to_ascii_lowercase().as_str() {
            "https" => true,
            "http" => false,
            _ => return Err(format!("\"{}\" does not start with https:// or http://", shown())),
        };
        let rest = rest.split('#').next().unwrap_or_default();
        let end = rest.find(['/', '?']).unwrap_or(rest.len());
        let (authority, path) = rest.split_at(end);
        if authority.is_empty() || authority.contains('@') {
            return Err(format!("\"{}\" must name a host, without user or password", shown()));
        }
        let slash = if path.starts_with('/') { "" } else { "/" };
        Ok(Url { secure, authority: authority.to_owned(), path: format!("{slash}{path}") })
    }

    /// `relative` below this URL.
    pub fn below(&self, relative: &str) -> Result<Url, String> {
        Url::parse(&format!("{}/{relative}", self.to_string().trim_end_matches('/')))
    }

    /// The same file's companion: `.sig` behind the path.
    pub fn with_suffix(&self, suffix: &str) -> Url {
        Url { path: format!("{}{suffix}", self.path), ..self.clone() }
    }

    /// Where an answer's `Location` leads from here. Never from https to http: who can
    /// change the one can change the other.
    pub fn redirect(&self, location: &str) -> Result<Url, String> {
        let scheme = if self.secure { "https" } else { "http" };
        let folder = self.path.split('?').next().unwrap_or_default();
        let folder = folder.rsplit_once('/').map_or("", |(folder, _)| folder);
        // There may be a whole URL in the query of a relative one.
        let scheme_of = location.split_once("://").map(|(scheme, _)| scheme);
        let is_absolute = scheme_of.is_some_and(|s| s.bytes().all(|b| b.is_ascii_alphanumeric()));
        let to = if is_absolute {
            Url::parse(location)?
        } else if let Some(rest) = location.strip_prefix("//") {
            Url::parse(&format!("{scheme}://{rest}"))?
        } else if location.starts_with('/') {
            Url::parse(&format!("{scheme}://{}{location}", self.authority))?
        } else {
            Url::parse(&format!("{scheme}://{}{folder}/{location}", self.authority))?
        };
        if self.secure && !to.secure {
            return Err(format!("it redirects from https to {to}, which is not followed"));
        }
        Ok(to)
    }

    /// Whether the connection is encrypted, and its other end proven.
    pub fn is_secure(&self) -> bool {
        self.secure
    }

    /// The rest behind `base` of a URL that a publisher's list names.
    pub fn strip(text: &str, base: &str) -> Option<String> {
        text.strip_prefix(base.trim_end_matches('/'))?.strip_prefix('/').map(str::to_owned)
    }
}

impl fmt::Display for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.secure { "https" } else { "http" };
        write!(f, "{scheme}://{}{}", self.authority, self.path)
    }
}

/// Whether `path` is a relative path that every file system can hold and that stays below
/// the folder that it is used in.
pub fn is_safe_path(path: &str) -> bool {
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_' | b'+' | b'~');
    let safe = |part: &str| {
        !part.is_empty()
            && part.len() <= LONGEST_NAME
            && !part.starts_with('.')
            && !part.ends_with('.')
            && part.bytes().all(plain)
    };
    path.split('/').count() <= MOST_PARTS && path.split('/').all(safe)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn redirected(from: &str, location: &str) -> Result<String, String> {
        Url::parse(from).unwrap().redirect(location).map(|url| url.to_string())
    }

    #[test]
    fn a_redirect_may_be_absolute_or_relative() {
        let from = "https://a.example/x/y?z=/";
        for (location, to) in [
            ("https://b.example/f?sig=1", "https://b.example/f?sig=1"),
            ("//b.example/f", "https://b.example/f"),
            ("/f", "https://a.example/f"),
            ("f", "https://a.example/x/f"),
            ("/get?u=https://b.example/", "https://a.example/get?u=https://b.example/"),
            ("//b.example/?u=http://c.example/", "https://b.example/?u=http://c.example/"),
            ("get?u=https://b.example/", "https://a.example/x/get?u=https://b.example/"),
        ] {
            assert_eq!(redirected(from, location), Ok(to.to_owned()));
        }
    }

    #[test]
    fn a_redirect_never_leaves_https() {
        assert!(redirected("https://a.example/", "http://a.example/").is_err());
        assert!(redirected("https://a.example/", "ftp://a.example/").is_err());
        assert!(redirected("http://a.example/", "http://b.example/").is_ok());
    }

    #[test]
    fn what_is_no_plain_web_address_is_refused() {
        for text in [
            "ftp://a.example/",
            "file:///etc/passwd",
            "https://",
            "https://user:secret@a.example/",
            "https://a.example/\r\nHost: b",
            "https://a.example/ö",
            "a.example",
        ] {
            assert!(Url::parse(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn names_that_leave_the_folder_or_need_quoting_are_refused() {
        for path in [
            "",
            "/",
            "/etc/passwd",
            "..",
            "../x",
            "a/../b",
            "a//b",
            "a/",
            ".hidden",
            "a\\b",
            "a\0",
            "a\nb",
            "a b",
            "a:b",
            "c.",
            "a/b/c/d/e/f/g",
            "ö",
        ] {
            assert!(!is_safe_path(path), "{path:?}");
        }
        assert!(!is_safe_path(&"n".repeat(129)));
        assert!(is_safe_path("netboot/debian-installer/amd64/initrd.gz"));
    }
}
