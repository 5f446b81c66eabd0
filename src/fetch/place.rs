//! The files of a release into their folder: fetched, checked, named.

use std::fs::File;
use std::io::{self, Seek, SeekFrom};

use super::check::{self, Keys, Signer};
use super::download::{self, LARGEST, Watch};
use super::folder::Folder;
use super::http::Client;
use super::newest;
use super::plan::{Item, Plan};
use super::progress::size;
use super::publisher::Newest;
use super::release::{small, text};
use super::screen::Screen;
use super::unpack::unpack;
use super::url::Url;
use super::verdict::{Trust, Verdict};
use crate::verify::sums;

/// Where a release goes, and what decides on its files.
pub struct Place<'a> {
    /// Asks the publisher.
    pub client: &'a Client,
    /// The keys that are there.
    pub keys: &'a Keys,
    /// Whose release it is, and whose signatures count.
    pub trust: Trust<'a>,
    /// The image's folder.
    pub folder: &'a Folder,
    /// Whether files without a good signature are taken, too.
    pub accept_unsigned: bool,
}

/// What the lists of checksums say, and who vouches for them.
struct Lists {
    /// Of the last list.
    text: Option<String>,
    verdict: Verdict,
    /// To be kept beside the files: name and content.
    keep: Vec<(String, Vec<u8>)>,
}

/// A signature has some hundred bytes; Debian's `Release.gpg` has several of them.
const LARGEST_SIGNATURE: u64 = 64 * 1024;

/// What is not verified ends so: nothing on the box takes it for an image.
const UNVERIFIED: &str = ".unverified";

