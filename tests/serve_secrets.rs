//! What nobody gets to know who can only send packets: configurations, tokens and passwords.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests fail so")]
#![allow(clippy::indexing_slicing, clippy::cast_possible_truncation, reason = "tests fail so")]

#[path = "support/flight.rs"]
#[allow(dead_code, reason = "each scenario uses the part that it needs")]
mod flight;
#[path = "support/net/mod.rs"]
mod net;

use std::net::{SocketAddr, UdpSocket};

use net::lan::SERVER;
use net::stick::{NODE_1, NODE_2, STRANGER};
use net::{Appliance, Ask, Firmware, Kind, Lan, Machine, Server, Stick, api, isolated};

/// Stands in everything that nobody else may read.
const SECRET: &str = "correct-horse-battery";

/// What `pxeberry hash-password` makes of a password.
const ADMIN: &str = "admin.password_hash = \"$argon2id$v=19$m=12288,t=3,p=1\
    $78HuSjhhkW2S9IWFaUmsEQ$lqy+Kdud+wmSiTRL5VAhu3VEBQyVlmrypieNPHgA0V4\"";

/// Of each kind, a URL and the file behind it.
const KINDS: [(&str, &str); 10] = [
    ("/cloud-configs/MAC.yml", "cloud-configs/MAC.yml"),
    ("/ignition/MAC.ign", "ignition/MAC.ign"),
    ("/preseed/MAC.cfg", "preseed/MAC.cfg"),
    ("/kickstart/MAC.ks", "kickstart/MAC.ks.j2"),
    ("/autoinstall/MAC/user-data", "autoinstall/MAC/user-data"),
    ("/autoyast/MAC.xml", "autoyast/MAC.xml"),
    ("/agama/MAC.json", "agama/MAC.json"),
    ("/talos/MAC.yaml", "talos/MAC.yaml"),
    ("/alpine/MAC.apkovl.tar.gz", "alpine/MAC.apkovl.tar.gz"),
    ("/scripts/MAC.sh", "scripts/MAC.sh"),
];

fn text(kind: &str) -> String {
    let body = match kind.split('/').next().unwrap() {
        "cloud-configs" => "#cloud-config\nx: SECRET\n",
        "ignition" => "{\"ignition\": {\"version\": \"3.4.0\"}, \"x\": \"SECRET\"}",
        "autoinstall" => "#cloud-config\nautoinstall: {x: SECRET}\n",
        "autoyast" => "<profile><x>SECRET</x></profile>\n",
        "agama" => "{\"x\": \"SECRET\"}\n",
        "talos" => "machine: {x: SECRET}\n",
        "scripts" => "#!/bin/sh\necho SECRET\n",
        "kickstart" => "rootpw SECRET {{ labels.key }}\n# {{ report_installed }}\n",
        _ => "d-i x string SECRET\n",
    };
    body.replace("SECRET", SECRET)
}

fn dashed(text: &str, mac: &str) -> String {
    text.replace("MAC", &mac.replace(':', "-"))
}

/// A stick that is full of secrets, of NODE_1; some are in files with a mistake.
fn stick(appliance: &Appliance) -> Stick {
    let stick = Stick::empty(&appliance.media().join("sda1"));
    stick.image("1185.3.0");
    let machines = format!(
        "[[machine]]\nname = \"node-1\"\nmac = \"{NODE_1}\"\nimage = \"coreos\"\n\
         labels = {{ key = \"{SECRET}\" }}\n\
         [[machine]]\nname = \"node-2\"\nmac = \"{NODE_2}\"\nimage = \"coreos\"\n"
    );
    stick.write("machines.toml", machines);
    for (_, file) in KINDS {
        stick.write(&dashed(file, NODE_1), text(file));
    }
    stick.write("cloud-configs/node-2.yml", "#cloud-config\nhostname: b\n");
    for (file, broken) in [
        ("agama/default.json", "{\"x\": SECRET}"),
        ("autoyast/default.xml", "<profile><a b=\"SECRET\">SECRET</b></profile>"),
        ("talos/default.yaml", "machine: {}\nSECRET: [\n  - SECRET: : SECRET\n"),
        ("ignition/default.ign", "{\"ignition\": {\"version\": \"SECRET\"}}"),
        ("kickstart/default.ks.j2", "rootpw SECRET {{ \"SECRET\" * 3 }}\n"),
        ("preseed/node-2.cfg.j2", "x SECRET {{ labels.missing }}\n"),
    ] {
        stick.write(file, broken.replace("SECRET", SECRET));
    }
    stick
}

