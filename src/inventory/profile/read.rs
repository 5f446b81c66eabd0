//! Profiles from their texts: the built-in ones, and those of a stick. Pure.

use std::sync::{Arc, OnceLock};

use serde::Deserialize;

use super::{Profile, Sibling};
use crate::inventory::Problem;
use crate::inventory::pattern::Pattern;

/// The systems that the product knows by itself, in `src/inventory/profiles/`.
const BUILT_IN: [&str; 19] = [
    include_str!("../profiles/alpine.toml"),
    include_str!("../profiles/anaconda.toml"),
    include_str!("../profiles/arch.toml"),
    include_str!("../profiles/coreos.toml"),
    include_str!("../profiles/debian.toml"),
    include_str!("../profiles/esxi.toml"),
    include_str!("../profiles/fedora-coreos.toml"),
    include_str!("../profiles/flatcar.toml"),
    include_str!("../profiles/memtest.toml"),
    include_str!("../profiles/nixos.toml"),
    include_str!("../profiles/opensuse.toml"),
    include_str!("../profiles/opensuse-agama.toml"),
    include_str!("../profiles/sles.toml"),
    include_str!("../profiles/sles-agama.toml"),
    include_str!("../profiles/talos.toml"),
    include_str!("../profiles/ubuntu.toml"),
    include_str!("../profiles/winpe.toml"),
    include_str!("../profiles/any-kernel.toml"),
    include_str!("../profiles/disk-image.toml"),
];

/// Every built-in profile. A test holds that all of them parse.
pub fn built_in() -> &'static [Arc<Profile>] {
    static PROFILES: OnceLock<Vec<Arc<Profile>>> = OnceLock::new();
    PROFILES.get_or_init(|| {
        BUILT_IN.iter().filter_map(|text| parse("", text).ok()).flatten().map(Arc::new).collect()
    })
}

/// Reads the profile that was found at `path`: one for each system that it names.
pub fn parse(path: &str, text: &str) -> Result<Vec<Profile>, Problem> {
    Ok(siblings(family(path, text)?))
}

/// The profile that was found at `path`, as it stands there.
pub(super) fn family(path: &str, text: &str) -> Result<Profile, Problem> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let line_of = |offset: usize| text.get(..offset).map(|before| before.matches('\n').count() + 1);
    let profile: Profile = toml::from_str(text).map_err(|error| Problem {
        file: path.to_owned(),
        line: line_of(error.span().map_or(0, |span| span.start)),
        message: error.message().trim().replace('\n', "; "),
    })?;
    check(&profile).map_err(|(word, message)| Problem {
        file: path.to_owned(),
        line: text.find(&word).and_then(line_of),
        message,
    })?;
    Ok(profile)
}

/// It, and one for each other system that it names: with all of it, but not those names.
pub(super) fn siblings(mut profile: Profile) -> Vec<Profile> {
    let also = std::mem::take(&mut profile.also);
    let siblings = also.into_iter().map(|Sibling { name, title, family }| Profile {
        name,
        title,
        family,
        ..profile.clone()
    });
    let siblings: Vec<Profile> = siblings.collect();
    std::iter::once(profile).chain(siblings).collect()
}

/// Enterprise Linux has a dozen rebuilds.
const MOST_SIBLINGS: usize = 32;

/// What the shape of a profile does not hold: what could break out of a script, and the
/// word that it stands at.
fn check(profile: &Profile) -> Result<(), (String, String)> {
    if profile.also.len() > MOST_SIBLINGS {
        return Err(("also".to_owned(), format!("also: at most {MOST_SIBLINGS} other systems")));
    }
    let also = profile.also.iter().map(|sibling| (&sibling.name, &sibling.title));
    for (name, title) in std::iter::once((&profile.name, &profile.title)).chain(also) {
        if !is_system_name(name) {
            let message =
                format!("name {name:?}: at most 32 small letters, digits, dots and dashes");
            return Err((name.clone(), message));
        }
        if !is_plain(title) || title.is_empty() {
            return Err((title.clone(), format!("title {title:?}: one line of plain letters")));
        }
    }
    if profile.layout.is_empty() {
        return Err((profile.name.clone(), "it needs a [[layout]]".to_owned()));
    }
    let rewrites = profile.layout.iter().filter_map(|layout| layout.rewrite.as_ref());
    let set = rewrites.flat_map(|rewrite| rewrite.set.values().flatten());
    for argument in profile.args.iter().chain(set).flat_map(|arguments| &arguments.give) {
        if !is_argument(argument) {
            let message = format!("{argument:?}: plain letters, without what loaders expand");
            return Err((argument.clone(), message));
        }
        if let Some(message) = wrong_placeholder(argument) {
            return Err((argument.clone(), message));
        }
    }
    match &profile.installer {
        Some(installer) if !is_system_name(installer) => {
            Err((installer.clone(), format!("installer {installer:?}: the name of a program")))
        }
        _ => Ok(()),
    }
}

