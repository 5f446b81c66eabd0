//! A machine that does what it is told, as its firmware, its loader, its installer and its
//! configuration say, one step after the other; and what of it can be cut off.

use super::net::stick::Stick;
use super::net::{Appliance, Firmware, Lan, Machine};
use super::systems::{End, SYSTEMS, System, content};

/// What a machine does between power on and its report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Step {
    /// It has its address and its boot script.
    Script,
    /// It has kernel and initial RAM disks.
    Files,
    /// Its installer has its configuration.
    Config,
    /// It has what it writes to the disk, or a part of it.
    Image,
    /// It has reported.
    Report,
}

impl Step {
    pub const ALL: [Step; 5] = [Step::Script, Step::Files, Step::Config, Step::Image, Step::Report];
}

/// A system with one of its configurations.
#[derive(Debug, Clone, Copy)]
pub struct Case {
    pub system: &'static System,
    /// Whether its configuration is the example that reports.
    pub example: bool,
}

impl Case {
    /// Every system with every configuration that it can have.
    pub fn all() -> Vec<Case> {
        let both = |system: &'static System| [false, true].map(|example| Case { system, example });
        let all = SYSTEMS.iter().flat_map(both);
        all.filter(|case| !case.example || case.system.example.is_some()).collect()
    }

    /// The name of its configuration, and of machines that have it.
    pub fn name(&self) -> String {
        let end = if self.example { "reports" } else { "plain" };
        format!("{}-{end}", self.system.name)
    }

    /// Whether its machine, or what it installs, says that it is installed.
    pub fn reports(&self) -> bool {
        self.example || self.system.added || self.system.end == End::Script
    }

    /// Whether a machine that came so far, and lost its power then, has been given the last
    /// thing that may have it installed: the next boot leads to its disk.
    pub fn is_done_after(&self, step: Step) -> bool {
        match self.system.end {
            End::Script => step >= Step::Report,
            End::Installer if self.reports() => step >= Step::Report,
            End::Installer | End::Config => step >= Step::Config,
            End::File => step >= Step::Files,
        }
    }

    /// Whether one that came so far, and has not reported, tries its disk and is left to a
    /// person: its report is not its owner's, and perhaps never arrives.
    pub fn is_tried_after(&self, step: Step) -> bool {
        let added = self.system.added && !self.example && self.system.end == End::Installer;
        added && (Step::Config..Step::Report).contains(&step)
    }

    /// The steps that there are.
    pub fn steps(&self) -> Vec<Step> {
        let there = |step: &Step| match step {
            Step::Config => self.system.plain.is_some(),
            Step::Image => self.system.takes.is_some(),
            Step::Report => self.reports(),
            _ => true,
        };
        Step::ALL.into_iter().filter(there).collect()
    }
}

/// A stick with every system, every configuration, and these machines.
pub fn stick(appliance: &Appliance, machines: &[(String, &Case, &str)]) -> Stick {
    let stick = Stick::empty(&appliance.media().join("stick"));
    for file in SYSTEMS.iter().flat_map(|system| system.files) {
        stick.write(&format!("images/{file}"), content(file));
    }
    for case in Case::all() {
        let (Some((place, text)), name) = (case.system.plain, case.name()) else {
            continue;
        };
        match case.system.example.filter(|_| case.example) {
            Some(example) => {
                stick.write(&format!("{}.j2", place.replace("NAME", &name)), text_of(example))
            }
            None => stick.write(&place.replace("NAME", &name), text),
        }
    }
    let mut list = "[defaults]\nlabels = { ssh_key = \"ssh-ed25519 AAAA it's me\" }\n".to_owned();
    for (mac, case, more) in machines {
        let image = case.system.image;
        list += &format!("[[machine]]\nmac = \"{mac}\"\nimage = \"{image}\"\n{more}\n");
        if case.system.plain.is_some() {
            list += &format!("config = \"{}\"\n", case.name());
        }
    }
    stick.write("machines.toml", list);
    stick
}

fn text_of(example: &str) -> String {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/board/examples");
    std::fs::read_to_string(format!("{folder}/{example}")).unwrap()
}

/// The machine with this number.
pub fn mac(number: usize) -> String {
    format!("52:54:00:00:{:02x}:{:02x}", 1 + number / 256, number % 256)
}

/// What a machine is told to boot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Told {
    Install,
    Disk,
}

/// A machine of a case, wherever it is.
pub struct Client {
    pub case: Case,
    pub mac: String,
    pub machine: Machine,
    script: String,
    /// What its installer was given, one text behind the other.
    given: String,
}

