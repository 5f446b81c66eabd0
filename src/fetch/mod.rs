//! `pxeberry fetch`: a release from its publisher into the stick's layout.
//!
//! A file gets its final name only when a signature vouches for it, or when the person said
//! that it may be without one. Who publishes what and where is data: `publishers/*.toml`.

pub mod check;
pub mod download;
pub mod folder;
pub mod http;
pub mod newest;
pub mod place;
pub mod plan;
pub mod progress;
pub mod publisher;
pub mod release;
pub mod screen;
pub mod unpack;
pub mod url;
pub mod verdict;

use std::io::Write;
use std::process::ExitCode;

use check::Keys;
use folder::Folder;
use http::Client;
use place::Place;
use publisher::Publisher;
use release::Release;
use screen::Screen;
use url::Url;
use verdict::Trust;

use crate::cli::Fetch;

/// Fetches; says on standard output what there is then, on standard error what failed.
pub fn run(request: &Fetch) -> ExitCode {
    match fetch(request) {
        Ok(summary) => {
            // Whoever reads it may be gone by now.
            let _ = writeln!(std::io::stdout(), "{summary}");
            ExitCode::SUCCESS
        }
        Err(message) => {
            eprintln!("pxeberry: error: {message}");
            ExitCode::FAILURE
        }
    }
}

fn fetch(request: &Fetch) -> Result<String, String> {
    let publisher = Publisher::of(&request.system)?;
    let wanted = plan::wanted(&publisher, request.version.as_deref())?;
    let Some(arch) = publisher.arch.get(&request.arch) else {
        let known: Vec<&str> = publisher.arch.keys().map(String::as_str).collect();
        return Err(format!("{} is published for {} only", publisher.title, known.join(", ")));
    };
    let words =
        plan::Words { channel: wanted.channel.clone(), arch: arch.clone(), version: String::new() };
    let base = base(request, &publisher, &words)?;
    let stick = Folder::open(&request.to)
        .map_err(|error| format!("{}: {error}; --to takes a folder", request.to.display()))?;
    let keys = keys(request)?;
    let client = Client::new(request.patience);
    let mut screen = Screen::on_stderr();
    let release = Release::find(&client, &publisher, &base, words, &wanted, &mut screen)?;
    let plan = release.plan(&request.arch)?;
    eprintln!("{} {} from {base}", publisher.title, release.version());
    let folder = stick
        .make(&plan.folder)
        .map_err(|error| format!("{}/{}: {error}", request.to.display(), plan.folder))?;
    let place = Place {
        client: &client,
        keys: &keys,
        trust: Trust {
            publisher: &publisher,
            keys: keys.folder(),
            elsewhere: request.from.is_some(),
        },
        folder: &folder,
        accept_unsigned: request.accept_unsigned,
    };
    let summary = place.fill(&plan, &mut screen).inspect_err(|_| stick.tidy(&plan.folder))?;
    Ok(format!(
        "{} {} is in {}: {summary}",
        publisher.title,
        release.version(),
        folder.path().display()
    ))
}

fn base(request: &Fetch, publisher: &Publisher, words: &plan::Words) -> Result<Url, String> {
    let official = publisher.base.as_deref().map(|base| words.fill(base));
    match request.from.as_ref().or(official.as_ref()) {
        Some(base) => Url::parse(base),
        None => Err(format!(
            "{}: {}; name a mirror of them with --from URL",
            publisher.title,
            publisher.gone.as_deref().unwrap_or("nobody publishes it")
        )),
    }
}

fn keys(request: &Fetch) -> Result<Keys, String> {
    match &request.keys {
        Some(folder) if !folder.is_dir() => Err(format!(
            "{}: is no folder; --keys takes one with *.asc, *.gpg, *.pgp or *.key files",
            folder.display()
        )),
        Some(folder) => Keys::read(folder),
        None => Keys::of_stick(&request.to),
    }
}
