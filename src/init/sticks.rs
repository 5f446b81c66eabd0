//! Disks as they come and go: the card's two partitions, and the sticks.
//!
//! Looking at a disk and mounting it can block for minutes when it is dying, so helpers do
//! that; PID 1 only reads sysfs. What is pulled is detached at once: its readers get
//! errors, and the same stick plugged again is mounted anew.

use std::fs;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use log::{error, info, warn};

use super::blkid::{self, Content, FileSystem};
use super::helper::{self, Helper};
use super::mount;
use super::volumes::{Block, Change, Device, Role, Verdict, Volumes};

const SYSFS: &str = "/sys/class/block";

/// A healthy disk answers within a second; after this long a person should know.
const SLOW: Duration = Duration::from_secs(15);

/// Card readers tell of a new card only when asked: the kernel asks them this often.
const READER_POLL: &str = "2000";

/// What happened on one turn of the loop.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct News {
    /// A stick came or went.
    pub sticks: bool,
    /// The state partition could not be mounted.
    pub state_failed: bool,
}

/// Which disks are looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Look {
    /// SD cards only: the drivers for what is on sticks are not loaded yet.
    SdCards,
    /// All.
    All,
}

/// What a helper does for a device.
#[derive(Debug, Clone)]
enum Task {
    Examine,
    Mount { role: Role, system: FileSystem, label: String },
}

#[derive(Debug)]
struct Job {
    device: Device,
    task: Task,
    helper: Helper,
    late_at: Option<Instant>,
}

/// All disks.
#[derive(Debug, Default)]
pub struct Disks {
    volumes: Volumes,
    jobs: Vec<Job>,
    mounted: Vec<(Device, Role)>,
}

impl Disks {
    /// Makes the kernel ask card readers for new cards.
    pub fn watch_readers() {
        let path = "/sys/module/block/parameters/events_dfl_poll_msecs";
        if let Err(error) = fs::write(path, READER_POLL) {
            warn!("cards in USB readers are only seen at start: {path}: {error}");
        }
    }

    /// Reads what is there now, detaches what is gone, has what is new examined.
    pub fn look(&mut self, look: Look, now: Instant) -> News {
        let mut news = News::default();
        let mut blocks = blocks();
        blocks.retain(|block| look == Look::All || block.name.starts_with("mmcblk"));
        for change in self.volumes.compare(&blocks) {
            match change {
                Change::Examine(device) => self.start(device, Task::Examine, now),
                Change::Gone(device, _) => news.sticks |= self.gone(&device),
            }
        }
        news
    }

    /// Takes the results of helpers that have ended.
    pub fn advance(&mut self, now: Instant) -> News {
        let mut news = News::default();
        let mut index = 0;
        while let Some(job) = self.jobs.get_mut(index) {
            if let Some(result) = job.helper.result() {
                let job = self.jobs.swap_remove(index);
                self.done(job, &result, now, &mut news);
                continue;
            }
            if job.late_at.is_some_and(|late_at| now >= late_at) {
                job.late_at = None;
                warn!("{}: does not answer; if it is a stick, pull it", job.device.name);
            }
            index += 1;
        }
        news
    }

    /// Whether this part of the card is mounted.
    pub fn is_mounted(&self, role: Role) -> bool {
        self.mounted.iter().any(|(_, mounted)| *mounted == role)
    }

    /// Whether any disk is still being examined or mounted.
    pub fn is_busy(&self) -> bool {
        !self.jobs.is_empty()
    }

    /// From now on the box works without what is missing of the card.
    pub fn close_card(&mut self) {
        self.volumes.close_card();
    }

    /// What to wait on.
    pub fn waiting(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        self.jobs.iter().map(|job| job.helper.as_fd())
    }

    /// Detaches everything, sticks first, for a shutdown.
    pub fn detach_all(&mut self) {
        self.mounted.sort_by_key(|(_, role)| *role != Role::Stick);
        for (device, role) in self.mounted.drain(..) {
            if let Err(error) = mount::detach(&place(&device, role)) {
                warn!("{}: cannot be unmounted: {error}", device.name);
            }
        }
    }

