//! Are the images what their publishers signed?
//!
//! [`evidence`] finds what on the sticks says something of a file, [`check`] compares, and
//! [`Verdicts`] holds what is known, for everybody who gives files to machines. A verdict is
//! worth as much as the keys on the stick: whoever can write there can add one, so they are
//! shown by fingerprint.

pub mod armor;
mod certificate;
pub mod check;
pub mod evidence;
pub mod hint;
pub mod keys;
pub mod openpgp;
pub mod release;
mod stick;
pub mod sums;
mod table;
mod verdict;

pub use evidence::{Job, jobs};
pub use table::{Progress, Report, Verdicts};
pub use verdict::{Cut, Fault, Gate, Signer, Verdict};
