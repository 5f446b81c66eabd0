//! Who waits for something to change. Each holds a connection, so there are not many.

use std::collections::HashMap;
use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::world::World;

/// Pages that are open on a LAN; the others ask now and then.
const MOST: usize = 24;

/// Tabs of one browser; a browser opens six connections at most.
const MOST_OF_ADDRESS: usize = 5;

/// Shorter than what proxies and browsers bear.
const PATIENCE: Duration = Duration::from_secs(25);

/// Everybody who waits.
#[derive(Debug, Default)]
pub struct Waiting(Arc<Mutex<HashMap<Ipv4Addr, usize>>>);

/// A place among them; free again when dropped.
#[derive(Debug)]
pub struct Place(Arc<Mutex<HashMap<Ipv4Addr, usize>>>, Ipv4Addr);

impl Waiting {
    /// None: there are enough.
    pub fn enter(&self, address: Ipv4Addr) -> Option<Place> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let own = all.get(&address).copied().unwrap_or(0);
        if own >= MOST_OF_ADDRESS || all.values().sum::<usize>() >= MOST {
            return None;
        }
        all.insert(address, own + 1);
        Some(Place(Arc::clone(&self.0), address))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match all.get(&self.1).copied() {
            Some(0 | 1) | None => {
                all.remove(&self.1);
            }
            Some(own) => {
                all.insert(self.1, own - 1);
            }
        }
    }
}

/// Until the state is another one than `known`, or long enough.
pub async fn for_change(world: &World, known: u64) {
    let mut changes = world.watch_changes();
    let other = changes.wait_for(|revision| *revision != known);
    let _ = tokio::time::timeout(PATIENCE, other).await;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_takes_all_places_and_each_is_free_again() {
        let waiting = Waiting::default();
        let address = |last| Ipv4Addr::new(10, 10, 10, last);
        let mut places: Vec<Place> =
            (0..MOST_OF_ADDRESS).filter_map(|_| waiting.enter(address(2))).collect();
        assert!(waiting.enter(address(2)).is_none());
        places.extend((3..).map_while(|last| waiting.enter(address(last))));
        assert_eq!(places.len(), MOST);
        drop(places);
        assert!(waiting.0.lock().unwrap().is_empty());
    }
}
