//! Machines' configurations: only the machine itself gets its own, rendered where it is a
//! template.

use std::net::Ipv4Addr;
use std::sync::Arc;

use super::answer::missing;
use super::response::Found;
use crate::boot::plan::{Media, Plan};
use crate::fleet::life::{Event, Phase};
use crate::fleet::stage::{Sign, Stage};
use crate::fleet::timeline::{Note, Source, Weight};
use crate::inventory::assign::{Served, WORTHLESS_TOKEN, serve};
use crate::inventory::configs::{Part, Setting};
use crate::inventory::ending::OTHER_TOKEN;
use crate::inventory::profile::Purpose;
use crate::inventory::{ConfigKind, MediaFile};
use crate::net::Mac;
use crate::world::World;
use crate::world::transfers::WhenSent;

/// It may hold passwords and keys: only the machine itself gets it.
pub fn config(
    world: &Arc<World>,
    (kind, part): (ConfigKind, Part),
    mac: Mac,
    asker: Ipv4Addr,
    only_head: bool,
) -> Found {
    let shelf = world.shelf();
    let inventory = &shelf.inventory;
    let asking = world.machine_itself_at(asker);
    let cards = inventory.roster.cards(mac).unwrap_or_else(|| vec![mac]);
    if !asking.is_some_and(|asking| cards.contains(&asking)) && !asker.is_loopback() {
        return somebody_elses(world, mac, asker);
    }
    let server = world.endpoint().base();
    let add_report = world.config.http.add_report;
    let made = |token: &str| {
        let setting = Setting { server: &server, ip: asker, token, add_report };
        serve(inventory, (kind, part), mac, setting)
    };
    let request = Request { world, kind, part, asking, only_head };
    match made(WORTHLESS_TOKEN) {
        Served::File(file) => request.file(file),
        Served::Added(_, plain) => match (request.token(true), *plain) {
            (Token::Real(token), _) => match made(&token) {
                Served::Added(text, _) => request.reporting(text, ", with a report added"),
                _ => Found::NotReady,
            },
            // As its owner wrote it, it installs the machine, too.
            (_, Served::File(file)) => request.file(file),
            (_, Served::Text(text)) => request.plain(text),
            _ => Found::NotReady,
        },
        Served::Text(text) => {
            if !matches!(made(OTHER_TOKEN), Served::Text(other) if other != text) {
                return request.plain(text);
            }
            let token = if only_head { Token::None } else { request.token(false) };
            match token {
                Token::Real(token) => match made(&token) {
                    Served::Text(text) => request.reporting(text, ", which reports"),
                    _ => Found::NotReady,
                },
                Token::NotNow => Found::NotReady,
                Token::None => {
                    request.given("");
                    as_text(text)
                }
            }
        }
        Served::Broken(why) => {
            log::error!("http: {}: {why}", world.name(mac));
            let words = format!("its configuration cannot be made: {why}");
            world.happened_to_known(mac, Source::Config, Weight::Error, &words);
            Found::Missing(format!(
                "usable configuration for {mac}; the server's log says why it is not"
            ))
        }
        // Installers of Ubuntu want it, and take an empty one.
        Served::Nothing
            if matches!(part, Part::MetaData | Part::VendorData)
                && inventory.has_config(kind, mac) =>
        {
            as_text(String::new())
        }
        Served::Nothing => {
            // An installer does without the other parts.
            let is_main = part == kind.main_part();
            if is_main && asking.is_some() && world.media_of(&shelf) == Media::Ready {
                world.saw(mac, &Sign::HasNoConfig(kind.folder()));
            }
            missing(world, &shelf, kind.url(mac).trim_start_matches('/'))
        }
    }
}

