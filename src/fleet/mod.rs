//! The machines' lives: who is armed, installing, installed.
//!
//! `life` is the pure state machine; `stage` and `trouble` tell how far a boot came and why it
//! stopped; `store` keeps what must survive a power cut.

pub mod facts;
pub mod life;
pub mod stage;
pub mod store;
pub mod timeline;
pub mod trouble;