fn room(mode: &str) -> (Appliance, Stick) {
    let appliance = Appliance::new(mode, ADMIN);
    let stick = stick(&appliance);
    (appliance, stick)
}

/// Nothing of a configuration, and no token.
#[track_caller]
fn assert_nothing(of: &str, bytes: &[u8], token: &str) {
    let text = String::from_utf8_lossy(bytes);
    for secret in [SECRET, token, "argon2id", "lqy+Kdud"] {
        assert!(!text.contains(secret), "{of} shows {secret}: {text}");
    }
}

/// NODE_1 boots, takes all its configurations, and an installer that writes them to its log.
fn is_at_work(machine: &Machine) -> String {
    machine.boots(Firmware::IpxeBios);
    machine.get(&dashed("/boot/MAC.ipxe", NODE_1));
    let script = String::from_utf8(machine.get("/cloud-configs/install.sh")).unwrap();
    let token = script.split("token='").nth(1).unwrap().split('\'').next().unwrap().to_owned();
    for (url, _) in KINDS {
        let config = machine.get(&dashed(url, NODE_1));
        assert!(String::from_utf8_lossy(&config).contains(SECRET), "{url}");
    }
    machine.namespace.inside(|| {
        let socket = UdpSocket::bind("0.0.0.0:0").unwrap();
        for line in [
            format!("<13>sh: + wget http://{SERVER}:8080/v1/event?token={token}&event=installed"),
            format!("<13>sh: the root password is {SECRET}"),
            "<13>sh: the end".to_owned(),
        ] {
            socket.send_to(line.as_bytes(), SocketAddr::from((SERVER, 514))).unwrap();
        }
    });
    flight::wait_for(NODE_1, "sh: the end");
    machine.get(&format!("/v1/event?token={token}&event=failed"));
    token
}

/// Everything that is to be read without a password.
fn readable() -> Vec<String> {
    let description = api::get("/v1/openapi.json");
    let paths = description["paths"].as_object().unwrap();
    let gets = paths.iter().filter(|(_, path)| path.get("get").is_some());
    let mut all: Vec<String> = gets.map(|(path, _)| format!("/api{path}")).collect();
    all.retain(|path| !path.ends_with("/changes"));
    assert!(all.len() > 8, "{all:?}");
    let pages = ["/", "/metrics", "/login", "/machines/{machine}", "/page.js", "/v1/hello"];
    all.extend(pages.map(str::to_owned));
    all.iter().map(|path| path.replace("{machine}", &NODE_1.replace(':', "-"))).collect()
}

#[test]
fn nothing_that_everybody_may_read_shows_a_configuration_a_token_or_a_password() {
    isolated(|lan| {
        let (_appliance, _stick) = room("server");
        let server = _appliance.serves();
        let machine = lan.machine(NODE_1);
        let token = is_at_work(&machine);
        let peer = lan.machine(STRANGER);
        peer.use_address("10.10.10.9".parse().unwrap());
        let mut answered = 0;
        for path in readable() {
            let (status, body) = peer.curl(&path);
            answered += usize::from(status == 200);
            assert_nothing(&path, &body, &token);
        }
        assert!(answered >= 10, "{answered} of {:?}", readable());
        // What the machine's packets hold is for whoever sits at the box.
        let capture = format!("/v1/machines/{}/capture", NODE_1.replace(':', "-"));
        let request = format!("GET {capture} HTTP/1.1\r\nHost: box\r\n\r\n");
        let (_, packets) = api::send(request.as_bytes());
        assert_nothing("the capture", &packets, &token);
        assert_nothing("the log", server.log.lines().join("\n").as_bytes(), &token);
        assert_nothing("the record", flight::story(NODE_1).join("\n").as_bytes(), &token);
        println!("measured: {answered} pages and answers hold no secret");
    });
}

