//! What the commands print: a stick's content, what a machine would get, and a running
//! server's state.
//!
//! `stick` and `explain` say it as data, which is what `--json` prints; `table` and
//! `explain_text` make text for people of the same data.

mod ask;
mod asking;
mod check;
mod explain;
mod explain_text;
mod status;
mod stick;
mod table;

pub use ask::ask;
pub use check::check;
