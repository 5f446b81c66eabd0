//! Text in pages.

use std::fmt::{self, Display, Write};

/// Names come from sticks, and some words from machines: nothing of them becomes markup, as
/// text and between double quotes.
pub struct Safe<T>(pub T);

impl<T: Display> Display for Safe<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(Escaping(f), "{}", self.0)
    }
}

struct Escaping<'a, 'b>(&'a mut fmt::Formatter<'b>);

impl Write for Escaping<'_, '_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        text.chars().try_for_each(|letter| match letter {
            '&' => self.0.write_str("&amp;"),
            '<' => self.0.write_str("&lt;"),
            '>' => self.0.write_str("&gt;"),
            '"' => self.0.write_str("&quot;"),
            letter => self.0.write_char(letter),
        })
    }
}

/// The same, and what stands between two backticks is code.
pub fn coded(text: &str) -> String {
    let mut parts = text.split('`').map(|part| Safe(part).to_string());
    let mut html = parts.next().unwrap_or_default();
    while let Some(code) = parts.next() {
        html += &match parts.next() {
            Some(after) => format!("<code>{code}</code>{after}"),
            None => format!("`{code}"),
        };
    }
    html
}

/// How long ago that was, as exactly as anybody wants to know.
pub fn since(seconds: u64) -> String {
    match seconds {
        0 => "now".to_owned(),
        1..120 => format!("{seconds} s ago"),
        120..7_200 => format!("{} min ago", seconds / 60),
        7_200..172_800 => format!("{} h ago", seconds / 3_600),
        _ => format!("{} days ago", seconds / 86_400),
    }
}

/// A size as people write it.
pub fn size(bytes: u64) -> String {
    const UNITS: [(u64, &str); 3] = [(1_000_000_000, "GB"), (1_000_000, "MB"), (1_000, "kB")];
    match UNITS.into_iter().find(|(unit, _)| bytes >= *unit) {
        Some((unit, name)) if bytes < 10 * unit => {
            format!("{}.{} {name}", bytes / unit, bytes % unit / (unit / 10))
        }
        Some((unit, name)) => format!("{} {name}", bytes / unit),
        None => format!("{bytes} bytes"),
    }
}

/// Of a hundred.
pub fn percent(part: u64, whole: u64) -> u64 {
    part.saturating_mul(100).checked_div(whole).unwrap_or(0).min(100)
}

/// `Has its boot script`
pub fn capital(words: &str) -> String {
    let mut letters = words.chars();
    let first = letters.next().map(|first| first.to_uppercase().to_string());
    first.unwrap_or_default() + letters.as_str()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_of_a_name_becomes_markup() {
        let safe = Safe("<script>'\"&").to_string();
        assert_eq!(safe, "&lt;script&gt;'&quot;&amp;");
    }

    #[test]
    fn what_stands_between_backticks_is_code() {
        assert_eq!(coded("a `b<` c `d`"), "a <code>b&lt;</code> c <code>d</code>");
        assert_eq!(coded("a ` b"), "a ` b");
        assert_eq!(coded(""), "");
    }

    #[test]
    fn times_are_told_as_exactly_as_anybody_wants_to_know() {
        for (seconds, words) in [
            (0, "now"),
            (119, "119 s ago"),
            (120, "2 min ago"),
            (7_200, "2 h ago"),
            (172_800, "2 days ago"),
        ] {
            assert_eq!(since(seconds), words);
        }
    }

    #[test]
    fn sizes_have_two_digits_or_more() {
        for (bytes, words) in [
            (0, "0 bytes"),
            (999, "999 bytes"),
            (1_950, "1.9 kB"),
            (42_000_000, "42 MB"),
            (1_234_000_000, "1.2 GB"),
        ] {
            assert_eq!(size(bytes), words);
        }
        assert_eq!(percent(1, 3), 33);
        assert_eq!(percent(7, 0), 0);
        assert_eq!(percent(7, 3), 100);
    }
}
