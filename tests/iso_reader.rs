//! ISO images as xorriso and genisoimage make them: every file is found where it is.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests fail so")]
#![allow(clippy::indexing_slicing, clippy::cast_possible_truncation, reason = "tests fail so")]

#[path = "support/chance.rs"]
mod chance;
#[path = "support/disc.rs"]
mod disc;

use std::cell::Cell;
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::{FileExt, symlink};
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use chance::rounds;
use disc::{Disc, FILE, GOES_ON, Memory, ROOT, Scratch, XORRISO, make, record};
use pxeberry::inventory::iso::{Extent, Fault, Iso, Source};

/// A tree like an installer's, with the names that need Rock Ridge or Joliet.
fn tree(scratch: &Scratch) -> BTreeMap<String, Vec<u8>> {
    let long = format!("pool/{}.deb", "a-long-name_".repeat(15));
    let files = [
        ("casper/vmlinuz", 10_000),
        ("casper/initrd", 300_001),
        ("casper/hwe-initrd", 2048),
        (".disk/info", 40),
        ("EFI/boot/bootx64.efi", 5000),
        ("a/b/c/d/e/f/g/h/i/deep", 77),
        ("Zwei Wörter – ümläut.txt", 3),
        ("empty", 0),
        (&long, 99),
    ];
    let content = |size: usize| (0..size).map(|at| (at * 7 + at / 256 + size) as u8).collect();
    files
        .map(|(name, size)| {
            let bytes: Vec<u8> = content(size);
            scratch.write(&format!("tree/{name}"), &bytes);
            (name.to_owned(), bytes)
        })
        .into()
}

fn everything(_: &str) -> bool {
    true
}

/// The files that a walk finds, with their bytes.
fn walked(image: &[u8]) -> BTreeMap<String, Vec<u8>> {
    let memory = Memory::new(image);
    let walked = Iso::open(&memory).unwrap().walk(&everything);
    assert!(walked.fault.is_none(), "{:?}", walked.fault);
    walked.files.into_iter().map(|(path, extent)| (path, bytes(image, extent))).collect()
}

fn bytes(image: &[u8], Extent { offset, size }: Extent) -> Vec<u8> {
    image[offset as usize..(offset + size) as usize].to_vec()
}

#[test]
fn rock_ridge_names_lead_to_the_bytes_of_their_files() {
    let scratch = Scratch::new("iso-rock-ridge");
    let expected = tree(&scratch);
    for words in [XORRISO, &["genisoimage", "-quiet", "-R"], &["xorriso", "-as", "mkisofs"]] {
        let iso = scratch.path("disc.iso");
        let _ = fs::remove_file(&iso);
        make(words, &iso, &scratch.path("tree"));
        let image = fs::read(&iso).unwrap();
        assert!(walked(&image) == expected, "{words:?}: {:?}", walked(&image).keys());
        let memory = Memory::new(&image);
        let iso = Iso::open(&memory).unwrap();
        for (path, content) in &expected {
            let found = iso.lookup(path).unwrap().unwrap_or_else(|| panic!("{words:?}: {path}"));
            assert!(bytes(&image, found) == *content, "{words:?}: {path}");
        }
    }
}

#[test]
fn joliet_names_are_used_where_there_is_no_rock_ridge() {
    let scratch = Scratch::new("iso-joliet");
    let mut expected = tree(&scratch);
    make(
        &["genisoimage", "-quiet", "-J", "-joliet-long", "-D"],
        &scratch.path("disc.iso"),
        &scratch.path("tree"),
    );
    let image = fs::read(scratch.path("disc.iso")).unwrap();
    let found = walked(&image);
    // Joliet cuts a name to 103 characters.
    expected.retain(|path, _| path.len() < 100);
    for (path, content) in &expected {
        assert!(found.get(path) == Some(content), "{path}: {:?}", found.keys());
    }
}

#[test]
fn a_plain_level_1_disc_shows_its_names_in_lower_case_and_finds_them_in_any() {
    let scratch = Scratch::new("iso-plain");
    scratch.write("tree/install/vmlinuz", "kernel");
    scratch.write("tree/install/filesystem.squashfs", "system");
    scratch.write("tree/readme", "read");
    make(
        &["genisoimage", "-quiet", "-iso-level", "1"],
        &scratch.path("disc.iso"),
        &scratch.path("tree"),
    );
    let image = fs::read(scratch.path("disc.iso")).unwrap();
    let names: Vec<String> = walked(&image).into_keys().collect();
    assert_eq!(names, ["install/filesyst.squ", "install/vmlinuz", "readme"]);
    let memory = Memory::new(&image);
    let iso = Iso::open(&memory).unwrap();
    for path in ["install/vmlinuz", "INSTALL/VMLINUZ", "Install/VmLinuz", "//install//vmlinuz"] {
        let found = iso.lookup(path).unwrap().expect(path);
        assert_eq!(bytes(&image, found), b"kernel");
    }
}

