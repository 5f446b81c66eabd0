//! Doing one job: reading the file once, at the speed of its stick, and comparing.
//!
//! What decides before the file is read is decided first: a missing key, an expired one, a
//! damaged signature cost nothing. Reading asks the kernel for the next pieces while this one
//! is hashed, and leaves large files out of the page cache: machines' files are there.

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::FileExt;
use std::time::{Duration, Instant};

use rustix::fs::{Advice, AtFlags, StatxFlags, StatxTimestamp, fadvise, statx};

use super::evidence::{Job, List, Stamp};
use super::keys::{LARGEST_PROOF, small};
use super::openpgp::{Keyring, Outcome, Signatures};
use super::sums::{self, Comparison, Digest};
use super::verdict::{Fault, Verdict};
use super::{Progress, armor, hint, release};
use crate::inventory::MediaFile;
use crate::inventory::media_file::open_beneath;

/// Large enough for a USB stick's full speed, small beside the memory of a Pi.
const PIECE: usize = 1024 * 1024;

/// Pieces that the kernel reads ahead of the one that is hashed.
const AHEAD: u64 = 4 * PIECE as u64;

/// A larger file would push everything else out of the page cache of a small Pi.
const LARGEST_CACHED: u64 = 64 * 1024 * 1024;

/// The list of a whole Debian installer has a thousand lines.
const LARGEST_LIST: u64 = 4 * 1024 * 1024;

/// A job that is given up ends in this error, which no file has. Not in `Interrupted`, which
/// means "try again" to everybody who reads.
pub(super) const GIVEN_UP: io::ErrorKind = io::ErrorKind::ConnectionAborted;

/// What a job goes along with.
pub struct Surroundings<'a> {
    /// The keys of all sticks.
    pub keyring: &'a Keyring,
    /// Seconds since 1970, for words alone.
    pub now: u64,
    /// Counts bytes.
    pub progress: &'a Progress,
    /// Asked after each piece, with the time that it took: false gives the job up. It may
    /// take its time, to leave the stick to machines.
    pub goes_on: &'a dyn Fn(Duration) -> bool,
}

/// What tells this file from another one that takes its place.
pub fn stamp(file: &MediaFile) -> Stamp {
    let found = open_beneath(&file.volume, &file.path).and_then(|open| stamp_of(&open));
    // What cannot be opened cannot be verified, either.
    found.unwrap_or_default()
}

fn stamp_of(file: &File) -> io::Result<Stamp> {
    /// Linux 6.8 and newer: numbers that are never given again.
    const UNIQUE_MOUNT: StatxFlags = StatxFlags::from_bits_retain(0x4000);
    let ask = |what| statx(file, "", AtFlags::EMPTY_PATH, StatxFlags::BASIC_STATS | what);
    let (unique, plain) = (ask(UNIQUE_MOUNT)?, ask(StatxFlags::MNT_ID)?);
    let mount = if unique.stx_mask & UNIQUE_MOUNT.bits() != 0 { &unique } else { &plain };
    let nanoseconds =
        |at: StatxTimestamp| i128::from(at.tv_sec) * 1_000_000_000 + i128::from(at.tv_nsec);
    Ok(Stamp {
        mount: mount.stx_mnt_id,
        modified: nanoseconds(plain.stx_mtime),
        changed: nanoseconds(plain.stx_ctime),
    })
}

/// The verdict on a job; none if it was given up.
pub fn check(job: &Job, surroundings: &Surroundings) -> Option<Verdict> {
    let checked = detached(job, surroundings).and_then(|verdict| match verdict {
        // A list may say more than a signature whose key is not here.
        Some(Verdict::NoKey(key)) => Ok(match listed(job, surroundings)? {
            Some(better @ (Verdict::Good { .. } | Verdict::Bad(_))) => better,
            _ => Verdict::NoKey(key),
        }),
        Some(verdict) => Ok(verdict),
        None => Ok(listed(job, surroundings)?.unwrap_or(Verdict::NotSigned)),
    });
    checked.map_or_else(|error| unfinished(&error), Some)
}

