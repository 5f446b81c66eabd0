//! The commands that ask a running server: from the words of the command line to what is
//! printed.

use std::io::{self, IsTerminal, Write};

use serde_json::Value;

use super::status;
use crate::cli::{Ask, Deed, What};
use crate::control::client;

const NO_MACHINES: &str = "no machines: name them in machines.toml on a stick\n";

/// Asks, and prints the answer.
pub fn ask(ask: &Ask) -> Result<(), String> {
    let get = |target: &str| exchange(ask, "GET", target);
    match &ask.what {
        What::Status if ask.json => print(&get("/v1/status")?),
        What::Status => {
            let [status, machines, problems] =
                ["status", "machines", "problems"].map(|part| get(&format!("/v1/{part}")));
            write(&status::status(&status?, &machines?, &problems?))
        }
        What::Machines => {
            let answer = get("/v1/machines")?;
            shown(ask, &answer, |answer| match status::machines(answer) {
                none if none.is_empty() => NO_MACHINES.to_owned(),
                table => table,
            })
        }
        What::Images => shown(ask, &get("/v1/images")?, status::images),
        What::Log { machine: Some(machine), follow } => timeline(ask, machine, *follow),
        What::Log { machine: None, follow } => log(ask, *follow),
        What::Rescan => {
            let answer = exchange(ask, "POST", "/v1/rescan")?;
            let words = "reading the sticks again; `pxeberry status` shows the outcome\n";
            shown(ask, &answer, |_| words.to_owned())
        }
        What::Do(deed, machine) => {
            let target = path(machine, Some(name(*deed)));
            let answer = exchange(ask, "POST", &target)?;
            shown(ask, &answer, |_| done(*deed, machine))
        }
        What::Capture(machine) => capture(ask, machine),
    }
}

fn name(deed: Deed) -> &'static str {
    match deed {
        Deed::Arm => "arm",
        Deed::Disarm => "disarm",
        Deed::Wake => "wake",
    }
}

fn done(deed: Deed, machine: &str) -> String {
    match deed {
        Deed::Arm => format!("{machine} is armed: its next network boot installs it\n"),
        Deed::Disarm => format!("{machine} is disarmed: it boots its own disk\n"),
        Deed::Wake => {
            format!("{machine} is told to wake; `pxeberry machines` shows whether it boots\n")
        }
    }
}

fn exchange(ask: &Ask, method: &str, target: &str) -> Result<Value, String> {
    let body = client::ask(&ask.socket, method, target).map_err(|error| error.to_string())?;
    serde_json::from_slice(&body).map_err(|error| format!("the answer is no JSON: {error}"))
}

/// `/v1/machines/node%201/arm`
fn path(machine: &str, deed: Option<&str>) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._:".contains(&byte);
    let encoded = machine.bytes().map(|byte| match plain(byte) {
        true => char::from(byte).to_string(),
        false => format!("%{byte:02x}"),
    });
    let encoded: String = encoded.collect();
    let deed = deed.map(|deed| format!("/{deed}")).unwrap_or_default();
    format!("/v1/machines/{encoded}{deed}")
}

fn shown(ask: &Ask, answer: &Value, text: impl Fn(&Value) -> String) -> Result<(), String> {
    if ask.json { print(answer) } else { write(&text(answer)) }
}

fn print(answer: &Value) -> Result<(), String> {
    write(&format!("{answer}\n"))
}

/// `pxeberry log --follow | head` ends when its reader does.
fn write(text: &str) -> Result<(), String> {
    let mut out = io::stdout().lock();
    let written = out.write_all(text.as_bytes()).and_then(|()| out.flush());
    written.map_err(|error| format!("cannot write: {error}"))
}

fn log(ask: &Ask, follow: bool) -> Result<(), String> {
    let (mut next, mut revision) = (0, 0);
    loop {
        let answer = exchange(ask, "GET", &format!("/v1/log?after={next}"))?;
        next = number(&answer, "next");
        shown(ask, &answer, status::log)?;
        if !follow {
            return Ok(());
        }
        revision = change(ask, revision)?;
    }
}

/// What happened to a machine: all of it, then what is new.
fn timeline(ask: &Ask, machine: &str, follow: bool) -> Result<(), String> {
    let target = path(machine, None);
    let (mut told, mut revision) = (Vec::new(), 0);
    loop {
        let answer = exchange(ask, "GET", &target)?;
        if ask.json {
            print(&answer)?;
        } else {
            let entries = status::timeline(&answer);
            let known = |entry: &&(String, String)| told.contains(&entry.0);
            let news = entries.iter().filter(|entry| !known(entry)).map(|entry| entry.1.as_str());
            write(&news.collect::<String>())?;
            told = entries.into_iter().map(|entry| entry.0).collect();
        }
        if !follow {
            return Ok(());
        }
        revision = change(ask, revision)?;
    }
}

fn change(ask: &Ask, known: u64) -> Result<u64, String> {
    let target = format!("/v1/changes?after={known}");
    exchange(ask, "GET", &target).map(|answer| number(&answer, "revision"))
}

fn number(answer: &Value, key: &str) -> u64 {
    answer.get(key).and_then(Value::as_u64).unwrap_or(0)
}

fn capture(ask: &Ask, machine: &str) -> Result<(), String> {
    let mut out = io::stdout().lock();
    if out.is_terminal() {
        let name = machine.replace(|letter: char| !letter.is_alphanumeric(), "-");
        return Err(format!(
            "packets are nothing to look at here; pxeberry capture {machine} > {name}.pcap"
        ));
    }
    let target = path(machine, Some("capture"));
    let packets = client::ask(&ask.socket, "GET", &target).map_err(|error| error.to_string())?;
    out.write_all(&packets).map_err(|error| format!("cannot write: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_stands_in_a_path_whatever_it_holds() {
        assert_eq!(path("node-1", Some("arm")), "/v1/machines/node-1/arm");
        assert_eq!(path("52:54:00:00:00:01", None), "/v1/machines/52:54:00:00:00:01");
        assert_eq!(path("a b/ü?", None), "/v1/machines/a%20b%2f%c3%bc%3f");
    }
}