#[test]
fn tftp_knows_no_configuration_whoever_asks() {
    isolated(|lan| {
        let (appliance, _stick) = room("server");
        let _server = appliance.serves();
        let machine = lan.machine(NODE_1);
        let token = is_at_work(&machine);
        let peer = lan.machine(STRANGER);
        peer.use_address("10.10.10.9".parse().unwrap());
        let mut names: Vec<String> = KINDS
            .iter()
            .flat_map(|(url, file)| [dashed(url, NODE_1), dashed(file, NODE_1)])
            .collect();
        let others = [
            "machines.toml",
            "cloud-configs/install.sh",
            "cloud-configs/",
            "cloud-configs",
            "tftp/../machines.toml",
            "images/../machines.toml",
            "images/coreos/1185.3.0/../../../machines.toml",
            "../pxeberry.toml",
            "/run/box/pxeberry.toml",
            "/run/box/state/state.redb",
            "v1/event",
            "api/v1/machines",
        ];
        names.extend(others.map(str::to_owned));
        for name in &names {
            for asker in [&machine, &peer] {
                let refused = asker.tftp(name).expect_err(name);
                assert!(matches!(refused.code, 1 | 2 | 4), "{name}: {refused:?}");
                assert_nothing(name, refused.message.as_bytes(), &token);
            }
        }
        // What it does give.
        for name in ["pxelinux.cfg/default", "pxelinux.cfg/01-52-54-00-00-00-01"] {
            assert_nothing(name, &peer.tftp(name).unwrap(), &token);
        }
    });
}

/// Asks for each of NODE_1's configurations and for its install script.
#[track_caller]
fn gets_nothing(asker: &Machine, headers: &[&str]) {
    for (url, _) in KINDS {
        let mut connection = asker.connect(8080);
        let answer = connection.ask("GET", &dashed(url, NODE_1), headers);
        assert_eq!(answer.status, 403, "{url} {headers:?}");
        assert_nothing(url, &answer.body, SECRET);
        assert_eq!(connection.ask("HEAD", &dashed(url, NODE_1), headers).status, 403, "{url}");
    }
    let script = asker.connect(8080).ask("GET", "/cloud-configs/install.sh", headers).body;
    let script = String::from_utf8(script).unwrap();
    assert!(!script.contains("token=") || script.contains("on node-2"), "{script}");
}

#[test]
fn a_configuration_is_not_for_another_machine_a_stranger_or_a_header() {
    isolated(|lan| {
        let (appliance, _stick) = room("server");
        let server = appliance.serves();
        let [one, two] = [NODE_1, NODE_2].map(|mac| lan.machine(mac));
        one.boots(Firmware::Bios);
        two.boots(Firmware::Bios);
        let guest = lan.machine(STRANGER);
        guest.use_address("10.10.10.9".parse().unwrap());
        let address = one.address();
        for asker in [&two, &guest] {
            gets_nothing(asker, &[]);
            for header in
                ["X-Forwarded-For: ", "X-Real-IP: ", "True-Client-IP: ", "Forwarded: for="]
            {
                gets_nothing(asker, &[&format!("{header}{address}")]);
            }
        }
        // The line names who asked.
        server.log.wait_for(&format!("node-2 ({NODE_2}) asked for the configuration of node-1"));
        server.log.wait_for(&format!("10.10.10.9 ({STRANGER}) asked for the configuration of"));
        let entry = flight::wait_for(NODE_1, "somebody else asked for its configuration");
        assert!(entry.words.contains(STRANGER), "{entry:?}");
        assert_eq!(appliance.machine(NODE_1), ("armed".into(), 0));
    });
}

