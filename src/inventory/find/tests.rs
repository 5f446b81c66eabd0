//! Which folders are images, and of what.

use super::*;
use crate::inventory::cpu::Cpu;
use crate::inventory::{Inventory, inventory};
use std::path::Path;

fn stick(files: &[(&str, &str)]) -> Inventory {
    let mut listing = Listing::default();
    for (path, text) in files {
        if !text.is_empty() {
            listing.texts.push((listing.files.len(), (*text).to_owned()));
        }
        listing.files.push(MediaFile {
            volume: Path::new("/media/sda1").into(),
            path: (*path).to_owned(),
            size: 1,
            modified: 0,
            inside: None,
        });
    }
    inventory(&[listing], &Profile::built_in()).unwrap()
}

fn names(found: &Inventory) -> Vec<String> {
    found.images.iter().map(Image::name).collect()
}

fn problems(found: &Inventory) -> Vec<String> {
    found.problems.iter().map(ToString::to_string).collect()
}

const OWN: &str = "name = \"toaster\"\ntitle = \"Toaster OS\"\npurpose = \"live\"\n\
    [[layout]]\nkernel = \"toaster-{version}.krn\"\ninitrds = [\"toaster-{version}.rd\"]\n";

#[test]
fn a_stick_brings_its_own_system() {
    let files = [
        ("images/anything/toaster-2.1.krn", ""),
        ("images/anything/toaster-2.1.rd", ""),
        ("profiles/toaster.toml", OWN),
    ];
    let found = stick(&files);
    assert_eq!(names(&found), ["toaster/2.1"]);
    assert_eq!(found.images[0].starts[0].initrds, ["toaster-2.1.rd"]);
    assert_eq!(names(&stick(&files[..2])), Vec::<String>::new());
}

#[test]
fn a_sticks_own_profile_goes_before_a_built_in_one() {
    let own = "name = \"talos\"\ntitle = \"Our Talos\"\n[[layout]]\nkernel = \"vmlinuz-{arch}\"\n";
    let files = [
        ("images/talos/1.8.0/initramfs-amd64.xz", ""),
        ("images/talos/1.8.0/vmlinuz-amd64", ""),
        ("profiles/talos.toml", own),
    ];
    let found = stick(&files);
    assert_eq!(found.images[0].profile.title, "Our Talos");
    assert_eq!(problems(&found), Vec::<String>::new());
}

#[test]
fn a_broken_profile_refuses_itself_alone_and_names_its_line() {
    let found = stick(&[
        ("images/anything/toaster-2.1.krn", ""),
        ("images/anything/toaster-2.1.rd", ""),
        ("profiles/broken.toml", "name = \"x\"\ntitle = \"X\"\nkernel = \"linux\"\n"),
        ("profiles/toaster.toml", OWN),
    ]);
    assert_eq!(names(&found), ["toaster/2.1"]);
    let problems = problems(&found);
    assert!(problems[0].starts_with("profiles/broken.toml:3: unknown field"), "{problems:?}");
}

#[test]
fn of_two_systems_that_fit_the_more_telling_one_is_taken_and_it_is_said() {
    let own = "name = \"almost\"\ntitle = \"Almost\"\n[[layout]]\nkernel = \"casper/vmlinuz\"\n";
    let more = "name = \"more\"\ntitle = \"More\"\n[[layout]]\nkernel = \"casper/vmlinuz\"\n\
                initrds = [\"casper/initrd\"]\n";
    let files = [
        ("images/x/1.0/casper/initrd", ""),
        ("images/x/1.0/casper/vmlinuz", ""),
        ("profiles/almost.toml", own),
        ("profiles/more.toml", more),
    ];
    let found = stick(&files);
    assert_eq!(names(&found), ["more/1.0"]);
    let said = problems(&found);
    assert!(said.iter().any(|line| line.contains("fits both More and Almost")), "{said:?}");
    let named = files.map(|(path, text)| (path.replace("images/x", "images/almost"), text));
    let named: Vec<(&str, &str)> =
        named.iter().map(|(path, text)| (path.as_str(), *text)).collect();
    let found = stick(&named);
    assert_eq!(names(&found), ["almost/1.0"], "the folder decides");
    assert_eq!(problems(&found), Vec::<String>::new());
}

