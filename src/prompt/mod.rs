//! `pxeberry prompt TTY`: the commands that ask a running server, on the box's own serial
//! console or its screen with a keyboard. There is no shell, and nobody signs in: whoever sits
//! at the box can pull its card and its sticks, too. `[control] prompt = false` ends it.
//!
//! PID 1 starts one for each console that the kernel writes to. It reads whole lines, as the
//! terminal's own driver makes them, and each command has ended before the next line is read.

mod line;

use std::convert::Infallible;
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::process::ExitCode;
use std::thread;
use std::time::Duration;

use crate::cli::{self, Command};
use crate::report;
use line::{Listener, Typed};

/// What a terminal's driver gives at once at most (N_TTY's line of 4,096 bytes).
const LONGEST_READ: usize = 4096;

/// After an end of input (Ctrl-D, or a line that went dead): the next one may come at once.
const AFTER_END: Duration = Duration::from_secs(1);

const PROMPT: &str = "pxeberry> ";

const HELP: &str = "\
status                what this box does and sees
machines              every machine, and how far its boot came
images                every image, and where it comes from
log [MACHINE]         what happened, to all or to one
arm MACHINE           install it at its next network boot
disarm MACHINE        do not
wake MACHINE          switch it on (Wake-on-LAN)
rescan                read the sticks again (as the button does)
MACHINE is a name in machines.toml or a MAC.
";

/// Serves one terminal for good; ends when it is gone.
pub fn run(terminal: &Path, socket: &Path) -> ExitCode {
    let Err(error) = serve(terminal, socket);
    // A console that cannot be read will not come back: nothing is to be started again.
    log::warn!("{}: no commands are taken there: {error}", terminal.display());
    ExitCode::SUCCESS
}

fn serve(terminal: &Path, socket: &Path) -> io::Result<Infallible> {
    let no_terminal_of_ours = rustix::fs::OFlags::NOCTTY.bits().cast_signed();
    let mut input = OpenOptions::new()
        .read(true)
        .write(true)
        .custom_flags(no_terminal_of_ours)
        .open(terminal)?;
    // What the commands print is for this terminal.
    rustix::stdio::dup2_stdout(&input)?;
    rustix::stdio::dup2_stderr(&input)?;
    let mut listener = Listener::default();
    let mut bytes = vec![0; LONGEST_READ];
    loop {
        let count = input.read(&mut bytes)?;
        if count == 0 {
            thread::sleep(AFTER_END);
            continue;
        }
        for typed in listener.hear(bytes.get(..count).unwrap_or_default()) {
            answer(&mut input, typed, socket)?;
        }
    }
}

fn answer(terminal: &mut File, typed: Typed, socket: &Path) -> io::Result<()> {
    let said = match typed {
        Typed::Noise => return Ok(()),
        Typed::Nothing => String::new(),
        Typed::Help => HELP.to_owned(),
        Typed::Refused(why) => format!("{why}\n"),
        Typed::Command(words) => command(words, socket),
    };
    terminal.write_all(said.as_bytes())?;
    terminal.write_all(PROMPT.as_bytes())
}

/// Prints what the command prints; gives what went wrong.
fn command(mut words: Vec<String>, socket: &Path) -> String {
    words.extend(["--socket".to_owned(), socket.display().to_string()]);
    let words = words.into_iter().map(Into::into).collect();
    let outcome = match cli::parse(std::process::id(), words) {
        Ok(Command::Ask(ask)) => report::ask(&ask),
        Ok(_) => Err("that is no command for this prompt; type help".to_owned()),
        Err(message) => Err(message),
    };
    outcome.map_or_else(|message| format!("{message}\n"), |()| String::new())
}
