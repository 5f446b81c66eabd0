//! One file from its URL to `.part`: goes on where it stopped, and knows when it may not.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::thread;
use std::time::Duration;

use super::folder::Folder;
use super::http::{Answer, Client, Fault};
use super::progress::size;
use super::url::Url;

/// Told how far it is, and of how many bytes.
pub trait Watch {
    /// So much is there now.
    fn at(&mut self, done: u64, total: Option<u64>);
    /// It starts again, or waits.
    fn say(&mut self, text: &str);
}

/// What is there of a file, and of which content it is a part.
struct Part {
    file: File,
    have: u64,
    /// Validator and size of the content; none means that it cannot be gone on with.
    known: Option<(String, u64)>,
}

/// No file of an installation is larger. A server that sends for ever fills no stick.
pub const LARGEST: u64 = 8 << 30;

/// wget makes as many.
const MOST_TRIES: u32 = 20;

/// Tries in a row that bring nothing.
const MOST_FRUITLESS: u32 = 5;

/// Doubled after each of these: the last one is four seconds.
const FIRST_PAUSE: Duration = Duration::from_millis(250);

/// Left over for the rest of the stick's file system.
const SPARE: u64 = 1 << 20;

/// Fetches `url` into `<name>.part`, whole and on the disk. True if a part of it is of an
/// earlier run or try.
pub fn download(
    client: &Client,
    url: &Url,
    folder: &Folder,
    name: &str,
    watch: &mut dyn Watch,
) -> Result<bool, Fault> {
    let shown = folder.path().join(format!("{name}.part"));
    let local = |error: io::Error| Fault::lasting(shown.display(), error);
    let mut part = Part::open(folder, name, url).map_err(local)?;
    let mut resumed = part.have > 0;
    let mut fruitless = 0;
    for _ in 0..MOST_TRIES {
        let before = part.have;
        let fault = match attempt(client, url, folder, name, &mut part, watch) {
            Ok(()) => {
                part.file.sync_all().map_err(local)?;
                return Ok(resumed);
            }
            Err(fault) if fault.may_pass => fault,
            Err(fault) => return Err(fault),
        };
        resumed = part.have > 0;
        fruitless = if part.have > before { 0 } else { fruitless + 1 };
        if fruitless >= MOST_FRUITLESS {
            let next = "run the same command again later, it goes on where it stopped";
            return Err(Fault::lasting(fault.message, next));
        }
        watch.say(&format!("{}; trying again", fault.message));
        thread::sleep(FIRST_PAUSE * (1 << fruitless));
    }
    Err(Fault::lasting(url, format!("broke off {MOST_TRIES} times; run the same command again")))
}

/// Forgets what is there.
pub fn forget(folder: &Folder, name: &str) -> io::Result<()> {
    folder.remove(&from_name(name))?;
    folder.remove(&format!("{name}.part"))
}

/// Bytes that are there of an earlier run.
pub fn there(folder: &Folder, name: &str) -> u64 {
    let part = folder.readable(&format!("{name}.part")).ok().flatten();
    part.and_then(|part| part.metadata().ok()).map_or(0, |data| data.len())
}

fn attempt(
    client: &Client,
    url: &Url,
    folder: &Folder,
    name: &str,
    part: &mut Part,
    watch: &mut dyn Watch,
) -> Result<(), Fault> {
    if part.is_whole() {
        return Ok(());
    }
    let resume = part.known.as_ref().filter(|_| part.have > 0);
    let answer = client.get(url, resume.map(|(validator, _)| (part.have, validator.as_str())))?;
    let local = |error| Fault::lasting(folder.path().join(name).display(), error);
    match (answer.status, answer.range, part.known.as_ref()) {
        (206, Some((from, total)), Some((validator, expected)))
            if from == part.have
                && total == *expected
                // Servers that do not look at If-Range say so here, if anywhere.
                && answer.validator.as_ref().is_none_or(|now| now == validator) => {}
        (200, ..) => part.start(folder, name, url, &answer).map_err(local)?,
        _ => {
            part.reset(folder, name).map_err(local)?;
            return Err(Fault::passing(url, "what is there of it cannot be gone on with"));
        }
    }
    let total = part.known.as_ref().map(|(_, total)| *total).or(answer.length);
    fits(url, folder, part, total)?;
    let Answer { url, mut body, .. } = answer;
    copy(&url, &mut body, part, total, LARGEST, watch)
}

