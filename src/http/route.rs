//! What a path means. Pure: the old box's URLs, the boot tree, and reports.

use crate::fleet::trouble::{Failure, Step, memory};
use crate::inventory::configs::Part;
use crate::inventory::cpu::Cpu;
use crate::inventory::iso::is_iso;
use crate::inventory::{ConfigKind, Version};
use crate::net::Mac;
use crate::tftp::tree::Name;

/// A place on this server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Route {
    /// `/`: the state, for people.
    Page,
    /// `/metrics`: numbers for Prometheus.
    Metrics,
    /// `/boot/<name>`: the same tree as TFTP.
    Boot(Name),
    /// `/cloud-configs/install.sh`
    InstallScript,
    /// `/cloud-configs/<mac>.yml`, `/autoinstall/<mac>/user-data`: a machine's configuration,
    /// in any spelling of its MAC.
    Config(ConfigKind, Part, Mac),
    /// `/boot/<mac>.ipxe?uuid=…&serial=…`: the same as `Boot`, and who it is.
    Introduction {
        /// Whose script it asks for.
        mac: Mac,
        /// SMBIOS UUID as iPXE writes it.
        uuid: String,
        /// SMBIOS serial number.
        serial: String,
    },
    /// `/<version>/<file>`: a published file of an image, as the old box had it.
    OldImageFile(Version, String),
    /// `/<processor>/<version>/<file>`: the same of one that is made for another processor.
    OldImageFileFor(Cpu, Version, String),
    /// `/current/<file>`: the same of the newest version.
    CurrentImageFile(String),
    /// `/images/<system>/<version>/<path>`
    ImageFile(String, Version, String),
    /// `/images/…/<name>.iso`, and everything below it: the ISO's own tree.
    Iso(String),
    /// `/v1/event?token=…&event=…`: an installer's report.
    Event {
        /// The installation's token.
        token: String,
        /// `installed` or `failed`.
        event: String,
    },
    /// `/v1/hello?mac=…&memory=…&chip=…`: what iPXE knows of its machine.
    Hello {
        /// The card that the machine booted from.
        mac: Mac,
        /// Memory in MiB, if it says.
        memory: Option<u32>,
        /// The card's driver or chip.
        chip: String,
    },
    /// `/v1/boot?mac=…&stage=…&error=…&memory=…`: a step of our iPXE script failed.
    BootFailed {
        /// The card that the machine booted from.
        mac: Mac,
        /// What its iPXE says of it.
        failure: Failure,
    },
    /// `/machines/<mac>`: all that happened to it, for people.
    Machine(Mac),
    /// `/machines/<mac>/<act>`: a form of that page.
    Act(Mac, String),
    /// `/login`
    SignIn,
    /// `/logout`
    SignOut,
    /// `/rescan`: a form of the page.
    Rescan,
    /// `/api/v1/…`, without `/api`.
    Api(String),
    /// Nothing that was ever here.
    Nowhere,
}

impl Route {
    /// Whether a person is to be answered, by his browser or by a program of his.
    pub fn is_for_people(&self) -> bool {
        use Route::{Act, Api, Machine, Metrics, Page, Rescan, SignIn, SignOut};
        matches!(self, Page | Metrics | Machine(_) | Act(..) | SignIn | SignOut | Rescan | Api(_))
    }

    /// Whether a machine's life may go on by this answer, which the card must hold first.
    pub fn may_be_written_down(&self) -> bool {
        matches!(
            self,
            Route::Boot(_)
                | Route::Introduction { .. }
                | Route::InstallScript
                | Route::Config(..)
                | Route::Event { .. }
        )
    }
}

