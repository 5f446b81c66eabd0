//! The publishers' layouts with their own names, and small contents.

use std::fs;
use std::process::Command;

use sha2::{Digest, Sha256};

use super::{Place, Publisher, Signer};

/// One system as it is published.
pub struct Layout {
    /// Its name on the command line.
    pub system: &'static str,
    /// What `fetch` puts on the stick: path and content.
    pub files: Vec<(String, Vec<u8>)>,
    /// A large file's path at the publisher.
    pub large: String,
    /// Its name while it is fetched.
    pub part: String,
    /// What vouches for it.
    pub signature: Option<String>,
}

/// A large file's size: some of the server's writes, and of the client's reads.
pub const LARGE: usize = 3 << 20;

/// A processor in our word, as Debian calls it, and as the others do.
#[derive(Clone, Copy)]
pub struct Arch {
    pub name: &'static str,
    debian: &'static str,
    gnu: &'static str,
    /// Where its files lie below the image's folder.
    at: &'static str,
}

pub const X86_64: Arch = Arch { name: "x86_64", debian: "amd64", gnu: "x86_64", at: "" };
pub const ARM64: Arch = Arch { name: "arm64", debian: "arm64", gnu: "aarch64", at: "arm64/" };

/// Puts every layout at the publisher, each below a folder with its name.
pub fn layouts(place: &Place, publisher: &Publisher, signer: &Signer) -> Vec<Layout> {
    let mut layouts = vec![container_linux(publisher, signer, "coreos", "1185.3.0", X86_64)];
    layouts.extend(layouts_for(place, publisher, signer, X86_64));
    layouts
}

/// The same of those that are made for more than one processor; a publisher's lists are of
/// the last one that was put there.
pub fn layouts_for(
    place: &Place,
    publisher: &Publisher,
    signer: &Signer,
    arch: Arch,
) -> Vec<Layout> {
    vec![
        container_linux(publisher, signer, "flatcar", "4081.2.1", arch),
        fedora_coreos(publisher, signer, arch),
        debian(publisher, signer, arch),
        alpine(place, publisher, signer, arch),
        talos(publisher, arch),
    ]
}

/// Bytes that do not repeat, and that another seed has not.
pub fn content(seed: u8, length: usize) -> Vec<u8> {
    let mut state = u32::from(seed) + 1;
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as u8
    };
    (0..length).map(|_| next()).collect()
}

/// CoreOS's layout, and that of its heir.
pub fn container_linux(
    publisher: &Publisher,
    signer: &Signer,
    system: &'static str,
    version: &str,
    arch: Arch,
) -> Layout {
    let Arch { debian, at: sub, .. } = arch;
    let at = format!("/{system}/{debian}-usr/{version}");
    let key = system.to_uppercase();
    let current = format!("/{system}/{debian}-usr/current/version.txt");
    publisher.put(&current, format!("{key}_BUILD=1\n{key}_VERSION={version}\n"));
    let mut files = Vec::new();
    for (seed, name) in ["pxe.vmlinuz", "pxe_image.cpio.gz", "image.bin.bz2"].iter().enumerate() {
        let name = format!("{system}_production_{name}");
        let bytes = content(seed as u8, if seed == 2 { LARGE } else { 5000 });
        let signature = signer.sign(&bytes, false);
        publisher.put(&format!("{at}/{name}"), bytes.clone());
        publisher.put(&format!("{at}/{name}.sig"), signature.clone());
        files.push((format!("images/{system}/{version}/{sub}{name}"), bytes));
        files.push((format!("images/{system}/{version}/{sub}{name}.sig"), signature));
    }
    let part = format!("{system}_production_image.bin.bz2");
    let large = format!("{at}/{part}");
    Layout { system, files, signature: Some(format!("{large}.sig")), large, part }
}

fn fedora_coreos(publisher: &Publisher, signer: &Signer, arch: Arch) -> Layout {
    let Arch { gnu, at: sub, .. } = arch;
    let version = "42.20250705.3.0";
    let folder = format!("prod/streams/stable/builds/{version}/{gnu}");
    let mut files = Vec::new();
    let mut listed = serde_json::Map::new();
    let names = [("kernel", ""), ("initramfs", ".img"), ("rootfs", ".img")];
    for (seed, (kind, end)) in names.into_iter().enumerate() {
        let name = format!("fedora-coreos-{version}-live-{kind}.{gnu}{end}");
        let bytes = content(10 + seed as u8, if seed == 2 { LARGE } else { 5000 });
        let signature = signer.sign(&bytes, false);
        let location = format!("https://builds.coreos.fedoraproject.org/{folder}/{name}");
        let entry = serde_json::json!({
            "location": location, "signature": format!("{location}.sig"), "sha256": sum(&bytes),
        });
        listed.insert(kind.to_owned(), entry);
        publisher.put(&format!("/fedora-coreos/{folder}/{name}"), bytes.clone());
        publisher.put(&format!("/fedora-coreos/{folder}/{name}.sig"), signature.clone());
        files.push((format!("images/fedora-coreos/{version}/{sub}{name}"), bytes));
        files.push((format!("images/fedora-coreos/{version}/{sub}{name}.sig"), signature));
    }
    let metal = serde_json::json!({"release": version, "formats": {"pxe": listed}});
    let stream = serde_json::json!({
        "stream": "stable", "architectures": {gnu: {"artifacts": {"metal": metal}}},
    });
    publisher.put("/fedora-coreos/streams/stable.json", stream.to_string());
    let part = format!("fedora-coreos-{version}-live-rootfs.{gnu}.img");
    let large = format!("/fedora-coreos/{folder}/{part}");
    Layout { system: "fedora-coreos", files, signature: Some(format!("{large}.sig")), large, part }
}

