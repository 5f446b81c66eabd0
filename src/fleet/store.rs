//! What must survive a power cut, in one redb file on the state partition.
//!
//! Several changes are committed together ([`Store::save`]); a commit is on the card when
//! it returns. A file that cannot be read is set aside and said aloud, never deleted.

use std::collections::HashMap;
use std::fmt;
use std::fs;
use std::io;
use std::net::Ipv4Addr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use redb::{Database, ReadableDatabase, ReadableTable, TableDefinition, TableError};

use super::life::Record;
use crate::boot::loader::Driver;
use crate::dhcp::lease::Binding;
use crate::dhcp::shape::Shape;
use crate::inventory::machine::identity::Identity;
use crate::net::Mac;

const LEASES: TableDefinition<[u8; 6], &[u8]> = TableDefinition::new("leases");
const SHAPES: TableDefinition<[u8; 6], &[u8]> = TableDefinition::new("shapes");
const LOADERS: TableDefinition<[u8; 6], &[u8]> = TableDefinition::new("loaders");
const IDENTITIES: TableDefinition<[u8; 6], &[u8]> = TableDefinition::new("identities");
const MACHINES: TableDefinition<[u8; 6], &[u8]> = TableDefinition::new("machines");

/// File name in the state folder.
const FILE: &str = "pxeberry.redb";

/// The cache of a database of a few hundred kilobytes; redb's default is a gigabyte.
const CACHE_BYTES: usize = 1024 * 1024;

/// One change to write down.
#[derive(Debug, Clone)]
pub enum Change {
    /// A machine has this address.
    Lease(Mac, Binding),
    /// A machine's address went to another one, or was somebody else's.
    NoLease(Mac),
    /// A machine's firmware takes this kind of offer.
    Shape(Mac, Shape),
    /// A machine runs the iPXE with this network driver.
    Loader(Mac, Driver),
    /// A machine said this of itself.
    Identity(Mac, Identity),
    /// What a machine said of itself is forgotten.
    NoIdentity(Mac),
    /// A machine is here in its life.
    Machine(Mac, Record),
    /// That is kept under another card, or none, now.
    NoMachine(Mac),
}

/// The state file could not be used.
#[derive(Debug)]
pub struct StoreError {
    path: PathBuf,
    operation: &'static str,
    source: AnyError,
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: cannot be {}: {}", self.path.display(), self.operation, self.source)
    }
}

impl std::error::Error for StoreError {}

/// The open state file.
pub struct Store {
    database: Database,
    path: PathBuf,
    /// A write panicked: the database may wait for ever for its own lock.
    broken: AtomicBool,
}

/// What the file held.
#[derive(Debug, Default)]
pub struct Saved {
    /// Every lease, ended ones too; no address twice.
    pub leases: Vec<(Mac, Binding)>,
    /// The kind of offer that each machine's firmware takes.
    pub shapes: Vec<(Mac, Shape)>,
    /// Whose network driver works in each machine's iPXE.
    pub loaders: Vec<(Mac, Driver)>,
    /// What machines said of themselves that the stick names by that.
    pub identities: Vec<(Mac, Identity)>,
    /// Every machine that was ever armed.
    pub machines: Vec<(Mac, Record)>,
    /// A file was set aside, now or at an earlier start: a machine that is not in
    /// `machines` may be installed all the same.
    pub lost: bool,
}

impl Store {
    /// Opens the file in `folder`. One that is damaged is renamed to `….damaged` and a new
    /// one begun: machines then boot their disks until somebody arms them.
    pub fn open(folder: &Path) -> Result<(Store, Saved), StoreError> {
        let path = folder.join(FILE);
        fs::create_dir_all(folder).map_err(|error| fault(&path, "created", error))?;
        let aside = path.with_extension("damaged");
        Store::begin(&path)?;
        let (store, saved) = match Store::read(&path) {
            Err(error) if !error.is_lock() => {
                log::error!("{error}; it is kept as {} and a new one begins", aside.display());
                fs::rename(&path, &aside).map_err(|error| fault(&path, "set aside", error))?;
                Store::begin(&path)?;
                Store::read(&path)
            }
            outcome => outcome,
        }?;
        let lost = aside.exists();
        if lost {
            log::warn!(
                "what machines did before was lost with {}: only those that are armed from \
                 now on are installed",
                aside.display()
            );
        }
        Ok((store, Saved { lost, ..saved }))
    }