#[test]
fn whoever_takes_a_machines_address_by_hand_does_not_become_it() {
    isolated(|lan| {
        let (appliance, _stick) = room("server");
        let server = appliance.serves();
        let one = lan.machine(NODE_1);
        one.boots(Firmware::Bios);
        one.get(&dashed("/preseed/MAC.cfg", NODE_1));
        let address = one.address();
        // The machine is off, and somebody else has its address.
        one.run("ip", &["link", "set", "eth0", "down"]).good();
        let thief = lan.machine(STRANGER);
        thief.use_address(address);
        thief.run("busybox", &["arping", "-U", "-c", "1", "-I", "eth0", &address.to_string()]);
        gets_nothing(&thief, &[]);
        server.log.wait_for(&format!(
            "{STRANGER}, at the address of node-1 ({NODE_1}), asked for the configuration of node-1"
        ));
        thief.get(&dashed("/boot/MAC.ipxe", NODE_1));
        thief.get(&format!("/1185.3.0/{}", net::stick::IMAGE));
        assert_eq!(appliance.machine(NODE_1), ("armed".into(), 0), "nothing happened to it");
    });
}

#[test]
fn an_address_that_is_given_back_or_given_to_another_takes_no_configuration_along() {
    isolated(|lan| {
        let (appliance, stick) = room("server");
        let server = appliance.serves();
        let [one, two] = [NODE_1, NODE_2].map(|mac| lan.machine(mac));
        one.boots(Firmware::Bios);
        let address = one.address();
        one.get(&dashed("/talos/MAC.yaml", NODE_1));
        one.port.send(&Ask::new(Kind::Release, one.mac).from(address).option(54, &SERVER.octets()));
        // Requests are answered in their order.
        two.boots(Firmware::Bios);
        gets_nothing(&one, &[]);
        // The stick gives its address to the other one.
        let machines = String::from_utf8(stick.read("machines.toml")).unwrap();
        stick.write("machines.toml", format!("{machines}ip = \"{address}\"\n"));
        server.hangup();
        server.log.wait_for_nth(" read: ", 2);
        one.run("ip", &["address", "flush", "dev", "eth0"]).good();
        assert_eq!(two.boots(Firmware::Bios).yiaddr, address);
        gets_nothing(&two, &[]);
        assert_ne!(one.boots(Firmware::Bios).yiaddr, address);
        one.get(&dashed("/talos/MAC.yaml", NODE_1));
    });
}

/// Beside another DHCP server, as the kernel sees it on the wire.
fn proxy(lan: &Lan) -> (Appliance, Server, [Machine; 2]) {
    let (appliance, _stick) = room("proxy");
    let server = appliance.starts();
    server.log.wait_for(" read: ");
    let machines = [NODE_1, STRANGER].map(|mac| lan.machine(mac));
    (appliance, server, machines)
}

#[test]
fn as_a_proxy_it_gives_a_configuration_to_the_card_that_it_sees_and_to_no_address() {
    isolated(|lan| {
        let (_appliance, server, [one, other]) = proxy(&lan);
        one.use_address("10.10.10.50".parse().unwrap());
        other.use_address("10.10.10.51".parse().unwrap());
        one.get(&dashed("/talos/MAC.yaml", NODE_1));
        gets_nothing(&other, &[]);
        server.log.wait_for(&format!("{STRANGER} asked for the configuration of node-1"));
        // The addresses change their owners.
        one.run("ip", &["address", "flush", "dev", "eth0"]).good();
        other.use_address("10.10.10.50".parse().unwrap());
        other.run("busybox", &["arping", "-U", "-c", "1", "-I", "eth0", "10.10.10.50"]);
        gets_nothing(&other, &["X-Forwarded-For: 10.10.10.51"]);
        one.use_address("10.10.10.51".parse().unwrap());
        one.run("busybox", &["arping", "-U", "-c", "1", "-I", "eth0", "10.10.10.51"]);
        one.get(&dashed("/talos/MAC.yaml", NODE_1));
    });
}
