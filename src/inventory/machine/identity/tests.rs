use super::*;

const UUID: &str = "4c4c4544-0051-3410-8051-b5c04f375931";

fn uuid(text: &str) -> Uuid {
    text.parse().unwrap()
}

#[test]
fn a_uuid_is_read_from_option_97_in_firmwares_byte_order() {
    let option = b"\0DELL\x51\0\x10\x34\x80\x51\xb5\xc0\x4f\x37\x59\x31";
    assert_eq!(Uuid::from_option(option).unwrap().to_string(), UUID);
    assert_eq!(uuid(UUID), Uuid::from_option(option).unwrap());
    for bad in [&option[..16], &option[1..], b"", b"\xff"] {
        assert_eq!(Uuid::from_option(bad), None, "{bad:?}");
    }
}

#[test]
fn a_uuid_that_was_copied_from_an_old_screen_names_the_same_machine() {
    let rule = Rule::parse(None, Some("9402DE03-8004-0605-F806-D50700080009")).unwrap();
    let told = uuid("03de0294-0480-0506-f806-d50700080009");
    assert!(rule.fits(&Identity { uuid: Some(told), serial: None }));
    assert!(!rule.fits(&Identity { uuid: Some(uuid(UUID)), serial: None }));
}

#[test]
fn junk_is_refused_with_the_reason() {
    for (text, reason) in [
        ("00000000-0000-0000-0000-000000000000", "all zero"),
        ("FFFFFFFF-FFFF-FFFF-FFFF-FFFFFFFFFFFF", "all F"),
        ("44444444-4444-4444-4444-444444444444", "Raspberry Pi 3"),
        ("03000200-0400-0500-0006-000700080009", "template"),
        ("00020003-0004-0005-0006-000700080009", "template"),
        ("76006b9c-c49c-0000-0000-000000000000", "zeros"),
        ("34695052-6161-6161-6262-626263636363", "Raspberry Pi's MAC"),
    ] {
        let error = Rule::parse(None, Some(text)).unwrap_err();
        assert!(error.contains(reason), "{text}: {error}");
    }
    for text in [
        "To Be Filled By O.E.M.",
        "to be filled by o.e.m.",
        " Default string ",
        "System Serial Number",
        "0000000000",
        "........",
        "123456789",
        "",
        "*",
        "?*",
    ] {
        assert!(Rule::parse(Some(text), None).is_err(), "{text}");
    }
    assert!(Rule::parse(None, None).is_err());
    assert!(Rule::parse(None, Some("not-a-uuid")).is_err());
    assert!(Rule::parse(None, Some("*")).is_err());
}

#[test]
fn every_entry_of_the_list_of_junk_is_refused() {
    let list: Junk = toml::from_str(include_str!("../junk.toml")).unwrap();
    assert!(list.serial.len() > 10 && !list.uuid.is_empty());
    for entry in list.serial {
        assert!(serial_fault(&entry.text).is_some(), "{entry:?}");
        assert_eq!(told_serial(&entry.text), None, "{entry:?}");
    }
    for entry in list.uuid {
        assert!(uuid(&entry.text).fault().is_some(), "{entry:?}");
    }
}

#[test]
fn a_machine_that_tells_junk_fits_no_rule() {
    let zero = Uuid::from_bytes([0; 16]);
    let rule = Rule::parse(None, Some("0*")).unwrap();
    assert!(!rule.fits(&Identity { uuid: Some(zero), serial: None }));
    let rule = Rule::parse(Some("*string"), None).unwrap();
    let told = Identity { uuid: None, serial: Some(told_serial("Default string")) };
    assert!(!rule.fits(&told));
}

#[test]
fn rules_fit_whole_texts_in_any_case_and_patterns_their_kind() {
    let fits = |pattern: &str, text: &str| Glob::new(pattern).fits(text);
    for (pattern, text, expected) in [
        ("VMware-42*", "vmware-42 1a 2b", true),
        ("VMware-42*", "VMware-56 1a", false),
        ("*B", "ab", true),
        ("*ab*ab", "abxab", true),
        ("*ab*ab", "ab", false),
        ("a?c", "abc", true),
        ("a?c", "ac", false),
        ("S5", "S5P", false),
        ("", "x", false),
    ] {
        assert_eq!(fits(pattern, text), expected, "{pattern} {text}");
    }
    let stars = "*a".repeat(60);
    assert!(!fits(&stars, &"a".repeat(59)), "it ends, and soon");
}

#[test]
fn all_that_a_rule_says_must_fit() {
    let rule = Rule::parse(Some("5Q4Q7Y1"), Some(UUID)).unwrap();
    let only_uuid = Identity { uuid: Some(uuid(UUID)), serial: None };
    assert!(!rule.fits(&only_uuid));
    let both = Identity { serial: Some(Some("5q4q7y1".to_owned())), ..only_uuid };
    assert!(rule.fits(&both));
    assert!(!rule.is_pattern());
    assert!(Rule::parse(Some("5Q4*"), None).unwrap().is_pattern());
}

#[test]
fn another_uuid_is_another_machine_whose_serial_number_nobody_has_told() {
    let uuid = |text: &str| text.parse::<Uuid>().unwrap();
    let known = uuid("4c4c4544-0051-3410-8051-b5c04f375931");
    let serial = Some(Some("5Q4Q7Y1".to_owned()));
    let swapped = uuid("44454c4c-5100-1034-8051-b5c04f375931");
    let all_f = uuid("ffffffff-ffff-ffff-ffff-ffffffffffff");
    for (said, is_same) in [
        (known, true),
        // Firmware and iPXE may write it in another order.
        (swapped, true),
        (uuid("4c4c4544-0051-3410-8051-b5c04f375932"), false),
        (all_f, false),
    ] {
        let mut identity = Identity { uuid: Some(known), serial: serial.clone() };
        identity.hear_uuid(said);
        assert_eq!(identity.serial.is_some(), is_same, "{said}");
        assert_eq!(identity.uuid, Some(said));
    }
}