fn somebody_elses(world: &World, mac: Mac, asker: Ipv4Addr) -> Found {
    let who = world.name_at(asker);
    log::warn!("http: {who} asked for the configuration of {} and did not get it", world.name(mac));
    if world.knows(mac) {
        // One entry, whoever asks from how many addresses.
        let kind = "somebody else asked for its configuration and did not get it: ";
        let (source, weight) = (Source::Config, Weight::Warning);
        world.noted(mac, &Note { source, weight, kind, detail: &who });
    }
    Found::Forbidden(format!("only {mac} itself gets its configuration"))
}

/// Who asks for what.
struct Request<'a> {
    world: &'a Arc<World>,
    kind: ConfigKind,
    part: Part,
    /// None: on this computer, somebody looks.
    asking: Option<Mac>,
    only_head: bool,
}

impl Request<'_> {
    /// The machine whose installer takes it now.
    fn taken(&self) -> Option<Mac> {
        self.asking.filter(|_| !self.only_head && self.part == self.kind.main_part())
    }

    fn given(&self, words: &str) {
        let Some(mac) = self.asking.filter(|_| !self.only_head) else {
            return;
        };
        let folder = self.kind.folder();
        let words = format!("was given its configuration of {folder}/{words}");
        self.world.happened_to(mac, Source::Config, Weight::Info, &words);
        if self.part == self.kind.main_part() {
            self.world.saw(mac, &Sign::Reaches(Stage::Config));
        }
    }

    fn token(&self, added: bool) -> Token {
        let token = |mac| token(self.world, mac, (self.kind, added), self.only_head);
        self.asking.map_or(Token::None, token)
    }

    /// The last that is heard of an installer that takes it.
    fn file(&self, file: MediaFile) -> Found {
        self.given("");
        Found::File(file, self.taken().map(|mac| when_taken(self.world, mac, self.kind)))
    }

    /// The same of what a template made.
    fn plain(&self, text: String) -> Found {
        if let Some(mac) = self.taken() {
            self.world.config_taken(mac, self.kind);
        }
        self.given("");
        as_text(text)
    }

    /// It reports its end; an installer that hands it on is done with it.
    fn reporting(&self, text: String, words: &str) -> Found {
        let taken = self.taken();
        if let Some(mac) = taken.filter(|_| self.kind.is_for_the_installed_system()) {
            self.world.config_taken(mac, self.kind);
        }
        self.given(words);
        if let Some(mac) = taken {
            self.world.saw(mac, &Sign::WillReport);
        }
        as_text(text)
    }
}

fn when_taken(world: &Arc<World>, mac: Mac, kind: ConfigKind) -> WhenSent {
    let world = Arc::clone(world);
    Box::new(move || world.config_taken(mac, kind))
}

fn as_text(text: String) -> Found {
    Found::Bytes("text/plain; charset=utf-8", text.into_bytes())
}

/// What a configuration that reports is made with.
enum Token {
    /// That of the installation that runs: if it is the installer that reports, the machine is
    /// installed from now on when it says so, and not before.
    Real(String),
    /// There will be one, or it cannot be written down now. A worthless one would have the
    /// machine installed again when it is done.
    NotNow,
    /// Nothing is being installed.
    None,
}