/// The verdict on a job that ended in this error; none if it was given up.
pub fn unfinished(error: &io::Error) -> Option<Verdict> {
    (error.kind() != GIVEN_UP).then(|| Verdict::Unreadable(error.to_string()))
}

/// By the signatures beside the file.
fn detached(job: &Job, surroundings: &Surroundings) -> io::Result<Option<Verdict>> {
    let mut verdict = None;
    for seen in &job.signatures {
        let outcome = match Signatures::read(&small(seen, LARGEST_PROOF)?) {
            Ok(signatures) => signatures
                .check(surroundings.keyring, surroundings.now, || open(job, surroundings))?,
            Err(flaw) => Outcome::Damaged(flaw),
        };
        let found = match fault(outcome, &seen.file.path) {
            Ok(verdict) => verdict,
            Err(Fault::Differs { from, .. }) => {
                differs(job, format!("its signature {from}"), None)?
            }
            Err(fault) => Verdict::Bad(fault),
        };
        match found {
            good @ Verdict::Good { .. } => return Ok(Some(good)),
            bad @ Verdict::Bad(_) => verdict = Some(bad),
            other => verdict = verdict.or(Some(other)),
        }
    }
    Ok(verdict)
}

/// What the signature in `file` says of its content.
fn fault(outcome: Outcome, file: &str) -> Result<Verdict, Fault> {
    let file = file.to_owned();
    match outcome {
        Outcome::Good(signer, lapsed) => Ok(Verdict::Good { signer, lapsed }),
        Outcome::Unknown(key) => Ok(Verdict::NoKey(key)),
        Outcome::Differs(_) => Err(Fault::Differs { from: file, size: 0, cut: None }),
        Outcome::Expired(signer, at) => Err(Fault::Expired { signer, at }),
        Outcome::Revoked(signer) => Err(Fault::Revoked(signer)),
        Outcome::Forgeable => Err(Fault::Forgeable(file)),
        Outcome::Damaged(flaw) => Err(Fault::Damaged { file, flaw }),
    }
}

/// A list's text, and what is known of the list itself.
struct ReadList<'a> {
    list: &'a List,
    text: String,
    origin: Verdict,
}

/// By the lists beside the file and above it.
fn listed(job: &Job, surroundings: &Surroundings) -> io::Result<Option<Verdict>> {
    let mut broken = None;
    let mut best: Option<ReadList> = None;
    let file = &job.file.file.path;
    for list in job.lists() {
        must_go_on(surroundings)?;
        let Some(read) = read_list(list, surroundings)? else { continue };
        if matches!(read.origin, Verdict::Bad(_)) {
            broken = broken.or(Some(read.origin));
            continue;
        }
        let better = best.as_ref().is_none_or(|best| read.origin.weight() < best.origin.weight());
        if better && !sums::of(&read.text, list.name_of(file)).is_empty() {
            best = Some(read);
        }
    }
    let Some(ReadList { list, text, origin }) = best else {
        // A list that nobody can trust may have named this file.
        return Ok(broken);
    };
    let (path, name) = (&list.list.file.path, list.name_of(file));
    if !has_digests(job, surroundings, &sums::of(&text, name))? {
        let whole = sums::length_of(&text, name);
        return differs(job, format!("its checksum in {path}"), whole).map(Some);
    }
    Ok(Some(match origin {
        Verdict::NotSigned => broken.unwrap_or_else(|| Verdict::SumOnly(path.clone())),
        good @ Verdict::Good { .. } => good,
        // Nobody's word that counts; the broken list may have been.
        origin => broken.unwrap_or(origin),
    }))
}

/// Lists are small, and there may be thousands.
fn must_go_on(surroundings: &Surroundings) -> io::Result<()> {
    match (surroundings.goes_on)(Duration::ZERO) {
        true => Ok(()),
        false => Err(GIVEN_UP.into()),
    }
}

