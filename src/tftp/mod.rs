//! TFTP (RFC 1350, 2347, 2348, 2349, 7440): the first programs of a boot.
//!
//! `request` (pure) reads what clients write, `tree` (pure) makes a clean name of what a ROM
//! asks for, `places` (pure) says whose turn it is. `door` keeps port 69; `server` drives
//! async-tftp, which reads a `download`. Names are looked up in the boot tree, never on the
//! file system.
//!
//! What the library costs: thirteen system calls for a block of a client that takes one after
//! the other, none of them ours. Five would go if async-io woke nobody for a timer that is not
//! the next one, two if async-tftp accepted requests in a task of its own. With 0.3 ms to go and
//! back, one client does not see that, and sixteen get 0.95 to 0.98 of what the best server
//! sends them. Without any way to go, sixteen with windows get 0.63 to 0.81 of what atftpd's
//! threads do; for that the library would have to send a window by one call (`sendmmsg`) on a
//! connected socket (`tests/bench/tftp` measures it).

mod door;
mod download;
mod places;
pub mod request;
pub mod server;
pub mod tree;
