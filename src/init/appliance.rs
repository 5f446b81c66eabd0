//! The main loop: everything that PID 1 does after its first second.
//!
//! One loop, one `poll`; each turn looks at all that may have changed and does what is
//! due. Nothing in it waits for a child, a disk or the network.

mod ending;

use std::collections::VecDeque;
use std::fs;
use std::net::Ipv4Addr;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use log::{error, info, warn};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{WaitOptions, wait};

use super::clock::Clock;
use super::network::{Network, News as NetworkNews};
use super::nobody::Nobody;
use super::power::End;
use super::process::Process;
use super::prompts::Prompts;
use super::safe_mode::{self, Question};
use super::settings::{self, Folders, Settings};
use super::signals::{Request, Signals};
use super::sticks::{Disks, Look};
use super::uevent::Uevents;
use super::volumes::Role;
use super::watchdog::Watchdog;
use super::{modules, mount};
use crate::config::PanelKind;
use crate::net::listen::{self, Listener};
use crate::world::SAFE_MODE;
use ending::Ending;

/// Servers that ask for a restart whenever they start must not keep the box from being looked
/// at. Whoever asks sooner has it then.
const SOONEST_RESTART: Duration = Duration::from_secs(120);

/// A slow SD card answers within three seconds; somebody who boots from USB waits longer.
const CARD_WAIT: Duration = Duration::from_secs(10);

/// The drivers of the card's two partitions, with all that they need before them.
const CARD_MODULES: [&str; 2] = ["vfat.ko", "ext4.ko"];

/// So long other modules wait for the start of `serve`. Afterwards they are loaded anyway:
/// the missing interface may be one of theirs.
const HURRY: Duration = Duration::from_secs(4);

/// While the box starts, links and disks are asked for this often.
const STARTING_TURN: Duration = Duration::from_millis(20);

/// Afterwards, the state of the link is.
const TURN: Duration = Duration::from_secs(1);

/// `serve` arms no machine where this file is: it would forget that it did.
const STATE_IS_LOST: &str = "state-is-lost";

/// What the boot story hands to the loop.
#[derive(Debug)]
pub struct Start {
    /// When PID 1 was started.
    pub started: Instant,
    /// The door for signals.
    pub signals: Signals,
    /// The door for device news.
    pub uevents: Option<Uevents>,
    /// The hardware watchdog.
    pub watchdog: Watchdog,
    /// The clock.
    pub clock: Clock,
    /// Modules still to be loaded.
    pub late: VecDeque<String>,
    /// Interfaces.
    pub network: Network,
}

/// The running box.
#[derive(Debug)]
pub struct Appliance {
    start: Start,
    modules: PathBuf,
    disks: Disks,
    look_at_disks: bool,
    looked: Option<Look>,
    settings: Option<Settings>,
    listeners: Vec<Listener>,
    serve: Process,
    panel: Process,
    prompts: Prompts,
    nobody: Nobody,
    held_at_power_on: Question,
    safe_mode: safe_mode::Stage,
    ending: Option<Ending>,
}

impl Appliance {
    /// The box before its first turn.
    pub fn new(start: Start) -> Appliance {
        Appliance {
            start,
            modules: modules::folder(),
            disks: Disks::default(),
            look_at_disks: true,
            looked: None,
            settings: None,
            listeners: Vec::new(),
            serve: Process::serve(),
            panel: Process::panel(),
            prompts: Prompts::default(),
            nobody: Nobody::default(),
            held_at_power_on: Question::default(),
            safe_mode: safe_mode::Stage::Off,
            ending: None,
        }
    }

    /// Runs until the box is to go down, and leaves it ready for that.
    pub fn run(mut self) -> End {
        loop {
            let now = Instant::now();
            self.hear(now);
            self.nobody.advance(now);
            if let Some(ending) = self.ending {
                if self.has_ended(ending, now) {
                    return ending.how;
                }
            } else {
                self.turn(now);
            }
            self.wait(now);
        }
    }

    fn turn(&mut self, now: Instant) {
        if self.may_load(now)
            && let Some(module) = self.start.late.pop_front()
        {
            modules::load(&self.modules, &module);
        }
        self.attend_disks(now);
        if self.settings.is_none() {
            self.start.network.wake(now);
            self.settle_card(now);
        }
        self.attend_safe_mode(now);
        match self.held_at_power_on.is_open() {
            true => self.start.network.wake(now),
            false => self.attend_network(now),
        }
        self.attend_children(now);
        self.start.watchdog.advance(now);
        self.start.clock.advance(now);
    }

