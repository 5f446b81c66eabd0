//! Three hundred ways to break a stick, or to try to break its reader.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::symlink;
use std::os::unix::net::UnixListener;
use std::path::Path;

use rustix::fs::{CWD, FileType, Mode, makedev, mknodat};

use super::chance::{Random, rounds, seed};
use super::disc::{self, Disc, FILE, FOLDER, ROOT, SECTOR, Scratch, XORRISO, record};
use super::gpg::{Gpg, packets};
use super::hostile_discs::{crafted, descriptors, wide};

/// Stands in a file outside of every stick, to which links lead.
pub const SECRET: &str = "this-is-outside-of-the-stick";

/// One broken stick.
pub struct Medium {
    pub name: String,
    /// Fills an empty folder.
    pub build: Box<dyn Fn(&Path)>,
    /// What the scan must say of it.
    pub expected: &'static str,
}

/// One that `build` makes.
pub fn medium(
    name: impl Into<String>,
    expected: &'static str,
    build: impl Fn(&Path) + 'static,
) -> Medium {
    Medium { name: name.into(), build: Box::new(build), expected }
}

/// All of them.
pub fn all(scratch: &Scratch) -> Vec<Medium> {
    tree(scratch);
    let real = scratch.path("real.iso");
    disc::make(XORRISO, &real, &scratch.path("tree"));
    let real = fs::read(real).unwrap();
    scratch.write("secret", SECRET);
    let secret = scratch.path("secret").to_str().unwrap().to_owned();
    let mut media = mutated(&real);
    media.extend(truncated(&real));
    media.extend(crafted());
    media.extend(descriptors());
    media.extend(names());
    media.extend(links(secret));
    media.extend(crowds());
    media.extend(no_files());
    media.extend(evidence());
    media.extend(keys());
    media
}

/// What an installer's disc looks like; the kernel has a name that is wanted.
pub fn tree(scratch: &Scratch) {
    for name in [KERNEL, "images/pxeboot/vmlinuz", "isolinux/boot.cat", ".disk/info"] {
        scratch.write(&format!("tree/{name}"), name.repeat(100));
    }
    let long = "long_name-".repeat(20);
    scratch.write(&format!("tree/pool/{long}/{long}"), "x");
    scratch.write("tree/a/b/c/d/e/f/g/h/i/j/k", "deep");
    let link = scratch.path("tree/link");
    let _ = fs::remove_file(&link);
    symlink(".", link).unwrap();
}

const KERNEL: &str = "coreos_production_pxe.vmlinuz";

/// Changes a few bytes where the file system is: descriptors, path tables, folders.
pub fn mutate(image: &mut [u8], random: &mut Random) {
    const FIRST: usize = 16 * SECTOR;
    let system = FIRST..image.len().min(90 * SECTOR);
    for _ in 0..1 + random.below(8) {
        let mut at = system.start + random.below(system.len() - 8);
        // Most of it is empty.
        while image[at] == 0 {
            at = system.start + random.below(system.len() - 8);
        }
        match random.below(4) {
            0 => image[at] = random.byte(),
            1 => image[at] ^= 1 << random.below(8),
            2 => image[at..at + 4].copy_from_slice(&(random.below(400) as u32).to_le_bytes()),
            _ => {
                let from = system.start + random.below(system.len() - 64);
                image.copy_within(from..from + random.below(64), at.min(system.end - 64));
            }
        }
    }
}

/// Writes a file with its folders.
pub fn put(stick: &Path, name: &str, content: impl AsRef<[u8]>) {
    let path = stick.join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, content).unwrap();
}

/// One with this ISO.
pub fn iso(name: impl Into<String>, expected: &'static str, image: Vec<u8>) -> Medium {
    medium(name, expected, move |stick| put(stick, "images/x.iso", &image))
}

