//! What is on the USB stick.

use std::fs;
use std::path::{Path, PathBuf};

/// The version of CoreOS on the sample stick.
pub const VERSION: &str = "1185.3.0";

/// The machine that the sample stick names `node-1`.
pub const NODE_1: &str = "52:54:00:00:00:01";

/// The machine that the sample stick knows by its config alone.
pub const NODE_2: &str = "52:54:00:00:00:02";

/// A machine that no stick names.
pub const STRANGER: &str = "52:54:00:00:00:99";

pub const KERNEL: &str = "coreos_production_pxe.vmlinuz";
pub const INITRD: &str = "coreos_production_pxe_image.cpio.gz";
pub const IMAGE: &str = "coreos_production_image.bin.bz2";

/// A folder that plays a mounted stick.
pub struct Stick {
    folder: PathBuf,
}

impl Stick {
    /// An empty stick.
    pub fn empty(folder: &Path) -> Stick {
        fs::create_dir_all(folder).unwrap();
        Stick { folder: folder.to_owned() }
    }

    /// Two machines, one image.
    pub fn sample(folder: &Path) -> Stick {
        let stick = Stick::empty(folder);
        stick.write(
            "machines.toml",
            format!("[[machine]]\nname = \"node-1\"\nmac = \"{NODE_1}\"\n"),
        );
        for (mac, name) in [(NODE_1, "node-1"), (NODE_2, "node-2")] {
            let path = format!("cloud-configs/{}.yml", mac.replace(':', "-"));
            stick.write(&path, format!("#cloud-config\nhostname: {name}\n"));
        }
        stick.image(VERSION);
        stick
    }

    /// A CoreOS image of this version, as published.
    pub fn image(&self, version: &str) {
        let sizes = [(KERNEL, 300_001), (INITRD, 1_500_000), (IMAGE, 2_000_003)];
        for (seed, (name, size)) in (1..).zip(sizes) {
            self.write(&format!("images/coreos/{version}/{name}"), noise(size, seed));
        }
        self.write(&format!("images/coreos/{version}/{IMAGE}.sig"), strangers_signature());
        let text = format!("COREOS_VERSION={version}\n");
        self.write(&format!("images/coreos/{version}/version.txt"), text);
    }

    /// Writes a file, with its folders.
    pub fn write(&self, path: &str, content: impl AsRef<[u8]>) {
        let path = self.folder.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }

    /// Removes a file.
    pub fn remove(&self, path: &str) {
        fs::remove_file(self.folder.join(path)).unwrap();
    }

    /// The content of a file.
    pub fn read(&self, path: &str) -> Vec<u8> {
        fs::read(self.folder.join(path)).unwrap()
    }

    /// The content of a file of the image.
    pub fn image_file(&self, name: &str) -> Vec<u8> {
        self.read(&format!("images/coreos/{VERSION}/{name}"))
    }

    /// Where it is mounted.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Moves the mount point: a stick that is pulled, or plugged in.
    pub fn moved_to(self, folder: &Path) -> Stick {
        fs::create_dir_all(folder.parent().unwrap()).unwrap();
        fs::rename(&self.folder, folder).unwrap();
        Stick { folder: folder.to_owned() }
    }
}

/// A detached signature as CoreOS has them (RSA of 4096 bits, SHA-512), by a key that is on no
/// stick of the tests. 566 bytes.
pub fn strangers_signature() -> Vec<u8> {
    let print = noise(20, 7);
    let mut number = noise(512, 9);
    number[0] |= 0x80;
    [
        // An old header, then version 4, over a binary file.
        &[0x89, 0x02, 0x33, 4, 0, 1, 10][..],
        // Signed: whose it is, and when it was made.
        &[0, 29, 22, 33, 4],
        &print,
        &[5, 2, 0x58, 0, 0, 0],
        // Not signed: the key's number. Then two bytes of the checksum.
        &[0, 10, 9, 16],
        &print[12..],
        &[0x12, 0x34, 0x10, 0],
        &number,
    ]
    .concat()
}

/// Bytes that look like a compressed file: every block differs, and always the same ones.
fn noise(size: usize, seed: u64) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 32) as u8
    };
    std::iter::repeat_with(next).take(size).collect()
}