/// Reads a list and checks its own signature. None: it is no list, but a signature of one.
fn read_list<'a>(list: &'a List, surroundings: &Surroundings) -> io::Result<Option<ReadList<'a>>> {
    let path = &list.list.file.path;
    let bytes = small(&list.list, LARGEST_LIST)?;
    let vouched = vouched(list, &bytes, surroundings)?;
    let (text, signatures) = if armor::is_cleartext(&bytes) {
        match String::from_utf8(bytes)
            .map_err(|_| "it is no text")
            .and_then(|t| armor::cleartext(&t))
        {
            Ok(found) => (found.text, vec![(path, Signatures::from_binary(&found.signature))]),
            Err(flaw) => (String::new(), vec![(path, Err(flaw))]),
        }
    } else if path.to_ascii_lowercase().ends_with(".asc") {
        return Ok(None);
    } else {
        let mut signatures = Vec::new();
        for seen in &list.signatures {
            let proof = small(seen, LARGEST_PROOF)?;
            // `SHA256SUMS.asc` may be a whole list by itself: it is looked at as one, too.
            if !armor::is_cleartext(&proof) {
                signatures.push((&seen.file.path, Signatures::read(&proof)));
            }
        }
        // What is no text is no list; its signature is to be checked all the same.
        (String::from_utf8_lossy(&bytes).into_owned(), signatures)
    };
    let mut origin = Verdict::NotSigned;
    for (file, signatures) in signatures {
        let outcome = match signatures {
            Ok(found) => {
                found.check(surroundings.keyring, surroundings.now, || Ok(text.as_bytes()))?
            }
            Err(flaw) => Outcome::Damaged(flaw),
        };
        origin = match fault(outcome, file) {
            Ok(verdict) => verdict,
            Err(Fault::Differs { .. }) => Verdict::Bad(Fault::ListDiffers(path.clone())),
            Err(fault) => Verdict::Bad(fault),
        };
        if matches!(origin, Verdict::Good { .. }) {
            break;
        }
    }
    if let (Verdict::NotSigned | Verdict::NoKey(_), Some(verdict)) = (&origin, vouched) {
        origin = verdict;
    }
    Ok(Some(ReadList { list, text, origin }))
}

/// What the signed lists of lists say of this one's content; nothing if they do not name it.
fn vouched(
    list: &List,
    content: &[u8],
    surroundings: &Surroundings,
) -> io::Result<Option<Verdict>> {
    let mut verdict = None;
    for voucher in list.vouchers.iter() {
        must_go_on(surroundings)?;
        let Some(read) = read_list(voucher, surroundings)? else { continue };
        let name = voucher.name_of(&list.list.file.path);
        let found = match (release::fits(&read.text, name, content), read.origin) {
            // Nobody signed it, so it says nothing.
            (_, Verdict::NotSigned) => continue,
            // It may have named this one.
            (_, bad @ Verdict::Bad(_)) => bad,
            (None, _) => continue,
            (Some(true), origin) => origin,
            (Some(false), _) => Verdict::Bad(Fault::ListNotNamed {
                list: list.list.file.path.clone(),
                by: voucher.list.file.path.clone(),
            }),
        };
        if matches!(found, Verdict::Good { .. }) {
            return Ok(Some(found));
        }
        verdict = verdict.or(Some(found));
    }
    Ok(verdict)
}

/// Whether the file's content makes all of these; it is read once.
fn has_digests(job: &Job, surroundings: &Surroundings, wanted: &[Digest]) -> io::Result<bool> {
    let mut reader = open(job, surroundings)?;
    let mut comparison = Comparison::with(wanted);
    loop {
        let piece = reader.piece()?;
        if piece.is_empty() {
            return Ok(comparison.is_equal());
        }
        comparison.update(piece);
        reader.used = reader.filled;
    }
}

