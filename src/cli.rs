//! The command line: which role this process plays.

use std::ffi::OsString;
use std::iter::Peekable;
use std::path::PathBuf;
use std::time::Duration;

use crate::net::Mac;

/// What `pxeberry --help` prints.
pub const HELP: &str = "\
pxeberry: network-installs a room of machines

  pxeberry serve --config FILE [--interface NAME] [--set-address] [--mounted-sticks]
                 [--own-user]                       DHCP, TFTP and HTTP, on any Linux;
                                                    --set-address gives the interface its
                                                    address while this is the DHCP server;
                                                    --mounted-sticks takes a folder for a
                                                    stick only while one is mounted on it;
                                                    --own-user goes on without root's rights
  pxeberry panel --config FILE                      LEDs and button
  pxeberry prompt TTY [--socket PATH]               the commands below, typed at a terminal
  pxeberry check DIR [--json] [--explain MAC] [--config FILE]
                                                    read a stick and say what it would serve;
                                                    --explain: all that this machine would get
                                                    if it were armed: DHCP, scripts, config;
                                                    exit status 0: good, 1: something keeps a
                                                    machine from what it should get, 2: wrong use
  pxeberry fetch OS [VERSION] --to DIR [--from URL] [--arch x86_64|arm64] [--keys DIR]
                 [--accept-unsigned] [--timeout SECONDS]
                                                    download a release into a stick's layout;
                                                    VERSION: 4081.2.1, beta, 13, ...
  pxeberry hash-password                            read a password, print what stands for
                                                    it in pxeberry.toml

Of a running server, on the box itself; MACHINE is a name or a MAC, and --json prints the
answer as data:
  pxeberry status [--json]                          what it does and sees
  pxeberry machines [--json]                        every machine, and how far its boot came
  pxeberry images [--json]                          every image, and where it comes from
  pxeberry log [MACHINE] [--follow] [--json]        what happened, to all or to one
  pxeberry arm MACHINE [--json]                     install it at its next network boot
  pxeberry disarm MACHINE [--json]                  do not
  pxeberry wake MACHINE [--json]                    switch it on (Wake-on-LAN)
  pxeberry capture MACHINE > FILE                   the last packets of a boot that failed
  pxeberry rescan [--json]                          read the sticks again (as the button does)
  all of these: [--socket PATH]
  pxeberry --version
";

/// Where a running server listens for the commands above.
const DEFAULT_SOCKET: &str = "/run/pxeberry/control.sock";

/// Seconds: a download host that says nothing for so long has lost us.
const DEFAULT_PATIENCE: &str = "30";

/// One role with its arguments.
#[derive(Debug, PartialEq, Eq)]
pub enum Command {
    /// PID 1.
    Init,
    /// The servers.
    Serve {
        /// `pxeberry.toml`; none means the defaults.
        config: Option<PathBuf>,
        /// Overrides the config's `interface`.
        interface: Option<String>,
        /// Whether the interface's address is ours to set and remove.
        set_address: bool,
        /// Whether only a folder that something is mounted on is a stick.
        mounted_sticks: bool,
        /// Whether they go on as a user of their own.
        own_user: bool,
    },
    /// LEDs and button.
    Panel {
        /// `pxeberry.toml`; none means the defaults.
        config: Option<PathBuf>,
    },
    /// The commands for a running server, typed at a terminal.
    Prompt {
        /// `/dev/ttyS1`
        terminal: PathBuf,
        /// The server's control socket.
        socket: PathBuf,
    },
    /// Check a stick.
    Check(Check),
    /// Download a release.
    Fetch(Fetch),
    /// Make `password_hash` for pxeberry.toml of a line of standard input.
    HashPassword,
    /// Ask or tell a running server.
    Ask(Ask),
    /// Print the help.
    Help,
    /// Print the version.
    Version,
}

/// A question or an order to a running server.
#[derive(Debug, PartialEq, Eq)]
pub struct Ask {
    /// What is asked.
    pub what: What,
    /// Whether the answer is printed as data.
    pub json: bool,
    /// The server's control socket.
    pub socket: PathBuf,
}

