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

/// Puts every layout at the publisher, each below a folder with its name.
pub fn layouts(place: &Place, publisher: &Publisher, signer: &Signer) -> Vec<Layout> {
    vec![
        container_linux(publisher, signer, "coreos", "1185.3.0"),
        container_linux(publisher, signer, "flatcar", "4081.2.1"),
        fedora_coreos(publisher, signer),
        debian(publisher, signer),
        alpine(place, publisher, signer),
        talos(publisher),
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
) -> Layout {
    let at = format!("/{system}/amd64-usr/{version}");
    let key = system.to_uppercase();
    let current = format!("/{system}/amd64-usr/current/version.txt");
    publisher.put(&current, format!("{key}_BUILD=1\n{key}_VERSION={version}\n"));
    let mut files = Vec::new();
    for (seed, name) in ["pxe.vmlinuz", "pxe_image.cpio.gz", "image.bin.bz2"].iter().enumerate() {
        let name = format!("{system}_production_{name}");
        let bytes = content(seed as u8, if seed == 2 { LARGE } else { 5000 });
        let signature = signer.sign(&bytes, false);
        publisher.put(&format!("{at}/{name}"), bytes.clone());
        publisher.put(&format!("{at}/{name}.sig"), signature.clone());
        files.push((format!("images/{system}/{version}/{name}"), bytes));
        files.push((format!("images/{system}/{version}/{name}.sig"), signature));
    }
    let part = format!("{system}_production_image.bin.bz2");
    let large = format!("{at}/{part}");
    Layout { system, files, signature: Some(format!("{large}.sig")), large, part }
}

fn fedora_coreos(publisher: &Publisher, signer: &Signer) -> Layout {
    let version = "42.20250705.3.0";
    let folder = format!("prod/streams/stable/builds/{version}/x86_64");
    let mut files = Vec::new();
    let mut listed = serde_json::Map::new();
    let names = ["kernel.x86_64", "initramfs.x86_64.img", "rootfs.x86_64.img"];
    for (seed, end) in names.iter().enumerate() {
        let name = format!("fedora-coreos-{version}-live-{end}");
        let bytes = content(10 + seed as u8, if seed == 2 { LARGE } else { 5000 });
        let signature = signer.sign(&bytes, false);
        let location = format!("https://builds.coreos.fedoraproject.org/{folder}/{name}");
        let entry = serde_json::json!({
            "location": location, "signature": format!("{location}.sig"), "sha256": sum(&bytes),
        });
        listed.insert(end.split('.').next().unwrap().to_owned(), entry);
        publisher.put(&format!("/fedora-coreos/{folder}/{name}"), bytes.clone());
        publisher.put(&format!("/fedora-coreos/{folder}/{name}.sig"), signature.clone());
        files.push((format!("images/fedora-coreos/{version}/{name}"), bytes));
        files.push((format!("images/fedora-coreos/{version}/{name}.sig"), signature));
    }
    let metal = serde_json::json!({"release": version, "formats": {"pxe": listed}});
    let stream = serde_json::json!({
        "stream": "stable", "architectures": {"x86_64": {"artifacts": {"metal": metal}}},
    });
    publisher.put("/fedora-coreos/streams/stable.json", stream.to_string());
    let part = format!("fedora-coreos-{version}-live-rootfs.x86_64.img");
    let large = format!("/fedora-coreos/{folder}/{part}");
    Layout { system: "fedora-coreos", files, signature: Some(format!("{large}.sig")), large, part }
}

fn debian(publisher: &Publisher, signer: &Signer) -> Layout {
    let images = "main/installer-amd64/current/images";
    let at = format!("/debian/dists/stable/{images}");
    let netboot = "netboot/debian-installer/amd64";
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
    let on = |name: &str, bytes: Vec<u8>| (format!("images/debian/13.2/{name}"), bytes);
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

fn alpine(place: &Place, publisher: &Publisher, signer: &Signer) -> Layout {
    let version = "3.22.1";
    let name = format!("alpine-netboot-{version}-x86_64.tar.gz");
    let tree = place.path().join("alpine");
    fs::create_dir_all(tree.join("boot/dtbs-lts")).unwrap();
    let mut files = Vec::new();
    let mut sums = String::new();
    for (seed, file) in ["vmlinuz-lts", "initramfs-lts", "modloop-lts"].iter().enumerate() {
        let bytes = content(30 + seed as u8, if seed == 2 { LARGE } else { 5000 });
        fs::write(tree.join("boot").join(file), &bytes).unwrap();
        files.push((format!("images/alpine/{version}/{file}"), bytes));
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
    files.push((format!("images/alpine/{version}/SHA256SUMS"), sums.into_bytes()));
    let bytes = fs::read(&archive).unwrap();
    let large = format!("/alpine/v3.22/releases/x86_64/{name}");
    publisher.put(&format!("{large}.asc"), signer.sign(&bytes, true));
    publisher.put(&large, bytes);
    publisher.put(
        "/alpine/latest-stable/releases/x86_64/latest-releases.yaml",
        format!(
            "---\n-\n  title: \"Standard\"\n  version: 3.0.0\n  flavor: alpine-standard\n-\n  \
             title: \"Netboot\"\n  branch: v3.22\n  version: {version}\n  flavor: alpine-netboot\n"
        ),
    );
    Layout { system: "alpine", files, signature: Some(format!("{large}.asc")), large, part: name }
}

fn talos(publisher: &Publisher) -> Layout {
    let at = "/talos/download/v1.11.5";
    let (kernel, initramfs) = (content(40, 5000), content(41, LARGE));
    let sums =
        format!("{}  initramfs-amd64.xz\n{}  vmlinuz-amd64\n", sum(&initramfs), sum(&kernel));
    publisher.redirect("/talos/latest", "/talos/tag/v1.11.5");
    publisher.put("/talos/tag/v1.11.5", "<html>");
    publisher.put(&format!("{at}/vmlinuz-amd64"), kernel.clone());
    publisher.put(&format!("{at}/initramfs-amd64.xz"), initramfs.clone());
    publisher.put(&format!("{at}/sha256sum.txt"), sums.clone());
    let on = |name: &str, bytes: Vec<u8>| (format!("images/talos/1.11.5/{name}"), bytes);
    Layout {
        system: "talos",
        files: vec![
            on("initramfs-amd64.xz", initramfs),
            on("sha256sum.txt", sums.into_bytes()),
            on("vmlinuz-amd64", kernel),
        ],
        large: format!("{at}/initramfs-amd64.xz"),
        part: "initramfs-amd64.xz".to_owned(),
        signature: None,
    }
}

/// As `sha256sum` writes it.
pub fn sum(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}