/// "It differs", with what can be said of the reason.
fn differs(job: &Job, from: String, whole: Option<u64>) -> io::Result<Verdict> {
    let file = &job.file.file;
    let open = open_beneath(&file.volume, &file.path)?;
    let part = |at: u64, length: usize| {
        let mut bytes = vec![0; length];
        open.read_exact_at(&mut bytes, at).map(|()| bytes)
    };
    let size = usize::try_from(file.size).unwrap_or(usize::MAX);
    let head = part(0, size.min(hint::HEAD))?;
    let tail = size.min(hint::TAIL);
    let tail = part(file.size - tail as u64, tail)?;
    let cut = hint::cut(&file.path, file.size, whole, &head, &tail);
    Ok(Verdict::Bad(Fault::Differs { from, size: file.size, cut }))
}

fn open<'a>(job: &Job, surroundings: &'a Surroundings) -> io::Result<Pieces<'a>> {
    let seen = &job.file.file;
    let file = open_beneath(&seen.volume, &seen.path)?;
    let pieces = Pieces {
        as_it_was: (seen.size, job.file.stamp),
        surroundings,
        buffer: vec![0; PIECE.min(usize::try_from(seen.size).unwrap_or(PIECE).max(1))],
        filled: 0,
        used: 0,
        at: 0,
        begun: Instant::now(),
        file,
    };
    pieces.must_be_unchanged()?;
    surroundings.progress.restart();
    // Advice that is not taken costs speed and nothing else.
    let _ = fadvise(&pieces.file, 0, None, Advice::Sequential);
    Ok(pieces)
}

/// A file in large pieces.
struct Pieces<'a> {
    file: File,
    /// When it was scanned.
    as_it_was: (u64, Stamp),
    surroundings: &'a Surroundings<'a>,
    buffer: Vec<u8>,
    filled: usize,
    used: usize,
    at: u64,
    begun: Instant,
}

impl Pieces<'_> {
    /// What was read and not used yet; empty at the end.
    fn piece(&mut self) -> io::Result<&[u8]> {
        if self.used == self.filled {
            self.fill()?;
        }
        Ok(self.buffer.get(self.used..self.filled).unwrap_or_default())
    }

    fn fill(&mut self) -> io::Result<()> {
        if self.at > 0 && !(self.surroundings.goes_on)(self.begun.elapsed()) {
            return Err(GIVEN_UP.into());
        }
        self.begun = Instant::now();
        let wanted = self.buffer.len() as u64;
        let ahead = std::num::NonZeroU64::new(AHEAD);
        let _ = fadvise(&self.file, self.at + wanted, ahead, Advice::WillNeed);
        let count = self.file.read_at(&mut self.buffer, self.at)?;
        if self.as_it_was.0 > LARGEST_CACHED {
            let behind = std::num::NonZeroU64::new(wanted);
            let _ = fadvise(&self.file, self.at.saturating_sub(wanted), behind, Advice::DontNeed);
        }
        (self.filled, self.used) = (count, 0);
        self.at += count as u64;
        self.surroundings.progress.add(count as u64);
        if count == 0 {
            self.must_be_unchanged()?;
        }
        Ok(())
    }

    /// A verdict is on the file that the scan saw.
    fn must_be_unchanged(&self) -> io::Result<()> {
        let size = self.file.metadata()?.len();
        let read_whole = self.at == 0 || self.at == size;
        if (size, stamp_of(&self.file)?) == self.as_it_was && read_whole {
            return Ok(());
        }
        Err(io::Error::other("it changed while it was read; read the sticks again"))
    }
}

impl Read for Pieces<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let piece = self.piece()?;
        let count = piece.len().min(buffer.len());
        if let (Some(to), Some(from)) = (buffer.get_mut(..count), piece.get(..count)) {
            to.copy_from_slice(from);
        }
        self.used += count;
        Ok(count)
    }
}