    /// Makes an empty file if there is none. It gets its name when it is whole: a power cut
    /// in the first second must not look like a memory that was lost.
    fn begin(path: &Path) -> Result<(), StoreError> {
        if path.exists() {
            return Ok(());
        }
        let unfinished = path.with_extension("new");
        let failed = |error| fault(path, "created", error);
        match fs::remove_file(&unfinished) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(failed(error)),
            _ => {}
        }
        let database = Database::create(&unfinished);
        drop(database.map_err(|error| fault(path, "created", error))?);
        fs::rename(&unfinished, path).map_err(failed)?;
        let Some(folder) = path.parent() else {
            return Ok(());
        };
        fs::File::open(folder).and_then(|folder| folder.sync_all()).map_err(failed)
    }

    /// redb panics on about every fourth damaged file instead of saying so. Nothing of a
    /// database that panicked is used afterwards, so nothing half-done can be seen.
    fn read(path: &Path) -> Result<(Store, Saved), StoreError> {
        catch_unwind(AssertUnwindSafe(|| Store::read_checked(path)))
            .unwrap_or_else(|_| Err(fault(path, "opened", DAMAGED)))
    }

    /// Without the check of all checksums a page that the card has lost is found when
    /// something is written to it, or never.
    fn read_checked(path: &Path) -> Result<(Store, Saved), StoreError> {
        let failed = |error| fault(path, "opened", error);
        let mut database =
            redb::Builder::new().set_cache_size(CACHE_BYTES).open(path).map_err(failed)?;
        if !database.check_integrity().map_err(failed)? {
            log::warn!("{}: was damaged, and is repaired", path.display());
        }
        let store = Store { database, path: path.to_owned(), broken: AtomicBool::new(false) };
        let saved = Saved {
            leases: newest_of_each_address(store.table(LEASES)?),
            shapes: store.table(SHAPES)?,
            loaders: store.table(LOADERS)?,
            identities: store.table(IDENTITIES)?,
            machines: store.table(MACHINES)?,
            lost: false,
        };
        Ok((store, saved))
    }

    /// Writes all changes in one commit; on the card when it returns.
    pub fn save(&self, changes: &[Change]) -> Result<(), StoreError> {
        if changes.is_empty() {
            return Ok(());
        }
        if self.broken.load(Ordering::Relaxed) {
            return Err(fault(&self.path, "written", DAMAGED));
        }
        // A panic would end the server's thread; an error ends one answer.
        let commit = || self.commit(changes);
        let committed = catch_unwind(AssertUnwindSafe(commit)).unwrap_or_else(|_| {
            self.broken.store(true, Ordering::Relaxed);
            Err(DAMAGED.into())
        });
        committed.map_err(|source| fault(&self.path, "written", source))
    }

    fn commit(&self, changes: &[Change]) -> Result<(), AnyError> {
        let transaction = self.database.begin_write()?;
        {
            let mut leases = transaction.open_table(LEASES)?;
            let mut shapes = transaction.open_table(SHAPES)?;
            let mut loaders = transaction.open_table(LOADERS)?;
            let mut identities = transaction.open_table(IDENTITIES)?;
            let mut machines = transaction.open_table(MACHINES)?;
            for change in changes {
                match change {
                    Change::NoLease(mac) => {
                        leases.remove(mac.octets())?;
                    }
                    Change::Shape(mac, shape) => {
                        shapes.insert(mac.octets(), serde_json::to_vec(shape)?.as_slice())?;
                    }
                    Change::Loader(mac, driver) => {
                        loaders.insert(mac.octets(), serde_json::to_vec(driver)?.as_slice())?;
                    }
                    Change::Identity(mac, identity) => {
                        let row = serde_json::to_vec(identity)?;
                        identities.insert(mac.octets(), row.as_slice())?;
                    }
                    Change::NoIdentity(mac) => {
                        identities.remove(mac.octets())?;
                    }
                    Change::Lease(mac, binding) => {
                        leases.insert(mac.octets(), serde_json::to_vec(binding)?.as_slice())?;
                    }
                    Change::NoMachine(mac) => {
                        machines.remove(mac.octets())?;
                    }
                    Change::Machine(mac, record) => {
                        machines.insert(mac.octets(), serde_json::to_vec(record)?.as_slice())?;
                    }
                }
            }
        }
        transaction.commit()?;
        Ok(())
    }

    /// Rows that do not parse (of another version) are passed over, not fatal.
    fn table<T: serde::de::DeserializeOwned>(
        &self,
        definition: TableDefinition<[u8; 6], &[u8]>,
    ) -> Result<Vec<(Mac, T)>, StoreError> {
        let read = || -> Result<Vec<(Mac, T)>, redb::Error> {
            let transaction = self.database.begin_read()?;
            let table = match transaction.open_table(definition) {
                Ok(table) => table,
                Err(TableError::TableDoesNotExist(_)) => return Ok(Vec::new()),
                Err(error) => return Err(error.into()),
            };
            let mut rows = Vec::new();
            for row in table.iter()? {
                let (key, value) = row?;
                let parsed = serde_json::from_slice(value.value()).ok();
                rows.extend(Mac::stored(key.value()).zip(parsed));
            }
            Ok(rows)
        };
        read().map_err(|error| fault(&self.path, "read", error))
    }
}