#[test]
fn an_exact_name_is_meant_first_then_any_case_then_the_plain_name() {
    let scratch = Scratch::new("iso-case");
    scratch.write("tree/Boot/LINUX", "upper");
    scratch.write("tree/Boot/linux", "lower");
    scratch.write("tree/Boot/initrd-of-the-installer.gz", "initrd");
    make(XORRISO, &scratch.path("disc.iso"), &scratch.path("tree"));
    let image = fs::read(scratch.path("disc.iso")).unwrap();
    let memory = Memory::new(&image);
    let iso = Iso::open(&memory).unwrap();
    let content = |path: &str| iso.lookup(path).unwrap().map(|found| bytes(&image, found));
    assert_eq!(content("Boot/LINUX").unwrap(), b"upper");
    assert_eq!(content("Boot/linux").unwrap(), b"lower");
    assert_eq!(content("boot/linux").unwrap(), b"lower");
    assert_eq!(content("boot/Initrd-of-the-INSTALLER.gz").unwrap(), b"initrd");
    assert_eq!(content("BOOT/INITRD_OF_THE_INSTALLER.GZ"), None);
    assert_eq!(content("BOOT/INITRD_O.GZ").unwrap(), b"initrd");
    for nothing in ["", "/", "Boot", "Boot/", "linux", "Boot/linux/x", "../linux", "Boot/../x"] {
        assert_eq!(content(nothing), None, "{nothing}");
    }
}

#[test]
fn links_lead_to_files_of_the_same_iso_and_never_out_of_it() {
    let scratch = Scratch::new("iso-links");
    scratch.write("tree/dists/trixie/Release", "release");
    for (link, target) in [
        ("debian", "."),
        ("dists/stable", "trixie"),
        ("dists/trixie/up", "../../dists"),
        ("loop", "loop"),
        ("absolute", "/etc/passwd"),
        ("above", "../../../../etc/passwd"),
        ("above2", "dists/../../dists/trixie/Release"),
    ] {
        symlink(target, scratch.path("tree").join(link)).unwrap();
    }
    make(XORRISO, &scratch.path("disc.iso"), &scratch.path("tree"));
    let image = fs::read(scratch.path("disc.iso")).unwrap();
    let memory = Memory::new(&image);
    let iso = Iso::open(&memory).unwrap();
    for path in [
        "dists/trixie/Release",
        "debian/dists/stable/Release",
        "debian/debian/dists/trixie/Release",
        "dists/trixie/up/stable/Release",
    ] {
        let found = iso.lookup(path).unwrap().expect(path);
        assert_eq!(bytes(&image, found), b"release");
    }
    let too_often = "debian/".repeat(9) + "dists/trixie/Release";
    for path in ["loop", "absolute", "above", "above2", "dists/stable", &too_often] {
        assert_eq!(iso.lookup(path).unwrap(), None, "{path}");
    }
    assert_eq!(walked(&image).len(), 1);
}

/// An ISO on the disk that counts its reads.
struct Disk(File, Cell<u64>);

impl Source for &Disk {
    fn length(&self) -> u64 {
        self.0.metadata().unwrap().len()
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        self.1.set(self.1.get() + buffer.len() as u64);
        self.0.read_exact_at(buffer, offset)
    }
}

fn on_disk(path: &Path) -> Disk {
    Disk(File::open(path).unwrap(), Cell::new(0))
}

/// A part of a file, as xorriso makes them: the largest number of whole sectors.
const PART: u32 = u32::MAX / 2048 * 2048;

#[test]
fn the_parts_of_a_file_past_4_gib_are_one_file_if_they_follow_each_other() {
    const SIZE: u64 = PART as u64 + 12_345;
    let scratch = Scratch::new("iso-parts");
    let next = 30 + PART / 2048;
    let mut disc = Disc::new(40, 1);
    let parts = |name: &[u8], second: u32| {
        [record(name, 30, PART, GOES_ON, &[]), record(name, second, 12_345, FILE, &[])]
    };
    let records = [parts(b"LARGE.IMG;1", next), parts(b"TORN.IMG;1", next + 1)].concat();
    disc.folder(ROOT, 1, &records);
    scratch.write("disc.iso", &disc.0);
    let file = File::options().write(true).open(scratch.path("disc.iso")).unwrap();
    file.set_len(30 * 2048 + SIZE).unwrap();
    let disk = on_disk(&scratch.path("disc.iso"));
    let iso = Iso::open(&disk).unwrap();
    let expected = Extent { offset: 30 * 2048, size: SIZE };
    assert_eq!(iso.lookup("large.img").unwrap(), Some(expected));
    assert_eq!(iso.lookup("torn.img").unwrap(), None);
    let walked = iso.walk(&everything);
    assert_eq!(walked.files, [("large.img".to_owned(), expected)]);
    assert!(matches!(walked.fault, Some(Fault::Unusable(..))), "{:?}", walked.fault);
}

