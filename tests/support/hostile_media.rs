//! Three hundred ways to break a stick, or to try to break its reader.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::symlink;
use std::os::unix::net::UnixListener;
use std::path::Path;

use rustix::fs::{CWD, FileType, Mode, makedev, mknodat};

use super::chance::{Random, rounds, seed};
use super::disc::{
    self, Disc, FILE, FOLDER, GOES_ON, ROOT, SECTOR, Scratch, XORRISO, descriptor, record,
};

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

fn medium(
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
        let at = system.start + random.below(system.len() - 8);
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

fn put(stick: &Path, name: &str, content: impl AsRef<[u8]>) {
    let path = stick.join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, content).unwrap();
}

fn iso(name: impl Into<String>, expected: &'static str, image: Vec<u8>) -> Medium {
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
        let claims = number % 2 == 0 && image.len() > 17 * SECTOR;
        if claims {
            image[16 * SECTOR + 80..][..4].copy_from_slice(&sectors.to_le_bytes());
        }
        iso(format!("{number} sixtieths of an ISO, claims to be whole: {claims}"), "", image)
    };
    (0..60).map(one).collect()
}

fn folder(name: &str, sector: u32, sectors: u32) -> Vec<u8> {
    record(name.as_bytes(), sector, sectors * SECTOR as u32, FOLDER, &[])
}

/// Trees that no program would make.
fn crafted() -> Vec<Medium> {
    let mut media = Vec::new();
    let mut one = |name: &str, expected, sectors, fill: &dyn Fn(&mut Disc)| {
        let mut disc = Disc::new(sectors, 1);
        fill(&mut disc);
        media.push(iso(name, expected, disc.0));
    };
    one("a folder in itself", "", 40, &|disc| {
        disc.folder(ROOT, 1, &[folder("SELF", ROOT, 1)]);
    });
    one("two folders in each other", "", 40, &|disc| {
        disc.folder(ROOT, 1, &[folder("A", 30, 1)]);
        disc.folder(30, 1, &[folder("B", 31, 1)]);
        disc.folder(31, 1, &[folder("A", 30, 1), folder("ROOT", ROOT, 1)]);
    });
    one("a folder that begins anew in each of its sectors", "", 300, &|disc| {
        for sector in ROOT..299 {
            disc.folder(sector, 1, &[folder("A", sector + 1, 1), folder("B", ROOT, 200)]);
        }
    });
    one("folders that lie over each other", "has larger folders", 5000, &|disc| {
        let records: Vec<Vec<u8>> =
            (0..40).map(|at| folder(&format!("F{at}"), 20 + at, 4096)).collect();
        disc.folder(ROOT, 1, &records);
    });
    one("a folder behind the end", "is damaged", 40, &|disc| {
        disc.folder(ROOT, 1, &[folder("FAR", u32::MAX, 1), folder("FARTHER", 39, 2)]);
    });
    one("a kernel behind the end", "is not wholly in the ISO", 40, &|disc| {
        let name = b"COREOS_PRODUCTION_PXE.VMLINUZ;1";
        disc.folder(ROOT, 1, &[record(name, u32::MAX, u32::MAX, FILE, &[])]);
    });
    one("a kernel whose parts never end", "", 40, &|disc| {
        let part = record(b"COREOS_PRODUCTION_PXE.VMLINUZ;1", 30, u32::MAX, GOES_ON, &[]);
        disc.folder(ROOT, 1, &vec![part; 30]);
    });
    one("records of impossible lengths", "is damaged", 40, &|disc| {
        disc.put(ROOT, &[33; SECTOR]);
    });
    one("a record that crosses its sector", "is damaged", 40, &|disc| {
        // 2 × 34 and 47 × 42 bytes; 6 are left.
        disc.folder(ROOT, 1, &vec![folder("AAAAAAAA", 30, 1); 47]);
        disc.0[(ROOT as usize + 1) * SECTOR - 6] = 40;
    });
    media.extend((0..20).map(rock_ridge));
    media.push(iso("a folder with a million names", "more than 100,000 names", million()));
    media.push(iso("a million folders", "more folders than", wide(FOLDER)));
    media.push(iso("a thousand kernels and more", "more kernels", wide(FILE)));
    media
}