impl StoreError {
    /// Another process has the file: it is not damaged.
    fn is_lock(&self) -> bool {
        self.source
            .downcast_ref::<redb::DatabaseError>()
            .is_some_and(|error| matches!(error, redb::DatabaseError::DatabaseAlreadyOpen))
            || self.source.downcast_ref::<io::Error>().is_some()
    }
}

type AnyError = Box<dyn std::error::Error + Send + Sync>;

/// What is known of a file on which redb panicked.
const DAMAGED: &str = "it is damaged inside";

/// Of two machines with one address the later one has it.
fn newest_of_each_address(mut rows: Vec<(Mac, Binding)>) -> Vec<(Mac, Binding)> {
    rows.sort_by_key(|(_, binding)| binding.expires);
    let holders: HashMap<Ipv4Addr, Mac> = rows.iter().map(|(mac, b)| (b.address, *mac)).collect();
    rows.retain(|(mac, binding)| holders.get(&binding.address) == Some(mac));
    rows
}

fn fault(path: &Path, operation: &'static str, source: impl Into<AnyError>) -> StoreError {
    StoreError { path: path.to_owned(), operation, source: source.into() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv4Addr;

    fn folder(name: &str) -> PathBuf {
        let folder = std::env::temp_dir().join(format!("pxeberry-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&folder);
        folder
    }

    fn mac() -> Mac {
        "52:54:00:00:00:01".parse().unwrap()
    }

    fn changes() -> Vec<Change> {
        let binding = Binding { address: Ipv4Addr::new(10, 10, 10, 100), expires: 5 };
        let record = Record::armed("token".to_owned(), 1);
        vec![Change::Lease(mac(), binding), Change::Machine(mac(), record)]
    }

    #[test]
    fn what_was_saved_is_there_after_a_restart() {
        let folder = folder("store");
        let (store, saved) = Store::open(&folder).unwrap();
        assert!(saved.leases.is_empty() && saved.machines.is_empty());
        store.save(&changes()).unwrap();
        drop(store);
        let (_store, saved) = Store::open(&folder).unwrap();
        assert_eq!(saved.leases[0].1.address, Ipv4Addr::new(10, 10, 10, 100));
        assert_eq!(saved.machines[0].1.token, "token");
        fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn an_address_that_went_to_another_machine_is_that_ones_after_a_restart() {
        let folder = folder("moved");
        let address = Ipv4Addr::new(10, 10, 10, 100);
        let lease = |last: u8, expires| {
            let mac = Mac::new([0x52, 0x54, 0, 0, 0, last]).unwrap();
            Change::Lease(mac, Binding { address, expires })
        };
        let (store, _) = Store::open(&folder).unwrap();
        // The highest MAC gives it back, and the lowest gets it: rows are read by MAC.
        store.save(&[lease(9, 5)]).unwrap();
        store.save(&[lease(1, 900)]).unwrap();
        drop(store);
        let (_store, saved) = Store::open(&folder).unwrap();
        assert_eq!(saved.leases.len(), 1, "{:?}", saved.leases);
        assert_eq!(saved.leases[0].0.octets()[5], 1);
        fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn what_is_no_more_leaves_no_row() {
        let folder = folder("no-lease");
        let (store, _) = Store::open(&folder).unwrap();
        store.save(&changes()).unwrap();
        let learned =
            [Change::Shape(mac(), Shape::OnAsking), Change::Loader(mac(), Driver::Native)];
        let gone = [Change::NoLease(mac()), Change::NoMachine(mac())];
        store.save(&[&gone[..], &learned[..]].concat()).unwrap();
        drop(store);
        let (_store, saved) = Store::open(&folder).unwrap();
        assert!(saved.leases.is_empty() && saved.machines.is_empty());
        assert_eq!(saved.shapes, [(mac(), Shape::OnAsking)]);
        assert_eq!(saved.loaders, [(mac(), Driver::Native)]);
        fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn of_two_rows_with_one_address_the_later_counts() {
        let address = Ipv4Addr::new(10, 10, 10, 100);
        let row = |last: u8, expires| {
            (Mac::new([0x52, 0x54, 0, 0, 0, last]).unwrap(), Binding { address, expires })
        };
        let rows = newest_of_each_address(vec![row(1, 900), row(9, 5)]);
        assert_eq!(rows, [row(1, 900)]);
    }

    #[test]
    fn a_damaged_file_is_set_aside_and_serving_starts() {
        let folder = folder("damaged");
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join(FILE), vec![7; 20_000]).unwrap();
        let (store, saved) = Store::open(&folder).unwrap();
        assert!(saved.leases.is_empty());
        store.save(&changes()).unwrap();
        assert_eq!(fs::read(folder.join("pxeberry.damaged")).unwrap(), vec![7; 20_000]);
        fs::remove_dir_all(&folder).unwrap();
    }
}
