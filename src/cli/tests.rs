use std::os::unix::ffi::OsStringExt;

use super::*;

fn parsed(pid: u32, line: &str) -> Result<Command, String> {
    parse(pid, line.split_whitespace().map(OsString::from).collect())
}

#[test]
fn pid_1_is_init_whatever_the_kernel_passes_on() {
    assert_eq!(parsed(1, ""), Ok(Command::Init));
    assert_eq!(parsed(1, "splash serve"), Ok(Command::Init));
    let no_text = OsString::from_vec(b"quiet=\xff".to_vec());
    assert_eq!(parse(1, vec![no_text]), Ok(Command::Init));
}

#[test]
fn without_arguments_a_person_gets_help() {
    assert_eq!(parsed(4711, ""), Ok(Command::Help));
}

#[test]
fn options_may_stand_in_any_order() {
    let expected = Command::Serve {
        config: Some("a.toml".into()),
        interface: Some("eth1".to_owned()),
        set_address: true,
        mounted_sticks: true,
        own_user: false,
    };
    let line = "serve --mounted-sticks --interface eth1 --set-address --config a.toml";
    assert_eq!(parsed(2, line), Ok(expected));
}

#[test]
fn the_folder_to_check_may_stand_anywhere() {
    let expected = || Check {
        folder: "x".into(),
        json: true,
        explain: "52:54:00:00:00:01".parse().ok(),
        config: Some("a.toml".into()),
    };
    let options = "--json --explain 52-54-00-00-00-01 --config a.toml";
    for line in [format!("check x {options}"), format!("check {options} x")] {
        assert_eq!(parsed(2, &line), Ok(Command::Check(expected())), "{line}");
    }
    assert!(parsed(2, "check --json").unwrap_err().contains("pxeberry check DIR"));
    assert!(parsed(2, "check x y").unwrap_err().contains("\"y\""));
    assert!(parsed(2, "check x --jsn").unwrap_err().contains("\"--jsn\""));
    assert!(parsed(2, "check x --explain node-1").unwrap_err().contains("not a MAC"));
}

#[test]
fn the_version_to_fetch_may_be_left_out() {
    for (line, version) in [
        ("fetch flatcar --to x", None),
        ("fetch flatcar beta/4230.1.0 --to x", Some("beta/4230.1.0".to_owned())),
    ] {
        let expected = Fetch {
            system: "flatcar".to_owned(),
            version,
            to: "x".into(),
            from: None,
            arch: "x86_64".to_owned(),
            keys: None,
            accept_unsigned: false,
            patience: Duration::from_secs(30),
        };
        assert_eq!(parsed(2, line), Ok(Command::Fetch(expected)));
    }
    assert!(parsed(2, "fetch flatcar").unwrap_err().contains("--to DIR"));
    assert!(parsed(2, "fetch flatcar --to x --timeout 0").unwrap_err().contains("--timeout"));
}

#[test]
fn what_is_not_understood_is_named() {
    assert!(parsed(2, "server").unwrap_err().contains("\"server\""));
    assert!(parsed(2, "serve --confg x").unwrap_err().contains("\"--confg\""));
    assert!(parsed(2, "serve --config").unwrap_err().contains("--config needs a value"));
    assert!(parsed(2, "arm").unwrap_err().contains("pxeberry arm node-1"));
    assert!(parsed(2, "arm --follow node-1").unwrap_err().contains("\"--follow\""));
    assert!(parsed(2, "status node-1").unwrap_err().contains("\"node-1\""));
}

#[test]
fn the_machine_may_be_a_name_and_stand_anywhere() {
    for line in ["arm node-1 --json --socket s", "arm --json --socket s node-1"] {
        let what = What::Do(Deed::Arm, "node-1".to_owned());
        let expected = Ask { what, json: true, socket: "s".into() };
        assert_eq!(parsed(2, line), Ok(Command::Ask(expected)), "{line}");
    }
    let what = What::Log { machine: None, follow: true };
    let expected = Ask { what, json: false, socket: DEFAULT_SOCKET.into() };
    assert_eq!(parsed(2, "log --follow"), Ok(Command::Ask(expected)));
}