fn mutated(real: &[u8]) -> Vec<Medium> {
    let one = |number| {
        let mut image = real.to_vec();
        mutate(&mut image, &mut Random::of_case(seed(), number));
        iso(format!("a real ISO, change {number}"), "", image)
    };
    (0..130).map(one).collect()
}

/// Cut off; half of them claim that they are not.
fn truncated(real: &[u8]) -> Vec<Medium> {
    let one = |number: usize| {
        let mut image = real[..real.len() * number / 60].to_vec();
        let sectors = (image.len() / SECTOR) as u32;
        let claims = number.is_multiple_of(2) && image.len() > 17 * SECTOR;
        if claims {
            image[16 * SECTOR + 80..][..4].copy_from_slice(&sectors.to_le_bytes());
        }
        iso(format!("{number} sixtieths of an ISO, claims to be whole: {claims}"), "", image)
    };
    (0..60).map(one).collect()
}

/// Names that are no text, or mean something elsewhere.
fn names() -> Vec<Medium> {
    let bad: [&[u8]; 12] = [
        b"\xff\xfe",
        b"\xc0\xae\xc0\xae",
        b"a\nb",
        b"a\x1bb",
        b"\xed\xa0\x80",
        b"-rf",
        b"a\\..\\b",
        b"$(reboot)",
        b"%2e%2e",
        b"...",
        b" ",
        b"\xf0\x9f\x92\xa9",
    ];
    let in_folder = bad.into_iter().enumerate().flat_map(|(number, name)| {
        ["", "images/coreos/1.0", "tftp", "cloud-configs"].map(move |folder| {
            medium(format!("name {number} in {folder:?}"), "", move |stick| {
                fs::create_dir_all(stick.join(folder)).unwrap();
                fs::write(stick.join(folder).join(OsStr::from_bytes(name)), "x").unwrap();
                fs::create_dir(stick.join(folder).join(OsStr::from_bytes(&[name, b"2"].concat())))
                    .unwrap();
            })
        })
    });
    let in_iso = bad.into_iter().chain([&b"../../x"[..], b"/etc/passwd", b"a\0b"]).map(|name| {
        let mut disc = Disc::new(40, 1);
        let mut system_use = vec![b'N', b'M', 5 + name.len() as u8, 1, 0];
        system_use.extend(name);
        let mut root = record(b"\0", ROOT, SECTOR as u32, FOLDER, b"SP\x07\x01\xbe\xef\x00");
        root.extend(record(b"X", 30, 10, FILE, &system_use));
        disc.put(ROOT, &root);
        iso(format!("name {name:?} in an ISO"), "", disc.0)
    });
    in_folder.chain(in_iso).collect()
}

/// Links to what is outside, in every place whose content is read.
fn links(secret: String) -> Vec<Medium> {
    let outside = Path::new(&secret).parent().unwrap().to_str().unwrap().to_owned();
    let places = [
        "machines.toml",
        "cloud-configs",
        "cloud-configs/52-54-00-00-00-01.yml",
        "images",
        "images/x.iso",
        "images/coreos/1.0",
        "images/coreos/1.0/coreos_production_pxe.vmlinuz",
        "tftp",
        "tftp/pxelinux.0",
        "keys",
        "1.0",
    ];
    let targets = [
        secret,
        outside,
        "/etc/passwd".to_owned(),
        "/".to_owned(),
        "..".to_owned(),
        ".".to_owned(),
    ];
    let pairs = places.into_iter().flat_map(|place| targets.clone().map(|target| (place, target)));
    pairs
        .map(|(place, target)| {
            medium(
                format!("{place} is a link to {target}"),
                "links are not followed",
                move |stick| {
                    let link = stick.join(place);
                    fs::create_dir_all(link.parent().unwrap()).unwrap();
                    symlink(&target, link).unwrap();
                },
            )
        })
        .collect()
}

