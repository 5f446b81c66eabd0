//! `pxeberry check`: reads and verifies a stick as the servers would, and says what came out.

use std::io::{IsTerminal, Write};
use std::process::ExitCode;

use serde::Serialize;

use super::stick::{Contents, Stick, contents, refused};
use super::{explain, explain_text, table};
use crate::cli;
use crate::config::Config;
use crate::inventory::Problem;
use crate::verify::{Job, Verdicts};
use crate::world::{media, verifier};

/// Says what a stick would serve. Fails when it would be refused, or when a machine would not
/// get what it should; the error is wrong use.
pub fn check(request: &cli::Check, config: Config) -> Result<ExitCode, String> {
    if !request.folder.is_dir() {
        return Err(format!("{}: not a folder", request.folder.display()));
    }
    let (mut inventory, jobs) = match media::check(&request.folder) {
        Ok(found) => found,
        Err(problems) => {
            let contents = refused(problems);
            say(request.json, &contents, || table::text(&contents))?;
            return Ok(ExitCode::FAILURE);
        }
    };
    inventory.note_addresses_outside(&config.server);
    let (verdicts, problems) = verified(&config, jobs);
    inventory.problems.extend(problems);
    let stick = Stick { inventory, verdicts, config };
    let contents = contents(&stick);
    match request.explain {
        Some(mac) => {
            let told = explain::explain(&stick, mac);
            say(request.json, &told, || explain_text::text(&told))?;
        }
        None => say(request.json, &contents, || table::text(&contents))?,
    }
    Ok(status(&contents))
}

fn status(contents: &Contents) -> ExitCode {
    if contents.good { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// With its progress, where somebody watches.
fn verified(config: &Config, jobs: Vec<Job>) -> (Verdicts, Vec<Problem>) {
    let on_terminal = std::io::stderr().is_terminal();
    let outcome = verifier::check_all(config.verify, jobs, |path, percent| {
        if on_terminal {
            eprint!("\r\x1b[Kverifying {path}: {percent} %");
        }
    });
    if on_terminal {
        eprint!("\r\x1b[K");
    }
    outcome
}

/// As data or as text. Whoever reads it may have seen enough before its end.
fn say<T: Serialize>(json: bool, data: &T, text: impl FnOnce() -> String) -> Result<(), String> {
    let said = match json {
        true => serde_json::to_string_pretty(data).map_err(|error| error.to_string())? + "\n",
        false => text(),
    };
    let _ = std::io::stdout().write_all(said.as_bytes());
    Ok(())
}