    /// Signals, ended children, device news.
    fn hear(&mut self, now: Instant) {
        for request in self.start.signals.read() {
            match request {
                Request::Reap => self.reap(now),
                Request::GoDown(how) => self.go_down(how, now),
            }
        }
        if let Some(uevents) = &self.start.uevents {
            self.look_at_disks |= uevents.read().block;
        }
    }

    /// All that have ended, also children of children: PID 1 inherits them.
    fn reap(&mut self, now: Instant) {
        while let Ok(Some((pid, status))) = wait(WaitOptions::NOHANG) {
            self.serve.ended(pid, status, now);
            self.prompts.ended(pid, status, now);
            if self.panel.ended(pid, status, now) {
                match self.ending {
                    None => self.nobody.drives(),
                    Some(_) => self.nobody.leaves_them_dark(),
                }
            }
        }
    }

    /// Late modules are loaded one a turn: the card's file systems at once, the others when
    /// `serve` works, or when it has to wait for something anyway. Loading one stops all
    /// cores for a moment.
    fn may_load(&self, now: Instant) -> bool {
        let hurry = now < self.start.started + HURRY && !self.serve.is_alive();
        !self.start.late.is_empty() && (!hurry || !self.card_can_be_read())
    }

    fn card_can_be_read(&self) -> bool {
        let late = &self.start.late;
        !CARD_MODULES.iter().any(|needed| late.iter().any(|module| module == needed))
    }

    fn attend_disks(&mut self, now: Instant) {
        let wanted = match (self.start.late.is_empty(), self.card_can_be_read()) {
            (true, _) => Some(Look::All),
            (false, true) => Some(Look::SdCards),
            (false, false) => None,
        };
        if let Some(look) = wanted
            && (std::mem::take(&mut self.look_at_disks) || self.looked != Some(look))
        {
            self.looked = Some(look);
            let news = self.disks.look(look, now);
            self.sticks_changed(news.sticks);
        }
        let news = self.disks.advance(now);
        self.sticks_changed(news.sticks);
    }

    fn sticks_changed(&mut self, changed: bool) {
        if changed {
            self.serve.hang_up();
        }
    }

    /// The card is there, or has had its time: settings, state folder, panel.
    fn settle_card(&mut self, now: Instant) {
        let boot = self.disks.is_mounted(Role::Boot);
        let state = self.disks.is_mounted(Role::State);
        // Both partitions appear together; without work in progress none will follow.
        let complete = boot && (state || !self.disks.is_busy());
        if !complete && now < self.start.started + CARD_WAIT {
            return;
        }
        self.disks.close_card();
        if !boot {
            warn!(
                "the card's partition PXEBERRY did not appear within {} s; going on with the \
                 default settings",
                CARD_WAIT.as_secs()
            );
        }
        match state {
            true => self.start.clock.go_on_from_saved(),
            false => lose_state(),
        }
        let (boot, state, run) =
            (Path::new(mount::BOOT), Path::new(mount::STATE), Path::new(mount::RUN));
        self.settings = settings::load(Folders { boot, state, run });
        if let Some(settings) = self.settings.as_ref().filter(|settings| settings.config.prompt) {
            self.prompts.want(&settings.config.control, now);
        }
        match &self.settings {
            Some(settings) if settings.config.panel.kind != PanelKind::None => {
                self.held_at_power_on = Question::ask(settings.config.panel, now);
                self.nobody = Nobody::of(settings.config.panel);
                self.panel.want(["--config".into(), settings.file.clone().into()], now);
            }
            Some(_) => {}
            None => self.go_down(End::Restart, now),
        }
    }

    /// LEDs and button stay where the card says that they are.
    fn attend_safe_mode(&mut self, now: Instant) {
        use safe_mode::Stage;
        self.held_at_power_on.advance(now);
        match (self.safe_mode, &self.settings) {
            (Stage::Off, Some(current)) if Path::new(SAFE_MODE).exists() => {
                self.safe_mode = Stage::On;
                if let Some(defaults) = settings::defaults_instead_of(current) {
                    warn!("safe mode: going on with the default settings");
                    self.settings = Some(defaults);
                    // Else it was never wanted, or its interface is gone and it was stopped.
                    if self.start.network.chosen().is_some() {
                        self.safe_mode = Stage::Entering;
                        self.serve.stop(now);
                    }
                }
            }
            // Its sockets are free now.
            (Stage::Entering, _) if !self.serve.is_running() => {
                self.safe_mode = Stage::On;
                self.listeners.clear();
                self.start.network.choose_again();
            }
            _ => {}
        }
    }

