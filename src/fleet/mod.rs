//! The machines' lives: who is armed, installing, installed.
//!
//! `life` is the pure state machine; `store` keeps what must survive a power cut.

pub mod life;
pub mod store;
