//! What must survive a power cut, in one redb file on the state partition.
//!
//! Several changes are committed together ([`Store::save`]); a commit is on the card when
//! it returns. A file that cannot be read is set aside and said aloud, never deleted.

use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use redb::{Database, ReadableDatabase, ReadableTable, TableDefinition, TableError};

use super::life::Record;
use crate::dhcp::lease::Binding;
use crate::dhcp::shape::Shape;
use crate::net::Mac;

const LEASES: TableDefinition<[u8; 6], &[u8]> = TableDefinition::new("leases");
const SHAPES: TableDefinition<[u8; 6], &[u8]> = TableDefinition::new("shapes");
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
    /// A machine is here in its life.
    Machine(Mac, Record),
}

/// The state file could not be used.
#[derive(Debug)]
pub struct StoreError {
    path: PathBuf,
    operation: &'static str,
    source: Box<dyn std::error::Error + Send + Sync>,
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
}

/// What the file held.
#[derive(Debug, Default)]
pub struct Saved {
    /// Every lease, ended ones too.
    pub leases: Vec<(Mac, Binding)>,
    /// The kind of offer that each machine's firmware takes.
    pub shapes: Vec<(Mac, Shape)>,
    /// Every machine that was ever armed.
    pub machines: Vec<(Mac, Record)>,
}

impl Store {
    /// Opens the file in `folder`. One that is damaged is renamed to `….damaged` and a new
    /// one begun: machines then boot their disks until somebody arms them.
    pub fn open(folder: &Path) -> Result<(Store, Saved), StoreError> {
        let path = folder.join(FILE);
        fs::create_dir_all(folder).map_err(|error| fault(&path, "created", error))?;
        match Store::read(&path) {
            Ok(opened) => Ok(opened),
            Err(error) if path.exists() && !error.is_lock() => {
                let aside = path.with_extension("damaged");
                log::error!("{error}; it is kept as {} and a new one begins", aside.display());
                fs::rename(&path, &aside).map_err(|error| fault(&path, "set aside", error))?;
                Store::read(&path)
            }
            Err(error) => Err(error),
        }
    }

    fn read(path: &Path) -> Result<(Store, Saved), StoreError> {
        let failed = |error| fault(path, "opened", error);
        let database =
            redb::Builder::new().set_cache_size(CACHE_BYTES).create(path).map_err(failed)?;
        let store = Store { database, path: path.to_owned() };
        let saved = Saved {
            leases: store.table(LEASES)?,
            shapes: store.table(SHAPES)?,
            machines: store.table(MACHINES)?,
        };
        Ok((store, saved))
    }

    /// Writes all changes in one commit; on the card when it returns.
    pub fn save(&self, changes: &[Change]) -> Result<(), StoreError> {
        if changes.is_empty() {
            return Ok(());
        }
        self.commit(changes).map_err(|source| StoreError {
            path: self.path.clone(),
            operation: "written",
            source,
        })
    }

    fn commit(&self, changes: &[Change]) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
        let transaction = self.database.begin_write()?;
        {
            let mut leases = transaction.open_table(LEASES)?;
            let mut shapes = transaction.open_table(SHAPES)?;
            let mut machines = transaction.open_table(MACHINES)?;
            for change in changes {
                match change {
                    Change::NoLease(mac) => {
                        leases.remove(mac.octets())?;
                    }
                    Change::Shape(mac, shape) => {
                        shapes.insert(mac.octets(), serde_json::to_vec(shape)?.as_slice())?;
                    }
                    Change::Lease(mac, binding) => {
                        leases.insert(mac.octets(), serde_json::to_vec(binding)?.as_slice())?;
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
                rows.extend(Mac::new(key.value()).zip(parsed));
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

fn fault(
    path: &Path,
    operation: &'static str,
    source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
) -> StoreError {
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