impl Place<'_> {
    /// Fetches what is not there. The summary is for people.
    pub fn fill(&self, plan: &Plan, screen: &mut Screen) -> Result<String, String> {
        let lists = self.lists(plan, screen)?;
        self.room(plan, screen)?;
        let mut outcome = Vec::new();
        for item in &plan.items {
            outcome.push(self.item(item, &lists, screen)?);
        }
        let unsigned = outcome.iter().find_map(|verdict| match verdict {
            Verdict::Unsigned(why) => Some(why),
            _ => None,
        });
        if let (Some(why), false) = (unsigned, self.accept_unsigned) {
            return Err(format!(
                "{}: not verified, so what was fetched is kept as *{UNVERIFIED}: {why}; or run it \
                 again with --accept-unsigned",
                self.folder.path().display()
            ));
        }
        for (name, bytes) in &lists.keep {
            self.folder.put(name, bytes).map_err(|error| self.broken(name, &error))?;
        }
        Ok(self.trust.summary(&outcome))
    }

    /// Fetches the lists of checksums, each checked by the one before it.
    fn lists(&self, plan: &Plan, screen: &mut Screen) -> Result<Lists, String> {
        let secure = plan.sums.first().is_some_and(|sums| sums.url.is_secure());
        let none = format!(
            "{} signs nothing with OpenPGP; it fits a list of checksums that came over {}",
            self.trust.publisher.title,
            if secure { "HTTPS" } else { "plain HTTP" }
        );
        let mut lists = Lists { text: None, verdict: Verdict::Unsigned(none), keep: Vec::new() };
        for sums in &plan.sums {
            let (content, _) = text(self.client, &sums.url, screen)?;
            if let Some(before) = &lists.text {
                let names = newest::names(before, &sums.listed_as, content.as_bytes());
                let is_named = names
                    .ok_or_else(|| format!("{}: no signed list has its checksum", sums.url))?;
                if !is_named {
                    return Err(format!(
                        "{}: is not what the signed list says; a mirror that is being updated? \
                         try again later",
                        sums.url
                    ));
                }
            }
            if let Some(url) = &sums.signature {
                let signature = self.signature(url, screen)?;
                lists.verdict = self.judge_signature(|| Ok(content.as_bytes()), &signature);
                if let Verdict::Bad(why) = &lists.verdict {
                    return Err(format!("{}: {why}; nothing was fetched", sums.url));
                }
                if let Some(newest) = &sums.newest {
                    let is_of = is_of(newest, &content, &plan.version);
                    is_of.map_err(|why| format!("{}: {why}", sums.url))?;
                }
                let add = url.to_string().split_off(sums.url.to_string().len());
                lists.keep.push((format!("{}{add}", sums.name), signature));
            }
            lists.keep.push((sums.name.clone(), content.clone().into_bytes()));
            lists.text = Some(content);
        }
        Ok(lists)
    }

    /// Fetches a signature: what is none is known before the file is fetched.
    fn signature(&self, url: &Url, screen: &mut Screen) -> Result<Vec<u8>, String> {
        let (bytes, _) =
            small(self.client, url, LARGEST_SIGNATURE, screen).map_err(|fault| fault.message)?;
        check::is_signature(&bytes).map_err(|flaw| format!("{url}: is no signature: {flaw}"))?;
        Ok(bytes)
    }

    /// Sees before anything is fetched that all of it is there and fits.
    fn room(&self, plan: &Plan, screen: &mut Screen) -> Result<(), String> {
        let mut needed = 0_u64;
        for item in &plan.items {
            let (folder, name) = self.open(item)?;
            let is_there = |name: &str| matches!(folder.readable(name), Ok(Some(_)));
            let unverified = format!("{name}{UNVERIFIED}");
            if is_there(name) || is_there(&unverified) || self.unpacked(item).is_some() {
                continue;
            }
            let size = self.client.size(&item.url).map_err(|fault| fault.message)?.unwrap_or(0);
            // An archive is there beside what is taken out of it.
            let times = if item.unpack.is_empty() { 1 } else { 2 };
            let rest = size.saturating_mul(times).saturating_sub(download::there(&folder, name));
            needed = needed.saturating_add(rest);
        }
        match self.folder.free() {
            Ok(free) if free < needed => Err(format!(
                "{}: {} are needed, {} are free",
                self.folder.path().display(),
                size(needed),
                size(free)
            )),
            _ => {
                if needed > 0 {
                    screen.say(&format!("{} to fetch", size(needed)));
                }
                Ok(())
            }
        }
    }

    fn item(&self, item: &Item, lists: &Lists, screen: &mut Screen) -> Result<Verdict, String> {
        if let Some(verdict) = self.unpacked(item) {
            return Ok(verdict);
        }
        let (folder, name) = self.open(item)?;
        let signature = match &item.signature {
            Some((url, _)) => Some(self.signature(url, screen)?),
            None => None,
        };
        let unverified = format!("{name}{UNVERIFIED}");
        for there in [name, &unverified] {
            let Some(file) = folder.readable(there).map_err(|e| self.broken(there, &e))? else {
                continue;
            };
            match self.judge(item, lists, signature.as_deref(), &file) {
                Verdict::Bad(why) => {
                    screen.say(&format!("{there} is there, but {why}; fetched again"));
                    if there == unverified {
                        folder.remove(there).map_err(|e| self.broken(there, &e))?;
                    }
                }
                verdict => {
                    screen.say(&format!("{there} is there already"));
                    return self.accept(item, &folder, there, verdict, signature.as_deref());
                }
            }
        }
        self.download(item, lists, signature.as_deref(), &folder, screen)
    }

    fn download(
        &self,
        item: &Item,
        lists: &Lists,
        signature: Option<&[u8]>,
        folder: &Folder,
        screen: &mut Screen,
    ) -> Result<Verdict, String> {
        let name = item.name.rsplit('/').next().unwrap_or_default();
        let part = format!("{name}.part");
        let mut again = false;
        loop {
            screen.begin(name);
            let outcome = download::download(self.client, &item.url, folder, name, screen);
            screen.end();
            let resumed = outcome.map_err(|fault| fault.message)?;
            let file = folder.readable(&part).map_err(|error| self.broken(&part, &error))?;
            let file = file.ok_or_else(|| format!("{part}: somebody has removed it"))?;
            let verdict = self.judge(item, lists, signature, &file);
            let Verdict::Bad(why) = &verdict else {
                return self.accept(item, folder, &part, verdict, signature);
            };
            download::forget(folder, name).map_err(|error| self.broken(&part, &error))?;
            if again || !resumed {
                return Err(format!("{}: {why}; nothing of it was kept", item.url));
            }
            // Perhaps the parts do not belong together: once more, in one piece.
            again = true;
            screen.say(&format!("{name}: {why}; fetching it again in one piece"));
        }
    }

    /// Says what is known of a file.
    fn judge(
        &self,
        item: &Item,
        lists: &Lists,
        signature: Option<&[u8]>,
        mut file: &File,
    ) -> Verdict {
        let wanted = match &lists.text {
            Some(text) => sums::of(text, &item.name),
            None => item.sha256.iter().cloned().collect(),
        };
        if lists.text.is_some() && wanted.is_empty() {
            return Verdict::Bad("the list of checksums does not name it".to_owned());
        }
        let mut open = || file.seek(SeekFrom::Start(0)).map(|_| file);
        if !wanted.is_empty() {
            match open().and_then(|mut content| check::fits(&mut content, &wanted)) {
                Ok(true) => {}
                Ok(false) => {
                    return Verdict::Bad("its checksum is not the published one".to_owned());
                }
                Err(error) => return Verdict::Bad(format!("it cannot be read: {error}")),
            }
        }
        match signature {
            Some(signature) => self.judge_signature(open, signature),
            None => lists.verdict.clone(),
        }
    }

    fn judge_signature<R: io::Read>(
        &self,
        open: impl FnMut() -> io::Result<R>,
        signature: &[u8],
    ) -> Verdict {
        match self.keys.check(open, signature) {
            Signer::Good { fingerprint, by } => self.trust.signed(&fingerprint, by),
            Signer::Bad(why) => Verdict::Bad(why),
            Signer::Unknown(key) => self.trust.missing_key(&key),
        }
    }

    /// Gives a file the name that its verdict allows.
    fn accept(
        &self,
        item: &Item,
        folder: &Folder,
        there: &str,
        verdict: Verdict,
        signature: Option<&[u8]>,
    ) -> Result<Verdict, String> {
        let name = item.name.rsplit('/').next().unwrap_or_default();
        let broken = |error: io::Error| self.broken(there, &error);
        let good = matches!(verdict, Verdict::Signed(_)) || self.accept_unsigned;
        if !good {
            if there.ends_with(".part") {
                folder.rename(there, &format!("{name}{UNVERIFIED}")).map_err(broken)?;
                download::forget(folder, name).map_err(broken)?;
            }
            return Ok(verdict);
        }
        if let (Some(signature), Some((_, add)), true) =
            (signature, &item.signature, item.unpack.is_empty())
        {
            folder.put(&format!("{name}{add}"), signature).map_err(broken)?;
        }
        if there != name {
            folder.rename(there, name).map_err(broken)?;
            download::forget(folder, name).map_err(broken)?;
        }
        let signed = matches!(verdict, Verdict::Signed(_));
        self.take_out(item, folder, name, signed).map_err(broken)?;
        Ok(verdict)
    }

    /// Takes the files out of an archive and removes it; notes their checksums, if they
    /// are somebody's.
    fn take_out(
        &self,
        item: &Item,
        folder: &Folder,
        archive: &str,
        signed: bool,
    ) -> io::Result<()> {
        if item.unpack.is_empty() {
            return Ok(());
        }
        let file = folder.readable(archive)?.ok_or(io::ErrorKind::NotFound)?;
        let mut sums = String::new();
        unpack(io::BufReader::new(file), &item.unpack, LARGEST, |path, content| {
            let name = path.rsplit('/').next().unwrap_or_default();
            let part = format!("{name}.part");
            let mut out = folder.writable(&part)?;
            out.set_len(0)?;
            io::copy(content, &mut out)?;
            out.sync_all()?;
            out.seek(SeekFrom::Start(0))?;
            sums += &format!("{}  {name}\n", check::sha256(&mut out)?);
            folder.rename(&part, name)
        })?;
        if signed {
            folder.put(SUMS, sums.as_bytes())?;
        } else {
            folder.remove(SUMS)?;
        }
        folder.remove(archive)
    }

    /// Whether all of an archive's files are here, as they were taken out of it.
    fn unpacked(&self, item: &Item) -> Option<Verdict> {
        if item.unpack.is_empty() {
            return None;
        }
        let list = self.folder.text(SUMS)?;
        let whole = |path: &String| {
            let name = path.rsplit('/').next().unwrap_or_default();
            let mut file = self.folder.readable(name).ok().flatten()?;
            let wanted = sums::of(&list, name);
            Some(!wanted.is_empty() && check::fits(&mut file, &wanted).ok()?)
        };
        let all = item.unpack.iter().all(|path| whole(path) == Some(true));
        all.then_some(Verdict::Unchanged)
    }

    /// The folder that an item lies in, and its name there.
    fn open<'a>(&self, item: &'a Item) -> Result<(Folder, &'a str), String> {
        let (parent, name) = item.name.rsplit_once('/').unwrap_or(("", &item.name));
        let folder = self.folder.make(parent).map_err(|error| self.broken(parent, &error))?;
        Ok((folder, name))
    }

    fn broken(&self, name: &str, error: &io::Error) -> String {
        format!("{}: {error}", self.folder.path().join(name).display())
    }
}

/// Which release it is was asked before anything was signed: the signed text has to say the
/// same.
fn is_of(newest: &Newest, content: &str, version: &str) -> Result<(), String> {
    match newest::version(content, newest.how, &newest.at) {
        Some(found) if found == version => Ok(()),
        found => Err(format!(
            "is of version {}, and was of {version} a moment ago; a mirror that is being updated? \
             try again later",
            found.unwrap_or_default().escape_debug()
        )),
    }
}

/// Checksums of what was taken out of an archive.
const SUMS: &str = "SHA256SUMS";