/// What is asked of a running server. Machines are named by a MAC or a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum What {
    /// The state of the box.
    Status,
    /// All machines.
    Machines,
    /// All images.
    Images,
    /// What happened.
    Log {
        /// To this machine alone.
        machine: Option<String>,
        /// And what will happen.
        follow: bool,
    },
    /// To read the sticks again.
    Rescan,
    /// To do something with a machine.
    Do(Deed, String),
    /// The packets of a machine.
    Capture(String),
}

/// What is done with a machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Deed {
    /// It is installed at its next network boot.
    Arm,
    /// It is not.
    Disarm,
    /// It is switched on.
    Wake,
}

/// `pxeberry check`.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Check {
    /// The stick's folder.
    pub folder: PathBuf,
    /// Whether it is printed as data.
    pub json: bool,
    /// The machine that everything is said of.
    pub explain: Option<Mac>,
    /// `pxeberry.toml`; none means the defaults.
    pub config: Option<PathBuf>,
}

/// `pxeberry fetch`.
#[derive(Debug, PartialEq, Eq)]
pub struct Fetch {
    /// `flatcar`
    pub system: String,
    /// None means the newest.
    pub version: Option<String>,
    /// The stick's folder.
    pub to: PathBuf,
    /// Another server with the publisher's layout.
    pub from: Option<String>,
    /// `x86_64` or `arm64`.
    pub arch: String,
    /// Signing keys; none means `keys/` on the stick.
    pub keys: Option<PathBuf>,
    /// Whether files without a good signature are taken, too.
    pub accept_unsigned: bool,
    /// How long a server may be silent.
    pub patience: Duration,
}

/// Reads the arguments after the program's name. `pid` 1 is init.
pub fn parse(pid: u32, arguments: Vec<OsString>) -> Result<Command, String> {
    // The kernel hands PID 1 those words of its command line that it does not know. None of
    // them is looked at: an error here would end PID 1, and the kernel with it.
    if pid == 1 {
        return Ok(Command::Init);
    }
    let mut words = Words(arguments.into_iter().peekable());
    let Some(first) = words.next()? else { return Ok(Command::Help) };
    match first.as_str() {
        "serve" => {
            let ([config, interface], [set_address, mounted_sticks, own_user]) = words
                .options_and_flags(
                    ["--config", "--interface"],
                    ["--set-address", "--mounted-sticks", "--own-user"],
                )?;
            let config = config.map(PathBuf::from);
            Ok(Command::Serve { config, interface, set_address, mounted_sticks, own_user })
        }
        "panel" => {
            let [config] = words.options(["--config"])?;
            Ok(Command::Panel { config: config.map(PathBuf::from) })
        }
        "prompt" => {
            let terminal = words.needed("prompt needs a terminal: pxeberry prompt TTY")?.into();
            let [socket] = words.options(["--socket"])?;
            let socket = socket.map_or_else(|| DEFAULT_SOCKET.into(), PathBuf::from);
            Ok(Command::Prompt { terminal, socket })
        }
        "check" => words.check().map(Command::Check),
        "fetch" => words.fetch().map(Command::Fetch),
        "hash-password" => Ok(Command::HashPassword),
        "status" | "machines" | "images" | "rescan" | "log" | "arm" | "disarm" | "wake"
        | "capture" => words.ask(&first).map(Command::Ask),
        "help" | "--help" | "-h" => Ok(Command::Help),
        "version" | "--version" | "-V" => Ok(Command::Version),
        other => Err(format!("there is no command {other:?}; pxeberry --help lists them")),
    }
}

fn machine(mac: &str) -> Result<Mac, String> {
    mac.parse().map_err(|error| format!("{mac:?} is {error}"))
}

fn not_understood(word: &str) -> String {
    format!("{word:?} is not understood here; see pxeberry --help")
}

struct Words<I: Iterator>(Peekable<I>);

impl<I: Iterator<Item = OsString>> Words<I> {
    fn next(&mut self) -> Result<Option<String>, String> {
        let word = self.0.next().map(OsString::into_string).transpose();
        word.map_err(|word| format!("{} is not UTF-8", word.display()))
    }

    fn needed(&mut self, message: &str) -> Result<String, String> {
        self.next()?.ok_or_else(|| message.to_owned())
    }

