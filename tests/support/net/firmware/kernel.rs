//! Linux, on the stick: Debian's kernels, and what they say first.

use std::fs;
use std::path::{Path, PathBuf};

use super::super::stick::{INITRD, KERNEL, Stick, VERSION};
use super::Board;

/// What every kernel says first on the serial console.
pub const STARTS: &str = "Linux version ";

/// Then it repeats what it was told.
pub const COMMAND_LINE: &str = "Kernel command line: ";

/// Serial consoles from the first moment, on PCs and on ARM.
pub const TALKATIVE: &str = "earlyprintk=ttyS0,115200 earlycon";

/// MiB that a kernel needs beside the firmware and the loaders: ARM's are not compressed.
pub fn memory(board: Board) -> u32 {
    match board {
        Board::Bios => 256,
        Board::EfiX64 => 512,
        Board::EfiArm64 | Board::UBoot => 1024,
    }
}

/// Puts a kernel for this board on the stick, in the place of CoreOS's. Its RAM disk is
/// none: nobody waits for what comes after the first message.
pub fn put_on(stick: &Stick, board: Board) {
    let kernel = fs::read(of(board)).unwrap();
    for (name, content) in [(KERNEL, kernel), (INITRD, b"no RAM disk\n".to_vec())] {
        stick.write(&format!("images/coreos/{VERSION}/{name}"), content);
    }
}

/// Names these machines on the stick, each with its own kernel arguments.
pub fn give_to(stick: &Stick, machines: &[(&str, &str)]) {
    let machine = |(mac, args): &(&str, &str)| {
        format!("[[machine]]\nmac = \"{mac}\"\nargs = '{TALKATIVE} {args}'\n")
    };
    stick.write("machines.toml", machines.iter().map(machine).collect::<String>());
}

/// Debian's kernel for this board, signed.
#[track_caller]
pub fn of(board: Board) -> PathBuf {
    let target = Path::new(env!("CARGO_MANIFEST_DIR")).join("target");
    match board {
        Board::Bios | Board::EfiX64 => {
            let file = target.join("pc").join(KERNEL);
            assert!(file.exists(), "no {file:?}: run tests/support/pc/build target/pc");
            file
        }
        // The appliance's own.
        Board::EfiArm64 | Board::UBoot => {
            let modules = target.join("image/root/usr/lib/modules");
            let releases = fs::read_dir(&modules);
            let releases = releases.unwrap_or_else(|_| panic!("no {modules:?}: run image/build"));
            let mut kernels = releases.map(|release| release.unwrap().path().join("vmlinuz"));
            kernels.find(|kernel| kernel.exists()).expect("no kernel in the image")
        }
    }
}