#[test]
fn names_that_say_little_count_only_in_a_folder_of_that_name() {
    let debian = stick(&[("images/debian/12/linux", ""), ("images/debian/12/initrd.gz", "")]);
    assert_eq!(names(&debian), ["debian/12"]);
    assert_eq!(debian.images[0].profile.title, "Debian installer");
    let other = stick(&[("images/mine/12/linux", ""), ("images/mine/12/initrd.gz", "")]);
    assert_eq!(names(&other), ["mine/12"]);
    assert!(other.images[0].profile.general);
    let ours = stick(&[("images/debian/12/vmlinuz", ""), ("images/debian/12/initrd", "")]);
    assert_eq!(names(&ours), Vec::<String>::new(), "nothing else is taken for Debian");
}

#[test]
fn files_of_several_processors_and_sticks_are_one_image() {
    let found = stick(&[
        ("images/debian/13/amd64/linux", ""),
        ("images/debian/13/amd64/initrd.gz", ""),
        ("images/debian/13/arm64/linux", ""),
        ("images/debian/13/arm64/initrd.gz", ""),
        ("images/debian-13/debian-installer/arm64/linux", ""),
    ]);
    assert_eq!(names(&found), ["debian/13"]);
    let cpus: Vec<Cpu> = found.images[0].starts.iter().map(|start| start.cpu).collect();
    assert_eq!(cpus, [Cpu::X86_64, Cpu::Arm64]);
}

#[test]
fn what_is_missing_and_what_says_no_version_is_said() {
    let found = stick(&[("images/talos/1.8.0/vmlinuz-arm64", "")]);
    assert_eq!(
        problems(&found),
        ["talos/1.8.0/initramfs-arm64.xz: Talos Linux needs this file beside the others"]
    );
    let found = stick(&[("images/talos/vmlinuz-arm64", "")]);
    assert!(problems(&found)[0].contains("put it into images/talos/<version>/"));
    let found = stick(&[("images/debian-12.7.0-amd64-netinst.iso/install.amd/vmlinuz", "")]);
    assert!(problems(&found)[0].contains("looks for a CD"), "{:?}", problems(&found));
}

#[test]
fn no_name_on_a_stick_breaks_out_of_a_script() {
    for evil in ["a b", "a;reboot", "a||shell", "${net0}", "a,b", "a:b", "a'b", "a\"b", "\u{e9}"] {
        let path = |name: &str| format!("images/debian/12/{evil}/{name}");
        let (kernel, initrd) = (path("linux"), path("initrd.gz"));
        let found = stick(&[(&kernel, ""), (&initrd, "")]);
        assert_eq!(names(&found), Vec::<String>::new(), "{evil}");
        assert!(problems(&found)[0].contains("rename"), "{evil}: {:?}", problems(&found));
        let path = |name: &str| format!("images/{evil}/1.0/{name}");
        let (kernel, initrd) = (path("vmlinuz"), path("initrd"));
        let found = stick(&[(&kernel, ""), (&initrd, "")]);
        assert_eq!(names(&found), Vec::<String>::new(), "{evil}");
    }
    let args = "console=ttyS0 || shell";
    let found = stick(&[("images/x/1.0/vmlinuz", ""), ("images/x/1.0/args.txt", args)]);
    assert_eq!(names(&found), Vec::<String>::new());
    assert!(problems(&found)[0].starts_with("images/x/1.0/args.txt: \"||\" cannot stand"));
}

