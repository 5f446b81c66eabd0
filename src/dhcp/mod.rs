//! DHCP as a network-boot client needs it (RFC 2131, 2132, 4578; Intel PXE 2.1).
//!
//! One packet takes three steps: [`wire`] parses it behind a strict gate, [`decide`] (or
//! [`proxy`], beside another server) says what to answer and what to remember, [`server`]
//! does it. All but `answer`, `clerk`, `lodger`, `probe`, `server`, `socket` and `story` is pure: time
//! is an argument, and nothing touches a socket.

pub mod answer;
pub mod clerk;
pub mod client;
pub mod decide;
pub mod early;
pub mod lease;
pub mod limit;
pub mod lodger;
pub mod message;
pub mod option;
pub mod probe;
pub mod proxy;
pub mod reply;
pub mod route;
pub mod server;
pub mod shape;
pub mod silence;
pub mod site;
pub mod socket;
pub mod stay;
pub mod story;
pub mod waiting;
pub mod wire;

/// Port that servers listen on (RFC 2131 §4.1).
pub const SERVER_PORT: u16 = 67;

/// Port that clients listen on (RFC 2131 §4.1).
pub const CLIENT_PORT: u16 = 68;

/// Seconds of the appliance's own clock, which never runs backwards over a restart.
pub type Seconds = u64;