    fn start(&mut self, device: Device, task: Task, now: Instant) {
        let node = Path::new("/dev").join(&device.name);
        let (work, target) = (task.clone(), place(&device, role_of(&task)));
        let helper = helper::start(move || match work {
            Task::Examine => examine(&node),
            Task::Mount { role, system, .. } => mounting(&node, &target, role, system),
        });
        match helper {
            Ok(helper) => {
                self.jobs.push(Job { device, task, helper, late_at: Some(now + SLOW) });
            }
            Err(error) => {
                error!("{}: cannot be examined: {error}; plug it in again", device.name);
            }
        }
    }

    fn done(&mut self, job: Job, result: &str, now: Instant, news: &mut News) {
        let Job { device, task, .. } = job;
        let there = self.volumes.has(&device);
        match task {
            Task::Examine if there => self.examined(device, result, now),
            Task::Examine => {}
            Task::Mount { role, system, label } if result.is_empty() => {
                self.mounted.push((device.clone(), role));
                if self.volumes.is_welcome(&device, role) {
                    say_mounted(&device, role, system, &label);
                    news.sticks |= role == Role::Stick;
                } else {
                    // It was pulled while it was being mounted, or came too late.
                    self.gone(&device);
                }
            }
            Task::Mount { role, system, .. } => {
                self.volumes.failed(&device);
                if role == Role::Stick {
                    mount::remove_folder(&place(&device, role));
                }
                news.state_failed |= role == Role::State;
                if there {
                    let what = advice(role);
                    warn!("{}: {system} cannot be mounted: {result}; {what}", device.name);
                }
            }
        }
    }

    fn examined(&mut self, device: Device, result: &str, now: Instant) {
        let content = match parse_result(result) {
            Ok(content) => content,
            Err(why) => {
                warn!("{}: cannot be read: {why}; try another stick or port", device.name);
                return;
            }
        };
        match self.volumes.decide(&device, content) {
            Verdict::Mount(role, system, label) => {
                self.start(device, Task::Mount { role, system, label }, now);
            }
            Verdict::Refuse(why) => warn!("{}: {why}", device.name),
            Verdict::PassOver => {}
        }
    }

    /// Detaches a device that is gone. Says whether it was a stick.
    fn gone(&mut self, device: &Device) -> bool {
        let Some(index) = self.mounted.iter().position(|(mounted, _)| mounted == device) else {
            return false;
        };
        let (device, role) = self.mounted.swap_remove(index);
        let target = place(&device, role);
        if let Err(error) = mount::detach(&target) {
            warn!("{}: cannot be detached: {error}", target.display());
        }
        match role {
            Role::Stick => {
                mount::remove_folder(&target);
                info!("{}: stick removed", device.name);
            }
            Role::Boot => warn!("{}: the SD card is gone; it is needed to start", device.name),
            Role::State => error!(
                "{}: the state partition is gone: nothing is remembered any more; put the card \
                 back and restart",
                device.name
            ),
        }
        role == Role::Stick
    }
}

fn role_of(task: &Task) -> Role {
    match task {
        Task::Examine => Role::Stick,
        Task::Mount { role, .. } => *role,
    }
}

fn place(device: &Device, role: Role) -> PathBuf {
    match role {
        Role::Boot => mount::BOOT.into(),
        Role::State => mount::STATE.into(),
        Role::Stick => Path::new(mount::MEDIA).join(&device.name),
    }
}

fn say_mounted(device: &Device, role: Role, system: FileSystem, label: &str) {
    let name = &device.name;
    let target = place(device, role);
    let target = target.display();
    match role {
        Role::Boot => info!("{name}: SD card's boot partition mounted at {target}"),
        Role::State => info!("{name}: SD card's state partition mounted at {target}"),
        Role::Stick if label.is_empty() => {
            info!("{name}: {system} stick without a name mounted at {target}");
        }
        Role::Stick => info!("{name}: {system} stick {label:?} mounted at {target}"),
    }
}

