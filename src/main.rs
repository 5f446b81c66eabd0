//! Role → run → exit code. Everything else is in the library.

use std::io::Write;
use std::path::Path;
use std::process::ExitCode;

use pxeberry::cli::{self, Command};
use pxeberry::config::{self, Config};
use pxeberry::control::client::ask;
use pxeberry::serve::Owned;
use pxeberry::{http, init, logging, panel, report, serve};

fn main() -> ExitCode {
    let command = match cli::parse(std::process::id(), std::env::args_os().skip(1).collect()) {
        Ok(command) => command,
        Err(message) => return refuse(&message),
    };
    match run(command) {
        Ok(code) => code,
        Err(message) => refuse(&message),
    }
}

fn run(command: Command) -> Result<ExitCode, String> {
    match command {
        Command::Init => return Ok(init::run()),
        Command::Serve { config, interface, set_address, mounted_sticks, own_user } => {
            logging::start();
            let mut config = load(config.as_deref())?;
            config.interface = interface.or(config.interface);
            return Ok(serve::run(config, Owned { set_address, mounted_sticks, own_user }));
        }
        Command::Panel { config } => {
            logging::start();
            return Ok(panel::run(&load(config.as_deref())?));
        }
        Command::Help => say(cli::HELP),
        Command::Version => say(concat!("pxeberry ", env!("CARGO_PKG_VERSION"), "\n")),
        Command::Check(request) => {
            let config = load(request.config.as_deref())?;
            return report::check(&request, config);
        }
        Command::Fetch(request) => return fetch(&request),
        Command::Status { socket } => {
            let [status, machines, images, problems] = ["status", "machines", "images", "problems"]
                .map(|part| request(&socket, "GET", &format!("/v1/{part}")));
            say(&report::status(&[status?, machines?, images?, problems?]));
        }
        Command::HashPassword => println!("{}", http::admin::hash_line(std::io::stdin().lock())?),
        Command::Rescan { socket } => {
            request(&socket, "POST", "/v1/rescan")?;
            say("reading the sticks again; `pxeberry status` shows the outcome\n");
        }
        Command::Arm { mac, socket } => {
            request(&socket, "POST", &format!("/v1/machines/{mac}/arm"))?;
            say(&format!("{mac} is armed: its next network boot installs it\n"));
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Whoever reads it may have seen enough before its end.
fn say(text: &str) {
    let _ = std::io::stdout().write_all(text.as_bytes());
}

#[cfg(feature = "fetch")]
fn fetch(request: &cli::Fetch) -> Result<ExitCode, String> {
    Ok(pxeberry::fetch::run(request))
}

#[cfg(not(feature = "fetch"))]
fn fetch(_: &cli::Fetch) -> Result<ExitCode, String> {
    Err("fetch is a command for a workstation; the program on the box has it not".to_owned())
}

fn request(socket: &Path, method: &str, target: &str) -> Result<String, String> {
    ask(socket, method, target).map_err(|error| error.to_string())
}

fn load(path: Option<&Path>) -> Result<Config, String> {
    match path {
        Some(path) => config::load(path).map_err(|error| format!("{}: {error}", path.display())),
        None => config::parse("").map_err(|error| error.to_string()),
    }
}

fn refuse(message: &str) -> ExitCode {
    eprintln!("pxeberry: error: {message}");
    ExitCode::from(2)
}
