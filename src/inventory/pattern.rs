//! Names with holes: `dists/{suite}/main/installer-{arch}/…/linux`. Pure.
//!
//! A pattern is compared with the end of a path, folder by folder and whatever the case;
//! most paths are refused by their last letters alone. No hole reaches over a `/`, and a
//! folder's name has few of them, so no name and no pattern of a stick takes long.

use std::fmt;

use serde::Deserialize;

use super::cpu::{Cpu, SPELLINGS};

/// A name, or a path, or a line of text, with holes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pattern {
    text: String,
    /// From the last folder to the first: a path is compared from its end.
    segments: Vec<Vec<Piece>>,
}

/// What stood in the holes, as it was spelled.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Captures<'a> {
    /// `{version}`
    pub version: Option<&'a str>,
    /// `{arch}`
    pub arch: Option<&'a str>,
    /// `{suite}`: a version's code name.
    pub suite: Option<&'a str>,
    /// `{family}`: the system's name, in a text.
    pub family: Option<&'a str>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    Literal(String),
    Version,
    Arch,
    Suite,
    Family,
    Any,
}

impl Piece {
    /// Whether it fits texts of any length.
    fn is_open(&self) -> bool {
        !matches!(self, Piece::Literal(_) | Piece::Arch)
    }
}

/// The last part of a path with holes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Name<'a> {
    /// It has none.
    Whole(&'a str),
    /// What stands before the first one, and behind the last one.
    Open(&'a str, &'a str),
}

/// Longer than any publisher's path.
const LONGEST: usize = 300;

/// Holes of any length in one folder's name: the work grows with the length to this power.
const MOST_OPEN: usize = 2;

/// Ends of a name that are tried: a publisher's name takes some hundred.
const MOST_TRIES: u32 = 500;

/// No version is longer (`version::Version` holds it, too).
const LONGEST_VERSION: usize = 64;

impl Pattern {
    /// Reads a path with holes; the error says what is wrong with it.
    pub fn path(text: &str) -> Result<Pattern, String> {
        let parts = || text.split('/');
        if parts().any(|part| matches!(part, "" | "." | "..")) {
            return Err(format!("{text:?}: write it like \"folder/file\", without . and .."));
        }
        Pattern::new(text, parts().rev())
    }

    /// Reads a line of text with holes.
    pub fn line(text: &str) -> Result<Pattern, String> {
        Pattern::new(text, std::iter::once(text))
    }

    fn new<'a>(text: &str, parts: impl Iterator<Item = &'a str>) -> Result<Pattern, String> {
        if text.len() > LONGEST || text.chars().any(char::is_control) {
            return Err(format!("{text:?}: at most {LONGEST} plain letters"));
        }
        let segments = parts.map(pieces).collect::<Result<_, String>>()?;
        Ok(Pattern { text: text.to_owned(), segments })
    }

    /// The file's name alone.
    pub fn name(&self) -> Name<'_> {
        let pieces = self.segments.first().map(Vec::as_slice).unwrap_or_default();
        match pieces {
            [Piece::Literal(text)] => Name::Whole(text),
            _ => Name::Open(literal(pieces.first()), literal(pieces.last())),
        }
    }

    /// As it was written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// How much of it is not a hole: the larger, the more a match says.
    pub fn weight(&self) -> usize {
        let literal = |piece: &Piece| if let Piece::Literal(text) = piece { text.len() } else { 0 };
        self.segments.iter().flatten().map(literal).sum()
    }

    /// How much work it can be to compare it with the end of `path`, or with a line: tens of
    /// nanoseconds each. Nearly all are refused by their last letters.
    pub fn effort(&self, path: &str) -> u64 {
        let end = match self.name() {
            Name::Whole(text) | Name::Open(_, text) => text,
        };
        let begin = path.len().checked_sub(end.len());
        let same = begin.and_then(|begin| path.get(begin..)).map(|it| it.eq_ignore_ascii_case(end));
        if same != Some(true) {
            return 1;
        }
        let open = |segment: &Vec<Piece>| segment.iter().filter(|piece| piece.is_open()).count();
        let length = path.split('/').map(str::len).max().unwrap_or_default() as u64;
        let tries = match self.segments.iter().map(open).max() {
            None | Some(0) => 0,
            Some(1) => length / 4,
            Some(_) => length * length / 8,
        };
        2 + tries.min(u64::from(MOST_TRIES))
    }

    /// Compares with the end of `path`: the folder that it is in, without a slash, and what
    /// stood in the holes.
    pub fn at_end_of<'a>(&self, path: &'a str) -> Option<(&'a str, Captures<'a>)> {
        let mut captures = Captures::default();
        let mut tries = MOST_TRIES;
        let mut rest = Some(path);
        for segment in &self.segments {
            let (before, name) = match rest?.rsplit_once('/') {
                Some((before, name)) => (Some(before), name),
                None => (None, rest?),
            };
            captures = fit(segment, name, captures, &mut tries)?;
            rest = before;
        }
        Some((rest.unwrap_or_default(), captures))
    }

    /// Compares with all of `path`.
    pub fn is(&self, path: &str) -> bool {
        path.bytes().filter(|b| *b == b'/').count() + 1 == self.segments.len()
            && self.at_end_of(path).is_some()
    }

    /// Compares with a line of text.
    pub fn in_line<'a>(&self, line: &'a str) -> Option<Captures<'a>> {
        let mut tries = MOST_TRIES;
        fit(self.segments.first()?, line, Captures::default(), &mut tries)
    }

    /// The name with its holes filled; none if there is nothing for one of them.
    pub fn filled(&self, captures: &Captures) -> Option<String> {
        let mut folders = Vec::new();
        for segment in self.segments.iter().rev() {
            let mut name = String::new();
            for piece in segment {
                name.push_str(match piece {
                    Piece::Literal(text) => text,
                    Piece::Version => captures.version?,
                    Piece::Arch => captures.arch?,
                    Piece::Suite => captures.suite?,
                    Piece::Family => captures.family?,
                    Piece::Any => return None,
                });
            }
            folders.push(name);
        }
        Some(folders.join("/"))
    }
}