/// What arguments are made of: `boot::args` fills them in.
const PLACEHOLDERS: [&str; 14] = [
    "server",
    "mac",
    "image",
    "tree",
    "file",
    "iso",
    "config",
    "disk",
    "hostname",
    "syslog",
    "args-file",
    "rewrite",
    "version",
    "release",
];

fn wrong_placeholder(argument: &str) -> Option<String> {
    argument.split('{').skip(1).find_map(|after| {
        let name = after.split_once('}').map_or(after, |(name, _)| name);
        let known = PLACEHOLDERS.contains(&name.split(':').next().unwrap_or(name));
        (!known).then(|| format!("{{{name}}} is none of {}", PLACEHOLDERS.join(", ")))
    })
}

/// A name that can stand in URLs, in scripts and in shells as it is.
pub fn is_system_name(name: &str) -> bool {
    let plain = |b: u8| {
        b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'-' | b'.' | b'_' | b'+')
    };
    (1..=32).contains(&name.len())
        && name.bytes().all(plain)
        && name.starts_with(|c: char| c.is_ascii_alphanumeric())
}

/// Shown by loaders, none of which quotes.
fn is_plain(text: &str) -> bool {
    let plain = |b: u8| {
        b.is_ascii_alphanumeric()
            || matches!(b, b' ' | b'-' | b'.' | b'_' | b'+' | b'/' | b'(' | b')')
    };
    text.len() <= 64 && text.bytes().all(plain)
}

/// One word of a boot script that no loader expands, and no script ends at.
pub fn is_argument(text: &str) -> bool {
    text.len() <= 512
        && text.bytes().all(|b| b.is_ascii_graphic())
        && text != ";"
        && !text.starts_with('#')
        && !text.contains("${")
        && !text.contains("||")
        && !text.contains("&&")
}

/// Lines with holes, for serde.
pub(super) fn lines<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Vec<Pattern>, D::Error> {
    let texts = Vec::<String>::deserialize(from)?;
    let lines = texts.iter().map(|text| Pattern::line(text)).collect::<Result<_, String>>();
    lines.map_err(serde::de::Error::custom)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_built_in_profile_is_well_formed() {
        for text in BUILT_IN {
            let profiles =
                parse("built in", text).unwrap_or_else(|problem| panic!("{problem}\n{text}"));
            for profile in profiles {
                assert!(!profile.layout.is_empty(), "{}", profile.name);
            }
        }
    }

    fn problem(text: &str) -> String {
        parse("profiles/x.toml", text).unwrap_err().to_string()
    }

    #[test]
    fn a_mistake_in_a_sticks_profile_is_named_with_its_line() {
        let unknown = "name = \"x\"\ntitle = \"X\"\nkernle = \"linux\"\n";
        assert!(problem(unknown).starts_with("profiles/x.toml:3: unknown field `kernle`"));
        let hole = "name = \"x\"\ntitle = \"X\"\n[[layout]]\nkernel = \"{vresion}\"\n";
        assert!(
            problem(hole).starts_with("profiles/x.toml:4: {vresion} is none of"),
            "{}",
            problem(hole)
        );
    }

    #[test]
    fn a_profile_of_many_systems_holds_each_of_them_once() {
        let text = |count: usize| {
            let also = |at| format!("[[also]]\nname = \"a{at}\"\ntitle = \"A\"\n");
            let also: String = (0..count).map(also).collect();
            format!("name = \"x\"\ntitle = \"X\"\n[[layout]]\nkernel = \"linux\"\n{also}")
        };
        let profiles = parse("profiles/x.toml", &text(MOST_SIBLINGS)).unwrap();
        assert_eq!(profiles.len(), MOST_SIBLINGS + 1);
        assert!(profiles.iter().all(|profile| profile.also.is_empty()));
        assert!(problem(&text(MOST_SIBLINGS + 1)).contains("at most 32"));
    }

    #[test]
    fn no_profile_can_break_out_of_a_script() {
        let layout = "[[layout]]\nkernel = \"linux\"\n";
        for head in [
            "name = \"../x\"\ntitle = \"X\"",
            "name = \"x y\"\ntitle = \"X\"",
            "name = \"x\"\ntitle = \"X || shell\"",
            "name = \"x\"\ntitle = \"X\\nkernel y\"",
            "name = \"x\"\ntitle = \"${net0/mac}\"",
            "name = \"x\"\ntitle = \"X\"\ninstaller = \"sh -c reboot\"",
            "name = \"x\"\ntitle = \"X\"\nargs = [{ give = [\"a b\"] }]",
            "name = \"x\"\ntitle = \"X\"\nargs = [{ give = [\"${x}\"] }]",
            "name = \"x\"\ntitle = \"X\"\nargs = [{ give = [\"a||shell\"] }]",
        ] {
            let text = format!("{head}\n{layout}");
            assert!(parse("profiles/x.toml", &text).is_err(), "{head}");
        }
        let good = format!("name = \"x\"\ntitle = \"X\"\n{layout}");
        assert!(parse("profiles/x.toml", &good).is_ok());
    }
}
