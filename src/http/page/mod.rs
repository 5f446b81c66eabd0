//! The page for people: made here from the state as it is, whole without a script. The script
//! takes the same page again and alters what differs.
//!
//! No outside resource: style and script stand in the page, and nothing else may run in it.

mod frame;
mod home;
mod leds;
mod machine;
mod machines;
mod sign_in;
mod words;

pub use frame::{Said, Visitor, policy};
pub use home::{Home, home};
pub use machine::{Told, machine};
pub use machines::Wanted;
pub use sign_in::{Refused, sign_in};
