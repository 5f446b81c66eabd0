//! The images as data: which there are, and what is known of their origin.

use serde::Serialize;

use crate::inventory::{Image as Found, Inventory};
use crate::verify::Verdicts;
use crate::world::World;

/// All images, and whose keys are there to verify them.
#[derive(Debug, Serialize)]
pub struct Images {
    /// Newest version first within one system.
    pub images: Vec<Image>,
    /// Fingerprints with names.
    pub keys: Vec<String>,
}

/// One image.
#[derive(Debug, Serialize)]
pub struct Image {
    /// `coreos/1185.3.0`
    pub name: String,
    /// What is known of its origin.
    pub verification: Verification,
}

/// What is known of the origin of an image: of that file of it which matters most.
#[derive(Debug, Serialize)]
pub struct Verification {
    /// `verified`, `waiting`, `bad`, …: the name of a `verify::Verdict`; `off` if nothing is
    /// looked at.
    pub state: &'static str,
    /// Per cent of the file that is being read.
    pub percent: Option<u8>,
    /// Of the key that signed it.
    pub fingerprint: Option<String>,
    /// The same for people.
    pub words: String,
}

impl Verification {
    fn of(image: &Found, inventory: &Inventory, verdicts: &Verdicts) -> Verification {
        let Some(report) = verdicts.report_of(image, inventory) else {
            let words = "not looked at".to_owned();
            return Verification { state: "off", percent: None, fingerprint: None, words };
        };
        let words = match (&report.percent, report.verdict.signer()) {
            (Some(percent), _) => format!("{}: being verified, {percent} %", report.path),
            // All of them: the one that is told of is the worst.
            (None, Some(_)) => report.verdict.to_string(),
            (None, None) => format!("{}: {}", report.path, report.verdict),
        };
        Verification {
            state: report.verdict.name(),
            percent: report.percent,
            fingerprint: report.verdict.signer().map(|signer| signer.fingerprint.clone()),
            words,
        }
    }
}

/// The images as they are now.
pub fn images(world: &World) -> Images {
    let shelf = world.shelf();
    let image = |image: &Found| Image {
        name: image.name(),
        verification: Verification::of(image, &shelf.inventory, &shelf.verdicts),
    };
    Images {
        images: shelf.inventory.images.iter().map(image).collect(),
        keys: shelf.verdicts.keys().iter().map(ToString::to_string).collect(),
    }
}