/// Refuses what is too large before a byte of it is written.
fn fits(url: &Url, folder: &Folder, part: &Part, total: Option<u64>) -> Result<(), Fault> {
    let total = total.unwrap_or(0);
    if total > LARGEST {
        let (is, most) = (size(total), size(LARGEST));
        return Err(Fault::lasting(url, format!("is {is} large; nothing over {most} is fetched")));
    }
    let needed = total.saturating_sub(part.have).saturating_add(SPARE);
    match folder.free() {
        Ok(free) if free < needed => Err(Fault::lasting(
            folder.path().display(),
            format!("{} more are needed, {} are free", size(needed), size(free)),
        )),
        _ => Ok(()),
    }
}

/// Appends the content to what is there: `total` bytes in all, or at most `most` when the
/// server does not say how many.
fn copy(
    url: &Url,
    body: &mut dyn Read,
    part: &mut Part,
    total: Option<u64>,
    most: u64,
    watch: &mut dyn Watch,
) -> Result<(), Fault> {
    let most = total.unwrap_or(most);
    let mut buffer = vec![0; 256 * 1024];
    watch.at(part.have, total);
    loop {
        let length = match body.read(&mut buffer) {
            Ok(0) => break,
            Ok(length) => length,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(Fault::of_body(url, &error)),
        };
        let bytes = buffer.get(..length).unwrap_or_default();
        if part.have + length as u64 > most {
            return Err(Fault::lasting(url, format!("sends more than {}", size(most))));
        }
        part.file.write_all(bytes).map_err(|error| Fault::lasting(url, error))?;
        part.have += length as u64;
        watch.at(part.have, total);
    }
    if total.is_some_and(|total| part.have < total) {
        return Err(Fault::passing(url, "the transfer broke off"));
    }
    // Without a length there is no telling whether this was all; the signature tells.
    Ok(())
}

impl Part {
    /// Opens what is there, if it is of this URL; else starts.
    fn open(folder: &Folder, name: &str, url: &Url) -> io::Result<Part> {
        let mut file = folder.writable(&format!("{name}.part"))?;
        let from = folder.text(&from_name(name)).unwrap_or_default();
        let mut lines = from.lines();
        let same = lines.next() == Some(url.to_string().as_str());
        let total = lines.next().and_then(|text| text.parse::<u64>().ok());
        let validator = lines.next().filter(|text| !text.is_empty()).map(str::to_owned);
        let have = file.seek(SeekFrom::End(0))?;
        let known = validator.zip(total).filter(|(_, total)| same && have <= *total);
        let mut part = Part { file, have, known };
        if part.known.is_none() {
            part.reset(folder, name)?;
        }
        Ok(part)
    }

    fn is_whole(&self) -> bool {
        self.known.as_ref().is_some_and(|(_, total)| self.have == *total && self.have > 0)
    }

    /// Starts with the content of `answer`.
    fn start(&mut self, folder: &Folder, name: &str, url: &Url, answer: &Answer) -> io::Result<()> {
        self.reset(folder, name)?;
        self.known = answer.validator.clone().zip(answer.length);
        if let Some((validator, total)) = &self.known {
            folder.put(&from_name(name), format!("{url}\n{total}\n{validator}\n").as_bytes())?;
        }
        Ok(())
    }

    fn reset(&mut self, folder: &Folder, name: &str) -> io::Result<()> {
        folder.remove(&from_name(name))?;
        self.file.set_len(0)?;
        self.file.seek(SeekFrom::Start(0))?;
        self.have = 0;
        self.known = None;
        Ok(())
    }
}

/// The note that says what a part is a part of.
fn from_name(name: &str) -> String {
    format!("{name}.part.from")
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Silent;

    impl Watch for Silent {
        fn at(&mut self, _: u64, _: Option<u64>) {}
        fn say(&mut self, _: &str) {}
    }

    #[test]
    fn a_server_that_sends_for_ever_fills_no_stick() {
        let place = std::env::temp_dir().join(format!("pxeberry-endless-{}", std::process::id()));
        std::fs::create_dir_all(&place).unwrap();
        let folder = Folder::open(&place).unwrap();
        let url = Url::parse("http://endless.example/image").unwrap();
        let mut part = Part::open(&folder, "image", &url).unwrap();
        let mut body = io::repeat(b'x');
        let most = 10 << 20;
        let fault = copy(&url, &mut body, &mut part, None, most, &mut Silent).unwrap_err();
        assert!(fault.message.contains("sends more than 10.4 MB"), "{}", fault.message);
        assert!(!fault.may_pass);
        assert!(part.file.metadata().unwrap().len() <= most);
        std::fs::remove_dir_all(&place).unwrap();
    }
}
