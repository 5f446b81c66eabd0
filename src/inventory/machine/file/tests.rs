use super::*;

fn problem(text: &str) -> String {
    parse("machines.toml", text).unwrap_err().to_string()
}

fn one(text: &str) -> Machine {
    let roster = parse("machines.toml", text).unwrap();
    roster.list().last().unwrap().clone()
}

#[test]
fn a_machine_is_found_under_each_of_its_addresses() {
    let text = "
        [[machine]]
        name = \"node-1\"
        macs = [\"52:54:00:00:00:01\", \"52-54-00-00-00-02\"]
        image = \"coreos/latest\"
        disk = \"/dev/vda\"
        args = \"console=ttyS0\"
        loader = \"shim\"
    ";
    let machines = parse("machines.toml", text).unwrap();
    assert_eq!(machines.iter().count(), 2);
    for (_, machine) in machines.iter() {
        assert_eq!(machine.name.as_deref(), Some("node-1"));
        assert_eq!(machine.image, ImageChoice::NewestOf("coreos".to_owned()));
        assert_eq!(machine.disk.device(), Some("/dev/vda"));
        assert_eq!(machine.loader, Some(UefiLoader::Shim));
    }
}

#[test]
fn a_mistake_is_named_with_its_line_and_the_nearest_right_key() {
    let text = "[[machine]]\nmac = \"52:54:00:00:00:01\"\nimmage = \"x\"\n";
    assert!(problem(text).starts_with("machines.toml:3: unknown field `immage`"));
    assert!(problem(text).ends_with("(did you mean `image`?)"), "{}", problem(text));
    let text = "[[machine]]\nmac = \"52:54:00:00:00\"\n";
    assert!(problem(text).contains("not a MAC address"), "{}", problem(text));
    let mac = "[[machine]]\nmac = \"52:54:00:00:00:01\"\n";
    for (lines, expected) in [
        ("\nimage = \"/\"", ":4: image \"/\""),
        ("\n\ndisk = { seriall = \"x\" }", ":5: disk: unknown key `seriall`"),
        ("match = { seral = \"x\" }", ":3: unknown field `seral`"),
        ("match = { serial = \"Default string\" }", ":3: match: serial \"Default string\" is"),
        ("group = \"wbe\"\n[[group]]\nname = \"web\"", ":3: group: unknown key `wbe`"),
        ("labels = { \"a-b\" = \"x\" }", ":3: labels: \"a-b\""),
        ("labels = { a = 5 }", ":3: "),
        ("config = \"../x\"", ":3: config: "),
        ("hostname = \"a b\"", ":3: hostname: "),
        ("[defaults]\nip = \"10.10.10.5\"", ":3: ip names one machine"),
        ("[[group]]\nname = \"a\"\nmac = \"52:54:00:00:00:02\"", ":3: mac names one machine"),
        ("[[group]]\ninstall = \"once\"", ":3: a group needs name"),
        ("[[group]]\nname = \"a\"\n[[group]]\nname = \"a\"", ":5: there are two groups"),
    ] {
        let text = problem(&format!("{mac}{lines}\n"));
        assert!(text.starts_with(&format!("machines.toml{expected}")), "{lines}: {text}");
    }
    assert!(problem("[[machine]]\nname = \"x\"\n").contains("a machine needs mac"));
}

#[test]
fn a_group_goes_before_the_defaults_and_the_machine_before_both() {
    let text = "
        [defaults]
        install = \"never\"
        disk = \"/dev/vda\"
        args = \"console=ttyS0\"
        labels = { site = \"lab\", role = \"none\" }
        [[group]]
        name = \"web\"
        disk = { bus = \"nvme\" }
        image = \"flatcar/latest\"
        labels = { role = \"web\" }
        [[machine]]
        mac = \"52:54:00:00:00:01\"
        group = \"web\"
        install = \"once\"
        labels = { rack = \"7\" }
    ";
    let machine = one(text);
    assert_eq!(machine.install, Install::Once);
    assert_eq!(machine.disk.to_string(), "the disk with bus nvme");
    assert_eq!(machine.image, ImageChoice::NewestOf("flatcar".to_owned()));
    assert_eq!(machine.args, "console=ttyS0");
    let labels: Vec<(&str, &str)> = machine.labels.all().into_iter().collect();
    assert_eq!(labels, [("rack", "7"), ("role", "web"), ("site", "lab")]);
    assert_eq!(machine.group.as_deref(), Some("web"));
}

#[test]
fn two_machines_never_share_a_mac_an_address_or_an_identity() {
    let one = "[[machine]]\nmac = \"52:54:00:00:00:01\"\nip = \"10.10.10.20\"\n";
    assert!(problem(&one.repeat(2)).contains("stands at another machine too"));
    let other = one.replace(":01", ":02");
    assert!(problem(&format!("{one}{other}")).contains("ip 10.10.10.20 stands"));
    let rule = "[[machine]]\nmatch = { serial = \"5Q4Q7Y1\" }\n";
    let twice = format!("{rule}{}", rule.to_lowercase());
    assert!(problem(&twice).contains("match serial 5q4q7y1 stands"), "{}", problem(&twice));
}

#[test]
fn a_pattern_names_no_single_machine() {
    for line in
        ["name = \"a\"", "hostname = \"a\"", "mac = \"52:54:00:00:00:01\"", "ip = \"10.10.10.5\""]
    {
        let text = format!("[[machine]]\nmatch = {{ serial = \"VMware-42*\" }}\n{line}\n");
        assert!(problem(&text).contains("every machine that fits"), "{line}");
    }
    assert!(one("[[machine]]\nmatch = { serial = \"VMware-42*\" }\n").rule.is_some());
}

#[test]
fn nothing_from_the_stick_can_break_out_of_a_script() {
    let entry = |line: &str| format!("[[machine]]\nmac = \"52:54:00:00:00:01\"\n{line}\n");
    for line in [
        "disk = \"/dev/sda; reboot\"",
        "disk = \"/dev/../etc/passwd\"",
        "disk = \"sda\"",
        "args = \"a\\nb\"",
        "args = \"${net0/mac}\"",
        "args = \"x || shell\"",
        "name = \"a b\"",
        "hostname = \"a;b\"",
        "labels = { a = \"b\\nc\" }",
        "image = \"coreos/$(x)\"",
    ] {
        assert!(parse("machines.toml", &entry(line)).is_err(), "{line}");
    }
}

#[test]
fn what_a_person_never_writes_is_refused_before_it_takes_memory() {
    let machine = |at: usize| format!("[[machine]]\nmac = \"525400{at:06x}\"\n");
    let machines = |count| (0..count).map(machine).collect::<String>();
    assert_eq!(parse("machines.toml", &machines(5000)).unwrap().list().len(), 5000);
    assert!(problem(&machines(5001)).contains("more than 5000 machines"));
    let group = |at| format!("[[group]]\nname = \"g{at}\"\n");
    let groups = |count| (0..count).map(group).collect::<String>();
    assert!(problem(&groups(1001)).contains("more than 1000 groups"));
    let pattern = |at| format!("[[machine]]\nmatch = {{ serial = \"ab{at}*\" }}\n");
    let patterns: String = (0..257).map(pattern).collect();
    assert!(problem(&patterns).contains("match a pattern"));
    let beside_uuid = |number| {
        let uuid = format!("4c4c4544-0051-3410-8051-{number:012x}");
        format!("[[machine]]\nmatch = {{ serial = \"A*\", uuid = \"{uuid}\" }}\n")
    };
    let patterns: String = (0..257).map(beside_uuid).collect();
    assert!(problem(&patterns).contains("match a pattern"));
    let long = "a*".repeat(100);
    let pattern = problem(&format!("[[machine]]\nmatch = {{ serial = \"{long}\" }}\n"));
    assert!(pattern.contains("longer than any"), "{pattern}");
}

#[test]
fn of_many_groups_ten_are_named_and_the_nearest_one() {
    let group = |at| format!("[[group]]\nname = \"rack {at}\"\n");
    let groups: String = (100..150).map(group).collect();
    let one =
        |name: &str| format!("{groups}[[machine]]\nmac = \"525400000001\"\ngroup = \"{name}\"\n");
    let message = problem(&one("rak 149"));
    assert!(message.contains("`rack 109` and 40 more (did you mean rack 149?)"), "{message}");
    assert!(problem(&one(&"r".repeat(65))).contains("at most 64 letters"));
    assert!(parse("machines.toml", &one("rack 149")).is_ok());
}
