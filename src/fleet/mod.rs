//! The machines' lives: who is armed, installing, installed.
//!
//! `life` is the pure state machine; `stage` and `trouble` tell how far a boot came and why it
//! stopped; `store` keeps what must survive a power cut. `timeline`, `facts` and `capture` are the
//! flight recorder, `tape` its record, which survives the servers.

pub mod capture;
pub mod facts;
pub mod life;
mod silence;
pub mod slots;
pub mod stage;
pub mod store;
pub mod tape;
pub mod timeline;
pub mod trouble;
