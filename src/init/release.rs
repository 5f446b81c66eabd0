//! Which release this is: `/etc/pxeberry-release`, written by the image's build.

use std::fs;

use serde::Deserialize;

const PATH: &str = "/etc/pxeberry-release";

/// The file's content. Keys that a later build adds are no error here.
#[derive(Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Release {
    /// The product's version.
    pub version: String,
    /// When the image was built, in Unix seconds: the clock never goes below it.
    pub built: u64,
    /// The kernel's release.
    pub kernel: String,
}

/// A missing or damaged file costs only the knowledge.
pub fn load() -> Release {
    let release = fs::read_to_string(PATH).ok().and_then(|text| parse(&text));
    release.unwrap_or_else(|| Release {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        ..Release::default()
    })
}

fn parse(text: &str) -> Option<Release> {
    toml::from_str(text).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_release_says_when_it_was_built() {
        let text = "version = \"0.1.0\"\nbuilt = 1764000000\nkernel = \"7.3.4\"\nnew = 1\n";
        assert_eq!(parse(text).unwrap().built, 1_764_000_000);
    }

    #[test]
    fn a_damaged_file_is_no_release() {
        assert_eq!(parse("built = \"yesterday\""), None);
    }
}