impl Client {
    pub fn new(lan: &Lan, case: Case, mac: &str) -> Client {
        let machine = lan.machine(mac);
        let (script, given) = (String::new(), String::new());
        Client { case, mac: mac.to_owned(), machine, script, given }
    }

    /// For messages.
    pub fn name(&self) -> String {
        format!("{} ({})", self.case.name(), self.mac)
    }

    /// What its installer was given last.
    pub fn given(&self) -> &str {
        &self.given
    }

    /// Power on.
    #[track_caller]
    pub fn boots(&mut self) -> Told {
        self.machine.boots(Firmware::IpxeBios);
        self.given.clear();
        let path = format!("/boot/{}.ipxe", self.mac.replace(':', "-"));
        self.script = self.takes(&path);
        match (self.script.contains("\nkernel "), self.script.contains("sanboot ")) {
            (true, false) => Told::Install,
            (false, true) => Told::Disk,
            _ => panic!("{}: {}", self.name(), self.script),
        }
    }

    /// The steps up to this one, from the beginning.
    #[track_caller]
    pub fn walks_to(&mut self, last: Step) {
        for step in self.case.steps().into_iter().filter(|step| *step <= last) {
            self.does(step);
        }
    }

    /// One step.
    #[track_caller]
    pub fn does(&mut self, step: Step) {
        match step {
            Step::Script => assert_eq!(self.boots(), Told::Install, "{}", self.name()),
            Step::Files => self.takes_files(),
            Step::Config => self.takes_config(),
            Step::Image => drop(self.takes(self.case.system.takes.unwrap())),
            Step::Report => {
                let path = self.report("installed");
                assert_eq!(self.takes(&path), "ok");
            }
        }
    }

    /// The path of the report in what its installer was given.
    #[track_caller]
    pub fn report(&self, event: &str) -> String {
        let begin = "/v1/event?token=";
        let token = match self.given.split("\ntoken='").nth(1) {
            Some(rest) => rest.split('\'').next().unwrap(),
            None => {
                let behind = self.given.split(begin).nth(1);
                behind
                    .unwrap_or_else(|| panic!("{}: {}", self.name(), self.given))
                    .get(..32)
                    .unwrap()
            }
        };
        format!("{begin}{token}&event={event}")
    }

    fn takes_files(&mut self) {
        let script = self.script.clone();
        let lines = script.lines().filter_map(|line| line.split_once(' '));
        let lines = lines.filter(|(word, _)| matches!(*word, "kernel" | "initrd"));
        let paths: Vec<&str> = lines.map(|(_, rest)| path(rest)).collect();
        assert!(paths.len() > usize::from(self.case.system.name != "esxi"), "{script}");
        paths.into_iter().for_each(|path| drop(self.takes(path)));
    }

    /// What its kernel was told, and what is told there in turn.
    fn takes_config(&mut self) {
        let line = self.script.lines().find(|line| line.starts_with("kernel ")).unwrap().to_owned();
        let told = match line.split_once(" -c ") {
            Some((_, file)) => self.takes(path(file)),
            None => line,
        };
        let config = told.split_whitespace().rev().find(|word| self.is_config(word));
        let url = path(config.unwrap_or_else(|| panic!("{}: {told}", self.name()))).to_owned();
        if url.ends_with('/') {
            self.takes(&format!("{url}meta-data"));
            self.given = self.takes(&format!("{url}user-data"));
            self.takes(&format!("{url}vendor-data"));
        } else {
            self.given = self.takes(&url);
        }
        if self.case.system.end == End::Script {
            let word =
                |key: &str| self.given.split(key).nth(1).unwrap().split('\'').next().unwrap();
            let (folder, ending) = (word("\nfolder='"), word("\nending='"));
            self.takes(&format!("/{folder}/{}.{ending}", self.mac));
        }
    }

    fn is_config(&self, word: &str) -> bool {
        let dashed = self.mac.replace(':', "-");
        word.contains("/install.sh")
            || word.contains("=http://") && word.contains(&dashed) && !word.contains("/boot/")
    }

    /// The text of a path; it is there.
    #[track_caller]
    pub fn takes(&self, path: &str) -> String {
        let (status, text) = self.asks("GET", path);
        assert_eq!(status, 200, "{}: {path}: {text}", self.name());
        text
    }

    /// What is answered.
    #[track_caller]
    pub fn asks(&self, method: &str, path: &str) -> (u16, String) {
        let answer = self.machine.connect(8080).ask(method, path, &[]);
        (answer.status, String::from_utf8(answer.body).unwrap())
    }
}

/// Of the URL in a word, behind its host.
fn path(words: &str) -> &str {
    let url = words.split("http://10.10.10.1:8080").nth(1).unwrap_or_else(|| panic!("{words}"));
    url.split_whitespace().next().unwrap()
}