/// Rock Ridge fields with a bad length, or that go on at bad places.
fn rock_ridge(number: u64) -> Medium {
    let mut random = Random::of_case(seed(), 7000 + number);
    let mut disc = Disc::new(60, 1);
    let mut root = record(b"\0", ROOT, SECTOR as u32, FOLDER, b"SP\x07\x01\xbe\xef\x00");
    root.extend([0; 30]);
    let continued = |block: u32, offset: u32, length: u32| {
        let mut field = b"CE\x1c\x01".to_vec();
        for number in [block, offset, length] {
            field.extend(number.to_le_bytes());
            field.extend(number.to_be_bytes());
        }
        field
    };
    let mut bytes = root[..usize::from(root[0])].to_vec();
    for at in 0..12 {
        let field = match random.below(5) {
            0 => continued(
                random.below(80) as u32,
                random.below(4000) as u32,
                random.below(9000) as u32,
            ),
            // In a circle: the place where it goes on says the same.
            1 => continued(40, 0, 28),
            2 => [b"NM", &random.bytes(20)[..]].concat(),
            3 => [b"SL", &random.bytes(20)[..]].concat(),
            _ => [b"CL\x0c\x01", &(random.below(70) as u32).to_le_bytes()[..], &[0; 4]].concat(),
        };
        bytes.extend(record(format!("F{at}").as_bytes(), 30, 100, FILE, &field));
    }
    disc.put(ROOT, &bytes);
    disc.put(40, &continued(40, 0, 28));
    iso(format!("Rock Ridge fields, {number}"), "", disc.0)
}

/// 42 bytes a name.
fn million() -> Vec<u8> {
    const PER_SECTOR: u32 = (SECTOR / 42) as u32;
    let sectors = 1_000_000_u32.div_ceil(PER_SECTOR) + 1;
    let mut disc = Disc::new(ROOT + sectors + 1, sectors);
    let records: Vec<Vec<u8>> =
        (0..1_000_000).map(|at| record(format!("F{at:07}").as_bytes(), 0, 0, FILE, &[])).collect();
    disc.folder(ROOT, sectors, &records);
    disc.0
}

/// As many entries of one kind as one folder of the usual size has.
fn wide(flags: u8) -> Vec<u8> {
    let sectors = 4000;
    let mut disc = Disc::new(ROOT + sectors + 60_000, sectors);
    let name = |at| match flags {
        FOLDER => format!("{:A>180}{at:07}", ""),
        _ => "COREOS_PRODUCTION_PXE.VMLINUZ;1".to_owned(),
    };
    let size = SECTOR as u32;
    let records: Vec<Vec<u8>> = (0..30_000)
        .map(|at| record(name(at).as_bytes(), ROOT + sectors + at, size, flags, &[]))
        .collect();
    disc.folder(ROOT, sectors, &records);
    disc.0
}

/// Volume descriptors that contradict themselves.
fn descriptors() -> Vec<Medium> {
    let mut media = Vec::new();
    let mut one = |name: &str, expected, change: &dyn Fn(&mut [u8])| {
        let mut image = Disc::new(60, 1).0;
        change(&mut image);
        media.push(iso(name, expected, image));
    };
    const PRIMARY: usize = 16 * SECTOR;
    one("blocks of 512 bytes", "not 2048 bytes", &|image| image[PRIMARY + 128] = 1);
    one("larger than any disk", "is cut off", &|image| image[PRIMARY + 80..][..4].fill(255));
    one("no root folder", "makes no sense", &|image| image[PRIMARY + 156] = 0);
    one("a root folder behind the end", "is damaged", &|image| {
        image[PRIMARY + 158..][..4].fill(255)
    });
    one("a root folder without bytes", "is damaged", &|image| image[PRIMARY + 166..][..4].fill(0));
    one("a root folder that is a file", "makes no sense", &|image| image[PRIMARY + 156 + 25] = 0);
    one("descriptors without end", "is no ISO 9660", &|image| {
        for sector in image[PRIMARY..].chunks_mut(SECTOR) {
            sector.copy_from_slice(&descriptor(77));
        }
    });
    one("a Joliet tree that is nowhere", "", &|image| {
        let mut joliet = image[PRIMARY..][..SECTOR].to_vec();
        joliet[0] = 2;
        joliet[88..91].copy_from_slice(b"%/E");
        joliet[158..162].fill(200);
        image[PRIMARY + SECTOR..][..SECTOR].copy_from_slice(&joliet);
    });
    one("UDF alone", "in UDF", &|image| {
        image[PRIMARY..][..6].copy_from_slice(b"\0BEA01");
        image[PRIMARY + SECTOR..][..6].copy_from_slice(b"\0NSR03");
    });
    media.push(iso("an empty file", "is no ISO 9660", Vec::new()));
    media.push(iso("a page of text", "is no ISO 9660", b"404 Not Found\n".repeat(5000)));
    media.push(medium("an ISO of a terabyte without content", "is no ISO 9660", |stick| {
        put(stick, "images/x.iso", "");
        File::options()
            .write(true)
            .open(stick.join("images/x.iso"))
            .unwrap()
            .set_len(1 << 40)
            .unwrap();
    }));
    media
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
        medium("45,000 files in an image", "more than 30,000", |stick| {
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
            "more than 10,000",
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