    fn attend_network(&mut self, now: Instant) {
        let Some(settings) = &self.settings else { return };
        match self.start.network.advance(&settings.config, now) {
            Some(NetworkNews::Ready) => self.open_for_business(now),
            Some(NetworkNews::Lost) => {
                self.serve.stop(now);
                self.listeners.clear();
            }
            None => {}
        }
    }

    fn open_for_business(&mut self, now: Instant) {
        let (Some(settings), Some(chosen)) = (&self.settings, self.start.network.chosen()) else {
            return;
        };
        // Anywhere on the interface: its address may change while the sockets stay.
        let ports = &settings.config.http.ports;
        let opened = listen::open(&chosen.name, Ipv4Addr::UNSPECIFIED, ports);
        let syslog = settings.config.server.syslog;
        let syslog = syslog.then(|| listen::open_syslog(&chosen.name, Ipv4Addr::UNSPECIFIED));
        let opened = opened.into_iter().chain(syslog);
        let good = opened.filter_map(|port| port.map_err(|error| error!("{error}")).ok());
        self.listeners = good.collect();
        let options = [
            "--config".into(),
            settings.file.clone().into(),
            "--interface".into(),
            chosen.name.clone().into(),
            "--set-address".into(),
            "--mounted-sticks".into(),
            "--own-user".into(),
        ];
        self.serve.want(options, now);
    }

    fn attend_children(&mut self, now: Instant) {
        let since = || now.duration_since(self.start.started).as_secs_f32();
        // Beats that came while a slow card held this loop up count before silence does.
        if self.serve.listen(now) {
            info!("serve works, {:.2} s after PID 1", since());
        }
        let up = now.duration_since(self.start.started);
        if self.serve.wants_restart() && up >= SOONEST_RESTART {
            info!("the servers ask for a restart, as a person may tell them to");
            self.go_down(End::Restart, now);
            return;
        }
        self.panel.listen(now);
        if self.serve.advance(&self.listeners, now) {
            info!("serve started, {:.2} s after PID 1", since());
        }
        // The panel second, and after the late modules: it is not what clients wait for.
        let pins_are_free = !self.held_at_power_on.is_open() && !self.nobody.is_busy();
        let its_turn = self.start.late.is_empty() && pins_are_free;
        if its_turn && self.panel.advance(&[], now) {
            info!("panel started, {:.2} s after PID 1", since());
        }
        if self.start.late.is_empty() {
            self.prompts.advance(now);
        }
        let nobody_wants_it = self.start.network.chosen().is_none();
        if self.serve.is_alive() || nobody_wants_it {
            self.start.watchdog.all_is_well(now);
        }
    }

    fn wait(&self, now: Instant) {
        let mut doors = vec![PollFd::new(&self.start.signals, PollFlags::IN)];
        let others = self.start.uevents.iter().map(AsFd::as_fd);
        let others = others.chain(self.serve.waiting()).chain(self.disks.waiting());
        let others = others.chain(self.held_at_power_on.waiting()).chain(self.nobody.waiting());
        doors.extend(others.map(|fd| PollFd::from_borrowed_fd(fd, PollFlags::IN)));
        // An error is a signal that came: the next turn looks at it.
        let _ = poll(&mut doors, Some(&timespec(self.patience(now))));
    }

    fn patience(&self, now: Instant) -> Duration {
        if self.may_load(now) {
            return Duration::ZERO;
        }
        let starting = self.start.network.chosen().is_none() || self.ending.is_some();
        let turn = if starting { STARTING_TURN } else { TURN };
        let next =
            [self.serve.next(), self.panel.next(), self.prompts.next()].into_iter().flatten().min();
        next.map_or(turn, |next| next.saturating_duration_since(now).min(turn))
    }
}

fn lose_state() {
    error!(
        "no state partition: nothing outlives a power cut, so no machine is installed; flash \
         the card again"
    );
    if let Err(error) = mount::state_in_memory() {
        error!("{}: no folder in memory either: {error}", mount::STATE);
    }
    let mark = Path::new(mount::RUN).join(STATE_IS_LOST);
    if let Err(error) = fs::write(&mark, "") {
        error!("{}: cannot be written: {error}", mark.display());
    }
}

fn timespec(duration: Duration) -> Timespec {
    let seconds = i64::try_from(duration.as_secs()).unwrap_or(i64::MAX);
    Timespec { tv_sec: seconds, tv_nsec: duration.subsec_nanos().into() }
}
