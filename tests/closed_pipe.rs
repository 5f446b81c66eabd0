//! Somebody who reads the begin of what a command says, and goes away.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests fail so")]

use std::process::Command;

#[test]
fn a_reader_that_is_gone_is_no_fault() {
    for word in ["--help", "--version"] {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let mut command = Command::new(env!("CARGO_BIN_EXE_pxeberry"));
        let ran = command.arg(word).stdout(writer).output().unwrap();
        let said = String::from_utf8_lossy(&ran.stderr);
        assert!(ran.status.success() && said.is_empty(), "{word}: {}: {said}", ran.status);
    }
}
