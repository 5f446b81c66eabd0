//! The page in a real browser: what a person sees of the box while real machines boot from it.
//! Pictures are in `target/page/`.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests fail so")]
#![allow(clippy::indexing_slicing, clippy::cast_possible_truncation, reason = "tests fail so")]

#[path = "support/browser.rs"]
mod browser;
#[path = "support/net/mod.rs"]
mod net;

use std::fs;
use std::process::{Child, Stdio};

use browser::Browser;
use net::stick::{IMAGE, NODE_1, NODE_2, STRANGER, Stick};
use net::{Appliance, Firmware, Lan, Machine, Server, isolated};
use serde_json::Value;

const PAGE: &str = "http://10.10.10.1:8080/";

const PASSWORD: &str = "correct horse battery";

/// A box that is being watched, and whose admin has a password.
struct Scene {
    browser: Browser,
    server: Option<Server>,
    appliance: Appliance,
}

impl Scene {
    fn new() -> Scene {
        let hash = pxeberry::http::admin::hash_line(format!("{PASSWORD}\n").as_bytes()).unwrap();
        let appliance = Appliance::new("server", &format!("admin.{hash}"));
        Scene { browser: Browser::starts(), server: None, appliance }
    }

    fn serves(&mut self) {
        self.server = Some(self.appliance.serves());
    }

    /// What a person would complain of: the console's words, and barriers of a serious kind.
    #[track_caller]
    fn is_sound(&mut self, what: &str) {
        let axe = concat!(env!("CARGO_MANIFEST_DIR"), "/target/axe/axe.min.js");
        let axe = fs::read_to_string(axe).expect("no axe-core; tests/page/fetch-axe brings it");
        self.browser.eval(&format!("{axe};0"));
        let found = self.browser.eval(
            "axe.run().then((all) => all.violations
                .filter((one) => ['serious', 'critical'].includes(one.impact))
                .map((one) => one.id + ': ' + one.nodes.map((node) =>
                    node.html + ' ' + node.any.map((any) => any.message).join()).join('\\n')))",
        );
        assert_eq!(found, serde_json::json!([]), "{what}");
        assert_eq!(self.browser.complaints, Vec::<String>::new(), "{what}");
        let wide = self
            .browser
            .eval("document.documentElement.scrollWidth - document.documentElement.clientWidth");
        assert!(wide.as_i64() <= Some(0), "{what} is {wide} px too wide");
    }
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// It takes its installer as a BIOS does.
fn begins(machine: &Machine) {
    machine.boots(Firmware::Bios);
    machine.tftp_text("pxelinux.cfg/default");
    machine.get("/cloud-configs/install.sh");
}

/// It installs itself to the end.
fn installs(machine: &Machine) {
    machine.boots(Firmware::Bios);
    machine.tftp_text("pxelinux.cfg/default");
    let script = String::from_utf8(machine.get("/cloud-configs/install.sh")).unwrap();
    let token = script.split("token='").nth(1).and_then(|rest| rest.split('\'').next()).unwrap();
    machine.get(&format!("/v1/event?token={token}&event=installed"));
}

const CONFIG: &str = "#cloud-config\nhostname: a\n";

/// A download that takes its time.
struct Slow(Child);

impl Slow {
    fn begins(machine: &Machine) -> Slow {
        let url = format!("http://10.10.10.1:8080/1185.3.0/{IMAGE}");
        let words = ["curl", "-s", "--limit-rate", "300k", "-o", "/dev/null", &url];
        let mut command = machine.namespace.command(&words);
        Slow(command.stdin(Stdio::null()).spawn().unwrap())
    }
}

