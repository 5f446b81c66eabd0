//! What the fuzz targets have found, and what they begin with, through the same code without
//! a fuzzer. The beginnings are left in `target/fuzz/seeds` for `tests/fuzz/run`.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests fail so")]
#![allow(clippy::indexing_slicing, clippy::cast_possible_truncation, reason = "tests fail so")]

#[path = "fuzz/bodies.rs"]
mod bodies;
#[path = "support/dhcp_packets.rs"]
mod dhcp_packets;
#[path = "support/disc.rs"]
mod disc;
#[path = "support/path_corpus.rs"]
mod path_corpus;

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::process::Command;

use disc::{Disc, FILE, FOLDER, ROOT, SECTOR, Scratch, XORRISO, make, record};

/// A target: its name, what is tried, what it begins with.
struct Target {
    name: &'static str,
    body: fn(&[u8]),
    seeds: fn() -> Vec<Vec<u8>>,
}

#[test]
fn whatever_the_fuzzers_have_found_holds() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut broken = Vec::new();
    for Target { name, body, seeds } in targets() {
        let seeds = seeds();
        assert!(!seeds.is_empty(), "{name} begins with nothing");
        write_seeds(&root.join("target/fuzz/seeds").join(name), &seeds);
        let kept = unpack(&root.join("tests/fuzz/corpus").join(format!("{name}.tar.xz")));
        let found = files(&kept.0);
        assert!(!found.is_empty(), "{name} has no corpus");
        println!("measured: {name}: {} beginnings, {} found", seeds.len(), found.len());
        let beginnings = seeds.into_iter().enumerate();
        let beginnings = beginnings.map(|(at, bytes)| (format!("beginning {at}"), bytes));
        let found = found.into_iter().map(|path| {
            let bytes = fs::read(&path).unwrap();
            (path.file_name().unwrap().to_string_lossy().into_owned(), bytes)
        });
        for (input, bytes) in beginnings.chain(found) {
            if catch_unwind(AssertUnwindSafe(|| body(&bytes))).is_err() {
                broken.push(format!("{name}: {input}"));
            }
        }
    }
    assert!(broken.is_empty(), "{broken:#?}");
}

#[test]
fn each_target_of_cargo_fuzz_is_here_and_each_here_is_there() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut there: Vec<String> = files(&root.join("tests/fuzz/fuzz_targets"))
        .iter()
        .map(|path| path.file_stem().unwrap().to_string_lossy().into_owned())
        .collect();
    let mut here: Vec<String> = targets().iter().map(|target| target.name.to_owned()).collect();
    there.sort();
    here.sort();
    assert_eq!(here, there);
}

fn targets() -> Vec<Target> {
    let target = |name, body: fn(&[u8]), seeds| Target { name, body, seeds };
    vec![
        target("dhcp", bodies::dhcp, dhcp),
        target("tftp", bodies::tftp, tftp),
        target("http_route", bodies::http_route, routes),
        target("http_range", bodies::http_range, ranges),
        target("iso9660", bodies::iso9660, isos),
        target("profiles", bodies::profiles, || texts("src/inventory/profiles", ".toml")),
        target("machines", bodies::machines, || vec![MACHINES.into()]),
        target("config", bodies::config, || texts("board", "pxeberry.toml")),
        target("reports", bodies::reports, endings),
    ]
}

fn texts(folder: &str, end: &str) -> Vec<Vec<u8>> {
    let wanted = files(&Path::new(env!("CARGO_MANIFEST_DIR")).join(folder)).into_iter();
    let wanted = wanted.filter(|path| path.to_string_lossy().ends_with(end));
    wanted.map(|path| fs::read(path).unwrap()).collect()
}

/// Each packet alone, and each client's conversation.
fn dhcp() -> Vec<Vec<u8>> {
    let framed = |packet: &Vec<u8>| {
        let length = u16::try_from(packet.len()).unwrap().to_be_bytes();
        [&length[..], packet].concat()
    };
    let all: Vec<Vec<u8>> = dhcp_packets::all().iter().map(|(_, packet)| framed(packet)).collect();
    let conversations = all.chunks(4).map(<[Vec<u8>]>::concat);
    all.iter().cloned().chain(conversations).collect()
}

fn tftp() -> Vec<Vec<u8>> {
    let options: [&[u8]; 3] = [
        b"",
        b"tsize\x000\0blksize\x001468\0windowsize\x004\0",
        b"timeout\x00255\0blksize\x0065464\0windowsize\x0065535\0multicast\0\0",
    ];
    let names = ["pxelinux.0", "\\boot\\x", "grub/grub.cfg-01-52-54-00-00-00-01", "//a//b\u{ff}"];
    let request =
        |name: &str, options: &[u8]| [b"\0\x01", name.as_bytes(), b"\0octet\0", options].concat();
    names.iter().flat_map(|name| options.map(|options| request(name, options))).collect()
}