fn pieces(text: &str) -> Result<Vec<Piece>, String> {
    let mut pieces = Vec::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let literal = rest.find(['{', '*']).unwrap_or(rest.len());
        let (piece, length) = match first {
            '*' => (Piece::Any, 1),
            '{' => {
                let end = rest.find('}').ok_or_else(|| format!("{text:?}: a {{ without }}"))?;
                let piece = match rest.get(1..end).unwrap_or_default() {
                    "version" => Piece::Version,
                    "arch" => Piece::Arch,
                    "suite" => Piece::Suite,
                    "family" => Piece::Family,
                    other => return Err(format!("{{{other}}} is none of {HOLES}")),
                };
                (piece, end + 1)
            }
            _ => (Piece::Literal(rest.get(..literal).unwrap_or_default().to_owned()), literal),
        };
        pieces.push(piece);
        rest = rest.get(length..).unwrap_or_default();
    }
    if pieces.iter().filter(|piece| piece.is_open()).count() > MOST_OPEN {
        return Err(format!("{text:?}: at most {MOST_OPEN} holes in one name, beside {{arch}}"));
    }
    Ok(pieces)
}

const HOLES: &str = "{version}, {arch}, {suite}, {family}";

/// Whether `pieces` are all of `text`; a hole that comes twice holds the same both times.
/// From the end, because names differ there.
/// `tries` are what may be tried yet: past them nothing fits.
fn fit<'a>(
    pieces: &[Piece],
    text: &'a str,
    captures: Captures<'a>,
    tries: &mut u32,
) -> Option<Captures<'a>> {
    *tries = tries.checked_sub(1)?;
    let Some((piece, before)) = pieces.split_last() else {
        return text.is_empty().then_some(captures);
    };
    let head_of = |length: usize| text.get(..text.len().checked_sub(length)?);
    match piece {
        Piece::Literal(literal) => {
            let head = head_of(literal.len())?;
            let tail = text.get(head.len()..)?;
            tail.eq_ignore_ascii_case(literal).then(|| fit(before, head, captures, tries))?
        }
        Piece::Arch => SPELLINGS.iter().find_map(|(spelling, cpu)| {
            let head = head_of(spelling.len())?;
            let tail = text.get(head.len()..)?;
            let same = captures.arch.is_none_or(|arch| Cpu::named(arch) == Some(*cpu));
            (same && tail.eq_ignore_ascii_case(spelling))
                .then(|| fit(before, head, Captures { arch: Some(tail), ..captures }, tries))?
        }),
        Piece::Any => {
            holes(text, 0, |_| true).find_map(|(head, _)| fit(before, head, captures, tries))
        }
        Piece::Version => holes(text, 1, is_version).find_map(|(head, hole)| {
            let same = captures.version.is_none_or(|version| version == hole);
            let captures = Captures { version: Some(hole), ..captures };
            (same && starts_well(head, hole)).then(|| fit(before, head, captures, tries))?
        }),
        Piece::Suite => holes(text, 1, is_suite).find_map(|(head, hole)| {
            let same = captures.suite.is_none_or(|suite| suite == hole);
            same.then(|| fit(before, head, Captures { suite: Some(hole), ..captures }, tries))?
        }),
        Piece::Family => holes(text, 1, |_| true).find_map(|(head, hole)| {
            fit(before, head, Captures { family: Some(hole), ..captures }, tries)
        }),
    }
}

/// Every end of `text` with at least `shortest` letters that `fits`, longest first.
fn holes(
    text: &str,
    shortest: usize,
    fits: impl Fn(char) -> bool,
) -> impl Iterator<Item = (&str, &str)> {
    let start = text.char_indices().rev().take_while(|(_, letter)| fits(*letter)).last();
    let from = start.map_or(text.len(), |(at, _)| at);
    (from..=text.len())
        .filter_map(move |at| Some((text.get(..at)?, text.get(at..)?)))
        .filter(move |(_, hole)| hole.len() >= shortest)
}

