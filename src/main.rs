//! Role → run → exit code. Everything else is in the library.

use std::io::Write;
use std::path::Path;
use std::process::ExitCode;

use pxeberry::cli::{self, Command};
use pxeberry::config::{self, Config};
use pxeberry::serve::Owned;
use pxeberry::{http, init, logging, panel, prompt, report, serve};

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
        Command::Prompt { terminal, socket } => {
            logging::start();
            return Ok(prompt::run(&terminal, &socket));
        }
        Command::Help => say(cli::HELP),
        Command::Version => say(concat!("pxeberry ", env!("CARGO_PKG_VERSION"), "\n")),
        Command::Check(request) => {
            let config = load(request.config.as_deref())?;
            return report::check(&request, config);
        }
        Command::Fetch(request) => return fetch(&request),
        Command::HashPassword => {
            say(&format!("{}\n", http::admin::hash_line(std::io::stdin().lock())?))
        }
        Command::Ask(ask) => report::ask(&ask)?,
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