/// Finds the place for a request target like `/a/b?c=d` or `http://host/a/b`.
pub fn route(target: &str) -> Route {
    let target = without_origin(target);
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let Some(path) = decode(path) else {
        return Route::Nowhere;
    };
    // Old installers send a double slash before the version; nginx merged them.
    let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
    if parts.iter().any(|part| matches!(*part, "." | "..") || part.contains('\\')) {
        return Route::Nowhere;
    }
    let version = |name: &str| Version::new(name);
    match parts.as_slice() {
        [] => Route::Page,
        ["metrics"] => Route::Metrics,
        ["login"] => Route::SignIn,
        ["logout"] => Route::SignOut,
        ["rescan"] => Route::Rescan,
        ["machines", mac] => mac.parse().map_or(Route::Nowhere, Route::Machine),
        ["machines", mac, act] => {
            mac.parse().map_or(Route::Nowhere, |mac| Route::Act(mac, (*act).to_owned()))
        }
        ["api", "v1", ..] => {
            Route::Api(format!("/{}", parts.get(1..).unwrap_or_default().join("/")))
        }
        // A GRUB that came by HTTP keeps to its built-in folder, which is at the top.
        ["grub", ..] => Name::parse(&parts.join("/")).map_or(Route::Nowhere, Route::Boot),
        ["boot", name @ ..] => match Name::parse(&name.join("/")) {
            Some(Name::IpxeScript(mac)) if !query.is_empty() => Route::Introduction {
                mac,
                uuid: value(query, "uuid"),
                serial: value(query, "serial"),
            },
            name => name.map_or(Route::Nowhere, Route::Boot),
        },
        [folder, name] if is_install_script(folder, name) => Route::InstallScript,
        [folder, name @ ..] if let Some(kind) = ConfigKind::of_folder(folder) => {
            config(kind, &name.join("/"))
        }
        ["v1", "event"] => event(query),
        ["v1", "hello"] => hello(query).unwrap_or(Route::Nowhere),
        ["v1", "boot"] => boot_failed(query).unwrap_or(Route::Nowhere),
        ["current", file] => Route::CurrentImageFile((*file).to_owned()),
        ["images", rest @ ..] if rest.iter().any(|part| is_iso(part)) => {
            Route::Iso(parts.join("/"))
        }
        ["images", system, folder, _, ..] => version(folder).map_or(Route::Nowhere, |version| {
            let file = parts.get(3..).unwrap_or_default().join("/");
            Route::ImageFile((*system).to_owned(), version, file)
        }),
        [cpu, folder, file] if let Some(cpu) = Cpu::named(cpu) => version(folder)
            .map_or(Route::Nowhere, |version| {
                Route::OldImageFileFor(cpu, version, (*file).to_owned())
            }),
        [folder, file] => version(folder)
            .map_or(Route::Nowhere, |version| Route::OldImageFile(version, (*file).to_owned())),
        _ => Route::Nowhere,
    }
}

fn is_install_script(folder: &str, name: &str) -> bool {
    ConfigKind::of_folder(folder) == Some(ConfigKind::CloudConfig)
        && name.eq_ignore_ascii_case("install.sh")
}

/// Templates are on sticks, not in URLs.
fn config(kind: ConfigKind, name: &str) -> Route {
    match kind.parse_name(name) {
        Some((owner, part, false)) => {
            owner.parse().map_or(Route::Nowhere, |mac| Route::Config(kind, part, mac))
        }
        _ => Route::Nowhere,
    }
}

fn event(query: &str) -> Route {
    Route::Event { token: value(query, "token"), event: value(query, "event") }
}

/// A value of the query, decoded; empty if it is not there or is no text.
pub fn value(query: &str, key: &str) -> String {
    let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
    let found = pairs.into_iter().find(|(name, _)| *name == key);
    found.and_then(|(_, value)| percent(value, &[])).unwrap_or_default()
}

fn hello(query: &str) -> Option<Route> {
    let mac = value(query, "mac").parse().ok()?;
    let chip: String = value(query, "chip").chars().take(LONGEST_CHIP).collect();
    Some(Route::Hello { mac, memory: memory(&value(query, "memory")), chip })
}

/// `82540em`, `virtio-net`, `SNP`; what is longer is no chip.
const LONGEST_CHIP: usize = 32;

/// All of it are numbers and known words: nothing that a client makes up gets further.
fn boot_failed(query: &str) -> Option<Route> {
    let mac = value(query, "mac").parse().ok()?;
    let step = Step::named(&value(query, "stage"))?;
    let error = value(query, "error");
    let error = u32::from_str_radix(error.trim_start_matches("0x"), 16).ok()?;
    let has = memory(&value(query, "memory"));
    Some(Route::BootFailed { mac, failure: Failure { step, error, has, needs: None } })
}