fn advice(role: Role) -> &'static str {
    match role {
        Role::Boot => "going on with the default settings; flash the card again",
        Role::State => "going on without a memory; flash the card again",
        Role::Stick => "repair the stick on a PC, or format it as FAT32, exFAT or ext4",
    }
}

/// Runs in a helper: the result in one line.
fn examine(node: &Path) -> String {
    let content = fs::File::open(node).and_then(|mut disk| blkid::identify(&mut disk));
    match content {
        Ok(Content::Known { system, label }) => format!("known\t{}\t{label}", system.driver()),
        Ok(Content::Unreadable(name)) => format!("unreadable\t{name}"),
        Ok(Content::Unknown) => "unknown".to_owned(),
        Err(error) => format!("error\t{error}"),
    }
}

/// Runs in a helper: empty, or why not.
fn mounting(node: &Path, target: &Path, role: Role, system: FileSystem) -> String {
    let result = match role {
        Role::State => mount::state(node, system),
        Role::Boot | Role::Stick => mount::read_only(node, target, system),
    };
    result.err().map_or_else(String::new, |error| match error.raw_os_error() {
        Some(libc::ENODEV) => format!("this kernel has no driver for {system}"),
        Some(libc::EINVAL | libc::EUCLEAN) => "it is damaged".to_owned(),
        _ => error.to_string(),
    })
}

fn parse_result(result: &str) -> Result<Content, String> {
    let mut parts = result.splitn(3, '\t');
    match (parts.next(), parts.next(), parts.next()) {
        (Some("known"), Some(driver), Some(label)) => match FileSystem::of_driver(driver) {
            Some(system) => Ok(Content::Known { system, label: label.to_owned() }),
            None => Ok(Content::Unknown),
        },
        (Some("unreadable"), Some(name), None) => Ok(Content::Unreadable(name.to_owned())),
        (Some("unknown"), ..) => Ok(Content::Unknown),
        (Some("error"), Some(why), _) => Err(why.to_owned()),
        _ => Err("the look at it ended early".to_owned()),
    }
}

/// What sysfs lists. What vanishes while it is read is not there.
fn blocks() -> Vec<Block> {
    let Ok(entries) = fs::read_dir(SYSFS) else {
        return Vec::new();
    };
    entries.filter_map(|entry| block(&entry.ok()?.path()).ok()).collect()
}

fn block(path: &Path) -> io::Result<Block> {
    let invalid = || io::Error::from(io::ErrorKind::InvalidData);
    let folder = fs::canonicalize(path)?;
    // The kernel makes the node a moment later than the entry, and then tells.
    let name = |path: &Path| path.file_name().and_then(|name| name.to_str()).map(str::to_owned);
    let disk = folder.join("partition").exists().then(|| folder.parent()).flatten();
    let own_name = name(path).ok_or_else(invalid)?;
    fs::metadata(Path::new("/dev").join(&own_name))?;
    Ok(Block {
        name: own_name,
        disk: disk.and_then(name),
        sequence: number(&disk.unwrap_or(&folder).join("diskseq"))?,
        sectors: number(&folder.join("size"))?,
    })
}

fn number(path: &Path) -> io::Result<u64> {
    let invalid = |_| io::Error::from(io::ErrorKind::InvalidData);
    fs::read_to_string(path)?.trim().parse().map_err(invalid)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_helpers_result_says_what_it_saw() {
        let known = Content::Known { system: FileSystem::Exfat, label: "A\tB".to_owned() };
        assert_eq!(parse_result("known\texfat\tA\tB"), Ok(known));
        assert_eq!(parse_result("unreadable\tBtrfs"), Ok(Content::Unreadable("Btrfs".to_owned())));
        assert_eq!(parse_result("unknown"), Ok(Content::Unknown));
        assert_eq!(parse_result("error\tI/O error"), Err("I/O error".to_owned()));
    }

    #[test]
    fn a_helper_that_died_is_an_error_and_not_an_empty_stick() {
        assert!(parse_result("").is_err());
    }
}