    fn options<const N: usize>(
        &mut self,
        names: [&'static str; N],
    ) -> Result<[Option<String>; N], String> {
        self.options_and_flags(names, []).map(|(values, [])| values)
    }

    /// Options with a value each, and flags without one, in any order.
    fn options_and_flags<const N: usize, const M: usize>(
        &mut self,
        names: [&'static str; N],
        flags: [&'static str; M],
    ) -> Result<([Option<String>; N], [bool; M]), String> {
        let mut values = [const { None }; N];
        let mut set = [false; M];
        while let Some(word) = self.next()? {
            if let Some((_, flag)) = flags.iter().zip(&mut set).find(|(name, _)| **name == word) {
                *flag = true;
                continue;
            }
            let place = names.iter().zip(&mut values).find(|(name, _)| **name == word);
            let Some((name, value)) = place else {
                return Err(not_understood(&word));
            };
            *value = Some(self.needed(&format!("{name} needs a value"))?);
        }
        Ok((values, set))
    }

    /// The folder may stand anywhere.
    fn check(&mut self) -> Result<Check, String> {
        let mut check = Check::default();
        let mut folder = None;
        while let Some(word) = self.next()? {
            match word.as_str() {
                "--json" => check.json = true,
                "--explain" => {
                    check.explain = Some(machine(&self.needed("--explain needs a MAC")?)?);
                }
                "--config" => check.config = Some(self.needed("--config needs a file")?.into()),
                option if option.starts_with("--") => return Err(not_understood(option)),
                _ if folder.is_none() => folder = Some(PathBuf::from(word)),
                more => return Err(not_understood(more)),
            }
        }
        let usage = "check needs the folder of a stick: pxeberry check DIR";
        Ok(Check { folder: folder.ok_or(usage)?, ..check })
    }

    fn fetch(&mut self) -> Result<Fetch, String> {
        let usage = "fetch needs a system and a folder: pxeberry fetch flatcar --to DIR";
        let system = self.needed(usage)?;
        let is_option = |word: &OsString| word.to_string_lossy().starts_with("--");
        let named = self.0.peek().is_some_and(|word| !is_option(word));
        let version = if named { self.next()? } else { None };
        let ([to, from, arch, keys, timeout], [accept_unsigned]) = self.options_and_flags(
            ["--to", "--from", "--arch", "--keys", "--timeout"],
            ["--accept-unsigned"],
        )?;
        let patience = match timeout.as_deref().unwrap_or(DEFAULT_PATIENCE).parse() {
            Ok(seconds) if seconds > 0 => Duration::from_secs(seconds),
            _ => return Err("--timeout takes a number of seconds".to_owned()),
        };
        Ok(Fetch {
            system,
            version,
            to: to.ok_or(usage)?.into(),
            from,
            arch: arch.unwrap_or_else(|| "x86_64".to_owned()),
            keys: keys.map(PathBuf::from),
            accept_unsigned,
            patience,
        })
    }

    /// The machine may stand anywhere.
    fn ask(&mut self, command: &str) -> Result<Ask, String> {
        let (mut machine, mut json, mut follow, mut socket) = (None, false, false, None);
        while let Some(word) = self.next()? {
            match word.as_str() {
                "--json" => json = true,
                "--follow" if command == "log" => follow = true,
                "--socket" => socket = Some(self.needed("--socket needs a value")?),
                option if option.starts_with('-') => return Err(not_understood(option)),
                _ if machine.is_none() => machine = Some(word),
                more => return Err(not_understood(more)),
            }
        }
        let needed = |machine: Option<String>| {
            machine.ok_or_else(|| format!("{command} needs a machine: pxeberry {command} node-1"))
        };
        let what = match command {
            "log" => What::Log { machine, follow },
            "arm" => What::Do(Deed::Arm, needed(machine)?),
            "disarm" => What::Do(Deed::Disarm, needed(machine)?),
            "wake" => What::Do(Deed::Wake, needed(machine)?),
            "capture" => What::Capture(needed(machine)?),
            _ if machine.is_some() => return Err(not_understood(&machine.unwrap_or_default())),
            "machines" => What::Machines,
            "images" => What::Images,
            "rescan" => What::Rescan,
            _ => What::Status,
        };
        let socket = socket.unwrap_or_else(|| DEFAULT_SOCKET.to_owned()).into();
        Ok(Ask { what, json, socket })
    }
}

#[cfg(test)]
mod tests;