impl Drop for Slow {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A stick with a room of machines, a large image, and a mistake.
fn room(appliance: &Appliance) -> Stick {
    let stick = appliance.sample_stick();
    let named = [("web-1", NODE_1), ("web-2", NODE_2)].into_iter();
    let more = [("db-1", "52:54:00:00:00:03"), ("build-1", "52:54:00:00:00:04")];
    let machine = |(name, mac)| format!("[[machine]]\nname = \"{name}\"\nmac = \"{mac}\"\n");
    stick.write("machines.toml", named.chain(more).map(machine).collect::<String>());
    stick.write(&format!("images/coreos/1185.3.0/{IMAGE}"), vec![7; 60_000_000]);
    for mac in ["52-54-00-00-00-03", "52-54-00-00-00-04"] {
        stick.write(&format!("cloud-configs/{mac}.yml"), CONFIG);
    }
    stick.image("1235.9.0");
    stick.write("profiles/mine.toml", "name = \"mine\"\nkernell = \"vmlinuz\"\n");
    stick
}

/// One machine is installed, one installs itself, one has failed, one waits.
fn four_machines(lan: &Lan) -> (Vec<Machine>, Slow) {
    let macs = [NODE_1, NODE_2, "52:54:00:00:00:03"];
    let machines: Vec<Machine> = macs.iter().map(|mac| lan.machine(mac)).collect();
    installs(&machines[0]);
    for _ in 0..4 {
        machines[2].boots(Firmware::IpxeEfiX64);
        machines[2].get("/boot/52-54-00-00-00-03.ipxe");
        machines[2].curl("/cloud-configs/install.sh");
    }
    machines[2].curl(
        "/v1/boot?mac=52-54-00-00-00-03&stage=initrd&error=0x34182006&memory=0004-0004------",
    );
    let stranger = lan.machine(STRANGER);
    stranger.boots(Firmware::EfiX64);
    begins(&machines[1]);
    let slow = Slow::begins(&machines[1]);
    (machines, slow)
}

/// Such a room, with a browser before it.
fn busy_room(lan: &Lan) -> (Scene, Vec<Machine>, Slow) {
    let mut scene = Scene::new();
    room(&scene.appliance);
    scene.serves();
    let (machines, slow) = four_machines(lan);
    scene.server.as_ref().unwrap().log.wait_for("takes images/coreos/1185.3.0/");
    (scene, machines, slow)
}

#[test]
fn an_empty_box_says_what_to_do_and_the_page_follows_by_itself() {
    isolated(|_| {
        let mut scene = Scene::new();
        scene.server = Some(scene.appliance.serves_without_stick());
        scene.browser.opens(PAGE);
        scene.browser.waits_for("document.title.startsWith('scanning')");
        scene.browser.shoots("scanning");
        scene.is_sound("scanning");
        // A stick may take so long to show up after power-on.
        scene.browser.waits_for("document.title.startsWith('no-stick')");
        scene.browser.shoots("empty");
        scene.is_sound("empty");
        let page = scene.browser.eval("document.body.innerText");
        assert!(text(&page).contains("Plug in a stick with images"), "{page}");
        scene.appliance.sample_stick();
        scene.server.as_ref().unwrap().hangup();
        scene.browser.waits_for("document.body.innerText.includes('node-1')");
        scene.browser.waits_for("document.title.startsWith('ready')");
        scene.is_sound("ready");
    });
}

#[test]
fn a_room_is_seen_at_a_glance_by_day_by_night_and_on_a_telephone() {
    isolated(|lan| {
        let (mut scene, _machines, _slow) = busy_room(&lan);
        scene.browser.opens(PAGE);
        scene.browser.waits_for("document.querySelector('progress')");
        let weight = scene.browser.weight();
        println!("measured: the page of a room weighs {weight} bytes");
        assert!(weight > 0 && weight <= 60 * 1024, "{weight}");
        let outside = scene.browser.eval(
            "performance.getEntriesByType('resource').map((one) => one.name)
                .filter((name) => !name.startsWith('http://10.10.10.1:8080/'))",
        );
        assert_eq!(outside, serde_json::json!([]));
        let page = scene.browser.eval("document.body.innerText");
        for words in
            ["web-1", "installed", "60 MB", "db-1", "too little memory", "profiles/mine.toml:2"]
        {
            assert!(text(&page).contains(words), "{words}: {page}");
        }
        for (name, width, height, dark) in [
            ("room", 1_280, 900, false),
            ("room-dark", 1_280, 900, true),
            ("room-phone", 390, 844, false),
            ("room-phone-dark", 390, 844, true),
        ] {
            scene.browser.looks(width, height, dark);
            scene.browser.shoots(name);
            scene.is_sound(name);
        }
        scene.browser.looks(1_280, 900, false);
        let value = "document.querySelector('progress').value";
        let before = scene.browser.eval(value);
        scene.browser.waits_for(&format!("{value} > {before}"));
    });
}

#[test]
fn a_failed_boot_has_its_whole_story_on_a_page_of_its_own() {
    isolated(|lan| {
        let (mut scene, machines, _slow) = busy_room(&lan);
        scene.browser.opens(PAGE);
        scene.browser.clicks("#m-52-54-00-00-00-03 a");
        scene.browser.loaded();
        let page = scene.browser.eval("document.body.innerText");
        for words in ["db-1", "failed", "not installed after 3 attempts", "too little memory"] {
            assert!(text(&page).contains(words), "{words}: {page}");
        }
        scene.browser.shoots("story");
        scene.is_sound("story");
        scene.browser.looks(390, 844, true);
        scene.browser.shoots("story-phone-dark");
        scene.is_sound("story on a telephone");
        // It goes on while it is looked at.
        let entries = "document.querySelectorAll('.time li').length";
        let before = scene.browser.eval(entries);
        machines[2].boots(Firmware::Bios);
        scene.browser.waits_for(&format!("{entries} > {before}"));
    });
}

#[test]
fn without_a_script_all_of_it_can_be_read() {
    isolated(|lan| {
        let (mut scene, _machines, _slow) = busy_room(&lan);
        scene.browser.runs_scripts(false);
        scene.browser.opens(PAGE);
        scene.browser.shoots("room-without-script");
        let links = scene.browser.tell("DOM.getDocument", serde_json::json!({ "depth": -1 }));
        let links = links.to_string();
        for words in ["web-1", "60 MB", "too little memory", "/machines/52-54-00-00-00-03"] {
            assert!(links.contains(words), "{words}");
        }
        scene.browser.opens(&format!("{PAGE}machines/52-54-00-00-00-03"));
        let story = scene.browser.tell("DOM.getDocument", serde_json::json!({ "depth": -1 }));
        assert!(story.to_string().contains("not installed after 3 attempts"));
        assert_eq!(scene.browser.complaints, Vec::<String>::new());
    });
}

#[test]
fn the_admin_arms_a_machine_with_the_keyboard_alone() {
    isolated(|lan| {
        let (mut scene, _machines, _slow) = busy_room(&lan);
        scene.browser.opens(&format!("{PAGE}login"));
        scene.browser.shoots("sign-in");
        scene.is_sound("sign-in");
        scene.browser.types(PASSWORD);
        scene.browser.presses("Enter");
        scene.browser.loaded();
        scene.browser.waits_for("document.body.innerText.includes('Sign out')");
        scene.browser.opens(&format!("{PAGE}machines/52-54-00-00-00-03"));
        scene.browser.shoots("story-admin");
        scene.is_sound("story of the admin");
        let focus =
            "document.activeElement === document.body ? '' : document.activeElement.innerText";
        for word in ["Install it again", "Arm it"] {
            let mut tabs = 0;
            while !text(&scene.browser.eval(focus)).contains(word) {
                scene.browser.presses("Tab");
                tabs += 1;
                assert!(tabs < 12, "{word} is not reached");
            }
            scene.browser.presses("Enter");
        }
        scene.browser.waits_for("document.querySelector('#said').innerText.includes('Armed')");
        scene.browser.waits_for("document.querySelector('.pill').innerText.includes('armed')");
        assert_eq!(scene.appliance.machine("52:54:00:00:00:03").0, "armed");
        assert_eq!(scene.browser.complaints, Vec::<String>::new());
    });
}

#[test]
fn the_page_keeps_what_a_person_has_unfolded_and_says_when_the_box_is_away() {
    isolated(|lan| {
        let (mut scene, machines, _slow) = busy_room(&lan);
        scene.browser.opens(PAGE);
        scene.browser.clicks("#patterns summary");
        scene.browser.eval("document.querySelector('#patterns summary').focus(); scrollTo(0, 300)");
        begins(&machines[0]);
        let fourth = lan.machine("52:54:00:00:00:04");
        begins(&fourth);
        scene.browser.waits_for(
            "document.querySelector('#m-52-54-00-00-00-04').innerText.includes('installing')",
        );
        let kept =
            "[document.querySelector('#patterns').open, scrollY, document.activeElement.tagName]";
        assert_eq!(scene.browser.eval(kept), serde_json::json!([true, 300, "SUMMARY"]));
        assert_eq!(scene.browser.complaints, Vec::<String>::new());
        scene.server.take().unwrap().dies();
        scene.browser.waits_for("!document.querySelector('#away').hidden");
        let words = scene.browser.eval("document.querySelector('#away').innerText");
        assert!(text(&words).starts_with("This box does not answer"), "{words}");
        scene.browser.shoots("away");
        scene.serves();
        scene.browser.waits_for("document.querySelector('#away').hidden");
        assert_eq!(scene.browser.eval("document.querySelector('#patterns').open"), true);
    });
}