fn routes() -> Vec<Vec<u8>> {
    const USUAL: [&str; 12] = [
        "/",
        "/boot/52:54:00:00:00:01.ipxe?uuid=4c4c4544-0051-4a10-8031-b4c04f333033&serial=ABC",
        "/cloud-configs/install.sh",
        "/cloud-configs/00:25:90:c0:f7:86.yml",
        "/autoinstall/52-54-00-00-00-01/user-data",
        "/1185.3.0/coreos_production_image.bin.bz2",
        "/arm64/1185.3.0/coreos_production_image.bin.bz2.sig",
        "/current/version.txt",
        "/images/debian/13/linux",
        "/images/alpine.iso/boot/vmlinuz-lts",
        "/v1/event?token=0123456789abcdef0123456789abcdef&event=installed",
        "/v1/boot?mac=52:54:00:00:00:01&stage=kernel&error=0x2d0c613b&memory=1024",
    ];
    let hostile = path_corpus::names();
    USUAL.iter().map(|path| (*path).into()).chain(hostile.into_iter().map(String::into)).collect()
}

fn ranges() -> Vec<Vec<u8>> {
    const DATE: &str = "Sun, 06 Nov 1994 08:49:37 GMT";
    let lines =
        |range: &str| format!("{range}\n\"5-1\"\n{DATE}\nW/\"5-1\", \"6\"\n{DATE}\n\"5-1\"");
    let of =
        |(size, range): (u64, &str)| [&size.to_le_bytes()[..], lines(range).as_bytes()].concat();
    let cases = [(0, "bytes=0-"), (9, "bytes=-5"), (9, "bytes=3-7,9-"), (u64::MAX, "bytes=1-2")];
    cases.map(of).into()
}

/// One with plain names, and one as programs make it.
fn isos() -> Vec<Vec<u8>> {
    let mut plain = Disc::new(24, 1);
    let sector = SECTOR as u32;
    let file = record(b"LINUX.;1", 22, 100, FILE, &[]);
    plain.folder(ROOT, 1, &[record(b"BOOT", 20, sector, FOLDER, &[])]);
    plain.folder(20, 1, &[file]);
    let scratch = Scratch::new("fuzz-corpus");
    scratch.write("tree/casper/vmlinuz", "a kernel");
    scratch.write("tree/.disk/info", "a disc");
    let image = scratch.path("a.iso");
    let words = [XORRISO, &["-no-pad"]].concat();
    make(&words, &image, &scratch.path("tree"));
    vec![plain.0, fs::read(image).unwrap()]
}

const MACHINES: &str = r#"
[defaults]
image = "flatcar/latest"
disk = "/dev/sda"
[group.rack]
install = "always"
labels = { row = "1" }
[[machine]]
name = "node-1"
mac = "52:54:00:00:00:01"
group = "rack"
disk = { size = "100G-2T", bus = "nvme" }
ip = "10.10.10.20"
args = ["quiet"]
[[machine]]
name = "node-2"
match = { serial = "ABC*", uuid = "4c4c4544-0051-4a10-8031-b4c04f333033" }
"#;

/// Of each kind, for a newer and an older installer: our examples, and what they do not have.
fn endings() -> Vec<Vec<u8>> {
    const FOLDERS: [&str; 6] =
        ["preseed", "kickstart", "autoinstall/default", "ignition", "autoyast", "agama"];
    const MORE: [&str; 6] = [
        "# a\nd-i a/b string c \\\n# b\n  d\r\nd-i preseed/late_command string \\\n a \"it's\" \\\n b # c",
        "install\n%packages\n@core\n%end\n%post --log=/var/log/post\necho %end\n%end",
        "#cloud-config\nautoinstall: {version: 1, late-commands: [[a, b], \"c: d\"], 'error-commands': []}",
        r#"{"ignition": {"version": "2.2.0"}, "systemd": {"units": [{"name": "a.service"}]}}"#,
        "<?xml version=\"1.0\"?><!DOCTYPE profile><profile xmlns=\"a\" xmlns:config=\"b\"><scripts>\
         <init-scripts config:type=\"list\"><script/></init-scripts></scripts></profile>",
        r#"{"scripts": {"post": [{"name": "a", "content": "b"}], "pre": []}}"#,
    ];
    let kinds = FOLDERS.iter().zip(MORE).zip(0..);
    let endings = kinds.flat_map(|((folder, more), kind)| {
        let mut texts = texts(&format!("board/examples/{folder}"), ".j2");
        texts.push(more.into());
        texts.into_iter().flat_map(move |text| [80, 7].map(|of| [&[kind, of], &text[..]].concat()))
    });
    endings.collect()
}

fn write_seeds(folder: &Path, seeds: &[Vec<u8>]) {
    let _ = fs::remove_dir_all(folder);
    fs::create_dir_all(folder).unwrap();
    for (at, bytes) in seeds.iter().enumerate() {
        fs::write(folder.join(at.to_string()), bytes).unwrap();
    }
}

/// Thousands of small files that nobody reads are packed.
fn unpack(packed: &Path) -> Scratch {
    let folder = Scratch::new(packed.file_name().unwrap().to_str().unwrap());
    let ran = Command::new("tar").arg("-xJf").arg(packed).arg("-C").arg(&folder.0).status();
    assert!(ran.unwrap().success(), "{} cannot be unpacked", packed.display());
    folder
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}
