//! ISOs that no program would make: loops, contradictions, crowds.

use std::fs::File;

use super::chance::{Random, seed};
use super::disc::{Disc, FILE, FOLDER, GOES_ON, ROOT, SECTOR, descriptor, record};
use super::hostile_media::{Medium, iso, medium, put};

fn folder(name: &str, sector: u32, sectors: u32) -> Vec<u8> {
    record(name.as_bytes(), sector, sectors * SECTOR as u32, FOLDER, &[])
}

/// Trees that no program would make.
pub fn crafted() -> Vec<Medium> {
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
pub fn wide(flags: u8) -> Vec<u8> {
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
pub fn descriptors() -> Vec<Medium> {
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