fn is_version(letter: char) -> bool {
    letter.is_ascii_alphanumeric() || matches!(letter, '.' | '-' | '_' | '+')
}

/// A version begins with a digit, and is not the end of a longer number.
fn starts_well(head: &str, version: &str) -> bool {
    let digit = |letter: Option<char>| letter.is_some_and(|letter| letter.is_ascii_digit());
    version.len() <= LONGEST_VERSION
        && digit(version.chars().next())
        && !head.ends_with(|letter: char| letter.is_ascii_digit() || letter == '.')
}

fn is_suite(letter: char) -> bool {
    letter.is_ascii_alphanumeric() || letter == '-'
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl<'de> Deserialize<'de> for Pattern {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Pattern, D::Error> {
        let text = String::deserialize(deserializer)?;
        Pattern::path(&text).map_err(serde::de::Error::custom)
    }
}

/// What stands in a piece that is no hole.
fn literal(piece: Option<&Piece>) -> &str {
    match piece {
        Some(Piece::Literal(text)) => text,
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found<'a>(pattern: &str, path: &'a str) -> Option<(&'a str, Captures<'a>)> {
        Pattern::path(pattern).unwrap().at_end_of(path)
    }

    #[test]
    fn holes_hold_what_publishers_write_there() {
        let (folder, captures) = found(
            "dists/{suite}/main/installer-{arch}/images/{arch}/linux",
            "images/debian/13/dists/trixie/main/installer-amd64/images/amd64/linux",
        )
        .unwrap();
        assert_eq!(folder, "images/debian/13");
        assert_eq!((captures.suite, captures.arch), (Some("trixie"), Some("amd64")));
        let (_, captures) = found(
            "fedora-coreos-{version}-live-kernel.{arch}",
            "x/fedora-coreos-41.20250302.3.2-live-kernel.x86_64",
        )
        .unwrap();
        assert_eq!(captures.version, Some("41.20250302.3.2"));
        assert_eq!(captures.arch, Some("x86_64"));
    }

    #[test]
    fn a_hole_that_comes_twice_holds_the_same_processor() {
        let pattern = "installer-{arch}/{arch}/linux";
        assert!(found(pattern, "installer-amd64/amd64/linux").is_some());
        assert!(found(pattern, "installer-amd64/arm64/linux").is_none());
    }

    #[test]
    fn names_are_compared_whole_and_whatever_their_case() {
        assert!(found("casper/vmlinuz", "a/CASPER/VMLINUZ").is_some());
        assert!(found("casper/vmlinuz", "a/xcasper/vmlinuz").is_none());
        assert!(found("linux", "a/vmlinux").is_none());
        assert!(found("{version}/linux", "a/v1.2/linux").is_none());
        assert!(found("v{version}.img", "v1.2.img").is_some_and(|f| f.1.version == Some("1.2")));
        let whole = Pattern::path("casper/vmlinuz").unwrap();
        assert!(whole.is("casper/vmlinuz") && !whole.is("a/casper/vmlinuz"));
    }

    #[test]
    fn lines_of_text_have_holes_too() {
        let text = "Ubuntu-Server 24.04.1 LTS \"Noble Numbat\" - Release amd64 (20240827)";
        let version = Pattern::line("Ubuntu-Server {version} *").unwrap();
        assert_eq!(version.in_line(text).unwrap().version, Some("24.04.1"));
        let arch = Pattern::line("* - Release {arch} *").unwrap();
        assert_eq!(arch.in_line(text).unwrap().arch, Some("amd64"));
    }

    #[test]
    fn filling_the_holes_gives_the_name_back() {
        let pattern = Pattern::path("a-{arch}/{version}/x").unwrap();
        let (_, captures) = pattern.at_end_of("b/a-x64/1.0/x").unwrap();
        assert_eq!(pattern.filled(&captures).as_deref(), Some("a-x64/1.0/x"));
        assert_eq!(Pattern::path("*.iso").unwrap().filled(&captures), None);
    }

    #[test]
    fn what_is_no_pattern_is_said_so() {
        for (text, expected) in [
            ("../x", "without . and .."),
            ("/x", "without . and .."),
            ("a{", "a { without }"),
            ("{mac}", "{mac} is none of"),
            ("*a*b*c", "at most 2 holes"),
        ] {
            let error = Pattern::path(text).unwrap_err();
            assert!(error.contains(expected), "{text}: {error}");
        }
    }

    #[test]
    fn no_name_takes_long() {
        let pattern = Pattern::path("*a{version}{arch}").unwrap();
        for letter in ["a", "1", "-", "1a", "\u{e9}"] {
            let name = letter.repeat(4096 / letter.len());
            assert!(pattern.at_end_of(&name).is_none());
        }
    }
}