/// Two hundred images and what lies around them, and all of it looked through.
#[test]
fn a_full_stick_is_understood_at_once() {
    let mut files = Vec::new();
    for number in 0..100 {
        let iso = format!("images/ubuntu-24.04.{number}-live-server-amd64.iso");
        let inside = ["casper/vmlinuz", "casper/initrd", ".disk/info"];
        files.push(iso.clone());
        files.extend(inside.iter().map(|name| format!("{iso}/{name}")));
        let folder = format!("images/debian/13.{number}");
        let tree =
            "dists/trixie/main/installer-amd64/current/images/netboot/debian-installer/amd64";
        let more = ["linux", "initrd.gz", "grubx64.efi", "bootnetx64.efi", "grub/grub.cfg"];
        files.extend(more.iter().map(|name| format!("{folder}/{tree}/{name}")));
        files.extend((0..100).map(|other| format!("{folder}/pool/package_{other}_amd64.deb")));
    }
    let files: Vec<(&str, &str)> = files.iter().map(|path| (path.as_str(), "")).collect();
    assert_eq!(stick(&files).images.len(), 200);
}

#[test]
fn a_file_is_found_whatever_the_case_of_its_name_where_it_belongs() {
    let pair = |kernel: &'static str, initrd: &'static str| {
        [(kernel, ""), (initrd, ""), ("profiles/toaster.toml", OWN)]
    };
    let initrds = |files: &[(&str, &str)]| stick(files).images[0].starts[0].initrds.clone();
    let found = initrds(&pair("images/a/toaster-2.1.krn", "images/a/TOASTER-2.1.RD"));
    assert_eq!(found, ["TOASTER-2.1.RD"]);
    // Another folder, on a file system that tells them apart.
    let found = initrds(&pair("images/a/toaster-2.1.krn", "images/A/toaster-2.1.rd"));
    assert_eq!(found, Vec::<String>::new());
}

#[test]
fn a_folder_holds_some_images_and_a_stick_a_thousand() {
    let names = |count: usize, one: &dyn Fn(usize) -> String| -> Inventory {
        let paths: Vec<String> = (0..count).map(one).collect();
        stick(&paths.iter().map(|path| (path.as_str(), "")).collect::<Vec<_>>())
    };
    let live = |at| format!("images/x/fedora-coreos-{at}.0-live-kernel-x86_64");
    let found = names(100, &live);
    assert_eq!(found.images.len(), MOST_IN_FOLDER);
    assert!(problems(&found).iter().any(|problem| problem.contains("a folder of its own")));
    let found = names(MOST_IMAGES + 10, &|at| format!("images/x/{at}/linux"));
    assert_eq!(found.images.len(), MOST_IMAGES);
    assert!(problems(&found)[0].contains("more than 1,000 images"));
}

#[test]
fn isos_with_names_that_begin_alike_do_not_hold_each_others_files_without_end() {
    let iso = |at| format!("images/ubuntu-24.04.{at}-live-server-amd64.iso");
    let files = |at| ["", ".sig", "/casper/vmlinuz", "/casper/initrd"].map(|end| iso(at) + end);
    let paths: Vec<String> = (0..300).flat_map(files).collect();
    let found = stick(&paths.iter().map(|path| (path.as_str(), "")).collect::<Vec<_>>());
    // Each has three of its own, and what lies beside all of them.
    assert_eq!(found.images.len(), MOST_FILES / 303);
    assert!(problems(&found).iter().any(|problem| problem.contains("too many files beside")));
}

#[test]
fn an_image_from_two_places_has_the_files_of_both_once() {
    let found = stick(&[
        ("images/fcos/fedora-coreos-41.1-live-kernel-x86_64", ""),
        ("images/fcos/fedora-coreos-41.1-live-initramfs.x86_64.img", ""),
        ("images/fcos/SHA256SUMS", ""),
        ("images/more/SHA256SUMS", ""),
        ("images/more/fedora-coreos-41.1-live-kernel-aarch64", ""),
    ]);
    let [image] = found.images.as_slice() else { panic!("{:?}", found.images) };
    let mut paths: Vec<&str> = image.files.iter().map(|(_, file)| file.path.as_str()).collect();
    paths.sort_unstable();
    assert_eq!(
        paths,
        [
            "images/fcos/SHA256SUMS",
            "images/fcos/fedora-coreos-41.1-live-initramfs.x86_64.img",
            "images/fcos/fedora-coreos-41.1-live-kernel-x86_64",
            "images/more/fedora-coreos-41.1-live-kernel-aarch64",
        ]
    );
    assert_eq!(image.files.count(), 4);
}
