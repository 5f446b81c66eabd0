//! The panel that is drawn in a terminal: what a person sees there for every state, in tmux.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests fail so")]
#![allow(clippy::indexing_slicing, clippy::cast_possible_truncation, reason = "tests fail so")]

#[path = "support/net/mod.rs"]
mod net;

use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use net::appliance::PROGRAM;
use net::{PATIENCE, isolated, tools};
use pxeberry::panel::pattern::{Entry, Leds, State, table};
use tiny_http::{Method, Response, Server};

const CONFIG: &str = "/run/pxeberry.toml";
const SOCKET: &str = "/run/stand-in.sock";
const TMUX: &str = "/run/tmux.sock";

/// What the panel says before it draws.
const HEAD: &str = "space bar: the button; Ctrl-C: end\n\n";

#[test]
fn every_state_has_its_screen() {
    isolated(|_| {
        let stand_in = StandIn::start(State::Ready);
        let terminal = Terminal::with_panel();
        // The most important last: each is shown at once over the one before.
        for entry in table().iter().rev() {
            stand_in.says(entry.state);
            let lit = terminal.wait_for(&drawing(entry, entry.leds), entry);
            println!("{lit}\n");
        }
    });
}

#[test]
fn the_space_bar_is_the_button_and_a_silent_server_is_a_fault() {
    isolated(|_| {
        let mut stand_in = StandIn::start(State::NoStick);
        let terminal = Terminal::with_panel();
        let entry_of = |state| table().iter().find(|entry| entry.state == state).unwrap();
        let no_stick = entry_of(State::NoStick);
        terminal.wait_for(&drawing(no_stick, no_stick.leds), no_stick);
        terminal.tmux(&["send-keys", "Space"]);
        let all = drawing(no_stick, Leds::ALL);
        terminal.wait_until(&all, |screen| screen == all);
        assert_eq!(stand_in.next_wish(), "/rescan");

        stand_in.falls_silent();
        let fault = entry_of(State::NotAnswering);
        let lit = drawing(fault, fault.leds);
        terminal.wait_until(&lit, |screen| screen == lit);
        stand_in.says(State::Ready);
        let ready = entry_of(State::Ready);
        let lit = drawing(ready, ready.leds);
        terminal.wait_until(&lit, |screen| screen == lit);

        terminal.tmux(&["send-keys", "C-c"]);
        // The shell that started it says so when it has ended; the drawing is gone.
        let end = format!("{}ended 0", HEAD.trim_end_matches('\n').to_owned() + "\n");
        terminal.wait_until(&end, |screen| screen == end);
    });
}

fn drawing(entry: &Entry, leds: Leds) -> String {
    let led = |lit: bool| if lit { '●' } else { '○' };
    let (red, amber, green) = (led(leds.red), led(leds.amber), led(leds.green));
    let (name, meaning) = (entry.state.name(), entry.meaning);
    format!("{HEAD}{red} red  {amber} amber  {green} green   {name}\n{meaning}")
}

/// Stands in for `pxeberry serve`: a control socket that answers what the test tells it to.
struct StandIn {
    said: Arc<Mutex<Option<State>>>,
    wishes: Receiver<String>,
}

impl StandIn {
    fn start(state: State) -> StandIn {
        let said = Arc::new(Mutex::new(Some(state)));
        let (wish, wishes) = channel();
        let server = Server::http_unix(Path::new(SOCKET)).unwrap();
        let answer = Arc::clone(&said);
        thread::spawn(move || {
            for request in server.incoming_requests() {
                if request.method() == &Method::Post {
                    wish.send(request.url().to_owned()).unwrap();
                }
                let Some(state) = *answer.lock().unwrap() else { continue };
                let body = format!("{{\"conditions\":[\"{}\"]}}", state.name());
                // The panel may have ended.
                let _ = request.respond(Response::from_string(body));
            }
        });
        StandIn { said, wishes }
    }

    fn says(&self, state: State) {
        *self.said.lock().unwrap() = Some(state);
    }

    /// From now on requests are taken, and none is answered.
    fn falls_silent(&mut self) {
        *self.said.lock().unwrap() = None;
    }

    fn next_wish(&self) -> String {
        self.wishes.recv_timeout(PATIENCE).unwrap()
    }
}

/// A terminal of 100 columns and 10 lines.
struct Terminal;

impl Terminal {
    /// The panel's log goes elsewhere, so that the screen is the drawing.
    fn with_panel() -> Terminal {
        let config = format!("panel.kind = \"terminal\"\ncontrol.socket = \"{SOCKET}\"\n");
        fs::write(CONFIG, config).unwrap();
        let terminal = Terminal;
        let panel = format!("{PROGRAM} panel --config {CONFIG} 2>/run/log; echo ended $?; cat");
        terminal.tmux(&["-f", "/dev/null", "new-session", "-d", "-x", "100", "-y", "10", &panel]);
        terminal
    }

    #[track_caller]
    fn tmux(&self, arguments: &[&str]) -> String {
        tools::need("tmux");
        let mut command = Command::new("tmux");
        command.env("LC_ALL", "C.UTF-8").args(["-u", "-S", TMUX]).args(arguments);
        tools::finish(&mut command).good().text()
    }

    /// Waits until exactly this is on the screen. Once the state is named there, nothing else
    /// than its two drawings may be.
    #[track_caller]
    fn wait_for(&self, wanted: &str, entry: &Entry) -> String {
        let both = [drawing(entry, entry.leds), drawing(entry, Leds::OFF)];
        self.wait_until(wanted, |screen| {
            let named = screen.contains(&format!("  {}\n", entry.state.name()));
            assert!(!named || both.iter().any(|drawing| drawing == screen), "{screen}");
            screen == wanted
        })
    }

    #[track_caller]
    fn wait_until(&self, wanted: &str, good: impl Fn(&str) -> bool) -> String {
        let end = Instant::now() + PATIENCE;
        loop {
            let screen = self.tmux(&["capture-pane", "-p"]).trim_end().to_owned();
            if good(&screen) {
                return screen;
            }
            let log = fs::read_to_string("/run/log").unwrap_or_default();
            assert!(Instant::now() < end, "not {wanted:?}, but {screen:?}; it said:\n{log}");
            // tmux tells of no change of a screen; a quick flash lasts 80 ms.
            thread::sleep(Duration::from_millis(10));
        }
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = Command::new("tmux").args(["-S", TMUX, "kill-server"]).status();
    }
}
