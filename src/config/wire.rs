//! The shape of `pxeberry.toml` as a person writes it, and the way from it to [`Config`].

use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;

use super::secret;
use super::{BiosLoader, Boot, Config, ConfigError, Http, Mode, Page, Panel, PanelKind};
use super::{Network, Server, UefiLoader, Unknown, Verify};
use crate::net::{Pool, Subnet};

/// 8080 first: the URLs of the old box.
pub(super) const DEFAULT_PORTS: [u16; 2] = [8080, 80];

/// Clients in an initramfs never renew, so a shorter lease would end under an installer.
const SHORTEST_LEASE: Duration = Duration::from_secs(60 * 60);

/// A few racks are a handful of networks; each is looked through for every request.
const MOST_RELAYS: usize = 64;

/// A year: longer says "for ever", which no pool can promise.
const LONGEST_LEASE: Duration = Duration::from_secs(366 * 24 * 60 * 60);

/// BCM numbers on the Pi's 40-pin header.
const HEADER_PINS: std::ops::RangeInclusive<u8> = 0..=27;

/// A label of DNS (63) with room for a number, where another box has the name.
const LONGEST_NAME: usize = 56;

/// IFNAMSIZ (Linux `if.h`) less the closing NUL.
const LONGEST_INTERFACE_NAME: usize = 15;

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct File {
    mode: ModeKey,
    interface: Option<String>,
    server: ServerTable,
    relay: Vec<RelayTable>,
    boot: BootTable,
    http: HttpTable,
    page: PageTable,
    media: MediaTable,
    state: StateTable,
    panel: PanelTable,
    control: ControlTable,
    admin: AdminTable,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
enum ModeKey {
    #[default]
    Auto,
    Server,
    Proxy,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct ServerTable {
    address: Option<String>,
    pool: Option<String>,
    router: Option<Ipv4Addr>,
    dns: Vec<Ipv4Addr>,
    lease: Option<String>,
    authoritative: Option<bool>,
    probe: Option<bool>,
    syslog: Option<bool>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RelayTable {
    address: String,
    pool: Option<String>,
    router: Option<Ipv4Addr>,
    dns: Option<Vec<Ipv4Addr>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct BootTable {
    unknown: UnknownKey,
    bios_loader: LoaderKey,
    uefi_loader: UefiLoader,
    loaders: Option<PathBuf>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
enum UnknownKey {
    #[default]
    Local,
    Menu,
    Install,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
enum LoaderKey {
    #[default]
    Ipxe,
    Pxelinux,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct HttpTable {
    ports: Option<Vec<u16>>,
    add_report: Option<bool>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct PageTable {
    mdns: Option<bool>,
    name: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct MediaTable {
    path: Option<PathBuf>,
    verify: Verify,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct StateTable {
    path: Option<PathBuf>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct PanelTable {
    kind: KindKey,
    leds: LedsTable,
    button: Option<u8>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
enum KindKey {
    #[default]
    Auto,
    Gpio,
    Terminal,
    None,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct LedsTable {
    red: Option<u8>,
    amber: Option<u8>,
    green: Option<u8>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct ControlTable {
    socket: Option<PathBuf>,
    prompt: Option<bool>,
}

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct AdminTable {
    password: Option<String>,
    password_hash: Option<String>,
    hosts: Vec<String>,
}

impl std::fmt::Debug for AdminTable {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("AdminTable(..)")
    }
}

impl TryFrom<File> for Config {
    type Error = ConfigError;

    fn try_from(file: File) -> Result<Config, ConfigError> {
        Ok(Config {
            mode: match file.mode {
                ModeKey::Auto => Mode::Auto,
                ModeKey::Server => Mode::Server,
                ModeKey::Proxy => Mode::Proxy,
            },
            interface: file.interface.map(interface_name).transpose()?,
            server: server(file.server, file.relay)?,
            boot: boot(file.boot),
            http: http(file.http)?,
            page: page(file.page)?,
            verify: file.media.verify,
            media: file.media.path.unwrap_or_else(|| "/media".into()),
            state: file.state.path.unwrap_or_else(|| "/state".into()),
            panel: panel(file.panel)?,
            control: file.control.socket.unwrap_or_else(|| "/run/pxeberry/control.sock".into()),
            prompt: file.control.prompt.unwrap_or(true),
            admin: secret::admin(file.admin.password, file.admin.password_hash, file.admin.hosts)
                .map_err(|(key, message)| ConfigError::value(key, message))?,
        })
    }
}

fn interface_name(name: String) -> Result<String, ConfigError> {
    let printable = name.bytes().all(|b| b.is_ascii_graphic() && b != b'/');
    if name.is_empty() || name.len() > LONGEST_INTERFACE_NAME || !printable {
        return Err(ConfigError::value(
            "interface",
            format!("{name:?} cannot be an interface's name; `ip link` lists the right ones"),
        ));
    }
    Ok(name)
}

fn server(table: ServerTable, relays: Vec<RelayTable>) -> Result<Server, ConfigError> {
    let local = network(
        "server",
        table.address.as_deref().unwrap_or("10.10.10.1/24"),
        table.pool.as_deref(),
        table.router,
        table.dns,
    )?;
    let mut server = Server {
        local,
        relayed: Vec::new(),
        lease: lease(table.lease.as_deref().unwrap_or("12h"))?,
        authoritative: table.authoritative.unwrap_or(true),
        probe: table.probe.unwrap_or(true),
        syslog: table.syslog.unwrap_or(true),
    };
    if relays.len() > MOST_RELAYS {
        return Err(ConfigError::value("relay", format!("at most {MOST_RELAYS} networks")));
    }
    for table in relays {
        let relayed = relayed(table, &server)?;
        server.relayed.push(relayed);
    }
    Ok(server)
}

/// A network behind a relay: its machines leave it through the relay, unless told otherwise.
fn relayed(table: RelayTable, server: &Server) -> Result<Network, ConfigError> {
    let dns = table.dns.unwrap_or_else(|| server.local.dns.clone());
    let mut relayed = network("relay", &table.address, table.pool.as_deref(), table.router, dns)?;
    let relay = relayed.subnet.address();
    relayed.router = relayed.router.or(Some(relay));
    match server.networks().find(|other| other.subnet.overlaps(relayed.subnet)) {
        None => Ok(relayed),
        Some(other) => Err(ConfigError::value(
            "relay.address",
            format!(
                "{} lies in the network of {}; networks are apart",
                table.address, other.subnet
            ),
        )),
    }
}

fn network(
    key: &str,
    address: &str,
    pool: Option<&str>,
    router: Option<Ipv4Addr>,
    dns: Vec<Ipv4Addr>,
) -> Result<Network, ConfigError> {
    let wrong = |name: &str, message: String| ConfigError::value(format!("{key}.{name}"), message);
    let subnet: Subnet =
        address.parse().map_err(|error| wrong("address", format!("{address:?}: {error}")))?;
    let pool = match pool {
        Some(pool) => Pool::parse(pool, subnet)
            .map_err(|error| wrong("pool", format!("{pool:?}: {error}")))?,
        None => Pool::default_for(subnet).map_err(|error| wrong("pool", error.to_string()))?,
    };
    if let Some(router) = router
        && !subnet.is_host(router)
    {
        let message = format!("{router} is not in {subnet}, so no machine could reach it");
        return Err(wrong("router", message));
    }
    Ok(Network { subnet, pool, router, dns })
}

/// `90m`, `12h`, `7d`.
fn lease(text: &str) -> Result<Duration, ConfigError> {
    let wrong = |message: &str| ConfigError::value("server.lease", format!("{text:?}: {message}"));
    let shape = || wrong("write it like \"12h\" (m, h or d)");
    let unit = text.chars().last().ok_or_else(shape)?;
    let seconds_each = match unit {
        'm' => 60,
        'h' => 60 * 60,
        'd' => 24 * 60 * 60,
        _ => return Err(shape()),
    };
    let count: u64 = text.trim_end_matches(unit).parse().map_err(|_| shape())?;
    let lease = count.checked_mul(seconds_each).map(Duration::from_secs).ok_or_else(shape)?;
    if lease < SHORTEST_LEASE {
        return Err(wrong("at least \"1h\", because installers do not renew"));
    }
    if lease > LONGEST_LEASE {
        return Err(wrong("at most \"366d\""));
    }
    Ok(lease)
}

fn boot(table: BootTable) -> Boot {
    Boot {
        unknown: match table.unknown {
            UnknownKey::Local => Unknown::Local,
            UnknownKey::Menu => Unknown::Menu,
            UnknownKey::Install => Unknown::Install,
        },
        bios_loader: match table.bios_loader {
            LoaderKey::Ipxe => BiosLoader::Ipxe,
            LoaderKey::Pxelinux => BiosLoader::Pxelinux,
        },
        uefi_loader: table.uefi_loader,
        loaders: table.loaders.unwrap_or_else(|| "/usr/share/pxeberry/loaders".into()),
    }
}

fn http(table: HttpTable) -> Result<Http, ConfigError> {
    let ports = table.ports.unwrap_or_else(|| DEFAULT_PORTS.to_vec());
    if ports.is_empty() || ports.contains(&0) {
        return Err(ConfigError::value(
            "http.ports",
            "name at least one port from 1 to 65535, like [8080, 80]",
        ));
    }
    let mut seen = ports.clone();
    seen.sort_unstable();
    seen.dedup();
    if seen.len() != ports.len() {
        return Err(ConfigError::value("http.ports", "one port stands there twice"));
    }
    Ok(Http { ports, add_report: table.add_report.unwrap_or(true) })
}

fn page(table: PageTable) -> Result<Page, ConfigError> {
    let name = table.name.unwrap_or_else(|| "pxeberry".to_owned()).to_ascii_lowercase();
    let inner = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    let right = (1..=LONGEST_NAME).contains(&name.len())
        && name.bytes().all(inner)
        && !(name.starts_with('-') || name.ends_with('-'));
    if !right {
        return Err(ConfigError::value(
            "page.name",
            format!(
                "{name:?}: at most {LONGEST_NAME} letters, digits and hyphens, without \".local\""
            ),
        ));
    }
    Ok(Page { mdns: table.mdns.unwrap_or(true), name })
}

fn panel(table: PanelTable) -> Result<Panel, ConfigError> {
    let panel = Panel {
        kind: match table.kind {
            KindKey::Auto => PanelKind::Auto,
            KindKey::Gpio => PanelKind::Gpio,
            KindKey::Terminal => PanelKind::Terminal,
            KindKey::None => PanelKind::None,
        },
        red: table.leds.red.unwrap_or(9),
        amber: table.leds.amber.unwrap_or(10),
        green: table.leds.green.unwrap_or(11),
        button: table.button.unwrap_or(5),
    };
    let mut pins = [panel.red, panel.amber, panel.green, panel.button];
    if let Some(pin) = pins.iter().find(|pin| !HEADER_PINS.contains(*pin)) {
        return Err(ConfigError::value(
            "panel",
            format!("there is no GPIO{pin} on the header; use 0 to 27 (BCM numbers)"),
        ));
    }
    pins.sort_unstable();
    if pins.windows(2).any(|pair| pair.first() == pair.last()) {
        return Err(ConfigError::value("panel", "two things stand on one pin"));
    }
    Ok(panel)
}
