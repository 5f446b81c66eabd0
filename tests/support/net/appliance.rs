//! The box under test: its folders, which outlive the program, and the running program.

use std::collections::HashSet;
use std::fs;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use super::PATIENCE;
use super::log::Log;
use super::stick::Stick;
use super::tools::{self, Ran};

/// The program under test.
pub const PROGRAM: &str = env!("CARGO_BIN_EXE_pxeberry");

/// Configuration, state, sticks and control socket in one folder.
pub struct Appliance {
    folder: PathBuf,
}

impl Appliance {
    /// A new box with this `mode`, serving on the LAN; `more` follows in its pxeberry.toml.
    pub fn new(mode: &str, more: &str) -> Appliance {
        let appliance = Appliance { folder: "/run/box".into() };
        fs::create_dir_all(appliance.media()).unwrap();
        appliance.configure(&format!(
            "mode = \"{mode}\"\n\
             interface = \"srv0\"\n\
             media.path = \"/run/box/media\"\n\
             state.path = \"/run/box/state\"\n\
             control.socket = \"/run/box/control.sock\"\n\
             {more}\n"
        ));
        appliance
    }

    /// A new box that gives addresses at once.
    pub fn server() -> Appliance {
        Appliance::new("server", "")
    }

    /// Replaces its pxeberry.toml.
    pub fn configure(&self, text: &str) {
        fs::write(self.config(), text).unwrap();
    }

    /// Its pxeberry.toml.
    pub fn config(&self) -> PathBuf {
        self.folder.join("pxeberry.toml")
    }

    /// Each folder in it is a stick.
    pub fn media(&self) -> PathBuf {
        self.folder.join("media")
    }

    /// Where its memory is.
    pub fn state(&self) -> PathBuf {
        self.folder.join("state")
    }

    /// Plugs the sample stick in; call it before the server starts, or send a SIGHUP.
    pub fn sample_stick(&self) -> Stick {
        Stick::sample(&self.media().join("sda1"))
    }

    /// Starts the server and waits until it listens, to machines and to commands.
    #[track_caller]
    pub fn starts(&self) -> Server {
        let server = self.launches();
        server.log.wait_for("serving on ");
        let end = Instant::now() + PATIENCE;
        while UnixStream::connect(self.folder.join("control.sock")).is_err() {
            assert!(Instant::now() < end, "no control socket");
            // A socket's file makes no event when somebody begins to listen there.
            std::thread::sleep(Duration::from_millis(2));
        }
        server
    }

    /// Starts the server with a stick and waits until it gives addresses and has read it.
    #[track_caller]
    pub fn serves(&self) -> Server {
        let server = self.starts();
        server.log.wait_for(" read: ");
        server.log.wait_for("giving addresses from");
        server
    }

    /// Starts the server without a stick and waits until it gives addresses.
    #[track_caller]
    pub fn serves_without_stick(&self) -> Server {
        let server = self.starts();
        server.log.wait_for("giving addresses from");
        server
    }

    /// Starts the server, which may end at once.
    pub fn launches(&self) -> Server {
        Server::spawn(&mut self.command())
    }

    /// The command that starts the server.
    pub fn command(&self) -> Command {
        let mut command = Command::new(PROGRAM);
        command.arg("serve").arg("--config").arg(self.config());
        command
    }

    /// A command of the same program to the running server: `arm`, `status`, `rescan`.
    pub fn tell(&self, words: &[&str]) -> Ran {
        let socket = self.folder.join("control.sock");
        tools::finish(Command::new(PROGRAM).args(words).arg("--socket").arg(socket))
    }

    /// `pxeberry check` of a folder.
    pub fn check(folder: &Path) -> Ran {
        tools::finish(Command::new(PROGRAM).arg("check").arg(folder))
    }

    /// What the server knows of a machine: its state and attempts.
    #[track_caller]
    pub fn machine(&self, mac: &str) -> (String, u64) {
        let socket = self.folder.join("control.sock");
        let ran = tools::finish(
            Command::new("curl")
                .args(["-sS", "--unix-socket"])
                .arg(socket)
                .arg("http://x/v1/machines"),
        );
        let status: serde_json::Value = serde_json::from_slice(&ran.good().out).unwrap();
        let machines = status["machines"].as_array().unwrap();
        let machine = machines.iter().find(|machine| machine["mac"] == mac).unwrap();
        let state = machine["state"].as_str().unwrap().to_owned();
        (state, machine["attempts"].as_u64().unwrap())
    }
}

/// The running program. Killed when dropped; what it said is shown if the test fails.
pub struct Server {
    child: Child,
    /// Its lines.
    pub log: Log,
}

impl Server {
    /// Starts a command whose lines are to be collected.
    pub fn spawn(command: &mut Command) -> Server {
        let mut child = command.stdin(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let log = Log::collect(child.stderr.take().unwrap());
        Server { child, log }
    }

    /// SIGHUP: read the sticks again.
    pub fn hangup(&self) {
        self.signal(Signal::HUP);
    }

    /// Any signal.
    pub fn signal(&self, signal: Signal) {
        let pid = Pid::from_raw(i32::try_from(self.child.id()).unwrap()).unwrap();
        kill_process(pid, signal).unwrap();
    }

    /// SIGKILL: as if the power was cut.
    pub fn dies(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Waits for its end: every line it said, and how it ended.
    #[track_caller]
    pub fn ends(mut self) -> (Vec<String>, ExitStatus) {
        let lines = self.log.wait_for_end();
        (lines, self.child.wait().unwrap())
    }

    /// Waits for its end: the one line that says why it cannot run.
    #[track_caller]
    pub fn refuses(self) -> String {
        let (lines, status) = self.ends();
        assert!(status.code().is_some_and(|code| code != 0), "{status}: {lines:#?}");
        let errors: Vec<&String> = lines.iter().filter(|line| line.contains("error: ")).collect();
        assert_eq!(errors.len(), 1, "{lines:#?}");
        errors[0].clone()
    }

    /// Its process.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// The memory that it uses.
    pub fn resident_kib(&self) -> usize {
        self.memory("VmRSS:")
    }

    /// The most that it ever used.
    pub fn peak_kib(&self) -> usize {
        self.memory("VmHWM:")
    }

    fn memory(&self, kind: &str) -> usize {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find(|line| line.starts_with(kind)).unwrap();
        line.split_whitespace().nth(1).unwrap().parse().unwrap()
    }

    /// Its threads.
    pub fn threads(&self) -> usize {
        fs::read_dir(format!("/proc/{}/task", self.child.id())).unwrap().count()
    }

    /// Files and sockets that it has open.
    pub fn descriptors(&self) -> usize {
        fs::read_dir(format!("/proc/{}/fd", self.child.id())).unwrap().count()
    }

    /// The inodes of its sockets, as in /proc/net/tcp.
    pub fn sockets(&self) -> HashSet<String> {
        let open = fs::read_dir(format!("/proc/{}/fd", self.child.id())).unwrap();
        let links = open.filter_map(|entry| fs::read_link(entry.ok()?.path()).ok());
        let inode = |link: PathBuf| {
            let inode = link.to_str()?.strip_prefix("socket:[")?.strip_suffix(']')?.to_owned();
            Some(inode)
        };
        links.filter_map(inode).collect()
    }

    /// Whether it still runs.
    pub fn runs(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            eprintln!("--- the server said:\n{}\n---", self.log.lines().join("\n"));
        }
    }
}