#[test]
fn a_real_disc_with_a_file_past_4_gib() {
    if rounds(0, 1) == 0 {
        return println!("xorriso takes 15 s to make one: tests/run --all does it");
    }
    const SIZE: u64 = (4 << 30) + 12_345;
    let scratch = Scratch::new("iso-large");
    scratch.write("tree/before", "before");
    let large = File::create(scratch.path("tree/large.img")).unwrap();
    large.set_len(SIZE).unwrap();
    let marks = [(0, b"first"), ((4 << 30) - 4, b"cross"), (SIZE - 5, b"final")];
    for (at, mark) in marks {
        large.write_all_at(mark, at).unwrap();
    }
    let iso = scratch.path("disc.iso");
    let words = format!(
        "xorriso -as mkisofs -iso-level 3 '{}' 2>/dev/null |
            dd conv=sparse bs=1M iflag=fullblock of='{}' 2>/dev/null",
        scratch.path("tree").display(),
        iso.display()
    );
    assert!(Command::new("sh").args(["-c", &words]).status().unwrap().success());
    let disk = on_disk(&iso);
    let found = Iso::open(&disk).unwrap().lookup("large.img").unwrap().unwrap();
    assert_eq!(found.size, SIZE);
    for (at, mark) in marks {
        let mut bytes = [0; 5];
        disk.0.read_exact_at(&mut bytes, found.offset + at).unwrap();
        assert_eq!(&bytes, mark);
    }
}

#[test]
fn twenty_thousand_names_are_walked_well_within_a_second() {
    let scratch = Scratch::new("iso-many");
    for folder in 0..200 {
        for file in 0..100 {
            scratch.write(&format!("tree/pool/{folder}/package-{file}_1.0_amd64.deb"), "");
        }
    }
    make(XORRISO, &scratch.path("disc.iso"), &scratch.path("tree"));
    let disk = on_disk(&scratch.path("disc.iso"));
    let walk =
        || Iso::open(&disk).unwrap().walk(&|path| path.ends_with("0/package-7_1.0_amd64.deb"));
    // A busy host can stop anybody for a moment: the best of three counts.
    let took = (0..3).map(|_| {
        let begin = Instant::now();
        walk();
        begin.elapsed()
    });
    let took = took.min().unwrap();
    let walked = walk();
    println!("20,200 names in {took:?}, {} KiB read", disk.1.get() / 1024);
    assert!(walked.fault.is_none(), "{:?}", walked.fault);
    assert_eq!(walked.files.len(), 20);
    assert!(took < Duration::from_secs(1), "{took:?}");
}

#[test]
fn what_is_no_iso_is_named_as_what_it_is() {
    let scratch = Scratch::new("iso-udf");
    scratch.write("tree/sources/boot.wim", "wim");
    scratch.write("tree/README.TXT", "needs UDF");
    let words = ["genisoimage", "-quiet", "-udf", "-hide", "sources"];
    make(&words, &scratch.path("disc.iso"), &scratch.path("tree"));
    let mut image = fs::read(scratch.path("disc.iso")).unwrap();
    let fault = |image: &[u8]| Iso::open(&Memory::new(image)).err();
    assert!(matches!(fault(&image), Some(Fault::OnlyUdf)), "{:?}", fault(&image));
    // The same without any ISO 9660 part.
    for sector in 16..40 {
        let begin = sector * disc::SECTOR;
        if image[begin + 1..].starts_with(b"CD001") {
            image[begin..begin + 6].copy_from_slice(b"\0BEA01");
        }
    }
    assert!(matches!(fault(&image), Some(Fault::OnlyUdf)), "{:?}", fault(&image));
    assert!(matches!(fault(&[7; 100_000]), Some(Fault::NotIso)));
    assert!(matches!(fault(b""), Some(Fault::NotIso)));
}

#[test]
fn an_iso_that_was_not_copied_to_its_end_is_said_to_be_cut_off() {
    let scratch = Scratch::new("iso-cut");
    scratch.write("tree/large", vec![1; 1_000_000]);
    make(XORRISO, &scratch.path("disc.iso"), &scratch.path("tree"));
    let image = fs::read(scratch.path("disc.iso")).unwrap();
    // Some programs leave out the padding at the end.
    assert!(Iso::open(&Memory::new(&image[..image.len() - 150 * disc::SECTOR])).is_ok());
    match Iso::open(&Memory::new(&image[..500_000])).err() {
        Some(Fault::CutOff { says, has }) => assert_eq!((says, has), (image.len() as u64, 500_000)),
        other => panic!("{other:?}"),
    }
}
