//! Which release it is, as the publisher's small files say.

use std::io::Read;
use std::thread;
use std::time::Duration;

use serde_json::Value;

use super::download::Watch;
use super::http::{Client, Fault};
use super::newest;
use super::plan::{self, Plan, Wanted, Words};
use super::publisher::{How, Listing, Newest, Publisher};
use super::url::Url;

/// A release that was found.
pub struct Release<'a> {
    publisher: &'a Publisher,
    base: &'a Url,
    words: Words,
    /// The pointer to its files, and the list in JSON.
    listing: Option<(String, Value)>,
}

/// Debian's `Release` has 150 kB, Fedora's streams 100 kB.
const LARGEST_TEXT: u64 = 4 << 20;

/// A server that is restarted is back by then.
const TRIES: u32 = 3;

impl<'a> Release<'a> {
    /// Asks the publisher, as far as needed.
    pub fn find(
        client: &Client,
        publisher: &'a Publisher,
        base: &'a Url,
        mut words: Words,
        wanted: &Wanted,
        watch: &mut dyn Watch,
    ) -> Result<Release<'a>, String> {
        let mut listing = None;
        match (&publisher.newest, &wanted.version) {
            (None, version) => {
                let found = listed(client, publisher, base, &mut words, version.as_deref(), watch)?;
                listing = Some(found);
            }
            (Some(newest), Some(version)) if !newest.only => words.version.clone_from(version),
            (Some(newest), version) => {
                words.version = ask(client, base, &words, newest, watch)?;
                let same = version.as_ref().is_none_or(|version| *version == words.version);
                if !same {
                    return Err(format!(
                        "{base} has {} {} of {} now, and no other",
                        publisher.title, words.version, words.channel
                    ));
                }
            }
        }
        Ok(Release { publisher, base, words, listing })
    }

    /// `4081.2.1`
    pub fn version(&self) -> &str {
        &self.words.version
    }

    /// What to fetch of it. `arch` is our word.
    pub fn plan(&self, arch: &str) -> Result<Plan, String> {
        let listing = self.listing.as_ref().map(|(files, list)| (files.as_str(), list));
        plan::plan(self.publisher, self.base, &self.words, arch, listing)
    }
}

/// A small file, whole.
pub fn small(
    client: &Client,
    url: &Url,
    most: u64,
    watch: &mut dyn Watch,
) -> Result<(Vec<u8>, Url), Fault> {
    let mut tries = 1;
    loop {
        let outcome = client.get(url, None).and_then(|answer| {
            let mut bytes = Vec::new();
            let read = answer.body.take(most + 1).read_to_end(&mut bytes);
            read.map_err(|error| Fault::of_body(&answer.url, &error))?;
            if bytes.len() as u64 > most {
                return Err(Fault::lasting(&answer.url, "is too large for what it should be"));
            }
            Ok((bytes, answer.url))
        });
        match outcome {
            Err(fault) if fault.may_pass && tries < TRIES => {
                watch.say(&format!("{}; trying again", fault.message));
                thread::sleep(Duration::from_secs(1));
                tries += 1;
            }
            other => return other,
        }
    }
}

/// The publisher's text under `url`.
pub fn text(client: &Client, url: &Url, watch: &mut dyn Watch) -> Result<(String, Url), String> {
    let (bytes, end) = small(client, url, LARGEST_TEXT, watch).map_err(|fault| fault.message)?;
    Ok((String::from_utf8(bytes).map_err(|_| format!("{url}: is no text"))?, end))
}

fn ask(
    client: &Client,
    base: &Url,
    words: &Words,
    newest: &Newest,
    watch: &mut dyn Watch,
) -> Result<String, String> {
    let url = base.below(&words.fill(&newest.file))?;
    let (text, end) = text(client, &url, watch)?;
    let text = if newest.how == How::Redirect { end.to_string() } else { text };
    newest::version(&text, newest.how, &newest.at)
        .ok_or_else(|| format!("{url}: does not say which version is the newest; name one"))
}

/// The first list that has the wanted version, or any if none is wanted.
fn listed(
    client: &Client,
    publisher: &Publisher,
    base: &Url,
    words: &mut Words,
    wanted: Option<&str>,
    watch: &mut dyn Watch,
) -> Result<(String, Value), String> {
    wanted.unwrap_or_default().clone_into(&mut words.version);
    let mut last = None;
    for Listing { file, version, files } in &publisher.listing {
        let url = base.below(&words.fill(file))?;
        let (text, _) = text(client, &url, watch)?;
        let list: Value =
            serde_json::from_str(&text).map_err(|error| format!("{url}: is no JSON: {error}"))?;
        let found = newest::listed_version(&list, &words.fill(version))
            .ok_or_else(|| format!("{url}: names no version for {}", words.arch))?;
        if wanted.is_none_or(|wanted| wanted == found) {
            words.version = found;
            return Ok((words.fill(files), list));
        }
        last = Some(found);
    }
    let last = last.unwrap_or_default();
    Err(format!("{base}: no list of {}, only of {last}", words.version))
}