/// Proxies send the whole URL in the request line.
fn without_origin(target: &str) -> &str {
    match target.strip_prefix("http://") {
        Some(rest) => rest.find('/').and_then(|at| rest.get(at..)).unwrap_or("/"),
        None => target,
    }
}

/// Percent-decoding, once. None for what is not text, or would be another path decoded.
fn decode(path: &str) -> Option<String> {
    percent(path, b"/\\")
}

fn percent(text: &str, forbidden: &[u8]) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        rest = after;
        if *first != b'%' {
            bytes.push(*first);
            continue;
        }
        let (digits, after) = rest.split_at_checked(2)?;
        let digits = std::str::from_utf8(digits).ok()?;
        let plain = digits.bytes().all(|digit| digit.is_ascii_hexdigit());
        let byte = u8::from_str_radix(digits, 16).ok().filter(|_| plain)?;
        if forbidden.contains(&byte) {
            return None;
        }
        bytes.push(byte);
        rest = after;
    }
    let text = String::from_utf8(bytes).ok()?;
    (!text.chars().any(char::is_control)).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn version(text: &str) -> Version {
        Version::new(text).unwrap()
    }

    #[test]
    fn the_old_boxs_urls_lead_where_they_did() {
        let image = "coreos_production_image.bin.bz2";
        let old = Route::OldImageFile(version("1185.3.0"), image.to_owned());
        assert_eq!(route(&format!("/1185.3.0/{image}")), old);
        assert_eq!(route(&format!("//1185.3.0/{image}")), old);
        let of_arm = Route::OldImageFileFor(Cpu::Arm64, version("1185.3.0"), image.to_owned());
        assert_eq!(route(&format!("/arm64/1185.3.0/{image}")), of_arm);
        assert_eq!(route(&format!("/tftp/1185.3.0/{image}")), Route::Nowhere);
        assert_eq!(route("/cloud-configs/install.sh"), Route::InstallScript);
        assert_eq!(
            route("/current/version.txt"),
            Route::CurrentImageFile("version.txt".to_owned())
        );
    }

    #[test]
    fn grub_finds_its_configuration_from_the_top_and_in_the_boot_tree() {
        let config = Route::Boot(Name::GrubDefault("grub/x86_64-efi/grub.cfg".to_owned()));
        assert_eq!(route("/grub/x86_64-efi/grub.cfg"), config);
        assert_eq!(route("/boot/grub/x86_64-efi/grub.cfg"), config);
        let list = Route::Boot(Name::Other("grub/x86_64-efi/fs.lst".to_owned()));
        assert_eq!(route("/grub/x86_64-efi/fs.lst"), list);
    }

    #[test]
    fn a_config_is_found_in_every_spelling_of_its_mac() {
        let mac = "00:25:90:c0:f7:86".parse().unwrap();
        let config = Route::Config(ConfigKind::CloudConfig, Part::Whole, mac);
        for name in [
            "00:25:90:c0:f7:86.yml",
            "00%3A25%3a90:c0:f7:86.yml",
            "00-25-90-C0-F7-86.yml",
            "00:25:90:C0:F7:86.YML",
            "002590c0f786.yml",
        ] {
            assert_eq!(route(&format!("/cloud-configs/{name}")), config, "{name}");
        }
    }

    #[test]
    fn an_isos_own_tree_is_below_its_name() {
        for (target, path) in [
            ("/images/debian-13.iso", "images/debian-13.iso"),
            ("/images/debian/13/x.ISO/a/b", "images/debian/13/x.ISO/a/b"),
            ("//images//x.iso//a%20b/", "images/x.iso/a b"),
            ("/images/a/b/x.iso", "images/a/b/x.iso"),
        ] {
            assert_eq!(route(target), Route::Iso(path.to_owned()), "{target}");
        }
        for target in ["/images/x.iso/../y", "/images/x.iso/%2e%2e/y", "/images/x.iso/a%2fb"] {
            assert_eq!(route(target), Route::Nowhere, "{target}");
        }
    }

    #[test]
    fn nothing_leads_out_of_the_exported_names() {
        for target in [
            "/../etc/passwd",
            "/images/../../etc/passwd",
            "/%2e%2e/1.0/x",
            "/1.0/%2e%2e",
            "/1.0/..%2fx",
            "/1.0/x%00",
            "/1.0/x%0a",
            "/1.0/%c0%ae",
            "/1.0/%zz",
            "/1.0/%",
            "/1.0/a\\b",
            "/cloud-configs/",
            "/cloud-configs",
            "/cloud-configs/x.yml",
            "/etc/passwd",
        ] {
            assert_eq!(route(target), Route::Nowhere, "{target}");
        }
        // Decoded once, this is a strange file name, not a path.
        let name = "%2e%2e".to_owned();
        assert_eq!(route("/1.0/%252e%252e"), Route::OldImageFile(version("1.0"), name));
    }

    #[test]
    fn a_whole_url_in_the_request_line_is_understood() {
        assert_eq!(route("http://10.10.10.1:8080/"), Route::Page);
        assert_eq!(route("http://10.10.10.1"), Route::Page);
    }

    #[test]
    fn people_have_places_of_their_own() {
        let mac = "52:54:00:00:00:01".parse().unwrap();
        assert_eq!(route("/machines/52-54-00-00-00-01?x"), Route::Machine(mac));
        assert_eq!(route("/machines/525400000001/arm"), Route::Act(mac, "arm".to_owned()));
        assert_eq!(route("/machines/node-1"), Route::Nowhere);
        assert_eq!(route("/api/v1/machines"), Route::Api("/v1/machines".to_owned()));
        assert_eq!(route("/api/v2/machines"), Route::Nowhere);
        for place in ["/", "/login", "/logout", "/rescan", "/api/v1/status"] {
            assert!(route(place).is_for_people(), "{place}");
        }
        assert!(!route("/v1/event?token=ab&event=installed").is_for_people());
    }

    #[test]
    fn a_report_carries_its_token() {
        let expected = Route::Event { token: "ab".to_owned(), event: "installed".to_owned() };
        assert_eq!(route("/v1/event?token=ab&event=installed"), expected);
    }

    #[test]
    fn ipxe_says_what_its_machine_is_in_few_words() {
        let mac = "52:54:00:00:00:01".parse().unwrap();
        let said = route("/v1/hello?mac=52-54-00-00-00-01&memory=0008-------&chip=virtio%2dnet");
        let chip = "virtio-net".to_owned();
        assert_eq!(said, Route::Hello { mac, memory: Some(2048), chip });
        let long = format!("/v1/hello?mac=52-54-00-00-00-01&chip={}", "x".repeat(5_000));
        assert_eq!(route(&long), Route::Hello { mac, memory: None, chip: "x".repeat(32) });
        assert_eq!(route("/v1/hello?memory=0008"), Route::Nowhere);
    }

    #[test]
    fn what_ipxe_reports_is_numbers_and_known_words_or_nothing() {
        let mac = "52:54:00:00:00:01".parse().unwrap();
        let place = |query: &str| route(&format!("/v1/boot?mac=52-54-00-00-00-01&{query}"));
        let failure =
            Failure { step: Step::Kernel, error: 0x2d0c_618e, has: Some(64), needs: None };
        let expected = Route::BootFailed { mac, failure };
        assert_eq!(place("stage=kernel&error=0x2d0c618e&memory=4000-------"), expected);
        let failure = Failure { has: None, error: 0xf0a_6039, ..failure };
        assert_eq!(
            place("stage=kernel&error=0xf0a6039&memory="),
            Route::BootFailed { mac, failure }
        );
        for query in ["", "stage=kernel", "stage=x&error=1", "stage=kernel&error=100000000"] {
            assert_eq!(place(query), Route::Nowhere, "{query}");
        }
        assert_eq!(route("/v1/boot?mac=x&stage=kernel&error=1"), Route::Nowhere);
    }
}