/// This many files in one folder.
fn crowd(
    folder: &'static str,
    count: usize,
    name: fn(usize) -> String,
    content: &'static str,
) -> impl Fn(&Path) {
    move |stick: &Path| {
        fs::create_dir_all(stick.join(folder)).unwrap();
        (0..count).for_each(|at| fs::write(stick.join(folder).join(name(at)), content).unwrap());
    }
}

/// Too many, too deep, too long, too large.
fn crowds() -> Vec<Medium> {
    let many = rounds(60_000, 1_000_000) as usize;
    let long = |at| format!("{:x>240}{at}", "");
    let mac = |at: usize| {
        format!("52-54-00-{:02x}-{:02x}-{:02x}.yml", at >> 16, (at >> 8) & 255, at & 255)
    };
    vec![
        medium(
            format!("{many} files in one folder"),
            "more than 50,000",
            crowd("x", many, |at| at.to_string(), ""),
        ),
        medium(
            "60,000 files in tftp/",
            "more than 20,000",
            crowd("tftp", 60_000, |at| format!("f{at}"), ""),
        ),
        medium("45,000 files in an image", "more than 25,000", |stick| {
            put(stick, &format!("images/coreos/1.0/{KERNEL}"), "kernel");
            crowd("images/coreos/1.0", 45_000, |at| format!("{KERNEL}{at}"), "")(stick);
        }),
        medium("20,000 long names", "long names", crowd("tftp", 20_000, long, "")),
        medium(
            "60,000 ISOs",
            "more than 1,000 ISOs",
            crowd("images", 60_000, |at| format!("{at}.iso"), ""),
        ),
        medium(
            "60,000 configs",
            "more than 5,000",
            crowd("cloud-configs", 60_000, mac, "#cloud-config\na: b\n"),
        ),
        medium("folders in folders", "nested too deep", |stick| {
            fs::create_dir_all(stick.join("d/".repeat(200))).unwrap();
        }),
        medium("long folders in folders", "long paths", |stick| {
            let deep = stick.join(format!("{:d>250}/", "").repeat(11));
            fs::create_dir_all(&deep).unwrap();
            (0..5000).for_each(|at| fs::write(deep.join(at.to_string()), "").unwrap());
        }),
        medium("30 configs of a megabyte", "not read", |stick| {
            let text = format!("#cloud-config\n{}", "a: b\n".repeat(200_000));
            (0..30)
                .for_each(|at| put(stick, &format!("cloud-configs/525400000{at:03}.yml"), &text));
        }),
        medium("a machines.toml of a gigabyte", "too large", |stick| {
            File::create(stick.join("machines.toml")).unwrap().set_len(1 << 30).unwrap();
        }),
        medium("300 ISOs with a thousand kernels each", "more kernels", |stick| {
            put(stick, "images/0.iso", wide(FILE));
            (1..300).for_each(|at| {
                fs::hard_link(stick.join("images/0.iso"), stick.join(format!("images/{at}.iso")))
                    .unwrap();
            });
        }),
    ]
}

/// Folders, pipes, sockets and devices where files are expected.
fn no_files() -> Vec<Medium> {
    let places = ["machines.toml", "images/x.iso", "cloud-configs/default.yml", "tftp/pxelinux.0"];
    let made = |stick: &Path, place: &str| {
        let path = stick.join(place);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        path
    };
    let node = move |kind: FileType, major, minor| {
        move |path: &Path| {
            let made = mknodat(CWD, path, kind, Mode::RWXU, makedev(major, minor));
            if let Err(error) = made {
                println!("{}: no device there: {error} (root can make one)", path.display());
            }
        }
    };
    let mut media = Vec::new();
    for place in places {
        let mut one = |what: &str, make: Box<dyn Fn(&Path)>| {
            media.push(medium(format!("{place} is {what}"), "", move |stick| {
                make(&made(stick, place))
            }));
        };
        one("a folder", Box::new(|path| fs::create_dir(path).unwrap()));
        one("a pipe", Box::new(node(FileType::Fifo, 0, 0)));
        one("a socket", Box::new(|path| drop(UnixListener::bind(path).unwrap())));
        one("/dev/zero", Box::new(node(FileType::CharacterDevice, 1, 5)));
        one("/dev/tty0", Box::new(node(FileType::CharacterDevice, 4, 0)));
        one("a disk", Box::new(node(FileType::BlockDevice, 254, 0)));
    }
    media
}