/// For the machine itself and nobody else. Who asks for the head alone changes nothing, and
/// hears how long what it would get is.
fn token(world: &World, mac: Mac, (kind, added): (ConfigKind, bool), only_head: bool) -> Token {
    let plan = world.plan(mac);
    let installs =
        |plan: &Plan| matches!(plan, Plan::Install(install) if install.purpose == Purpose::Install);
    match world.phase(mac) {
        // Whatever is planned for its next boot: its installer runs.
        Some(Phase::Installing | Phase::Delivered) => {}
        // Somebody looks at it: no boot of ours has started its installer.
        Some(Phase::Armed) if added => return Token::None,
        Some(Phase::Armed) if installs(&plan) && only_head => {}
        Some(Phase::Armed) if installs(&plan) => {
            if world.happened(mac, Event::TookInstaller).is_none() {
                return Token::NotNow;
            }
        }
        Some(Phase::Armed) if plan == Plan::Wait => return Token::NotNow,
        _ => return Token::None,
    }
    if only_head {
        return Token::Real(WORTHLESS_TOKEN.to_owned());
    }
    let token = match kind.is_for_the_installed_system() {
        // It cannot report before the machine has booted again, and nothing waits for that.
        true => world.token(mac),
        false => world.reporting_config_taken(mac, kind, added).map(|record| record.token),
    };
    token.map_or(Token::NotNow, Token::Real)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dhcp::lease::Binding;
    use crate::fleet::store::Store;
    use crate::inventory::profile::Profile;
    use crate::inventory::{Listing, MediaFile, inventory};
    use crate::world::Role;

    const MAC: &str = "52:54:00:00:00:01";
    const ASKER: Ipv4Addr = Ipv4Addr::new(10, 10, 10, 100);

    /// A machine that was told to install Debian with this preseed takes it. The lines that a
    /// person gets when it says nothing for so many minutes then.
    fn told(name: &str, preseed: &str, minutes: u64) -> Vec<String> {
        let file = |path: &str| MediaFile {
            volume: std::path::Path::new("/media/sda1").into(),
            path: path.to_owned(),
            size: 1,
            modified: 0,
            inside: None,
        };
        let paths = ["machines.toml", name, "images/debian/13/linux", "images/debian/13/initrd.gz"];
        let machines = format!("[[machine]]\nmac = \"{MAC}\"\n");
        let texts = [(0, machines), (1, preseed.to_owned())].into();
        let files = paths.map(file).into();
        let listing = Listing { files, texts, ..Listing::default() };
        let folder = std::env::temp_dir().join(format!(
            "pxeberry-config-{}-{}-{minutes}",
            std::process::id(),
            preseed.len()
        ));
        let store = Store::open(&folder).unwrap();
        let config = crate::config::parse("").unwrap();
        let world = Arc::new(World::new(config, "lo".to_owned(), Some(store)));
        let found = inventory(&[listing], &Profile::built_in()).unwrap();
        world.change_shelf(|shelf| {
            (shelf.sticks, shelf.accepted) = (1, true);
            shelf.inventory = Arc::new(found);
        });
        world.take_role(Role::Server);
        let (mac, expires) = (MAC.parse().unwrap(), world.now() + 9_999);
        world.with_fleet(|fleet| fleet.leases.bind(mac, Binding { address: ASKER, expires }));
        world.was_told(mac, "its iPXE script", &world.plan(mac));
        world.happened(mac, Event::TookInstaller).unwrap();
        let what = (ConfigKind::Preseed, Part::Whole);
        let given = super::config(&world, what, mac, ASKER, false);
        assert!(matches!(given, Found::Bytes(..) | Found::File(..)));
        let silent = world.now() + minutes * 60;
        let lines = world.with_fleet(|fleet| fleet.boots.silent(silent));
        let _ = std::fs::remove_dir_all(folder);
        lines.into_iter().map(|(_, words)| words).collect()
    }

    #[test]
    fn an_installer_that_was_to_report_and_does_not_is_told_of_whatever_its_system() {
        let (name, text) = ("preseed/default.cfg.j2", "x {{ report_installed }}\n");
        // So long Debian's may take packages from its mirror.
        assert_eq!(told(name, text, 89), Vec::<String>::new());
        let lines = told(name, text, 91);
        assert!(lines.len() == 1 && lines.concat().contains("reports nothing"), "{lines:?}");
        // The same where the report was added to what stands on the stick.
        let added = told("preseed/default.cfg", "d-i x\n", 91);
        assert!(added.len() == 1 && added.concat().contains("reports nothing"), "{added:?}");
        let reports_nothing = "d-i preseed/include string x\n";
        assert_eq!(told("preseed/default.cfg", reports_nothing, 999), Vec::<String>::new());
    }
}
