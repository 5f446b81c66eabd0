//! Which folder an image is in. Pure.

use crate::inventory::iso::is_iso;
use crate::inventory::profile::{Layout, Profile};
use crate::inventory::{Version, cpu::Cpu};

/// Where a layout begins, and the image's folder around it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place<'a> {
    /// The image's folder: `images/<system>/<version>`, `images/<name>`, `<version>` as on
    /// the old box, or the one that its ISO is in.
    pub root: &'a str,
    /// Where the layout begins: the root, a folder in it, or an ISO.
    pub base: &'a str,
    /// The folder under `images/`.
    pub system: Option<&'a str>,
    /// The ISO that `base` is.
    pub iso: Option<&'a str>,
}

/// Nothing else of a stick is looked at.
pub fn can_be_image(path: &str) -> bool {
    let mut parts = path.split('/');
    let first = parts.next().unwrap_or_default();
    is_images(first) || (Version::new(first).is_some() && parts.count() == 1)
}

impl<'a> Place<'a> {
    /// The place of a layout that begins at `base`; none where no image can be.
    pub fn of(base: &'a str) -> Option<Place<'a>> {
        let parts: Vec<&str> = base.split('/').collect();
        let iso = parts.iter().position(|part| is_iso(part));
        let in_images = parts.first().is_some_and(|first| is_images(first));
        let depth = match (in_images, iso) {
            (true, iso) => iso.unwrap_or(parts.len()).min(3),
            (false, None) if parts.len() == 1 => 1,
            (false, _) => return None,
        };
        // Files that lie in images/ itself are nobody's.
        if in_images && depth == 1 && iso.is_none() {
            return None;
        }
        let root = head(base, depth);
        let inner = parts.get(depth..).unwrap_or_default();
        match (inner, iso) {
            ([] | [_], None) => {}
            (inner, Some(at)) if at + 1 == parts.len() && inner.len() <= 2 => {}
            _ => return None,
        }
        let system = parts.get(1).copied().filter(|_| in_images && depth >= 2);
        Some(Place { root, base, system, iso: iso.map(|_| base) })
    }

    /// Whether an image with this layout can be here.
    pub fn suits(&self, profile: &Profile, layout: &Layout) -> bool {
        if profile.general {
            return self.system.is_some() && self.iso.is_none();
        }
        !layout.named || self.is_named(profile)
    }

    /// Whether the folder under `images/` says that it is this system.
    pub fn is_named(&self, profile: &Profile) -> bool {
        self.system.is_some_and(|system| system.eq_ignore_ascii_case(&profile.name))
    }

    /// The version that the folder says.
    pub fn version(&self, profile: &Profile) -> Option<Version> {
        let depth = self.root.split('/').count();
        let is_version = match self.system {
            Some(_) => depth == 3,
            None => self.iso.is_none() && depth == 1,
        };
        let folder = self.root.rsplit('/').next().filter(|_| is_version)?;
        version_named(folder, profile)
    }

    /// The processor that a folder inside the image's says.
    pub fn cpu(&self) -> Option<Cpu> {
        self.base.get(self.root.len()..)?.split('/').find_map(Cpu::named)
    }

    /// Names that a person or the publisher gave to all of it: the ISO's, or the folder's.
    pub fn given_name(&self) -> &'a str {
        self.iso.unwrap_or(self.root).rsplit('/').next().unwrap_or_default()
    }
}

/// `4081.2.1`, `v1.8.0`, or a code name.
pub fn version_named(name: &str, profile: &Profile) -> Option<Version> {
    let lower = name.to_ascii_lowercase();
    let code = profile.versions.get(&lower).and_then(|version| Version::new(version));
    code.or_else(|| Version::new(name)).or_else(|| Version::new(name.strip_prefix('v')?))
}

fn is_images(name: &str) -> bool {
    name.eq_ignore_ascii_case("images")
}

/// The first `depth` folders of `path`.
fn head(path: &str, depth: usize) -> &str {
    let ends = path.match_indices('/').map(|(at, _)| at).chain([path.len()]);
    let end = ends.take(depth).last().unwrap_or_default();
    path.get(..end).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_image_has_a_folder_of_its_own_or_an_iso() {
        for (base, root, iso) in [
            ("images/debian/13", "images/debian/13", None),
            ("Images/debian", "Images/debian", None),
            ("images/alpine/3.20/aarch64", "images/alpine/3.20", None),
            ("1185.3.0", "1185.3.0", None),
            ("images/a.iso", "images", Some("images/a.iso")),
            ("images/a.ISO", "images", Some("images/a.ISO")),
            // An ISO to whoever serves it, so here as well.
            ("images/.iso", "images", Some("images/.iso")),
            ("images/x/a.iso", "images/x", Some("images/x/a.iso")),
            ("images/x/1/a.iso", "images/x/1", Some("images/x/1/a.iso")),
            ("images/x/1/amd64/a.iso", "images/x/1", Some("images/x/1/amd64/a.iso")),
        ] {
            let place = Place::of(base).unwrap_or_else(|| panic!("{base}"));
            assert_eq!((place.root, place.iso), (root, iso), "{base}");
        }
        for base in
            ["images", "photos/2024", "images/x/1/a/b", "images/a.iso/b", "x/a.iso", "a.iso"]
        {
            assert_eq!(Place::of(base), None, "{base}");
        }
    }
}
