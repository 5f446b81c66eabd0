use super::*;

fn message(kind: ConfigKind, text: &str) -> String {
    let fault = check(kind, kind.main_part(), text).unwrap_err();
    let line = fault.line.map(|line| format!("{line}: ")).unwrap_or_default();
    format!("{line}{}", fault.with_column())
}

#[test]
fn what_installers_of_today_take_is_good() {
    for (kind, text) in [
        (ConfigKind::CloudConfig, "#cloud-config\nhostname: node-1\n"),
        (ConfigKind::CloudConfig, "#cloud-config\r\nhostname: node-1\r\n"),
        (ConfigKind::CloudConfig, "#!/bin/bash\ntrue\n"),
        (ConfigKind::Ignition, "{\"ignition\": {\"version\": \"2.3.0\"}}"),
        (ConfigKind::Ignition, "{\"ignition\": {\"version\": \"3.6.0-experimental\"}}"),
        (ConfigKind::Preseed, "d-i debian-installer/locale string en_US\n"),
        (ConfigKind::Kickstart, "text\nreboot\n"),
        (ConfigKind::Autoinstall, "#cloud-config\nautoinstall:\n  version: 1\n"),
        (
            ConfigKind::AutoYast,
            "<?xml version=\"1.0\"?>\n<!DOCTYPE profile>\n<profile \
             xmlns=\"http://www.suse.com/1.0/yast2ns\"><general/></profile>\n",
        ),
        (ConfigKind::Agama, "{\"product\": {\"id\": \"Tumbleweed\"}}"),
        (ConfigKind::Talos, "version: v1alpha1\nmachine: {}\n---\napiVersion: v1alpha1\nkind: X\n"),
        (ConfigKind::Script, "#!/bin/sh\ntrue\n"),
    ] {
        assert_eq!(check(kind, kind.main_part(), text), Ok(()), "{kind:?} {text}");
    }
    for part in [Part::MetaData, Part::VendorData] {
        assert_eq!(check(ConfigKind::Autoinstall, part, ""), Ok(()));
    }
}

#[test]
fn what_they_would_stumble_over_is_named_with_its_place() {
    for (kind, text, expected) in [
        (ConfigKind::CloudConfig, "hostname: x\n", "#cloud-config"),
        (ConfigKind::CloudConfig, "#cloud-config\n", "cut off"),
        (ConfigKind::CloudConfig, "#cloud-config\nusers\n", "holds no keys"),
        (ConfigKind::CloudConfig, "#cloud-config\na: b\n c: d\n", "3: column"),
        (ConfigKind::Ignition, "{\n  \"ignition\": {,}\n}", "2: column 16: JSON: key must be"),
        (ConfigKind::Ignition, "{\"ignition\": {\"version\": \"4.0.0\"}}", "not 2.x.y or 3.x.y"),
        (ConfigKind::Ignition, "{\"ignitionVersion\": 1}", "Ignition 1"),
        (ConfigKind::Ignition, "{}", "no ignition.version"),
        (ConfigKind::Ignition, "variant: fcos\nversion: 1.5.0\n", "butane --strict"),
        (ConfigKind::Autoinstall, "#cloud-config\nhostname: x\n", "no key autoinstall"),
        (ConfigKind::Autoinstall, "autoinstall: {}\n", "#cloud-config"),
        (ConfigKind::AutoYast, "<profile>\n  <a></b>\n</profile>", "2: column"),
        (ConfigKind::AutoYast, "<html/>", "<profile>"),
        (ConfigKind::Agama, "{\"a\": 1,}", "1: column 9: JSON"),
        (ConfigKind::Talos, "cluster: {}\n", "Talos"),
        (ConfigKind::Script, "echo\n", "#!/bin/sh"),
        (ConfigKind::Script, "#!/bin/sh\r\necho\r\n", "Windows line ends"),
        (ConfigKind::Script, "#!/bin/sh", "cut off"),
        (ConfigKind::Preseed, "d-i a\0", "no text"),
    ] {
        let message = message(kind, text);
        assert!(message.contains(expected), "{kind:?} {text:?}: {message}");
    }
    for kind in ConfigKind::ALL {
        assert!(message(kind, " \n").contains("is empty"), "{kind:?}");
        assert!(message(kind, "\u{feff}text").contains("byte-order mark"), "{kind:?}");
    }
}

#[test]
fn what_explodes_in_a_reader_is_refused_here() {
    let mut laughs = "<!DOCTYPE profile [<!ENTITY a0 \"ha\">".to_owned();
    for level in 1..12 {
        let entity = format!("&a{};", level - 1).repeat(10);
        laughs.push_str(&format!("<!ENTITY a{level} \"{entity}\">"));
    }
    laughs.push_str("]><profile>&a11;</profile>");
    let outside = "<!DOCTYPE profile [<!ENTITY a SYSTEM \"file:///etc/passwd\">]><profile>&a;\
                   </profile>";
    let long = format!(
        "<!DOCTYPE profile [\n<!ENTITY a \"{}\">]><profile>{}</profile>",
        "x".repeat(10_000),
        "&a;".repeat(1000)
    );
    assert!(message(ConfigKind::AutoYast, &long).starts_with("2: XML: has entities"));
    for text in [laughs.as_str(), outside, &"<a>".repeat(300_000), &"<profile>".repeat(100_000)] {
        assert!(check(ConfigKind::AutoYast, Part::Whole, text).is_err());
    }
    for text in ["[".repeat(500_000), "{\"a\":".repeat(200_000)] {
        assert!(check(ConfigKind::Agama, Part::Whole, &text).is_err());
        assert!(check(ConfigKind::Ignition, Part::Whole, &text).is_err());
    }
}
