use super::*;

fn failed(step: Step, error: u32) -> Trouble {
    Failure { step, error, has: Some(1024), needs: Some(2048) }.trouble()
}

#[test]
fn every_trouble_says_what_to_check() {
    let loader = || "snponly.efi".to_owned();
    let pc = Platform::Efi64;
    for (trouble, platform, words) in [
        (Trouble::LoaderRefused(loader()), pc, "loader = \"shim\" in machines.toml"),
        (Trouble::LoaderSilent(loader()), pc, "is silent since: if its Secure Boot is on"),
        (Trouble::LoaderRefused("shimx64.efi".into()), pc, "trust Microsoft's UEFI CA"),
        (Trouble::LoaderRefused("undionly.kpxe".into()), Platform::Bios, "\"pxelinux\""),
        (Trouble::Missing("k".into(), Stage::Script), pc, "needs k, which is not there"),
        (Trouble::NoConfig("preseed"), pc, "in preseed/, called after"),
        (failed(Step::Initrd, 0x3418_2006), pc, "of 1024 MiB for its image (it needs 2048 MiB)"),
        (
            Trouble::Memory { stage: Stage::Initrd, has: Some(2048), needs: Some(2048) },
            pc,
            "too little memory of 2048 MiB for its image: give it more",
        ),
        (failed(Step::Kernel, 0x2e00_8001), Platform::EfiArm64, "made for a 64-bit ARM machine?"),
        (failed(Step::Kernel, 0x2e00_8001), pc, "does Secure Boot refuse it?"),
        (failed(Step::Kernel, 0x2d0c_618e), pc, "not on the stick"),
        (failed(Step::Initrd, 0x4c0a_6092), pc, "cable or its switch"),
        (failed(Step::Kernel, 0x0f0a_6039), pc, "(iPXE's error 0f0a6039): the download broke"),
        (failed(Step::Start, 0x0103_0405), pc, "ipxe.org/err"),
    ] {
        let told = trouble.words(platform);
        assert!(told.contains(words), "{trouble:?}: {told}");
    }
}

#[test]
fn what_is_not_known_of_the_memory_is_not_said() {
    let told = memory_words(None, None);
    assert_eq!(told, "has too little memory for its image: give it more, or a smaller image");
}

#[test]
fn memory_is_the_sum_of_all_modules_that_say_their_size() {
    for (modules, expected) in [
        ("0040-6802------", Some(17_000)),
        ("4000-", Some(64)),
        ("0000-0008-", Some(2048)),
        ("0090", Some(4)),
        ("ff7f-0008", None),
        ("ffff", None),
        ("-------", None),
        ("", None),
        ("zzzz", None),
        ("40", None),
    ] {
        assert_eq!(memory(modules), expected, "{modules:?}");
    }
}