fn debian(publisher: &Publisher, signer: &Signer, arch: Arch) -> Layout {
    let Arch { debian, at: sub, .. } = arch;
    let images = format!("main/installer-{debian}/current/images");
    let at = format!("/debian/dists/stable/{images}");
    let netboot = format!("netboot/debian-installer/{debian}");
    let (linux, initrd) = (content(20, 5000), content(21, LARGE));
    publisher.put(&format!("{at}/{netboot}/linux"), linux.clone());
    publisher.put(&format!("{at}/{netboot}/initrd.gz"), initrd.clone());
    let sums =
        format!("{}  ./{netboot}/initrd.gz\n{}  ./{netboot}/linux\n", sum(&initrd), sum(&linux));
    let release = format!(
        "Origin: Debian\nSuite: stable\nVersion: 13.2\nCodename: trixie\nMD5Sum:\n \
         00112233445566778899aabbccddeeff 9 {images}/SHA256SUMS\nSHA256:\n {} {} \
         {images}/SHA256SUMS\n",
        sum(sums.as_bytes()),
        sums.len()
    );
    let signature = signer.sign(release.as_bytes(), true);
    publisher.put(&format!("{at}/SHA256SUMS"), sums.clone());
    publisher.put("/debian/dists/stable/Release", release.clone());
    publisher.put("/debian/dists/stable/Release.gpg", signature.clone());
    let on = |name: &str, bytes: Vec<u8>| (format!("images/debian/13.2/{sub}{name}"), bytes);
    Layout {
        system: "debian",
        files: vec![
            on("Release", release.into_bytes()),
            on("Release.gpg", signature),
            on("SHA256SUMS", sums.into_bytes()),
            on(&format!("{netboot}/initrd.gz"), initrd),
            on(&format!("{netboot}/linux"), linux),
        ],
        large: format!("{at}/{netboot}/initrd.gz"),
        part: format!("{netboot}/initrd.gz"),
        signature: Some("/debian/dists/stable/Release.gpg".to_owned()),
    }
}

fn alpine(place: &Place, publisher: &Publisher, signer: &Signer, arch: Arch) -> Layout {
    let Arch { gnu, at: sub, .. } = arch;
    let version = "3.22.1";
    let name = format!("alpine-netboot-{version}-{gnu}.tar.gz");
    let tree = place.path().join(format!("alpine-{gnu}"));
    fs::create_dir_all(tree.join("boot/dtbs-lts")).unwrap();
    let mut files = Vec::new();
    let mut sums = String::new();
    for (seed, file) in ["vmlinuz-lts", "initramfs-lts", "modloop-lts"].iter().enumerate() {
        let bytes = content(30 + seed as u8, if seed == 2 { LARGE } else { 5000 });
        fs::write(tree.join("boot").join(file), &bytes).unwrap();
        files.push((format!("images/alpine/{version}/{sub}{file}"), bytes));
    }
    let archive = place.path().join(&name);
    // In the order that they are taken out in, so that the list of checksums is known.
    let order = ["boot/dtbs-lts", "boot/modloop-lts", "boot/initramfs-lts", "boot/vmlinuz-lts"];
    let mut tar = Command::new("tar");
    tar.arg("-C").arg(&tree).arg("-czf").arg(&archive).args(order);
    assert!(tar.status().unwrap().success());
    for file in ["modloop-lts", "initramfs-lts", "vmlinuz-lts"] {
        sums += &format!("{}  {file}\n", sum(&fs::read(tree.join("boot").join(file)).unwrap()));
    }
    files.push((format!("images/alpine/{version}/{sub}SHA256SUMS"), sums.into_bytes()));
    let bytes = fs::read(&archive).unwrap();
    let large = format!("/alpine/v3.22/releases/{gnu}/{name}");
    publisher.put(&format!("{large}.asc"), signer.sign(&bytes, true));
    publisher.put(&large, bytes);
    publisher.put(
        &format!("/alpine/latest-stable/releases/{gnu}/latest-releases.yaml"),
        format!(
            "---\n-\n  title: \"Standard\"\n  version: 3.0.0\n  flavor: alpine-standard\n-\n  \
             title: \"Netboot\"\n  branch: v3.22\n  version: {version}\n  flavor: alpine-netboot\n"
        ),
    );
    Layout { system: "alpine", files, signature: Some(format!("{large}.asc")), large, part: name }
}

fn talos(publisher: &Publisher, arch: Arch) -> Layout {
    let Arch { debian, at: sub, .. } = arch;
    let (linux, initrd) = (format!("vmlinuz-{debian}"), format!("initramfs-{debian}.xz"));
    let at = "/talos/download/v1.11.5";
    let (kernel, initramfs) = (content(40, 5000), content(41, LARGE));
    let sums = format!("{}  {initrd}\n{}  {linux}\n", sum(&initramfs), sum(&kernel));
    publisher.redirect("/talos/latest", "/talos/tag/v1.11.5");
    publisher.put("/talos/tag/v1.11.5", "<html>");
    publisher.put(&format!("{at}/{linux}"), kernel.clone());
    publisher.put(&format!("{at}/{initrd}"), initramfs.clone());
    publisher.put(&format!("{at}/sha256sum.txt"), sums.clone());
    let on = |name: &str, bytes: Vec<u8>| (format!("images/talos/1.11.5/{sub}{name}"), bytes);
    Layout {
        system: "talos",
        files: vec![
            on(&initrd, initramfs),
            on("sha256sum.txt", sums.into_bytes()),
            on(&linux, kernel),
        ],
        large: format!("{at}/{initrd}"),
        part: initrd,
        signature: None,
    }
}

/// As `sha256sum` writes it.
pub fn sum(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}