/// Lists of checksums by the thousand, each of which may name each file.
fn evidence() -> Vec<Medium> {
    let file = |at: usize| format!("f{at}");
    vec![
        medium("1,000 lists for 1,000 files", "more than 16 lists", move |stick| {
            crowd("tftp", 1_000, file, "")(stick);
            crowd("tftp", 1_000, |at| format!("{at}-CHECKSUM"), "")(stick);
        }),
        medium("lists in 1,200 folders", "more than 1,000 lists", |stick| {
            for at in 0..1_200 {
                put(stick, &format!("tftp/{at}/f"), "");
                put(stick, &format!("tftp/{at}/SHA256SUMS"), "");
            }
        }),
        medium("20,000 files with two lists and Debian's", "", move |stick| {
            crowd("tftp", 19_990, file, "")(stick);
            for name in ["SHA256SUMS", "SHA512SUMS", "Release", "InRelease", "Release.gpg"] {
                put(stick, &format!("tftp/{name}"), "");
                put(stick, name, "");
            }
        }),
        medium("10,000 files with a list each", "", move |stick| {
            crowd("tftp", 10_000, file, "")(stick);
            crowd("tftp", 10_000, |at| format!("f{at}.sha256"), "")(stick);
        }),
        medium("3,500 folders, each with a file, its list and Debian's", "", |stick| {
            for at in 0..3_500 {
                for name in ["f", "f.sha256", "f.sha256.sig", "Release", "InRelease"] {
                    put(stick, &format!("tftp/{at}/{name}"), "");
                }
            }
        }),
        medium("one name in 4,096 spellings, with 4,096 lists", "", |stick| {
            let spelt = |at: usize| -> String {
                let letter = |bit: usize| if at >> bit & 1 == 0 { 'a' } else { 'A' };
                (0..12).map(letter).collect()
            };
            for at in 0..4_096 {
                put(stick, &format!("tftp/{}", spelt(at)), "");
                put(stick, &format!("tftp/{}.sha256", spelt(at)), "");
            }
        }),
    ]
}

/// Files of `keys/` by the megabyte.
fn keys() -> Vec<Medium> {
    let gpg = Gpg::new();
    let key = gpg.public_binary(&gpg.key("Keys <k@example.invalid>", "ed25519", "never"));
    let word = packets(&key).into_iter().find(|(tag, _)| *tag == 2).unwrap().1;
    let mut wrong = key[word..].to_vec();
    *wrong.last_mut().unwrap() ^= 1;
    let signed = [key[..word].to_vec(), wrong.repeat(2_490)].concat();
    let full = |one: &[u8]| one.repeat((1 << 20) / one.len());
    let (many, names) = (full(&key), full(&[0xb4, 0]));
    let with = |stick: &Path, content: &[u8], count: usize| {
        put(stick, &format!("images/coreos/1.0/{KERNEL}"), "kernel");
        (0..count).for_each(|at| put(stick, &format!("keys/{at:02}.gpg"), content));
    };
    vec![
        medium("65 files with keys", "is the 65th file", {
            let key = key.clone();
            move |stick| with(stick, &key, 65)
        }),
        medium("64 megabytes of keys", "larger than 2 MiB", move |stick| with(stick, &many, 64)),
        medium("2 megabytes of names on a key", "more in it than in any key", move |stick| {
            with(stick, &[key.clone(), names[..names.len() - 2 * key.len()].to_vec()].concat(), 2);
        }),
        medium("4,980 signatures on keys", "more signatures on keys", move |stick| {
            with(stick, &signed, 2);
        }),
    ]
}
